"""Admin GraphQL over our own guarded HTTP client, and Shopify's many ways of saying no in our errors.

Page: shopify.dev/docs/api/admin-graphql/2026-10 and shopify.dev/docs/api/usage/limits. Shopify answers 200 to nearly
everything; what went wrong stands in ``errors``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import shopify

from connectors.http import asked_at, checked, json_body, server_time
from connectors.shopify.documents import API_VERSION
from core.errors import Malformed, Rejected, Throttled, Unauthorized, Unreachable


class CostTooHigh(Rejected):
    """One query asked for more points than Shopify ever allows; ask for a smaller page."""

    def __init__(self) -> None:
        super().__init__("one query asks for too much", status=200, code="MAX_COST_EXCEEDED")


@dataclass(frozen=True, slots=True)
class Answer:
    """``data`` without errors; ``version`` is the API version that really answered.

    ``answered_at`` is Shopify's clock when the answer left, in whole seconds. ``asked_at`` is an instant of the same
    clock surely not after the data was looked up.
    """

    data: Mapping[str, Any]
    answered_at: datetime
    asked_at: datetime
    version: str


# The package has no types, so its class counts as Any for the type checker.
class HttpGraphQL(shopify.GraphQL):  # type: ignore[misc]
    """shopifyapi's GraphQL without its shared state: endpoint and headers come from one explicit session.

    The parent would read both from thread-local state, follow redirects with the token, and wait for ever.
    """

    def __init__(self, session: shopify.Session, http: httpx.Client) -> None:
        self.endpoint = f"{session.site}/graphql.json"
        self.headers = {"X-Shopify-Access-Token": session.token}
        self._http = http

    def execute(
        self, query: str, variables: Mapping[str, Any] | None = None, operation_name: str | None = None
    ) -> httpx.Response:
        """Send one document; the response comes whole, for the clock and version stand in its headers."""
        body = {"query": query, "variables": dict(variables or {}), "operationName": operation_name}
        headers = self.merge_headers({"Accept": "application/json"}, self.headers)
        return self._http.post(self.endpoint, json=body, headers=headers)


def session_for(url: str, token: str) -> shopify.Session:
    """A session of one shop that no other thread or shop can see, for https shops and a sandbox on a port alike."""
    parts = urlsplit(url)
    session = shopify.Session(parts.netloc, API_VERSION, token)
    session.protocol, session.url = parts.scheme, parts.netloc
    return session


def read_answer(response: httpx.Response) -> Answer:
    """The data of a response that holds no error; an address that the app may not see counts as none.

    Raises: Throttled with the time after which the query fits; CostTooHigh; Unauthorized; Unreachable; Rejected;
    Malformed.
    """
    body = json_body(checked(response))
    if not isinstance(body, dict):
        raise Malformed("Shopify's answer is not a JSON object")
    if body.get("errors") and not _only_addresses_refused(body["errors"]):
        _raise_for(body["errors"], body.get("extensions"))
    data = body.get("data")
    if not isinstance(data, dict):
        raise Malformed("Shopify's answer has no data")
    version = response.headers.get("X-Shopify-API-Version", "")
    return Answer(data, server_time(response), asked_at(response), version)


def _raise_for(errors: Any, extensions: Any) -> None:
    codes = _codes(errors)
    if "THROTTLED" in codes:
        raise Throttled(_wait_s(extensions))
    if "MAX_COST_EXCEEDED" in codes:
        raise CostTooHigh
    if "ACCESS_DENIED" in codes:
        raise Unauthorized("Shopify refuses a field to the app; grant it the scopes that the README names")
    if "INTERNAL_SERVER_ERROR" in codes:
        raise Unreachable("Shopify failed inside (INTERNAL_SERVER_ERROR)")
    raise Rejected("Shopify refuses the query", status=200, code=",".join(codes))


def _only_addresses_refused(errors: Any) -> bool:
    """Addresses are protected customer data of level 2, which many apps are not granted: they come as null then, with
    an error each, and the rest of the answer is whole. Page: shopify.dev/docs/apps/launch/protected-customer-data.
    """
    return isinstance(errors, list) and all(
        isinstance(error, dict)
        and isinstance(error.get("path"), list)
        and "shippingAddress" in error["path"]
        and set(_codes([error])) <= {"ACCESS_DENIED"}
        for error in errors
    )


def _codes(errors: Any) -> Sequence[str]:
    """The machine-readable codes; messages are left out, they can quote values."""
    entries = errors if isinstance(errors, list) else []
    extensions = [entry.get("extensions") for entry in entries if isinstance(entry, dict)]
    return [str(found["code"]) for found in extensions if isinstance(found, dict) and found.get("code")]


def _wait_s(extensions: Any) -> float:
    """(requested - available) / restore rate, in seconds; 1 when the answer gives no numbers."""
    try:
        cost = extensions["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(missing / float(status["restoreRate"]), 0.1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0

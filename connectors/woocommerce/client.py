"""WooCommerce over its REST API wc/v3 (8.9 and newer), through the package ``woocommerce``.

Credentials: ``consumer_key``, ``consumer_secret``, ``webhook_secret`` (hexadecimal; the shop decodes entities in it).
Settings: ``hold_minutes`` (empty: unpaid orders never run out) and ``auth`` = ``query`` where the host drops the
Authorization header. Field written: ``stock_quantity``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import requests
from woocommerce import API

from connectors.http import Net, asked_at, checked, error_code, json_body, requests_session, server_time
from connectors.port import Abilities
from core.errors import Unauthorized
from core.model import (
    FetchedOrders,
    Hint,
    ListingPage,
    ListingRef,
    ObservedLevel,
    OrderPage,
    PushIntent,
    PushOutcome,
    StoreAccess,
    StoreProfile,
)

from . import listings, orders, push, webhooks
from .crew import Crew
from .probe import denial, hold_minutes, probe
from .shop import Answer, Params, Patient
from .stock import StockReader, read_levels

_USER_AGENT = "Holdfast"


class _Sdk(API):  # type: ignore[misc]  # the package carries no types, so its class is Any to the checker
    """The SDK with its one sending method replaced: it knows no session, and follows redirects, which lose writes."""

    def __init__(self, access: StoreAccess, net: Net, session: requests.Session, query_auth: bool) -> None:
        super().__init__(
            url=access.url,
            consumer_key=access.credentials["consumer_key"],
            consumer_secret=access.credentials["consumer_secret"],
            version="wc/v3",
            timeout=(net.connect_timeout_s, net.read_timeout_s),
            query_string_auth=query_auth,
            user_agent=_USER_AGENT,
        )
        self._session = session

    def _API__request(
        self, method: str, endpoint: str, data: Mapping[str, Any] | None, params: Params | None = None
    ) -> requests.Response:
        url = self._API__get_url(endpoint)
        query: dict[str, str | int] = dict(params or {})
        auth = None
        if not self.is_ssl:
            url, query = self._API__get_oauth_url(f"{url}?{urlencode(query)}", method), {}
        elif self.query_string_auth:
            query |= {"consumer_key": self.consumer_key, "consumer_secret": self.consumer_secret}
        else:
            auth = (self.consumer_key, self.consumer_secret)
        headers = {"User-Agent": self.user_agent, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json;charset=utf-8"
        return self._session.request(
            method,
            url,
            params=query,
            data=None if data is None else json.dumps(data).encode(),
            auth=auth,
            headers=headers,
            timeout=self.timeout,
            allow_redirects=False,
        )


class _RestShop:
    """Fulfils ``shop.Shop``. URLs and answers' ``Link`` headers may hold keys: neither is ever logged or followed."""

    def __init__(self, access: StoreAccess, net: Net, session: requests.Session, query_auth: bool) -> None:
        self._session = session
        self._sdk = _Sdk(access, net, session, query_auth)

    @property
    def secure(self) -> bool:
        return bool(self._sdk.is_ssl)

    def get(self, endpoint: str, params: Params) -> Answer:
        return self._answer(self._sdk.get(endpoint, params=dict(params)), writing=False)

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        write = self._sdk.post if method == "POST" else self._sdk.put
        return self._answer(write(endpoint, data), writing=True)

    def remove(self, endpoint: str) -> None:
        self._answer(self._sdk.delete(endpoint, params={"force": "true"}), writing=True)

    def close(self) -> None:
        self._session.close()

    def _answer(self, response: requests.Response, writing: bool) -> Answer:
        if response.status_code in (401, 403):
            code = error_code(response.content)
            raise Unauthorized(denial(response.status_code, code, writing, self.secure))
        checked(response)
        total = response.headers.get("X-WP-Total", "")
        return Answer(
            content=json_body(response),
            answered_at=server_time(response),
            asked_at=asked_at(response),
            total=int(total) if total.isdecimal() else None,
        )


class WooCommerceConnector:
    """One WooCommerce shop; see ``connectors.port.Connector`` for what each method promises."""

    abilities = Abilities(compare_and_set=False, push_limit=push.PUSH_LIMIT, fetch_limit=50)

    def __init__(self, access: StoreAccess, net: Net) -> None:
        self._access = access
        self._net = net
        self._session = requests_session(net)
        query_auth = access.settings.get("auth") == "query"
        self._shop = _RestShop(access, net, self._session, query_auth)
        self._patient = Patient(self._shop)
        self._reader = StockReader(self._patient)
        self._crew = Crew(lambda: _RestShop(access, net, requests_session(net), query_auth))
        self._hold_minutes = hold_minutes(access.settings.get("hold_minutes", "60"))

    def probe(self) -> StoreProfile:
        """See Connector.probe; ``clock`` is never later than the shop's own at that moment."""
        name = urlsplit(self._access.url).hostname or self._access.url
        try:
            return probe(self._patient, name, self._shop.secure)
        except Unauthorized as refusal:
            return self._probe_without_header(name, refusal)

    def _probe_without_header(self, name: str, refusal: Unauthorized) -> StoreProfile:
        """A host that drops the Authorization header looks just like a wrong key; keys in the query tell them apart."""
        if not self._shop.secure:
            raise refusal
        shop = _RestShop(self._access, self._net, self._session, query_auth=True)
        try:
            found = probe(Patient(shop), name, secure=True)
        except Unauthorized:
            raise refusal from None
        warning = "The host drops the Authorization header, so keys go in the query and into its access log; mend that."
        return replace(found, settings={**found.settings, "auth": "query"}, warnings=(*found.warnings, warning))

    def list_listings(self, cursor: str | None) -> ListingPage:
        """See Connector.list_listings."""
        return listings.list_page(self._patient, cursor)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """See Connector.read_webhook."""
        return webhooks.read(self._access.credentials["webhook_secret"], headers, body)

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        """See Connector.fetch_orders; an order in the trash is missing."""
        return orders.fetch(self._patient, self._reader, self._hold_minutes, order_ids)

    def orders_changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        """See Connector.orders_changed_since."""
        return orders.changed_since(self._patient, watermark, cursor)

    def read_levels(self, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
        """See Connector.read_levels."""
        return read_levels(self._reader, listings)

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        """See Connector.push."""
        return push.push(self._crew, intents)

    def ensure_webhooks(self, delivery_url: str) -> Sequence[str]:
        """See Connector.ensure_webhooks; a shop on the internet refuses to deliver to private addresses."""
        return webhooks.ensure(self._patient, delivery_url, self._access.credentials["webhook_secret"])

    def close(self) -> None:
        """Give back sockets and threads."""
        self._crew.close()
        self._session.close()

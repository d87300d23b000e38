"""BigCommerce's HTTP: one store's V2 and V3 calls, paced by its own rate-limit headers. Platform page: API rate limits.

The quota is the store's, shared with its other apps, so what the last answer said is a hint: near its end we wait for
the window to turn rather than run into 429.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from connectors import http
from connectors.bigcommerce.translate import Level, Row, levels
from core.errors import Malformed, Rejected, Throttled, Unauthorized
from core.model import StoreAccess

READ_CHUNK = 500
"""Most ids in one filter: keeps the URL under 6 KB."""
_RESERVE = 3
_OVERLOADED_S = 10.0
_V3_LIMIT = 250


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Levels by variant id as the store showed them at ``read_at`` (its clock); what it does not count is absent."""

    levels: Mapping[int, Level]
    read_at: datetime


class Api:
    """One store's API. Threads may share it."""

    def __init__(self, access: StoreAccess, net: http.Net) -> None:
        root = f"{access.url.rstrip('/')}/stores/{_credential(access, 'store_hash')}"
        headers = {
            "X-Auth-Token": _credential(access, "access_token"),
            "Accept": "application/json",
            "User-Agent": "Holdfast",
        }
        self._http = http.http_client(root, net, headers)
        self._budget: tuple[int, float] | None = None

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> httpx.Response:
        """A read, repeated for a few seconds when the store fails or asks to wait."""
        return _safely(lambda: self._send("GET", path, params=params))

    def write(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response:
        """A write, sent once: what was read before it is too old for a second attempt."""
        return self._send(method, path, content=content)

    def rows(self, path: str, params: Mapping[str, str | int] | None = None) -> list[Row]:
        """One page of a V2 list (204 is its end) or the ``data`` of a V3 answer."""
        return list_of(self.get(path, params))

    def all_rows(self, path: str, params: Mapping[str, str | int], limit: int = _V3_LIMIT) -> list[Row]:
        """All pages of a V3 list."""
        found: list[Row] = []
        page = 1
        while True:
            query: dict[str, str | int] = {**params, "limit": limit, "page": page}
            content = http.json_body(self.get(path, query))
            rows = _list(content)
            found += rows
            pagination = (content.get("meta") or {}).get("pagination") or {}
            pages = pagination.get("total_pages")
            if not rows or (pages is None and len(rows) < limit) or (pages is not None and page >= pages):
                return found
            page += 1

    def levels(self, variant_ids: Sequence[int], location_id: int) -> Snapshot:
        """The numbers of at most READ_CHUNK variants at one location, in one call."""
        params: dict[str, str | int] = {
            "variant_id:in": ",".join(map(str, variant_ids)),
            "location_id:in": location_id,
            "limit": 1000,
        }
        answer = self.get("/v3/inventory/items", params)
        return Snapshot(levels(list_of(answer), location_id), http.server_time(answer))

    def close(self) -> None:
        self._http.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        self._wait_for_budget()
        answer = self._http.request(method, path, params=params, json=content)
        self._note_budget(answer.headers)
        if answer.status_code == 429:
            raise Throttled(_wait_asked_s(answer.headers))
        if answer.status_code == 422:
            raise Rejected(_title(answer), status=422)
        return http.checked(answer)

    def _wait_for_budget(self) -> None:
        if self._budget is None:
            return
        left, turns_at = self._budget
        wait_s = turns_at - time.monotonic()
        if left < _RESERVE and wait_s > 0:
            raise Throttled(wait_s, "before its quota is used up")

    def _note_budget(self, headers: Mapping[str, str]) -> None:
        left, reset_ms = headers.get("X-Rate-Limit-Requests-Left", ""), headers.get("X-Rate-Limit-Time-Reset-Ms", "")
        if left.isdecimal() and reset_ms.isdecimal():
            self._budget = int(left), time.monotonic() + int(reset_ms) / 1000


@http.safely
def _safely(call: Callable[[], httpx.Response]) -> httpx.Response:
    return call()


def _credential(access: StoreAccess, name: str) -> str:
    value = access.credentials.get(name, "")
    if not value:
        raise Unauthorized(f"the credential {name} is missing; `holdfast store renew NAME` takes all of them")
    return value


def _wait_asked_s(headers: Mapping[str, str]) -> float:
    """How long a 429 asks us to wait; one without any figure comes from a platform under load and gets longer."""
    reset_ms = headers.get("X-Rate-Limit-Time-Reset-Ms", "")
    if reset_ms.isdecimal():
        return int(reset_ms) / 1000
    seconds = headers.get("X-Retry-After") or headers.get("Retry-After") or ""
    return float(seconds) if seconds.isdecimal() else _OVERLOADED_S


def _title(answer: httpx.Response) -> str:
    content = http.json_body(answer)
    if isinstance(content, list) and content:
        content = content[0]
    title = (content.get("title") or content.get("message")) if isinstance(content, dict) else None
    return str(title or "the store refused the content of the call (422)")


def list_of(answer: httpx.Response) -> list[Row]:
    """The rows of a V2 or V3 list answer; none for 204."""
    return [] if answer.status_code == 204 else _list(http.json_body(answer))


def _list(content: Any) -> list[Row]:
    rows = content.get("data") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed("BigCommerce answered something other than a list of rows")
    return rows


def object_of(answer: httpx.Response) -> Row:
    """A V2 object, or the ``data`` object of a V3 answer."""
    content = http.json_body(answer)
    found = content.get("data", content) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise Malformed("BigCommerce answered something other than an object")
    return found

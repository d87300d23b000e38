"""Shopify as the connector's tests script it: what it will answer, and what it was asked."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import respx

from core.model import Platform, PushIntent, StoreAccess

URL = "https://goods.myshopify.com"
ENDPOINT = f"{URL}/admin/api/2026-10/graphql.json"
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
ACCESS = StoreAccess(
    1, 1, Platform.SHOPIFY, URL, {"access_token": "shpat_secret", "api_secret": "hush"}, {"location_id": "82"}
)
Script = Callable[[Mapping[str, Any]], Mapping[str, Any] | httpx.Response]


class Shopify:
    """Answers requests one after another from a script and keeps what was asked; the last answer stays."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.router = router
        self.asked: list[Mapping[str, Any]] = []
        self.answers: list[Script] = []
        self._lock = threading.Lock()
        self.route = router.post(ENDPOINT).mock(side_effect=self._answer)

    def will(self, *answers: Mapping[str, Any] | Script) -> None:
        self.answers += [answer if callable(answer) else _fixed(answer) for answer in answers]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        with self._lock:
            self.asked.append(asked)
            script = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = script(asked)
        return (
            answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer, headers={"Date": DATE})
        )


def _fixed(answer: Mapping[str, Any]) -> Script:
    return lambda _asked: answer


def failed(code: str, **extensions: Any) -> Mapping[str, Any]:
    return {"errors": [{"message": code, "extensions": {"code": code}}], "extensions": extensions}


def throttled(requested: float, available: float) -> Mapping[str, Any]:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0}
    return failed("THROTTLED", cost={"requestedQueryCost": requested, "throttleStatus": status})


def refused(*errors: tuple[str, Sequence[str] | None]) -> Mapping[str, Any]:
    told = [{"code": code, "field": field, "message": "no"} for code, field in errors]
    return {"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": told}}}


def at_row(index: int) -> Sequence[str]:
    return ["input", "quantities", str(index), "changeFromQuantity"]


WRITTEN: Mapping[str, Any] = {
    "data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": {"changes": []}, "userErrors": []}}
}


def levels(quantities: Mapping[str, int]) -> Script:
    """Answers a read of levels with these numbers."""

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        nodes = []
        for item in asked["variables"]["ids"]:
            level = {"isActive": True, "quantities": [{"name": "available", "quantity": quantities[item[-1]]}]}
            nodes.append({"id": item, "tracked": True, "inventoryLevel": level})
        return {"data": {"nodes": nodes}}

    return answer


def intent(number: int, believed: int | None, wanted: int) -> PushIntent:
    return PushIntent(number, str(number), believed, wanted, idempotency_key=f"key-{number}")


def keys(shopify: Shopify) -> list[str]:
    return [asked["variables"]["key"] for asked in shopify.asked if "key" in asked["variables"]]

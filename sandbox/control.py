"""The control port: shoppers, the people in the shops, outages, dials, the journal. No delays and no faults here."""

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Panel
from sandbox.journal import Journal
from sandbox.shop import Shop, Wish
from sandbox.things import Refused

JOURNAL_LIMIT = 5000

Body = dict[str, object]
Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """The caller sent something that cannot be read; the text says what."""


def text(body: Mapping[str, object], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{key} wants a text")
    return value


def count(body: Mapping[str, object], key: str, least: int) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequest(f"{key} wants a whole number >= {least}")
    return value


def flag(body: Mapping[str, object], key: str, default: bool) -> bool:
    value = body.get(key, default)
    if not isinstance(value, bool):
        raise BadRequest(f"{key} wants true or false")
    return value


def rows(body: Mapping[str, object], key: str) -> list[Body]:
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise BadRequest(f"{key} wants a list of objects")
    return value


def order_number(body: Mapping[str, object]) -> int:
    order_id = text(body, "order_id")
    if not order_id.isdecimal():
        raise BadRequest("order_id wants the id that checkout answered")
    return int(order_id)


async def read(request: Request) -> Body:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body wants to be an object")
    return body


def _catalogue(shop: Shop, body: Body) -> Body:
    wanted = [(text(row, "sku"), text(row, "title"), count(row, "stock", 0)) for row in rows(body, "products")]
    for sku, title, stock in wanted:
        shop.add_product(sku, title, stock)
    return {"products": len(wanted)}


def _checkout(shop: Shop, body: Body) -> Body:
    wishes = [Wish(text(row, "sku"), count(row, "quantity", 1)) for row in rows(body, "lines")]
    city = body.get("city")
    if city is not None and not isinstance(city, str):
        raise BadRequest("city wants a text, empty when the shopper comes for the goods")
    order, served = shop.checkout(text(body, "reference"), flag(body, "paid", default=True), wishes, city)
    return {
        "order_id": str(order.number) if order else None,
        "number": order.name if order else None,
        "lines": [
            {
                "line_id": str(each.line.number) if each.line else None,
                "sku": each.wish.sku,
                "quantity": each.wish.quantity,
                "sold": each.line.quantity if each.line else 0,
            }
            for each in served
        ],
    }


def _pay(shop: Shop, body: Body) -> Body:
    shop.pay(order_number(body))
    return {}


def _fulfil(shop: Shop, body: Body) -> Body:
    shipped = shop.fulfil(order_number(body))
    return {"lines": [{"sku": line.product.sku, "quantity": quantity} for line, quantity in shipped]}


def _cancel(shop: Shop, body: Body) -> Body:
    released = shop.cancel(order_number(body))
    return {"lines": [{"sku": line.product.sku, "quantity": quantity} for line, quantity in released]}


def _refund(shop: Shop, body: Body) -> Body:
    wanted: dict[str, int] = {}
    for row in rows(body, "lines"):
        sku = text(row, "sku")
        wanted[sku] = wanted.get(sku, 0) + count(row, "quantity", 1)
    refund = shop.refund(order_number(body), wanted, flag(body, "restock", default=True))
    done: dict[str, int] = {}
    for part in refund.lines if refund else ():
        done[part.line.product.sku] = done.get(part.line.product.sku, 0) + part.quantity
    return {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in done.items()]}


def _stock(shop: Shop, body: Body) -> Body:
    product = shop.product(text(body, "sku"))
    if product is None:
        raise Refused("no such sku")
    shop.edit_stock(product, count(body, "quantity", 0))
    return {}


def _outage(shop: Shop, body: Body) -> Body:
    shop.faults.go_down(count(body, "seconds", 1))
    return {}


ACTIONS: Mapping[str, Callable[[Shop, Body], Body]] = {
    "catalogue": _catalogue,
    "checkout": _checkout,
    "pay": _pay,
    "fulfil": _fulfil,
    "cancel": _cancel,
    "refund": _refund,
    "stock": _stock,
    "outage": _outage,
}


class Control:
    """Endpoints over all shops. Refused acts answer 409, unreadable ones 400, unknown shops 404."""

    def __init__(self, shops: Mapping[str, Shop], panel: Panel, journal: Journal) -> None:
        self._shops = shops
        self._panel = panel
        self._journal = journal

    def app(self) -> Starlette:
        acts = [
            Route(f"/shops/{{shop}}/{name}", self._endpoint(act), methods=["POST"]) for name, act in ACTIONS.items()
        ]
        return Starlette(
            routes=[
                *acts,
                Route("/shops/{shop}/levels", self._levels),
                Route("/faults", self._faults, methods=["POST"]),
                Route("/journal", self._read_journal),
                Route("/state", self._state),
            ],
            exception_handlers={BadRequest: _refusal(400), Refused: _refusal(409), KeyError: _refusal(404)},
        )

    def _endpoint(self, act: Callable[[Shop, Body], Body]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            body = await read(request)
            return JSONResponse(act(self._shop(request), body))

        return endpoint

    def _shop(self, request: Request) -> Shop:
        return self._shops[request.path_params["shop"]]

    async def _levels(self, request: Request) -> Response:
        return JSONResponse({product.sku: product.on_sale for product in self._shop(request).products})

    async def _faults(self, request: Request) -> Response:
        try:
            self._panel.dials = self._panel.dials.turned(await read(request))
        except ValueError as error:
            raise BadRequest(str(error)) from error
        return JSONResponse({})

    async def _read_journal(self, request: Request) -> Response:
        query = request.query_params
        after, limit = query.get("after", "0"), query.get("limit", str(JOURNAL_LIMIT))
        if not (after.isdecimal() and limit.isdecimal()):
            raise BadRequest("after and limit want whole numbers")
        entries = self._journal.after(int(after), min(int(limit), JOURNAL_LIMIT))
        return JSONResponse({"entries": entries, "last": self._journal.last})

    async def _state(self, _request: Request) -> Response:
        counters = self._panel.counters
        return JSONResponse(
            {
                "shops": {
                    name: {
                        "webhooks_pending": shop.deliveries.pending,
                        "writes_pending": shop.writes_pending,
                        "orders": len(shop.orders),
                    }
                    for name, shop in self._shops.items()
                },
                "webhooks_sent": counters.webhooks_sent,
                "webhooks_duplicated": counters.webhooks_duplicated,
                "webhooks_dropped": counters.webhooks_dropped,
                "webhooks_reordered": counters.webhooks_reordered,
                "api_calls": counters.api_calls,
                "api_throttled": counters.api_throttled,
                "api_failed": counters.api_failed,
            }
        )


def _refusal(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        detail = f"unknown {request.path_params.get('shop')}" if isinstance(error, KeyError) else str(error)
        return JSONResponse({"error": detail}, status_code=status)

    return answer

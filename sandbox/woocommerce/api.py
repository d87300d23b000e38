"""The wc/v3 routes."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.shop import Shop
from sandbox.things import ByChange, Changing, Order, Product
from sandbox.woocommerce import query, shapes
from sandbox.woocommerce.catalogue import Catalogue, Parent, Row
from sandbox.woocommerce.errors import ApiError, invalid_id
from sandbox.woocommerce.oauth import PUBLIC_PATHS
from sandbox.woocommerce.settings import index, setting, system_status
from sandbox.woocommerce.shapes import Json
from sandbox.woocommerce.webhooks import Hooks, show

BASE = "/wp-json/wc/v3"
BATCH_LIMIT = 100

T = TypeVar("T", bound=Changing)
Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """Reads the shop and writes its numbers; every endpoint is one atomic step once its body is read."""

    def __init__(self, shop: Shop, catalogue: Catalogue, hooks: Hooks) -> None:
        self._shop = shop
        self._catalogue = catalogue
        self._hooks = hooks

    def app(self) -> Starlette:
        refusals = {ApiError: _refused, ClientDisconnect: _hung_up, 404: _no_route, 405: _no_route}
        app = Starlette(routes=[*self._catalogue_routes(), *self._other_routes()], exception_handlers=refusals)
        app.router.redirect_slashes = False
        return app

    def _catalogue_routes(self) -> list[Route]:
        product, variations = f"{BASE}/products/{{id:int}}", f"{BASE}/products/{{parent:int}}/variations"
        return [
            _get(f"{BASE}/products", self._list_products),
            _write(f"{BASE}/products/batch", self._batch_products, "POST"),
            _get(product, self._get_product),
            _write(product, self._put_product, "PUT", "POST", "PATCH"),
            _get(variations, self._list_variations_of),
            _write(f"{variations}/batch", self._batch_variations, "POST"),
            _get(f"{variations}/{{id:int}}", self._get_variation),
            _write(f"{variations}/{{id:int}}", self._put_variation, "PUT", "POST", "PATCH"),
            _get(f"{BASE}/variations", self._list_variations),
        ]

    def _other_routes(self) -> list[Route]:
        return [
            *(_get(path, self._get_index) for path in sorted(PUBLIC_PATHS)),
            _get(f"{BASE}/orders", self._list_orders),
            _get(f"{BASE}/orders/{{id:int}}", self._get_order),
            _get(f"{BASE}/orders/{{id:int}}/refunds", self._list_refunds_of),
            _get(f"{BASE}/refunds", self._list_refunds),
            _get(f"{BASE}/webhooks", self._list_webhooks),
            _write(f"{BASE}/webhooks", self._create_webhook, "POST"),
            _get(f"{BASE}/webhooks/{{id:int}}", self._get_webhook),
            _write(f"{BASE}/webhooks/{{id:int}}", self._put_webhook, "PUT", "POST", "PATCH"),
            _write(f"{BASE}/webhooks/{{id:int}}", self._delete_webhook, "DELETE"),
            _get(f"{BASE}/settings/products/{{name}}", self._get_setting),
            _get(f"{BASE}/system_status", self._get_system_status),
        ]

    async def _list_products(self, request: Request) -> Response:
        """The ``sku`` filter finds variations too; the plain list leaves them out."""
        skus, ids = query.words(request.query_params, "sku"), query.numbers(request.query_params, "include")
        rows: Iterable[Row]
        if skus is not None:
            found = (self._catalogue.by_sku(sku) for sku in skus)
            rows = sorted({row for row in found if row}, key=_number)
        elif ids is not None:
            rows = _picked(self._catalogue.rows, ids)
        else:
            rows = _changed(self._catalogue.rows, request)
        return query.page(request.query_params).cut(rows, _changed_at, self._show_product)

    async def _get_product(self, request: Request) -> Response:
        return _one(self._show_product(self._row(request.path_params["id"])), request)

    async def _put_product(self, request: Request) -> Response:
        body = await _body(request)
        row = self._writable_row(request.path_params["id"])
        self._write(row, query.stock_quantity(body))
        return _one(self._show_product(row), request)

    async def _batch_products(self, request: Request) -> Response:
        body = await _body(request)

        def apply(item: Mapping[str, object]) -> Json:
            number = item.get("id")
            if not isinstance(number, int) or not self._known(number):
                raise invalid_id("product", status=400)
            row = self._writable_row(number)
            self._write(row, query.batch_stock_quantity(item))
            return self._show_product(row)

        return _batch(body, apply)

    async def _list_variations_of(self, request: Request) -> Response:
        parent = self._parent(request)
        since = query.modified_after(request.query_params)
        ids = query.numbers(request.query_params, "include")
        rows = [
            row
            for row in parent.variations
            if (since is None or row.changed_at >= since) and (ids is None or row.number in ids)
        ]
        return query.page(request.query_params).cut(rows, _changed_at, self._show_variation)

    async def _list_variations(self, request: Request) -> Response:
        ids = query.numbers(request.query_params, "include")
        rows = _picked(self._catalogue.variations, ids) if ids else _changed(self._catalogue.variations, request)
        return query.page(request.query_params).cut(rows, _changed_at, self._show_variation)

    async def _get_variation(self, request: Request) -> Response:
        row = self._variation_of(self._parent(request), request.path_params["id"])
        return _one(self._show_variation(row), request)

    async def _put_variation(self, request: Request) -> Response:
        body = await _body(request)
        row = self._variation_of(self._parent(request), request.path_params["id"])
        self._write(row, query.stock_quantity(body))
        return _one(self._show_variation(row), request)

    async def _batch_variations(self, request: Request) -> Response:
        body = await _body(request)
        parent = self._parent(request)

        def apply(item: Mapping[str, object]) -> Json:
            row = self._variation_of(parent, item.get("id"))
            self._write(row, query.batch_stock_quantity(item))
            return self._show_variation(row)

        return _batch(body, apply)

    async def _list_orders(self, request: Request) -> Response:
        ids, states = query.numbers(request.query_params, "include"), query.words(request.query_params, "status")
        rows = _picked(self._shop.orders, ids) if ids is not None else _changed(self._shop.orders, request)
        if states is not None and "any" not in states:
            rows = (order for order in rows if shapes.status(order) in states)
        return query.page(request.query_params).cut(rows, _changed_at, self._show_order)

    async def _get_order(self, request: Request) -> Response:
        return _one(self._show_order(self._order(request)), request)

    async def _list_refunds_of(self, request: Request) -> Response:
        order = self._order(request)
        page = query.page(request.query_params)
        return page.cut(
            order.refunds, lambda refund: refund.at, lambda refund: self._show_refund((order, refund.number))
        )

    async def _list_refunds(self, request: Request) -> Response:
        rows = sorted(
            ((order, refund.number) for order in self._shop.orders for refund in order.refunds),
            key=lambda row: row[1],
        )
        return query.page(request.query_params).cut(rows, lambda row: row[1], self._show_refund)

    async def _list_webhooks(self, request: Request) -> Response:
        page = query.page(request.query_params)
        return page.cut(self._hooks.all(), lambda hook: hook.changed_at, lambda hook: show(hook, self._shop.url))

    async def _create_webhook(self, request: Request) -> Response:
        hook = await self._hooks.create(await _body(request))
        location = f"{self._shop.url}{BASE}/webhooks/{hook.number}"
        return JSONResponse(show(hook, self._shop.url), status_code=201, headers={"Location": location})

    async def _get_webhook(self, request: Request) -> Response:
        return _one(show(self._hooks.get(request.path_params["id"]), self._shop.url), request)

    async def _put_webhook(self, request: Request) -> Response:
        body = await _body(request)
        return _one(show(self._hooks.update(request.path_params["id"], body), self._shop.url), request)

    async def _delete_webhook(self, request: Request) -> Response:
        force = request.query_params.get("force") in query.TRUE
        return _one(show(self._hooks.delete(request.path_params["id"], force=force), self._shop.url), request)

    async def _get_setting(self, request: Request) -> Response:
        return _one(setting(request.path_params["name"], self._shop.url), request)

    async def _get_system_status(self, request: Request) -> Response:
        return _one(system_status(self._shop.url), request)

    async def _get_index(self, request: Request) -> Response:
        return _one(index(self._shop.url), request)

    def _known(self, number: int) -> bool:
        return self._catalogue.rows.get(number) is not None or self._catalogue.variations.get(number) is not None

    def _row(self, number: int) -> Row:
        row = self._catalogue.rows.get(number) or self._catalogue.variations.get(number)
        if row is None:
            raise invalid_id("product")
        return row

    def _writable_row(self, number: int) -> Row:
        row = self._row(number)
        if self._catalogue.variations.get(number):
            raise ApiError(
                404,
                "woocommerce_rest_invalid_product_id",
                "To manipulate product variations you should use the "
                "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.",
            )
        return row

    def _parent(self, request: Request) -> Parent:
        row = self._row(request.path_params["parent"])
        if isinstance(row, Parent):
            return row
        raise invalid_id("product")

    def _variation_of(self, parent: Parent, number: object) -> Product:
        row = self._catalogue.variations.get(number) if isinstance(number, int) else None
        if row is None or self._catalogue.parent_of(row) is not parent:
            raise invalid_id("product_variation")
        return row

    def _order(self, request: Request) -> Order:
        order = self._shop.orders.get(request.path_params["id"])
        if order is None:
            raise invalid_id("shop_order")
        return order

    def _write(self, row: Row, quantity: int | None) -> None:
        """Only the number can be written; a parent that manages none ignores it, with 200."""
        if quantity is not None and isinstance(row, Product):
            self._shop.write_stock(row, quantity)

    def _show_product(self, row: Row) -> Json:
        return shapes.product(row, self._catalogue, self._shop.url)

    def _show_variation(self, row: Product) -> Json:
        parent = self._catalogue.parent_of(row)
        if parent is None:
            raise invalid_id("product_variation")
        return shapes.variation(row, parent, self._shop.url)

    def _show_order(self, order: Order) -> Json:
        return shapes.order(order, self._catalogue, self._shop.url)

    def _show_refund(self, row: tuple[Order, int]) -> Json:
        order, number = row
        refund = next(each for each in order.refunds if each.number == number)
        return shapes.refund(refund, order, self._catalogue, self._shop.url)


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _write(path: str, endpoint: Endpoint, *methods: str) -> Route:
    return Route(path, endpoint, methods=list(methods))


def _number(row: Changing) -> int:
    return row.number


def _changed_at(row: Changing) -> object:
    return row.changed_at


def _picked(things: ByChange[T], ids: Iterable[int]) -> Iterable[T]:
    return [thing for thing in map(things.get, sorted(set(ids))) if thing]


def _changed(things: ByChange[T], request: Request) -> Iterable[T]:
    """All in order of id, or those changed after the query's moment."""
    since = query.modified_after(request.query_params)
    return things if since is None else sorted(things.changed_since(since), key=_number)


def _one(shown: Json, request: Request) -> Response:
    return JSONResponse(query.trimmed(shown, query.fields(request.query_params)))


async def _body(request: Request) -> Mapping[str, object]:
    """Raises: ApiError 400 for what is no JSON object; an empty body is an empty object."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        message = "Invalid JSON body passed."
        raise ApiError(400, "rest_invalid_json", message, json_error_code=4, json_error_message="Syntax error")
    return body


def _batch(body: Mapping[str, object], apply: Callable[[Mapping[str, object]], Json]) -> Response:
    """Items run in the order sent and stand alone; a failed one is answered in its place with its error.

    Raises: ApiError 413 above 100 items over all three lists; 501 for creating and deleting, which are left out.
    """
    parts = {name: body.get(name) or [] for name in ("create", "update", "delete")}
    if sum(len(items) for items in parts.values() if isinstance(items, list)) > BATCH_LIMIT:
        message = f"Unable to accept more than {BATCH_LIMIT} items for this request."
        raise ApiError(413, "woocommerce_rest_request_entity_too_large", message)
    if parts["create"] or parts["delete"]:
        raise ApiError(501, "sandbox_not_played", "This shop only plays the update part of a batch.")
    updates = parts["update"]
    items = [item for item in updates if isinstance(item, dict)] if isinstance(updates, list) else []
    return JSONResponse({"update": [_item(item, apply) for item in items]} if items else {})


def _item(item: Mapping[str, object], apply: Callable[[Mapping[str, object]], Json]) -> Json:
    try:
        return apply(item)
    except ApiError as error:
        return {"id": item.get("id"), "error": error.body()}


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return error.response()


async def _no_route(_request: Request, _error: Exception) -> Response:
    return ApiError(404, "rest_no_route", "No route was found matching the URL and request method.").response()


async def _hung_up(_request: Request, _error: Exception) -> Response:
    """The caller left before its body had arrived: nothing is done, and nobody reads the answer."""
    return Response(status_code=400)

"""What the query root answers: the shop, its locations, catalogue and orders."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from graphql import GraphQLError

from sandbox.shop import Shop
from sandbox.shopify import views
from sandbox.shopify.ids import gid, kind_of, number_in, product_number
from sandbox.shopify.views import Info, View
from sandbox.things import Order, OrderEvent, Product, StockCause

SCOPES = ("read_products", "write_inventory", "read_locations", "read_orders", "read_all_orders")

_SINCE = re.compile(r"updated_at:>=?'([^']+)'")
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Queries:
    """Resolvers of the query root; it watches the shop to know which order a refund belongs to."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._refunded: dict[int, Order] = {}

    def product_added(self, product: Product) -> None:
        """Of no interest here."""

    def stock_changed(self, product: Product, cause: StockCause) -> None:
        """Of no interest here."""

    def order_changed(self, order: Order, event: OrderEvent) -> None:
        if event is OrderEvent.REFUNDED:
            self._refunded[order.refunds[-1].number] = order
        if event is OrderEvent.CANCELLED:
            self._refunded[order.number] = order

    def shop(self, *_: object) -> View:
        return {
            "__typename": "Shop",
            "id": gid("Shop", 1),
            "name": "Sandbox Shop",
            "myshopifyDomain": urlsplit(self._shop.url).netloc,
        }

    def installation(self, *_: object) -> View:
        return {"id": gid("AppInstallation", 1), "accessScopes": [{"handle": scope} for scope in SCOPES]}

    def locations(
        self,
        _source: None,
        _info: Info,
        first: int | None = None,
        after: str | None = None,
        **flags: bool,
    ) -> View:
        active = [each for each in views.LOCATIONS if each["isActive"] or flags.get("includeInactive")]
        return views.page_of(active, lambda each: each, first, after)

    def variants(
        self, _source: None, _info: Info, first: int | None = None, after: str | None = None, **_: str
    ) -> View:
        return views.page_of(list(self._shop.products), views.variant, first, after)

    def node(self, _source: None, _info: Info, id: str) -> View | None:
        return self._find(id)

    def nodes(self, _source: None, _info: Info, ids: Sequence[str]) -> list[View | None]:
        if len(ids) > 250:
            raise GraphQLError(
                f"The input array size of {len(ids)} is greater than the maximum of 250.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        return [self._find(each) for each in ids]

    def order(self, _source: None, _info: Info, id: str) -> View | None:
        return self._find(id) if kind_of(id) == "Order" else None

    def item(self, _source: None, _info: Info, id: str) -> View | None:
        return self._find(id) if kind_of(id) == "InventoryItem" else None

    def orders(self, _source: None, _info: Info, **arguments: Any) -> View:
        """By ``updated_at`` only, oldest change first; the cursor is the last order's place in that order."""
        size = views.page_size(arguments.get("first"))
        after = _cursor_in(arguments.get("after"))
        since = max(_since(arguments), after[0]) if after else _since(arguments)
        found = sorted(self._shop.orders.changed_since(since), key=_place)
        if after:
            found = [each for each in found if _place(each) > after]
        page = found[:size]
        return {
            "nodes": [views.order(each) for each in page],
            "pageInfo": {"hasNextPage": len(found) > size, "endCursor": _cursor_of(page[-1]) if page else None},
        }

    def _find(self, global_id: str) -> View | None:
        kind = kind_of(global_id)
        number = number_in(global_id, kind)
        if number is None:
            raise GraphQLError(f"Invalid global id '{global_id}'", extensions={"code": "RESOURCE_NOT_FOUND"})
        if kind == "InventoryItem":
            product = self._shop.products.get(product_number(number))
            return views.item(product) if product else None
        if kind == "Order":
            order = self._shop.orders.get(number)
            return views.order(order) if order else None
        return self._find_child(kind, number, global_id)

    def _find_child(self, kind: str, number: int, global_id: str) -> View | None:
        if kind == "Refund":
            refunded = self._refunded.get(number)
            found = views.refunds(refunded) if refunded else []
        else:
            order = self._shop.orders.get(number) if kind == "Fulfillment" else None
            found = views.fulfilments(order) if order else []
        return next((each for each in found if each["id"] == global_id), None)


def _place(order: Order) -> tuple[datetime, int]:
    return order.changed_at, order.number


def _since(arguments: Mapping[str, Any]) -> datetime:
    text = arguments.get("query") or ""
    matched = _SINCE.fullmatch(text.strip())
    if (text and not matched) or arguments.get("sortKey") != "UPDATED_AT":
        raise GraphQLError(
            "This shop only searches orders by updated_at, sorted by UPDATED_AT", extensions={"code": "BAD_USER_INPUT"}
        )
    return datetime.fromisoformat(matched.group(1)).astimezone(UTC) if matched else _EVER


def _cursor_of(order: Order) -> str:
    return urlsafe_b64encode(f"{order.changed_at.isoformat()} {order.number}".encode()).decode()


def _cursor_in(after: str | None) -> tuple[datetime, int] | None:
    if after is None:
        return None
    try:
        moment, _, number = urlsafe_b64decode(after).decode().partition(" ")
        return datetime.fromisoformat(moment), int(number)
    except ValueError:
        raise GraphQLError(
            "Invalid cursor for current pagination sort.", extensions={"code": "BAD_USER_INPUT"}
        ) from None

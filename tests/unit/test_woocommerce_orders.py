"""Finding changed orders page by page, and fetching them by id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from connectors.woocommerce.orders import changed_since, fetch
from connectors.woocommerce.shop import Answer, Params
from connectors.woocommerce.stock import StockReader
from core.errors import Malformed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = "2026-11-22T11:00:00"
DRAFTS = ("checkout-draft", "auto-draft")


@dataclass
class OrderShop:
    """Orders by id with their status; its clock goes on by a minute with each call."""

    states: dict[int, str]
    lines: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    pooled: set[int] = field(default_factory=set)
    trashed: set[int] = field(default_factory=set)
    products: dict[int, dict[str, Any]] = field(default_factory=dict)
    created_via: str = "admin"
    asked: list[Params] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def get(self, endpoint: str, params: Params) -> Answer:
        self.calls.append(endpoint)
        at = NOON + timedelta(minutes=len(self.calls) - 1)
        if endpoint == "variations":
            wanted = [int(one) for one in str(params["include"]).split(",")]
            rows = [{"id": one, "manage_stock": "parent" if one in self.pooled else True} for one in wanted]
            rows = [row for row in rows if row["id"] not in self.trashed]
            return Answer(rows, at, at)
        if endpoint == "products":
            wanted = [int(one) for one in str(params["include"]).split(",")]
            return Answer([{"id": one, "manage_stock": True, **self.products.get(one, {})} for one in wanted], at, at)
        self.asked.append(params)
        return self._page(params, at)

    def _page(self, params: Params, at: datetime) -> Answer:
        states = str(params["status"]).split(",")
        hidden = {"trash", *DRAFTS}
        found = [
            number
            for number, state in sorted(self.states.items())
            if (state not in hidden if states == ["any"] else state in states)
        ]
        if "include" in params:
            wanted = str(params["include"]).split(",")
            found = [number for number in found if str(number) in wanted]
        size, page = int(params["per_page"]), int(params.get("page", 1))
        shown = [self._row(number) for number in found[(page - 1) * size : page * size]]
        return Answer(shown, at, at - timedelta(seconds=2), len(found))

    def _row(self, number: int) -> dict[str, Any]:
        stamps = {"date_created_gmt": STAMP, "date_modified_gmt": STAMP}
        made = {"status": self.states[number], "created_via": self.created_via}
        return {"id": number, "line_items": self.lines.get(number, []), **made, **stamps}

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        raise AssertionError("reading orders writes nothing")

    def remove(self, endpoint: str) -> None:
        raise AssertionError("reading orders writes nothing")


def _sweep(shop: OrderShop, between: dict[int, str] | None = None) -> tuple[list[str], set[datetime]]:
    """All pages; ``between`` are states that change after the first."""
    ids: list[str] = []
    times: set[datetime] = set()
    cursor: str | None = None
    while True:
        page = changed_since(shop, NOON, cursor)
        ids += [change.external_id for change in page.changes]
        times.add(page.read_at)
        shop.states |= between or {}
        if (cursor := page.cursor) is None:
            return ids, times


def test_all_pages_and_the_trash_are_found_and_carry_the_first_answer_s_time() -> None:
    shop = OrderShop(dict.fromkeys(range(1, 251), "processing") | {300: "trash", 301: "checkout-draft"})

    ids, times = _sweep(shop)

    assert ids == [str(number) for number in [*range(1, 251), 300]]
    assert times == {NOON - timedelta(seconds=3)}


def test_the_filter_reaches_back_before_the_watermark_in_gmt() -> None:
    shop = OrderShop({})

    changed_since(shop, datetime(2026, 11, 22, 13, 0, 5, tzinfo=UTC), None)

    asked = shop.asked[0]
    assert (asked["modified_after"], asked["dates_are_gmt"]) == ("2026-11-22T13:00:04", "true")
    assert (asked["orderby"], asked["order"]) == ("id", "asc")


def test_an_order_that_leaves_the_list_between_two_pages_hides_no_other() -> None:
    shop = OrderShop(dict.fromkeys(range(1, 251), "processing"))

    ids, _ = _sweep(shop, between={5: "trash"})

    assert {str(number) for number in range(1, 251)} <= set(ids)


@pytest.mark.parametrize("cursor", ["", "any", "nowhere:1::", "any:x::", "any:1:noon:"])
def test_a_cursor_that_is_none_of_ours_is_malformed(cursor: str) -> None:
    with pytest.raises(Malformed):
        changed_since(OrderShop({}), NOON, cursor)


def test_orders_come_as_asked_and_trashed_unknown_and_foreign_ids_are_missing() -> None:
    shop = OrderShop({1: "processing", 2: "trash", 3: "checkout-draft"})

    fetched = fetch(shop, StockReader(shop), 60, ["3", "gone", "1", "2", "9", "1"])

    assert [(order.external_id, order.holds) for order in fetched.orders] == [("3", False), ("1", True)]
    assert fetched.missing == ("gone", "2", "9")


def test_orders_without_refunds_or_variations_take_one_call() -> None:
    shop = OrderShop(dict.fromkeys(range(1, 51), "processing"))

    fetch(shop, StockReader(shop), 60, [str(number) for number in range(1, 51)])

    assert shop.calls == ["orders"]


def test_a_line_of_a_pooled_variation_is_a_line_of_its_parent() -> None:
    lines = [
        {"id": 1, "product_id": 61, "variation_id": 62, "quantity": 1},
        {"id": 2, "product_id": 46, "variation_id": 47, "quantity": 1},
    ]
    shop = OrderShop({1: "processing"}, lines={1: lines}, pooled={62})
    reader = StockReader(shop)

    first = fetch(shop, reader, 60, ["1"])
    fetch(shop, reader, 60, ["1"])

    assert [line.external_id for line in first.orders[0].lines] == ["61", "46/47"]
    assert shop.calls.count("variations") == 1


def test_a_line_whose_variation_the_shop_no_longer_lists_keeps_its_own_id() -> None:
    line = {"id": 1, "product_id": 46, "variation_id": 47, "quantity": 1}
    shop = OrderShop({1: "processing"}, lines={1: [line]}, trashed={47})

    fetched = fetch(shop, StockReader(shop), 60, ["1"])

    assert [line.external_id for line in fetched.orders[0].lines] == ["46/47"]


def test_an_unpaid_order_hides_only_what_its_products_say_the_shop_reserves() -> None:
    lines = [{"id": one, "product_id": product, "quantity": 2} for one, product in ((1, 11), (2, 12), (3, 0), (4, 13))]
    products = {11: {"backorders": "no"}, 12: {"backorders": "notify"}}
    shop = OrderShop({1: "pending"}, lines={1: lines}, products=products, created_via="checkout")

    fetched = fetch(shop, StockReader(shop), 120, ["1"])

    assert [line.hidden for line in fetched.orders[0].lines] == [2, 0, 0, 0]
    assert shop.calls == ["orders", "products"]

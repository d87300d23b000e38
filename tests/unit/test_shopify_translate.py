"""Shopify's order states in our words: one row per state, as in the platform's table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.shopify.translate import (
    History,
    level_of,
    listing_of,
    needs_history,
    number_of,
    order_of,
    reading,
    version_of,
)
from core.errors import Malformed
from core.model import StoreOrderLine

LINE_ID = "gid://shopify/LineItem/487817672276298554"


def order_node(**facts: Any) -> Mapping[str, Any]:
    return {
        "id": "gid://shopify/Order/820982911946154508",
        "name": "#9999",
        "createdAt": "2026-11-22T10:00:00Z",
        "updatedAt": "2026-11-22T10:05:00Z",
        "cancelledAt": None,
        "test": False,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "currentSubtotalLineItemsQuantity": 5,
        **facts,
    }


def line_node(quantity: int, current: int, unfulfilled: int, **facts: Any) -> Mapping[str, Any]:
    return {
        "id": LINE_ID,
        "quantity": quantity,
        "currentQuantity": current,
        "unfulfilledQuantity": unfulfilled,
        "sku": "SKU2006-001",
        "name": "Aviator sunglasses",
        "variant": {"inventoryItem": {"id": "gid://shopify/InventoryItem/271878346596884015", "tracked": True}},
        **facts,
    }


def refunded(quantity: int, restock_type: str, restocked: bool | None = None) -> Mapping[str, Any]:
    done = restock_type != "NO_RESTOCK" if restocked is None else restocked
    return {"quantity": quantity, "restockType": restock_type, "restocked": done, "lineItem": {"id": LINE_ID}}


@dataclass(frozen=True)
class State:
    """A line of 5 as Shopify shows it, and (cancelled, written_off, shipped, returned, counted) that we make of it."""

    name: str
    current: int
    unfulfilled: int
    expected: tuple[int, int, int, int, int]
    fulfilled: int = 0
    refunds: Sequence[Mapping[str, Any]] = ()
    order: Mapping[str, Any] = field(default_factory=dict)


CANCELLED = {"cancelledAt": "2026-11-22T10:04:00Z", "displayFinancialStatus": "VOIDED"}

STATES = [
    State("placed and paid", 5, 5, (0, 0, 0, 0, 5)),
    State("placed and unpaid", 5, 5, (0, 0, 0, 0, 5), order={"displayFinancialStatus": "PENDING"}),
    State("partly shipped", 5, 3, (0, 0, 2, 0, 5), fulfilled=2),
    State("wholly shipped", 5, 0, (0, 0, 5, 0, 5), fulfilled=5),
    State("two refunded before shipping and restocked", 3, 3, (2, 0, 0, 0, 3), refunds=[refunded(2, "CANCEL")]),
    State("two refunded before shipping and lost", 3, 3, (0, 2, 0, 0, 5), refunds=[refunded(2, "NO_RESTOCK")]),
    State("shipped, then two came back", 3, 0, (0, 0, 5, 2, 3), fulfilled=5, refunds=[refunded(2, "RETURN")]),
    State(
        "shipped, then two refunded and kept", 3, 0, (0, 0, 5, 0, 5), fulfilled=5, refunds=[refunded(2, "NO_RESTOCK")]
    ),
    State("two shipped, one of the rest lost", 4, 2, (0, 1, 2, 0, 5), fulfilled=2, refunds=[refunded(1, "NO_RESTOCK")]),
    State("two taken off by an edit", 3, 3, (2, 0, 0, 0, 3)),
    State("an edit and a refund", 2, 2, (3, 0, 0, 0, 2), refunds=[refunded(1, "CANCEL")]),
    State("a restock that failed", 3, 3, (0, 2, 0, 0, 5), refunds=[refunded(2, "CANCEL", restocked=False)]),
    State("an old restock before shipping", 3, 3, (2, 0, 0, 0, 3), refunds=[refunded(2, "LEGACY_RESTOCK")]),
    State("an old restock after shipping", 3, 0, (0, 0, 5, 2, 3), fulfilled=5, refunds=[refunded(2, "LEGACY_RESTOCK")]),
    State("cancelled with restock", 0, 0, (5, 0, 0, 0, 0), refunds=[refunded(5, "CANCEL")], order=CANCELLED),
    State("cancelled without restock", 0, 0, (0, 5, 0, 0, 5), refunds=[refunded(5, "NO_RESTOCK")], order=CANCELLED),
    State("cancelled without a refund", 5, 5, (0, 5, 0, 0, 5), order=CANCELLED),
    State(
        "cancelled, restock told by the order alone",
        0,
        0,
        (5, 0, 0, 0, 0),
        order={**CANCELLED, "displayFulfillmentStatus": "RESTOCKED"},
    ),
    State("edited, then cancelled without restock", 0, 0, (2, 3, 0, 0, 3), 0, [refunded(3, "NO_RESTOCK")], CANCELLED),
    State("edited, then cancelled with restock", 0, 0, (5, 0, 0, 0, 0), 0, [refunded(3, "CANCEL")], CANCELLED),
    State("edited, then cancelled without a refund", 3, 3, (2, 3, 0, 0, 3), order=CANCELLED),
    State("cancelled, no word on anything", 0, 0, (0, 5, 0, 0, 5), order=CANCELLED),
    State("edited, two shipped, then cancelled", 2, 0, (1, 2, 2, 0, 4), 2, [refunded(2, "NO_RESTOCK")], CANCELLED),
    State("two shipped, the rest cancelled", 2, 0, (3, 0, 2, 0, 2), 2, [refunded(3, "CANCEL")], CANCELLED),
]


def translated(state: State) -> StoreOrderLine:
    order, lines = order_node(**state.order), [line_node(5, state.current, state.unfulfilled)]
    history = History()
    history.add_fulfilment("SUCCESS", [{"quantity": state.fulfilled, "lineItem": {"id": LINE_ID}}])
    history.add_refund(state.refunds)
    (line,) = order_of(order, lines, history if needs_history(order, lines) else None).lines
    return line


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_line_says_what_became_of_its_units(state: State) -> None:
    line = translated(state)

    assert (line.cancelled, line.written_off, line.shipped, line.returned, line.counted) == state.expected
    assert line.quantity == 5


@pytest.mark.parametrize(
    ("financial", "paid"),
    [
        ("PENDING", False),
        ("AUTHORIZED", False),
        ("PARTIALLY_PAID", False),
        ("VOIDED", False),
        ("EXPIRED", False),
        (None, False),
        ("PAID", True),
        ("PARTIALLY_REFUNDED", True),
        ("REFUNDED", True),
    ],
)
def test_an_order_is_paid_by_its_financial_status(financial: str | None, paid: bool) -> None:
    order = order_of(order_node(displayFinancialStatus=financial), [line_node(1, 1, 1)], None)

    assert order.paid is paid
    assert order.holds


def test_a_test_order_holds_ships_and_returns_nothing() -> None:
    history = History()
    history.add_fulfilment("SUCCESS", [{"quantity": 3, "lineItem": {"id": LINE_ID}}])
    history.add_refund([refunded(1, "RETURN"), refunded(1, "CANCEL"), refunded(1, "NO_RESTOCK")])

    order = order_of(order_node(test=True), [line_node(5, 2, 0)], history)

    (line,) = order.lines
    assert not order.holds
    assert (line.cancelled, line.written_off, line.shipped, line.returned) == (0, 0, 0, 0)
    assert line.counted == 3


@pytest.mark.parametrize(
    "change",
    [
        {"updatedAt": "2026-11-22T10:05:01Z"},
        {"cancelledAt": "2026-11-22T10:05:00Z"},
        {"displayFinancialStatus": "PARTIALLY_REFUNDED"},
        {"displayFulfillmentStatus": "PARTIALLY_FULFILLED"},
        {"currentSubtotalLineItemsQuantity": 4},
    ],
)
def test_each_mark_of_a_change_makes_another_version(change: Mapping[str, Any]) -> None:
    assert version_of(order_node(**change)) != version_of(order_node()) == version_of(order_node(name="#1"))


def test_ids_and_times_are_carried_over_whole() -> None:
    order = order_of(order_node(), [line_node(1, 1, 1)], None)

    assert (order.external_id, order.number) == ("820982911946154508", "#9999")
    assert order.placed_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert (order.lines[0].line_id, order.lines[0].external_id) == ("487817672276298554", "271878346596884015")


def test_a_line_of_a_deleted_variant_stays_without_a_listing() -> None:
    (line,) = order_of(order_node(), [line_node(2, 2, 2, variant=None)], None).lines

    assert (line.external_id, line.sku, line.quantity, line.counted) == (None, "SKU2006-001", 2, 0)


def test_an_untracked_item_was_never_counted() -> None:
    item = {"id": "gid://shopify/InventoryItem/5", "tracked": False}

    (line,) = order_of(order_node(), [line_node(2, 2, 2, variant={"inventoryItem": item})], None).lines

    assert (line.external_id, line.counted) == ("5", 0)


def test_a_fulfilment_that_was_called_off_shipped_nothing() -> None:
    history = History()

    history.add_fulfilment("CANCELLED", [{"quantity": 3, "lineItem": {"id": LINE_ID}}])

    assert history.fulfilled[LINE_ID] == 0


@given(
    quantity=st.integers(0, 20),
    current=st.integers(0, 20),
    unfulfilled=st.integers(0, 20),
    fulfilled=st.integers(0, 30),
    refunds=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["CANCEL", "RETURN", "NO_RESTOCK"])), max_size=4),
    is_cancelled=st.booleans(),
)
def test_whatever_shopify_says_a_line_keeps_its_bounds(
    quantity: int,
    current: int,
    unfulfilled: int,
    fulfilled: int,
    refunds: list[tuple[int, str]],
    is_cancelled: bool,
) -> None:
    history = History()
    history.add_fulfilment("SUCCESS", [{"quantity": fulfilled, "lineItem": {"id": LINE_ID}}])
    history.add_refund([refunded(units, restock_type) for units, restock_type in refunds])
    order = order_node(**(CANCELLED if is_cancelled else {}))

    (line,) = order_of(order, [line_node(quantity, current, unfulfilled)], history).lines

    assert min(line.cancelled, line.written_off, line.shipped, line.returned, line.counted) >= 0
    assert line.cancelled + line.written_off + line.shipped <= line.quantity
    assert line.returned <= line.shipped


def item_node(quantity: int = 4, **facts: Any) -> Mapping[str, Any]:
    level = {"isActive": True, "quantities": [{"name": "available", "quantity": quantity}]}
    return {"id": "gid://shopify/InventoryItem/7", "tracked": True, "inventoryLevel": level, **facts}


def test_a_level_below_zero_is_read_as_it_is() -> None:
    assert level_of(item_node(-3)).quantity == -3


@pytest.mark.parametrize(
    "item",
    [
        None,
        item_node(tracked=False),
        item_node(inventoryLevel=None),
        item_node(inventoryLevel={"isActive": False, "quantities": []}),
    ],
    ids=["gone", "untracked", "not stocked here", "inactive here"],
)
def test_what_shopify_does_not_count_has_a_reason_instead_of_a_number(item: Mapping[str, Any] | None) -> None:
    level = level_of(item)

    assert level.quantity is None
    assert level.untracked_reason


def test_a_bundle_is_listed_without_a_number() -> None:
    variant = {"sku": None, "displayName": "Set", "requiresComponents": True, "inventoryItem": item_node()}

    listing = listing_of(variant)

    assert (listing.external_id, listing.sku, listing.quantity) == ("7", "", None)
    assert "components" in listing.untracked_reason


def test_an_id_with_a_query_part_is_read_by_its_number() -> None:
    assert number_of("gid://shopify/InventoryLevel/24826418?inventory_item_id=271878346596884015") == "24826418"


@pytest.mark.parametrize("field_name", ["id", "quantity", "currentQuantity", "unfulfilledQuantity", "variant"])
def test_an_answer_without_a_promised_field_is_malformed(field_name: str) -> None:
    line = {name: value for name, value in line_node(2, 2, 2).items() if name != field_name}

    with pytest.raises(Malformed), reading("orders"):
        order_of(order_node(), [line], History())


@pytest.mark.parametrize(
    ("address", "destination"),
    [
        ({"countryCodeV2": "CA", "provinceCode": "ON", "zip": "M5H 2N2"}, "CA-ON-M5H"),
        ({"countryCodeV2": "DE", "provinceCode": None, "zip": "80331"}, "DE--803"),
        ({"countryCodeV2": "JP", "provinceCode": "JP-13", "zip": None}, "JP-13"),
        ({"countryCodeV2": "CO", "provinceCode": "COR", "zip": ""}, "CO-COR"),
        ({"countryCodeV2": "ZZ", "provinceCode": "", "zip": "1"}, ""),
        ({"countryCodeV2": None, "provinceCode": "ON", "zip": "M5H"}, ""),
        ({"zip": ["M5H"]}, ""),
        ("somewhere", ""),
        (None, ""),
    ],
)
def test_whatever_stands_in_an_address_the_order_is_read(address: object, destination: str) -> None:
    order = order_of(order_node(shippingAddress=address), [line_node(5, 5, 5)], None)

    assert order.destination == destination

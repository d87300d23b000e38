"""WooCommerce's order states, lines, ids and stock numbers in our words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.woocommerce.rows import Order, Product, Refund, parse
from connectors.woocommerce.translate import (
    Refunded,
    external_id,
    fate_of,
    is_external_id,
    is_reserved,
    split_external_id,
    to_listing,
    to_order,
    version_of,
    whole_stock,
)
from core.errors import Malformed
from core.model import StoreOrder, StoreOrderLine

PLACED = "2026-11-22T10:00:00"
COMPLETED = "2026-11-22T11:00:00"
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def _order(status: str, *, taken: int = 0, restocked: int = 0, quantity: float = 4, **fields: Any) -> Order:
    tallies = {"_reduced_stock": taken, "_restock_refunded_items": restocked}
    line = {
        "id": 122,
        "product_id": 12,
        "quantity": quantity,
        "sku": "A",
        "meta_data": [{"key": key, "value": str(units)} for key, units in tallies.items() if units],
    }
    stamps = {"date_created_gmt": PLACED, "date_modified_gmt": PLACED}
    return parse(
        Order,
        {"id": 7, "number": "7", "status": status, "created_via": "checkout", "line_items": [line]} | stamps | fields,
    )


def _refund(units: int, at: str = PLACED) -> Refund:
    line = {"quantity": -units, "meta_data": [{"key": "_refunded_item_id", "value": "122"}]}
    return parse(Refund, {"id": 9, "date_created_gmt": at, "line_items": [line]})


def _line(order: Order, *refunds: Refund) -> tuple[StoreOrder, StoreOrderLine]:
    translated = to_order(order, refunds, 60, NOW)
    (line,) = translated.lines
    return translated, line


DONE: dict[str, Any] = {"date_completed_gmt": COMPLETED}


@pytest.mark.parametrize(
    ("order", "refunds", "holds", "paid", "line"),
    [
        (_order("checkout-draft"), [], False, False, {}),
        (_order("auto-draft"), [], False, False, {}),
        (_order("pending"), [], True, False, {"hidden": 4}),
        (_order("on-hold", taken=4), [], True, False, {"counted": 4}),
        (_order("processing", taken=4), [], True, True, {"counted": 4}),
        (_order("completed", taken=4, **DONE), [], True, True, {"counted": 4, "shipped": 4}),
        (_order("cancelled"), [], True, False, {"cancelled": 4}),
        (_order("failed"), [], True, False, {"cancelled": 4}),
        (_order("failed", taken=4), [], True, False, {"cancelled": 4, "counted": 4}),
        (_order("refunded", taken=4), [], True, True, {"written_off": 4, "counted": 4}),
        (
            _order("refunded", taken=1, restocked=3),
            [_refund(3)],
            True,
            True,
            {"cancelled": 3, "written_off": 1, "counted": 1},
        ),
        (_order("refunded", taken=4, **DONE), [], True, True, {"shipped": 4, "counted": 4}),
        (
            _order("refunded", restocked=4, **DONE),
            [_refund(4, "2026-11-22T12:00:00")],
            True,
            True,
            {"shipped": 4, "returned": 4},
        ),
        (
            _order("processing", taken=3, restocked=1),
            [_refund(1)],
            True,
            True,
            {"cancelled": 1, "counted": 3},
        ),
        (_order("processing", taken=4), [_refund(1)], True, True, {"written_off": 1, "counted": 4}),
        (
            _order("completed", taken=2, restocked=2, **DONE),
            [_refund(2, "2026-11-22T12:00:00")],
            True,
            True,
            {"shipped": 4, "returned": 2, "counted": 2},
        ),
        (
            _order("completed", taken=2, restocked=2, **DONE),
            [_refund(2)],
            True,
            True,
            {"cancelled": 2, "shipped": 2, "counted": 2},
        ),
        (
            _order("completed", taken=4, **DONE),
            [_refund(1)],
            True,
            True,
            {"written_off": 1, "shipped": 3, "counted": 4},
        ),
        (
            _order("completed", taken=4, **DONE),
            [_refund(1, "2026-11-22T12:00:00")],
            True,
            True,
            {"shipped": 4, "counted": 4},
        ),
        (_order("cancelled"), [_refund(1)], True, False, {"written_off": 1, "cancelled": 3}),
        (_order("cancelled", **DONE), [], True, True, {"shipped": 4, "returned": 4}),
        (_order("on-hold", taken=4, date_paid_gmt=PLACED), [], True, True, {"counted": 4}),
        (_order("on-hold", taken=4, **DONE), [], True, True, {"counted": 4, "shipped": 4}),
        (_order("processing", taken=4, **DONE), [], True, True, {"counted": 4, "shipped": 4}),
        (_order("pending", **DONE), [], True, True, {"shipped": 4}),
        (_order("packing-plugin", taken=4, **DONE), [], True, True, {"counted": 4, "shipped": 4}),
        (
            _order("packing-plugin", taken=4, **DONE),
            [_refund(1, "2026-11-22T12:00:00")],
            True,
            True,
            {"counted": 4, "shipped": 4},
        ),
        (_order("packing-plugin", taken=4), [], True, False, {"counted": 4}),
        (_order("packing-plugin", taken=4, date_paid_gmt=PLACED), [], True, True, {"counted": 4}),
    ],
)
def test_each_state_of_an_order_means_what_woocommerce_means(
    order: Order, refunds: list[Refund], holds: bool, paid: bool, line: dict[str, int]
) -> None:
    translated, found = _line(order, *refunds)

    assert (translated.state, translated.holds, translated.paid) == (order.status, holds, paid)
    names = ("cancelled", "written_off", "shipped", "returned", "counted", "hidden")
    assert {name: getattr(found, name) for name in names if getattr(found, name)} == line


@given(
    status=st.sampled_from(["pending", "on-hold", "processing", "completed", "cancelled", "failed", "refunded", "odd"]),
    shipped=st.booleans(),
    quantity=st.integers(0, 20),
    restocked=st.integers(0, 30),
    before=st.integers(0, 30),
    after=st.integers(0, 30),
)
def test_no_unit_of_a_line_has_two_fates(
    status: str, shipped: bool, quantity: int, restocked: int, before: int, after: int
) -> None:
    fate = fate_of(status, shipped, quantity, restocked, Refunded(before, after))

    assert min(fate.cancelled, fate.written_off, fate.shipped, fate.returned) >= 0
    assert fate.cancelled + fate.written_off + fate.shipped <= quantity
    assert fate.returned <= fate.shipped


def test_a_pending_order_is_looked_at_again_when_its_hold_runs_out() -> None:
    order, line = _line(_order("pending"))

    assert order.look_again_at == datetime(2026, 11, 22, 11, tzinfo=UTC)
    assert line.hidden == 4


def test_a_pending_order_past_its_hold_hides_nothing_and_still_holds() -> None:
    order = to_order(_order("pending"), [], 60, NOW + timedelta(hours=1))

    assert (order.holds, order.look_again_at, order.lines[0].hidden) == (True, None, 0)


@pytest.mark.parametrize("made_by", ["admin", "rest-api", None])
def test_only_a_shopper_s_checkout_reserves(made_by: str | None) -> None:
    order, line = _line(_order("pending", created_via=made_by))

    assert (order.holds, order.look_again_at, line.hidden) == (True, None, 0)


def test_an_order_that_was_paid_and_set_back_to_pending_reserves_no_more() -> None:
    order, line = _line(_order("pending", date_paid_gmt=PLACED))

    assert (order.holds, order.paid, order.look_again_at, line.hidden) == (True, False, None, 0)


def test_nothing_is_hidden_of_a_listing_that_the_shop_does_not_reserve() -> None:
    order = to_order(_order("pending"), [], 60, NOW, unreserved=["12"])

    assert (order.look_again_at, order.lines[0].hidden) == (datetime(2026, 11, 22, 11, tzinfo=UTC), 0)


@pytest.mark.parametrize(
    ("managed", "backorders", "reserved"),
    [(True, "no", True), (True, "notify", False), (True, "yes", False), (True, None, False), (False, "no", False)],
)
def test_a_shop_reserves_what_it_counts_and_never_sells_below_zero(
    managed: bool, backorders: str | None, reserved: bool
) -> None:
    assert is_reserved(Product(1, manage_stock=managed, stock_quantity=5, backorders=backorders)) is reserved


def test_a_shop_without_hold_minutes_hides_nothing() -> None:
    order = to_order(_order("pending"), [], None, NOW)

    assert (order.look_again_at, order.lines[0].hidden) == (None, 0)


def test_times_without_a_zone_are_utc() -> None:
    order, _ = _line(_order("processing"))

    assert order.placed_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"date_modified_gmt": COMPLETED},
        {"date_paid_gmt": PLACED},
        {"date_completed_gmt": PLACED},
        {"total": "9.00"},
        {"refunds": [{"id": 9}]},
        {"refunds": [{"id": 9}, {"id": 10}]},
    ],
)
def test_each_mark_of_a_change_makes_another_version(change: dict[str, Any]) -> None:
    one = _order("processing", total="10.00", refunds=[{"id": 10}])

    assert version_of(_order("processing", **{"total": "10.00", "refunds": [{"id": 10}], **change})) != version_of(one)
    assert version_of(_order("completed", total="10.00", refunds=[{"id": 10}])) != version_of(one)


def test_the_order_in_which_refunds_are_listed_makes_no_other_version() -> None:
    one, other = ([{"id": 9}, {"id": 10}], [{"id": 10}, {"id": 9}])

    assert version_of(_order("processing", refunds=one)) == version_of(_order("processing", refunds=other))


def test_a_fraction_of_a_unit_takes_the_whole_unit() -> None:
    assert _line(_order("processing", quantity=1.5))[1].quantity == 2


def test_a_tally_that_is_no_number_is_malformed() -> None:
    bad = [{"id": 1, "quantity": 1, "meta_data": [{"key": "_reduced_stock", "value": "many"}]}]

    with pytest.raises(Malformed, match="_reduced_stock"):
        _line(_order("processing", line_items=bad))


def test_a_row_that_is_not_as_documented_is_named_without_its_values() -> None:
    with pytest.raises(Malformed) as fault:
        parse(Order, {"id": "ann@example.test", "status": "processing"})

    assert "id" in str(fault.value)
    assert "ann@" not in str(fault.value)


@pytest.mark.parametrize(
    ("product", "variation", "listing"), [(12, 0, "12"), (46, 48, "46/48"), (61, 62, "61"), (0, 0, None)]
)
def test_an_id_names_the_thing_that_is_counted(product: int, variation: int, listing: str | None) -> None:
    assert external_id(product, variation, pooled={62}) == listing


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_an_id_reads_back_as_it_was_written(product: int, variation: int) -> None:
    listing = external_id(product, variation, pooled=())

    assert listing is not None
    assert split_external_id(listing) == (product, variation)


@pytest.mark.parametrize("text", ["", "0", "a", "1/", "/1", "1/2/3", "-1", "1 ", "１"])
def test_what_is_no_id_of_ours_is_malformed(text: str) -> None:
    assert not is_external_id(text)
    with pytest.raises(Malformed):
        split_external_id(text)


@pytest.mark.parametrize(
    ("managed", "number", "units"),
    [
        (True, 5, 5),
        (True, -2, -2),
        (True, 5.0, 5),
        (True, "7", 7),
        (True, None, 0),
        (True, 2.5, None),
        (True, "many", None),
        (True, True, None),
        (False, None, None),
        ("parent", 35, None),
    ],
)
def test_a_number_counts_only_where_the_shop_counts_whole_units_itself(
    managed: object, number: object, units: int | None
) -> None:
    quantity, reason = whole_stock(Product(1, manage_stock=managed, stock_quantity=number))

    assert quantity == units
    assert bool(reason) == (units is None)


def test_a_variation_s_listing_carries_both_names_and_both_ids() -> None:
    row = Product(48, sku="TS-M", name="M", parent_id=46, manage_stock=True, stock_quantity=3)

    listing = to_listing(row, "Tee Shirt")

    assert (listing.external_id, listing.title, listing.quantity) == ("46/48", "Tee Shirt - M", 3)


@pytest.mark.parametrize(
    ("shipping", "billing", "destination"),
    [
        ({"country": "DE", "state": "DE-BE", "postcode": "10115"}, {"country": "US"}, "DE-BE-101"),
        (
            {"country": "", "state": "", "postcode": ""},
            {"country": "US", "state": "CA", "postcode": "90012"},
            "US-CA-900",
        ),
        ({"country": "JP", "state": "JP13", "postcode": "１００－０００１"}, {}, "JP-13-100"),
        (None, {"country": "AT"}, "AT"),
        ([], "nowhere", ""),
        ({"country": 7, "state": {}, "postcode": None}, {"country": "Germany"}, ""),
    ],
)
def test_whatever_stands_in_an_address_the_order_is_read(shipping: Any, billing: Any, destination: str) -> None:
    order, _ = _line(_order("processing", shipping=shipping, billing=billing))

    assert order.destination == destination

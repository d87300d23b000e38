"""The referee's arithmetic: what is lost, doubled, oversold, unavoidable and unexplained."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drills.referee import Delays, Verdict, judge, read_journal
from drills.referee.oversell import oversales
from drills.referee.records import ItemBook, LedgerLine, LineKey, Recorded, ReturnKey, Sale, ShownListing, Units

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CALM = Delays(one_way_s=0.0)
LINE = LineKey("shopify", "1001", "1")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def entry(seconds: float, shop: str, kind: str, **facts: Any) -> Mapping[str, Any]:
    return {"at": at(seconds).isoformat(timespec="microseconds"), "shop": shop, "kind": kind, **facts}


def opening(quantity: int, sku: str = "a") -> list[Mapping[str, Any]]:
    return [entry(0, shop, "opening", sku=sku, quantity=quantity) for shop in ("shopify", "woocommerce")]


def lines(*units: int, sku: str = "A") -> Sequence[Mapping[str, Any]]:
    return [{"line_id": str(number), "sku": sku, "quantity": quantity} for number, quantity in enumerate(units, 1)]


def sale(seconds: float, *units: int, shop: str = "shopify", order_id: str = "1001") -> Mapping[str, Any]:
    return entry(seconds, shop, "sale", order_id=order_id, number=order_id, reference="r", lines=lines(*units))


def change(seconds: float, kind: str, *units: int, **facts: Any) -> Mapping[str, Any]:
    return entry(seconds, "shopify", kind, order_id="1001", lines=lines(*units), **facts)


def recorded(held: int = 2, shipped: int = 0, **told: Any) -> Recorded:
    """A ledger that knows one line of two units, of an item that opened with ten."""
    values: dict[str, Any] = {
        "lines": {LINE: LedgerLine(Units(held, shipped), "A", at(1))},
        "returned": {},
        "items": {"a": ItemBook(opened=10, free=8)},
        "listings": [],
        "doubled_keys": [],
        "effects_applied": 1,
    }
    return Recorded(**{**values, **told})


def verdict(
    ledger: Recorded, *entries: Mapping[str, Any], shown: Mapping[str, Mapping[str, int]] | None = None
) -> Verdict:
    return judge(read_journal(entries), ledger, shown or {}, CALM)


def test_a_ledger_that_holds_what_was_sold_is_right() -> None:
    found = verdict(recorded(), *opening(10), sale(1, 2))

    assert (found.orders, found.order_lines, found.orders_lost, found.effects_doubled) == (1, 1, 0, 0)
    assert found.stock_differences == 0
    assert found.findings == []


@pytest.mark.parametrize(("held", "lost", "doubled"), [(1, 1, 0), (0, 1, 0), (3, 0, 1)])
def test_a_line_that_holds_less_is_lost_and_one_that_holds_more_is_doubled(held: int, lost: int, doubled: int) -> None:
    found = verdict(recorded(held=held), *opening(10), sale(1, 2))

    assert (found.orders_lost, found.effects_doubled) == (lost, doubled)
    assert found.findings[0] == f"shopify order 1001, line 1: 2 units in the shop's journal, {held} in the ledger"


def test_an_order_without_any_trace_is_lost_once_however_many_lines_it_has() -> None:
    found = verdict(recorded(lines={}), *opening(10), sale(1, 2, 3))

    assert found.orders_lost == 1


def test_an_order_that_no_shop_has_sold_is_an_effect_too_many() -> None:
    found = verdict(recorded(), *opening(10))

    assert found.effects_doubled == 1


def test_the_same_effect_posted_twice_is_doubled() -> None:
    found = verdict(recorded(doubled_keys=["store/1/order/1001/1/reservation"]), *opening(10), sale(1, 2))

    assert found.effects_doubled == 1


def test_a_line_recorded_for_another_item_is_lost() -> None:
    ledger = recorded(lines={LINE: LedgerLine(Units(2), "B", at(1))})

    assert verdict(ledger, *opening(10), sale(1, 2)).orders_lost == 1


@pytest.mark.parametrize(
    ("what", "held"),
    [
        (change(2, "cancel", 2), 0),
        (change(2, "cancel"), 0),  # a shop that had taken nothing off its number for an unpaid order names no lines
        (change(2, "refund", 1, restock=True), 1),
    ],
)
def test_what_came_back_is_not_held_any_more(what: Mapping[str, Any], held: int) -> None:
    ledger = recorded(held=held, items={"a": ItemBook(opened=10, free=10 - held)})

    assert verdict(ledger, *opening(10), sale(1, 2), what).findings == []


def test_units_written_off_are_neither_held_nor_free() -> None:
    ledger = recorded(held=1, items={"a": ItemBook(opened=10, free=8)})

    assert verdict(ledger, *opening(10), sale(1, 2), change(2, "refund", 1, restock=False)).findings == []


def test_a_refund_takes_units_that_have_not_left_first_and_the_rest_are_returned() -> None:
    told = [*opening(10), sale(1, 2), change(2, "fulfil", 2), change(3, "refund", 1, restock=True)]
    right = recorded(
        held=0, shipped=2, returned={ReturnKey("shopify", "1001", "a"): 1}, items={"a": ItemBook(opened=10, free=9)}
    )

    assert verdict(right, *told).findings == []
    assert verdict(replace(right, returned={}), *told).orders_lost == 1


def test_a_shipment_that_the_ledger_does_not_know_is_lost_and_one_that_never_was_is_doubled() -> None:
    shipped = verdict(recorded(), *opening(10), sale(1, 2), change(2, "fulfil", 2))
    invented = verdict(recorded(held=0, shipped=2), *opening(10), sale(1, 2))

    assert (shipped.orders_lost, shipped.effects_doubled) == (1, 0)
    assert (invented.orders_lost, invented.effects_doubled) == (0, 1)


@pytest.mark.parametrize(
    "book", [ItemBook(opened=11, free=8), ItemBook(opened=10, free=7), ItemBook(opened=10, free=8, waiting=1)]
)
def test_an_item_with_other_units_than_the_journal_makes_them_is_named(book: ItemBook) -> None:
    found = verdict(recorded(items={"a": book}), *opening(10), sale(1, 2))

    assert found.stock_differences >= 1


def test_an_item_that_the_ledger_has_never_heard_of_is_named() -> None:
    assert verdict(recorded(items={}), *opening(10), sale(1, 2)).stock_differences >= 1


def test_listings_are_compared_with_what_shoppers_see_whatever_the_case_of_their_code() -> None:
    listings = [ShownListing("shopify", "a", 8), ShownListing("woocommerce", "A", 8)]

    found = verdict(
        recorded(listings=listings), *opening(10), sale(1, 2), shown={"shopify": {"A": 8}, "woocommerce": {"A": 9}}
    )

    assert (found.listings, found.listings_equal) == (2, 1)
    assert found.findings == ["woocommerce shows 9 of A, it should show 8"]


def test_a_listing_that_the_shop_does_not_show_is_not_equal() -> None:
    found = verdict(recorded(listings=[ShownListing("shopify", "A", 8)]), *opening(10), sale(1, 2))

    assert (found.listings, found.listings_equal) == (1, 0)


def oversold(window_s: float, *sold: tuple[float, str, int], stock: int = 2) -> tuple[int, int]:
    """(oversold, unavoidable) of an item of which ``stock`` were there."""
    events = [Sale(at(seconds), "a", units, LineKey(shop, str(seconds), "1")) for seconds, shop, units in sold]
    found = oversales(events, stock, timedelta(seconds=window_s))
    return sum(each.units for each in found), sum(each.unavoidable for each in found)


def test_sales_within_the_pool_are_not_oversold() -> None:
    assert oversold(1.0, (0, "a", 1), (0.1, "b", 1)) == (0, 0)


def test_a_unit_sold_again_before_the_news_could_arrive_is_unavoidable() -> None:
    assert oversold(1.0, (0, "a", 2), (0.9, "b", 1)) == (1, 1)


def test_a_unit_sold_again_after_the_news_could_arrive_is_avoidable() -> None:
    assert oversold(1.0, (0, "a", 2), (1.0, "b", 1)) == (1, 0)


def test_a_shop_knows_its_own_sales_at_once() -> None:
    assert oversold(1.0, (0, "a", 2), (0.1, "a", 1)) == (1, 0)


def test_only_the_units_that_a_shop_could_still_believe_in_are_unavoidable() -> None:
    # b sold one of two itself, a sold the other; b could believe in one unit, and sells three
    assert oversold(1.0, (-9, "b", 1), (0, "a", 1), (0.5, "b", 3)) == (3, 1)


def test_once_the_news_is_old_nothing_is_left_to_believe_in() -> None:
    assert oversold(1.0, (0, "a", 2), (0.5, "b", 2), (5, "b", 1)) == (3, 2)


def test_a_sale_that_the_pool_covers_in_part_oversells_the_rest() -> None:
    assert oversold(1.0, (0, "a", 1), (0.5, "b", 3)) == (2, 1)


def test_the_window_is_one_way_for_the_webhook_200_ms_and_a_write_with_its_answer() -> None:
    assert CALM.window == timedelta(seconds=0.2)
    assert Delays(one_way_s=0.5).window == timedelta(seconds=1.7)


def two_shops_sell_the_last(*more: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*opening(2), sale(1, 2), sale(1.1, 2, shop="woocommerce", order_id="7"), *more]


def ledger_of_both(known_at: float, incident_units: int, waiting: int = 2) -> Recorded:
    other = LineKey("woocommerce", "7", "1")
    return recorded(
        lines={LINE: LedgerLine(Units(2), "A", at(1.2)), other: LedgerLine(Units(2), "A", at(known_at))},
        items={"a": ItemBook(opened=2, free=0, waiting=waiting, incident_units=incident_units)},
    )


@pytest.mark.parametrize(("incident_units", "unexplained"), [(2, 0), (1, 1), (0, 2)])
def test_every_oversold_unit_wants_an_incident(incident_units: int, unexplained: int) -> None:
    found = verdict(ledger_of_both(1.5, incident_units), *two_shops_sell_the_last())

    assert (found.oversold_units, found.oversold_units_unavoidable) == (2, 2)
    assert found.oversold_units_unexplained == unexplained


@pytest.mark.parametrize(("known_at", "healed", "unexplained"), [(3.0, 2, 0), (1.5, 0, 2)])
def test_units_that_came_back_before_the_ledger_heard_of_the_sale_never_lacked(
    known_at: float, healed: int, unexplained: int
) -> None:
    ledger = replace(
        ledger_of_both(known_at, incident_units=0, waiting=0),
        lines={
            LINE: LedgerLine(Units(0), "A", at(1.2)),
            LineKey("woocommerce", "7", "1"): LedgerLine(Units(2), "A", at(known_at)),
        },
    )

    found = verdict(ledger, *two_shops_sell_the_last(change(2, "cancel", 2)))

    assert (found.oversold_units, found.oversold_units_healed) == (2, healed)
    assert found.oversold_units_unexplained == unexplained

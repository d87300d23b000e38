"""BigCommerce's order states, lines and catalogue in our words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.bigcommerce.translate import (
    Level,
    RefundedUnits,
    StockRules,
    levels,
    listings,
    refunded_units,
    split_id,
    store_order,
    version_of,
)
from core.errors import Malformed
from core.model import StoreOrderLine

BY_DEFAULT = StockRules()
REFUNDED_AT = datetime(2018, 1, 11, 12, tzinfo=UTC)
FIVE_WANTED = {"id": 7, "product_id": 31, "variant_id": 42, "sku": "MUG", "name": "Mug", "quantity": 5}


def order_row(status_id: int) -> dict[str, Any]:
    return {
        "id": 100,
        "status_id": status_id,
        "date_created": "Wed, 10 Jan 2018 21:05:30 +0000",
        "date_modified": "Wed, 10 Jan 2018 22:05:30 +0100",
    }


def line_of(
    status_id: int, shipped: int = 0, refunded: int = 0, rules: StockRules = BY_DEFAULT, **facts: object
) -> StoreOrderLine:
    product = {**FIVE_WANTED, "quantity_shipped": shipped, **facts}
    return store_order(order_row(status_id), [product], {7: [RefundedUnits(refunded, REFUNDED_AT)]}, rules).lines[0]


def line_once_marked_shipped(
    status_id: int, hours_after_the_refund: int, refunded: int = 0, rules: StockRules = BY_DEFAULT
) -> StoreOrderLine:
    """Of an order that a person marked as shipped, without entering a shipment."""
    at = REFUNDED_AT + timedelta(hours=hours_after_the_refund)
    row = {**order_row(status_id), "date_shipped": at.strftime("%a, %d %b %Y %H:%M:%S +0000")}
    return store_order(row, [FIVE_WANTED], {7: [RefundedUnits(refunded, REFUNDED_AT)]}, rules).lines[0]


def numbers(line: StoreOrderLine) -> tuple[int, int, int, int]:
    return line.cancelled, line.written_off, line.shipped, line.counted


@pytest.mark.parametrize(
    ("status_id", "state", "holds", "paid"),
    [
        (0, "Incomplete", False, False),
        (1, "Pending", False, False),
        (2, "Shipped", True, True),
        (3, "Partially Shipped", True, True),
        (4, "Refunded", True, True),
        (5, "Cancelled", True, True),
        (6, "Declined", True, True),
        (7, "Awaiting Payment", True, False),
        (8, "Awaiting Pickup", True, True),
        (9, "Awaiting Shipment", True, True),
        (10, "Completed", True, True),
        (11, "Awaiting Fulfillment", True, True),
        (12, "Manual Verification Required", True, False),
        (13, "Disputed", True, True),
        (14, "Partially Refunded", True, True),
        (99, "status 99", True, False),
    ],
)
def test_each_state_says_whether_the_order_holds_units_and_is_paid(
    status_id: int, state: str, holds: bool, paid: bool
) -> None:
    order = store_order(order_row(status_id), [FIVE_WANTED], {}, StockRules())

    assert (order.state, order.holds, order.paid) == (state, holds, paid)


@pytest.mark.parametrize(
    ("status_id", "shipped", "refunded", "expected"),
    [
        (0, 0, 0, (0, 0, 0, 0)),
        (1, 0, 0, (0, 0, 0, 0)),
        (7, 0, 0, (0, 0, 0, 0)),
        (11, 0, 0, (0, 0, 0, 5)),
        (12, 0, 0, (0, 0, 0, 5)),
        (3, 2, 0, (0, 0, 2, 5)),
        (2, 0, 0, (0, 0, 5, 5)),
        (2, 4, 1, (1, 0, 4, 4)),
        (10, 0, 0, (0, 0, 5, 5)),
        (5, 0, 0, (5, 0, 0, 0)),
        (6, 2, 0, (3, 0, 2, 0)),
        (4, 0, 0, (5, 0, 0, 0)),
        (14, 0, 2, (2, 0, 0, 3)),
        (14, 4, 3, (1, 0, 4, 2)),
        (13, 2, 0, (0, 0, 2, 5)),
        (99, 0, 0, (0, 0, 0, 5)),
    ],
)
def test_each_state_splits_a_lines_units(
    status_id: int, shipped: int, refunded: int, expected: tuple[int, int, int, int]
) -> None:
    assert numbers(line_of(status_id, shipped, refunded)) == expected


def test_a_store_that_does_not_restock_refunds_writes_the_units_off_but_still_cancels() -> None:
    keeps_its_number = StockRules(restocks_refunds=False)

    assert numbers(line_of(14, 0, 2, keeps_its_number)) == (0, 2, 0, 5)
    assert numbers(line_of(5, 0, 0, keeps_its_number)) == (5, 0, 0, 5)


def test_a_store_that_counts_on_shipping_has_lost_only_what_left() -> None:
    on_shipping = StockRules(counts_when_shipped=True)

    assert line_of(11, rules=on_shipping).counted == 0
    assert line_of(3, shipped=2, rules=on_shipping).counted == 2


def test_the_lines_own_refund_count_stands_in_for_a_refund_not_listed_yet() -> None:
    assert line_of(14, quantity_refunded=2).cancelled == 2


@pytest.mark.parametrize("status_id", [4, 5, 6, 13, 14, 99])
def test_what_was_marked_as_shipped_by_hand_stays_shipped_in_later_states(status_id: int) -> None:
    line = line_once_marked_shipped(status_id, -1, refunded=2, rules=StockRules(restocks_refunds=False))

    assert numbers(line) == (0, 0, 5, 5)


def test_units_refunded_before_the_order_was_marked_as_shipped_never_left() -> None:
    assert numbers(line_once_marked_shipped(13, 1, refunded=2)) == (2, 0, 3, 3)


@pytest.mark.parametrize("status_id", [3, 7, 8, 9, 11, 12])
def test_a_state_that_says_waiting_is_believed_over_an_old_shipping_date(status_id: int) -> None:
    assert line_once_marked_shipped(status_id, 1).shipped == 0


@pytest.mark.parametrize("word", ["captured", "capture pending", "paid", "partially refunded", "refunded"])
def test_an_unknown_state_of_a_paid_order_is_paid(word: str) -> None:
    assert store_order({**order_row(99), "payment_status": word}, [FIVE_WANTED], {}, BY_DEFAULT).paid


@pytest.mark.parametrize("word", ["authorized", "declined", "held for review", "pending", "void", "void pending", ""])
def test_an_unknown_state_of_an_order_not_paid_is_not_paid(word: str) -> None:
    assert not store_order({**order_row(99), "payment_status": word}, [FIVE_WANTED], {}, BY_DEFAULT).paid


def test_backordered_units_never_were_on_the_stores_number() -> None:
    assert line_of(11, quantity_backordered=2).counted == 3
    assert line_of(14, 0, 4, quantity_backordered=2).counted == 0
    assert line_of(11, quantity_backordered=None).counted == 5


def test_a_store_that_counts_on_shipping_gets_back_what_is_refunded_after_it() -> None:
    on_shipping = StockRules(counts_when_shipped=True)

    assert line_of(14, 5, 2, on_shipping).counted == 3
    assert line_of(14, 2, 3, on_shipping).counted == 2
    assert line_of(14, 2, 4, on_shipping).counted == 1


def test_an_unfinished_checkout_ships_and_frees_nothing() -> None:
    assert numbers(line_of(1, 2, 1)) == (0, 0, 0, 0)


def test_gift_certificates_are_no_goods_and_custom_lines_have_no_listing() -> None:
    certificate = {**FIVE_WANTED, "id": 8, "type": "giftcertificate"}
    custom = {"id": 9, "product_id": 0, "sku": "", "name": "Engraving", "quantity": 1}

    order = store_order(order_row(11), [FIVE_WANTED, certificate, custom], {}, StockRules())

    assert [(line.line_id, line.external_id) for line in order.lines] == [("7", "31/42"), ("9", None)]


def test_dates_of_any_zone_become_utc() -> None:
    order = store_order(order_row(11), [], {}, StockRules())

    assert order.placed_at == datetime(2018, 1, 10, 21, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"date_modified": "Wed, 10 Jan 2018 22:05:31 +0100"},
        {"status_id": 14},
        {"payment_status": "captured"},
        {"items_shipped": 1},
        {"items_total": 4},
        {"refunded_amount": "1.0000"},
    ],
)
def test_each_mark_of_a_change_makes_another_version(change: dict[str, object]) -> None:
    assert version_of({**order_row(11), **change}) != version_of(order_row(11))


@pytest.mark.parametrize("broken", [{"quantity": "5"}, {"quantity": None}, {"quantity": 1.5}, {"id": True}])
def test_a_line_without_whole_numbers_is_malformed(broken: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        store_order(order_row(11), [{**FIVE_WANTED, **broken}], {}, StockRules())


def test_refunds_are_listed_per_line_and_money_alone_moves_no_units() -> None:
    made = {"order_id": 100, "created": "2018-01-11T12:00:00Z"}
    refunds = [
        {**made, "items": [{"item_type": "PRODUCT", "item_id": 7, "quantity": 1}]},
        {**made, "items": [{"item_type": "PRODUCT", "item_id": 7, "quantity": 2}]},
        {**made, "items": [{"item_type": "SHIPPING", "item_id": 7, "quantity": 9}]},
    ]

    assert refunded_units(refunds) == {100: {7: [RefundedUnits(1, REFUNDED_AT), RefundedUnits(2, REFUNDED_AT)]}}


def inventory_item(**identity: object) -> dict[str, Any]:
    place = {"location_id": 1, "total_inventory_onhand": 12, "settings": {"safety_stock": 2}}
    elsewhere = {"location_id": 2, "total_inventory_onhand": 90, "settings": {}}
    return {"identity": identity, "locations": [elsewhere, place]}


def test_a_level_is_our_locations_stock_less_its_safety_stock() -> None:
    found = levels([inventory_item(variant_id=42, product_id=31, sku_id=None)], location_id=1)

    assert found == {42: Level(on_hand=12, safety_stock=2, product_tracked=True)}
    assert found[42].quantity == 10


def test_stock_below_the_safety_stock_sells_nothing() -> None:
    assert Level(on_hand=1, safety_stock=3, product_tracked=True).quantity == 0


def test_a_simple_product_is_one_listing_named_by_its_base_variant() -> None:
    product = {"id": 31, "name": "Mug", "sku": "MUG", "inventory_tracking": "product", "base_variant_id": 42}

    (found,) = listings({**product, "variants": [{"id": 42, "sku": "MUG"}]}, {42: Level(12, 2, True)})

    assert (found.external_id, found.sku, found.title, found.quantity) == ("31/42", "MUG", "Mug", 10)
    assert split_id(found.external_id) == (31, 42)


def test_each_variant_is_a_listing_with_its_options_in_the_title() -> None:
    variants = [{"id": 42, "sku": "TEE-S", "option_values": [{"option_display_name": "Size", "label": "S"}]}]
    product = {"id": 31, "name": "Tee", "inventory_tracking": "variant", "base_variant_id": None, "variants": variants}

    (found,) = listings(product, {42: Level(3, 0, False)})

    assert (found.external_id, found.title, found.quantity) == ("31/42", "Tee (S)", 3)


@pytest.mark.parametrize(("tracking", "base"), [("none", 42), ("product", None), ("variant", None)])
def test_what_cannot_be_counted_says_why(tracking: str, base: int | None) -> None:
    product = {"id": 31, "name": "Tee", "inventory_tracking": tracking, "base_variant_id": base}

    (found,) = listings({**product, "variants": [{"id": 42, "sku": "TEE"}]}, {})

    assert found.quantity is None
    assert found.untracked_reason.endswith(".")


def _to(**address: object) -> dict[str, Any]:
    return {"pickups": [], "shipping": [address], "downloads": [], "email": {"gift_certificates": []}}


LINK = {
    "url": "https://api.bigcommerce.com/stores/x/v2/orders/100/consignments",
    "resource": "/orders/100/consignments",
}
TWO_PLACES = {"shipping": [{"country_iso2": "US", "state": "Texas"}, {"country_iso2": "US", "state": "Ohio"}]}


@pytest.mark.parametrize(
    ("consignments", "destination"),
    [
        (_to(country_iso2="US", state="Texas", zip="12345"), "US-TX-123"),
        (_to(country_iso2="US", state="TX", zip="12345-6789"), "US-TX-123"),
        (_to(country_iso2="DE", state="Bavaria", zip="80331"), "DE--803"),
        (_to(country_iso2=None, state=["Texas"], zip=12345), ""),
        ({"shipping": [{"country_iso2": "US", "state": "Ohio"}] * 2}, "US-OH"),
        (TWO_PLACES, ""),
        ({"pickups": [{"location": {"country_alpha2": "US"}}], "shipping": []}, ""),
        ({"shipping": ["rubbish"]}, ""),
        (LINK, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_whatever_stands_in_an_address_the_order_is_read(consignments: object, destination: str) -> None:
    order = store_order({**order_row(11), "consignments": consignments}, [FIVE_WANTED], {}, BY_DEFAULT)

    assert order.destination == destination

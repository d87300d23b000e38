"""A store's order in its newest state becomes what it should hold, whatever happened in between."""

from dataclasses import replace
from typing import Any

import pytest

from core import catalog, pushes
from core.goods.receiving import Receive
from core.model import StoreListing, StoreOrderLine
from core.orders.apply import ApplyOrder
from core.stock import DocumentKind, Stocked
from core.transaction import Database
from tests.builders import NOON, Units, World, at, line, order


def test_an_order_reserves_its_units_and_payment_deducts_them(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3)))
    assert world.units("mug") == Units(free=7, reserved=3)
    world.hear(store, order(line("mug", 3), paid=True))
    assert world.units("mug") == Units(free=7, sold=3)
    assert world.documents() == ["reservation", "deduction"]


def test_the_same_state_twice_changes_nothing(world: World) -> None:
    store = world.stocked("mug", units=10)
    state = order(line("mug", 3, counted=3), paid=True)
    world.hear(store, state)
    before, believed = world.documents(), world.listing(store, "mug").believed
    world.hear(store, state)
    assert world.units("mug") == Units(free=7, sold=3)
    assert world.documents() == before
    assert world.listing(store, "mug").believed == believed == 7


def test_an_older_fetch_is_dropped(world: World) -> None:
    store = world.stocked("mug", units=10)
    assert world.hear(store, order(line("mug", 3), paid=True), fetch_seq=8)
    assert not world.hear(store, order(line("mug", 5)), fetch_seq=7)
    assert not world.hear(store, order(line("mug", 5)), fetch_seq=8)
    assert world.units("mug") == Units(free=7, sold=3)


def test_a_cancel_that_comes_before_its_create_leaves_nothing_held(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3, cancelled=3), state="cancelled"), fetch_seq=9)
    world.hear(store, order(line("mug", 3)), fetch_seq=8)
    assert world.units("mug") == Units(free=10)


def test_a_cancelled_order_gives_its_units_back(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3, cancelled=3), paid=True, state="cancelled"))
    assert world.units("mug") == Units(free=10)


def test_an_order_that_never_was_one_holds_nothing(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), holds=False, state="checkout-draft"))
    assert world.units("mug") == Units(free=10)
    assert world.documents() == []


def test_a_failed_order_gives_its_units_back_and_takes_them_again_when_paid_later(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3)))
    world.hear(store, order(line("mug", 3), holds=False, state="failed"))
    assert world.units("mug") == Units(free=10)
    world.hear(store, order(line("mug", 3), paid=True, state="processing"))
    assert world.units("mug") == Units(free=7, sold=3)


def test_a_payment_taken_back_makes_the_units_reserved_again(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3), state="on-hold"))
    assert world.units("mug") == Units(free=7, reserved=3)


@pytest.mark.parametrize(("edited", "free"), [(5, 5), (1, 9), (0, 10)])
def test_an_edited_quantity_moves_only_the_difference(world: World, edited: int, free: int) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", edited), paid=True))
    assert world.units("mug") == Units(free=free, sold=10 - free)


def test_a_removed_line_gives_its_units_back_and_the_others_keep_theirs(world: World) -> None:
    store = world.stocked("mug", "cup", units=10)
    world.hear(store, order(line("mug", 3), line("cup", 2)))
    world.hear(store, order(line("cup", 2)))
    assert (world.units("mug"), world.units("cup")) == (Units(free=10), Units(free=8, reserved=2))


def test_a_removed_line_that_comes_back_is_held_again(world: World) -> None:
    store = world.stocked("mug", "cup", units=10)
    both = order(line("mug", 3), line("cup", 2))
    world.hear(store, both)
    world.hear(store, order(line("cup", 2)))
    world.hear(store, both)
    assert (world.units("mug"), world.units("cup")) == (Units(free=7, reserved=3), Units(free=8, reserved=2))


def test_a_part_refund_with_restock_puts_units_back_on_sale(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4), paid=True))
    world.hear(store, order(line("mug", 4, cancelled=1), paid=True))
    assert world.units("mug") == Units(free=7, sold=3)
    assert world.on_hand("mug") == (10, 0)


def test_a_part_refund_without_restock_sets_units_apart(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4), paid=True))
    world.hear(store, order(line("mug", 4, written_off=1), paid=True))
    assert world.units("mug") == Units(free=6, sold=3)
    assert world.on_hand("mug") == (9, 1)


def test_a_refund_without_restock_of_units_that_never_came_ends_the_waiting_and_damages_nothing(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), paid=True))
    world.hear(store, order(line("mug", 2, written_off=2), paid=True))
    assert world.units("mug") == Units()
    assert world.on_hand("mug") == (0, 0)
    assert world.incidents() == []


def test_a_first_look_at_an_order_already_refunded_without_restock_sets_its_units_apart(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 2, written_off=2, counted=2), paid=True))
    assert world.units("mug") == Units(free=8)
    assert world.on_hand("mug") == (8, 2)


def test_units_refunded_without_restock_that_are_put_back_after_all_are_for_sale_again(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4, written_off=3), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=6, sold=1), (7, 3))
    for _ in range(2):
        world.hear(store, order(line("mug", 4, written_off=1, cancelled=2), paid=True))
        assert (world.units("mug"), world.on_hand("mug")) == (Units(free=8, sold=1), (9, 1))


def test_units_refunded_without_restock_that_never_came_are_not_mended(world: World) -> None:
    store = world.stocked("mug", units=1)
    world.hear(store, order(line("mug", 3, written_off=3), paid=True))
    world.hear(store, order(line("mug", 3, cancelled=3), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=1), (1, 0))


def test_an_order_shipped_in_parts_leaves_in_parts(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 5), paid=True))
    world.hear(store, order(line("mug", 5, shipped=2), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=5, sold=3), (8, 0))
    world.hear(store, order(line("mug", 5, shipped=5), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=5), (5, 0))


def test_an_order_first_seen_when_all_is_shipped_goes_the_whole_way_at_once(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 5, shipped=5), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=5), (5, 0))
    assert world.documents() == ["reservation", "deduction", "shipment"]


def test_goods_shipped_without_known_stock_are_found_first(world: World) -> None:
    store = world.stocked("mug", units=1)
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(), (0, 0))
    assert "found" in world.documents()
    assert world.incidents() == []


def test_a_shipment_taken_back_by_the_store_brings_no_goods_back_and_is_not_shipped_twice(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4, shipped=4), paid=True))
    for shipped in (0, 4):
        world.hear(store, order(line("mug", 4, shipped=shipped), paid=True))
        assert (world.units("mug"), world.on_hand("mug")) == (Units(free=6), (6, 0))


def test_returned_goods_are_for_sale_again(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4, shipped=4), paid=True))
    world.hear(store, order(line("mug", 4, shipped=4, returned=3), paid=True))
    world.hear(store, order(line("mug", 4, shipped=4, returned=3), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=9), (9, 0))
    assert world.documents().count("return") == 1


def test_a_line_removed_after_its_goods_left_takes_nothing_back(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4, shipped=1), paid=True))
    world.hear(store, order(paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=9), (9, 0))


def test_an_order_opened_again_after_its_cancellation_holds_again(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3, cancelled=3), paid=True))
    world.hear(store, order(line("mug", 3), paid=True))
    assert world.units("mug") == Units(free=7, sold=3)


def test_a_line_of_an_unknown_listing_is_held_and_replayed_once_it_is_imported(world: World, db: Database) -> None:
    store = world.stocked("mug", units=10)
    state = order(line("mug", 3), line("cup", 2))
    world.hear(store, state)
    (held,) = world.ask("SELECT * FROM order_line WHERE merchant_id = :merchant_id AND held_reason <> ''")
    assert (held.sku, held.ordered) == ("cup", 2)
    assert "holdfast sync" in held.held_reason

    world.listings(store, "cup", shown=4)
    assert world.work("order") == ["1001"]
    world.receive("cup", 6)
    world.hear(store, state)
    assert world.units("cup") == Units(free=4, reserved=2)
    assert world.listing(store, "cup").believed == 4
    assert not world.ask("SELECT 1 FROM order_line WHERE merchant_id = :merchant_id AND held_reason <> ''")


def test_an_unmapped_listing_is_held_for_a_person_and_replayed_after_mapping(world: World, db: Database) -> None:
    store = world.stocked("mug", units=10)
    with db.begin(1, actor="test") as tx:
        catalog.import_listings(tx, store, [StoreListing("listing-twin", "mug", "Twin", 10)])
    state = order(line("twin", 2))
    world.hear(store, state)
    assert world.units("mug") == Units(free=10)

    with db.begin(1, actor="test") as tx:
        catalog.map_listing(tx, store, "listing-twin", "mug")
    assert world.work("order") == ["1001"]
    world.hear(store, state)
    assert world.units("mug") == Units(free=8, reserved=2)


def test_a_line_whose_product_the_store_forgot_is_held(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(StoreOrderLine("line-9", None, "", "Engraving", 1)))
    (held,) = world.ask("SELECT held_reason FROM order_line WHERE merchant_id = :merchant_id")
    assert "no longer says" in held.held_reason


def test_an_ordered_pack_takes_its_single_units(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.tell("UPDATE listing SET pack_size = 6 WHERE merchant_id = :merchant_id")
    world.hear(store, order(line("mug", 2), paid=True))
    world.hear(store, order(line("mug", 2, shipped=1), paid=True))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=8, sold=6), (14, 0))


def test_a_product_deleted_on_the_store_later_keeps_its_orders_whole(world: World) -> None:
    """The store then no longer says which listing the line was; the pack it was sold in is known from before."""
    store = world.stocked("mug", units=20)
    world.tell("UPDATE listing SET pack_size = 6 WHERE merchant_id = :merchant_id")
    sold = line("mug", 2)
    world.hear(store, order(sold, paid=True))
    world.hear(store, order(replace(sold, external_id=None), paid=True))
    assert world.units("mug") == Units(free=8, sold=12)


def test_one_sku_on_several_lines_is_promised_no_unit_twice(world: World) -> None:
    store = world.stocked("mug", units=5)
    lines = [line("mug", 2, f"line-{n}") for n in range(4)]
    world.hear(store, order(*lines))
    assert world.units("mug") == Units(reserved=5, backordered=3)
    promises = world.ask("SELECT live, waiting FROM promise WHERE merchant_id = :merchant_id ORDER BY id")
    assert [tuple(row) for row in promises] == [(2, 0), (2, 0), (1, 1), (0, 2)]


def test_an_order_of_675_lines_is_one_order(world: World) -> None:
    skus = [f"sku-{n:03}" for n in range(675)]
    store = world.store()
    world.listings(store, *skus, shown=5)

    items = world.ask("SELECT id FROM item WHERE merchant_id = :merchant_id")
    world.do(Receive("opening", DocumentKind.OPENING, {Stocked(row.id): 5 for row in items}))
    state = order(*(line(sku, 2) for sku in skus), paid=True)
    world.hear(store, state)
    world.hear(store, state)
    assert world.scalar("SELECT sum(sold) FROM sales_balance WHERE merchant_id = :merchant_id") == 2 * 675
    assert world.documents() == ["reservation", "deduction"]


def test_two_states_of_one_order_in_one_batch_end_in_the_newer(world: World) -> None:
    store = world.stocked("mug", units=10)
    newer = ApplyOrder(store, order(line("mug", 2), paid=True), 12)
    older = ApplyOrder(store, order(line("mug", 7)), 11)
    assert world.run(older, newer, older) == [True, True, False]
    assert world.units("mug") == Units(free=8, sold=2)


# ---- what the store did to its own number


def test_what_we_believe_follows_what_the_store_counted_itself(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3, counted=3), paid=True))
    assert world.listing(store, "mug").believed == 7
    world.hear(store, order(line("mug", 3, cancelled=1, counted=2), paid=True))
    assert world.listing(store, "mug").believed == 8


def test_an_order_the_store_has_not_counted_leaves_what_we_believe(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3)))
    assert world.listing(store, "mug").believed == 10


def test_only_the_selling_stores_number_is_believed_to_have_moved(world: World) -> None:
    store = world.stocked("mug", units=10)
    other = world.store("Market")
    world.listings(other, "mug", shown=10)
    world.hear(store, order(line("mug", 3, counted=3), paid=True))
    assert (world.listing(store, "mug").believed, world.listing(other, "mug").believed) == (7, 10)
    assert world.due(other, "mug") is not None


def test_an_order_makes_the_listings_of_every_store_stale_and_wakes_their_pushes(world: World) -> None:
    store = world.stocked("mug", "cup", units=10)
    other = world.store("Market")
    world.listings(other, "mug", shown=10)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    world.tell("DELETE FROM work WHERE merchant_id = :merchant_id")
    world.hear(store, order(line("mug", 1)))
    stale = world.ask(
        """SELECT d.store_id, l.sku FROM push_due d JOIN listing l ON l.merchant_id = d.merchant_id
               AND l.id = d.listing_id WHERE d.merchant_id = :merchant_id"""
    )
    assert {tuple(row) for row in stale} == {(store, "mug"), (other, "mug")}
    rows = world.ask("SELECT store_id FROM work WHERE merchant_id = :merchant_id AND topic = 'push'")
    assert {row.store_id for row in rows} == {store, other}


def test_units_hidden_from_shoppers_are_added_to_the_number_to_show(world: World, db: Database) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3, hidden=3), state="pending"))
    with db.begin(1, actor="test") as tx:
        assert [one.intent.wanted for one in pushes.claim(tx, store, limit=10)] == [10]
    world.hear(store, order(line("mug", 3, counted=3), paid=True, state="processing"))
    with db.begin(1, actor="test") as tx:
        (claimed,) = pushes.claim(tx, store, limit=10)
    assert (claimed.intent.wanted, claimed.intent.believed) == (7, 7)


# ---- orders from before the store was connected


def test_goods_shipped_before_the_store_was_connected_are_not_taken_again(world: World) -> None:
    store = world.stocked("mug", units=10)
    old = order(line("mug", 4, shipped=3, counted=4), paid=True, placed_at=at(-3600))
    world.hear(store, old, opened_at=NOON)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=9, sold=1), (10, 0))
    assert world.listing(store, "mug").believed == 10

    world.hear(store, order(line("mug", 4, shipped=4, counted=4), paid=True, placed_at=at(-3600)), opened_at=NOON)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=9), (9, 0))
    assert world.listing(store, "mug").believed == 10


def test_an_old_order_heard_of_twice_takes_nothing_twice(world: World) -> None:
    store = world.stocked("mug", units=10)
    old = order(line("mug", 6, shipped=2, returned=1, written_off=1), paid=True, placed_at=at(-3600))
    for _ in range(3):
        world.hear(store, old, opened_at=NOON)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=7, sold=3), (10, 0))


def test_a_return_of_goods_shipped_before_the_connection_comes_in(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4, shipped=4), paid=True, placed_at=at(-3600)), opened_at=NOON)
    world.hear(store, order(line("mug", 4, shipped=4, returned=1), paid=True, placed_at=at(-3600)), opened_at=NOON)
    assert world.units("mug") == Units(free=11)


def test_what_an_old_order_puts_back_is_believed(world: World) -> None:
    store = world.stocked("mug", units=10)
    old: dict[str, Any] = {"paid": True, "placed_at": at(-3600)}
    world.hear(store, order(line("mug", 4, counted=4), **old), opened_at=NOON)
    world.hear(store, order(line("mug", 4, cancelled=4, counted=0), **old), opened_at=NOON)
    assert world.listing(store, "mug").believed == 14

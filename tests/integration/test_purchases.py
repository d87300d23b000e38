"""Purchase orders on a real database: placed, cut, cancelled, and what those who wait can expect of them."""

from datetime import timedelta

import pytest

from core.errors import NotFound, Refused
from core.sales import expected, promise_dates
from core.supply import placing, purchases, suppliers
from tests import supply_world as sup
from tests.builders import Units, World, line, order
from tests.supply_world import OnWay

# ---- placed


def test_a_placed_order_is_on_its_way_and_nothing_may_be_sold(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    assert sup.on_way(world, "mug") == OnWay()
    placing.place(world.db, 1, "PO-7", actor="test")
    assert sup.on_way(world, "mug") == OnWay(incoming=10)
    assert world.units("mug") == Units()
    assert world.documents() == ["purchase"]
    assert sup.look(world, "PO-7").state == "placed"


def test_an_order_placed_twice_is_placed_once(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    assert placing.place(world.db, 1, "PO-7", actor="test").repeated
    assert sup.on_way(world, "mug") == OnWay(incoming=10)


def test_an_order_of_nothing_cannot_be_placed(world: World) -> None:
    sup.draft(world, "PO-7", {})
    with pytest.raises(Refused, match="add-line PO-7"):
        placing.place(world.db, 1, "PO-7", actor="test")


def test_an_order_goes_to_the_warehouse_that_it_names(world: World) -> None:
    world.stocked("mug", units=0)
    sup.warehouse(world, "BERLIN")
    sup.placed(world, "PO-7", {"mug": 10}, to="BERLIN")
    assert sup.on_way(world, "mug", "BERLIN") == OnWay(incoming=10)
    sup.receive(world, "PO-7", {"mug": 4}, at="BERLIN")
    assert sup.on_way(world, "mug", "BERLIN") == OnWay(available=4, incoming=6)
    assert sup.on_way(world, "mug") == OnWay()
    assert world.units("mug") == Units(free=4)


def test_lines_without_a_day_come_after_the_suppliers_lead_days(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    sup.supplier(world, lead_days=14)
    with world.db.begin(1, actor="test") as tx:
        acme = suppliers.find(tx, "ACME")
        suppliers.put_item(tx, acme.id, world.item("cup").item_id, {"lead_days": 3})
    sup.placed(world, "PO-7", {"mug": 5, "cup": 5}, in_days=None)
    assert sorted(sup.supply(world)) == [("PO-7", "cup", 5, 0, 3), ("PO-7", "mug", 5, 0, 14)]


def test_an_order_moved_to_another_day_takes_along_what_had_its_day_from_lead_days_alone(world: World) -> None:
    world.stocked("mug", "cup", "plate", units=0)
    sup.supplier(world, lead_days=14)
    sup.draft(world, "PO-7", {"mug": 5, "cup": 5, "plate": 5}, in_days=None)
    on = sup.today(world)
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", on + timedelta(days=5), world.item("cup").item_id)
    placing.place(world.db, 1, "PO-7", actor="test")
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", on + timedelta(days=9), world.item("plate").item_id)
    for days in (30, 2):
        with world.db.begin(1, actor="test") as tx:
            purchases.set_day(tx, "PO-7", on + timedelta(days=days))
        expected = [("PO-7", "cup", 5, 0, 5), ("PO-7", "mug", 5, 0, days), ("PO-7", "plate", 5, 0, 9)]
        assert sorted(sup.supply(world)) == expected


def test_a_dry_run_says_what_would_be_and_leaves_everything_as_it_was(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    assert placing.place(world.db, 1, "PO-7", actor="test", dry_run=True).document_ids
    assert (sup.look(world, "PO-7").state, sup.on_way(world, "mug")) == ("draft", OnWay())
    placing.place(world.db, 1, "PO-7", actor="test")
    tried = sup.receive(world, "PO-7", {"mug": 4}, dry_run=True)
    assert [one.came for one in tried.lines] == [4]
    assert (sup.on_way(world, "mug"), world.on_hand("mug")) == (OnWay(incoming=10), (0, 0))


# ---- cut, cancelled, closed, lost


def test_a_cut_takes_units_off_their_way(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.cut(world, "PO-7", {"mug": 4})
    assert sup.on_way(world, "mug") == OnWay(incoming=6)
    assert sup.cut(world, "PO-7", {"mug": 4}).repeated
    with pytest.raises(Refused, match="only 6 units"):
        sup.cut(world, "PO-7", {"mug": 7}, "b")


def test_a_parcel_lost_on_its_way_is_a_document_of_its_own(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.cut(world, "PO-7", {"mug": 4}, lost=True)
    assert world.documents() == ["purchase", "lost"]


def test_a_cut_wants_a_reason(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    with pytest.raises(Refused, match="say why"):
        sup.cut(world, "PO-7", {"mug": 4}, reason=" ")


def test_an_order_is_cancelled_while_nothing_came_and_closed_short_later(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.placed(world, "PO-8", {"mug": 5})
    sup.receive(world, "PO-7", {"mug": 4})
    with pytest.raises(Refused, match="purchase close PO-7"):
        placing.end(world.db, 1, "PO-7", actor="test", reason="late", cancel=True)
    placing.end(world.db, 1, "PO-7", actor="test", reason="late", cancel=False)
    for _ in range(2):
        placing.end(world.db, 1, "PO-8", actor="test", reason="late", cancel=True)
    assert [sup.look(world, one).state for one in ("PO-7", "PO-8")] == ["closed", "cancelled"]
    assert sup.on_way(world, "mug") == OnWay(available=4)


def test_a_draft_is_dropped_and_never_placed(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    placing.end(world.db, 1, "PO-7", actor="test", reason="", cancel=True)
    assert sup.look(world, "PO-7").state == "cancelled"
    with pytest.raises(Refused, match="was cancelled"):
        placing.place(world.db, 1, "PO-7", actor="test")


def test_goods_of_a_cancelled_order_that_come_all_the_same_are_booked_in(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    placing.end(world.db, 1, "PO-7", actor="test", reason="late", cancel=True)
    sup.receive(world, "PO-7", {"mug": 3})
    assert (sup.on_way(world, "mug"), world.units("mug")) == (OnWay(available=3), Units(free=3))


# ---- what those who wait can expect


def test_an_order_says_when_those_who_wait_have_their_goods(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 3), paid=True))
    sup.placed(world, "PO-7", {"mug": 10}, in_days=12)
    (promise_id,) = [row.id for row in world.ask("SELECT id FROM promise WHERE merchant_id = :merchant_id")]
    with world.db.begin(1, actor="test") as tx:
        promise_dates.recompute(tx, [world.item("mug")])
        ((_, becomes, reason, _, _),) = promise_dates.dates_of(tx, promise_id)
    assert becomes == sup.today(world) + timedelta(days=13)  # a day to handle it
    assert reason == "PO-7 brings it"


def test_a_receipt_and_a_cut_leave_the_rest_to_expect(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 10)]
    sup.receive(world, "PO-7", {"mug": 4})
    assert sup.supply(world) == [("PO-7", "mug", 6, 4, 10)]
    sup.cut(world, "PO-7", {"mug": 1})
    assert sup.supply(world) == [("PO-7", "mug", 5, 4, 10)]
    sup.receive(world, "PO-7", {"mug": 7}, "b")
    assert sup.supply(world) == [("PO-7", "mug", 0, 11, 10)]


def test_units_on_sale_before_they_are_here_are_expected_by_nobody_else(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=3)
    sup.count(world, 7)
    assert sup.supply(world) == [("PO-7", "mug", 0, 0, 3)]
    sup.receive(world, "PO-7", {"mug": 4})
    assert sup.supply(world) == [("PO-7", "mug", 0, 4, 3)]


def test_another_day_is_another_day_for_who_waits(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    sup.placed(world, "PO-7", {"mug": 10, "cup": 2})
    on = sup.today(world) + timedelta(days=30)
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", on, world.item("cup").item_id)
    assert sorted(sup.supply(world)) == [("PO-7", "cup", 2, 0, 30), ("PO-7", "mug", 10, 0, 10)]
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", on + timedelta(days=1))
    assert sorted(sup.supply(world)) == [("PO-7", "cup", 2, 0, 30), ("PO-7", "mug", 10, 0, 31)]
    with pytest.raises(NotFound, match="no line of that item"), world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", on, 99)


def test_an_announced_delivery_moves_the_day_and_nothing_else(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    mug, soon = sup.line_id(world, "PO-7", "mug"), sup.today(world) + timedelta(days=4)
    with world.db.begin(1, actor="test") as tx:
        purchases.give_notice(tx, "PO-7", "ASN-1", {mug: 12}, soon)
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 4)]
    with world.db.begin(1, actor="test") as tx:
        purchases.give_notice(tx, "PO-7", "ASN-1", {mug: 8}, soon)
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 10)]
    assert sup.on_way(world, "mug") == OnWay(incoming=10)


def test_supply_by_hand_keeps_off_what_an_order_says(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    with world.db.begin(1, actor="test") as tx:
        expected.refuse_purchase(tx, "another")
        with pytest.raises(Refused, match="purchase receive"):
            expected.refuse_purchase(tx, "PO-7")

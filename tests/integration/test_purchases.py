"""Purchase orders on a real database: placed, announced, counted, received, cut; the books agree after each step."""

from datetime import timedelta
from typing import Any

import pytest

from config.wiring import App
from core import work
from core.errors import KeyReused, NotFound, Refused
from core.reversing import Reverse, read_document
from core.sales import expected, presale, promise_dates
from core.sales.holds import Hold
from core.sales.locks import ReleaseLock
from core.sales.pools import OpenPool
from core.stock import MINOR_DEFECT, Pool, PoolKind
from core.supply import counting, placing, purchases, suppliers, taking_back
from core.supply.acting import Acted
from core.supply.lines import Came
from core.transaction import Database
from core.warehouse import bins
from jobs.backorders import look_after_backorders
from tests import supply_world as sup
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.lock_acts import lock
from tests.pool_world import shared
from tests.supply_world import OnWay


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    db.clock = held
    return held


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


def test_a_dry_run_says_what_would_be_and_leaves_everything_as_it_was(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    assert placing.place(world.db, 1, "PO-7", actor="test", dry_run=True).document_ids
    assert (sup.look(world, "PO-7").state, sup.on_way(world, "mug")) == ("draft", OnWay())
    placing.place(world.db, 1, "PO-7", actor="test")
    tried = sup.receive(world, "PO-7", {"mug": 4}, dry_run=True)
    assert [one.came for one in tried.lines] == [4]
    assert (sup.on_way(world, "mug"), world.on_hand("mug")) == (OnWay(incoming=10), (0, 0))


# ---- received


def test_a_receipt_raises_all_three_layers_in_one_document(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4})
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((4, 0), OnWay(available=4, incoming=6))
    assert world.units("mug") == Units(free=4)
    assert world.documents() == ["purchase", "receipt"]


def test_a_receipt_first_serves_who_waits(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 3), paid=True))
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4})
    assert world.units("mug") == Units(free=1, sold=3)


def test_all_that_is_still_to_come_is_received_with_one_word(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    sup.placed(world, "PO-7", {"mug": 10, "cup": 2})
    sup.receive(world, "PO-7", {"mug": 4})
    sup.receive(world, "PO-7", None, "b")
    assert (world.on_hand("mug"), world.on_hand("cup")) == ((10, 0), (2, 0))
    assert sup.look(world, "PO-7").state == "closed"
    with pytest.raises(Refused, match="nothing of PO-7 is still to come"):
        sup.receive(world, "PO-7", None, "c")


def test_the_same_receipt_told_twice_is_booked_once(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    first = sup.receive(world, "PO-7", {"mug": 4})
    again = sup.receive(world, "PO-7", {"mug": 4})
    assert (again.repeated, again.document_ids) == (True, first.document_ids)
    assert world.on_hand("mug") == (4, 0)
    with pytest.raises(KeyReused):
        sup.receive(world, "PO-7", {"mug": 5})
    sup.receive(world, "PO-7", None, "rest")
    assert sup.receive(world, "PO-7", None, "rest").repeated


def test_more_than_was_ordered_is_booked_in_as_well(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 12})
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((12, 0), OnWay(available=12))
    sup.receive(world, "PO-7", {"mug": 1}, "b")
    assert world.units("mug") == Units(free=13)
    assert sup.look(world, "PO-7").lines[0].came == 13


def test_units_damaged_on_arrival_are_on_hand_and_not_for_sale(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": Came(5, damaged=2)})
    assert world.on_hand("mug") == (5, 2)
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=3, unavailable=2)
    assert world.units("mug") == Units(free=5)


def test_units_of_the_other_grade_are_lost_in_one_and_found_in_the_other(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": Came(5, regraded=3)})
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=2)
    assert sup.on_way(world, "mug", grade=MINOR_DEFECT) == OnWay(available=3)


def test_a_receipt_at_another_warehouse_takes_the_units_off_the_way_to_the_first(world: World) -> None:
    world.stocked("mug", units=0)
    sup.warehouse(world, "BERLIN")
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4}, at="BERLIN")
    assert sup.on_way(world, "mug") == OnWay(incoming=6)
    assert sup.on_way(world, "mug", "BERLIN") == OnWay(available=4)


def test_a_draft_receives_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    with pytest.raises(Refused, match="purchase place PO-7"):
        sup.receive(world, "PO-7", {"mug": 4})


@pytest.mark.parametrize("came", [Came(-1, 2), Came(0), Came(2_000_000_000)])
def test_what_cannot_have_come_is_refused(world: World, came: Came) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    with pytest.raises(Refused, match="say how many units came"):
        sup.receive(world, "PO-7", {"mug": came})


def test_a_receipt_of_an_order_is_not_reversed_behind_its_back(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 4}).document_ids
    with world.db.begin(1, actor="test") as tx:
        posted = read_document(tx, document_id)
    with pytest.raises(Refused):
        world.do(Reverse(posted, "mistake"))


# ---- taken back


def take_back(world: World, document_id: int, number: str = "PO-7", **told: Any) -> Acted:
    return taking_back.take_back(world.db, 1, number, document_id, actor="test", **{"reason": "typed", **told})


def test_nothing_is_taken_back_out_of_a_bin_that_is_counted(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 5}).document_ids
    with world.db.begin(world.merchant_id, actor="test") as tx:
        bins.freeze(tx, "MAIN", True)

    with pytest.raises(Refused, match="frozen for a count"):
        take_back(world, document_id)


def test_a_receipt_entered_by_mistake_is_taken_back_once(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    came = Came(5, damaged=2, regraded=1)
    (document_id,) = sup.receive(world, "PO-7", {"mug": came}).document_ids
    assert take_back(world, document_id, dry_run=True).document_ids
    take_back(world, document_id)
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((0, 0), OnWay(incoming=10))
    assert take_back(world, document_id).repeated
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 10)]
    sup.receive(world, "PO-7", {"mug": came}, "again")
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=2, unavailable=2)


def test_of_a_receipt_of_too_many_only_what_is_awaited_is_on_its_way_again(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (first,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    sup.receive(world, "PO-7", {"mug": 3}, "b")
    take_back(world, first)
    assert sup.on_way(world, "mug") == OnWay(available=3, incoming=7)


def test_units_that_were_on_sale_before_are_on_sale_after_a_receipt_is_taken_back(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 10), paid=True))
    (document_id,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    take_back(world, document_id)
    assert (sup.on_way(world, "mug"), world.units("mug")) == (OnWay(incoming_sellable=10), Units(sold=10))


def test_a_receipt_whose_units_somebody_has_is_not_taken_back(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    world.hear(store, order(line("mug", 1), paid=True))
    with pytest.raises(Refused, match="stock missing"):
        take_back(world, document_id)
    with pytest.raises(Refused, match="say why"):
        take_back(world, document_id, reason="")
    with pytest.raises(NotFound, match="no receipt of PO-7"):
        take_back(world, 99)
    assert sup.on_way(world, "mug") == OnWay(available=10)


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


# ---- on sale before they are here


def test_goods_that_come_soon_are_on_sale_and_serve_who_waits(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 3), paid=True))
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    sup.placed(world, "PO-8", {"mug": 20}, in_days=50)
    sup.count(world, 7)
    assert sup.on_way(world, "mug") == OnWay(incoming=20, incoming_sellable=10)
    assert world.units("mug") == Units(free=7, sold=3)
    sup.count(world, 7)
    assert world.documents().count("count_incoming") == 1


def test_a_supplier_has_a_rule_of_its_own(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    sup.placed(world, "PO-8", {"mug": 20}, in_days=5, of="SLOW")
    with world.db.begin(1, actor="test") as tx:
        counting.set_days(tx, None, "SLOW")
    sup.count(world, 7)
    assert sup.on_way(world, "mug") == OnWay(incoming=20, incoming_sellable=10)
    with world.db.begin(1, actor="test") as tx:
        counting.unset_days(tx, "SLOW")
    counting.apply(world.db, 1, actor="test")
    assert sup.on_way(world, "mug") == OnWay(incoming_sellable=30)


def test_units_on_sale_only_change_their_place_when_they_come(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    sup.count(world, 7)
    sup.receive(world, "PO-7", {"mug": 12})
    assert sup.on_way(world, "mug") == OnWay(available=12)
    assert world.units("mug") == Units(free=12)


def test_goods_that_a_store_ships_before_their_receipt_is_booked_are_found(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert world.documents()[-2:] == ["found", "shipment"]
    assert (world.units("mug"), sup.on_way(world, "mug")) == (Units(free=10), OnWay(incoming_sellable=10))


def test_what_a_presale_sells_is_not_counted(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    mug = world.item("mug")
    with world.db.begin(1, actor="test") as tx:
        pool = Pool(tx.new_id(), PoolKind.PRESALE, "PRE")
        named = presale.supply_for(tx, "PO-7", {mug: 4})
    world.do(OpenPool(pool, {mug: 4}, supply=named))
    sup.count(world, 7)
    assert sup.on_way(world, "mug") == OnWay(incoming=10)


def test_goods_of_an_order_go_to_the_presale_that_sold_them(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=5)
    mug = world.item("mug")
    with world.db.begin(1, actor="test") as tx:
        pool = Pool(tx.new_id(), PoolKind.PRESALE, "PRE")
        named = presale.supply_for(tx, "PO-7", {mug: 4})
        with pytest.raises(Refused, match="10 are left, not 11"):
            presale.supply_for(tx, "PO-7", {mug: 11})
    world.do(OpenPool(pool, {mug: 4}, supply=named))
    world.do(Hold("h", {mug: 3}, FAR_OFF, pool_id=pool.id))
    sup.receive(world, "PO-7", {"mug": 6})
    assert shared(world, "mug") == Units(free=3, reserved=3)


def test_an_order_that_is_late_is_taken_off_sale_as_far_as_nobody_bought_it(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 3), paid=True))
    clock.pass_(4 * 86_400)
    for _ in range(2):
        counting.apply(world.db, 1, actor="test")
    assert sup.on_way(world, "mug") == OnWay(incoming=7, incoming_sellable=3)
    assert world.units("mug") == Units(sold=3)
    (incident,) = world.incidents()
    assert (incident.kind, incident.quantity, incident.cause) == ("late_supply", 10, "late")
    assert "7 were taken off sale, 3 are promised" in incident.timeline[0]["what"]
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", sup.today(world) + timedelta(days=3))
    assert world.incidents() == []
    counting.apply(world.db, 1, actor="test")
    assert sup.on_way(world, "mug") == OnWay(incoming_sellable=10)


def test_an_order_put_off_is_taken_off_sale_without_an_incident(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", sup.today(world) + timedelta(days=30))
    counting.apply(world.db, 1, actor="test")
    assert (sup.on_way(world, "mug"), world.units("mug")) == (OnWay(incoming=10), Units())
    assert world.incidents() == []
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 30)]


def test_the_incident_of_a_late_order_ends_when_its_goods_come(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    clock.pass_(4 * 86_400)
    counting.apply(world.db, 1, actor="test")
    assert len(world.incidents()) == 1
    sup.receive(world, "PO-7", None)
    assert world.incidents() == []


def test_promised_units_that_are_cut_wait_again_with_an_incident(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 3), external_id="old", paid=True))
    world.hear(store, order(line("mug", 4), external_id="new", paid=True))
    acted = sup.cut(world, "PO-7", {"mug": 5})
    assert sup.on_way(world, "mug") == OnWay(incoming_sellable=5)
    assert world.units("mug") == Units(sold=5, backordered=2)
    assert [(loss.units, loss.promise is None) for loss in acted.losses] == [(3, True), (2, False)]
    (incident,) = world.incidents()
    assert (incident.kind, incident.quantity) == ("oversell", 2)
    sup.receive(world, "PO-7", {"mug": 7})
    assert world.units("mug") == Units(sold=7)
    assert world.incidents() == []


def test_a_unit_on_sale_that_comes_damaged_is_a_shortage(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 4}, in_days=2)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 4), paid=True))
    sup.receive(world, "PO-7", {"mug": Came(2, damaged=1, regraded=1)})
    assert (world.on_hand("mug")[0], sup.on_way(world, "mug").unavailable) == (2, 1)
    assert sup.on_way(world, "mug") == OnWay(available=2, unavailable=1)
    assert world.ask(
        "SELECT sum(sold) AS sold, sum(backordered) AS waits FROM sales_balance WHERE merchant_id = :merchant_id"
    ) == [(2, 2)]


def test_a_physical_lock_that_waits_takes_goods_that_were_free_before_they_were_here(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    lock(world, "fair", "mug", 6, warehouse_id=sup.spot(world).warehouse_id)
    assert world.scalar("SELECT waiting FROM lock WHERE merchant_id = :merchant_id") == 6
    sup.receive(world, "PO-7", {"mug": 4})
    assert world.scalar("SELECT waiting FROM lock WHERE merchant_id = :merchant_id") == 2


def test_the_work_on_backorders_counts_what_may_be_sold(app: App) -> None:
    world = World(app.db)
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=3)
    with world.db.begin(1, actor="test") as tx:
        counting.set_days(tx, 7)
        work.want(tx, [work.Want("backorders", 0, "")])
    look_after_backorders(app, 1, 0)
    assert sup.on_way(world, "mug") == OnWay(incoming_sellable=10)


def test_damaged_goods_come_for_an_order_that_waits_beside_units_of_a_lock_that_is_over(world: World) -> None:
    store = world.stocked("mug", units=3)
    world.listings(store, "cup")
    lock(world, "web", "mug", 3, type="channel", store_id=store)
    world.hear(store, order(line("mug", 3), line("cup", 9), paid=True))
    world.do(ReleaseLock("web"))
    sup.placed(world, "PO-7", {"mug": 5, "cup": 5}, in_days=2)
    sup.count(world, 7)

    sup.receive(world, "PO-7", {"mug": Came(3, damaged=2), "cup": 5})

    assert (world.units("cup"), shared(world, "mug").free) == (Units(sold=5, backordered=4), 3)

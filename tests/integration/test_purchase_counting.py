"""Goods of purchase orders on sale before they are here: by rule, taken back when they are late, and when they come."""

from datetime import timedelta

import pytest

from config.wiring import App
from core import work
from core.errors import Refused
from core.sales import presale
from core.sales.holds import Hold
from core.sales.pools import OpenPool
from core.stock import Pool, PoolKind
from core.supply import counting, purchases
from core.supply.lines import Came
from jobs.backorders import look_after_backorders
from tests import supply_world as sup
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.lock_acts import lock
from tests.pool_world import shared
from tests.supply_world import OnWay


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
        world.do(OpenPool(pool, {mug: 11}, supply=named))
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

"""Floors: what a store may count on, whatever the others sell."""

import pytest

from core.errors import Refused
from core.goods.bundles import ReturnBundle
from core.orders import hold_views, views
from core.sales.holds import Hold
from core.sales.lock_floors import SetFloor, floor_key
from core.sales.locks import Done
from core.stock import MINOR_DEFECT
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.lock_acts import bundle, floor, pool, row, shared


def test_a_floor_is_filled_again_as_its_store_sells(world: World) -> None:
    store = world.stocked("mug", units=20)
    assert floor(world, store, "mug", 5) == Done("active", 5, 0)
    key = floor_key(store, world.item("mug"))
    world.hear(store, order(line("mug", 3), paid=True))
    assert (pool(world, key), shared(world, "mug")) == (Units(5, 0, 3), Units(12))
    world.hear(store, order(line("mug", 9), external_id="1002"))
    assert (pool(world, key), shared(world, "mug")) == (Units(5, 5, 3), Units(3, 4))
    assert world.listing(store, "mug") is not None


def test_a_floor_of_flawed_goods_is_served_by_those_that_come_back(world: World) -> None:
    store = world.stocked("mug", units=1)
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    with world.db.begin(1, actor="test") as tx:
        lock_id = tx.new_id()
    world.do(SetFloor(lock_id, store, flawed, 2))
    world.hear(store, order(line("mug", 1, shipped=1), paid=True))

    world.hear(store, order(line("mug", 1, shipped=1, returned=1, returned_minor_defect=1), paid=True))
    assert world.scalar("SELECT waiting FROM lock WHERE merchant_id = :merchant_id") == 1
    world.listings(store, "pair")
    bundle(world, "pair", mug=1)
    world.do(ReturnBundle("r", world.item("pair").item_id, 1, {world.item("mug").item_id: 1}))

    assert world.scalar("SELECT waiting FROM lock WHERE merchant_id = :merchant_id") == 0


def test_other_stores_cannot_sell_a_floor(world: World) -> None:
    store = world.stocked("mug", units=6)
    other = world.store("Side street")
    world.listings(other, "mug")
    floor(world, store, "mug", 5)
    world.hear(other, order(line("mug", 4), paid=True))
    assert (pool(world, floor_key(store, world.item("mug"))), shared(world, "mug")) == (Units(5), Units(0, 0, 1, 3))


def test_a_floor_that_cannot_be_filled_waits_in_its_turn(world: World) -> None:
    store = world.stocked("mug", units=6)
    key = floor_key(store, world.item("mug"))
    floor(world, store, "mug", 5)
    world.hear(store, order(line("mug", 4), paid=True))
    assert (pool(world, key), shared(world, "mug")) == (Units(2, 0, 4, 3), Units())
    world.hear(store, order(line("mug", 3), external_id="late", paid=True))
    assert (pool(world, key), shared(world, "mug")) == (Units(0, 0, 6, 5), Units(0, 0, 0, 1))
    world.receive("mug", 4)
    assert (pool(world, key), shared(world, "mug")) == (Units(3, 0, 6, 2), Units(0, 0, 1))


def test_what_orders_give_back_does_not_raise_a_floor(world: World) -> None:
    store = world.stocked("mug", units=20)
    key = floor_key(store, world.item("mug"))
    floor(world, store, "mug", 5)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3, cancelled=3), paid=True))
    assert (pool(world, key), shared(world, "mug")) == (Units(5), Units(15))


def test_what_orders_give_back_to_a_waiting_floor_ends_its_wait(world: World) -> None:
    store = world.stocked("mug", units=6)
    key = floor_key(store, world.item("mug"))
    floor(world, store, "mug", 5)
    world.hear(store, order(line("mug", 4), paid=True))
    world.hear(store, order(line("mug", 4, cancelled=4), paid=True))
    assert (pool(world, key), shared(world, "mug")) == (Units(5), Units(1))


def test_setting_a_floor_twice_is_setting_it_once(world: World) -> None:
    store = world.stocked("mug", units=20)
    floor(world, store, "mug", 5)
    before = world.documents()
    assert floor(world, store, "mug", 5) == Done("active", 0, 0)
    assert world.documents() == before
    assert world.scalar("SELECT count(*) FROM lock") == 1


def test_a_floor_is_raised_lowered_given_up_and_set_again(world: World) -> None:
    store = world.stocked("mug", units=20)
    key = floor_key(store, world.item("mug"))
    floor(world, store, "mug", 5)
    assert floor(world, store, "mug", 8) == Done("active", 3, 0)
    assert floor(world, store, "mug", 2) == Done("active", -6, 0)
    world.hear(store, order(line("mug", 1)))
    assert floor(world, store, "mug", 0) == Done("closed", -2, 0)
    assert floor(world, store, "mug", 0) == Done("closed", 0, 0)
    assert (pool(world, key), shared(world, "mug")) == (Units(0, 1), Units(19))
    assert floor(world, store, "mug", 4) == Done("active", 4, 0)
    assert (pool(world, key), row(world, key).status) == (Units(4, 1), "active")
    world.hear(store, order(line("mug", 1, cancelled=1)))
    assert (pool(world, key), shared(world, "mug")) == (Units(4), Units(16))


def test_a_floor_of_a_bundle_is_refused(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.listings(store, "set")
    bundle(world, "set", mug=2)
    with pytest.raises(Refused, match="floors for its components"):
        floor(world, store, "set", 4)


def test_a_floor_follows_a_bundle_that_takes_its_units(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.listings(store, "set")
    bundle(world, "set", mug=2)
    floor(world, store, "mug", 4)
    world.hear(store, order(line("set", 1), paid=True))
    assert (pool(world, floor_key(store, world.item("mug"))), shared(world, "mug")) == (Units(4, 0, 2), Units(4))


def test_orders_and_holds_name_a_floor_by_its_item_and_store(world: World) -> None:
    store = world.stocked("mug", units=20)
    floor(world, store, "mug", 5)
    world.hear(store, order(line("mug", 3), paid=True))
    world.do(Hold("web-1", {world.item("mug"): 1}, FAR_OFF, store_id=store))

    with world.db.begin(1, actor="test") as tx:
        (promised,) = views.view(tx, "1001").lines[0].promises
        (held,) = hold_views.view(tx, "web-1").items

    assert promised.pool == held.pool == "floor of mug for Main street"

"""Locks take goods, wait for goods, and give them back, in all layers."""

import pytest

from core import catalog
from core.errors import KeyReused, Refused
from core.sales.holds import EndHold, Hold
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import Terms
from core.sales.locks import ConsumeLock, Done, ExpireLock, ReleaseLock, StartLock
from core.transaction import Database
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.lock_acts import (
    BUYER,
    approve,
    ask,
    dispatch,
    do,
    lock,
    main,
    named,
    pool,
    pool_id,
    row,
    shared,
)

# ---- physical locks


def test_a_physical_lock_sets_its_goods_apart_in_its_warehouse_too(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, warehouse_id=main(world))
    assert (pool(world, "fair"), dispatch(world, "mug")) == (Units(4), (6, 4))
    do(world, ReleaseLock("fair", 1, "r1"))
    assert (pool(world, "fair"), dispatch(world, "mug")) == (Units(3), (7, 3))
    do(world, ReleaseLock("fair"))
    assert (pool(world, "fair"), dispatch(world, "mug")) == (Units(), (10, 0))


def test_orders_draw_on_a_mapped_lock_and_ship_its_goods(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 4, type="channel", store_id=store, warehouse_id=main(world))
    world.hear(store, order(line("mug", 3), paid=True))
    assert (pool(world, "theirs"), dispatch(world, "mug")) == (Units(1, 0, 3), (6, 4))
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert (pool(world, "theirs"), dispatch(world, "mug"), world.on_hand("mug")) == (Units(1), (6, 1), (7, 0))


def test_nothing_is_promised_from_a_pure_lock(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock(world, "fba", "mug", 4, type="channel", store_id=store, warehouse_id=main(world), pure=True)
    world.hear(store, order(line("mug", 1), paid=True))
    with pytest.raises(Refused, match="is pure: its goods leave only by the lock itself"):
        do(world, Hold("h", {world.item("mug"): 1}, FAR_OFF, store_id=store, pool_id=pool_id(world, "fba")))
    assert (pool(world, "fba"), shared(world, "mug")) == (Units(4), Units(0, 0, 0, 1))


def test_a_pure_lock_is_consumed_once_per_reference(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fba", "mug", 4, warehouse_id=main(world), pure=True)
    assert do(world, ConsumeLock("fba", 3, "load-1")) == Done("active", -3, 0)
    assert do(world, ConsumeLock("fba", 3, "load-1")) == Done("active", -3, 0)
    with pytest.raises(KeyReused):
        do(world, ConsumeLock("fba", 2, "load-1"))
    assert (pool(world, "fba"), shared(world, "mug"), dispatch(world, "mug")) == (Units(1), Units(9), (9, 1))
    assert row(world, "fba").quantity == 4


def test_consuming_more_than_a_pure_lock_has_is_refused(world: World) -> None:
    world.stocked("mug", units=4)
    lock(world, "fba", "mug", 6, warehouse_id=main(world), pure=True)
    with pytest.raises(Refused, match="has 4 units to take and waits for 2"):
        do(world, ConsumeLock("fba", 5, "load-1"))


def test_what_leaves_a_pure_lock_serves_who_waits(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock(world, "fba", "mug", 4, warehouse_id=main(world), pure=True)
    world.hear(store, order(line("mug", 1), paid=True))
    do(world, ConsumeLock("fba", 3, "load-1"))
    assert (pool(world, "fba"), shared(world, "mug")) == (Units(1), Units(2, 0, 1))


def test_only_a_pure_lock_is_consumed(world: World) -> None:
    world.stocked("mug", units=4)
    lock(world, "fair", "mug", 4, warehouse_id=main(world))
    with pytest.raises(Refused, match="is not pure: orders draw on it by themselves"):
        do(world, ConsumeLock("fair", 1, "x"))


def test_a_physical_lock_waits_for_goods_in_its_own_warehouse(world: World) -> None:
    """Units that stand elsewhere do not fill it, and neither refuse nor hold up what brought them."""
    world.stocked("mug", units=4)
    with world.db.begin(1, actor="test") as tx:
        second = tx.new_id()
        tx.run(
            """INSERT INTO warehouse (merchant_id, id, code, name, time_zone, kind)
               VALUES (:merchant_id, :id, 'B', 'Second', 'UTC', 'warehouse')""",
            id=second,
        )
    lock(world, "there", "mug", 3, warehouse_id=second)
    lock(world, "anywhere", "mug", 6)
    assert (pool(world, "there"), pool(world, "anywhere")) == (Units(backordered=3), Units(4, backordered=2))
    world.receive("mug", 5)
    assert (pool(world, "there"), pool(world, "anywhere"), shared(world, "mug")) == (
        Units(backordered=3), Units(6), Units(3))  # fmt: skip


# ---- giving back


def test_a_part_is_given_back_once_per_reference(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    assert do(world, ReleaseLock("fair", 2, "r1")) == Done("active", -2, 0)
    assert do(world, ReleaseLock("fair", 2, "r1")) == Done("active", -2, 0)
    with pytest.raises(KeyReused):
        do(world, ReleaseLock("fair", 3, "r1"))
    assert do(world, ReleaseLock("fair", 1, "r2")) == Done("active", -1, 0)
    assert (pool(world, "fair"), shared(world, "mug"), row(world, "fair").quantity) == (Units(3), Units(7), 3)


def test_what_a_lock_waits_for_is_given_back_first(world: World) -> None:
    world.stocked("mug", units=4)
    lock(world, "fair", "mug", 6)
    assert do(world, ReleaseLock("fair", 3, "r1")) == Done("active", -1, 0)
    assert (pool(world, "fair"), shared(world, "mug"), row(world, "fair").waiting) == (Units(3), Units(1), 0)


def test_what_orders_have_is_not_given_back(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 6, type="channel", store_id=store)
    world.hear(store, order(line("mug", 4)))
    with pytest.raises(Refused, match="can give back 2 units, not 3"):
        do(world, ReleaseLock("theirs", 3, "r1"))
    do(world, ReleaseLock("theirs", 2, "r1"))
    assert (pool(world, "theirs"), row(world, "theirs").status) == (Units(0, 4), "active")


def test_giving_back_all_there_is_closes_the_lock(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    assert do(world, ReleaseLock("fair", 6, "r1")) == Done("closed", -6, 0)
    with pytest.raises(Refused, match="is closed, and stays so"):
        do(world, ReleaseLock("fair", 1, "r2"))
    assert do(world, ReleaseLock("fair", 6, "r1")) == Done("closed", -6, 0)
    assert shared(world, "mug") == Units(10)


@pytest.mark.parametrize("units", [0, -1])
def test_giving_back_less_than_one_unit_is_refused(world: World, units: int) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    with pytest.raises(Refused, match="name 1 unit or more"):
        do(world, ReleaseLock("fair", units, "r1"))


def test_closing_leaves_orders_what_they_have_until_they_ship(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 6, type="channel", store_id=store, warehouse_id=main(world))
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 2), external_id="1002"))
    assert do(world, ReleaseLock("theirs")) == Done("closed", -1, 0)
    assert do(world, ReleaseLock("theirs")) == Done("closed", 0, 0)
    assert (pool(world, "theirs"), shared(world, "mug"), dispatch(world, "mug")) == (Units(0, 2, 3), Units(5), (5, 5))
    world.hear(store, order(line("mug", 2, cancelled=2), external_id="1002"))
    assert (pool(world, "theirs"), shared(world, "mug"), dispatch(world, "mug")) == (Units(0, 0, 3), Units(7), (7, 3))
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert (pool(world, "theirs"), dispatch(world, "mug"), world.on_hand("mug")) == (Units(), (7, 0), (7, 0))


def test_a_lock_that_expires_while_it_is_drawn_on_leaves_orders_what_they_have(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6, expires_at=clock.after(60))
    do(world, named(world, "fair", 4))
    clock.pass_(60)
    assert do(world, ExpireLock("fair")) == Done("expired", -2, 0)
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(0, 4), Units(6))
    do(world, EndHold("hold-fair-4"))
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(), Units(10))


def test_a_request_that_is_given_back_before_it_begins_moves_nothing(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    ask(world, "asked", "mug", 4)
    lock(world, "later", "mug", 4, starts_at=clock.after(60))
    for key in ("asked", "later"):
        assert do(world, ReleaseLock(key)) == Done("closed", 0, 0)
    clock.pass_(60)
    assert do(world, StartLock("later")).status == "closed"
    with pytest.raises(Refused, match="waits for no decision"):
        approve(world, "asked")
    assert shared(world, "mug") == Units(10)


def test_a_part_of_a_request_is_given_back_before_it_begins(world: World) -> None:
    world.stocked("mug", units=10)
    ask(world, "asked", "mug", 4)
    do(world, ReleaseLock("asked", 1, "r1"))
    with pytest.raises(Refused, match="is for 3 units"):
        do(world, ReleaseLock("asked", 4, "r2"))
    approve(world, "asked")
    assert pool(world, "asked") == Units(3)


def test_a_release_that_comes_before_its_request_ends_in_the_same_state(world: World) -> None:
    world.stocked("mug", units=10)
    assert do(world, ReleaseLock("fair")) == Done("closed", 0, 0)
    assert do(world, ReleaseLock("fair")) == Done("closed", 0, 0)
    with pytest.raises(Refused, match="released before it was requested"):
        ask(world, "fair", "mug", 4)
    assert shared(world, "mug") == Units(10)


# ---- what waits


def test_a_lock_larger_than_stock_waits_and_is_filled_when_units_come(world: World) -> None:
    world.stocked("mug", units=4)
    assert lock(world, "fair", "mug", 10) == Done("active", 4, 6)
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(4, backordered=6), Units(0))
    world.receive("mug", 5)
    assert (pool(world, "fair"), row(world, "fair").waiting) == (Units(9, backordered=1), 1)
    world.receive("mug", 5)
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(10), Units(4))


def test_waiting_locks_are_filled_by_priority_then_age(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    for key, priority in (("old", 0), ("new", 0), ("urgent", 5)):
        lock(world, key, "mug", 2, priority=priority)
        clock.pass_(1)
    world.receive("mug", 3)
    assert [pool(world, key).free for key in ("urgent", "old", "new")] == [2, 1, 0]
    world.receive("mug", 9)
    assert [pool(world, key).free for key in ("urgent", "old", "new")] == [2, 2, 2]


def test_paid_orders_that_wait_go_before_locks_and_unpaid_ones_after(world: World) -> None:
    store = world.stocked("mug", units=0)
    lock(world, "fair", "mug", 2, priority=9)
    world.hear(store, order(line("mug", 2), external_id="unpaid"))
    world.hear(store, order(line("mug", 2), external_id="paid", paid=True))
    world.receive("mug", 3)
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(1, backordered=1), Units(0, 0, 2, 2))
    world.receive("mug", 2)
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(2), Units(0, 1, 2, 1))


def test_a_new_lock_takes_nothing_that_an_older_one_waits_for(world: World) -> None:
    world.stocked("mug", units=2)
    lock(world, "first", "mug", 5)
    lock(world, "second", "mug", 5, priority=0)
    world.receive("mug", 3)
    assert (pool(world, "first").free, pool(world, "second").free) == (5, 0)


def test_what_a_lock_gives_back_fills_the_next_lock(world: World) -> None:
    world.stocked("mug", units=5)
    lock(world, "first", "mug", 5, warehouse_id=main(world))
    lock(world, "second", "mug", 3, warehouse_id=main(world))
    do(world, ReleaseLock("first"))
    assert (pool(world, "second"), shared(world, "mug"), dispatch(world, "mug")) == (Units(3), Units(2), (2, 3))


def test_units_that_come_in_go_into_a_physical_lock_and_its_warehouse(world: World) -> None:
    world.stocked("mug", units=0)
    lock(world, "fair", "mug", 3, warehouse_id=main(world))
    world.receive("mug", 5)
    assert (pool(world, "fair"), dispatch(world, "mug")) == (Units(3), (2, 3))


# ---- several merchants


def test_two_merchants_may_use_the_same_lock_key(world: World, db: Database) -> None:
    catalog.ensure_merchant(db, 2, name="Second shop")
    second = World(db, 2)
    for one in (world, second):
        one.stocked("mug", units=10)
    lock(world, "fair", "mug", 4)
    with db.begin(2, actor=BUYER) as tx:
        lock_id = tx.new_id()
    second.do(RequestLock("fair", lock_id, Terms("business", second.item("mug"), 3)))
    second.run(DecideLock("fair", approve=True, as_owner=True))
    assert (pool(world, "fair"), pool(second, "fair")) == (Units(4), Units(3))

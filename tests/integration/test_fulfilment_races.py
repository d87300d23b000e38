"""Many callers at once: no unit is sent twice, no warehouse is to send more than it has, and the twins that break."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.dispatch import reading
from core.dispatch.model import Supply
from core.fulfilment import dispatching
from core.fulfilment.acts import GiveBack, HandOver, Reject, Ship
from core.goods.adjusting import Lose
from core.ledger import Batch
from core.model import StoreOrder
from core.orders.apply import ApplyOrder
from core.rows import StoreKey
from core.stock import DocumentKind
from core.warehouse import warehouses
from tests.builders import World, line, order
from tests.conftest import Logins, violations
from tests.integration import lock_acts
from tests.integration.fulfilment_acts import dispatch, fulfilments, goods, order_id, place, put, spot
from tests.integration.race_acts import kept, together


def shop(world: World, orders: int, units: int = 1) -> int:
    store = world.stocked("mug", units=orders * units)
    for nth in range(orders):
        world.hear(store, order(line("mug", units), external_id=str(nth), paid=True))
    return store


def test_an_order_dispatched_by_many_is_allocated_once(world: World) -> None:
    shop(world, 5, 2)
    every = [order_id(world, str(nth)) for nth in range(5)]

    together(lambda _: dispatching.dispatch(world.db, 1, every, actor="test"), range(6), threads=6)

    assert goods(world, "mug") == {"MAIN": (0, 10, 0)}
    assert [len(fulfilments(world, str(nth))) for nth in range(5)] == [1] * 5


def test_a_parcel_shipped_by_many_leaves_once(world: World) -> None:
    store = shop(world, 1, 4)
    dispatch(world, "0")
    fulfilment = fulfilments(world, "0")[0].id
    commands = [Ship(f"s{n}", StoreKey(store, "0"), fulfilment) for n in range(6)]

    results = together(lambda n: world.run(commands[n])[0], range(6), threads=6)

    assert kept(results) == 1
    assert goods(world, "mug") == {"MAIN": (0, 0, 0)}


def test_the_store_the_warehouse_and_a_fire_come_at_once(world: World) -> None:
    """Whoever is first: each unit leaves once, or burns, and the books stay right."""
    store = shop(world, 8, 2)
    dispatch(world, *map(str, range(8)))
    mug = world.item("mug")

    def told(nth: int) -> StoreOrder:
        return order(line("mug", 2, shipped=nth % 3), external_id=str(nth), paid=nth != 5)

    commands: list[Any] = []
    for nth in range(8):
        key, fulfilment = StoreKey(store, str(nth)), fulfilments(world, str(nth))[0].id
        commands += [
            Ship(f"ship/{nth}", key, fulfilment),
            HandOver(f"hand/{nth}", key, fulfilment),
            ApplyOrder(store, told(nth), world.next_seq()),
            Reject(f"reject/{nth}", key, fulfilment, reason="full"),
            GiveBack(f"back/{nth}", key, fulfilment),
        ]
    commands += [Lose(f"lose/{n}", "fire", DocumentKind.MISSING, {mug: 1}) for n in range(4)]

    results = together(lambda n: world.run(commands[n])[0], range(len(commands)), threads=12)

    burnt = kept(results[-4:])
    shipped = int(world.scalar("SELECT sum(shipped) FROM promise WHERE merchant_id = :merchant_id"))
    on_hand = sum(int(one) for one in world.ask("SELECT sum(available + picking) FROM warehouse_balance")[0])
    assert shipped + burnt + on_hand >= 16  # what a store sent beyond what was there was found first


def test_many_dispatchers_tell_a_warehouse_no_more_parcels_than_it_can_send(world: World) -> None:
    place(world, "HAMBURG", priority=9, capacity_per_day=3)
    shop(world, 12)
    put(world, "HAMBURG", mug=12)

    together(lambda n: dispatch(world, str(n)), range(12), threads=6)
    for nth in range(12):  # who was refused because others were faster
        dispatch(world, str(nth))

    assert goods(world, "mug") == {"MAIN": (3, 9, 0), "HAMBURG": (9, 3, 0)}


@pytest.mark.parametrize("locks", [True, False])
def test_two_who_read_together_find_the_same_room_unless_one_waits(
    world: World, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """The control of the test above: HAMBURG sends one parcel a day, and gets two where nobody waits."""
    place(world, "HAMBURG", priority=9, capacity_per_day=1)
    shop(world, 2)
    put(world, "HAMBURG", mug=2)
    both_have_read, read = threading.Barrier(2), reading.supply

    def read_together(*asked: Any) -> Supply:
        found = read(*asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_read.wait(timeout=1)
        return found

    monkeypatch.setattr(reading, "supply", read_together)
    if not locks:
        monkeypatch.setattr(warehouses, "lock_limited", lambda _tx: None)

    together(lambda n: dispatch(world, str(n)), range(2), threads=2)

    assert goods(world, "mug")["HAMBURG"] == ((1, 1, 0) if locks else (0, 2, 0))


def forget_row_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row locks that lock nothing, and two batches that have both read before either decides."""
    both_have_read = threading.Barrier(2)
    load = Batch._load

    def read_together(self: Batch, *asked: Any) -> bool:
        done = load(self, *asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_read.wait(timeout=5)
        return done

    monkeypatch.setattr(Batch, "row_lock", "")
    monkeypatch.setattr(Batch, "_load", read_together)


@pytest.mark.broken_books
def test_without_row_locks_a_parcel_leaves_twice(world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shop(world, 1, 4)
    dispatch(world, "0")
    fulfilment = fulfilments(world, "0")[0].id
    commands = [Ship(f"s{n}", StoreKey(store, "0"), fulfilment) for n in range(2)]
    forget_row_locks(monkeypatch)

    results = together(lambda n: world.run(commands[n])[0], range(2), threads=2)

    assert kept(results) == 2
    assert violations(logins) != []


@pytest.mark.broken_books
def test_without_row_locks_one_warehouse_is_to_send_more_than_it_has(
    world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the two scopes: two orders, one unit in the warehouse that both are told of."""
    place(world, "HAMBURG", priority=-1)
    store = world.stocked("mug", units=1)
    put(world, "HAMBURG", mug=1)
    for nth in range(2):
        world.hear(store, order(line("mug", 1), external_id=str(nth), paid=True))
    forget_row_locks(monkeypatch)

    found = together(lambda n: dispatch(world, str(n)), range(2), threads=2)

    assert [len(one.made) for (one,) in found] == [1, 1]
    assert violations(logins) != []


def test_one_warehouse_in_two_scopes_of_sale_never_sends_more_than_it_has(world: World) -> None:
    """Two stores sell from the same warehouse: one out of a physical lock there, the other out of what all share."""
    one, other = world.stocked("mug", units=12), world.store("Other street")
    world.listings(other, "mug")
    main = spot(world, "MAIN").warehouse_id
    lock_acts.lock(world, "one", "mug", 5, type="channel", store_id=one, warehouse_id=main)

    def sell(n: int) -> object:
        store = (one, other)[n % 2]
        told = order(line("mug", 1), external_id=f"{n}", paid=True)
        done = world.run(ApplyOrder(store, told, 1))[0]
        dispatching.dispatch(world.db, 1, [order_id(world, str(n))], actor="test")
        return done

    together(sell, range(30), threads=10)
    dispatch(world, *map(str, range(30)))

    assert goods(world, "mug") == {"MAIN": (0, 12, 0)}
    (promised,) = world.ask("SELECT sum(live)::int, sum(waiting)::int, sum(allocated)::int FROM promise")
    assert tuple(promised) == (12, 18, 12)


def test_two_warehouses_and_one_pool_share_between_many_dispatchers(world: World) -> None:
    place(world, "HAMBURG")
    store = world.stocked("mug", units=6)
    put(world, "HAMBURG", mug=6)
    for nth in range(12):
        world.hear(store, order(line("mug", 1), external_id=str(nth), paid=True))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: dispatch(world, str(n)), range(12)))
    dispatch(world, *map(str, range(12)))  # who was refused because others were faster

    assert goods(world, "mug") == {"MAIN": (0, 6, 0), "HAMBURG": (0, 6, 0)}

"""Pools under many threads: no unit is set apart, sold or handed over twice while pools open, fill and close."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from config.processes import wait_until
from core.combiner import Combiner
from core.command import Command
from core.errors import InsufficientStock, LimitExceeded, Refused
from core.ledger import Batch, home_of
from core.orders.apply import ApplyOrder
from core.rehearsal import rehearse
from core.sales import presale
from core.sales.holds import Hold
from core.sales.pools import ClosePool, Collect, Deal, Preload
from core.stock import PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration.race_acts import forget_row_locks, somebody_waits, together
from tests.pool_world import in_pool, open_pool, shared, stocked

THREADS = 16


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def kept(results: Sequence[Any]) -> int:
    return sum(not isinstance(result, Refused) for result in results)


def running(world: World, clock: Clock, units: int, *, preload: bool = True) -> int:
    pool = open_pool(
        world, "SALE", PoolKind.ACTIVITY, {"mug": units}, starts_at=clock.after(-1), ends_at=clock.after(3600)
    )
    if preload:
        world.do(Preload(pool))
    return pool


def conserved(world: World, pool: int, units: int) -> bool:
    """All units that there are stand in the activity or the shared pool, and nowhere twice."""
    parts = [in_pool(world, pool, "mug"), shared(world, "mug")]
    return sum(one.free + one.reserved + one.sold for one in parts) == units == world.on_hand("mug")[0]


def test_an_activity_that_ends_under_orders_loses_and_doubles_no_unit(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=100)
    pool = running(world, clock, 60)

    def act(n: int) -> Any:
        if n == 40:
            return world.run(ClosePool(pool, "stopped"))[0]
        if n % 4 == 0:
            return world.run(Hold(f"h{n}", {world.item("mug"): 1}, FAR_OFF, pool_id=pool))[0]
        return world.run(ApplyOrder(store, order(line("mug", 1), external_id=str(n), paid=True), 1))[0]

    together(act, range(90), THREADS)
    mine, others = in_pool(world, pool, "mug"), shared(world, "mug")
    assert mine.free == 0
    assert conserved(world, pool, 100)
    assert others.backordered == 0
    assert mine.sold + others.sold == 67


def test_an_activity_is_preloaded_beside_orders_without_taking_their_units(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=50)
    pool = running(world, clock, 30, preload=False)

    def act(n: int) -> Any:
        command: Command = ApplyOrder(store, order(line("mug", 1), external_id=str(n), paid=True), 1)
        if n % 20 == 10:
            command = Preload(pool, best_effort=True, attempt=str(n))
        return world.run(command)[0]

    together(act, range(80), THREADS)
    mine, others = in_pool(world, pool, "mug"), shared(world, "mug")
    assert conserved(world, pool, 50)
    assert mine.sold + others.sold == 50
    assert others.backordered == 26


def test_a_presale_under_sixteen_threads_sells_its_cap_and_not_one_unit_more(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 100})
    mug, combiner = world.item("mug"), Combiner(world.db)
    alone = together(lambda n: world.run(Hold(f"a{n}", {mug: 1}, FAR_OFF, pool_id=pool))[0], range(70), THREADS)
    shared_batches = together(
        lambda n: combiner.run(1, [Hold(f"b{n}", {mug: 1}, FAR_OFF, pool_id=pool)], actor="test")[0], range(90), THREADS
    )
    assert (kept(alone), kept(shared_batches)) == (70, 30)
    assert all(isinstance(one, InsufficientStock) for one in shared_batches if isinstance(one, Refused))
    assert in_pool(world, pool, "mug") == Units(reserved=100)


def test_one_customer_in_sixteen_threads_gets_no_more_than_the_limit(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 100})
    mug = world.item("mug")
    with world.db.begin(1, actor="test") as tx:
        presale.limit_per_customer(tx, pool, [mug], 5)

    def buy(n: int) -> Any:
        hold = Hold(f"h{n}", {mug: 1}, FAR_OFF, holder="c-1", pool_id=pool, deducted=True)
        return world.run(hold)[0]

    results = together(buy, range(40), THREADS)
    assert all(isinstance(one, LimitExceeded) for one in results if isinstance(one, Refused))
    units = in_pool(world, pool, "mug")
    assert units.reserved + units.sold <= 5


def test_goods_that_arrive_while_a_presale_closes_are_handed_over_once(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 40})
    for n in range(20):
        world.do(Hold(f"h{n}", {world.item("mug"): 1}, FAR_OFF, pool_id=pool))

    def act(n: int) -> Any:
        if n % 8 == 4:
            return world.run(ClosePool(pool, "stopped"))[0]
        return world.receive("mug", 1)

    together(act, range(24), THREADS)
    world.do(ClosePool(pool))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(1, reserved=20))


# ---- an item enters a pool while the pool is being closed: the pool's row keeps it still


def meanwhile(world: World, threads: ThreadPoolExecutor, first: Command, second: Command) -> Any:
    """The result of ``second``, which starts before ``first`` commits and has to wait for it."""
    home = home_of(world.db, 1)
    rehearse(world.db, 1, first, actor="test")  # from now on the ledger knows that there are pools
    with world.db.begin(1, actor="test") as tx:
        done, _ = Batch(tx, home).apply({0: first}, {0: frozenset()})
        assert not isinstance(done[0], Refused)
        later = threads.submit(world.run, second)
        assert wait_until(lambda: somebody_waits(world), 10)
    return later.result(30)[0]


@pytest.mark.parametrize("closes_first", [True, False])
def test_no_item_enters_a_pool_while_it_is_closed(
    world: World, threads: ThreadPoolExecutor, closes_first: bool
) -> None:
    store = world.stocked("mug", "cup", units=9)
    pool = open_pool(world, "BERLIN", PoolKind.CHANNEL, {"mug": 3}, store_id=store)
    deal, close = Deal(pool, "a", stocked(world, {"cup": 4})), ClosePool(pool)
    if closes_first:
        assert isinstance(meanwhile(world, threads, close, deal), Refused)
    else:
        assert meanwhile(world, threads, deal, close) == stocked(world, {"mug": 3, "cup": 4})
    assert in_pool(world, pool, "cup") == Units()
    assert shared(world, "cup") == Units(9)


# ---- the controls: without row locks each of them goes wrong


def without_locks(world: World, monkeypatch: pytest.MonkeyPatch, one: Command, other: Command) -> list[Any]:
    """Both commands at once, each in its own batch; no row is locked."""
    for command in (one, other):
        rehearse(world.db, 1, command, actor="test")
    forget_row_locks(monkeypatch)
    return together(lambda command: world.run(command)[0], [one, other], 2)


Race = Callable[[World, Clock], tuple[Command, Command]]


def end_against_an_order(world: World, clock: Clock) -> tuple[Command, Command]:
    store = world.stocked("mug", units=5)
    pool = running(world, clock, 5)
    return ClosePool(pool), ApplyOrder(store, order(line("mug", 1), paid=True), 1)


def preload_against_an_order(world: World, clock: Clock) -> tuple[Command, Command]:
    store = world.stocked("mug", units=5)
    pool = running(world, clock, 5, preload=False)
    for command in (Deal, Collect):  # now its balance is a row that both can read
        world.do(command(pool, command.__name__, stocked(world, {"mug": 1})))
    return Preload(pool), ApplyOrder(store, order(line("mug", 2), paid=True), 1)


def two_of_the_last_presold_unit(world: World, _clock: Clock) -> tuple[Command, Command]:
    world.stocked("mug", units=0)
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 1})
    one, other = (Hold(f"h{n}", {world.item("mug"): 1}, FAR_OFF, pool_id=pool) for n in range(2))
    return one, other


def deal_against_close(world: World, _clock: Clock) -> tuple[Command, Command]:
    store = world.stocked("mug", "cup", units=9)
    pool = open_pool(world, "BERLIN", PoolKind.CHANNEL, {"mug": 3}, store_id=store)
    return Deal(pool, "a", stocked(world, {"cup": 4})), ClosePool(pool)


@pytest.mark.broken_books
@pytest.mark.parametrize(
    "race", [end_against_an_order, preload_against_an_order, two_of_the_last_presold_unit, deal_against_close]
)
def test_without_row_locks_the_books_break(
    world: World, logins: Logins, clock: Clock, monkeypatch: pytest.MonkeyPatch, race: Race
) -> None:
    one, other = race(world, clock)
    assert kept(without_locks(world, monkeypatch, one, other)) == 2
    assert violations(logins) != []


@pytest.mark.parametrize(
    "race", [end_against_an_order, preload_against_an_order, two_of_the_last_presold_unit, deal_against_close]
)
def test_with_row_locks_the_same_two_leave_the_books_right(
    world: World, logins: Logins, clock: Clock, race: Race
) -> None:
    one, other = race(world, clock)
    results = together(lambda command: world.run(command)[0], [one, other], 2)
    assert kept(results) > 0
    assert violations(logins) == []

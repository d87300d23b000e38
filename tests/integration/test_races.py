"""Threads and processes on a real PostgreSQL: no unit is ever promised twice, and nobody waits in a circle."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import catalog, marks, pushes, work
from core.combiner import Combiner
from core.command import Command
from core.errors import InsufficientStock
from core.goods.receiving import Receive
from core.model import PushOutcome, PushStatus, StoreListing
from core.orders.apply import ApplyOrder
from core.pushes import Timing
from core.sales.holds import EndHold, Held, Hold
from core.stock import DocumentKind, Stocked
from core.transaction import Transaction
from core.work import Lease, Want
from tests.builders import FAR_OFF, Units, World, at, line, order
from tests.conftest import Logins, violations
from tests.integration.race_acts import crosswise, forget_row_locks, kept, meanwhile, together

ROOT = Path(__file__).resolve().parents[2]

HOLD_FROM_ANOTHER_PROCESS = """
import sys
from datetime import UTC, datetime
from core import ledger
from core.errors import InsufficientStock
from core.sales.holds import Hold
from core.stock import Stocked
from core.transaction import Database, connect
url, name, item_id = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = Database(connect(url, pool_size=1))
sys.stdin.readline()
held = 0
for n in range(20):
    end = datetime(2100, 1, 1, tzinfo=UTC)
    (result,) = ledger.run(db, 1, [Hold(f"{name}-{n}", {Stocked(item_id): 1}, end)], actor="test")
    held += not isinstance(result, InsufficientStock)
print(held)
"""


def hold(stocked: Stocked, n: int) -> Hold:
    return Hold(f"hold-{n}", {stocked: 1}, FAR_OFF)


def test_single_unit_holds_in_transactions_of_their_own_never_promise_more_than_there_is(world: World) -> None:
    world.stocked("mug", units=100)
    mug = world.item("mug")
    results = together(lambda n: world.run(hold(mug, n))[0], range(130))
    assert kept(results) == 100
    assert all(isinstance(result, Held | InsufficientStock) for result in results)
    assert world.units("mug") == Units(free=0, reserved=100)


def test_single_unit_holds_through_the_combiner_never_promise_more_than_there_is(world: World) -> None:
    world.stocked("mug", units=100)
    mug, combiner = world.item("mug"), Combiner(world.db)
    results = together(lambda n: combiner.run(1, [hold(mug, n)], actor="test")[0], range(200))
    assert kept(results) == 100
    assert world.units("mug") == Units(free=0, reserved=100)


def test_orders_and_holds_together_never_promise_more_than_there_is(world: World) -> None:
    """An order that exists on a store is never refused: what it lacks waits, and is said."""
    store = world.stocked("mug", units=100)
    mug, combiner = world.item("mug"), Combiner(world.db)

    def command(n: int) -> Command:
        if n % 2:
            return hold(mug, n)
        return ApplyOrder(store, order(line("mug", 1), external_id=str(n), paid=True), 1)

    results = together(lambda n: combiner.run(1, [command(n)], actor="test")[0], range(240))
    units = world.units("mug")
    assert (units.free, units.reserved + units.sold) == (0, 100)
    assert units.sold + units.backordered == 120
    assert kept(results[1::2]) == units.reserved
    assert len(world.incidents()) == units.backordered


def test_two_processes_never_promise_more_than_there_is(world: World, logins: Logins) -> None:
    world.stocked("mug", units=25)
    item_id = str(world.item("mug").item_id)
    command = [sys.executable, "-P", "-c", HOLD_FROM_ANOTHER_PROCESS, logins.app]
    children = [
        subprocess.Popen([*command, name, item_id], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    try:
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        held = [int(child.communicate(timeout=60)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert sum(held) == 25
    assert world.units("mug") == Units(free=0, reserved=25)


@pytest.mark.broken_books
def test_without_row_locks_the_last_unit_is_promised_twice(
    world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above: they can fail, and it is the row lock that makes them pass."""
    world.stocked("mug", units=1)
    mug = world.item("mug")
    forget_row_locks(monkeypatch)
    results = together(lambda n: world.run(hold(mug, n))[0], range(2))
    assert kept(results) == 2
    assert world.scalar("SELECT sum(live) FROM promise WHERE merchant_id = :merchant_id") == 2
    assert {v.invariant[0] for v in violations(logins)} == {"2", "5"}


def test_with_row_locks_the_last_unit_is_promised_once(world: World) -> None:
    world.stocked("mug", units=1)
    mug = world.item("mug")
    assert kept(together(lambda n: world.run(hold(mug, n))[0], range(2))) == 1


def test_orders_that_name_their_items_in_opposite_order_do_not_deadlock(world: World) -> None:
    skus = [f"sku-{n}" for n in range(8)]
    store = world.stocked(*skus, units=400)

    def apply(n: int) -> Any:
        named = skus if n % 2 else list(reversed(skus))
        lines = [line(sku, 1, shipped=n % 3 == 0) for sku in named]
        return world.run(ApplyOrder(store, order(*lines, external_id=str(n), paid=True), 1))[0]

    assert together(apply, range(40), threads=8) == [True] * 40
    assert {world.units(sku).free for sku in skus} == {400 - 40}


def test_batches_over_the_same_orders_in_opposite_order_do_not_deadlock(world: World) -> None:
    store = world.stocked("mug", "cup", units=400)

    def apply(n: int) -> list[Any]:
        ids = [f"{n // 2}-{k}" for k in range(6)]
        states = [order(line("mug", 1), line("cup", 1), external_id=i) for i in (ids if n % 2 else reversed(ids))]
        return world.run(*(ApplyOrder(store, state, n) for state in states))

    together(apply, range(24), threads=8)
    assert world.units("mug") == world.units("cup") == Units(free=400 - 72, reserved=72)


def test_a_doubled_webhook_in_two_threads_makes_one_order(world: World) -> None:
    store = world.stocked("mug", units=10)
    state = order(line("mug", 3, counted=3), paid=True)
    answers = together(lambda seq: world.run(ApplyOrder(store, state, seq))[0], [5, 6], threads=2)
    assert True in answers
    assert world.units("mug") == Units(free=7, sold=3)
    assert world.scalar("SELECT count(*) FROM store_order WHERE merchant_id = :merchant_id") == 1
    assert world.listing(store, "mug").believed == 7


def test_the_same_fetch_applied_by_many_threads_posts_one_set_of_documents(world: World) -> None:
    store = world.stocked("mug", units=10)
    state = order(line("mug", 3), paid=True)
    answers = together(lambda _: world.run(ApplyOrder(store, state, 5))[0], range(8), threads=8)
    assert answers.count(True) == 1
    assert world.documents() == ["reservation", "deduction"]


def test_one_hold_asked_for_by_many_threads_is_made_once(world: World) -> None:
    world.stocked("mug", units=10)
    mug = world.item("mug")
    answers = together(lambda _: world.run(hold(mug, 1))[0], range(8), threads=8)
    assert len(set(answers)) == 1
    assert world.units("mug") == Units(free=9, reserved=1)


def test_one_hold_of_the_last_unit_asked_for_by_many_threads_is_answered_alike(world: World) -> None:
    """Whoever looked before the hold was made, and found no unit left afterwards, still has made that hold."""
    world.stocked("mug", units=1)
    mug = world.item("mug")
    answers = together(lambda _: world.run(hold(mug, 1))[0], range(12), threads=12)
    assert isinstance(answers[0], Held)
    assert len(set(answers)) == 1


def test_one_receipt_posted_by_many_threads_comes_in_once(world: World) -> None:
    world.stocked("mug", units=0)
    receipt = Receive("receipt/9", DocumentKind.RECEIPT, {world.item("mug"): 7})
    answers = together(lambda _: world.run(receipt)[0], range(8), threads=8)
    assert len(set(answers)) == 1
    assert world.units("mug") == Units(free=7)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


# ---- rows are taken in one order everywhere


def test_a_push_is_settled_while_an_order_marks_the_same_listings(world: World, pool: ThreadPoolExecutor) -> None:
    store = world.stocked("first", "second", units=5)
    low, high = world.listing(store, "first").id, world.listing(store, "second").id
    with world.db.begin(1, actor="test") as tx:
        claimed = sorted(pushes.claim(tx, store, limit=10), key=lambda one: -one.intent.listing_id)
    outcomes = [PushOutcome(one.intent.listing_id, PushStatus.EQUAL, shown=5) for one in claimed]
    timing = Timing(at(0), at(0), at(0), at(0))
    crosswise(
        world,
        pool,
        lambda tx: marks.stale(tx, (), [low], ()),
        lambda tx: marks.stale(tx, (), [high], ()),
        lambda tx: pushes.settle(tx, store, claimed, outcomes, timing),
    )


def test_a_catalogue_is_imported_while_an_order_marks_its_listings(world: World, pool: ThreadPoolExecutor) -> None:
    store = world.stocked("zebra", "ant", units=5)
    low, high = world.listing(store, "zebra").id, world.listing(store, "ant").id
    assert low < high
    told = [StoreListing(f"listing-{sku}", sku, sku, 5) for sku in ("ant", "zebra")]
    crosswise(
        world,
        pool,
        lambda tx: marks.stale(tx, (), (), [(low, 1)]),
        lambda tx: marks.stale(tx, (), (), [(high, 1)]),
        lambda tx: catalog.import_listings(tx, store, told),
    )


@pytest.mark.parametrize("give_back", [work.settle, partial(work.postpone, delay_s=1, reason="later")])
def test_leases_end_while_a_poll_wants_the_same_orders(
    world: World, pool: ThreadPoolExecutor, give_back: Callable[[Transaction, list[Lease]], None]
) -> None:
    with world.db.begin(1, actor="test") as tx:
        work.want(tx, [Want("order", 7, "a"), Want("order", 7, "b")])
        leases = work.claim(tx, "order", 7, limit=9, lease_s=60)
    backwards = sorted(leases, key=lambda lease: lease.subject, reverse=True)
    crosswise(
        world,
        pool,
        lambda tx: work.want(tx, [Want("order", 7, "a")]),
        lambda tx: work.want(tx, [Want("order", 7, "b")]),
        lambda tx: give_back(tx, backwards),
    )


# ---- two batches in a chosen order: the second has read its orders before the first commits


def test_units_that_came_in_while_an_order_was_being_cancelled_are_given_back(
    world: World, pool: ThreadPoolExecutor
) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), paid=True))
    receipt = Receive("receipt/9", DocumentKind.RECEIPT, {world.item("mug"): 5})
    cancel = ApplyOrder(store, order(line("mug", 2, cancelled=2), paid=True), world.next_seq())
    assert meanwhile(world, pool, receipt, cancel) is True
    assert world.units("mug") == Units(free=5)


def test_units_that_came_in_while_an_order_was_being_shipped_are_the_ones_that_leave(
    world: World, pool: ThreadPoolExecutor
) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), paid=True))
    receipt = Receive("receipt/9", DocumentKind.RECEIPT, {world.item("mug"): 5})
    ship = ApplyOrder(store, order(line("mug", 2, shipped=2), paid=True), world.next_seq())
    assert meanwhile(world, pool, receipt, ship) is True
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=3), (3, 0))
    assert "found" not in world.documents()


def test_a_payment_while_its_units_come_in_deducts_them(world: World, pool: ThreadPoolExecutor) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2)))
    receipt = Receive("receipt/9", DocumentKind.RECEIPT, {world.item("mug"): 5})
    paid = ApplyOrder(store, order(line("mug", 2), paid=True), world.next_seq())
    assert meanwhile(world, pool, receipt, paid) is True
    assert world.units("mug") == Units(free=3, sold=2)


def test_two_orders_cancelled_at_once_serve_who_waits_once(world: World, pool: ThreadPoolExecutor) -> None:
    store = world.stocked("mug", units=2)
    for name in ("first", "second"):
        world.hear(store, order(line("mug", 1), external_id=name, paid=True))
    world.hear(store, order(line("mug", 1), external_id="waits", paid=True))

    def cancel(name: str) -> ApplyOrder:
        return ApplyOrder(store, order(line("mug", 1, cancelled=1), external_id=name, paid=True), world.next_seq())

    assert meanwhile(world, pool, cancel("first"), cancel("second")) is True
    assert world.units("mug") == Units(free=1, sold=1)


def test_a_hold_released_while_it_expires_ends_once(world: World, pool: ThreadPoolExecutor) -> None:
    world.stocked("mug", units=2)
    world.do(Hold("h", {world.item("mug"): 2}, at(0)))
    assert meanwhile(world, pool, EndHold("h"), EndHold("h", only_expired=True)) is False
    assert world.units("mug") == Units(free=2)

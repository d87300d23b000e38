"""Statements that look their rows up by key are as fast on tables that nobody ever analysed.

What PostgreSQL looks at, in rows and blocks, is the same on every machine and is bounded by what an act is about; time
is compared with that on the same tables, analysed. The audit and the views of whole stores (``store list``, lists of
work, gaps of a catalogue) read all that a merchant has by their nature, and are left out.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from core import catalog, marks, pushes, stores, work
from core.goods import item_views
from core.goods.receiving import Receive
from core.model import OrderChange, PushOutcome, PushStatus, StoreListing
from core.orders import views as order_views
from core.orders.apply import ApplyOrder
from core.orders.views import Attention
from core.past import history, stock_card
from core.pushes import Timing
from core.sales import holds
from core.sales.holds import EndHold, Hold
from core.selling import explain
from core.stock import DocumentKind, Stocked
from core.transaction import Database, connect, wall_clock
from tests import crowded
from tests.builders import World, line, order
from tests.conftest import Logins

# A fifth tells the same by rows and blocks; HOLDFAST_SOAK=1 takes the time for all.
ROWS = 100_000 if os.environ.get("HOLDFAST_SOAK") else 20_000
AT_FIRST = 60
RUNS = 3
ROUNDS = 4  # of runs, on a machine that is busy with something else
AT_MOST = 2.0


@dataclass
class Shop:
    """A database, by one connection whose plans are kept as long as it is open.

    ``size``: how many things most acts are about; ``turn``: with each, the acts are done anew.
    """

    logins: Logins
    store_id: int
    turn: int = 0
    size: int = 100
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(Database(connect(self.logins.app, pool_size=1)))

    def close(self) -> None:
        self.world.db.engine.dispose()

    def later(self, minutes: int) -> Database:
        """The same door, opened some time from now."""
        db = self.world.db
        return Database(db.engine, lambda: wall_clock() + timedelta(minutes=minutes), db.ids)

    def stocked(self, count: int, first: int = 0) -> list[str]:
        return [crowded.sku(crowded.stocked(first + n)) for n in range(count)]


# ---- acts, each on other things in each turn


def hold(shop: Shop) -> None:
    until = wall_clock() + timedelta(minutes=15)
    commands = [
        Hold(f"{shop.turn}/{n}", {Stocked(crowded.item_id(crowded.stocked(n))): 1}, until, holder=f"{shop.turn}/{n}")
        for n in range(shop.size)
    ]
    assert all(isinstance(held, holds.Held) for held in shop.world.run(*commands))


def expire(shop: Shop) -> None:
    db = shop.later(20)
    with db.begin(1, actor="test") as tx:
        keys = holds.expired(tx)
    assert len(keys) == shop.size
    assert all(World(db).run(*(EndHold(key, only_expired=True) for key in keys)))


def _order(shop: Shop, skus: list[str], external_id: str, step: int, **told: bool) -> ApplyOrder:
    gone = 2 if step == 3 else 0
    lines = [line(sku, 2, shipped=gone, counted=gone) for sku in skus]
    now = wall_clock()
    state = order(*lines, external_id=external_id, version=str(step), **told)
    return ApplyOrder(shop.store_id, state, step, heard_at=now, ours_since=now)


def _orders(shop: Shop, step: int) -> None:
    commands = [
        _order(shop, shop.stocked(4, 4 * n), f"{shop.turn}/{n}", step, paid=step > 1) for n in range(shop.size // 2)
    ]
    assert all(done is True for done in shop.world.run(*commands))


def new_orders(shop: Shop) -> None:
    _orders(shop, 1)


def paid_orders(shop: Shop) -> None:
    _orders(shop, 2)


def shipped_orders(shop: Shop) -> None:
    _orders(shop, 3)


def _sold_out(shop: Shop) -> list[int]:
    return [crowded.empty(40 * (shop.turn - 1) + n) for n in range(4 * _few(shop))]


def _few(shop: Shop) -> int:
    return max(shop.size // 10, 1)


def oversell(shop: Shop) -> None:
    skus = [crowded.sku(n) for n in _sold_out(shop)]
    commands = [
        _order(shop, skus[4 * n : 4 * n + 4], f"{shop.turn}/oversold/{n}", 1, paid=True) for n in range(_few(shop))
    ]
    assert all(done is True for done in shop.world.run(*commands))
    assert len(shop.world.incidents()) == len(skus)


def fill(shop: Shop) -> None:
    """More comes in than waits, so that nothing is low any more."""
    units = {Stocked(crowded.item_id(n)): 9 for n in _sold_out(shop)}
    shop.world.do(Receive(f"{shop.turn}", DocumentKind.RECEIPT, units))
    assert len(shop.world.incidents()) == 0


def mark(shop: Shop) -> None:
    with shop.world.db.begin(1, actor="test") as tx:
        marks.stale(tx, [crowded.item_id(crowded.stocked(n)) for n in range(shop.size)], (), [])


def push(shop: Shop) -> None:
    with shop.world.db.begin(1, actor="test") as tx:
        claimed = pushes.claim(tx, shop.store_id, limit=250)
        assert len(claimed) >= shop.size
    now = wall_clock()
    outcomes = [
        PushOutcome(one.intent.listing_id, PushStatus.APPLIED, one.intent.wanted, one.intent.believed, now)
        for one in claimed
    ]
    with shop.world.db.begin(1, actor="test") as tx:
        pushes.settle(tx, shop.store_id, claimed, outcomes, Timing(now, now, now, now))
        pushes.stale_left(tx, shop.store_id)


def do_work(shop: Shop) -> None:
    wanted = [work.Want("order", shop.store_id, sku) for sku in shop.stocked(shop.size)]
    with shop.world.db.begin(1, actor="test") as tx:
        work.want(tx, wanted)
    with shop.world.db.outside() as connection:
        connection.execute(text("SELECT FROM take_due_work(now(), interval '60 s', 500)"))
        connection.execute(text("SELECT next_work_at(now())"))
    with shop.world.db.begin(1, actor="test") as tx:
        leases = work.claim(tx, "order", shop.store_id, limit=shop.size, lease_s=60)
        assert len(leases) == shop.size
    with shop.world.db.begin(1, actor="test") as tx:
        work.postpone(tx, leases[: shop.size // 3], delay_s=0, reason="the store was busy")
        work.want(tx, wanted[-_few(shop) :])
        work.settle(tx, leases[shop.size // 3 :])


def poll(shop: Shop) -> None:
    changes = [OrderChange(sku, "2") for sku in shop.stocked(shop.size)]
    with shop.world.db.begin(1, actor="test") as tx:
        assert len(stores.needs_fetch(tx, shop.store_id, changes)) == shop.size
        stores.polled(tx, shop.store_id, tx.now - timedelta(days=1))


def import_listings(shop: Shop) -> None:
    skus = [*shop.stocked(shop.size), *(f"new-{shop.turn}-{n}" for n in range(_few(shop)))]
    told = [StoreListing(f"listing-{sku}", sku, sku, 1) for sku in skus]
    with shop.world.db.begin(1, actor="test") as tx:
        assert catalog.import_listings(tx, shop.store_id, told).new_listings == _few(shop)


def show(shop: Shop) -> None:
    now = wall_clock()
    with shop.world.db.begin(1, actor="test") as tx:
        item_id = catalog.item_id_of(tx, crowded.sku(crowded.stocked(shop.turn)))
        item_views.item_view(tx, item_id)
        item_views.balances(tx, item_id)
        assert len(item_views.shown_by_stores(tx, item_id)) == 2
        item_views.recent_documents(tx, item_id)
        assert len(explain.explanations(tx, item_id, make=1)) == 2
        stock_card.card(tx, item_id, until=now)
        history.item_at(tx, item_id, now - timedelta(hours=1))
        history.numbers_at(tx, item_id, now)


def list_orders(shop: Shop) -> None:
    with shop.world.db.begin(1, actor="test") as tx:
        placed = [row.placed_at for row in order_views.orders(tx)]
        assert placed == sorted(placed, key=str, reverse=True)
        assert len(placed) == min(50, AT_FIRST)
        assert all(row.unsent for row in order_views.orders(tx, Attention.UNSENT))


class Act(NamedTuple):
    """``about``: how many things; ``queues``: how often it looks through that of its store, a tenth of all rows."""

    do: Callable[[Shop], None]
    about: int
    queues: int = 0

    @property
    def most_rows(self) -> int:
        """What it may look at, with all that hangs on a thing: lines, promises, balances, listings, rules."""
        return max(30 * self.about, 1_000) + self.queues * ROWS // 10


ACTS: Mapping[str, Act] = {
    "a batch of holds": Act(hold, 100),
    "orders that are new": Act(new_orders, 200),
    "orders that are paid": Act(paid_orders, 200),
    "orders that are shipped": Act(shipped_orders, 200),
    "orders that find nothing": Act(oversell, 40),
    "goods that others wait for": Act(fill, 40),
    "marks": Act(mark, 100),
    "pushes": Act(push, 250, queues=3),
    "work": Act(do_work, 100),
    "a poll": Act(poll, 100, queues=2),
    "a page of a catalogue": Act(import_listings, 110),
    "holds that run out": Act(expire, 100),
    "all about one item": Act(show, 1),
    "the newest orders": Act(list_orders, 50),
}


class Cost(NamedTuple):
    """What PostgreSQL looked at, and how long it took."""

    rows: int
    blocks: int
    seconds: float


_LOOKED_AT = """SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint AS rows,
        sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0))::bigint AS blocks
    FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid)"""


def cost_of(shop: Shop, do: Callable[[Shop], None]) -> Cost:
    superuser = create_engine(shop.logins.superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with superuser.connect() as watcher:
        before = watcher.execute(text(_LOOKED_AT)).one()
        began = time.perf_counter()
        do(shop)
        seconds = time.perf_counter() - began
        with shop.world.db.outside() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
        after = watcher.execute(text(_LOOKED_AT)).one()
    return Cost(after.rows - before.rows, after.blocks - before.blocks, seconds)


def played(shop: Shop) -> dict[str, Cost]:
    """What each act costs, once more."""
    shop.turn += 1
    return {name: cost_of(shop, act.do) for name, act in ACTS.items()}


def count_promises(shop: Shop) -> None:
    assert shop.world.scalar("SELECT count(*) FROM promise WHERE merchant_id = :merchant_id") >= ROWS


# ---- what is to be so


def too_much(costs: Mapping[str, Cost]) -> dict[str, Cost]:
    """Acts that look at more than they are about."""
    return {name: cost for name, cost in costs.items() if cost.rows > ACTS[name].most_rows}


def worse(never: Mapping[str, Cost], analysed: Mapping[str, Cost]) -> dict[str, tuple[Cost, Cost]]:
    """Acts that look at more than they would if the planner knew the tables."""
    pairs = {name: (never[name], analysed[name]) for name in ACTS}
    return {
        name: (one, other)
        for name, (one, other) in pairs.items()
        if one.rows > AT_MOST * other.rows + 500 or one.blocks > AT_MOST * other.blocks + 500
    }


def slower(
    never: Sequence[Mapping[str, Cost]], analysed: Sequence[Mapping[str, Cost]]
) -> dict[str, tuple[float, float]]:
    """Acts that take longer than they may, by the medians of all runs."""

    def median(runs: Sequence[Mapping[str, Cost]], name: str) -> float:
        return statistics.median(run[name].seconds for run in runs)

    pairs = {name: (median(never, name), median(analysed, name)) for name in ACTS}
    return {name: (one, other) for name, (one, other) in pairs.items() if one > AT_MOST * other + 0.005}


def add_past(logins: Logins, store_ids: Sequence[int], first: int, last: int) -> None:
    superuser = create_engine(logins.superuser, poolclass=NullPool)
    with superuser.begin() as connection:
        crowded.leave_alone(connection)
        crowded.crowd(connection, store_ids, range(first, last))


@contextmanager
def analysed_copy(logins: Logins) -> Iterator[Logins]:
    """The same database, analysed. Nobody may be connected to the original."""
    copy = f"{logins.database}_analysed"
    superuser = create_engine(logins.at("postgres").superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with superuser.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE {copy} TEMPLATE {logins.database} OWNER holdfast_owner STRATEGY FILE_COPY")
        )
        try:
            there = create_engine(logins.at(copy).superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with there.connect() as inside:
                inside.execute(text("ANALYZE"))
            yield logins.at(copy)
        finally:
            connection.execute(text(f"DROP DATABASE {copy} WITH (FORCE)"))


def test_what_is_looked_up_by_key_needs_no_analysed_tables(logins: Logins) -> None:
    world = World(Database(connect(logins.app, pool_size=1)))
    store_ids = [world.store("Main street"), world.store("Side street")]
    world.db.engine.dispose()
    add_past(logins, store_ids, 0, AT_FIRST)
    old = Shop(logins, store_ids[0], size=2)
    played(old)
    old.size = 100

    add_past(logins, store_ids, AT_FIRST, ROWS)

    # By plans that were made when there was little, as on a connection that has been open since then.
    assert too_much(played(old)) == {}
    assert cost_of(old, count_promises).rows >= ROWS, "what is read whole is seen"
    old.close()
    with analysed_copy(logins) as copy:
        never, analysed = Shop(logins, store_ids[0], old.turn), Shop(copy, store_ids[0], old.turn)
        runs: tuple[list[dict[str, Cost]], list[dict[str, Cost]]] = ([], [])
        for _ in range(ROUNDS):
            for _ in range(RUNS):
                runs[0].append(played(never))
                runs[1].append(played(analysed))
            if not slower(*runs):
                break
        never.close()
        analysed.close()
    assert too_much(runs[0][-1]) == {}
    assert worse(runs[0][-1], runs[1][-1]) == {}
    assert slower(*runs) == {}

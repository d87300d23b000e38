"""What marks listings stale and what rests them again: rows of their own, cheap however often they come and go."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from core import marks, pushes
from core.model import PushOutcome, PushStatus
from core.pushes import Claimed, Timing
from core.sales.holds import Hold
from core.transaction import Transaction, wall_clock
from tests.builders import FAR_OFF, World, at, line, order

MANY = 200
SKUS = [f"sku-{n:03}" for n in range(MANY)]


@pytest.fixture
def shelf(world: World) -> int:
    """A live store with many listings, all of them stale."""
    store = world.store()
    world.listings(store, *SKUS, shown=50)
    with world.db.begin(1, actor="test") as tx:
        marks.stale(tx, (), listing_ids(world), ())
    return store


def listing_ids(world: World) -> list[int]:
    return [row.id for row in world.ask("SELECT id FROM listing WHERE merchant_id = :merchant_id ORDER BY id")]


def claim(world: World, store: int) -> list[Claimed]:
    with world.db.begin(1, actor="test") as tx:
        return pushes.claim(tx, store, limit=MANY)


def settle(world: World, store: int, claimed: Sequence[Claimed], status: PushStatus = PushStatus.APPLIED) -> None:
    now = wall_clock()
    outcomes = [PushOutcome(one.intent.listing_id, status, shown=one.intent.wanted) for one in claimed]
    with world.db.begin(1, actor="test") as tx:
        pushes.settle(tx, store, claimed, outcomes, Timing(now, now, now, now))


# ---- what a marking costs


@contextmanager
def counted(tx: Transaction, table: str, *columns: str) -> Iterator[dict[str, int]]:
    """How often PostgreSQL did each of these to the table inside the block."""

    def read() -> dict[str, int]:
        row = tx.run(f"SELECT {', '.join(columns)} FROM pg_stat_xact_user_tables WHERE relname = :table", table=table)
        return dict(row.one()._mapping)

    before, found = read(), dict.fromkeys(columns, 0)
    yield found
    found |= {name: n - before[name] for name, n in read().items()}


def test_marking_what_is_stale_already_writes_no_listing(world: World, shelf: int) -> None:
    ids = listing_ids(world)
    with world.db.begin(1, actor="test") as tx, counted(tx, "listing", "n_tup_upd", "n_tup_ins") as written:
        marks.stale(tx, (), ids, ())
    assert written == {"n_tup_upd": 0, "n_tup_ins": 0}
    assert len(claim(world, shelf)) == MANY


def test_only_listings_whose_store_took_units_itself_are_written(world: World, shelf: int) -> None:
    first, second, *others = listing_ids(world)
    with world.db.begin(1, actor="test") as tx, counted(tx, "listing", "n_tup_upd") as written:
        marks.stale(tx, (), others, [(first, 3), (second, -1), (first, 1)])
    assert written == {"n_tup_upd": 2}
    assert [world.listing(shelf, sku).believed for sku in SKUS[:3]] == [46, 51, 50]
    assert [world.listing(shelf, sku).observed_at is None for sku in SKUS[:3]] == [True, True, False]


def test_nothing_that_a_mark_or_a_push_changes_on_a_listing_stands_in_an_index(world: World, shelf: int) -> None:
    """So that updates stay within their page and leave nothing behind in indexes."""
    before = world.listing(shelf, SKUS[0])._asdict()
    with world.db.begin(1, actor="test") as tx:
        marks.stale(tx, (), (), [(listing_id, 1) for listing_id in listing_ids(world)])
    now, claimed = wall_clock(), claim(world, shelf)
    told = [
        PushOutcome(one.intent.listing_id, PushStatus.APPLIED, shown=7, observed=9, observed_at=now) for one in claimed
    ]
    with world.db.begin(1, actor="test") as tx:
        pushes.settle(tx, shelf, claimed, told, Timing(now, now, now, now))
    after = world.listing(shelf, SKUS[0])._asdict()

    changed = {name for name, value in after.items() if value != before[name]}
    indexed = {
        row.attname
        for row in world.ask(
            """SELECT a.attname FROM pg_index i
               JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                   AND d.refobjid = i.indrelid AND d.refobjsubid > 0
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
               WHERE i.indrelid = 'listing'::regclass"""
        )
    }
    assert changed >= {"believed", "published", "published_at"}
    assert "item_id" in indexed
    # constraints depend on their columns in their indexes' stead
    assert changed.isdisjoint(indexed | {"merchant_id", "id", "store_id", "external_id"})


def test_a_claim_looks_up_what_it_needs_by_key_when_the_tables_were_last_counted_empty(
    world: World, superuser: Engine
) -> None:
    with superuser.connect() as connection:
        connection.execute(text("ANALYZE"))
    store = world.stocked(*SKUS, units=50)
    for n in range(5):
        world.hear(store, order(*(line(sku, 1) for sku in SKUS), external_id=f"order-{n}"))
    world.hear(store, order(line(SKUS[0], 2, hidden=2), external_id="unpaid"))
    settle(world, store, claim(world, store))
    few = listing_ids(world)[:10]
    for table in ("order_line", "sales_balance"):
        with world.db.begin(1, actor="test") as tx, counted(tx, table, "seq_tup_read", "idx_tup_fetch") as read:
            marks.stale(tx, (), few, ())
            claimed = pushes.claim(tx, store, limit=MANY)
        assert sorted(one.intent.wanted for one in claimed) == [45] * 10
        assert sum(read.values()) <= 2 * len(few), table


# ---- what a marking says


def test_a_listing_marked_again_is_stale_since_the_first_time_and_heard_of_since_the_earliest(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.hear(store, order(line("mug", 1), external_id="1"), heard_at=at(50))
    first = world.due(store, "mug")
    world.hear(store, order(line("mug", 1), external_id="2"), heard_at=at(20))
    world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    again = world.due(store, "mug")
    assert (again.stale_since, again.heard_at) == (first.stale_since, at(20))
    assert again.tryable_since == first.tryable_since
    assert again.heard_own_ms >= first.heard_own_ms
    assert again.revision != first.revision


def test_a_marking_ends_a_wait_and_forgets_its_tries(world: World) -> None:
    store = world.stocked("mug", units=20)
    settle(world, store, claim(world, store), PushStatus.RETRY)
    waits = world.due(store, "mug")
    assert (waits.tries, waits.not_before) == (1, waits.tryable_since)
    world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    due = world.due(store, "mug")
    assert (due.tries, due.not_before, due.stale_since) == (0, None, waits.stale_since)
    assert waits.stale_since < due.tryable_since < waits.tryable_since


def test_a_listing_that_was_settled_and_marked_again_has_a_history_of_its_own(world: World) -> None:
    store = world.stocked("mug", units=20)
    before = world.due(store, "mug")
    settle(world, store, claim(world, store))
    assert world.due(store, "mug") is None
    world.hear(store, order(line("mug", 1)), heard_at=at(50))
    after = world.due(store, "mug")
    assert after.stale_since > before.stale_since
    assert (after.heard_at, after.tries) == (at(50), 0)


# ---- who settles what


def test_a_push_that_settles_after_another_took_its_place_rests_nothing_marked_since(world: World) -> None:
    store = world.stocked("mug", units=20)
    late = claim(world, store)
    settle(world, store, claim(world, store))
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    marked = world.due(store, "mug")
    settle(world, store, late)
    assert world.due(store, "mug") == marked
    assert [one.intent.wanted for one in claim(world, store)] == [15]


def test_a_push_that_fails_after_another_settled_leaves_the_listing_at_rest(world: World) -> None:
    store = world.stocked("mug", units=20)
    late = claim(world, store)
    settle(world, store, claim(world, store))
    settle(world, store, late, PushStatus.RETRY)
    assert world.due(store, "mug") is None


def test_a_failed_push_of_a_listing_that_moved_meanwhile_is_due_at_once(world: World) -> None:
    store = world.stocked("mug", units=20)
    claimed = claim(world, store)
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    marked = world.due(store, "mug")
    settle(world, store, claimed, PushStatus.RETRY)
    due = world.due(store, "mug")
    assert (due.not_before, due.tries, due.tryable_since) == (None, 1, marked.tryable_since)
    assert due.revision == marked.revision


def test_markings_and_pushes_of_the_same_listings_never_wait_in_a_circle(world: World, shelf: int) -> None:
    other = world.store("Market")
    world.listings(other, *SKUS, shown=50)
    ids, stores = listing_ids(world), (shelf, other)
    items = [row.id for row in world.ask("SELECT id FROM item WHERE merchant_id = :merchant_id")]

    def take_part(n: int) -> None:
        if n % 2:
            settle(world, stores[n // 2 % 2], claim(world, stores[n // 2 % 2]))
        else:
            with world.db.begin(1, actor="test") as tx:
                marks.stale(tx, items[n % 3 :: 3], (), [(i, 1) for i in reversed(ids[n % 5 :: 5])])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(take_part, range(40))) == [None] * 40
    for store in stores:
        settle(world, store, claim(world, store))
    assert world.scalar("SELECT count(*) FROM push_due WHERE merchant_id = :merchant_id") == 0


def test_no_two_markings_share_a_revision(world: World) -> None:
    store = world.stocked("mug", units=20)
    listing_id = world.listing(store, "mug").id
    seen = set()
    for _ in range(3):
        with world.db.begin(1, actor="test") as tx:
            for _ in range(2):
                marks.stale(tx, (), [listing_id], (), heard_at=tx.now - timedelta(seconds=1))
                seen.add(tx.run("SELECT revision FROM push_due WHERE merchant_id = :merchant_id").scalar_one())
        settle(world, store, claim(world, store))
    assert len(seen) == 6

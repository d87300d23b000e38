"""Checkpoints of the past: made often enough, never too early, and always what the movements say."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from config.processes import wait_until
from config.wiring import App
from core import work
from core.demand import flows
from core.goods.receiving import Receive
from core.past import checkpoints, history
from core.past.checkpoints import SKEW, Window
from core.stock import Bucket, DocumentKind, Layer
from jobs import upkeep
from tests.builders import Clock, World
from tests.conftest import Logins, violations
from tests.hub import MERCHANT

FEW = 6  # movements between checkpoints; a receipt moves an item three times
LATER_S = 2 * SKEW.total_seconds()


def window(world: World) -> Window | None:
    with world.db.begin(1, actor="test") as tx:
        return checkpoints.open_window(tx)


def cover(world: World, clock: Clock) -> None:
    """Runs of the job some time after the last movement: the first looks who is at work, the second covers."""
    clock.pass_(LATER_S)
    for _ in range(2):
        if opened := window(world):
            fill(world, opened)
            with world.db.begin(1, actor="test") as tx:
                checkpoints.close_window(tx, opened)
        clock.pass_(1)


def fill(world: World, opened: Window) -> None:
    with world.db.begin(1, actor="test") as tx:
        item_ids = checkpoints.due(tx, opened, checkpoints.items_after(tx, 0, limit=100), every=FEW)
        while checkpoints.make(tx, opened, item_ids, every=FEW):
            pass


def kept(world: World, sku: str) -> Sequence[Any]:
    return world.ask(
        "SELECT at, cells FROM balance_checkpoint WHERE merchant_id = :merchant_id AND item_id = :item_id ORDER BY at",
        item_id=world.item(sku).item_id,
    )


def receive_often(world: World, clock: Clock, sku: str, times: int) -> None:
    for _ in range(times):
        clock.pass_(1)
        world.receive(sku, 1)


def free_at(world: World, sku: str, at: Any) -> int:
    with world.db.begin(1, actor="test") as tx:
        rows = history.balances_at(tx, [world.item(sku).item_id], at)
    return sum(row.units[Bucket.FREE] for row in rows if row.layer is Layer.SALES)


def test_an_item_that_moves_often_has_checkpoints_and_one_that_does_not_has_none(world: World, clock: Clock) -> None:
    world.stocked("often", "seldom", units=1)
    receive_often(world, clock, "often", 7)
    cover(world, clock)

    # The opening and 7 receipts are 24 movements.
    assert len(kept(world, "often")) == 4
    assert kept(world, "seldom") == []


def test_a_checkpoint_holds_every_bucket_that_is_not_empty(world: World, clock: Clock) -> None:
    world.stocked("mug", units=4)
    receive_often(world, clock, "mug", 1)
    cover(world, clock)
    (row,) = kept(world, "mug")

    assert {(layer, bucket): units for layer, _, _, bucket, units in row.cells} == {
        ("warehouse", "available"): 5,
        ("dispatch", "available"): 5,
        ("sales", "free"): 5,
    }


def test_later_movements_continue_from_the_last_checkpoint(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    receive_often(world, clock, "mug", 3)
    cover(world, clock)
    receive_often(world, clock, "mug", 4)
    clock.pass_(LATER_S)
    cover(world, clock)

    assert [sum(cell[4] for cell in row.cells) for row in kept(world, "mug")] == [6, 12, 18, 24]


def test_making_the_same_checkpoints_twice_changes_nothing(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    receive_often(world, clock, "mug", 5)
    opened = Window(None, clock.after(1))
    fill(world, opened)
    once = kept(world, "mug")
    fill(world, opened)

    assert kept(world, "mug") == once


def test_what_was_recorded_at_one_instant_is_never_parted(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    mug = world.item("mug")
    clock.pass_(1)
    world.run(*(Receive(f"pallet/{n}", DocumentKind.RECEIPT, {mug: 1}) for n in range(9)))
    together = clock.now
    receive_often(world, clock, "mug", 2)
    cover(world, clock)

    assert kept(world, "mug")[0].at == together
    assert free_at(world, "mug", together) == 10


def test_nothing_is_covered_before_a_look_and_nothing_newer_than_the_look(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    assert window(world) is None
    looked_at = clock.now
    clock.pass_(LATER_S)

    assert window(world) == Window(None, looked_at - SKEW)


class _Late:
    """A receipt that began long ago and still waits for a row which another transaction holds."""

    def __init__(self, world: World, sku: str, pool: ThreadPoolExecutor) -> None:
        self._holder = world.db.begin(1, actor="holder")
        self._holder.__enter__().run(
            "SELECT FROM sales_balance WHERE merchant_id = :merchant_id AND item_id = :item_id FOR UPDATE",
            item_id=world.item(sku).item_id,
        )
        self._receipt = pool.submit(world.receive, sku, 100)
        assert wait_until(lambda: world.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, 10)

    def end(self) -> None:
        self._holder.__exit__(None, None, None)
        self._receipt.result(20)


def test_a_transaction_that_ends_late_is_waited_for_and_counted(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    receive_often(world, clock, "mug", 5)
    with ThreadPoolExecutor(1) as pool:
        late = _Late(world, "mug", pool)
        began = clock.now
        clock.pass_(LATER_S)
        assert window(world) is None
        clock.pass_(3600)
        assert window(world) is None
        late.end()
    opened = window(world)
    assert opened is not None
    fill(world, opened)

    assert free_at(world, "mug", began) == 106
    assert window(world) is not None


@pytest.mark.broken_books
def test_a_checkpoint_made_by_the_clock_alone_misses_what_ends_late(world: World, clock: Clock, logins: Logins) -> None:
    """The control of the test above: an hour of patience is not enough, and the past reads wrong."""
    world.stocked("mug", units=1)
    receive_often(world, clock, "mug", 5)
    with ThreadPoolExecutor(1) as pool:
        late = _Late(world, "mug", pool)
        began = clock.now
        clock.pass_(3600)
        fill(world, Window(None, clock.now - SKEW))
        late.end()
    receive_often(world, clock, "mug", 4)
    fill(world, Window(None, clock.now))

    assert free_at(world, "mug", began) == 6
    assert {violation.invariant[0] for violation in violations(logins)} == {"9"}


def test_a_transaction_that_has_written_nothing_yet_is_waited_for_too(world: World, clock: Clock) -> None:
    with world.db.begin(1, actor="slow") as tx:
        assert tx.run("SELECT pg_current_xact_id_if_assigned()").scalar_one() is None
        assert window(world) is None
        clock.pass_(LATER_S)
        assert window(world) is None
    assert window(world) is not None


def test_a_transaction_that_began_after_the_look_is_not_waited_for(world: World, clock: Clock) -> None:
    assert window(world) is None
    clock.pass_(LATER_S)
    with world.db.begin(1, actor="slow"):
        assert window(world) is not None


def test_a_clock_that_went_back_has_the_time_that_runs_twice_made_again(world: World, clock: Clock) -> None:
    world.stocked("mug", units=1)
    receive_often(world, clock, "mug", 5)
    seen_at = clock.now
    cover(world, clock)
    assert len(kept(world, "mug")) == 3

    clock.pass_(-3600)
    world.receive("mug", 1)
    assert window(world) is None
    clock.pass_(7200)
    cover(world, clock)

    assert len(kept(world, "mug")) == 3
    assert free_at(world, "mug", seen_at) == 7


def test_the_job_looks_first_and_covers_with_its_next_run(app: App, world: World, superuser: Engine) -> None:
    clock = Clock()
    app.db.clock = world.db.clock = clock
    world.stocked("mug", units=1)
    pool_id = world.scalar("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'")
    many_movements(superuser, world.item("mug").item_id, pool_id, checkpoints.EVERY, clock.after(-3600))

    for run in (1, 2):
        with app.db.begin(MERCHANT, actor="test") as tx:
            work.want(tx, [work.Want("checkpoint", 0, "")])
        upkeep.make_checkpoints(app, MERCHANT, 0)
        assert world.work("checkpoint") == []
        assert len(kept(world, "mug")) == run - 1
        clock.pass_(600)


def test_the_job_sums_up_the_days_that_are_over_so_that_nobody_waits_for_them(app: App, world: World) -> None:
    app.db.clock = world.db.clock = clock = Clock()
    clock.now = clock.now.replace(hour=10)  # no day ends between two of the jobs
    world.stocked("mug", units=5)
    for days in (0, 3, 0):
        clock.pass_(days * 86_400 + 600)
        with app.db.begin(MERCHANT, actor="test") as tx:
            work.want(tx, [work.Want("checkpoint", 0, "")])
        upkeep.make_checkpoints(app, MERCHANT, 0)

    with world.db.begin(1, actor="test") as tx:
        today = flows.window(tx, 1).today
    assert world.scalar("SELECT until FROM flow_mark WHERE merchant_id = :merchant_id") == today
    assert world.scalar("SELECT sum(net) FROM flow_day WHERE merchant_id = :merchant_id AND place_id = 0") == 5


def many_movements(superuser: Engine, item_id: int, pool_id: int, count: int, since: datetime) -> None:
    """Units that go back and forth between two buckets, an even number of times, once a millisecond."""
    with superuser.connect() as connection:
        connection.execute(
            text(
                """INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer,
                       from_place, from_bucket, to_place, to_bucket, quantity)
                   SELECT 1, -n, 1, CAST(:since AS timestamptz) + n * interval '1 ms', :item_id, 'good', 'sales',
                       :pool_id, (ARRAY['free', 'reserved'])[1 + n % 2],
                       :pool_id, (ARRAY['reserved', 'free'])[1 + n % 2], 1
                   FROM generate_series(0, CAST(:count AS bigint) - 1) n"""
            ),
            {"item_id": item_id, "pool_id": pool_id, "count": count, "since": since},
        )


def read_from_movements(world: World, item_id: int, at: datetime) -> int:
    """How many movements the server looks at to tell the balances of an instant."""
    with world.db.begin(1, actor="test") as tx:
        explained = tx.run(f"EXPLAIN (ANALYZE, FORMAT JSON) {history.BALANCES_AT}", item_ids=[item_id], at=at)
        return scanned(explained.scalar_one()[0]["Plan"])


def scanned(node: Mapping[str, Any]) -> int:
    own = node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name", "").startswith("movement") else 0
    return int(own) + sum(map(scanned, node.get("Plans", ())))


def test_reading_an_instant_never_replays_more_than_a_stretch_between_two_checkpoints(
    world: World, clock: Clock, superuser: Engine
) -> None:
    world.stocked("mug", units=1)
    mug, count, since = world.item("mug").item_id, 12 * checkpoints.EVERY, clock.after(-3600)
    pool_id = world.scalar("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'")
    many_movements(superuser, mug, pool_id, count, since)
    instants = [since + timedelta(milliseconds=ms) for ms in range(-500, count + 500, 617)]
    without = [read_from_movements(world, mug, at) for at in instants]
    with world.db.begin(1, actor="test") as tx:
        checkpoints.make(tx, Window(None, since + timedelta(milliseconds=10.5 * checkpoints.EVERY)), [mug])

    assert max(without) > 10 * checkpoints.EVERY
    assert max(read_from_movements(world, mug, at) for at in instants) <= 2 * checkpoints.EVERY + 3
    assert len(kept(world, "mug")) == 10

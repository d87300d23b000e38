"""Activities and presales by the clock, as the job does it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from config.wiring import App
from core import work
from core.sales import pool_report
from core.sales.holds import Hold
from core.stock import PoolKind
from jobs import pools
from tests.builders import FAR_OFF, Units, World
from tests.hub import skip
from tests.pool_world import in_pool, is_open_in, open_pool, row_of, shared


def run(app: App) -> None:
    with app.db.begin(1, actor="test") as tx:
        work.want(tx, [work.Want("pools", 0, "")])
    pools.keep_pools(app, 1, 0)


def due_at(world: World) -> datetime | None:
    rows = world.ask("SELECT due_at FROM work WHERE merchant_id = :merchant_id AND topic = 'pools'")
    return rows[0].due_at if rows else None


def activity(app: App, world: World, units: int = 10, **told: Any) -> int:
    """MUG's activity: from an hour from now, for an hour, preloaded half an hour before."""
    now = app.db.clock()
    told = {"preload_at": now + timedelta(seconds=1800), **told}
    return open_pool(
        world, "SALE", PoolKind.ACTIVITY, {"mug": units}, starts_at=now + timedelta(seconds=3600),
        ends_at=now + timedelta(seconds=7200), **told,
    )  # fmt: skip


def test_an_activity_is_preloaded_begun_and_ended_by_the_clock(app: App, world: World) -> None:
    store = world.stocked("mug", units=10)
    pool = activity(app, world)
    run(app)
    assert in_pool(world, pool, "mug") == Units()

    skip(app, 1800)
    run(app)
    assert in_pool(world, pool, "mug") == Units(10)

    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    skip(app, 1800)
    for _ in range(2):
        run(app)
    assert world.due(store, "mug") is not None
    with app.db.begin(1, actor="test") as tx:
        assert pool_report.pool(tx, pool).state == "running"
    skip(app, 3600)
    run(app)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(10))
    assert row_of(world, pool).closed_at is not None


def test_the_job_wakes_when_the_next_thing_is_due_and_not_before(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    pool = activity(app, world)
    row = row_of(world, pool)
    run(app)
    assert due_at(world) == row.starts_at - timedelta(seconds=1800)
    skip(app, 1800)
    pools.keep_pools(app, 1, 0)
    assert due_at(world) == row.starts_at
    skip(app, 1800)
    pools.keep_pools(app, 1, 0)
    assert due_at(world) == row.ends_at
    skip(app, 3600)
    pools.keep_pools(app, 1, 0)
    assert due_at(world) is None


def test_the_stores_are_told_of_a_start_once(app: App, world: World) -> None:
    store = world.stocked("mug", units=10)
    activity(app, world)
    skip(app, 3600)
    run(app)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    run(app)
    assert world.due(store, "mug") is None


def test_a_job_that_comes_late_leaves_the_same_books(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    pool = activity(app, world)
    skip(app, 9000)
    run(app)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(10))
    assert row_of(world, pool).closed_at is not None


def test_an_activity_that_lacks_units_says_so_and_is_tried_again(
    app: App, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.stocked("mug", units=4)
    pool = activity(app, world)
    skip(app, 1800)
    for _ in range(2):
        run(app)
    assert in_pool(world, pool, "mug") == Units()
    with app.db.begin(1, actor="test") as tx:
        trouble = pool_report.pool(tx, pool).trouble
    assert "mug lacks 6" in trouble
    assert "--best-effort" in trouble
    assert caplog.text.count("is not preloaded") == 1
    world.receive("mug", 6)
    run(app)
    assert in_pool(world, pool, "mug") == Units(10)
    with app.db.begin(1, actor="test") as tx:
        assert pool_report.pool(tx, pool).trouble == ""


def test_an_activity_that_may_takes_what_there_is(app: App, world: World) -> None:
    world.stocked("mug", units=4)
    pool = activity(app, world, best_effort=True)
    skip(app, 1800)
    run(app)
    world.receive("mug", 6)
    run(app)
    assert in_pool(world, pool, "mug") == Units(4)


def test_without_a_preload_an_activity_gets_its_units_when_it_begins(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    pool = activity(app, world, preload_at=None)
    skip(app, 3599)
    run(app)
    assert in_pool(world, pool, "mug") == Units()
    skip(app, 1)
    run(app)
    assert in_pool(world, pool, "mug") == Units(10)


def test_one_activity_gives_its_units_back_before_the_next_takes_them(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    first = activity(app, world)
    row = row_of(world, first)
    second = open_pool(
        world, "NEXT", PoolKind.ACTIVITY, {"mug": 10}, starts_at=row.ends_at, ends_at=row.ends_at + timedelta(hours=1)
    )
    skip(app, 1800)
    run(app)
    skip(app, 5400)
    run(app)
    assert (in_pool(world, first, "mug"), in_pool(world, second, "mug")) == (Units(), Units(10))


def test_a_presale_ends_and_is_put_away_when_all_is_handed_over(app: App, world: World) -> None:
    world.stocked("mug", units=0)
    now = app.db.clock()
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 10}, ends_at=now + timedelta(hours=1))
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF, pool_id=pool))
    skip(app, 3600)
    run(app)
    assert in_pool(world, pool, "mug") == Units(reserved=3)
    assert is_open_in(world, pool, "mug") is True
    world.receive("mug", 3)
    run(app)
    assert is_open_in(world, pool, "mug") is False
    assert shared(world, "mug") == Units(reserved=3)

"""The job that begins and ends locks when their time has come."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from config import setup
from config.wiring import App
from core import work
from core.errors import Refused
from core.sales import locks
from jobs import locks as job
from tests.builders import Units, World
from tests.hub import MERCHANT, skip
from tests.integration.lock_acts import lock, pool, row, shared


def want(app: App) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [work.Want("locks", 0, "")])


def test_locks_begin_and_end_when_their_time_has_come(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    now = app.db.clock()
    lock(world, "first", "mug", 10, expires_at=now + timedelta(seconds=60))
    lock(world, "next", "mug", 6, starts_at=now + timedelta(seconds=60))
    lock(world, "later", "mug", 2, starts_at=now + timedelta(seconds=90))
    want(app)
    job.start_and_end_locks(app, MERCHANT, 0)
    assert [row(world, key).status for key in ("first", "next", "later")] == ["active", "approved", "approved"]

    skip(app, 61)
    want(app)
    job.start_and_end_locks(app, MERCHANT, 0)

    assert [row(world, key).status for key in ("first", "next", "later")] == ["expired", "active", "approved"]
    assert (pool(world, "next"), shared(world, "mug"), row(world, "next").waiting) == (Units(6), Units(4), 0)
    assert world.work("locks") == []
    assert {document.actor for document in world.ask("SELECT actor FROM document WHERE kind = 'unlock'")} == {
        "job:locks"
    }


def test_each_lock_ends_once_however_many_workers_look(app: App, world: World) -> None:
    world.stocked("mug", units=20)
    ends = app.db.clock() + timedelta(seconds=60)
    for n in range(8):
        lock(world, f"lock-{n}", "mug", 2, expires_at=ends)
    skip(app, 61)

    def work_on(_worker: int) -> None:
        want(app)
        job.start_and_end_locks(app, MERCHANT, 0)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work_on, range(8)))

    assert shared(world, "mug") == Units(20)
    assert world.documents().count("unlock") == 8


def test_a_job_without_a_lease_does_nothing(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "first", "mug", 10, expires_at=app.db.clock() + timedelta(seconds=60))
    skip(app, 61)
    job.start_and_end_locks(app, MERCHANT, 0)
    assert row(world, "first").status == "active"


def test_more_locks_than_one_look_finds_all_end(app: App, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stocked("mug", units=10)
    for n in range(5):
        lock(world, f"lock-{n}", "mug", 1, expires_at=app.db.clock() + timedelta(seconds=60))
    skip(app, 61)
    found = locks.due
    monkeypatch.setattr(locks, "due", lambda tx: found(tx, limit=2))
    want(app)
    job.start_and_end_locks(app, MERCHANT, 0)
    assert shared(world, "mug") == Units(10)


@pytest.mark.broken_books
def test_a_lock_that_cannot_end_is_not_tried_for_ever(app: App, world: World) -> None:
    """The books say less than the lock; the work stays and is tried again later, with the reason in the log."""
    world.stocked("mug", units=10)
    lock(world, "first", "mug", 10, expires_at=app.db.clock() + timedelta(seconds=60))
    world.tell("UPDATE lock SET waiting = 5 WHERE key = 'first'")
    skip(app, 61)
    want(app)
    with pytest.raises(Refused):
        job.start_and_end_locks(app, MERCHANT, 0)
    assert world.work("locks") == [""]


def test_every_merchant_has_it_on_the_schedule() -> None:
    assert setup.SCHEDULE["locks"] == "every 30"

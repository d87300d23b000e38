"""What wants doing: asked for once or often, done once per revision, never lost."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from core import catalog, work
from core.transaction import Database
from core.work import CHANNEL, MAX_TRIES, Lease, Want
from tests.builders import NOON, Clock, World, at
from tests.conftest import Logins
from tests.integration.test_marks import counted

HOLD = timedelta(seconds=10)


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    held.now = NOON
    db.clock = held
    return held


def want(db: Database, *subjects: str, topic: str = "order", due_at: datetime | None = None) -> None:
    with db.begin(1, actor="test") as tx:
        work.want(tx, [Want(topic, 7, subject, due_at) for subject in subjects])


def claim(db: Database, limit: int = 10, lease_s: float = 60) -> list[Lease]:
    with db.begin(1, actor="test") as tx:
        return sorted(work.claim(tx, "order", 7, limit=limit, lease_s=lease_s), key=lambda lease: lease.subject)


def settle(db: Database, leases: list[Lease]) -> None:
    with db.begin(1, actor="test") as tx:
        work.settle(tx, leases)


def postpone(db: Database, leases: list[Lease], delay_s: float = 5, *, counts: bool = True) -> None:
    with db.begin(1, actor="test") as tx:
        work.postpone(tx, leases, delay_s=delay_s, reason="the store is away", counts=counts)


def due(db: Database, now: datetime, most: int = 100) -> list[tuple[int, str, int]]:
    """What the relay would send now."""
    with db.outside() as connection:
        rows = connection.execute(
            text("SELECT merchant_id, topic, store_id FROM take_due_work(:now, :hold, :most)"),
            {"now": now, "hold": HOLD, "most": most},
        )
        return sorted((row.merchant_id, row.topic, row.store_id) for row in rows)


def test_what_is_wanted_ten_times_is_done_once(db: Database, world: World) -> None:
    for _ in range(10):
        want(db, "1001")
    (lease,) = claim(db)
    assert lease.revision == 10
    settle(db, [lease])
    assert world.work("order") == []


def test_two_workers_never_hold_the_same_row(db: Database) -> None:
    want(db, "a", "b", "c")
    first, second = claim(db, limit=2), claim(db, limit=2)
    assert [lease.subject for lease in first + second] == ["a", "b", "c"]
    assert claim(db) == []


def test_what_is_wanted_again_while_it_is_worked_on_stays_open(db: Database, world: World) -> None:
    want(db, "1001")
    leases = claim(db)
    want(db, "1001")
    settle(db, leases)
    (again,) = claim(db)
    assert (again.subject, again.revision, again.tries) == ("1001", 2, 1)


def test_a_worker_that_died_loses_its_lease_in_time(db: Database, clock: Clock, world: World) -> None:
    want(db, "1001")
    (lost,) = claim(db, lease_s=60)
    clock.now = at(59)
    assert claim(db) == []
    clock.now = at(60)
    (second,) = claim(db)
    assert (second.tries, second.lease != lost.lease) == (2, True)

    settle(db, [lost])
    assert world.work("order") == ["1001"], "a lease that ran out settles nothing"
    settle(db, [second])
    assert world.work("order") == []


def test_a_worker_that_starts_again_frees_what_it_held_when_it_died(db: Database, world: World) -> None:
    want(db, "a", "b")
    db.holder = "worker-1"
    (lost,) = claim(db, limit=1)
    db.holder = "worker-2"
    (kept,) = claim(db, limit=1)
    with db.outside() as connection:
        freed = connection.execute(text("SELECT free_leases_of('worker-1')")).scalar_one()
        assert connection.execute(text("SELECT free_leases_of('')")).scalar_one() == 0
    assert freed == 1
    assert [lease.subject for lease in claim(db)] == [lost.subject]
    settle(db, [kept])
    assert world.work("order") == [lost.subject]


def test_what_is_not_due_yet_is_not_handed_out(db: Database, clock: Clock) -> None:
    want(db, "1001", due_at=at(30))
    assert claim(db) == []
    clock.now = at(30)
    assert len(claim(db)) == 1


def test_a_hint_makes_later_work_due_now(db: Database, clock: Clock) -> None:
    want(db, "1001", due_at=at(3600))
    want(db, "1001")
    assert len(claim(db)) == 1


def test_a_later_wish_does_not_push_earlier_work_back(db: Database, clock: Clock) -> None:
    want(db, "1001")
    want(db, "1001", due_at=at(3600))
    assert len(claim(db)) == 1


def test_the_first_hint_counts_as_the_moment_it_was_heard(db: Database, clock: Clock) -> None:
    want(db, "1001")
    clock.now = at(5)
    want(db, "1001")
    assert claim(db)[0].heard_at == at(0)


def test_a_look_planned_for_later_counts_as_heard_when_its_hint_comes(db: Database, clock: Clock) -> None:
    want(db, "1001", due_at=at(3600))
    clock.now = at(5)
    want(db, "1001")
    assert claim(db)[0].heard_at == at(5)


def test_a_throttled_row_keeps_the_moment_it_was_heard(db: Database, clock: Clock) -> None:
    """The hint before the throttle is not answered yet, so what it was about is not known."""
    want(db, "1001")
    postpone(db, claim(db), delay_s=30, counts=False)
    clock.now = at(5)
    want(db, "1001")
    assert claim(db) == [], "the store asked for this wait"
    clock.now = at(30)
    assert claim(db)[0].heard_at == at(0)


def test_a_row_given_back_waits_and_keeps_its_reason(db: Database, clock: Clock, world: World) -> None:
    want(db, "1001")
    postpone(db, claim(db), delay_s=5)
    assert claim(db) == []
    assert world.scalar("SELECT reason FROM work WHERE merchant_id = :merchant_id") == "the store is away"
    clock.now = at(5)
    assert claim(db)[0].tries == 2


def test_a_throttle_answer_is_a_delay_and_not_a_failure(db: Database, clock: Clock) -> None:
    want(db, "1001")
    for n in range(MAX_TRIES * 2):
        clock.now = at(n)
        postpone(db, claim(db), delay_s=1, counts=False)
    clock.now = at(MAX_TRIES * 2)
    assert claim(db)[0].tries == 1


def test_what_fails_for_good_stays_as_a_dead_letter_and_can_be_replayed(
    db: Database, clock: Clock, world: World
) -> None:
    want(db, "1001")
    for n in range(MAX_TRIES):
        clock.now = at(n)
        (lease,) = claim(db)
        postpone(db, [lease], delay_s=1)
    clock.now = at(3600)
    assert claim(db) == []
    assert due(db, clock.now) == []
    assert world.work("order") == ["1001"]

    with db.begin(1, actor="test") as tx:
        assert work.replay(tx, "push") == 0
        assert work.replay(tx, "order") == 1
    assert claim(db)[0].tries == 1


def test_a_dead_letter_that_is_wanted_again_lives_again(db: Database, clock: Clock) -> None:
    want(db, "1001")
    for n in range(MAX_TRIES):
        clock.now = at(n)
        postpone(db, claim(db), delay_s=1)
    clock.now = at(100)
    want(db, "1001")
    (lease,) = claim(db)
    assert (lease.tries, lease.heard_at) == (1, at(0)), "it has been owed since it was first heard of"


def test_of_rows_given_back_together_those_tried_too_often_die_and_the_others_wait(
    db: Database, clock: Clock, world: World
) -> None:
    want(db, "old")
    for n in range(MAX_TRIES - 1):
        clock.now = at(n)
        postpone(db, claim(db), delay_s=1)
    clock.now = at(100)
    want(db, "new")
    postpone(db, claim(db), delay_s=5)
    rows = world.ask("SELECT subject, tries, due_at, dead_at FROM work ORDER BY subject")
    assert [tuple(row) for row in rows] == [("new", 1, at(105), None), ("old", MAX_TRIES, at(105), at(100))]


def test_a_row_that_somebody_else_holds_by_now_is_not_given_back_with_the_others(
    db: Database, clock: Clock, world: World
) -> None:
    want(db, "a", "b", "c")
    first, lost, gone = claim(db, lease_s=60)
    settle(db, [gone])
    clock.now = at(60)
    world.tell("UPDATE work SET due_at = :due_at WHERE subject = 'a'", due_at=at(3600))
    (taken,) = claim(db, lease_s=60)
    assert taken.subject == lost.subject
    postpone(db, [gone, lost, first], delay_s=5)
    assert [lease.subject for lease in leased(world)] == ["b"]
    assert world.work("order") == ["a", "b"]
    settle(db, [taken])
    assert world.work("order") == ["a"]


def leased(world: World) -> Sequence[Any]:
    return world.ask("SELECT subject, lease FROM work WHERE lease IS NOT NULL ORDER BY subject")


@pytest.fixture
def statements(db: Database) -> Iterator[list[str]]:
    """Every statement sent to the database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


def test_many_rows_are_given_back_by_one_statement(db: Database, statements: list[str]) -> None:
    want(db, *(str(n) for n in range(50)))
    leases = claim(db, limit=50)
    for some, sent in ((leases[:1], 2), (leases[1:], 2), ([], 1)):
        statements.clear()
        postpone(db, some)
        assert len(statements) == sent, statements  # the first sets the merchant
    assert claim(db, limit=50) == []


def test_rows_are_given_back_by_key_when_nobody_has_counted_the_table(db: Database) -> None:
    for start in range(0, 5_000, 1_000):
        want(db, *(str(n) for n in range(start, start + 1_000)))
    leases = claim(db, limit=50)
    with db.begin(1, actor="test") as tx, counted(tx, "work", "seq_tup_read", "idx_tup_fetch") as read:
        work.postpone(tx, leases, delay_s=5, reason="the store is away")
    assert sum(read.values()) <= 2 * len(leases)


def test_a_long_reason_is_cut(db: Database, world: World) -> None:
    want(db, "1001")
    with db.begin(1, actor="test") as tx:
        work.postpone(tx, work.claim(tx, "order", 7, limit=1, lease_s=9), delay_s=1, reason="x" * 9999)
    assert len(world.scalar("SELECT reason FROM work WHERE merchant_id = :merchant_id")) == 500


def test_due_work_is_sent_once_per_hold(db: Database) -> None:
    want(db, "a", "b")
    want(db, "", topic="push")
    assert due(db, at(10**9)) == [(1, "order", 7), (1, "push", 7)]
    assert due(db, at(10**9)) == []
    assert due(db, at(10**9) + HOLD) == [(1, "order", 7), (1, "push", 7)]


def test_work_that_somebody_holds_is_not_sent(db: Database, clock: Clock) -> None:
    want(db, "a")
    claim(db, lease_s=60)
    assert due(db, at(59)) == []
    assert due(db, at(60)) == [(1, "order", 7)]


def test_a_hint_for_what_was_already_sent_is_not_sent_twice(db: Database, clock: Clock) -> None:
    want(db, "a")
    assert due(db, at(0)) == [(1, "order", 7)]
    want(db, "a")
    assert due(db, at(1)) == []


def test_what_is_wanted_again_while_it_is_worked_on_is_sent_again_once_settled(db: Database, clock: Clock) -> None:
    want(db, "a")
    assert due(db, at(0)) == [(1, "order", 7)]
    leases = claim(db)
    want(db, "a")
    assert due(db, at(1)) == []
    settle(db, leases)
    assert due(db, at(1)) == [(1, "order", 7)]


def test_the_relay_sees_all_merchants_work_and_nothing_else_of_them(db: Database) -> None:
    catalog.ensure_merchant(db, 2, name="Second shop")
    want(db, "a")
    with db.begin(2, actor="test") as tx:
        work.want(tx, [Want("order", 9, "b")])
    assert due(db, at(10**9)) == [(1, "order", 7), (2, "order", 9)]
    with db.outside() as connection:
        assert connection.execute(text("SELECT count(*) FROM work")).scalar_one() == 0


def test_two_relays_share_the_rows_that_are_due(db: Database) -> None:
    want(db, *(str(n) for n in range(10)))
    with db.outside() as one, db.outside() as two:
        ask = text("SELECT count(*) FROM take_due_work(:now, :hold, 4)")
        values = {"now": at(10**9), "hold": HOLD}
        assert [c.execute(ask, values).scalar_one() for c in (one, two)] == [1, 1]
    assert due(db, at(10**9), most=2) == [(1, "order", 7)]
    assert due(db, at(10**9)) == []


@pytest.fixture
def listener(logins: Logins) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    url = make_url(logins.app).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield connection


def test_a_wish_wakes_the_relay_when_it_is_committed(
    db: Database, listener: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    with db.begin(1, actor="test") as tx:
        work.want(tx, [Want("order", 7, "a")])
        assert list(listener.notifies(timeout=0.05)) == []
    assert len(list(listener.notifies(timeout=5, stop_after=1))) == 1


def test_wishing_for_nothing_wakes_nobody(db: Database, listener: "psycopg.Connection[tuple[object, ...]]") -> None:
    want(db)
    assert list(listener.notifies(timeout=0.05)) == []

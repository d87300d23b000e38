"""Locks are changed, within what was approved and what each requester may have."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import Refused
from core.sales import lock_limits
from core.sales.lock_limits import EVERYBODY
from core.sales.lock_requests import ChangeLock, Changes
from core.sales.lock_terms import LockLimit
from core.sales.locks import Done, ExpireLock, ReleaseLock, StartLock
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.lock_acts import BUYER, PLANNER, approve, ask, do, lock, named, pool, row, shared

# ---- changing


def test_raising_a_lock_takes_what_there_is_and_waits_for_the_rest(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    assert do(world, ChangeLock("fair", Changes(quantity=12), "c1")) == Done("active", 4, 2)
    assert do(world, ChangeLock("fair", Changes(quantity=12), "c1")) == Done("active", 4, 2)
    assert (pool(world, "fair"), row(world, "fair").quantity) == (Units(10, backordered=2), 12)


def test_lowering_a_lock_drops_what_waits_first(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 12)
    assert do(world, ChangeLock("fair", Changes(quantity=9), "c1")) == Done("active", -1, 0)
    assert (pool(world, "fair"), shared(world, "mug"), row(world, "fair").quantity) == (Units(9), Units(1), 9)


def test_a_lock_is_not_lowered_below_what_orders_have(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 6, type="channel", store_id=store)
    world.hear(store, order(line("mug", 4, shipped=1), paid=True))
    with pytest.raises(Refused, match="can give back 2 units, not 3"):
        do(world, ChangeLock("theirs", Changes(quantity=3), "c1"))
    do(world, ChangeLock("theirs", Changes(quantity=4), "c1"))
    assert pool(world, "theirs") == Units(0, 0, 3)


def test_an_end_is_moved_and_taken_away(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6, expires_at=clock.after(60))
    do(world, ChangeLock("fair", Changes(expires_at=clock.after(120)), "c1"))
    clock.pass_(60)
    do(world, ExpireLock("fair"))
    do(world, named(world, "fair", 1))
    assert (row(world, "fair").status, pool(world, "fair")) == ("active", Units(5, 1))
    do(world, ChangeLock("fair", Changes(endless=True), "c2"))
    clock.pass_(9_999)
    assert do(world, ExpireLock("fair")).status == "active"


def test_a_priority_that_was_raised_counts_at_the_next_fill(world: World) -> None:
    world.stocked("mug", units=0)
    lock(world, "first", "mug", 2)
    lock(world, "second", "mug", 2)
    do(world, ChangeLock("second", Changes(priority=1), "c1"))
    world.receive("mug", 2)
    assert (pool(world, "first").free, pool(world, "second").free) == (0, 2)


def test_an_overflow_policy_that_was_widened_lets_holds_overflow(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, overflow="no")
    do(world, ChangeLock("fair", Changes(overflow="yes"), "c1"))
    do(world, named(world, "fair", 6))
    assert pool(world, "fair") == Units(0, 4)


@pytest.mark.parametrize(
    "more",
    [{"quantity": 7}, {"priority": 1}, {"overflow": "yes"}, {"endless": True}, {"expires_at": FAR_OFF}],
    ids=lambda more: next(iter(more)),
)
def test_who_asked_does_not_get_more_by_changing_than_was_approved(world: World, clock: Clock, more: Any) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6, expires_at=clock.after(60), overflow="no")
    with pytest.raises(Refused, match="does not make it more than was approved"):
        do(world, ChangeLock("fair", Changes(**more), "c1"), BUYER)
    do(world, ChangeLock("fair", Changes(**more), "c1"), PLANNER)
    do(world, ChangeLock("fair", Changes(quantity=5, overflow="no", priority=0), "c2"), BUYER)
    assert pool(world, "fair") == Units(5)


def test_an_owner_changes_the_own_lock(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    do(world, ChangeLock("fair", Changes(quantity=8), "c1", as_owner=True), BUYER)
    assert pool(world, "fair") == Units(8)


def test_the_beginning_of_a_lock_that_has_begun_stays(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    lock(world, "later", "mug", 2, starts_at=clock.after(60))
    with pytest.raises(Refused, match="has begun"):
        do(world, ChangeLock("fair", Changes(starts_at=clock.after(60)), "c1"))
    do(world, ChangeLock("later", Changes(starts_at=clock.after(10)), "c1"))
    clock.pass_(10)
    assert do(world, StartLock("later")).status == "active"


def test_a_lock_that_has_ended_is_not_changed(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 6)
    do(world, ReleaseLock("fair"))
    with pytest.raises(Refused, match="is closed, and stays so"):
        do(world, ChangeLock("fair", Changes(priority=1), "c1"))


# ---- limits


def test_a_lock_larger_than_its_requester_may_have_is_refused(world: World) -> None:
    world.stocked("mug", units=100)
    with pytest.raises(Refused, match="a lock of this requester may have 10"):
        ask(world, "fair", "mug", 11, limit=LockLimit(units=10))
    ask(world, "fair", "mug", 10, limit=LockLimit(units=10))


def test_locks_of_one_requester_have_their_share_of_an_item_and_no_more(world: World) -> None:
    world.stocked("mug", units=100)
    limit = LockLimit(share=30)
    ask(world, "one", "mug", 20, limit=limit)
    approve(world, "one", limit=limit)
    with pytest.raises(Refused, match=r"would have 31 units set apart; 30 % of the 100 .* is 30"):
        ask(world, "two", "mug", 11, limit=limit)
    ask(world, "two", "mug", 10, limit=limit)
    with pytest.raises(Refused, match="would have 31 units"):
        ask(world, "three", "mug", 1, limit=limit)


def test_a_share_that_holds_at_the_request_must_hold_at_the_approval(world: World) -> None:
    store = world.stocked("mug", units=100)
    limit = LockLimit(share=30)
    ask(world, "one", "mug", 30, limit=limit)
    world.hear(store, order(line("mug", 50), paid=True))
    with pytest.raises(Refused, match="30 % of the 50"):
        approve(world, "one", limit=limit)
    approve(world, "one", limit=limit, as_owner=True)
    assert pool(world, "one") == Units(30)


def test_what_a_lock_has_sold_does_not_count_for_the_share(world: World) -> None:
    store = world.stocked("mug", units=100)
    limit = LockLimit(share=30)
    lock(world, "one", "mug", 30, type="channel", store_id=store)
    world.hear(store, order(line("mug", 30), paid=True))
    with pytest.raises(Refused, match="would have 22 units set apart; 30 % of the 70"):
        do(world, ChangeLock("one", Changes(quantity=52), "c1", limit=limit))
    do(world, ChangeLock("one", Changes(quantity=51), "c1", limit=limit))
    assert pool(world, "one") == Units(21, 0, 30)


def test_a_lock_ends_within_the_days_of_its_requester(world: World, clock: Clock) -> None:
    world.stocked("mug", units=100)
    limit, day = LockLimit(days=10), timedelta(days=1)
    for ends in (None, clock.now + 11 * day):
        with pytest.raises(Refused, match="may last 10 days"):
            ask(world, "fair", "mug", 5, limit=limit, expires_at=ends)
    ask(world, "fair", "mug", 5, limit=limit, starts_at=clock.now + 5 * day, expires_at=clock.now + 15 * day)


def test_a_limit_holds_for_one_requester_or_for_everybody_else(world: World) -> None:
    with world.db.begin(1, actor=PLANNER) as tx:
        assert lock_limits.limit_of(tx, BUYER) is None
        lock_limits.set_limit(tx, EVERYBODY, LockLimit(units=5))
        lock_limits.set_limit(tx, BUYER, LockLimit(units=50, days=3))
        assert lock_limits.limit_of(tx, BUYER) == LockLimit(50, None, 3)
        assert lock_limits.limit_of(tx, "user:3") == LockLimit(5)
        assert [(one.requester, one.changed_by) for one in lock_limits.limits(tx)] == [("", PLANNER), (BUYER, PLANNER)]
        lock_limits.set_limit(tx, BUYER, None)
        assert lock_limits.limit_of(tx, BUYER) == LockLimit(5)
        with pytest.raises(Refused, match="name what is limited"):
            lock_limits.set_limit(tx, BUYER, LockLimit())

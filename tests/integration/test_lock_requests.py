"""Locks are asked for, decided on, and begin and end when their time has come."""

from typing import Any

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import Terms
from core.sales.locks import Done, ExpireLock, StartLock, due
from core.stock import MINOR_DEFECT, Stocked
from tests.builders import Clock, Units, World, line, order
from tests.integration.lock_acts import BUYER, PLANNER, approve, ask, bundle, do, lock, pool, row, shared

# ---- asking and deciding


def test_a_request_moves_nothing_until_it_is_approved(world: World) -> None:
    world.stocked("mug", units=10)
    asked = ask(world, "fair", "mug", 4)
    assert (asked.status, shared(world, "mug"), pool(world, "fair")) == ("requested", Units(10), Units())
    assert approve(world, "fair") == Done("active", 4, 0)
    assert (shared(world, "mug"), pool(world, "fair")) == (Units(6), Units(4))


def test_the_record_keeps_who_asked_who_decided_and_all_that_was_agreed(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    ends = clock.after(9_000)
    lock(world, "fair", "mug", 4, owner="trade fairs", account="acme", priority=3, expires_at=ends, overflow="ask",
         reason="spring fair")  # fmt: skip
    kept = row(world, "fair")
    assert (kept.key, kept.type, kept.status, kept.quantity, kept.waiting) == ("fair", "business", "active", 4, 0)
    assert (kept.owner, kept.account, kept.priority, kept.overflow) == ("trade fairs", "acme", 3, "ask")
    assert (kept.requested_by, kept.requested_at, kept.decided_by, kept.decided_at) == (BUYER, clock.now, PLANNER,
                                                                                         clock.now)  # fmt: skip
    assert (kept.expires_at, kept.reason, kept.migrated_from, kept.standing) == (ends, "spring fair", None, False)


def test_a_refused_request_moves_nothing_and_stays_refused(world: World) -> None:
    world.stocked("mug", units=10)
    ask(world, "fair", "mug", 4)
    assert do(world, DecideLock("fair", approve=False, reason="no fair this year")).status == "refused"
    assert row(world, "fair").reason == "no fair this year"
    with pytest.raises(Refused, match="is refused and waits for no decision"):
        approve(world, "fair")
    assert shared(world, "mug") == Units(10)


def test_who_asked_does_not_decide(world: World) -> None:
    world.stocked("mug", units=10)
    ask(world, "fair", "mug", 4, actor=PLANNER)
    for verdict in (True, False):
        with pytest.raises(Refused, match="who asked for lock fair does not decide on it"):
            do(world, DecideLock("fair", approve=verdict), PLANNER)
    assert (row(world, "fair").status, shared(world, "mug")) == ("requested", Units(10))


def test_an_owner_may_approve_an_own_request(world: World) -> None:
    world.stocked("mug", units=10)
    ask(world, "fair", "mug", 4, actor=PLANNER)
    approve(world, "fair", PLANNER, as_owner=True)
    assert pool(world, "fair") == Units(4)


def test_approving_twice_locks_once(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4)
    assert approve(world, "fair") == Done("active", 0, 0)
    assert approve(world, "fair", "user:3") == Done("active", 0, 0)
    assert (pool(world, "fair"), row(world, "fair").decided_by) == (Units(4), PLANNER)
    assert world.documents() == ["lock"]


def test_what_is_approved_is_not_refused_any_more(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4)
    with pytest.raises(Refused, match="`holdfast lock release fair`"):
        do(world, DecideLock("fair", approve=False))


def test_asking_twice_asks_once_and_other_terms_are_refused(world: World) -> None:
    world.stocked("mug", units=10)
    first = ask(world, "fair", "mug", 4)
    assert ask(world, "fair", "mug", 4).lock_id == first.lock_id
    with pytest.raises(KeyReused):
        ask(world, "fair", "mug", 5)
    with pytest.raises(KeyReused):
        ask(world, "fair", "mug", 4, priority=1)
    assert row(world, "fair").quantity == 4


def test_a_decision_on_a_lock_nobody_asked_for_is_refused_and_may_come_again(world: World) -> None:
    world.stocked("mug", units=10)
    with pytest.raises(NotFound, match="there is no lock fair"):
        approve(world, "fair")
    lock(world, "fair", "mug", 4)
    assert pool(world, "fair") == Units(4)


def test_a_request_and_its_approval_in_one_batch_lock(world: World) -> None:
    world.stocked("mug", units=10)
    with world.db.begin(1, actor="test") as tx:
        lock_id = tx.new_id()
    request = RequestLock("fair", lock_id, Terms("internal", world.item("mug"), 4))
    asked, approved = world.run(request, DecideLock("fair", approve=True, as_owner=True), actor=PLANNER)
    assert (asked.status, approved) == ("requested", Done("active", 4, 0))
    assert pool(world, "fair") == Units(4)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"type": "shop"}, "a lock is one of business, main_site, channel, internal"),
        ({"type": "channel"}, "needs the store whose orders draw on it"),
        ({"type": "main_site"}, "needs the store whose orders draw on it"),
        ({"type": "channel", "store_id": 0}, "for our own interface take type main_site"),
        ({"type": "internal", "store_id": 3}, "is for no store"),
        ({"type": "internal", "account": "acme"}, "an account is for business locks"),
        ({"type": "business", "overflow": "maybe"}, "overflow is one of"),
        ({"type": "business", "pure": True}, "name its warehouse"),
        ({"type": "business", "priority": 5_000}, "a priority is between"),
        ({"type": "business", "owner": "a\nb"}, "texts of one line"),
    ],
)
def test_what_cannot_be_locked_so_is_refused_with_its_cure(world: World, told: Any, words: str) -> None:
    world.stocked("mug", units=10)
    with pytest.raises(Refused, match=words):
        ask(world, "fair", "mug", 4, **told)
    assert world.ask("SELECT 1 FROM lock") == []


@pytest.mark.parametrize("units", [0, -3, 2_000_000_000])
def test_a_lock_is_for_a_sensible_number_of_units(world: World, units: int) -> None:
    world.stocked("mug", units=10)
    with pytest.raises(Refused, match="a lock is for 1 to"):
        ask(world, "fair", "mug", units)


@pytest.mark.parametrize("key", ["", " fair", "fa/ir", "floor:1:2", "fa\nir", "x" * 101])
def test_a_key_that_could_be_mistaken_is_refused(world: World, key: str) -> None:
    world.stocked("mug", units=10)
    with pytest.raises(Refused, match="a lock's key"):
        ask(world, key, "mug", 4)


def test_a_bundle_is_not_locked_its_components_are(world: World) -> None:
    world.listings(world.stocked("mug", units=10), "set")
    bundle(world, "set", mug=2)
    with pytest.raises(Refused, match="lock its components"):
        ask(world, "fair", "set", 4)


def test_the_other_grade_is_locked_by_itself(world: World) -> None:
    world.stocked("mug", units=10)
    flawed = Stocked(world.item("mug").item_id, MINOR_DEFECT)
    lock(world, "outlet", "mug", 3, stocked=flawed)
    assert (pool(world, "outlet"), shared(world, "mug")) == (Units(backordered=3), Units(10))


# ---- time


def test_an_approved_lock_begins_when_its_time_has_come(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    assert lock(world, "fair", "mug", 4, starts_at=clock.after(60)).status == "approved"
    assert do(world, StartLock("fair")).status == "approved"
    assert shared(world, "mug") == Units(10)
    clock.pass_(60)
    assert due_keys(world) == (["fair"], [])
    assert do(world, StartLock("fair")) == Done("active", 4, 0)
    assert do(world, StartLock("fair")) == Done("active", 0, 0)
    assert (pool(world, "fair"), due_keys(world)) == (Units(4), ([], []))


def test_a_lock_whose_whole_time_passed_before_it_began_never_begins(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, starts_at=clock.after(60), expires_at=clock.after(90))
    clock.pass_(100)
    assert do(world, StartLock("fair")).status == "expired"
    assert (shared(world, "mug"), due_keys(world)) == (Units(10), ([], []))


def test_a_lock_that_would_have_ended_is_not_approved(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    ask(world, "fair", "mug", 4, expires_at=clock.after(60))
    clock.pass_(60)
    with pytest.raises(Refused, match="would have ended by now"):
        approve(world, "fair")


def test_a_lock_ends_when_it_has_run_out_and_not_before(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 14, expires_at=clock.after(60))
    assert do(world, ExpireLock("fair")) == Done("active", 0, 4)
    clock.pass_(60)
    assert due_keys(world) == ([], ["fair"])
    assert do(world, ExpireLock("fair")) == Done("expired", -10, 0)
    assert do(world, ExpireLock("fair")) == Done("expired", 0, 0)
    assert (shared(world, "mug"), pool(world, "fair")) == (Units(10), Units())
    assert world.documents() == ["lock", "unlock"]


def due_keys(world: World) -> tuple[list[str], list[str]]:
    with world.db.begin(1, actor="test") as tx:
        begins, ends = due(tx)
    return list(begins), list(ends)


def test_nobody_draws_on_a_lock_that_has_run_out_though_no_job_has_ended_it(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 4, type="channel", store_id=store, expires_at=clock.after(60))
    clock.pass_(60)
    world.hear(store, order(line("mug", 2), paid=True))
    assert (pool(world, "theirs"), shared(world, "mug")) == (Units(4), Units(4, 0, 2))

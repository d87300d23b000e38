"""Locks without a database: what may be asked for, who may lock how much, what the report says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from core.books import Books
from core.rows import LockRow
from core.sales.drawing import OVERFLOWS
from core.sales.lock_report import LockView, line_of
from core.sales.lock_requests import Changes, is_more
from core.sales.lock_terms import TYPES, LockLimit, Terms, problem, problem_of_key, too_much
from core.stock import Bucket, Pool, PoolKind, Stocked
from edge.coming import read_coming
from tests.builders import HOME, at

MUG = Stocked(5)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def row(lock_id: int = 1, **told: Any) -> LockRow:
    values: dict[str, Any] = {
        "key": f"lock-{lock_id}", "type": "business", "status": "active", "item_id": 5, "grade": "good", "quantity": 10,
        "waiting": 0, "priority": 0, "owner": "", "account": "", "store_id": None, "warehouse_id": None, "pure": False,
        "overflow": "yes", "starts_at": None, "expires_at": None, "requested_by": "user:1", "requested_at": at(0),
    }  # fmt: skip
    return LockRow(lock_id, **{**values, **told})


# ---- terms


@given(
    st.builds(
        Terms,
        type=st.sampled_from([*TYPES, "shop"]),
        stocked=st.builds(Stocked, st.just(5), st.sampled_from(["good", "minor_defect", "bad"])),
        quantity=st.integers(-2, 2_000_000_000),
        store_id=st.sampled_from([None, 0, 7]),
        warehouse_id=st.sampled_from([None, 21]),
        pure=st.booleans(),
        account=st.sampled_from(["", "acme"]),
        priority=st.integers(-2_000, 2_000),
        starts_at=st.none() | st.integers(-9, 9).map(at),
        expires_at=st.none() | st.integers(-9, 9).map(at),
        overflow=st.sampled_from([*OVERFLOWS, "maybe"]),
    )
)
def test_what_may_be_asked_for_makes_sense(terms: Terms) -> None:
    if problem(terms, at(0)):
        return
    assert terms.type in TYPES
    assert (terms.store_id is not None) is (terms.type in ("channel", "main_site"))
    assert not (terms.account and terms.type != "business")
    assert not (terms.pure and terms.warehouse_id is None)
    assert terms.quantity > 0
    if terms.expires_at is not None:
        assert terms.expires_at > max(at(0), terms.starts_at or at(0))


@pytest.mark.parametrize(
    "terms",
    [
        Terms("business", MUG, 1),
        Terms("business", MUG, 1, account="acme", warehouse_id=21, pure=True),
        Terms("main_site", MUG, 1, store_id=0),
        Terms("main_site", MUG, 1, store_id=7),
        Terms("channel", MUG, 1, store_id=7, starts_at=at(5), expires_at=at(6), overflow="no"),
        Terms("internal", MUG, 1_000_000_000, priority=-1_000),
    ],
)
def test_each_type_may_be_asked_for(terms: Terms) -> None:
    assert problem(terms, at(0)) == ""


@pytest.mark.parametrize("key", ["a", "trade fair 2027", "x" * 100, "floor", "späte-Ernte"])
def test_keys_that_people_choose_are_fine(key: str) -> None:
    assert problem_of_key(key) == ""


# ---- changes


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        (Changes(), False),
        (Changes(quantity=11), True),
        (Changes(quantity=9), False),
        (Changes(priority=1), True),
        (Changes(priority=-1), False),
        (Changes(overflow="yes"), True),
        (Changes(overflow="no"), False),
        (Changes(expires_at=at(101)), True),
        (Changes(expires_at=at(99)), False),
        (Changes(endless=True), True),
        (Changes(starts_at=at(49)), True),
        (Changes(starts_at=at(51)), False),
        (Changes(owner="others"), False),
    ],
)
def test_what_gives_a_lock_more_than_it_had(changes: Changes, more: bool) -> None:
    lock = row(status="approved", overflow="ask", starts_at=at(50), expires_at=at(100))
    assert is_more(lock, changes.of(lock)) is more


def test_an_end_given_to_a_lock_that_had_none_is_not_more() -> None:
    assert not is_more(row(), Changes(expires_at=at(1)).of(row()))


# ---- limits


def books(free: int, *locks: LockRow) -> Books:
    made = Books(1, HOME, at(0), lambda: 0, "user:2")
    made.cells[HOME.shared_pool.key(MUG), Bucket.FREE] = free
    for lock in locks:
        made.locks[lock.id] = lock
        if lock.status == "active":
            pool = made.pools[lock.id] = Pool(lock.id, PoolKind.LOCK)
            made.cells[pool.key(MUG), Bucket.FREE] = lock.quantity - lock.waiting
    return made


ALL = ("requested", "approved", "active")


def test_nothing_is_too_much_without_a_limit() -> None:
    assert too_much(books(0), LockLimit(), row(status="requested", quantity=10**9), ALL) == ""


@given(free=st.integers(0, 100), own=st.integers(1, 50), share=st.integers(1, 100), wanted=st.integers(1, 120))
def test_a_share_is_of_what_is_free_and_of_what_the_requester_has(free: int, own: int, share: int, wanted: int) -> None:
    asked = row(2, status="requested", quantity=wanted)
    said = too_much(books(free, row(1, quantity=own)), LockLimit(share=share), asked, ALL)
    assert bool(said) is ((own + wanted) * 100 > (free + own) * share)


def test_locks_of_others_floors_other_items_and_ended_ones_do_not_count() -> None:
    others = [
        row(1, requested_by="user:9"), row(3, item_id=6), row(4, status="closed"),
        row(5, standing=True, type="channel", store_id=7),
    ]  # fmt: skip
    made = books(10, *others)
    assert too_much(made, LockLimit(share=100), row(2, status="requested", quantity=10), ALL) == ""


def test_a_request_counts_only_where_requests_are_counted() -> None:
    made = books(10, row(1, status="requested", quantity=6))
    asked = row(2, status="requested", quantity=5)
    assert "would have 11 units" in too_much(made, LockLimit(share=100), asked, ALL)
    assert too_much(made, LockLimit(share=100), asked, ("approved", "active")) == ""


# ---- the report


def view(**told: Any) -> LockView:
    values: dict[str, Any] = {
        "id": 1, "key": "fair", "type": "business", "status": "active", "sku": "mug", "grade": "good", "quantity": 10,
        "waiting": 0, "free": 10, "reserved": 0, "sold": 0, "consumed": 0, "priority": 0, "owner": "", "account": "",
        "store": "", "warehouse": "", "pure": False, "overflow": "yes", "standing": False, "starts_at": None,
        "expires_at": None, "requested_by": "user:1", "requested_at": at(0) - 9 * DAY, "decided_by": "user:2",
        "decided_at": at(0) - 8 * DAY, "moved_at": at(0) - 8 * DAY, "reason": "", "migrated_from": "",
    }  # fmt: skip
    return LockView(**{**values, **told})


def test_a_lock_that_nobody_touched_is_idle_after_as_many_days_as_asked() -> None:
    assert [line_of(view(), at(0), days, 7).idle for days in (7, 8, 9)] == [10, 10, 0]


@pytest.mark.parametrize("told", [{"standing": True}, {"status": "requested"}, {"moved_at": None}, {"free": 0}])
def test_what_is_not_idle(told: dict[str, Any]) -> None:
    assert line_of(view(**told), at(0), 7, 7).idle == 0


def test_age_counts_from_the_beginning() -> None:
    later = view(starts_at=at(0) - 2 * DAY)
    asked = view(status="requested", decided_at=None)
    assert [line_of(one, at(0), 7, 7).age_days for one in (view(), later, asked)] == [8, 2, 9]


def test_fill_is_what_a_lock_has_got_of_what_it_is_for() -> None:
    assert [view(waiting=n).fill for n in (0, 3, 10)] == [100, 70, 0]
    assert replace(view(), status="requested", decided_at=None).fill == 0


def test_notes_say_what_to_do() -> None:
    def notes(**told: Any) -> list[str]:
        return list(line_of(view(moved_at=at(0), **told), at(0), 7, 7).notes)

    assert notes() == []
    (ends,) = notes(expires_at=at(0) + 3 * DAY)
    assert ends == "ends in 3 days: `holdfast lock change fair --until DAY` extends it"
    assert "ends today" in notes(expires_at=at(60))[0]
    assert notes(expires_at=at(0) + 8 * DAY) == []
    (used,) = notes(free=0, sold=10)
    assert used.startswith("used up")
    (waits,) = notes(free=4, waiting=6)
    assert waits.startswith("waits for 6 units")
    (asked,) = notes(status="requested", free=0, decided_at=None)
    assert "waits for a decision for 9 days" in asked


# ---- times to come

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("2026-12-24T14:30", datetime(2026, 12, 24, 14, 30, tzinfo=BERLIN)),
        ("2026-12-24T14:30+00:00", datetime(2026, 12, 24, 14, 30, tzinfo=UTC)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=BERLIN)),
        ("30d", NOW + 30 * DAY),
        (" 2 h ", NOW + timedelta(hours=2)),
    ],
)
def test_times_to_come_are_read(words: str, meant: datetime) -> None:
    assert read_coming(words, NOW, BERLIN) == meant


def test_an_end_on_a_day_is_the_end_of_that_day() -> None:
    assert read_coming("2027-03-28", NOW, BERLIN, day_ends=True) == datetime(2027, 3, 29, tzinfo=BERLIN)
    assert read_coming("2026-11-22", NOW, BERLIN, day_ends=True) == datetime(2026, 11, 23, tzinfo=BERLIN)


@pytest.mark.parametrize("words", ["", "soon", "2026-11-22", "2026-11-22T12:59", "0d", "9999-12-31", "9999999d"])
def test_what_is_no_time_to_come_is_refused(words: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_coming(words, NOW, BERLIN, day_ends=words.startswith("9999"))

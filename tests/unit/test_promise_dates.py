"""When those who wait have their goods, by hand and against a plain model."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sales.backorders import Rank, Want
from core.sales.promise_dates import Due, Known, Supply, changes, due_dates, why
from core.sales.waiting import NO_LIMIT, Policy, most_waiting
from tests.builders import at, promise

DAY = date(2040, 5, 1)


def want(want_id: int, units: int) -> Want:
    return Want(Rank.PAID, 0, at(want_id), want_id, units)


def supply(units: int, days: int, reference: str = "") -> Supply:
    return Supply(units, DAY + timedelta(days=days), reference or f"PO-{days}")


def days(found: dict[int, Due | None]) -> dict[int, int | None]:
    return {one: None if due is None else (due.on - DAY).days for one, due in found.items()}


def test_supply_is_handed_out_in_the_order_in_which_those_who_wait_are_served() -> None:
    found = due_dates([want(1, 4), want(2, 3), want(3, 5)], [supply(5, 2), supply(4, 9)])
    assert days(found) == {1: 2, 2: 9, 3: None}


def test_a_want_is_due_when_its_last_unit_comes() -> None:
    assert days(due_dates([want(1, 9)], [supply(5, 2), supply(3, 4), supply(1, 6)])) == {1: 6}


def test_a_supply_that_is_used_up_to_the_last_unit_leaves_nothing_for_the_next() -> None:
    assert days(due_dates([want(1, 5), want(2, 1)], [supply(5, 2), supply(1, 3)])) == {1: 2, 2: 3}


def test_without_supply_nobody_has_a_date() -> None:
    assert due_dates([want(1, 1)], []) == {1: None}


@given(st.lists(st.integers(1, 9), max_size=8), st.lists(st.integers(1, 9), max_size=6))
def test_each_unit_is_due_when_it_comes(wants: list[int], supplies: list[int]) -> None:
    """The model hands out one unit after the other."""
    units = [day for day, n in enumerate(supplies) for _ in range(n)]
    expected: dict[int, int | None] = {}
    taken = 0
    for nth, n in enumerate(wants):
        taken += n
        expected[nth] = units[taken - 1] if taken <= len(units) else None
    turn = [want(nth, n) for nth, n in enumerate(wants)]
    assert days(due_dates(turn, [supply(n, day) for day, n in enumerate(supplies)])) == expected


@pytest.mark.parametrize(
    ("was", "was_by", "becomes", "by", "is_first", "said"),
    [
        (None, "", DAY, "PO-7", True, "PO-7 brings it"),
        (DAY, "PO-7", DAY + timedelta(days=2), "PO-7", False, "PO-7 comes later"),
        (DAY, "PO-7", DAY - timedelta(days=2), "PO-7", False, "PO-7 comes earlier"),
        (DAY, "PO-7", DAY + timedelta(days=2), "PO-8", False, "PO-8 brings it now, no longer PO-7"),
        (DAY, "PO-7", None, "", False, "PO-7 does not bring it, and nothing else is expected"),
        (None, "", DAY, "PO-9", False, "PO-9 brings it after all"),
    ],
)
def test_a_change_says_why(
    was: date | None, was_by: str, becomes: date | None, by: str, is_first: bool, said: str
) -> None:
    assert why(was, was_by, becomes, by, is_first=is_first) == said


def test_a_date_is_that_of_the_goods_and_the_days_to_handle_them() -> None:
    row = promise(4, waiting=2, wanted=2)
    (told,) = changes({4: (row, Due(DAY, "PO-7"))}, {}, 2, at(0))
    assert told[:6] == (4, 1, 1, None, DAY + timedelta(days=2), "PO-7")


def test_only_what_changed_is_noted() -> None:
    row = promise(4, waiting=2, wanted=2)
    known = {4: Known(DAY + timedelta(days=2), "PO-7", 3)}
    assert changes({4: (row, Due(DAY, "PO-8"))}, known, 2, at(0)) == []
    (told,) = changes({4: (row, None)}, known, 2, at(0))
    assert told[1:5] == (4, 1, DAY + timedelta(days=2), None)


def test_the_nearest_policy_and_the_nearest_limit_hold() -> None:
    assert most_waiting([]) == 0
    assert most_waiting([Policy("yes")]) == NO_LIMIT
    assert most_waiting([Policy("yes"), Policy("no", 5)]) == 5
    assert most_waiting([Policy(None, 3), Policy("notify", 9)]) == 3
    assert most_waiting([Policy("no", 3), Policy("yes", 9)]) == 0

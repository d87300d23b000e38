"""What would make a number another one: every way that is named leads there, by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model import Sharing
from core.selling.availability import Facts, Part, Reach, Source, number_to_write
from core.selling.rulebook import Backorder, Rules
from core.selling.what_if import received, what_would_make
from tests.unit.test_availability import FACTS, facts, plain, ruled


def words(told: Facts, number: int) -> list[str]:
    return [change.words for change in what_would_make(told, number).changes]


@given(FACTS, st.integers(0, 300))
def test_every_way_leads_to_the_number_and_where_there_is_none_it_is_said_why(told: Facts, number: int) -> None:
    ways = what_would_make(told, number)
    assert [number_to_write(change.facts) for change in ways.changes] == [number] * len(ways.changes)
    assert bool(ways.reason) != bool(ways.changes)
    assert all(change.words and change.was != change.becomes for change in ways.changes)


@given(facts(), st.integers(0, 300))
def test_no_smaller_receipt_leads_there(told: Facts, number: int) -> None:
    for change in what_would_make(told, number).changes:
        if change.what == "receive" and isinstance(change.becomes, int):
            assert number_to_write(received(told, change.becomes - 1)) != number


def test_a_number_that_is_there_already_needs_nothing() -> None:
    assert what_would_make(plain(5), 5).reason == "it is 5 already"


def test_a_number_beyond_all_stock_is_not_looked_for() -> None:
    assert what_would_make(plain(5), 10**12).reason == "nothing is looked for beyond 1,000,000,000"


@pytest.mark.parametrize(
    ("told", "number", "expected"),
    [
        (plain(5), 8, "receive 3 units"),
        (plain(5, safety_stock=3), 4, "lower the safety stock from 3 to 1"),
        (ruled(5, buffer=3), 5, "lower the buffer from 3 to 0"),
        (ruled(10, share=50), 8, "raise the share from 50 % to 80 %"),
        (ruled(20, cap=10), 12, "raise the cap from 10 to 12"),
        (plain(5), 9, "let up to 4 units wait (backorder yes, limit 4)"),
        (plain(5), 2, "set a cap of 2"),
        (plain(5), 0, "raise the safety stock from 0 to 5"),
        (ruled(20, cap=10), 7, "lower the cap from 10 to 7"),
        (Facts(6, sources=(Source("VIP", "lock", 4, Reach.OTHER),)), 9, "release 3 units of lock VIP"),
        (Facts(0, waiting=2), 3, "receive 5 units"),
        (
            Facts(4, sharing=Sharing.ESCROW, sharers=2),
            4,
            "show all units in every store instead of dealing them out; the last ones may then be sold twice",
        ),
        (
            Facts(0, parts=(Part("CUP", 1, Facts(2)), Part("SAUCER", 2, Facts(3)), Part("BOX", 1, Facts(90)))),
            4,
            "receive 2 of CUP and 5 of SAUCER",
        ),
    ],
)
def test_a_single_change_is_named_as_a_merchant_would_say_it(told: Facts, number: int, expected: str) -> None:
    assert expected in words(told, number)


def test_two_hindrances_are_both_named_when_nothing_alone_helps() -> None:
    ways = what_would_make(ruled(7, cap=5), 20)
    assert ways.changes == ()
    assert ways.reason == "more than one thing stands in the way: the cap of 5, and without it there are only 7"


def test_a_store_that_hides_more_than_asked_for_cannot_show_less() -> None:
    assert "unpaid orders of the store itself hold 4" in what_would_make(plain(5, hidden=4), 3).reason


def test_units_that_wait_are_served_before_any_are_free() -> None:
    told = Facts(0, rules=Rules(backorder=Backorder.YES, backorder_limit=4), waiting=3)
    assert received(told, 2) == replace(told, waiting=1)
    assert received(told, 5) == replace(told, waiting=0, free=2)

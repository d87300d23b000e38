"""Which count stands, which items sell most, and when somebody has to approve: without a database."""

from datetime import timedelta

import pytest

from core.stocktake.classes import by_value, classes
from core.stocktake.papers import COUNTED, RECOUNT, UNCOUNTED, Count, Limit, settle
from tests.builders import NOON


def count(revision: int, counted: int, book: int = 10, counter: str = "") -> Count:
    return Count(revision, counter or f"c{revision}", counted, book, NOON + timedelta(minutes=revision), 0)


def test_what_nobody_counted_has_no_count() -> None:
    assert settle([]) == (UNCOUNTED, None)


def test_one_counter_is_believed() -> None:
    assert settle([count(1, 3)]) == (COUNTED, count(1, 3))


def test_two_counters_agree_when_they_find_the_same_difference_whenever_they_counted() -> None:
    assert settle([count(1, 9, book=10), count(2, 6, book=7)]) == (COUNTED, count(2, 6, book=7))


@pytest.mark.parametrize("others", [[3], [3, 4], [3, 3]])
def test_a_newest_count_that_nobody_agrees_with_asks_for_another(others: list[int]) -> None:
    counts = [count(n, counted) for n, counted in enumerate(others, start=1)]

    assert settle([*counts, count(9, 8)]) == (RECOUNT, None)


def test_the_newest_count_stands_as_soon_as_one_other_agrees() -> None:
    assert settle([count(1, 3), count(2, 8), count(3, 8)]) == (COUNTED, count(3, 8))


def test_the_order_in_which_counts_are_given_says_nothing() -> None:
    counts = [count(3, 8), count(1, 3), count(2, 8)]

    assert settle(counts) == settle(reversed(counts))


def test_items_are_classed_by_how_much_of_all_sales_they_make() -> None:
    assert classes({1: 80, 2: 10, 3: 5, 4: 5, 5: 0}) == {1: "A", 2: "B", 3: "B", 4: "C", 5: "C"}


def test_without_sales_all_items_are_of_the_last_class() -> None:
    assert classes({1: 0, 2: 0}) == {1: "C", 2: "C"}


def test_one_item_that_sells_everything_is_of_the_first_class() -> None:
    assert classes({1: 7}) == {1: "A"}


def test_by_value_few_dear_items_come_before_many_cheap_ones() -> None:
    each = {1: {"EUR": 1}, 2: {"EUR": 100}, 3: {"EUR": 10}}

    assert by_value({1: 50, 2: 10, 3: 10, 4: 1000}, each) == {1: "C", 2: "A", 3: "B", 4: "C"}


def test_each_currency_has_classes_of_its_own_and_an_item_the_best_that_it_has() -> None:
    each = {1: {"EUR": 1000}, 2: {"EUR": 1, "USD": 1}, 3: {"USD": 0}}

    assert by_value({1: 10, 2: 10, 3: 10}, each) == {1: "A", 2: "A", 3: "C"}


@pytest.mark.parametrize(
    ("limit", "varies", "book", "exceeded"),
    [
        (Limit(), 10**9, 1, False),
        (Limit(units=5), 5, 100, False),
        (Limit(units=5), 6, 100, True),
        (Limit(percent=2), 2, 100, False),
        (Limit(percent=2), 3, 100, True),
        (Limit(percent=2), 1, 0, True),
        (Limit(units=0, percent=0), 0, 0, False),
        (Limit(units=100, percent=1), 2, 100, True),
    ],
)
def test_a_limit_is_exceeded_by_more_than_it_says(limit: Limit, varies: int, book: int, exceeded: bool) -> None:
    assert limit.exceeded(varies, book) is exceeded

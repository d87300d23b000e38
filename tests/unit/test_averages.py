"""What units cost on average, as they come, leave and are taken back."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.goods import averages
from core.goods.averages import Share


def eur(units: int, average: str) -> Share:
    return Share("EUR", units, Decimal(average))


UNKNOWN = Share("", 4)


def test_the_average_is_that_of_what_is_there_and_what_comes() -> None:
    assert averages.come((eur(10, "100"),), (eur(30, "200"),)) == (eur(40, "175.000000"),)


def test_each_currency_is_a_part_of_its_own() -> None:
    dollars = Share("USD", 1, Decimal(90))
    assert averages.come((UNKNOWN, eur(1, "100")), (dollars,)) == (UNKNOWN, eur(1, "100"), dollars)


def test_the_oldest_part_leaves_first_and_its_average_stays() -> None:
    shares = (UNKNOWN, eur(10, "100"))

    assert averages.settled(shares, 11) == (Share("", 1), eur(10, "100"))
    assert averages.settled(shares, 3) == (eur(3, "100"),)
    assert averages.settled(shares, 0) == ()


def test_what_comes_without_a_word_costs_like_the_newest() -> None:
    assert averages.settled((UNKNOWN, eur(10, "100")), 16) == (UNKNOWN, eur(12, "100"))
    assert averages.settled((), 3) == (Share("", 3),)


def test_a_cost_taken_back_leaves_the_average_that_was() -> None:
    before = (UNKNOWN, eur(10, "100"))
    after = averages.come(before, (eur(30, "900"),))

    assert averages.taken_back(after, eur(30, "900")) == (UNKNOWN, eur(10, "100.000000"))


def test_more_taken_back_than_is_left_leaves_nothing_below_nothing() -> None:
    assert averages.taken_back((eur(2, "100"),), eur(5, "100")) == ()
    assert averages.taken_back((eur(5, "10"),), eur(2, "100")) == (eur(3, "0.000000"),)


parts = st.lists(
    st.tuples(st.sampled_from(["", "EUR", "USD"]), st.integers(1, 50), st.integers(0, 999)), max_size=3,
    unique_by=lambda one: one[0],
)  # fmt: skip


@given(parts, st.integers(0, 200))
def test_what_is_taken_and_what_stays_is_the_whole(told: list[tuple[str, int, int]], units: int) -> None:
    shares = tuple(Share(currency, n, Decimal(average if currency else 0)) for currency, n, average in told)

    gone, left = averages.taken(shares, units), averages.without(shares, units)

    assert averages.units_of(gone) == min(units, averages.units_of(shares))
    assert sum(one.value for one in (*gone, *left)) == sum(one.value for one in shares)
    assert averages.read(averages.as_json(left)) == left

"""Who is served first when units come free."""

from hypothesis import given
from hypothesis import strategies as st

from core.backorders import decide_fill
from core.books import PromiseRow
from tests.builders import at, promise

WAITING = st.lists(
    st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 50)),
    max_size=12,
).map(
    lambda rows: [
        promise(n, waiting=units, wanted=units, deducted=paid, promised_at=at(seconds))
        for n, (units, paid, seconds) in enumerate(rows, start=1)
    ]
)


def test_paid_demand_goes_before_older_unpaid_demand() -> None:
    old = promise(1, waiting=2, wanted=2, promised_at=at(0))
    paid = promise(2, waiting=2, wanted=2, promised_at=at(60), deducted=True)
    assert decide_fill(3, [old, paid]) == [(paid, 2), (old, 1)]


def test_among_paid_demand_the_oldest_goes_first() -> None:
    late = promise(1, waiting=1, wanted=1, promised_at=at(60), deducted=True)
    early = promise(2, waiting=1, wanted=1, promised_at=at(0), deducted=True)
    assert decide_fill(1, [late, early]) == [(early, 1)]


def test_nothing_free_serves_nobody() -> None:
    assert decide_fill(0, [promise(1, waiting=3, wanted=3)]) == []


@given(free=st.integers(0, 60), waiting=WAITING)
def test_units_are_dealt_until_they_or_the_demand_run_out(free: int, waiting: list[PromiseRow]) -> None:
    dealt = decide_fill(free, waiting)
    assert sum(units for _, units in dealt) == min(free, sum(p.waiting for p in waiting))
    assert all(1 <= units <= p.waiting for p, units in dealt)
    assert len({p.id for p, _ in dealt}) == len(dealt)


@given(free=st.integers(0, 60), waiting=WAITING)
def test_at_most_one_promise_is_served_in_part_and_it_is_the_last(free: int, waiting: list[PromiseRow]) -> None:
    dealt = decide_fill(free, waiting)
    assert all(units == p.waiting for p, units in dealt[:-1])


@given(free=st.integers(0, 60), waiting=WAITING, seed=st.randoms())
def test_the_order_of_asking_does_not_matter(free: int, waiting: list[PromiseRow], seed: object) -> None:
    shuffled = list(waiting)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis' own Random
    assert decide_fill(free, shuffled) == decide_fill(free, waiting)

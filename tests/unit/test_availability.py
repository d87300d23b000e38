"""The number one listing shows, and that the explanation is the computation."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.availability import Facts, explain, number_to_write, steps

FACTS = st.builds(
    Facts,
    free=st.integers(0, 10_000),
    safety_stock=st.integers(0, 100),
    pack_size=st.integers(1, 24),
    hidden=st.integers(0, 50),
    sharers=st.just(4),
    place=st.integers(0, 3),
    largest=st.integers(0, 500),
)


@pytest.mark.parametrize(
    ("facts", "number"),
    [
        (Facts(free=12, safety_stock=0, pack_size=1, hidden=0), 12),
        (Facts(free=12, safety_stock=5, pack_size=1, hidden=0), 7),
        (Facts(free=3, safety_stock=5, pack_size=1, hidden=0), 0),
        (Facts(free=17, safety_stock=0, pack_size=6, hidden=0), 2),
        (Facts(free=17, safety_stock=6, pack_size=6, hidden=0), 1),
        (Facts(free=0, safety_stock=0, pack_size=1, hidden=4), 4),
        (Facts(free=17, safety_stock=5, pack_size=6, hidden=3), 5),
    ],
)
def test_the_number_to_write_follows_from_the_facts(facts: Facts, number: int) -> None:
    assert number_to_write(facts) == number


@given(FACTS)
def test_a_store_never_shows_more_to_shoppers_than_is_free(facts: Facts) -> None:
    for_shoppers = number_to_write(facts) - facts.hidden
    assert 0 <= for_shoppers * facts.pack_size <= facts.free


@given(FACTS)
def test_hidden_units_are_added_one_for_one(facts: Facts) -> None:
    seen = replace(facts, hidden=0)
    assert number_to_write(facts) == number_to_write(seen) + facts.hidden


@given(FACTS, st.integers(0, 100))
def test_more_free_units_never_show_less(facts: Facts, more: int) -> None:
    richer = replace(facts, free=facts.free + more)
    assert number_to_write(richer) >= number_to_write(facts)


@given(FACTS)
def test_the_explanation_tells_each_step_that_was_taken(facts: Facts) -> None:
    walked = steps(facts)
    assert walked[-1].number == number_to_write(facts)
    assert all(step.why in explain(facts) for step in walked)
    assert len({step.name for step in walked}) == len(walked)


def test_a_plain_listing_is_explained_without_idle_steps() -> None:
    assert [step.name for step in steps(Facts(9, 0, 1, 0))] == ["free", "sellable"]


def test_every_rule_that_bites_is_named() -> None:
    assert [step.name for step in steps(Facts(9, 1, 2, 3))] == ["free", "safety_stock", "pack", "sellable", "platform"]


@given(st.integers(0, 500), st.integers(2, 5), st.integers(0, 60))
def test_stores_never_show_more_together_than_is_free_once_it_is_dealt_out(
    free: int, sharers: int, largest: int
) -> None:
    stores = [Facts(free, 0, 1, 0, sharers=sharers, place=place, largest=largest) for place in range(sharers)]
    shown = [number_to_write(one) for one in stores]
    if stores[0].deep:
        assert shown == [free] * sharers
    else:
        assert sum(shown) == free
        assert max(shown) - min(shown) <= 1


@pytest.mark.parametrize(
    ("free", "largest", "shown"),
    [(36, 6, 36), (35, 6, 12), (6, 0, 6), (5, 0, 2), (1, 1, 1), (0, 9, 0)],
)
def test_the_first_of_three_stores_shows_all_while_two_of_the_largest_orders_fit_each(
    free: int, largest: int, shown: int
) -> None:
    assert number_to_write(Facts(free, 0, 1, 0, sharers=3, place=0, largest=largest)) == shown


def test_a_store_that_sells_alone_shows_the_last_unit() -> None:
    assert number_to_write(Facts(1, 0, 1, 0, sharers=1, largest=50)) == 1

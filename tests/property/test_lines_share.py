"""How the lines of one order share its units: nothing is lost, what leaves comes first, and the past does not count."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.orders.between_lines import Claim, Drawn, deal, keep

PLACES = [Drawn(11, None), Drawn(12, None), Drawn(12, 13), Drawn(13, 13)]
Units = dict[Drawn, int]
claims_of = st.lists(
    st.builds(lambda ships, rest: Claim(ships, ships + rest), st.integers(0, 4), st.integers(0, 4)), max_size=5
)
units_of = st.tuples(*[st.integers(0, 6) for _ in PLACES]).map(lambda there: dict(zip(PLACES, there, strict=True)))


def held(dealt: list[Counter[Drawn]]) -> Counter[Drawn]:
    return sum(dealt, Counter[Drawn]())


@given(claims=claims_of, units=units_of)
def test_everybody_gets_as_much_as_there_is_and_nobody_more_than_they_want(claims: list[Claim], units: Units) -> None:
    dealt = deal(claims, units)
    assert all(got.total() <= claim.need for got, claim in zip(dealt, claims, strict=True))
    assert all(held(dealt)[place] <= there for place, there in units.items())
    assert held(dealt).total() == min(sum(claim.need for claim in claims), sum(units.values()))


@given(claims=claims_of, units=units_of)
def test_what_leaves_is_served_before_what_stays_and_the_first_line_before_the_next(
    claims: list[Claim], units: Units
) -> None:
    dealt, left = deal(claims, units), sum(units.values())
    for claim, got in zip(claims, dealt, strict=True):
        served = min(claim.ships, left)
        left -= served
        assert got.total() >= served
    for claim, got in zip(claims, dealt, strict=True):
        extra = max(got.total() - claim.ships, 0)
        assert extra == min(claim.need - claim.ships, left)
        left -= extra


@given(claims=claims_of, units=units_of)
def test_places_are_used_up_in_turn(claims: list[Claim], units: Units) -> None:
    used = held(deal(claims, units))
    spent = [used[place] == there for place, there in units.items()]
    touched = [used[place] > 0 for place in units]
    for n, is_touched in enumerate(touched):
        assert not is_touched or all(spent[:n])


@given(claims=claims_of, units=units_of)
def test_what_is_left_after_a_shipment_is_dealt_as_if_nothing_had_shipped_before(
    claims: list[Claim], units: Units
) -> None:
    """Or else the end of an order would depend on how many of its states were heard of."""
    dealt = deal(claims, units)
    after = [+(got - _first(got, claim.ships)) for got, claim in zip(dealt, claims, strict=True)]
    stay = [Claim(0, claim.need - claim.ships) for claim in claims]
    left = held(after)
    assert deal(stay, {place: left[place] for place in units}) == after


def _first(got: Counter[Drawn], units: int) -> Counter[Drawn]:
    """What is sent of it: of the places in turn."""
    sent: Counter[Drawn] = Counter()
    for place in PLACES:
        sent[place] = min(got[place], units)
        units -= sent[place]
    return sent


@given(data=st.data(), claims=claims_of)
def test_what_nobody_wants_stays_with_who_has_it(data: st.DataObject, claims: list[Claim]) -> None:
    before = [Counter(data.draw(units_of)) for _ in claims]
    total = held(before)
    dealt = deal(claims, {place: total[place] for place in PLACES})
    wanted = [got.copy() for got in dealt]
    keep(dealt, before)
    assert held(dealt) == total
    for got, had, asked in zip(dealt, before, wanted, strict=True):
        assert all(got[place] <= max(had[place], asked[place]) for place in PLACES)

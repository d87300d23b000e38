"""Random orders, stock, rules and rates: what holds for every route, and what each strategy promises."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from core.dispatch import recorded
from core.dispatch.destinations import Destination, Region
from core.dispatch.model import Exclusion, Line, Part, Route, Supply, Why, units_by_line
from core.dispatch.strategies import every, named
from core.dispatch.terms import Effect, Rate, Rule, Terms
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse
from tests.routing_parts import NOW, route, warehouse

THINGS = [Stocked(n) for n in range(1, 5)]
WEIGHTS = dict(zip(THINGS, (200, 700, 1_500, 4_000), strict=True))
PLACES = range(1, 6)
REGIONS = [Region(1, "south", [Destination("DE", "BY")]), Region(2, "all", [Destination("DE")])]
TO = [Destination("DE", "BY", "80"), Destination("DE", "HH"), Destination("FR")]
NAMES = [one.name for one in every()]

units = st.integers(0, 4)


@st.composite
def plain_lines(draw: st.DrawFn) -> list[Line]:
    things = draw(st.lists(st.sampled_from(THINGS), min_size=1, max_size=4))
    return [
        Line(n, [Part(thing, draw(st.integers(1, 4)), weight_g=WEIGHTS[thing])])
        for n, thing in enumerate(things, start=1)
    ]


@st.composite
def bundle(draw: st.DrawFn, line_id: int) -> Line:
    """One to three bundles of two or three things."""
    things = draw(st.lists(st.sampled_from(THINGS), min_size=2, max_size=3, unique=True))
    number = draw(st.integers(1, 3))
    return Line(
        line_id,
        [
            Part(thing, number * each, each, WEIGHTS[thing])
            for thing, each in zip(things, draw(st.lists(st.integers(1, 2), min_size=3, max_size=3)), strict=False)
        ],
    )


@st.composite
def any_part(draw: st.DrawFn, thing: Stocked) -> Part:
    pinned = draw(st.dictionaries(st.sampled_from(PLACES), st.integers(1, 3), max_size=2))
    return Part(thing, draw(units), draw(st.integers(1, 2)), WEIGHTS[thing], draw(units), draw(units), pinned)


@st.composite
def any_lines(draw: st.DrawFn) -> list[Line]:
    """Whatever can be: bundles, locks, presales, what waits, lines of which a part has gone before."""
    found = []
    for line_id in range(draw(st.integers(1, 4))):
        things = draw(st.lists(st.sampled_from(THINGS), min_size=1, max_size=3, unique=True))
        found.append(Line(line_id, [draw(any_part(thing)) for thing in things]))
    return found


@st.composite
def supplies(draw: st.DrawFn, most: int = 4) -> Supply:
    table = st.dictionaries(
        st.sampled_from(THINGS), st.dictionaries(st.sampled_from(PLACES), st.integers(0, most), max_size=5)
    )
    return Supply(draw(table), draw(table), draw(st.dictionaries(st.sampled_from(PLACES), st.integers(0, 3))))


def full_supplies(most: int) -> st.SearchStrategy[Supply]:
    """Something of everything nearly everywhere."""
    by_place = st.fixed_dictionaries({place: st.integers(0, most) for place in PLACES})
    return st.builds(Supply, st.fixed_dictionaries(dict.fromkeys(THINGS, by_place)))


@st.composite
def warehouses(draw: st.DrawFn) -> list[Warehouse]:
    return [
        warehouse(
            place,
            priority=draw(st.integers(0, 3)),
            paused=draw(st.integers(0, 5)) == 0,
            capacity_per_day=draw(st.sampled_from([None, None, 1, 3])),
            country="DE",
            subdivision=draw(st.sampled_from(["BY", "HH", ""])),
        )
        for place in PLACES
    ]


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    times = st.sampled_from([None, None, NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)])
    items = st.sampled_from([None, *(thing.item_id for thing in THINGS)])
    found = []
    for n in range(draw(st.integers(0, 5))):
        effect = draw(st.sampled_from(Effect))
        region = draw(st.sampled_from([1, 2] if effect is Effect.ONLY else [None, 1, 2]))
        found.append(Rule(n, effect, draw(st.sampled_from(PLACES)), draw(items), region, draw(times), draw(times)))
    return found


@st.composite
def rates(draw: st.DrawFn, least: int = 0) -> list[Rate]:
    """Often with gaps, so that some parcels have no price."""
    return [
        Rate(
            n,
            draw(st.sampled_from(["Post", "Van"])),
            draw(st.sampled_from([None, None, 1, 2])),
            draw(st.sampled_from([None, *PLACES])),
            draw(st.sampled_from([1_000, 5_000, 60_000])),
            draw(st.integers(0, 2_000)),
            "EUR",
        )
        for n in range(draw(st.integers(least, 8)))
    ]


exclusions = st.lists(
    st.builds(
        Exclusion,
        st.sampled_from(PLACES),
        st.sampled_from([Why.SHORT, Why.REJECTED, Why.PAUSED]),
        st.sampled_from([None, *THINGS]),
    ),
    max_size=2,
)


def may_serve(
    place: Warehouse, thing: Stocked, to: Destination, laid: Sequence[Rule], shut: Sequence[Exclusion], parcels: int
) -> bool:
    """The same question, asked rule by rule in the plainest words."""
    inside = {
        None: True, 1: (to.country, to.subdivision) == ("DE", "BY"), 2: to.country == "DE",
    }  # fmt: skip
    now = [
        rule
        for rule in laid
        if rule.item_id in (None, thing.item_id)
        and (rule.starts_at is None or rule.starts_at <= NOW)
        and (rule.ends_at is None or rule.ends_at > NOW)
    ]
    mine = [rule for rule in now if rule.warehouse_id == place.id]
    for item in (None, thing.item_id):
        regions = [rule.region_id for rule in mine if rule.effect is Effect.ONLY and rule.item_id == item]
        if regions and not any(inside[region] for region in regions):
            return False
    allowed = [rule.warehouse_id for rule in now if rule.effect is Effect.ALLOW and inside[rule.region_id]]
    return (
        not place.paused
        and not any(rule.effect is Effect.DENY and inside[rule.region_id] for rule in mine)
        and (not allowed or place.id in allowed)
        and not any(one.warehouse_id == place.id and one.stocked in (None, thing) for one in shut)
        and (place.capacity_per_day is None or parcels < place.capacity_per_day)
    )


def taken(found: Route, *, from_lock: bool) -> Mapping[tuple[int, Stocked], int]:
    counted: Counter[tuple[int, Stocked]] = Counter()
    for leg in found.legs:
        for pick in leg.picks:
            if pick.from_lock is from_lock:
                counted[leg.warehouse_id, pick.stocked] += pick.units
    return counted


@given(any_lines(), supplies(), warehouses(), rules(), exclusions, st.sampled_from(TO), rates())
def test_every_unit_goes_once_or_waits_and_only_from_where_it_may(
    lines: list[Line], supply: Supply, places: list[Warehouse], laid: list[Rule], shut: list[Exclusion],
    to: Destination, prices: list[Rate],
) -> None:  # fmt: skip
    asked: defaultdict[tuple[int, Stocked], int] = defaultdict(int)
    pinned: Counter[tuple[int, int, Stocked]] = Counter()
    for line in lines:
        for part in line.parts:
            asked[line.id, part.stocked] += part.units + part.waiting + part.presale + sum(part.pinned.values())
            pinned.update({(line.id, place, part.stocked): n for place, n in part.pinned.items()})
    by_id = {place.id: place for place in places}
    services = []
    for name in NAMES:
        found = route(
            lines, supply, places=places, terms=Terms(REGIONS, laid, prices), strategy=name, to=to, excluded=shut
        )

        assert units_by_line(found) == {key: n for key, n in asked.items() if n}
        for key, n in taken(found, from_lock=False).items():
            assert n <= supply.available[key[1]][key[0]]
        for key, n in taken(found, from_lock=True).items():
            assert n <= supply.locked[key[1]][key[0]]
        for leg in found.legs:
            place = by_id[leg.warehouse_id]
            for pick in leg.picks:
                assert pick.units > 0
                assert may_serve(place, pick.stocked, to, laid, shut, supply.parcels.get(place.id, 0))
                if pick.from_lock:
                    assert pick.units <= pinned[pick.line_id, leg.warehouse_id, pick.stocked]
        assert len({leg.warehouse_id for leg in found.legs}) == found.parcels
        assert {one.warehouse_id for one in found.reasons} == set(by_id)
        services.append({(line, thing): n for (line, thing), n in _sent_by_line(found).items()})
    assert all(one == services[0] for one in services)


def _sent_by_line(found: Route) -> Mapping[tuple[int, Stocked], int]:
    counted: Counter[tuple[int, Stocked]] = Counter()
    for leg in found.legs:
        for pick in leg.picks:
            counted[pick.line_id, pick.stocked] += pick.units
    return counted


@given(plain_lines(), supplies(), warehouses(), rules())
def test_what_waits_for_nobody_has_it_could_really_go_from_nowhere(
    lines: list[Line], supply: Supply, places: list[Warehouse], laid: list[Rule]
) -> None:
    found = route(lines, supply, places=places, terms=Terms(REGIONS, laid), to=TO[0])
    sent = taken(found, from_lock=False)
    for wait in found.waits:
        left = [
            supply.available.get(wait.stocked, {}).get(place.id, 0) - sent.get((place.id, wait.stocked), 0)
            for place in places
            if may_serve(place, wait.stocked, TO[0], laid, (), supply.parcels.get(place.id, 0))
        ]
        assert not any(left)


@given(plain_lines(), supplies() | full_supplies(3), warehouses())
def test_fewest_parcels_finds_the_least_number_there_is(
    lines: list[Line], supply: Supply, places: list[Warehouse]
) -> None:
    found = route(lines, supply, places=places, strategy="fewest_parcels")
    goes: Counter[Stocked] = Counter()
    for leg in found.legs:
        for pick in leg.picks:
            goes[pick.stocked] += pick.units
    open_ = [
        place.id for place in places if may_serve(place, THINGS[0], TO[0], (), (), supply.parcels.get(place.id, 0))
    ]

    def suffices(some: Sequence[int]) -> bool:
        return all(sum(supply.available.get(one, {}).get(place, 0) for place in some) >= n for one, n in goes.items())

    least = next(size for size in range(len(open_) + 1) if any(map(suffices, combinations(open_, size))))
    assert found.parcels == least


@given(any_lines(), supplies(), warehouses(), rules(), rates(), st.sampled_from(TO))
def test_no_strategy_is_worse_than_priority_at_what_it_is_for(
    lines: list[Line], supply: Supply, places: list[Warehouse], laid: list[Rule], prices: list[Rate], to: Destination
) -> None:
    terms = Terms(REGIONS, laid, prices)
    usual, fewest, cheapest = (
        route(lines, supply, places=places, terms=terms, strategy=name, to=to)
        for name in ("priority", "fewest_parcels", "cheapest")
    )
    assert fewest.parcels <= usual.parcels
    assert paid(cheapest) <= paid(usual)


def paid(found: Route) -> tuple[int, int]:
    """Parcels without a price first: nobody can say what they cost."""
    return sum(leg.cost is None for leg in found.legs), sum(leg.cost or 0 for leg in found.legs)


@given(plain_lines(), full_supplies(8), rates(least=4))
def test_cheapest_never_costs_more_than_one_parcel_from_anywhere_nor_after_moving_one_line(
    lines: list[Line], supply: Supply, prices: list[Rate]
) -> None:
    terms = Terms(REGIONS, (), prices)
    places = [warehouse(place) for place in PLACES]
    found = route(lines, supply, places=places, terms=terms, strategy="cheapest")
    outlook = terms.towards(TO[0])

    def pays(weights: Mapping[int, int]) -> tuple[int, int]:
        costs = [outlook.price(place, weight) for place, weight in weights.items()]
        return sum(one is None for one in costs), sum(one.cost for one in costs if one is not None)

    sent = taken(found, from_lock=False)
    goes: Counter[Stocked] = Counter()
    for (_, thing), n in sent.items():
        goes[thing] += n
    if goes:
        for place in PLACES:
            if all(supply.available.get(one, {}).get(place, 0) >= n for one, n in goes.items()):
                assert paid(found) <= pays({place: sum(WEIGHTS[one] * n for one, n in goes.items())})
    for leg in found.legs:
        for line_id in {pick.line_id for pick in leg.picks}:
            ((thing, n),) = [(pick.stocked, pick.units) for pick in leg.picks if pick.line_id == line_id]
            for to in set(PLACES) - {leg.warehouse_id}:
                if supply.available.get(thing, {}).get(to, 0) - sent.get((to, thing), 0) >= n:
                    weights = Counter({one.warehouse_id: one.weight_g for one in found.legs})
                    moved = n * WEIGHTS[thing]
                    weights[leg.warehouse_id] -= moved
                    weights[to] += moved
                    assert paid(found) <= pays({place: weight for place, weight in weights.items() if weight})


@given(bundle(1), full_supplies(4), warehouses(), rates(), st.sampled_from(NAMES))
def test_a_bundle_is_split_only_when_nobody_has_all_of_it(
    line: Line, supply: Supply, places: list[Warehouse], prices: list[Rate], name: str
) -> None:
    found = route([line], supply, places=places, terms=Terms(REGIONS, (), prices), strategy=name)
    open_ = [place.id for place in places if not place.paused and (place.capacity_per_day is None
             or supply.parcels.get(place.id, 0) < place.capacity_per_day)]  # fmt: skip

    def whole(units: Mapping[tuple[int, Stocked], int], place: int) -> int:
        return min(units.get((place, part.stocked), 0) // part.per_unit for part in line.parts)

    there = {(place, thing): n for thing, by_place in supply.available.items() for place, n in by_place.items()}
    sent = taken(found, from_lock=False)
    ordered = line.parts[0].units // line.parts[0].per_unit
    assert sum(whole(sent, place) for place in open_) == min(ordered, sum(whole(there, place) for place in open_))


@given(st.lists(plain_lines(), min_size=1, max_size=6), supplies(most=6), st.sampled_from(NAMES))
def test_orders_one_after_another_never_take_more_than_there_is(
    orders: list[list[Line]], supply: Supply, name: str
) -> None:
    there = {thing: dict(by_place) for thing, by_place in supply.available.items()}
    total: Counter[tuple[int, Stocked]] = Counter()
    for lines in orders:
        found = route(lines, supply, places=[warehouse(place) for place in PLACES], strategy=name)
        supply.take(found)
        total.update(taken(found, from_lock=False))
    assert all(n <= there[thing][place] for (place, thing), n in total.items())
    assert all(left >= 0 for by_place in supply.available.values() for left in by_place.values())


@given(any_lines(), supplies(), warehouses(), rules(), exclusions, exclusions, rates())
def test_what_is_kept_of_a_decision_and_read_again_is_the_same(
    lines: list[Line], supply: Supply, places: list[Warehouse], laid: list[Rule], shut: list[Exclusion],
    more: list[Exclusion], prices: list[Rate],
) -> None:  # fmt: skip
    terms = Terms(REGIONS, laid, prices)
    first = route(lines, supply, places=places, terms=terms, excluded=shut)
    found = route(lines, supply, places=places, terms=terms, excluded=more, earlier=first, strategy="cheapest")
    assert found.reasons[: len(first.reasons)] == list(first.reasons)
    assert {one for one in shut if one.why is not Why.PAUSED} <= set(found.excluded)
    assert recorded.legs_in(recorded.legs_out(found.legs)) == found.legs
    assert recorded.waits_in(recorded.waits_out(found.waits)) == found.waits
    assert recorded.reasons_in(recorded.reasons_out(found.reasons)) == found.reasons
    assert recorded.excluded_in(recorded.excluded_out(found.excluded)) == found.excluded
    weights = {thing.item_id: weight for thing, weight in WEIGHTS.items()}
    assert recorded.lines_in(recorded.lines_out(found.lines), weights) == found.lines


def test_all_strategies_are_played() -> None:
    assert set(NAMES) == {"priority", "closest", "cheapest", "fewest_parcels", "balance_stock"}
    assert all(named(name).says for name in NAMES)

"""Who sends what: what goes and what waits, each strategy, bundles, locks, and deciding again."""

from collections.abc import Mapping, Sequence

import pytest

from core.dispatch.destinations import Destination, Point, Region
from core.dispatch.filling import Plan, Task, fill
from core.dispatch.model import Exclusion, Line, Part, Verdict, Wait, Why
from core.dispatch.strategies import Figure, every, named, nominal_km
from core.dispatch.terms import Effect, Rate, Rule, Terms
from core.errors import Broken, NotFound
from core.stock import Stocked
from tests.routing_parts import CUP, MUG, POT, plain, route, sent, stock, warehouse, weighed

ALL = [one.name for one in every()]
SET = Line(9, [Part(CUP, 2, per_unit=2), Part(POT, 1)])


def whys(found: Sequence[Wait]) -> Mapping[Stocked, tuple[int, Why]]:
    return {wait.stocked: (wait.units, wait.why) for wait in found}


def test_priority_asks_the_highest_number_first_and_then_the_next() -> None:
    places = [warehouse(1, priority=1), warehouse(2, priority=5)]
    found = route([plain(1, MUG, 5)], stock({1: {MUG: 9}, 2: {MUG: 3}}), places=places)
    assert sent(found) == {2: {MUG: 3}, 1: {MUG: 2}}
    assert [leg.warehouse_id for leg in found.legs] == [2, 1]


def test_of_equal_priority_the_code_decides() -> None:
    places = [warehouse(1, code="ZURICH"), warehouse(2, code="AACHEN")]
    assert sent(route([plain(1, MUG, 1)], stock({1: {MUG: 1}, 2: {MUG: 1}}), places=places)) == {2: {MUG: 1}}


def test_fewest_parcels_takes_the_one_warehouse_that_has_all() -> None:
    supply = stock({1: {MUG: 1}, 2: {CUP: 1}, 3: {MUG: 1, CUP: 1}})
    lines = [plain(1, MUG, 1), plain(2, CUP, 1)]
    assert route(lines, supply).parcels == 2
    assert sent(route(lines, supply, strategy="fewest_parcels")) == {3: {MUG: 1, CUP: 1}}


def test_fewest_parcels_finds_two_where_taking_the_fullest_first_needs_three() -> None:
    # The fullest one has four of six, and what it leaves over nobody has together.
    things = [Stocked(n) for n in range(1, 7)]
    supply = stock(
        {
            1: dict.fromkeys(things[1:5], 1),
            2: dict.fromkeys(things[:3], 1),
            3: dict.fromkeys(things[3:], 1),
        }
    )
    lines = [plain(n, thing, 1) for n, thing in enumerate(things)]
    assert route(lines, supply).parcels == 3
    assert set(sent(route(lines, supply, strategy="fewest_parcels"))) == {2, 3}


def test_balance_stock_draws_on_who_has_the_largest_part() -> None:
    found = route([plain(1, MUG, 2)], stock({1: {MUG: 5}, 2: {MUG: 50}}), strategy="balance_stock")
    assert sent(found) == {2: {MUG: 2}}
    assert {one.warehouse_id: one.value for one in found.reasons} == {1: 90, 2: 909}


class TestClosest:
    places = (
        warehouse(1, country="DE", subdivision="HH", postal="20095", latitude=53.55, longitude=10.0, priority=9),
        warehouse(2, country="DE", subdivision="BY", postal="90402", latitude=49.45, longitude=11.08),
    )
    supply = stock({1: {MUG: 1}, 2: {MUG: 1}})

    def test_measures_from_the_middle_of_the_region(self) -> None:
        terms = Terms([Region(1, "munich", [Destination("DE", "BY", "80")], Point(48.14, 11.58))])
        found = route([plain(1, MUG, 1)], self.supply, places=self.places, terms=terms, strategy="closest")
        assert sent(found) == {2: {MUG: 1}}
        assert {one.warehouse_id: one.value for one in found.reasons} == {1: 612, 2: 150}

    def test_without_coordinates_goes_by_how_much_of_the_address_is_the_same(self) -> None:
        found = route([plain(1, MUG, 1)], self.supply, places=self.places, strategy="closest")
        assert sent(found) == {2: {MUG: 1}}
        far = route([plain(1, MUG, 1)], self.supply, places=self.places, strategy="closest", to=Destination("DE", "HH"))
        assert sent(far) == {1: {MUG: 1}}

    def test_takes_no_middle_of_a_country_for_what_is_known_better(self) -> None:
        terms = Terms([Region(1, "germany", [Destination("DE")], Point(53.5, 10.0))])
        found = route([plain(1, MUG, 1)], self.supply, places=self.places, terms=terms, strategy="closest")
        assert sent(found) == {2: {MUG: 1}}
        coarse = route(
            [plain(1, MUG, 1)], self.supply, places=self.places, terms=terms, strategy="closest", to=Destination("DE")
        )
        assert sent(coarse) == {1: {MUG: 1}}

    @pytest.mark.parametrize(
        ("to", "km"),
        [
            (Destination("DE", "BY", "904"), 30),
            (Destination("DE", "BY", "8"), 150),
            (Destination("DE", "", ""), 500),
            (Destination("AT", "BY", "904"), 3_000),
        ],
    )
    def test_a_distance_that_cannot_be_measured_has_a_number_all_the_same(self, to: Destination, km: int) -> None:
        assert nominal_km(to, self.places[1]) == km


class TestCheapest:
    def terms(self, *prices: tuple[int | None, int, int]) -> Terms:
        """By warehouse, heaviest parcel and cost."""
        return Terms(
            rates=[Rate(n, "Post", None, place, up_to, cost, "EUR") for n, (place, up_to, cost) in enumerate(prices)]
        )

    def test_one_parcel_from_the_cheap_one_before_the_one_of_priority(self) -> None:
        places = [warehouse(1, priority=9), warehouse(2)]
        supply = stock({1: {MUG: 1}, 2: {MUG: 1}})
        terms = self.terms((1, 1_000, 900), (2, 1_000, 400))
        found = route([plain(1, MUG, 1, weight_g=500)], supply, places=places, terms=terms, strategy="cheapest")
        assert (sent(found), found.cost) == ({2: {MUG: 1}}, 400)

    def test_two_light_parcels_where_one_heavy_one_costs_more(self) -> None:
        lines = [plain(1, MUG, 1, weight_g=900), plain(2, CUP, 1, weight_g=900)]
        supply = stock({1: {MUG: 1, CUP: 1}, 2: {CUP: 1}})
        terms = self.terms((None, 1_000, 400), (None, 2_000, 1_500))
        found = route(lines, supply, terms=terms, strategy="cheapest")
        assert (sent(found), found.cost) == ({1: {MUG: 1}, 2: {CUP: 1}}, 800)

    def test_lines_are_moved_one_by_one_as_long_as_that_saves_money(self) -> None:
        everything = {MUG: 1, CUP: 1, POT: 1}
        lines = [plain(n, thing, 1, weight_g=900) for n, thing in enumerate(everything)]
        supply = stock({1: everything, 2: everything, 3: everything})
        terms = self.terms((None, 1_000, 400), (None, 2_000, 1_500), (None, 3_000, 4_000))
        found = route(lines, supply, terms=terms, strategy="cheapest")
        assert (found.parcels, found.cost) == (3, 1_200)

    def test_a_price_that_nobody_knows_is_dearer_than_any(self) -> None:
        places = [warehouse(1, priority=9), warehouse(2)]
        supply = stock({1: {MUG: 1}, 2: {MUG: 1}})
        terms = self.terms((1, 1_000, 10), (2, 5_000, 99_999))
        found = route([plain(1, MUG, 1, weight_g=3_000)], supply, places=places, terms=terms, strategy="cheapest")
        assert (sent(found), found.cost) == ({2: {MUG: 1}}, 99_999)
        assert [one.value for one in found.reasons] == [None, 99_999]

    def test_what_nobody_weighed_is_told(self) -> None:
        lines = [plain(1, MUG, 1), plain(2, CUP, 1, weight_g=10)]
        found = route(lines, stock({1: {MUG: 1, CUP: 1}}), terms=self.terms((None, 1_000, 400)), strategy="cheapest")
        (leg,) = found.legs
        assert (leg.weight_g, leg.weighed, leg.cost) == (10, False, 400)


@pytest.mark.parametrize("strategy", ALL)
class TestWithAnyStrategy:
    def test_what_nobody_has_waits_and_the_rest_goes(self, strategy: str) -> None:
        found = route([plain(1, MUG, 5), plain(2, CUP, 1)], stock({1: {MUG: 3}, 2: {CUP: 1}}), strategy=strategy)
        assert sent(found) == {1: {MUG: 3}, 2: {CUP: 1}}
        assert whys(found.waits) == {MUG: (2, Why.NOWHERE)}

    def test_units_of_a_presale_and_those_owed_are_never_routed(self, strategy: str) -> None:
        lines = [plain(1, MUG, 1, presale=2, waiting=3)]
        found = route(lines, stock({1: {MUG: 99}}), strategy=strategy)
        assert sent(found) == {1: {MUG: 1}}
        assert {(wait.units, wait.why) for wait in found.waits} == {(2, Why.PRESALE), (3, Why.OWED)}

    def test_a_bundle_comes_from_the_warehouse_that_has_all_of_it(self, strategy: str) -> None:
        places = [warehouse(1, priority=9), warehouse(2, priority=8), warehouse(3)]
        supply = stock({1: {CUP: 9}, 2: {POT: 9}, 3: {CUP: 2, POT: 1}})
        assert sent(route([SET], supply, places=places, strategy=strategy)) == {3: {CUP: 2, POT: 1}}

    def test_a_bundle_comes_from_several_when_nobody_has_all_of_it(self, strategy: str) -> None:
        found = route([SET], stock({1: {CUP: 1}, 2: {CUP: 1, POT: 1}}), strategy=strategy)
        assert sent(found) == {1: {CUP: 1}, 2: {CUP: 1, POT: 1}}

    def test_each_of_several_bundles_stays_together(self, strategy: str) -> None:
        three = Line(9, [Part(CUP, 6, per_unit=2), Part(POT, 3)])
        found = route([three], stock({1: {CUP: 5, POT: 2}, 2: {CUP: 3, POT: 9}}), strategy=strategy)
        assert sent(found) in ({1: {CUP: 4, POT: 2}, 2: {CUP: 2, POT: 1}},)

    def test_a_missing_component_keeps_its_bundle_back_and_no_other(self, strategy: str) -> None:
        two = Line(9, [Part(CUP, 4, per_unit=2), Part(POT, 1, waiting=1)])
        found = route([two], stock({1: {CUP: 4, POT: 4}}), strategy=strategy)
        assert sent(found) == {1: {CUP: 2, POT: 1}}
        assert whys(found.waits) == {CUP: (2, Why.REST_OF_BUNDLE), POT: (1, Why.OWED)}

    def test_what_is_left_of_a_bundle_goes_when_the_rest_has_gone_before(self, strategy: str) -> None:
        rest = Line(9, [Part(CUP, 2, per_unit=2), Part(POT, 0)])
        found = route([rest], stock({1: {CUP: 2}}), strategy=strategy)
        assert (sent(found), found.waits) == ({1: {CUP: 2}}, [])

    def test_units_of_a_physical_lock_go_only_from_where_it_stands(self, strategy: str) -> None:
        places = [warehouse(1, priority=9), warehouse(2)]
        supply = stock({1: {MUG: 9}, 2: {MUG: 9}})
        supply.locked[MUG] = {2: 3}
        found = route([plain(1, MUG, 1, pinned={2: 3})], supply, places=places, strategy=strategy)
        assert sum(pick.units for leg in found.legs for pick in leg.picks if pick.from_lock) == 3
        assert all(leg.warehouse_id == 2 for leg in found.legs for pick in leg.picks if pick.from_lock)
        assert not found.waits

    def test_units_of_a_lock_in_a_paused_warehouse_wait(self, strategy: str) -> None:
        supply = stock({1: {MUG: 9}})
        supply.locked[MUG] = {2: 3}
        places = [warehouse(1), warehouse(2, paused=True)]
        found = route([plain(1, MUG, 0, pinned={2: 3})], supply, places=places, strategy=strategy)
        assert (found.legs, whys(found.waits)) == ([], {MUG: (3, Why.NOWHERE)})

    def test_every_warehouse_has_a_reason(self, strategy: str) -> None:
        places = [warehouse(1), warehouse(2), warehouse(3, paused=True), warehouse(4)]
        found = route([plain(1, MUG, 1)], stock({1: {MUG: 1}, 2: {MUG: 1}}), places=places, strategy=strategy)
        assert {one.warehouse_id for one in found.reasons} == {1, 2, 3, 4}
        assert {one.verdict for one in found.reasons if one.why is None} == {Verdict.CHOSEN, Verdict.NOT_NEEDED}

    def test_an_order_of_nothing_has_no_parcel(self, strategy: str) -> None:
        assert route([], stock({1: {MUG: 1}}), strategy=strategy).parcels == 0


class TestDecidingAgain:
    supply = stock({1: {MUG: 5, CUP: 5}, 2: {MUG: 5, CUP: 5}, 3: {MUG: 5, CUP: 5}})
    lines = (plain(1, MUG, 1), plain(2, CUP, 1))

    def test_who_was_short_is_asked_no_more_and_both_decisions_keep_their_reasons(self) -> None:
        first = route(self.lines, self.supply)
        again = route(self.lines, self.supply, excluded=[Exclusion(1, Why.SHORT)], earlier=first)
        assert (set(sent(first)), set(sent(again))) == ({1}, {2})
        assert (again.attempt, again.reasons[: len(first.reasons)]) == (2, list(first.reasons))
        assert {(one.attempt, one.warehouse_id, one.why) for one in again.reasons if one.why} == {(2, 1, Why.SHORT)}

    def test_a_third_decision_knows_who_was_short_the_first_time(self) -> None:
        second = route(
            self.lines, self.supply, excluded=[Exclusion(1, Why.SHORT)], earlier=route(self.lines, self.supply)
        )
        third = route(self.lines, self.supply, excluded=[Exclusion(2, Why.REJECTED, note="closed")], earlier=second)
        assert set(sent(third)) == {3}
        assert {one.attempt for one in third.reasons} == {1, 2, 3}

    def test_who_was_paused_is_asked_again_once_it_goes_on(self) -> None:
        second = route(
            self.lines, self.supply, excluded=[Exclusion(1, Why.PAUSED)], earlier=route(self.lines, self.supply)
        )
        assert set(sent(second)) == {2}
        assert set(sent(route(self.lines, self.supply, earlier=second))) == {1}

    def test_who_is_short_of_one_thing_still_sends_the_other(self) -> None:
        found = route(self.lines, self.supply, excluded=[Exclusion(1, Why.SHORT, MUG)])
        assert sent(found) == {1: {CUP: 1}, 2: {MUG: 1}}


def test_what_one_order_takes_the_next_one_does_not_find() -> None:
    supply = stock({1: {MUG: 1}, 2: {MUG: 1}})
    for expected in ({1: {MUG: 1}}, {2: {MUG: 1}}, {}):
        found = route([plain(1, MUG, 1)], supply)
        supply.take(found)
        assert sent(found) == expected


def test_a_warehouse_with_all_its_parcels_of_the_day_is_full_for_the_next_order() -> None:
    supply, places = stock({1: {MUG: 9}}), [warehouse(1, capacity_per_day=2)]
    verdicts = []
    for _ in range(3):
        found = route([plain(1, MUG, 1)], supply, places=places)
        supply.take(found)
        verdicts.append(found.reasons[0].why)
    assert verdicts == [None, None, Why.FULL]


class Alphabetical:
    """Somebody's own strategy: one class."""

    name = "alphabetical"
    says = "by the code"

    def plan(self, task: Task) -> Plan:
        return fill(task, sorted(task.offers, key=lambda place: task.offers[place].warehouse.code))

    def figures(self, task: Task) -> Mapping[int, Figure]:
        return {}


class Forgetful(Alphabetical):
    def plan(self, task: Task) -> Plan:
        return fill(task, [])


def test_a_strategy_of_ones_own_is_one_class() -> None:
    places = [warehouse(1, code="B", priority=9), warehouse(2, code="A")]
    found = route([plain(1, MUG, 1)], stock({1: {MUG: 1}, 2: {MUG: 1}}), places=places, strategy=Alphabetical())
    assert (set(sent(found)), found.strategy) == ({2}, "alphabetical")


def test_a_strategy_that_forgets_units_is_stopped() -> None:
    with pytest.raises(Broken, match="leaves 1 units out"):
        route([plain(1, MUG, 1)], stock({1: {MUG: 1}}), strategy=Forgetful())


def test_a_strategy_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound, match="cheapest, fewest_parcels"):
        named("dearest")
    assert named("Fewest-Parcels").name == "fewest_parcels"


def test_rules_and_strategies_go_together() -> None:
    terms = Terms(rules=[Rule(1, Effect.DENY, 1, MUG.item_id)], rates=[Rate(1, "Post", None, None, 9_000, 500, "EUR")])
    lines = [weighed(plain(1, MUG, 1), 100), weighed(plain(2, CUP, 1), 100)]
    supply = stock({1: {MUG: 1, CUP: 1}, 2: {MUG: 1, CUP: 1}})
    for strategy in ("cheapest", "fewest_parcels"):
        found = route(lines, supply, terms=terms, strategy=strategy)
        assert (sent(found), found.cost) == ({2: {MUG: 1, CUP: 1}}, 500)

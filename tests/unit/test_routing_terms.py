"""Destinations, regions, rules, prices, days, and the words for all of them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dispatch.destinations import (
    Destination,
    Point,
    Region,
    destination_of,
    distance_km,
    kept_of,
    read_destination,
    read_part,
)
from core.dispatch.estimate import Estimate, estimate, leaves_on
from core.dispatch.model import Exclusion, Why
from core.dispatch.reasons import Names, tell, tell_in_one
from core.dispatch.terms import Effect, Price, Rate, Rule, Terms, Transit, Week
from core.errors import Refused
from core.money import read_money, write_money
from tests.routing_parts import CUP, MUG, MUNICH, NOW, plain, route, sent, stock, warehouse

SOUTH = Region(1, "south", [Destination("DE", "BY"), Destination("AT")])
CITY = Region(2, "city", [Destination("DE", "BY", "80")])
NORTH = Region(3, "north", [Destination("DE", "HH")])
REGIONS = (SOUTH, CITY, NORTH)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("DE", Destination("DE")),
        (" de-by ", Destination("DE", "BY")),
        ("DE-BY-80331", Destination("DE", "BY", "803")),
        ("DE--80", Destination("DE", "", "80")),
        ("GB-ENG-SW1A 1AA", Destination("GB", "ENG", "SW1")),
        ("PT-11-1000-205", Destination("PT", "11", "100")),
    ],
)
def test_of_a_destination_three_postal_characters_are_kept(words: str, told: Destination) -> None:
    assert read_destination(words) == told
    assert read_destination(str(told)) == told


@pytest.mark.parametrize("words", ["", "D", "DEU", "D1", "DE-BAYERN", "DE-B Y", "ÄÖ", "DE-BY-Ä"])
def test_what_is_no_destination_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(Refused, match="like"):
        read_destination(words)


@given(*[st.one_of(st.text(), st.none(), st.integers(), st.sampled_from(["DE", "de-by", "JP13", "80331"]))] * 3)
def test_whatever_an_address_says_what_is_kept_of_it_can_be_read(country: Any, subdivision: Any, postal: Any) -> None:
    kept = destination_of(country, subdivision, postal)

    assert not kept or str(read_destination(kept)) == kept
    assert kept_of(kept) == kept
    assert len(kept) <= len("CC-SSS-PPP")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (("DE", "DE-BY", "80331"), "DE-BY-803"),
        (("de ", "by", " 80 331"), "DE-BY-803"),
        (("JP", "JP13", "１００-0001"), "JP-13-100"),
        (("JP", "JP-13", None), "JP-13"),
        (("CO", "COR", ""), "CO-COR"),
        (("GB", "Greater London", "SW1A 1AA"), "GB--SW1"),
        (("US", "", "90012"), "US--900"),
        (("AT", None, None), "AT"),
        (("ZZ", "BY", "80331"), ""),
        (("Germany", "BY", "80331"), ""),
        ((None, "BY", "80331"), ""),
    ],
)
def test_of_an_address_country_subdivision_and_three_characters_are_kept(
    address: tuple[Any, Any, Any], kept: str
) -> None:
    assert destination_of(*address) == kept


def test_a_region_is_made_of_no_more_postal_characters_than_are_kept() -> None:
    with pytest.raises(Refused, match="write DE-BY-803"):
        read_part("DE-BY-80331")


def test_a_region_tells_how_closely_it_names_a_destination() -> None:
    told = [SOUTH.holds(MUNICH), CITY.holds(MUNICH), NORTH.holds(MUNICH), SOUTH.holds(Destination("AT", "9", "101"))]
    assert told == [2, 4, 0, 1]


def test_distances_are_those_of_an_atlas() -> None:
    berlin, munich, sydney = Point(52.52, 13.405), Point(48.1374, 11.5755), Point(-33.8688, 151.2093)
    assert distance_km(berlin, munich) == pytest.approx(504, abs=1)
    assert distance_km(berlin, sydney) == pytest.approx(16_094, abs=10)
    assert distance_km(Point(0, 0), Point(0, 180)) == pytest.approx(20_015, abs=1)


def rate(number: int, cost: int, *, region: int | None = None, place: int | None = None, up_to: int = 1_000,
         carrier: str = "Post") -> Rate:  # fmt: skip
    return Rate(number, carrier, region, place, up_to, cost, "EUR")


class TestPrices:
    def test_the_closest_region_holds_and_then_the_warehouse(self) -> None:
        rates = [rate(1, 900), rate(2, 500, region=1), rate(3, 700, region=2), rate(4, 600, region=2, place=1),
                 rate(5, 100, region=1, place=1)]  # fmt: skip
        outlook = Terms(REGIONS, rates=rates).towards(MUNICH)
        assert [outlook.price(place, 10) for place in (1, 2)] == [Price(600, "Post", "EUR"), Price(700, "Post", "EUR")]
        assert Terms(REGIONS, rates=rates).towards(Destination("DE", "HH")).price(1, 10) == Price(900, "Post", "EUR")

    def test_the_weight_decides_up_to_and_with_the_last_gram(self) -> None:
        outlook = Terms(rates=[rate(1, 500, up_to=1_000), rate(2, 900, up_to=2_000)]).towards(MUNICH)
        costs = [one and one.cost for one in (outlook.price(1, grams) for grams in (0, 1_000, 1_001, 2_000, 2_001))]
        assert costs == [500, 500, 900, 900, None]

    def test_the_cheapest_carrier_is_taken_and_a_larger_parcels_price_if_it_is_lower(self) -> None:
        rates = [rate(1, 500), rate(2, 400, carrier="Van"), rate(3, 300, up_to=9_000, carrier="Van")]
        assert Terms(rates=rates).towards(MUNICH).price(1, 10) == Price(300, "Van", "EUR")


class TestTransit:
    def test_the_closest_region_holds_and_then_the_warehouse(self) -> None:
        transits = [Transit(1, None, None, 5, 9), Transit(2, 1, None, 2, 4), Transit(3, None, 7, 1, 1),
                    Transit(4, 1, 7, 1, 2)]  # fmt: skip
        outlook = Terms(REGIONS, transits=transits).towards(MUNICH)
        assert [one and one.id for one in (outlook.transit(1), outlook.transit(7))] == [2, 4]
        abroad = Terms(REGIONS, transits=transits).towards(Destination("FR"))
        assert [one and one.id for one in (abroad.transit(1), abroad.transit(7))] == [1, 3]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


class TestDays:
    """The 18th of November 2026 is a Wednesday; Berlin is an hour ahead of UTC."""

    @pytest.mark.parametrize(
        ("now", "cut_off", "handling", "leaves"),
        [
            (at(18, 12, 59), time(14), 0, 18),
            (at(18, 13, 0), time(14), 0, 19),  # 14:00 in Berlin
            (at(18, 23, 30), None, 0, 19),  # already the 19th there
            (at(20, 13, 0), time(14), 0, 23),  # Friday, too late
            (at(21, 8, 0), time(14), 0, 23),  # Saturday
            (at(21, 15, 0), time(14), 0, 23),  # Saturday, past a cut-off that means nothing
            (at(19, 8, 0), time(14), 2, 23),  # Thursday and two working days
        ],
    )
    def test_cut_off_and_handling_go_by_the_warehouses_own_clock(
        self, now: datetime, cut_off: time | None, handling: int, leaves: int
    ) -> None:
        assert leaves_on(now, "Europe/Berlin", cut_off, handling, Week()) == date(2026, 11, leaves)

    def test_the_same_instant_is_another_day_elsewhere(self) -> None:
        told = [leaves_on(at(18, 22), zone, time(14), 0, Week()) for zone in ("Asia/Tokyo", "America/Los_Angeles")]
        assert told == [date(2026, 11, 19), date(2026, 11, 19)]
        early = [leaves_on(at(18, 20), zone, time(14), 0, Week()) for zone in ("Asia/Tokyo", "America/Los_Angeles")]
        assert early == [date(2026, 11, 19), date(2026, 11, 18)]

    def test_days_off_are_no_working_days(self) -> None:
        week = Week((1, 2, 3, 4, 5, 6), (date(2026, 11, 19),))
        assert leaves_on(at(18, 15), "Europe/Berlin", time(14), 0, week) == date(2026, 11, 20)

    def test_a_calendar_without_a_working_day_ends_all_the_same(self) -> None:
        never = Week((3,), [date(2026, 11, 18) + timedelta(weeks=n) for n in range(600)])
        assert leaves_on(at(18, 8), "Europe/Berlin", None, 0, never) == date(2026, 11, 18)

    def test_transit_counts_working_days(self) -> None:
        friday = date(2026, 11, 20)
        assert estimate(friday, Transit(1, None, None, 1, 3), Week()) == Estimate(
            friday, date(2026, 11, 23), date(2026, 11, 25)
        )
        assert estimate(friday, None, Week()) == Estimate(friday)

    def test_an_order_has_arrived_with_its_last_parcel(self) -> None:
        places = [warehouse(1, handling_days=3), warehouse(2)]
        terms = Terms(transits=[Transit(1, None, None, 1, 2)])
        found = route(
            [plain(1, MUG, 1), plain(2, CUP, 1)], stock({1: {MUG: 1}, 2: {CUP: 1}}), places=places, terms=terms
        )
        assert (found.earliest, found.latest) == (date(2026, 11, 24), date(2026, 11, 25))


class TestWhoMayServe:
    supply = stock({1: {MUG: 9, CUP: 9}, 2: {MUG: 9, CUP: 9}, 3: {MUG: 9, CUP: 9}})
    lines = (plain(1, MUG, 1), plain(2, CUP, 1))

    def chosen(self, *rules: Rule, to: Destination = MUNICH) -> dict[int, set[int]]:
        terms = Terms(REGIONS, list(rules))
        return {place: {one.item_id for one in goods} for place, goods in
                sent(route(self.lines, self.supply, terms=terms, to=to)).items()}  # fmt: skip

    def test_without_rules_everybody_may(self) -> None:
        assert self.chosen() == {1: {1, 2}}

    def test_a_denial_of_one_item_leaves_the_other(self) -> None:
        assert self.chosen(Rule(1, Effect.DENY, 1, MUG.item_id)) == {1: {2}, 2: {1}}

    def test_allowances_add_up_and_shut_all_others_out(self) -> None:
        rules = [Rule(1, Effect.ALLOW, 3, MUG.item_id), Rule(2, Effect.ALLOW, 2, MUG.item_id)]
        assert self.chosen(*rules) == {1: {2}, 2: {1}}

    def test_a_denial_wins_over_an_allowance(self) -> None:
        assert self.chosen(Rule(1, Effect.ALLOW, 2), Rule(2, Effect.ALLOW, 3), Rule(3, Effect.DENY, 2)) == {3: {1, 2}}

    def test_a_rule_of_another_region_says_nothing(self) -> None:
        assert self.chosen(Rule(1, Effect.DENY, 1, None, NORTH.id)) == {1: {1, 2}}
        assert self.chosen(Rule(1, Effect.DENY, 1, None, SOUTH.id)) == {2: {1, 2}}

    def test_regional_stock_serves_its_regions_and_no_others(self) -> None:
        rules = [Rule(1, Effect.ONLY, 1, None, NORTH.id), Rule(2, Effect.ONLY, 2, None, NORTH.id),
                 Rule(3, Effect.ONLY, 2, None, SOUTH.id)]  # fmt: skip
        assert self.chosen(*rules) == {2: {1, 2}}
        assert self.chosen(*rules, to=Destination("DE", "HH")) == {1: {1, 2}}
        assert self.chosen(*rules, to=Destination("FR")) == {3: {1, 2}}

    @pytest.mark.parametrize(
        ("begins", "ends", "holds"), [(-1, 1, True), (0, None, True), (None, 0, False), (1, None, False)]
    )
    def test_a_rule_holds_in_its_time(self, begins: int | None, ends: int | None, holds: bool) -> None:
        times = [None if hours is None else NOW + timedelta(hours=hours) for hours in (begins, ends)]
        assert self.chosen(Rule(1, Effect.DENY, 1, None, None, *times)) == {2 if holds else 1: {1, 2}}


class TestMoney:
    @pytest.mark.parametrize(
        ("words", "told"),
        [("4.90 EUR", (490, "EUR")), ("4.9eur", (490, "EUR")), ("490 JPY", (490, "JPY")), ("0.5 KWD", (500, "KWD"))],
    )
    def test_sums_are_read_in_the_smallest_unit(self, words: str, told: tuple[int, str]) -> None:
        assert read_money(words) == told
        assert read_money(write_money(*told)) == told

    @pytest.mark.parametrize(
        "words", ["", "EUR", "4.90", "-1 EUR", "4.999 EUR", "1.5 JPY", "4,90 EUR", "9" * 20 + "EUR"]
    )
    def test_what_is_no_sum_is_refused(self, words: str) -> None:
        with pytest.raises(Refused):
            read_money(words)

    def test_differences_have_their_sign(self) -> None:
        assert [write_money(-5, "EUR"), write_money(-1234, "EUR"), write_money(-7, "JPY")] == [
            "-0.05 EUR", "-12.34 EUR", "-7 JPY",
        ]  # fmt: skip


def test_a_route_is_told_in_sentences() -> None:
    told: dict[str, dict[str, Any]] = {"BERLIN": {"priority": 9}, "MUNICH": {}, "SHOP": {"paused": True}, "OLD": {}}
    places = [warehouse(n, code=code, **more) for n, (code, more) in enumerate(told.items(), start=1)]
    terms = Terms(
        REGIONS,
        [Rule(77, Effect.DENY, 1, CUP.item_id)],
        [Rate(1, "Post", None, None, 5_000, 490, "EUR")],
        [Transit(1, None, None, 1, 2)],
    )
    lines = [plain(1, MUG, 2, weight_g=300), plain(2, CUP, 1), plain(3, MUG, 0, presale=4)]
    first = route(lines, stock({1: {MUG: 2, CUP: 1}, 2: {MUG: 1}}), places=places, terms=terms)
    again = route(
        lines, stock({1: {MUG: 2, CUP: 1}, 2: {MUG: 1}}), places=places, terms=terms, strategy="cheapest",
        excluded=[Exclusion(1, Why.REJECTED, note="no staff")], earlier=first,
    )  # fmt: skip
    names = Names({one.id: one.code for one in places}, {1: "MUG", 2: "CUP"}, "EUR")
    assert tell(first, names) == [
        "BERLIN sends 2 MUG by Post for 4.90 EUR: leaves 2026-11-18, arrives 2026-11-19 to 2026-11-20.",
        "1 CUP waits: no warehouse that may serve has them.",
        "4 MUG wait: sold in a presale, the goods are not there yet.",
        "BERLIN was chosen for 2 units: priority 9.",
        "MUNICH was not needed: priority 0.",
        "BERLIN was refused for CUP: rule 77 denies it.",
        "SHOP was refused: it is paused.",
        "OLD was refused: it has none of what is asked for.",
    ]
    assert tell_in_one(first, names) == (
        "Decided by priority to DE-BY-80: BERLIN was chosen for 2 units: priority 9; "
        "BERLIN was refused for CUP: rule 77 denies it; SHOP was refused: it is paused; "
        "OLD was refused: it has none of what is asked for; 1 CUP waits: no warehouse that may serve has them; "
        "4 MUG wait: sold in a presale, the goods are not there yet; 1 was not needed."
    )
    assert tell_in_one(again, names).startswith(
        "Decided by cheapest to DE-BY-80: MUNICH was chosen for 1 unit: 4.90 EUR for one parcel with all that it has; "
        "BERLIN was refused: it rejected the order (no staff)"
    )
    assert tell(again, names)[-4:] == [
        "Attempt 2, cheapest: MUNICH was chosen for 1 unit: 4.90 EUR for one parcel with all that it has.",
        "Attempt 2, cheapest: BERLIN was refused: it rejected the order (no staff).",
        "Attempt 2, cheapest: SHOP was refused: it is paused.",
        "Attempt 2, cheapest: OLD was refused: it has none of what is asked for.",
    ]


def test_a_parcel_that_is_too_heavy_for_all_rates_says_so() -> None:
    places, rates = [warehouse(1, code="BERLIN")], [Rate(1, "Post", None, None, 5_000, 490, "EUR")]
    heavy = route([plain(1, MUG, 30, weight_g=350)], stock({1: {MUG: 30}}), places=places, terms=Terms(rates=rates))
    unrated = "BERLIN sends 30 MUG (no rate for 10.5 kg: `holdfast route rates add CARRIER GRAMS PRICE`): leaves"
    assert tell(heavy, Names({1: "BERLIN"}, {1: "MUG"}, "EUR"))[0].startswith(unrated)
    assert tell(heavy, Names({1: "BERLIN"}, {1: "MUG"}))[0].startswith("BERLIN sends 30 MUG: leaves")

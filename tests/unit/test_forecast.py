"""What the forecasting library makes of an item's days. Needs the extra: ``make check-forecast`` runs these."""

from dataclasses import replace

import pytest

from core.demand.velocity import Daily, demand
from core.replenish import forecast
from core.replenish.accuracy import compare
from core.replenish.decide import Method, Position, Terms, plan, safety_stock, z_permille
from core.replenish.forecast import Forecast, Kind
from core.replenish.views import planning
from tests.forecasting import needs_forecast

pytestmark = needs_forecast

LEAD = 14
WEEKEND = [2, 2, 2, 2, 2, 9, 9]


def told(of: Daily, lead_days: int = LEAD) -> Forecast:
    found = forecast.forecast(of, lead_days)
    assert found is not None
    return found


def test_steady_sales_are_expected_to_go_on_without_a_doubt() -> None:
    found = told([3] * 90)

    assert (found.kind, list(found.week), found.over(10)) == (Kind.WEEKLY, [3_000] * 7, 30)
    assert safety_stock(found, LEAD, z_permille(950)) == 0


def test_each_day_of_the_week_is_expected_to_be_like_those_of_its_name() -> None:
    found = told(WEEKEND * 12 + WEEKEND[:3])

    assert list(found.week) == [2_000, 2_000, 9_000, 9_000, 2_000, 2_000, 2_000]
    assert (found.over(2), found.over(4), found.over(7), found.over(9)) == (4, 22, 28, 32)


def test_what_sells_more_than_it_did_is_expected_to_go_on_so() -> None:
    of = [2] * 60 + [8] * 30

    assert demand(of).over(10) == 40
    assert told(of).over(10) >= 60


def test_what_no_longer_sells_is_expected_less_and_less() -> None:
    sold = [0, 0, 3] * 15

    expected = [told([*sold, *[0] * quiet]).over(100) for quiet in (0, 15, 30, 45)]

    assert expected == sorted(expected, reverse=True)
    assert expected[3] * 5 < expected[0]
    assert demand([*sold, *[0] * 45]).over(100) == 50
    assert expected[3] < 25


def test_what_sells_on_few_days_is_told_by_how_much_and_how_often() -> None:
    assert told([0, 0, 0, 5] * 20).kind is Kind.SPORADIC
    # On the edge: 132 days to 100 sales are still every day's business.
    assert told([1] * 100 + [0] * 32).kind is Kind.WEEKLY
    assert told([1] * 100 + [0] * 33).kind is Kind.SPORADIC


def test_days_without_stock_change_nothing_of_what_sells_on_few_days() -> None:
    sold = [0, 4, 0, 0, 1] * 12
    with_gaps = [units for part in sold for units in (part, None)]

    assert told(with_gaps).week == told(sold).week


def test_days_without_stock_leave_the_other_days_of_a_week_as_they_were() -> None:
    gap: list[int | None] = [None] * 7

    assert told([*WEEKEND * 8, *gap, *gap]).week == told(WEEKEND * 8).week
    assert list(told([*WEEKEND * 8, None, None, 2, 2, 2, 9, 9]).week) == [1_000 * units for units in WEEKEND]


def test_days_before_it_was_there_are_no_days_without_sales() -> None:
    unseen: list[int | None] = [None] * 40

    assert list(told([*unseen, *[4] * 35]).week) == [4_000] * 7


def test_what_was_given_back_is_taken_off_what_sells_afterwards() -> None:
    kept = told([2] * 45 + [6, 2, 2, 2] + [2] * 30)
    given_back = told([2] * 45 + [6, -4, 2, 2] + [2] * 30)

    assert 0 <= given_back.over(30) < kept.over(30)
    assert min(told([5] * 40 + [-300] * 3 + [5] * 10).week) >= 0


@pytest.mark.parametrize(
    "of", [[], [None] * 90, [0] * 90, [5] * 27, [0] * 60 + [40], [*([None] * 70), *([5] * 20)], [-1] * 60]
)
def test_of_too_few_days_or_sales_nothing_is_told(of: Daily) -> None:
    assert forecast.forecast(of, LEAD) is None


def test_days_that_differ_more_ask_for_more_safety() -> None:
    calm, wild = [4, 6] * 45, [0, 0, 0, 20] * 22

    assert 0 < safety_stock(told(calm), LEAD, 1_645) < safety_stock(told(wild), LEAD, 1_645)


def test_an_error_that_always_comes_again_is_the_deviation() -> None:
    # One day forecast ahead: sales grow by one a week on each day, so each day is behind by the same.
    found = told([day // 7 + 1 for day in range(364)], lead_days=1)

    spread, by = found.variance(1)

    assert spread / by == pytest.approx((1 / 0.3) ** 2, rel=0.01)


def test_longer_times_than_can_be_looked_at_vary_like_independent_spans() -> None:
    found = told([4, 6, 5] * 30, lead_days=400)

    assert found.span == 22
    one, many = found.variance(22), found.variance(220)
    assert many[0] * one[1] == 10 * one[0] * many[1]


def test_a_plan_goes_by_what_is_expected_and_lasts_by_the_pace() -> None:
    of = [2] * 60 + [8] * 30
    terms, has = Terms(lead_days=10, cover_days=20, service_permille=950, method=Method.FORECAST), Position(free=40)
    expects = told(of, terms.lead_days)

    by_pace, found = plan(demand(of), has, terms), plan(demand(of), has, terms, expects)

    assert found.lasts_days == by_pace.lasts_days == 10
    assert found.lead_demand == expects.over(10) > by_pace.lead_demand
    assert found.target == expects.over(30) + found.safety
    assert found.reorder_point == found.lead_demand + found.safety


def test_the_better_one_is_taken_for_each_item() -> None:
    rising, noisy = [2] * 49 + [8] * 42, [1, 9, 5, 3, 7, 2, 8, 5, 4, 6, 5] * 9
    terms = Terms(lead_days=10, cover_days=20, service_permille=950, method=Method.BETTER)

    assert planning.expected(rising, terms) == told(rising, 10)
    assert planning.expected(noisy, terms) is None
    assert planning.expected(rising, replace(terms, method=Method.PACE)) is None


def test_both_methods_are_judged_by_the_same_weeks() -> None:
    rising = compare([2] * 49 + [8] * 42)
    assert rising.forecast is not None
    assert (rising.forecast.weeks, rising.forecast.actual) == (rising.pace.weeks, rising.pace.actual)
    assert rising.better is Method.FORECAST

    noisy = compare([1, 9, 5, 3, 7, 2, 8, 5, 4, 6, 5] * 9)
    assert noisy.forecast is not None
    assert noisy.better is Method.PACE

    young = compare([None] * 60 + [5] * 28)
    assert young.forecast == young.pace

"""The library's smoothing beside that of the textbook, for any history. Needs the extra: ``make check-forecast``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.replenish import forecast
from core.replenish.forecast import Kind, Smoothed
from tests.forecasting import needs_forecast

pytestmark = needs_forecast

DAILY = st.lists(st.none() | st.integers(-3, 40) | st.just(0), min_size=30, max_size=120)
BUSY = st.lists(st.integers(1, 40), min_size=30, max_size=120)
QUIET = st.lists(st.sampled_from([None, 0, 0, 0, 2, 9]), min_size=60, max_size=120)


def smoothed(of: list[int | None], judged: int | None = None) -> Smoothed | None:
    return forecast.smooth(of, len(of) if judged is None else judged)


@given(DAILY | QUIET, st.integers(0, 8))
def test_what_would_have_been_said_follows_from_the_days_before_alone(of: list[int | None], weeks: int) -> None:
    at = len(of) - 7 * weeks
    whole = smoothed(of, judged=28)
    cut = smoothed(of[:at], judged=28)

    if whole is None or at < whole.since:  # too few days count by then, and nothing would have been said
        return
    assert cut is not None
    assert whole.week(at) == cut.week(at)


@given(BUSY)
def test_each_weekday_is_smoothed_as_in_the_textbook(of: list[int]) -> None:
    found = smoothed(list(of))
    assert found is not None
    assert found.kind is Kind.WEEKLY

    first = len(of) % 7
    level = {day % 7: float(of[day]) for day in range(first, first + 7)}
    for day in range(first + 7, len(of)):
        level[day % 7] += 0.3 * (of[day] - level[day % 7])

    expected = [1_000 * level[(len(of) + ahead) % 7] for ahead in range(7)]
    assert found.week(len(of)) == pytest.approx(expected, abs=1)


@given(QUIET)
def test_what_sells_on_few_days_is_smoothed_as_in_the_textbook(of: list[int | None]) -> None:
    found = smoothed(of)
    if found is None or found.kind is not Kind.SPORADIC:
        return

    counted = [units for units in of if units is not None]
    chance = 1.0 if counted[0] else 0.0
    size = float(next(units for units in counted if units))
    for units in counted[1:]:
        chance += 0.05 * ((1 if units else 0) - chance)
    for units in [units for units in counted if units][1:]:
        size += 0.1 * (units - size)

    assert found.week(len(of)) == pytest.approx([1_000 * chance * size] * 7, abs=1)


@given(DAILY | QUIET, st.integers(0, 400))
def test_more_days_never_sell_less_and_nothing_expected_is_negative(of: list[int | None], lead: int) -> None:
    found = forecast.forecast(of, lead)
    if found is None:
        return

    sums = [found.over(days) for days in range(20)]
    assert sums == sorted(sums)
    assert sums[0] == 0
    spread, by = found.variance(lead)
    assert spread >= 0 < by

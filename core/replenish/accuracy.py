"""How good the forecast would have been: each week of the past is forecast from the days before it. Pure.

Errors are told as a share of what was sold, the weighted absolute percentage error or MAD/mean ratio of S. Kolassa
and W. Schuetz, "Advantages of the MAD/Mean Ratio over the MAPE", Foresight 6 (2007): it stays finite on weeks without
sales, and items that sell much weigh more. The yardstick beside it is the naive forecast: the week before comes again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.demand.velocity import Daily
from core.replenish import forecast
from core.replenish.decide import Method
from core.replenish.forecast import MILLI, WEEK

# Thousandths of a unit on each of the seven days from a day on, by the days before it; None: too little is known.
Looks = Callable[[int], Sequence[int] | None]


@dataclass(frozen=True, slots=True)
class Score:
    """``actual``: units sold in the weeks looked at. All others in thousandths of a unit, over the same weeks.

    ``missed``: by how much the forecasts were off, up or down. ``above``: by how much they were too high in all,
    negative when too low. ``naive``: by how much the week before was off.
    """

    weeks: int = 0
    actual: int = 0
    missed: int = 0
    above: int = 0
    naive: int = 0

    @property
    def wape(self) -> int | None:
        """Per mille of what was sold; None: nothing was."""
        return self._share(self.missed)

    @property
    def bias(self) -> int | None:
        return self._share(self.above)

    @property
    def naive_wape(self) -> int | None:
        return self._share(self.naive)

    def _share(self, milli: int) -> int | None:
        return _rounded(milli, self.actual) if self.actual > 0 else None


@dataclass(frozen=True, slots=True)
class Scores:
    """Both methods on the same weeks; ``forecast``: None where the library of the forecast is not installed."""

    pace: Score
    forecast: Score | None

    @property
    def better(self) -> Method | None:
        """Which would have been off by less; None: neither, or only one of them is known."""
        if self.forecast is None or self.forecast.missed == self.pace.missed:
            return None
        return Method.FORECAST if self.forecast.missed < self.pace.missed else Method.PACE


def compare(of: Daily) -> Scores:
    """An item by both methods. The library is used where it is installed."""
    if not forecast.is_installed():
        return Scores(backtest(of), None)
    smoothed = forecast.smooth(of, _start(of))
    return Scores(backtest(of), backtest(of, smoothed.look if smoothed else None))


def backtest(of: Daily, looks: Looks | None = None) -> Score:
    """Forecast the whole weeks of the newer half of a window, each from the days before it alone.

    Only days on which something could be sold are compared: a week with three of them is forecast for three. Weeks
    without such a day, or without one in the week before, are left out, so all forecasts are judged on the same weeks.

    Args: looks: what to forecast by; where it knows too little, and without it, the average of all days before.
    """
    total = Score()
    for at in range(max(_start(of), WEEK), len(of) - WEEK + 1, WEEK):
        before, last, week = (
            [units for units in part if units is not None] for part in (of[:at], of[at - WEEK : at], of[at : at + WEEK])
        )
        if not week or not last:
            continue
        actual = sum(week)
        expected = _rounded(sum(before) * len(week) * MILLI, len(before))
        if looks and (ahead := looks(at)) is not None:
            counted = zip(of[at : at + WEEK], ahead, strict=True)
            expected = sum(milli for units, milli in counted if units is not None)
        naive = _rounded(sum(last) * len(week) * MILLI, len(last))
        off = expected - actual * MILLI
        one = Score(1, actual, abs(off), off, abs(naive - actual * MILLI))
        total = together([total, one])
    return total


def _start(of: Daily) -> int:
    """The first day of the newer half, whole weeks before the end."""
    return len(of) - len(of) // 2 // WEEK * WEEK


def all_together(scores: Iterable[Scores]) -> Scores:
    """Both methods over all of them."""
    known = list(scores)
    forecasts = [one.forecast for one in known if one.forecast is not None]
    pace = together(one.pace for one in known)
    return Scores(pace, together(forecasts) if known and len(forecasts) == len(known) else None)


def together(scores: Iterable[Score]) -> Score:
    """The score of all of them: errors and sales are added up, so a share is that of the whole."""
    weeks = actual = missed = above = naive = 0
    for one in scores:
        weeks, actual = weeks + one.weeks, actual + one.actual
        missed, above, naive = missed + one.missed, above + one.above, naive + one.naive
    return Score(weeks, actual, missed, above, naive)


def _rounded(numerator: int, denominator: int) -> int:
    """To the nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)

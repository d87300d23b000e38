"""What an item is expected to sell, by the exponential smoothing of statsforecast, an extra that may not be installed.

Two methods, whose parameters are fixed, so that what they would have said on any day of the past follows from the days
before it, in one pass over them:

``SPORADIC``  sold on few of the days that count, their mean interval above 1.32 as in A. A. Syntetos, J. E. Boylan and
              J. D. Croston, "On the categorization of demand patterns", Journal of the Operational Research Society 56
              (2005): the method of R. H. Teunter, A. A. Syntetos and M. Z. Babai, "Intermittent demand: Linking
              forecasting to inventory obsolescence", European Journal of Operational Research 214 (2011), which
              smooths how much sells and how often, and so expects less of what no longer sells.
``WEEKLY``    all others: each day of the week is smoothed by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from math import isnan
from typing import Any, NamedTuple

from core.demand.velocity import Daily
from core.errors import Refused

WEEK = 7
MILLI = 1_000
_LEAST_DAYS, _LEAST_SALES = 28, 2
_WARM_UP = 14  # days before which nothing smoothed is judged
_SPORADIC_PERCENT = 132
_NEWEST, _FORGETS = 1_000, 40  # weight of the newest error; each day a fortieth of the older ones is forgotten
_SIZE_SHARE, _CHANCE_SHARE, _WEEKDAY_SHARE = 0.1, 0.05, 0.3
CURE = "`pip install 'holdfast[forecast]'` installs it (in a checkout: `make forecast`); `--method pace` does without"


class Kind(StrEnum):
    """How demand comes."""

    SPORADIC = "sporadic"
    WEEKLY = "weekly"


class Forecast(NamedTuple):
    """What is expected; ``week``: thousandths of a unit on each of the next seven days, every week alike.

    ``squares``: the sum of squared errors, in thousandths of a unit, of all forecasts of ``span`` days in a row that
    could have been made in the past, and ``weights`` that of their weights: the newer an error, the more it weighs.
    """

    kind: Kind
    week: Sequence[int]
    span: int
    weights: int
    squares: int

    def over(self, days: int) -> int:
        """Units that sell in so many days, rounded up."""
        weeks, rest = divmod(days, WEEK)
        return -(-(weeks * sum(self.week) + sum(self.week[:rest])) // MILLI)

    def variance(self, days: int) -> tuple[int, int]:
        """Of what sells in so many days: numerator and denominator, in units squared.

        Errors of longer times are taken to grow like those of independent spans.
        """
        return days * self.squares, MILLI * MILLI * self.weights * self.span


@dataclass(frozen=True, slots=True)
class Smoothed:
    """One item, smoothed. ``expected``: thousandths of a unit on each day of the window by what was known before it,
    and of the seven days after it; None: nothing was known. ``sold``: units of the same days. ``since``: the first day
    before which enough was known.
    """

    kind: Kind
    expected: Sequence[int | None]
    sold: Daily
    since: int

    def look(self, at: int) -> Sequence[int] | None:
        """As ``week``, and None also where too little was known to go by it."""
        return self.week(at) if at >= self.since else None

    def week(self, at: int) -> Sequence[int] | None:
        """Thousandths of a unit on each of the seven days from ``at`` on, by what was known before; None: nothing.

        Of sporadic demand all days are alike. Of a weekly one each day is as it was expected when it came: no day
        of the same name lay between.
        """
        ahead = self.expected[at : at + WEEK]
        if self.kind is Kind.SPORADIC:
            ahead = [self.expected[at]] * WEEK
        known = [milli for milli in ahead if milli is not None]
        return known if len(known) == WEEK else None


@cache
def is_installed() -> bool:
    """Is the extra there? It is not imported for that."""
    return find_spec("statsforecast") is not None


def require() -> None:
    """Raises: Refused, naming the cure, where the extra is not installed."""
    if not is_installed():
        raise Refused(f"the forecasting library is not installed: {CURE}")


def forecast(of: Daily, lead_days: int) -> Forecast | None:
    """What the days of an item let expect; None: they are too few, so that its pace has to do. Raises: Refused."""
    require()
    one = smooth(of, len(of))
    week = None if one is None else one.week(len(of))
    if one is None or week is None:
        return None
    span = max(1, min(lead_days, sum(units is not None for units in of) // 4))
    weights, squares = _errors(one, span)
    return Forecast(one.kind, week, span, weights, squares) if weights else None


def smooth(of: Daily, judged: int) -> Smoothed | None:
    """An item's days, smoothed; None: too few count, or too few had a sale. Raises: Refused.

    Args: judged: how many of the days, the oldest, decide how demand comes, and whether there was enough; more do where
    too few of them count.
    """
    days = [day for day, units in enumerate(of) if units is not None]
    if len(days) < _LEAST_DAYS:
        return None
    since = days[_LEAST_DAYS - 1] + 1
    counted = [units for units in of[: max(judged, since)] if units is not None]
    sales = sum(units > 0 for units in counted)
    if sales < _LEAST_SALES:
        return None
    if len(counted) * 100 > sales * _SPORADIC_PERCENT:
        return Smoothed(Kind.SPORADIC, _sporadic(of), of, since)
    return Smoothed(Kind.WEEKLY, _weekly(of), of, since)


def _sporadic(of: Daily) -> list[int | None]:
    """Days that do not count change nothing, so they are left out and told by the next that counts."""
    counted = [day for day, units in enumerate(of) if units is not None]
    models = _models()
    told, ahead = _run(models.TSB(_SIZE_SHARE, _CHANCE_SHARE), _netted([of[day] or 0 for day in counted]))
    expected: list[int | None] = [None] * len(of) + list(ahead)
    following: int | None = ahead[0]
    by_day = dict(zip(counted, told, strict=True))
    for day in range(len(of) - 1, -1, -1):
        following = by_day.get(day, following)
        expected[day] = following
    return expected


def _weekly(of: Daily) -> list[int | None]:
    """A day that does not count is taken to be like the last of its name, which leaves its smoothing as it was."""
    first = next(day for day, units in enumerate(of) if units is not None)
    filled: list[int] = []
    for units in of[first:]:
        before = filled[-WEEK] if len(filled) >= WEEK else sum(filled) // max(len(filled), 1)
        filled.append(before if units is None else units)
    models = _models()
    told, ahead = _run(models.SeasonalExponentialSmoothing(WEEK, _WEEKDAY_SHARE), _netted(filled))
    return [*[None] * first, *told, *ahead]


def _netted(days: Sequence[int]) -> list[int]:
    """More given back than sold on a day is taken off the days after it: no day's demand is negative."""
    found, owed = [], 0
    for units in days:
        found.append(max(units - owed, 0))
        owed = max(owed - units, 0)
    return found


def _run(model: Any, series: Sequence[int]) -> tuple[list[int | None], list[int]]:
    """Thousandths of a unit: of each day by the days before it, and of the seven after the last."""
    import numpy

    out = model.forecast(y=numpy.asarray(series, dtype=float), h=WEEK, fitted=True)
    told = [None if isnan(value) else _milli(value) for value in out["fitted"].tolist()]
    return told, [_milli(value) for value in out["mean"].tolist()]


def _milli(value: float) -> int:
    return max(round(value * MILLI), 0)


def _models() -> Any:
    """The library, which takes seconds to import: only when it is used. Raises: Refused."""
    require()
    from statsforecast import models

    return models


def _errors(one: Smoothed, span: int) -> tuple[int, int]:
    """Forecasts of ``span`` days that count that could have been made: their weights, and their squared errors."""
    days = [day for day, units in enumerate(one.sold) if units is not None]
    sold = list(accumulate((one.sold[day] or 0 for day in days), initial=0))
    weights = squares = 0
    for nth in range(_WARM_UP, len(days) - span + 1):
        week = one.week(days[nth])
        if week is None:
            continue
        expected = sum(week[(day - days[nth]) % WEEK] for day in days[nth : nth + span])
        weights += _NEWEST - weights // _FORGETS
        squares += _NEWEST * (expected - (sold[nth + span] - sold[nth]) * MILLI) ** 2 - squares // _FORGETS
    return weights, squares

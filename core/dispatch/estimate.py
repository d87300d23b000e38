"""When a parcel leaves and arrives: cut-off by the warehouse's own clock, handling, working days, transit. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.dispatch.terms import Transit, Week

_FURTHEST = 3_700  # days; a week with a working day in it has more than all transits and handling within them
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """``leaves``: the day by the warehouse's calendar; ``earliest``, ``latest``: None when no transit time is known."""

    leaves: date
    earliest: date | None = None
    latest: date | None = None


def leaves_on(now: datetime, time_zone: str, cut_off: time | None, handling_days: int, week: Week) -> date:
    """The day on which a warehouse sends what it is told of ``now``.

    At its cut-off or later, and on days on which it is closed, the next working day counts as today; from there on
    come ``handling_days`` (>= 0) more working days.
    """
    here = now.astimezone(ZoneInfo(time_zone))
    day = here.date()
    if cut_off is not None and here.time() >= cut_off:
        day += _DAY
    return working_days_after(_working_day(day, week), handling_days, week)


def working_days_after(day: date, count: int, week: Week) -> date:
    """``day`` itself when ``count`` is 0, whatever day it is; else the count-th working day after it."""
    for _ in range(count):
        day = _working_day(day + _DAY, week)
    return day


def _working_day(day: date, week: Week) -> date:
    """The day, or the first working day after it; the day itself when no calendar has one."""
    found = day
    for _ in range(_FURTHEST):
        if week.works(found):
            return found
        found += _DAY
    return day


def estimate(leaves: date, transit: Transit | None, week: Week) -> Estimate:
    """``week``: the general one, by which carriers drive."""
    if transit is None:
        return Estimate(leaves)
    earliest = working_days_after(leaves, transit.least_days, week)
    return Estimate(leaves, earliest, working_days_after(leaves, transit.most_days, week))

"""How fast something sells, by the days on which any of it could be sold. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Pace(NamedTuple):
    """``sold`` units on ``days`` days on which there was any to sell."""

    days: int
    sold: int


def lasts(free: int, at: Pace) -> int | None:
    """Whole days that ``free`` units last; None: nothing is sold, so for ever."""
    return free * at.days // at.sold if at.sold else None


# Units of a day; None for a day on which nothing could be sold, which says nothing about demand.
Daily = Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What the days of a window did to an item; the four lists stand side by side, one entry for a day with movements.

    ``free_now``  units free at this moment.
    ``days``      how many days after the first of the window; the window's length stands for today.
    ``sold``      units that orders took or wait for, less those given back; negative when more were given back.
    ``came``      units that came free.
    ``net``       by how many the free units changed in all.
    ``seen_from`` the first whole day of its life; 0 when it was there before the window.
    """

    free_now: int
    days: Sequence[int] = ()
    sold: Sequence[int] = ()
    came: Sequence[int] = ()
    net: Sequence[int] = ()
    seen_from: int = 0


def daily(moved: Moved, window: int) -> Daily:
    """What was sold on each of ``window`` days up to yesterday, the oldest first.

    A day counts when units were free at its beginning, came during it, or were sold all the same (who may wait is
    demand, too). What was free on each day follows from what is free now and how each day changed it. Without this
    correction an item that is often sold out would look as if nobody wanted it, and would be ordered less and less.
    """
    found: list[int | None] = [None] * window
    free, upto = moved.free_now, window
    for day, sold, came, net in sorted(zip(moved.days, moved.sold, moved.came, moved.net, strict=True), reverse=True):
        if free > 0:
            found[day + 1 : upto] = [0] * (upto - day - 1)
        free -= net  # at the beginning of the day
        if day < window and (free > 0 or came > 0 or sold > 0):
            found[day] = sold
        upto = min(day, upto)
    if free > 0:
        found[:upto] = [0] * upto
    found[: moved.seen_from] = [None] * moved.seen_from
    return found


class Demand(NamedTuple):
    """``sold`` units (>= 0) on ``days`` days on which any could be sold; ``squares``: the sum of each day's squared."""

    days: int = 0
    sold: int = 0
    squares: int = 0

    @property
    def pace(self) -> Pace:
        return Pace(self.days, self.sold)

    def over(self, days: int) -> int:
        """Units that sell in so many days, rounded up."""
        return -(-self.sold * days // self.days) if self.days else 0

    def variance(self, days: int) -> tuple[int, int]:
        """Of what sells in so many days: numerator and denominator, in units squared.

        Days are taken as independent. That of one is the sample variance over the days that count, days without a sale
        among them; of fewer than two nothing can be said, so units are taken to sell independently of each other
        (Poisson), whose variance is their mean.
        """
        if not self.sold:
            return 0, 1
        n, total = self.days, self.sold
        spread, by = (n * self.squares - total * total, n * (n - 1)) if n > 1 else (total, n)
        return days * spread, by


def demand(of: Daily) -> Demand:
    """The moving average of a window is ``sold / days``; more given back than sold is no demand."""
    counted = [units for units in of if units is not None]
    sold = sum(counted)
    if sold <= 0:
        return Demand(len(counted))
    return Demand(len(counted), sold, sum([units * units for units in counted]))


def last_sale(of: Daily) -> int | None:
    """How many days ago the last unit was sold, 1 for yesterday; None: on no day of the window."""
    return next((ago for ago, units in enumerate(reversed(of), start=1) if units is not None and units > 0), None)

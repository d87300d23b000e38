"""When to order again, and how much. Pure, and in whole numbers throughout.

An order-up-to policy with a reorder point, as in E. A. Silver, D. F. Pyke and D. J. Thomas, "Inventory and Production
Management in Supply Chains", 4th edition (2017), chapter 6: the reorder point is the demand expected during the lead
time and a safety stock of ``z`` standard deviations of that demand.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import isqrt
from statistics import NormalDist
from typing import Protocol

from core.demand.velocity import Demand, lasts

PERMILLE = 1_000


class Method(StrEnum):
    """How it is told what will sell."""

    PACE = "pace"  # the average of the window's days on which there was any
    FORECAST = "forecast"  # exponential smoothing by a library that is an extra
    BETTER = "better"  # of these two, whichever would have been off by less of late


class Expects(Protocol):
    """What will sell, by either method."""

    def over(self, days: int) -> int:
        """Units that sell in so many days, rounded up."""

    def variance(self, days: int) -> tuple[int, int]:
        """Of what sells in so many days: numerator and denominator, in units squared."""


@dataclass(frozen=True, slots=True)
class Terms:
    """``lead_days``: from an order to its arrival. ``cover_days``: for how long an order is to last beyond that.

    ``service_permille``: of a thousand lead times, in how many nothing may run out, 500 to 999.
    ``pack_size``: sale units in a case. ``least_units``: the fewest that the supplier sells.
    """

    lead_days: int
    cover_days: int
    service_permille: int
    pack_size: int = 1
    least_units: int = 1
    is_off: bool = False
    method: Method = Method.PACE


@dataclass(frozen=True, slots=True)
class Position:
    """What there is, what is coming, and who waits already; units, each >= 0.

    ``free``       units that nobody was promised and orders may draw on; units on their way that are on sale included.
    ``on_way``     units ordered that are not on sale yet, and supply that was announced without an order.
    ``drafted``    units on purchase orders that are not placed yet.
    ``backorders`` units that orders wait for.
    ``locks``      units that locks wait for, or will take when they begin, of those on which no channel's orders draw.
    ``presales``   units sold before they are here.
    """

    free: int = 0
    on_way: int = 0
    drafted: int = 0
    backorders: int = 0
    locks: int = 0
    presales: int = 0

    @property
    def owed(self) -> int:
        return self.backorders + self.locks + self.presales

    @property
    def units(self) -> int:
        """What is left for demand to come, once everything is here and everybody who waits has got theirs."""
        return self.free + self.on_way + self.drafted - self.owed


@dataclass(frozen=True, slots=True)
class Plan:
    """Sale units.

    ``lasts_days``     whole days that the free units last at the pace of the window; None: nothing is sold.
    ``lead_demand``    sold while an order is on its way.
    ``safety``         kept against days that sell more than others.
    ``reorder_point``  at this position or below, more is ordered.
    ``target``         up to this position.
    ``short``          units missing from the target, 0 above the reorder point.
    ``order``          what to order: ``short`` raised to the fewest that are sold and to whole cases; 0: nothing.
    """

    lasts_days: int | None
    lead_demand: int
    safety: int
    reorder_point: int
    target: int
    position: int
    short: int
    order: int


def plan(sells: Demand, has: Position, terms: Terms, expects: Expects | None = None) -> Plan:
    """What to order of one item, and from which numbers that follows.

    Args: sells: at which pace it sold. expects: what will sell; None: that pace goes on.
    """
    expects = expects or sells
    lead_demand = expects.over(terms.lead_days)
    safety = safety_stock(expects, terms.lead_days, z_permille(terms.service_permille))
    reorder_point = lead_demand + safety
    target = expects.over(terms.lead_days + terms.cover_days) + safety
    short = max(target - has.units, 0) if has.units <= reorder_point else 0
    order = 0 if terms.is_off else in_cases(short, terms)
    return Plan(lasts(has.free, sells.pace), lead_demand, safety, reorder_point, target, has.units, short, order)


def in_cases(units: int, terms: Terms) -> int:
    """Units as they can be bought: none, or at least what the supplier sells at the fewest, in whole cases."""
    if units <= 0:
        return 0
    return -(-max(units, terms.least_units) // terms.pack_size) * terms.pack_size


def safety_stock(expects: Expects, lead_days: int, z: int) -> int:
    """``z`` (in thousandths) standard deviations of what sells in the lead time, rounded up.

    Of a pace that is ``z * s * sqrt(L)`` as in P. L. King, "Crack the Code: Understanding safety stock and mastering
    its equations", APICS Magazine, July/August 2011, formula for variable demand and a steady lead time.
    """
    if lead_days <= 0 or z <= 0:
        return 0
    spread, by = expects.variance(lead_days)
    return _root_up(z * z * spread, PERMILLE * PERMILLE * by)


def _root_up(numerator: int, denominator: int) -> int:
    """The smallest whole number whose square is at least the fraction (>= 0)."""
    root = isqrt(-(-numerator // denominator))
    return root if root * root * denominator >= numerator else root + 1


@lru_cache(maxsize=512)
def z_permille(service_permille: int) -> int:
    """Thousandths of a standard deviation below which so many of a thousand normal draws lie: 950 gives 1645."""
    return round(NormalDist().inv_cdf(service_permille / PERMILLE) * PERMILLE)

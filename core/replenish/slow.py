"""What lies and does not sell, and why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.demand.velocity import Daily, demand, last_sale


class Cause(StrEnum):
    """Why units lie."""

    IDLE_LOCK = "idle_lock"  # set apart in a lock on which nobody draws
    NOT_LISTED = "not_listed"  # no store shows it
    NEVER_SOLD = "never_sold"  # nothing in the window, though there was some when it began: dead
    NO_SALES = "no_sales"  # nothing on so many days on which there was some
    TOO_MUCH = "too_much"  # it sells, and what is there lasts too long


@dataclass(frozen=True, slots=True)
class IdleLock:
    """``units`` (> 0) of a lock that nothing moved for so many days as make an item slow."""

    key: str
    owner: str
    units: int


@dataclass(frozen=True, slots=True)
class Lying:
    """``free`` units of an item that orders may draw on, and what came and sold on the days of the window.

    ``idle``: its idle locks, whose units may be among the free ones or not. ``listed``: a store shows it.
    """

    free: int
    came: int
    days: Daily
    idle: Sequence[IdleLock] = ()
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """``slow_days``: without a sale for so long is slow. ``most_days``: what lasts longer is too much."""

    slow_days: int
    most_days: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is slow about an item.

    ``sold``          units in the window, on ``counted_days`` days on which there was any.
    ``last_sale``     how many days ago; None: on no day of the window.
    ``lasts_days``    whole days that the free units last; None: for ever.
    ``beyond``        free units beyond what sells in ``most_days``.
    """

    causes: Sequence[Cause]
    sold: int
    counted_days: int
    last_sale: int | None
    lasts_days: int | None
    beyond: int
    came: int
    idle: Sequence[IdleLock]

    @property
    def is_dead(self) -> bool:
        return Cause.NEVER_SOLD in self.causes


def judge(one: Lying, limits: Limits) -> Verdict | None:
    """What is slow about it; None: nothing.

    Only days with units count: what came last week had no month in which to sell.
    """
    sells = demand(one.days)
    ago = last_sale(one.days)
    beyond = max(one.free - sells.over(limits.most_days), 0)
    causes = [Cause.IDLE_LOCK] if one.idle else []
    if one.free > 0:
        causes += _causes(one, limits, ago, bool(sells.sold and beyond))
    if not causes:
        return None
    left = one.free * sells.days // sells.sold if sells.sold else None
    return Verdict(causes, sells.sold, sells.days, ago, left, beyond, one.came, one.idle)


def _causes(one: Lying, limits: Limits, ago: int | None, too_much: bool) -> list[Cause]:
    since = one.days if ago is None else one.days[len(one.days) - ago + 1 :]
    quiet = sum(units is not None for units in since)
    found = []
    if quiet >= limits.slow_days:
        never = ago is None and one.days[0] is not None
        found = [Cause.NEVER_SOLD if never else Cause.NO_SALES]
        if not one.listed:
            found.insert(0, Cause.NOT_LISTED)
    return [*found, Cause.TOO_MUCH] if too_much else found

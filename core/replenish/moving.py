"""Which goods stand in the wrong warehouse: who has too much of an item, and who runs out first. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.demand.velocity import Demand, lasts


@dataclass(frozen=True, slots=True)
class Stand:
    """An item in one warehouse; units, each >= 0.

    ``available``  nobody's yet, less what transfers that were not sent yet will take.
    ``coming``     on its way and on sale already, or asked for from another warehouse.
    ``sells``      what left it for orders, on days on which it had any.
    ``promised``   units that orders have and no warehouse was told to send, so that this one may have to.
    """

    warehouse_id: int
    available: int
    coming: int
    sells: Demand
    paused: bool = False
    promised: int = 0

    @property
    def units(self) -> int:
        return self.available + self.coming

    @property
    def lasts_days(self) -> int | None:
        return lasts(self.units, self.sells.pace)


@dataclass(frozen=True, slots=True)
class Move:
    """``units`` (> 0) from one warehouse to another. Days that each lasts before it and after; None: for ever."""

    from_id: int
    to_id: int
    units: int
    giver_lasts: int | None
    taker_lasts: int | None
    giver_lasts_then: int | None
    taker_lasts_then: int | None


@dataclass(slots=True)
class _Side:
    stand: Stand
    units: int  # left to give, or still wanted
    has: int

    @property
    def lasts(self) -> int | None:
        return lasts(self.has, self.stand.sells.pace)


def moves(stands: Iterable[Stand], short_days: int, cover_days: int) -> list[Move]:
    """Transfers of one item, the most urgent first.

    A warehouse whose units last fewer than ``short_days`` days is short, and wants what sells in ``cover_days``. One
    gives what it has beyond that and beyond what it may have to send for orders, whoever can spare the most days first;
    where nothing was sold everything else can go. So nobody who gives is short afterwards, as long as
    ``cover_days >= short_days``. A paused warehouse gives and gets nothing.
    """
    known = [one for one in stands if not one.paused]
    takers = [
        _Side(one, one.sells.over(cover_days) - one.units, one.units)
        for one in known
        if one.sells.sold and one.units * one.sells.days < short_days * one.sells.sold
    ]
    hungry = {taker.stand.warehouse_id for taker in takers}
    givers = [
        _Side(one, spare, one.units)
        for one in known
        if one.warehouse_id not in hungry
        and (spare := min(one.available, one.units - one.sells.over(cover_days)) - one.promised) > 0
    ]
    takers.sort(key=lambda side: (side.lasts or 0, side.stand.warehouse_id))
    givers.sort(key=lambda side: (side.lasts is not None, -(side.lasts or 0), -side.units, side.stand.warehouse_id))
    return _matched(takers, givers)


def _matched(takers: Sequence[_Side], givers: Sequence[_Side]) -> list[Move]:
    found = []
    for taker in takers:
        for giver in givers:
            units = min(taker.units, giver.units)
            if units <= 0:
                continue
            before = giver.lasts, taker.lasts
            giver.units, giver.has = giver.units - units, giver.has - units
            taker.units, taker.has = taker.units - units, taker.has + units
            ends = giver.stand.warehouse_id, taker.stand.warehouse_id
            found.append(Move(*ends, units, *before, giver.lasts, taker.lasts))
    return found

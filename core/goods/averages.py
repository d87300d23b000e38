"""What the units of an item cost: kept as parts, each with its units and what one of them cost on average. Pure.

Moving weighted average, as IAS 2 Inventories, paragraphs 25 and 27, allows it: each time that units come, the average
is that of the units that are there and of those that come. One part for each currency, since sums of two currencies are
never added, and one for units of which nobody said what they cost. Parts are used up in the order in which they began.

Paragraph 27 lets an average be calculated as each shipment is received. So from one noted cost to the next only the
difference of the units on hand counts: what comes back makes up first for what left since.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

_FINE = Decimal("0.000001")  # of a currency's smallest unit


class Share(NamedTuple):
    """``units`` (> 0) at ``average`` each, in the smallest unit of ``currency``; no currency: nobody knows."""

    currency: str
    units: int
    average: Decimal = Decimal(0)

    @property
    def value(self) -> Decimal:
        return self.units * self.average


Shares = tuple[Share, ...]


def units_of(shares: Sequence[Share]) -> int:
    return sum(one.units for one in shares)


def settled(shares: Sequence[Share], on_hand: int) -> Shares:
    """The same once ``on_hand`` units are there.

    Fewer than were there when these were noted: the oldest parts were used up first. More: what came without a word on
    its cost (returned, found), beyond what left since, cost as much as the newest part.
    """
    change = on_hand - units_of(shares)
    if change < 0:
        return without(shares, -change)
    if not change:
        return tuple(shares)
    if not shares:
        return (Share("", change),)
    *before, newest = shares
    return (*before, newest._replace(units=newest.units + change))


def without(shares: Sequence[Share], units: int) -> Shares:
    """The same when so many units are gone."""
    left = []
    for one in shares:
        gone = min(units, one.units)
        units -= gone
        if one.units > gone:
            left.append(one._replace(units=one.units - gone))
    return tuple(left)


def taken(shares: Sequence[Share], units: int) -> Shares:
    """The part of these that goes first, so many units of it."""
    found = []
    for one in shares:
        gone = min(units, one.units)
        units -= gone
        if gone:
            found.append(one._replace(units=gone))
    return tuple(found)


def come(shares: Sequence[Share], new: Sequence[Share]) -> Shares:
    """The same with ``new`` units."""
    found = {one.currency: one for one in shares}
    for one in new:
        known = found.get(one.currency)
        found[one.currency] = one if known is None else _mixed(known, one)
    return tuple(found.values())


def _mixed(one: Share, other: Share) -> Share:
    units = one.units + other.units
    return Share(one.currency, units, fine((one.value + other.value) / units))


def taken_back(shares: Sequence[Share], gone: Share) -> Shares:
    """The same without units that were entered by mistake: the average is again what it would be without them."""
    found = {one.currency: one for one in shares}
    known = found.get(gone.currency)
    rest = 0 if known is None else known.units - gone.units
    if known is None or rest < 0:
        return without(shares, gone.units)
    del found[gone.currency]
    if rest:
        found[gone.currency] = Share(gone.currency, rest, fine(max((known.value - gone.value) / rest, Decimal(0))))
    return tuple(found[one.currency] for one in shares if one.currency in found)


def fine(average: Decimal | int) -> Decimal:
    """As averages are kept."""
    return Decimal(average).quantize(_FINE, ROUND_HALF_EVEN)


def as_json(shares: Sequence[Share]) -> list[list[object]]:
    return [[one.currency, one.units, str(one.average)] for one in shares]


def read(kept: Sequence[Sequence[object]]) -> Shares:
    return tuple(Share(str(currency), int(str(units)), Decimal(str(average))) for currency, units, average in kept)

"""Which sold units were not there, and of them which no hub could have prevented. Pure.

An item's sales over all shops are walked in the order of time against one pool: what it opened with, and what came
back. The news of a sale takes a while to reach the other shops; until then a shop cannot help selling the unit again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drills.referee.records import LineKey, Restock, Sale


@dataclass(frozen=True, slots=True)
class Oversale:
    """``units`` >= 1 of one sale beyond the pool, ``unavoidable`` of them before the shop could know."""

    sale: Sale
    units: int
    unavoidable: int


def oversales(events: Sequence[Sale | Restock], opening: int, window: timedelta) -> list[Oversale]:
    """The oversold sales of one item; ``events`` are its own, in the order of time."""
    pool, found = opening, []
    recent: list[Sale] = []
    for event in events:
        if isinstance(event, Restock):
            pool += event.units
            continue
        recent = [sale for sale in recent if sale.at + window > event.at]
        unheard = sum(sale.units for sale in recent if sale.line.shop != event.line.shop)
        there = _within(pool, event.units)
        beyond = event.units - there
        if beyond:
            # A shop that has not heard of the newest sales elsewhere still has their units on show.
            could_think = _within(pool + unheard, event.units)
            found.append(Oversale(event, beyond, could_think - there))
        pool -= event.units
        recent.append(event)
    return found


def healed(oversale: Oversale, events: Sequence[Sale | Restock], known_at: Mapping[LineKey, datetime]) -> int:
    """Oversold units that came back before the ledger had heard of every sale up to this one.

    The ledger never lacked them. Args: known_at: when the ledger first recorded a line; a line that it never recorded
    was undone before.
    """
    sold_at = oversale.sale.at
    sales = [event.line for event in events if isinstance(event, Sale) and event.at <= sold_at]
    heard = [known_at.get(line) for line in sales]
    back = [event for event in events if isinstance(event, Restock) and event.at >= sold_at]
    in_time = [event.units for event in back if any(moment is None or event.at <= moment for moment in heard)]
    return min(oversale.units, sum(in_time))


def by_item(events: Sequence[Sale | Restock]) -> dict[str, list[Sale | Restock]]:
    """Events of each SKU, in the order of time."""
    found: defaultdict[str, list[Sale | Restock]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.at):
        found[event.sku].append(event)
    return dict(found)


def _within(pool: int, units: int) -> int:
    """How many of ``units`` a pool covers; it covers none once it is overdrawn."""
    return min(max(pool, 0), units)

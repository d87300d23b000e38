"""The nouns of routing: what is to be sent, what stands where, and what was decided, with its reasons. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from core.dispatch.destinations import Destination
from core.dispatch.estimate import Estimate
from core.stock import Stocked


@dataclass(frozen=True, slots=True)
class Part:
    """Units of one thing that a line asks for: the item itself, or one component of a bundle.

    ``units`` may leave from anywhere, ``pinned`` only from the warehouse of the physical lock that they stand in;
    ``waiting`` are owed, and ``presale`` sold before they were there: both go later. ``per_unit``: units for one of the
    line. ``weight_g``: of one unit; 0 where nobody said.
    """

    stocked: Stocked
    units: int
    per_unit: int = 1
    weight_g: int = 0
    waiting: int = 0
    presale: int = 0
    pinned: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order; a bundle's has a part for each component."""

    id: int
    parts: Sequence[Part]


@dataclass(slots=True)
class Supply:
    """What stands in each warehouse, by what is counted, and the parcels that each has on the day it would send.

    ``take`` keeps it right while many orders are routed one after another.
    """

    available: dict[Stocked, dict[int, int]] = field(default_factory=dict)
    locked: dict[Stocked, dict[int, int]] = field(default_factory=dict)
    parcels: dict[int, int] = field(default_factory=dict)

    def take(self, route: "Route") -> None:
        """What a route sends is no longer there for the next."""
        for leg in route.legs:
            self.parcels[leg.warehouse_id] = self.parcels.get(leg.warehouse_id, 0) + 1
            for pick in leg.picks:
                there = (self.locked if pick.from_lock else self.available)[pick.stocked]
                there[leg.warehouse_id] -= pick.units


class Why(StrEnum):
    """Why a warehouse does not serve, or why units wait."""

    __hash__ = str.__hash__

    PAUSED = "paused"
    FULL = "full"  # has all the parcels that it can send on that day
    REJECTED = "rejected"
    SHORT = "short"  # the goods were looked for and were not there
    OUT_OF_REGION = "out_of_region"
    DENIED = "denied"
    NOT_ALLOWED = "not_allowed"  # others are, for these goods or this destination
    EMPTY = "empty"  # has none of what is asked for
    # of units that wait
    PRESALE = "presale"
    OWED = "owed"
    NOWHERE = "nowhere"  # no warehouse that may serve has them
    REST_OF_BUNDLE = "rest_of_bundle"  # a component is missing, and the others go with it


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A warehouse that must not be asked again by this order, for all of it or (``stocked``) for one thing.

    ``why``: REJECTED, SHORT or PAUSED. A pause is over by the next time; the others stay with the order.
    """

    warehouse_id: int
    why: Why
    stocked: Stocked | None = None
    note: str = ""


class Pick(NamedTuple):
    """``from_lock``: units of the physical lock that the line draws on."""

    line_id: int
    stocked: Stocked
    units: int
    from_lock: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """One parcel. ``cost`` None: no carrier's price is known; ``weighed``: the weight of all that is in it is known."""

    warehouse_id: int
    picks: Sequence[Pick]
    weight_g: int
    weighed: bool
    cost: int | None
    carrier: str
    currency: str
    estimate: Estimate

    @property
    def units(self) -> int:
        return sum(pick.units for pick in self.picks)


class Wait(NamedTuple):
    """Units of a line that go later."""

    line_id: int
    stocked: Stocked
    units: int
    why: Why


class Verdict(StrEnum):
    __hash__ = str.__hash__

    CHOSEN = "chosen"
    REFUSED = "refused"
    NOT_NEEDED = "not_needed"  # could serve, and the strategy took others


class Reason(NamedTuple):
    """What became of one warehouse in one attempt.

    ``why``, ``stocked`` and ``detail`` (a rule's or region's id, or words): of a refusal; ``figure`` with ``value``:
    what the strategy went by, like km or priority. ``units``: those that it sends.
    """

    attempt: int
    strategy: str
    warehouse_id: int
    verdict: Verdict
    why: Why | None = None
    stocked: Stocked | None = None
    detail: str = ""
    figure: str = ""
    value: int | None = None
    units: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """A decision: each unit of the lines stands in one leg or waits.

    ``reasons`` and ``excluded`` hold those of earlier attempts, too.
    """

    strategy: str
    attempt: int
    decided_at: datetime
    destination: Destination
    lines: Sequence[Line]
    legs: Sequence[Leg]
    waits: Sequence[Wait]
    reasons: Sequence[Reason]
    excluded: Sequence[Exclusion] = ()

    @property
    def parcels(self) -> int:
        return len(self.legs)

    @property
    def cost(self) -> int | None:
        """Of all parcels; None when the price of one is not known."""
        costs = [leg.cost for leg in self.legs]
        return None if None in costs else sum(cost or 0 for cost in costs)

    @property
    def earliest(self) -> date | None:
        """When all parcels may have arrived; None when that of one is not known, or nothing goes."""
        return _last([leg.estimate.earliest for leg in self.legs])

    @property
    def latest(self) -> date | None:
        """By when all parcels have arrived."""
        return _last([leg.estimate.latest for leg in self.legs])


def _last(days: Sequence[date | None]) -> date | None:
    known = [day for day in days if day is not None]
    return max(known) if known and len(known) == len(days) else None


def units_by_line(route: Route) -> Mapping[tuple[int, Stocked], int]:
    """All units of a route, sent or waiting, by line and what is counted."""
    found: defaultdict[tuple[int, Stocked], int] = defaultdict(int)
    for leg in route.legs:
        for pick in leg.picks:
            found[pick.line_id, pick.stocked] += pick.units
    for wait in route.waits:
        found[wait.line_id, wait.stocked] += wait.units
    return found


def why_not(route: Route) -> tuple[frozenset[Wait], frozenset[tuple[int, Why, Stocked | None]]]:
    """What goes later, and which warehouses may not send what they have: the cause, as far as it is one to tell."""
    refused = {
        (one.warehouse_id, one.why, one.stocked)
        for one in route.reasons
        if one.attempt == route.attempt and one.why is not None and one.why is not Why.EMPTY
    }
    return frozenset(route.waits), frozenset(refused)

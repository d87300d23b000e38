"""What a merchant has laid down on sending: regions, rules, rates, transit times and working weeks. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from core.dispatch.destinations import COUNTRY_ALONE, Destination, Point, Region


class Effect(StrEnum):
    """What a rule says of its warehouse."""

    __hash__ = str.__hash__

    ALLOW = "allow"  # what the rule names goes only from warehouses that are allowed
    DENY = "deny"  # what it names never goes from this one
    ONLY = "only"  # this one sends what it names to these regions, and to no others


@dataclass(frozen=True, slots=True)
class Rule:
    """``item_id``, ``region_id`` None: all. From ``starts_at`` to before ``ends_at``; None: always."""

    id: int
    effect: Effect
    warehouse_id: int
    item_id: int | None = None
    region_id: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        return (self.starts_at is None or self.starts_at <= now) and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a parcel of at most ``up_to_g`` grams costs, in the smallest unit of the currency.

    ``region_id`` None: to everywhere; ``warehouse_id`` None: from everywhere.
    """

    id: int
    carrier: str
    region_id: int | None
    warehouse_id: int | None
    up_to_g: int
    cost: int
    currency: str


@dataclass(frozen=True, slots=True)
class Transit:
    """Working days on the road, both ends included; regions and warehouses as in ``Rate``."""

    id: int
    region_id: int | None
    warehouse_id: int | None
    least_days: int
    most_days: int


@dataclass(frozen=True, slots=True)
class Week:
    """``weekdays``: the working ones by ISO 8601, Monday is 1; ``closed_on``: days off all the same."""

    weekdays: Collection[int] = (1, 2, 3, 4, 5)
    closed_on: Collection[date] = ()

    def works(self, day: date) -> bool:
        return day.isoweekday() in self.weekdays and day not in self.closed_on


USUAL_WEEK = Week()
Closeness = tuple[tuple[int, int], ...]  # regions that hold a destination, and how closely


class Price(NamedTuple):
    """The cheapest carrier's."""

    cost: int
    carrier: str
    currency: str


@dataclass(frozen=True, slots=True)
class Terms:
    """All that is laid down; empty: everything may come from everywhere, and costs and times are not known.

    ``weeks``: by warehouse; None: the general one, which is the carriers', too.
    """

    regions: Sequence[Region] = ()
    rules: Sequence[Rule] = ()
    rates: Sequence[Rate] = ()
    transits: Sequence[Transit] = ()
    weeks: Mapping[int | None, Week] = field(default_factory=dict)
    _seen: dict[Destination, "Outlook"] = field(default_factory=dict, compare=False, repr=False)
    _tables: dict[Closeness, "Tables"] = field(default_factory=dict, compare=False, repr=False)

    def towards(self, destination: Destination) -> "Outlook":
        """What of it concerns one destination; kept, since many orders go the same way."""
        if destination not in self._seen:
            self._seen[destination] = Outlook(self, destination, self._tables)
        return self._seen[destination]

    def week_of(self, warehouse_id: int | None) -> Week:
        return self.weeks.get(warehouse_id) or self.weeks.get(None, USUAL_WEEK)


class Tables:
    """Rates and transit times towards destinations that lie in the same regions, equally close."""

    def __init__(self, terms: Terms, closeness: Mapping[int, int]) -> None:
        self._rates = [(reach, one) for one in terms.rates if (reach := _reach(closeness, one.region_id)) is not None]
        self._transits = [
            (reach, one) for one in terms.transits if (reach := _reach(closeness, one.region_id)) is not None
        ]
        self._steps: dict[int, tuple[list[int], list[Price]]] = {}

    def price(self, warehouse_id: int, weight_g: int) -> Price | None:
        if warehouse_id not in self._steps:
            self._steps[warehouse_id] = _steps(self._rates, warehouse_id)
        limits, prices = self._steps[warehouse_id]
        nth = bisect_left(limits, weight_g)
        return prices[nth] if nth < len(limits) else None

    def transit(self, warehouse_id: int) -> Transit | None:
        mine = [
            (reach, one.warehouse_id is not None, one.id, one)
            for reach, one in self._transits
            if one.warehouse_id in (None, warehouse_id)
        ]
        return max(mine)[-1] if mine else None


class Outlook:
    """The terms as one destination meets them.

    Of a table the rows of the closest region hold, and of these a warehouse's own before those of all.
    """

    def __init__(self, terms: Terms, destination: Destination, known: dict[Closeness, Tables]) -> None:
        self.destination = destination
        closeness = {region.id: close for region in terms.regions if (close := region.holds(destination))}
        inside = [rule for rule in terms.rules if _reach(closeness, rule.region_id) is not None]
        self.rules = [rule for rule in inside if rule.effect is not Effect.ONLY]
        # of all regions: who sends to some only must be known where it does not
        self.only = [
            (rule, _reach(closeness, rule.region_id) is not None) for rule in terms.rules if rule.effect is Effect.ONLY
        ]
        self.middle = _middle(terms.regions, closeness, destination)
        key = tuple(sorted(closeness.items()))
        if key not in known:
            known[key] = Tables(terms, closeness)
        self.tables = known[key]

    def price(self, warehouse_id: int, weight_g: int) -> Price | None:
        """Of one parcel; None when no carrier takes it for a price that is known."""
        return self.tables.price(warehouse_id, weight_g)

    def transit(self, warehouse_id: int) -> Transit | None:
        """None when nobody said how long it takes."""
        return self.tables.transit(warehouse_id)


def _reach(closeness: Mapping[int, int], region_id: int | None) -> int | None:
    """How closely what is said of a region names the destination; None: it is not said of it."""
    return 0 if region_id is None else closeness.get(region_id)


def _middle(regions: Iterable[Region], closeness: Mapping[int, int], destination: Destination) -> Point | None:
    """Of the closest region that has one. A whole country's says nothing of what is known better."""
    known_by_country_alone = not destination.subdivision and not destination.postal
    least = COUNTRY_ALONE if known_by_country_alone else COUNTRY_ALONE + 1
    near = [(closeness.get(one.id, 0), one.middle) for one in regions if one.middle is not None]
    closest = max(near, default=(0, None))
    return closest[1] if closest[0] >= least else None


def _steps(rates: Sequence[tuple[int, Rate]], warehouse_id: int) -> tuple[list[int], list[Price]]:
    """Weights, rising, and the lowest price of a parcel up to each."""
    tables: defaultdict[str, defaultdict[tuple[int, bool], list[Rate]]] = defaultdict(lambda: defaultdict(list))
    for reach, rate in rates:
        if rate.warehouse_id in (None, warehouse_id):
            tables[rate.carrier][reach, rate.warehouse_id is not None].append(rate)
    valid = [rate for table in tables.values() for rate in table[max(table)]]
    valid.sort(key=lambda rate: -rate.up_to_g)
    limits: list[int] = []
    prices: list[Price] = []
    best: Price | None = None
    for rate in valid:  # a larger parcel's price holds for a smaller one, too
        price = Price(rate.cost, rate.carrier, rate.currency)
        best = price if best is None else min(best, price)
        if limits and limits[-1] == rate.up_to_g:
            prices[-1] = best
        else:
            limits.append(rate.up_to_g)
            prices.append(best)
    return limits[::-1], prices[::-1]

"""How warehouses are chosen: one class for each strategy, in one registry. Pure.

All strategies send the same units (see ``filling.due``) and split no more bundles than ``priority`` does; they
differ in who sends what. A strategy of one's own is a class with the members of ``Strategy``, handed to ``register``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.dispatch.destinations import Destination, Point, distance_km
from core.dispatch.filling import Plan, Task, fill
from core.dispatch.pricing import UNPRICED, Pricing, cheapest_pair, improve
from core.dispatch.searching import Search, greedy
from core.dispatch.terms import Outlook
from core.errors import NotFound
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse


class Figure(NamedTuple):
    """What a strategy went by for one warehouse: a name like ``km``, and a whole number."""

    name: str
    value: int


class Strategy(Protocol):
    """``name`` is how people ask for it, ``says`` one line that explains it."""

    @property
    def name(self) -> str: ...

    @property
    def says(self) -> str: ...

    def plan(self, task: Task) -> Plan:
        """Who sends what. All that goes must be in it: ``plan.left`` is 0."""
        ...

    def figures(self, task: Task) -> Mapping[int, Figure]:
        """What spoke for or against each warehouse that could send something; those without a number are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Priority:
    """Ask the highest number first."""

    name: str = "priority"
    says: str = "the warehouse with the highest priority sends what it has, then the next"

    def plan(self, task: Task) -> Plan:
        return fill(task, list(task.offers))

    def figures(self, task: Task) -> Mapping[int, Figure]:
        return {place: Figure("priority", offer.warehouse.priority) for place, offer in task.offers.items()}


@dataclass(frozen=True, slots=True)
class Closest:
    """Ask by distance; where that cannot be measured, by how much of the address is the same."""

    name: str = "closest"
    says: str = "the warehouse nearest to the destination sends what it has, then the next"

    def plan(self, task: Task) -> Plan:
        near = {place: _distance(task.outlook, offer.warehouse) for place, offer in task.offers.items()}
        return _in_turn(task, sorted(task.offers, key=near.__getitem__))

    def figures(self, task: Task) -> Mapping[int, Figure]:
        return {place: Figure("km", _distance(task.outlook, offer.warehouse)) for place, offer in task.offers.items()}


@dataclass(frozen=True, slots=True)
class BalanceStock:
    """Ask first who has the largest part of what there is, on the mean over what goes."""

    name: str = "balance_stock"
    says: str = "the warehouse with the largest part of the stock sends what it has, then the next"

    def plan(self, task: Task) -> Plan:
        parts = _parts_of_stock(task)
        return _in_turn(task, sorted(task.offers, key=lambda place: -parts[place]))

    def figures(self, task: Task) -> Mapping[int, Figure]:
        return {place: Figure("stock_permille", part) for place, part in _parts_of_stock(task).items()}


@dataclass(frozen=True, slots=True)
class FewestParcels:
    """As few warehouses as can send all of it; of those that can send it alone, the one with the highest priority.

    Never more than ``priority``; the least there is for orders without bundles, unless the search ends at its bound
    (see ``searching``), which knows nothing of bundles.
    """

    name: str = "fewest_parcels"
    says: str = "as few warehouses as can send all of it"

    def plan(self, task: Task) -> Plan:
        best = fill(task, list(task.offers))
        if best.parcels > 2:
            other = fill(task, greedy(task))
            if not other.left and other.split <= best.split and other.parcels < best.parcels:
                best = other
        search = Search(task)
        for size in range(1, best.parcels):
            for places in search.sets(size):
                found = fill(task, places)
                if not found.left and found.split <= best.split:
                    return found
        return best

    def figures(self, task: Task) -> Mapping[int, Figure]:
        return {place: Figure("has_units", _has(task, place)) for place in task.offers}


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The lowest sum of parcel prices that it finds: it begins with the cheapest of what ``priority`` chooses, one
    parcel from any warehouse, and two from any pair, and improves that (see ``pricing``).

    So it never costs more than ``priority``, and no line can be moved to another warehouse for less. A parcel without a
    known price is dearer than any with one.
    """

    name: str = "cheapest"
    says: str = "the least to pay for all parcels, by the rates"

    def plan(self, task: Task) -> Plan:
        pricing, best = Pricing(task), fill(task, list(task.offers))
        if pair := cheapest_pair(task, pricing, pricing.of(best)):
            best = fill(task, pair)
        else:
            alone = (fill(task, places) for places in Search(task).sets(1))
            for found in (FewestParcels().plan(task), *alone):
                if not found.left and found.split <= best.split and pricing.of(found) < pricing.of(best):
                    best = found
        return improve(task, best, pricing)

    def figures(self, task: Task) -> Mapping[int, Figure]:
        """Of one parcel with all of the order that the warehouse has."""
        pricing = Pricing(task)
        costs = {place: pricing.parcel(place, _has(task, place, pricing.weights)) for place in task.offers}
        return {place: Figure("cost", cost) for place, cost in costs.items() if cost < UNPRICED}


def _in_turn(task: Task, places: Sequence[int]) -> Plan:
    """Filled in this order, or in that of priority, should this one split more bundles."""
    plan = fill(task, places)
    if not plan.split:
        return plan
    usual = fill(task, list(task.offers))
    return usual if usual.split < plan.split else plan


def _has(task: Task, place: int, weights: Mapping[Stocked, int] | None = None) -> int:
    """Units of what goes that one warehouse has, or their weight."""
    units, found = task.offers[place].units, 0
    for one, needed in task.totals.items():
        found += min(units.get(one, 0), needed) * (weights[one] if weights else 1)
    if place in task.forced:
        for wants in (*task.bundles, task.plain):
            found += sum(want.pinned.get(place, 0) * (want.weight_g if weights else 1) for want in wants)
    return found


def _parts_of_stock(task: Task) -> dict[int, int]:
    """In thousandths, by warehouse, the mean over what goes: how much of all that is offered stands there."""
    totals = {one: sum(offer.units.get(one, 0) for offer in task.offers.values()) for one in task.totals}
    return {
        place: sum(1000 * offer.units.get(one, 0) // total for one, total in totals.items()) // max(len(totals), 1)
        for place, offer in task.offers.items()
    }


# Kilometres that stand for a distance that cannot be measured.
SAME_POSTAL = 30  # its first two characters
SAME_SUBDIVISION = 150
SAME_COUNTRY = 500
ABROAD = 3_000


def _distance(outlook: Outlook, warehouse: Warehouse) -> int:
    if outlook.middle is not None and warehouse.latitude is not None and warehouse.longitude is not None:
        return distance_km(outlook.middle, Point(warehouse.latitude, warehouse.longitude))
    return nominal_km(outlook.destination, warehouse)


def nominal_km(destination: Destination, warehouse: Warehouse) -> int:
    """A distance by how much of the address is the same, where coordinates are lacking."""
    if warehouse.country.upper() != destination.country:
        return ABROAD
    postal = "".join(letter for letter in warehouse.postal.upper() if letter.isalnum())
    if len(destination.postal) >= 2 and postal.startswith(destination.postal[:2]):
        return SAME_POSTAL
    same = destination.subdivision and warehouse.subdivision.upper() == destination.subdivision
    return SAME_SUBDIVISION if same else SAME_COUNTRY


_REGISTRY: dict[str, Strategy] = {}


def register(strategy: Strategy) -> None:
    """Make a strategy known by its name; a later one of the same name takes its place."""
    _REGISTRY[strategy.name] = strategy


for _one in (Priority(), Closest(), Cheapest(), FewestParcels(), BalanceStock()):
    register(_one)


def every() -> Sequence[Strategy]:
    return list(_REGISTRY.values())


def named(name: str) -> Strategy:
    """Raises: NotFound, naming those that there are."""
    found = _REGISTRY.get(name.strip().lower().replace("-", "_"))
    if found is None:
        raise NotFound(f"there is no strategy {name}; there are {', '.join(_REGISTRY)}")
    return found

"""What the parcels of an order cost, and how a plan becomes cheaper by moving lines between warehouses. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.dispatch.filling import Plan, Task
from core.dispatch.model import Pick
from core.stock import Stocked

UNPRICED = 10**15  # stands for a price that nobody knows: more than any sum of those that are known
_ROUNDS = 20


class Pricing:
    """Prices of parcels of one order, those that nobody knows as ``UNPRICED``."""

    def __init__(self, task: Task) -> None:
        self._price = task.outlook.tables.price
        self.weights = {want.stocked: want.weight_g for wants in (*task.bundles, task.plain) for want in wants}
        self.total = sum(units * self.weights[one] for one, units in task.totals.items())

    def parcel(self, place: int, weight_g: int) -> int:
        price = self._price(place, weight_g)
        return UNPRICED if price is None else price.cost

    def of(self, plan: Plan) -> int:
        return sum(self.parcel(place, self.weight(picks)) for place, picks in plan.picks.items())

    def weight(self, picks: Sequence[Pick]) -> int:
        return sum(pick.units * self.weights[pick.stocked] for pick in picks)


PAIRS = 2_000  # that are tried for one order


def cheapest_pair(task: Task, pricing: Pricing, least: int) -> tuple[int, ...]:
    """One warehouse that has all, or two of which the first sends all that it has and the second the rest.

    Those that come to the least, if it is below ``least``; else none. Orders with bundles or units of physical locks
    have none, since these do not go from anywhere in any part.
    """
    if task.bundles or task.forced:
        return ()
    best: tuple[int, ...] = ()
    holders, tries = _Holders(task), PAIRS
    for first in task.offers:
        weight, left = _what_is_left(task, pricing, first)
        cost = pricing.parcel(first, weight)
        if cost >= least:
            continue
        if not left:
            best, least = (first,), cost
            continue
        seconds = holders.of_all(left) - {first}
        tries -= len(seconds)
        if tries < 0:
            break
        for second in seconds:
            both = cost + pricing.parcel(second, pricing.total - weight)
            if both < least:
                best, least = (first, second), both
    return best


class _Holders:
    """Who has so much of a thing, kept since it is asked again and again."""

    def __init__(self, task: Task) -> None:
        self._offers = task.offers
        self._known: dict[tuple[Stocked, int], frozenset[int]] = {}

    def of_all(self, wanted: Iterable[tuple[Stocked, int]]) -> frozenset[int]:
        """Warehouses that have all of it; there must be something."""
        first, *others = [self._known.get(want) or self._find(want) for want in wanted]
        return first.intersection(*others)

    def _find(self, want: tuple[Stocked, int]) -> frozenset[int]:
        one, needed = want
        found = frozenset(place for place, offer in self._offers.items() if offer.units.get(one, 0) >= needed)
        self._known[want] = found
        return found


def _what_is_left(task: Task, pricing: Pricing, place: int) -> tuple[int, list[tuple[Stocked, int]]]:
    """The weight of all that a warehouse has of it, and what it lacks."""
    units, weight = task.offers[place].units, 0
    left = []
    for one, needed in task.totals.items():
        there = units.get(one, 0)
        if there < needed:
            left.append((one, needed - there))
            weight += there * pricing.weights[one]
        else:
            weight += needed * pricing.weights[one]
    return weight, left


@dataclass(slots=True)
class _Load:
    """What moves together: the picks of one line at one warehouse, so that no bundle is split."""

    picks: list[Pick]
    place: int
    weight_g: int
    moves: bool


@dataclass(frozen=True, slots=True)
class _Move:
    saves: int
    loads: Sequence[_Load]
    to: int


def improve(task: Task, plan: Plan, pricing: Pricing) -> Plan:
    """The plan with its lines moved to other warehouses as long as one move saves money.

    A move takes what one warehouse sends of a line, or all that it sends, to another one that has all of it; of all
    moves the best is made. Units of physical locks stay. So the sum never rises, and in the end no such move lowers it.
    """
    moving = _Moving(task, plan, pricing)
    for _ in range(_ROUNDS):
        best = max(moving.moves(), key=lambda move: move.saves, default=None)
        if best is None or best.saves <= 0:
            break
        moving.make(best)
    return moving.plan(plan.split)


class _Moving:
    def __init__(self, task: Task, plan: Plan, pricing: Pricing) -> None:
        self._units = {place: offer.units for place, offer in task.offers.items()}
        self._holders = _Holders(task)
        self._pricing = pricing
        self._loads: list[_Load] = []
        self._used: defaultdict[tuple[int, Stocked], int] = defaultdict(int)
        for place, picks in plan.picks.items():
            by_line: defaultdict[int, list[Pick]] = defaultdict(list)
            for pick in picks:
                by_line[pick.line_id].append(pick)
                if not pick.from_lock:
                    self._used[place, pick.stocked] += pick.units
            for some in by_line.values():
                stays = any(pick.from_lock for pick in some)
                self._loads.append(_Load(some, place, pricing.weight(some), not stays))

    def moves(self) -> Iterator[_Move]:
        at: defaultdict[int, list[_Load]] = defaultdict(list)
        for load in self._loads:
            at[load.place].append(load)
        weights = {place: sum(load.weight_g for load in loads) for place, loads in at.items()}
        costs = {place: self._pricing.parcel(place, weight) for place, weight in weights.items()}
        together = [loads for loads in at.values() if len(loads) > 1]
        for loads in (*([load] for load in self._loads), *together):
            if all(load.moves for load in loads):
                place, weight = loads[0].place, sum(load.weight_g for load in loads)
                rest = 0 if len(loads) == len(at[place]) else self._pricing.parcel(place, weights[place] - weight)
                saved = costs[place] - rest
                for to in self._rooms(loads):
                    more = self._pricing.parcel(to, weights.get(to, 0) + weight) - costs.get(to, 0)
                    yield _Move(saved - more, loads, to)

    def _rooms(self, loads: Sequence[_Load]) -> list[int]:
        """Other warehouses that have all of it left."""
        needs: defaultdict[Stocked, int] = defaultdict(int)
        for load in loads:
            for pick in load.picks:
                needs[pick.stocked] += pick.units
        wanted = list(needs.items())
        used = self._used
        return [
            place
            for place in self._holders.of_all(wanted)
            if place != loads[0].place
            and all(self._units[place][one] - used.get((place, one), 0) >= needed for one, needed in wanted)
        ]

    def make(self, move: _Move) -> None:
        for load in move.loads:
            for pick in load.picks:
                self._used[load.place, pick.stocked] -= pick.units
                self._used[move.to, pick.stocked] += pick.units
            load.place = move.to

    def plan(self, split: int) -> Plan:
        plan = Plan(split=split)
        for load in self._loads:
            plan.picks.setdefault(load.place, []).extend(load.picks)
        return plan

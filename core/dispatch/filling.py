"""From what is asked and what is there to who sends what: first what can go at all, then who sends it. Pure.

What goes does not depend on the strategy, so that all strategies send the same units and differ in who sends them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.dispatch.model import Line, Part, Pick, Wait, Why
from core.dispatch.serving import Offer
from core.dispatch.terms import Outlook
from core.stock import Stocked


@dataclass(slots=True)
class Want:
    """Units of one part of a line that go now: ``free`` from any warehouse, ``pinned`` from theirs."""

    line_id: int
    stocked: Stocked
    per_unit: int
    weight_g: int
    free: int
    pinned: dict[int, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return self.free + sum(self.pinned.values())


@dataclass(frozen=True, slots=True)
class Task:
    """What goes, by line, bundles first; and the offers, in the order of their warehouses' priority."""

    outlook: Outlook
    bundles: Sequence[Sequence[Want]]
    plain: Sequence[Want]
    offers: Mapping[int, Offer]
    totals: Mapping[Stocked, int]  # free units that go
    forced: frozenset[int]  # warehouses from which pinned units go


@dataclass(slots=True)
class Plan:
    """Picks by warehouse. ``split``: bundles of which components come from several; ``left``: units nobody sends."""

    picks: dict[int, list[Pick]] = field(default_factory=dict)
    split: int = 0
    left: int = 0

    @property
    def parcels(self) -> int:
        return len(self.picks)


def due(lines: Sequence[Line], offered: Sequence[Offer], outlook: Outlook) -> tuple[Task, list[Wait]]:
    """What of the lines goes now, and what waits and why.

    A component that cannot go keeps the others of its bundle back, as many as belong to it.
    """
    there: defaultdict[Stocked, int] = defaultdict(int)
    locked: dict[tuple[Stocked, int], int] = {}
    for offer in offered:
        for stocked, units in offer.units.items():
            there[stocked] += units
        for stocked, units in offer.locked.items():
            locked[stocked, offer.warehouse.id] = units
    bundles: list[list[Want]] = []
    plain: list[Want] = []
    waits: list[Wait] = []
    for line in sorted(lines, key=lambda line: len(line.parts) < 2):
        wants = _due_of_line(line, there, locked, waits)
        if len(line.parts) > 1:
            bundles.append(wants)
        else:
            plain += wants
    totals: defaultdict[Stocked, int] = defaultdict(int)
    for want in (*(want for wants in bundles for want in wants), *plain):
        totals[want.stocked] += want.free
    forced = frozenset(place for wants in (*bundles, plain) for want in wants for place in want.pinned)
    offers = {offer.warehouse.id: offer for offer in offered}
    return Task(outlook, bundles, plain, offers, {one: units for one, units in totals.items() if units}, forced), waits


def _due_of_line(
    line: Line, there: dict[Stocked, int], locked: dict[tuple[Stocked, int], int], waits: list[Wait]
) -> list[Want]:
    wants = [_servable(line.id, part, there, locked) for part in line.parts]
    short = [part.units + sum(part.pinned.values()) - want.units for part, want in zip(line.parts, wants, strict=True)]
    for part, missing in zip(line.parts, short, strict=True):
        told = ((part.presale, Why.PRESALE), (part.waiting, Why.OWED), (missing, Why.NOWHERE))
        waits += [Wait(line.id, part.stocked, units, why) for units, why in told if units]
    if len(line.parts) > 1:
        _keep_back(line, wants, short, waits)
    for want in wants:
        there[want.stocked] -= want.free
        for place, units in want.pinned.items():
            locked[want.stocked, place] -= units
    return [want for want in wants if want.units]


def _servable(
    line_id: int, part: Part, there: Mapping[Stocked, int], locked: Mapping[tuple[Stocked, int], int]
) -> Want:
    pinned = {place: min(units, locked.get((part.stocked, place), 0)) for place, units in part.pinned.items()}
    free = min(part.units, there.get(part.stocked, 0))
    return Want(line_id, part.stocked, part.per_unit, part.weight_g, free, {k: n for k, n in pinned.items() if n})


def _keep_back(line: Line, wants: Sequence[Want], short: Sequence[int], waits: list[Wait]) -> None:
    """Of each part as many units as belong to bundles that lack another part."""
    lacking = [part.presale + part.waiting + missing for part, missing in zip(line.parts, short, strict=True)]
    bundles = max(-(-units // part.per_unit) for part, units in zip(line.parts, lacking, strict=True))
    for part, want, units in zip(line.parts, wants, lacking, strict=True):
        kept = min(max(bundles * part.per_unit - units, 0), want.units)
        if kept:
            waits.append(Wait(line.id, part.stocked, kept, Why.REST_OF_BUNDLE))
            free = min(kept, want.free)
            want.free -= free
            _unpin(want, kept - free)


def _unpin(want: Want, units: int) -> None:
    for place in sorted(want.pinned):
        kept = min(units, want.pinned[place])
        want.pinned[place] -= kept
        units -= kept
        if not want.pinned[place]:
            del want.pinned[place]


def fill(task: Task, places: Sequence[int]) -> Plan:
    """Each warehouse in turn sends all that it has of what is still wanted.

    First whole bundles, from all warehouses in turn; then what is left of bundles, component by component; then plain
    items. So a bundle is split only when no warehouse of these has all of it.
    """
    filling = _Filling(task, places)
    for wants in task.bundles:
        filling.whole(wants)
    for wants in task.bundles:
        filling.split(wants)
    for want in task.plain:
        filling.part(want)
    return filling.plan


class _Filling:
    def __init__(self, task: Task, places: Sequence[int]) -> None:
        self._places = places
        self._units = {place: dict(task.offers[place].units) for place in places}
        self._free: dict[int, int] = {}
        self._pinned: dict[tuple[int, int], int] = {}
        for wants in (*task.bundles, task.plain):
            for want in wants:
                self._free[id(want)] = want.free
                self._pinned.update({(id(want), place): units for place, units in want.pinned.items()})
        self.plan = Plan(left=sum(self._free.values()) + sum(self._pinned.values()))

    def whole(self, wants: Sequence[Want]) -> None:
        for place in self._places:
            if len(wants) > 1 and self.plan.left:
                bundles = min(self._can(want, place) // want.per_unit for want in wants)
                if bundles:
                    for want in wants:
                        self._take(want, place, bundles * want.per_unit)
                    wants = [want for want in wants if self._wanted(want)]

    def split(self, wants: Sequence[Want]) -> None:
        open_ = [want for want in wants if self._wanted(want)]
        if len(open_) > 1:
            self.plan.split += max(-(-self._wanted(want) // want.per_unit) for want in open_)
        for want in open_:
            self.part(want)

    def part(self, want: Want) -> None:
        if not want.pinned:
            self._part_free(want)
            return
        for place in self._places:
            if units := self._can(want, place):
                self._take(want, place, units)

    def _part_free(self, want: Want) -> None:
        """What most parts are, in few steps: 1,000 orders over 50 warehouses come through here."""
        wanted, stocked = self._free[id(want)], want.stocked
        for place in self._places:
            if not wanted:
                break
            units = self._units[place].get(stocked, 0)
            if units:
                taken = units if units < wanted else wanted
                wanted -= taken
                self._units[place][stocked] = units - taken
                self._free[id(want)] = wanted
                self._note(want, place, taken, from_lock=False)

    def _wanted(self, want: Want) -> int:
        return self._free[id(want)] + sum(self._pinned.get((id(want), place), 0) for place in want.pinned)

    def _can(self, want: Want, place: int) -> int:
        pinned = self._pinned.get((id(want), place), 0)
        return pinned + min(self._free[id(want)], self._units[place].get(want.stocked, 0))

    def _take(self, want: Want, place: int, units: int) -> None:
        pinned = min(units, self._pinned.get((id(want), place), 0))
        if pinned:
            self._pinned[id(want), place] -= pinned
            self._note(want, place, pinned, from_lock=True)
        if free := units - pinned:
            self._free[id(want)] -= free
            self._units[place][want.stocked] -= free
            self._note(want, place, free, from_lock=False)

    def _note(self, want: Want, place: int, units: int, *, from_lock: bool) -> None:
        self.plan.left -= units
        self.plan.picks.setdefault(place, []).append(Pick(want.line_id, want.stocked, units, from_lock))


def merged(picks: Iterable[Pick]) -> list[Pick]:
    """One pick for each line, thing and lock, in the order of lines."""
    units: defaultdict[tuple[int, Stocked, bool], int] = defaultdict(int)
    for pick in picks:
        units[pick.line_id, pick.stocked, pick.from_lock] += pick.units
    return [Pick(line_id, stocked, n, lock) for (line_id, stocked, lock), n in sorted(units.items())]

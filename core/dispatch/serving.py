"""Which warehouses may serve an order, what each could send, and why the others may not. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from core.dispatch.model import Exclusion, Line, Supply, Why
from core.dispatch.terms import Effect, Outlook, Rule
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse


class Offer(NamedTuple):
    """What one warehouse may send of what is asked for: units free to go, and those of physical locks."""

    warehouse: Warehouse
    units: Mapping[Stocked, int]
    locked: Mapping[Stocked, int]


class Refusal(NamedTuple):
    """``stocked`` None: of all that is asked for."""

    warehouse_id: int
    why: Why
    stocked: Stocked | None = None
    detail: str = ""


def offers(
    lines: Sequence[Line], warehouses: Sequence[Warehouse], supply: Supply, outlook: Outlook,
    excluded: Sequence[Exclusion], now: datetime,
) -> tuple[list[Offer], list[Refusal]]:  # fmt: skip
    """The warehouses that may serve and have something, in the order given; and why the others do not."""
    asked = sorted({part.stocked for line in lines for part in line.parts})
    pinned = sorted({part.stocked for line in lines for part in line.parts if part.pinned})
    available, locked = _by_place(supply.available, asked), _by_place(supply.locked, pinned)
    gate = _Gate(outlook, excluded, now)
    ruled = [one for one in asked if gate.rules(one)]
    found: list[Offer] = []
    refusals: list[Refusal] = []
    for warehouse in warehouses:
        place = warehouse.id
        refusal = gate.refuses(warehouse, supply.parcels.get(place, 0))
        if refusal is not None:
            refusals.append(refusal)
            continue
        units, apart = available.get(place, _NOTHING), locked.get(place, _NOTHING)
        if ruled and (barred := gate.barred(place, ruled)):
            refusals += _told(barred, asked)
            units, apart = ({one: n for one, n in goods.items() if one not in barred} for goods in (units, apart))
            if len(barred) == len(asked):
                continue
        if units or apart:
            found.append(Offer(warehouse, units, apart))
        else:
            refusals.append(Refusal(place, Why.EMPTY))
    return found, refusals


_NOTHING: Mapping[Stocked, int] = {}


def _by_place(stock: Mapping[Stocked, Mapping[int, int]], asked: Iterable[Stocked]) -> dict[int, dict[Stocked, int]]:
    """Units by warehouse, then by thing; those that there are none of are left out."""
    found: defaultdict[int, dict[Stocked, int]] = defaultdict(dict)
    for one in asked:
        for place, units in stock.get(one, {}).items():
            if units > 0:
                found[place][one] = units
    return found


def _told(barred: Mapping[Stocked, Refusal], asked: Sequence[Stocked]) -> list[Refusal]:
    """One refusal for all that is asked for, when it is the same for all."""
    told = list(barred.values())
    first = told[0]
    alike = len(told) == len(asked) and all((one.why, one.detail) == (first.why, first.detail) for one in told)
    return [Refusal(first.warehouse_id, first.why, None, first.detail)] if alike else told


class _Gate:
    """The rules, exclusions and limits as they stand for one order."""

    def __init__(self, outlook: Outlook, excluded: Sequence[Exclusion], now: datetime) -> None:
        self._out: dict[int, Exclusion] = {}
        self._out_for: dict[tuple[int, Stocked], Exclusion] = {}
        for one in excluded:
            if one.stocked is None:
                self._out.setdefault(one.warehouse_id, one)
            else:
                self._out_for.setdefault((one.warehouse_id, one.stocked), one)
        self._deny: dict[tuple[int, int | None], Rule] = {}
        self._allow: dict[int | None, set[int]] = {}
        for rule in outlook.rules:
            if rule.holds_at(now):
                if rule.effect is Effect.DENY:
                    self._deny.setdefault((rule.warehouse_id, rule.item_id), rule)
                else:
                    self._allow.setdefault(rule.item_id, set()).add(rule.warehouse_id)
        self._only: dict[tuple[int, int | None], bool] = {}  # does the destination lie in one of its regions?
        for rule, inside in outlook.only:
            if rule.holds_at(now):
                key = (rule.warehouse_id, rule.item_id)
                self._only[key] = self._only.get(key, False) or inside
        self._named = {place for place, _ in (*self._deny, *self._only)} | self._out.keys()
        self._ruled = {item for _, item in (*self._deny, *self._only)} | self._allow.keys()
        self._shut = {one.stocked for one in excluded}

    def refuses(self, warehouse: Warehouse, parcels: int) -> Refusal | None:
        """Why the warehouse serves nothing of the order."""
        if warehouse.paused:
            return Refusal(warehouse.id, Why.PAUSED)
        if warehouse.capacity_per_day is None and warehouse.id not in self._named:
            return None
        if out := self._out.get(warehouse.id):
            return Refusal(warehouse.id, out.why, None, out.note)
        if self._only.get((warehouse.id, None)) is False:
            return Refusal(warehouse.id, Why.OUT_OF_REGION)
        if deny := self._deny.get((warehouse.id, None)):
            return Refusal(warehouse.id, Why.DENIED, None, str(deny.id))
        if warehouse.capacity_per_day is not None and parcels >= warehouse.capacity_per_day:
            return Refusal(warehouse.id, Why.FULL, None, str(warehouse.capacity_per_day))
        return None

    def rules(self, one: Stocked) -> bool:
        """Is anything said of this thing that not every warehouse meets?"""
        return one.item_id in self._ruled or None in self._allow or one in self._shut

    def barred(self, warehouse_id: int, ruled: Sequence[Stocked]) -> dict[Stocked, Refusal]:
        """What of the order the warehouse may not serve, and why."""
        found = ((one, self._bars(warehouse_id, one)) for one in ruled)
        return {one: refusal for one, refusal in found if refusal is not None}

    def _bars(self, warehouse_id: int, one: Stocked) -> Refusal | None:
        if out := self._out_for.get((warehouse_id, one)):
            return Refusal(warehouse_id, out.why, one, out.note)
        if deny := self._deny.get((warehouse_id, one.item_id)):
            return Refusal(warehouse_id, Why.DENIED, one, str(deny.id))
        if self._only.get((warehouse_id, one.item_id)) is False:
            return Refusal(warehouse_id, Why.OUT_OF_REGION, one)
        allowed = [self._allow[item] for item in (one.item_id, None) if item in self._allow]
        if allowed and not any(warehouse_id in them for them in allowed):
            return Refusal(warehouse_id, Why.NOT_ALLOWED, one)
        return None

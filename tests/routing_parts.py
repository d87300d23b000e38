"""Short ways to say what a test of routing is about: warehouses, orders and stock, without a database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from core.dispatch.destinations import Destination
from core.dispatch.model import Exclusion, Line, Part, Route, Supply
from core.dispatch.routing import decide
from core.dispatch.strategies import Strategy, named
from core.dispatch.terms import Terms
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse

# A Wednesday, eleven in the morning in Berlin.
NOW = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
MUNICH = Destination("DE", "BY", "80")
MUG, CUP, POT = Stocked(1), Stocked(2), Stocked(3)


def warehouse(warehouse_id: int, **told: Any) -> Warehouse:
    """``W1``, ``W2`` ...: of priority 0, somewhere in no country, always open, unless told otherwise."""
    values: dict[str, Any] = {
        "code": f"W{warehouse_id}", "name": "", "kind": "warehouse", "time_zone": "Europe/Berlin", "region": "",
        "country": "", "subdivision": "", "postal": "", "city": "", "street": "", "latitude": None, "longitude": None,
        "priority": 0, "cut_off": None, "handling_days": 0, "capacity_per_day": None, "paused": False, "bins": 1,
    }  # fmt: skip
    return Warehouse(warehouse_id, **{**values, **told})


def plain(line_id: int, stocked: Stocked, units: int, **told: Any) -> Line:
    return Line(line_id, [Part(stocked, units, **told)])


def stock(by_warehouse: Mapping[int, Mapping[Stocked, int]]) -> Supply:
    """What stands in each warehouse."""
    supply = Supply()
    for place, goods in by_warehouse.items():
        for stocked, units in goods.items():
            supply.available.setdefault(stocked, {})[place] = units
    return supply


def route(
    lines: Sequence[Line], supply: Supply, *, places: Sequence[Warehouse] | None = None, terms: Terms | None = None,
    strategy: str | Strategy = "priority", to: Destination = MUNICH, excluded: Sequence[Exclusion] = (),
    earlier: Route | None = None,
) -> Route:  # fmt: skip
    """By default the warehouses that have something, all alike."""
    known = {place for goods in (*supply.available.values(), *supply.locked.values()) for place in goods}
    return decide(
        lines,
        to,
        [warehouse(place) for place in sorted(known)] if places is None else places,
        supply,
        terms or Terms(),
        named(strategy) if isinstance(strategy, str) else strategy,
        NOW,
        excluded=excluded,
        earlier=earlier,
    )


def sent(found: Route) -> dict[int, dict[Stocked, int]]:
    """Units by warehouse."""
    told: dict[int, dict[Stocked, int]] = {}
    for leg in found.legs:
        for pick in leg.picks:
            goods = told.setdefault(leg.warehouse_id, {})
            goods[pick.stocked] = goods.get(pick.stocked, 0) + pick.units
    return told


def weighed(line: Line, weight_g: int) -> Line:
    return Line(line.id, [replace(part, weight_g=weight_g) for part in line.parts])

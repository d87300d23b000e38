"""Routes as commands and interfaces tell them: codes for ids, sentences beside the data."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from core.dispatch.model import Leg, Reason, Route, Wait
from core.dispatch.reasons import Names, tell_leg, tell_reason, tell_wait
from core.stock import Stocked
from core.transaction import Transaction


def names_for(tx: Transaction, routes: Sequence[Route]) -> Names:
    """Names of all that these routes speak of."""
    things = {part.stocked for route in routes for line in route.lines for part in line.parts}
    items = tx.run(
        """SELECT i.id, i.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, sku FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i""",
        ids=sorted({thing.item_id for thing in things}),
    ).fetchall()
    places = tx.run("SELECT id, code FROM warehouse WHERE merchant_id = :merchant_id").fetchall()
    currency = tx.run("SELECT currency FROM carrier_rate WHERE merchant_id = :merchant_id LIMIT 1").scalar_one_or_none()
    return Names({row[0]: row[1] for row in places}, {row[0]: row[1] for row in items}, currency or "")


def told(route: Route, names: Names) -> dict[str, Any]:
    """A route as JSON values. ``cost``: in the smallest unit of the currency; null where a parcel's is not known."""
    return {
        "strategy": route.strategy,
        "to": str(route.destination),
        "attempt": route.attempt,
        "parcels": route.parcels,
        "cost": route.cost,
        "currency": names.currency,
        "earliest": _day(route.earliest),
        "latest": _day(route.latest),
        "legs": [_leg(leg, names) for leg in route.legs],
        "waits": [_wait(wait, names) for wait in route.waits],
        "reasons": [_reason(reason, names) for reason in route.reasons],
    }


def _leg(leg: Leg, names: Names) -> dict[str, Any]:
    return {
        "warehouse": names.warehouse(leg.warehouse_id),
        "goods": [
            {"line": pick.line_id, **_thing(pick.stocked, names), "units": pick.units, "from_lock": pick.from_lock}
            for pick in leg.picks
        ],
        "weight_g": leg.weight_g,
        "weighed": leg.weighed,
        "cost": leg.cost,
        "carrier": leg.carrier,
        "leaves": _day(leg.estimate.leaves),
        "earliest": _day(leg.estimate.earliest),
        "latest": _day(leg.estimate.latest),
        "says": tell_leg(leg, names),
    }


def _wait(wait: Wait, names: Names) -> dict[str, Any]:
    return {
        "line": wait.line_id,
        **_thing(wait.stocked, names),
        "units": wait.units,
        "why": wait.why,
        "says": tell_wait(wait, names),
    }


def _reason(reason: Reason, names: Names) -> dict[str, Any]:
    return {
        "attempt": reason.attempt,
        "strategy": reason.strategy,
        "warehouse": names.warehouse(reason.warehouse_id),
        "verdict": reason.verdict,
        "why": reason.why,
        **(_thing(reason.stocked, names) if reason.stocked else {}),
        "detail": reason.detail,
        "figure": reason.figure,
        "value": reason.value,
        "units": reason.units,
        "says": tell_reason(reason, names),
    }


def _thing(stocked: Stocked, names: Names) -> Mapping[str, str]:
    return {"sku": names.skus.get(stocked.item_id, str(stocked.item_id)), "grade": stocked.grade}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

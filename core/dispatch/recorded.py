"""Decisions as they are kept: JSON of plain lists and words, and back. Pure.

Places and things stand in it by id. Nothing in it names a person.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from core.dispatch.estimate import Estimate
from core.dispatch.model import Exclusion, Leg, Line, Part, Pick, Reason, Verdict, Wait, Why
from core.stock import Stocked

Json = list[dict[str, Any]]


def lines_out(lines: Sequence[Line]) -> Json:
    return [{"line": line.id, "parts": [_part_out(part) for part in line.parts]} for line in lines]


def _part_out(part: Part) -> dict[str, Any]:
    told: dict[str, Any] = {
        "item": part.stocked.item_id, "grade": part.stocked.grade, "units": part.units, "per_unit": part.per_unit,
        "waiting": part.waiting, "presale": part.presale,
    }  # fmt: skip
    return told | {"pinned": list(part.pinned.items())} if part.pinned else told


def lines_in(told: Json, weights: Mapping[int, int]) -> list[Line]:
    """``weights``: grams of one unit, by item, as they are known now."""
    return [Line(one["line"], [_part_in(part, weights) for part in one["parts"]]) for one in told]


def _part_in(told: Mapping[str, Any], weights: Mapping[int, int]) -> Part:
    return Part(
        Stocked(told["item"], told["grade"]),
        told["units"],
        told["per_unit"],
        weights.get(told["item"], 0),
        told["waiting"],
        told["presale"],
        dict(told.get("pinned", ())),
    )


def legs_out(legs: Sequence[Leg]) -> Json:
    return [
        {
            "warehouse": leg.warehouse_id, "picks": [[one.line_id, *one.stocked, one.units, one.from_lock]
                for one in leg.picks],
            "weight_g": leg.weight_g, "weighed": leg.weighed, "cost": leg.cost, "carrier": leg.carrier,
            "currency": leg.currency, "leaves": leg.estimate.leaves.isoformat(),
            "earliest": _day_out(leg.estimate.earliest), "latest": _day_out(leg.estimate.latest),
        }
        for leg in legs
    ]  # fmt: skip


def legs_in(told: Json) -> list[Leg]:
    return [
        Leg(
            one["warehouse"],
            [Pick(line, Stocked(item, grade), units, lock) for line, item, grade, units, lock in one["picks"]],
            one["weight_g"],
            one["weighed"],
            one["cost"],
            one["carrier"],
            one["currency"],
            Estimate(date.fromisoformat(one["leaves"]), _day_in(one["earliest"]), _day_in(one["latest"])),
        )
        for one in told
    ]


def _day_out(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day_in(told: str | None) -> date | None:
    return date.fromisoformat(told) if told else None


def waits_out(waits: Sequence[Wait]) -> list[list[Any]]:
    return [[one.line_id, *one.stocked, one.units, one.why] for one in waits]


def waits_in(told: Sequence[Sequence[Any]]) -> list[Wait]:
    return [Wait(line, Stocked(item, grade), units, Why(why)) for line, item, grade, units, why in told]


def reasons_out(reasons: Sequence[Reason]) -> Json:
    """By attempt, each warehouse as a short list: there is a reason for every warehouse of every order.

    Those that have nothing, the last and the most, are named by their ids alone.
    """
    told = []
    for (attempt, strategy), some in groupby(reasons, key=lambda one: (one.attempt, one.strategy)):
        known, empty = [], []
        for _, _, place, verdict, why, stocked, detail, figure, value, units in some:
            if why is Why.EMPTY:
                empty.append(place)
            else:
                known.append([place, verdict, why, stocked, detail, figure, value, units])
        told.append({"attempt": attempt, "strategy": strategy, "warehouses": known, "empty": empty})
    return told


def reasons_in(told: Json) -> list[Reason]:
    found = []
    for group in told:
        attempt, strategy = group["attempt"], group["strategy"]
        for place, verdict, why, stocked, *rest in group["warehouses"]:
            thing = Stocked(*stocked) if stocked else None
            found.append(Reason(attempt, strategy, place, Verdict(verdict), Why(why) if why else None, thing, *rest))
        found += [Reason(attempt, strategy, place, Verdict.REFUSED, Why.EMPTY) for place in group["empty"]]
    return found


def excluded_out(excluded: Sequence[Exclusion]) -> list[list[Any]]:
    return [[one.warehouse_id, one.why, one.stocked, one.note] for one in excluded]


def excluded_in(told: Sequence[Sequence[Any]]) -> list[Exclusion]:
    return [Exclusion(place, Why(why), Stocked(*one) if one else None, note) for place, why, one, note in told]

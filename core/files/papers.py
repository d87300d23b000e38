"""What files of papers share: several rows each, the first of which may say for all what they have in common."""

from collections.abc import Callable, Sequence
from typing import Any

from core.errors import Refused
from core.files.columns import Problem, Record
from core.files.desk import Desk
from core.files.units import Outcome, Unit, problem, refused


def common(unit: Unit, names: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """What all rows of a paper say, if only one of them; and where two say it otherwise."""
    found: dict[str, Any] = dict.fromkeys(names)
    problems = []
    for record in unit.records:
        for name in names:
            value = record.values[name]
            if value in (None, ""):
                continue
            if found[name] is None:
                found[name] = value
            elif found[name] != value:
                problems.append(problem(record, name, f"row {unit.row} of the same paper says {found[name]}"))
    return found, problems


def twice(unit: Unit, keys: Sequence[Any], column: str = "sku") -> list[Problem]:
    """Rows whose key an earlier row of the same paper has."""
    first: dict[Any, Record] = {}
    problems = []
    for record, key in zip(unit.records, keys, strict=True):
        before = first.setdefault(key, record)
        if before is not record:
            problems.append(problem(record, column, f"row {before.row} has the same goods; say them once"))
    return problems


def each(desk: Desk, units: Sequence[Unit], one: Callable[[Desk, Unit], Outcome]) -> list[Outcome]:
    """Each paper is worked on by itself, as acts on papers are; what one is refused with is told of it."""
    told = []
    for unit in units:
        try:
            told.append(one(desk, unit))
        except Refused as refusal:
            told.append(refused(unit, _subject(unit), problem(unit.records[0], "", str(refusal))))
    return told


def _subject(unit: Unit) -> str:
    named = next((unit.values[name] for name in ("number", "order", "bundle") if unit.values.get(name)), None)
    return str(named or f"row {unit.row}")

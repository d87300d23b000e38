"""Files of suppliers. There are few, so each is worked on by itself."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from core.errors import Refused
from core.files import cells, stocky
from core.files.columns import Column
from core.files.desk import Desk, Kind
from core.files.recorded import Effect
from core.files.units import CHANGED, MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.supply import suppliers
from core.supply.suppliers import TERMS, Supplier
from core.transaction import Transaction

COLUMNS = (
    Column("code", cells.line(60), ("supplier code", "short name")),
    Column("name", cells.line(120), ("supplier", "supplier name", "company", "company name", "vendor")),
    Column("email", cells.line(120), ("order email",)),
    Column("currency", cells.line(3), ("currency code",)),
    Column("lead_days", cells.whole(0, 1000), ("lead time", "lead time days", "lead time (days)")),
)


def code_of(code: str | None, name: str | None) -> str:
    """What a supplier is called in short: its code, or one made of its name."""
    return code or re.sub(r"\W+", "-", name or "").strip("-").upper()


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``. What a row leaves empty stays as it is."""
    told = []
    with desk.begin() as tx:
        known = {one.code: one for one in suppliers.every(tx)}
        for unit in units:
            told.append(_one(desk, tx, unit, known))
        desk.note(tx, *told)
    return told


def _one(desk: Desk, tx: Transaction, unit: Unit, known: dict[str, Supplier]) -> Outcome:
    record, values = unit.records[0], unit.values
    code = code_of(values["code"], values["name"])
    if not code:
        return refused(unit, "", problem(record, "code", "a supplier has a code or a name; write one of them"))
    first = desk.seen.setdefault(code, unit.row)
    if first != unit.row:
        return refused(unit, code, problem(record, "code", f"row {first} says something of {code} already"))
    said = {name: values[name] for name in TERMS if values[name] is not None}
    supplier = known.get(code)
    try:
        if supplier is None:
            suppliers.add(tx, code, said)
            return outcome(unit, MADE, code, said.get("name", ""), before={})
        changed = {name: value for name, value in said.items() if _bare(getattr(supplier, name)) != value}
        if changed:
            suppliers.change(tx, code, changed)
    except Refused as refusal:
        return refused(unit, code, problem(record, "", str(refusal)))
    if not changed:
        return outcome(unit, SAME, code)
    told = ", ".join(f"{name} {_said(getattr(supplier, name))} -> {value}" for name, value in changed.items())
    before = {name: [getattr(supplier, name), value] for name, value in changed.items()}
    return outcome(unit, CHANGED, code, told, before=before)


def _bare(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _said(value: object) -> object:
    return "-" if value in (None, "") else value


def take_back(desk: Desk, rows: Sequence[Effect], _reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: what rows changed is as it was, unless it changed since; suppliers stay."""
    kept = []
    with desk.begin() as tx:
        known = {one.code: one for one in suppliers.every(tx)}
        for row in rows:
            if row.outcome == MADE:
                kept.append("a supplier stays, for what was ever ordered from it")
            elif any(getattr(known[row.subject], name) != now for name, (_, now) in row.before.items()):
                kept.append("it was changed since")
            else:
                suppliers.change(tx, row.subject, {name: was for name, (was, _) in row.before.items()})
                kept.append("")
    return kept


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``."""
    yield [(one.code, one.name, one.email, one.currency, one.lead_days) for one in suppliers.every(tx)]


KIND = Kind(
    "suppliers", COLUMNS, ("code", "name"), work, take_back, pages, formats={stocky.NAME: stocky.suppliers(COLUMNS)}
)

"""Files of what suppliers bring: how they call an item, in which cases they pack it, and what it costs there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core import bulk, tables
from core.files import cells, lookups, stocky
from core.files.columns import Column, Problem
from core.files.desk import COST, GOODS, SUPPLIER, Desk, Kind
from core.files.recorded import Effect
from core.files.units import CHANGED, MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.goods.items import MOST_IN_A_UNIT
from core.money import from_minor
from core.supply import suppliers
from core.supply.suppliers import CASE, ITEM_TERMS, Supplier
from core.transaction import Transaction

_PAGE = 1_000
_KEY = ("supplier_id", "item_id")

COLUMNS = (
    Column("supplier", cells.line(120), ("supplier name", "vendor"), required=True),
    Column("sku", cells.text(10_000), ("variant sku", "item"), required=True),
    Column("supplier_sku", cells.line(120), ("supplier number", "supplier part", "vendor sku")),
    Column("pack_size", cells.whole(1, MOST_IN_A_UNIT), ("case", "case size", "units per case")),
    Column("least_units", cells.whole(1), ("minimum", "minimum order", "moq")),
    Column("lead_days", cells.whole(0, 1000), ("lead time", "lead time days", "lead time (days)")),
    Column("cost", cells.text(40), ("unit cost", "cost price")),
)


class _Key(NamedTuple):
    supplier_id: int
    item_id: int


class _Row(NamedTuple):
    """``said``: by the names in ``ITEM_TERMS``; what a row leaves empty is not in it."""

    unit: Unit
    key: _Key
    subject: str
    said: Mapping[str, Any]


class _There(NamedTuple):
    """Terms as they stand in ``ITEM_TERMS``; ``cases``: sale units in a case of an item; ``owners``: of their codes."""

    terms: Mapping[_Key, Sequence[Any]]
    cases: Mapping[int, int]
    owners: Mapping[tuple[int, str], int]


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``. What a row leaves empty stays as it is."""
    with desk.begin() as tx:
        known = suppliers.every(tx)
        items = lookups.items(tx, [unit.values["sku"] for unit in units])
        rows = [_row(unit, known, items) for unit in units]
        there = _there(tx, [row for row in rows if isinstance(row, _Row)])
        told, changed = [], []
        for row in rows:
            one = row if isinstance(row, Outcome) else _decided(desk, row, there)
            if isinstance(one, Outcome):
                told.append(one)
            else:
                changed.append((*one.key, *one.now))
                told.append(one.outcome)
        bulk.put(tx, tables.supplier_item, (*_KEY, *ITEM_TERMS), changed, _KEY)
        desk.note(tx, *told)
    return told


def _row(unit: Unit, known: Sequence[Supplier], items: lookups.Items) -> _Row | Outcome:
    record, values = unit.records[0], unit.values
    supplier, what = lookups.supplier(record, values["supplier"], known), items.stocked(record)
    problems = [one for one in (supplier, what) if isinstance(one, Problem)]
    if isinstance(supplier, Problem) or isinstance(what, Problem):
        return refused(unit, values["sku"], *problems)
    said = {name: values[name] for name in ITEM_TERMS if values.get(name) is not None}
    cost = lookups.cost(record, supplier.currency)
    if isinstance(cost, Problem):
        return refused(unit, values["sku"], cost)
    said |= {} if cost is None else {"cost_minor": cost}
    return _Row(unit, _Key(supplier.id, what.item_id), f"{values['sku']} from {supplier.code}", said)


def _terms(tx: Transaction, keys: Sequence[_Key]) -> Mapping[_Key, Sequence[Any]]:
    rows = tx.run(
        f"""SELECT k.*, {", ".join(f"t.{name}" for name in ITEM_TERMS)}
            FROM unnest(CAST(:suppliers AS bigint[]), CAST(:items AS bigint[])) k (supplier_id, item_id)
            CROSS JOIN LATERAL (SELECT * FROM supplier_item WHERE merchant_id = :merchant_id
                AND supplier_id = k.supplier_id AND item_id = k.item_id OFFSET 0) t""",
        suppliers=[key.supplier_id for key in keys], items=[key.item_id for key in keys],
    )  # fmt: skip
    return {_Key(*row[:2]): row[2:] for row in rows}


def _there(tx: Transaction, rows: Sequence[_Row]) -> _There:
    keys = [row.key for row in rows]
    cases = tx.run(
        """SELECT k.id, u.units FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT units FROM item_unit WHERE merchant_id = :merchant_id AND item_id = k.id
               AND unit = :case OFFSET 0) u""",
        ids=sorted({key.item_id for key in keys}), case=CASE,
    )  # fmt: skip
    named = [(row.key.supplier_id, row.said["supplier_sku"]) for row in rows if "supplier_sku" in row.said]
    owners = tx.run(
        """SELECT k.*, t.item_id FROM unnest(CAST(:suppliers AS bigint[]), CAST(:codes AS text[])) k (supplier_id, code)
           CROSS JOIN LATERAL (SELECT item_id FROM supplier_item WHERE merchant_id = :merchant_id
               AND supplier_id = k.supplier_id AND supplier_sku = k.code AND supplier_sku <> '' OFFSET 0) t""",
        suppliers=[supplier_id for supplier_id, _ in named], codes=[code for _, code in named],
    )  # fmt: skip
    cased = {row.id: row.units for row in cases}
    return _There(_terms(tx, keys), cased, {(row.supplier_id, row.code): row.item_id for row in owners})


class _Change(NamedTuple):
    key: _Key
    now: Sequence[Any]
    outcome: Outcome


def _decided(desk: Desk, row: _Row, there: _There) -> _Change | Outcome:
    record = row.unit.records[0]
    first = desk.seen.setdefault(row.key, row.unit.row)
    if first != row.unit.row:
        return refused(row.unit, row.subject, problem(record, "sku", f"row {first} says something of it already"))
    code = row.said.get("supplier_sku")
    named = desk.seen.setdefault((row.key.supplier_id, code), row.unit.row) if code else row.unit.row
    owner = there.owners.get((row.key.supplier_id, code or ""), row.key.item_id)
    if owner != row.key.item_id or named != row.unit.row:
        other = "another item" if named == row.unit.row else f"the item of row {named}"
        return refused(
            row.unit, row.subject, problem(record, "supplier_sku", f"this supplier calls {other} so already")
        )
    known = there.terms.get(row.key)
    before = known or ("", there.cases.get(row.key.item_id, 1), 1, None, None)
    now = [row.said.get(name, was) for name, was in zip(ITEM_TERMS, before, strict=True)]
    if known is not None and now == list(known):
        return outcome(row.unit, SAME, row.subject)
    was = {"supplier_id": row.key.supplier_id, "item_id": row.key.item_id, "was": list(before), "now": now}
    told = ", ".join(f"{name.removesuffix('_minor')} {row.unit.values[_COLUMN.get(name, name)]}" for name in row.said)
    return _Change(row.key, now, outcome(row.unit, CHANGED if known else MADE, row.subject, told, before=was))


_COLUMN = {"cost_minor": "cost"}


def take_back(desk: Desk, rows: Sequence[Effect], _reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: what rows changed is as it was, unless it changed since; what they made stays."""
    with desk.begin() as tx:
        keys = [_Key(row.before["supplier_id"], row.before["item_id"]) for row in rows]
        there = _terms(tx, keys)
        kept = [_stays(row, there.get(key)) for row, key in zip(rows, keys, strict=True)]
        back = [(*key, *row.before["was"]) for row, key, why in zip(rows, keys, kept, strict=True) if not why]
        bulk.put(tx, tables.supplier_item, (*_KEY, *ITEM_TERMS), back, _KEY)
    return kept


def _stays(row: Effect, now: Sequence[Any] | None) -> str:
    if row.outcome == MADE:
        return "the supplier brings it, for what was ever ordered; `holdfast supplier item` says how"
    return "" if now is not None and list(now) == row.before["now"] else "it was changed since"


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: by supplier and item."""
    senders = {one.id: one for one in suppliers.every(tx)}
    after = _Key(0, 0)
    while True:
        rows = tx.run(
            f"""SELECT s.supplier_id, s.item_id, {", ".join(f"s.{name}" for name in ITEM_TERMS)} FROM supplier_item s
                WHERE s.merchant_id = :merchant_id AND (s.supplier_id, s.item_id) > (:supplier, :item)
                ORDER BY s.supplier_id, s.item_id LIMIT :limit""",
            supplier=after.supplier_id, item=after.item_id, limit=_PAGE,
        ).all()  # fmt: skip
        if not rows:
            return
        after = _Key(*rows[-1][:2])
        skus = lookups.standing(tx, [row.item_id for row in rows])
        yield [_exported(row, senders[row.supplier_id], skus) for row in rows if row.item_id in skus]


def _exported(row: Any, sender: Supplier, skus: Mapping[int, str]) -> Sequence[Any]:
    cost = None if row.cost_minor is None else from_minor(row.cost_minor, sender.currency)
    return (sender.code, skus[row.item_id], row.supplier_sku, row.pack_size, row.least_units, row.lead_days, cost)


KIND = Kind(
    "supplier-items", COLUMNS, ("supplier", "sku"), work, take_back, pages,
    formats={stocky.NAME: stocky.supplier_items(COLUMNS)}, 
    names={"supplier": SUPPLIER, "sku": GOODS, "cost": COST},
)  # fmt: skip

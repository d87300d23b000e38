"""Files of purchase orders: a row for each line. Of one that is not known here, what is still to come is ordered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.errors import NotFound, Refused
from core.files import cells, lookups, papers, stocky
from core.files.columns import Column, Problem, Record
from core.files.desk import COST, GOODS, SUPPLIER, WAREHOUSE, Desk, Kind
from core.files.recorded import Effect
from core.files.units import MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.ledger import home_of
from core.money import from_minor
from core.stock import GOOD, Stocked
from core.supply import placing, purchases, suppliers
from core.supply.lines import PurchaseLine, PurchaseRow
from core.supply.purchases import Purchase, Wanted
from core.supply.suppliers import Supplier
from core.transaction import Transaction

_PAGE = 100
_HEAD = ("supplier", "warehouse", "expected_on", "note", "state")
_STATES = ("draft", "placed", "closed", "cancelled")
_HAS_COME = frozenset(("delivered", "received"))

COLUMNS = (
    Column("number", cells.line(60), ("order", "order number", "po number", "purchase order"), required=True),
    Column("supplier", cells.line(120), ("supplier code", "supplier name", "vendor")),
    Column("warehouse", cells.line(60), ("to", "location")),
    Column("expected_on", cells.day, ("expected", "expected date", "eta")),
    Column("note", cells.text(2_000), ("notes",)),
    Column("state", cells.one_of(_STATES)),
    Column("sku", cells.text(10_000), ("variant sku", "item", "supplier sku"), required=True),
    Column("grade", cells.grade, default=GOOD),
    Column("quantity", cells.whole(0), ("qty", "ordered", "units"), required=True),
    Column("unit", cells.one_of(("case", "unit"))),
    Column("cut", cells.whole(0), default=0),
    Column("came", cells.whole(0), ("received",), default=0),
    Column("cost", cells.text(40), ("unit cost", "cost price", "price")),
    Column("line_expected_on", cells.day),
    Column("line_state", cells.text(40)),
)


class _Line(NamedTuple):
    """``quantity``: as the row says it; ``open``: what of it is still to come; both in sale units, but for cases."""

    record: Record
    stocked: Stocked
    quantity: int
    open: int
    cost_minor: int | None


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``."""
    return papers.each(desk, units, _one)


def _one(desk: Desk, unit: Unit) -> Outcome:
    number = unit.values["number"]
    with desk.begin() as tx:
        head, problems = papers.common(unit, _HEAD)
        known = _known(tx, number)
        supplier = suppliers.get(tx, known.row.supplier_id) if known else _supplier(tx, unit, head["supplier"])
        if isinstance(supplier, Problem):
            return refused(unit, number, *problems, supplier)
        lines, wrong = _lines(tx, unit, supplier)
        if problems or wrong:
            return refused(unit, number, *problems, *wrong)
        if known is not None:
            told = _compare(tx, unit, head, known, lines)
        else:
            told = _make(desk, tx, unit, head, supplier, lines)
        desk.note(tx, told)
    if told.what != "refused" and head["state"] == "placed" and not desk.tries:
        _place(desk, number, known)
    return told


def _place(desk: Desk, number: str, known: Purchase | None) -> None:
    """Of an order that was made here, perhaps by an import that was torn off before it placed it."""
    if known is None or (known.state == "draft" and desk.began_before(known.row.created_at)):
        acted = placing.place(desk.db, desk.merchant_id, number, actor=desk.actor)
        desk.dates_follow(acted.stocked)


def _known(tx: Transaction, number: str) -> Purchase | None:
    try:
        return purchases.find(tx, number)
    except NotFound:
        return None


def _supplier(tx: Transaction, unit: Unit, named: str | None) -> Supplier | Problem:
    """By its code, or by a name that only one has."""
    record = unit.records[0]
    if not named:
        return problem(record, "supplier", "say who sends the goods, or --set supplier=CODE for all rows")
    row = tx.run(
        """SELECT id FROM supplier WHERE merchant_id = :merchant_id AND code = :named
           UNION ALL (SELECT min(id) FROM supplier WHERE merchant_id = :merchant_id AND lower(name) = lower(:named)
               HAVING count(*) = 1) LIMIT 1""",
        named=named,
    ).scalar_one_or_none()
    if row is None:
        cure = "no supplier has this code or name; `holdfast supplier add CODE --name ...` makes one"
        return problem(record, "supplier", cure)
    return suppliers.get(tx, row)


def _lines(tx: Transaction, unit: Unit, supplier: Supplier) -> tuple[list[_Line], list[Problem]]:
    items = lookups.items(tx, [record.values["sku"] for record in unit.records], supplier.id)
    problems: list[Problem] = []
    lines = []
    for record in unit.records:
        what = items.stocked(record)
        cost = lookups.cost(record, supplier.currency)
        wrong = [one for one in (what, cost) if isinstance(one, Problem)]
        problems += wrong
        if not isinstance(what, Problem) and not isinstance(cost, Problem):
            lines.append(_Line(record, what, record.values["quantity"], _open(record), cost))
    if not problems:
        problems = papers.twice(unit, [line.stocked for line in lines])
    return lines, problems


def _open(record: Record) -> int:
    values = record.values
    if (values["line_state"] or "").casefold() in _HAS_COME and not values["came"]:
        return 0
    left: int = values["quantity"] - values["cut"] - values["came"]
    return max(left, 0)


def _compare(tx: Transaction, unit: Unit, head: Mapping[str, Any], known: Purchase, lines: Sequence[_Line]) -> Outcome:
    """An order that is here is left alone where it was ordered as the file says, whatever came of it since."""
    number, first = known.row.number, unit.records[0]
    cure = f"{number} is here already and says otherwise; take it out of the file. `holdfast purchase show {number}`"
    there = {line.stocked: line for line in known.lines}
    problems = [
        problem(line.record, "quantity", cure) for line in lines if not _is_as_said(line, there.pop(line.stocked, None))
    ]
    if there:
        problems.append(problem(first, "", f"{number} is here already, with more lines than the file has"))
    places = lookups.names(tx, "warehouse", "code", [known.row.warehouse_id])
    is_so = {"warehouse": places[known.row.warehouse_id], "expected_on": known.row.expected_on}
    for name, now in is_so.items():
        if head[name] not in (None, now):
            problems.append(problem(first, name, f"{cure} tells: {now or 'no day'}"))
    named = head["supplier"]
    if named and getattr(_supplier(tx, unit, named), "id", None) != known.row.supplier_id:
        problems.append(problem(first, "supplier", cure))
    return refused(unit, number, *problems) if problems else outcome(unit, SAME, number)


def _is_as_said(line: _Line, known: PurchaseLine | None) -> bool:
    if known is None:
        return not line.open and not line.quantity
    packs = known.pack_size if line.record.values["unit"] == "case" else 1
    ordered = known.ordered in (line.quantity * packs, line.open * packs)
    return ordered and line.cost_minor in (None, known.cost_minor)


def _make(
    desk: Desk, tx: Transaction, unit: Unit, head: Mapping[str, Any], supplier: Supplier, lines: Sequence[_Line]
) -> Outcome:
    number = unit.values["number"]
    if head["state"] in ("closed", "cancelled"):
        cure = "nothing of it is still to come, so it is not ordered here; take it out of the file"
        return refused(unit, number, problem(unit.records[0], "state", cure))
    coming = [line for line in lines if line.open]
    if not coming:
        return refused(unit, number, problem(unit.records[0], "quantity", "nothing of it is still to come"))
    places = lookups.places(tx, (), home_of(desk.db, desk.merchant_id).warehouse_id)
    to = places.warehouse(unit.records[0]._replace(values={**unit.values, "warehouse": head["warehouse"]}))
    if isinstance(to, Problem):
        return refused(unit, number, to)
    purchases.new(tx, number, supplier.code, to, expected_on=head["expected_on"], note=head["note"] or "")
    wanted = [
        Wanted(
            line.record.values["sku"], line.open, line.record.values["unit"] == "case", line.stocked.grade,
            line.record.values["line_expected_on"], line.cost_minor,
        )
        for line in coming
    ]  # fmt: skip
    ordered = purchases.add_lines(tx, number, wanted)
    state = "placed" if head["state"] == "placed" else "draft"
    told = f"{state}, {sum(line.ordered for line in ordered):,} units from {supplier.code}"
    return outcome(unit, MADE, number, told, before={"number": number})


def take_back(desk: Desk, rows: Sequence[Effect], reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: orders of which nothing came are cancelled."""
    kept = []
    for row in rows:
        try:
            acted = placing.end(
                desk.db, desk.merchant_id, row.subject, actor=desk.actor, reason=reason, cancel=True,
                dry_run=desk.tries,
            )  # fmt: skip
        except Refused as refusal:
            kept.append(str(refusal))
        else:
            desk.dates_follow(acted.stocked)
            kept.append("")
    return kept


def pages(tx: Transaction, all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: drafts and placed orders, or all."""
    after = 0
    while True:
        ids = tx.run(_ALL if all_of_them else _OPEN, after=after, limit=_PAGE).scalars().all()
        if not ids:
            return
        after = ids[-1]
        rows = tx.run(
            f"""SELECT {", ".join(f"p.{name}" for name in PurchaseRow._fields)}
                FROM unnest(CAST(:ids AS bigint[])) k (id)
                CROSS JOIN LATERAL (SELECT * FROM purchase WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) p
                ORDER BY p.id""",
            ids=list(ids),
        )
        found = purchases.with_lines(tx, [PurchaseRow(*row) for row in rows])
        yield _rows(tx, found)


_ALL = "SELECT id FROM purchase WHERE merchant_id = :merchant_id AND id > :after ORDER BY id LIMIT :limit"
_OPEN = """SELECT id FROM (
        SELECT purchase_id AS id FROM purchase_line WHERE merchant_id = :merchant_id AND ordered - cut - came > 0
        UNION SELECT id FROM purchase WHERE merchant_id = :merchant_id AND placed_at IS NULL AND cancelled_at IS NULL
    ) o WHERE id > :after ORDER BY id LIMIT :limit"""


def _rows(tx: Transaction, found: Sequence[Purchase]) -> list[Sequence[Any]]:
    skus = lookups.names(tx, "item", "sku", [line.item_id for one in found for line in one.lines])
    places = lookups.names(tx, "warehouse", "code", [one.row.warehouse_id for one in found])
    senders = {one.id: one for one in suppliers.every(tx)}
    rows: list[Sequence[Any]] = []
    for one in found:
        row, sender = one.row, senders[one.row.supplier_id]
        for line in one.lines:
            cost = None if line.cost_minor is None else from_minor(line.cost_minor, sender.currency)
            rows.append((
                row.number, sender.code, places[row.warehouse_id], row.expected_on, row.note, one.state,
                skus[line.item_id], line.grade, line.ordered, None, line.cut, line.came, cost, line.expected_on,
            ))  # fmt: skip
    return rows


KIND = Kind(
    "purchases", COLUMNS, ("number",), work, take_back, pages, together=True,
    formats={stocky.NAME: stocky.purchases(COLUMNS)}, not_exported=("line_state",),
    names={"supplier": SUPPLIER, "warehouse": WAREHOUSE, "sku": GOODS, "cost": COST},
)  # fmt: skip

"""Files of transfers: a row for each item. Of one that is not known here, what is still to be sent is asked for, and
what is on its way is on its way here, too.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from core.errors import NotFound, Refused
from core.files import cells, lookups, papers
from core.files.columns import Column, Problem, Record
from core.files.desk import GOODS, WAREHOUSE, Desk, Kind
from core.files.recorded import Effect
from core.files.units import MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.ledger import home_of
from core.stock import GOOD, Stocked
from core.supply import transfers, under_way
from core.supply.transfers import Transfer
from core.transaction import Transaction

_HEAD = ("from", "to", "expected_on", "note")
_PAGE = 100

COLUMNS = (
    Column("number", cells.line(60), ("transfer", "transfer number"), required=True),
    Column("from", cells.line(60), ("from warehouse", "origin", "source")),
    Column("to", cells.line(60), ("to warehouse", "destination")),
    Column("expected_on", cells.day, ("expected", "expected date", "eta")),
    Column("note", cells.text(2_000), ("notes",)),
    Column("sku", cells.text(10_000), ("variant sku", "item"), required=True),
    Column("grade", cells.grade, default=GOOD),
    Column("quantity", cells.whole(0), ("qty", "asked", "units"), required=True),
    Column("sent", cells.whole(0), default=0),
    Column("came", cells.whole(0), ("received",), default=0),
    Column("lost", cells.whole(0), default=0),
)


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``."""
    return papers.each(desk, units, _one)


def _one(desk: Desk, unit: Unit) -> Outcome:
    number = unit.values["number"]
    with desk.begin() as tx:
        head, problems = papers.common(unit, _HEAD)
        items = lookups.items(tx, [record.values["sku"] for record in unit.records])
        found = [items.stocked(record) for record in unit.records]
        problems += [one for one in found if isinstance(one, Problem)]
        problems += [] if problems else papers.twice(unit, found)
        places = lookups.places(tx, (), home_of(desk.db, desk.merchant_id).warehouse_id)
        ends = [_end(unit, places, head, name) for name in ("from", "to")]
        problems += [one for one in ends if isinstance(one, Problem)]
        if problems:
            return refused(unit, number, *problems)
        goods = [one for one in found if not isinstance(one, Problem)]
        warehouses = tuple(one for one in ends if isinstance(one, int))
        known = _known(tx, number)
        if known is not None:
            told = _compare(unit, known, goods, warehouses)
        else:
            told = _make(tx, unit, goods, warehouses, head)
        desk.note(tx, told)
    return told


def _end(unit: Unit, places: lookups.Places, head: dict[str, Any], name: str) -> int | Problem:
    if head[name] is None:
        return problem(unit.records[0], name, "name the warehouse")
    return places.warehouse(unit.records[0]._replace(values={**unit.values, name: head[name]}), name)


def _known(tx: Transaction, number: str) -> Transfer | None:
    try:
        return transfers.find(tx, number)
    except NotFound:
        return None


def _compare(unit: Unit, known: Transfer, goods: Sequence[Stocked], ends: tuple[int, ...]) -> Outcome:
    """A transfer that is here is left alone where it was asked for as the file says, whatever was sent of it since."""
    number = known.row.number
    cure = f"{number} is here already and says otherwise; take it out of the file. `holdfast transfer show {number}`"
    there = {line.stocked: line for line in known.lines}
    problems = []
    for record, stocked in zip(unit.records, goods, strict=True):
        line, asked = there.pop(stocked, None), record.values["quantity"]
        left = sum(_left(record))
        same = not left if line is None else line.asked in (asked, asked - record.values["sent"], left)
        problems += [] if same else [problem(record, "quantity", cure)]
    if there:
        problems.append(problem(unit.records[0], "", f"{number} is here already, with more lines than the file has"))
    if ends != (known.row.from_id, known.row.to_id):
        problems.append(problem(unit.records[0], "from", cure))
    return refused(unit, number, *problems) if problems else outcome(unit, SAME, number)


def _make(
    tx: Transaction, unit: Unit, goods: Sequence[Stocked], ends: tuple[int, ...], head: dict[str, Any]
) -> Outcome:
    number = unit.values["number"]
    left = [_left(record) for record in unit.records]
    wanted = {stocked: sum(one) for stocked, one in zip(goods, left, strict=True) if any(one)}
    if not wanted:
        cure = "nothing of it is still to be sent or on its way; take it out of the file"
        return refused(unit, number, problem(unit.records[0], "quantity", cure))
    from_id, to_id = ends
    transfers.ask(
        tx, number, (from_id, to_id), wanted, expected_on=head["expected_on"], note=head["note"] or ""
    )  # fmt: skip
    on_way = {stocked: one.on_its_way for stocked, one in zip(goods, left, strict=True) if one.on_its_way}
    under_way.take_over(tx, number, on_way)
    told = f"{sum(wanted.values()):,} units are asked for"
    told += f", {sum(on_way.values()):,} of them are on their way" if on_way else ""
    return outcome(unit, MADE, number, told, before={"number": number})


class _Left(NamedTuple):
    """Units that are still to be sent, and that were sent and are not there yet."""

    unsent: int
    on_its_way: int


def _left(record: Record) -> _Left:
    asked, sent, came, lost = (record.values[name] for name in ("quantity", "sent", "came", "lost"))
    return _Left(max(asked - sent, 0), max(sent - came - lost, 0))


def take_back(desk: Desk, rows: Sequence[Effect], _reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: nothing more of them is sent; those of which something was sent stay."""
    kept = []
    for row in rows:
        try:
            with desk.begin() as tx:
                sent = any(line.sent for line in transfers.locked(tx, row.subject).lines)
                if not sent:
                    transfers.close(tx, row.subject)
        except Refused as refusal:
            kept.append(str(refusal))
        else:
            cure = f"goods of it were sent; `holdfast transfer close {row.subject}` sends no more"
            kept.append(cure if sent else "")
    return kept


def pages(tx: Transaction, all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: those that are not done, or all, in the order in which they were made."""
    found = sorted(transfers.every(tx, all_of_them=all_of_them), key=lambda one: one.row.id)
    for first in range(0, len(found), _PAGE):
        part = found[first : first + _PAGE]
        places = lookups.names(
            tx, "warehouse", "code", [end for one in part for end in (one.row.from_id, one.row.to_id)]
        )
        yield [
            (
                one.row.number, places[one.row.from_id], places[one.row.to_id], one.row.expected_on, one.row.note,
                one.skus[line.item_id], line.grade, line.asked, line.sent, line.came, line.lost,
            )
            for one in part
            for line in one.lines
        ]  # fmt: skip


KIND = Kind(
    "transfers", COLUMNS, ("number",), work, take_back, pages, together=True,
    names={"from": WAREHOUSE, "to": WAREHOUSE, "sku": GOODS},
)  # fmt: skip

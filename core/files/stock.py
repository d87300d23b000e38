"""Files of what stands where: each row says how many units there are, or how many came."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.command import Command
from core.errors import Refused
from core.files import cells, lookups
from core.files.columns import Column, Problem
from core.files.desk import BIN, GOODS, WAREHOUSE, Desk, Kind
from core.files.recorded import Effect
from core.files.units import CHANGED, SAME, Outcome, Unit, outcome, problem, refused
from core.goods.adjusting import Adjusted, SetOnShelf
from core.goods.receiving import Receive
from core.ledger import home_of
from core.reversing import Reverse, TakenBackBefore, read_documents
from core.stock import GOOD, DocumentKind, Stocked
from core.transaction import Transaction

_PAGE = 1_000
ADDS = "adds"  # what may be said of such a file: its units came in addition
FORCES = "forces"  # what may be said of taking it back: also where those who have its units by now lose them

COLUMNS = (
    Column("sku", cells.text(10_000), ("variant sku", "item", "code"), required=True),
    Column("warehouse", cells.line(60), ("location", "location name")),
    Column("bin", cells.line(60), ("bin location", "bin name", "shelf")),
    Column("grade", cells.grade, ("condition",), default=GOOD),
    Column("quantity", cells.whole(0), ("qty", "units", "on hand", "stock", "available"), required=True),
)


class _Row(NamedTuple):
    unit: Unit
    what: Stocked
    place: lookups.Place
    units: int

    @property
    def subject(self) -> str:
        grade = "" if self.what.grade == GOOD else f" ({self.what.grade})"
        return f"{self.unit.values['sku']}{grade} in {self.place.name}"


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``."""
    home = home_of(desk.db, desk.merchant_id)
    with desk.begin() as tx:
        items = lookups.items(tx, [unit.values["sku"] for unit in units])
        named = [(unit.values["warehouse"], unit.values["bin"]) for unit in units]
        places = lookups.places(tx, named, home.warehouse_id)
        rows = [_row(desk, unit, items, places) for unit in units]
        there = {} if desk.said.get(ADDS) else on_shelves(tx, [row for row in rows if isinstance(row, _Row)])
    told = [row if isinstance(row, Outcome) else _same(desk, row, there) for row in rows]
    doing = [row for row, done in zip(rows, told, strict=True) if isinstance(row, _Row) and done is None]
    results = desk.do([_command(desk, row) for row in doing])
    done = [_told(desk, row, result, there) for row, result in zip(doing, results, strict=True)]
    return [*(one for one in told if one is not None), *done]


def _row(desk: Desk, unit: Unit, items: lookups.Items, places: lookups.Places) -> _Row | Outcome:
    record, sku = unit.records[0], unit.values["sku"]
    what, place = items.stocked(record), places.find(record)
    wrong = [one for one in (what, place) if isinstance(one, Problem)]
    if isinstance(what, Problem) or isinstance(place, Problem):
        return refused(unit, sku, *wrong)
    first = desk.seen.setdefault((*what, place.spot.bin_id), unit.row)
    if first != unit.row:
        return refused(unit, sku, problem(record, "sku", f"row {first} says how many stand there already"))
    return _Row(unit, what, place, unit.values["quantity"])


def on_shelves(tx: Transaction, rows: Sequence[_Row]) -> Mapping[tuple[Stocked, int], int]:
    """Sellable units by item and bin, handed out or not; nothing for bins that never had any."""
    found = tx.run(
        """SELECT k.item_id, k.grade, k.bin_id, b.units
           FROM unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]))
               k (bin_id, item_id, grade)
           CROSS JOIN LATERAL (SELECT available + picking AS units FROM warehouse_balance
               WHERE merchant_id = :merchant_id AND bin_id = k.bin_id AND item_id = k.item_id AND grade = k.grade
               OFFSET 0) b""",
        bins=[row.place.spot.bin_id for row in rows], items=[row.what.item_id for row in rows],
        grades=[row.what.grade for row in rows],
    )  # fmt: skip
    return {(Stocked(one.item_id, one.grade), one.bin_id): one.units for one in found}


def _same(desk: Desk, row: _Row, there: Mapping[tuple[Stocked, int], int]) -> Outcome | None:
    """A row that says what is so already. One of an import that was torn off may say so because it did it."""
    now = 0 if desk.said.get(ADDS) else there.get((row.what, row.place.spot.bin_id), 0)
    return None if now != row.units or desk.since is not None else outcome(row.unit, SAME, row.subject)


def _command(desk: Desk, row: _Row) -> Command:
    reason = f"import, row {row.unit.row}" if desk.tries else f"import {desk.import_id}, row {row.unit.row}"
    spot = row.place.spot
    if desk.said.get(ADDS):
        return Receive(desk.key(row.unit), DocumentKind.RECEIPT, {row.what: row.units}, reason, spot=spot)
    return SetOnShelf(desk.key(row.unit), reason, row.what, row.units, spot=spot)


def _told(desk: Desk, row: _Row, result: object, there: Mapping[tuple[Stocked, int], int]) -> Outcome:
    if isinstance(result, Refused):
        return refused(row.unit, row.subject, problem(row.unit.records[0], "", str(result)))
    document_id = result.document_id if isinstance(result, Adjusted) else result
    if document_id is None:
        return outcome(row.unit, SAME, row.subject)
    now = there.get((row.what, row.place.spot.bin_id), 0)
    told = f"+{row.units}" if desk.said.get(ADDS) else f"{now} -> {row.units}"
    return outcome(row.unit, CHANGED, row.subject, told, document_id=document_id)


def take_back(desk: Desk, rows: Sequence[Effect], reason: str) -> list[str]:
    """See ``core.files.desk.Kind``."""
    with desk.begin() as tx:
        documents = read_documents(tx, [row.document_id for row in rows if row.document_id is not None])
    posted = [documents[row.document_id or 0] for row in rows]
    results = desk.do([Reverse(document, reason, force=bool(desk.said.get(FORCES))) for document in posted])
    return [_kept(result) for result in results]


def _kept(result: object) -> str:
    return str(result) if isinstance(result, Refused) and not isinstance(result, TakenBackBefore) else ""


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: what stands in each bin and may be sold, handed out or not."""
    after: tuple[Any, ...] = (0, "", 0)
    while True:
        rows = tx.run(
            """SELECT b.item_id, b.grade, b.bin_id, b.available + b.picking AS units FROM warehouse_balance b
               WHERE b.merchant_id = :merchant_id AND (b.item_id, b.grade, b.bin_id) > (:item, :grade, :bin)
               ORDER BY b.item_id, b.grade, b.bin_id LIMIT :limit""",
            item=after[0], grade=after[1], bin=after[2], limit=_PAGE,
        ).all()  # fmt: skip
        if not rows:
            return
        after = tuple(rows[-1][:3])
        # Rows of nothing stay where an item became a bundle, and no file may say units of one.
        skus = lookups.standing(tx, [row.item_id for row in rows], but="bundle")
        bins = lookups.bin_names(tx, [row.bin_id for row in rows])
        yield [(skus[row.item_id], *bins[row.bin_id], row.grade, row.units) for row in rows if row.item_id in skus]


KIND = Kind(
    "stock", COLUMNS, ("sku", "warehouse", "bin", "grade"), work, take_back, pages,
    names={"sku": GOODS, "warehouse": WAREHOUSE, "bin": BIN},
)  # fmt: skip

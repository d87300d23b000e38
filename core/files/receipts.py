"""Files of what came for purchase orders: a row for each line of a delivery."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.books import key_hash
from core.errors import NotFound, Refused
from core.files import cells, lookups, papers
from core.files.columns import Column, Problem, Record
from core.files.desk import GOODS, PURCHASE, WAREHOUSE, Desk, Kind
from core.files.recorded import Effect
from core.files.units import MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.stock import GOOD, Spot, Stocked
from core.supply import purchases, receipts, taking_back
from core.supply.lines import Came
from core.supply.purchases import Purchase
from core.supply.receipts import Delivery
from core.transaction import Transaction

_PAGE = 1_000

COLUMNS = (
    Column("order", cells.line(60), ("number", "order number", "po number", "purchase order"), required=True),
    Column("delivery", cells.text(500), ("reference", "receipt", "delivery note")),
    Column("warehouse", cells.line(60), ("location",)),
    Column("bin", cells.line(60), ("bin location",)),
    Column("sku", cells.text(10_000), ("variant sku", "item", "supplier sku"), required=True),
    Column("grade", cells.grade, default=GOOD),
    Column("good", cells.whole(0), ("quantity", "qty", "received", "units"), default=0),
    Column("damaged", cells.whole(0), ("broken",), default=0),
    Column("other_grade", cells.whole(0), ("regraded",), default=0),
)


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``."""
    return papers.each(desk, units, _one)


def _one(desk: Desk, unit: Unit) -> Outcome:
    number = unit.values["order"]
    with desk.begin() as tx:
        try:
            order = purchases.find(tx, number)
        except NotFound as unknown:
            return refused(unit, number, problem(unit.records[0], "order", str(unknown)))
        spot = _spot(tx, unit, order)
        came, problems = _came(tx, unit, order)
        wrong = [*([spot] if isinstance(spot, Problem) else []), *problems]
        subject = f"{order.row.number} {unit.values['delivery'] or ''}".strip()
        if wrong or isinstance(spot, Problem):
            return refused(unit, subject, *wrong)
        key = _key(desk, unit)
        known = _known(tx, order, key)
    if known is not None:
        return _again(desk, unit, subject, known, (came, spot))
    delivery = Delivery(spot, came, {}, unit.values["delivery"] or "")
    acted = receipts.receive(
        desk.db, desk.merchant_id, number, delivery, key, actor=desk.actor, dry_run=desk.tries
    )  # fmt: skip
    desk.dates_follow(acted.stocked)
    return _told(unit, subject, came, acted.document_ids[0])


def _key(desk: Desk, unit: Unit) -> str:
    """The delivery's own name, so that nobody books it twice; else that of the row."""
    return unit.values["delivery"] or desk.key(unit)


def _told(unit: Unit, subject: str, came: Mapping[int, Came], document_id: int) -> Outcome:
    units = sum(one.units for one in came.values())
    return outcome(unit, MADE, subject, f"{units:,} units came", document_id=document_id)


def _spot(tx: Transaction, unit: Unit, order: Purchase) -> Spot | Problem:
    head, problems = papers.common(unit, ("warehouse", "bin"))
    if problems:
        return problems[0]
    places = lookups.places(tx, [(head["warehouse"], head["bin"])], order.row.warehouse_id)
    place = places.find(unit.records[0]._replace(values={**unit.values, **head}))
    return place if isinstance(place, Problem) else place.spot


def _came(tx: Transaction, unit: Unit, order: Purchase) -> tuple[dict[int, Came], list[Problem]]:
    items = lookups.items(tx, [record.values["sku"] for record in unit.records], order.row.supplier_id)
    lines = {line.stocked: line.id for line in order.lines}
    found: dict[int, Came] = {}
    problems = []
    for record in unit.records:
        line = _line(record, items, lines, order.row.number)
        came = Came(*(record.values[name] for name in ("good", "damaged", "other_grade")))
        if isinstance(line, Problem):
            problems.append(line)
        elif line in found:
            problems.append(problem(record, "sku", "a row before has the same goods; say them once"))
        elif not came.units:
            problems.append(problem(record, "good", "say how many came, 1 or more"))
        else:
            found[line] = came
    return found, problems


def _line(record: Record, items: lookups.Items, lines: Mapping[Stocked, int], number: str) -> int | Problem:
    named = items.stocked(record)
    if isinstance(named, Problem) or named in lines:
        return named if isinstance(named, Problem) else lines[named]
    return problem(record, "sku", f"{number} does not order it; `holdfast purchase show {number}` lists what it does")


_Known = tuple[int, Any, dict[int, Came], int]


def _known(tx: Transaction, order: Purchase, key: str) -> _Known | None:
    """What was booked under a key: its document, when, units by line, and the bin."""
    effect = tx.run(
        "SELECT document_id FROM effect WHERE merchant_id = :merchant_id AND key_hash = :hash",
        hash=key_hash(f"purchase/{order.row.id}/receipt/{key}"),
    ).scalar_one_or_none()
    if effect is None:
        return None
    rows = tx.run(
        """SELECT line_id, good, damaged, regraded, bin_id, received_at FROM purchase_receipt
           WHERE merchant_id = :merchant_id AND document_id = :id""",
        id=effect,
    ).all()
    return effect, rows[0].received_at, {row.line_id: Came(*row[1:4]) for row in rows}, rows[0].bin_id


def _again(desk: Desk, unit: Unit, subject: str, known: _Known, said: tuple[Mapping[int, Came], Spot]) -> Outcome:
    document_id, at, came, bin_id = known
    if (came, bin_id) != (said[0], said[1].bin_id):
        cure = f"it was booked before as document {document_id}, and otherwise; give this delivery another name"
        return refused(unit, subject, problem(unit.records[0], "delivery", cure))
    if desk.began_before(at):
        return _told(unit, subject, came, document_id)
    return outcome(unit, SAME, subject)


def take_back(desk: Desk, rows: Sequence[Effect], reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: units that nobody has by now are on their way again."""
    kept = []
    with desk.begin() as tx:
        numbers = _orders_of(tx, [row.document_id for row in rows if row.document_id is not None])
    for row in rows:
        document_id = row.document_id or 0
        try:
            acted = taking_back.take_back(
                desk.db, desk.merchant_id, numbers[document_id], document_id, actor=desk.actor, reason=reason,
                dry_run=desk.tries,
            )  # fmt: skip
        except Refused as refusal:
            kept.append(str(refusal))
        else:
            desk.dates_follow(acted.stocked)
            kept.append("")
    return kept


def _orders_of(tx: Transaction, document_ids: Sequence[int]) -> Mapping[int, str]:
    rows = tx.run(
        """SELECT k.id, p.number FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT order_id FROM document WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) d
           CROSS JOIN LATERAL (SELECT number FROM purchase WHERE merchant_id = :merchant_id AND id = d.order_id
               OFFSET 0) p""",
        ids=list(document_ids),
    )
    return {row.id: row.number for row in rows}


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: what came and was not taken back since."""
    after = (0, 0)
    while True:
        rows = tx.run(
            """SELECT r.document_id, r.line_id, r.good, r.damaged, r.regraded, r.bin_id, l.item_id, l.grade, p.number,
                   substring(d.effect_key FROM '^purchase/[0-9]+/receipt/(.*)$') AS key
               FROM (SELECT * FROM purchase_receipt WHERE merchant_id = :merchant_id AND taken_back_by IS NULL
                   AND (document_id, line_id) > (:document, :line) ORDER BY document_id, line_id LIMIT :limit) r
               CROSS JOIN LATERAL (SELECT * FROM purchase_line WHERE merchant_id = :merchant_id AND id = r.line_id
                   OFFSET 0) l
               CROSS JOIN LATERAL (SELECT number FROM purchase WHERE merchant_id = :merchant_id
                   AND id = l.purchase_id OFFSET 0) p
               CROSS JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id
                   AND id = r.document_id OFFSET 0) d
               ORDER BY r.document_id, r.line_id""",
            document=after[0], line=after[1], limit=_PAGE,
        ).all()  # fmt: skip
        if not rows:
            return
        after = (rows[-1].document_id, rows[-1].line_id)
        skus = lookups.names(tx, "item", "sku", [row.item_id for row in rows])
        bins = lookups.bin_names(tx, [row.bin_id for row in rows])
        yield [
            (row.number, row.key, *bins[row.bin_id], skus[row.item_id], row.grade, row.good, row.damaged, row.regraded)
            for row in rows
        ]


KIND = Kind(
    "receipts",
    COLUMNS,
    ("order", "delivery"),
    work,
    take_back,
    pages,
    together=True,
    names={"order": PURCHASE, "warehouse": WAREHOUSE, "sku": GOODS},
)

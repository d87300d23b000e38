"""Purchase orders as they are shown: what is still to come, when, what is late, and what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.supply import purchases
from core.supply.lines import PurchaseRow
from core.transaction import Transaction
from core.zones import zone_of


@dataclass(frozen=True, slots=True)
class LineView:
    """Sale units. ``late``: its day is over and units are still to come. ``cost_minor``: of one unit."""

    line: int
    sku: str
    grade: str
    ordered: int
    cut: int
    came: int
    damaged: int
    regraded: int
    open: int
    counted: int
    pack_size: int
    cost_minor: int | None
    expected_on: date | None
    late: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    """A purchase order with the sums of its lines; ``expected_on``: when the last of what is to come comes."""

    number: str
    supplier: str
    warehouse: str
    currency: str
    state: str
    note: str
    created_at: datetime
    placed_at: datetime | None
    expected_on: date | None
    late: bool
    ordered: int
    came: int
    open: int
    counted: int
    lines: Sequence[LineView]


@dataclass(frozen=True, slots=True)
class NoticeView:
    number: str
    sku: str
    units: int
    expected_on: date
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """Units that came for a line with one document, by the state in which they came."""

    document_id: int
    received_at: datetime
    sku: str
    good: int
    damaged: int
    regraded: int
    place: str
    taken_back_by: int | None


def show(tx: Transaction, number: str) -> OrderView:
    """Raises: NotFound."""
    (view,) = _views(tx, [purchases.find(tx, number).row])
    return view


_OPEN = """SELECT purchase_id AS id FROM purchase_line
        WHERE merchant_id = :merchant_id AND ordered - cut - came > 0
    UNION SELECT id FROM purchase WHERE merchant_id = :merchant_id AND placed_at IS NULL AND cancelled_at IS NULL"""


def newest(
    tx: Transaction, *, only_open: bool = False, late: bool = False, supplier_id: int | None = None, limit: int = 50
) -> list[OrderView]:
    """Orders, the newest first; drafts are open, too. ``late``: those alone that have not come by their day."""
    of_supplier = "" if supplier_id is None else "AND supplier_id = :supplier"
    source = f"purchase p WHERE merchant_id = :merchant_id {of_supplier}"
    if only_open or late:
        source = f"""({_OPEN}) k CROSS JOIN LATERAL (SELECT * FROM purchase
            WHERE merchant_id = :merchant_id AND id = k.id {of_supplier} OFFSET 0) p"""
    rows = tx.run(
        f"""SELECT {", ".join(f"p.{name}" for name in PurchaseRow._fields)} FROM {source}
            ORDER BY p.created_at DESC, p.id DESC LIMIT CAST(:limit AS bigint)""",
        limit=None if late else limit,
        **({} if supplier_id is None else {"supplier": supplier_id}),
    )
    views = _views(tx, [PurchaseRow(*row) for row in rows])
    return [one for one in views if one.late][:limit] if late else views


def _views(tx: Transaction, rows: Sequence[PurchaseRow]) -> list[OrderView]:
    orders = purchases.with_lines(tx, rows)
    lines = [line for one in orders for line in one.lines]
    skus = _names(tx, "item", "sku", [line.item_id for line in lines])
    places = _names(tx, "warehouse", "code", [row.warehouse_id for row in rows])
    senders = _names(tx, "supplier", "code", [row.supplier_id for row in rows])
    money = _names(tx, "supplier", "currency", [row.supplier_id for row in rows])
    states = _states(tx, [line.id for line in lines])
    today = tx.now.astimezone(zone_of(tx)).date()
    found = []
    for one in orders:
        shown = []
        for line in one.lines:
            on = one.comes_on(line)
            late = one.state == "placed" and line.open > 0 and on is not None and on < today
            shown.append(
                LineView(
                    line.nth, skus[line.item_id], line.grade, line.ordered, line.cut, line.came,
                    *states.get(line.id, (0, 0)), line.open, line.counted, line.pack_size, line.cost_minor, on, late,
                )
            )  # fmt: skip
        days = [one.expected_on for one in shown if one.open and one.expected_on]
        row = one.row
        found.append(
            OrderView(
                row.number, senders[row.supplier_id], places[row.warehouse_id], money[row.supplier_id], one.state,
                row.note, row.created_at, row.placed_at, max(days, default=row.expected_on),
                any(line.late for line in shown), sum(line.ordered for line in shown),
                sum(line.came for line in shown), sum(line.open for line in shown),
                sum(line.counted for line in shown), shown,
            )
        )  # fmt: skip
    return found


def _names(tx: Transaction, table: str, column: str, ids: Sequence[int]) -> Mapping[int, str]:
    rows = tx.run(
        f"""SELECT k.id, t.{column} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT {column} FROM {table}
                WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) t""",
        ids=sorted(set(ids)),
    )
    return {row[0]: row[1] for row in rows}


def _states(tx: Transaction, line_ids: Sequence[int]) -> Mapping[int, tuple[int, int]]:
    """By line, how many units came damaged, and how many in the other grade."""
    rows = tx.run(
        """SELECT k.id, r.damaged, r.regraded FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT CAST(sum(damaged) AS bigint) AS damaged, CAST(sum(regraded) AS bigint) AS regraded
               FROM purchase_receipt WHERE merchant_id = :merchant_id AND line_id = k.id
                   AND taken_back_by IS NULL) r
           WHERE r.damaged IS NOT NULL""",
        ids=sorted(line_ids),
    )
    return {row.id: (row.damaged, row.regraded) for row in rows}


def notices(tx: Transaction, number: str) -> list[NoticeView]:
    """What the supplier announced, by day."""
    order = purchases.find(tx, number)
    skus = _names(tx, "item", "sku", [line.item_id for line in order.lines])
    items = {line.id: line.item_id for line in order.lines}
    found = [
        NoticeView(one.number, skus[items[one.line_id]], one.units, one.expected_on, one.noted_at)
        for some in order.notices.values()
        for one in some
    ]
    return sorted(found, key=lambda one: (one.expected_on, one.number, one.sku))


def receipts(tx: Transaction, number: str) -> list[ReceiptView]:
    """What came, the oldest first."""
    order = purchases.find(tx, number)
    skus = _names(tx, "item", "sku", [line.item_id for line in order.lines])
    items = {line.id: line.item_id for line in order.lines}
    rows = tx.run(
        """SELECT r.*, w.code || '/' || b.code AS place FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM purchase_receipt WHERE merchant_id = :merchant_id
               AND line_id = k.id OFFSET 0) r
           CROSS JOIN LATERAL (SELECT code, warehouse_id FROM bin WHERE merchant_id = :merchant_id
               AND id = r.bin_id OFFSET 0) b
           CROSS JOIN LATERAL (SELECT code FROM warehouse WHERE merchant_id = :merchant_id
               AND id = b.warehouse_id OFFSET 0) w
           ORDER BY r.received_at, r.document_id, r.line_id""",
        ids=sorted(items),
    )
    return [
        ReceiptView(
            row.document_id,
            row.received_at,
            skus[items[row.line_id]],
            row.good,
            row.damaged,
            row.regraded,
            row.place,
            row.taken_back_by,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class LateView:
    """Units of a line that were on sale before they came, and have not come by their day."""

    sku: str
    units: int
    opened_at: datetime
    told: str


def late(tx: Transaction, number: str) -> list[LateView]:
    """Incidents of lines that are late and were on sale, open ones, the oldest first."""
    order = purchases.find(tx, number)
    skus = _names(tx, "item", "sku", [line.item_id for line in order.lines])
    rows = tx.run(
        """SELECT i.item_id, i.quantity, i.opened_at, i.timeline -> 0 ->> 'what' AS told
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM incident WHERE merchant_id = :merchant_id AND order_line_id = k.id
               AND kind = :kind AND closed_at IS NULL OFFSET 0) i ORDER BY i.opened_at, i.id""",
        ids=[line.id for line in order.lines],
        kind=purchases.LATE,
    )
    return [LateView(skus[row.item_id], row.quantity, row.opened_at, row.told) for row in rows]

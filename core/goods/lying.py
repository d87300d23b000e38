"""What lies unavailable, why, since when and where; and what became of it. For people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LyingView:
    """``units`` that lie in ``place`` for one reason, of ``of`` that were set apart together; see
    ``core.goods.set_apart``. ``purchase``, ``supplier``: what they came with, where a receipt says so.
    """

    record: int
    sku: str
    grade: str
    place: str
    units: int
    of: int
    cause: str
    to_inspect: bool
    reason: str
    since: datetime
    document_id: int | None
    purchase: str
    supplier: str


@dataclass(frozen=True, slots=True)
class ExitView:
    """``units`` that left a record with a document: to another bin too, where a record of its own goes on."""

    at: datetime
    kind: str
    document_id: int
    units: int
    reason: str
    actor: str


def every(
    tx: Transaction, item_id: int | None = None, bin_ids: Sequence[int] | None = None, *, to_inspect: bool = False,
    record_id: int | None = None,
) -> list[LyingView]:  # fmt: skip
    """What lies set apart longest first: all of it, or of one item, in some bins, or what nobody has looked at yet.

    Args: record_id: only this one, whatever is left of it.
    """
    # An index holds only what still lies there, so what has left costs nothing.
    rows = tx.run(
        f"""SELECT a.id AS record, i.sku, a.grade, w.code || '/' || b.code AS place, a.units_left AS units,
               a.units AS of, a.cause, a.to_inspect, a.reason, a.since, a.document_id,
               coalesce(p.number, '') AS purchase, coalesce(p.code, '') AS supplier
           FROM (SELECT * FROM set_apart WHERE merchant_id = :merchant_id
               AND {"units_left > 0" if record_id is None else "id = :record_id"}
               AND (CAST(:item_id AS bigint) IS NULL OR item_id = :item_id)
               AND (CAST(:bins AS bigint[]) IS NULL OR bin_id = ANY (CAST(:bins AS bigint[])))
               AND (NOT :to_inspect OR to_inspect) OFFSET 0) a
           CROSS JOIN LATERAL (SELECT sku FROM item
               WHERE merchant_id = :merchant_id AND id = a.item_id OFFSET 0) i
           CROSS JOIN LATERAL (SELECT code, warehouse_id FROM bin
               WHERE merchant_id = :merchant_id AND id = a.bin_id OFFSET 0) b
           CROSS JOIN LATERAL (SELECT code FROM warehouse
               WHERE merchant_id = :merchant_id AND id = b.warehouse_id OFFSET 0) w
           LEFT JOIN LATERAL (SELECT o.number, s.code FROM purchase_receipt r
               JOIN purchase_line l ON l.merchant_id = r.merchant_id AND l.id = r.line_id
               JOIN purchase o ON o.merchant_id = r.merchant_id AND o.id = l.purchase_id
               JOIN supplier s ON s.merchant_id = r.merchant_id AND s.id = o.supplier_id
               WHERE r.merchant_id = :merchant_id AND r.document_id = a.document_id LIMIT 1) p ON true
           ORDER BY a.since, a.id""",
        item_id=item_id, bins=None if bin_ids is None else list(bin_ids), to_inspect=to_inspect, record_id=record_id,
    )  # fmt: skip
    return [LyingView(**row._mapping) for row in rows]


def exits(tx: Transaction, record_id: int) -> list[ExitView]:
    """The way out of a record, step by step."""
    rows = tx.run(
        """SELECT d.recorded_at AS at, d.kind, d.id AS document_id, e.units, d.reason, d.actor
           FROM (SELECT * FROM set_apart_exit
               WHERE merchant_id = :merchant_id AND set_apart_id = :id OFFSET 0) e
           CROSS JOIN LATERAL (SELECT * FROM document
               WHERE merchant_id = :merchant_id AND id = e.document_id OFFSET 0) d
           ORDER BY d.recorded_at, d.id""",
        id=record_id,
    )
    return [ExitView(**row._mapping) for row in rows]

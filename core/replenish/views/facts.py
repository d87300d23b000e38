"""What is known of items beside their days: what there is, what comes, who waits, who brings them, what is said."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from core.replenish.decide import Position
from core.replenish.settings import ItemTerms
from core.replenish.sources import Source
from core.stock import GOOD
from core.transaction import Transaction


class Item(NamedTuple):
    """``kind``: plain or kit; bundles have no units of their own."""

    id: int
    sku: str
    title: str
    kind: str


def items(tx: Transaction, supplier_id: int | None = None) -> Sequence[Item]:
    """What has units of its own and is no part of another, by SKU: all, or what a supplier brings or is named for."""
    of_supplier = """AND id = ANY(ARRAY(
        SELECT item_id FROM supplier_item WHERE merchant_id = :merchant_id AND supplier_id = :supplier_id
        UNION SELECT item_id FROM replenish_item WHERE merchant_id = :merchant_id AND supplier_id = :supplier_id))"""
    rows = tx.run(
        f"""SELECT id, sku, title, kind FROM item WHERE merchant_id = :merchant_id AND kind <> 'bundle'
              AND merged_into IS NULL {"" if supplier_id is None else of_supplier} ORDER BY sku""",
        **({} if supplier_id is None else {"supplier_id": supplier_id}),
    )
    return [Item(*row) for row in rows]


def said(tx: Transaction) -> dict[int, ItemTerms]:
    """By item, for those of which something is said."""
    rows = tx.run(
        f"SELECT item_id, {', '.join(ItemTerms._fields)} FROM replenish_item WHERE merchant_id = :merchant_id"
    )
    return {row[0]: ItemTerms.read(row[1:]) for row in rows}


def sources(tx: Transaction, item_ids: Collection[int]) -> dict[int, list[Source]]:
    """By item, who brings it."""
    rows = tx.run(
        """SELECT k.item_id, s.supplier_id, p.code, p.currency, s.pack_size, s.least_units,
               coalesce(s.lead_days, p.lead_days), s.cost_minor
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT * FROM supplier_item WHERE merchant_id = :merchant_id AND item_id = k.item_id
               OFFSET 0) s
           CROSS JOIN LATERAL (SELECT * FROM supplier WHERE merchant_id = :merchant_id AND id = s.supplier_id
               OFFSET 0) p""",
        items=sorted(item_ids),
    )
    found: dict[int, list[Source]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Source(*row[1:]))
    return found


_STANDS = """
    SELECT k.item_id, s.free, s.backorders, s.locks, s.presales, d.incoming, e.units AS announced
    FROM unnest(CAST(:items AS bigint[])) k (item_id)
    CROSS JOIN LATERAL (
        SELECT CAST(coalesce(sum(b.free) FILTER (WHERE b.pool_id <> ALL(CAST(:aside AS bigint[]))), 0) AS bigint)
                AS free,
            CAST(coalesce(sum(b.backordered) FILTER (WHERE b.pool_id = :shared_id), 0) AS bigint) AS backorders,
            CAST(coalesce(sum(b.backordered) FILTER (WHERE b.pool_id = ANY(CAST(:aside AS bigint[]))), 0) AS bigint)
                AS locks,
            CAST(coalesce(sum(b.reserved + b.sold) FILTER (WHERE b.pool_id = ANY(CAST(:presales AS bigint[]))), 0)
                AS bigint) AS presales
        FROM sales_balance b WHERE b.merchant_id = :merchant_id AND b.item_id = k.item_id AND b.grade = :grade
    ) s
    CROSS JOIN LATERAL (SELECT CAST(coalesce(sum(incoming), 0) AS bigint) AS incoming FROM dispatch_balance
        WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = :grade) d
    CROSS JOIN LATERAL (SELECT CAST(coalesce(sum(quantity - received), 0) AS bigint) AS units FROM expected x
        WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = :grade AND received < quantity
          AND NOT EXISTS (SELECT FROM purchase p WHERE p.merchant_id = :merchant_id AND p.number = x.reference
              AND p.cancelled_at IS NULL)) e
"""


def positions(tx: Transaction, shared_id: int, aside: Sequence[int], item_ids: Collection[int]) -> dict[int, Position]:
    """By item, in good grade. Supply that was announced under the number of a purchase order counts once.

    What a lock waits for on which a channel's orders draw is no demand beside theirs: it is free to them when it is
    there.
    """
    drafted, coming = _drafted(tx), _locks_to_come(tx)
    presales = list(tx.run("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'presale'").scalars())
    rows = tx.run(
        _STANDS, items=sorted(item_ids), aside=list(aside), shared_id=shared_id, presales=presales, grade=GOOD
    )
    return {
        row.item_id: Position(
            row.free, row.incoming + row.announced, drafted.get(row.item_id, 0), row.backorders,
            row.locks + coming.get(row.item_id, 0), row.presales,
        )
        for row in rows
    }  # fmt: skip


def _drafted(tx: Transaction) -> Mapping[int, int]:
    """By item, units on purchase orders that are not placed yet."""
    rows = tx.run(
        """SELECT l.item_id, CAST(sum(l.ordered - l.cut) AS bigint) AS units
           FROM (SELECT id FROM purchase WHERE merchant_id = :merchant_id AND placed_at IS NULL
               AND cancelled_at IS NULL) p
           CROSS JOIN LATERAL (SELECT * FROM purchase_line WHERE merchant_id = :merchant_id AND purchase_id = p.id
               OFFSET 0) l
           WHERE l.grade = :grade GROUP BY 1""",
        grade=GOOD,
    )
    return {row.item_id: row.units for row in rows}


def _locks_to_come(tx: Transaction) -> Mapping[int, int]:
    """By item, units of locks that are approved and have not begun, of those on which no channel's orders draw."""
    rows = tx.run(
        """SELECT item_id, CAST(sum(quantity) AS bigint) AS units FROM lock
           WHERE merchant_id = :merchant_id AND status = 'approved' AND grade = :grade AND (pure OR store_id IS NULL)
           GROUP BY 1""",
        grade=GOOD,
    )
    return {row.item_id: row.units for row in rows}


def listed(tx: Transaction) -> set[int]:
    """Items that a store shows, by themselves or in a bundle."""
    rows = tx.run(
        """WITH RECURSIVE shown AS (
               SELECT item_id FROM listing WHERE merchant_id = :merchant_id AND item_id IS NOT NULL
               UNION SELECT c.item_id FROM shown s
                   JOIN component c ON c.merchant_id = :merchant_id AND c.bundle_item_id = s.item_id
           ) SELECT item_id FROM shown"""
    )
    return set(rows.scalars())

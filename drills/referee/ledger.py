"""What documents and their movements say, by plain selects in one snapshot. Writes nothing.

One merchant, and one store of each platform: a platform's name stands for its shop.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, text

from drills.referee.journal import sku_key
from drills.referee.records import ItemBook, LedgerLine, LineKey, Recorded, ReturnKey, ShownListing, Units

# In and out of a promise, seen from the buckets that hold promised units; a fill moves both ways and sums to nothing.
_LINES = """
    SELECT s.platform, o.external_id AS order_id, l.external_line_id AS line_id, coalesce(i.sku, l.sku) AS sku,
        coalesce(m.held, 0)::bigint AS held, coalesce(m.shipped, 0)::bigint AS shipped, m.first_at
    FROM order_line l
    JOIN store_order o ON o.merchant_id = l.merchant_id AND o.id = l.order_id
    JOIN store s ON s.merchant_id = o.merchant_id AND s.id = o.store_id
    LEFT JOIN item i ON i.merchant_id = l.merchant_id AND i.id = l.item_id
    LEFT JOIN (
        SELECT order_line_id, min(recorded_at) AS first_at,
            sum(quantity) FILTER (WHERE from_bucket = 'sold' AND to_bucket = 'world') AS shipped,
            sum(CASE WHEN to_bucket IN ('reserved', 'sold', 'backordered') THEN quantity ELSE 0 END
                - CASE WHEN from_bucket IN ('reserved', 'sold', 'backordered') THEN quantity ELSE 0 END) AS held
        FROM movement WHERE merchant_id = :merchant_id AND layer = 'sales' AND order_line_id IS NOT NULL
        GROUP BY order_line_id
    ) m ON m.order_line_id = l.id
    WHERE l.merchant_id = :merchant_id
"""
_RETURNS = """
    SELECT s.platform, o.external_id AS order_id, i.sku, sum(m.quantity)::bigint AS units
    FROM document d
    JOIN movement m ON m.merchant_id = d.merchant_id AND m.document_id = d.id AND m.recorded_at = d.recorded_at
    JOIN store_order o ON o.merchant_id = d.merchant_id AND o.id = d.order_id
    JOIN store s ON s.merchant_id = o.merchant_id AND s.id = o.store_id
    JOIN item i ON i.merchant_id = m.merchant_id AND i.id = m.item_id
    WHERE d.merchant_id = :merchant_id AND d.kind = 'return' AND m.layer = 'sales' AND m.to_bucket = 'free'
    GROUP BY 1, 2, 3
"""
_ITEMS = """
    SELECT i.sku,
        coalesce(sum(m.quantity) FILTER (WHERE d.kind = 'opening' AND m.to_bucket = 'free'), 0)::bigint AS opened,
        coalesce(sum(m.quantity) FILTER (WHERE d.kind = 'found' AND m.to_bucket = 'free'), 0)::bigint AS found,
        coalesce(sum(CASE 'free' WHEN m.to_bucket THEN m.quantity WHEN m.from_bucket THEN -m.quantity END), 0)::bigint
            AS free,
        coalesce(sum(CASE 'backordered' WHEN m.to_bucket THEN m.quantity WHEN m.from_bucket THEN -m.quantity END), 0)
            ::bigint AS waiting,
        (SELECT coalesce(sum(n.quantity), 0)::bigint FROM incident n WHERE n.merchant_id = i.merchant_id
            AND n.item_id = i.id AND n.kind = 'oversell' AND n.cause <> '') AS incident_units
    FROM item i
    LEFT JOIN movement m ON m.merchant_id = i.merchant_id AND m.item_id = i.id AND m.layer = 'sales'
    LEFT JOIN document d ON d.merchant_id = m.merchant_id AND d.id = m.document_id AND d.recorded_at = m.recorded_at
    WHERE i.merchant_id = :merchant_id
    GROUP BY i.merchant_id, i.id, i.sku
"""
# Units that a shop hides from shoppers for an unpaid order are in its number and not on show: they cancel out here.
# Few units are dealt out among the shops that sell them: few means that two of the item's largest orders (of its newest
# twenty) at each shop would use them up.
_LISTINGS = """
    WITH shelf AS (
        SELECT s.platform, l.sku, l.pack_size, m.sharing, m.share_below, coalesce(b.free, 0) AS free,
            greatest(coalesce(b.free, 0) - s.safety_stock, 0) AS above, count(*) OVER item AS sharers,
            (row_number() OVER (item ORDER BY l.id) - 1 + l.item_id) % count(*) OVER item AS place,
            greatest(coalesce((SELECT max(newest.wanted) FROM (SELECT n.wanted FROM promise n
                WHERE n.merchant_id = l.merchant_id AND n.item_id = l.item_id
                ORDER BY n.promised_at DESC, n.id DESC LIMIT 20) newest), 0), 1) AS largest
        FROM listing l
        JOIN merchant m ON m.id = l.merchant_id
        JOIN store s ON s.merchant_id = l.merchant_id AND s.id = l.store_id
        LEFT JOIN pool p ON p.merchant_id = l.merchant_id AND p.kind = 'shared'
        LEFT JOIN sales_balance b ON b.merchant_id = l.merchant_id AND b.item_id = l.item_id AND b.pool_id = p.id
            AND b.grade = 'good'
        WHERE l.merchant_id = :merchant_id
        WINDOW item AS (PARTITION BY l.item_id)
    )
    SELECT platform, sku, (CASE WHEN sharers > 1 AND (sharing = 'escrow'
            OR sharing = 'adaptive' AND free < greatest(2 * sharers * largest, share_below))
        THEN least(above, free / sharers + (place < free % sharers)::int) ELSE above END / pack_size)::bigint
        AS should_show FROM shelf
"""
_DOUBLED = """
    SELECT effect_key FROM document WHERE merchant_id = :merchant_id GROUP BY effect_key HAVING count(*) > 1
"""
_EFFECTS = "SELECT count(*) FROM document WHERE merchant_id = :merchant_id AND order_id IS NOT NULL"


def read_ledger(database_url: str, merchant_id: int = 1) -> Recorded:
    """Read all that the comparison needs. Args: database_url: a login that may read, as SQLAlchemy writes it."""
    engine = create_engine(database_url, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            # The wall between tenants lets a login see the merchant that it names.
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text("SELECT set_config('holdfast.merchant_id', :id, true)"), {"id": str(merchant_id)})
            return _read(connection, merchant_id)
    finally:
        engine.dispose()


def _read(connection: Connection, merchant_id: int) -> Recorded:
    def rows(statement: str) -> Sequence[Any]:
        return connection.execute(text(statement), {"merchant_id": merchant_id}).all()

    returned: defaultdict[ReturnKey, int] = defaultdict(int)
    for row in rows(_RETURNS):
        returned[ReturnKey(row.platform, row.order_id, sku_key(row.sku))] += row.units
    return Recorded(
        lines={
            LineKey(row.platform, row.order_id, row.line_id): LedgerLine(
                Units(row.held, row.shipped), row.sku, row.first_at
            )
            for row in rows(_LINES)
        },
        returned=dict(returned),
        items={
            sku_key(row.sku): ItemBook(row.opened, row.free, row.waiting, row.found, row.incident_units)
            for row in rows(_ITEMS)
        },
        listings=[ShownListing(row.platform, row.sku, row.should_show) for row in rows(_LISTINGS)],
        doubled_keys=[row.effect_key for row in rows(_DOUBLED)],
        effects_applied=connection.execute(text(_EFFECTS), {"merchant_id": merchant_id}).scalar_one(),
    )

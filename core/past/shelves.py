"""How many units of each item are on hand in which warehouse, now or at a past instant.

That is little of what ``history`` tells. Only movements into bins and out of them are read; they have an index of their
own.
"""

from collections.abc import Collection
from datetime import datetime

from core.past import history
from core.transaction import Transaction

# Begins where ``history.BALANCES_AT`` does. Units that are only handed out for an order stay in their bin.
_UNITS_AT = f"""
    WITH start AS MATERIALIZED ({history.START}), part AS (
        SELECT s.item_id, (c.cell ->> 2)::bigint AS bin_id, (c.cell ->> 4)::bigint AS units
        FROM start s CROSS JOIN LATERAL jsonb_array_elements(s.cells) c (cell)
        WHERE NOT s.from_now AND c.cell ->> 0 = 'warehouse'
        UNION ALL
        SELECT s.item_id, b.bin_id, b.units FROM start s
        CROSS JOIN LATERAL (SELECT bin_id, available + picking + unavailable AS units FROM warehouse_balance
            WHERE merchant_id = :merchant_id AND item_id = s.item_id OFFSET 0) b WHERE s.from_now
        UNION ALL
        SELECT s.item_id, e.bin_id, CASE WHEN s.from_now THEN -e.units ELSE e.units END FROM start s
        CROSS JOIN LATERAL (SELECT from_place, to_place, sum(quantity) AS quantity FROM movement
            WHERE merchant_id = :merchant_id AND item_id = s.item_id AND layer = 'warehouse'
              AND from_place IS DISTINCT FROM to_place
              AND recorded_at > CASE WHEN s.from_now THEN CAST(:at AS timestamptz) ELSE s.known_at END
              AND recorded_at <= CASE WHEN s.from_now THEN 'infinity' ELSE CAST(:at AS timestamptz) END
            GROUP BY from_place, to_place) m
        CROSS JOIN LATERAL (VALUES (m.from_place, -m.quantity), (m.to_place, m.quantity)) e (bin_id, units)
        WHERE e.bin_id IS NOT NULL
    )
    SELECT p.item_id, b.warehouse_id, sum(p.units)::bigint AS units FROM part p
    JOIN bin b ON b.merchant_id = :merchant_id AND b.id = p.bin_id
    GROUP BY p.item_id, b.warehouse_id HAVING sum(p.units) > 0
"""


_UNITS_NOW = """
    SELECT b.item_id, bin.warehouse_id, sum(b.available + b.picking + b.unavailable)::bigint AS units
    FROM warehouse_balance b JOIN bin ON bin.merchant_id = b.merchant_id AND bin.id = b.bin_id
    WHERE b.merchant_id = :merchant_id
      AND (CAST(:item_ids AS bigint[]) IS NULL OR b.item_id = ANY(CAST(:item_ids AS bigint[])))
    GROUP BY 1, 2 HAVING sum(b.available + b.picking + b.unavailable) > 0
"""


def units(tx: Transaction, item_ids: Collection[int] | None, at: datetime | None = None) -> dict[int, dict[int, int]]:
    """Units by item and warehouse, those that are there. Args: item_ids: None is all items. at: None is now."""
    if item_ids is None and at is not None:
        item_ids = tx.run("SELECT id FROM item WHERE merchant_id = :merchant_id").scalars().all()
    ids = None if item_ids is None else sorted(item_ids)
    rows = tx.run(_UNITS_NOW, item_ids=ids) if at is None else tx.run(_UNITS_AT, item_ids=ids, at=at)
    found: dict[int, dict[int, int]] = {}
    for row in rows:
        found.setdefault(row.item_id, {})[row.warehouse_id] = row.units
    return found

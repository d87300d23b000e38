"""The invariants, each one query that returns the rows which break it. An empty audit is the proof of every test."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    row: Mapping[str, object]


_REPLAY = """
    WITH ends AS (
        SELECT layer, item_id, grade, to_place AS place, to_bucket AS bucket, quantity AS n FROM movement
        WHERE merchant_id = :merchant_id AND to_place IS NOT NULL
        UNION ALL
        SELECT layer, item_id, grade, from_place, from_bucket, -quantity FROM movement
        WHERE merchant_id = :merchant_id AND from_place IS NOT NULL
    ), replayed AS (
        SELECT layer, item_id, grade, place, bucket, sum(n) AS n FROM ends GROUP BY 1, 2, 3, 4, 5
    ), stored AS (
        SELECT 'warehouse' AS layer, item_id, grade, bin_id AS place, v.bucket, v.n FROM warehouse_balance
            CROSS JOIN LATERAL (VALUES ('available', available), ('picking', picking), ('unavailable', unavailable))
                v (bucket, n)
            WHERE merchant_id = :merchant_id
        UNION ALL
        SELECT 'dispatch', item_id, grade, warehouse_id, v.bucket, v.n FROM dispatch_balance
            CROSS JOIN LATERAL (VALUES ('available', available), ('allocated', allocated), ('locked', locked),
                ('unavailable', unavailable), ('incoming', incoming), ('incoming_sellable', incoming_sellable))
                v (bucket, n)
            WHERE merchant_id = :merchant_id
        UNION ALL
        SELECT 'sales', item_id, grade, pool_id, v.bucket, v.n FROM sales_balance
            CROSS JOIN LATERAL (VALUES ('free', free), ('reserved', reserved), ('sold', sold),
                ('backordered', backordered))
                v (bucket, n)
            WHERE merchant_id = :merchant_id
    )
    SELECT layer, item_id, grade, place, bucket, coalesce(s.n, 0) AS stored, coalesce(r.n, 0) AS replayed
    FROM stored s FULL JOIN replayed r USING (layer, item_id, grade, place, bucket)
    WHERE coalesce(s.n, 0) <> coalesce(r.n, 0)
"""

INVARIANTS: Mapping[str, str] = {
    "1 no bucket is below 0": """
        SELECT 'warehouse' AS layer, item_id FROM warehouse_balance WHERE merchant_id = :merchant_id
            AND least(available, picking, unavailable) < 0
        UNION ALL SELECT 'dispatch', item_id FROM dispatch_balance WHERE merchant_id = :merchant_id
            AND least(available, allocated, locked, unavailable, incoming, incoming_sellable) < 0
        UNION ALL SELECT 'sales', item_id FROM sales_balance WHERE merchant_id = :merchant_id
            AND least(free, reserved, sold, backordered) < 0""",
    "2 balances are the replay of the movements": _REPLAY,
    "3 warehouse and dispatch hold the same goods": """
        WITH w AS (
            SELECT b.item_id, b.grade, bin.warehouse_id, sum(b.available + b.picking) AS sellable,
                sum(b.unavailable) AS unavailable
            FROM warehouse_balance b JOIN bin ON bin.merchant_id = b.merchant_id AND bin.id = b.bin_id
            WHERE b.merchant_id = :merchant_id GROUP BY 1, 2, 3
        ), d AS (
            SELECT item_id, grade, warehouse_id, available + allocated + locked AS sellable, unavailable
            FROM dispatch_balance WHERE merchant_id = :merchant_id
        )
        SELECT item_id, grade, warehouse_id, w.sellable AS in_bins, d.sellable AS in_dispatch FROM w
        FULL JOIN d USING (item_id, grade, warehouse_id)
        WHERE coalesce(w.sellable, 0) <> coalesce(d.sellable, 0)
            OR coalesce(w.unavailable, 0) <> coalesce(d.unavailable, 0)""",
    "4 dispatch and sales hold the same goods": """
        WITH d AS (
            SELECT item_id, grade, sum(available + allocated + locked + incoming_sellable) AS n
            FROM dispatch_balance WHERE merchant_id = :merchant_id GROUP BY 1, 2
        ), s AS (
            SELECT b.item_id, b.grade, sum(b.free + b.reserved + b.sold) AS n
            FROM sales_balance b JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id
            WHERE b.merchant_id = :merchant_id AND p.kind <> 'presale' GROUP BY 1, 2
        )
        SELECT item_id, grade, d.n AS in_dispatch, s.n AS in_sales FROM d FULL JOIN s USING (item_id, grade)
        WHERE coalesce(d.n, 0) <> coalesce(s.n, 0)""",
    "5 promises are what the pools say": """
        WITH p AS (
            SELECT item_id, grade, pool_id, sum(live) FILTER (WHERE NOT deducted) AS reserved,
                sum(live) FILTER (WHERE deducted) AS sold, sum(waiting) AS waiting
            FROM promise WHERE merchant_id = :merchant_id GROUP BY 1, 2, 3
        )
        SELECT item_id, grade, pool_id, s.reserved, p.reserved AS promised_reserved, s.sold, p.sold AS promised_sold,
            s.backordered, p.waiting AS promised_waiting
        FROM (SELECT * FROM sales_balance WHERE merchant_id = :merchant_id) s
        FULL JOIN p USING (item_id, grade, pool_id)
        WHERE coalesce(s.reserved, 0) <> coalesce(p.reserved, 0) OR coalesce(s.sold, 0) <> coalesce(p.sold, 0)
            OR coalesce(s.backordered, 0) <> coalesce(p.waiting, 0)""",
    "6a each document has its one effect": """
        SELECT d.id AS document_id, d.effect_key FROM document d
        WHERE d.merchant_id = :merchant_id AND NOT EXISTS (SELECT FROM effect e
            WHERE e.merchant_id = d.merchant_id
              AND e.key_hash = substring(sha256(convert_to(d.effect_key, 'UTF8')) for 16)
              AND e.document_id = d.id)""",
    "6b no effect key was posted twice": """
        SELECT effect_key, count(*) AS times FROM document WHERE merchant_id = :merchant_id
        GROUP BY effect_key HAVING count(*) > 1""",
    "6c each promised unit ends once": """
        SELECT id AS promise_id FROM promise WHERE merchant_id = :merchant_id
            AND waiting + live + shipped + released <> wanted""",
    "6e no promise is without its line, no line without its order": """
        SELECT 'promise' AS kind, p.id FROM promise p WHERE p.merchant_id = :merchant_id AND NOT EXISTS (
            SELECT FROM order_line l WHERE l.merchant_id = p.merchant_id AND l.id = p.order_line_id)
        UNION ALL SELECT 'order line', l.id FROM order_line l WHERE l.merchant_id = :merchant_id AND NOT EXISTS (
            SELECT FROM store_order o WHERE o.merchant_id = l.merchant_id AND o.id = l.order_id)""",
    "6d nothing waits while units are free": """
        SELECT b.item_id, b.grade, b.free, b.backordered FROM sales_balance b
        JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id AND p.kind = 'shared'
        WHERE b.merchant_id = :merchant_id AND b.free > 0 AND b.backordered > 0""",
    "7 every oversold unit has an incident": """
        SELECT p.id AS promise_id, p.waiting FROM promise p
        JOIN store_order o ON o.merchant_id = p.merchant_id AND o.id = p.order_id AND o.store_id <> 0
        WHERE p.merchant_id = :merchant_id AND p.waiting > 0 AND NOT EXISTS (SELECT FROM incident i
            WHERE i.merchant_id = p.merchant_id AND i.order_line_id = p.order_line_id AND i.closed_at IS NULL)""",
    "8 what was recorded cannot be changed": """
        SELECT t.name AS table_name FROM (VALUES ('effect'), ('document'), ('movement')) t (name)
        WHERE has_table_privilege('holdfast_app', t.name, 'UPDATE')
            OR has_table_privilege('holdfast_app', t.name, 'DELETE')
            OR has_table_privilege('holdfast_app', t.name, 'TRUNCATE')
            OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = t.name::regclass AND (
                SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = h.inhrelid AND g.tgenabled IN ('O', 'A')
                    AND g.tgname IN ('stays', 'stays_whole')) < 2)""",
}


def audit(tx: Transaction) -> list[Violation]:
    """All rows of this merchant that break an invariant; empty when the books are right."""
    return [
        Violation(name, {key: _plain(value) for key, value in row._mapping.items()})
        for name, query in INVARIANTS.items()
        for row in tx.run(query)
    ]


def _plain(value: object) -> object:
    return value if isinstance(value, int | str | None) else str(value)

"""The invariants, each one query that returns the rows which break it. An empty audit is the proof of every test."""

from collections.abc import Mapping
from dataclasses import dataclass

from core import patience
from core.past import replay
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    row: Mapping[str, object]


INVARIANTS: Mapping[str, str] = {
    "1 no bucket is below 0": """
        SELECT 'warehouse' AS layer, item_id FROM warehouse_balance WHERE merchant_id = :merchant_id
            AND least(available, picking, unavailable) < 0
        UNION ALL SELECT 'dispatch', item_id FROM dispatch_balance WHERE merchant_id = :merchant_id
            AND least(available, allocated, locked, unavailable, incoming, incoming_sellable) < 0
        UNION ALL SELECT 'sales', item_id FROM sales_balance WHERE merchant_id = :merchant_id
            AND least(free, reserved, sold, backordered) < 0""",
    "2 balances are the replay of the movements": replay.BALANCES_OF_ALL,
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
    "5a promises are what the pools say": """
        WITH p AS (
            SELECT item_id, grade, pool_id, sum(live) FILTER (WHERE NOT deducted) AS reserved,
                sum(live) FILTER (WHERE deducted) AS sold
            FROM promise WHERE merchant_id = :merchant_id GROUP BY 1, 2, 3
        ), w AS (
            SELECT item_id, grade,
                (SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared') AS pool_id,
                sum(waiting) AS waiting
            FROM promise WHERE merchant_id = :merchant_id GROUP BY 1, 2
            UNION ALL SELECT item_id, grade, id, waiting FROM lock WHERE merchant_id = :merchant_id AND waiting > 0
        )
        SELECT item_id, grade, pool_id, s.reserved, p.reserved AS promised_reserved, s.sold, p.sold AS promised_sold,
            s.backordered, w.waiting AS promised_waiting
        FROM (SELECT * FROM sales_balance WHERE merchant_id = :merchant_id) s
        FULL JOIN p USING (item_id, grade, pool_id) FULL JOIN w USING (item_id, grade, pool_id)
        WHERE coalesce(s.reserved, 0) <> coalesce(p.reserved, 0) OR coalesce(s.sold, 0) <> coalesce(p.sold, 0)
            OR coalesce(s.backordered, 0) <> coalesce(w.waiting, 0)""",
    "5b what is locked in a warehouse is what the pools of its locks have": """
        WITH locked AS (
            SELECT b.item_id, b.grade, p.warehouse_id, sum(b.free + b.reserved + b.sold - coalesce(a.n, 0)) AS n
            FROM sales_balance b
            JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id AND p.warehouse_id IS NOT NULL
            LEFT JOIN (SELECT item_id, grade, pool_id, sum(allocated) AS n FROM promise
                WHERE merchant_id = :merchant_id AND allocated > 0 GROUP BY 1, 2, 3) a
                ON (a.item_id, a.grade, a.pool_id) = (b.item_id, b.grade, b.pool_id)
            WHERE b.merchant_id = :merchant_id GROUP BY 1, 2, 3
        )
        SELECT item_id, grade, warehouse_id, d.locked, l.n AS in_pools
        FROM (SELECT * FROM dispatch_balance WHERE merchant_id = :merchant_id) d
        FULL JOIN locked l USING (item_id, grade, warehouse_id)
        WHERE coalesce(d.locked, 0) <> coalesce(l.n, 0)""",
    "5c a closed pool has nothing free and nothing that waits": """
        SELECT b.pool_id, b.item_id, b.grade, b.free, b.backordered FROM sales_balance b
        JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id AND p.closed_at IS NOT NULL
        WHERE b.merchant_id = :merchant_id AND b.free + b.backordered > 0""",
    "5d what was sold in a presale stands in a presale pool, and nothing else does": """
        SELECT r.id AS promise_id, r.pool_id FROM promise r
        JOIN pool p ON p.merchant_id = r.merchant_id AND p.id = r.pool_id
        WHERE r.merchant_id = :merchant_id AND r.live > 0 AND r.presale <> (p.kind = 'presale')""",
    "5e an active lock has an open pool, any other lock has none": """
        SELECT l.key, l.status FROM lock l LEFT JOIN pool p ON p.merchant_id = l.merchant_id AND p.id = l.id
        WHERE l.merchant_id = :merchant_id AND (l.status = 'active') <> (p.id IS NOT NULL AND p.closed_at IS NULL)""",
    "5f a lock's pool is as the lock says, open for its item and nothing else": """
        SELECT l.key FROM lock l JOIN pool p ON p.merchant_id = l.merchant_id AND p.id = l.id
        WHERE l.merchant_id = :merchant_id AND ((p.kind, p.pure) <> ('lock', l.pure)
            OR (p.store_id, p.warehouse_id, p.ends_at) IS DISTINCT FROM (l.store_id, l.warehouse_id, l.expires_at)
            OR (SELECT count(*) FROM pool_item i WHERE i.merchant_id = l.merchant_id AND i.pool_id = l.id
                AND i.is_open) <> (SELECT count(*) FROM pool_item i WHERE i.merchant_id = l.merchant_id
                AND i.pool_id = l.id AND i.is_open AND l.status = 'active' AND i.item_id = l.item_id
                AND i.grade = l.grade)
            OR l.status = 'active' AND NOT EXISTS (SELECT FROM pool_item i WHERE i.merchant_id = l.merchant_id
                AND i.pool_id = l.id AND i.is_open))""",
    "5g a lock has no more units than it is for, a floor as many": """
        SELECT l.key, l.quantity, l.waiting, b.free, b.reserved, b.sold FROM lock l
        JOIN sales_balance b ON b.merchant_id = l.merchant_id AND b.pool_id = l.id AND b.item_id = l.item_id
            AND b.grade = l.grade
        WHERE l.merchant_id = :merchant_id AND l.status = 'active'
          AND CASE WHEN l.standing THEN b.free + l.waiting <> l.quantity
              ELSE b.free + b.reserved + b.sold + l.waiting > l.quantity END""",
    "5h an item that a pool has no more has no units there that are to be sold or handed over": """
        SELECT i.pool_id, i.item_id, i.grade, b.free, b.reserved, b.sold FROM pool_item i
        JOIN pool p ON p.merchant_id = i.merchant_id AND p.id = i.pool_id
        JOIN sales_balance b ON b.merchant_id = i.merchant_id AND b.item_id = i.item_id AND b.grade = i.grade
            AND b.pool_id = i.pool_id
        WHERE i.merchant_id = :merchant_id AND NOT i.is_open
          AND (b.free > 0 OR p.kind = 'presale' AND b.reserved + b.sold > 0)""",
    "5i no presale promises more than its cap, before and after goods have come": """
        WITH promised AS (
            SELECT presale_id, item_id, grade, sum(wanted - released) AS units FROM promise
            WHERE merchant_id = :merchant_id AND presale_id IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT i.pool_id, i.item_id, i.grade, i.cap, b.free, r.units AS promised FROM pool_item i
        JOIN pool p ON p.merchant_id = i.merchant_id AND p.id = i.pool_id AND p.kind = 'presale'
        LEFT JOIN sales_balance b ON b.merchant_id = i.merchant_id AND b.item_id = i.item_id AND b.grade = i.grade
            AND b.pool_id = i.pool_id
        LEFT JOIN promised r ON r.presale_id = i.pool_id AND r.item_id = i.item_id AND r.grade = i.grade
        WHERE i.merchant_id = :merchant_id AND coalesce(b.free, 0) + coalesce(r.units, 0) > coalesce(i.cap, 0)""",
    "5j what is on its way to a warehouse is what open lines of purchase orders and transfers bring": """
        WITH coming AS (
            SELECT l.item_id, l.grade, p.warehouse_id, l.counted, greatest(l.ordered - l.cut - l.came, 0) AS units
            FROM purchase p JOIN purchase_line l ON l.merchant_id = p.merchant_id AND l.purchase_id = p.id
            WHERE p.merchant_id = :merchant_id AND p.placed_at IS NOT NULL
            UNION ALL
            SELECT l.item_id, l.grade, t.to_id, u.units, u.units
            FROM transfer t JOIN transfer_line l ON l.merchant_id = t.merchant_id AND l.transfer_id = t.id
            CROSS JOIN LATERAL (SELECT greatest(l.sent - l.came - l.lost, 0) AS units) u
            WHERE t.merchant_id = :merchant_id
        ), ordered AS (
            SELECT item_id, grade, warehouse_id, sum(counted) AS counted, sum(units) AS units FROM coming
            GROUP BY 1, 2, 3
        )
        SELECT item_id, grade, warehouse_id, d.incoming, d.incoming_sellable, o.units, o.counted
        FROM (SELECT * FROM dispatch_balance WHERE merchant_id = :merchant_id) d
        FULL JOIN ordered o USING (item_id, grade, warehouse_id)
        WHERE coalesce(d.incoming_sellable, 0) <> coalesce(o.counted, 0)
            OR coalesce(d.incoming + d.incoming_sellable, 0) <> coalesce(o.units, 0)""",
    "5k what came for a purchase order is what its receipts say": """
        SELECT p.number, l.nth, l.came, r.units AS received FROM purchase_line l
        JOIN purchase p ON p.merchant_id = l.merchant_id AND p.id = l.purchase_id
        LEFT JOIN (SELECT line_id, sum(good + damaged + regraded) AS units FROM purchase_receipt
            WHERE merchant_id = :merchant_id AND taken_back_by IS NULL GROUP BY 1) r ON r.line_id = l.id
        WHERE l.merchant_id = :merchant_id AND (l.came <> coalesce(r.units, 0)
            OR p.placed_at IS NULL AND l.came + l.cut + l.counted > 0)""",
    "5l what is allocated is what warehouses are to send, of paid goods that are there": """
        WITH told AS (
            SELECT promise_id, sum(units) AS units FROM fulfilment_line WHERE merchant_id = :merchant_id GROUP BY 1
        )
        SELECT coalesce(p.id, t.promise_id) AS promise_id, p.allocated, t.units FROM told t
        FULL JOIN (SELECT * FROM promise WHERE merchant_id = :merchant_id) p ON p.id = t.promise_id
        WHERE coalesce(p.allocated, 0) <> coalesce(t.units, 0)
            OR p.allocated > CASE WHEN p.paid AND p.deducted AND NOT p.presale THEN p.live ELSE 0 END
        UNION ALL
        SELECT l.promise_id, l.warehouse_id, l.units FROM fulfilment_line l
        LEFT JOIN fulfilment_order f ON f.merchant_id = l.merchant_id AND f.id = l.fulfilment_id
        LEFT JOIN promise p ON p.merchant_id = l.merchant_id AND p.order_id = l.order_id AND p.id = l.promise_id
        LEFT JOIN pool ON pool.merchant_id = l.merchant_id AND pool.id = p.pool_id
        LEFT JOIN bin b ON b.merchant_id = l.merchant_id AND b.id = l.bin_id
        WHERE l.merchant_id = :merchant_id AND ((f.order_id, f.warehouse_id) IS DISTINCT FROM
                (l.order_id, l.warehouse_id)
            OR (p.order_line_id, p.item_id, p.grade) IS DISTINCT FROM (l.order_line_id, l.item_id, l.grade)
            OR l.units > 0 AND coalesce(pool.warehouse_id, l.warehouse_id) <> l.warehouse_id
            OR coalesce(b.warehouse_id, l.warehouse_id) <> l.warehouse_id
            OR l.units > 0 AND f.rejected_at IS NOT NULL)""",
    "5m what is allocated or handed out is what open lines of orders and transfers say": """
        WITH told AS (
            SELECT item_id, grade, warehouse_id, sum(units) AS units FROM (
                SELECT item_id, grade, warehouse_id, units FROM fulfilment_line WHERE merchant_id = :merchant_id
                UNION ALL SELECT l.item_id, l.grade, t.from_id, l.allocated FROM transfer_line l
                JOIN transfer t ON t.merchant_id = l.merchant_id AND t.id = l.transfer_id
                WHERE l.merchant_id = :merchant_id) l GROUP BY 1, 2, 3
        ), handed AS (
            SELECT item_id, grade, bin_id, sum(units) AS units FROM fulfilment_line
            WHERE merchant_id = :merchant_id AND bin_id IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT 'allocated' AS bucket, item_id, grade, warehouse_id AS place_id, d.allocated AS there, t.units
        FROM (SELECT * FROM dispatch_balance WHERE merchant_id = :merchant_id) d
        FULL JOIN told t USING (item_id, grade, warehouse_id)
        WHERE coalesce(d.allocated, 0) <> coalesce(t.units, 0)
        UNION ALL
        SELECT 'picking', item_id, grade, bin_id, w.picking, h.units
        FROM (SELECT * FROM warehouse_balance WHERE merchant_id = :merchant_id) w
        FULL JOIN handed h USING (item_id, grade, bin_id)
        WHERE coalesce(w.picking, 0) <> coalesce(h.units, 0)""",
    "5n no presale offers what its supply does not bring, beside what presales sold of it": """
        SELECT e.reference, e.item_id, e.grade, greatest(e.quantity - e.received, 0) AS to_come, o.free, o.owed
        FROM (SELECT i.expected_id, sum(b.free) AS free, sum(b.reserved + b.sold) AS owed FROM pool_item i
            JOIN sales_balance b ON b.merchant_id = i.merchant_id AND b.item_id = i.item_id AND b.grade = i.grade
                AND b.pool_id = i.pool_id
            WHERE i.merchant_id = :merchant_id AND i.expected_id IS NOT NULL GROUP BY 1) o
        JOIN expected e ON e.merchant_id = :merchant_id AND e.id = o.expected_id
        WHERE o.free > 0 AND o.free + o.owed > greatest(e.quantity - e.received, 0)""",
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
    "6e no promise is without its line or its hold, no line without its order": """
        SELECT 'promise' AS kind, p.id FROM promise p WHERE p.merchant_id = :merchant_id AND NOT EXISTS (
            SELECT FROM order_line l WHERE l.merchant_id = p.merchant_id AND l.id = p.order_line_id)
            AND NOT (p.order_line_id IS NULL AND EXISTS (SELECT FROM document d
                WHERE d.merchant_id = p.merchant_id AND d.id = p.order_id))
        UNION ALL SELECT 'order line', l.id FROM order_line l WHERE l.merchant_id = :merchant_id AND NOT EXISTS (
            SELECT FROM store_order o WHERE o.merchant_id = l.merchant_id AND o.id = l.order_id)""",
    "6d nothing waits while units are free": """
        SELECT b.item_id, b.grade, b.free, b.backordered FROM sales_balance b
        JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id AND p.kind = 'shared'
        WHERE b.merchant_id = :merchant_id AND b.free > 0 AND (EXISTS (
            -- a component waits until there are enough for a whole bundle, and for the others of its bundle
            SELECT FROM promise w WHERE w.merchant_id = b.merchant_id AND w.item_id = b.item_id AND w.grade = b.grade
                AND w.waiting > 0 AND b.free >= (
                    SELECT least(sum(a.waiting), w.per_unit - mod(sum(a.live + a.shipped), w.per_unit))
                    FROM promise a WHERE a.merchant_id = w.merchant_id
                        AND a.order_id = w.order_id AND a.order_line_id IS NOT DISTINCT FROM w.order_line_id
                        AND (a.item_id, a.grade) = (w.item_id, w.grade))
                AND NOT EXISTS (SELECT FROM promise o WHERE o.merchant_id = w.merchant_id
                    AND o.order_id = w.order_id AND o.order_line_id = w.order_line_id
                    AND (o.waiting > 0 OR o.presale AND o.live > 0)
                    AND (o.item_id, o.grade) <> (w.item_id, w.grade)))
            OR EXISTS (SELECT FROM lock l WHERE l.merchant_id = b.merchant_id AND l.item_id = b.item_id
                AND l.grade = b.grade AND l.waiting > 0 AND (l.warehouse_id IS NULL
                    OR EXISTS (SELECT FROM dispatch_balance d WHERE d.merchant_id = l.merchant_id
                        AND d.item_id = l.item_id AND d.grade = l.grade AND d.warehouse_id = l.warehouse_id
                        AND d.available > 0)))
            OR EXISTS (SELECT FROM promise s WHERE s.merchant_id = b.merchant_id AND s.item_id = b.item_id
                AND s.grade = b.grade AND s.presale AND s.live > 0))""",
    "7 every unit that waits beyond what the rules allow has an incident": """
        SELECT p.id AS promise_id, p.waiting FROM promise p
        WHERE p.merchant_id = :merchant_id AND p.waiting > 0 AND NOT p.backorder
          AND NOT EXISTS (SELECT FROM incident i WHERE i.merchant_id = p.merchant_id
              AND i.order_line_id = coalesce(p.order_line_id, p.order_id) AND i.closed_at IS NULL)""",
    "8 what was recorded cannot be changed": """
        WITH recorded AS (
            SELECT t.name::regclass AS part FROM (VALUES ('effect'), ('document'), ('movement'), ('act_log'),
                ('rule_change')) t (name)
            UNION ALL SELECT h.inhrelid FROM pg_inherits h
            WHERE h.inhparent IN ('effect'::regclass, 'document'::regclass, 'movement'::regclass)
        ), guard AS (
            SELECT g.tgrelid AS part, bool_or(g.tgtype = 27) AS stays, bool_or(g.tgtype = 34) AS stays_whole
            FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
            WHERE f.oid = 'refuse_change()'::regprocedure AND f.prosrc ~ 'RAISE EXCEPTION' AND f.prosrc !~* 'return'
              AND g.tgenabled IN ('O', 'A') AND g.tgqual IS NULL AND g.tgattr::text = ''
            GROUP BY 1
        )
        SELECT r.part::text AS table_name FROM recorded r LEFT JOIN guard g ON g.part = r.part
        WHERE has_table_privilege('holdfast_app', r.part, 'DELETE, TRUNCATE')
            OR has_any_column_privilege('holdfast_app', r.part, 'UPDATE')
            OR g.stays IS NOT TRUE OR g.stays_whole IS NOT TRUE""",
    "9 checkpoints of the past are the replay of the movements": replay.CHECKPOINTS,
    "10b an item that became part of another has nothing left of its own": """
        SELECT i.sku, used.what FROM item i CROSS JOIN LATERAL (
            SELECT 'units in bins' AS what FROM warehouse_balance WHERE merchant_id = i.merchant_id
                AND item_id = i.id AND available + picking + unavailable > 0
            UNION ALL SELECT 'units in warehouses' FROM dispatch_balance WHERE merchant_id = i.merchant_id
                AND item_id = i.id AND available + allocated + locked + unavailable + incoming + incoming_sellable > 0
            UNION ALL SELECT 'units in pools' FROM sales_balance WHERE merchant_id = i.merchant_id
                AND item_id = i.id AND free + reserved + sold + backordered > 0
            UNION ALL SELECT 'promises' FROM promise WHERE merchant_id = i.merchant_id AND item_id = i.id
            UNION ALL SELECT 'listings' FROM listing WHERE merchant_id = i.merchant_id AND item_id = i.id
            UNION ALL SELECT 'locks' FROM lock WHERE merchant_id = i.merchant_id AND item_id = i.id
                AND status IN ('requested', 'approved', 'active')
            UNION ALL SELECT 'recipes' FROM component WHERE merchant_id = i.merchant_id AND item_id = i.id
                AND (SELECT merged_into IS NULL FROM item b
                    WHERE b.merchant_id = i.merchant_id AND b.id = component.bundle_item_id)
            UNION ALL SELECT 'another that is part of a third' FROM item n WHERE n.merchant_id = i.merchant_id
                AND n.id = i.merged_into AND n.merged_into IS NOT NULL) used
        WHERE i.merchant_id = :merchant_id AND i.merged_into IS NOT NULL""",
    "10 a bundle has no stock and no demand of its own": """
        SELECT i.sku, w.item_id AS in_bins, s.item_id AS in_pools FROM item i
        LEFT JOIN (SELECT DISTINCT merchant_id, item_id FROM warehouse_balance
            WHERE available + picking + unavailable > 0) w ON (w.merchant_id, w.item_id) = (i.merchant_id, i.id)
        LEFT JOIN (SELECT DISTINCT merchant_id, item_id FROM sales_balance
            WHERE free + reserved + sold + backordered > 0) s ON (s.merchant_id, s.item_id) = (i.merchant_id, i.id)
        WHERE i.merchant_id = :merchant_id AND i.kind = 'bundle'
            AND (w.item_id IS NOT NULL OR s.item_id IS NOT NULL)""",
    "14 what lies unavailable is explained, and each unit once": """
        WITH told AS (
            SELECT item_id, grade, bin_id, sum(units_left) AS units FROM set_apart
            WHERE merchant_id = :merchant_id GROUP BY 1, 2, 3
        )
        SELECT item_id, grade, bin_id, w.unavailable, t.units AS explained
        FROM (SELECT * FROM warehouse_balance WHERE merchant_id = :merchant_id) w
        FULL JOIN told t USING (item_id, grade, bin_id)
        WHERE coalesce(w.unavailable, 0) <> coalesce(t.units, 0)
        UNION ALL
        SELECT a.item_id, a.grade, a.bin_id, a.units - a.units_left, coalesce(e.units, 0) FROM set_apart a
        LEFT JOIN (SELECT set_apart_id, sum(units) AS units FROM set_apart_exit
            WHERE merchant_id = :merchant_id GROUP BY 1) e ON e.set_apart_id = a.id
        WHERE a.merchant_id = :merchant_id AND a.units - a.units_left <> coalesce(e.units, 0)""",
    "16 what outside systems told was booked as it is kept": """
        SELECT i.item_id, i.batch_id, '' AS key, 'not booked' AS wrong FROM mirror_batch b
        JOIN mirror_batch_item i ON i.merchant_id = b.merchant_id AND i.batch_id = b.id AND i.outcome = 'open'
        WHERE b.merchant_id = :merchant_id AND b.state = 'done'
        UNION ALL
        SELECT t.item_id, t.batch_id, t.key, 'no document' FROM (
            SELECT item_id, NULL::bigint AS batch_id, key, document_id FROM mirror_message
            WHERE merchant_id = :merchant_id AND outcome = 'booked'
            UNION ALL SELECT item_id, batch_id, '', document_id FROM mirror_batch_item
            WHERE merchant_id = :merchant_id AND outcome = 'booked') t
        WHERE NOT EXISTS (SELECT FROM movement m WHERE m.merchant_id = :merchant_id AND m.document_id = t.document_id
            AND m.item_id = t.item_id)
        UNION ALL
        SELECT n.item_id, NULL, '', 'not in its warehouse' FROM mirror_item n
        LEFT JOIN mirror_source s ON s.merchant_id = n.merchant_id AND s.id = n.source_id
        LEFT JOIN bin ON bin.merchant_id = n.merchant_id AND bin.id = n.bin_id
        WHERE n.merchant_id = :merchant_id AND (s.id IS NULL OR s.by_bin <> (n.bin_id <> 0)
            OR n.bin_id <> 0 AND bin.warehouse_id IS DISTINCT FROM s.warehouse_id)""",
    "17 of units that came at a cost no more are gone than came, and no note of one was lost": """
        SELECT item_id, document_id, cost_minor, currency, sum(units)::bigint AS units FROM item_cost
        WHERE merchant_id = :merchant_id GROUP BY 1, 2, 3, 4 HAVING sum(units) < 0
        UNION ALL
        SELECT item_id, document_id, cost_minor, currency, units FROM (SELECT *, row_number() OVER (
            PARTITION BY item_id ORDER BY at, nth) AS should FROM item_cost WHERE merchant_id = :merchant_id) c
        WHERE nth <> should""",
}
LIMIT_S = 3600


def audit(tx: Transaction) -> list[Violation]:
    """All rows of this merchant that break an invariant; empty when the books are right.

    Reads the whole ledger, a few seconds for a million movements; each query may take up to ``LIMIT_S``.
    """
    patience.allow(tx, LIMIT_S)
    return [
        Violation(name, {key: _plain(value) for key, value in row._mapping.items()})
        for name, query in INVARIANTS.items()
        for row in tx.run(query)
    ]


def _plain(value: object) -> object:
    return value if isinstance(value, int | str | None) else str(value)

"""How fast the goods on hand are valued, now and at past instants, for many items with a past.

``python -P -m bench.worth [--items N] [--orders N] [--json]`` starts an embedded PostgreSQL in a folder of its own, as
the hub runs it (fsync on). It writes, for each item, a receipt with a cost for every tenth of its orders, and the
movements of these orders in all layers, over 70 days; then it makes the checkpoints that are due. Tables are never
analysed. With ``--json`` the last line is one line of JSON; times are in milliseconds.
"""

import argparse
import json
import sys
import time
from datetime import timedelta
from statistics import median

from bench.past import MERCHANT, shop
from core.past import checkpoints, valuation
from core.past.checkpoints import SKEW, Window
from core.past.valuation import Method
from core.transaction import Database

EACH = 10  # orders that a receipt serves
_AT_ONCE = 1_000
_ITEMS = """INSERT INTO item (merchant_id, id, sku, sku_key, title, created_at)
    SELECT %(merchant)s, n, 'SKU-' || n, 'sku-' || n, '', now() FROM generate_series(1, %(items)s) n"""
# What one order of one unit moves, and what ten of them were received with: by step, layer, and both ends.
_FILL = """
    INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
        from_bucket, to_place, to_bucket, quantity)
    SELECT %(merchant)s, (o.nth * %(items)s + i.id) * 10 + m.step, m.step,
        now() - %(past)s * (1 - (o.nth + m.step / 10.0) / %(orders)s), i.id, 'good', m.layer,
        CASE WHEN m.from_bucket <> 'world' THEN p.id END, m.from_bucket,
        CASE WHEN m.to_bucket <> 'world' THEN p.id END, m.to_bucket, m.quantity
    FROM generate_series(1, %(items)s) i (id) CROSS JOIN generate_series(0, %(orders)s - 1) o (nth)
    CROSS JOIN (VALUES
        (0, 'warehouse', 'world', 'available', %(each)s + 1), (1, 'dispatch', 'world', 'available', %(each)s + 1),
        (2, 'sales', 'world', 'free', %(each)s + 1),
        (3, 'sales', 'free', 'reserved', 1), (4, 'sales', 'reserved', 'sold', 1),
        (5, 'dispatch', 'available', 'allocated', 1), (6, 'warehouse', 'available', 'picking', 1),
        (7, 'warehouse', 'picking', 'world', 1), (8, 'dispatch', 'allocated', 'world', 1),
        (9, 'sales', 'sold', 'world', 1)) m (step, layer, from_bucket, to_bucket, quantity)
    JOIN (SELECT 'warehouse' AS layer, id FROM bin UNION ALL SELECT 'dispatch', id FROM warehouse
        UNION ALL SELECT 'sales', id FROM pool) p ON p.layer = m.layer
    WHERE m.step > 2 OR o.nth %% %(each)s = 0
"""
_BALANCES = """INSERT INTO warehouse_balance (merchant_id, bin_id, item_id, grade, available, picking, unavailable)
    SELECT %(merchant)s, bin.id, n, 'good', %(orders)s / %(each)s, 0, 0 FROM bin, generate_series(1, %(items)s) n"""
_COSTS = """
    INSERT INTO item_cost (merchant_id, item_id, at, nth, document_id, units, cost_minor, currency, parts)
    SELECT %(merchant)s, i, now() - %(past)s * (1 - n * %(each)s::float8 / %(orders)s), n + 1, n, %(each)s + 1,
        100 + n, 'EUR', json_build_array(json_build_array('EUR', n + %(each)s + 1, '120.5'))
    FROM generate_series(1, %(items)s) i CROSS JOIN generate_series(0, %(orders)s / %(each)s - 1) n
"""


def measure(items: int, orders: int) -> dict[str, float]:
    """Times by name; ``orders`` is a multiple of ten."""
    with shop((_ITEMS, _FILL, _BALANCES, _COSTS), {"items": items, "orders": orders, "each": EACH}) as db:
        _cover(db, items)
        figures = {
            f"{method}_{name}_ms": _timed(db, method, ago)
            for method in Method
            for name, ago in {"now": None, "yesterday": 1, "middle": 35, "start": 65}.items()
        }
    return {name: round(value) for name, value in figures.items()}


def _cover(db: Database, items: int) -> None:
    """Make the checkpoints that are due."""
    with db.begin(MERCHANT, actor="bench") as tx:
        window = Window(None, tx.now - SKEW)
    for first in range(1, items + 1, _AT_ONCE):
        with db.begin(MERCHANT, actor="bench") as tx:
            due = checkpoints.due(tx, window, range(first, min(first + _AT_ONCE, items + 1)))
            while due and checkpoints.make(tx, window, due):
                pass


def _timed(db: Database, method: Method, days_ago: int | None) -> float:
    times = []
    for _ in range(3):
        with db.begin(MERCHANT, actor="bench") as tx:
            tx.run("SET LOCAL statement_timeout = '10min'")
            at = None if days_ago is None else tx.now - timedelta(days=days_ago)
            began = time.perf_counter()
            valuation.values(tx, at=at, method=method)
            times.append((time.perf_counter() - began) * 1000)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--orders", type=int, default=20, help="of each item")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.items, arguments.orders)
    told = json.dumps(figures) if arguments.json else "\n".join(f"{one:24} {ms:>8,.0f}" for one, ms in figures.items())
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main()

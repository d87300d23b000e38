"""How fast orders are routed: read, decided by each strategy, and put on record with their reasons.

``python -P -m bench.dispatch [--json] [--quick]`` starts an embedded PostgreSQL in a folder of its own, fsync on, and
makes a merchant with 50 warehouses, 20,000 items and a rate table. Each measurement routes 1,000 paid orders of four
lines that nobody has routed before, in one transaction: promises, stock, rules and rates are read from the tables,
decisions are written to them. ``orders_routed_per_s`` is the slowest strategy's; each figure is the median of its
runs. With ``--json`` the last line is one line of JSON.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time as clock_time
from pathlib import Path
from statistics import median
from typing import LiteralString

import psycopg
from sqlalchemy.engine import make_url

from bench import shop
from bench.core import Notes
from bench.load import MERCHANT
from bench.shop import Shop
from config.embedded import Postgres, start_postgres
from config.processes import settle_memory
from core import ledger
from core.dispatch import decisions, rates, reading, regions, rules
from core.dispatch.destinations import Destination, Point
from core.dispatch.routing import decide
from core.dispatch.strategies import Strategy, every
from core.dispatch.terms import Effect
from core.model import StoreOrder, StoreOrderLine
from core.orders.apply import ApplyOrder
from core.transaction import Transaction, wall_clock
from core.warehouse import warehouses

LINES = 4
AT_LEAST = 500.0  # orders a second: 1,000 in under 2 s
SUBDIVISIONS = ("BY", "BW", "BE", "HH", "HE", "NW", "NI", "SN", "SH", "TH")
_LOT = 250
ACTOR = "bench"


@dataclass(frozen=True, slots=True)
class Sizes:
    warehouses: int = 50
    items: int = 20_000
    orders: int = 1_000
    rounds: int = 3


QUICK = Sizes(warehouses=10, items=200, orders=40, rounds=1)


def measure(sizes: Sizes, notes: Notes) -> dict[str, float]:
    """Orders routed each second, by strategy, and of the slowest. Raises: RuntimeError for wrong books."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        notes.say("starting PostgreSQL, fsync on")
        with start_postgres(folder / "server") as server:
            made = _merchant(server, sizes, notes)
            try:
                _measure(made, sizes, notes)
            finally:
                made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    by_strategy = {f"{one.name}_per_s": notes.middle(f"{one.name}_per_s") for one in every()}
    parts = {name: median(notes.raw[name]) for name in ("read_ms", "decide_ms", "record_ms")}
    return {"orders_routed_per_s": min(by_strategy.values()), **by_strategy, **parts}


def _merchant(server: Postgres, sizes: Sizes, notes: Notes) -> Shop:
    notes.say(f"{sizes.items:,} items in {sizes.warehouses} warehouses")
    made = shop.open_shop(server, "dispatch", sizes.items)
    draw = random.Random(sizes.items)
    with made.db.begin(MERCHANT, actor=ACTOR) as tx:
        # The first warehouse has plenty of everything and would send all of it alone.
        (first,) = warehouses.every(tx)
        warehouses.change(tx, first.code, {"paused": True})
        for nth in range(sizes.warehouses):
            _add_warehouse(tx, nth, draw)
        _lay_down(tx, draw)
        rates.set_weights(tx, {item_id: draw.randint(50, 3_000) for item_id in made.item_ids})
    _fill(server, made)
    shop.settle(server, made)
    if found := shop.violations(made):
        raise RuntimeError(f"the books are wrong: {found} rows break an invariant")
    return made


def _add_warehouse(tx: Transaction, nth: int, draw: random.Random) -> None:
    terms = {
        "country": "DE", "subdivision": draw.choice(SUBDIVISIONS), "postal": f"{draw.randint(1, 99):02}",
        "latitude": 47.5 + draw.random() * 7, "longitude": 6 + draw.random() * 8, "priority": draw.randint(0, 9),
        "time_zone": "Europe/Berlin", "cut_off": clock_time(draw.randint(10, 18)), "handling_days": draw.randint(0, 2),
        "capacity_per_day": 1_000_000,
    }  # fmt: skip
    warehouses.add(tx, f"W{nth:02}", terms)


def _lay_down(tx: Transaction, draw: random.Random) -> None:
    """A region for each subdivision; two carriers, one with prices of its own from each warehouse; some rules."""
    places = [one.id for one in warehouses.every(tx)]
    for nth, name in enumerate(SUBDIVISIONS):
        region = regions.put(tx, name, [f"DE-{name}"], Point(48.0 + nth / 2, 8.0 + nth / 2))
        rates.put_transit(tx, 1, 2 + nth % 3, region_id=region.id)
        for up_to_g in (1_000, 5_000, 10_000, 31_500):
            rates.put_rate(tx, "Post", up_to_g, 400 + up_to_g // 20 + 10 * nth, "EUR", region_id=region.id)
        for place in places[::10]:
            rules.add(tx, Effect.DENY, place, region_id=region.id)
    for place in places:
        for up_to_g in (2_000, 31_500):
            cost = draw.randint(300, 700) + up_to_g // 25
            rates.put_rate(tx, "Van", up_to_g, cost, "EUR", warehouse_id=place)


def _fill(server: Postgres, made: Shop) -> None:
    """Each item comes in at two warehouses of five, in all three layers, as receipts would have written it."""
    url = make_url(server.superuser_url).set(drivername="postgresql", database=make_url(made.url).database)
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        for statement in _STOCK:
            connection.execute(statement, {"m": MERCHANT})


_STOCK: tuple[LiteralString, ...] = (
    """CREATE TEMP TABLE stock ON COMMIT DROP AS
       SELECT w.id AS warehouse_id, b.id AS bin_id, i.id AS item_id, 1 + mod(i.id * 7 + w.id * 3, 12) AS units,
           w.id * 1000000000 AS document_id
       FROM warehouse w JOIN bin b ON b.merchant_id = w.merchant_id AND b.warehouse_id = w.id AND b.is_default
       JOIN item i ON i.merchant_id = w.merchant_id
       WHERE w.merchant_id = %(m)s AND NOT w.paused AND mod(hashint8(i.id * 1009 + w.id)::bigint, 5) IN (0, 1)""",
    """INSERT INTO document (merchant_id, id, recorded_at, kind, effect_key, actor, source, correlation_id,
           happened_at, reason)
       SELECT DISTINCT %(m)s, document_id, now(), 'receipt', 'bench/stock/' || document_id, 'bench', '', '', now(), ''
       FROM stock""",
    """INSERT INTO effect (merchant_id, key_hash, content_hash, document_id)
       SELECT DISTINCT %(m)s, substring(sha256(convert_to('bench/stock/' || document_id, 'UTF8')) for 16),
           CAST('\\x00' AS bytea), document_id FROM stock""",
    """INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
           from_bucket, to_place, to_bucket, quantity)
       SELECT %(m)s, document_id, row_number() OVER (PARTITION BY document_id), now(), item_id, 'good', v.layer, NULL,
           'world', v.place, v.bucket, units
       FROM stock CROSS JOIN (SELECT id AS pool_id FROM pool WHERE merchant_id = %(m)s AND kind = 'shared') p
       CROSS JOIN LATERAL (VALUES ('warehouse', bin_id, 'available'), ('dispatch', warehouse_id, 'available'),
           ('sales', pool_id, 'free')) v (layer, place, bucket)""",
    """INSERT INTO warehouse_balance (merchant_id, bin_id, item_id, grade, available, picking, unavailable)
       SELECT %(m)s, bin_id, item_id, 'good', units, 0, 0 FROM stock""",
    """INSERT INTO dispatch_balance (merchant_id, warehouse_id, item_id, grade, available, allocated, locked,
           unavailable, incoming, incoming_sellable)
       SELECT %(m)s, warehouse_id, item_id, 'good', units, 0, 0, 0, 0, 0 FROM stock""",
    """INSERT INTO sales_balance (merchant_id, pool_id, item_id, grade, free, reserved, sold, backordered)
       SELECT %(m)s, p.id, item_id, 'good', sum(units), 0, 0, 0 FROM stock
       CROSS JOIN (SELECT id FROM pool WHERE merchant_id = %(m)s AND kind = 'shared') p GROUP BY p.id, item_id
       ON CONFLICT (merchant_id, item_id, grade, pool_id) DO UPDATE SET free = sales_balance.free + EXCLUDED.free""",
)


def _measure(made: Shop, sizes: Sizes, notes: Notes) -> None:
    draw = random.Random(7)
    for nth in range(sizes.rounds):
        for strategy in every():
            orders = _take_orders(made, f"{nth}-{strategy.name}", sizes.orders, draw)
            ways = {order_id: _destination(draw) for order_id in orders}
            _route(made, orders, ways, strategy, notes)


def _destination(draw: random.Random) -> Destination:
    return Destination("DE", draw.choice(SUBDIVISIONS), f"{draw.randint(1, 99):02}")


def _take_orders(made: Shop, name: str, count: int, draw: random.Random) -> list[int]:
    """Paid orders of four lines with a unit or two each; returns their ids."""
    told = [_order(f"{name}-{n}", draw.sample(range(len(made.item_ids)), LINES), draw) for n in range(count)]
    now = wall_clock()
    for start in range(0, count, _LOT):
        part = [ApplyOrder(made.store_id, one, 1, heard_at=now, ours_since=now) for one in told[start : start + _LOT]]
        ledger.run(made.db, MERCHANT, part, actor=ACTOR)
    with made.db.begin(MERCHANT, actor=ACTOR) as tx:
        rows = tx.run(
            "SELECT id FROM store_order WHERE merchant_id = :merchant_id AND external_id = ANY(CAST(:ids AS text[]))",
            ids=[one.external_id for one in told],
        )
        return list(rows.scalars())


def _order(name: str, picked: Sequence[int], draw: random.Random) -> StoreOrder:
    lines = tuple(
        StoreOrderLine(f"{k}", f"listing-{n:06d}", f"sku-{n:06d}", f"Item {n}", draw.randint(1, 2), counted=1)
        for k, n in enumerate(picked)
    )
    return StoreOrder(name, f"#{name}", "processing", wall_clock(), "1", holds=True, paid=True, lines=lines)


def _route(made: Shop, orders: Sequence[int], ways: dict[int, Destination], strategy: Strategy, notes: Notes) -> None:
    """One measurement, from the order's ids to the decisions' commit."""
    began = time.perf_counter()
    with made.db.begin(MERCHANT, actor=ACTOR) as tx:
        lines = reading.lines_of_orders(tx, orders)
        places, laid = warehouses.every(tx), reading.terms(tx)
        things = {part.stocked for some in lines.values() for line in some for part in line.parts}
        supply = reading.supply(tx, things, places, laid, tx.now)
        was_read = time.perf_counter()
        found = []
        for order_id in orders:
            route = decide(lines[order_id], ways[order_id], places, supply, laid, strategy, tx.now)
            supply.take(route)
            found.append(decisions.New(order_id, route))
        decided = time.perf_counter()
        decisions.record(tx, found)
    ended = time.perf_counter()
    sent = sum(leg.units for new in found for leg in new.route.legs)
    if not sent:
        raise RuntimeError("nothing was routed, so nothing was measured")
    notes.add(f"{strategy.name}_per_s", len(orders) / (ended - began))
    for name, seconds in (("read", was_read - began), ("decide", decided - was_read), ("record", ended - decided)):
        notes.raw.setdefault(f"{name}_ms", []).append(round(seconds * 1000, 1))


def main() -> int:
    asked = argparse.ArgumentParser(prog="bench.dispatch", description="How fast orders are routed.")
    asked.add_argument("--json", action="store_true", help="print one line of JSON last")
    asked.add_argument("--quick", action="store_true", help="small sizes, one run each: shows that all of it works")
    options = asked.parse_args()
    settle_memory()  # as every process of the hub does
    notes = Notes()
    found = measure(QUICK if options.quick else Sizes(), notes)
    missed = found["orders_routed_per_s"] < AT_LEAST
    if missed:
        notes.say(f"orders_routed_per_s is {found['orders_routed_per_s']:.0f}, at least {AT_LEAST:g} is asked")
    if options.json:
        told = {name: round(value, 1) for name, value in found.items()}
        sys.stdout.write(json.dumps({**told, "raw": notes.raw}) + "\n")
    else:
        sys.stdout.writelines(f"{name:22} {value:12,.1f}\n" for name, value in found.items())
    # A quick run is too short to judge by.
    return 1 if missed and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast the core promises units, beside the usual one-row reservation on the same server in the same run.

``python -P -m bench.core [--json] [--quick]`` starts an embedded PostgreSQL in a folder of its own, as the hub runs
it (fsync on), and speaks to it over one unix socket: the core to its databases, pgbench to another. Runs of both take
turns, so that what else the machine does falls on both; each figure is the median of its runs. Figures without a
bound are for information. With ``--json`` the last line is one line of JSON.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from bench import load, shop
from bench.pgbench import Yardstick, make_yardstick
from bench.shop import MOVEMENTS_PER_ORDER, Shop
from config.embedded import Postgres, start_postgres
from config.processes import settle_memory
from core.combiner import Combiner
from core.command import Command
from core.goods import item_views
from core.model import StoreOrder, StoreOrderLine
from core.orders.apply import ApplyOrder
from core.transaction import wall_clock

AT_LEAST = {"reserve_hot_ratio": 10.0, "reserve_spread_ratio": 3.0, "reserve_bulk_ratio": 20.0, "growth": 0.9}
UNDER = {"p99_ms": 50.0}
CALLERS = 64
LOT = 500
APPLIERS, ORDERS_PER_CALL, LINES = 4, 10, 4
PAST_PORTION = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: seconds of one run, runs per figure, items, and movements of the past."""

    seconds: float = 5.0
    rounds: int = 3
    items: int = 10_000
    young: int = 10_000
    audited: int = 1_000_000
    old: int = 5_000_000


QUICK = Sizes(seconds=1.0, rounds=1, items=1_000, young=2_000, audited=20_000, old=60_000)


@dataclass(slots=True)
class Notes:
    """All single measurements by name, told on stderr as they come."""

    raw: dict[str, list[float]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def add(self, name: str, value: float) -> float:
        self.raw.setdefault(name, []).append(round(value, 3))
        self.say(f"{name} {value:,.2f}")
        return value

    def say(self, words: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - self.began:6.1f} s] {words}\n")
        sys.stderr.flush()

    def middle(self, name: str) -> float:
        return median(self.raw[name])


def measure(sizes: Sizes, notes: Notes) -> dict[str, float]:
    """All figures. Raises: RuntimeError when the books are wrong afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        notes.say("starting PostgreSQL, fsync on")
        with start_postgres(folder / "server") as server:
            yardstick = make_yardstick(server, folder, sizes.items)
            _measure_speed(server, yardstick, sizes, notes)
            _measure_growth(server, sizes, notes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures(notes)


def figures(notes: Notes) -> dict[str, float]:
    """The ratios and speeds out of single measurements."""
    middle = notes.middle
    hot, spread = middle("core_hot_per_s"), middle("core_spread_per_s")
    growths = [middle(f"old_{load}_per_s") / middle(f"young_{load}_per_s") for load in ("hot", "spread")]
    return {
        "reserve_hot_ratio": hot / middle("pgbench_hot_per_s"),
        "reserve_spread_ratio": spread / middle("pgbench_spread_per_s"),
        "reserve_bulk_ratio": middle("core_bulk_per_s") / middle("pgbench_hot_per_s"),
        "growth": min(growths),
        "p99_ms": middle("core_hot_p99_ms"),
        "hot_over_spread": hot / spread,
        "two_process_ratio": middle("core_two_processes_per_s") / hot,
        "order_apply_per_s": middle("order_apply_per_s"),
        "availability_per_s": middle("availability_per_s"),
        "audit_seconds": middle("audit_seconds"),
        "memory_growth_mb": notes.raw["memory_mb"][-1] - notes.raw["memory_mb"][0],
    }


def _measure_speed(server: Postgres, yardstick: Yardstick, sizes: Sizes, notes: Notes) -> None:
    notes.say(f"a shop with {sizes.items:,} listed items")
    with_stock = shop.open_shop(server, "speed", sizes.items)
    try:
        _warm_up(with_stock, yardstick)
        for _ in range(sizes.rounds):
            for measured in (_hot, _spread, _bulk):
                measured(with_stock, yardstick, sizes, notes)
        for _ in range(sizes.rounds):
            _others(with_stock, sizes, notes)
        _require_right_books(with_stock, notes)
    finally:
        with_stock.close()


def _warm_up(with_stock: Shop, yardstick: Yardstick) -> None:
    load.reserve(with_stock.db, with_stock.item_ids, threads=CALLERS, seconds=0.5)
    yardstick.per_second(1, 1)


def _hot(with_stock: Shop, yardstick: Yardstick, sizes: Sizes, notes: Notes) -> None:
    notes.add("pgbench_hot_per_s", yardstick.per_second(1, sizes.seconds))
    answered = load.reserve(with_stock.db, with_stock.item_ids[:1], threads=CALLERS, seconds=sizes.seconds)
    notes.add("core_hot_per_s", answered.per_second)
    notes.add("core_hot_p99_ms", answered.p99_ms)


def _spread(with_stock: Shop, yardstick: Yardstick, sizes: Sizes, notes: Notes) -> None:
    notes.add("pgbench_spread_per_s", yardstick.per_second(sizes.items, sizes.seconds))
    answered = load.reserve(with_stock.db, with_stock.item_ids, threads=CALLERS, seconds=sizes.seconds)
    notes.add("core_spread_per_s", answered.per_second)
    notes.add("core_spread_p99_ms", answered.p99_ms)


def _bulk(with_stock: Shop, _yardstick: Yardstick, sizes: Sizes, notes: Notes) -> None:
    answered = load.reserve(with_stock.db, with_stock.item_ids[:1], threads=1, seconds=sizes.seconds, lot=LOT)
    notes.add("core_bulk_per_s", answered.per_second)


def _others(with_stock: Shop, sizes: Sizes, notes: Notes) -> None:
    both = load.reserve_from_processes(
        with_stock.url, with_stock.item_ids[:1], processes=2, threads=CALLERS // 2, seconds=sizes.seconds
    )
    notes.add("core_two_processes_per_s", both)
    notes.add("order_apply_per_s", _orders_applied_per_s(with_stock, sizes.seconds))
    notes.add("availability_per_s", _availability_per_s(with_stock, sizes.seconds))


def _orders_applied_per_s(with_stock: Shop, seconds: float) -> float:
    """New paid orders of four lines, in calls of ten from four threads, as a worker applies what it fetched."""
    run, count = time.monotonic_ns(), len(with_stock.item_ids)

    def ask(caller: int, n: int) -> list[Command]:
        first = (caller * 7919 + n) * ORDERS_PER_CALL
        return [
            _order(with_stock, f"{run}-{caller}-{n}-{k}", (first + k) * LINES, count) for k in range(ORDERS_PER_CALL)
        ]

    return load.drive(Combiner(with_stock.db), ask, threads=APPLIERS, seconds=seconds).per_second


def _order(with_stock: Shop, name: str, first: int, count: int) -> ApplyOrder:
    now = wall_clock()
    picked = [(first + k) % count for k in range(LINES)]
    lines = tuple(
        StoreOrderLine(f"{k}", f"listing-{n:06d}", f"sku-{n:06d}", f"Item {n}", 1, counted=1)
        for k, n in enumerate(picked)
    )
    order = StoreOrder(name, f"#{name}", "processing", now, "1", holds=True, paid=True, lines=lines)
    return ApplyOrder(with_stock.store_id, order, 1, heard_at=now, ours_since=now)


def _availability_per_s(with_stock: Shop, seconds: float) -> float:
    """Numbers of one listing with their explanation, read one after another in transactions of their own."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        item_id = with_stock.item_ids[done * 7919 % len(with_stock.item_ids)]
        with with_stock.db.begin(load.MERCHANT, actor=load.ACTOR) as tx:
            done += len(item_views.shown_by_stores(tx, item_id))
    return done / (time.perf_counter() - began)


def _measure_growth(server: Postgres, sizes: Sizes, notes: Notes) -> None:
    """The same load on a shop with a short past, fresh for each run, and on one with a long past."""
    young = _shop_with_past(server, "young", sizes.young, sizes.items, notes)
    young.close()
    old = _shop_with_past(server, "old", sizes.audited, sizes.items, notes)
    try:
        began = time.perf_counter()
        _require_right_books(old, notes)
        notes.add("audit_seconds", time.perf_counter() - began)
        _add_past(server, old, sizes.audited, sizes.old, notes)
        _grown(old, "old_warm_up", min(sizes.seconds, 1.0), notes)
        for _ in range(sizes.rounds):
            fresh = shop.copied(server, "young", "fresh", young)
            try:
                _grown(fresh, "young_warm_up", min(sizes.seconds, 1.0), notes)
                _grown(fresh, "young", sizes.seconds, notes)
            finally:
                fresh.close()
            _grown(old, "old", sizes.seconds, notes)
            notes.add("memory_mb", psutil.Process().memory_info().rss / 1e6)
    finally:
        old.close()


def _shop_with_past(server: Postgres, name: str, movements: int, items: int, notes: Notes) -> Shop:
    opened = shop.open_shop(server, name, items)
    _add_past(server, opened, 0, movements, notes)
    return opened


def _add_past(server: Postgres, to: Shop, known: int, movements: int, notes: Notes) -> None:
    """In portions, so that no statement needs much memory."""
    notes.say(f"bringing a past to {movements:,} movements")
    done, all_ = (n // MOVEMENTS_PER_ORDER for n in (known, movements))
    for first in range(done, all_, PAST_PORTION):
        shop.add_past(server.superuser_url, to, first + 1, min(first + PAST_PORTION, all_))
    shop.settle(server, to)


def _grown(measured: Shop, name: str, seconds: float, notes: Notes) -> None:
    for kind, items in (("hot", measured.item_ids[:1]), ("spread", measured.item_ids)):
        answered = load.reserve(measured.db, items, threads=CALLERS, seconds=seconds)
        notes.add(f"{name}_{kind}_per_s", answered.per_second)


def _require_right_books(of: Shop, notes: Notes) -> None:
    if found := shop.violations(of):
        raise RuntimeError(f"the books are wrong: {found} rows break an invariant")
    notes.say("the audit is empty")


def misses(found: Mapping[str, float]) -> list[str]:
    """The bounds that were not kept, in words."""
    low = [f"{name} is {found[name]:.2f}, at least {bound:g} is asked" for name, bound in AT_LEAST.items()
           if found[name] < bound]  # fmt: skip
    return low + [
        f"{name} is {found[name]:.2f}, under {bound:g} is asked"
        for name, bound in UNDER.items()
        if found[name] >= bound
    ]


def main() -> int:
    asked = argparse.ArgumentParser(prog="bench.core", description="How fast the core promises units.")
    asked.add_argument("--json", action="store_true", help="print one line of JSON last")
    asked.add_argument("--quick", action="store_true", help="small sizes, one run each: shows that all of it works")
    options = asked.parse_args()
    settle_memory()  # as every process of the hub does
    notes = Notes()
    found = measure(QUICK if options.quick else Sizes(), notes)
    for miss in misses(found):
        notes.say(miss)
    if options.json:
        told = {name: round(value, 3) for name, value in found.items()}
        sys.stdout.write(json.dumps({**told, "raw": notes.raw}) + "\n")
    else:
        sys.stdout.writelines(f"{name:22} {value:12,.2f}\n" for name, value in found.items())
    # A quick run is too short to judge by.
    return 1 if misses(found) and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())

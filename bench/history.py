"""How fast the past of an item is read that moved very often, with and without checkpoints.

``python -P -m bench.history [--movements N] [--json]`` starts an embedded PostgreSQL in a folder of its own, as the
hub runs it (fsync on), writes N movements of one item over 70 days, and asks for its balances at random instants.
Tables are never analysed. With ``--json`` the last line is one line of JSON; times are in milliseconds.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from statistics import median

from bench.past import MERCHANT, PAST, shop
from core.past import checkpoints, history, rebuild, stock_card
from core.past.checkpoints import SKEW, Window
from core.transaction import Database, Transaction

ITEM = 7
READS = 40
_ITEM = """INSERT INTO item (merchant_id, id, sku, sku_key, title, created_at)
    VALUES (%(merchant)s, %(item)s, 'HOT', 'hot', 'Moves often', now())"""
# A unit comes in, is reserved, is sold and leaves; then the next.
_FILL = """
    INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
        from_bucket, to_place, to_bucket, quantity)
    SELECT %(merchant)s, n, 1, now() - %(past)s * (1 - n::float8 / %(count)s), %(item)s, 'good', 'sales',
        CASE WHEN n %% 4 > 0 THEN pool.id END, (ARRAY['world', 'free', 'reserved', 'sold'])[1 + n %% 4],
        CASE WHEN n %% 4 < 3 THEN pool.id END, (ARRAY['free', 'reserved', 'sold', 'world'])[1 + n %% 4], 1
    FROM generate_series(0, %(count)s - 1) n CROSS JOIN pool WHERE pool.kind = 'shared'
"""


def measure(movements: int) -> dict[str, float]:
    """Times by name; ``movements`` is a multiple of 4, so that nothing is left and the balances are right."""
    with shop((_ITEM, _FILL), {"item": ITEM, "count": movements}) as db:
        figures = {"read_without_ms": median(_reads(db, READS // 4))}
        began = time.perf_counter()
        _cover(db)
        figures["cover_ms"] = (time.perf_counter() - began) * 1000
        reads = sorted(_reads(db, READS))
        figures |= {"read_median_ms": median(reads), "read_worst_ms": reads[-1]}
        figures["card_page_ms"] = median(_each(db, READS // 4, _card))
        figures["plan_rebuild_ms"] = median(_each(db, 3, rebuild.plan))
    return {name: round(value, 1) for name, value in figures.items()}


def _cover(db: Database) -> None:
    with db.begin(MERCHANT, actor="bench") as tx:
        window = Window(None, tx.now - SKEW)
    made = 1
    while made:
        with db.begin(MERCHANT, actor="bench") as tx:
            made = checkpoints.make(tx, window, [ITEM])


def _reads(db: Database, times: int) -> list[float]:
    chance = random.Random(1)
    return _each(db, times, lambda tx: history.balances_at(tx, [ITEM], tx.now - PAST * chance.random()))


def _card(tx: Transaction) -> object:
    # The documents of these movements were not written, so only what costs is asked: the page of movements.
    return tx.run(
        stock_card.PAGE, item_ids=[ITEM], item_id=ITEM, at=tx.now - PAST / 2, before_id=0, since=None, most=160
    ).all()


def _each(db: Database, times: int, act: Callable[[Transaction], object]) -> list[float]:
    found = []
    for _ in range(times):
        with db.begin(MERCHANT, actor="bench") as tx:
            began = time.perf_counter()
            act(tx)
            found.append((time.perf_counter() - began) * 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--movements", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.movements // 4 * 4)
    if options.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:<18} {value:>10,.1f}\n")


if __name__ == "__main__":
    main()

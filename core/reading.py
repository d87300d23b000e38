"""What a batch asks its tables before it decides: for ``core.ledger`` alone.

Everything is looked up by key, one index probe for each, whatever the planner believes of the table.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Table

from core import tables
from core.books import LineRow, ListingRow, OrderRow, PromiseRow, StoreKey
from core.pipe import Answer, Runner
from core.stock import BalanceKey, Layer
from core.writing import BALANCES, balance_columns

# So plans need not be made anew for each batch; and none may be kept that was right while a table was small.
PLANS = """SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true)"""


def lock_orders(sent: Runner, keys: Sequence[StoreKey], row_lock: str) -> list[OrderRow]:
    """Those orders that are there, locked in the order of the keys."""
    rows = sent.run(
        f"""SELECT {_columns("o", OrderRow._fields)}
            FROM unnest(CAST(:stores AS bigint[]), CAST(:ids AS text[])) k (store_id, external_id)
            CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id
                AND store_id = k.store_id AND external_id = k.external_id {row_lock}) o""",
        stores=[key.store_id for key in keys],
        ids=[key.external_id for key in keys],
    ).fetchall()
    return list(map(OrderRow._make, rows))


def lines_of(sent: Runner, order_ids: Collection[int]) -> tuple[list[LineRow], list[PromiseRow]]:
    """All lines of these orders and their promises, oldest first."""
    lines = _of_orders(sent, tables.order_line, LineRow._fields, order_ids)
    promises = _of_orders(sent, tables.promise, PromiseRow._fields, order_ids)
    return list(map(LineRow._make, lines.fetchall())), list(map(PromiseRow._make, promises.fetchall()))


def _of_orders(sent: Runner, table: Table, columns: Sequence[str], order_ids: Collection[int]) -> Any:
    return sent.run(
        f"""SELECT {_columns("r", columns)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM {table.name}
                WHERE merchant_id = :merchant_id AND order_id = k.id) r
            ORDER BY r.id""",
        ids=sorted(order_ids),
    )


def find_listings(sent: Runner, keys: Sequence[StoreKey]) -> dict[StoreKey, ListingRow]:
    rows = sent.run(
        """SELECT k.store_id, k.external_id, l.id, l.item_id, l.pack_size
           FROM unnest(CAST(:stores AS bigint[]), CAST(:ids AS text[])) k (store_id, external_id)
           CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id
               AND store_id = k.store_id AND external_id = k.external_id) l""",
        stores=[key.store_id for key in keys],
        ids=[key.external_id for key in keys],
    ).fetchall()
    return {StoreKey(store_id, external_id): ListingRow._make(row) for store_id, external_id, *row in rows}


def lock_balances(sent: Runner, layer: Layer, keys: Sequence[BalanceKey], row_lock: str) -> Answer:
    """Rows in the columns of ``balance_columns``, locked in the order of the keys."""
    table, place = BALANCES[layer]
    answer: Answer = sent.run(
        f"""SELECT {", ".join(balance_columns(layer))}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]))
                k (key_item, key_grade, key_place)
            CROSS JOIN LATERAL (SELECT * FROM {table.name} WHERE merchant_id = :merchant_id
                AND item_id = key_item AND grade = key_grade AND {place} = key_place {row_lock}) b""",
        items=[key.item_id for key in keys],
        grades=[key.grade for key in keys],
        places=[key.place_id for key in keys],
    )
    return answer


def find_effects(sent: Runner, keys: Collection[bytes]) -> Answer:
    """Rows of key hash, content hash and document id, for the keys that were posted."""
    answer: Answer = sent.run(
        """SELECT e.key_hash, e.content_hash, e.document_id FROM unnest(CAST(:keys AS bytea[])) k (key_hash)
           CROSS JOIN LATERAL (SELECT * FROM effect
               WHERE merchant_id = :merchant_id AND key_hash = k.key_hash) e""",
        keys=sorted(keys),
    )
    return answer


def find_promises(sent: Runner, ids: Collection[int]) -> Answer:
    answer: Answer = sent.run(
        f"""SELECT {_columns("p", PromiseRow._fields)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND id = k.id) p""",
        ids=list(ids),
    )
    return answer


def find_waiting(sent: Runner, keys: Iterable[BalanceKey]) -> list[PromiseRow]:
    """Promises that wait for units of these items."""
    due = list(keys)
    rows = sent.run(
        f"""SELECT {_columns("p", PromiseRow._fields)}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id
                AND item_id = k.item_id AND grade = k.grade AND waiting > 0) p""",
        items=[key.item_id for key in due],
        grades=[key.grade for key in due],
    ).fetchall()
    return list(map(PromiseRow._make, rows))


def _columns(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)

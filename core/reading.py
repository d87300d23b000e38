"""What a batch asks its tables before it decides: for ``core.ledger`` alone.

Everything is looked up by key, one index probe for each, whatever the planner believes of the table.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table

from core import plans, tables
from core.pipe import Answer, Runner
from core.rows import EffectRow, LineRow, ListingRow, LockRow, OrderRow, Part, PoolItemRow, PromiseRow, StoreKey
from core.stock import BalanceKey, Home, Layer, Pool, PoolKind, Spot, Stocked
from core.writing import BALANCES, balance_columns

# The tenant's wall, and plans that need not be made anew for each batch.
SETTINGS = (
    f"""SELECT set_config('holdfast.merchant_id', CAST(CAST(:merchant_id AS bigint) AS text), true), {plans.KEPT}"""
)
# SQL of why the document ``d`` was posted: the hold whose it is, and what was said.
REASON = """concat_ws(': ', 'hold ' || (regexp_match(d.effect_key, '^(end-of-|payment-of-)?hold/(.*)$'))[2],
    nullif(d.reason, '')) AS reason"""


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
    lines = of_orders(sent, tables.order_line, LineRow._fields, order_ids)
    promises = promises_of(sent, order_ids)
    return list(map(LineRow._make, lines.fetchall())), promises


def of_orders(sent: Runner, table: Table, columns: Sequence[str], order_ids: Collection[int]) -> Any:
    return sent.run(
        f"""SELECT {_columns("r", columns)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM {table.name}
                WHERE merchant_id = :merchant_id AND order_id = k.id OFFSET 0) r
            ORDER BY r.id""",
        ids=sorted(order_ids),
    )


def find_listings(sent: Runner, keys: Sequence[StoreKey]) -> dict[StoreKey, ListingRow]:
    """Listings with the backorder rules that hold for them: their own, else those of their item, else the store's."""
    rows = sent.run(
        # Most merchants have no such rule of an item or a store, and look none up.
        """WITH shop AS MATERIALIZED (SELECT id, backorder, backorder_limit FROM store
               WHERE merchant_id = :merchant_id AND num_nonnulls(backorder, backorder_limit) > 0)
           SELECT k.store_id, k.external_id, l.id, l.item_id, l.pack_size, l.grade,
               coalesce(l.backorder, i.backorder, s.backorder, 'no'),
               coalesce(l.backorder_limit, i.backorder_limit, s.backorder_limit)
           FROM unnest(CAST(:stores AS bigint[]), CAST(:ids AS text[])) k (store_id, external_id)
           CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id
               AND store_id = k.store_id AND external_id = k.external_id OFFSET 0) l
           LEFT JOIN LATERAL (SELECT backorder, backorder_limit FROM item
               WHERE (SELECT EXISTS (SELECT FROM item WHERE merchant_id = :merchant_id AND (safety_stock IS NOT NULL
                   OR backorder IS NOT NULL OR backorder_limit IS NOT NULL)))
               AND merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i ON true
           LEFT JOIN shop s ON s.id = k.store_id""",
        stores=[key.store_id for key in keys],
        ids=[key.external_id for key in keys],
    ).fetchall()
    return {StoreKey(store_id, external_id): ListingRow(*row) for store_id, external_id, *row in rows}


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
    """Rows of ``EffectRow``, for the keys that were posted."""
    answer: Answer = sent.run(
        """SELECT e.key_hash, e.content_hash, e.document_id, CAST(e.result AS text)
           FROM unnest(CAST(:keys AS bytea[])) k (key_hash)
           CROSS JOIN LATERAL (SELECT * FROM effect
               WHERE merchant_id = :merchant_id AND key_hash = k.key_hash OFFSET 0) e""",
        keys=sorted(keys),
    )
    return answer


def effects_by_hash(answer: Answer) -> dict[bytes, EffectRow]:
    return {row[0]: EffectRow._make(row) for row in answer.fetchall()}


def promises_of(sent: Runner, order_ids: Collection[int]) -> list[PromiseRow]:
    """All promises of these orders or holds, oldest first."""
    answer = of_orders(sent, tables.promise, PromiseRow._fields, order_ids)
    return list(map(PromiseRow._make, answer.fetchall()))


def find_promises(sent: Runner, promises: Collection[PromiseRow]) -> Answer:
    """The same promises as they stand now."""
    answer: Answer = sent.run(
        f"""SELECT {_columns("p", PromiseRow._fields)}
            FROM unnest(CAST(:orders AS bigint[]), CAST(:ids AS bigint[])) k (order_id, id)
            CROSS JOIN LATERAL (SELECT * FROM promise
                WHERE merchant_id = :merchant_id AND order_id = k.order_id AND id = k.id OFFSET 0) p""",
        orders=[promise.order_id for promise in promises],
        ids=[promise.id for promise in promises],
    )
    return answer


def find_waiting(sent: Runner, keys: Iterable[BalanceKey], presold: Iterable[Stocked]) -> list[PromiseRow]:
    """Promises that wait for units of these items, and those that were sold in a presale."""
    due, sold = list(keys), list(presold)
    columns = _columns("p", PromiseRow._fields)
    rows = sent.run(
        f"""SELECT {columns}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id
                AND item_id = k.item_id AND grade = k.grade AND waiting > 0 OFFSET 0) p
            UNION ALL SELECT {columns}
            FROM unnest(CAST(:sold_items AS bigint[]), CAST(:sold_grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id
                AND item_id = k.item_id AND grade = k.grade AND presale AND live > 0 OFFSET 0) p""",
        items=[key.item_id for key in due],
        grades=[key.grade for key in due],
        sold_items=[stocked.item_id for stocked in sold],
        sold_grades=[stocked.grade for stocked in sold],
    ).fetchall()
    return list(map(PromiseRow._make, rows))


_CHUNK = 500  # promises read at once
_LATER_THAN_ALL = datetime(9999, 12, 31, tzinfo=UTC)


def find_newest(sent: Runner, short: Mapping[tuple[Stocked, int | None], int]) -> list[PromiseRow]:
    """The newest promises with live units that no warehouse is to send, as many as come to so many units, or all there
    are.

    Looks at no more promises than are newer than the last it returns. Presales have no goods, so theirs are left out.

    Args: short: units by what is counted, and by the warehouse of the physical locks in whose pools the promises stand
          (None: in other pools).
    """
    found: list[PromiseRow] = []
    left = {key: units for key, units in short.items() if units > 0}
    last: dict[tuple[Stocked, int | None], PromiseRow] = {}
    while left:
        page = _next_newest(sent, list(left), last)
        for rows in page.values():
            found += rows
        last = {key: rows[-1] for key, rows in page.items() if len(rows) == _CHUNK}
        left = {key: left[key] - sum(row.live - row.allocated for row in page[key]) for key in last}
        left = {key: units for key, units in left.items() if units > 0}
    return found


def _next_newest(
    sent: Runner, keys: Sequence[tuple[Stocked, int | None]], last: Mapping[tuple[Stocked, int | None], PromiseRow]
) -> dict[tuple[Stocked, int | None], list[PromiseRow]]:
    """Of each key the promises that come next, newest first, after the ``last`` one found."""
    before = [last.get(key) for key in keys]
    rows = sent.run(
        f"""SELECT k.nth, {_columns("p", PromiseRow._fields)}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]),
                CAST(:times AS timestamptz[]), CAST(:ids AS bigint[]))
                WITH ORDINALITY k (item_id, grade, place, promised_at, id, nth)
            CROSS JOIN LATERAL (SELECT * FROM promise r WHERE merchant_id = :merchant_id
                AND item_id = k.item_id AND grade = k.grade AND live > allocated AND NOT presale
                AND (promised_at, r.id) < (k.promised_at, k.id)
                AND k.place IS NOT DISTINCT FROM (SELECT warehouse_id FROM pool
                    WHERE merchant_id = :merchant_id AND id = r.pool_id)
                ORDER BY promised_at DESC, r.id DESC LIMIT {_CHUNK}) p
            ORDER BY k.nth, p.promised_at DESC, p.id DESC""",
        items=[stocked.item_id for stocked, _ in keys],
        grades=[stocked.grade for stocked, _ in keys],
        places=[place for _, place in keys],
        times=[_LATER_THAN_ALL if row is None else row.promised_at for row in before],
        ids=[0 if row is None else row.id for row in before],
    ).fetchall()
    found: dict[tuple[Stocked, int | None], list[PromiseRow]] = {}
    for nth, *row in rows:
        found.setdefault(keys[nth - 1], []).append(PromiseRow._make(row))
    return found


def has_special(sent: Runner, home: Home) -> Answer:
    """One row of three flags: has the merchant any open pool beside the shared one, any bundle, any purchase limit, or
    any bin beside the default one, or that one frozen? Are paid orders handed to warehouses by themselves? And did any
    item become part of another?
    """
    answer: Answer = sent.run(
        """SELECT EXISTS (SELECT FROM pool_item WHERE merchant_id = :merchant_id AND is_open)
               OR EXISTS (SELECT FROM component WHERE merchant_id = :merchant_id)
               OR EXISTS (SELECT FROM purchase_limit WHERE merchant_id = :merchant_id)
               OR EXISTS (SELECT FROM bin WHERE merchant_id = :merchant_id AND (id <> :home OR frozen)),
               (SELECT dispatches FROM merchant WHERE id = :merchant_id),
               EXISTS (SELECT FROM item WHERE merchant_id = :merchant_id AND merged_into IS NOT NULL)""",
        home=home.bin_id,
    )
    return answer


def find_merged(sent: Runner, item_ids: Collection[int]) -> dict[int, tuple[int, str]]:
    """Those of the items that became part of another, with the id and the SKU of that one."""
    rows = sent.run(
        """SELECT i.id, n.id, n.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, merged_into FROM item
               WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i
           CROSS JOIN LATERAL (SELECT id, sku FROM item
               WHERE merchant_id = :merchant_id AND id = i.merged_into OFFSET 0) n""",
        ids=sorted(item_ids),
    ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


DEPTH = 8  # bundles in bundles; ``core.goods.recipes`` refuses more


def find_recipes(sent: Runner, item_ids: Collection[int]) -> dict[int, list[Part]]:
    """What virtual bundles among these items are made of, nested ones taken apart; demand for one item is summed."""
    return recipes_by_item(ask_recipes(sent, item_ids))


def ask_recipes(sent: Runner, item_ids: Collection[int], *, kind: str = "bundle") -> Answer:
    """Rows for ``recipes_by_item``: what the items of one kind among these are made of."""
    answer: Answer = sent.run(
        f"""WITH RECURSIVE part AS (
                SELECT k.id AS bundle_id, c.item_id, c.grade, c.quantity, 1 AS depth
                FROM unnest(CAST(:ids AS bigint[])) k (id)
                CROSS JOIN LATERAL ({_COMPONENTS.format(id="k.id", kind=":kind")}) c
                UNION ALL SELECT p.bundle_id, c.item_id, c.grade, p.quantity * c.quantity, p.depth + 1
                FROM part p CROSS JOIN LATERAL ({_COMPONENTS.format(id="p.item_id", kind="'bundle'")}) c
                WHERE p.depth < {DEPTH}
            )
            SELECT p.bundle_id, p.item_id, p.grade, CAST(sum(p.quantity) AS bigint) FROM part p
            WHERE NOT EXISTS ({_COMPONENTS.format(id="p.item_id", kind="'bundle'")})
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        ids=sorted(item_ids),
        kind=kind,
    )
    return answer


def recipes_by_item(answer: Answer | None) -> dict[int, list[Part]]:
    recipes: dict[int, list[Part]] = {}
    for bundle_id, item_id, grade, quantity in answer.fetchall() if answer else ():
        recipes.setdefault(bundle_id, []).append(Part(Stocked(item_id, grade), quantity))
    return recipes


_COMPONENTS = """SELECT c.item_id, c.grade, c.quantity FROM component c WHERE c.merchant_id = :merchant_id
    AND c.bundle_item_id = {id}
    AND (SELECT i.kind FROM item i WHERE i.merchant_id = :merchant_id AND i.id = {id}) = {kind}"""


def find_open_pools(sent: Runner, stocked: Collection[Stocked]) -> Answer:
    """Rows of item, grade and the columns of ``Pool``: all open pools of these."""
    keys = sorted(stocked)
    answer: Answer = sent.run(
        f"""SELECT k.item_id, k.grade, {_columns("p", Pool._fields)}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT pool_id FROM pool_item WHERE merchant_id = :merchant_id
                AND item_id = k.item_id AND grade = k.grade AND is_open OFFSET 0) i
            CROSS JOIN LATERAL (SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = i.pool_id OFFSET 0) p
            ORDER BY 1, 2, p.id""",
        items=[key.item_id for key in keys],
        grades=[key.grade for key in keys],
    )
    return answer


def find_spots(sent: Runner, stocked: Collection[Stocked], home: Home) -> Answer:
    """Rows of item, grade, warehouse and bin: where goods of these stand beside the default bin."""
    keys = sorted(stocked)
    answer: Answer = sent.run(
        """SELECT k.item_id, k.grade, b.warehouse_id, g.bin_id
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT bin_id FROM warehouse_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = k.grade AND bin_id <> :home
               AND available + picking + unavailable > 0 OFFSET 0) g
           CROSS JOIN LATERAL (SELECT warehouse_id FROM bin
               WHERE merchant_id = :merchant_id AND id = g.bin_id OFFSET 0) b
           ORDER BY 1, 2, 3, 4""",
        items=[key.item_id for key in keys],
        grades=[key.grade for key in keys],
        home=home.bin_id,
    )
    return answer


def find_frozen(sent: Runner) -> Answer:
    """Bins that are counted now: id, name like MAIN/A-01, and number of the stocktake that froze it, or empty."""
    answer: Answer = sent.run(
        """SELECT b.id, w.code || '/' || b.code, coalesce((SELECT min(s.number) FROM stocktake s
               WHERE s.merchant_id = :merchant_id AND s.posted_at IS NULL AND s.cancelled_at IS NULL
                 AND EXISTS (SELECT FROM stocktake_bin WHERE merchant_id = :merchant_id AND stocktake_id = s.id
                   AND bin_id = b.id AND froze)), '') FROM (SELECT * FROM bin
               WHERE merchant_id = :merchant_id AND frozen OFFSET 0) b
           CROSS JOIN LATERAL (SELECT code FROM warehouse
               WHERE merchant_id = :merchant_id AND id = b.warehouse_id OFFSET 0) w"""
    )
    return answer


def spots_by_stocked(answer: Answer) -> dict[Stocked, list[Spot]]:
    spots: dict[Stocked, list[Spot]] = {}
    for item_id, grade, warehouse_id, bin_id in answer.fetchall():
        spots.setdefault(Stocked(item_id, grade), []).append(Spot(warehouse_id, bin_id))
    return spots


def find_pools(sent: Runner, pool_ids: Collection[int]) -> list[Pool]:
    """These pools, open or closed."""
    rows = sent.run(
        f"""SELECT {_columns("p", Pool._fields)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) p""",
        ids=sorted(pool_ids),
    ).fetchall()
    return list(map(as_pool, rows))


def lock_pools(sent: Runner, pool_ids: Collection[int], row_lock: str) -> list[Pool]:
    """These pools, locked in the order of their ids."""
    rows = sent.run(
        f"""SELECT {_columns("p", Pool._fields)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = k.id {row_lock}) p""",
        ids=sorted(pool_ids),
    ).fetchall()
    return list(map(as_pool, rows))


def items_of_pools(sent: Runner, pool_ids: Collection[int]) -> list[PoolItemRow]:
    """All items that these pools have or had."""
    rows = sent.run(
        f"""SELECT {_columns("i", PoolItemRow._fields)} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM pool_item WHERE merchant_id = :merchant_id AND pool_id = k.id OFFSET 0) i
            ORDER BY 1, 2, 3""",
        ids=sorted(pool_ids),
    ).fetchall()
    return list(map(PoolItemRow._make, rows))


def as_pool(row: Sequence[Any]) -> Pool:
    return Pool._make(row)._replace(kind=PoolKind(row[1]))


def find_locks(sent: Runner, *, keys: Collection[str] = (), ids: Collection[int] = ()) -> Answer:
    """Rows of ``LockRow``, by the locks' keys and by their ids."""
    columns = _columns("l", LockRow._fields)
    answer: Answer = sent.run(
        f"""SELECT {columns} FROM unnest(CAST(:keys AS text[])) k (key)
            CROSS JOIN LATERAL (SELECT * FROM lock WHERE merchant_id = :merchant_id AND key = k.key OFFSET 0) l
            UNION SELECT {columns} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM lock WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) l""",
        keys=sorted(keys),
        ids=sorted(ids),
    )
    return answer


def _columns(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)

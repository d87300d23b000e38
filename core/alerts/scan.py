"""Low stock as a job sees it: of all items with a rule, those that should have an alert and have none, or the reverse.

Batches tell of what crosses a level. This finds what crossed nothing: a level was set above it, a rule went away. What
it finds is judged again under the row locks of the balances, so it never tells of a number that moved meanwhile.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from core.alerts import lifecycle as alerts
from core.alerts import watch as alert_watch
from core.alerts.kinds import Crossing, Levels, Spot, recovers_at, standing
from core.stock import Home, Stocked
from core.transaction import Transaction

# As ``Spot.subject`` says it.
_SUBJECT = (
    "s.item_id || '/' || s.grade || CASE WHEN s.warehouse_id = 0 THEN '' ELSE '/warehouse/' || s.warehouse_id END"
)
# One look-up for each number that is low: as a join, each might be compared with every open alert.
_FALLEN = f"""
    SELECT s.*, r.level FROM (
        SELECT k.id AS item_id, b.grade, 0::bigint AS warehouse_id, b.free AS units
        FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT grade, free FROM sales_balance
            WHERE merchant_id = :merchant_id AND item_id = k.id AND pool_id = :shared_pool_id OFFSET 0) b
        UNION ALL
        SELECT k.id, b.grade, b.warehouse_id, b.available
        FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
            SELECT grade, warehouse_id, available FROM dispatch_balance WHERE merchant_id = :merchant_id
              AND item_id = k.id AND warehouse_id = ANY(CAST(:warehouses AS bigint[])) OFFSET 0) b
    ) s CROSS JOIN LATERAL (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id
        AND item_id IN (0, s.item_id) AND kind = 'low_stock' AND warehouse_id = s.warehouse_id AND store_id = 0
        AND grade = s.grade ORDER BY item_id DESC LIMIT 1) r
    WHERE CASE WHEN s.units <= r.level THEN (SELECT id FROM alert WHERE merchant_id = :merchant_id
        AND kind = 'low_stock' AND closed_at IS NULL AND subject = {_SUBJECT}) IS NULL END
"""
# A row that is not there any more holds nothing.
_TOLD = """
    SELECT s.*, r.level, CASE WHEN s.warehouse_id = 0
        THEN coalesce((SELECT free FROM sales_balance WHERE merchant_id = :merchant_id AND item_id = s.item_id
            AND grade = s.grade AND pool_id = :shared_pool_id), 0)
        ELSE coalesce((SELECT available FROM dispatch_balance WHERE merchant_id = :merchant_id AND item_id = s.item_id
            AND grade = s.grade AND warehouse_id = s.warehouse_id), 0) END AS units
    FROM (SELECT item_id, coalesce(facts->>'grade', 'good') AS grade, coalesce(warehouse_id, 0) AS warehouse_id
        FROM alert WHERE merchant_id = :merchant_id AND kind = 'low_stock' AND closed_at IS NULL
          AND store_id IS NULL) s
    LEFT JOIN LATERAL (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id AND item_id IN (0, s.item_id)
        AND kind = 'low_stock' AND warehouse_id = s.warehouse_id AND store_id = 0 AND grade = s.grade
        ORDER BY item_id DESC LIMIT 1) r ON true
"""


def next_items(tx: Transaction, after: int, *, limit: int) -> Sequence[int]:
    """The next items by id that a rule on free units, or on those of a warehouse, is about."""
    every = """SELECT id FROM item WHERE merchant_id = :merchant_id AND id > :after AND merged_into IS NULL
        ORDER BY id LIMIT :limit"""
    named = """SELECT DISTINCT item_id FROM alert_rule WHERE merchant_id = :merchant_id AND item_id > :after
        AND kind = 'low_stock' AND store_id = 0 ORDER BY item_id LIMIT :limit"""
    found: Sequence[int] = tx.run(every if _is_for_every(tx) else named, after=after, limit=limit).scalars().all()
    return found


def _is_for_every(tx: Transaction) -> bool:
    return bool(
        tx.run(
            """SELECT EXISTS (SELECT FROM alert_rule WHERE merchant_id = :merchant_id AND item_id = 0
                 AND kind = 'low_stock' AND store_id = 0)"""
        ).scalar_one()
    )


def fallen(tx: Transaction, home: Home, item_ids: Collection[int]) -> list[Crossing]:
    """Where units of these items seem to stand at their level or below, and there is no alert."""
    warehouses = tx.run(
        """SELECT DISTINCT warehouse_id FROM alert_rule
           WHERE merchant_id = :merchant_id AND kind = 'low_stock' AND warehouse_id > 0"""
    ).scalars()
    rows = tx.run(_FALLEN, ids=sorted(item_ids), shared_pool_id=home.shared_pool_id, warehouses=list(warehouses))
    return [Crossing(_spot(row), True, row.units, row.level) for row in rows]


def recovered(tx: Transaction, home: Home) -> list[Spot]:
    """Where there is an alert, and units seem to stand well above its level, or no level holds any more."""
    return [
        _spot(row)
        for row in tx.run(_TOLD, shared_pool_id=home.shared_pool_id)
        if row.level is None or row.units >= recovers_at(row.level)
    ]


def _spot(row: Any) -> Spot:
    return Spot(Stocked(row.item_id, row.grade), row.warehouse_id)


def judge(tx: Transaction, home: Home, spots: Iterable[Spot]) -> None:
    """Open and end the alerts that these numbers ask for as they stand; they stand still until the transaction ends."""
    asked = sorted(set(spots))
    units = _lock(tx, home, asked)  # before the rules are read: whoever changes a number now comes after us
    levels = Levels(alert_watch.watched(tx, {spot.stocked.item_id for spot in asked})())
    is_open = _open(tx, asked)
    judged = [standing(levels, spot, units.get(spot, 0), is_open=spot.subject in is_open) for spot in asked]
    alerts.note_crossings(tx, [one for one in judged if one is not None])


def _open(tx: Transaction, spots: Sequence[Spot]) -> set[str]:
    return set(
        tx.run(
            """SELECT a.subject FROM unnest(CAST(:subjects AS text[])) k (subject)
               CROSS JOIN LATERAL (SELECT subject FROM alert WHERE merchant_id = :merchant_id AND kind = 'low_stock'
                   AND subject = k.subject AND closed_at IS NULL) a""",
            subjects=[spot.subject for spot in spots],
        ).scalars()
    )


def _lock(tx: Transaction, home: Home, spots: Sequence[Spot]) -> dict[Spot, int]:
    """Units by spot; rows are taken as batches take them: those of warehouses first, each layer by item and grade."""
    found: dict[Spot, int] = {}
    for table, place, units, here in (
        ("dispatch_balance", "warehouse_id", "available", [spot for spot in spots if spot.warehouse_id]),
        ("sales_balance", "pool_id", "free", [spot for spot in spots if not spot.warehouse_id]),
    ):
        rows = tx.run(
            f"""SELECT k.nth, b.{units} AS units
                FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]))
                    WITH ORDINALITY k (item_id, grade, place_id, nth)
                CROSS JOIN LATERAL (SELECT * FROM {table} WHERE merchant_id = :merchant_id AND item_id = k.item_id
                    AND grade = k.grade AND {place} = k.place_id FOR NO KEY UPDATE) b""",
            items=[spot.stocked.item_id for spot in here],
            grades=[spot.stocked.grade for spot in here],
            places=[spot.warehouse_id or home.shared_pool_id for spot in here],
        )
        found |= {here[row.nth - 1]: row.units for row in rows}
    return found

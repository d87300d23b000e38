"""Days of cover: how many days what is free will last, at the pace at which an item sells."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from core import bulk, tables
from core.alerts.kinds import AlertKind, recovers_at
from core.alerts.lifecycle import Ending, NewAlert
from core.demand import days, flows
from core.demand.velocity import Moved, Pace, daily, demand, lasts
from core.stock import GOOD, Stocked
from core.transaction import Transaction


def is_low(free: int, at: Pace, level: int) -> bool:
    """True when units last ``level`` days or less. Pure."""
    return at.sold > 0 and free * at.days <= level * at.sold


def is_over(free: int, at: Pace, level: int) -> bool:
    """True when units that were low at ``level`` are low no more. Pure."""
    return at.sold == 0 or free * at.days >= recovers_at(level) * at.sold


class Due(NamedTuple):
    """An item whose pace is to be computed anew."""

    stocked: Stocked
    window_days: int


def due(tx: Transaction, *, limit: int) -> list[Due]:
    """Items with a rule on days of cover whose pace is not that of the days up to yesterday."""
    rows = tx.run(
        """SELECT i.id, r.grade, r.window_days FROM item i
           CROSS JOIN LATERAL (SELECT DISTINCT ON (grade) grade, level, window_days FROM alert_rule
               WHERE merchant_id = :merchant_id AND item_id IN (0, i.id) AND kind = 'low_cover'
               ORDER BY grade, item_id DESC) r
           LEFT JOIN LATERAL (SELECT until, window_days FROM sales_pace WHERE merchant_id = :merchant_id
               AND item_id = i.id AND grade = r.grade) p ON true
           WHERE i.merchant_id = :merchant_id AND i.kind <> 'bundle' AND r.level IS NOT NULL
             AND (SELECT EXISTS (SELECT FROM alert_rule WHERE merchant_id = :merchant_id AND kind = 'low_cover'))
             AND (p.until, p.window_days) IS DISTINCT FROM (CAST(:until AS date), r.window_days)
           ORDER BY i.id LIMIT :limit""",
        until=flows.window(tx, 1).first,
        limit=limit,
    )
    return [Due(Stocked(row.id, row.grade), row.window_days) for row in rows]


def refresh(tx: Transaction, dues: Collection[Due]) -> None:
    """Compute the pace of these items up to yesterday, in the merchant's zone."""
    for window_days, group in groupby(sorted(dues, key=lambda one: one.window_days), key=lambda one: one.window_days):
        _refresh(tx, window_days, sorted(one.stocked for one in group))


def _refresh(tx: Transaction, window_days: int, keys: Sequence[Stocked]) -> None:
    over, until = flows.window(tx, window_days), flows.window(tx, 1).first
    moved = days.moved(tx, over, flows.pools(tx), {key.item_id for key in keys})
    paces = [(key, demand(daily(moved.get(key, Moved(0)), window_days)).pace) for key in keys]
    rows = [(*key, window_days, until.isoformat(), *at) for key, at in paces]
    columns = ["item_id", "grade", "window_days", "until", "days", "sold"]
    bulk.put(tx, tables.sales_pace, columns, rows, ["item_id", "grade"])


_COVERED = """
    SELECT p.item_id, p.grade, p.days, p.sold, p.window_days, r.level, b.free, a.is_open
    FROM sales_pace p
    LEFT JOIN LATERAL (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id AND item_id IN (0, p.item_id)
        AND kind = 'low_cover' AND grade = p.grade ORDER BY item_id DESC LIMIT 1) r ON true
    CROSS JOIN LATERAL (SELECT coalesce(sum(free), 0)::bigint AS free FROM sales_balance
        WHERE merchant_id = :merchant_id AND item_id = p.item_id AND grade = p.grade
          AND pool_id <> ALL(CAST(:aside AS bigint[]))) b
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM alert WHERE merchant_id = :merchant_id AND kind = 'low_cover'
        AND closed_at IS NULL AND subject = p.item_id || '/' || p.grade) AS is_open) a
    WHERE p.merchant_id = :merchant_id AND (a.is_open OR r.level IS NULL
        OR p.sold > 0 AND b.free * p.days <= r.level * p.sold)
"""


def look(tx: Transaction) -> tuple[list[NewAlert], list[Ending]]:
    """What lasts too few days and was not told, and what was told and is over. Paces without a rule are forgotten."""
    opened, ended, forgotten = [], [], []
    for row in tx.run(_COVERED, aside=flows.pools(tx).aside):
        at = Pace(row.days, row.sold)
        if row.level is None:
            forgotten.append(Stocked(row.item_id, row.grade))
        if row.is_open:
            if row.level is None or is_over(row.free, at, row.level):
                ended.append(Ending(AlertKind.LOW_COVER, f"{row.item_id}/{row.grade}", _facts(row, at)))
        elif row.level is not None and is_low(row.free, at, row.level):
            opened.append(NewAlert(AlertKind.LOW_COVER, f"{row.item_id}/{row.grade}", _facts(row, at), row.item_id))
    _forget(tx, forgotten)
    return opened, ended


def _facts(row: Any, at: Pace) -> Mapping[str, object]:
    facts = {"days_left": lasts(row.free, at), "free": row.free, "sold": at.sold, "days": at.days}
    level = {} if row.level is None else {"threshold": row.level}
    return {**facts, **level, **({} if row.grade == GOOD else {"grade": row.grade})}


def _forget(tx: Transaction, gone: Sequence[Stocked]) -> None:
    if gone:
        tx.run(
            """DELETE FROM sales_pace p
               USING unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
               WHERE p.merchant_id = :merchant_id AND p.item_id = k.item_id AND p.grade = k.grade""",
            items=[one.item_id for one in gone],
            grades=[one.grade for one in gone],
        )

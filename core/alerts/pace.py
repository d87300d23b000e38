"""How fast an item sells, by days on which there was any of it, and how many days what is free will last."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core import bulk, tables
from core.alerts.kinds import AlertKind, recovers_at
from core.alerts.lifecycle import Ending, NewAlert
from core.stock import GOOD, Stocked
from core.transaction import Transaction

_ONE_DAY = timedelta(days=1)
# Movements of an item looked at, the newest first: one that moves more is counted over fewer days.
MOST_MOVEMENTS = 50_000


class Day(NamedTuple):
    """What one day did to an item: units promised to orders less those given back, units that came free, and by how
    many its free units changed in all.
    """

    day: date
    sold: int
    came: int
    net: int


class Pace(NamedTuple):
    """``sold`` units on ``days`` days on which there was any to sell."""

    days: int
    sold: int


def pace(days: Iterable[Day], free_now: int, first: date, today: date) -> Pace:
    """The pace from the day ``first`` to the day before ``today``. Pure.

    A day counts when units were free at its beginning or came during it; what was free on each day follows from what
    is free now and how each day changed it.
    """
    by_day = {one.day: one for one in days}
    free, counted, sold = free_now - by_day.get(today, Day(today, 0, 0, 0)).net, 0, 0
    day = today - _ONE_DAY
    while day >= first:
        one = by_day.get(day, Day(day, 0, 0, 0))
        free -= one.net  # at the beginning of the day
        counted += free > 0 or one.came > 0
        sold += one.sold
        day -= _ONE_DAY
    return Pace(counted, max(sold, 0))


def lasts(free: int, at: Pace) -> int | None:
    """Whole days that ``free`` units last; None: nothing is sold, so for ever. Pure."""
    return free * at.days // at.sold if at.sold else None


def is_low(free: int, at: Pace, level: int) -> bool:
    """True when units last ``level`` days or less. Pure."""
    return at.sold > 0 and free * at.days <= level * at.sold


def is_over(free: int, at: Pace, level: int) -> bool:
    """True when units that were low at ``level`` are low no more. Pure."""
    return at.sold == 0 or free * at.days >= recovers_at(level) * at.sold


# Sales are what orders took of free units, and what they wait for, less what came back. Where a presale hands over to
# goods, the goods count, so its own pool is left out. Fills of what waits count nothing: it was counted when it began.
_MOVED = """
    SELECT k.item_id, k.grade, now_.free, m.day, m.sold, m.came, m.net, m.looked_at, m.oldest
    FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
    CROSS JOIN LATERAL (SELECT coalesce(sum(free), 0)::bigint AS free FROM sales_balance
        WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = k.grade
          AND pool_id <> ALL(CAST(:presales AS bigint[]))) now_
    LEFT JOIN LATERAL (
        WITH raw AS MATERIALIZED (
            SELECT recorded_at, layer, grade, from_place, from_bucket, to_place, to_bucket, quantity FROM movement
            WHERE merchant_id = :merchant_id AND item_id = k.item_id AND recorded_at >= :since
            ORDER BY recorded_at DESC LIMIT :most
        ), part AS (
            SELECT (recorded_at AT TIME ZONE CAST(:zone AS text))::date AS day, quantity,
                from_bucket = 'free' AND to_bucket <> 'free' AS leaves,
                to_bucket = 'free' AND from_bucket <> 'free' AS comes,
                from_bucket = 'free' AND to_bucket IN ('reserved', 'sold')
                    OR to_bucket = 'backordered' AND to_place = :shared_pool_id AND from_bucket = 'world' AS takes,
                to_bucket = 'free' AND from_bucket IN ('reserved', 'sold')
                    OR from_bucket = 'backordered' AND from_place = :shared_pool_id AND to_bucket = 'world' AS gives
            FROM raw WHERE layer = 'sales' AND grade = k.grade
              AND coalesce(from_place <> ALL(CAST(:presales AS bigint[])), true)
              AND coalesce(to_place <> ALL(CAST(:presales AS bigint[])), true)
        )
        SELECT day, (coalesce(sum(quantity) FILTER (WHERE takes), 0)
                - coalesce(sum(quantity) FILTER (WHERE gives), 0))::bigint AS sold,
            coalesce(sum(quantity) FILTER (WHERE comes), 0)::bigint AS came,
            (coalesce(sum(quantity) FILTER (WHERE comes), 0)
                - coalesce(sum(quantity) FILTER (WHERE leaves), 0))::bigint AS net,
            (SELECT count(*) FROM raw) AS looked_at,
            (SELECT (min(recorded_at) AT TIME ZONE CAST(:zone AS text))::date FROM raw) AS oldest
        FROM part GROUP BY day
    ) m ON true ORDER BY k.item_id, k.grade
"""


class Due(NamedTuple):
    """An item whose pace is to be computed anew."""

    stocked: Stocked
    window_days: int


def due(tx: Transaction, zone: ZoneInfo, *, limit: int) -> list[Due]:
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
        until=(_today(tx, zone) - _ONE_DAY).isoformat(),
        limit=limit,
    )
    return [Due(Stocked(row.id, row.grade), row.window_days) for row in rows]


def refresh(tx: Transaction, zone: ZoneInfo, shared_pool_id: int, dues: Collection[Due]) -> None:
    """Compute the pace of these items up to yesterday, in the merchant's zone."""
    for window_days, group in groupby(sorted(dues, key=lambda one: one.window_days), key=lambda one: one.window_days):
        _refresh(tx, zone, shared_pool_id, window_days, sorted(one.stocked for one in group))


def _refresh(tx: Transaction, zone: ZoneInfo, shared_pool_id: int, window_days: int, keys: Sequence[Stocked]) -> None:
    today = _today(tx, zone)
    first = today - timedelta(days=window_days)
    moved = tx.run(
        _MOVED,
        items=[key.item_id for key in keys],
        grades=[key.grade for key in keys],
        presales=_presales(tx),
        shared_pool_id=shared_pool_id,
        since=datetime.combine(first, time(), zone),
        zone=zone.key,
        most=MOST_MOVEMENTS,
    )
    rows = []
    for stocked, found in groupby(moved, key=lambda row: Stocked(row.item_id, row.grade)):
        at = _pace_of(list(found), first, today)
        rows.append((*stocked, window_days, (today - _ONE_DAY).isoformat(), at.days, at.sold))
    columns = ["item_id", "grade", "window_days", "until", "days", "sold"]
    bulk.put(tx, tables.sales_pace, columns, rows, ["item_id", "grade"])


def _pace_of(rows: Sequence[Any], first: date, today: date) -> Pace:
    """Where more moved than is looked at, only days that were seen whole count."""
    days = [Day(row.day, row.sold, row.came, row.net) for row in rows if row.day is not None]
    if days and rows[0].looked_at >= MOST_MOVEMENTS:
        first = max(first, rows[0].oldest + _ONE_DAY)
    return pace(days, rows[0].free, first, today)


def _today(tx: Transaction, zone: ZoneInfo) -> date:
    return tx.now.astimezone(zone).date()


def _presales(tx: Transaction) -> list[int]:
    return list(tx.run("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'presale'").scalars())


_COVERED = """
    SELECT p.item_id, p.grade, p.days, p.sold, p.window_days, r.level, b.free, a.is_open
    FROM sales_pace p
    LEFT JOIN LATERAL (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id AND item_id IN (0, p.item_id)
        AND kind = 'low_cover' AND grade = p.grade ORDER BY item_id DESC LIMIT 1) r ON true
    CROSS JOIN LATERAL (SELECT coalesce(sum(free), 0)::bigint AS free FROM sales_balance
        WHERE merchant_id = :merchant_id AND item_id = p.item_id AND grade = p.grade
          AND pool_id <> ALL(CAST(:presales AS bigint[]))) b
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM alert WHERE merchant_id = :merchant_id AND kind = 'low_cover'
        AND closed_at IS NULL AND subject = p.item_id || '/' || p.grade) AS is_open) a
    WHERE p.merchant_id = :merchant_id AND (a.is_open OR r.level IS NULL
        OR p.sold > 0 AND b.free * p.days <= r.level * p.sold)
"""


def look(tx: Transaction) -> tuple[list[NewAlert], list[Ending]]:
    """What lasts too few days and was not told, and what was told and is over. Paces without a rule are forgotten."""
    opened, ended, forgotten = [], [], []
    for row in tx.run(_COVERED, presales=_presales(tx)):
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

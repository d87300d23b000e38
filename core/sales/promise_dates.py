"""When those who wait have their goods: from supply to come, in the order in which they are served.

Every change of a date is kept, so that customers can be told.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from core import bulk, tables
from core.rows import LockRow, PromiseRow
from core.sales import expected
from core.sales.backorders import Want, in_turn, want_of, want_of_lock
from core.stock import Stocked
from core.transaction import Transaction

_ITEMS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Supply:
    """``units`` (>= 1) that come on a day."""

    units: int
    on: date
    reference: str


@dataclass(frozen=True, slots=True)
class Due:
    """The day on which the last unit of a want comes, and the supply that brings it."""

    on: date
    reference: str


def due_dates(turn: Sequence[Want], supplies: Sequence[Supply]) -> dict[int, Due | None]:
    """When each want has all its units; None where what is to come ends before it. Pure.

    Args: turn: all who want the item, in the order in which they are served. supplies: the earliest first.
    """
    found: dict[int, Due | None] = {}
    coming = iter(supplies)
    here: Supply | None = next(coming, None)
    left = here.units if here else 0
    for want in turn:
        needed = want.units
        while here is not None and needed > left:
            needed -= left
            here = next(coming, None)
            left = here.units if here else 0
        left -= needed if here else 0
        found[want.id] = Due(here.on, here.reference) if here else None
    return found


def why(was: date | None, was_by: str, becomes: date | None, by: str, *, is_first: bool) -> str:
    """Why a date changed, as words for people. Pure."""
    if becomes is None:
        return f"{was_by or 'what was expected'} does not bring it, and nothing else is expected"
    if is_first:
        return f"{by} brings it"
    if was is None:
        return f"{by} brings it after all"
    if by == was_by:
        return f"{by} comes {'later' if becomes > was else 'earlier'}"
    return f"{by} brings it now, no longer {was_by}"


@dataclass(frozen=True, slots=True)
class Known:
    """The newest date of a promise, its ``nth``; 0: it never had one."""

    on: date | None = None
    reference: str = ""
    nth: int = 0


def changes(
    wanted: Mapping[int, tuple[PromiseRow, Due | None]], known: Mapping[int, Known], handling: int, now: datetime
) -> list[tuple[Any, ...]]:
    """Rows of ``promise_date`` for the promises whose date is not the one that is known. Pure."""
    rows: list[tuple[Any, ...]] = []
    for promise_id, (promise, due) in wanted.items():
        before = known.get(promise_id, Known())
        becomes = due.on + timedelta(days=handling) if due else None
        if becomes != before.on:
            by = due.reference if due else ""
            reason = why(before.on, before.reference, becomes, by, is_first=not before.nth)
            rows.append((promise_id, before.nth + 1, promise.order_id, before.on, becomes, by, reason, now, None))
    return rows


_COLUMNS = ("promise_id", "nth", "order_id", "was", "becomes", "reference", "reason", "at", "told_at")


def recompute(tx: Transaction, stocked: Collection[Stocked]) -> int:
    """Bring the dates of all who wait for these items up to date; returns how many changed.

    One at a time, so that no change is noted twice.
    """
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.promise_dates', :merchant_id))")
    handling, ordered, changed = expected.handling_days(tx), sorted(set(stocked)), 0
    for start in range(0, len(ordered), _ITEMS_AT_ONCE):
        part = ordered[start : start + _ITEMS_AT_ONCE]
        wanted = _wanted(tx, part)
        rows = changes(wanted, _known(tx, wanted), handling, tx.now)
        bulk.insert(tx, tables.promise_date, _COLUMNS, rows)
        changed += len(rows)
    return changed


def _wanted(tx: Transaction, stocked: Sequence[Stocked]) -> dict[int, tuple[PromiseRow, Due | None]]:
    promises, locks = read_queue(tx, stocked)
    supplies: defaultdict[Stocked, list[Supply]] = defaultdict(list)
    for coming in expected.supply(tx, stocked):
        if not coming.is_late:
            supplies[Stocked(coming.item_id, coming.grade)].append(Supply(coming.open, coming.on, coming.reference))
    found: dict[int, tuple[PromiseRow, Due | None]] = {}
    for one in stocked:
        turn = in_turn([*map(want_of, promises.get(one, ())), *map(want_of_lock, locks.get(one, ()))])
        due = due_dates(turn, supplies[one])
        found.update((promise.id, (promise, due[promise.id])) for promise in promises.get(one, ()))
    return found


def read_queue(
    tx: Transaction, stocked: Collection[Stocked]
) -> tuple[Mapping[Stocked, Sequence[PromiseRow]], Mapping[Stocked, Sequence[LockRow]]]:
    """All promises and locks that want goods of these items."""
    keys = {"items": [one.item_id for one in stocked], "grades": [one.grade for one in stocked]}
    columns = ", ".join(f"p.{name}" for name in PromiseRow._fields)
    waiting = tx.run(
        f"""SELECT {columns} FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND grade = k.grade AND waiting > 0 OFFSET 0) p
            UNION ALL SELECT {columns}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND grade = k.grade AND presale AND live > 0 AND waiting = 0 OFFSET 0) p""",
        **keys,
    )
    promises: defaultdict[Stocked, list[PromiseRow]] = defaultdict(list)
    for promise in map(PromiseRow._make, waiting):
        promises[promise.stocked].append(promise)
    locked = tx.run(
        f"""SELECT {", ".join(f"l.{name}" for name in LockRow._fields)}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
            CROSS JOIN LATERAL (SELECT * FROM lock WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND grade = k.grade AND waiting > 0 OFFSET 0) l""",
        **keys,
    )
    locks: defaultdict[Stocked, list[LockRow]] = defaultdict(list)
    for lock in map(LockRow._make, locked):
        locks[lock.stocked].append(lock)
    return promises, locks


def _known(tx: Transaction, promise_ids: Collection[int]) -> dict[int, Known]:
    rows = tx.run(
        """SELECT d.* FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT promise_id, becomes, reference, nth FROM promise_date
               WHERE merchant_id = :merchant_id AND promise_id = k.id ORDER BY nth DESC LIMIT 1) d""",
        ids=sorted(promise_ids),
    )
    return {row.promise_id: Known(row.becomes, row.reference, row.nth) for row in rows}


def concerned(tx: Transaction) -> list[Stocked]:
    """Items of which supply was ever expected, and that somebody waits for."""
    rows = tx.run(
        """SELECT w.item_id, w.grade FROM (
               SELECT DISTINCT item_id, grade FROM promise WHERE merchant_id = :merchant_id AND waiting > 0
               UNION SELECT DISTINCT item_id, grade FROM promise
                   WHERE merchant_id = :merchant_id AND presale AND live > 0) w
           WHERE EXISTS (SELECT FROM expected e WHERE e.merchant_id = :merchant_id AND e.item_id = w.item_id
               AND e.grade = w.grade)"""
    )
    return [Stocked(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Moved:
    """A promise that still waits, whose date is not what its customer was last told.

    ``told``: that date, None when it had none; ``becomes``: its date now. ``reasons``, oldest first; ``nth``: the
    newest change.
    """

    promise_id: int
    nth: int
    sku: str
    grade: str
    who: str
    store: str
    units: int
    told: date | None
    becomes: date | None
    reasons: Sequence[str]
    at: datetime


def untold(tx: Transaction) -> list[Moved]:
    """Changes of dates that nobody was told of, the oldest first: one per promise, with what it comes to."""
    rows = tx.run(
        """SELECT u.promise_id, u.nth, i.sku, p.grade, CASE WHEN o.id IS NOT NULL THEN 'order ' || o.number
                   ELSE 'hold ' || substr(coalesce(h.effect_key, 'hold/?'), 6) END AS who,
               coalesce(s.name, '') AS store, p.units, u.told, u.becomes, u.reasons, u.at
           FROM (SELECT promise_id, order_id, max(nth) AS nth, (array_agg(was ORDER BY nth))[1] AS told,
                     (array_agg(becomes ORDER BY nth DESC))[1] AS becomes, array_agg(reason ORDER BY nth) AS reasons,
                     min(at) AS at
                 FROM promise_date WHERE merchant_id = :merchant_id AND told_at IS NULL GROUP BY 1, 2) u
           CROSS JOIN LATERAL (SELECT *, CASE WHEN waiting > 0 THEN waiting ELSE live END AS units FROM promise
               WHERE merchant_id = :merchant_id AND order_id = u.order_id AND id = u.promise_id
                 AND (waiting > 0 OR presale AND live > 0) OFFSET 0) p
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = p.item_id OFFSET 0) i
           LEFT JOIN LATERAL (SELECT id, number, store_id FROM store_order WHERE merchant_id = :merchant_id
               AND id = p.order_id AND p.order_line_id IS NOT NULL OFFSET 0) o ON true
           LEFT JOIN LATERAL (SELECT name FROM store WHERE merchant_id = :merchant_id AND id = o.store_id OFFSET 0) s
               ON true
           LEFT JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id AND id = p.order_id
               AND recorded_at = p.promised_at AND p.order_line_id IS NULL OFFSET 0) h ON true
           WHERE u.told IS DISTINCT FROM u.becomes ORDER BY u.at, u.promise_id"""
    )
    return [Moved(**row._mapping) for row in rows]


def mark_told(tx: Transaction, moved: Collection[Moved]) -> None:
    """Customers know of these changes, and of all before them."""
    tx.run(
        """UPDATE promise_date d SET told_at = :now
           FROM unnest(CAST(:ids AS bigint[]), CAST(:newest AS integer[])) k (promise_id, newest)
           WHERE d.merchant_id = :merchant_id AND d.promise_id = k.promise_id AND d.nth <= k.newest
             AND d.told_at IS NULL""",
        ids=[one.promise_id for one in moved],
        newest=[one.nth for one in moved],
    )


def dates_of(tx: Transaction, promise_id: int) -> list[tuple[date | None, date | None, str, datetime, datetime | None]]:
    """All dates that a promise had, oldest first: was, becomes, why, when, and when that was told."""
    rows = tx.run(
        """SELECT was, becomes, reason, at, told_at FROM promise_date
           WHERE merchant_id = :merchant_id AND promise_id = :promise_id ORDER BY nth""",
        promise_id=promise_id,
    )
    return [tuple(row) for row in rows]


def let_rest(tx: Transaction) -> None:
    """Who waits no more need not be told of dates any more."""
    tx.run(
        """UPDATE promise_date d SET told_at = :now
           FROM (SELECT u.promise_id FROM (SELECT DISTINCT promise_id, order_id FROM promise_date
                     WHERE merchant_id = :merchant_id AND told_at IS NULL) u
                 WHERE NOT EXISTS (SELECT FROM promise p WHERE p.merchant_id = :merchant_id
                     AND p.order_id = u.order_id AND p.id = u.promise_id
                     AND (p.waiting > 0 OR p.presale AND p.live > 0))) moot
           WHERE d.merchant_id = :merchant_id AND d.promise_id = moot.promise_id AND d.told_at IS NULL"""
    )

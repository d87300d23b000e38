"""Checkpoints: all balances of an item at instants of its past, so that no question about an instant reads all of it.

A checkpoint counts every movement recorded up to its instant, so it may only be made when no such movement can appear
any more. A movement bears the time at which its transaction began and is seen when that ends, however late. So each run
notes when it looked and which transactions were open then, by the locks that PostgreSQL holds for each of them until it
ends; once all of these are gone, whatever was begun before that look is seen, and a later run may cover it. Nothing is
derived from how long a transaction may take. Clocks of several machines may differ by up to ``SKEW``.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from core import bulk, tables
from core.transaction import Transaction

EVERY = 1_000  # movements of an item
SKEW = timedelta(minutes=5)
_STEPPED_BACK = timedelta(days=1)
_STRIDES_AT_ONCE = 50


class Cell(NamedTuple):
    """One bucket of an item at one place; the words are those of ``core.stock``."""

    layer: str
    grade: str
    place_id: int
    bucket: str


@dataclass(frozen=True, slots=True)
class Window:
    """Instants that checkpoints were not made for yet and may be made for: later than ``after``, up to ``until``."""

    after: datetime | None
    until: datetime


def open_window(tx: Transaction) -> Window | None:
    """What may be covered now; None while a transaction that was open at the last look still is.

    After a clock that went backwards, checkpoints of the time that runs twice are forgotten, to be made again.
    """
    mark = tx.run("SELECT * FROM checkpoint_mark WHERE merchant_id = :merchant_id FOR UPDATE").one_or_none()
    if mark is None:
        _look(tx, None)
        return None
    if tx.now < mark.looked_at:
        _look(tx, _forget_since(tx, tx.now - _STEPPED_BACK))
        return None
    if _still_open(tx, mark.open_then):
        return None
    return Window(mark.covered_until, mark.looked_at - SKEW)


def close_window(tx: Transaction, window: Window) -> None:
    """All checkpoints of the window are made; look again who is at work, for the next one."""
    _look(tx, window.until)


def _look(tx: Transaction, covered_until: datetime | None) -> None:
    """Note who is at work. ``tx.now`` was taken before, so who is not seen here takes a later time for what it does."""
    tx.run(
        """INSERT INTO checkpoint_mark (merchant_id, covered_until, looked_at, open_then)
           SELECT :merchant_id, CAST(:covered_until AS timestamptz), :now, ARRAY(
               SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
               WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.pid <> pg_backend_pid()
                 AND a.datname = current_database() AND a.usesysid IS NOT NULL)
           ON CONFLICT (merchant_id) DO UPDATE SET covered_until = EXCLUDED.covered_until,
               looked_at = EXCLUDED.looked_at, open_then = EXCLUDED.open_then""",
        covered_until=covered_until,
    )


def _still_open(tx: Transaction, open_then: Sequence[str]) -> bool:
    return bool(
        tx.run(
            """SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock'
                 AND virtualxid = ANY(CAST(:open_then AS text[]))""",
            open_then=list(open_then),
        ).scalar_one()
    )


def _forget_since(tx: Transaction, since: datetime) -> datetime:
    tx.run("DELETE FROM balance_checkpoint WHERE merchant_id = :merchant_id AND at > :since", since=since)
    return since


def forget(tx: Transaction, item_ids: Collection[int]) -> None:
    """Drop the checkpoints of these items; they are made again as the items move."""
    tx.run(
        """DELETE FROM balance_checkpoint WHERE merchant_id = :merchant_id
             AND item_id = ANY(CAST(:item_ids AS bigint[]))""",
        item_ids=sorted(item_ids),
    )


def items_after(tx: Transaction, item_id: int, *, limit: int) -> list[int]:
    """The next items by id."""
    return list(
        tx.run(
            "SELECT id FROM item WHERE merchant_id = :merchant_id AND id > :item_id ORDER BY id LIMIT :limit",
            item_id=item_id,
            limit=limit,
        ).scalars()
    )


def due(tx: Transaction, window: Window, item_ids: Collection[int], *, every: int = EVERY) -> list[int]:
    """Those of the items that moved in the window and have ``every`` movements or more since their last checkpoint."""
    return list(
        tx.run(
            """SELECT k.id FROM unnest(CAST(:item_ids AS bigint[])) k (id)
               CROSS JOIN LATERAL (SELECT FROM movement WHERE merchant_id = :merchant_id AND item_id = k.id
                   AND recorded_at > coalesce(CAST(:after AS timestamptz), '-infinity') AND recorded_at <= :until
                   LIMIT 1) moved
               LEFT JOIN LATERAL (SELECT at FROM balance_checkpoint WHERE merchant_id = :merchant_id
                   AND item_id = k.id ORDER BY at DESC LIMIT 1) last ON true
               CROSS JOIN LATERAL (SELECT FROM movement WHERE merchant_id = :merchant_id AND item_id = k.id
                   AND recorded_at > coalesce(last.at, '-infinity') AND recorded_at <= :until
                   OFFSET :every - 1 LIMIT 1) enough""",
            item_ids=list(item_ids),
            after=window.after,
            until=window.until,
            every=every,
        ).scalars()
    )


def make(tx: Transaction, window: Window, item_ids: Collection[int], *, every: int = EVERY) -> int:
    """Write the next checkpoints of these items, one after each ``every`` movements; 0 when nothing is left to do.

    Works on a limited number of movements of each item, so call it until it returns 0.
    """
    known = _newest(tx, item_ids)
    rows = []
    for item_id, strides in groupby(_strides(tx, window, item_ids, every), key=lambda row: row.item_id):
        cells = known.get(item_id, {})
        for _, of_stride in groupby(strides, key=lambda row: row.stride):
            changes = list(of_stride)
            for row in changes:
                cell = Cell(row.layer, row.grade, row.place_id, row.bucket)
                cells[cell] = cells.get(cell, 0) + row.units
            if changes[0].is_whole:
                rows.append((item_id, changes[0].at, _written(cells)))
    bulk.insert_missing(tx, tables.balance_checkpoint, ["item_id", "at", "cells"], rows, ["item_id", "at"])
    return len(rows)


def _newest(tx: Transaction, item_ids: Collection[int]) -> dict[int, dict[Cell, int]]:
    rows = tx.run(
        """SELECT k.id, c.cells FROM unnest(CAST(:item_ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT cells FROM balance_checkpoint WHERE merchant_id = :merchant_id
               AND item_id = k.id ORDER BY at DESC LIMIT 1) c""",
        item_ids=list(item_ids),
    )
    return {item_id: {Cell(*cell): units for *cell, units in cells} for item_id, cells in rows}


def _strides(tx: Transaction, window: Window, item_ids: Collection[int], every: int) -> Iterator[Any]:
    """What changed between one checkpoint to make and the next. Movements of one instant are never parted."""
    return iter(
        tx.run(
            """WITH moved AS (
                   SELECT k.id AS item_id, m.*, (rank() OVER (PARTITION BY k.id ORDER BY m.recorded_at) - 1)
                       / CAST(:every AS bigint) AS stride
                   FROM unnest(CAST(:item_ids AS bigint[])) k (id)
                   LEFT JOIN LATERAL (SELECT at FROM balance_checkpoint WHERE merchant_id = :merchant_id
                       AND item_id = k.id ORDER BY at DESC LIMIT 1) last ON true
                   CROSS JOIN LATERAL (
                       SELECT recorded_at, layer, grade, from_place, from_bucket, to_place, to_bucket, quantity
                       FROM movement WHERE merchant_id = :merchant_id AND item_id = k.id
                         AND recorded_at > coalesce(last.at, '-infinity') AND recorded_at <= :until
                       ORDER BY recorded_at FETCH FIRST (:most) ROWS WITH TIES) m
               ), stride AS (
                   SELECT item_id, stride, max(recorded_at) AS at, count(*) >= :every
                       OR stride < max(stride) OVER (PARTITION BY item_id) AS is_whole
                   FROM moved GROUP BY item_id, stride
               ), change AS (
                   SELECT item_id, stride, layer, grade, e.place_id, e.bucket, sum(e.units)::bigint AS units
                   FROM moved CROSS JOIN LATERAL (VALUES (from_place, from_bucket, -quantity),
                       (to_place, to_bucket, quantity)) e (place_id, bucket, units)
                   WHERE e.place_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
               )
               SELECT * FROM stride JOIN change USING (item_id, stride) ORDER BY item_id, stride""",
            item_ids=list(item_ids),
            until=window.until,
            every=every,
            most=_STRIDES_AT_ONCE * every,
        )
    )


def _written(cells: dict[Cell, int]) -> str:
    return json.dumps([[*cell, units] for cell, units in sorted(cells.items()) if units], separators=(",", ":"))

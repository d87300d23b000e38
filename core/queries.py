"""Read-only views for people and machines: one query each, however many rows it answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from core import pushes
from core.availability import Facts, explain, number_to_write
from core.model import Platform, StoreMode
from core.transaction import Database, Transaction


def merchants(db: Database) -> dict[int, str]:
    """The names of all merchants by their number."""
    with db.outside() as connection:
        return {row.id: row.name for row in connection.execute(text("SELECT id, name FROM all_merchants()"))}


@dataclass(frozen=True, slots=True)
class MerchantView:
    """``alert_email`` empty: nobody is warned. ``warned_items`` counts items with a low-stock warning."""

    id: int
    name: str
    time_zone: str
    alert_email: str
    warned_items: int


def merchant_view(tx: Transaction) -> MerchantView:
    row = tx.run(
        """SELECT id, name, time_zone, alert_email, (SELECT count(*) FROM item
               WHERE merchant_id = :merchant_id AND low_stock_threshold IS NOT NULL) AS warned_items
           FROM merchant WHERE id = :merchant_id"""
    ).one()
    return MerchantView(**row._mapping)


@dataclass(frozen=True, slots=True)
class StoreView:
    """How one store is doing. Counts are of listings, of order lines, and of work rows.

    ``unmapped``      listings that show no item.
    ``quarantined``   mapped listings that are not pushed until a person has looked.
    ``stale``         listings that a push is still owed, the oldest since ``stale_since``.
    ``held_lines``    order lines that wait for a mapping.
    ``unserved``      work rows that are due and that nobody does, the oldest since ``unserved_since``.
    ``poll_every``    the schedule of its polls, as it stands in the database.
    """

    id: int
    name: str
    platform: Platform
    url: str
    mode: StoreMode
    paused: bool
    trouble: str
    trouble_since: datetime | None
    last_webhook_at: datetime | None
    last_poll_at: datetime | None
    created_at: datetime
    listings: int
    unmapped: int
    quarantined: int
    untracked: int
    stale: int
    stale_since: datetime | None
    held_lines: int
    open_incidents: int
    oversold_units: int
    unserved: int
    unserved_since: datetime | None
    dead_letters: int
    poll_every: str

    @property
    def writes(self) -> bool:
        return self.mode is StoreMode.LIVE and not self.paused


def store_views(tx: Transaction) -> list[StoreView]:
    """All stores of the merchant, oldest first."""
    rows = tx.run(
        """WITH shelf AS (
               SELECT store_id, count(*) AS listings, count(*) FILTER (WHERE item_id IS NULL) AS unmapped,
                   count(*) FILTER (WHERE item_id IS NOT NULL AND quarantine_reason <> '') AS quarantined,
                   count(*) FILTER (WHERE untracked_reason <> '') AS untracked,
                   count(*) FILTER (WHERE owed) AS stale, min(stale_since) FILTER (WHERE owed) AS stale_since
               FROM (SELECT *, stale_since IS NOT NULL AND item_id IS NOT NULL AND untracked_reason = ''
                       AND quarantine_reason = '' AS owed FROM listing WHERE merchant_id = :merchant_id) l
               GROUP BY 1
           ), held AS (
               SELECT o.store_id, count(*) AS held_lines FROM order_line l
               JOIN store_order o ON o.merchant_id = l.merchant_id AND o.id = l.order_id
               WHERE l.merchant_id = :merchant_id AND l.held_reason <> '' GROUP BY 1
           ), oversold AS (
               SELECT store_id, count(*) AS open_incidents, sum(quantity)::bigint AS oversold_units FROM incident
               WHERE merchant_id = :merchant_id AND closed_at IS NULL GROUP BY 1
           ), waiting AS (
               SELECT store_id, count(*) FILTER (WHERE due) AS unserved,
                   min(due_at) FILTER (WHERE due) AS unserved_since,
                   count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead_letters
               FROM (SELECT *, dead_at IS NULL AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
                       AS due FROM work WHERE merchant_id = :merchant_id) w
               GROUP BY 1
           )
           SELECT s.id, s.name, s.platform, s.url, s.mode, s.paused, s.trouble, s.trouble_since, s.last_webhook_at,
               s.last_poll_at, s.created_at, coalesce(shelf.listings, 0) AS listings,
               coalesce(shelf.unmapped, 0) AS unmapped, coalesce(shelf.quarantined, 0) AS quarantined,
               coalesce(shelf.untracked, 0) AS untracked, coalesce(shelf.stale, 0) AS stale, shelf.stale_since,
               coalesce(held.held_lines, 0) AS held_lines, coalesce(oversold.open_incidents, 0) AS open_incidents,
               coalesce(oversold.oversold_units, 0) AS oversold_units, coalesce(waiting.unserved, 0) AS unserved,
               waiting.unserved_since, coalesce(waiting.dead_letters, 0) AS dead_letters,
               coalesce(c.cron, '') AS poll_every
           FROM store s
           LEFT JOIN shelf ON shelf.store_id = s.id LEFT JOIN held ON held.store_id = s.id
           LEFT JOIN oversold ON oversold.store_id = s.id LEFT JOIN waiting ON waiting.store_id = s.id
           LEFT JOIN schedule c ON c.merchant_id = :merchant_id AND c.topic = 'poll' AND c.store_id = s.id AND c.enabled
           WHERE s.merchant_id = :merchant_id ORDER BY s.id"""
    )
    return [
        StoreView(**{**row._mapping, "platform": Platform(row.platform), "mode": StoreMode(row.mode)}) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Pulse:
    """Signs of life of the processes that do the work, from what they should have done by now.

    ``schedule_due_since``  the oldest schedule row that the relay has not turned into work.
    ``unsent_since``        the oldest due work that the relay has not sent.
    ``untaken_since``       the oldest due work that was sent and that no worker has taken.
    All are None when nothing is late.
    """

    schedule_due_since: datetime | None
    unsent_since: datetime | None
    untaken_since: datetime | None


def pulse(tx: Transaction) -> Pulse:
    """What is late, for one merchant."""
    row = tx.run(
        """SELECT (SELECT min(next_at) FROM schedule WHERE merchant_id = :merchant_id AND enabled AND next_at <= :now)
                   AS schedule_due_since,
               min(due_at) FILTER (WHERE sent_until IS NULL OR sent_until <= :now) AS unsent_since,
               min(due_at) FILTER (WHERE sent_until > :now) AS untaken_since
           FROM work WHERE merchant_id = :merchant_id AND dead_at IS NULL AND due_at <= :now
             AND (leased_until IS NULL OR leased_until <= :now)"""
    ).one()
    return Pulse(**row._mapping)


@dataclass(frozen=True, slots=True)
class WorkView:
    """A row of work; ``store`` is empty where no store is meant, ``dead_at`` is set for a dead letter."""

    topic: str
    store: str
    subject: str
    heard_at: datetime
    due_at: datetime
    tries: int
    reason: str
    dead_at: datetime | None


class LeastTrouble(StrEnum):
    """How bad a row of work must stand to be listed; each includes those before it."""

    DEAD = "dead"  # given up
    FAILING = "failing"  # failed some times, and is tried again
    NONE = "none"  # all that waits or is being done


_FAILED_OFTEN = 3


def work_rows(tx: Transaction, *, least: LeastTrouble, limit: int = 500) -> list[WorkView]:
    """Work by how bad it stands: dead letters first, then by when it is due."""
    rows = tx.run(
        """SELECT w.topic, coalesce(s.name, '') AS store, w.subject, w.heard_at, w.due_at, w.tries, w.reason, w.dead_at
           FROM work w LEFT JOIN store s ON s.merchant_id = w.merchant_id AND s.id = w.store_id
           WHERE w.merchant_id = :merchant_id AND (w.dead_at IS NOT NULL OR :all
               OR :failing AND w.reason <> '' AND w.tries >= :often)
           ORDER BY w.dead_at, w.due_at, w.topic, w.subject LIMIT :limit""",
        all=least is LeastTrouble.NONE,
        failing=least is LeastTrouble.FAILING,
        often=_FAILED_OFTEN,
        limit=limit,
    )
    return [WorkView(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class MappingGap:
    """A listing that shows no item or is not pushed, or order lines that are held for one.

    ``external_id`` is None where the store itself no longer knows the listing.
    """

    external_id: str | None
    sku: str
    title: str
    why: str
    held_lines: int


def mapping_gaps(tx: Transaction, store_id: int) -> list[MappingGap]:
    """What a person has to map for one store, by the store's own ids; what customers wait for comes first."""
    rows = tx.run(
        """WITH held AS (
               SELECT l.external_id, max(l.sku) AS sku, max(l.title) AS title, max(l.held_reason) AS why,
                   count(*) AS lines
               FROM order_line l JOIN store_order o ON o.merchant_id = l.merchant_id AND o.id = l.order_id
               WHERE l.merchant_id = :merchant_id AND o.store_id = :store_id AND l.held_reason <> ''
               GROUP BY l.external_id
           ), unmapped AS (
               SELECT external_id, sku, title, quarantine_reason AS why FROM listing
               WHERE merchant_id = :merchant_id AND store_id = :store_id
                 AND (item_id IS NULL OR quarantine_reason <> '')
           )
           SELECT coalesce(u.external_id, h.external_id) AS external_id, coalesce(u.sku, h.sku) AS sku,
               coalesce(u.title, h.title) AS title, coalesce(nullif(u.why, ''), h.why, '') AS why,
               coalesce(h.lines, 0) AS held_lines
           FROM unmapped u FULL JOIN held h ON h.external_id = u.external_id
           ORDER BY coalesce(h.lines, 0) DESC, 1, 2""",
        store_id=store_id,
    )
    return [MappingGap(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class ItemView:
    id: int
    sku: str
    title: str
    low_stock_threshold: int | None


def item_view(tx: Transaction, item_id: int) -> ItemView:
    row = tx.run(
        "SELECT id, sku, title, low_stock_threshold FROM item WHERE merchant_id = :merchant_id AND id = :id", id=item_id
    ).one()
    return ItemView(**row._mapping)


@dataclass(frozen=True, slots=True)
class BalanceView:
    """One balance row of an item: units per bucket at one place of one layer."""

    layer: str
    place: str
    grade: str
    buckets: Mapping[str, int]


def balances(tx: Transaction, item_id: int) -> list[BalanceView]:
    """An item in all three layers, in the order goods go through them."""
    rows = tx.run(
        """SELECT 1 AS nth, 'warehouse' AS layer, w.code || '/' || p.code AS place, b.grade,
               json_build_object('available', available, 'picking', picking, 'unavailable', unavailable) AS buckets
           FROM warehouse_balance b JOIN bin p ON p.merchant_id = b.merchant_id AND p.id = b.bin_id
           JOIN warehouse w ON w.merchant_id = p.merchant_id AND w.id = p.warehouse_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           UNION ALL
           SELECT 2, 'dispatch', w.code, b.grade, json_build_object('available', available, 'allocated', allocated,
               'locked', locked, 'unavailable', unavailable, 'incoming', incoming,
               'incoming_sellable', incoming_sellable)
           FROM dispatch_balance b JOIN warehouse w ON w.merchant_id = b.merchant_id AND w.id = b.warehouse_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           UNION ALL
           SELECT 3, 'sales', p.name, b.grade,
               json_build_object('free', free, 'reserved', reserved, 'sold', sold, 'backordered', backordered)
           FROM sales_balance b JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           ORDER BY nth, place, grade""",
        item_id=item_id,
    )
    return [BalanceView(row.layer, row.place, row.grade, row.buckets) for row in rows]


@dataclass(frozen=True, slots=True)
class Shown:
    """One listing of an item: what its store shows, what it should show, and why.

    ``published`` is the last number that the store confirmed, ``observed`` the last that was read back. ``pushing``
    means that a job is at it now. ``last_status`` and ``last_reason`` are those of the newest push.
    """

    store: str
    mode: StoreMode
    paused: bool
    external_id: str
    pack_size: int
    published: int | None
    published_at: datetime | None
    observed: int | None
    observed_at: datetime | None
    wanted: int
    why: str
    stale_since: datetime | None
    pushing: bool
    last_status: str
    last_reason: str
    last_pushed_at: datetime | None
    parked: str


def shown_by_stores(tx: Transaction, item_id: int) -> list[Shown]:
    """Every listing of an item, by store."""
    source = "(SELECT * FROM listing WHERE merchant_id = :merchant_id AND item_id = :item_id) l"
    rows = tx.run(
        f"""SELECT f.free, f.safety_stock, f.pack_size, f.hidden, f.external_id, f.observed, f.observed_at,
                f.stale_since, l.published, l.published_at, l.quarantine_reason, l.untracked_reason, s.name, s.mode,
                s.paused, coalesce(last.status, '') AS last_status, coalesce(last.reason, '') AS last_reason,
                last.settled_at,
                EXISTS (SELECT FROM work w WHERE w.merchant_id = :merchant_id AND w.topic = 'push'
                    AND w.store_id = l.store_id AND w.leased_until > :now) AS leased
            FROM ({pushes.FACTS_SQL.format(source=source)}) f
            JOIN listing l ON l.merchant_id = :merchant_id AND l.id = f.id
            JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
            LEFT JOIN LATERAL (SELECT status, reason, settled_at FROM push WHERE merchant_id = :merchant_id
                AND listing_id = l.id ORDER BY settled_at DESC LIMIT 1) last ON true
            ORDER BY s.id, l.id""",
        item_id=item_id,
    )
    return [_shown(row) for row in rows]


def _shown(row: Any) -> Shown:
    facts: Facts = pushes.facts_of(row)
    return Shown(
        store=row.name,
        mode=StoreMode(row.mode),
        paused=row.paused,
        external_id=row.external_id,
        pack_size=row.pack_size,
        published=row.published,
        published_at=row.published_at,
        observed=row.observed,
        observed_at=row.observed_at,
        wanted=number_to_write(facts),
        why=explain(facts),
        stale_since=row.stale_since,
        pushing=row.leased and row.stale_since is not None,
        last_status=row.last_status,
        last_reason=row.last_reason,
        last_pushed_at=row.settled_at,
        parked=row.untracked_reason or row.quarantine_reason,
    )


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document that moved an item. ``moves`` are its movements of that item, as sentences."""

    id: int
    recorded_at: datetime
    kind: str
    actor: str
    reason: str
    order: str
    store: str
    moves: Sequence[str]


_MOVEMENTS_PER_DOCUMENT = 8


def recent_documents(tx: Transaction, item_id: int, *, limit: int = 10) -> list[DocumentView]:
    """The newest documents that moved an item, newest first."""
    rows = tx.run(
        """WITH newest AS (
               SELECT document_id, recorded_at FROM (
                   SELECT document_id, recorded_at FROM movement
                   WHERE merchant_id = :merchant_id AND item_id = :item_id ORDER BY recorded_at DESC LIMIT :look_at) m
               GROUP BY 1, 2 ORDER BY recorded_at DESC, document_id DESC LIMIT :limit
           )
           SELECT d.id, d.recorded_at, d.kind, d.actor, d.reason, coalesce(o.number, '') AS order,
               coalesce(s.name, '') AS store, moved.moves
           FROM newest n
           JOIN document d ON d.merchant_id = :merchant_id AND d.id = n.document_id AND d.recorded_at = n.recorded_at
           LEFT JOIN store_order o ON o.merchant_id = :merchant_id AND o.id = d.order_id
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           CROSS JOIN LATERAL (
               SELECT array_agg(layer || ': ' || quantity || ' ' || from_bucket || ' -> ' || to_bucket
                   ORDER BY position(layer IN 'warehouse dispatch sales'), line_no) AS moves
               FROM movement m WHERE m.merchant_id = :merchant_id AND m.document_id = d.id
                 AND m.recorded_at = d.recorded_at AND m.item_id = :item_id) moved
           ORDER BY d.recorded_at DESC, d.id DESC""",
        item_id=item_id,
        limit=limit,
        look_at=limit * _MOVEMENTS_PER_DOCUMENT,
    )
    return [DocumentView(**row._mapping) for row in rows]

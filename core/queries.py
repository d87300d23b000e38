"""Read-only views for people and machines: one query each, however many rows it answers with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text

from core.model import Platform, Sharing, StoreMode
from core.transaction import Database, Transaction


def merchants(db: Database) -> dict[int, str]:
    """The names of all merchants by their number."""
    with db.outside() as connection:
        return {row.id: row.name for row in connection.execute(text("SELECT id, name FROM all_merchants()"))}


@dataclass(frozen=True, slots=True)
class MerchantView:
    """``alert_email`` empty: nobody is warned. ``warned_items`` counts rules that warn of low stock."""

    id: int
    name: str
    time_zone: str
    alert_email: str
    sharing: Sharing
    share_below: int
    warned_items: int


def merchant_view(tx: Transaction) -> MerchantView:
    row = tx.run(
        """SELECT id, name, time_zone, alert_email, sharing, share_below, (SELECT count(*) FROM alert_rule
               WHERE merchant_id = :merchant_id AND kind = 'low_stock' AND level IS NOT NULL) AS warned_items
           FROM merchant WHERE id = :merchant_id"""
    ).one()
    return MerchantView(**{**row._mapping, "sharing": Sharing(row.sharing)})


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
                   count(*) FILTER (WHERE untracked_reason <> '') AS untracked
               FROM listing WHERE merchant_id = :merchant_id GROUP BY 1
           ), owed AS (
               SELECT d.store_id, count(*) AS stale, min(d.stale_since) AS stale_since FROM push_due d
               CROSS JOIN LATERAL (SELECT FROM listing WHERE merchant_id = :merchant_id AND id = d.listing_id
                   AND item_id IS NOT NULL AND untracked_reason = '' AND quarantine_reason = '' OFFSET 0) l
               WHERE d.merchant_id = :merchant_id GROUP BY 1
           ), held AS (
               SELECT o.store_id, count(*) AS held_lines FROM order_line l CROSS JOIN LATERAL (
                   SELECT store_id FROM store_order WHERE merchant_id = :merchant_id AND id = l.order_id OFFSET 0) o
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
               coalesce(shelf.untracked, 0) AS untracked, coalesce(owed.stale, 0) AS stale, owed.stale_since,
               coalesce(held.held_lines, 0) AS held_lines, coalesce(oversold.open_incidents, 0) AS open_incidents,
               coalesce(oversold.oversold_units, 0) AS oversold_units, coalesce(waiting.unserved, 0) AS unserved,
               waiting.unserved_since, coalesce(waiting.dead_letters, 0) AS dead_letters,
               coalesce(c.cron, '') AS poll_every
           FROM store s
           LEFT JOIN shelf ON shelf.store_id = s.id LEFT JOIN owed ON owed.store_id = s.id
           LEFT JOIN held ON held.store_id = s.id
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
               FROM order_line l CROSS JOIN LATERAL (SELECT FROM store_order WHERE merchant_id = :merchant_id
                   AND id = l.order_id AND store_id = :store_id OFFSET 0) o
               WHERE l.merchant_id = :merchant_id AND l.held_reason <> ''
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

"""Numbers on their way to a store: which listings are stale, what each should show, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core import bulk, marks, tables
from core.availability import Facts, number_to_write
from core.backoff import backoff_s
from core.model import PushIntent, PushOutcome, PushStatus
from core.transaction import Transaction

_RECHECK_MOST_S = 30.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An intent with what is needed to settle it."""

    intent: PushIntent
    revision: int
    heard_at: datetime | None
    heard_own_ms: int
    stale_since: datetime
    tryable_since: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Timing:
    """When one round of pushes did what, by our clock.

    ``free_since``: since when nothing but us kept the round from beginning: the store's previous round had ended, and
    no wait was asked for.
    """

    claimed_at: datetime
    sent_at: datetime
    answered_at: datetime
    free_since: datetime


FACTS_SQL = """
    SELECT l.id, l.external_id, l.believed, l.observed, l.observed_at, l.revision, l.heard_at, l.heard_own_ms,
        l.stale_since, l.tryable_since, l.tries, l.pack_size, l.sku, l.title, s.safety_stock,
        coalesce(b.free, 0) AS free, h.hidden
    FROM {source}
    JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
    JOIN pool p ON p.merchant_id = :merchant_id AND p.kind = 'shared'
    LEFT JOIN LATERAL (SELECT free FROM sales_balance WHERE merchant_id = :merchant_id AND item_id = l.item_id
        AND grade = 'good' AND pool_id = p.id) b ON true
    CROSS JOIN LATERAL (SELECT coalesce(sum(hidden), 0)::bigint AS hidden FROM order_line
        WHERE merchant_id = :merchant_id AND listing_id = l.id AND hidden > 0) h
"""


def facts_of(row: Any) -> Facts:
    """The facts behind one row of ``FACTS_SQL``."""
    return Facts(row.free, row.safety_stock, row.pack_size, row.hidden)


def claim(tx: Transaction, store_id: int, *, limit: int) -> list[Claimed]:
    """The store's stale listings with the number each should show now: sold out first, falls next, rises last.

    The caller holds the lease of the store's "push" work, so nobody else pushes to it meanwhile.
    """
    known_until = _orders_known_until(tx, store_id)
    source = """(SELECT * FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id
        AND stale_since IS NOT NULL AND item_id IS NOT NULL AND untracked_reason = '' AND quarantine_reason = ''
        AND (not_before IS NULL OR not_before <= :now)) l"""
    claimed = []
    for row in tx.run(FACTS_SQL.format(source=source), store_id=store_id):
        intent = PushIntent(
            listing_id=row.id,
            external_id=row.external_id,
            believed=row.believed,
            wanted=number_to_write(facts_of(row)),
            idempotency_key=f"holdfast-{tx.merchant_id}-{row.id}-{tx.new_id()}",
            last_observed=row.observed,
            last_observed_at=row.observed_at,
            orders_known_until=known_until,
        )
        claimed.append(
            Claimed(
                intent,
                row.revision,
                row.heard_at,
                row.heard_own_ms,
                row.stale_since,
                row.tryable_since or row.stale_since,
                row.tries,
            )
        )
    return sorted(claimed, key=_urgency)[:limit]


def _urgency(claimed: Claimed) -> tuple[int, datetime]:
    intent = claimed.intent
    if intent.wanted == 0 and intent.believed != 0:
        return (0, claimed.stale_since)
    falls = intent.believed is None or intent.wanted < intent.believed
    return (1 if falls else 2, claimed.stale_since)


def _orders_known_until(tx: Transaction, store_id: int) -> datetime | None:
    """The store's time up to which all its orders are applied; None while we are blind to it.

    A poll is done when every order row that was wanted before it is gone. Under load some row is always open, so the
    newest poll older than the oldest open row counts. A row that only waits for its time (an order to be looked at
    again) is not open.
    """
    row = tx.run(
        """SELECT s.blind, s.poll_marks, s.orders_known_until AS known, (SELECT min(w.heard_at) FROM work w
               WHERE w.merchant_id = :merchant_id AND w.topic = 'order' AND w.store_id = s.id
                 AND (w.due_at <= :now OR w.tries > 0 OR w.reason <> '')) AS oldest
           FROM store s WHERE s.merchant_id = :merchant_id AND s.id = :store_id""",
        store_id=store_id,
    ).one()
    if row.blind:
        return None
    marks_ = [(datetime.fromisoformat(at), datetime.fromisoformat(until)) for at, until in row.poll_marks]
    done = [until for at, until in marks_ if row.oldest is None or at < row.oldest]
    known: datetime | None = max([*done, *([row.known] if row.known else [])], default=None)
    if known != row.known:
        tx.run(
            "UPDATE store SET orders_known_until = :known WHERE merchant_id = :merchant_id AND id = :store_id",
            known=known,
            store_id=store_id,
        )
    return known


def settle(
    tx: Transaction, store_id: int, claimed: Sequence[Claimed], outcomes: Sequence[PushOutcome], timing: Timing
) -> bool:
    """Record what became of each intent; a listing that moved meanwhile, or is unexplained, stays stale.

    Returns: True when the store's orders should be pulled now.
    """
    rows, evidence = [], []
    # By id, the order in which ``marks.stale`` takes them: two that want the same rows then never wait in a circle.
    for one, outcome in sorted(zip(claimed, outcomes, strict=True), key=lambda pair: pair[0].intent.listing_id):
        rows.append(_settled(tx, one, outcome))
        evidence.append(_evidence(tx, store_id, one, outcome, timing))
    columns = ["id", "revision", "believed_by", "settled", "shown", "observed", "observed_at", "not_before", "reason"]
    columns += ["reset", "moved", "doubted"]
    tx.run(
        """WITH held AS (
               SELECT l.id AS listing_id, k.*
               FROM (SELECT * FROM unnest(CAST(:id AS bigint[]), CAST(:revision AS bigint[]),
                   CAST(:believed_by AS bigint[]), CAST(:settled AS boolean[]), CAST(:shown AS bigint[]),
                   CAST(:observed AS bigint[]), CAST(:observed_at AS timestamptz[]), CAST(:not_before AS timestamptz[]),
                   CAST(:reason AS text[]), CAST(:reset AS bigint[]), CAST(:moved AS boolean[]),
                   CAST(:doubted AS bigint[]))
                   u (id, revision, believed_by, settled, shown, observed, observed_at, not_before, reason, reset,
                       moved, doubted) ORDER BY id) k
               CROSS JOIN LATERAL (SELECT id FROM listing WHERE merchant_id = :merchant_id AND id = k.id
                   FOR NO KEY UPDATE) l
           )
           UPDATE listing l SET
               believed = coalesce(h.reset, l.believed) + coalesce(h.believed_by, 0),
               published = coalesce(h.shown, l.published),
               published_at = CASE WHEN h.shown IS NULL THEN l.published_at ELSE :now END,
               observed = CASE WHEN h.moved THEN h.doubted ELSE coalesce(h.observed, l.observed) END,
               observed_at = CASE WHEN h.moved THEN NULL WHEN h.observed IS NULL THEN l.observed_at
                   WHEN h.observed = l.observed AND l.observed_at IS NOT NULL THEN l.observed_at
                   ELSE h.observed_at END,
               proven_equal_at = CASE WHEN h.settled AND h.shown IS NOT NULL AND l.revision = h.revision THEN :now
                   ELSE l.proven_equal_at END,
               pushed_revision = CASE WHEN h.settled THEN h.revision ELSE l.pushed_revision END,
               stale_since = CASE WHEN h.settled AND l.revision = h.revision THEN NULL ELSE l.stale_since END,
               not_before = CASE WHEN l.revision = h.revision THEN h.not_before END,
               tryable_since = CASE WHEN l.revision = h.revision THEN h.not_before ELSE l.tryable_since END,
               tries = CASE WHEN h.settled THEN 0 ELSE l.tries + 1 END,
               quarantine_reason = h.reason
           FROM held h WHERE l.merchant_id = :merchant_id AND l.id = h.listing_id""",
        **{name: [row[n] for row in rows] for n, name in enumerate(columns)},
    )
    bulk.insert(
        tx,
        tables.push,
        ["id", "store_id", "listing_id", "believed", "wanted", "status", "shown", "observed", "observed_at",
         "orders_known_until", "reason", "heard_at", "stale_since", "claimed_at", "settled_at", "own_ms"],
        evidence,
    )  # fmt: skip
    return any(outcome.pull_orders for outcome in outcomes)


def _settled(tx: Transaction, one: Claimed, outcome: PushOutcome) -> tuple[Any, ...]:
    """What a listing row becomes: see the columns in ``settle``.

    ``observed_at`` is since when the store has shown ``observed`` with nothing known to have moved it: a second read of
    the same number keeps the first time, and a write forgets it. The number that a lowering leaves is kept without a
    time, so that nobody takes what is believed for proven before it was read again.

    What we believe moves by a difference, because orders applied while the write was under way have moved it, too.
    """
    intent = one.intent
    lowered = outcome.status is PushStatus.STALE and outcome.shown is not None and outcome.shown != outcome.observed
    wrote = outcome.status in (PushStatus.APPLIED, PushStatus.EQUAL) or lowered
    settled = (wrote and not outcome.pull_orders and not lowered) or outcome.status is PushStatus.PLANNED
    reset = intent.wanted if wrote and intent.believed is None else None
    believed_by = _believed_by(intent, outcome, lowered) if wrote and intent.believed is not None else None
    quarantine = outcome.reason or "refused by the store" if outcome.status is PushStatus.REFUSED else ""
    delay = None if settled else tx.now + timedelta(seconds=min(backoff_s(one.tries + 1), _RECHECK_MOST_S))
    moved = wrote and outcome.status is not PushStatus.EQUAL
    return (
        intent.listing_id, one.revision, believed_by, settled, outcome.shown, outcome.observed, outcome.observed_at,
        delay, quarantine, reset, moved, outcome.shown if lowered else None,
    )  # fmt: skip


def _believed_by(intent: PushIntent, outcome: PushOutcome, lowered: bool) -> int:
    """By how much a write moves what we believe.

    Over a number that was explained: to the wanted number. Over an unexplained one: by what the write changed, so that
    the orders behind the gap bring belief and store together when they are applied, whichever way the gap goes.
    """
    if lowered and outcome.shown is not None and outcome.observed is not None:
        return outcome.shown - outcome.observed
    return intent.wanted - (intent.believed or 0)


def _evidence(tx: Transaction, store_id: int, one: Claimed, outcome: PushOutcome, timing: Timing) -> tuple[Any, ...]:
    intent = one.intent
    ours = max(timing.sent_at - max(one.tryable_since, timing.free_since), timedelta(0)) + (tx.now - timing.answered_at)
    own_ms = one.heard_own_ms + int(ours.total_seconds() * 1000)
    return (
        tx.new_id(), store_id, intent.listing_id, intent.believed, intent.wanted, outcome.status, outcome.shown,
        outcome.observed, outcome.observed_at, intent.orders_known_until, outcome.reason[:500], one.heard_at,
        one.stale_since, timing.claimed_at, tx.now, own_ms,
    )  # fmt: skip


def stale_left(tx: Transaction, store_id: int) -> datetime | None:
    """When the store's next stale listing may be tried; None when none is left."""
    row = tx.run(
        """SELECT min(coalesce(not_before, :now)) AS at FROM listing
           WHERE merchant_id = :merchant_id AND store_id = :store_id AND stale_since IS NOT NULL
             AND item_id IS NOT NULL AND untracked_reason = '' AND quarantine_reason = ''""",
        store_id=store_id,
    ).one()
    at: datetime | None = row.at
    return at


def mark_wrong(tx: Transaction, store_id: int) -> int:
    """Mark the listings of a store that are not believed to show the number they should; returns how many."""
    source = """(SELECT * FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id
        AND item_id IS NOT NULL AND untracked_reason = '') l"""
    rows = tx.run(FACTS_SQL.format(source=source), store_id=store_id)
    wrong = [row.id for row in rows if row.believed != number_to_write(facts_of(row))]
    marks.stale(tx, (), wrong, ())
    return len(wrong)

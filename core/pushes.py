"""Numbers on their way to a store: which listings are stale, what each should show, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core import bulk, marks, reading, stores, tables
from core.backoff import backoff_s
from core.model import PushIntent, PushOutcome, PushStatus
from core.past import push_facts
from core.selling import facts
from core.selling.availability import Facts, affordable, number_to_write
from core.stock import Stocked
from core.transaction import Transaction

_RECHECK_MOST_S = 30.0
_WINDOW = 3  # rows looked at for each that is claimed


@dataclass(frozen=True, slots=True)
class Claimed:
    """An intent with what is needed to settle it.

    ``facts``   what the number was computed from.
    ``scarce``  the item's units are dealt out among its stores.
    ``short``   less is wanted than this store's part, until another store shows less; then it is tried again.
    """

    intent: PushIntent
    stocked: Stocked
    revision: int
    heard_at: datetime | None
    heard_own_ms: int
    stale_since: datetime
    tryable_since: datetime
    tries: int
    facts: Facts
    scarce: bool = False
    short: bool = False

    @property
    def rises(self) -> bool:
        return self.intent.wanted > (self.intent.believed or 0)


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


def claim(tx: Transaction, store_id: int, *, limit: int) -> list[Claimed]:
    """The store's stale listings with the number each should show now: sold out first, falls next, rises last.

    The caller holds the lease of the store's "push" work, so nobody else pushes to it meanwhile.
    """
    known_until = stores.orders_known_until(tx, store_id)
    due = _due(tx, store_id, known_until, limit)
    if any(one.scarce and one.rises for one in due):
        # Two stores must not raise their numbers by the same unit: one after the other looks at what is left.
        tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.share', :merchant_id))")
        due = _due(tx, store_id, known_until, limit)
    claimed = _one_rise_for_each_item(tx, sorted(due, key=_urgency))[:limit]
    _note_asked(tx, [one.intent for one in claimed if one.rises])
    return claimed


def _one_rise_for_each_item(tx: Transaction, due: Sequence[Claimed]) -> list[Claimed]:
    """Without listings that would rise by units that are dealt out, and that another one rises by, too.

    Each was computed as if it rose alone. What is left out is claimed in the next round, which knows of the first.
    """
    rising = [one for one in due if one.scarce and one.rises]
    if len(rising) < 2:
        return list(due)
    recipes = reading.find_recipes(tx, {one.stocked.item_id for one in rising})
    taken: set[Stocked] = set()
    later: set[int] = set()
    for one in rising:
        units = {part.stocked for part in recipes.get(one.stocked.item_id, ())} or {one.stocked}
        if units & taken:
            later.add(one.intent.listing_id)
        else:
            taken |= units
    return [one for one in due if one.intent.listing_id not in later]


def _due(tx: Transaction, store_id: int, known_until: datetime | None, limit: int) -> list[Claimed]:
    """The stale listings that have waited longest, with some to choose from; those of sold-out items before all."""
    source = """SELECT l.*, d.revision, d.heard_at, d.heard_own_ms, d.stale_since, d.tryable_since, d.tries
        FROM push_due d CROSS JOIN LATERAL (
            SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = d.listing_id
              AND item_id IS NOT NULL AND untracked_reason = '' AND quarantine_reason = '' OFFSET 0) l
        WHERE d.merchant_id = :merchant_id AND d.store_id = :store_id AND (d.not_before IS NULL OR d.not_before <= :now)
        ORDER BY (SELECT coalesce(sum(free), 0) FROM sales_balance WHERE merchant_id = :merchant_id
            AND item_id = l.item_id AND grade = l.grade) > 0, d.stale_since, d.listing_id LIMIT :window"""
    due = facts.read_with_marks(tx, source, store_id=store_id, window=_WINDOW * limit)
    return [_claimed(tx, row, told, known_until) for row, told in due]


def _claimed(tx: Transaction, row: Any, told: Facts, known_until: datetime | None) -> Claimed:
    target = number_to_write(told)
    wanted = affordable(told, target, row.believed)
    intent = PushIntent(
        listing_id=row.id,
        external_id=row.external_id,
        believed=row.believed,
        wanted=wanted,
        idempotency_key=f"holdfast-{tx.merchant_id}-{row.id}-{tx.new_id()}",
        last_observed=row.observed,
        last_observed_at=row.observed_at,
        orders_known_until=known_until,
    )
    return Claimed(
        intent, Stocked(row.item_id, row.grade), row.revision, row.heard_at, row.heard_own_ms, row.stale_since,
        row.tryable_since, row.tries, told,
        scarce=not told.deep, short=wanted < target,
    )  # fmt: skip


def _note_asked(tx: Transaction, intents: Sequence[PushIntent]) -> None:
    """From now until it is settled, a store may show the higher number: nobody else may count on those units."""
    if intents:
        in_order = sorted(intents, key=lambda intent: intent.listing_id)
        tx.run(
            """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title, asked)
               SELECT :merchant_id, l.id, l.store_id, l.external_id, l.sku, l.title, k.wanted
               FROM unnest(CAST(:ids AS bigint[]), CAST(:wanted AS bigint[])) k (id, wanted)
               CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id
                   FOR NO KEY UPDATE) l
               ON CONFLICT (merchant_id, id) DO UPDATE SET asked = EXCLUDED.asked""",
            ids=[intent.listing_id for intent in in_order],
            wanted=[intent.wanted for intent in in_order],
        )


def _urgency(claimed: Claimed) -> tuple[int, datetime]:
    intent = claimed.intent
    if intent.wanted == 0 and intent.believed != 0:
        return (0, claimed.stale_since)
    if claimed.rises:
        return (3, claimed.stale_since)
    return (1 if claimed.scarce else 2, claimed.stale_since)


def settle(
    tx: Transaction, store_id: int, claimed: Sequence[Claimed], outcomes: Sequence[PushOutcome], timing: Timing
) -> bool:
    """Record what became of each intent; a listing that moved meanwhile, or is unexplained, stays stale.

    Returns: True when the store's orders should be pulled now.
    """
    # By id, the order in which ``marks.stale`` takes them: two that want the same rows then never wait in a circle.
    pairs = sorted(zip(claimed, outcomes, strict=True), key=lambda pair: pair[0].intent.listing_id)
    settled = [_settled(tx, one, outcome) for one, outcome in pairs]
    unmoved = _settle_due(tx, store_id, settled)
    _settle_listings(tx, settled, unmoved)
    bulk.insert(
        tx,
        tables.push,
        ["id", "store_id", "listing_id", "believed", "wanted", "status", "shown", "observed", "observed_at",
         "orders_known_until", "reason", "heard_at", "stale_since", "claimed_at", "settled_at", "own_ms", "facts"],
        [_evidence(tx, store_id, one, outcome, timing) for one, outcome in pairs],
    )  # fmt: skip
    return any(outcome.pull_orders for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class _Settled:
    """What one outcome makes of its listing.

    ``until_known``  beyond which instant the store's orders must be known for another look to tell more; None: any poll
                     may change something.
    ``reset``        what we believe from now on; None: it moves by ``believed_by``, because orders applied while the
                     write was under way have moved it, too.
    ``observed_at``  since when the store has shown ``observed`` with nothing known to have moved it: a second read of
                     the same number keeps the first time, and a write (``moved``) forgets it.
    ``doubted``      the number that a lowering left. It is kept without a time, so that nobody takes what is believed
                     for proven before it was read again.
    ``answered``     False when the write may still take effect; its units stay spoken for.
    """

    listing_id: int
    revision: int
    done: bool
    not_before: datetime | None
    until_known: datetime | None
    shown: int | None
    observed: int | None
    observed_at: datetime | None
    moved: bool
    doubted: int | None
    reset: int | None
    believed_by: int
    quarantine: str
    answered: bool


def _settled(tx: Transaction, one: Claimed, outcome: PushOutcome) -> _Settled:
    intent = one.intent
    lowered = outcome.status is PushStatus.STALE and outcome.shown is not None and outcome.shown != outcome.observed
    wrote = outcome.status in (PushStatus.APPLIED, PushStatus.EQUAL) or lowered
    done = (wrote and not outcome.pull_orders and not lowered) or outcome.status is PushStatus.PLANNED
    done = done and not one.short
    return _Settled(
        listing_id=intent.listing_id,
        revision=one.revision,
        done=done,
        not_before=None if done else tx.now + timedelta(seconds=min(backoff_s(one.tries + 1), _RECHECK_MOST_S)),
        until_known=_until_known(intent, outcome),
        shown=outcome.shown,
        observed=outcome.observed,
        observed_at=outcome.observed_at,
        moved=wrote and outcome.status is not PushStatus.EQUAL,
        doubted=outcome.shown if lowered else None,
        reset=intent.wanted if wrote and intent.believed is None else None,
        believed_by=_believed_by(intent, outcome, lowered) if wrote and intent.believed is not None else 0,
        quarantine=(outcome.reason or "refused by the store") if outcome.status is PushStatus.REFUSED else "",
        answered=outcome.status is not PushStatus.RETRY,
    )


def _until_known(intent: PushIntent, outcome: PushOutcome) -> datetime | None:
    """The read that the store's orders have to explain: the first one of the number that it showed."""
    if not outcome.pull_orders:
        return None
    if outcome.observed is not None and outcome.observed == intent.last_observed and intent.last_observed_at:
        return intent.last_observed_at
    return outcome.observed_at


def _settle_due(tx: Transaction, store_id: int, settled: Sequence[_Settled]) -> set[int]:
    """Drop what is done; returns the listings that nobody has marked since they were claimed.

    A row that was marked meanwhile is due at once, as its marking left it.
    """
    rows = tx.run(
        """WITH held AS (
               SELECT d.*, k.done, k.not_before AS next_at, k.until_known AS next_known,
                   d.revision = k.revision AS unmoved
               FROM unnest(CAST(:listing_id AS bigint[]), CAST(:revision AS bigint[]), CAST(:done AS boolean[]),
                   CAST(:not_before AS timestamptz[]), CAST(:until_known AS timestamptz[]))
                   k (listing_id, revision, done, not_before, until_known)
               CROSS JOIN LATERAL (SELECT * FROM push_due WHERE merchant_id = :merchant_id
                   AND store_id = :store_id AND listing_id = k.listing_id FOR NO KEY UPDATE) d
           ), gone AS (
               DELETE FROM push_due WHERE merchant_id = :merchant_id AND store_id = :store_id
                 AND listing_id = ANY(ARRAY(SELECT listing_id FROM held WHERE done AND unmoved))
           ), kept AS (
               INSERT INTO push_due (merchant_id, store_id, listing_id, revision, stale_since, tryable_since,
                   not_before, until_known, tries, heard_at, heard_own_ms)
               SELECT merchant_id, store_id, listing_id, revision, stale_since,
                   CASE WHEN unmoved THEN next_at ELSE tryable_since END, CASE WHEN unmoved THEN next_at END,
                   CASE WHEN unmoved THEN next_known END, CASE WHEN done THEN 0 ELSE tries + 1 END,
                   heard_at, heard_own_ms
               FROM held WHERE NOT (done AND unmoved)
               ON CONFLICT (merchant_id, store_id, listing_id) DO UPDATE SET tryable_since = EXCLUDED.tryable_since,
                   not_before = EXCLUDED.not_before, until_known = EXCLUDED.until_known, tries = EXCLUDED.tries
           )
           SELECT listing_id FROM held WHERE unmoved""",
        store_id=store_id,
        **_columns(settled, "listing_id", "revision", "done", "not_before", "until_known"),
    )
    return set(rows.scalars())


def _settle_listings(tx: Transaction, settled: Sequence[_Settled], unmoved: set[int]) -> None:
    """Write down what each store shows now, and what we believe of it. Put back by key, as ``marks`` does."""
    tx.run(
        """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title, believed, asked, published,
               published_at, observed, observed_at, proven_equal_at, quarantine_reason)
           SELECT :merchant_id, l.id, l.store_id, l.external_id, l.sku, l.title,
               coalesce(k.reset, l.believed) + k.believed_by, CASE WHEN NOT k.answered THEN l.asked END,
               coalesce(k.shown, l.published), CASE WHEN k.shown IS NULL THEN l.published_at ELSE :now END,
               CASE WHEN k.moved THEN k.doubted ELSE coalesce(k.observed, l.observed) END,
               CASE WHEN k.moved THEN NULL WHEN k.observed IS NULL THEN l.observed_at
                   WHEN k.observed = l.observed AND l.observed_at IS NOT NULL THEN l.observed_at
                   ELSE k.observed_at END,
               CASE WHEN k.proven THEN :now ELSE l.proven_equal_at END, k.quarantine
           FROM unnest(CAST(:listing_id AS bigint[]), CAST(:shown AS bigint[]), CAST(:observed AS bigint[]),
               CAST(:observed_at AS timestamptz[]), CAST(:moved AS boolean[]), CAST(:doubted AS bigint[]),
               CAST(:reset AS bigint[]), CAST(:believed_by AS bigint[]), CAST(:quarantine AS text[]),
               CAST(:proven AS boolean[]), CAST(:answered AS boolean[]))
               k (id, shown, observed, observed_at, moved, doubted, reset, believed_by, quarantine, proven, answered)
           CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id
               FOR NO KEY UPDATE) l
           ON CONFLICT (merchant_id, id) DO UPDATE SET believed = EXCLUDED.believed, asked = EXCLUDED.asked,
               published = EXCLUDED.published, published_at = EXCLUDED.published_at, observed = EXCLUDED.observed,
               observed_at = EXCLUDED.observed_at,
               proven_equal_at = EXCLUDED.proven_equal_at, quarantine_reason = EXCLUDED.quarantine_reason""",
        proven=[one.done and one.shown is not None and one.listing_id in unmoved for one in settled],
        **_columns(settled, "listing_id", "shown", "observed", "observed_at", "moved", "doubted", "reset",
                   "believed_by", "quarantine", "answered"),
    )  # fmt: skip


def _columns(settled: Sequence[_Settled], *names: str) -> dict[str, list[Any]]:
    return {name: [getattr(one, name) for one in settled] for name in names}


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
        one.stale_since, timing.claimed_at, tx.now, own_ms, push_facts.pack(one.facts, intent.wanted),
    )  # fmt: skip


def stale_left(tx: Transaction, store_id: int) -> datetime | None:
    """When the store's next stale listing may be tried; None when none is left."""
    at: datetime | None = tx.run(
        """SELECT coalesce(d.not_before, :now) FROM (SELECT listing_id, not_before FROM push_due
               WHERE merchant_id = :merchant_id AND store_id = :store_id ORDER BY not_before NULLS FIRST OFFSET 0) d
           CROSS JOIN LATERAL (SELECT FROM listing WHERE merchant_id = :merchant_id AND id = d.listing_id
               AND item_id IS NOT NULL AND untracked_reason = '' AND quarantine_reason = '' OFFSET 0) l LIMIT 1""",
        store_id=store_id,
    ).scalar_one_or_none()
    return at


def mark_wrong(tx: Transaction, store_id: int) -> int:
    """Mark the listings of a store that are not believed to show the number they should; returns how many.

    One that is owed a number anyhow is marked, too: a push under way may write what was right when it was claimed.
    """
    source = """SELECT l.*, EXISTS (SELECT FROM push_due WHERE merchant_id = :merchant_id AND store_id = :store_id
            AND listing_id = l.id) AS owed
        FROM listing l WHERE merchant_id = :merchant_id AND store_id = :store_id
          AND item_id IS NOT NULL AND untracked_reason = ''"""
    rows = facts.read(tx, source, store_id=store_id)
    wrong = [row.id for row, told in rows if row.believed != number_to_write(told)]
    marks.stale(tx, (), {*wrong, *(row.id for row, _ in rows if row.owed)}, ())
    return len(wrong)

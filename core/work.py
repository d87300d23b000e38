"""What wants doing: (topic, store, subject) rows, claimed as leases and settled. The database remembers, jobs do.

A row that is wanted again while somebody works on it gets a higher revision, so settling the older one leaves it open.
What fails for good stays as a dead letter with its reason and can be replayed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, text

from core.transaction import Transaction

CHANNEL = "holdfast_work"
MAX_TRIES = 12
_RELAY_LOOKS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Want:
    """``store_id`` is 0 where no store is meant; ``due_at`` None means now."""

    topic: str
    store_id: int
    subject: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed row; ``lease`` proves who holds it, ``revision`` what was wanted when it was claimed."""

    topic: str
    store_id: int
    subject: str
    revision: int
    lease: int
    tries: int
    heard_at: datetime
    due_at: datetime


def want(tx: Transaction, wants: Iterable[Want]) -> None:
    """Ask for work once more, whether or not it is already asked for; wakes the relay when this commits."""
    unique = sorted({(w.topic, w.store_id, w.subject): w for w in wants}.items())
    if not unique:
        return
    rows = [w for _, w in unique]
    tx.run(
        """INSERT INTO work AS w (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason)
           SELECT :merchant_id, k.topic, k.store_id, k.subject, 1, :now, coalesce(k.due_at, :now), 0, ''
           FROM unnest(CAST(:topics AS text[]), CAST(:stores AS bigint[]), CAST(:subjects AS text[]),
               CAST(:due AS timestamptz[])) WITH ORDINALITY k (topic, store_id, subject, due_at, nth) ORDER BY nth
           ON CONFLICT (merchant_id, topic, store_id, subject) DO UPDATE SET
               revision = w.revision + 1,
               -- a look planned for later is news only now; what was put off or failed is still owed since then
               heard_at = CASE WHEN w.due_at > :now AND w.tries = 0 AND w.reason = '' THEN :now ELSE w.heard_at END,
               due_at = CASE WHEN w.dead_at IS NOT NULL THEN EXCLUDED.due_at
                   WHEN w.reason <> '' AND w.due_at > :now THEN w.due_at  -- a store asked for this wait
                   ELSE least(w.due_at, EXCLUDED.due_at) END,
               sent_until = CASE WHEN EXCLUDED.due_at <= :now AND w.due_at > :now AND w.reason = '' THEN NULL
                   ELSE w.sent_until END,
               tries = CASE WHEN w.dead_at IS NULL THEN w.tries ELSE 0 END, dead_at = NULL""",
        topics=[w.topic for w in rows],
        stores=[w.store_id for w in rows],
        subjects=[w.subject for w in rows],
        due=[w.due_at for w in rows],
    )
    tx.run(f"SELECT pg_notify('{CHANNEL}', '')")


def claim(tx: Transaction, topic: str, store_id: int, *, limit: int, lease_s: float) -> list[Lease]:
    """Lease the rows of one topic and store that are due, the longest due first.

    Rows that others hold at this moment are passed over when there are others to take, else waited for: who wants a
    row again holds it too, and a claim that passed over the only row would leave it until its message is sent again.
    ``lease_s`` must be longer than the job's time limit, which is longer than any HTTP time-out in it.
    """
    lease = tx.run("SELECT nextval('lease')").scalar_one()
    values = {
        "topic": topic,
        "store_id": store_id,
        "limit": limit,
        "lease": lease,
        "holder": tx.holder,
        "until": tx.now + timedelta(seconds=lease_s),
    }
    rows = (
        tx.run(_CLAIM.format(locked="SKIP LOCKED"), **values).all() or tx.run(_CLAIM.format(locked=""), **values).all()
    )
    return [
        Lease(topic, store_id, row.subject, row.revision, lease, row.tries, row.heard_at, row.due_at)
        for row in sorted(rows, key=lambda row: (row.due_at, row.subject))
    ]


_CLAIM = """
    WITH due AS (
        SELECT subject FROM work WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = :store_id
          AND dead_at IS NULL AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
        ORDER BY due_at, subject LIMIT :limit FOR NO KEY UPDATE {locked}
    )
    UPDATE work w SET lease = :lease, leased_until = :until, holder = :holder, tries = w.tries + 1, sent_until = NULL
    WHERE w.merchant_id = :merchant_id AND w.topic = :topic AND w.store_id = :store_id
      AND w.subject = ANY(ARRAY(SELECT subject FROM due))
    RETURNING w.subject, w.revision, w.tries, w.heard_at, w.due_at
"""


def settle(tx: Transaction, leases: Sequence[Lease]) -> None:
    """The work is done: forget rows that nobody has wanted again meanwhile, and free the others to be done again."""
    again = 0
    for (topic, store_id), group in groupby(_in_order(leases), key=lambda lease: (lease.topic, lease.store_id)):
        held = list(group)
        again += tx.run(
            _SETTLE,
            topic=topic,
            store_id=store_id,
            subjects=[k.subject for k in held],
            revisions=[k.revision for k in held],
            leases=[k.lease for k in held],
        ).rowcount
    if again:  # commits that notify wait for each other, so none does without need
        tx.run(f"SELECT pg_notify('{CHANNEL}', '')")


_SETTLE = """
    WITH mine AS (
        SELECT w.subject, w.revision = k.revision AS done
        FROM unnest(CAST(:subjects AS text[]), CAST(:revisions AS bigint[]), CAST(:leases AS bigint[]))
            k (subject, revision, lease)
        CROSS JOIN LATERAL (SELECT * FROM work WHERE merchant_id = :merchant_id AND topic = :topic
            AND store_id = :store_id AND subject = k.subject AND lease = k.lease FOR NO KEY UPDATE) w
    ), gone AS (
        DELETE FROM work WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = :store_id
          AND subject = ANY(ARRAY(SELECT subject FROM mine WHERE done))
    )
    UPDATE work SET lease = NULL, leased_until = NULL, sent_until = NULL, tries = 0, reason = '', due_at = :now
    WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = :store_id
      AND subject = ANY(ARRAY(SELECT subject FROM mine WHERE NOT done))
"""


def postpone(
    tx: Transaction,
    leases: Sequence[Lease],
    *,
    delay_s: float,
    reason: str,
    counts: bool = True,
    may_die: bool = True,
) -> None:
    """Give rows back to be done later. A wait that the store asked for does not count as a try.

    After MAX_TRIES a row that ``may_die`` becomes a dead letter: it stays, with its reason, until somebody replays or
    wants it again.
    """
    postpone_each(tx, [Wait(lease, delay_s, reason) for lease in leases], counts=counts, may_die=may_die)


class Wait(NamedTuple):
    """A row that is put off, for how long and why."""

    lease: Lease
    delay_s: float
    reason: str


def postpone_each(tx: Transaction, waits: Sequence[Wait], *, counts: bool = True, may_die: bool = True) -> None:
    """The same, each row for a time and a reason of its own.

    A row that is put off without a reason, and was wanted again meanwhile, is due at once: who put it off did not know.
    """
    if not waits:
        return
    held = sorted(waits, key=lambda wait: _place(wait.lease))
    # Put back by key: an UPDATE that joins the rows may read the whole table for a few of them.
    due = tx.run(
        """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason, dead_at)
           SELECT :merchant_id, w.topic, w.store_id, w.subject, w.revision, w.heard_at,
               CASE WHEN k.reason = '' AND w.revision > k.revision THEN :now ELSE k.due_at END,
               CASE WHEN :counts THEN w.tries ELSE w.tries - 1 END, k.reason,
               CASE WHEN :may_die AND :counts AND w.tries >= :most THEN :now END
           FROM unnest(CAST(:topics AS text[]), CAST(:stores AS bigint[]), CAST(:subjects AS text[]),
               CAST(:revisions AS bigint[]), CAST(:leases AS bigint[]), CAST(:due AS timestamptz[]),
               CAST(:reasons AS text[])) k (topic, store_id, subject, revision, lease, due_at, reason)
           CROSS JOIN LATERAL (SELECT * FROM work WHERE merchant_id = :merchant_id AND topic = k.topic
               AND store_id = k.store_id AND subject = k.subject AND lease = k.lease FOR NO KEY UPDATE) w
           ON CONFLICT (merchant_id, topic, store_id, subject) DO UPDATE SET lease = NULL, leased_until = NULL,
               sent_until = NULL, due_at = EXCLUDED.due_at, tries = EXCLUDED.tries, reason = EXCLUDED.reason,
               dead_at = EXCLUDED.dead_at
           RETURNING due_at""",
        topics=[k.lease.topic for k in held],
        stores=[k.lease.store_id for k in held],
        subjects=[k.lease.subject for k in held],
        revisions=[k.lease.revision for k in held],
        leases=[k.lease.lease for k in held],
        due=[tx.now + timedelta(seconds=k.delay_s) for k in held],
        reasons=[k.reason[:500] for k in held],
        counts=counts,
        may_die=may_die,
        most=MAX_TRIES,
    ).scalars()
    if any(at < tx.now + timedelta(seconds=_RELAY_LOOKS_EVERY_S) for at in due):
        tx.run(f"SELECT pg_notify('{CHANNEL}', '')")


def _in_order(leases: Sequence[Lease]) -> list[Lease]:
    """As ``want`` takes the rows, so that nobody waits in a circle."""
    return sorted(leases, key=_place)


def _place(lease: Lease) -> tuple[str, int, str]:
    return lease.topic, lease.store_id, lease.subject


def give_back(tx: Transaction, leases: Sequence[Lease]) -> None:
    """Free claimed rows as if they had never been claimed: what went wrong was not their fault."""
    postpone(tx, leases, delay_s=0, reason="", counts=False)


def free_leases_of(connection: Connection, holder: str) -> int:
    """Free what a dead process of this name had claimed, for all merchants; returns how many rows."""
    freed = connection.execute(text("SELECT free_leases_of(:holder)"), {"holder": holder}).scalar_one()
    connection.execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))
    return int(freed)


def replay(tx: Transaction, topic: str | None = None) -> int:
    """Bring dead letters back to life; returns how many."""
    count = tx.run(
        """UPDATE work SET dead_at = NULL, tries = 0, due_at = :now, sent_until = NULL
           WHERE merchant_id = :merchant_id AND dead_at IS NOT NULL
             AND (CAST(:topic AS text) IS NULL OR topic = :topic)""",
        topic=topic,
    ).rowcount
    tx.run(f"SELECT pg_notify('{CHANNEL}', '')")
    return int(count)

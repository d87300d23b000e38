"""Connected stores: their mode, their troubles, and how far their orders are known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core import work
from core.errors import NotFound, Refused
from core.model import Deduct, OrderChange, Platform, StoreMode
from core.schedule import next_run
from core.transaction import Transaction

OVERLAP_S = 15
_FIRST_DUE = timedelta(seconds=60)
_POLL_MARKS = 60
# Tries that fail follow each other more closely than that; beyond it nobody was there to try.
_LONGEST_PAUSE_S = 600
_PULL_GAP = timedelta(milliseconds=500)
DEFAULT_SCHEDULE = {"full_sync": "15 3 * * *", "hooks": "every 3600"}


@dataclass(frozen=True, slots=True)
class StoreRow:
    """One connected store; ``credentials`` are still encrypted."""

    id: int
    name: str
    platform: Platform
    url: str
    mode: StoreMode
    paused: bool
    credentials: bytes
    settings: Mapping[str, str]
    trouble: str
    trouble_since: datetime | None
    last_webhook_at: datetime | None
    last_poll_at: datetime | None
    polled_until: datetime | None
    orders_known_until: datetime | None
    opened_at: datetime | None
    blind: bool
    deduct: Deduct

    @property
    def reads(self) -> bool:
        return self.mode is not StoreMode.OFF

    @property
    def writes(self) -> bool:
        return self.mode is StoreMode.LIVE and not self.paused


_COLUMNS = """id, name, platform, url, mode, paused, credentials, settings, trouble, trouble_since, last_webhook_at,
    last_poll_at, polled_until, orders_known_until, opened_at, blind,
    deduct"""


def _row(row: Any) -> StoreRow:
    values = dict(row._mapping)
    values |= {"platform": Platform(row.platform), "mode": StoreMode(row.mode), "credentials": bytes(row.credentials)}
    values["deduct"] = Deduct(row.deduct or Deduct.RESERVE_THEN_DEDUCT)
    return StoreRow(**values)


def add(
    tx: Transaction, *, name: str, platform: Platform, url: str, credentials: bytes, settings: Mapping[str, str]
) -> int:
    """Record a store whose credentials were just tested; it starts in observe.

    A store of that name whose connection broke off half-way is taken up again. Raises: Refused for a name in use.
    """
    row = tx.run(
        """SELECT s.id, EXISTS (SELECT FROM schedule c
               WHERE c.merchant_id = s.merchant_id AND c.store_id = s.id) AS started
           FROM store s WHERE s.merchant_id = :merchant_id AND s.name = :name""",
        name=name,
    ).one_or_none()
    if row is not None and row.started:
        raise Refused(f"there is a store named {name} already; choose another name")
    store_id = row.id if row is not None else tx.new_id()
    tx.run(
        """INSERT INTO store (merchant_id, id, name, platform, url, mode, credentials, settings, created_at)
           VALUES (:merchant_id, :id, :name, :platform, :url, 'observe', :credentials, CAST(:settings AS jsonb), :now)
           ON CONFLICT (merchant_id, id) DO UPDATE SET platform = EXCLUDED.platform, url = EXCLUDED.url,
               credentials = EXCLUDED.credentials, settings = EXCLUDED.settings""",
        id=store_id,
        name=name,
        platform=platform,
        url=url,
        credentials=credentials,
        settings=json.dumps(dict(settings)),
    )
    return int(store_id)


def start(tx: Transaction, store_id: int, *, poll_s: float) -> None:
    """Poll (each ``poll_s`` seconds) and sync a store whose catalogue was imported; see to its webhooks at once."""
    set_schedules(tx, store_id, {"poll": f"every {poll_s:g}", **DEFAULT_SCHEDULE})
    work.want(tx, [work.Want("hooks", store_id, "")])


def set_schedule(tx: Transaction, topic: str, store_id: int, cron: str) -> None:
    """``cron``: five fields in the merchant's time zone, or ``every N`` seconds.

    A new row is first due when its line says, but no later than a minute from now if it repeats by seconds; a changed
    one at once.
    """
    set_schedules(tx, store_id, {topic: cron})


def set_schedules(tx: Transaction, store_id: int, crons: Mapping[str, str]) -> None:
    """The same for many topics."""
    time_zone = tx.run("SELECT time_zone FROM merchant WHERE id = :merchant_id").scalar_one()
    tx.run(
        """INSERT INTO schedule (merchant_id, topic, store_id, cron, next_at, enabled)
           SELECT :merchant_id, k.topic, :store_id, k.cron, k.next_at, true
           FROM unnest(CAST(:topics AS text[]), CAST(:crons AS text[]), CAST(:due AS timestamptz[]))
               k (topic, cron, next_at)
           ON CONFLICT (merchant_id, topic, store_id) DO UPDATE SET cron = EXCLUDED.cron, next_at = :now""",
        topics=list(crons), store_id=store_id, crons=list(crons.values()),
        due=[_first_due(tx, cron, time_zone) for cron in crons.values()],
    )  # fmt: skip


def _first_due(tx: Transaction, cron: str, time_zone: str) -> datetime:
    first = next_run(cron, tx.now, time_zone)
    return min(first, tx.now + _FIRST_DUE) if cron.startswith("every ") else first


def pull(tx: Transaction, store_id: int) -> None:
    """Poll the store soon because a push lacks evidence: at once, or half a second after its last poll."""
    last: datetime | None = tx.run(
        "SELECT last_poll_at FROM store WHERE merchant_id = :merchant_id AND id = :store_id", store_id=store_id
    ).scalar_one()
    due_at = None if last is None else max(tx.now, last + _PULL_GAP)
    work.want(tx, [work.Want("poll", store_id, "", due_at)])


def get(tx: Transaction, store_id: int) -> StoreRow:
    """Raises: NotFound."""
    row = tx.run(
        f"SELECT {_COLUMNS} FROM store WHERE merchant_id = :merchant_id AND id = :id", id=store_id
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no store {store_id}; `holdfast store list` shows them")
    return _row(row)


def find(tx: Transaction, name: str) -> StoreRow:
    """A store by its name or id. Raises: NotFound, naming the stores there are."""
    rows = every(tx)
    for row in rows:
        if name in (row.name, str(row.id)):
            return row
    raise NotFound(f"there is no store {name!r}; there are: {', '.join(r.name for r in rows) or 'none yet'}")


def every(tx: Transaction) -> list[StoreRow]:
    return [_row(row) for row in tx.run(f"SELECT {_COLUMNS} FROM store WHERE merchant_id = :merchant_id ORDER BY id")]


def set_mode(tx: Transaction, store_id: int, mode: StoreMode) -> None:
    """Change what may be done with a store; whatever waits for it is looked at again."""
    tx.run("UPDATE store SET mode = :mode WHERE merchant_id = :merchant_id AND id = :id", id=store_id, mode=mode)
    _wake(tx, [store_id])


def set_paused(tx: Transaction, store_ids: Sequence[int], paused: bool) -> None:
    """The red button: a paused store is read, and nothing is written to it."""
    tx.run(
        "UPDATE store SET paused = :paused WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))",
        ids=list(store_ids),
        paused=paused,
    )
    if not paused:
        _wake(tx, store_ids)


def _wake(tx: Transaction, store_ids: Sequence[int]) -> None:
    work.want(tx, [work.Want(topic, store_id, "") for store_id in store_ids for topic in ("push", "poll")])


def set_trouble(tx: Transaction, store_id: int, trouble: str) -> None:
    """Say what is wrong with a store and the cure; empty: it works again."""
    tx.run(
        """UPDATE store SET trouble = :trouble, trouble_since = CASE WHEN :trouble = '' THEN NULL
               ELSE coalesce(trouble_since, :now) END
           WHERE merchant_id = :merchant_id AND id = :id AND trouble <> :trouble""",
        id=store_id,
        trouble=trouble[:500],
    )


def accepted(tx: Transaction, store_id: int, topic: str) -> None:
    """The store let us do what a topic asks for; what it refuses of another one stands until that is done, too."""
    tx.run(
        """UPDATE store s SET trouble = '', trouble_since = NULL
           WHERE merchant_id = :merchant_id AND id = :id AND trouble <> '' AND NOT EXISTS (
               SELECT FROM work WHERE merchant_id = :merchant_id AND store_id = :id AND topic <> :topic
                 AND reason = s.trouble OFFSET 0)""",
        id=store_id,
        topic=topic,
    )


def set_settings(tx: Transaction, store_id: int, settings: Mapping[str, str]) -> None:
    tx.run(
        "UPDATE store SET settings = CAST(:settings AS jsonb) WHERE merchant_id = :merchant_id AND id = :id",
        id=store_id,
        settings=json.dumps(dict(settings)),
    )


def set_credentials(tx: Transaction, store_id: int, credentials: bytes, settings: Mapping[str, str]) -> None:
    """Replace a store's credentials with others that were just tested; what was wrong with it is forgotten."""
    tx.run(
        "UPDATE store SET credentials = :credentials WHERE merchant_id = :merchant_id AND id = :id",
        id=store_id,
        credentials=credentials,
    )
    set_settings(tx, store_id, settings)
    set_trouble(tx, store_id, "")
    work.want(tx, [work.Want(topic, store_id, "") for topic in ("poll", "hooks", "push")])


def opened(tx: Transaction, store_id: int, read_at: datetime) -> None:
    """The store's numbers were read for the first time, by its clock at ``read_at``; orders are polled from there."""
    tx.run(
        """UPDATE store SET opened_at = :read_at, polled_until = :read_at
           WHERE merchant_id = :merchant_id AND id = :id AND opened_at IS NULL""",
        id=store_id,
        read_at=read_at,
    )


def heard(tx: Transaction, store_id: int) -> None:
    """A webhook of this store arrived; noted to the second, so that a burst does not write one row over and over."""
    tx.run(
        """UPDATE store SET last_webhook_at = :now WHERE merchant_id = :merchant_id AND id = :id
             AND (last_webhook_at IS NULL OR last_webhook_at < :before)""",
        id=store_id,
        before=tx.now - timedelta(seconds=1),
    )


def blind(tx: Transaction, store_ids: Sequence[int]) -> None:
    """We were away: what these stores tried to tell us is lost. Poll them before any of their numbers rises."""
    tx.run(
        "UPDATE store SET blind = true WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))",
        ids=list(store_ids),
    )
    work.want(tx, [work.Want(topic, store_id, "") for store_id in store_ids for topic in ("poll", "hooks")])


def poll_from(store: StoreRow, now: datetime) -> datetime:
    """The watermark of the next poll: where the last one ended, stepped back so that nothing falls between."""
    return (store.polled_until or store.opened_at or now) - timedelta(seconds=OVERLAP_S)


def needs_fetch(tx: Transaction, store_id: int, changes: Sequence[OrderChange]) -> list[str]:
    """Which of these orders have a state that we have not applied."""
    rows = tx.run(
        """SELECT k.external_id FROM unnest(CAST(:ids AS text[]), CAST(:versions AS text[])) k (external_id, version)
           LEFT JOIN LATERAL (SELECT version FROM store_order WHERE merchant_id = :merchant_id
               AND store_id = :store_id AND external_id = k.external_id OFFSET 0) o ON true
           WHERE o.version IS DISTINCT FROM k.version""",
        store_id=store_id,
        ids=[change.external_id for change in changes],
        versions=[change.version for change in changes],
    )
    return list(rows.scalars())


def polled(tx: Transaction, store_id: int, read_at: datetime) -> None:
    """A run of pages is complete: all changes up to ``read_at`` (the store's clock) are applied, or stand as work.

    Listings whose wait this ends are pushed.
    """
    tx.run(
        """UPDATE store SET last_poll_at = :now, polled_until = greatest(polled_until, :read_at), blind = false,
               unread_s = 0, unread_at = NULL, poll_marks = (SELECT jsonb_agg(m.mark ORDER BY m.nth) FROM (
                   SELECT mark, nth
                   FROM jsonb_array_elements(poll_marks || CAST(:mark AS jsonb)) WITH ORDINALITY e (mark, nth)
                   ORDER BY nth DESC LIMIT :most) m)
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=store_id,
        read_at=read_at,
        mark=json.dumps([[tx.now.isoformat(), read_at.isoformat()]]),
        most=_POLL_MARKS,
    )
    known = orders_known_until(tx, store_id)
    tx.run(
        "UPDATE store SET orders_known_until = :known WHERE merchant_id = :merchant_id AND id = :id",
        id=store_id,
        known=known,
    )
    if _end_waits(tx, store_id, known):
        work.want(tx, [work.Want("push", store_id, "")])


def unread(tx: Transaction, store_id: int) -> None:
    """A try to read its orders failed. Time in which nobody tried, as we were away, is not the store's."""
    tx.run(
        """UPDATE store SET unread_at = :now, unread_s = unread_s + greatest(0,
               least(:most, extract(epoch FROM CAST(:now AS timestamptz) - coalesce(unread_at, :now))))
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=store_id,
        most=_LONGEST_PAUSE_S,
    )


def orders_known_until(tx: Transaction, store_id: int) -> datetime | None:
    """The store's time up to which all its orders are applied; None while we are blind to it.

    A poll is done when every order row that was wanted before it is gone. Under load some row is always open, so the
    newest poll older than the oldest open row counts. A row that only waits for its time (an order to be looked at
    again) is not open. Writes nothing: who claims pushes may hold rows that others want after the store's.
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
    marks = [(datetime.fromisoformat(at), datetime.fromisoformat(until)) for at, until in row.poll_marks]
    done = [until for at, until in marks if row.oldest is None or at < row.oldest]
    return max([*done, *([row.known] if row.known else [])], default=None)


def _end_waits(tx: Transaction, store_id: int, known: datetime | None) -> int:
    """Listings that waited for what is known now may be tried at once; returns how many.

    Orders known up to the very instant of a read do not explain it, so those that wait for it wait on.
    """
    ended: int = tx.run(
        """WITH held AS (SELECT listing_id FROM push_due WHERE merchant_id = :merchant_id AND store_id = :id
               AND not_before > :now AND (until_known IS NULL OR until_known < CAST(:known AS timestamptz))
               ORDER BY listing_id FOR NO KEY UPDATE)
           UPDATE push_due SET not_before = NULL, until_known = NULL, tryable_since = :now
           WHERE merchant_id = :merchant_id AND store_id = :id
             AND listing_id = ANY(ARRAY(SELECT listing_id FROM held))""",
        id=store_id,
        known=known,
    ).rowcount
    return ended

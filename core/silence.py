"""Stores that refuse us, and stores whose orders cannot be read: what doctor, alerts and mails tell of them alike."""

from dataclasses import dataclass
from datetime import datetime

from core.alerts.kinds import AlertKind
from core.alerts.rules import level_of
from core.transaction import Transaction

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Silence:
    """A store that refuses our credentials, or whose orders could not be read the last time we tried.

    ``trouble``  what it said, or what kept us from asking.
    ``since``    since when it refuses us; else when its orders were last read, or the store was connected.
    ``unread_s`` seconds over which tries to read its orders have failed; time in which nobody tried is none of them.
    """

    store_id: int
    store: str
    refuses: bool
    trouble: str
    since: datetime
    unread_s: int


def every(tx: Transaction) -> list[Silence]:
    """Of all stores that are not off; orders of paused ones are read, too. A refusal is told without the silence."""
    rows = tx.run(
        """SELECT s.id, s.name, s.trouble <> '', coalesce(nullif(s.trouble, ''), w.reason, ''),
               coalesce(s.trouble_since, s.last_poll_at, s.created_at), s.unread_s
           FROM store s LEFT JOIN work w ON w.merchant_id = :merchant_id AND w.topic = 'poll' AND w.store_id = s.id
               AND w.subject = ''
           WHERE s.merchant_id = :merchant_id AND s.mode <> 'off' AND (s.trouble <> '' OR s.unread_at IS NOT NULL)
           ORDER BY s.id"""
    )
    return [Silence(*row) for row in rows]


def overdue(tx: Transaction) -> list[Silence]:
    """Those that somebody is warned of: that refuse, or were silent for longer than the rule of the merchant allows."""
    hours = level_of(tx, AlertKind.STORE_SILENT)
    return [one for one in every(tx) if one.refuses or (hours is not None and one.unread_s >= hours * _HOUR_S)]

"""What there is to say of locks: they end soon, lie idle, or are used up."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from core.alerts.kinds import KINDS, AlertKind
from core.alerts.lifecycle import Ending, NewAlert
from core.transaction import Transaction

LOCK_KINDS = (AlertKind.LOCK_EXPIRING, AlertKind.LOCK_USED_UP, AlertKind.LOCK_IDLE)
_DAY = timedelta(days=1)


class Lock(NamedTuple):
    """A lock that has begun. ``free``: units of it that nobody has drawn; ``waiting``: those it still wants.

    ``moved_at``: when units last entered or left it; None: none ever did. ``standing``: a floor, which is to lie there.
    """

    id: int
    key: str
    item_id: int
    quantity: int
    waiting: int
    free: int
    begun_at: datetime
    expires_at: datetime | None
    moved_at: datetime | None
    standing: bool


def warnings(lock: Lock, days: Mapping[AlertKind, int | None], now: datetime) -> Iterator[AlertKind]:
    """What to say of a lock now. Pure.

    A lock ends soon when ``days`` are left of it, but not before the last quarter of its time: of a short lock all of
    it would be the end.

    Args: days: the level of each kind, 0 where it has none; a kind that is not wanted has None.
    """
    left, idle = days.get(AlertKind.LOCK_EXPIRING), days.get(AlertKind.LOCK_IDLE)
    if left is not None and lock.expires_at is not None:
        whole = lock.expires_at - lock.begun_at
        if lock.expires_at - now <= min(left * _DAY, whole / 4):
            yield AlertKind.LOCK_EXPIRING
    if lock.moved_at is None or lock.waiting or lock.standing:
        return
    if not lock.free and days.get(AlertKind.LOCK_USED_UP) is not None:
        yield AlertKind.LOCK_USED_UP
    if lock.free and idle is not None and now - lock.moved_at >= idle * _DAY:
        yield AlertKind.LOCK_IDLE


def look(tx: Transaction) -> tuple[list[NewAlert], list[Ending]]:
    """What was not told of locks yet, and what was told and is over."""
    levels, told = _levels(tx), _told(tx)
    found = {
        (kind, str(lock.id)): lock
        for lock in _begun(tx)
        for kind in warnings(lock, {kind: _level(levels, kind, lock.item_id) for kind in LOCK_KINDS}, tx.now)
    }
    opened = [NewAlert(kind, subject, _facts(kind, lock), lock.item_id) for (kind, subject), lock in found.items()]
    ended = [Ending(kind, subject, {}) for kind, subject in told if (kind, subject) not in found]
    return [one for one in opened if (one.kind, one.subject) not in told], ended


def _levels(tx: Transaction) -> Mapping[tuple[str, int], int | None]:
    """Levels that somebody has set, by kind and item (0: every item)."""
    rows = tx.run(
        """SELECT kind, item_id, level FROM alert_rule
           WHERE merchant_id = :merchant_id AND kind = ANY(CAST(:kinds AS text[]))""",
        kinds=list(LOCK_KINDS),
    )
    return {(row.kind, row.item_id): row.level for row in rows}


def _level(levels: Mapping[tuple[str, int], int | None], kind: AlertKind, item_id: int) -> int | None:
    for of in (item_id, 0):
        if (kind, of) in levels:
            return levels[kind, of]
    return KINDS[kind].unset or 0


def _begun(tx: Transaction) -> list[Lock]:
    rows = tx.run(
        """SELECT l.id, l.key, l.item_id, l.quantity, l.waiting, coalesce(b.free, 0) AS free,
               coalesce(l.starts_at, l.decided_at, l.requested_at) AS begun_at, l.expires_at, l.moved_at, l.standing
           FROM lock l LEFT JOIN LATERAL (SELECT free FROM sales_balance WHERE merchant_id = :merchant_id
               AND item_id = l.item_id AND grade = l.grade AND pool_id = l.id OFFSET 0) b ON true
           WHERE l.merchant_id = :merchant_id AND l.status = 'active'"""
    )
    return [Lock(*row) for row in rows]


def _told(tx: Transaction) -> set[tuple[AlertKind, str]]:
    rows = tx.run(
        """SELECT kind, subject FROM alert
           WHERE merchant_id = :merchant_id AND kind = ANY(CAST(:kinds AS text[])) AND closed_at IS NULL""",
        kinds=list(LOCK_KINDS),
    )
    return {(AlertKind(row.kind), row.subject) for row in rows}


def _facts(kind: AlertKind, lock: Lock) -> dict[str, object]:
    facts: dict[str, object] = {"lock": lock.key, "quantity": lock.quantity, "free": lock.free}
    at: Any = lock.expires_at if kind is AlertKind.LOCK_EXPIRING else lock.moved_at
    name = "expires_at" if kind is AlertKind.LOCK_EXPIRING else "moved_at"
    return facts if at is None else {**facts, name: at.isoformat()}

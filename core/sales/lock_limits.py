"""What each requester may lock at most: kept, and read for the acts that must keep to it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core.errors import NotFound, Refused
from core.sales.lock_terms import LockLimit
from core.stock import Stocked
from core.transaction import Transaction

EVERYBODY = ""


class Bounds(NamedTuple):
    """What acts on a lock are told of its requester: the limit, and keys of locks that have not begun."""

    limit: LockLimit | None
    siblings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitView:
    """``requester``: as documents name an actor; empty: everybody who has no limit of their own."""

    requester: str
    limit: LockLimit
    changed_at: datetime
    changed_by: str


def limit_of(tx: Transaction, requester: str) -> LockLimit | None:
    """The limit of one requester, or that of everybody; None where there is none."""
    row = tx.run(
        """SELECT most_units, most_share, most_days FROM lock_limit
           WHERE merchant_id = :merchant_id AND requester IN (:requester, '') ORDER BY requester DESC LIMIT 1""",
        requester=requester,
    ).one_or_none()
    return None if row is None else LockLimit(*row)


def bounds(tx: Transaction, requester: str, stocked: Stocked) -> Bounds:
    """For a request of somebody who is no owner."""
    return bounds_of_all(tx, requester, [stocked])[stocked]


def bounds_of_all(tx: Transaction, requester: str, items: Collection[Stocked]) -> dict[Stocked, Bounds]:
    """The same for requests of several items."""
    wanted = sorted(set(items))
    rows = tx.run(
        """SELECT k.item_id, k.grade, l.key
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT key FROM lock WHERE merchant_id = :merchant_id AND item_id = k.item_id
               AND grade = k.grade AND requested_by = :requester AND status IN ('requested', 'approved') OFFSET 0) l
           ORDER BY l.key""",
        items=[one.item_id for one in wanted], grades=[one.grade for one in wanted], requester=requester,
    )  # fmt: skip
    limit, keys = limit_of(tx, requester), dict[Stocked, list[str]]()
    for row in rows:
        keys.setdefault(Stocked(row.item_id, row.grade), []).append(row.key)
    return {one: Bounds(limit, tuple(keys.get(one, ()))) for one in wanted}


def bounds_of_lock(tx: Transaction, key: str) -> Bounds:
    """For a decision on a lock, or a change of it. Raises: NotFound."""
    row = tx.run(
        "SELECT item_id, grade, requested_by FROM lock WHERE merchant_id = :merchant_id AND key = :key", key=key
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no lock {key}; `holdfast lock list` shows them")
    limit, keys = bounds(tx, row.requested_by, Stocked(row.item_id, row.grade))
    return Bounds(limit, tuple(other for other in keys if other != key))


def set_limit(tx: Transaction, requester: str, limit: LockLimit | None) -> None:
    """Give a requester a limit; with None the one of everybody holds again. Raises: Refused for a limit of nothing."""
    if limit is None:
        tx.run("DELETE FROM lock_limit WHERE merchant_id = :merchant_id AND requester = :who", who=requester)
        return
    if limit == LockLimit():
        raise Refused("name what is limited: units, share or days")
    tx.run(
        """INSERT INTO lock_limit (merchant_id, requester, most_units, most_share, most_days, changed_at, changed_by)
           VALUES (:merchant_id, :who, :units, :share, :days, :now, :actor)
           ON CONFLICT (merchant_id, requester) DO UPDATE SET most_units = EXCLUDED.most_units,
               most_share = EXCLUDED.most_share, most_days = EXCLUDED.most_days, changed_at = EXCLUDED.changed_at,
               changed_by = EXCLUDED.changed_by""",
        who=requester, units=limit.units, share=limit.share, days=limit.days, actor=tx.actor,
    )  # fmt: skip


def limits(tx: Transaction) -> Sequence[LimitView]:
    """All limits, that of everybody first."""
    rows = tx.run(
        """SELECT requester, most_units, most_share, most_days, changed_at, changed_by FROM lock_limit
           WHERE merchant_id = :merchant_id ORDER BY requester"""
    )
    return [
        LimitView(
            row.requester, LockLimit(row.most_units, row.most_share, row.most_days), row.changed_at, row.changed_by
        )
        for row in rows
    ]

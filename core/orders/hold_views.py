"""Read-only views of holds: one as a whole, and lists of those that hold units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.books import effect_key_of_hold, key_hash
from core.errors import NotFound
from core.goods import places
from core.orders.views import DocumentOfOrder, documents
from core.sales.held import RELEASED_FIRST
from core.transaction import Transaction


class HoldState(StrEnum):
    HELD = "held"  # until it runs out
    PAYING = "paying"  # a payment is under way; it does not run out
    PAID = "paid"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class HeldItem:
    """Units of one item in one pool: ``live`` are held, ``waiting`` wait; ``deducted`` ones are sold already."""

    sku: str
    grade: str
    pool: str
    wanted: int
    live: int
    waiting: int
    deducted: bool


@dataclass(frozen=True, slots=True)
class HoldView:
    """``expires_at`` None: it does not run out. ``ttl_s``: how long it lasts from its last sign of life.

    ``balance_due_at``: its deposit is paid, and the rest is owed by then; None: there is none, or all is paid.
    ``documents`` are those that came after it was made: what became of it.
    """

    key: str
    state: HoldState
    holder: str
    made_at: datetime
    expires_at: datetime | None
    ttl_s: int | None
    items: Sequence[HeldItem]
    balance_due_at: datetime | None = None
    documents: Sequence[DocumentOfOrder] = ()


def view(tx: Transaction, key: str) -> HoldView:
    """One hold with its documents, oldest first. Raises: NotFound."""
    document_id = tx.run(
        "SELECT document_id FROM effect WHERE merchant_id = :merchant_id AND key_hash = :hash",
        hash=key_hash(effect_key_of_hold(key)),
    ).one_or_none()
    if document_id is None:
        raise NotFound(f"there is no hold {key}; `holdfast reserve list` shows those that hold units")
    if document_id[0] is None:
        raise NotFound(f"hold {key} was {RELEASED_FIRST}, so it never was")
    (found,) = _views(tx, "SELECT CAST(:id AS bigint) AS order_id", id=document_id[0])
    return replace(found, documents=documents(tx, document_id[0]))


class Which(StrEnum):
    """Which holds a list shows."""

    EXPIRING = "expiring"  # those that run out, the next first
    LASTING = "lasting"  # those that are paid or being paid, the oldest first


_CHOSEN = {
    Which.EXPIRING: """SELECT order_id FROM (SELECT order_id, min(expires_at) AS ends FROM (
            SELECT order_id, expires_at FROM promise WHERE merchant_id = :merchant_id AND expires_at IS NOT NULL
              AND live + waiting > 0 ORDER BY expires_at LIMIT :rows) p GROUP BY 1 ORDER BY 2 LIMIT :limit) e""",
    Which.LASTING: """SELECT DISTINCT order_id FROM promise WHERE merchant_id = :merchant_id
        AND order_line_id IS NULL AND expires_at IS NULL AND live + waiting > 0 ORDER BY order_id LIMIT :limit""",
}
_ROWS_EACH = 20


def open_holds(tx: Transaction, which: Which, *, limit: int = 50) -> list[HoldView]:
    """Up to ``limit`` holds that still hold or wait for units."""
    found = _views(tx, _CHOSEN[which], limit=limit, rows=limit * _ROWS_EACH)
    return sorted(found, key=lambda one: (one.expires_at or one.made_at, one.key))


def _views(tx: Transaction, chosen: str, **values: object) -> list[HoldView]:
    rows: dict[int, list[Any]] = {}
    for row in tx.run(
        f"""SELECT p.*, d.effect_key, i.sku, {places.pool_name("o")} AS pool FROM ({chosen}) h
            CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND order_id = h.order_id) p
            CROSS JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id
                AND id = h.order_id AND recorded_at = p.promised_at) d
            JOIN item i ON i.merchant_id = :merchant_id AND i.id = p.item_id
            JOIN pool o ON o.merchant_id = :merchant_id AND o.id = p.pool_id ORDER BY p.order_id, p.id""",
        **values,
    ):
        rows.setdefault(row.order_id, []).append(row)
    return [_view(promises) for promises in rows.values()]


def _view(promises: Sequence[Any]) -> HoldView:
    first = next((row for row in promises if row.live + row.waiting), promises[0])
    return HoldView(
        key=first.effect_key.removeprefix(effect_key_of_hold("")),
        state=_state(first),
        holder=first.holder,
        made_at=first.promised_at,
        expires_at=first.expires_at if first.live + first.waiting else None,
        ttl_s=first.ttl_s,
        items=[
            HeldItem(row.sku, row.grade, row.pool, row.wanted, row.live, row.waiting, row.deducted) for row in promises
        ],
        balance_due_at=first.balance_due_at if first.live + first.waiting else None,
    )


def _state(promise: Any) -> HoldState:
    if not promise.live + promise.waiting:
        return HoldState.ENDED
    if promise.paid:
        return HoldState.PAID
    return HoldState.PAYING if promise.expires_at is None else HoldState.HELD

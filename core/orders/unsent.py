"""Paid units that could be sent, and that no warehouse is told to send."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.alerts.kinds import AlertKind
from core.alerts.rules import level_of
from core.transaction import Transaction

# As ``PromiseRow.to_allocate`` says it; ``promise_unsent`` is an index of these rows alone.
UNSENT = "order_line_id IS NOT NULL AND paid AND deducted AND NOT presale AND live > allocated"
# When an order's units were last made its own to be sent. That its payment alone was told leaves no document.
SINCE = """(SELECT max(recorded_at) FROM document WHERE merchant_id = :merchant_id AND order_id = k.order_id
    AND kind IN ('reservation', 'deduction', 'fill', 'migration', 'deallocation'))"""
USED_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Unsent:
    """An order, the units of it that could have been sent, and since when; ``store_id`` None: of the own shop."""

    order_id: int
    number: str
    store_id: int | None
    units: int
    since: datetime


def overdue(tx: Transaction) -> list[Unsent]:
    """Orders of which units could have been sent for longer than the rule of the merchant allows, the oldest first.

    Only of merchants whose warehouses are told here what to send: automatically, or within ``USED_WITHIN``. All paid
    orders of somebody who ships in the storefront would be here else.
    """
    hours = level_of(tx, AlertKind.UNSENT)
    if hours is None or not _is_used(tx):
        return []
    rows = tx.run(
        f"""SELECT k.order_id, coalesce(nullif(o.number, ''), o.external_id), nullif(o.store_id, 0), k.units, k.since
            FROM (SELECT k.*, {SINCE} AS since FROM (
                SELECT p.order_id, sum(p.live - p.allocated)::bigint AS units FROM promise p
                WHERE p.merchant_id = :merchant_id AND {UNSENT} AND p.promised_at <= :before AND {_THERE}
                GROUP BY 1) k) k
            CROSS JOIN LATERAL (SELECT * FROM store_order
                WHERE merchant_id = :merchant_id AND id = k.order_id OFFSET 0) o
            WHERE k.since <= :before ORDER BY k.since, k.order_id""",
        before=tx.now - timedelta(hours=hours),
    )
    return [Unsent(*row) for row in rows]


# Goods that were sold while on their way are nowhere yet. Those of a physical lock lie in its own warehouse.
_THERE = """(EXISTS (SELECT FROM dispatch_balance WHERE merchant_id = :merchant_id AND item_id = p.item_id
        AND grade = p.grade AND available > 0)
    OR EXISTS (SELECT FROM lock l JOIN dispatch_balance b ON b.merchant_id = :merchant_id AND b.item_id = p.item_id
        AND b.grade = p.grade AND b.warehouse_id = l.warehouse_id AND b.locked > 0
        WHERE l.merchant_id = :merchant_id AND l.id = p.pool_id))"""


def _is_used(tx: Transaction) -> bool:
    return bool(
        tx.run(
            """SELECT (SELECT dispatches FROM merchant WHERE id = :merchant_id) OR EXISTS (
                   SELECT FROM warehouse w CROSS JOIN LATERAL (SELECT made_at FROM fulfilment_order
                       WHERE merchant_id = :merchant_id AND warehouse_id = w.id ORDER BY made_at DESC LIMIT 1) f
                   WHERE w.merchant_id = :merchant_id AND f.made_at > :since)""",
            since=tx.now - USED_WITHIN,
        ).scalar_one()
    )

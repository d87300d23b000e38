"""Paid orders go to warehouses without anybody asking, for merchants who have switched that on."""

from collections.abc import Sequence
from datetime import timedelta

from core import work
from core.dispatch.waking import TOPIC
from core.fulfilment.acts import GiveBack
from core.rows import StoreKey
from core.transaction import Transaction

_LOOK_EVERY_S = 300
_AT_ONCE = 200


def is_on(tx: Transaction) -> bool:
    return bool(tx.run("SELECT dispatches FROM merchant WHERE id = :merchant_id").scalar_one())


def switch(tx: Transaction, on: bool) -> bool:
    """Switch it on, also for the orders that wait now, or off. Returns: False when it was so."""
    changed = tx.run(
        "UPDATE merchant SET dispatches = :on WHERE id = :merchant_id AND dispatches <> :on", on=on
    ).rowcount
    if not changed:
        return False
    tx.run(
        "DELETE FROM schedule WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = 0",
        topic=TOPIC,
    )
    if on:
        tx.run(
            """INSERT INTO schedule (merchant_id, topic, store_id, cron, next_at, enabled)
               VALUES (:merchant_id, :topic, 0, :cron, :next_at, true)""",
            topic=TOPIC,
            cron=f"every {_LOOK_EVERY_S}",
            next_at=tx.now + timedelta(seconds=_LOOK_EVERY_S),
        )
        work.want(tx, [work.Want(TOPIC, 0, str(order_id)) for order_id in that_wait(tx)])
    return True


def that_wait(tx: Transaction) -> Sequence[int]:
    """Ids of paid orders with units that no warehouse was told to send."""
    orders: Sequence[int] = (
        tx.run(
            """SELECT DISTINCT order_id FROM promise WHERE merchant_id = :merchant_id AND order_line_id IS NOT NULL
               AND paid AND deducted AND NOT presale AND live > allocated"""
        )
        .scalars()
        .all()
    )
    return orders


def to_relieve(tx: Transaction) -> list[GiveBack]:
    """What takes from paused warehouses the goods that nobody packs yet, up to so many fulfilment orders at once."""
    rows = tx.run(
        """SELECT f.fulfilment_id, o.store_id, o.external_id FROM (
               SELECT id FROM warehouse WHERE merchant_id = :merchant_id AND paused) w
           CROSS JOIN LATERAL (SELECT DISTINCT fulfilment_id, order_id FROM fulfilment_line
               WHERE merchant_id = :merchant_id AND warehouse_id = w.id AND units > 0 AND bin_id IS NULL
               ORDER BY fulfilment_id LIMIT :most) f
           CROSS JOIN LATERAL (SELECT store_id, external_id FROM store_order
               WHERE merchant_id = :merchant_id AND id = f.order_id OFFSET 0) o
           ORDER BY 1 LIMIT :most""",
        most=_AT_ONCE,
    ).all()
    return [
        GiveBack(
            f"fulfilment/{row.fulfilment_id}/relieved/{tx.new_id()}", StoreKey(row.store_id, row.external_id),
            row.fulfilment_id, reason="the warehouse is paused", idle=True,
        )
        for row in rows
    ]  # fmt: skip

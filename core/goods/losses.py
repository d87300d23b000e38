"""Who gave up units that were gone, told for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.books import effect_key_of_hold
from core.goods.item_views import skus
from core.sales.shortage import Loss
from core.stock import PoolKind
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LossView:
    """``units`` of an item that a pool, a lock, an order or a hold gave up; what is empty does not apply.

    ``waits``  a lock or a promise waits for as many again.
    """

    units: int
    pool: str
    waits: bool
    order: str = ""
    store: str = ""
    hold: str = ""
    sku: str = ""
    grade: str = ""

    @property
    def who(self) -> str:
        if self.order:
            return f"order {self.order}{f' of {self.store}' if self.store else ''}"
        return f"hold {self.hold}" if self.hold else self.pool


def views(tx: Transaction, losses: Sequence[Loss]) -> list[LossView]:
    """In the order in which the units were taken."""
    order_ids = sorted({loss.promise.order_id for loss in losses if loss.promise is not None})
    rows = tx.run(
        """SELECT k.id, o.number, s.name AS store, d.effect_key FROM unnest(CAST(:ids AS bigint[])) k (id)
           LEFT JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = k.id) o ON true
           LEFT JOIN LATERAL (SELECT * FROM store WHERE merchant_id = :merchant_id AND id = o.store_id) s ON true
           LEFT JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id AND id = k.id
               LIMIT 1) d ON true""",
        ids=order_ids,
    )
    by_id = {row.id: row for row in rows}
    found, goods = [], {loss.stocked for loss in losses if loss.stocked is not None}
    names = skus(tx, {one.item_id for one in goods})
    for loss in losses:
        what = (names.get(loss.stocked.item_id, ""), loss.stocked.grade) if loss.stocked else ("", "")
        pool = "the shared pool" if loss.pool.kind is PoolKind.SHARED else loss.pool.code or str(loss.pool.kind)
        if loss.promise is None:
            found.append(LossView(loss.units, pool, loss.pool.kind is PoolKind.LOCK, "", "", "", *what))
            continue
        row = by_id[loss.promise.order_id]
        hold = (row.effect_key or "").removeprefix(effect_key_of_hold(""))
        who = row.number or "", row.store or "", "" if row.number else hold
        found.append(LossView(loss.units, pool, True, *who, *what))
    return found

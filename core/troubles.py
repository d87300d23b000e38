"""Troubles that stand until they are over: late goods, activities without units, unsent orders, mirrors and stores."""

from collections.abc import Iterator

from core import silence
from core.alerts.kinds import AlertKind
from core.alerts.lifecycle import Ending, NewAlert
from core.mirror import views as mirrors
from core.orders import unsent
from core.supply.purchases import LATE
from core.transaction import Transaction

_KINDS = (
    AlertKind.GOODS_LATE, AlertKind.NOT_PRELOADED, AlertKind.MIRROR_WAITS, AlertKind.MIRROR_SILENT, AlertKind.UNSENT,
    AlertKind.STORE_REFUSES, AlertKind.STORE_SILENT,
)  # fmt: skip
# From open incidents, which are few; and from items of pools that are open, so that what ended long ago costs nothing.
_STANDING = """
    SELECT 'goods_late' AS kind, i.id, i.item_id, jsonb_build_object('units', i.quantity, 'purchase',
        (SELECT number FROM purchase WHERE merchant_id = :merchant_id AND id = i.order_id),
        'timeline', i.timeline) AS facts
    FROM incident i WHERE i.merchant_id = :merchant_id AND i.closed_at IS NULL AND i.kind = :late
    UNION ALL
    SELECT 'not_preloaded', c.id, NULL, jsonb_build_object('pool', p.code, 'trouble', c.trouble)
    FROM (SELECT DISTINCT pool_id FROM pool_item WHERE merchant_id = :merchant_id AND is_open) alive
    CROSS JOIN LATERAL (SELECT id, trouble FROM campaign WHERE merchant_id = :merchant_id AND id = alive.pool_id
        AND trouble <> '' AND preloaded_at IS NULL OFFSET 0) c
    CROSS JOIN LATERAL (SELECT code FROM pool WHERE merchant_id = :merchant_id AND id = c.id OFFSET 0) p
"""


def look(tx: Transaction) -> tuple[list[NewAlert], list[Ending]]:
    """What was not told of them yet, and what was told and is over."""
    standing = {(one.kind, one.subject): one for one in _standing(tx)}
    rows = tx.run(
        """SELECT kind, subject FROM alert
           WHERE merchant_id = :merchant_id AND kind = ANY(CAST(:kinds AS text[])) AND closed_at IS NULL""",
        kinds=list(_KINDS),
    )
    told = {(AlertKind(row.kind), row.subject) for row in rows}
    opened = [alert for one, alert in standing.items() if one not in told]
    return opened, [Ending(*one, {}) for one in told - standing.keys()]


def _standing(tx: Transaction) -> Iterator[NewAlert]:
    for row in tx.run(_STANDING, late=LATE):
        yield NewAlert(AlertKind(row.kind), str(row.id), row.facts, row.item_id)
    for one in unsent.overdue(tx):
        about = {"order": one.number, "units": one.units, "since_at": one.since.isoformat()}
        yield NewAlert(AlertKind.UNSENT, str(one.order_id), about, store_id=one.store_id)
    for store in silence.overdue(tx):
        kind = AlertKind.STORE_REFUSES if store.refuses else AlertKind.STORE_SILENT
        since = "since_at" if store.refuses else "read_at"
        told = {since: store.since.isoformat(), "trouble": store.trouble}
        yield NewAlert(kind, str(store.store_id), told, store_id=store.store_id)
    for status in mirrors.every(tx):
        source = status.source
        facts = {"mirror": source.name}
        if status.waiting:
            waits = {**facts, "batches": len(status.waiting)}
            yield NewAlert(AlertKind.MIRROR_WAITS, str(source.id), waits, warehouse_id=source.warehouse_id)
        if status.silent:
            yield NewAlert(AlertKind.MIRROR_SILENT, str(source.id), facts, warehouse_id=source.warehouse_id)

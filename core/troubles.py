"""Troubles that stand in tables of their own until they are over: late goods, activities without their units."""

from core.alerts.kinds import AlertKind
from core.alerts.lifecycle import Ending, NewAlert
from core.supply.purchases import LATE
from core.transaction import Transaction

_KINDS = (AlertKind.GOODS_LATE, AlertKind.NOT_PRELOADED)
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
    standing = {(AlertKind(row.kind), str(row.id)): row for row in tx.run(_STANDING, late=LATE)}
    rows = tx.run(
        """SELECT kind, subject FROM alert
           WHERE merchant_id = :merchant_id AND kind = ANY(CAST(:kinds AS text[])) AND closed_at IS NULL""",
        kinds=list(_KINDS),
    )
    told = {(AlertKind(row.kind), row.subject) for row in rows}
    opened = [NewAlert(*one, row.facts, row.item_id) for one, row in standing.items() if one not in told]
    return opened, [Ending(*one, {}) for one in told - standing.keys()]

"""One merchant's books, read by plain selects."""

from core.transaction import Database
from tests.property.all_commands.plain_model import Seen, SeenClaim, SeenLock, Stand

_SHELF = """
    SELECT i.sku, b.grade, sum(b.available + b.picking)::bigint AS sellable, sum(b.unavailable)::bigint AS apart
    FROM warehouse_balance b JOIN item i ON (i.merchant_id, i.id) = (b.merchant_id, b.item_id)
    WHERE b.merchant_id = :merchant_id GROUP BY 1, 2"""
_STANDS = """
    SELECT b.pool_id, i.sku, b.grade, b.free, b.reserved, b.sold, b.backordered FROM sales_balance b
    JOIN item i ON (i.merchant_id, i.id) = (b.merchant_id, b.item_id)
    WHERE b.merchant_id = :merchant_id AND b.free + b.reserved + b.sold + b.backordered <> 0"""
_LOCKS = """
    SELECT l.key, l.id, i.sku, l.grade, l.status, l.quantity, l.waiting FROM lock l
    JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id) WHERE l.merchant_id = :merchant_id"""
_CLAIMS = """
    SELECT CASE WHEN p.order_line_id IS NULL THEN 'hold ' || substr(d.effect_key, 6)
            ELSE 'order ' || o.store_id || '/' || o.external_id END AS owner,
        coalesce(l.external_line_id, '') AS line, i.sku, p.grade, p.pool_id, p.wanted, p.waiting, p.live, p.shipped,
        p.released, p.damaged
    FROM promise p JOIN item i ON (i.merchant_id, i.id) = (p.merchant_id, p.item_id)
    LEFT JOIN order_line l ON (l.merchant_id, l.id) = (p.merchant_id, p.order_line_id)
    LEFT JOIN store_order o ON (o.merchant_id, o.id) = (p.merchant_id, p.order_id) AND p.order_line_id IS NOT NULL
    LEFT JOIN document d ON (d.merchant_id, d.id) = (p.merchant_id, p.order_id) AND p.order_line_id IS NULL
    WHERE p.merchant_id = :merchant_id"""


def look(db: Database, merchant_id: int) -> Seen:
    """The books as they stand."""
    seen = Seen()
    with db.begin(merchant_id, actor="test") as tx:
        for row in tx.run(_SHELF):
            seen.shelf[row.sku, row.grade], seen.apart[row.sku, row.grade] = row.sellable, row.apart
        for row in tx.run("SELECT id, kind FROM pool WHERE merchant_id = :merchant_id"):
            seen.pools[row.id] = row.kind
        for row in tx.run(_STANDS):
            stand = Stand(row.free, row.reserved, row.sold, row.backordered)
            seen.stands[row.pool_id, (row.sku, row.grade)] = stand
        for row in tx.run(_LOCKS):
            seen.locks[row.key] = SeenLock(row.id, (row.sku, row.grade), row.status, row.quantity, row.waiting)
        for row in tx.run(_CLAIMS):
            claim = seen.claims.setdefault((row.owner, row.line, (row.sku, row.grade)), SeenClaim())
            claim.wanted += row.wanted
            claim.waiting += row.waiting
            claim.shipped += row.shipped
            claim.released += row.released
            claim.damaged += row.damaged
            claim.live[row.pool_id] += row.live
    return seen

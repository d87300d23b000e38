"""One merchant's books, read by plain selects."""

from core.transaction import Database
from tests.property.all_commands.plain_model import Seen, SeenClaim, SeenLock, SeenSending, Stand, Stood

_SHELF = """
    SELECT b.bin_id, i.sku, b.grade, b.available, b.picking, b.unavailable
    FROM warehouse_balance b JOIN item i ON (i.merchant_id, i.id) = (b.merchant_id, b.item_id)
    WHERE b.merchant_id = :merchant_id"""
_STOOD = """
    SELECT b.warehouse_id, i.sku, b.grade, b.available, b.allocated, b.locked, b.unavailable, b.incoming,
        b.incoming_sellable
    FROM dispatch_balance b JOIN item i ON (i.merchant_id, i.id) = (b.merchant_id, b.item_id)
    WHERE b.merchant_id = :merchant_id"""
_BOUGHT = """
    SELECT p.number, i.sku, l.grade, l.ordered, l.cut, l.came, l.counted FROM purchase p
    JOIN purchase_line l ON (l.merchant_id, l.purchase_id) = (p.merchant_id, p.id)
    JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id) WHERE p.merchant_id = :merchant_id"""
_SENT = """
    SELECT t.number, i.sku, l.grade, l.asked, l.sent, l.came, l.lost, l.allocated
    FROM transfer t
    JOIN transfer_line l ON (l.merchant_id, l.transfer_id) = (t.merchant_id, t.id)
    JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id) WHERE t.merchant_id = :merchant_id"""
_PRESOLD = """
    SELECT e.reference, t.sku, i.grade FROM pool_item i
    JOIN expected e ON (e.merchant_id, e.id) = (i.merchant_id, i.expected_id)
    JOIN item t ON (t.merchant_id, t.id) = (i.merchant_id, i.item_id)
    WHERE i.merchant_id = :merchant_id AND i.is_open"""
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

_SENDING = """
    SELECT f.fulfilment_id, 'order ' || o.store_id || '/' || o.external_id AS owner, l.external_line_id AS line, i.sku,
        f.grade, p.pool_id, f.warehouse_id, f.bin_id, f.units
    FROM fulfilment_line f JOIN item i ON (i.merchant_id, i.id) = (f.merchant_id, f.item_id)
    JOIN promise p ON (p.merchant_id, p.id) = (f.merchant_id, f.promise_id)
    JOIN order_line l ON (l.merchant_id, l.id) = (f.merchant_id, f.order_line_id)
    JOIN store_order o ON (o.merchant_id, o.id) = (f.merchant_id, f.order_id)
    WHERE f.merchant_id = :merchant_id ORDER BY f.bin_id IS NULL, f.moved_at, f.id"""


def look(db: Database, merchant_id: int) -> Seen:
    """The books as they stand."""
    seen = Seen()
    with db.begin(merchant_id, actor="test") as tx:
        for row in tx.run(_SHELF):
            heap = (row.bin_id, (row.sku, row.grade))
            seen.shelf[heap], seen.apart[heap] = row.available + row.picking, row.unavailable
            seen.picking[heap] = row.picking
        for warehouse_id, sku, grade, *units in tx.run(_STOOD):
            seen.stood[warehouse_id, (sku, grade)] = Stood(*units)
        for statement, lines in ((_BOUGHT, seen.bought), (_SENT, seen.sent)):
            for number, sku, grade, *units in tx.run(statement):
                lines[number, (sku, grade)] = tuple(units)
        seen.presold = {(row.reference, (row.sku, row.grade)) for row in tx.run(_PRESOLD)}
        for row in tx.run("SELECT id, kind FROM pool WHERE merchant_id = :merchant_id"):
            seen.pools[row.id] = row.kind
        for row in tx.run(_STANDS):
            stand = Stand(row.free, row.reserved, row.sold, row.backordered)
            seen.stands[row.pool_id, (row.sku, row.grade)] = stand
        for row in tx.run(_LOCKS):
            seen.locks[row.key] = SeenLock(row.id, (row.sku, row.grade), row.status, row.quantity, row.waiting)
        for row in tx.run(_SENDING):
            key = (row.owner, row.line, (row.sku, row.grade))
            sent = SeenSending(row.fulfilment_id, key, row.pool_id, row.warehouse_id, row.bin_id, row.units)
            seen.sending.append(sent)
        for row in tx.run(_CLAIMS):
            claim = seen.claims.setdefault((row.owner, row.line, (row.sku, row.grade)), SeenClaim())
            claim.wanted += row.wanted
            claim.waiting += row.waiting
            claim.shipped += row.shipped
            claim.released += row.released
            claim.damaged += row.damaged
            claim.live[row.pool_id] += row.live
    return seen

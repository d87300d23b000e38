"""Purchase limits as rules: which there are, and setting them."""

from core.errors import NotFound, Refused
from core.rows import LimitRow
from core.sales.limits import Per
from core.transaction import Transaction


def every(tx: Transaction) -> list[LimitRow]:
    """All limits, those over all items first."""
    rows = tx.run(
        """SELECT l.id, l.per, l.item_id, l.pool_id, l.units, coalesce(i.sku, '') AS sku, coalesce(p.code, '') AS pool
           FROM purchase_limit l LEFT JOIN item i ON i.merchant_id = l.merchant_id AND i.id = l.item_id
           LEFT JOIN pool p ON p.merchant_id = l.merchant_id AND p.id = l.pool_id
           WHERE l.merchant_id = :merchant_id ORDER BY i.sku NULLS FIRST, l.per, l.id"""
    )
    return [LimitRow(*row) for row in rows]


def put(tx: Transaction, per: Per, units: int, *, item_id: int | None = None, pool_id: int | None = None) -> None:
    """Set a limit for holds to come, of one item or (None) of all together. Raises: Refused."""
    if units < 1:
        raise Refused("a limit leaves at least 1 unit; to sell none, take the item off sale")
    if (per is Per.ACTIVITY) != (pool_id is not None):
        raise Refused("a limit per activity needs its pool, and no other limit has one")
    _require_counted(tx, item_id)
    tx.run(
        """INSERT INTO purchase_limit (merchant_id, id, per, item_id, pool_id, units)
           VALUES (:merchant_id, :id, :per, :item_id, :pool_id, :units)
           ON CONFLICT (merchant_id, item_id, per, pool_id) DO UPDATE SET units = EXCLUDED.units""",
        id=tx.new_id(),
        per=per,
        item_id=item_id,
        pool_id=pool_id,
        units=units,
    )


def _require_counted(tx: Transaction, item_id: int | None) -> None:
    """A virtual bundle is never promised itself. Raises: Refused."""
    if item_id is None:
        return
    row = tx.run("SELECT sku, kind FROM item WHERE merchant_id = :merchant_id AND id = :id", id=item_id).one()
    if row.kind == "bundle":
        raise Refused(f"{row.sku} is a bundle, of which only the components are counted; limit one of those")


def remove(tx: Transaction, per: Per, *, item_id: int | None = None, pool_id: int | None = None) -> None:
    """Raises: NotFound when there is no such limit."""
    gone = tx.run(
        """DELETE FROM purchase_limit WHERE merchant_id = :merchant_id AND per = :per
             AND item_id IS NOT DISTINCT FROM CAST(:item_id AS bigint)
             AND pool_id IS NOT DISTINCT FROM CAST(:pool_id AS bigint)""",
        per=per,
        item_id=item_id,
        pool_id=pool_id,
    )
    if not gone.rowcount:
        raise NotFound("there is no such limit; `holdfast reserve limits` shows those there are")

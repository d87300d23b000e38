"""Purchase limits as rules: which there are, and setting them."""

from collections.abc import Sequence

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
    put_all(tx, per, units, [item_id], pool_id=pool_id)


def put_all(
    tx: Transaction, per: Per, units: int, item_ids: Sequence[int | None], *, pool_id: int | None = None
) -> None:
    """The same limit of each of these items. Raises: Refused."""
    if units < 1:
        raise Refused("a limit leaves at least 1 unit; to sell none, take the item off sale")
    if (per is Per.ACTIVITY) != (pool_id is not None):
        raise Refused("a limit per activity needs its pool, and no other limit has one")
    _require_counted(tx, item_ids)
    tx.run(
        """INSERT INTO purchase_limit (merchant_id, id, per, item_id, pool_id, units)
           SELECT :merchant_id, k.id, :per, k.item_id, :pool_id, :units
           FROM unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[])) k (id, item_id)
           ON CONFLICT (merchant_id, item_id, per, pool_id) DO UPDATE SET units = EXCLUDED.units""",
        ids=tx.new_ids(len(item_ids)), items=list(item_ids), per=per, pool_id=pool_id, units=units,
    )  # fmt: skip


def _require_counted(tx: Transaction, item_ids: Sequence[int | None]) -> None:
    """A virtual bundle is never promised itself. Raises: Refused."""
    bundle = tx.run(
        """SELECT i.sku FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT sku FROM item
               WHERE merchant_id = :merchant_id AND id = k.id AND kind = 'bundle' OFFSET 0) i LIMIT 1""",
        ids=[item_id for item_id in item_ids if item_id is not None],
    ).scalar_one_or_none()
    if bundle is not None:
        raise Refused(f"{bundle} is a bundle, of which only the components are counted; limit one of those")


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

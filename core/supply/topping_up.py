"""What comes free after a transfer was asked for is kept for it, too: once nobody else was promised it.

Of those who wait for the same goods the transfer that was asked for first comes first. What is on sale beyond all that
customers were promised is free; of that, what is on its way or kept for a transfer stands nowhere for others. The rest
is as many units as warehouses can do without and still send all that was promised.
"""

from core import single
from core.stock import Stocked
from core.supply import keeping, transfers
from core.supply.keeping import Keep
from core.supply.transfers import Transfer
from core.transaction import Database, Transaction


def apply(db: Database, merchant_id: int, *, actor: str) -> int:
    """Keep more for transfers that wait, the oldest first, each in a transaction of its own. Returns: units."""
    with db.begin(merchant_id, actor=actor) as tx:
        numbers = dict.fromkeys(tx.run(_MORE.format(only="")).scalars())
    return sum(apply_to(db, merchant_id, number, actor=actor) for number in numbers)


def apply_to(db: Database, merchant_id: int, number: str, *, actor: str) -> int:
    """The same for one transfer. Raises: NotFound."""
    with db.begin(merchant_id, actor=actor) as tx:
        transfer = transfers.locked(tx, number)
        hold(tx, transfer)
        rows = tx.run(_MORE.format(only="AND transfer_id = :id"), id=transfer.row.id).all()
        more = {row.line_id: (Stocked(row.item_id, row.grade), row.units) for row in rows}
        keeping.keep(tx, Keep(transfer.row.id, transfer.row.number, transfer.row.from_id, more))
    return sum(units for _, units in more.values())


def hold(tx: Transaction, transfer: Transfer) -> None:
    """From now on, until our transaction ends, nobody promises or keeps any of a transfer's goods."""
    row, waiting = transfer.row, [line for line in transfer.lines if line.unsent]
    single.within(tx, Keep(row.id, row.number, row.from_id, {line.id: (line.stocked, 0) for line in waiting}))


# Lines that could be kept more for, with the units; the oldest transfer first.
_MORE = """
    SELECT t.number, l.id AS line_id, l.item_id, l.grade,
        CAST(least(l.asked - l.sent - l.allocated, d.available, f.units - c.units - k.units) AS bigint) AS units
    FROM (SELECT * FROM transfer_line WHERE merchant_id = :merchant_id AND asked > sent {only} OFFSET 0) l
    CROSS JOIN LATERAL (SELECT number, from_id, created_at FROM transfer
        WHERE merchant_id = :merchant_id AND id = l.transfer_id OFFSET 0) t
    CROSS JOIN LATERAL (SELECT available FROM dispatch_balance WHERE merchant_id = :merchant_id
        AND item_id = l.item_id AND grade = l.grade AND warehouse_id = t.from_id OFFSET 0) d
    CROSS JOIN LATERAL (SELECT coalesce(sum(b.free), 0) AS units
        FROM (SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'
            UNION SELECT pool_id FROM pool_item
            WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade AND is_open) o
        CROSS JOIN LATERAL (SELECT FROM pool WHERE merchant_id = :merchant_id AND id = o.id
            AND kind <> 'presale' AND warehouse_id IS NULL OFFSET 0) p
        CROSS JOIN LATERAL (SELECT free FROM sales_balance WHERE merchant_id = :merchant_id
            AND item_id = l.item_id AND grade = l.grade AND pool_id = o.id OFFSET 0) b) f
    CROSS JOIN LATERAL (SELECT coalesce(sum(incoming_sellable), 0) AS units FROM dispatch_balance
        WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade) c
    CROSS JOIN LATERAL (SELECT coalesce(sum(allocated), 0) AS units FROM transfer_line
        WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade AND allocated > 0) k
    WHERE l.asked - l.sent > l.allocated AND d.available > 0 AND f.units > c.units + k.units
    ORDER BY t.created_at, l.transfer_id, l.nth
"""

"""The days of items as velocity is told from them: by item, by channel and by warehouse."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from core.demand import flows
from core.demand.flows import Pools, Window
from core.demand.velocity import Moved
from core.stock import Stocked
from core.transaction import Transaction


def moved(tx: Transaction, over: Window, known: Pools, item_ids: Collection[int]) -> dict[Stocked, Moved]:
    """By item and grade, for all that is there or moved in the window."""
    ids = sorted(item_ids)
    first_days = _first_days(tx, over, ids)
    read = flows.read(tx, over, known, ids)
    free = _free(tx, ids, known)
    found = {stocked: Moved(units, seen_from=first_days[stocked.item_id]) for stocked, units in free.items()}
    for one in read:
        stocked = Stocked(one.item_id, one.grade)
        found[stocked] = Moved(free.get(stocked, 0), one.days, one.sold, one.came, one.net, first_days[one.item_id])
    return found


def _free(tx: Transaction, ids: Sequence[int], known: Pools) -> dict[Stocked, int]:
    rows = tx.run(
        """SELECT k.item_id, b.grade, CAST(sum(b.free) AS bigint) AS free
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT grade, free FROM sales_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND pool_id <> ALL(CAST(:aside AS bigint[])) OFFSET 0) b GROUP BY 1, 2""",
        items=ids, aside=known.aside,
    )  # fmt: skip
    return {Stocked(row.item_id, row.grade): row.free for row in rows}


def _first_days(tx: Transaction, over: Window, ids: Sequence[int]) -> Mapping[int, int]:
    """The first whole day of each item's life in the window, or of what became part of it. The day on which it was made
    is none, and on it a store's open orders are taken over, which were not sold on that day.
    """
    whole = flows.wholes(tx, ids)
    rows = tx.run(
        """SELECT k.item_id, greatest((i.created_at AT TIME ZONE CAST(:zone AS text))::date - CAST(:first AS date) + 1,
               0) AS day
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT created_at FROM item WHERE merchant_id = :merchant_id AND id = k.item_id
               OFFSET 0) i""",
        items=sorted(whole), zone=over.zone.key, first=over.first,
    )  # fmt: skip
    found: dict[int, int] = {}
    for row in rows:
        item_id = whole[row.item_id]
        found[item_id] = min(found.get(item_id, over.days), row.day)
    return found


def by_channel(tx: Transaction, over: Window, known: Pools, item_ids: Collection[int]) -> dict[Stocked, dict[int, int]]:
    """Units sold in the window less those given back, by item and by store; 0: our own interface.

    The movements themselves are read, so this is for some items, not for all.
    """
    found: dict[Stocked, dict[int, int]] = {}
    whole = flows.wholes(tx, item_ids)
    rows = tx.run(
        f"""SELECT k.whole_id AS item_id, m.grade, coalesce(s.store_id, 0) AS store_id,
                CAST(sum(m.sold) AS bigint) AS sold
            FROM unnest(CAST(:items AS bigint[]), CAST(:wholes AS bigint[])) k (item_id, whole_id)
            CROSS JOIN LATERAL (SELECT grade, order_line_id, sum(sold) AS sold FROM ({flows.MOVES}) moves
                WHERE place_id = {flows.SALES} GROUP BY grade, order_line_id) m
            LEFT JOIN LATERAL (SELECT o.store_id FROM order_line l
                JOIN store_order o ON o.merchant_id = l.merchant_id AND o.id = l.order_id
                WHERE l.merchant_id = :merchant_id AND l.id = m.order_line_id OFFSET 0) s ON true
            GROUP BY 1, 2, 3 HAVING sum(m.sold) <> 0""",
        items=list(whole), wholes=list(whole.values()), **flows.bound(over, known, over.first, over.today),
    )  # fmt: skip
    for row in rows:
        found.setdefault(Stocked(row.item_id, row.grade), {})[row.store_id] = row.sold
    return found


class AtWarehouse(NamedTuple):
    """An item in one warehouse: its days, and what is there now that nobody has yet, and on its way and on sale.

    ``promised``: units that orders were promised and no warehouse was told to send. They may leave from any.
    """

    moved: Moved
    available: int
    coming: int
    promised: int


def by_warehouse(
    tx: Transaction, over: Window, known: Pools, item_ids: Collection[int], grade: str
) -> dict[int, dict[int, AtWarehouse]]:
    """By item and warehouse, for all that is there or left it in the window. What transfers are to send counts as gone
    where it stands and as coming where it goes.
    """
    ids = sorted(item_ids)
    read = {(one.item_id, one.place_id): one for one in flows.read(tx, over, known, ids, warehouses=True)
            if one.grade == grade}  # fmt: skip
    stands = _stands(tx, ids, grade)
    asked, sendable = _asked(tx, grade)
    free = _free_anywhere(tx, ids, grade)
    for (item_id, _), (_, available, coming) in stands.items():
        sendable[item_id] = sendable.get(item_id, 0) + available + coming
    found: dict[int, dict[int, AtWarehouse]] = {}
    for key in sorted(stands.keys() | read.keys()):
        has, available, coming = stands.get(key, (0, 0, 0))
        one, (leaves, comes) = read.get(key), asked.get(key, (0, 0))
        days = Moved(has) if one is None else Moved(has, one.days, one.sold, one.came, one.net)
        promised = max(sendable.get(key[0], 0) - free.get(key[0], 0), 0)
        found.setdefault(key[0], {})[key[1]] = AtWarehouse(days, max(available - leaves, 0), coming + comes, promised)
    return found


def _free_anywhere(tx: Transaction, ids: Sequence[int], grade: str) -> dict[int, int]:
    """By item: units that nobody was promised, of those that lie in no warehouse's lock; presales have none."""
    rows = tx.run(
        """SELECT k.item_id, CAST(sum(b.free) AS bigint) AS free
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT pool_id, free FROM sales_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = :grade AND free > 0 OFFSET 0) b
           CROSS JOIN LATERAL (SELECT FROM pool WHERE merchant_id = :merchant_id AND id = b.pool_id
               AND kind <> 'presale' AND warehouse_id IS NULL OFFSET 0) p
           GROUP BY k.item_id""",
        items=ids, grade=grade,
    )  # fmt: skip
    return {row.item_id: row.free for row in rows}


def _stands(tx: Transaction, ids: Sequence[int], grade: str) -> dict[tuple[int, int], tuple[int, int, int]]:
    """By item and warehouse: what could be sent for orders, of that what nobody has yet, and what is on its way."""
    rows = tx.run(
        """SELECT k.item_id, d.warehouse_id, d.available + d.allocated + d.locked AS has, d.available,
               d.incoming_sellable
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT * FROM dispatch_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = :grade OFFSET 0) d""",
        items=ids, grade=grade,
    )  # fmt: skip
    return {(row.item_id, row.warehouse_id): (row.has, row.available, row.incoming_sellable) for row in rows}


def _asked(tx: Transaction, grade: str) -> tuple[dict[tuple[int, int], tuple[int, int]], dict[int, int]]:
    """By item and warehouse: what transfers were asked to take there and bring there, and did not send yet; what is
    kept for them is available there no more. And by item, how much that is.
    """
    rows = tx.run(
        """SELECT l.item_id, t.from_id, t.to_id, CAST(sum(l.asked - l.sent) AS bigint) AS units,
               CAST(sum(l.allocated) AS bigint) AS kept FROM transfer_line l
           JOIN transfer t ON t.merchant_id = l.merchant_id AND t.id = l.transfer_id
           WHERE l.merchant_id = :merchant_id AND l.grade = :grade AND l.asked > l.sent GROUP BY 1, 2, 3""",
        grade=grade,
    )
    found: dict[tuple[int, int], tuple[int, int]] = {}
    kept: dict[int, int] = {}
    for row in rows:
        kept[row.item_id] = kept.get(row.item_id, 0) + row.kept
        leaves, comes = found.get((row.item_id, row.from_id), (0, 0))
        found[row.item_id, row.from_id] = leaves + row.units - row.kept, comes
        leaves, comes = found.get((row.item_id, row.to_id), (0, 0))
        found[row.item_id, row.to_id] = leaves, comes + row.units
    return found, kept

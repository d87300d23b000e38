"""What lies between the layers: each difference between what shelves, dispatch and sales count, with its reason.

Layers follow each other in steps: an order is sold before a warehouse is told, and told before anybody takes it off the
shelf. What is between two steps is counted here by name. What no name explains should be 0; ``holdfast audit`` looks
for its rows.
"""

from dataclasses import dataclass

from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Shelves:
    """Sale units of one warehouse, between its shelves and what dispatch may still send from there.

    ``on_shelf``            sellable units in bins, without those that are being packed.
    ``to_hand_over``        a warehouse was told to send them for orders, and nobody took them off the shelf yet.
    ``kept``                kept for transfers that were not sent.
    ``locked``              of physical locks.
    ``available``           dispatch has nobody for them: on_shelf less the three above.
    ``being_packed``        taken off the shelf for orders, and not shipped.
    ``set_apart``           not to be sold, in bins.
    ``unexplained``         what all that leaves open, of whatever sign in each step.
    """

    warehouse: str
    on_shelf: int
    to_hand_over: int
    kept: int
    locked: int
    available: int
    being_packed: int
    set_apart: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Sales:
    """Sale units of all warehouses together, between what dispatch may send and what may still be sold.

    ``available``      in all warehouses: nobody is to send them.
    ``kept``           kept for transfers that were not sent: still on sale.
    ``on_its_way``     between warehouses, or from suppliers by the rule that counts them: on sale before they are here.
    ``unpaid``         promised, and not deducted yet.
    ``to_allocate``    deducted, and no warehouse was told yet.
    ``free``           may still be sold, in all pools but those of physical locks: available and the next two, less the
                       two after them.
    ``locked``         set apart in warehouses for physical locks; ``lock_free``: may still be sold from their pools;
    ``lock_promised``  the rest of it: promised, and not allocated.
    ``unexplained``    what all that leaves open, of whatever sign in each step.
    """

    available: int
    kept: int
    on_its_way: int
    unpaid: int
    to_allocate: int
    free: int
    locked: int
    lock_free: int
    lock_promised: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class OfItem:
    """The same of one item in one grade."""

    sku: str
    grade: str
    to_hand_over: int
    sales: Sales


def shelves(tx: Transaction, item_id: int | None = None) -> list[Shelves]:
    """By warehouse, of one item or of everything; one statement, so that all of it is of one moment."""
    rows = tx.run(
        f"""SELECT w.code AS warehouse, {_sums("on_shelf", *_OF_SHELVES)}
            FROM (SELECT id, code FROM warehouse WHERE merchant_id = :merchant_id) w
            LEFT JOIN ({_SHELVES}) s ON s.warehouse_id = w.id GROUP BY 1 ORDER BY 1""",
        item_id=item_id,
    )
    return [Shelves(**row._mapping) for row in rows]


def sales(tx: Transaction, item_id: int | None = None) -> Sales:
    """Over all warehouses, of one item or of everything; one statement, likewise."""
    row = tx.run(f"SELECT {_sums('available', *_OF_SALES)} FROM ({_SALES}) s", item_id=item_id).one()
    return Sales(**row._mapping)


def largest(tx: Transaction, item_id: int | None = None, most: int = 50) -> list[OfItem]:
    """Items that something lies between the layers of: what nobody can explain first, then the most units."""
    columns = ", ".join(f"s.{name}" for name in _SALES_NAMES)
    rows = tx.run(
        f"""SELECT i.sku, s.grade, coalesce(h.units, 0) AS to_hand_over, {columns}
            FROM ({_SALES}) s JOIN item i ON i.merchant_id = :merchant_id AND i.id = s.item_id
            LEFT JOIN (SELECT item_id, grade, CAST(sum(to_hand_over) AS bigint) AS units,
                    sum(unexplained) AS unexplained FROM ({_SHELVES}) b GROUP BY 1, 2) h USING (item_id, grade)
            WHERE s.unexplained + s.to_allocate + s.unpaid + s.kept + s.on_its_way + coalesce(h.units, 0) > 0
            ORDER BY s.unexplained + coalesce(h.unexplained, 0) DESC, s.to_allocate + coalesce(h.units, 0) DESC,
                s.unpaid + s.kept + s.on_its_way DESC, i.sku, s.grade LIMIT :most""",
        item_id=item_id,
        most=most,
    )
    return [OfItem(row.sku, row.grade, row.to_hand_over, Sales(*row[3:])) for row in rows]


def _sums(*names: str) -> str:
    return ", ".join(f"CAST(coalesce(sum(s.{name}), 0) AS bigint) AS {name}" for name in names)


_OF_SHELVES = ("to_hand_over", "kept", "locked", "available", "being_packed", "set_apart", "unexplained")
_OF_SALES = (
    "kept", "on_its_way", "unpaid", "to_allocate", "free", "locked", "lock_free", "lock_promised", "unexplained",
)  # fmt: skip
_SALES_NAMES = ("available", *_OF_SALES)
_MINE = "merchant_id = :merchant_id AND (CAST(:item_id AS bigint) IS NULL OR item_id = :item_id)"
_KEPT = f"""SELECT l.item_id, l.grade, t.from_id AS warehouse_id, l.allocated
    FROM (SELECT * FROM transfer_line WHERE {_MINE} AND allocated > 0) l
    JOIN transfer t ON t.merchant_id = :merchant_id AND t.id = l.transfer_id"""
# By item, grade and warehouse; each part of the union tells of some of the columns.
_SHELVES = f"""
    SELECT item_id, grade, warehouse_id, sum(on_shelf) AS on_shelf, sum(told) AS to_hand_over, sum(kept) AS kept,
        sum(locked) AS locked, sum(available) AS available, sum(picking) AS being_packed, sum(apart) AS set_apart,
        abs(sum(on_shelf) - sum(told) - sum(kept) - sum(locked) - sum(available)) + abs(sum(picking) - sum(handed))
            + abs(sum(allocated) - sum(told) - sum(handed) - sum(kept)) + abs(sum(apart) - sum(unavailable))
            AS unexplained
    FROM (
        SELECT b.item_id, b.grade, bin.warehouse_id, b.available AS on_shelf, b.picking, b.unavailable AS apart,
            0 AS told, 0 AS handed, 0 AS kept, 0 AS locked, 0 AS available, 0 AS allocated, 0 AS unavailable
        FROM (SELECT * FROM warehouse_balance WHERE {_MINE}) b
        JOIN bin ON bin.merchant_id = :merchant_id AND bin.id = b.bin_id
        UNION ALL SELECT item_id, grade, warehouse_id, 0, 0, 0, 0, 0, 0, locked, available, allocated, unavailable
        FROM dispatch_balance WHERE {_MINE}
        UNION ALL SELECT item_id, grade, warehouse_id, 0, 0, 0, CASE WHEN bin_id IS NULL THEN units ELSE 0 END,
            CASE WHEN bin_id IS NULL THEN 0 ELSE units END, 0, 0, 0, 0, 0
        FROM fulfilment_line WHERE {_MINE} AND units > 0
        UNION ALL SELECT item_id, grade, warehouse_id, 0, 0, 0, 0, 0, allocated, 0, 0, 0, 0 FROM ({_KEPT}) k
    ) e GROUP BY 1, 2, 3
"""
# By item and grade. Units of a presale have no goods yet, and what waits has none either: both are left out.
_SALES = f"""
    SELECT item_id, grade, CAST(sum(available) AS bigint) AS available, CAST(sum(kept) AS bigint) AS kept,
        CAST(sum(coming) AS bigint) AS on_its_way, CAST(sum(reserved) AS bigint) AS unpaid,
        CAST(sum(sold) - sum(sent) AS bigint) AS to_allocate, CAST(sum(free) AS bigint) AS free,
        CAST(sum(locked) AS bigint) AS locked, CAST(sum(lock_free) AS bigint) AS lock_free,
        CAST(sum(lock_promised) - sum(lock_sent) AS bigint) AS lock_promised,
        CAST(abs(sum(available) + sum(kept) + sum(coming) - sum(reserved) - sum(sold) + sum(sent) - sum(free))
            + abs(sum(locked) - sum(lock_free) - sum(lock_promised) + sum(lock_sent)) AS bigint) AS unexplained
    FROM (
        SELECT item_id, grade, available, locked, incoming_sellable AS coming, 0 AS kept, 0 AS free, 0 AS reserved,
            0 AS sold, 0 AS lock_free, 0 AS lock_promised, 0 AS sent, 0 AS lock_sent
        FROM dispatch_balance WHERE {_MINE}
        UNION ALL SELECT item_id, grade, 0, 0, 0, allocated, 0, 0, 0, 0, 0, 0, 0 FROM ({_KEPT}) k
        UNION ALL SELECT b.item_id, b.grade, 0, 0, 0, 0, b.free * u.here, b.reserved * u.here, b.sold * u.here,
            b.free * u.locked, (b.reserved + b.sold) * u.locked, 0, 0
        FROM (SELECT * FROM sales_balance WHERE {_MINE} AND free + reserved + sold > 0) b
        JOIN pool ON pool.merchant_id = :merchant_id AND pool.id = b.pool_id AND pool.kind <> 'presale'
        CROSS JOIN LATERAL (SELECT CAST(pool.warehouse_id IS NULL AS integer) AS here,
            CAST(pool.warehouse_id IS NOT NULL AS integer) AS locked) u
        UNION ALL SELECT p.item_id, p.grade, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            CASE WHEN pool.warehouse_id IS NULL THEN p.allocated ELSE 0 END,
            CASE WHEN pool.warehouse_id IS NULL THEN 0 ELSE p.allocated END
        FROM (SELECT * FROM promise WHERE {_MINE} AND allocated > 0) p
        JOIN pool ON pool.merchant_id = :merchant_id AND pool.id = p.pool_id
    ) e GROUP BY 1, 2
"""

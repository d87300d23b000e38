"""Bins: the shelves of a warehouse."""

from dataclasses import dataclass

from core.errors import Refused
from core.transaction import Transaction
from core.warehouse.warehouses import code_of, id_of, spot_of


@dataclass(frozen=True, slots=True)
class Bin:
    """``items``: how many kinds of goods stand in it, ``units`` of them in all, ``unavailable`` ones with them."""

    id: int
    warehouse: str
    code: str
    is_default: bool
    frozen: bool
    items: int
    units: int


def add(tx: Transaction, place: str) -> bool:
    """A new bin, named like ``MAIN/A-01``; returns False when it is there. Raises: NotFound; Refused."""
    warehouse, slash, code = place.partition("/")
    if not slash:
        raise Refused(f"name the bin with its warehouse, like {place}/A-01")
    made = tx.run(
        """INSERT INTO bin (merchant_id, id, warehouse_id, code, is_default)
           VALUES (:merchant_id, :id, :warehouse_id, :code, false)
           ON CONFLICT (merchant_id, warehouse_id, code) DO NOTHING""",
        id=tx.new_id(), warehouse_id=id_of(tx, warehouse), code=code_of(code),
    )  # fmt: skip
    return bool(made.rowcount)


def freeze(tx: Transaction, place: str, frozen: bool) -> bool:
    """Let nobody book goods in or out but by a count, or end that; returns False when it was so. Raises: NotFound.

    What a store says it has shipped is a fact and leaves a frozen bin too, when the goods stand nowhere else.
    """
    changed = tx.run(
        "UPDATE bin SET frozen = :frozen WHERE merchant_id = :merchant_id AND id = :id AND frozen <> :frozen",
        id=spot_of(tx, place).bin_id, frozen=frozen,
    )  # fmt: skip
    return bool(changed.rowcount)


def every(tx: Transaction, warehouse: str = "") -> list[Bin]:
    """All bins, or those of one warehouse, by warehouse and code. Raises: NotFound."""
    rows = tx.run(
        """SELECT b.id, w.code AS warehouse, b.code, b.is_default, b.frozen, coalesce(g.items, 0) AS items,
               coalesce(g.units, 0) AS units
           FROM bin b JOIN warehouse w ON (w.merchant_id, w.id) = (b.merchant_id, b.warehouse_id)
           LEFT JOIN LATERAL (SELECT count(DISTINCT item_id) AS items,
                   CAST(sum(available + picking + unavailable) AS bigint) AS units
               FROM warehouse_balance g WHERE g.merchant_id = :merchant_id AND g.bin_id = b.id
                 AND available + picking + unavailable > 0) g ON true
           WHERE b.merchant_id = :merchant_id AND (CAST(:only AS bigint) IS NULL OR w.id = :only)
           ORDER BY w.code, NOT b.is_default, b.code""",
        only=id_of(tx, warehouse) if warehouse else None,
    )
    return [Bin(**row._mapping) for row in rows]

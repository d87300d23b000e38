"""What places are called: bins, warehouses and pools, and what moved between them, in words."""

from collections.abc import Iterable

from core.stock import Layer
from core.transaction import Transaction


def pool_name(pool: str) -> str:
    """SQL of what people call a row of ``pool``: a floor by its item and store, since its code is made of numbers."""
    flaw = "CASE l.grade WHEN 'good' THEN '' ELSE ' (' || l.grade || ')' END"
    floor = f"""(SELECT 'floor of ' || (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = l.item_id)
            || {flaw} || ' for ' || (SELECT name FROM store WHERE merchant_id = :merchant_id AND id = l.store_id)
        FROM lock l WHERE l.merchant_id = :merchant_id AND l.id = {pool}.id AND l.standing)"""
    return f"coalesce(nullif({pool}.name, ''), {floor}, nullif({pool}.code, ''), {pool}.kind)"


def _name(layer: str, place: str) -> str:
    """SQL of a place's name, from that of its layer and its id."""
    return f"""coalesce(CASE {layer}
        WHEN 'warehouse' THEN (SELECT w.code || '/' || b.code FROM bin b
            JOIN warehouse w ON w.merchant_id = b.merchant_id AND w.id = b.warehouse_id
            WHERE b.merchant_id = :merchant_id AND b.id = {place})
        WHEN 'dispatch' THEN (SELECT code FROM warehouse WHERE merchant_id = :merchant_id AND id = {place})
        ELSE (SELECT {pool_name("p")} FROM pool p WHERE p.merchant_id = :merchant_id AND p.id = {place})
        END, 'place ' || {place})"""


def _end(side: str) -> str:
    """SQL of the bucket at one end of the movement ``m``; with its place where only that tells the ends apart."""
    place = _name("m.layer", f"m.{side}_place")
    return f"m.{side}_bucket || CASE WHEN m.from_bucket = m.to_bucket THEN ' of ' || {place} ELSE '' END"


def moved(whose: str = "") -> str:
    """SQL of the movement ``m`` in words, like ``2 minor_defect free -> reserved``.

    Args: whose: SQL of the SKU, where a document moves several items: ``2 MUG (minor_defect) free -> reserved``.
    """
    flaw = "CASE m.grade WHEN 'good' THEN NULL ELSE m.grade END"
    goods = f"concat({whose}, ' (' || {flaw} || ')')" if whose else flaw
    return f"concat_ws(' ', m.quantity, {goods}, {_end('from')}, '->', {_end('to')})"


def names(tx: Transaction, wanted: Iterable[tuple[Layer, int | None]]) -> dict[tuple[Layer, int], str]:
    """Names of places by layer and id: ``MAIN/DEFAULT`` for a bin, ``MAIN`` for a warehouse, ``Shared`` for a pool.

    The world (None) has none. A place that is not there any more is called by its number.
    """
    keys = sorted({(layer, place) for layer, place in wanted if place is not None})
    rows = tx.run(
        f"""SELECT k.layer, k.id, {_name("k.layer", "k.id")} AS name
           FROM unnest(CAST(:layers AS text[]), CAST(:ids AS bigint[])) k (layer, id)""",
        layers=[layer for layer, _ in keys],
        ids=[place for _, place in keys],
    )
    return {(Layer(row.layer), row.id): row.name for row in rows}


def needless(tx: Transaction) -> frozenset[str]:
    """Names that tell no two places apart: of the only warehouse with its only bin, and of the only pool.

    Empty where there is a second bin.
    """
    spots = tx.run(
        """SELECT w.code AS warehouse, w.code || '/' || b.code AS bin FROM bin b
           JOIN warehouse w ON (w.merchant_id, w.id) = (b.merchant_id, b.warehouse_id)
           WHERE b.merchant_id = :merchant_id LIMIT 2"""
    ).all()
    if len(spots) > 1:
        return frozenset()
    pools = tx.run(f"SELECT {pool_name('p')} FROM pool p WHERE p.merchant_id = :merchant_id LIMIT 2").scalars().all()
    return frozenset(name for names in spots for name in names) | (frozenset(pools) if len(pools) == 1 else set())

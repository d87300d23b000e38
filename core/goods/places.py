"""What places are called: bins, warehouses and pools."""

from collections.abc import Iterable

from core.stock import Layer
from core.transaction import Transaction


def names(tx: Transaction, wanted: Iterable[tuple[Layer, int | None]]) -> dict[tuple[Layer, int], str]:
    """Names of places by layer and id: ``MAIN/DEFAULT`` for a bin, ``MAIN`` for a warehouse, ``Shared`` for a pool.

    The world (None) has none. A place that is not there any more is called by its number.
    """
    keys = sorted({(layer, place) for layer, place in wanted if place is not None})
    rows = tx.run(
        """SELECT k.layer, k.id, coalesce(CASE k.layer
               WHEN 'warehouse' THEN (SELECT w.code || '/' || b.code FROM bin b
                   JOIN warehouse w ON w.merchant_id = b.merchant_id AND w.id = b.warehouse_id
                   WHERE b.merchant_id = :merchant_id AND b.id = k.id)
               WHEN 'dispatch' THEN (SELECT code FROM warehouse WHERE merchant_id = :merchant_id AND id = k.id)
               ELSE (SELECT coalesce(nullif(name, ''), nullif(code, ''), kind) FROM pool
                   WHERE merchant_id = :merchant_id AND id = k.id) END,
               'place ' || k.id) AS name
           FROM unnest(CAST(:layers AS text[]), CAST(:ids AS bigint[])) k (layer, id)""",
        layers=[layer for layer, _ in keys],
        ids=[place for _, place in keys],
    )
    return {(Layer(row.layer), row.id): row.name for row in rows}

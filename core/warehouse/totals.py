"""What there is by warehouse, by region and over all, of one item or of everything: one query."""

from dataclasses import dataclass

from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Total:
    """Sale units. ``book``: what stands there whatever its state: available, allocated, locked and unavailable.
    ``picking``: of the allocated, those that were handed to the people who pack.

    ``place``: a warehouse's code, a region's name, or ``all``; ``in_transit``: on the way to it, purchases included.
    """

    scope: str  # warehouse, region or all
    place: str
    book: int
    available: int
    allocated: int
    picking: int
    locked: int
    unavailable: int
    in_transit: int


def totals(tx: Transaction, item_id: int | None = None) -> list[Total]:
    """Warehouses by code, then regions by name (those without one together as ``-``), then all."""
    rows = tx.run(
        """SELECT CASE WHEN grouping(w.code) = 0 THEN 'warehouse' WHEN grouping(region) = 0 THEN 'region'
                   ELSE 'all' END AS scope,
               coalesce(CASE WHEN grouping(w.code) = 0 THEN w.code WHEN grouping(region) = 0 THEN region END, 'all')
                   AS place,
               CAST(coalesce(sum(d.available + d.allocated + d.locked + d.unavailable), 0) AS bigint) AS book,
               CAST(coalesce(sum(d.available), 0) AS bigint) AS available,
               CAST(coalesce(sum(d.allocated), 0) AS bigint) AS allocated,
               CAST(coalesce(sum(p.picking), 0) AS bigint) AS picking,
               CAST(coalesce(sum(d.locked), 0) AS bigint) AS locked,
               CAST(coalesce(sum(d.unavailable), 0) AS bigint) AS unavailable,
               CAST(coalesce(sum(d.incoming + d.incoming_sellable), 0) AS bigint) AS in_transit
           FROM (SELECT id, code, coalesce(nullif(region, ''), '-') AS region FROM warehouse
                 WHERE merchant_id = :merchant_id) w
           LEFT JOIN (SELECT warehouse_id, sum(available) AS available, sum(allocated) AS allocated,
                   sum(locked) AS locked, sum(unavailable) AS unavailable, sum(incoming) AS incoming,
                   sum(incoming_sellable) AS incoming_sellable FROM dispatch_balance
               WHERE merchant_id = :merchant_id AND (CAST(:item_id AS bigint) IS NULL OR item_id = :item_id)
               GROUP BY 1) d ON d.warehouse_id = w.id
           LEFT JOIN (SELECT bin.warehouse_id, sum(b.picking) AS picking FROM warehouse_balance b
               JOIN bin ON bin.merchant_id = b.merchant_id AND bin.id = b.bin_id
               WHERE b.merchant_id = :merchant_id AND b.picking > 0
                 AND (CAST(:item_id AS bigint) IS NULL OR b.item_id = :item_id)
               GROUP BY 1) p ON p.warehouse_id = w.id
           GROUP BY GROUPING SETS ((w.code), (region), ())
           ORDER BY grouping(w.code), grouping(region), 2""",
        item_id=item_id,
    )
    return [Total(**row._mapping) for row in rows]

"""What there is by warehouse, by region and over all, of one item or of everything: one query."""

from dataclasses import dataclass

from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Total:
    """Sale units. ``book``: what stands there whatever its state: available, allocated, locked and unavailable.

    ``place``: a warehouse's code, a region's name, or ``all``; ``in_transit``: on the way to it, purchases included.
    """

    scope: str  # warehouse, region or all
    place: str
    book: int
    available: int
    allocated: int
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
               CAST(coalesce(sum(d.locked), 0) AS bigint) AS locked,
               CAST(coalesce(sum(d.unavailable), 0) AS bigint) AS unavailable,
               CAST(coalesce(sum(d.incoming + d.incoming_sellable), 0) AS bigint) AS in_transit
           FROM (SELECT id, code, coalesce(nullif(region, ''), '-') AS region FROM warehouse
                 WHERE merchant_id = :merchant_id) w
           LEFT JOIN dispatch_balance d ON d.merchant_id = :merchant_id AND d.warehouse_id = w.id
               AND (CAST(:item_id AS bigint) IS NULL OR d.item_id = :item_id)
           GROUP BY GROUPING SETS ((w.code), (region), ())
           ORDER BY grouping(w.code), grouping(region), 2""",
        item_id=item_id,
    )
    return [Total(**row._mapping) for row in rows]

"""What a change of balances sets in motion: listings to compute again, and work for the stores that show them."""

from collections.abc import Iterable
from datetime import datetime

from core import work
from core.transaction import Transaction


def stale(
    tx: Transaction,
    item_ids: Iterable[int],
    listing_ids: Iterable[int],
    counted: Iterable[tuple[int, int]],
    heard_at: datetime | None = None,
    ours_since: datetime | None = None,
) -> None:
    """Mark the listings of these items (and these listings) stale, in the transaction that changed their balances.

    Args: counted: per listing, units that its own store took off its number by itself (negative: put back); what we
          believe the store shows follows. heard_at: when the news arrived that caused this.
    """
    items, listings, deltas = sorted(item_ids), sorted(listing_ids), list(counted)
    if not items and not listings and not deltas:
        return
    own_ms = 0 if ours_since is None else max(int((tx.now - ours_since).total_seconds() * 1000), 0)
    stores = tx.run(
        """WITH taken AS (
               SELECT id, sum(units) AS units
               FROM unnest(CAST(:counted AS bigint[]), CAST(:units AS bigint[])) c (id, units)
               GROUP BY id
           ), target AS (
               SELECT l.id FROM unnest(CAST(:items AS bigint[])) i (id) CROSS JOIN LATERAL (
                   SELECT id FROM listing WHERE merchant_id = :merchant_id AND item_id = i.id) l
               UNION SELECT unnest(CAST(:listings AS bigint[])) UNION SELECT id FROM taken
           ), held AS (
               SELECT l.id, l.store_id FROM (SELECT id FROM target ORDER BY id) t CROSS JOIN LATERAL (
                   SELECT id, store_id FROM listing WHERE merchant_id = :merchant_id AND id = t.id FOR NO KEY UPDATE) l
           ), marked AS (
               UPDATE listing l SET
                   revision = l.revision + 1, tries = 0, stale_since = coalesce(l.stale_since, :now),
                   tryable_since = CASE WHEN l.stale_since IS NULL OR l.not_before > :now THEN :now
                       ELSE coalesce(l.tryable_since, :now) END,
                   not_before = NULL,
                   believed = l.believed - coalesce((SELECT units FROM taken WHERE taken.id = l.id), 0),
                   -- a number read before the store moved it is no evidence any more, but a gap stays a gap
                   observed = l.observed - coalesce((SELECT units FROM taken WHERE taken.id = l.id), 0),
                   observed_at = CASE WHEN l.id IN (SELECT id FROM taken) THEN NULL ELSE l.observed_at END,
                   heard_at = CASE WHEN l.stale_since IS NULL THEN CAST(:heard_at AS timestamptz)
                              ELSE least(l.heard_at, CAST(:heard_at AS timestamptz)) END,
                   heard_own_ms = CASE WHEN l.stale_since IS NULL THEN :own_ms
                       ELSE greatest(l.heard_own_ms, :own_ms) END
               FROM held WHERE l.merchant_id = :merchant_id AND l.id = held.id
               RETURNING l.store_id
           )
           SELECT DISTINCT m.store_id FROM marked m JOIN store s ON s.merchant_id = :merchant_id AND s.id = m.store_id
           WHERE s.mode IN ('live', 'dry_run') AND NOT s.paused ORDER BY 1""",
        items=items,
        listings=listings,
        counted=[listing_id for listing_id, _ in deltas],
        units=[units for _, units in deltas],
        heard_at=heard_at,
        own_ms=own_ms,
    ).scalars()
    work.want(tx, [work.Want("push", store_id, "") for store_id in stores])

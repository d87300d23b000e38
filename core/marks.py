"""What a change of balances sets in motion: listings to compute again, and work for the stores that show them.

Rows are taken in one order everywhere, so that nobody waits in a circle: first those of ``push_due``, by store and
listing, then those of ``listing``, by id.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from core import work
from core.transaction import Transaction

# The listings concerned become due for a push; what comes back are the stores that may be written to.
_MARK = """
    WITH RECURSIVE concerned AS (
        SELECT k.id FROM unnest(CAST(:items AS bigint[])) k (id)
        WHERE (SELECT EXISTS (SELECT FROM component WHERE merchant_id = :merchant_id))
        UNION SELECT c.bundle_item_id FROM concerned i CROSS JOIN LATERAL (
            SELECT bundle_item_id FROM component c WHERE merchant_id = :merchant_id AND item_id = i.id
              AND (SELECT kind FROM item WHERE merchant_id = :merchant_id AND id = c.bundle_item_id) = 'bundle'
            OFFSET 0) c
    ), target AS (
        SELECT l.store_id, l.id FROM unnest(CAST(:items AS bigint[])) k (id) CROSS JOIN LATERAL (
            SELECT store_id, id FROM listing WHERE merchant_id = :merchant_id AND item_id = k.id OFFSET 0) l
        UNION SELECT l.store_id, l.id FROM concerned k CROSS JOIN LATERAL (
            SELECT store_id, id FROM listing WHERE merchant_id = :merchant_id AND item_id = k.id OFFSET 0) l
        UNION SELECT l.store_id, l.id FROM unnest(CAST(:listings AS bigint[])) k (id) CROSS JOIN LATERAL (
            SELECT store_id, id FROM listing WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) l
    ), marked AS (
        INSERT INTO push_due AS d (merchant_id, store_id, listing_id, revision, stale_since, tryable_since,
            tries, heard_at, heard_own_ms)
        SELECT :merchant_id, store_id, id, :revision, :now, :now, 0, CAST(:heard_at AS timestamptz), :own_ms
        FROM target ORDER BY store_id, id
        ON CONFLICT (merchant_id, store_id, listing_id) DO UPDATE SET
            revision = EXCLUDED.revision, tries = 0, not_before = NULL,
            tryable_since = CASE WHEN d.not_before > :now THEN :now ELSE d.tryable_since END,
            heard_at = least(d.heard_at, EXCLUDED.heard_at),
            heard_own_ms = greatest(d.heard_own_ms, EXCLUDED.heard_own_ms)
        RETURNING d.store_id
    )
    SELECT m.store_id FROM (SELECT DISTINCT store_id FROM marked) m CROSS JOIN LATERAL (
        SELECT mode, paused FROM store WHERE merchant_id = :merchant_id AND id = m.store_id OFFSET 0) s
    WHERE s.mode IN ('live', 'dry_run') AND NOT s.paused ORDER BY 1
"""


def stale(
    tx: Transaction,
    item_ids: Iterable[int],
    listing_ids: Iterable[int],
    counted: Iterable[tuple[int, int]],
    heard_at: datetime | None = None,
    ours_since: datetime | None = None,
) -> None:
    """Mark the listings of these items (and these listings) stale, in the transaction that changed their balances.

    Listings of bundles that contain the items, at any depth, are marked with them.

    Args: counted: per listing, units that its own store took off its number by itself (negative: put back); what we
          believe the store shows follows. heard_at: when the news arrived that caused this.
    """
    taken: Counter[int] = Counter()
    for listing_id, units in counted:
        taken[listing_id] += units
    items, listings = sorted(item_ids), sorted({*listing_ids, *taken})
    if not items and not listings:
        return
    own_ms = 0 if ours_since is None else max(int((tx.now - ours_since).total_seconds() * 1000), 0)
    stores = tx.run(
        _MARK,
        items=items,
        listings=listings,
        # A row that is settled and marked again starts anew; the id is what a late settler cannot have claimed.
        revision=tx.new_id(),
        heard_at=heard_at,
        own_ms=own_ms,
    ).scalars()
    if taken:
        _believe_less(tx, sorted(taken.items()))
    work.want(tx, [work.Want("push", store_id, "") for store_id in stores])


def _believe_less(tx: Transaction, taken: list[tuple[int, int]]) -> None:
    """Follow stores that took units off their numbers; ``taken``: per listing, by id.

    A number read before the store moved it is no evidence any more, but a gap stays a gap. Rows are locked, then put
    back by key: an UPDATE that joins them may read the whole table for a few rows.
    """
    tx.run(
        """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title, believed, observed)
           SELECT :merchant_id, l.id, l.store_id, l.external_id, l.sku, l.title, l.believed - k.units,
               l.observed - k.units
           FROM unnest(CAST(:ids AS bigint[]), CAST(:units AS bigint[])) k (id, units)
           CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id
               FOR NO KEY UPDATE) l
           ON CONFLICT (merchant_id, id) DO UPDATE SET believed = EXCLUDED.believed, observed = EXCLUDED.observed,
               observed_at = NULL""",
        ids=[listing_id for listing_id, _ in taken],
        units=[units for _, units in taken],
    )

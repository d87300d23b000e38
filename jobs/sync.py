"""Full sync: import the whole catalogue, read every number back, and set right what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.wiring import App
from connectors.port import Connector
from core import catalog, marks
from core.model import ListingRef, ObservedLevel
from core.selling import facts
from core.selling.availability import number_to_write
from core.stores import StoreRow
from core.transaction import Transaction
from jobs.leases import do_alone
from jobs.registry import job

_ACTOR = "job:full_sync"
_LEVELS_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Difference:
    """A listing whose number on the store is not the one it should show; ``shown`` is None when it has none."""

    listing_id: int
    sku: str
    title: str
    shown: int | None
    wanted: int


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a full sync found: all listings, those that it compared, and those that differ."""

    listings: int
    new_listings: int
    compared: int
    differences: Sequence[Difference]


@job("full_sync")
def full_sync_job(app: App, merchant_id: int, store_id: int) -> None:
    """The nightly full sync of one store."""

    def sync(store: StoreRow) -> None:
        if store.reads:
            full_sync(app, merchant_id, store_id, dry_run=False)

    do_alone(app, merchant_id, store_id, "full_sync", _ACTOR, sync)


def full_sync(app: App, merchant_id: int, store_id: int, *, dry_run: bool) -> SyncReport:
    """Compare every listing of a store with what it should show.

    With ``dry_run`` nothing is written, here or there. Otherwise what differs is marked stale, and the push job sets
    it right by the same rules of evidence as any other push. Raises: ConnectorError.
    """
    connector = app.connector(merchant_id, store_id)
    new = 0 if dry_run else import_catalogue(app, merchant_id, store_id, connector)[1]
    differences: list[Difference] = []
    listings = compared = 0
    for refs in _chunks(app, merchant_id, store_id):
        listings += len(refs)
        levels = connector.read_levels(refs)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            compared += sum(level.quantity is not None for level in levels)
            differences += _compare(tx, levels, dry_run=dry_run)
    return SyncReport(listings, new, compared, differences)


def import_catalogue(app: App, merchant_id: int, store_id: int, connector: Connector) -> tuple[int, int]:
    """Take over the store's catalogue, page by page; returns how many listings it has and how many are new."""
    cursor: str | None = None
    total = new = 0
    while True:
        page = connector.list_listings(cursor)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            imported = catalog.import_listings(tx, store_id, page.listings)
        total, new = total + imported.listings, new + imported.new_listings
        cursor = page.cursor
        if cursor is None:
            return total, new


def _chunks(app: App, merchant_id: int, store_id: int) -> Iterator[list[ListingRef]]:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        rows = tx.run(
            """SELECT id, external_id FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id
               AND item_id IS NOT NULL AND untracked_reason = '' ORDER BY id""",
            store_id=store_id,
        ).all()
    refs = [ListingRef(row.id, row.external_id) for row in rows]
    for start in range(0, len(refs), _LEVELS_AT_ONCE):
        yield refs[start : start + _LEVELS_AT_ONCE]


def _compare(tx: Transaction, levels: Sequence[ObservedLevel], *, dry_run: bool) -> list[Difference]:
    shown = {level.listing_id: level for level in levels}
    source = """SELECT x.* FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
        (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) x"""
    found = []
    for row, told in facts.read(tx, source, ids=list(shown)):
        level, wanted = shown[row.id], number_to_write(told)
        if level.quantity != wanted:
            found.append(Difference(row.id, row.sku, row.title, level.quantity, wanted))
    if not dry_run:
        marks.stale(tx, (), [d.listing_id for d in found if d.shown is not None], ())
        # Only now: whoever marks takes its rows before those of listings.
        _remember(tx, levels)
    return found


def _remember(tx: Transaction, levels: Sequence[ObservedLevel]) -> None:
    """Keep what was read, with the store's time of the read: evidence for a later push."""
    read: dict[int, tuple[int, datetime]] = {
        x.listing_id: (x.quantity, x.read_at) for x in levels if x.quantity is not None
    }
    tx.run(
        """WITH told AS (
               SELECT l.id AS listing_id, k.observed AS quantity, k.observed_at AS read_at,
                   EXISTS (SELECT FROM push_due WHERE merchant_id = :merchant_id AND store_id = l.store_id
                       AND listing_id = l.id) AS stale
               FROM unnest(CAST(:ids AS bigint[]), CAST(:observed AS bigint[]), CAST(:at AS timestamptz[]))
                   k (id, observed, observed_at)
               CROSS JOIN LATERAL (SELECT id, store_id FROM listing WHERE merchant_id = :merchant_id AND id = k.id
                   FOR NO KEY UPDATE) l)
           UPDATE listing l SET observed = told.quantity,
               observed_at = CASE WHEN l.observed IS DISTINCT FROM told.quantity
                   THEN told.read_at ELSE l.observed_at END,
               proven_equal_at = CASE WHEN NOT told.stale AND told.quantity = l.believed THEN :now
                   ELSE l.proven_equal_at END
           FROM told WHERE l.merchant_id = :merchant_id AND l.id = told.listing_id""",
        ids=sorted(read),
        observed=[read[i][0] for i in sorted(read)],
        at=[read[i][1] for i in sorted(read)],
    )

"""Merchants, items, and the listings that show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core import bulk, marks, tables, work
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.errors import ConfigError, NotFound
from core.goods import skus
from core.model import Sharing, StoreListing
from core.transaction import Database, Transaction

sku_key = skus.sku_key


def ensure_merchant(
    db: Database, merchant_id: int, *, name: str, time_zone: str = "UTC", alert_email: str = ""
) -> bool:
    """Make a merchant with one warehouse, one default bin and one shared pool, unless it is there already.

    Returns: True when it was made. Raises: ConfigError for an unknown time zone.
    """
    _require_time_zone(time_zone)
    with db.begin(merchant_id, actor="cli", source="setup") as tx:
        made = tx.run(
            """INSERT INTO merchant (id, name, time_zone, alert_email, created_at)
               VALUES (:merchant_id, :name, :time_zone, :alert_email, :now) ON CONFLICT DO NOTHING RETURNING id""",
            name=name,
            time_zone=time_zone,
            alert_email=alert_email,
        ).scalar_one_or_none()
        if made is None:
            return False
        warehouse_id = tx.new_id()
        tx.run(
            """INSERT INTO warehouse (merchant_id, id, code, name, time_zone, kind)
               VALUES (:merchant_id, :id, 'MAIN', 'Main warehouse', :time_zone, 'warehouse')""",
            id=warehouse_id,
            time_zone=time_zone,
        )
        tx.run(
            """INSERT INTO bin (merchant_id, id, warehouse_id, code, is_default)
               VALUES (:merchant_id, :id, :warehouse_id, 'DEFAULT', true)""",
            id=tx.new_id(),
            warehouse_id=warehouse_id,
        )
        tx.run(
            "INSERT INTO pool (merchant_id, id, kind, name) VALUES (:merchant_id, :id, 'shared', 'Shared')",
            id=tx.new_id(),
        )
    return True


def set_merchant(
    tx: Transaction,
    *,
    name: str | None = None,
    time_zone: str | None = None,
    alert_email: str | None = None,
    sharing: Sharing | None = None,
    share_below: int | None = None,
) -> None:
    """Change what is not None. Raises: ConfigError for an unknown time zone."""
    if time_zone is not None:
        _require_time_zone(time_zone)
    tx.run(
        """UPDATE merchant SET name = coalesce(CAST(:name AS text), name),
               time_zone = coalesce(CAST(:time_zone AS text), time_zone),
               alert_email = coalesce(CAST(:alert_email AS text), alert_email),
               sharing = coalesce(CAST(:sharing AS text), sharing),
               share_below = coalesce(CAST(:share_below AS bigint), share_below)
           WHERE id = :merchant_id""",
        name=name,
        time_zone=time_zone,
        alert_email=alert_email,
        sharing=sharing,
        share_below=share_below,
    )


def _require_time_zone(time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"{time_zone!r} is no time zone; use a name like Europe/Berlin") from error


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import of listings did."""

    listings: int
    new_listings: int
    ambiguous: int


def import_listings(tx: Transaction, store_id: int, told: Sequence[StoreListing]) -> Imported:
    """Take over a page of a store's catalogue: new SKUs become items, listings are mapped to items by SKU.

    A SKU that a store carries twice is mapped to its first listing only; the others are parked with the reason, for a
    person to map. What is mapped already is never mapped anew. ``believed`` starts as the number just read.
    """
    items = _make_items(tx, told)
    taken = _items_mapped_elsewhere(tx, store_id, items)
    rows, ambiguous = [], 0
    for listing in told:
        item = items.get(sku_key(listing.sku))
        parked = ""
        if item is None:
            parked = "the listing has no SKU; map it to an item by hand"
        elif taken.setdefault(item.id, listing.external_id) != listing.external_id:
            parked = f"another listing of this store carries SKU {listing.sku}, too; map it by hand"
            ambiguous += 1
        rows.append(
            (
                tx.new_id(),
                listing.external_id,
                listing.sku,
                listing.title,
                item.id if item and not parked else None,
                parked,
                listing.untracked_reason,
                listing.quantity,
            )
        )
    names = ["id", "external_id", "sku", "title", "item_id", "parked", "untracked", "quantity"]
    _lock_known(tx, store_id, told)
    made = tx.run(
        """INSERT INTO listing AS l (merchant_id, id, store_id, external_id, sku, title, item_id, quarantine_reason,
               untracked_reason, believed, observed, observed_at)
           SELECT :merchant_id, k.id, :store_id, k.external_id, k.sku, k.title, k.item_id, k.parked,
               k.untracked, k.quantity, k.quantity, :now
           FROM unnest(CAST(:id AS bigint[]), CAST(:external_id AS text[]), CAST(:sku AS text[]),
               CAST(:title AS text[]),
               CAST(:item_id AS bigint[]), CAST(:parked AS text[]), CAST(:untracked AS text[]),
               CAST(:quantity AS bigint[]))
               WITH ORDINALITY k (id, external_id, sku, title, item_id, parked, untracked, quantity, nth)
           ORDER BY k.external_id
           ON CONFLICT (merchant_id, store_id, external_id) DO UPDATE SET sku = EXCLUDED.sku, title = EXCLUDED.title,
               untracked_reason = EXCLUDED.untracked_reason
           RETURNING l.id, l.external_id, l.item_id, l.xmax = 0 AS new""",
        store_id=store_id,
        **{name: [row[n] for row in rows] for n, name in enumerate(names)},
    ).all()
    fresh = [row for row in made if row.new]
    # Not only for new ones: an order that was applied while its listing was being imported found no listing yet.
    _replay_held(tx, store_id, [row.external_id for row in made if row.item_id is not None])
    return Imported(len(made), len(fresh), ambiguous)


def _lock_known(tx: Transaction, store_id: int, told: Sequence[StoreListing]) -> None:
    """Take the rows that are there already by id, as ``marks.stale`` does, so that nobody waits in a circle."""
    tx.run(
        """SELECT id FROM listing WHERE merchant_id = :merchant_id AND id = ANY(ARRAY(
               SELECT l.id FROM unnest(CAST(:external_ids AS text[])) k (external_id) CROSS JOIN LATERAL (
                   SELECT id FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id
                     AND external_id = k.external_id OFFSET 0) l))
           ORDER BY id FOR NO KEY UPDATE""",
        store_id=store_id,
        external_ids=[listing.external_id for listing in told],
    )


def _make_items(tx: Transaction, told: Sequence[StoreListing]) -> Mapping[str, skus.SkuItem]:
    """Items by their keys; a SKU that no item has or had becomes one. None is merged before this transaction ends."""
    first = {sku_key(x.sku): x for x in reversed(told) if sku_key(x.sku)}
    known = skus.find(tx, first)
    rows = [(tx.new_id(), x.sku.strip(), key, x.title, tx.now) for key, x in sorted(first.items()) if key not in known]
    bulk.insert_missing(tx, tables.item, ["id", "sku", "sku_key", "title", "created_at"], rows, ["sku_key"])
    return skus.keep(tx, first)


def _items_mapped_elsewhere(tx: Transaction, store_id: int, items: Mapping[str, skus.SkuItem]) -> dict[int, str]:
    """Per item: the listing of this store that is mapped to it already."""
    rows = tx.run(
        """SELECT DISTINCT ON (k.id) k.id, l.external_id FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, external_id FROM listing WHERE merchant_id = :merchant_id AND item_id = k.id
               AND store_id = :store_id OFFSET 0) l ORDER BY k.id, l.id""",
        store_id=store_id,
        ids=sorted({item.id for item in items.values()}),
    )
    return {row.id: row.external_id for row in rows}


def map_listing(tx: Transaction, store_id: int, external_id: str, sku: str) -> None:
    """Bind a listing to an item by hand; order lines that were held for it are replayed.

    What the store shows is not believed any more until it was read again. Raises: NotFound.
    """
    item_id = skus.keep_one(tx, item_id_of(tx, sku))
    listing_id = tx.run(
        """SELECT id FROM listing
           WHERE merchant_id = :merchant_id AND store_id = :store_id AND external_id = :external_id""",
        store_id=store_id,
        external_id=external_id,
    ).scalar_one_or_none()
    if listing_id is None:
        raise NotFound(f"store {store_id} has no listing {external_id}; run `holdfast sync` to import its catalogue")
    marks.stale(tx, (), [listing_id], ())  # before its row is taken: see there for the order
    tx.run(
        """UPDATE listing SET item_id = :item_id, quarantine_reason = '', believed = NULL
           WHERE merchant_id = :merchant_id AND id = :id""",
        item_id=item_id,
        id=listing_id,
    )
    _replay_held(tx, store_id, [external_id])


def _replay_held(tx: Transaction, store_id: int, external_ids: Sequence[str]) -> None:
    """Fetch orders again whose lines were held because one of these listings was not mapped."""
    if not external_ids:
        return
    orders = tx.run(
        """SELECT DISTINCT o.external_id FROM order_line l
           CROSS JOIN LATERAL (SELECT external_id FROM store_order WHERE merchant_id = :merchant_id
               AND id = l.order_id AND store_id = :store_id OFFSET 0) o
           WHERE l.merchant_id = :merchant_id AND l.held_reason <> '' AND l.external_id = ANY(CAST(:ids AS text[]))""",
        store_id=store_id,
        ids=list(external_ids),
    ).scalars()
    work.want(tx, [work.Want("order", store_id, external_id) for external_id in orders])


def item_id_of(tx: Transaction, sku: str) -> int:
    """An item by whatever it is called, see ``core.goods.skus``.

    Raises: NotFound, naming items with a similar SKU; Refused for a code that means several items.
    """
    return skus.resolve(tx, [sku])[sku_key(sku)].id


def set_low_stock(tx: Transaction, sku: str, threshold: int | None) -> None:
    """Warn when the free units of an item fall to ``threshold`` (>= 0; None: never). Raises: NotFound."""
    alert_rules.set_rule(tx, AlertKind.LOW_STOCK, alert_rules.Scope(item_id_of(tx, sku)), threshold)

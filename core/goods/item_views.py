"""Read-only views of one item: its buckets, what each store shows of it and why, and what moved it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import reading
from core.goods import places, renames
from core.goods.renames import Former
from core.model import StoreMode
from core.selling import facts
from core.selling.availability import Facts, number_to_write
from core.selling.wording import explain
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ItemView:
    id: int
    sku: str
    title: str
    low_stock_threshold: int | None
    formerly: Sequence[Former] = ()


def item_view(tx: Transaction, item_id: int) -> ItemView:
    row = tx.run(
        """SELECT id, sku, title, (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id
                   AND item_id IN (0, i.id) AND kind = 'low_stock' AND warehouse_id = 0 AND store_id = 0
                   AND grade = 'good' ORDER BY item_id DESC LIMIT 1) AS low_stock_threshold
           FROM item i WHERE merchant_id = :merchant_id AND id = :id""",
        id=item_id,
    ).one()
    return ItemView(**row._mapping, formerly=renames.history(tx, item_id))


def skus(tx: Transaction, item_ids: Collection[int]) -> dict[int, str]:
    """The SKUs of these items by id."""
    rows = tx.run(
        "SELECT id, sku FROM item WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))",
        ids=list(item_ids),
    )
    return {row.id: row.sku for row in rows}


@dataclass(frozen=True, slots=True)
class BalanceView:
    """One balance row of an item: units per bucket at one place of one layer."""

    layer: str
    place: str
    grade: str
    buckets: Mapping[str, int]


def balances(tx: Transaction, item_id: int) -> list[BalanceView]:
    """An item in all three layers, in the order goods go through them."""
    rows = tx.run(
        f"""SELECT 1 AS nth, 'warehouse' AS layer, w.code || '/' || p.code AS place, b.grade,
               json_build_object('available', available, 'picking', picking, 'unavailable', unavailable) AS buckets
           FROM warehouse_balance b JOIN bin p ON p.merchant_id = b.merchant_id AND p.id = b.bin_id
           JOIN warehouse w ON w.merchant_id = p.merchant_id AND w.id = p.warehouse_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           UNION ALL
           SELECT 2, 'dispatch', w.code, b.grade, json_build_object('available', available, 'allocated', allocated,
               'locked', locked, 'unavailable', unavailable, 'incoming', incoming,
               'incoming_sellable', incoming_sellable)
           FROM dispatch_balance b JOIN warehouse w ON w.merchant_id = b.merchant_id AND w.id = b.warehouse_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           UNION ALL
           SELECT 3, 'sales', {places.pool_name("p")}, b.grade,
               json_build_object('free', free, 'reserved', reserved, 'sold', sold, 'backordered', backordered)
           FROM sales_balance b JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id
           ORDER BY nth, place, grade""",
        item_id=item_id,
    )
    return [BalanceView(row.layer, row.place, row.grade, row.buckets) for row in rows]


@dataclass(frozen=True, slots=True)
class Shown:
    """One listing of an item: what its store shows, what it should show, and why.

    ``published`` is the last number that the store confirmed, ``observed`` the last that was read back. ``pushing``
    means that a job is at it now. ``last_status`` and ``last_reason`` are those of the newest push.
    """

    store: str
    mode: StoreMode
    paused: bool
    external_id: str
    pack_size: int
    published: int | None
    published_at: datetime | None
    observed: int | None
    observed_at: datetime | None
    wanted: int
    why: str
    stale_since: datetime | None
    pushing: bool
    last_status: str
    last_reason: str
    last_pushed_at: datetime | None
    parked: str


def shown_by_stores(tx: Transaction, item_id: int) -> list[Shown]:
    """Every listing of an item, by store."""
    shown = facts.read(tx, _SHOWN, item_id=item_id)
    return [_shown(row, told) for row, told in sorted(shown, key=lambda one: (one[0].store_id, one[0].id))]


_SHOWN = f"""
    SELECT {", ".join(f"l.{name}" for name in facts.NEEDED)}, l.external_id, l.published, l.published_at, l.observed,
        l.observed_at, l.untracked_reason, l.quarantine_reason, due.stale_since, s.name, s.mode, s.paused,
        coalesce(last.status, '') AS last_status, coalesce(last.reason, '') AS last_reason, last.settled_at,
        EXISTS (SELECT FROM work w WHERE w.merchant_id = :merchant_id AND w.topic = 'push'
            AND w.store_id = l.store_id AND w.leased_until > :now) AS leased
    FROM listing l JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
    LEFT JOIN LATERAL (SELECT stale_since FROM push_due WHERE merchant_id = :merchant_id
        AND store_id = l.store_id AND listing_id = l.id) due ON true
    LEFT JOIN LATERAL (SELECT status, reason, settled_at FROM push WHERE merchant_id = :merchant_id
        AND listing_id = l.id ORDER BY settled_at DESC LIMIT 1) last ON true
    WHERE l.merchant_id = :merchant_id AND l.item_id = :item_id
"""


def _shown(row: Any, told: Facts) -> Shown:
    return Shown(
        store=row.name,
        mode=StoreMode(row.mode),
        paused=row.paused,
        external_id=row.external_id,
        pack_size=row.pack_size,
        published=row.published,
        published_at=row.published_at,
        observed=row.observed,
        observed_at=row.observed_at,
        wanted=number_to_write(told),
        why=explain(told),
        stale_since=row.stale_since,
        pushing=row.leased and row.stale_since is not None,
        last_status=row.last_status,
        last_reason=row.last_reason,
        last_pushed_at=row.settled_at,
        parked=row.untracked_reason or row.quarantine_reason,
    )


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document that moved an item. ``moves`` are its movements of that item, as sentences."""

    id: int
    recorded_at: datetime
    kind: str
    actor: str
    reason: str
    order: str
    store: str
    moves: Sequence[str]


_MOVEMENTS_PER_DOCUMENT = 8


def recent_documents(tx: Transaction, item_id: int, *, limit: int = 10) -> list[DocumentView]:
    """The newest documents that moved an item, newest first."""
    return documents(tx, [item_id], limit=limit)


def documents(
    tx: Transaction,
    item_ids: Collection[int],
    *,
    after: datetime | None = None,
    until: datetime | None = None,
    limit: int = 10,
) -> list[DocumentView]:
    """The newest documents that moved any of the items, of those recorded later than ``after`` and up to ``until``.

    The cost is that of ``limit`` documents, however many there are; fewer come back where they have many movements.
    """
    rows = tx.run(
        f"""WITH newest AS (
               SELECT m.document_id, m.recorded_at FROM unnest(CAST(:item_ids AS bigint[])) k (id)
               CROSS JOIN LATERAL (
                   SELECT document_id, recorded_at FROM movement WHERE merchant_id = :merchant_id AND item_id = k.id
                     AND recorded_at > coalesce(CAST(:after AS timestamptz), '-infinity')
                     AND recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
                   ORDER BY recorded_at DESC LIMIT :look_at) m
               GROUP BY 1, 2 ORDER BY m.recorded_at DESC, m.document_id DESC LIMIT :limit
           )
           SELECT d.id, d.recorded_at, d.kind, d.actor, {reading.REASON}, coalesce(o.number, '') AS order,
               coalesce(s.name, '') AS store, moved.moves
           FROM newest n
           JOIN document d ON d.merchant_id = :merchant_id AND d.id = n.document_id AND d.recorded_at = n.recorded_at
           LEFT JOIN store_order o ON o.merchant_id = :merchant_id AND o.id = d.order_id
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           CROSS JOIN LATERAL (
               SELECT array_agg(layer || ': ' || {places.moved()}
                   ORDER BY position(layer IN 'warehouse dispatch sales'), line_no) AS moves
               FROM movement m WHERE m.merchant_id = :merchant_id AND m.document_id = d.id
                 AND m.recorded_at = d.recorded_at AND m.item_id = ANY(CAST(:item_ids AS bigint[]))) moved
           ORDER BY d.recorded_at DESC, d.id DESC""",
        item_ids=list(item_ids),
        after=after,
        until=until,
        limit=limit,
        look_at=limit * _MOVEMENTS_PER_DOCUMENT,
    )
    return [DocumentView(**row._mapping) for row in rows]

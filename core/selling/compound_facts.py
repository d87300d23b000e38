"""Facts of listings whose units are not those of one item in the shared pool alone: bundles, components, own pools."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core import reading
from core.rows import LockRow
from core.sales.drawing import OWN, kept_to, may_draw
from core.selling.availability import Facts, Part, Reach, Source
from core.selling.channels import Channels, values
from core.selling.rulebook import Rules, Scope, Told, Value, resolve
from core.stock import Pool, PoolKind, Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Seller:
    """A listing by which a live store sells units of an item, itself or in a bundle.

    ``units``  of the item that it may show at this moment, by what we believe and by what is being written.
    """

    listing_id: int
    store_id: int
    units: int


@dataclass(frozen=True, slots=True)
class Base:
    """What all listings that sell an item in one grade share; ``said``: the rules that the item itself has."""

    sku: str
    free: int = 0
    waiting: int = 0
    largest: int = 0
    said: Mapping[str, Value] = field(default_factory=dict)
    pools: Sequence[tuple[Pool, LockRow | None, int]] = ()
    sellers: Sequence[Seller] = ()


def read(tx: Transaction, shops: Channels, rows: Sequence[Any]) -> dict[int, Facts]:
    """Facts by listing. A fixed number of queries, however many rows there are.

    Args: rows: as ``core.selling.facts`` reads them.
    """
    if not rows:
        return {}
    bundles = {row.item_id for row in rows if row.item_kind == "bundle"}
    recipes: Mapping[int, Sequence[tuple[Stocked, int]]] = reading.find_recipes(tx, bundles) if bundles else {}
    wanted = {Stocked(row.item_id, row.grade) for row in rows if row.item_id not in bundles}
    wanted |= {stocked for recipe in recipes.values() for stocked, _ in recipe}
    bases = _bases(tx, shops, sorted(wanted))
    return {
        row.id: _of_bundle(
            tx, shops, row, [(bases[stocked], stocked, n) for stocked, n in recipes.get(row.item_id, ())]
        )
        if row.item_id in bundles
        else _of_item(tx, shops, row, Stocked(row.item_id, row.grade), bases[Stocked(row.item_id, row.grade)])
        for row in rows
    }


def _of_item(tx: Transaction, shops: Channels, row: Any, stocked: Stocked, base: Base) -> Facts:
    facts = _facts(tx, shops, row, stocked, base, shops.rules_of(row))
    return replace(facts, pack_size=row.pack_size, hidden=row.hidden)


def _of_bundle(tx: Transaction, shops: Channels, row: Any, recipe: Sequence[tuple[Base, Stocked, int]]) -> Facts:
    """What the listing and the bundle say counts bundles, what a component or the store says counts its units."""
    own, bundles, store = values(row), values(row, "item_"), shops.said[row.store_id]
    parts = []
    for base, stocked, quantity in recipe:
        nearest = [Told(Scope.LISTING, own, quantity), Told(Scope.ITEM, bundles, quantity), Told(Scope.ITEM, base.said)]
        facts = _facts(tx, shops, row, stocked, base, resolve([*nearest, store]))
        parts.append(Part(base.sku, quantity, facts))
    rules = resolve([Told(Scope.LISTING, own), Told(Scope.ITEM, bundles), store])
    return Facts(
        free=0, pack_size=row.pack_size, hidden=row.hidden, rules=rules, sharing=shops.sharing,
        share_below=shops.share_below, parts=tuple(parts),
    )  # fmt: skip


def _facts(tx: Transaction, shops: Channels, row: Any, stocked: Stocked, base: Base, rules: Rules) -> Facts:
    others = [seller for seller in base.sellers if seller.listing_id != row.id]
    sharing = others if _is_more_shared(tx, base) else [one for one in others if not _alone(tx, base, one.store_id)]
    listings = sorted({row.id, *(seller.listing_id for seller in sharing)})
    here = sorted({row.id, *(seller.listing_id for seller in others if seller.store_id == row.store_id)})
    facts = Facts(
        free=base.free,
        rules=rules,
        sharing=shops.sharing,
        share_below=shops.share_below,
        sharers=len(listings),
        place=(listings.index(row.id) + stocked.item_id) % len(listings),
        largest=base.largest,
        waiting=base.waiting,
        sources=tuple(_sources(tx, base, row.store_id)),
        alone=_alone(tx, base, row.store_id),
        own_sharers=len(here),
        own_place=(here.index(row.id) + stocked.item_id) % len(here),
    )
    return _beware_of(tx, base, facts, row.store_id, others)


def _sources(tx: Transaction, base: Base, store_id: int) -> list[Source]:
    return [
        Source(lock.key if lock else pool.code or pool.kind, pool.kind, units, _reach(tx, pool, lock, store_id))
        for pool, lock, units in base.pools
    ]


def _alone(tx: Transaction, base: Base, store_id: int) -> tuple[str, ...]:
    """Locks that keep a store from the shared pool."""
    locks = [lock for pool, lock, _ in base.pools if lock is not None and may_draw(pool, lock, store_id, "", tx.now)]
    return tuple(lock.key for lock in kept_to(locks))


def _is_more_shared(tx: Transaction, base: Base) -> bool:
    """Is there a pool beside the shared one that every store draws on?"""
    return any(lock is None and _reach(tx, pool, lock, OWN) is Reach.EVERY for pool, lock, _ in base.pools)


def _reach(tx: Transaction, pool: Pool, lock: LockRow | None, store_id: int) -> Reach:
    if not may_draw(pool, lock, store_id, "", tx.now):
        return Reach.OTHER
    return Reach.EVERY if pool.store_id is None else Reach.OWN


def _beware_of(tx: Transaction, base: Base, facts: Facts, store_id: int, others: Sequence[Seller]) -> Facts:
    """The same facts with what the other listings may show now beyond what is set apart for their stores."""
    shown: defaultdict[int, int] = defaultdict(int)
    for seller in others:
        shown[seller.store_id] += seller.units
    here = shown.pop(store_id, 0)
    elsewhere = sum(max(units - _set_apart(tx, base, shop), 0) for shop, units in shown.items())
    own = [facts.units(Reach.OWN, presale=presale) for presale in (False, True)]
    if not any(own):
        return replace(facts, elsewhere=elsewhere + max(here, 0))
    theirs = sum(units - facts.part_of(units, own=True) for units in own)
    return replace(facts, elsewhere=elsewhere, beside=max(here - theirs, 0))


def _set_apart(tx: Transaction, base: Base, store_id: int) -> int:
    return sum(one.units for one in _sources(tx, base, store_id) if one.reach is Reach.OWN)


def _bases(tx: Transaction, shops: Channels, wanted: Sequence[Stocked]) -> dict[Stocked, Base]:
    pools, sellers = _pools(tx, shops, wanted), _sellers(tx, shops, wanted)
    return {
        stocked: Base(
            row.sku, row.free, row.waiting, row.largest, values(row), pools.get(stocked, ()), sellers.get(stocked, ())
        )
        for row in _balances(tx, shops, wanted)
        for stocked in [Stocked(row.item_id, row.grade)]
    }


def _keys(wanted: Sequence[Stocked]) -> dict[str, list[Any]]:
    return {"items": [one.item_id for one in wanted], "grades": [one.grade for one in wanted]}


def _balances(tx: Transaction, shops: Channels, wanted: Sequence[Stocked]) -> Sequence[Any]:
    rows: Sequence[Any] = tx.run(
        """SELECT k.item_id, k.grade, i.sku, i.safety_stock, i.backorder, i.backorder_limit,
               coalesce(b.free, 0) AS free, coalesce(b.backordered, 0) AS waiting,
               (SELECT coalesce(max(wanted), 0) FROM (SELECT wanted FROM promise WHERE merchant_id = :merchant_id
                   AND item_id = k.item_id ORDER BY promised_at DESC, id DESC LIMIT 20) newest) AS largest
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.item_id OFFSET 0) i
           LEFT JOIN LATERAL (SELECT free, backordered FROM sales_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = k.grade AND pool_id = :shared_pool_id OFFSET 0) b ON true""",
        shared_pool_id=shops.shared_pool_id,
        **_keys(wanted),
    ).all()
    return rows


def _pools(
    tx: Transaction, shops: Channels, wanted: Sequence[Stocked]
) -> dict[Stocked, list[tuple[Pool, LockRow | None, int]]]:
    """Open pools with free units of these items, and locks that keep a store from the shared one even without."""
    if not shops.has_pools:
        return {}
    found = [
        (Stocked(item_id, grade), reading.as_pool(pool))
        for item_id, grade, *pool in reading.find_open_pools(tx, wanted).fetchall()
    ]
    lock_ids = {pool.id for _, pool in found if pool.kind is PoolKind.LOCK}
    locks = {row[0]: LockRow._make(row) for row in reading.find_locks(tx, ids=lock_ids).fetchall()} if lock_ids else {}
    free = _free_of(tx, [(stocked, pool.id) for stocked, pool in found])
    pools: dict[Stocked, list[tuple[Pool, LockRow | None, int]]] = defaultdict(list)
    for stocked, pool in found:
        units, lock = free.get((stocked, pool.id), 0), locks.get(pool.id)
        if units or (lock is not None and kept_to([lock])):
            pools[stocked].append((pool, lock, units))
    return pools


def _free_of(tx: Transaction, keys: Sequence[tuple[Stocked, int]]) -> dict[tuple[Stocked, int], int]:
    rows = tx.run(
        """SELECT k.item_id, k.grade, k.pool_id, b.free
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:pools AS bigint[]))
               k (item_id, grade, pool_id)
           CROSS JOIN LATERAL (SELECT free FROM sales_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = k.grade AND pool_id = k.pool_id AND free > 0 OFFSET 0) b""",
        pools=[pool_id for _, pool_id in keys],
        **_keys([stocked for stocked, _ in keys]),
    )
    return {(Stocked(row.item_id, row.grade), row.pool_id): row.free for row in rows}


def _sellers(tx: Transaction, shops: Channels, wanted: Sequence[Stocked]) -> dict[Stocked, list[Seller]]:
    """Listings of live stores that sell these items, themselves or in bundles (of bundles)."""
    rows = tx.run(
        """WITH RECURSIVE sold AS (
               SELECT k.item_id AS base_id, k.grade AS base_grade, k.item_id, k.grade, 1::bigint AS times
               FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
               UNION ALL SELECT s.base_id, s.base_grade, c.bundle_item_id, NULL, s.times * c.quantity
               FROM sold s CROSS JOIN LATERAL (SELECT bundle_item_id, quantity FROM component c
                   WHERE merchant_id = :merchant_id AND item_id = s.item_id AND grade = coalesce(s.grade, grade)
                     AND (SELECT kind FROM item WHERE merchant_id = :merchant_id AND id = c.bundle_item_id) = 'bundle'
                   OFFSET 0) c
           )
           SELECT s.base_id, s.base_grade, x.id, x.store_id,
               (coalesce(sum(s.times * x.pack_size * x.shown), 0))::bigint AS units
           FROM sold s CROSS JOIN LATERAL (SELECT id, store_id, pack_size, greatest(believed, asked)
                   - (SELECT coalesce(sum(hidden), 0) FROM order_line WHERE merchant_id = :merchant_id
                       AND listing_id = l.id AND hidden > 0) AS shown
               FROM (SELECT * FROM listing WHERE merchant_id = :merchant_id AND item_id = s.item_id OFFSET 0) l
               WHERE grade = coalesce(s.grade, grade) AND untracked_reason = '' AND quarantine_reason = ''
                 AND store_id = ANY(CAST(:live AS bigint[]))) x
           GROUP BY 1, 2, 3, 4""",
        live=list(shops.live),
        **_keys(wanted),
    )
    sellers: dict[Stocked, list[Seller]] = defaultdict(list)
    for row in rows:
        sellers[Stocked(row.base_id, row.base_grade)].append(Seller(row.id, row.store_id, row.units))
    return sellers

"""Which pools a promise may draw on, and in which order. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.books import Books
from core.errors import InsufficientStock, LockShort, Refused
from core.rows import LockRow
from core.stock import Pool, PoolKind, Stocked

OWN = 0  # the channel of our own interface
OVERFLOWS = ("no", "ask", "yes")  # may a lock's orders draw on the shared pool: from narrow to wide

# What was set apart for a buyer goes to that buyer first, what everybody shares comes last; goods that are there go
# before goods that are to come.
TURN = {PoolKind.LOCK: 0, PoolKind.ACTIVITY: 1, PoolKind.CHANNEL: 2, PoolKind.SHARED: 3, PoolKind.PRESALE: 4}


def turn(pool: Pool) -> tuple[int, bool, int]:
    """When a pool is drawn on; what ends goes before the rest. Units are given back the other way round."""
    return TURN[pool.kind], pool.ends_at is None, pool.id


def may_draw(pool: Pool, lock: LockRow | None, store_id: int, holder: str, now: datetime) -> bool:
    """May an order of this channel and holder take units from a pool?

    Args: lock: the record of a lock's pool, None for other kinds. holder: empty when nobody says who buys.
    """
    if not pool.is_open or not pool.runs(now):
        return False
    if pool.kind is PoolKind.SHARED:
        return True
    if pool.kind is not PoolKind.LOCK:
        return pool.store_id is None or pool.store_id == store_id
    if lock is None or lock.status != "active" or pool.pure:
        return False
    return pool.store_id == store_id or (lock.account != "" and lock.account == holder)


def draws(books: Books, stocked: Stocked, store_id: int, holder: str = "") -> Sequence[Pool]:
    """Pools to take units from, first to last; the shared pool is always among them."""
    if not books.open_pools.get(stocked):
        return (books.home.shared_pool,)
    others = [
        pool
        for pool in books.open_pools_of(stocked)
        if may_draw(pool, books.locks.get(pool.id), store_id, holder, books.now)
    ]
    return sorted([*others, books.home.shared_pool], key=turn)


def draws_of_hold(
    books: Books, stocked: Stocked, store_id: int, holder: str, named: int | None, overflow: bool
) -> Sequence[Pool]:
    """Pools that a hold takes units from, first to last.

    Unlike an order that exists on a store, a hold can be refused. So one that draws on a lock takes shared units only
    where the lock's policy lets it.

    Args: named: the pool that the hold asks for; None: those of its channel and holder. overflow: the hold says that
          what a pool or a lock that asks lacks may come from elsewhere.
    Raises: Refused for a pool that is closed, or that this buyer may not draw on.
    """
    if named is None:
        if not books.open_pools.get(stocked):
            return (books.home.shared_pool,)
        found = draws(books, stocked, store_id, holder)
        if _may_overflow(_locks_of(books, found), overflow):
            return found
        return [pool for pool in found if pool.kind is not PoolKind.SHARED]
    pool, lock = books.pool(named), books.locks.get(named)
    if not pool.is_open or not pool.runs(books.now):
        name = f"pool {pool.code or pool.id}" if lock is None else f"lock {lock.key}"
        raise Refused(f"{name} is closed; nothing can be drawn from it")
    if lock is not None:
        _require_party(lock, store_id, holder)
        if overflow and lock.overflow == "no":
            raise Refused(f"lock {lock.key} lets nothing come from other pools; ask for what it has, or do not name it")
        overflow = _may_overflow([lock], overflow)
        if not overflow and lock.stocked != stocked:
            raise Refused(f"lock {lock.key} is for another item or grade; hold what is not of it without the lock")
    elif not may_draw(pool, None, store_id, holder, books.now):
        raise Refused(f"pool {pool.code or pool.id} is for another channel; its units are sold there alone")
    others = draws(books, stocked, store_id, holder) if overflow else ()
    return [pool, *(other for other in others if other.id != pool.id)]


def lacking(
    books: Books, missing: Mapping[Stocked, int], store_id: int, holder: str, named: int | None, overflow: bool
) -> InsufficientStock:
    """What to refuse a hold with that lacks units: it says when a lock's policy is the reason."""
    for stocked in missing:
        drawn = [books.pool(named)] if named is not None else draws(books, stocked, store_id, holder)
        locks = _locks_of(books, drawn)
        if not _may_overflow(locks, overflow):
            return LockShort(locks[0].key, missing, asks=any(lock.overflow == "ask" for lock in locks))
    return InsufficientStock(missing)


def _locks_of(books: Books, pools: Sequence[Pool]) -> list[LockRow]:
    return [books.locks[pool.id] for pool in pools if pool.kind is PoolKind.LOCK]


def kept_to(locks: Sequence[LockRow]) -> Sequence[LockRow]:
    """Those of a channel's locks that bind it to what they have: all, or none when one lets its orders take more."""
    return () if _may_overflow(locks, overflow=False) else locks


def _may_overflow(locks: Sequence[LockRow], overflow: bool) -> bool:
    """Of several locks the one with the widest policy decides; without a lock there is nothing to keep to."""
    if not locks:
        return True
    widest = max(OVERFLOWS.index(lock.overflow) for lock in locks)
    return widest == _YES or (overflow and widest == _ASK)


_ASK, _YES = OVERFLOWS.index("ask"), OVERFLOWS.index("yes")


def _require_party(lock: LockRow, store_id: int, holder: str) -> None:
    """Raises: Refused for a buyer whom a lock is not for."""
    if lock.pure:
        raise Refused(
            f"lock {lock.key} is pure: its goods leave only by the lock itself; take them with `holdfast lock consume "
            f"{lock.key} N`"
        )
    if lock.store_id is not None and lock.store_id != store_id:
        raise Refused(f"lock {lock.key} is for orders of another channel; name that channel with the hold")
    if lock.account and lock.account != holder:
        raise Refused(f"lock {lock.key} is kept for one account; name that account as the holder")
    if lock.type == "internal" and store_id != OWN:
        raise Refused(f"lock {lock.key} is internal: no channel draws on it, our own interface does")

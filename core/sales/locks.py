"""Locks: units set apart for a purpose in a pool of their own; how they begin, change, and end.

A lock that wants more than there is waits as demand. Who changes a lock holds the shared pool's row of its item, so
acts on it come one after another, whoever sends them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core import flows
from core.books import Books, Widen, content_hash, key_hash
from core.command import Command
from core.errors import NotFound, Refused
from core.rows import LockRow
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Pool, PoolKind, Stocked
from core.transaction import Transaction

BEGUN = "active"
TO_COME = ("requested", "approved")
RELEASED_FIRST = "released before it was requested"


class Done(NamedTuple):
    """What became of a lock: its status, free units that its pool gained (< 0: lost), and units that it waits for."""

    status: str
    gained: int
    waiting: int


@dataclass(frozen=True, slots=True)
class OnLock(Command):
    """A command on a lock that is there, or should be."""

    key: str

    def lock_keys(self) -> Iterable[str]:
        return (self.key,)

    def stocked(self, books: Books) -> Iterable[Stocked]:
        lock = find(books, self.key)
        return () if lock is None else (lock.stocked,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        lock = find(books, self.key)
        return () if lock is None else keys_of_lock(books, lock)


@dataclass(frozen=True, slots=True)
class StartLock(OnLock):
    """Move the units of an approved lock whose time has come; one that would have ended by now never begins."""

    def decide(self, books: Books) -> Done:
        lock = the_lock(books, self.key)
        if lock.status != "approved" or (lock.starts_at is not None and lock.starts_at > books.now):
            return Done(lock.status, 0, lock.waiting)
        if has_run_out(lock, books.now):
            books.add_lock(lock._replace(status="expired"))
            return Done("expired", 0, 0)
        return begin(books, lock)


@dataclass(frozen=True, slots=True)
class ExpireLock(OnLock):
    """End a lock that has run out. Its units go back, those of orders stay until they ship or are released."""

    def decide(self, books: Books) -> Done:
        lock = the_lock(books, self.key)
        if lock.status != BEGUN or not has_run_out(lock, books.now):
            return Done(lock.status, 0, lock.waiting)
        return end(books, lock, "expired")


@dataclass(frozen=True, slots=True)
class ReleaseLock(OnLock):
    """Give ``units`` back, or with None all, which closes the lock; once per ``ref``.

    What still waits goes first, then free units; those of orders stay until they ship or are released. A full release
    that comes before its request ends in the same state: the request is refused.
    """

    units: int | None = None
    ref: str = ""
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self._effect_key(),)

    def _effect_key(self) -> str:
        return request_key(self.key) if self.units is None else f"lock/{self.key}/release/{self.ref}"

    def decide(self, books: Books) -> Done:
        """Raises: Refused when so many cannot be given back; NotFound; KeyReused."""
        if self.units is None:
            return self._close(books)
        content = [self.units]
        if earlier := answered(books, self._effect_key(), content):
            return earlier
        lock = the_lock(books, self.key)
        require_open(lock)
        require_units(self.units)
        if self.units > lock.quantity:
            raise Refused(f"lock {lock.key} is for {lock.quantity} units; no more than that can be released")
        if self.units == lock.quantity:
            done = withdraw(books, lock, self.reason) if lock.status in TO_COME else self._give_back_all(books, lock)
            return note(books, self._effect_key(), content, done)
        smaller, moves = reduce(books, lock, self.units)
        books.add_lock(smaller)
        return act(
            books, self._effect_key(), content, DocumentKind.UNLOCK, lock, moves, told(lock, "given back", self.reason)
        )

    def _give_back_all(self, books: Books, lock: LockRow) -> Done:
        reduce(books, lock, self.units or 0)  # refused when some of them are promised
        return end(books, lock, "closed", self.reason)

    def _close(self, books: Books) -> Done:
        lock = find(books, self.key)
        if lock is None:
            if not was_released_first(books, self.key):
                books.note_effect(request_key(self.key), RELEASED_FIRST, None)
            return Done("closed", 0, 0)
        if lock.status in TO_COME:
            return withdraw(books, lock, self.reason)
        if lock.status != BEGUN:
            return Done(lock.status, 0, 0)
        return end(books, lock, "closed", self.reason)


@dataclass(frozen=True, slots=True)
class ConsumeLock(OnLock):
    """Take ``units`` out of a pure lock for what they were set apart for; once per ``ref``.

    They become free units of the shared pool, so whoever waits there is served first.
    """

    units: int
    ref: str
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (consumption_key(self.key, self.ref),)

    def decide(self, books: Books) -> Done:
        """Raises: Refused when the lock is not pure, has not so many, or has run out; NotFound; KeyReused."""
        content = [self.units]
        if earlier := answered(books, consumption_key(self.key, self.ref), content):
            return earlier
        return take_out(books, self.key, self.units, consumption_key(self.key, self.ref), content, self.reason)


# ---- what acts on locks share


def request_key(key: str) -> str:
    """The effect key of the request of a lock: whoever takes it decides whether there is such a lock."""
    return f"lock/{key}"


def consumption_key(key: str, ref: str) -> str:
    return f"lock/{key}/consume/{ref}"


def take_out(books: Books, key: str, units: int, effect_key: str, content: object, reason: str) -> Done:
    """Units of a pure lock are free in the shared pool and available in their warehouse.

    Raises: Refused when it is not pure, has not so many, or has run out; NotFound.
    """
    lock = the_lock(books, key)
    require_units(units)
    if not lock.pure:
        raise Refused(f"lock {lock.key} is not pure: orders draw on it by themselves, or holds that name it")
    if lock.status != BEGUN or has_run_out(lock, books.now):
        raise Refused(f"lock {lock.key} has not begun or has ended; `holdfast lock show {lock.key}` tells when")
    pool = pool_of(books, lock)
    free = books.free(lock.stocked, pool)
    if units > free:
        raise Refused(f"lock {lock.key} has {free} units to take and waits for {lock.waiting}; take {free} or less")
    moves = flows.unlock(books.home, pool, lock.stocked, units)
    books.add_lock(lock._replace(moved_at=books.now))
    return act(books, effect_key, content, DocumentKind.UNLOCK, lock, moves, told(lock, "consumed", reason))


def was_released_first(books: Books, key: str) -> bool:
    """Was a lock that is not there given back before it was requested? Raises: Widen when it came meanwhile."""
    known = books.known_effects.get(key_hash(request_key(key)))
    if known is not None and known.content_hash != content_hash(RELEASED_FIRST):
        raise Widen(())
    return known is not None


def told(lock: LockRow, what: str, reason: str = "") -> str:
    """Why a document was posted, for who finds it in the card of an item."""
    which = "floor" if lock.standing else f"lock {lock.key}"  # a floor's key is made of numbers
    return f"{which} {what}" + (f": {reason}" if reason else "")


def find(books: Books, key: str) -> LockRow | None:
    return next((lock for lock in books.locks.values() if lock.key == key), None)


def the_lock(books: Books, key: str) -> LockRow:
    """Raises: NotFound."""
    lock = find(books, key)
    if lock is None:
        raise NotFound(f"there is no lock {key}; `holdfast lock list` shows them")
    return lock


def pool_of(books: Books, lock: LockRow) -> Pool:
    """The pool of a lock that has begun. Raises: Widen when it was opened since this batch read its pools."""
    pool = books.pools.get(lock.id)
    if pool is None:
        raise Widen(())
    return pool


def keys_of_lock(books: Books, lock: LockRow) -> set[BalanceKey]:
    """Rows that an act on a lock can concern."""
    keys = {*books.sales_keys(lock.stocked), BalanceKey(Layer.SALES, *lock.stocked, lock.id)}
    if lock.warehouse_id is not None:
        keys.add(BalanceKey(Layer.DISPATCH, *lock.stocked, lock.warehouse_id))
    return keys


def has_run_out(lock: LockRow, now: datetime) -> bool:
    return lock.expires_at is not None and lock.expires_at <= now


def require_open(lock: LockRow) -> None:
    """Raises: Refused for a lock that was refused or has ended."""
    if lock.status != BEGUN and lock.status not in TO_COME:
        raise Refused(f"lock {lock.key} is {lock.status}, and stays so; request another one under a new key")


def require_units(units: int) -> None:
    if units < 1:
        raise Refused(f"name 1 unit or more, not {units}")


def obtainable(books: Books, pool: Pool, stocked: Stocked, wanted: int) -> int:
    """How many of ``wanted`` units a lock can have now: of free ones, and of a warehouse those that stand there."""
    units = min(wanted, books.free(stocked))
    if pool.warehouse_id is not None:
        units = min(units, books.units(Layer.DISPATCH, stocked, At(pool.warehouse_id, Bucket.AVAILABLE)))
    return units


def begin(books: Books, lock: LockRow, reason: str = "") -> Done:
    """Open the pool of a lock and move what there is of its units; the rest waits."""
    pool = Pool(
        lock.id, PoolKind.LOCK, f"lock/{lock.key}", lock.store_id, lock.warehouse_id, lock.pure, lock.starts_at,
        lock.expires_at,
    )  # fmt: skip
    books.add_pool(pool, lock.stocked)
    begun, moves = enlarge(books, lock._replace(status=BEGUN, quantity=0, waiting=0), lock.quantity)
    books.add_lock(begun)
    books.post(
        DocumentKind.LOCK,
        f"lock/{lock.key}/start/{books.new_id()}",
        moves,
        order_id=lock.id,
        reason=told(lock, "begins", reason),
    )
    return Done(BEGUN, lock.quantity - begun.waiting, begun.waiting)


def enlarge(books: Books, lock: LockRow, units: int) -> tuple[LockRow, list[Movement]]:
    """A lock that has begun is for ``units`` (>= 0) more; what is not there waits."""
    pool = pool_of(books, lock)
    now = obtainable(books, pool, lock.stocked, units)
    moves = flows.lock(books.home, pool, lock.stocked, now) + flows.lock_waits(pool, lock.stocked, units - now)
    more = lock._replace(
        quantity=lock.quantity + units, waiting=lock.waiting + units - now, moved_at=books.now if now else lock.moved_at
    )
    return more, moves


def reduce(books: Books, lock: LockRow, units: int) -> tuple[LockRow, list[Movement]]:
    """A lock is for ``units`` fewer: what waits goes first, then free units. Raises: Refused for promised ones."""
    if lock.status in TO_COME:
        return lock._replace(quantity=lock.quantity - units), []
    pool = pool_of(books, lock)
    waited = min(units, lock.waiting)
    freed, free = units - waited, books.free(lock.stocked, pool)
    if freed > free:
        raise Refused(
            f"lock {lock.key} can give back {lock.waiting + free} units, not {units}; what orders have of it stays "
            "until it ships or is released"
        )
    moves = flows.lock_stops_waiting(pool, lock.stocked, waited) + flows.unlock(books.home, pool, lock.stocked, freed)
    less = lock._replace(
        quantity=lock.quantity - units, waiting=lock.waiting - waited, moved_at=books.now if freed else lock.moved_at
    )
    return less, moves


def end(books: Books, lock: LockRow, status: str, reason: str = "") -> Done:
    """Close a lock that has begun: what is free goes back, what waits ends, what orders have stays with them."""
    pool = pool_of(books, lock)
    free = books.free(lock.stocked, pool)
    moves = flows.lock_stops_waiting(pool, lock.stocked, lock.waiting)
    moves += flows.unlock(books.home, pool, lock.stocked, free)
    books.add_pool(pool._replace(closed_at=books.now), lock.stocked, is_open=False)
    books.add_lock(lock._replace(status=status, waiting=0, moved_at=books.now))
    if moves:
        key = f"lock/{lock.key}/end/{books.new_id()}"
        books.post(DocumentKind.UNLOCK, key, moves, order_id=lock.id, reason=told(lock, status, reason))
    return Done(status, -free, 0)


def withdraw(books: Books, lock: LockRow, reason: str) -> Done:
    """A lock that has not begun never will."""
    books.add_lock(lock._replace(status="closed", reason=reason or lock.reason))
    return Done("closed", 0, 0)


def answered(books: Books, effect_key: str, content: object) -> Done | None:
    """What this key was answered before. Raises: KeyReused."""
    earlier = books.effect(effect_key, content)
    return None if earlier is None else Done(*json.loads(earlier.result or "[]"))


def note(books: Books, effect_key: str, content: object, done: Done) -> Done:
    """Keep the answer of an act that has posted what it had to."""
    books.note_effect(effect_key, content, None)
    books.note_result(json.dumps(done))
    return done


def act(
    books: Books,
    effect_key: str,
    content: object,
    kind: DocumentKind,
    before: LockRow,
    moves: list[Movement],
    reason: str,
) -> Done:
    """Post what an act on a lock moves, if anything, and keep its answer."""
    lock = books.locks[before.id]
    if not moves:
        return note(books, effect_key, content, Done(lock.status, 0, lock.waiting))
    own = lock.id
    done = Done(lock.status, _gained(moves, own), lock.waiting)
    books.post(kind, effect_key, moves, content=content, order_id=lock.id, reason=reason)
    books.note_result(json.dumps(done))
    return done


def _gained(moves: Sequence[Movement], pool_id: int) -> int:
    """Free units that a pool gains by these movements."""
    free = At(pool_id, Bucket.FREE)
    sales = [move for move in moves if move.layer is Layer.SALES]
    return sum(m.quantity for m in sales if m.to == free) - sum(m.quantity for m in sales if m.from_ == free)


def due(tx: Transaction, *, limit: int = 500) -> tuple[Sequence[str], Sequence[str]]:
    """Keys of locks whose time has come, and of those that have run out."""
    begins = tx.run(
        """SELECT key FROM lock WHERE merchant_id = :merchant_id AND status = 'approved' AND starts_at <= :now
           ORDER BY starts_at LIMIT :limit""",
        limit=limit,
    )
    ends = tx.run(
        """SELECT key FROM lock WHERE merchant_id = :merchant_id AND status = 'active' AND expires_at <= :now
           ORDER BY expires_at LIMIT :limit""",
        limit=limit,
    )
    return begins.scalars().all(), ends.scalars().all()

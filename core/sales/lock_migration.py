"""Locks migrate: their units, what they wait for, and the promises drawn on them go over to another lock.

A lock given up for another closes in one act; the promises that stand in it follow in portions, each an act of its own,
so that a lock that thousands of orders have drawn on can migrate, too. The books are right after each of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import flows
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.rows import LockRow, Part, PromiseRow
from core.sales.lock_terms import Terms, problem, problem_of_key
from core.sales.locks import (
    BEGUN,
    RELEASED_FIRST,
    Done,
    OnLock,
    act,
    answered,
    find,
    keys_of_lock,
    pool_of,
    request_key,
    require_units,
    the_lock,
    told,
    was_released_first,
)
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Pool, PoolKind
from core.transaction import Database, Transaction

_PORTION = 200
_LOOK_AT = 5_000


@dataclass(frozen=True, slots=True)
class Successor:
    """A lock to be made by a migration: ``terms`` but for its units, which are those that migrate."""

    lock_id: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class MigrateLock(OnLock):
    """Give the units of a lock to the lock ``to``; once per ``ref``.

    With ``units`` (>= 1) so many go over, free ones first, then waiting ones. With None all of them do, whatever the
    ``ref``, and the lock closes; its promises are moved by ``move_promises``.

    ``new``  makes the lock ``to`` where there is none: what was approved once is not asked for again.
    """

    to: str
    ref: str
    units: int | None = None
    new: Successor | None = None
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self._effect_key(), request_key(self.to))

    def _effect_key(self) -> str:
        # Who gives a whole lock up again finds it given up, and goes on with its promises.
        return f"lock/{self.key}/migrate" + (f"/{self.ref}" if self.units is not None else "")

    def lock_keys(self) -> Iterable[str]:
        return (self.key, self.to)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        lock, target = find(books, self.key), find(books, self.to)
        keys: set[BalanceKey] = set()
        for one in (lock, target):
            keys |= keys_of_lock(books, one) if one is not None else set()
        if lock is not None and target is None and self.new is not None:
            keys |= keys_of_lock(books, self._made(books, lock, self.new))
        return keys

    def decide(self, books: Books) -> Done:
        """Returns: what became of the lock that was given up. Raises: Refused; NotFound; KeyReused."""
        content = [self.to, self.units]
        if earlier := answered(books, self._effect_key(), content):
            return earlier
        lock = the_lock(books, self.key)
        if lock.status != BEGUN or lock.standing:
            what = "a floor; set it lower instead" if lock.standing else f"{lock.status}; only a begun lock migrates"
            raise Refused(f"lock {lock.key} is {what}")
        target = self._target(books, lock)
        free, waiting = self._going(books, lock)
        moves = self._moves(books, lock, target, free, waiting)
        self._give_up(books, lock, free + waiting, waiting)
        self._take_over(books, lock, target, free + waiting, waiting)
        why = told(lock, f"migrates to {target.key}", self.reason)
        return act(books, self._effect_key(), content, DocumentKind.MIGRATION, lock, moves, why)

    def _give_up(self, books: Books, lock: LockRow, going: int, waiting: int) -> None:
        left = lock._replace(waiting=lock.waiting - waiting, moved_at=books.now)
        if self.units is None or going == lock.quantity:
            books.add_lock(left._replace(status="closed"))
            books.add_pool(pool_of(books, lock)._replace(closed_at=books.now), lock.stocked, is_open=False)
        else:
            books.add_lock(left._replace(quantity=lock.quantity - going))

    def _take_over(self, books: Books, lock: LockRow, target: LockRow, going: int, waiting: int) -> None:
        """What orders have of the lock is counted as the target's from now on, though it follows a little later."""
        promised = _promised(books, lock) if self.units is None else 0
        if not going + promised:
            raise Refused(f"lock {lock.key} has no units left, and waits for none; release it instead")
        origin = lock.id if target.migrated_from is None and lock.migrated_from != target.id else target.migrated_from
        books.add_lock(
            target._replace(
                quantity=target.quantity + going + promised, waiting=target.waiting + waiting, migrated_from=origin,
                moved_at=books.now,
            )
        )  # fmt: skip

    def _target(self, books: Books, lock: LockRow) -> LockRow:
        """The lock that takes over, made if need be. Raises: Refused; NotFound."""
        target = find(books, self.to)
        if target is None and self.new is not None:
            return self._make(books, lock, self.new)
        target = the_lock(books, self.to)
        if target.id == lock.id:
            raise Refused(f"lock {lock.key} cannot migrate to itself; name another one")
        if target.stocked != lock.stocked:
            raise Refused(f"lock {target.key} is for another item or grade; a lock migrates to one for the same")
        if target.status != BEGUN or target.standing:
            what = "a floor, which fills itself" if target.standing else f"{target.status}, so it takes no units"
            raise Refused(f"lock {target.key} is {what}; name another one")
        return target

    def _make(self, books: Books, lock: LockRow, new: Successor) -> LockRow:
        if was_released_first(books, self.to):
            raise Refused(f"lock {self.to} was {RELEASED_FIRST}; choose a new key")
        if wrong := problem_of_key(self.to) or problem(new.terms, books.now):
            raise Refused(wrong)
        if books.parts(lock.stocked) != [Part(lock.stocked, 1)]:
            raise Refused("a bundle has no units of its own; release the lock and lock its components")
        made = self._made(books, lock, new)
        pool = Pool(
            made.id, PoolKind.LOCK, f"lock/{made.key}", made.store_id, made.warehouse_id, made.pure, None,
            made.expires_at,
        )  # fmt: skip
        books.add_pool(pool, made.stocked)
        books.add_lock(made)
        books.note_effect(request_key(made.key), f"migrated from {lock.key}", None)
        return made

    def _made(self, books: Books, lock: LockRow, new: Successor) -> LockRow:
        terms = new.terms
        return LockRow(
            new.lock_id, self.to, terms.type, BEGUN, *lock.stocked, 0, 0, terms.priority, terms.owner, terms.account,
            terms.store_id, terms.warehouse_id, terms.pure, terms.overflow, None, terms.expires_at, lock.requested_by,
            books.now, books.actor, books.now, terms.reason,
        )  # fmt: skip

    def _going(self, books: Books, lock: LockRow) -> tuple[int, int]:
        """Free and waiting units that go over."""
        free = books.free(lock.stocked, pool_of(books, lock))
        if self.units is None:
            return free, lock.waiting
        require_units(self.units)
        if self.units > free + lock.waiting:
            raise Refused(f"lock {lock.key} has {free} units free and waits for {lock.waiting}; no more can migrate")
        return min(free, self.units), max(self.units - free, 0)

    def _moves(self, books: Books, lock: LockRow, target: LockRow, free: int, waiting: int) -> list[Movement]:
        from_, to = pool_of(books, lock), pool_of(books, target)
        _require_goods(books, from_, target, free)
        return [
            *flows.migrate(from_, to, Bucket.FREE, lock.stocked, free),
            *flows.migrate(from_, to, Bucket.BACKORDERED, lock.stocked, waiting),
        ]


@dataclass(frozen=True, slots=True)
class MovePromises(OnLock):
    """Let the promises of these orders and holds that stand in the lock's pool stand in that of the lock ``to``.

    Units that a warehouse is to send stay.

    ``orders``: ids of orders, and of holds their documents. Repeating it changes nothing.
    """

    to: str
    orders: Sequence[int]

    def lock_keys(self) -> Iterable[str]:
        return (self.key, self.to)

    def order_ids(self) -> Iterable[int]:
        return self.orders

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        found = (find(books, key) for key in (self.key, self.to))
        return {key for lock in found if lock is not None for key in keys_of_lock(books, lock)}

    def decide(self, books: Books) -> int:
        """Returns: how many units changed hands. Raises: Refused; NotFound."""
        lock, target = the_lock(books, self.key), the_lock(books, self.to)
        if lock.status == BEGUN:
            raise Refused(f"lock {lock.key} is in use, and its promises stay; migrate the whole lock first")
        if target.status != BEGUN or target.stocked != lock.stocked or target.standing:
            raise Refused(
                f"lock {target.key} takes no promises of {lock.key}: it is {target.status}, or for other goods"
            )
        from_, to = pool_of(books, lock), pool_of(books, target)
        mine = self._mine(books, lock)
        units = sum(row.live - row.allocated for row in mine)
        if not units:
            return 0
        _require_goods(books, from_, target, units)
        moves = [move for row in mine for move in self._move(books, row, from_, to)]
        books.add_lock(target._replace(moved_at=books.now))
        key = f"lock/{lock.key}/promises/{books.new_id()}"
        why = told(lock, f"migrates to {target.key}", "promises of orders")
        books.post(DocumentKind.MIGRATION, key, moves, order_id=lock.id, reason=why)
        return units

    def _mine(self, books: Books, lock: LockRow) -> list[PromiseRow]:
        orders = set(self.orders)
        rows = [row for row in books.promises.values() if row.order_id in orders and row.live > row.allocated]
        return [row for row in rows if row.pool_id == lock.id and row.stocked == lock.stocked]

    def _move(self, books: Books, row: PromiseRow, from_: Pool, to: Pool) -> list[Movement]:
        bucket, units = flows.promised(row.deducted), row.live - row.allocated
        if row.waiting or row.allocated:
            # What waits, and what a warehouse is to send, stays with the old row: one promise has one pool.
            books.add_promise(row._replace(wanted=row.wanted - units, live=row.allocated))
            row = row._replace(
                id=books.new_id(), wanted=units, waiting=0, live=units, shipped=0, released=0, damaged=0,
                broken=False, allocated=0,
            )  # fmt: skip
        books.add_promise(row._replace(pool_id=to.id))
        return flows.migrate(from_, to, bucket, row.stocked, units, row.order_line_id)


def _promised(books: Books, lock: LockRow) -> int:
    """Units of a lock's pool that orders and holds have."""
    pool = pool_of(books, lock)
    return sum(books.units(Layer.SALES, lock.stocked, pool.at(bucket)) for bucket in (Bucket.RESERVED, Bucket.SOLD))


def _require_goods(books: Books, from_: Pool, target: LockRow, units: int) -> None:
    """Raises: Refused when the warehouse of a physical lock has not the goods that are to be set apart there."""
    place = target.warehouse_id
    if place is None or place == from_.warehouse_id:
        return
    there = books.units(Layer.DISPATCH, target.stocked, At(place, Bucket.AVAILABLE))
    if units > there:
        raise Refused(f"the warehouse of lock {target.key} has {there} units to set apart, not {units}")


def move_promises(
    db: Database, merchant_id: int, run: Callable[[Sequence[Command]], Sequence[Any]], key: str, to: str
) -> int:
    """Move all promises that stand in a closed lock's pool to the lock ``to``; returns how many units.

    Args: run: does commands, like ``combiner.run``. Raises: Refused, after what could be moved.
    """
    moved = 0
    while True:
        with db.begin(merchant_id, actor="system") as tx:
            orders = orders_in(tx, key, limit=_PORTION)
        if not orders:
            return moved
        (result,) = run([MovePromises(key, to, orders)])
        if isinstance(result, Refused):
            raise result
        moved += result


def orders_in(tx: Transaction, key: str, *, limit: int) -> list[int]:
    """Orders, and holds by their document, whose promises stand in a lock's pool: up to ``limit``, the newest first.

    The item's promises are looked through from the newest on, until all units that stand there are accounted for.
    """
    lock = tx.run(
        """SELECT l.id, l.item_id, l.grade, b.reserved + b.sold - coalesce((SELECT sum(allocated) FROM promise
               WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade AND pool_id = l.id
               AND allocated > 0), 0) AS units FROM lock l
           CROSS JOIN LATERAL (SELECT * FROM sales_balance WHERE merchant_id = :merchant_id AND item_id = l.item_id
               AND grade = l.grade AND pool_id = l.id) b
           WHERE l.merchant_id = :merchant_id AND l.key = :key""",
        key=key,
    ).one_or_none()
    left, found = (0 if lock is None else lock.units), dict[int, None]()
    at: datetime | None = None
    last = 0
    while left > 0 and len(found) < limit:
        rows = tx.run(_NEWEST, item_id=lock.item_id, at=at, last=last, most=_LOOK_AT).all()
        if not rows:
            break
        for row in rows:
            if row.pool_id == lock.id and row.grade == lock.grade and row.live > row.allocated:
                found[row.order_id] = None
                left -= row.live - row.allocated
        at, last = rows[-1].promised_at, rows[-1].id
    return list(found)[:limit]


_NEWEST = """
    SELECT order_id, id, promised_at, pool_id, grade, live, allocated FROM promise
    WHERE merchant_id = :merchant_id AND item_id = :item_id
      AND (CAST(:at AS timestamptz) IS NULL OR (promised_at, id) < (:at, :last))
    ORDER BY promised_at DESC, id DESC LIMIT :most
"""

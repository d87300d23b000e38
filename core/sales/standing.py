"""What keeps locks up to date after each command: floors at their level, and when units last moved."""

from collections.abc import Iterator
from datetime import timedelta

from core import flows
from core.books import Books
from core.rows import LockRow
from core.stock import DocumentKind

# So that a lock that sells all day is not written anew with each order.
NOTED_EACH = timedelta(hours=1)


def keep_up(books: Books, moved_since: tuple[int, ...]) -> None:
    """Note which locks had units moved since a mark, and bring floors among them back to their level. Raises: Widen."""
    for lock in list(_moved(books, moved_since)):
        if lock.standing and lock.status == "active":
            level(books, lock)
        now = books.locks[lock.id]
        if now.moved_at is None or books.now - now.moved_at >= NOTED_EACH:
            books.add_lock(now._replace(moved_at=books.now))


def _moved(books: Books, moved_since: tuple[int, ...]) -> Iterator[LockRow]:
    for pool_id in books.pools_moved(moved_since):
        if pool_id in books.locks:
            yield books.locks[pool_id]


def level(books: Books, floor: LockRow) -> None:
    """Free units of a floor's pool, and what it waits for, are ``quantity`` again: sold ones are taken or waited for,
    and what orders gave back beyond it is let go.
    """
    stocked, pool = floor.stocked, books.pool(floor.id)
    gap = floor.quantity - books.free(stocked, pool) - floor.waiting
    if not gap:
        return
    if gap > 0:
        # Who waits is served in turn afterwards; with nobody waiting there is no turn to keep.
        is_first = not books.waiting(stocked) and not books.waiting_locks(stocked)
        now = min(gap, books.free(stocked)) if is_first else 0
        moves = flows.lock(books.home, pool, stocked, now) + flows.lock_waits(pool, stocked, gap - now)
        waiting, kind = floor.waiting + gap - now, DocumentKind.LOCK
    else:
        dropped = min(-gap, floor.waiting)
        moves = flows.lock_stops_waiting(pool, stocked, dropped)
        moves += flows.unlock(books.home, pool, stocked, -gap - dropped)
        waiting, kind = floor.waiting - dropped, DocumentKind.UNLOCK
    books.add_lock(floor._replace(waiting=waiting))
    key = f"lock/{floor.key}/level/{books.new_id()}"
    books.post(kind, key, moves, order_id=floor.id, reason=f"lock {floor.key} keeps {floor.quantity} units free")

"""Demand that waits, and who is served first when units come free."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from core import flows
from core.books import Books, Widen
from core.rows import LockRow, PromiseRow
from core.sales.standing import keep_up
from core.stock import BUCKETS, At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Stocked


class Rank(IntEnum):
    """Who is served before whom."""

    BROKEN = 0  # had its units promised, and they were not there
    PAID = 1
    PRESALE = 2
    LOCK = 3
    UNPAID = 4


@dataclass(frozen=True, slots=True)
class Want:
    """Somebody who waits for ``units`` (>= 1) of one item; among equals a higher priority, then the older is first."""

    rank: Rank
    priority: int
    since: datetime
    id: int
    units: int


def want_of(promise: PromiseRow) -> Want:
    """What a promise waits for: units that are missing, or the goods of what was sold in a presale."""
    if promise.waiting:
        rank = Rank.BROKEN if promise.broken else Rank.PAID if promise.paid or promise.deducted else Rank.UNPAID
        return Want(rank, promise.priority, promise.promised_at, promise.id, promise.waiting)
    return Want(Rank.PRESALE, promise.priority, promise.promised_at, promise.id, promise.live)


def want_of_lock(lock: LockRow) -> Want:
    return Want(Rank.LOCK, lock.priority, lock.decided_at or lock.requested_at, lock.id, lock.waiting)


def in_turn(wants: Iterable[Want]) -> list[Want]:
    """Who is served first, second and so on."""
    return sorted(wants, key=lambda want: (want.rank, -want.priority, want.since, want.id))


def fill_waiting(books: Books, moved_since: tuple[int, ...]) -> None:
    """Serve what waits from units that came free since a mark, in the batch that freed them.

    One document per order, hold or lock served. Raises: Widen.
    """
    if not books.somebody_waits:
        return
    if books.locks:
        keep_up(books, moved_since)
    moves = _Moves()
    todo = [*books.moved(moved_since), *_waits_in(books, books.lines_moved(moved_since))]
    _require_rows(books, todo)
    for stocked in todo:  # which grows
        promises, locks = books.waiting(stocked), books.waiting_locks(stocked)
        if not promises and not locks:
            continue
        for want in in_turn([*map(want_of, promises), *map(want_of_lock, locks)]):
            free = books.free(stocked) - moves.taken(stocked)
            row = books.locks[want.id] if want.rank is Rank.LOCK else books.promises[want.id]
            if isinstance(row, LockRow) and row.warehouse_id is not None:
                free = min(free, moves.left_at(books, row, row.warehouse_id))
            for part, units in _served(books, row, min(want.units, free), moves):
                moves.add(part, units, _fill(books, part, units))
                if isinstance(part, PromiseRow) and part.presale and part.order_line_id is not None:
                    todo += _waits_in(books, [part.order_line_id])
    moves.post(books)


def _require_rows(books: Books, todo: Iterable[Stocked]) -> None:
    """What is delivered together is served together. Its rows are asked for at once: one after the other, each would
    cost a batch. Raises: Widen.
    """
    keys: set[BalanceKey] = set()
    for stocked in todo:
        for lock in books.waiting_locks(stocked):
            if lock.warehouse_id is not None:
                keys.add(BalanceKey(Layer.DISPATCH, *stocked, lock.warehouse_id))
        for promise in books.waiting(stocked):
            parts = _parts_with(books, promise).items()
            keys.update(books.home.key(Layer.SALES, one) for one, rows in parts if any(row.waiting for row in rows))
    if missing := {key for key in keys if (key, BUCKETS[key.layer][0]) not in books.cells}:
        raise Widen(missing)


class _Moves:
    """Movements by the order, hold or lock that they serve, and the free units that they will take."""

    def __init__(self) -> None:
        self._by_order: dict[int, list[Movement]] = {}
        self._by_lock: dict[int, list[Movement]] = {}
        self._taken: dict[Stocked, int] = {}
        self._locked: dict[tuple[int, Stocked], int] = {}

    def taken(self, stocked: Stocked) -> int:
        return self._taken.get(stocked, 0)

    def add(self, row: PromiseRow | LockRow, units: int, moves: Sequence[Movement]) -> None:
        group, key = (self._by_order, row.order_id) if isinstance(row, PromiseRow) else (self._by_lock, row.id)
        group.setdefault(key, []).extend(moves)
        self._taken[row.stocked] = self.taken(row.stocked) + units
        if isinstance(row, LockRow) and row.warehouse_id is not None:
            spot = (row.warehouse_id, row.stocked)
            self._locked[spot] = self._locked.get(spot, 0) + units

    def left_at(self, books: Books, lock: LockRow, warehouse_id: int) -> int:
        """Units that a warehouse can still set apart for a physical lock."""
        there = books.units(Layer.DISPATCH, lock.stocked, At(warehouse_id, Bucket.AVAILABLE))
        return there - self._locked.get((warehouse_id, lock.stocked), 0)

    def post(self, books: Books) -> None:
        for order_id, moves in self._by_order.items():
            books.post(DocumentKind.FILL, f"order/{order_id}/fill/{books.new_id()}", moves, order_id=order_id)
        for lock_id, moves in self._by_lock.items():
            why = f"lock {books.locks[lock_id].key} waited for them"
            books.post(DocumentKind.FILL, f"lock/{lock_id}/fill/{books.new_id()}", moves, order_id=lock_id, reason=why)


def _served(
    books: Books, row: PromiseRow | LockRow, units: int, moves: _Moves
) -> Iterator[tuple[PromiseRow | LockRow, int]]:
    """What is handed out when a row gets up to ``units``: of a bundle line, whole bundles of all its components."""
    parts = _parts_with(books, row) if isinstance(row, PromiseRow) else {}
    if len(parts) < 2:
        if units:
            yield row, units
        return
    there = {stocked: sum(_there(p) for p in rows) for stocked, rows in parts.items()}
    bundles = min((there[one] + _spare(books, one, rows, moves)) // rows[0].per_unit for one, rows in parts.items())
    for stocked, rows in parts.items():
        left = bundles * rows[0].per_unit - there[stocked]
        for part in rows:
            if (due := min(part.waiting, left)) > 0:
                left -= due
                yield part, due


def _there(promise: PromiseRow) -> int:
    """Units whose goods have come; those of a presale have not."""
    return promise.shipped + (0 if promise.presale else promise.live)


def _waits_in(books: Books, line_ids: Iterable[int]) -> list[Stocked]:
    """What lines wait for: the other components of a bundle may have lain there, and waited for one that has come."""
    return [row.stocked for line_id in line_ids for row in books.promises_of(line_id) if row.waiting]


def _spare(books: Books, stocked: Stocked, rows: Iterable[PromiseRow], moves: _Moves) -> int:
    """Units that these promises of one item wait for and could have."""
    waiting = sum(row.waiting for row in rows)
    return min(waiting, books.free(stocked) - moves.taken(stocked)) if waiting else 0


def _parts_with(books: Books, promise: PromiseRow) -> dict[Stocked, list[PromiseRow]]:
    """By component, the promises of a bundle line that wait or are there; presales are handed over alone.

    The units of one component may stand in several pools, each with a promise of its own.
    """
    if promise.order_line_id is None or promise.presale:
        return {}
    parts: dict[Stocked, list[PromiseRow]] = {}
    for row in books.promises_of(promise.order_line_id):
        parts.setdefault(row.stocked, []).append(row)
    return {one: rows for one, rows in parts.items() if any(row.waiting + row.live for row in rows)}


def _fill(books: Books, row: PromiseRow | LockRow, units: int) -> list[Movement]:
    """Note that a row gets units; returns its movements."""
    home, stocked = books.home, row.stocked
    if isinstance(row, LockRow):
        books.add_lock(row._replace(waiting=row.waiting - units, moved_at=books.now))
        return flows.fill_lock(home, books.pool(row.id), stocked, units)
    if row.presale:
        return _hand_over(books, row, units)
    return fill_promise(books, row, units)


def fill_promise(books: Books, row: PromiseRow, units: int) -> list[Movement]:
    """Note that a promise gets free units of the shared pool, of those that it waits for; returns the movements."""
    waiting = row.waiting - units
    books.add_promise(row._replace(waiting=waiting, live=row.live + units, broken=row.broken and waiting > 0))
    return flows.fill(books.home, row.stocked, units, row.deducted, row.order_line_id)


def _hand_over(books: Books, row: PromiseRow, units: int) -> list[Movement]:
    """Goods for what a presale sold: from now on the promise stands in the shared pool.

    One promise has one pool, so units that go on waiting for goods stay with the old one.
    """
    shared = books.home.shared_pool_id
    if units == row.live:
        books.add_promise(row._replace(pool_id=shared, presale=False))
    else:
        books.add_promise(row._replace(wanted=row.wanted - units, live=row.live - units))
        handed = row._replace(
            id=books.new_id(), wanted=units, live=units, waiting=0, shipped=0, released=0, damaged=0, pool_id=shared,
            presale=False,
        )  # fmt: skip
        books.add_promise(handed)
    return flows.hand_over(books.home, books.pool(row.pool_id), row.stocked, units, row.deducted, row.order_line_id)

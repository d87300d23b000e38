"""The shortage rule: goods that are gone are gone, and those who were to have them make room in a fixed order.

A physical fact is never refused. Where a bin has too few, what was handed over last is put back. Where a warehouse has
too few that it is not to send, transfers and then the newest of its orders give theirs back. What nobody was promised
goes first: units of the shared pool, of channels and activities, then of locks, which wait again. Then the newest
promise that no warehouse is to send is broken and waits like a backorder, with an incident. The goods of a physical
lock stand apart, so they go last: its unsold units, then its own newest promise.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from core import flows
from core.alerts.incidents import BROKEN
from core.books import Books, Widen
from core.command import HandedFrom, SentFrom, Short, Where
from core.errors import Refused
from core.rows import LockRow, PromiseRow
from core.sales import allocated, kept, oversold
from core.stock import Bucket, DocumentKind, Home, Layer, Movement, Pool, PoolKind, Stocked
from core.touched import Touched

_FIRST_TO_LAST = {PoolKind.SHARED: 0, PoolKind.CHANNEL: 1, PoolKind.ACTIVITY: 1, PoolKind.LOCK: 2}
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unsold:
    """``units`` (>= 1) of an open pool that nobody has been promised; of a lock's pool, with the lock."""

    pool: Pool
    units: int
    lock: LockRow | None = None

    @property
    def since(self) -> datetime:
        return _EVER if self.lock is None else self.lock.decided_at or self.lock.requested_at


@dataclass(frozen=True, slots=True)
class Sold:
    """A promise with live units, and the pool that they stand in."""

    promise: PromiseRow
    pool: Pool


@dataclass(frozen=True, slots=True)
class Bound:
    """A promise whose units stand in one warehouse: ``allocated`` there, or ``locked`` in the physical lock's part."""

    promise: PromiseRow
    allocated: int
    locked: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """Who may sell, or was promised, the goods of one item in one grade in one warehouse.

    ``available``  units (>= 0) that no physical lock holds: as many as the unsold and the promised ones of all pools
                   without a warehouse come to.
    ``sold``       of the pools without a warehouse, and of those with one, at least the newest promises; what a
                   warehouse is to send of them does not count.
    """

    available: int
    unsold: Sequence[Unsold]
    sold: Sequence[Sold]


@dataclass(frozen=True, slots=True)
class Loss:
    """``units`` (>= 1) that a pool gives up: free ones, or with ``promise`` those that were promised.

    ``stocked``: of what; None while it is decided, which is the same whatever lacks.
    """

    pool: Pool
    units: int
    promise: PromiseRow | None = None
    stocked: Stocked | None = None


def decide_back(units: int, bound: Iterable[Bound]) -> list[tuple[PromiseRow, int]]:
    """Which promises a warehouse that lacks ``units`` is not to send any more, and how much of them. Pure.

    The newest give way. Those of its physical locks lose units that stand apart for them: these need not be given back.

    Returns: what is to be given back. Raises: Widen when ``bound`` has fewer.
    """
    back = []
    newest_first = sorted(bound, key=lambda one: (one.promise.promised_at, one.promise.id), reverse=True)
    for one in newest_first:
        taken = min(units, one.allocated + one.locked)
        units -= taken
        if taken > one.locked:
            back.append((one.promise, taken - one.locked))
    if units:
        raise Widen(())
    return back


def decide_shortage(units: int, shelf: Shelf) -> list[Loss]:
    """Who gives up ``units`` that are gone. Pure.

    Returns: losses that add up to ``units``, in the order in which they are taken.
    Raises:  Widen when ``sold`` ends before enough promises are found.
    """
    outside = min(units, shelf.available)
    return [*_from(outside, shelf, physical=False), *_from(units - outside, shelf, physical=True)]


def _from(left: int, shelf: Shelf, *, physical: bool) -> Iterable[Loss]:
    unsold = [one for one in shelf.unsold if _is_physical(one.pool) is physical]
    for one in _in_turn(unsold):
        if taken := min(left, one.units):
            yield Loss(one.pool, taken)
            left -= taken
    sold = [one for one in shelf.sold if _is_physical(one.pool) is physical]
    for promised in sorted(sold, key=lambda one: (one.promise.promised_at, one.promise.id), reverse=True):
        if taken := min(left, promised.promise.live - promised.promise.allocated):
            yield Loss(promised.pool, taken, promised.promise)
            left -= taken
    if left:
        raise Widen(())


def _in_turn(unsold: Sequence[Unsold]) -> list[Unsold]:
    """Of locks the least urgent gives first, and among equals, as among other pools, the newest."""
    newest_first = sorted(unsold, key=lambda one: (one.since, one.pool.id), reverse=True)
    return sorted(newest_first, key=lambda one: (_FIRST_TO_LAST[one.pool.kind], one.lock.priority if one.lock else 0))


def _is_physical(pool: Pool) -> bool:
    return pool.warehouse_id is not None


def on_shelf(books: Books, stocked: Stocked, place: Home | None = None) -> int:
    """Sellable units in a bin (None: the default one), handed out or not. Raises: Widen."""
    home = place or books.home
    return sum(books.units(Layer.WAREHOUSE, stocked, home.bin(b)) for b in (Bucket.AVAILABLE, Bucket.PICKING))


def shelves(books: Books, stocked: Stocked, units: int) -> Iterator[tuple[Home, int]]:
    """Bins that have units between them, up to ``units`` in all, the default one first; less where there are fewer."""
    for spot in books.spots_of(stocked):
        place = books.home.at(spot)
        if there := min(units, on_shelf(books, stocked, place)):
            yield place, there
            units -= there


def short(books: Books, gone: Mapping[Stocked, int], place: Home | None = None) -> Short:
    """Units that must come out of promises when so many are gone from a bin; for ``Command.short``."""
    return short_of(books, [(place or books.home, stocked, units) for stocked, units in gone.items()])


def short_of(books: Books, gone: Iterable[tuple[Home, Stocked, int]]) -> Short:
    """The same for units that are gone from several bins."""
    from_all: Counter[Stocked] = Counter()
    found: Counter[tuple[Stocked, Where]] = Counter()
    for home, stocked, units in gone:
        if units > (in_bin := books.units(Layer.WAREHOUSE, stocked, home.bin(Bucket.AVAILABLE))):
            found[stocked, HandedFrom(home.bin_id)] += units - in_bin
        outside = min(units, _available(books, stocked, home))
        from_all[stocked] += outside
        if (lacking := _lacking(books, stocked, units, home)) > 0:
            from_all[stocked] += lacking
            found[stocked, home.warehouse_id] += lacking
            found[stocked, SentFrom(home.warehouse_id)] += lacking
    for stocked, units in from_all.items():
        unsold = sum(one.units for one in _unsold(books, stocked, books.home) if not _is_physical(one.pool))
        if units > unsold:
            found[stocked, None] = units - unsold
    return found


@dataclass(slots=True)
class Shortage:
    """Makes room for goods that are gone; promises, locks and incidents follow.

    ``damaged``  they are still on hand, and not to be sold.
    ``what``     a sentence of what happened, for incidents.
    ``place``    the bin that they are gone from; None: the default one.
    """

    books: Books
    damaged: bool
    what: str
    place: Home | None = None
    losses: list[Loss] = field(default_factory=list)
    _promises: dict[int, PromiseRow | None] = field(default_factory=dict)  # as they were before
    _locks: dict[int, LockRow] = field(default_factory=dict)

    def of(self, stocked: Stocked, units: int) -> Collection[Movement]:
        """Movements of ``units`` (>= 0) that are gone.

        Raises: Refused when by the books fewer are on the shelf; Widen.
        """
        there = on_shelf(self.books, stocked, self.home)
        if units > there:
            elsewhere = "; other bins have some, too: name the place" if self.books.spots.get(stocked) else ""
            raise Refused(
                f"the books know of {there} on the shelf, so {units} cannot be gone; count what is there{elsewhere}"
            )
        self._make_room(stocked, units)
        losses = decide_shortage(units, self._shelf(stocked))
        self.losses += [replace(loss, stocked=stocked) for loss in losses]
        return _summed(move for loss in losses for move in self._give_up(stocked, loss))

    @property
    def home(self) -> Home:
        return self.place or self.books.home

    def note(self) -> None:
        """Keep with the effect posted last which records this changed, so that a reversal can restore them."""
        if self._promises or self._locks:
            self.books.note_result(Touched.between(self._promises, self._locks, self.books).as_json())

    def _make_room(self, stocked: Stocked, units: int) -> None:
        """Units for sale in the bin, and units that its warehouse is not to send. Raises: Widen."""
        books, home = self.books, self.home
        lacking = units - books.units(Layer.WAREHOUSE, stocked, home.bin(Bucket.AVAILABLE))
        if lacking > 0:
            handed = allocated.share(allocated.handed_last(books, stocked, home.bin_id), lacking)
            moves = [move for row, n in handed for move in allocated.put_back(books, row, n)]
            books.post(DocumentKind.PUT_BACK, f"put_back/{books.new_id()}", moves, reason=self.what)
        lacking = _lacking(books, stocked, units, home)
        if lacking > 0:
            lacking -= kept.give_way(books, stocked, home.warehouse_id, lacking, self.what)
        if lacking > 0:
            for promise, n in decide_back(lacking, self._bound(stocked)):
                here = [row for row in allocated.open_lines(books, promise.id) if row.warehouse_id == home.warehouse_id]
                allocated.give_back(books, allocated.share(here[::-1], n), self.what)

    def _bound(self, stocked: Stocked) -> list[Bound]:
        books, place = self.books, self.home.warehouse_id
        found = []
        for promise in [row for row in books.promises.values() if row.live and row.stocked == stocked]:
            lines = allocated.open_lines(books, promise.id) if promise.allocated else []
            here = sum(row.units for row in lines if row.warehouse_id == place)
            locked = promise.live - promise.allocated if books.pool(promise.pool_id).warehouse_id == place else 0
            if here or locked:
                found.append(Bound(promise, here, locked))
        return found

    def _shelf(self, stocked: Stocked) -> Shelf:
        books = self.books
        sold = [
            Sold(row, books.pool(row.pool_id))
            for row in books.promises.values()
            if row.live and not row.presale and row.stocked == stocked
        ]
        here = [one for one in sold if one.pool.warehouse_id in (None, self.home.warehouse_id)]
        return Shelf(_available(books, stocked, self.home), _unsold(books, stocked, self.home), here)

    def _give_up(self, stocked: Stocked, loss: Loss) -> list[Movement]:
        books, home, row = self.books, self.home, loss.promise
        if row is not None:
            self._break(books.promises[row.id], loss.units)
            return flows.break_promise(
                home, loss.pool, stocked, loss.units, row.deducted, row.order_line_id, damaged=self.damaged
            )
        if loss.pool.kind is PoolKind.LOCK:
            lock = books.locks[loss.pool.id]
            self._locks.setdefault(lock.id, lock)
            books.add_lock(lock._replace(waiting=lock.waiting + loss.units, moved_at=books.now))
            return flows.lose_locked(home, loss.pool, stocked, loss.units, damaged=self.damaged)
        return flows.lose_free(home, loss.pool, stocked, loss.units, damaged=self.damaged)

    def _break(self, row: PromiseRow, units: int) -> None:
        """What waits, waits in the shared pool: there a promise that stood elsewhere gets a part of its own."""
        told = f"{self.what}; of all that were promised such units this was the newest, and waits for {units}"
        oversold.note(self.books, row.order_id, row.owner_id, row.item_id, units, cause=BROKEN, told=told)
        if row.pool_id == self.books.home.shared_pool_id:
            self._put(_waiting(row._replace(live=row.live - units), units))
            return
        self._put(row._replace(live=row.live - units, wanted=row.wanted - units))
        beside = self._in_shared(row)
        self._put(_waiting(beside._replace(wanted=beside.wanted + units), units))

    def _in_shared(self, row: PromiseRow) -> PromiseRow:
        shared = self.books.home.shared_pool_id
        same = (shared, row.stocked, row.deducted, row.presale_id)
        for other in self.books.promises_of(row.owner_id):
            if (other.pool_id, other.stocked, other.deducted, other.presale_id) == same:
                return other
        return row._replace(
            id=self.books.new_id(), pool_id=shared, wanted=0, waiting=0, live=0, shipped=0, released=0, damaged=0,
            allocated=0,
        )  # fmt: skip

    def _put(self, row: PromiseRow) -> None:
        self._promises.setdefault(row.id, self.books.promises.get(row.id))
        self.books.add_promise(row)


def _waiting(row: PromiseRow, units: int) -> PromiseRow:
    """No rule allowed these units to wait, and they are served before all others."""
    return row._replace(waiting=row.waiting + units, broken=True, backorder=False)


def _available(books: Books, stocked: Stocked, home: Home) -> int:
    return books.units(Layer.DISPATCH, stocked, home.warehouse(Bucket.AVAILABLE))


def _lacking(books: Books, stocked: Stocked, units: int, home: Home) -> int:
    """Units that a warehouse has in promises alone; below 1 when it has so many in none."""
    unsold = sum(one.units for one in _unsold(books, stocked, home) if _is_physical(one.pool))
    return units - _available(books, stocked, home) - unsold


def _unsold(books: Books, stocked: Stocked, home: Home) -> list[Unsold]:
    """Free units of all pools whose goods are, or may be, in a warehouse."""
    return [
        Unsold(pool, units, books.locks.get(pool.id))
        for pool in (books.home.shared_pool, *books.open_pools_of(stocked))
        if pool.kind is not PoolKind.PRESALE
        and pool.warehouse_id in (None, home.warehouse_id)
        and (units := books.free(stocked, pool))
    ]


def _summed(moves: Iterable[Movement]) -> Collection[Movement]:
    """The same with one movement for each two ends and line, in the order in which they first occur."""
    summed: dict[tuple[object, ...], Movement] = {}
    for move in moves:
        ends = (move.stocked, move.layer, move.from_, move.to, move.order_line_id)
        known = summed.get(ends)
        summed[ends] = move if known is None else move._replace(quantity=known.quantity + move.quantity)
    return summed.values()

"""Promised units that warehouses are to send: how they are given back, and how they leave. Pure.

A promise that loses units, its payment or its pool gives back what is allocated of it first; the table of promises lets
nobody forget that.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from core import flows
from core.books import Books, Widen
from core.errors import Broken
from core.rows import FulfilmentLineRow, PromiseRow
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Spot, Stocked

Chosen = list[tuple[FulfilmentLineRow, int]]  # units of lines


def keys_of(books: Books) -> set[BalanceKey]:
    """Rows that change when something of this is given back."""
    keys: set[BalanceKey] = set()
    for row in books.fulfilment_lines.values():
        if row.units:
            keys.add(BalanceKey(Layer.DISPATCH, *row.stocked, row.warehouse_id))
            if row.bin_id is not None:
                keys.add(BalanceKey(Layer.WAREHOUSE, *row.stocked, row.bin_id))
    return keys


def open_lines(books: Books, promise_id: int) -> list[FulfilmentLineRow]:
    """Those with units, in the order in which they leave: what was handed over before what was not, the oldest first.

    Read backwards, it is the order in which they are given back.
    """
    rows = [row for row in books.fulfilment_lines_of(promise_id) if row.units]
    return sorted(rows, key=lambda row: (row.bin_id is None, row.moved_at, row.id))


def share(rows: Iterable[FulfilmentLineRow], units: int) -> Chosen:
    """``units`` (>= 0) of these lines, of the first ones first. Raises: Widen when they have fewer."""
    chosen: Chosen = []
    for row in rows:
        if n := min(units, row.units):
            units -= n
            chosen.append((row, n))
    if units:
        raise Widen(())
    return chosen


def keep(books: Books, promise: PromiseRow, live: int, reason: str) -> PromiseRow:
    """Of the promise at most ``live`` (>= 0) units stay allocated. Returns: it as it is now. Raises: Widen."""
    promise = books.promises[promise.id]
    if promise.allocated > live:
        give_back(books, share(open_lines(books, promise.id)[::-1], promise.allocated - live), reason)
    return books.promises[promise.id]


def give_back(books: Books, chosen: Chosen, reason: str, key: str = "", content: object = None) -> int:
    """Units of one order are put back where they were handed over, and are allocated no more.

    Args: key, content: of the effect, where the caller has one. Returns: the document's id.
    """
    order_id = chosen[0][0].order_id
    moves = [move for row, units in chosen for move in _given_back(books, row, units)]
    effect_key = key or f"order/{order_id}/deallocation/{books.new_id()}"
    return books.post(DocumentKind.DEALLOCATION, effect_key, moves, content=content, order_id=order_id, reason=reason)


def give_back_idle(books: Books, order_id: int, reason: str) -> None:
    """What warehouses are to send of an order and nobody packs yet is allocated no more; another may be told to."""
    rows = [row for row in books.fulfilment_lines.values() if row.order_id == order_id and row.bin_id is None]
    if chosen := [(row, row.units) for row in rows if row.units]:
        give_back(books, chosen, reason)


def _given_back(books: Books, row: FulfilmentLineRow, units: int) -> list[Movement]:
    promise, row = books.promises[row.promise_id], books.fulfilment_lines[row.id]
    books.add_promise(promise._replace(allocated=promise.allocated - units))
    books.add_fulfilment_line(row._replace(units=row.units - units, back=row.back + units))
    pool = books.pool(promise.pool_id)
    moves = [] if row.bin_id is None else flows.put_back(row.bin_id, row.stocked, units, row.order_line_id)
    return [*moves, *flows.deallocate(pool, row.warehouse_id, row.stocked, units, row.order_line_id)]


def put_back(books: Books, row: FulfilmentLineRow, units: int) -> list[Movement]:
    """Units that were handed over stand in their bin again, and stay allocated."""
    if row.bin_id is None:
        raise Broken(f"line {row.id} was not handed over")
    _shift(books, row, units, None)
    return flows.put_back(row.bin_id, row.stocked, units, row.order_line_id)


def hand(books: Books, row: FulfilmentLineRow, units: int, bin_id: int) -> list[Movement]:
    """Units that were not handed over are, out of a bin."""
    _shift(books, row, units, bin_id)
    return flows.pick(bin_id, row.stocked, units, row.order_line_id)


def _shift(books: Books, row: FulfilmentLineRow, units: int, bin_id: int | None) -> None:
    row = books.fulfilment_lines[row.id]
    books.add_fulfilment_line(row._replace(units=row.units - units))
    for other in books.fulfilment_lines_of(row.promise_id):
        if (other.fulfilment_id, other.bin_id) == (row.fulfilment_id, bin_id):
            books.add_fulfilment_line(other._replace(units=other.units + units, moved_at=books.now))
            return
    books.add_fulfilment_line(
        row._replace(id=books.new_id(), bin_id=bin_id, units=units, shipped=0, back=0, moved_at=books.now)
    )


@dataclass(slots=True)
class Bins:
    """Finds units that stand in a warehouse for the movements of one document, and remembers what it has found.

    ``spot``: look there alone. ``frozen``: also in bins that are being counted, after all others.
    """

    books: Books
    warehouse_id: int
    spot: Spot | None = None
    frozen: bool = False
    _taken: Counter[tuple[int, Stocked]] = field(default_factory=Counter)

    def take(self, stocked: Stocked, units: int) -> Iterator[tuple[int, int]]:
        """Bins with units (>= 1) for sale, up to ``units`` in all; less where there are fewer. Raises: Widen."""
        for spot in self.books.spots_of(stocked) if self.spot is None else [self.spot]:
            if spot.warehouse_id != self.warehouse_id or (spot.bin_id in self.books.frozen and not self.frozen):
                continue
            there = self.books.units(Layer.WAREHOUSE, stocked, At(spot.bin_id, Bucket.AVAILABLE))
            if (found := min(units, there - self._taken[spot.bin_id, stocked])) > 0:
                units -= found
                self._taken[spot.bin_id, stocked] += found
                yield spot.bin_id, found


def leave(books: Books, chosen: Chosen) -> list[Movement]:
    """Units leave the house; those not handed over stand in some bin of their warehouse, frozen ones last."""
    moves: list[Movement] = []
    bins: dict[int, Bins] = {}
    for row, units in chosen:
        place = row.warehouse_id
        if row.bin_id is not None:
            moves += _leave(books, row, units, Spot(place, row.bin_id))
            continue
        left = units
        for bin_id, n in bins.setdefault(place, Bins(books, place, frozen=True)).take(row.stocked, units):
            moves += flows.pick(bin_id, row.stocked, n, row.order_line_id)
            moves += _leave(books, row, n, Spot(place, bin_id))
            left -= n
        if left:
            raise Widen(())  # it stands there: what is allocated is in some bin
    return moves


def _leave(books: Books, row: FulfilmentLineRow, units: int, spot: Spot) -> list[Movement]:
    promise, row = books.promises[row.promise_id], books.fulfilment_lines[row.id]
    books.add_fulfilment_line(row._replace(units=row.units - units, shipped=row.shipped + units))
    books.add_promise(
        promise._replace(
            live=promise.live - units, shipped=promise.shipped + units, allocated=promise.allocated - units
        )
    )
    return flows.leave(spot, books.pool(promise.pool_id), row.stocked, units, row.order_line_id)


def handed_last(books: Books, stocked: Stocked, bin_id: int) -> list[FulfilmentLineRow]:
    """What was handed over out of a bin, the last first."""
    rows = (row for row in books.fulfilment_lines.values() if row.units and row.bin_id == bin_id)
    mine = [row for row in rows if row.stocked == stocked]
    return sorted(mine, key=lambda row: (row.moved_at, row.id), reverse=True)

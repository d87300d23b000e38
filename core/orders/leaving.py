"""What a store says has left the house leaves the books: out of whatever it stood in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core import flows
from core.books import Books
from core.orders.parts import PartOfLine
from core.rows import OrderRow, PromiseRow
from core.sales import allocated, kept
from core.sales.backorders import fill_promise
from core.stock import DocumentKind, Movement, Stocked
from core.warehouse.picking import Picker

Due = tuple[PartOfLine, int]  # units (>= 1) of a part


class Post(Protocol):
    """Posts a document of the order, where there are movements; ``suffix`` tells it from others of its kind."""

    def __call__(self, kind: DocumentKind, moves: list[Movement], suffix: str = "", reason: str = "") -> None: ...


@dataclass(slots=True)
class Leaving:
    """One order's goods that left."""

    books: Books
    row: OrderRow
    post: Post

    def run(self, due: Sequence[Due]) -> None:
        """Args: due: what left of each part."""
        found: list[Movement] = []
        filled: list[Movement] = []
        free = {part.stocked: self.books.free(part.stocked) for part, _ in due}
        for part, units in due:
            self._find(part, units, free, found, filled)
        self.post(DocumentKind.FOUND, found, reason="shipped by the store although no unit was known")
        self.post(DocumentKind.FILL, filled)
        told = [self._told_to_send(part, units) for part, units in due]
        sent = allocated.leave(self.books, [one for chosen in told for one in chosen])
        self.post(DocumentKind.SHIPMENT, sent, "/allocated")
        rest = [(part, units - sum(n for _, n in chosen)) for (part, units), chosen in zip(due, told, strict=True)]
        self._take_from_transfers(rest)
        picker, here, shipped = Picker(self.books), list[Movement](), list[Movement]()
        for part, units in rest:
            self._send(part, units, picker, here, shipped)
        self.post(DocumentKind.FOUND, here, "/here", "shipped by the store although it was thought to be on its way")
        self.post(DocumentKind.SHIPMENT, shipped)

    def _find(
        self, part: PartOfLine, units: int, free: dict[Stocked, int], found: list[Movement], filled: list[Movement]
    ) -> None:
        """The goods left the house, so they were there: a physical fact is never refused.

        ``free``: units that nobody was promised, of which some may lie there although a bundle waits for its other
        components. They left before any that the books do not know of.
        """
        home = self.books.home
        lacking = units - sum(row.live for row in part.promises if not row.presale)
        # What the line was dealt before what it waits for; else it would depend on its other units which of them left.
        for promise in sorted(part.promises, key=lambda row: not row.presale):
            more = min(lacking, promise.live if promise.presale else promise.waiting)
            if more <= 0:
                continue
            known = min(more, free[part.stocked])
            free[part.stocked] -= known
            found += flows.come_in(home, part.stocked, more - known) if more > known else []
            if promise.presale:
                self._hand_over(part, promise, more, filled)
            else:  # which may have got, a moment ago, what a presale handed over
                filled += fill_promise(self.books, self.books.promises[promise.id], more)
            lacking -= more

    def _hand_over(self, part: PartOfLine, promise: PromiseRow, units: int, filled: list[Movement]) -> None:
        pool = self.books.pool(promise.pool_id)
        filled += flows.hand_over(self.books.home, pool, part.stocked, units, promise.deducted, part.line_id)
        self.books.add_promise(promise._replace(wanted=promise.wanted - units, live=promise.live - units))
        shared = part.promise_in(self.books.home.shared_pool, promise.presale_id)
        self.books.add_promise(shared._replace(wanted=shared.wanted + units, live=shared.live + units))

    def _told_to_send(self, part: PartOfLine, units: int) -> allocated.Chosen:
        """Of what left, the units that warehouses were told to send: they went first, those handed over before all."""
        rows = [row for promise in part.promises for row in allocated.open_lines(self.books, promise.id)]
        rows.sort(key=lambda row: row.bin_id is None)
        return allocated.share(rows, min(units, sum(row.units for row in rows)))

    def _take_from_transfers(self, due: Sequence[Due]) -> None:
        """What left stood somewhere: where all that may leave is less, it was kept for a transfer."""
        wanted: Counter[Stocked] = Counter()
        for part, units in due:
            pools = [(row, self.books.pool(row.pool_id)) for row in part.promises]
            wanted[part.stocked] += max(units - sum(row.live for row, pool in pools if pool.warehouse_id), 0)
        for stocked, units in wanted.items():
            kept.make_room(self.books, stocked, units, f"order {self.row.number} was shipped")

    def _send(
        self, part: PartOfLine, units: int, picker: Picker, here: list[Movement], shipped: list[Movement]
    ) -> None:
        """Units leave the bins that they stand in. What is promised and stands in none was on its way, and has come."""
        for promise in part.promises:
            sent = min(units, promise.live)
            if not sent:
                continue
            pool, left = self.books.pool(promise.pool_id), sent
            for home, n in picker.take(part.stocked, sent, pool):
                shipped += flows.ship(home, pool, part.stocked, n, part.line_id)
                left -= n
            if left:
                here += flows.come_in(self.books.home, part.stocked, left)
                shipped += flows.ship(self.books.home, pool, part.stocked, left, part.line_id)
            self.books.add_promise(promise._replace(live=promise.live - sent, shipped=promise.shipped + sent))
            units -= sent

"""``Allocate``: the warehouses that a decision chose are told what to send of an order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from core import flows
from core.books import Books
from core.command import Command
from core.dispatch.model import Leg, Pick
from core.errors import Refused
from core.rows import FulfilmentLineRow, FulfilmentRow, PromiseRow, StoreKey
from core.sales.held import keys_of
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Stocked


@dataclass(frozen=True, slots=True)
class Allocate(Command):
    """Allocate what a decision says, all of it or nothing; once per decision.

    Only units that are paid and there are allocated, and those of a physical lock only where it stands.
    """

    order: StoreKey
    decision_id: int
    legs: Sequence[Leg] = field(hash=False)

    @property
    def effect_key(self) -> str:
        return f"fulfilment/decision/{self.decision_id}"

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def order_keys(self) -> Iterable[StoreKey]:
        return (self.order,)

    def sends(self) -> bool:
        return True

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {pick.stocked for leg in self.legs for pick in leg.picks}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of(books, [row for pick in self._picks() for row in self._standing(books, pick)])
        return keys | {
            BalanceKey(Layer.DISPATCH, *pick.stocked, leg.warehouse_id) for leg in self.legs for pick in leg.picks
        }

    def _picks(self) -> Iterator[Pick]:
        for leg in self.legs:
            yield from leg.picks

    def _standing(self, books: Books, pick: Pick) -> list[PromiseRow]:
        rows = [row for row in books.promises_of(pick.line_id) if row.stocked == pick.stocked and row.to_allocate]
        return sorted(rows, key=lambda row: row.id)

    def decide(self, books: Books) -> list[FulfilmentRow]:
        """Returns: the fulfilment orders made. Raises: Refused when order or goods changed since the decision."""
        content = [
            [leg.warehouse_id, *sorted((p.line_id, *p.stocked, p.units, p.from_lock) for p in leg.picks)]
            for leg in self.legs
        ]
        if books.effect(self.effect_key, content):
            return [row for row in books.fulfilments.values() if row.decision_id == self.decision_id]
        order = books.orders[self.order]
        made, moves = list[FulfilmentRow](), list[Movement]()
        for leg in self.legs:
            row = self._fulfilment(books, order.id, leg)
            made.append(row)
            for pick in leg.picks:
                moves += self._allocate(books, row, pick)
        books.post(DocumentKind.ALLOCATION, self.effect_key, moves, content=content, order_id=order.id)
        return made

    def _fulfilment(self, books: Books, order_id: int, leg: Leg) -> FulfilmentRow:
        days = leg.estimate
        row = new_fulfilment(books, order_id, leg.warehouse_id)._replace(
            decision_id=self.decision_id, leaves_on=days.leaves, earliest=days.earliest, latest=days.latest
        )
        books.add_fulfilment(row)
        return row

    def _allocate(self, books: Books, fulfilment: FulfilmentRow, pick: Pick) -> list[Movement]:
        left, moves, place = pick.units, list[Movement](), fulfilment.warehouse_id
        for row in self._standing(books, pick):
            locked_at = books.pool(row.pool_id).warehouse_id
            if locked_at != (place if pick.from_lock else None):
                continue
            if units := min(left, row.to_allocate):
                left -= units
                moves += allocate(books, fulfilment, row, units)
        if left:
            raise Refused("the order has changed since it was decided who sends it; decide again")
        return moves


def new_fulfilment(books: Books, order_id: int, warehouse_id: int) -> FulfilmentRow:
    """The next fulfilment order of an order, which no decision has made yet; its caller adds it to the books."""
    known = max((row.nth for row in books.fulfilments.values() if row.order_id == order_id), default=0)
    return FulfilmentRow(
        books.new_id(), order_id, known + 1, warehouse_id, None, None, None, None, books.now, books.actor
    )


def allocate(books: Books, fulfilment: FulfilmentRow, row: PromiseRow, units: int) -> list[Movement]:
    """The warehouse of a fulfilment order is to send units of a promise, at most ``row.to_allocate``."""
    books.add_promise(row._replace(allocated=row.allocated + units))
    line = FulfilmentLineRow(
        books.new_id(), fulfilment.id, row.order_id, row.order_line_id or 0, row.id, fulfilment.warehouse_id,
        *row.stocked, None, units, 0, 0, books.now,
    )  # fmt: skip
    books.add_fulfilment_line(line)
    return flows.allocate(books.pool(row.pool_id), fulfilment.warehouse_id, row.stocked, units, row.order_line_id)

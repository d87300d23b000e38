"""``ConsumeFor``: goods of a pure lock go to an order, and leave from where they were set apart."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from core.books import Books
from core.errors import NotFound, Refused
from core.fulfilment.allocating import allocate, new_fulfilment
from core.rows import LockRow, OrderRow, PromiseRow, StoreKey
from core.sales.backorders import fill_promise
from core.sales.held import keys_of
from core.sales.locks import Done, OnLock, answered, consumption_key, find, take_out, the_lock
from core.stock import BalanceKey, DocumentKind, Movement
from core.words import counted


@dataclass(frozen=True, slots=True)
class ConsumeFor(OnLock):
    """Take ``units`` out of a pure lock for a paid order, whose warehouse is told to send them; once per ``ref``.

    What the order waits for is served by them, whoever else waits; then its units that no warehouse is to send yet are
    sent from there, and the lock's become free for everybody. A component of a bundle goes with the others, not so.
    """

    order: StoreKey
    units: int
    ref: str
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (consumption_key(self.key, self.ref),)

    def order_keys(self) -> Iterable[StoreKey]:
        return (self.order,)

    def sends(self) -> bool:
        return True

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        lock = find(books, self.key)
        keys = set(OnLock.balance_keys(self, books))
        return keys | keys_of(books, _wanting(books, books.orders[self.order], lock)) if lock else keys

    def decide(self, books: Books) -> Done:
        """Raises: Refused when lock or order have not so many; NotFound; KeyReused; Widen."""
        effect_key, content = consumption_key(self.key, self.ref), [self.units, *self.order]
        if earlier := answered(books, effect_key, content):
            return earlier
        lock, order = the_lock(books, self.key), books.orders[self.order]
        if order.placed_at is None:
            raise NotFound(f"order {self.order.external_id} is not known; `holdfast order list` shows the newest")
        done = take_out(books, self.key, self.units, effect_key, content, self.reason)
        self._send(books, order, lock)
        return done

    def _send(self, books: Books, order: OrderRow, lock: LockRow) -> None:
        rows = _wanting(books, order, lock)
        fulfilment = new_fulfilment(books, order.id, lock.warehouse_id or 0)
        books.add_fulfilment(fulfilment)
        left, fills, sent = self.units, list[Movement](), Counter[int]()
        for row in rows:
            if units := min(left, row.waiting):
                left -= units
                fills += fill_promise(books, row, units)
                sent[row.id] += units
        for row in rows:
            if units := min(left, row.to_allocate):
                left -= units
                sent[row.id] += units
        moves = [
            move
            for promise_id, units in sent.items()
            for move in allocate(books, fulfilment, books.promises[promise_id], units)
        ]
        if left:
            wanted = self.units - left
            raise Refused(
                f"order {order.number} has {counted(wanted, 'paid unit')} of it that no warehouse "
                f"is to send, components of bundles aside{f'; take {wanted} or less' if wanted else ''}"
            )
        why = f"lock {lock.key} is consumed for it"
        if fills:
            key = f"order/{order.id}/fill/{books.new_id()}"
            books.post(DocumentKind.FILL, key, fills, order_id=order.id, reason=why)
        key = f"fulfilment/{fulfilment.id}/consumed"
        books.post(DocumentKind.ALLOCATION, key, moves, order_id=order.id, reason=why)


def _wanting(books: Books, order: OrderRow, lock: LockRow) -> list[PromiseRow]:
    """Promises of the order to which goods of the lock can go, in their turn."""
    return [
        row
        for line in books.lines_of(order.id)
        for row in sorted(books.promises_of(line.id), key=lambda row: row.id)
        if row.stocked == lock.stocked
        and row.paid
        and row.deducted
        and not row.presale
        and books.pool(row.pool_id).warehouse_id is None
        and {other.stocked for other in books.promises_of(line.id)} == {lock.stocked}
    ]

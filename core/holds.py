"""Holds made through our own interface: all or nothing, with an end. Orders of storefronts never end by our clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core import flows
from core.books import Books, LineRow, PromiseRow, StoreKey
from core.errors import InsufficientStock, Refused
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Stocked
from core.transaction import Transaction

OWN = 0  # the store id of our own interface
DEFAULT_TTL = timedelta(minutes=15)


class _OneOrder:
    """What the commands on one hold read."""

    key: str

    def effect_keys(self) -> Iterable[str]:
        return (f"hold/{self.key}",)

    def order_keys(self) -> Iterable[StoreKey]:
        return (StoreKey(OWN, self.key),)

    def listing_keys(self, _books: Books) -> Iterable[StoreKey]:
        return ()


@dataclass(frozen=True, slots=True)
class Hold(_OneOrder):
    """Promise units to one holder until ``expires_at``; once per ``key``, else refused as a whole."""

    key: str
    quantities: Mapping[Stocked, int] = field(hash=False)
    expires_at: datetime

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return [books.home.key(Layer.SALES, stocked) for stocked in self.quantities]

    def decide(self, books: Books) -> int:
        """Returns: the document's id. Raises: InsufficientStock; KeyReused; Refused when the hold has ended."""
        content = sorted((*stocked, units) for stocked, units in self.quantities.items())
        if earlier := books.find(f"hold/{self.key}", content):
            return earlier
        order = books.orders[StoreKey(OWN, self.key)]
        if order.fetch_seq >= 0:
            raise Refused(f"hold {self.key} was released before it was made; choose a new key")
        missing = {s: n - books.free(s) for s, n in self.quantities.items() if n > books.free(s)}
        if missing:
            raise InsufficientStock(missing)
        moves: list[Movement] = []
        for number, (stocked, units) in enumerate(sorted(self.quantities.items()), start=1):
            line = _line(books, order.id, number, stocked, units)
            books.add_line(line)
            books.add_promise(_promise(books, line, stocked, units, self.expires_at))
            moves += flows.hold(books.home, stocked, units, 0, deducted=False, line_id=line.id)
        order = replace(
            order, number=self.key, state="held", holds=True, placed_at=books.now, fetch_seq=0, applied_at=books.now
        )
        books.put(books.orders, StoreKey(OWN, self.key), order)
        return books.post(DocumentKind.RESERVATION, f"hold/{self.key}", moves, content=content, order_id=order.id)


@dataclass(frozen=True, slots=True)
class EndHold(_OneOrder):
    """Give back what a hold still holds; with ``only_expired`` just what has run out. Repeating it changes nothing.

    A release that comes before its hold ends in the same state: the hold is refused.
    """

    key: str
    only_expired: bool = False

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        order = books.orders[StoreKey(OWN, self.key)]
        promises = [p for line in books.lines_of(order.id) for p in books.promises_of(line.id)]
        return [books.home.key(Layer.SALES, promise.stocked) for promise in promises]

    def decide(self, books: Books) -> bool:
        """Returns: True when units came free."""
        order = books.orders[StoreKey(OWN, self.key)]
        moves: list[Movement] = []
        for line in books.lines_of(order.id):
            for promise in books.promises_of(line.id):
                ended = promise.expires_at is not None and promise.expires_at <= books.now
                if promise.live and (ended or not self.only_expired):
                    moves += flows.release(
                        books.home, promise.stocked, promise.live, 0, promise.deducted, promise.order_line_id
                    )
                    books.add_promise(replace(promise, live=0, released=promise.released + promise.live))
        if moves:
            kind = DocumentKind.EXPIRY if self.only_expired else DocumentKind.RELEASE
            books.post(kind, f"hold/{self.key}/end", moves, order_id=order.id)
        if moves or not self.only_expired:
            ended_order = replace(order, state="ended", holds=False, fetch_seq=1, applied_at=books.now)
            books.put(books.orders, StoreKey(OWN, self.key), ended_order)
        return bool(moves)


def expired(tx: Transaction, *, limit: int = 500) -> Sequence[str]:
    """Keys of holds that have run out and still hold units."""
    rows = tx.run(
        """SELECT DISTINCT o.external_id FROM promise p
           JOIN store_order o ON o.merchant_id = p.merchant_id AND o.id = p.order_id
           WHERE p.merchant_id = :merchant_id AND p.expires_at <= :now AND p.live + p.waiting > 0 AND o.store_id = 0
           LIMIT :limit""",
        limit=limit,
    )
    return list(rows.scalars())


def _line(books: Books, order_id: int, number: int, stocked: Stocked, units: int) -> LineRow:
    return LineRow(
        id=books.new_id(), order_id=order_id, external_line_id=str(number), external_id=None, sku="", title="",
        listing_id=None, item_id=stocked.item_id, ordered=units, cancelled=0, written_off=0,
        damaged=0, returned=0, counted=0,
        hidden=0, deducted=False, paid=False, held_reason="",
    )  # fmt: skip


def _promise(books: Books, line: LineRow, stocked: Stocked, units: int, expires_at: datetime) -> PromiseRow:
    return PromiseRow(
        id=books.new_id(), order_line_id=line.id, order_id=line.order_id, item_id=stocked.item_id, grade=stocked.grade,
        pool_id=books.home.shared_pool_id, wanted=units, waiting=0, live=units, shipped=0, released=0, deducted=False,
        promised_at=books.now, expires_at=expires_at,
    )  # fmt: skip

"""Holds made through our own interface: all or nothing, with an end. Orders of storefronts never end by our clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core import flows
from core.books import Books, LineRow, OrderRow, PromiseRow, StoreKey
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
        wanted = sorted(self.quantities.items())
        content = " ".join([f"{item_id}/{grade}/{units}" for (item_id, grade), units in wanted])
        effect_key = f"hold/{self.key}"
        if earlier := books.find(effect_key, content):
            return earlier
        order_key = StoreKey(OWN, self.key)
        order = books.orders[order_key]
        if order.fetch_seq >= 0:
            raise Refused(f"hold {self.key} was released before it was made; choose a new key")
        _require_units(books, wanted)
        moves: list[Movement] = []
        for number, (stocked, units) in enumerate(wanted, start=1):
            line = _line(books.new_id(), order.id, number, stocked, units)
            books.add_line(line)
            books.add_promise(_promise(books, line, stocked, self.expires_at))
            moves.append(flows.reserve(books.home, stocked, units, line.id))
        held = OrderRow(order.id, OWN, self.key, self.key, "held", True, False, books.now, "", 0, books.now)
        books.put(books.orders, order_key, held)
        return books.post(DocumentKind.RESERVATION, effect_key, moves, content=content, order_id=order.id)


@dataclass(frozen=True, slots=True)
class EndHold(_OneOrder):
    """Give back what a hold still holds; with ``only_expired`` just what has run out. Repeating it changes nothing.

    A release that comes before its hold ends in the same state: the hold is refused.
    """

    key: str
    only_expired: bool = False

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        order = books.orders[StoreKey(OWN, self.key)]
        return [books.home.key(Layer.SALES, promise.stocked) for promise in _promises_of(books, order)]

    def decide(self, books: Books) -> bool:
        """Returns: True when units came free."""
        order = books.orders[StoreKey(OWN, self.key)]
        moves: list[Movement] = []
        for promise in _promises_of(books, order):
            ended = promise.expires_at is not None and promise.expires_at <= books.now
            if promise.live and (ended or not self.only_expired):
                moves += flows.release(
                    books.home, promise.stocked, promise.live, 0, promise.deducted, promise.order_line_id
                )
                books.add_promise(promise._replace(live=0, released=promise.released + promise.live))
        if moves:
            kind = DocumentKind.EXPIRY if self.only_expired else DocumentKind.RELEASE
            books.post(kind, f"hold/{self.key}/end", moves, order_id=order.id)
        if moves or not self.only_expired:
            ended_order = order._replace(state="ended", holds=False, fetch_seq=1, applied_at=books.now)
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


def _require_units(books: Books, wanted: Sequence[tuple[Stocked, int]]) -> None:
    """Raises: Refused when less than one unit of anything is wanted; InsufficientStock when fewer units are free."""
    if not wanted:
        raise Refused("a hold takes at least 1 unit of an item; none was named")
    missing = {}
    for stocked, units in wanted:
        if units < 1:
            raise Refused(
                f"a hold takes at least 1 unit of each item; {units} of item {stocked.item_id} were asked for"
            )
        free = books.free(stocked)
        if units > free:
            missing[stocked] = units - free
    if missing:
        raise InsufficientStock(missing)


def _promises_of(books: Books, order: OrderRow) -> list[PromiseRow]:
    return [promise for line in books.lines_of(order.id) for promise in books.promises_of(line.id)]


# By position: these are made for every unit that is sold, and by name takes three times as long.
def _line(line_id: int, order_id: int, number: int, stocked: Stocked, units: int) -> LineRow:
    return LineRow(line_id, order_id, str(number), None, "", "", None, stocked.item_id, units,
                   0, 0, 0, 0, 0, 0, False, False, "")  # fmt: skip


def _promise(books: Books, line: LineRow, stocked: Stocked, expires_at: datetime) -> PromiseRow:
    """The one promise of a line; it has the line's id."""
    return PromiseRow(line.id, line.id, line.order_id, stocked.item_id, stocked.grade, books.home.shared_pool_id,
                      line.ordered, 0, line.ordered, 0, 0, False, books.now, expires_at)  # fmt: skip

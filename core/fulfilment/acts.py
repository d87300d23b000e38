"""What becomes of a fulfilment order: handed to those who pack, put back, shipped, given back, or rejected."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from core.books import Books
from core.command import Command
from core.errors import NotFound, Refused
from core.goods.receiving import refuse_frozen
from core.rows import FulfilmentLineRow, FulfilmentRow, StoreKey
from core.sales import allocated
from core.sales.allocated import Bins, Chosen
from core.sales.held import keys_of
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Spot, Stocked


@dataclass(frozen=True, slots=True)
class Done:
    """``document_id``: None when nothing was to be done. ``units``: that were moved, by what is counted.

    ``repeated``: its key was used before, and nothing was done again.
    """

    document_id: int | None
    units: Mapping[Stocked, int]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Act(Command):
    """Something that is done with units of a fulfilment order, once per ``effect_key``.

    ``units``: by what is counted, each >= 1; None: all that it can be done with.
    """

    verb: ClassVar[str]
    over: ClassVar[str]  # what nothing of it is, when nothing is left to do

    effect_key: str
    order: StoreKey
    fulfilment_id: int
    units: Mapping[Stocked, int] | None = field(default=None, hash=False)

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def order_keys(self) -> Iterable[StoreKey]:
        return (self.order,)

    def sends(self) -> bool:
        return True

    def stocked(self, books: Books) -> Iterable[Stocked]:
        return {row.stocked for row in self.lines(books)}

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        rows = [row for row in self.lines(books) if row.units]
        keys = keys_of(books, [books.promises[row.promise_id] for row in rows])
        for row in rows:
            spots = [spot for spot in books.spots_of(row.stocked) if spot.warehouse_id == row.warehouse_id]
            keys.update(BalanceKey(Layer.WAREHOUSE, *row.stocked, spot.bin_id) for spot in spots)
        return keys

    def lines(self, books: Books) -> list[FulfilmentLineRow]:
        return [row for row in books.fulfilment_lines.values() if row.fulfilment_id == self.fulfilment_id]

    def fulfilment(self, books: Books) -> FulfilmentRow:
        """Raises: NotFound."""
        row = books.fulfilments.get(self.fulfilment_id)
        if row is None or row.order_id != books.orders[self.order].id:
            raise NotFound("there is no such fulfilment order; `holdfast fulfil list` shows those there are")
        return row

    def content(self) -> list[object]:
        said = None if self.units is None else sorted((*one, n) for one, n in self.units.items())
        return [self.verb, self.fulfilment_id, said]

    def earlier(self, books: Books) -> Done | None:
        """What this key did before. Raises: KeyReused."""
        effect = books.effect(self.effect_key, self.content())
        return Done(effect.document_id, {}, repeated=True) if effect else None

    def may(self, row: FulfilmentLineRow) -> bool:
        """Can it be done with units of this line?"""
        return row.units > 0

    def choose(self, books: Books) -> Chosen:
        """Lines and how many units of each, those handed over first. Raises: Refused."""
        rows = [row for row in self.lines(books) if self.may(row)]
        rows.sort(key=lambda row: (row.bin_id is None, row.moved_at, row.id))
        if self.units is None:
            found = [(row, row.units) for row in rows]
        else:
            found = [one for stocked, n in self.units.items() for one in self._of(rows, stocked, n)]
        if not found:
            raise Refused(f"nothing of it {self.over}; `holdfast fulfil show` tells what became of it")
        return found

    def _of(
        self, rows: Sequence[FulfilmentLineRow], stocked: Stocked, units: int
    ) -> Iterator[tuple[FulfilmentLineRow, int]]:
        mine = [row for row in rows if row.stocked == stocked]
        there = sum(row.units for row in mine)
        if not 1 <= units <= there:
            raise Refused(f"say 1 to {there} units" if there else f"no unit of that item {self.over}")
        for row in mine:
            if n := min(units, row.units):
                units -= n
                yield row, n

    def post(self, books: Books, kind: DocumentKind, moves: list[Movement], reason: str = "") -> int:
        order_id = books.orders[self.order].id
        return books.post(kind, self.effect_key, moves, content=self.content(), order_id=order_id, reason=reason)


@dataclass(frozen=True, slots=True)
class HandOver(_Act):
    """Units are handed to those who pack: out of ``spot``, or out of the bins of the warehouse in their order."""

    verb: ClassVar[str] = "hand over"
    over: ClassVar[str] = "is still to be handed over"

    spot: Spot | None = None

    def content(self) -> list[object]:
        return [*_Act.content(self), self.spot]

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        keys = _Act.balance_keys(self, books)
        if self.spot is not None:
            keys.update(BalanceKey(Layer.WAREHOUSE, *one, self.spot.bin_id) for one in self.stocked(books))
        return keys

    def may(self, row: FulfilmentLineRow) -> bool:
        return row.units > 0 and row.bin_id is None

    def decide(self, books: Books) -> Done:
        """Raises: KeyReused; NotFound; Refused when they do not stand there; Widen."""
        if earlier := self.earlier(books):
            return earlier
        place = self.fulfilment(books).warehouse_id
        if self.spot is not None:
            if self.spot.warehouse_id != place:
                raise Refused("that bin is in another warehouse than the one that is to send this")
            refuse_frozen(books, self.spot.bin_id)
        chosen, bins, moves = self.choose(books), Bins(books, place, self.spot), list[Movement]()
        for row, units in chosen:
            left = units
            for bin_id, n in bins.take(row.stocked, units):
                left -= n
                moves += allocated.hand(books, row, n, bin_id)
            if left:
                raise Refused(
                    f"{left} units lack in the bins that may give them out; `holdfast bin list` tells what stands where"
                )
        return Done(self.post(books, DocumentKind.HAND_OVER, moves), _sums(chosen))


@dataclass(frozen=True, slots=True)
class PutBack(_Act):
    """Units that were handed over stand in their bins again; the warehouse still is to send them."""

    verb: ClassVar[str] = "put back"
    over: ClassVar[str] = "is handed over"

    reason: str = ""

    def may(self, row: FulfilmentLineRow) -> bool:
        return row.units > 0 and row.bin_id is not None

    def decide(self, books: Books) -> Done:
        """Raises: KeyReused; NotFound; Refused; Widen."""
        if earlier := self.earlier(books):
            return earlier
        self.fulfilment(books)
        chosen = self.choose(books)
        moves = [move for row, units in chosen for move in allocated.put_back(books, row, units)]
        return Done(self.post(books, DocumentKind.PUT_BACK, moves, self.reason), _sums(chosen))


@dataclass(frozen=True, slots=True)
class Ship(_Act):
    """Units leave the house, in parts or as a whole; what was not handed over is handed over on the way."""

    verb: ClassVar[str] = "ship"
    over: ClassVar[str] = "is still to be sent"

    def decide(self, books: Books) -> Done:
        """Raises: KeyReused; NotFound; Refused; Widen."""
        if earlier := self.earlier(books):
            return earlier
        self.fulfilment(books)
        chosen = self.choose(books)
        return Done(self.post(books, DocumentKind.SHIPMENT, allocated.leave(books, chosen)), _sums(chosen))


@dataclass(frozen=True, slots=True)
class GiveBack(_Act):
    """The warehouse is not to send these units any more: another may. ``idle``: only those not handed over."""

    verb: ClassVar[str] = "give back"
    over: ClassVar[str] = "is still to be sent"

    reason: str = ""
    idle: bool = False

    def may(self, row: FulfilmentLineRow) -> bool:
        return row.units > 0 and (row.bin_id is None or not self.idle)

    def content(self) -> list[object]:
        return [*_Act.content(self), self.idle]

    def decide(self, books: Books) -> Done:
        """Raises: KeyReused; NotFound; Refused; Widen."""
        if earlier := self.earlier(books):
            return earlier
        self.fulfilment(books)
        chosen = self.choose(books)[::-1]
        document_id = allocated.give_back(books, chosen, self.reason, self.effect_key, self.content())
        return Done(document_id, _sums(chosen))


@dataclass(frozen=True, slots=True)
class Reject(_Act):
    """The warehouse will not send what is left of it, and is not asked again for this order."""

    verb: ClassVar[str] = "reject"
    over: ClassVar[str] = "is still to be sent"

    reason: str = ""

    def decide(self, books: Books) -> Done:
        """Raises: KeyReused; NotFound; Refused; Widen."""
        if earlier := self.earlier(books):
            return earlier
        row = self.fulfilment(books)
        if not self.reason.strip():
            raise Refused("say why: a rejection without a reason helps nobody later")
        chosen = self.choose(books)[::-1]
        document_id = allocated.give_back(books, chosen, self.reason, self.effect_key, self.content())
        books.add_fulfilment(row._replace(rejected_at=books.now, why=self.reason))
        return Done(document_id, _sums(chosen))


def _sums(chosen: Chosen) -> Mapping[Stocked, int]:
    found: Counter[Stocked] = Counter()
    for row, units in chosen:
        found[row.stocked] += units
    return found

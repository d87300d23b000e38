"""Brings a shelf to what an outside system counted: the difference is found, or missing.

What left the shelf by our books after it was counted is taken off the count, because the count cannot know of it for
sure; what came since is not added, because the count may know of it. So the shelf is never thought to have more than it
has; see docs/decisions/0015.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import flows
from core.books import Books
from core.command import Command, Short
from core.errors import Broken
from core.goods.adjusting import Adjusted
from core.goods.receiving import keys_at, keys_of_goods, refuse_bundles
from core.ledger import Batch
from core.pipe import Answer, Runner
from core.sales.shortage import Loss, Shortage, on_shelf, short_of
from core.stock import BalanceKey, DocumentKind, Home, Spot, Stocked
from core.transaction import Transaction

EFFECTS = "mirror/"  # how the keys of our documents begin


class Cell(NamedTuple):
    """What a number is of: an item in a bin, or (0) in the whole warehouse of its source."""

    item_id: int
    grade: str
    bin_id: int

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


# Units that left places since they were counted; "k" are cells with their instants. Our own corrections don't count:
# what is told later is told of the shelf as it is, not as we thought it to be.
DEPARTED = """
    SELECT coalesce(sum(m.quantity), 0) FROM (SELECT * FROM movement WHERE merchant_id = :merchant_id
        AND item_id = k.item_id AND recorded_at > k.as_of OFFSET 0) m
    WHERE m.grade = k.grade AND m.layer = 'warehouse' AND m.from_bucket IN ('available', 'picking')
      AND m.from_place = ANY (CASE WHEN k.bin_id = 0 THEN CAST(:bins AS bigint[]) ELSE ARRAY[k.bin_id] END)
      AND NOT (m.to_bucket IN ('available', 'picking')
        AND m.to_place = ANY (CASE WHEN k.bin_id = 0 THEN CAST(:bins AS bigint[]) ELSE ARRAY[k.bin_id] END))
      AND (SELECT effect_key FROM document WHERE merchant_id = :merchant_id AND id = m.document_id
        AND recorded_at = m.recorded_at) NOT LIKE 'mirror/%'
"""


def bins_of(tx: Transaction, warehouse_id: int) -> list[Spot]:
    """All bins of a warehouse, the default one first."""
    rows = tx.run(
        """SELECT id FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = :warehouse_id
           ORDER BY is_default DESC, id""",
        warehouse_id=warehouse_id,
    )
    return [Spot(warehouse_id, bin_id) for bin_id in rows.scalars()]


@dataclass(slots=True)
class Since:
    """Units that left since they were counted, by cell and instant: known once a batch holds its locks."""

    bins: Sequence[Spot]
    gone: dict[tuple[Cell, datetime], int] = field(default_factory=dict)

    def read(self, sent: Runner, asked: Collection[tuple[Cell, datetime]]) -> None:
        wanted = sorted(asked)
        answer: Answer = sent.run(
            f"""SELECT k.nth, ({DEPARTED}) FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]),
                    CAST(:places AS bigint[]), CAST(:instants AS timestamptz[]))
                    WITH ORDINALITY k (item_id, grade, bin_id, as_of, nth)""",
            items=[cell.item_id for cell, _ in wanted],
            grades=[cell.grade for cell, _ in wanted],
            places=[cell.bin_id for cell, _ in wanted],
            instants=[as_of for _, as_of in wanted],
            bins=[spot.bin_id for spot in self.bins],
        )
        self.gone = {wanted[nth - 1]: int(units) for nth, units in answer.fetchall()}


@dataclass(frozen=True, slots=True)
class Mirror(Command):
    """``counted`` (>= 0) sellable units stood in a cell at ``as_of``, by an outside system; once per ``effect_key``.

    ``spot``: where found goods are put; for a cell of one bin that bin.
    """

    effect_key: str
    cell: Cell
    counted: int
    as_of: datetime
    spot: Spot
    since: Since = field(hash=False, compare=False)
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.cell.stocked,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, [self.cell.stocked])
        return keys.union(key for place in self._places(books) for key in keys_at(place, self.cell.stocked))

    def _places(self, books: Books) -> list[Home]:
        """Where its units may stand, the place for found goods first."""
        if self.cell.bin_id:
            return [books.home.at(self.spot)]
        others = [one for one in books.spots_of(self.cell.stocked) if one.warehouse_id == self.spot.warehouse_id]
        return [books.home.at(spot) for spot in dict.fromkeys([self.spot, *others])]

    def _change(self, books: Books) -> int:
        there = sum(on_shelf(books, self.cell.stocked, place) for place in self._places(books))
        return max(self.counted - self.since.gone[self.cell, self.as_of], 0) - there

    def _leaving(self, books: Books) -> Iterator[tuple[Home, int]]:
        """Places with the units (>= 1) that are missing there."""
        missing = -self._change(books)
        for place in self._places(books):
            if (there := min(missing, on_shelf(books, self.cell.stocked, place))) > 0:
                yield place, there
                missing -= there

    def short(self, books: Books) -> Short:
        return short_of(books, [(place, self.cell.stocked, units) for place, units in self._leaving(books)])

    def decide(self, books: Books) -> Adjusted:
        """Returns: ``document_id`` is the first of those it took. Raises: KeyReused; Refused for a bundle; Widen."""
        content = [*self.cell, self.counted, self.as_of]
        if effect := books.effect(self.effect_key, content):
            return Adjusted(effect.document_id, repeated=True)
        refuse_bundles(books, [self.cell.stocked])
        change = self._change(books)
        if change < 0:
            return self._lose(books, change, content)
        if not change:
            return Adjusted(None)
        moves = flows.come_in(books.home.at(self.spot), self.cell.stocked, change)
        posted = books.post(DocumentKind.FOUND, self.effect_key, [*moves], content=content, reason=self.reason)
        return Adjusted(posted, change)

    def _lose(self, books: Books, change: int, content: object) -> Adjusted:
        """One document for each bin that units are missing from: each can be taken back by itself."""
        first: int | None = None
        losses: list[Loss] = []
        for place, units in list(self._leaving(books)):
            key = self.effect_key if first is None else f"{self.effect_key}/bin/{place.bin_id}"
            shortage = Shortage(books, False, f"{units} were not there any more ({self.reason})", place)
            moves = [*shortage.of(self.cell.stocked, units)]
            posted = books.post(DocumentKind.MISSING, key, moves, content=content, reason=self.reason)
            shortage.note()
            losses += shortage.losses
            first = first or posted
        if first is None:
            raise Broken(f"{-change} units of item {self.cell.item_id} are missing and stand in no bin")
        return Adjusted(first, change, losses)


class MirrorBatch(Batch):
    """Reads what left since it was counted when nobody else can take anything off these shelves any more."""

    def _load_newest(self, commands: Collection[Command]) -> None:
        told = [command for command in commands if isinstance(command, Mirror)]
        if told:
            told[0].since.read(self._sent, {(one.cell, one.as_of) for one in told})
        super()._load_newest(commands)


def broken(done: Iterable[Adjusted]) -> int:
    """Promised units that wait again because of these changes."""
    return sum(loss.units for one in done for loss in one.losses if loss.promise is not None)

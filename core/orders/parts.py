"""What one line of an order is made of: its item, or the components of a bundle, and how much of it there should be.

The units of a part may stand in several pools, each with a promise of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.books import Books
from core.rows import LineRow, PromiseRow
from core.sales.drawing import turn
from core.stock import Pool, PoolKind, Stocked


@dataclass(frozen=True, slots=True)
class Target:
    """What one line should hold, in units as its store sells them, all >= 0. ``returned_minor_defect``: of the
    returned.
    """

    outstanding: int
    shipped: int
    written_off: int
    returned: int
    deducted: bool
    returned_minor_defect: int = 0


class PartOfLine:
    """One item of a line, with the promises that the books hold for it.

    ``per_unit``: units of the item for one that the store sold, of a pack of bundles for all in it. ``holder`` and
    ``priority``: of the order.
    """

    def __init__(
        self, books: Books, line_id: int, stocked: Stocked, per_unit: int, holder: str = "", priority: int = 0
    ) -> None:
        self._books, self.line_id, self.stocked, self.per_unit = books, line_id, stocked, per_unit
        self._holder, self._priority = holder, priority

    @property
    def line(self) -> LineRow:
        return self._books.lines[self.line_id]

    @property
    def promises(self) -> list[PromiseRow]:
        """In the order in which they were drawn: what was set apart for the buyer first."""
        rows = self._rows()
        if len(rows) < 2:
            return rows
        return sorted(rows, key=lambda row: (turn(self._books.pool(row.pool_id)), row.presale_id or 0))

    def _rows(self) -> list[PromiseRow]:
        item_id, grade = self.stocked
        of_line = self._books.promises_of(self.line_id)
        return [row for row in of_line if row.item_id == item_id and row.grade == grade]

    @property
    def waiting(self) -> int:
        return sum([row.waiting for row in self._rows()])

    @property
    def live(self) -> int:
        return sum([row.live for row in self._rows()])

    @property
    def shipped(self) -> int:
        return sum([row.shipped for row in self._rows()])

    def ships(self, target: Target) -> int:
        """Units that leave now."""
        return max(target.shipped * self.per_unit - self.shipped, 0)

    def left(self, target: Target) -> tuple[int, int]:
        """Units still owed, and units still to be written off.

        What left the house comes back by a return only: a store that takes a status back does not fetch the goods.
        """
        return self._left(target, self.shipped)

    def _left(self, target: Target, shipped: int) -> tuple[int, int]:
        outstanding = target.outstanding * self.per_unit
        unshipped = max(shipped - target.shipped * self.per_unit, 0)
        written = (target.written_off - self.line.written_off) * self.per_unit
        rest = max(unshipped - outstanding, 0)
        return max(outstanding - unshipped, 0), max(written - rest, 0)

    def need(self, target: Target) -> int:
        """Units the part must hold before goods leave or are written off."""
        return self._need(target, self.shipped)

    def _need(self, target: Target, shipped: int) -> int:
        return sum(self._left(target, shipped)) + max(target.shipped * self.per_unit - shipped, 0)

    def more(self, target: Target) -> int:
        """Units that the part needs and does not have; below 1 when it has enough.

        It is asked several times for each line of each order, so the promises are looked at once.
        """
        rows = self._rows()
        needed = self._need(target, sum([row.shipped for row in rows]))
        return needed - sum([row.waiting + row.live for row in rows])

    def promise_in(self, pool: Pool, presale_id: int | None = None) -> PromiseRow:
        """The part's promise in a pool, of units that a presale sold; a new one wants nothing yet."""
        line, presale = self.line, pool.kind is PoolKind.PRESALE
        presale_id = pool.id if presale else presale_id
        for promise in self.promises:
            if promise.pool_id == pool.id and promise.presale_id == presale_id:
                return promise._replace(presale=presale)
        return PromiseRow(
            self._books.new_id(), line.id, line.order_id, *self.stocked, pool.id, wanted=0, waiting=0, live=0,
            shipped=0, released=0, deducted=line.deducted, promised_at=self._books.now, paid=line.paid,
            per_unit=self.per_unit, priority=self._priority, holder=self._holder, presale=presale,
            presale_id=presale_id,
        )  # fmt: skip

    def left_before(self, shipped: int) -> None:
        """Units that left before our stock began: promised and shipped, and none of them ours to move."""
        if shipped:
            units = shipped * self.per_unit
            gone = self.promise_in(self._books.home.shared_pool)
            self._books.add_promise(
                gone._replace(wanted=units, shipped=units, deducted=False, paid=False, priority=0, holder="")
            )


@dataclass(frozen=True, slots=True)
class Work:
    """A line, its parts, and what it should hold."""

    line_id: int
    parts: Sequence[PartOfLine]
    target: Target


Wanted = tuple[PartOfLine, Target]


def parts_of(work: Iterable[Work]) -> Iterator[Wanted]:
    for one in work:
        for part in one.parts:
            yield part, one.target

"""What one line of an order is made of: its item, or the components of a bundle, and how much of it there should be.

The units of a part may stand in several pools, each with a promise of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.books import Books, PromiseRow
from core.sales.drawing import TURN
from core.stock import Stocked


@dataclass(frozen=True, slots=True)
class Target:
    """What one line should hold, in sale units of its item, all >= 0. ``returned_minor_defect``: of the returned."""

    outstanding: int
    shipped: int
    written_off: int
    returned: int
    deducted: bool
    returned_minor_defect: int = 0


class PartOfLine:
    """One item of a line, with the promises that the books hold for it."""

    def __init__(self, books: Books, line_id: int, stocked: Stocked, per_unit: int) -> None:
        self._books, self.line_id, self.stocked, self.per_unit = books, line_id, stocked, per_unit

    @property
    def promises(self) -> list[PromiseRow]:
        """In the order in which they were drawn: what was set apart for the buyer first."""
        rows = [row for row in self._books.promises_of(self.line_id) if row.stocked == self.stocked]
        return rows if len(rows) < 2 else sorted(rows, key=lambda row: TURN[self._books.pool(row.pool_id).kind])

    @property
    def waiting(self) -> int:
        return sum(row.waiting for row in self.promises)

    @property
    def live(self) -> int:
        return sum(row.live for row in self.promises)

    @property
    def shipped(self) -> int:
        return sum(row.shipped for row in self.promises)

    def left_before(self, shipped: int) -> None:
        """Units that left before our stock began: promised and shipped, and none of them ours to move."""
        if shipped:
            line, units = self._books.lines[self.line_id], shipped * self.per_unit
            self._books.add_promise(
                PromiseRow(
                    self._books.new_id(), line.id, line.order_id, *self.stocked, self._books.home.shared_pool_id,
                    wanted=units, waiting=0, live=0, shipped=units, released=0, deducted=False,
                    promised_at=self._books.now, per_unit=self.per_unit,
                )
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """A line, its parts, and what it should hold."""

    line_id: int
    parts: Sequence[PartOfLine]
    target: Target

"""A line of a purchase order: how many units are still to come, when, and what a receipt takes from it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from core.stock import GOOD, MINOR_DEFECT, Stocked


class PurchaseRow(NamedTuple):
    """An order to a supplier. ``expected_on``: the day on which its lines come that name none of their own.

    ``placed_at``: None while it is a draft, and ``cancelled_at``: when a draft was dropped.
    """

    id: int
    number: str
    supplier_id: int
    warehouse_id: int
    expected_on: date | None
    note: str
    created_at: datetime
    created_by: str
    placed_at: datetime | None = None
    cancelled_at: datetime | None = None


class PurchaseLine(NamedTuple):
    """``ordered`` (>= 1) sale units, of which ``cut`` will not come.

    ``came``: units that came for it, whatever their state; more than were ordered, if more came. ``counted``: of those
    still to come, how many may be sold already. ``cost_minor``: of one unit. ``pack_size``: sale units in a case.
    """

    id: int
    purchase_id: int
    nth: int
    item_id: int
    grade: str
    ordered: int
    cut: int
    came: int
    counted: int
    pack_size: int
    cost_minor: int | None
    expected_on: date | None

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)

    @property
    def other_grade(self) -> Stocked:
        return Stocked(self.item_id, MINOR_DEFECT if self.grade == GOOD else GOOD)

    @property
    def open(self) -> int:
        """Units still to come, once the order is placed."""
        return max(self.ordered - self.cut - self.came, 0)

    @property
    def uncounted(self) -> int:
        """Of those, how many nobody can buy yet."""
        return self.open - self.counted


def state_of(purchase: PurchaseRow, lines: Iterable[PurchaseLine]) -> str:
    """draft, placed, closed (nothing more is to come) or cancelled (nothing ever came)."""
    if purchase.placed_at is None:
        return "draft" if purchase.cancelled_at is None else "cancelled"
    known = list(lines)
    if any(line.open for line in known):
        return "placed"
    return "closed" if any(line.came for line in known) else "cancelled"


class Came(NamedTuple):
    """Units (>= 0) that came for a line: to be sold, not to be sold, and in the other grade."""

    good: int = 0
    damaged: int = 0
    regraded: int = 0

    @property
    def units(self) -> int:
        return sum(self)


class Taken(NamedTuple):
    """Where units that came were: counted as sellable, on their way, or not awaited at all."""

    counted: int
    uncounted: int
    more: int


@dataclass(frozen=True, slots=True)
class Split:
    """What a receipt takes from a line, by the state in which the units came."""

    good: Taken
    damaged: Taken
    regraded: Taken

    @property
    def counted(self) -> int:
        return self.good.counted + self.damaged.counted + self.regraded.counted

    @property
    def broken(self) -> int:
        """Counted units that came and cannot be sold as what they were sold as."""
        return self.damaged.counted + self.regraded.counted


def split(line: PurchaseLine, came: Came) -> Split:
    """Sellable units come first for those who bought them early; others leave what was sold alone as long as they can.

    What is more than the line awaits was not on its way.
    """
    counted, uncounted = line.counted, line.uncounted
    early = min(came.good, counted)
    rest = min(came.good - early, uncounted)
    good = Taken(early, rest, came.good - early - rest)
    counted, uncounted = counted - early, uncounted - rest
    others = []
    for units in (came.damaged, came.regraded):
        late = min(units, uncounted)
        early = min(units - late, counted)
        counted, uncounted = counted - early, uncounted - late
        others.append(Taken(early, late, units - early - late))
    return Split(good, *others)


class Notice(NamedTuple):
    """A supplier announced ``units`` (>= 0) of a line for a day, when ``came_before`` had come.

    ``number``: of its delivery note.
    """

    line_id: int
    number: str
    units: int
    expected_on: date
    came_before: int
    noted_at: datetime
    noted_by: str


def outstanding(notices: Sequence[Notice], came: int) -> list[tuple[Notice, int]]:
    """Announced deliveries of one line that have not come whole, with the units missing; the earliest day first.

    What came since the first was announced is taken for the earliest of them.
    """
    arrived = came - min((one.came_before for one in notices), default=came)
    found = []
    for one in sorted(notices, key=lambda notice: (notice.expected_on, notice.noted_at, notice.number)):
        left = max(one.units - arrived, 0)
        arrived -= one.units - left
        if left:
            found.append((one, left))
    return found


def comes_on(purchase: PurchaseRow, line: PurchaseLine, notices: Sequence[Notice]) -> date | None:
    """The day on which the last unit of a line that is still to come is here; None where nobody said one.

    Announced deliveries say it where they bring all that is open, and can only put off the day of the order otherwise.
    """
    ordered = line.expected_on or purchase.expected_on
    announced = outstanding(notices, line.came)
    last = max((one.expected_on for one, _ in announced), default=None)
    if last is None:
        return ordered
    covered = sum(left for _, left in announced) >= line.open
    return last if covered or ordered is None else max(last, ordered)

"""Purchase orders and transfers as plain sums: what is ordered, on its way, on sale before it is here, and come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from tests.property.all_commands.kinds import Kind


class Delivered(NamedTuple):
    """Units that came: to be sold, not to be sold, and in the other grade."""

    good: int = 0
    damaged: int = 0
    regraded: int = 0


class Sources(NamedTuple):
    """Where units that came were before: on sale, on their way, or not awaited."""

    counted: int
    late: int
    more: int


@dataclass(slots=True)
class Bought:
    """A line of a purchase order. ``counted``: of the units still to come, those that are on sale."""

    ordered: int
    cut: int = 0
    came: int = 0
    counted: int = 0

    @property
    def open(self) -> int:
        return max(self.ordered - self.cut - self.came, 0)

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.ordered, self.cut, self.came, self.counted

    def arrives(self, came: Delivered) -> tuple[Sources, Sources, Sources]:
        """Sellable units are those that were on sale, as far as they go; the others are not, as long as possible."""
        counted, late = self.counted, self.open - self.counted
        found = []
        for nth, units in enumerate(came):
            first = min(units, late if nth else counted)
            second = min(units - first, counted if nth else late)
            from_counted, from_late = (second, first) if nth else (first, second)
            counted, late = counted - from_counted, late - from_late
            found.append(Sources(from_counted, from_late, units - from_counted - from_late))
        self.came += sum(came)
        self.counted = counted
        return found[0], found[1], found[2]

    def goes_back(self, receipt: "Receipt") -> tuple[Sources, Sources, Sources]:
        """What did not come after all is on its way again, as far as it is still awaited."""
        before = self.open
        self.came -= sum(receipt.came)
        left = self.open - before
        found = []
        for nth, units in enumerate(receipt.came):
            counted = min(receipt.early, left) if nth == 0 else 0
            late = min(units - counted, left - counted)
            left -= counted + late
            found.append(Sources(counted, late, units - counted - late))
        self.counted += found[0].counted
        return found[0], found[1], found[2]

    def loses(self, units: int) -> int:
        """Units will not come. Returns: how many of them were on sale."""
        early = max(units - (self.open - self.counted), 0)
        self.cut += units
        self.counted -= early
        return early

    def should_count(self, on: date | None, today: date, within: int | None) -> int:
        """Units that the rule lets be sold now."""
        if within is None or on is None or not today <= on <= today + timedelta(days=within):
            return 0
        return self.open


@dataclass(frozen=True, slots=True)
class Receipt:
    """Units of a line that came with one document. ``early``: sellable ones that were on sale before."""

    kind: Kind
    came: Delivered
    early: int
    bin_id: int


@dataclass(slots=True)
class Purchase:
    """A purchase order. ``receipts``: by their documents, unless they were taken back."""

    warehouse: int
    on: date | None
    lines: dict[Kind, Bought]
    is_placed: bool = False
    is_dropped: bool = False
    receipts: dict[int, list[Receipt]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.is_placed and any(line.open for line in self.lines.values())

    @property
    def is_expected(self) -> bool:
        """Does anybody know when it comes?"""
        return self.is_placed and self.on is not None


@dataclass(slots=True)
class Sent:
    """A line of a transfer; ``on_way``: units that left and did not come, nor were given up.

    ``more``: units that came and were not awaited: they left, too, as is noted when more is sent. ``kept``: units that
    stand in the first warehouse for it.
    """

    asked: int
    sent: int = 0
    on_way: int = 0
    more: int = 0
    kept: int = 0

    @property
    def unsent(self) -> int:
        return max(self.asked - self.sent, 0)

    def leaves(self, units: int) -> None:
        self.sent, self.on_way, self.more = self.sent + self.more + units, self.on_way + units, 0
        self.kept = min(max(self.kept - units, 0), self.unsent)

    def sets_free(self, units: int) -> int:
        """Kept units that may go when so many do."""
        unsent = max(self.asked - self.sent - self.more - units, 0)
        return self.kept - min(max(self.kept - units, 0), unsent)

    def arrives(self, good: int, damaged: int) -> int:
        """Returns: damaged units that were on sale."""
        on_time = min(good, self.on_way)
        broken = min(damaged, self.on_way - on_time)
        self.on_way -= on_time + broken
        self.more += good + damaged - on_time - broken
        return broken


@dataclass(slots=True)
class Transfer:
    """Goods go from one warehouse to another."""

    start: int
    to: int
    lines: dict[Kind, Sent]


def is_coming(
    purchases: Mapping[str, Purchase], transfers: Mapping[str, Transfer]
) -> dict[tuple[int, Kind], tuple[int, int]]:
    """By warehouse: units on their way that may not be sold yet, and those that may."""
    found: dict[tuple[int, Kind], tuple[int, int]] = {}

    def add(place: tuple[int, Kind], incoming: int, counted: int) -> None:
        before = found.get(place, (0, 0))
        found[place] = before[0] + incoming, before[1] + counted

    for purchase in purchases.values():
        for kind, line in purchase.lines.items():
            if purchase.is_placed:
                add((purchase.warehouse, kind), line.open - line.counted, line.counted)
    for transfer in transfers.values():
        for kind, sent in transfer.lines.items():
            add((transfer.to, kind), 0, sent.on_way)
    return found

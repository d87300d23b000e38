"""What the referee compares: lines of orders, as the shops tell it and as the ledger does. Units are sale units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


class LineKey(NamedTuple):
    """A line of an order: the shop (a platform's name: one shop of each), the order's id and the line's id there."""

    shop: str
    order_id: str
    line_id: str


class ReturnKey(NamedTuple):
    """Goods that came back to the shelf after they had been shipped; the ledger knows them by order and item."""

    shop: str
    order_id: str
    sku: str


@dataclass(frozen=True, slots=True)
class Units:
    """What a line has of the pool: ``held`` promised and still in the house, ``shipped`` gone."""

    held: int = 0
    shipped: int = 0

    @property
    def taken(self) -> int:
        return self.held + self.shipped


@dataclass(frozen=True, slots=True)
class Sale:
    """``units`` >= 1 of an item sold on one line."""

    at: datetime
    sku: str
    units: int
    line: LineKey


@dataclass(frozen=True, slots=True)
class Restock:
    """``units`` >= 1 of an item back on the shelf of a shop."""

    at: datetime
    sku: str
    units: int
    shop: str


@dataclass(frozen=True, slots=True)
class Told:
    """The shops' truth. ``openings``: the number each shop opened with, by SKU; ``events`` in the order of time."""

    openings: Mapping[str, Mapping[str, int]]
    events: Sequence[Sale | Restock]
    lines: Mapping[LineKey, Units]
    skus: Mapping[LineKey, str]
    returned: Mapping[ReturnKey, int]


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A line as its movements tell it. ``first_at``: when its first movement was recorded, None without any."""

    units: Units
    sku: str
    first_at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemBook:
    """An item's movements summed up. ``found``: units that entered the pool because a shop shipped what was not there.

    ``incident_units``: oversold units that an incident with a cause stands for.
    """

    opened: int = 0
    free: int = 0
    waiting: int = 0
    found: int = 0
    incident_units: int = 0


@dataclass(frozen=True, slots=True)
class ShownListing:
    """A listing and what its shop's shoppers should see: recomputed from the free units of the shared pool."""

    shop: str
    sku: str
    should_show: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ledger's word. ``doubled_keys``: effect keys that more than one document carries."""

    lines: Mapping[LineKey, LedgerLine]
    returned: Mapping[ReturnKey, int]
    items: Mapping[str, ItemBook]
    listings: Sequence[ShownListing]
    doubled_keys: Sequence[str]
    effects_applied: int


@dataclass(frozen=True, slots=True)
class Delays:
    """How slow the way between a shop and the hub can be at the most."""

    one_way_s: float
    own_s: float = 0.2

    @property
    def window(self) -> timedelta:
        """How long news of a sale may take until another shop shows it.

        The sale's webhook goes one way, 200 ms are ours, and the write to the other shop goes there and is answered.
        """
        return timedelta(seconds=self.one_way_s + self.own_s + 2 * self.one_way_s)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison in numbers; ``findings`` name what is behind each number that should be 0, or unequal listings.

    ``oversold_units_unavoidable``: of the oversold ones, sold while the shop could not have heard of it.
    ``oversold_units_healed``: no incident stands for them, because goods came back before the ledger heard of the sale.
    ``oversold_units_unexplained``: neither healed nor in an incident with a cause.
    ``stock_differences``: items whose opening or whose free units the ledger has otherwise than the shops' journal.
    """

    orders: int
    order_lines: int
    effects_applied: int
    orders_lost: int
    effects_doubled: int
    oversold_units: int
    oversold_units_unavoidable: int
    oversold_units_healed: int
    oversold_units_unexplained: int
    stock_differences: int
    listings: int
    listings_equal: int
    findings: Sequence[str]

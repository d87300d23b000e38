"""How large a day is, and when in it things happen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
MERCHANT = 1
LAST_MINUTE = 17 * 60  # ten in the evening


@dataclass(frozen=True, slots=True)
class Sizes:
    """``orders``: of all storefronts; ``slice_minutes``: what happens within so many is told to the hub together."""

    items: int = 20_000
    orders: int = 10_000
    bins: int = 12  # of each warehouse, beside its default one
    slice_minutes: int = 10

    @property
    def bundles(self) -> int:
        return max(self.items // 100, 4)

    @property
    def packs(self) -> int:
        return max(self.items // 100, 4)

    @property
    def popular(self) -> int:
        """Items that are asked for again and again."""
        return max(self.items // 60, 10)

    @property
    def carts(self) -> int:
        """Holds at our own interface; about half of them become orders, which ``orders`` counts."""
        return self.orders // 8

    @property
    def locks(self) -> int:
        return max(self.orders // 100, 6)

    @property
    def purchases(self) -> int:
        return max(self.orders // 80, 4)

    @property
    def transfers(self) -> int:
        return max(self.orders // 100, 4)

    @property
    def counts(self) -> int:
        """Places on shelves that are counted."""
        return max(self.orders // 15, 10)

    @property
    def mishaps(self) -> int:
        """Things that are found damaged, missing, mended, or of another grade."""
        return max(self.orders // 30, 20)

    @property
    def brought_back(self) -> int:
        """Parcels of earlier days that come back."""
        return max(self.orders // 60, 10)


def instant(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def slices(sizes: Sizes) -> Iterator[int]:
    """The minute at which each slice of the day is told to the hub."""
    yield from range(0, LAST_MINUTE + 1, sizes.slice_minutes)


def busy_minute(random: Random) -> float:
    """When people shop: from seven in the morning on, most of them in the evening."""
    return random.triangular(120, LAST_MINUTE - 30, 820)

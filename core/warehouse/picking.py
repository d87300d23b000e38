"""Out of which bins goods leave when nobody says: the default place first, then the others in their order."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.books import Books
from core.stock import At, Bucket, Home, Layer, Pool, Spot, Stocked


@dataclass(slots=True)
class Picker:
    """Finds units for the movements of one document, and remembers what it has found for it.

    Between two documents the books change: each needs a picker of its own.
    """

    books: Books
    _taken: Counter[tuple[Layer, int, Stocked]] = field(default_factory=Counter)

    def take(self, stocked: Stocked, units: int, pool: Pool | None = None) -> Iterator[tuple[Home, int]]:
        """Places with units (>= 1) of sellable goods, up to ``units`` in all; less where there are fewer.

        Goods of a physical lock's ``pool`` leave out of its warehouse.
        """
        locked_at = None if pool is None else pool.warehouse_id
        stands = Bucket.AVAILABLE if locked_at is None else Bucket.LOCKED
        for spot in self.books.spots_of(stocked):
            if not units:
                return
            if locked_at is not None and spot.warehouse_id != locked_at:
                continue
            found = min(units, self._left(stocked, spot, stands))
            if found:
                units -= found
                self._taken[Layer.WAREHOUSE, spot.bin_id, stocked] += found
                self._taken[Layer.DISPATCH, spot.warehouse_id, stocked] += found
                yield self.books.home.at(spot), found

    def take_unavailable(self, stocked: Stocked, units: int) -> Iterator[tuple[Home, int]]:
        """The same for goods that are set apart."""
        for spot in self.books.spots_of(stocked):
            there = self.books.units(Layer.WAREHOUSE, stocked, At(spot.bin_id, Bucket.UNAVAILABLE))
            found = min(units, there - self._taken[Layer.WAREHOUSE, -spot.bin_id, stocked])
            if found > 0:
                units -= found
                self._taken[Layer.WAREHOUSE, -spot.bin_id, stocked] += found
                yield self.books.home.at(spot), found

    def _left(self, stocked: Stocked, spot: Spot, stands: Bucket) -> int:
        """What a bin can give, and its warehouse lets go."""
        books, taken = self.books, self._taken
        in_bin = books.units(Layer.WAREHOUSE, stocked, At(spot.bin_id, Bucket.AVAILABLE))
        let_go = books.units(Layer.DISPATCH, stocked, At(spot.warehouse_id, stands))
        return max(
            min(
                in_bin - taken[Layer.WAREHOUSE, spot.bin_id, stocked],
                let_go - taken[Layer.DISPATCH, spot.warehouse_id, stocked],
            ),
            0,
        )

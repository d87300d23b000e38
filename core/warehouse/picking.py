"""Out of which bins goods leave when nobody says: the default place first, then the others in their order."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.books import Books
from core.stock import At, Bucket, Home, Layer, Pool, Stocked


@dataclass(slots=True)
class Picker:
    """Finds units for the movements of one document, and remembers what it has found for it.

    Between two documents the books change: each needs a picker of its own.
    """

    books: Books
    _taken: Counter[tuple[Layer, At, Stocked]] = field(default_factory=Counter)

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
            found = max(
                min(
                    units,
                    self._left(Layer.WAREHOUSE, stocked, At(spot.bin_id, Bucket.AVAILABLE)),
                    self._left(Layer.DISPATCH, stocked, At(spot.warehouse_id, stands)),
                ),
                0,
            )
            if found:
                units -= found
                self._taken[Layer.WAREHOUSE, At(spot.bin_id, Bucket.AVAILABLE), stocked] += found
                self._taken[Layer.DISPATCH, At(spot.warehouse_id, stands), stocked] += found
                yield self.books.home.at(spot), found

    def take_unavailable(self, stocked: Stocked, units: int) -> Iterator[tuple[Home, int]]:
        """The same for goods that are set apart."""
        for spot in self.books.spots_of(stocked):
            at = At(spot.bin_id, Bucket.UNAVAILABLE)
            if found := min(units, self._left(Layer.WAREHOUSE, stocked, at)):
                units -= found
                self._taken[Layer.WAREHOUSE, at, stocked] += found
                yield self.books.home.at(spot), found

    def _left(self, layer: Layer, stocked: Stocked, at: At) -> int:
        """What this document has not taken of a bucket."""
        return self.books.units(layer, stocked, at) - self._taken[layer, at, stocked]

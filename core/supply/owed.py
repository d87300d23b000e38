"""Units that were sold while they were on their way, and that do not come as what they were sold as."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from core.books import Books
from core.command import Short, Where
from core.sales.shortage import Shortage, decide_shortage
from core.stock import Layer, Movement, PoolKind, Stocked


@dataclass(slots=True)
class Owed(Shortage):
    """The shortage rule for goods that never reached a shelf: what is promised makes room, nothing leaves a bin."""

    def of(self, stocked: Stocked, units: int) -> Collection[Movement]:
        """Movements of the sales layer, for ``units`` (>= 0) counted as sellable. Raises: Widen."""
        losses = decide_shortage(units, replace(self._shelf(stocked), available=units))
        self.losses += losses
        moves = [move for loss in losses for move in self._give_up(stocked, loss)]
        return [move for move in moves if move.layer is Layer.SALES]


def short(books: Books, gone: Mapping[Stocked, int]) -> Short:
    """Units that must come out of promises when so many counted ones do not come; for ``Command.short``."""
    found: Counter[tuple[Stocked, Where]] = Counter()
    for stocked, units in gone.items():
        pools = [books.home.shared_pool, *books.open_pools_of(stocked)]
        standing = (pool for pool in pools if pool.kind is not PoolKind.PRESALE and pool.warehouse_id is None)
        free = sum(books.free(stocked, pool) for pool in standing)
        if units > free:
            found[stocked, None] = units - free
    return found

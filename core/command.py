"""What every command tells its batch before it decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from core.books import Books
from core.rows import StoreKey
from core.stock import BalanceKey, Stocked


@dataclass(frozen=True, slots=True)
class SentFrom:
    """Promises whose units a warehouse is to send."""

    warehouse_id: int


@dataclass(frozen=True, slots=True)
class HandedFrom:
    """Promises whose units were handed over out of a bin."""

    bin_id: int


# Where to look for promises of units: among those that no warehouse is to send yet, by the warehouse of the physical
# locks whose they are (None: of no such lock); or among those that one is to send, or that were handed over.
Where = int | SentFrom | HandedFrom | None
Short = Mapping[tuple[Stocked, Where], int]  # units
_NOTHING: Short = {}


class Command(Protocol):
    """One thing somebody wants done. Says what it reads before it decides; decides without I/O.

    The batch asks in this order and loads what was named before it asks on. Who derives from it overrides only what
    concerns it.
    """

    # True: its keys are new nearly always, and it posts under them or is refused. They are looked up only after a
    # refusal, or after its batch found that somebody had posted one of them before.
    hopeful: ClassVar[bool] = False

    def effect_keys(self) -> Iterable[str]:
        """Keys to look up among the effects posted before."""
        return ()

    def order_keys(self) -> Iterable[StoreKey]:
        """Orders to load and lock (made when missing), with their lines and promises."""
        return ()

    def hold_keys(self) -> Iterable[str]:
        """Holds of our own interface to load, with their promises."""
        return ()

    def lock_keys(self) -> Iterable[str]:
        """Locks to load by their keys, with their pools."""
        return ()

    def pool_ids(self) -> Iterable[int]:
        """Pools to load whatever their state."""
        return ()

    def whole_pools(self) -> Iterable[int]:
        """Pools to keep still: their rows are locked, and they are loaded with all items that they have or had."""
        return ()

    def order_ids(self) -> Iterable[int]:
        """Orders, or holds by their document, whose promises to load by id; the orders are not locked."""
        return ()

    def sends(self) -> bool:
        """It tells warehouses what to send: all that was told of its orders before is loaded, open or not."""
        return False

    def transfer_ids(self) -> Iterable[int]:
        """Transfers to load what is kept for them, by id."""
        return ()

    def supplies(self) -> Iterable[int]:
        """Supply to load what it still brings of, by id, for presales that are to wait for it."""
        return ()

    def kits(self) -> Iterable[int]:
        """Items to load the recipes of as kits."""
        return ()

    def listing_keys(self, _books: Books) -> Iterable[StoreKey]:
        """Listings to look up by their store's id, now that orders are known."""
        return ()

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        """What is counted or sold here, bundles included: their recipes and open pools are loaded."""
        return ()

    def brings_flawed(self) -> bool:
        """Some of it comes in as of minor defect, whatever its own grade: who waits for such units is loaded, too."""
        return False

    def holders(self) -> Iterable[str]:
        """Who asks, as opaque words: their holds that are neither paid nor being paid are loaded, and may give way."""
        return ()

    def limited(self, _books: Books) -> Iterable[tuple[str, int]]:
        """Who (may be empty) asks for units of which items: what purchase limits say of them is loaded."""
        return ()

    def balance_keys(self, _books: Books) -> Iterable[BalanceKey]:
        """Balance rows to lock, now that all of the above is known."""
        return ()

    def short(self, _books: Books) -> Short:
        """Units that must come out of promises, now that balances are locked: the newest promises are loaded."""
        return _NOTHING

    def decide(self, books: Books) -> object:
        """Post documents to ``books``; returns the result for the caller. Raises: Refused; Widen."""

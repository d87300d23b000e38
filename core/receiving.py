"""Goods come in: the opening stock of an item, and receipts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core import flows
from core.books import Books, StoreKey
from core.stock import BalanceKey, DocumentKind, Layer, Stocked


@dataclass(frozen=True, slots=True)
class Receive:
    """Sellable units enter all three layers at the merchant's default places, once per ``effect_key``.

    ``kind`` is OPENING, RECEIPT or FOUND; each quantity is >= 1.
    """

    effect_key: str
    kind: DocumentKind
    quantities: Mapping[Stocked, int] = field(hash=False)
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def order_keys(self) -> Iterable[StoreKey]:
        return ()

    def listing_keys(self, _books: Books) -> Iterable[StoreKey]:
        return ()

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return [books.home.key(layer, stocked) for stocked in self.quantities for layer in Layer]

    def decide(self, books: Books) -> int | None:
        """Returns: the document's id; None when there was nothing to receive. Raises: KeyReused."""
        content = [self.kind, sorted((*stocked, n) for stocked, n in self.quantities.items())]
        if earlier := books.find(self.effect_key, content):
            return earlier
        moves = [
            move
            for stocked, units in self.quantities.items()
            if units
            for move in flows.come_in(books.home, stocked, units)
        ]
        if not moves:
            return None
        return books.post(self.kind, self.effect_key, moves, content=content, reason=self.reason)

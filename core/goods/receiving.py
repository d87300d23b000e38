"""Goods come in: the opening stock of an item, receipts, returns, and what is found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core import flows
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Stocked


def keys_of_goods(books: Books, stocked: Iterable[Stocked]) -> set[BalanceKey]:
    """Rows that goods of these items move, and those of all who may have waited for them."""
    keys: set[BalanceKey] = set()
    for one in stocked:
        keys.update(books.home.key(layer, one) for layer in Layer)
        keys.update(books.sales_keys(one))
        places = {pool.warehouse_id for pool in books.open_pools_of(one)} - {None}
        keys.update(BalanceKey(Layer.DISPATCH, *one, place) for place in places if place is not None)
    return keys


def refuse_bundles(books: Books, stocked: Iterable[Stocked]) -> None:
    """Raises: Refused when one of these is a bundle: only what it is made of stands on a shelf."""
    if any(one.item_id in books.recipes for one in stocked):
        raise Refused("a bundle has no stock of its own; book what it is made of: `holdfast item show` tells")


@dataclass(frozen=True, slots=True)
class Receive(Command):
    """Units come in at the merchant's default places, once per ``effect_key``; what waits for them is served.

    ``kind`` is OPENING, RECEIPT, RETURN or FOUND; each quantity is >= 0. ``damaged``: units, beside the others, that
    are not to be sold.
    """

    effect_key: str
    kind: DocumentKind
    quantities: Mapping[Stocked, int] = field(hash=False)
    reason: str = ""
    damaged: Mapping[Stocked, int] = field(default_factory=dict, hash=False)

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {*self.quantities, *self.damaged}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of_goods(books, self.stocked(books))

    def decide(self, books: Books) -> int | None:
        """Returns: the document's id; None when there was nothing to receive. Raises: KeyReused; Refused."""
        content = [self.kind, _listed(self.quantities)] + ([_listed(self.damaged)] if self.damaged else [])
        if earlier := books.find(self.effect_key, content):
            return earlier
        refuse_bundles(books, self.stocked(books))
        moves: list[Movement] = []
        for stocked, units in self.quantities.items():
            moves += flows.come_in(books.home, stocked, units) if units else []
        for stocked, units in self.damaged.items():
            moves += flows.come_in_unsellable(books.home, stocked, units) if units else []
        if not moves:
            return None
        return books.post(self.kind, self.effect_key, moves, content=content, reason=self.reason)


def _listed(quantities: Mapping[Stocked, int]) -> list[tuple[int, str, int]]:
    return sorted((*stocked, units) for stocked, units in quantities.items())

"""Goods come in: the opening stock of an item, receipts, returns, and what is found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core import flows
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.goods import costing
from core.rows import CostWish
from core.stock import BalanceKey, DocumentKind, Home, Layer, Movement, Spot, Stocked


def keys_of_goods(books: Books, stocked: Iterable[Stocked]) -> set[BalanceKey]:
    """Rows that goods of these items move, and those of all who may have waited for them."""
    keys: set[BalanceKey] = set()
    for one in stocked:
        keys.update(key for spot in books.spots_of(one) for key in keys_at(books.home.at(spot), one))
        keys.update(books.sales_keys(one))
        places = {pool.warehouse_id for pool in books.open_pools_of(one)} - {None}
        keys.update(BalanceKey(Layer.DISPATCH, *one, place) for place in places if place is not None)
    return keys


def keys_at(home: Home, stocked: Stocked) -> list[BalanceKey]:
    """Rows of all layers that goods which stand there have."""
    return [home.key(layer, stocked) for layer in Layer]


def refuse_bundles(books: Books, stocked: Iterable[Stocked]) -> None:
    """Raises: Refused when one of these is a bundle: only what it is made of stands on a shelf."""
    if any(one.item_id in books.recipes for one in stocked):
        raise Refused("a bundle has no stock of its own; book what it is made of: `holdfast item show` tells")


def refuse_frozen(books: Books, *bins: int) -> None:
    """Raises: Refused when one of these bins is being counted: what people book in or out would falsify the count."""
    for one in bins:
        name, stocktake = books.frozen.get(one, ("", ""))
        if stocktake:
            raise Refused(
                f"bin {name} is frozen for stocktake {stocktake}; `holdfast count enter {stocktake}` books what was "
                f"counted, and `holdfast count post {stocktake}` or `holdfast count cancel {stocktake}` ends the count"
            )
        if name:
            raise Refused(
                f"bin {name} is frozen for a count; `holdfast stock set SKU N --at {name}` books what was counted, and "
                f"`holdfast bin thaw {name}` ends the count"
            )


@dataclass(frozen=True, slots=True)
class Receive(Command):
    """Units come in, once per ``effect_key``; what waits for them is served.

    ``kind`` is OPENING, RECEIPT, RETURN or FOUND; each quantity is >= 0. ``damaged``: units, beside the others, that
    are not to be sold. ``spot``: the bin they are put in; None: the default one. ``cost``: what one unit cost, in the
    smallest unit of a currency, and that currency; it is noted with the document.
    """

    effect_key: str
    kind: DocumentKind
    quantities: Mapping[Stocked, int] = field(hash=False)
    reason: str = ""
    damaged: Mapping[Stocked, int] = field(default_factory=dict, hash=False)
    spot: Spot | None = None
    cost: tuple[int, str] | None = None

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {*self.quantities, *self.damaged}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys, home = keys_of_goods(books, self.stocked(books)), self._home(books)
        if self.cost is not None:
            keys |= costing.keys(books, {one.item_id for one in self.stocked(books)})
        return keys.union(key for one in self.stocked(books) for key in keys_at(home, one))

    def _home(self, books: Books) -> Home:
        return books.home if self.spot is None else books.home.at(self.spot)

    def decide(self, books: Books) -> int | None:
        """Returns: the document's id; None when there was nothing to receive. Raises: KeyReused; Refused."""
        content: list[object] = [self.kind, _listed(self.quantities)]
        content += [_listed(self.damaged)] if self.damaged else []
        content += [self.spot] if self.spot else []
        content += [["cost", *self.cost]] if self.cost else []
        if earlier := books.find(self.effect_key, content):
            return earlier
        refuse_bundles(books, self.stocked(books))
        if self.kind is not DocumentKind.OPENING:
            refuse_frozen(books, self._home(books).bin_id)
        home, moves = self._home(books), list[Movement]()
        for stocked, units in self.quantities.items():
            moves += flows.come_in(home, stocked, units) if units else []
        for stocked, units in self.damaged.items():
            moves += flows.come_in_unsellable(home, stocked, units) if units else []
        if not moves:
            return None
        document_id = books.post(self.kind, self.effect_key, moves, content=content, reason=self.reason)
        if self.cost is not None:
            brought = costing.brought(moves)
            came = [(item_id, units, *self.cost) for item_id, units in brought.items()]
            books.put(books.costs, document_id, CostWish(brought, came))
        return document_id


def _listed(quantities: Mapping[Stocked, int]) -> list[tuple[int, str, int]]:
    return sorted((*stocked, units) for stocked, units in quantities.items())

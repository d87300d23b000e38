"""Goods change their bin: put away after they came in, and moved later. Only the warehouse layer sees it."""

from collections.abc import Iterable
from dataclasses import dataclass

from core import flows
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.goods.receiving import refuse_bundles, refuse_frozen
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Spot, Stocked


@dataclass(frozen=True, slots=True)
class PutAway(Command):
    """``units`` (>= 1) go from one bin to another of the same warehouse, once per ``effect_key``.

    ``unavailable``: it is units set apart, not those that can be sold.
    """

    effect_key: str
    what: Stocked
    units: int
    from_: Spot
    to: Spot
    unavailable: bool = False
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.what,)

    def balance_keys(self, _books: Books) -> Iterable[BalanceKey]:
        return [BalanceKey(Layer.WAREHOUSE, *self.what, spot.bin_id) for spot in (self.from_, self.to)]

    def decide(self, books: Books) -> int:
        """Returns: the document's id. Raises: KeyReused; Refused when the first bin has fewer."""
        content = [*self.what, self.units, *self.from_, *self.to, self.unavailable]
        if earlier := books.find(self.effect_key, content):
            return earlier
        refuse_bundles(books, (self.what,))
        refuse_frozen(books, self.from_.bin_id, self.to.bin_id)
        if self.units < 1:
            raise Refused("say how many units to move, 1 or more")
        if self.from_.warehouse_id != self.to.warehouse_id:
            raise Refused("the bins are in different warehouses; goods go between warehouses by a transfer")
        if self.from_ == self.to:
            raise Refused(
                "they would go to the bin that they come from; say with --from where they stand, and bring goods of "
                "another warehouse by `holdfast transfer ask`"
            )
        bucket = Bucket.UNAVAILABLE if self.unavailable else Bucket.AVAILABLE
        there = books.units(Layer.WAREHOUSE, self.what, At(self.from_.bin_id, bucket))
        if there < self.units:
            raise Refused(f"only {there} {bucket} units stand in that bin, not {self.units}; units being picked stay")
        moves = [flows.put_away(self.what, self.from_, self.to, bucket, self.units)]
        return books.post(DocumentKind.PUT_AWAY, self.effect_key, moves, content=content, reason=self.reason)

"""Names of places in what people read: a merchant with one warehouse and one bin reads none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.commands.common import say_table

if TYPE_CHECKING:
    from core.dispatch.reasons import Names
    from core.goods.item_views import BalanceView
    from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Places:
    """``needless``: names that tell nothing apart, see ``core.goods.places.needless``; machines are told them too."""

    needless: frozenset[str]

    @classmethod
    def of(cls, tx: "Transaction") -> "Places":
        from core.goods import places

        return cls(places.needless(tx))

    @property
    def one_room(self) -> bool:
        return bool(self.needless)

    def said(self, name: str) -> str:
        """The name, or nothing."""
        return "" if name in self.needless else name

    def end(self, end: str) -> str:
        """Of an end of a movement, like ``MAIN/DEFAULT available``, the bucket alone."""
        place, _, bucket = end.rpartition(" ")
        return bucket if place in self.needless else end

    def names(self, names: "Names") -> "Names":
        """The words for routes, with one for the only warehouse."""
        return replace(names, warehouses=dict.fromkeys(names.warehouses, "the warehouse")) if self.one_room else names

    def sentence(self, sentence: str) -> str:
        """A sentence on a route, which may begin with that word."""
        return sentence[:1].upper() + sentence[1:] if self.one_room else sentence


def say_placed(columns: Sequence[str], rows: Sequence[Sequence[object]], place: str) -> None:
    """A table; without the column ``place`` where it has nothing to say in any row."""
    nth = columns.index(place)
    if not any(row[nth] for row in rows):
        columns, rows = [one for one in columns if one != place], [[*row[:nth], *row[nth + 1 :]] for row in rows]
    say_table(columns, rows)


def say_balances(balances: "Sequence[BalanceView]", places: Places) -> None:
    """All layers of an item with their buckets."""
    rows = [[one.layer, places.said(one.place), one.grade, units_of(one.buckets)] for one in balances]
    say_placed(["layer", "place", "grade", "units"], rows, "place")


def units_of(buckets: Mapping[str, int]) -> str:
    """``available 6, picking 3``"""
    return ", ".join(f"{bucket} {units:,}" for bucket, units in buckets.items())

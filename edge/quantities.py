"""Items with their units as people write them. Pure, but for looking the items up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from core.stock import Stocked
    from core.transaction import Transaction

_MOST_UNITS = 1_000_000_000


def read_quantities(what: Sequence[str], *, least: int = 1) -> Mapping[str, int]:
    """Units by SKU from words like ``MUG-RED=3``; what is named twice is added up. Raises: typer.BadParameter."""
    asked: Counter[str] = Counter()
    for one in what:
        sku, equals, units = one.rpartition("=")
        known = units.isascii() and units.isdigit() and least <= int(units[:12]) <= _MOST_UNITS
        if not equals or not sku.strip() or not known:
            raise typer.BadParameter(f"{one!r} is no item with its units; write it like MUG-RED={max(least, 3)}")
        asked[sku.strip()] += int(units)
    return asked


def find_items(tx: "Transaction", asked: Mapping[str, int], grade: str) -> "dict[Stocked, int]":
    """The same by item. Raises: NotFound, naming the codes that no item has."""
    from core.catalog import sku_key
    from core.goods import skus
    from core.stock import Stocked

    items = skus.resolve(tx, asked)
    found: Counter[Stocked] = Counter()
    for sku, units in asked.items():
        found[Stocked(items[sku_key(sku)].id, grade)] += units
    return dict(found)

"""Items with their units as people write them. Pure, but for looking the items up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from core.stock import GOOD, GRADES

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


def read_goods(what: Sequence[str], *, least: int = 1) -> list[tuple[str, int, str]]:
    """SKU, units and grade (empty where none is said) from words like ``MUG-RED=3`` or ``MUG-RED=3:minor_defect``.

    Raises: typer.BadParameter.
    """
    goods = []
    for one in what:
        named, equals, rest = one.rpartition("=")
        units, _, grade = rest.partition(":")
        if equals and grade not in ("", *GRADES):
            raise typer.BadParameter(f"{one!r} names no grade; write it like {named}={units}:{GRADES[-1]}")
        ((sku, n),) = read_quantities([f"{named}{equals}{units}"], least=least).items()
        goods.append((sku, n, grade))
    return goods


def find_goods(tx: "Transaction", goods: Sequence[tuple[str, int, str]]) -> "list[tuple[Stocked, int]]":
    """The same by item, in their order; good where no grade is said. Raises: NotFound, naming the unknown codes."""
    from core.catalog import sku_key
    from core.goods import skus
    from core.stock import Stocked

    items = skus.resolve(tx, [sku for sku, _, _ in goods])
    return [(Stocked(items[sku_key(sku)].id, grade or GOOD), units) for sku, units, grade in goods]


def find_items(tx: "Transaction", asked: Mapping[str, int], grade: str) -> "dict[Stocked, int]":
    """The same by item. Raises: NotFound, naming the codes that no item has."""
    found: Counter[Stocked] = Counter()
    for stocked, units in find_goods(tx, [(sku, units, grade) for sku, units in asked.items()]):
        found[stocked] += units
    return dict(found)

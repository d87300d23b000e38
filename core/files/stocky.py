"""How files of Stocky name what our columns are. What is known of them, and from where, docs/import-export.md says.

Names that nobody knows are told of and left out, so a file with other columns loses nothing unseen.
"""

from collections.abc import Mapping, Sequence

from core.files.columns import Column

NAME = "stocky"

# Its file of one order, as its screens write it, names columns like the first of each; its interface for programs, the
# others. A cost "(base)" is in the shop's own currency, so it is taken only where the supplier's is not there. Nobody
# saw how much came of a line in such a file; where one says it, it is not to be ordered again.
_SUPPLIER = ("vendor/supplier", "supplier name")
_COST = ("cost (supplier currency)", "cost (base)", "supplier cost price", "cost price")
_PURCHASES: Mapping[str, Sequence[str]] = {
    "number": ("purchase order", "sequential id"),
    "supplier": _SUPPLIER,
    "expected_on": ("expected on",),
    "quantity": ("qty ordered",),
    "came": ("qty received", "quantity received"),
    "cost": _COST,
    "line_state": ("status",),
}
_SUPPLIER_ITEMS: Mapping[str, Sequence[str]] = {
    "supplier": _SUPPLIER,
    "supplier_sku": ("supplier code",),
    "pack_size": ("pack size",),
    "cost": _COST,
}
_SUPPLIERS: Mapping[str, Sequence[str]] = {"name": ("company name",)}


def purchases(columns: Sequence[Column]) -> list[Column]:
    return _also(columns, _PURCHASES)


def supplier_items(columns: Sequence[Column]) -> list[Column]:
    return _also(columns, _SUPPLIER_ITEMS)


def suppliers(columns: Sequence[Column]) -> list[Column]:
    return _also(columns, _SUPPLIERS)


def _also(columns: Sequence[Column], names: Mapping[str, Sequence[str]]) -> list[Column]:
    return [column.also(*names.get(column.name, ())) for column in columns]

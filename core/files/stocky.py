"""How files of Stocky name what our columns are. Which of its names are known from where, docs/import-export.md says.

Names that nobody knows are told of and left out, so a file with other columns loses nothing unseen.
"""

from collections.abc import Mapping, Sequence

from core.files.columns import Column

NAME = "stocky"

# Of its files of one order, and of what its interface calls the same. ``cost (base)`` is in the shop's own currency.
_PURCHASES: Mapping[str, Sequence[str]] = {
    "number": ("po number", "purchase order", "purchase order number", "sequential id"),
    "supplier": ("supplier name", "vendor", "vendor name"),
    "warehouse": ("location", "receive location"),
    "expected_on": ("expected on", "expected date", "date expected"),
    "sku": ("variant sku",),
    "quantity": ("qty ordered", "quantity ordered", "qty"),
    "came": ("qty received", "quantity received", "received"),
    "cost": ("supplier cost price", "cost price", "cost (base)", "unit cost", "cost"),
    "line_state": ("status",),
}
_SUPPLIERS: Mapping[str, Sequence[str]] = {
    "name": ("supplier name", "company name"),
    "lead_days": ("lead time", "lead time (days)"),
}


def purchases(columns: Sequence[Column]) -> list[Column]:
    return _also(columns, _PURCHASES)


def suppliers(columns: Sequence[Column]) -> list[Column]:
    return _also(columns, _SUPPLIERS)


def _also(columns: Sequence[Column], names: Mapping[str, Sequence[str]]) -> list[Column]:
    return [column.also(*names.get(column.name, ())) for column in columns]

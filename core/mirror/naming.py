"""The items and bins that rows of a message name, looked up all at once."""

from collections.abc import Sequence
from typing import NamedTuple

from core.catalog import sku_key
from core.goods import skus
from core.mirror.messages import Line, Problem
from core.mirror.shelf import Cell
from core.mirror.sources import Source
from core.transaction import Transaction

UNKNOWN = "no item has this SKU; make it with `holdfast item add`, or have rows that cannot be used left out"


class Told(NamedTuple):
    """A row, and what it is about."""

    line: Line
    cell: Cell


def resolve(tx: Transaction, source: Source, lines: Sequence[Line]) -> tuple[list[Told], list[Problem]]:
    """Rows with what they are about, and what is wrong with the others."""
    items, bins = skus.find(tx, [line.sku for line in lines]), _bins(tx, source)
    told: list[Told] = []
    problems: list[Problem] = []
    for line in lines:
        item = items.get(sku_key(line.sku))
        bin_id = bins.get(line.bin) if source.by_bin else 0
        if item is None:
            why = UNKNOWN
        elif item.kind == "bundle":
            why = "a bundle has no stock of its own; tell what it is made of: `holdfast item show` names it"
        elif line.bin and not source.by_bin:
            why = f"{source.name} counts the whole warehouse {source.warehouse}; leave bin out"
        elif bin_id is None:
            place = f"{source.warehouse}/{line.bin}"
            why = f"there is no bin {place}; `holdfast bin add {place}` makes one"
        else:
            told.append(Told(line, Cell(item.id, line.grade, bin_id)))
            continue
        problems.append(Problem(line.row, line.sku, why))
    return told, problems


def twice(told: Sequence[Told]) -> list[Problem]:
    """Rows that name what a row before them names."""
    first: dict[Cell, int] = {}
    problems: list[Problem] = []
    for line, cell in told:
        if (before := first.setdefault(cell, line.row)) != line.row:
            why = f"row {before} names the same item; tell each once, under one of its names"
            problems.append(Problem(line.row, line.sku, why))
    return problems


def _bins(tx: Transaction, source: Source) -> dict[str, int]:
    """By code; the default bin also where no code is said."""
    rows = tx.run(
        "SELECT code, id, is_default FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = :warehouse_id",
        warehouse_id=source.warehouse_id,
    ).all()
    bins: dict[str, int] = {row.code: row.id for row in rows}
    default = next((row.id for row in rows if row.is_default), None)
    return bins if default is None else {"": default, **bins}

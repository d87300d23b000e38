"""Counts as they are written: on the command line, and in the rows of a CSV file that ``count sheet`` began."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import typer

from core.errors import Refused
from core.stock import GOOD, Stocked
from edge.instants import read_instant
from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from datetime import datetime

    from core.stocktake.entering import Counted
    from core.transaction import Transaction

PLACE, SKU, GRADE, COUNTED, COUNTED_AT = "place", "sku", "grade", "counted", "counted_at"
_NEEDED = (PLACE, SKU, COUNTED)
_MOST_DIGITS = 12


class Row(NamedTuple):
    """One row of a file; ``number``: as spreadsheets number it, the names being row 1."""

    number: int
    place: str
    sku: str
    grade: str
    counted: str
    counted_at: str


class Sheet(NamedTuple):
    """Counts that can be entered, the row of each, and why other rows cannot, by row."""

    counts: "Sequence[Counted]"
    rows: Sequence[int]
    problems: Mapping[int, str]


class BadRows(Refused):
    """Rows of a file that cannot be entered: nothing of it was."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        told = "\n".join(f"row {number}: {why}" for number, why in self.problems.items())
        rows = "1 row cannot" if len(self.problems) == 1 else f"{len(self.problems)} rows cannot"
        super().__init__(f"{rows} be entered, so nothing of the file was:\n{told}")


def read_words(tx: "Transaction", goods: Sequence[str], place: str, at: "datetime | None") -> "list[Counted]":
    """Counts from words like ``MUG-RED=17`` or ``MUG-RED=2:minor_defect``. Raises: BadParameter; NotFound."""
    from core.stocktake.entering import Counted
    from core.warehouse import warehouses

    if not place:
        raise typer.BadParameter("say where it was counted with --at, like --at MAIN/A-01")
    spot = warehouses.spot_of(tx, place)
    return [Counted(spot, stocked, units, at) for stocked, units in find_goods(tx, read_goods(goods, least=0))]


def rows_of(file: Path) -> list[Row]:
    """Rows of a file (``-``: of stdin) that have a count. Raises: Refused where a column lacks; ConfigError."""
    from core.files.text import header_key, unguarded
    from edge.csv_files import opened

    found: list[Row] = []
    with opened(file, [header_key(name) for name in (*_NEEDED, GRADE, COUNTED_AT)]) as source:
        places = {header_key(name): n for n, name in enumerate(source.names)}
        if lacking := [name for name in _NEEDED if header_key(name) not in places]:
            raise Refused(
                f"the file has no column {', '.join(lacking)}; `holdfast count sheet NUMBER --file FILE` writes one "
                "that has all"
            )
        for number, cells in source.rows():

            def cell(name: str, cells: Sequence[str] = cells) -> str:
                n = places.get(header_key(name), len(cells))
                return unguarded(cells[n]).strip() if n < len(cells) else ""

            if cell(COUNTED):
                found.append(Row(number, *map(cell, (PLACE, SKU, GRADE, COUNTED, COUNTED_AT))))
    return found


def read_rows(tx: "Transaction", rows: Sequence[Row], zone: ZoneInfo) -> Sheet:
    """What rows say, looked up all at once."""
    from core.catalog import sku_key
    from core.goods import skus
    from core.stocktake.entering import Counted
    from core.warehouse import warehouses

    spots = warehouses.spots_of(tx, [row.place for row in rows])
    items = skus.find(tx, [row.sku for row in rows])
    counts, numbers, problems = list[Counted](), list[int](), dict[int, str]()
    for row in rows:
        spot, item = spots.get(row.place), items.get(sku_key(row.sku))
        if spot is None:
            problems[row.number] = f"there is no bin {row.place}; `holdfast bin list` shows those that there are"
        elif item is None:
            problems[row.number] = f"no item has SKU {row.sku}; `holdfast stock show` lists them"
        elif not (row.counted.isascii() and row.counted.isdigit() and len(row.counted) <= _MOST_DIGITS):
            problems[row.number] = f"{row.counted!r} is no number of units; write 0 or more, like 17"
        else:
            try:
                at = read_instant(row.counted_at, tx.now, zone) if row.counted_at else None
            except typer.BadParameter as error:
                problems[row.number] = str(error)
                continue
            counts.append(Counted(spot, Stocked(item.id, row.grade or GOOD), int(row.counted), at))
            numbers.append(row.number)
    return Sheet(counts, numbers, problems)

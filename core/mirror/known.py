"""The newest that a source said of each item, and what a message is beside it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core import bulk, tables
from core.mirror.shelf import Cell
from core.mirror.sources import Source
from core.transaction import Transaction

ROW_LOCK = "FOR UPDATE"
UNHEARD = -1  # the version of an item that nothing was said of


class Outcome(StrEnum):
    """What became of a number."""

    OPEN = "open"  # it is the newest and waits to be booked
    BOOKED = "booked"  # the difference was found, or missing
    SAME = "same"  # so many stood there
    LATE = "late"  # something newer was told before; it changed nothing
    REFUSED = "refused"


class Known(NamedTuple):
    """The newest number of a cell."""

    version: int
    units: int


def judge(version: int, units: int, known: Known, covered: int | None) -> Outcome:
    """What a number is beside the newest known one. Pure.

    Args: covered: the newest batch that said 0 of every item that it did not name.
    Returns: OPEN, SAME (it was told before), LATE; REFUSED for another number under the same version.
    """
    newest = Known(covered, 0) if covered is not None and covered > known.version else known
    if version > newest.version:
        return Outcome.OPEN
    if version < newest.version:
        return Outcome.LATE
    return Outcome.SAME if units == newest.units else Outcome.REFUSED


def lock(tx: Transaction, source: Source, cells: Collection[Cell]) -> dict[Cell, Known]:
    """What is known of these cells, and nobody else changes it until our transaction ends."""
    wanted = sorted(cells)
    unheard = [(source.id, *cell, UNHEARD, 0, tx.now) for cell in wanted]
    bulk.insert_missing(tx, tables.mirror_item, _COLUMNS, unheard, _COLUMNS[:4])
    rows = tx.run(
        f"""SELECT b.item_id, b.grade, b.bin_id, b.version, b.units
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]))
               k (key_item, key_grade, key_place)
           CROSS JOIN LATERAL (SELECT * FROM mirror_item WHERE merchant_id = :merchant_id AND source_id = :source_id
               AND item_id = key_item AND grade = key_grade AND bin_id = key_place {ROW_LOCK}) b""",
        source_id=source.id,
        items=[cell.item_id for cell in wanted],
        grades=[cell.grade for cell in wanted],
        places=[cell.bin_id for cell in wanted],
    )
    return {Cell(*row[:3]): Known(*row[3:]) for row in rows}


def write(tx: Transaction, source: Source, told: Mapping[Cell, tuple[Known, datetime]]) -> None:
    """Keep newer numbers, each with the instant when it was counted; their cells are locked."""
    rows: Iterable[tuple[object, ...]] = (
        (source.id, *cell, *known, as_of) for cell, (known, as_of) in sorted(told.items())
    )
    bulk.put(tx, tables.mirror_item, _COLUMNS, rows, _COLUMNS[:4])


_COLUMNS = ("source_id", "item_id", "grade", "bin_id", "version", "units", "as_of")

"""How components are said on the command line: ``MUG-RED=2``, ``POT``, ``PLATE=1:minor_defect``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.stock import GOOD, GRADES

if TYPE_CHECKING:
    from core.books import Part
    from core.transaction import Transaction

HELP = "a component: SKU, SKU=N or SKU=N:minor_defect; once for each"
Parts = Annotated[list[str] | None, typer.Option("--part", metavar="SKU=N", help=HELP)]


def read_parts(tx: "Transaction", texts: Sequence[str]) -> "list[Part]":
    """Raises: BadParameter for what says no component; NotFound for an unknown SKU."""
    from core.books import Part
    from core.catalog import item_id_of
    from core.stock import Stocked

    parts = []
    for text in texts:
        sku, units, grade = _read(text)
        parts.append(Part(Stocked(item_id_of(tx, sku), grade), units))
    return parts


def read_counts(tx: "Transaction", texts: Sequence[str]) -> dict[int, int]:
    """``SKU=N`` as units by item. Raises: as ``read_parts``."""
    return {part.stocked.item_id: part.per_unit for part in read_parts(tx, texts)}


def _read(text: str) -> tuple[str, int, str]:
    sku, is_said, rest = text.rpartition("=")
    if not is_said:
        return text, 1, GOOD
    number, _, grade = rest.partition(":")
    if not sku or not number.isascii() or not number.isdigit() or (grade or GOOD) not in GRADES:
        raise typer.BadParameter(f"{text!r} says no component; write it like MUG-RED=2 or MUG-RED=2:{GRADES[-1]}")
    return sku, int(number[:18]), grade or GOOD

"""How components are said on the command line: ``MUG-RED=2``, ``POT``, ``PLATE=1:minor_defect``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from core.rows import Part
    from core.transaction import Transaction

HELP = "a component: SKU, SKU=N or SKU=N:minor_defect; once for each"
Parts = Annotated[list[str] | None, typer.Option("--part", metavar="SKU=N", help=HELP)]


def read_parts(tx: "Transaction", texts: Sequence[str]) -> "list[Part]":
    """Raises: BadParameter for what says no component; NotFound for an unknown SKU."""
    from core.rows import Part

    goods = read_goods([text if "=" in text else f"{text}=1" for text in texts])
    return [Part(stocked, units) for stocked, units in find_goods(tx, goods)]


def read_counts(tx: "Transaction", texts: Sequence[str]) -> dict[int, int]:
    """``SKU=N`` as units by item. Raises: as ``read_parts``."""
    return {part.stocked.item_id: part.per_unit for part in read_parts(tx, texts)}

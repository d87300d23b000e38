"""What the commands on purchase orders share: their options, and lines as people name them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.stock import GOOD
from core.words import counted
from edge.commands.common import Door, say
from edge.quantities import read_goods

if TYPE_CHECKING:
    from core.goods.skus import SkuItem
    from core.stock import Stocked
    from core.supply.acting import Acted
    from core.supply.lines import PurchaseLine
    from core.supply.purchases import Purchase
    from core.transaction import Transaction

Number = Annotated[str, typer.Argument(metavar="ORDER", help="the purchase order's number, like PO-7")]
Cases = Annotated[bool, typer.Option("--cases", help="N counts cases as the supplier packs them")]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="the day on which it comes, like 2027-02-01")]


def by_line(
    tx: "Transaction", order: "Purchase", what: Sequence[str], *, cases: bool = False, least: int = 1
) -> dict[int, int]:
    """Sale units (``least`` or more each) by line id, from words that name items by our SKUs or the supplier's.

    ``SKU=N:minor_defect`` names the grade where an order has lines of both.
    Raises: typer.BadParameter; NotFound; Refused for an item that is not on the order.
    """
    from core.supply.purchases import items_named

    asked = read_goods(what, least=least)
    items = items_named(tx, order.row.supplier_id, [code for code, _, _ in asked])
    found: dict[int, int] = {}
    for code, n, grade in asked:
        line = _line_of(order, items[code], grade)
        found[line.id] = found.get(line.id, 0) + n * (line.pack_size if cases else 1)
    return found


def _line_of(order: "Purchase", item: "SkuItem", grade: str) -> "PurchaseLine":
    """The line of good grade where none is named. Raises: Refused when the order has no such line."""
    from core.errors import Refused

    lines = [line for line in order.lines if line.item_id == item.id and grade in ("", line.grade)]
    number = order.row.number
    if not lines:
        raise Refused(
            f"{number} orders no {item.sku}; `holdfast purchase show {number}` lists what it does, and "
            f"`holdfast stock receive {item.sku} N` books in what nobody ordered"
        )
    return next((line for line in lines if line.grade == GOOD), lines[0])


def dates_follow(entered: Door, stocked: "Sequence[Stocked]") -> int:
    """Bring the dates of who waits for these up to date; returns how many moved."""
    from core.sales import promise_dates

    with entered.begin() as tx:
        return promise_dates.recompute(tx, stocked) if stocked else 0


def say_moved(moved: int) -> None:
    if moved:
        say(f"The dates of {counted(moved, 'order')} moved; `holdfast backorder moved` shows who has to be told.")


def as_json(number: str, acted: "Acted", *, dry_run: bool, **more: object) -> dict[str, object]:
    """What an act came to; what was only tried out has no document."""
    document_ids = [] if dry_run else list(acted.document_ids)
    return {"order": number, "document_ids": document_ids, "repeated": acted.repeated, "dry_run": dry_run, **more}

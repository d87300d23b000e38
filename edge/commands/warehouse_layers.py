"""``holdfast warehouse reconcile``: each difference between shelves, dispatch and sales, with its reason."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.places import Places
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.warehouse.between_layers import OfItem, Sales, Shelves


@spread
def reconcile(
    sku: Annotated[str, typer.Argument(metavar="[SKU]", help="of one item; else of all goods")] = "",
    most: Annotated[int, typer.Option("--most", min=0, max=10_000, help="so many items are listed")] = 20,
    *,
    call: Call,
) -> None:
    """Compare what stands on shelves, what may be sent, and what may be sold, and say why they differ.

    An order is sold before a warehouse is told, and told before it is taken off the shelf: what is between two steps
    has a number of its own. What no reason explains should be 0.

    \b
    Example: holdfast warehouse reconcile MUG-RED
    """
    from core import catalog
    from core.warehouse import between_layers

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        shelves, sales = between_layers.shelves(tx, item_id), between_layers.sales(tx, item_id)
        items, places = between_layers.largest(tx, item_id, most), Places.of(tx)
    unexplained = sum(one.unexplained for one in shelves) + sales.unexplained
    if call.as_json:
        say_json({"shelves": [dataclasses.asdict(one) for one in shelves], "sales": dataclasses.asdict(sales),
                  "items": [dataclasses.asdict(one) for one in items], "unexplained": unexplained})  # fmt: skip
        return
    _say([dataclasses.replace(one, warehouse=places.said(one.warehouse)) for one in shelves], sales, items)
    if unexplained:
        say(f"\n{counted(unexplained, 'unit')} cannot be explained: `holdfast audit` shows the rows that are wrong.")
    else:
        say("\nEverything is explained.")


def _say(shelves: "Sequence[Shelves]", sales: "Sales", items: "Sequence[OfItem]") -> None:
    columns = ["from shelves to dispatch", ">on shelves", ">to hand over", ">for transfers", ">locked", ">= available",
               ">being packed", ">set apart", ">unexplained"]  # fmt: skip
    say_table(columns, [list(dataclasses.astuple(one)) for one in shelves])
    say("")
    say_table(["from dispatch to sales", ">units"], [
        ["available in all warehouses", sales.available],
        ["+ kept for transfers, still on sale", sales.kept],
        ["+ on its way, and on sale", sales.on_its_way],
        ["- promised, and not paid", sales.unpaid],
        ["- sold, and no warehouse was told yet", sales.to_allocate],
        ["= free to sell", sales.free],
        ["locked: free in the pools of locks", sales.lock_free],
        ["locked: promised, and no warehouse was told yet", sales.lock_promised],
        ["unexplained", sales.unexplained],
    ])  # fmt: skip
    if items:
        say("")
        say_table(
            ["between two steps", "grade", ">to hand over", ">sold, not told", ">not paid", ">for transfers",
             ">on its way"],
            [[one.sku, one.grade, one.to_hand_over, one.sales.to_allocate, one.sales.unpaid, one.sales.kept,
              one.sales.on_its_way] for one in items],
        )  # fmt: skip

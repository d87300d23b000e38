"""What warehouses are to send, shown."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call, ago, say, say_json
from edge.commands.places import Places, say_placed
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.dispatch.model import Route
    from core.fulfilment.dispatching import Dispatched
    from core.fulfilment.views import FulfilmentView
    from core.transaction import Transaction

Store = Annotated[str, typer.Option("--store", metavar="NAME", help="the store, where several have an order so called")]


@spread
def list_fulfilments(
    order: Annotated[str, typer.Option("--order", metavar="ORDER", help="of one order, whatever became of them")] = "",
    warehouse: Annotated[str, typer.Option("--warehouse", metavar="CODE", help="of one warehouse")] = "",
    all_of_them: Annotated[bool, typer.Option("--all", help="also those that are done")] = False,
    limit: Annotated[int, typer.Option("--last", metavar="N", min=1, max=10_000, help="at most so many")] = 100,
    store: Store = "",
    *,
    call: Call,
) -> None:
    """List what warehouses are still to send, the newest first.

    \b
    Example: holdfast fulfil list --warehouse MAIN
             holdfast fulfil list --order 1001
    """
    from core.fulfilment import views
    from core.orders.views import row_of
    from core.warehouse import warehouses

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = views.every(
            tx, all_of_them=all_of_them, limit=limit,
            warehouse_id=warehouses.id_of(tx, warehouse) if warehouse else None,
            order_id=row_of(tx, order, store).id if order else None,
        )  # fmt: skip
        places = Places.of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif found:
        columns = ["order", "store", "warehouse", "state", "leaves", ">to hand over", ">being packed", ">shipped"]
        say_placed(
            columns,
            [
                [one.ref, one.store, places.said(one.warehouse), one.state, one.leaves_on,
                 sum(row.waiting for row in one.lines), sum(row.handed for row in one.lines),
                 sum(row.shipped for row in one.lines)]
                for one in found
            ],
            "warehouse",
        )  # fmt: skip
    else:
        say("No warehouse is to send anything. `holdfast fulfil allocate ORDER` tells one to.")


@spread
def show(
    ref: Annotated[
        str, typer.Argument(metavar="ORDER[/N]", help="an order's number, and which part of it, like 1001/1; else all")
    ],
    store: Store = "",
    *,
    call: Call,
) -> None:
    """Show what warehouses were told to send of an order, all of them or one, and what became of it.

    --json tells one part as it is, and those of an order as a list.

    \b
    Example: holdfast fulfil show 1001/1
             holdfast fulfil show 1001
    """
    from core.fulfilment import views

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        parts = [views.find(tx, ref, store=store)] if "/" in ref else views.of_order(tx, ref, store=store)
        now, places = tx.now, Places.of(tx)
    if call.as_json:
        told = [dataclasses.asdict(one) for one in parts]
        say_json(told[0] if "/" in ref else told)
        return
    if not parts:
        say(f"No warehouse was told to send anything of {ref}. `holdfast fulfil allocate {ref}` tells one to.")
    for nth, one in enumerate(parts):
        if nth:
            say("")
        _say_part(one, now, places)


def _say_part(found: "FulfilmentView", now: datetime, places: Places) -> None:
    state = ", ".join(dict.fromkeys([found.state, "told"]))
    by = "" if places.one_room else f", by {found.warehouse}"
    say(f"{found.ref} of {found.store}{by}: {state} {ago(found.made_at, now)}")
    if found.leaves_on is not None:
        arrives = f", arrives {found.earliest} to {found.latest}" if found.earliest and found.latest else ""
        say(f"Promised: leaves {found.leaves_on}{arrives}.")
    if found.rejected_at is not None:
        say(f"Rejected {ago(found.rejected_at, now)}: {found.why}")
    say_placed(
        ["SKU", "grade", ">told", ">to hand over", ">being packed", "from", ">shipped", ">taken back"],
        [
            [row.sku, row.grade, row.told, row.waiting, row.handed, "" if places.one_room else ", ".join(row.bins),
             row.shipped, row.back]
            for row in found.lines
        ],
        "from",
    )  # fmt: skip


def say_dispatched(
    tx: "Transaction", numbers: Mapping[int, str], found: "Sequence[Dispatched]", *, dry_run: bool, as_json: bool
) -> None:
    """What came of orders, by their numbers."""
    from core.dispatch import views
    from core.dispatch.reasons import tell

    names = views.names_for(tx, [one.route for one in found if one.route is not None])
    by_order = {one.order_id: one for one in found}
    if as_json:
        told = []
        for order_id, number in numbers.items():
            one = by_order.get(order_id)
            made = [f"{number.removeprefix('#')}/{row.nth}" for row in one.made] if one else []
            route = views.told(one.route, names) if one and one.route else None
            refused = one.refused if one else ""
            told.append({"order": number, "fulfilments": made, "refused": refused, "dry_run": dry_run, "route": route})
        say_json(told)
        return
    places = Places.of(tx)
    for order_id, number in numbers.items():
        one = by_order.get(order_id)
        if one is None:
            say(f"Order {number}: nothing paid is still to be given to a warehouse.")
            continue
        if one.refused:
            say(f"Order {number} changed meanwhile, nothing was booked: {one.refused}")
            continue
        say(f"Order {number}{', only tried out' if dry_run else ''}:")
        for sentence in tell(_as_it_is_now(one.route), places.names(names)) if one.route else ():
            say(f"    {places.sentence(sentence)}")


def _as_it_is_now(route: "Route") -> "Route":
    """Without the reasons of earlier attempts, which --json tells."""
    return dataclasses.replace(route, reasons=[one for one in route.reasons if one.attempt == route.attempt])

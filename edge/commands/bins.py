"""``holdfast bin``: the shelves of a warehouse, and goods that move between them."""

import dataclasses
from typing import Annotated

import typer

from core.access.rights import Right
from core.stock import Stocked
from core.words import counted
from edge.commands.acting import Grade, Key, Sku, Units, act, effect_key, was_done_before
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread

commands = typer.Typer(
    help="Keep goods on shelves of their own; nobody has to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Place = Annotated[str, typer.Argument(metavar="PLACE", help="a bin with its warehouse, like MAIN/A-01")]


@commands.command()
@spread
def add(place: Place, *, call: Call) -> None:
    """Add a bin to a warehouse.

    \b
    Example: holdfast bin add MAIN/A-01
    """
    from core.warehouse import bins

    with call.door(Right.PLACE_CHANGE) as entered, entered.begin() as tx:
        made = bins.add(tx, place)
        if made:
            entered.log(tx, "bin.add", f"bin:{place}")
    if call.as_json:
        say_json({"place": place, "made": made})
    else:
        say(f"Bin {place} is there." if made else f"Bin {place} was there already; nothing was changed.")


@commands.command("list")
@spread
def list_(
    warehouse: Annotated[str, typer.Argument(metavar="[WAREHOUSE]", help="of one warehouse; else of all")] = "",
    *,
    call: Call,
) -> None:
    """List bins and how much stands in each.

    \b
    Example: holdfast bin list MAIN
    """
    from core.warehouse import bins

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = bins.every(tx, warehouse)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    rows = [
        [f"{one.warehouse}/{one.code}", "default" if one.is_default else "", one.items, one.units,
         "frozen" if one.frozen else ""]
        for one in found
    ]  # fmt: skip
    say_table(["bin", "", ">kinds of goods", ">units", "state"], rows)


@commands.command()
@spread
def move(
    sku: Sku,
    units: Units,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="the bin they are put in, like MAIN/A-01")],
    from_: Annotated[str, typer.Option("--from", metavar="PLACE", help="the bin they stand in")] = "",
    unavailable: Annotated[
        bool, typer.Option("--unavailable", help="units that are set apart, not to be sold")
    ] = False,
    grade: Grade = "good",
    key: Key = "",
    reason: Annotated[str, typer.Option("--reason", help="a note for the document")] = "",
    *,
    call: Call,
) -> None:
    """Put goods into another bin of the same warehouse.

    Without --from they come from the warehouse's default bin, as goods do that were just received.

    \b
    Example: holdfast bin move MUG-RED 20 --to MAIN/A-01
    """
    from core import catalog
    from core.warehouse import warehouses
    from core.warehouse.moves import PutAway

    with call.door(Right.STOCK_MOVE) as entered:
        with entered.begin() as tx:
            what, asked_at = Stocked(catalog.item_id_of(tx, sku), grade), tx.now
            there = warehouses.spot_of(tx, to)
            here = warehouses.spot_of(tx, from_ or to.partition("/")[0])
        command = PutAway(effect_key("put_away", key), what, units, here, there, unavailable, reason or key)
        document_id = act(entered, command)
        with entered.begin() as tx:
            repeated = was_done_before(tx, document_id, asked_at)
    if call.as_json:
        say_json({"sku": sku, "units": units, "to": to, "document_id": document_id, "repeated": repeated})
    elif repeated:
        say(f"Move {key} was booked before, as document {document_id}; nothing was changed.")
    else:
        say(f"{counted(units, 'unit')} of {sku} now in {to}, document {document_id}.")


@commands.command()
@spread
def freeze(place: Place, *, call: Call) -> None:
    """Let nobody book goods in or out of a bin while it is counted.

    What a store has shipped still leaves it, when the goods stand nowhere else.

    \b
    Example: holdfast bin freeze MAIN/A-01
    """
    _freeze(place, True, call)


@commands.command()
@spread
def thaw(place: Place, *, call: Call) -> None:
    """End what `bin freeze` began.

    \b
    Example: holdfast bin thaw MAIN/A-01
    """
    _freeze(place, False, call)


def _freeze(place: str, frozen: bool, call: Call) -> None:
    from core.warehouse import bins

    with call.door(Right.STOCK_MOVE) as entered, entered.begin() as tx:
        changed = bins.freeze(tx, place, frozen)
        if changed:
            entered.log(tx, "bin.freeze" if frozen else "bin.thaw", f"bin:{place}")
    state = "frozen" if frozen else "open"
    if call.as_json:
        say_json({"place": place, "frozen": frozen, "changed": changed})
    else:
        say(f"Bin {place} is {state}." if changed else f"Bin {place} was {state} already; nothing was changed.")

"""``holdfast bundle``: what is sold as several items at once, virtual or assembled."""

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import GOOD, Stocked
from core.words import counted
from edge.commands.acting import DryRun, GradeName, Key, Sku, act, effect_key, was_done_before
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.parts import HELP, read_counts, read_parts
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.selling.rules import Difference

commands = typer.Typer(
    help="Sell several items as one, and assemble kits.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MOST_KITS = 1_000_000
Note = Annotated[str, typer.Option("--reason", help="a note for the document")]


@commands.command("set")
@spread
def set_(
    sku: Sku,
    part: Annotated[list[str], typer.Argument(metavar="SKU=N...", help=HELP)],
    kit: Annotated[bool, typer.Option("--kit", help="it is assembled first and has stock of its own")] = False,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say what an item is made of.

    Listings mapped to a bundle sell its components from then on. Orders that were placed keep the recipe of their time.
    An item with stock or open promises of its own cannot become a bundle, and a kit with any cannot change.

    \b
    Example: holdfast bundle set TEA-SET MUG-RED=2 POT=1 --dry-run
             holdfast bundle set GIFT-BOX MUG-RED=1 CARD=1 --kit
    """
    from core import catalog
    from core.goods import recipes

    kind = recipes.KIT if kit else recipes.BUNDLE
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        item_id, parts = catalog.item_id_of(tx, sku), read_parts(tx, part)
        differences = recipes.preview(tx, item_id, kind, parts) if dry_run else []
        changed = not dry_run and recipes.set_recipe(tx, item_id, kind, parts)
        if changed:
            entered.log(tx, "bundle.set", f"item:{item_id}", kind=kind, parts=part)
    _say_recipe(sku, f"a {kind} of {', '.join(part)}", changed, dry_run, differences, call.as_json)


@commands.command("end")
@spread
def end(sku: Sku, dry_run: DryRun = False, *, call: Call) -> None:
    """Make a bundle or a kit a plain item again.

    From then on it has stock of its own.

    \b
    Example: holdfast bundle end TEA-SET --dry-run
    """
    from core import catalog
    from core.goods import recipes

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku)
        differences = recipes.preview(tx, item_id, recipes.PLAIN, ()) if dry_run else []
        changed = not dry_run and recipes.end_recipe(tx, item_id)
        if changed:
            entered.log(tx, "bundle.end", f"item:{item_id}")
    _say_recipe(sku, "a plain item", changed, dry_run, differences, call.as_json)


def _say_recipe(
    sku: str, what: str, changed: bool, dry_run: bool, differences: "list[Difference]", as_json: bool
) -> None:
    if as_json:
        told = [dataclasses.asdict(one) for one in differences]
        say_json({"sku": sku, "changed": changed, "dry_run": dry_run, "differences": told})
    elif dry_run:
        say(f"Only tried out: {sku} would be {what}; {counted(len(differences), 'listing')} would show another number.")
        if differences:
            rows = [[one.store, one.external_id, one.sku, one.before, one.after] for one in differences]
            say_table(["store", "listing", "SKU", ">shows", ">would show"], rows)
    else:
        say(f"{sku} is {what}." if changed else f"{sku} is {what} already; nothing was changed.")


@commands.command()
@spread
def assemble(
    sku: Sku,
    units: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST_KITS, help="how many kits, 1 or more")],
    key: Key = "",
    reason: Note = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Make kits of free components.

    All of them, or none: then what is missing is said.

    \b
    Example: holdfast bundle assemble GIFT-BOX 20 --key evening-shift
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _assemble(entered, sku, units, (key, reason), dry_run=dry_run, as_json=call.as_json, apart=False, grade=GOOD)


@commands.command()
@spread
def disassemble(
    sku: Sku,
    units: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST_KITS, help="how many kits, 1 or more")],
    grade: Annotated[GradeName, typer.Option("--grade", help="of the kits")] = "good",
    key: Key = "",
    reason: Note = "",
    *,
    call: Call,
) -> None:
    """Take free kits apart; their components can be sold again.

    \b
    Example: holdfast bundle disassemble GIFT-BOX 5
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _assemble(entered, sku, units, (key, reason), dry_run=False, as_json=call.as_json, apart=True, grade=grade)


def _assemble(entered: Door, sku: str, units: int, named: tuple[str, str], *, apart: bool, grade: str,
              dry_run: bool, as_json: bool) -> None:  # fmt: skip
    from core import catalog
    from core.goods.bundles import Assemble

    key, reason = named
    verb = "disassemble" if apart else "assemble"
    with entered.begin() as tx:
        kit, asked_at = Stocked(catalog.item_id_of(tx, sku), grade), tx.now
    command = Assemble(effect_key(verb, key), kit, units, apart, reason)
    done = "taken apart" if apart else "assembled"
    document_id = act(entered, command, dry_run=dry_run)
    repeated = not dry_run and _log(entered, verb, kit.item_id, units, document_id, asked_at)
    if as_json:
        told = {"document_id": None if dry_run else document_id, "repeated": repeated, "dry_run": dry_run}
        say_json({"sku": sku, "units": units, **told})
    elif dry_run:
        say(f"Only tried out: {counted(units, 'kit')} of {sku} can be {done}.")
    elif repeated:
        say(f"That was done before under the key {key}, as document {document_id}; nothing was changed.")
    else:
        say(f"{counted(units, 'kit')} of {sku} {done}, document {document_id}.")


def _log(entered: Door, verb: str, item_id: int, units: int, document_id: int, asked_at: datetime) -> bool:
    """Note the act unless it was done before; returns whether it was."""
    with entered.begin() as tx:
        repeated = was_done_before(tx, document_id, asked_at)
        if not repeated:
            entered.log(tx, f"bundle.{verb}", f"item:{item_id}", units=units, document=document_id)
    return repeated


@commands.command("return")
@spread
def return_(
    sku: Sku,
    units: Annotated[
        int, typer.Argument(metavar="N", min=1, max=MOST_KITS, help="how many bundles came back, 1 or more")
    ],
    flawed: Annotated[
        list[str] | None, typer.Option("--flawed", metavar="SKU=N", help="components with a flaw: sold as minor_defect")
    ] = None,
    damaged: Annotated[
        list[str] | None, typer.Option("--damaged", metavar="SKU=N", help="components that are not to be sold")
    ] = None,
    key: Key = "",
    reason: Note = "",
    *,
    call: Call,
) -> None:
    """Book in the components of bundles that came back.

    Each in the grade that it was found to be. They are those of the recipe as it is now. What a store puts back on sale
    by itself is booked by itself, with the recipe of the order: this is for all that comes back otherwise.

    \b
    Example: holdfast bundle return TEA-SET 1 --flawed MUG-RED=1
             holdfast bundle return TEA-SET 2 --damaged POT=1 --key parcel-88
    """
    from core import catalog
    from core.goods.bundles import ReturnBundle

    with call.door(Right.STOCK_RECEIVE) as entered:
        with entered.begin() as tx:
            bundle_id, asked_at = catalog.item_id_of(tx, sku), tx.now
            graded = read_counts(tx, flawed or ()), read_counts(tx, damaged or ())
        command = ReturnBundle(effect_key("return", key), bundle_id, units, *graded, reason or key)
        document_id = act(entered, command)
        repeated = _log(entered, "return", bundle_id, units, document_id, asked_at)
    if call.as_json:
        say_json({"sku": sku, "units": units, "document_id": document_id, "repeated": repeated})
    elif repeated:
        say(f"Return {key} was booked before, as document {document_id}; nothing was changed.")
    else:
        say(f"The components of {counted(units, 'bundle')} {sku} are booked in, document {document_id}.")

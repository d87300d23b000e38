"""``holdfast item``: what is counted, the units that it comes in, and what it is made of."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import Sku
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.parts import Parts, read_parts
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.goods.item_life import Life
    from core.goods.items import Card, Listed

commands = typer.Typer(
    help="Make items, and say in which units they come.", no_args_is_help=True, rich_markup_mode=None
)

KindName = Literal["plain", "bundle", "kit"]
Kind = Annotated[
    KindName,
    typer.Option(
        "--kind",
        help="bundle: sold as its components, never assembled; kit: assembled, with stock of its own",
    ),
]


@commands.command("add")
@spread
def add(
    sku: Annotated[str, typer.Argument(metavar="SKU", help="its code; upper and lower case are the same")],
    title: Annotated[str, typer.Option("--title", help="what people call it")] = "",
    kind: Kind = "plain",
    part: Parts = None,
    *,
    call: Call,
) -> None:
    """Make an item; a bundle or a kit of the components that --part names.

    Items of a store's catalogue are made by themselves when it is connected, one for each SKU.

    \b
    Example: holdfast item add MUG-RED --title "Red mug"
             holdfast item add TEA-SET --kind bundle --part MUG-RED=2 --part POT
    """
    from core.goods import items, recipes

    if (kind == "plain") != (not part):
        raise typer.BadParameter("a bundle or a kit needs its components: --part SKU=N; a plain item has none")
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        item_id = items.add_item(tx, sku, title)
        if part:
            recipes.set_recipe(tx, item_id, kind, read_parts(tx, part))
        entered.log(tx, "item.add", f"item:{item_id}", kind=kind)
        card = items.card(tx, sku)
    if call.as_json:
        say_json(dataclasses.asdict(card))
    else:
        say(f"{card.sku} is there now, {'a plain item' if kind == 'plain' else f'a {kind}'}.")


@commands.command("show")
@spread
def show(sku: Sku, *, call: Call) -> None:
    """Show an item: its kind, its units, and what it is made of.

    With what it was called before, and what others call it. What there is of it, `holdfast stock show` tells.

    \b
    Example: holdfast item show TEA-SET
    """
    from core.goods import item_life, items
    from core.goods.skus import sku_key

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        card = items.card(tx, sku)
        life = item_life.life(tx, card.item_id)
    if call.as_json:
        say_json({**dataclasses.asdict(card), **dataclasses.asdict(life)})
        return
    if sku_key(sku) != sku_key(card.sku):
        say(f"{sku} is {card.sku} now.")
    _show(card)
    _show_life(life)


def _show_life(life: "Life") -> None:
    for former in life.formerly:
        say(f"It was {former.sku} until {former.until:%Y-%m-%d}.")
    for one in life.changes:
        what = "became a part of" if one.kind == "merge" else "gave units to"
        say(f"{one.item} {what} {one.other} on {one.at:%Y-%m-%d}, document {one.document_id}. {one.reason}".rstrip())
    if life.references:
        say_table(["called by", "value"], [[one.kind, one.value] for one in life.references])


def _show(card: "Card") -> None:
    say(f"{card.sku}  {card.title}".rstrip())
    what = {
        "plain": "A plain item.",
        "bundle": "A bundle: who sells it sells its components, and it has no stock of its own.",
        "kit": "A kit: assembled from its components, with stock of its own.",
    }
    say(f"{what[card.kind]} {counted(card.listings, 'listing')} of stores sell it.")
    for unit, units in card.units.items():
        say(f"1 {unit} is {counted(units, 'unit')}.")
    if card.components:
        rows = [
            ["  " * (one.level - 1) + one.sku, one.quantity, one.grade, one.kind, one.title] for one in card.components
        ]
        say_table(["component", ">units", "grade", "kind", "title"], rows)
    if card.part_of:
        say(f"Part of: {', '.join(card.part_of)}.")


@commands.command("unit")
@spread
def unit(
    sku: Sku,
    units: Annotated[
        list[str] | None, typer.Argument(metavar="[UNIT=N]...", help="like case=24: one case holds 24 sale units")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="UNIT", help="forget this unit")] = None,
    *,
    call: Call,
) -> None:
    """Say in which units an item comes, or show them.

    Receipts can be booked in them.

    \b
    Example: holdfast item unit MUG-RED case=24 pallet=960
             holdfast stock receive MUG-RED 3 --unit case
    """
    from core import catalog
    from core.goods import items

    asked = [_one_unit(text) for text in units or ()]
    right = Right.RULE_CHANGE if asked or drop else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku)
        for name in drop or ():
            items.drop_unit(tx, item_id, name)
        for name, number in asked:
            items.set_unit(tx, item_id, name, number)
        if asked or drop:
            entered.log(tx, "item.unit", f"item:{item_id}", set=dict(asked), dropped=list(drop or ()))
        known = items.units_of(tx, item_id)
    if call.as_json:
        say_json({"sku": sku, "units": dict(known)})
        return
    for name, number in known.items():
        say(f"1 {name} of {sku} is {counted(number, 'unit')}.")
    if not known:
        say(f"{sku} is booked in sale units only; `holdfast item unit {sku} case=24` names another.")


def _one_unit(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isascii() or not number.isdigit():
        raise typer.BadParameter(f"{text!r} says no unit; write it like case=24")
    return name, int(number[:18])


@commands.command("list")
@spread
def list_items(
    kind: Annotated[KindName | None, typer.Option("--kind", help="only these")] = None,
    like: Annotated[str, typer.Option("--like", metavar="TEXT", help="only with this in the SKU or the title")] = "",
    after: Annotated[str, typer.Option("--after", metavar="SKU", help="go on behind this one")] = "",
    last: Annotated[int, typer.Option("--limit", min=1, max=1000, help="how many at most")] = 100,
    *,
    call: Call,
) -> None:
    """List items by SKU, with what is free of each.

    Of the shared pool, that is.

    \b
    Example: holdfast item list --kind bundle
             holdfast item list --like mug --limit 20
    """
    from core.goods import items

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = items.listed(tx, kind=kind or "", like=like, after=after, limit=last)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    if not found:
        say("There is no such item; `holdfast item add SKU` makes one.")
        return
    rows = [[one.sku, one.kind, *_free(one), one.title] for one in found]
    say_table(["SKU", "kind", ">free", ">free, minor defect", "title"], rows)
    if len(found) == last:
        say(f"There may be more: `holdfast item list --after {found[-1].sku}`.")


def _free(one: "Listed") -> list[int | None]:
    """A bundle has no units of its own."""
    return [None, None] if one.kind == "bundle" else [one.free, one.free_minor_defect]

"""``holdfast listing``: what the listings of a store sell, in which pack and in which grade."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.rules import DryRun, change
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.selling.listing_views import ListingView

commands = typer.Typer(
    help="See what listings sell, and say in which pack and grade.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Store = Annotated[str, typer.Argument(metavar="STORE", help="the store's name")]
Listing = Annotated[str, typer.Argument(metavar="LISTING", help="the store's own id of it, or its SKU")]


@commands.command()
@spread
def show(
    store: Store,
    listing: Annotated[str, typer.Argument(metavar="[LISTING]", help="one of them; else all")] = "",
    *,
    call: Call,
) -> None:
    """Show what the listings of a store sell, and their rules.

    With them stand the numbers that they should show, and those they are believed to show.

    \b
    Example: holdfast listing show Berlin
             holdfast listing show Berlin 1042
    """
    from core import stores
    from core.selling import rules
    from core.selling.listing_views import listing_views

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = stores.find(tx, store)
        listing_id = rules.listing_subject(tx, store, listing).id if listing else None
        views = listing_views(tx, row.id, listing_id=listing_id)
    if call.as_json:
        say_json([dataclasses.asdict(view) for view in views])
    elif views:
        columns = [
            "listing",
            "SKU",
            "title",
            "sells",
            ">units each",
            "grade",
            ">should show",
            ">shows",
            "rules",
            "parked",
        ]
        say_table(columns, [_row(view) for view in views])
    else:
        say(f"{row.name} has no listings; `holdfast sync {row.name}` imports its catalogue.")


def _row(view: "ListingView") -> list[object]:
    sells = f"{view.item} ({view.kind})" if view.kind not in ("", "plain") else view.item
    rules = ", ".join(f"{name} {value} (of the {view.set_by[name]})" for name, value in view.rules.items())
    return [view.external_id, view.sku, view.title, sells or None, view.pack_size, view.grade, view.number, view.shown,
            rules, view.parked]  # fmt: skip


@commands.command()
@spread
def pack(
    store: Store,
    listing: Listing,
    units: Annotated[int, typer.Argument(metavar="N", min=1, help="units of the item that one sale takes, 1 or more")],
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say how many units of its item one sale takes.

    Like 6 for a box of six. Orders that come later count so; what earlier orders hold is not counted anew.

    \b
    Example: holdfast listing pack Berlin 1042 6 --dry-run
    """
    from core.selling import rules

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        subject = rules.listing_subject(tx, store, listing)
        change(entered, tx, subject, {"pack_size": units}, dry_run=dry_run, as_json=call.as_json)


@commands.command()
@spread
def grade(
    store: Store,
    listing: Listing,
    grade: Annotated[str, typer.Argument(metavar="GRADE", help="good or minor_defect")],
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say which grade of its item a listing sells.

    \b
    Example: holdfast listing grade Berlin 1042 minor_defect
    """
    from core.selling import rules

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        subject = rules.listing_subject(tx, store, listing)
        change(entered, tx, subject, {"grade": grade}, dry_run=dry_run, as_json=call.as_json)

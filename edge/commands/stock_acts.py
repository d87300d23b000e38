"""``holdfast stock missing``, ``damage`` and the like: goods that go, or turn out to be other than the books say."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.stock import DocumentKind, Stocked
from edge.commands import stock_in
from edge.commands.acting import (
    MOST,
    Asked,
    DryRun,
    Grade,
    GradeName,
    Key,
    Reason,
    Sku,
    Units,
    act,
    effect_key,
    loss_views,
    losses_as_json,
    say_losses,
)
from edge.commands.common import Call, Door, counted, say, say_json
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.command import Command
    from core.goods.adjusting import Adjusted
    from core.stock import Spot

Where = Annotated[str, typer.Option("--at", metavar="PLACE", help="where: a warehouse, or a bin like MAIN/A-01")]


@spread
def missing(
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say that units are gone.

    What nobody was promised goes first. If that is not enough, the newest promises wait again, each with an incident.

    \b
    Example: holdfast stock missing MUG-RED 2 --reason "not on the shelf" --dry-run
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _lose(entered, Asked(sku, units, grade, key, reason, call.as_json, dry_run, at), DocumentKind.MISSING)


@spread
def damage(
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Set units apart that cannot be sold.

    They stay on hand until they are mended or scrapped. Promises make room as when units are missing. Goods that can
    still be sold, for less, are regraded instead.

    \b
    Example: holdfast stock damage MUG-RED 2 --reason "dropped"
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _lose(entered, Asked(sku, units, grade, key, reason, call.as_json, dry_run, at), DocumentKind.DAMAGE)


def _lose(entered: Door, asked: Asked, kind: DocumentKind) -> None:
    from core.goods.adjusting import Lose

    what, spot = _stocked(entered, asked)
    command = Lose(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)
    verb = "are set apart as unavailable" if kind is DocumentKind.DAMAGE else "are booked as missing"
    _adjust(entered, asked, command, what, str(kind), f"{asked.goods} {verb}")


@spread
def mend(
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    *,
    call: Call,
) -> None:
    """Put units back on sale that were set apart as unavailable.

    \b
    Example: holdfast stock mend MUG-RED 1 --reason "cleaned"
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _unblock(entered, Asked(sku, units, grade, key, reason, call.as_json, place=at), DocumentKind.MEND)


@spread
def scrap(
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    *,
    call: Call,
) -> None:
    """Throw units away that were set apart as unavailable.

    \b
    Example: holdfast stock scrap MUG-RED 1 --reason "broken for good"
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _unblock(entered, Asked(sku, units, grade, key, reason, call.as_json, place=at), DocumentKind.SCRAP)


def _unblock(entered: Door, asked: Asked, kind: DocumentKind) -> None:
    from core.goods.adjusting import Unblock

    what, spot = _stocked(entered, asked)
    command = Unblock(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)
    verb = "are back on sale" if kind is DocumentKind.MEND else "are thrown away"
    _adjust(entered, asked, command, what, str(kind), f"{asked.goods} {verb}")


@spread
def regrade(
    sku: Sku,
    units: Units,
    reason: Reason,
    to: Annotated[GradeName, typer.Option("--to", help="what they are")] = "minor_defect",
    grade: Annotated[GradeName, typer.Option("--from", help="what they were thought to be")] = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say that units are of another grade.

    They are missing in one and found in the other, in one document.

    \b
    Example: holdfast stock regrade MUG-RED 2 --to minor_defect --reason "scratched"
    """
    from core.goods.adjusting import Regrade

    with call.door(Right.STOCK_ADJUST) as entered:
        asked = Asked(sku, units, grade, key, reason, call.as_json, dry_run, at)
        what, spot = _stocked(entered, asked)
        command = Regrade(effect_key("regrade", key), reason, what, to, units, spot=spot)
        _adjust(entered, asked, command, what, "regrade", f"{asked.goods} are {to} from now on")


@spread
def set_(
    sku: Sku,
    counted_: Annotated[int, typer.Argument(metavar="N", min=0, max=MOST, help="units on the shelf, 0 or more")],
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say how many units are on the shelf.

    The difference to the books is found, or missing. Count what could be sold, in one grade: with what is promised and
    has not left, without what is set apart as unavailable.

    \b
    Example: holdfast stock set MUG-RED 17 --reason count
    """
    from core.goods.adjusting import SetOnShelf

    with call.door(Right.STOCK_ADJUST) as entered:
        asked = Asked(sku, counted_, grade, key, reason, call.as_json, dry_run, at)
        what, spot = _stocked(entered, asked)
        command = SetOnShelf(effect_key("set", key), reason, what, counted_, spot=spot)
        _adjust(entered, asked, command, what, "set", f"{sku} has {counted(counted_, 'unit')} on the shelf")


def _stocked(entered: Door, asked: Asked) -> "tuple[Stocked, Spot | None]":
    """What it is about, and in which bin (None: the default one)."""
    from core import catalog
    from core.warehouse import warehouses

    with entered.begin() as tx:
        spot = warehouses.spot_of(tx, asked.place) if asked.place else None
        return Stocked(catalog.item_id_of(tx, asked.sku), asked.grade), spot


def _adjust(entered: Door, asked: Asked, command: "Command", what: Stocked, verb: str, done: str) -> None:
    """Do it, log it, and say who gave units up."""
    adjusted: Adjusted = act(entered, command, dry_run=asked.dry_run)
    views = loss_views(entered, adjusted.losses)
    document_id = None if asked.dry_run else adjusted.document_id
    if document_id is not None and not adjusted.repeated:
        with entered.begin() as tx:
            detail = {"units": asked.units, "grade": asked.grade, "document": document_id}
            entered.log(tx, f"stock.{verb}", f"item:{what.item_id}", **detail)
    if asked.as_json:
        said: dict[str, Any] = {"document_id": document_id, "change": adjusted.change, "repeated": adjusted.repeated}
        say_json(asked.told(dry_run=asked.dry_run, losses=losses_as_json(views), **said))
        return
    if adjusted.repeated:
        say(f"{verb.capitalize()} {asked.key} was booked before; nothing was changed.")
    elif adjusted.document_id is None:
        say(f"{done}, as the books say; nothing was changed.")
    elif asked.dry_run:
        say(f"Only tried out: {done}{_change(verb, adjusted.change)}. Without --dry-run it is booked.")
    else:
        say(f"{done}{_change(verb, adjusted.change)}, document {document_id}.")
    say_losses(views, dry_run=asked.dry_run)


def _change(verb: str, change: int) -> str:
    if verb != "set":
        return ""
    return f": {counted(abs(change), 'unit')} {'more' if change > 0 else 'fewer'} than the books said"


def register(commands: typer.Typer) -> None:
    """Add all of these, and those by which goods come in, to ``holdfast stock``."""
    acts: Mapping[str, Callable[..., None]] = {
        "receive": stock_in.receive, "found": stock_in.found, "return": stock_in.return_, "missing": missing,
        "damage": damage, "mend": mend, "scrap": scrap, "regrade": regrade, "set": set_,
    }  # fmt: skip
    for name, run in acts.items():
        commands.command(name)(run)

"""``holdfast stock missing``, ``damage`` and the like: goods that go, or turn out to be other than the books say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import DocumentKind, Stocked
from core.words import counted
from edge.commands import stock_in
from edge.commands.acting import (
    MOST,
    Asked,
    AskedOrTried,
    DryRun,
    GradeName,
    Key,
    Reason,
    Sku,
    Units,
    Where,
    act,
    effect_key,
    loss_views,
    losses_as_json,
    say_losses,
)
from edge.commands.common import Call, say, say_json
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.command import Command
    from core.goods.adjusting import Adjusted
    from core.stock import Spot

    CommandOf = Callable[[Stocked, Spot | None], Command]


@spread
def missing(asked: AskedOrTried, call: Call) -> None:
    """Say that units are gone.

    What nobody was promised goes first. If that is not enough, the newest promises wait again, each with an incident.

    \b
    Example: holdfast stock missing MUG-RED 2 --reason "not on the shelf" --dry-run
    """
    _lose(asked, call, DocumentKind.MISSING, "booked as missing")


@spread
def damage(asked: AskedOrTried, call: Call) -> None:
    """Set units apart that cannot be sold.

    They stay on hand until they are mended or scrapped. Promises make room as when units are missing. Goods that can
    still be sold, for less, are regraded instead.

    \b
    Example: holdfast stock damage MUG-RED 2 --reason "dropped"
    """
    _lose(asked, call, DocumentKind.DAMAGE, "set apart as unavailable")


def _lose(asked: AskedOrTried, call: Call, kind: DocumentKind, state: str) -> None:
    from core.goods.adjusting import Lose

    def command(what: Stocked, spot: "Spot | None") -> "Command":
        return Lose(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)

    _adjust(asked, call, command, kind, f"{asked.goods_are} {state}", dry_run=asked.dry_run)


@spread
def mend(asked: Asked, call: Call) -> None:
    """Put units back on sale that were set apart as unavailable.

    \b
    Example: holdfast stock mend MUG-RED 1 --reason "cleaned"
    """
    _unblock(asked, call, DocumentKind.MEND, "back on sale")


@spread
def scrap(asked: Asked, call: Call) -> None:
    """Throw units away that were set apart as unavailable.

    \b
    Example: holdfast stock scrap MUG-RED 1 --reason "broken for good"
    """
    _unblock(asked, call, DocumentKind.SCRAP, "thrown away")


def _unblock(asked: Asked, call: Call, kind: DocumentKind, state: str) -> None:
    from core.goods.adjusting import Unblock

    def command(what: Stocked, spot: "Spot | None") -> "Command":
        return Unblock(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)

    _adjust(asked, call, command, kind, f"{asked.goods_are} {state}")


@spread
def regrade(
    sku: Sku,
    units: Units,
    reason: Reason,
    to: Annotated[GradeName, typer.Option("--to", help="what they are")] = "minor_defect",
    grade: Annotated[GradeName, typer.Option("--from", help="what they were thought to be")] = "good",
    place: Where = "",
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

    def command(what: Stocked, spot: "Spot | None") -> "Command":
        return Regrade(effect_key("regrade", key), reason, what, to, units, spot=spot)

    asked = Asked(sku, units, reason, grade, place, key)
    _adjust(asked, call, command, "regrade", f"{asked.goods_are} {to} from now on", dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class Counted(AskedOrTried):
    """What is asked of units that were counted."""

    units: Annotated[int, typer.Argument(metavar="N", min=0, max=MOST, help="units on the shelf, 0 or more")]


@spread
def set_(asked: Counted, call: Call) -> None:
    """Say how many units are on the shelf.

    The difference to the books is found, or missing. Count what could be sold, in one grade: with what is promised and
    has not left, without what is set apart as unavailable.

    \b
    Example: holdfast stock set MUG-RED 17 --reason count
    """
    from core.goods.adjusting import SetOnShelf

    def command(what: Stocked, spot: "Spot | None") -> "Command":
        return SetOnShelf(effect_key("set", asked.key), asked.reason, what, asked.units, spot=spot)

    done = f"{asked.sku} has {counted(asked.units, 'unit')} on the shelf"
    _adjust(asked, call, command, "set", done, dry_run=asked.dry_run)


def _adjust(asked: Asked, call: Call, command: "CommandOf", verb: str, done: str, *, dry_run: bool = False) -> None:
    """Do it, log it, and say who gave units up."""
    with call.door(Right.STOCK_ADJUST) as entered:
        what, spot = asked.stocked(entered)
        adjusted: Adjusted = act(entered, command(what, spot), dry_run=dry_run)
        views = loss_views(entered, adjusted.losses)
        document_id = None if dry_run else adjusted.document_id
        if document_id is not None and not adjusted.repeated:
            with entered.begin() as tx:
                detail = {"units": asked.units, "grade": asked.grade, "document": document_id}
                entered.log(tx, f"stock.{verb}", f"item:{what.item_id}", **detail)
    if call.as_json:
        told = asked.told(dry_run=dry_run, losses=losses_as_json(views), document_id=document_id)
        say_json({**told, "change": adjusted.change, "repeated": adjusted.repeated})
        return
    if adjusted.repeated:
        say(f"{verb.capitalize()} {asked.key} was booked before; nothing was changed.")
    elif adjusted.document_id is None:
        say(f"{done}, as the books say; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: {done}{_change(verb, adjusted.change)}. Without --dry-run it is booked.")
    else:
        say(f"{done}{_change(verb, adjusted.change)}, document {document_id}.")
    say_losses(views, dry_run=dry_run)


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

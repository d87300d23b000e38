"""``holdfast stock receive``, ``found``, ``missing``, ``damage`` and the like: goods that come, go, or turn out to be
other than the books say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.stock import GOOD, DocumentKind, Stocked
from edge.commands.acting import (
    MOST,
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
    was_done_before,
)
from edge.commands.common import FIRST_MERCHANT, As, AsJson, DataDir, Door, Merchant, counted, door, say, say_json

if TYPE_CHECKING:
    from core.command import Command
    from core.goods.adjusting import Adjusted
    from core.stock import Spot

Note = Annotated[str, typer.Option("--reason", help="a note for the document")]
Into = Annotated[str, typer.Option("--to", metavar="PLACE", help="a warehouse, or one of its bins like MAIN/A-01")]
Where = Annotated[str, typer.Option("--at", metavar="PLACE", help="where: a warehouse, or a bin like MAIN/A-01")]
Damaged = Annotated[int, typer.Option("--damaged", min=0, help="sale units among them that are not to be sold")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options of a command say."""

    sku: str
    units: int
    grade: str
    key: str
    reason: str
    as_json: bool
    dry_run: bool = False
    place: str = ""

    @property
    def goods(self) -> str:
        grade = "" if self.grade == GOOD else f" ({self.grade})"
        return f"{counted(self.units, 'unit')} of {self.sku}{grade}"

    def told(self, **more: object) -> dict[str, object]:
        return {"sku": self.sku, "grade": self.grade, "units": self.units, **more}


def receive(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    number: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST, help="how many came in, 1 or more")],
    unit: Annotated[str, typer.Option("--unit", help="what N counts, like case; see `holdfast item unit`")] = "",
    damaged: Damaged = 0,
    grade: Grade = "good",
    to: Into = "",
    key: Key = "",
    reason: Note = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Book units in.

    They serve what waits, the rest is free at once, and every live store shows it.

    \b
    Example: holdfast stock receive MUG-RED 40 --key delivery-2041
             holdfast stock receive MUG-RED 3 --unit case --damaged 2
             holdfast stock receive MUG-RED 40 --to BERLIN/A-01
    """
    from core import catalog
    from core.goods import items

    with door(merchant, data_dir, as_, Right.STOCK_RECEIVE) as entered:
        units, note = number, reason or key
        if unit:
            with entered.begin() as tx:
                units = items.in_sale_units(tx, catalog.item_id_of(tx, sku), number, unit)
            note = f"{note}, {number} {unit}".removeprefix(", ")
        _bring_in(entered, _Asked(sku, units, grade, key, note, as_json, place=to), DocumentKind.RECEIPT, damaged)


def found(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    to: Into = "",
    key: Key = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Book in units that the books did not know of.

    \b
    Example: holdfast stock found MUG-RED 2 --reason "behind the shelf"
    """
    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        _bring_in(entered, _Asked(sku, units, grade, key, reason, as_json, place=to), DocumentKind.FOUND)


def return_(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    damaged: Damaged = 0,
    grade: Grade = "good",
    to: Into = "",
    inspected: Annotated[bool, typer.Option("--inspected", help="where returns wait: these were looked at")] = False,
    key: Key = "",
    reason: Note = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Book in goods that came back, in the grade they are of.

    What a store puts back on sale by itself is booked by itself. This is for all that comes back otherwise. Where
    returns wait (`holdfast apart returns`), `holdfast apart inspect` says what they are.

    \b
    Example: holdfast stock return MUG-RED 1 --grade minor_defect
             holdfast stock return MUG-RED 2 --damaged 2
    """
    with door(merchant, data_dir, as_, Right.STOCK_RECEIVE) as entered:
        from core.goods import inspection

        with entered.begin() as tx:
            waits = not inspected and inspection.returns_wait(tx)
        asked = _Asked(sku, units, grade, key, reason or key, as_json, place=to)
        _bring_in(entered, asked, DocumentKind.RETURN, units if waits else damaged, waits=waits)


def _bring_in(entered: Door, asked: _Asked, kind: DocumentKind, damaged: int = 0, *, waits: bool = False) -> None:
    from core import catalog
    from core.errors import Refused
    from core.goods.inspection import ReturnToInspect
    from core.goods.receiving import Receive
    from core.warehouse import warehouses

    if damaged > asked.units:
        raise Refused(f"{damaged} of {asked.units} units cannot be damaged; say how many of them are")
    with entered.begin() as tx:
        item_id, asked_at = catalog.item_id_of(tx, asked.sku), tx.now
        spot = warehouses.spot_of(tx, asked.place) if asked.place else None
    what = Stocked(item_id, asked.grade)
    good = {what: asked.units - damaged}
    broken = {what: damaged} if damaged else {}
    comes_in = ReturnToInspect if waits else Receive
    document_id = act(entered, comes_in(effect_key(kind, asked.key), kind, good, asked.reason, broken, spot))
    with entered.begin() as tx:
        repeated = was_done_before(tx, document_id, asked_at)
        if not repeated:
            detail = {"units": asked.units, "damaged": damaged, "grade": asked.grade, "document": document_id}
            entered.log(tx, f"stock.{'receive' if kind is DocumentKind.RECEIPT else kind}", f"item:{item_id}", **detail)
    if asked.as_json:
        say_json(asked.told(damaged=damaged, document_id=document_id, repeated=repeated))
    elif repeated:
        say(f"{str(kind).capitalize()} {asked.key} was booked before, as document {document_id}; nothing was changed.")
    else:
        apart = f", {damaged} of them not to be sold{' before they are inspected' * waits}" if damaged else ""
        say(f"{asked.goods} booked in{apart}, document {document_id}.")


def missing(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say that units are gone.

    What nobody was promised goes first. If that is not enough, the newest promises wait again, each with an incident.

    \b
    Example: holdfast stock missing MUG-RED 2 --reason "not on the shelf" --dry-run
    """
    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        _lose(entered, _Asked(sku, units, grade, key, reason, as_json, dry_run, at), DocumentKind.MISSING)


def damage(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Set units apart that cannot be sold.

    They stay on hand until they are mended or scrapped. Promises make room as when units are missing. Goods that can
    still be sold, for less, are regraded instead.

    \b
    Example: holdfast stock damage MUG-RED 2 --reason "dropped"
    """
    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        _lose(entered, _Asked(sku, units, grade, key, reason, as_json, dry_run, at), DocumentKind.DAMAGE)


def _lose(entered: Door, asked: _Asked, kind: DocumentKind) -> None:
    from core.goods.adjusting import Lose

    what, spot = _stocked(entered, asked)
    command = Lose(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)
    verb = "are set apart as unavailable" if kind is DocumentKind.DAMAGE else "are booked as missing"
    _adjust(entered, asked, command, what, str(kind), f"{asked.goods} {verb}")


def mend(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put units back on sale that were set apart as unavailable.

    \b
    Example: holdfast stock mend MUG-RED 1 --reason "cleaned"
    """
    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        _unblock(entered, _Asked(sku, units, grade, key, reason, as_json, place=at), DocumentKind.MEND)


def scrap(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Throw units away that were set apart as unavailable.

    \b
    Example: holdfast stock scrap MUG-RED 1 --reason "broken for good"
    """
    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        _unblock(entered, _Asked(sku, units, grade, key, reason, as_json, place=at), DocumentKind.SCRAP)


def _unblock(entered: Door, asked: _Asked, kind: DocumentKind) -> None:
    from core.goods.adjusting import Unblock

    what, spot = _stocked(entered, asked)
    command = Unblock(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)
    verb = "are back on sale" if kind is DocumentKind.MEND else "are thrown away"
    _adjust(entered, asked, command, what, str(kind), f"{asked.goods} {verb}")


def regrade(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    units: Units,
    reason: Reason,
    to: Annotated[GradeName, typer.Option("--to", help="what they are")] = "minor_defect",
    grade: Annotated[GradeName, typer.Option("--from", help="what they were thought to be")] = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say that units are of another grade.

    They are missing in one and found in the other, in one document.

    \b
    Example: holdfast stock regrade MUG-RED 2 --to minor_defect --reason "scratched"
    """
    from core.goods.adjusting import Regrade

    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        asked = _Asked(sku, units, grade, key, reason, as_json, dry_run, at)
        what, spot = _stocked(entered, asked)
        command = Regrade(effect_key("regrade", key), reason, what, to, units, spot=spot)
        _adjust(entered, asked, command, what, "regrade", f"{asked.goods} are {to} from now on")


def set_(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    counted_: Annotated[int, typer.Argument(metavar="N", min=0, max=MOST, help="units on the shelf, 0 or more")],
    reason: Reason,
    grade: Grade = "good",
    at: Where = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say how many units are on the shelf.

    The difference to the books is found, or missing. Count what could be sold, in one grade: with what is promised and
    has not left, without what is set apart as unavailable.

    \b
    Example: holdfast stock set MUG-RED 17 --reason count
    """
    from core.goods.adjusting import SetOnShelf

    with door(merchant, data_dir, as_, Right.STOCK_ADJUST) as entered:
        asked = _Asked(sku, counted_, grade, key, reason, as_json, dry_run, at)
        what, spot = _stocked(entered, asked)
        command = SetOnShelf(effect_key("set", key), reason, what, counted_, spot=spot)
        _adjust(entered, asked, command, what, "set", f"{sku} has {counted(counted_, 'unit')} on the shelf")


def _stocked(entered: Door, asked: _Asked) -> "tuple[Stocked, Spot | None]":
    """What it is about, and in which bin (None: the default one)."""
    from core import catalog
    from core.warehouse import warehouses

    with entered.begin() as tx:
        spot = warehouses.spot_of(tx, asked.place) if asked.place else None
        return Stocked(catalog.item_id_of(tx, asked.sku), asked.grade), spot


def _adjust(entered: Door, asked: _Asked, command: "Command", what: Stocked, verb: str, done: str) -> None:
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
    """Add all of these to ``holdfast stock``."""
    acts: Mapping[str, Callable[..., None]] = {
        "receive": receive, "found": found, "return": return_, "missing": missing, "damage": damage, "mend": mend,
        "scrap": scrap, "regrade": regrade, "set": set_,
    }  # fmt: skip
    for name, run in acts.items():
        commands.command(name)(run)

"""``holdfast count``: stocktakes, from the sheet to the booking."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import MOST, DryRun, loss_views, losses_as_json, say_losses
from edge.commands.common import Call, Door, say, say_json
from edge.commands.count_sheets import BadRows, Row, read_rows, read_words, rows_of
from edge.commands.spread import spread
from edge.instants import HELP as INSTANT_HELP

if TYPE_CHECKING:
    from datetime import datetime

    from core.stocktake.entering import Entered
    from core.stocktake.opening import Terms
    from core.stocktake.posting import Posted
    from core.transaction import Transaction

commands = typer.Typer(
    help="Count goods while they are sold, and set the books right.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="of the stocktake, like S-7")]
LeaveOut = Annotated[bool, typer.Option("--leave-out", help="book the others where lines have to be counted again")]
Places = Annotated[
    list[str],
    typer.Option("--at", metavar="PLACE", help="what to count: a whole warehouse like MAIN, or a bin like MAIN/A-01"),
]
Skus = Annotated[list[str] | None, typer.Option("--sku", help="only this item; once for each")]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="A|B|C",
        help="only items of this class by what they sold: A 80 of 100, B the next 15, C the rest",
    ),
]
By = Annotated[
    Literal["units", "value"], typer.Option("--by", help="what classes are made of: units sold, or their cost")
]
NotFor = Annotated[
    int | None, typer.Option("--not-for", metavar="DAYS", min=1, help="only what was not counted for so long")
]
Most = Annotated[int | None, typer.Option("--most", metavar="N", min=1, help="only N lines, those counted longest ago")]
Blind = Annotated[bool, typer.Option("--blind", help="who counts is not told what the books hold")]
Uncounted = Annotated[
    Literal["leave", "zero"],
    typer.Option("--uncounted", help="what nobody counts is left alone, or was gone when this was opened"),
]
Freeze = Annotated[
    bool, typer.Option("--freeze", help="nobody books goods into these bins or out of them until it ends")
]


@dataclass(frozen=True, slots=True)
class Scope:
    """Options that say which goods of its places a stocktake counts, and how."""

    sku: Skus = None
    class_: Classes = None
    by: By = "units"
    not_for: NotFor = None
    most: Most = None
    blind: Blind = False
    uncounted: Uncounted = "leave"
    freeze: Freeze = False
    note: Annotated[str, typer.Option("--note", help="for everybody who looks at it later")] = ""

    def terms(self, tx: "Transaction") -> "Terms":
        """Raises: NotFound, naming unknown items."""
        from core.goods import skus
        from core.stocktake.opening import Choice, Terms

        items = [item.id for item in skus.resolve(tx, self.sku or ()).values()]
        choice = Choice(items, self.class_ or (), self.not_for, self.most, self.by == "value")
        return Terms(self.blind, self.uncounted == "zero", self.freeze, self.note, choice)


@commands.command()
@spread
def start(number: Number, at: Places, *, scope: Scope, call: Call) -> None:
    """Open a stocktake and write down what the books hold now.

    Without --sku, --class, --not-for or --most everything in those places is counted. Goods go on being sold.

    \b
    Example: holdfast count start S-7 --at MAIN --blind
             holdfast count start S-8 --at MAIN --class A --by value --not-for 30
             holdfast count start S-9 --at MAIN/A-01 --freeze --uncounted zero
    """
    from core.stocktake import opening, views

    with call.door(Right.STOCK_ADJUST) as entered:
        if scope.freeze:
            entered.actor.require(Right.STOCK_MOVE)
        with entered.begin() as tx:
            row = opening.start(tx, number, at, scope.terms(tx))
            entered.log(tx, "count.start", f"stocktake:{row.number}", at=at, chosen=row.chosen, freeze=scope.freeze)
            lines = views.progress(tx, row).lines
    if call.as_json:
        say_json({"number": row.number, "lines": lines, "opened_at": row.opened_at, "blind": scope.blind})
    else:
        say(
            f"Stocktake {row.number} is open: {counted(lines, 'line')} to count. `holdfast count sheet {row.number}` "
            f"prints the sheet, `holdfast count enter {row.number}` takes what was counted."
        )


@commands.command()
@spread
def enter(
    number: Number,
    goods: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SKU=N...]", help="SKU=N or SKU=N:minor_defect; what could be sold and stands there"),
    ] = None,
    at: Annotated[str, typer.Option("--at", metavar="PLACE", help="where: a bin, or a warehouse's default bin")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="CSV", help="a filled-in sheet; - reads it from stdin")
    ] = None,
    when: Annotated[str, typer.Option("--when", metavar="TIME", help=f"when it was counted, {INSTANT_HELP}")] = "",
    counter: Annotated[
        str, typer.Option("--counter", metavar="WORD", help="who counted, like team-2; else who enters it")
    ] = "",
    *,
    call: Call,
) -> None:
    """Enter what was counted.

    Lines come in any order, some now and others later. Entering a line again replaces what the same counter said of it.
    What is entered counts as counted now, or at the time that --when or the column counted_at says: what moves
    afterwards is taken into account. Rows of a file without a count are left alone.

    \b
    Example: holdfast count enter S-7 MUG-RED=17 POT=4 --at MAIN/A-01
             holdfast count enter S-7 --file sheet.csv --counter team-2
    """
    from core.stocktake import entering, views

    if bool(goods) == bool(file):
        raise typer.BadParameter("say what was counted, like MUG-RED=17, or name a file with --file")
    rows = None if file is None else rows_of(file)
    with call.door(Right.STOCK_ADJUST) as entered, entered.begin() as tx:
        if rows is None:
            counts = read_words(tx, goods or (), at, _instant(tx, when))
            done = entering.enter(tx, number, counts, counter)
        else:
            done = _enter_rows(tx, number, rows, counter, when)
        recount = views.names(tx, done.recount)
        entered.log(tx, "count.enter", f"stocktake:{number}", lines=done.lines, counter=counter)
    if call.as_json:
        say_json({"number": number, "lines": done.lines, "revision": done.revision, "recount": recount})
        return
    say(f"{counted(done.lines, 'line')} of stocktake {number} entered.")
    for name in recount:
        say(f"Counters differ: {name}. Somebody counts it again.")


def _instant(tx: "Transaction", words: str) -> "datetime | None":
    from core.zones import zone_of
    from edge.instants import read_instant

    return read_instant(words, tx.now, zone_of(tx)) if words else None


def _enter_rows(tx: "Transaction", number: str, rows: Sequence[Row], counter: str, when: str) -> "Entered":
    from core.stocktake import entering
    from core.stocktake.entering import CannotEnter
    from core.zones import zone_of

    zone, at = zone_of(tx), _instant(tx, when)
    sheet = read_rows(tx, rows, zone)
    if sheet.problems:
        raise BadRows(sheet.problems)
    counts = [entering.Counted(one.spot, one.stocked, one.units, one.at or at) for one in sheet.counts]
    try:
        return entering.enter(tx, number, counts, counter)
    except CannotEnter as refused:
        raise BadRows({sheet.rows[n]: why for n, why in refused.problems.items()}) from refused


@commands.command()
@spread
def approve(
    number: Number,
    revision: Annotated[
        int | None,
        typer.Option("--revision", min=1, max=MOST, help="the one that you have seen; refused if counted since"),
    ] = None,
    *,
    call: Call,
) -> None:
    """Approve what varies, as a second person: one who counted nothing of it.

    A count that is entered afterwards takes the approval back.

    \b
    Example: holdfast count approve S-7 --as planner@shop.example
    """
    from core.stocktake import approving

    with call.door(Right.COUNT_APPROVE) as entered, entered.begin() as tx:
        varies = approving.approve(tx, number, entered.actor, revision)
        entered.log(tx, "count.approve", f"stocktake:{number}", found=varies.found, missing=varies.missing)
    if call.as_json:
        say_json({"number": number, "found": varies.found, "missing": varies.missing, "lines": varies.varying})
    else:
        say(
            f"Stocktake {number} is approved: {varies.found} found and {varies.missing} missing on "
            f"{counted(varies.varying, 'line')}. `holdfast count post {number}` books it."
        )


@commands.command()
@spread
def post(number: Number, leave_out: LeaveOut = False, dry_run: DryRun = False, *, call: Call) -> None:
    """Book what varies; stopped half-way, the same command goes on.

    What is missing is taken from what nobody was promised first, then the newest promises wait again, each with an
    incident. With --dry-run sales of these goods wait until the answer is there.

    \b
    Example: holdfast count post S-7 --dry-run
    """
    from core.stocktake import papers, posting

    with call.door(Right.STOCK_ADJUST) as entered:
        if dry_run:
            with entered.begin() as tx:
                papers.require_sight(papers.find(tx, number), entered.actor)
        act = posting.rehearse if dry_run else posting.post
        posted = act(entered.app.db, entered.merchant_id, number, actor=str(entered.actor), leave_out=leave_out)
        if not (dry_run or posted.repeated):
            with entered.begin() as tx:
                entered.log(tx, "count.post", f"stocktake:{number}", found=posted.found, missing=posted.missing)
        _say_posted(entered, number, posted, dry_run, call.as_json)


def _say_posted(entered: Door, number: str, posted: "Posted", dry_run: bool, as_json: bool) -> None:
    losses = loss_views(entered, posted.losses)
    if as_json:
        say_json({
            "number": number, "dry_run": dry_run, "repeated": posted.repeated, "lines": posted.lines,
            "found": posted.found, "missing": posted.missing, "documents": posted.documents,
            "left_out": posted.left_out, "losses": losses_as_json(losses),
        })  # fmt: skip
        return
    told = f"{posted.found} found and {posted.missing} missing on {counted(posted.lines, 'line')}"
    if posted.repeated:
        say(f"Stocktake {number} was posted before: {told}; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: {told}. Without --dry-run it is booked.")
    else:
        say(f"Stocktake {number} is posted: {told}, {counted(posted.documents, 'document')}.")
    for why, lines in posted.left_out.items():
        say(f"{counted(lines, 'line')} left alone: {_WHY[why]}.")
    say_losses(losses, dry_run=dry_run)


_WHY = {
    "uncounted": "nobody counted them",
    "recount": "their counters differ",
    "corrected": "somebody corrected their books after they were counted; count them again",
}


@commands.command()
@spread
def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="why, for everybody who looks at it later")] = "",
    *,
    call: Call,
) -> None:
    """End a stocktake and book nothing of it.

    \b
    Example: holdfast count cancel S-7 --reason "wrong day"
    """
    from core.stocktake import papers

    with call.door(Right.STOCK_ADJUST) as entered, entered.begin() as tx:
        changed = papers.cancel(tx, number, reason)
        if changed:
            entered.log(tx, "count.cancel", f"stocktake:{number}")
    if call.as_json:
        say_json({"number": number, "changed": changed})
    else:
        say(f"Stocktake {number} is cancelled." if changed else f"Stocktake {number} was cancelled before.")


@commands.command()
@spread
def limit(
    units: Annotated[int | None, typer.Option("--units", min=0, help="found and missing ones together")] = None,
    percent: Annotated[int | None, typer.Option("--percent", min=0, help="of the units that the books held")] = None,
    none: Annotated[bool, typer.Option("--none", help="nobody has to approve")] = False,
    *,
    call: Call,
) -> None:
    """Show or say which stocktakes a second person has to approve: those that vary by more than this.

    Both limits hold where both are said; what is not said is no limit.

    \b
    Example: holdfast count limit --units 20 --percent 2
    """
    from core.stocktake import papers
    from core.stocktake.papers import Limit

    says = units is not None or percent is not None
    if says and none:
        raise typer.BadParameter("say a limit, or --none, not both")
    right = Right.MERCHANT_CHANGE if says or none else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        if says or none:
            papers.set_limit(tx, Limit(units, percent))
            entered.log(tx, "count.limit", "stocktakes", units=units, percent=percent)
        found = papers.limit(tx)
    if call.as_json:
        say_json({"units": found.units, "percent": found.percent})
        return
    parts = [] if found.units is None else [f"{counted(found.units, 'unit')}"]
    parts += [] if found.percent is None else [f"{found.percent} % of what was counted"]
    if parts:
        say(f"A second person approves a stocktake that varies by more than {' or '.join(parts)}.")
    else:
        say("Nobody has to approve a stocktake. `holdfast count limit --units 20` changes that.")

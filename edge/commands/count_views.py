"""``holdfast count sheet``, ``show``, ``variance`` and ``list``: looking at stocktakes."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.count import Number
from edge.commands.count_sheets import COUNTED, COUNTED_AT, GRADE, PLACE, SKU
from edge.commands.places import Places, say_placed
from edge.commands.spread import spread
from edge.instants import cells

if TYPE_CHECKING:
    from core.stocktake.papers import StocktakeRow
    from core.stocktake.worth import Worth
    from core.transaction import Transaction


@spread
def sheet(
    number: Number,
    only: Annotated[
        Literal["uncounted", "recount"] | None, typer.Option("--only", help="only lines that are still to be counted")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="CSV", help="write it there; else to stdout")] = None,
    *,
    call: Call,
) -> None:
    """Write the sheet to count with, as CSV: `holdfast count enter` takes it when it is filled in.

    Fill in the column counted, and counted_at where it was counted earlier than it is entered. Of a blind stocktake
    the sheet does not say what the books hold. What stands there and is on no line is added as a line of its own.

    \b
    Example: holdfast count sheet S-7 --file sheet.csv
    """
    from core.stocktake import papers, views
    from edge.csv_files import written

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = papers.find(tx, number)
        lines = views.lines(tx, row, [only] if only else [])
    books = {} if row.blind else {"book": "opened"}
    if call.as_json:
        names = ("place", "sku", "title", "grade", "state", *books.values())
        say_json([{name: getattr(line, name) for name in names} for line in lines])
        return
    with written(file, [PLACE, SKU, "title", GRADE, *books, COUNTED, COUNTED_AT]) as write:
        for line in lines:
            held = [] if row.blind else [line.opened]
            write([line.place, line.sku, line.title, line.grade, *held, "", ""])
    if file is not None and str(file) != "-":
        say(f"{counted(len(lines), 'line')} written to {file}.")


@spread
def show(
    number: Number,
    sku: Annotated[str, typer.Option("--sku", help="all counts of this item, replaced ones too")] = "",
    *,
    call: Call,
) -> None:
    """Show how far a stocktake is, and who did what.

    \b
    Example: holdfast count show S-7
             holdfast count show S-7 --sku MUG-RED
    """
    from core import catalog
    from core.stocktake import papers, views
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = papers.find(tx, number)
        if sku:
            counts = [dataclasses.asdict(one) for one in views.counts(tx, row, catalog.item_id_of(tx, sku))]
            _say_counts(entered, tx, row, counts, call.as_json)
            return
        told, zone = _told(tx, row), zone_of(tx)
    if call.as_json:
        say_json(told)
        return
    done = told["progress"]
    say(
        f"{row.number}  {row.state}, {_kind(row)}, of {', '.join(told['bins'])}"
        + (f" ({row.chosen})" if row.chosen else "")
    )
    say(
        f"{counted(done['lines'], 'line')}: {done['counted']} counted, {done['uncounted']} not counted, "
        f"{done['recount']} to be counted again; {done['posted']} posted, {done['left_out']} left alone."
    )
    say_table(["what", "who", "when"], [cells(one.values(), zone) for one in told["history"]])
    if told["counters"]:
        columns = ["counter", "entered by", ">lines", "last"]
        say_table(columns, [cells(one.values(), zone) for one in told["counters"]])


def _kind(row: "StocktakeRow") -> str:
    uncounted = "what nobody counts was gone" if row.uncounted_is_zero else "what nobody counts is left alone"
    return f"{'blind' if row.blind else 'open'}, {uncounted}"


def _told(tx: "Transaction", row: "StocktakeRow") -> dict[str, Any]:
    from core.access.actors import names_of
    from core.stocktake import views

    history = [
        ("opened", row.opened_by, row.opened_at), ("approved", row.approved_by, row.approved_at),
        ("posting begun", row.posting_by, row.posting_at), ("posted", row.posting_by, row.posted_at),
        ("cancelled", row.cancelled_by, row.cancelled_at),
    ]  # fmt: skip
    counters = views.counters(tx, row)
    refs = [*(who for _, who, _ in history), *(one.counter for one in counters), *(one.entered_by for one in counters)]
    names = names_of(tx, refs)
    return {
        "number": row.number, "state": row.state, "blind": row.blind, "chosen": row.chosen, "note": row.note,
        "uncounted": "zero" if row.uncounted_is_zero else "leave", "revision": row.revision, "reason": row.reason,
        "bins": views.bins(tx, row), "progress": dataclasses.asdict(views.progress(tx, row)),
        "history": [
            {"what": what, "who": names.get(who, who), "at": at} for what, who, at in history if at is not None
        ],
        "counters": [
            {"counter": names.get(one.counter, one.counter), "entered_by": names.get(one.entered_by, one.entered_by),
             "lines": one.lines, "last_at": one.last_at}
            for one in counters
        ],
    }  # fmt: skip


def _say_counts(
    entered: Door, tx: "Transaction", row: "StocktakeRow", counts: list[dict[str, Any]], as_json: bool
) -> None:
    from core.access.actors import names_of
    from core.stocktake import papers
    from core.zones import zone_of

    names = names_of(tx, [one[key] for one in counts for key in ("counter", "entered_by")])
    for one in counts:
        one.update({key: names.get(one[key], one[key]) for key in ("counter", "entered_by")})
        if papers.is_hidden(row, entered.actor):
            del one["book"]
    if as_json:
        say_json(counts)
    elif counts:
        zone = zone_of(tx)
        say_table(list(counts[0]), [cells(one.values(), zone) for one in counts])
    else:
        say("Nobody has counted that yet.")


@spread
def variance(
    number: Number,
    all_of_them: Annotated[bool, typer.Option("--all", help="also lines that do not vary")] = False,
    *,
    call: Call,
) -> None:
    """Show what was counted against the books, and what posting would change.

    `book` is what the books held when the line was counted, `now` what they hold now: what moved in between is neither
    lost nor found. Lines named corrected have to be counted again. `value` is by how much posting changes what the
    goods on hand are worth, by moving average; each currency has its own sum.

    \b
    Example: holdfast count variance S-7
    """
    from core.stocktake import approving, papers, posting, views, worth

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = papers.find(tx, number)
        papers.require_sight(row, entered.actor)
        lines = views.lines(tx, row, varying=not all_of_them)
        values = worth.of_lines(tx, row, lines)
        varies, needed = approving.variance(tx, row), approving.needed(tx, row) is not None
        is_open = row.state in ("counting", "approved")
        again = views.names(tx, list(posting.to_count_again(tx, row))) if is_open else []
        places = Places.of(tx)
    told = [
        {**dataclasses.asdict(line), "percent": line.percent, **_worth(one)}
        for line, one in zip(lines, values, strict=True)
    ]
    whole = worth.total(values)
    if call.as_json:
        approval = {"approval_needed": needed and row.approved_at is None}
        total = {**dataclasses.asdict(varies), **approval, **_worth(whole)}
        say_json({"number": number, "revision": row.revision, "total": total, "count_again": again, "lines": told})
        return
    columns = ["place", "SKU", "grade", "state", ">book", ">counted", ">variance", ">%", ">now", ">posted", ">value"]
    names = ("place", "sku", "grade", "state", "book", "counted", "variance", "percent", "now", "posted")
    sums = [_sums(one) or None for one in values]
    shown = [{**one, "place": places.said(one["place"])} for one in told]
    say_placed(columns, [[*(one[n] for n in names), value] for one, value in zip(shown, sums, strict=True)], "place")
    say(
        f"{varies.found} found and {varies.missing} missing on {counted(varies.varying, 'line')} of {varies.lines}, "
        f"revision {row.revision}." + (" A second person has to approve it." if needed and not row.approved_at else "")
    )
    if whole.minor:
        say(
            f"Posting it {'would change' if row.posting_at is None else 'changed'} the value on hand by {_sums(whole)}."
        )
    if whole.without_cost:
        say(f"Beside that, {counted(abs(whole.without_cost), 'unit')} of which nobody noted what they cost.")
    for name in again:
        say(f"To be counted again: {name}.")


def _worth(one: "Worth") -> dict[str, Any]:
    from core.money import from_minor

    value = {currency: from_minor(minor, currency) for currency, minor in one.minor.items()}
    return {"value": value, "without_cost": one.without_cost}


def _sums(one: "Worth") -> str:
    from core.money import write_money

    return ", ".join(write_money(minor, currency) for currency, minor in one.minor.items())


@spread
def list_(
    all_of_them: Annotated[bool, typer.Option("--all", help="also those that are posted or cancelled")] = False,
    *,
    call: Call,
) -> None:
    """List stocktakes that are open, the newest first.

    \b
    Example: holdfast count list
    """
    from core.stocktake import papers
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, zone = papers.every(tx, all_of_them=all_of_them), zone_of(tx)
    told = [
        {"number": row.number, "state": row.state, "opened_at": row.opened_at, "chosen": row.chosen or "everything",
         "blind": row.blind, "note": row.note}
        for row in found
    ]  # fmt: skip
    if call.as_json:
        say_json(told)
    elif told:
        columns = ["number", "state", "opened", "what", "blind", "note"]
        rows = [[*list(one.values())[:4], "yes" if one["blind"] else "", one["note"]] for one in told]
        say_table(columns, [cells(row, zone) for row in rows])
    else:
        say("No stocktake is open. `holdfast count start` opens one.")

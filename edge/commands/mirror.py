"""``holdfast mirror``: outside systems that are the truth for what stands in a warehouse."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, ago, confirm, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import cells

if TYPE_CHECKING:
    from datetime import datetime

    from core.mirror.views import Status

commands = typer.Typer(
    help="Take over what another system counts in a warehouse.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="what you call the system, like wms")]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Options that say what a system may change by itself; None where nothing is said."""

    missing: Annotated[
        Literal["keep", "zero"] | None,
        typer.Option("--missing", help="what a full batch says of items that it does not name: nothing, or 0"),
    ] = None
    most_percent: Annotated[
        str | None,
        typer.Option("--most-percent", metavar="N|off", help="share of items that a batch may change by itself"),
    ] = None
    most_zeroed: Annotated[
        str | None, typer.Option("--most-zeroed", metavar="N|off", help="items whose last unit it may take by itself")
    ] = None
    most_units: Annotated[
        str | None, typer.Option("--most-units", metavar="N|off", help="units that it may move by itself")
    ] = None
    silent_after: Annotated[
        str | None, typer.Option("--silent-after", metavar="TIME|off", help="it is silent after such a time, like 2h")
    ] = None

    def terms(self) -> dict[str, object]:
        """As the core names them. Raises: typer.BadParameter."""
        from edge.durations import read_duration

        terms: dict[str, object] = {} if self.missing is None else {"zero_missing": self.missing == "zero"}
        for name in ("most_percent", "most_zeroed", "most_units"):
            if (words := getattr(self, name)) is not None:
                terms[name] = _bound(words)
        if self.silent_after is not None:
            silent = self.silent_after
            terms["silent_after_s"] = None if silent == "off" else int(read_duration(silent).total_seconds())
        return terms


@commands.command()
@spread
def add(
    name: Name,
    warehouse: Annotated[str, typer.Option("--warehouse", metavar="CODE", help="what it counts, like MAIN")],
    by_time: Annotated[
        bool, typer.Option("--by-time", help="its messages have a time; else a version that rises")
    ] = False,
    by_bin: Annotated[bool, typer.Option("--by-bin", help="it counts bins; else the whole warehouse")] = False,
    *,
    bounds: Bounds,
    call: Call,
) -> None:
    """Name the system that is the truth for a warehouse.

    A full batch that would change more than 20 % of the items, take the last unit of more than 20 items, or move more
    than 5,000 units waits for a person, unless you say other bounds.

    \b
    Example: holdfast mirror add wms --warehouse MAIN --missing zero --silent-after 2h
    """
    from core.mirror import sources

    terms = bounds.terms()
    with call.door(Right.PLACE_CHANGE) as entered, entered.begin() as tx:
        source_id = sources.add(tx, name, warehouse, terms, by_time=by_time, by_bin=by_bin)
        entered.log(tx, "mirror.add", f"mirror:{source_id}", warehouse=warehouse)
        source = sources.find(tx, name)
    if call.as_json:
        say_json(dataclasses.asdict(source))
    else:
        say(
            f"{source.name} counts {source.warehouse}. It tells so by POST /mirror/{source.name}/items with the key "
            f"that `holdfast key make {source.name} --scope stock.adjust` makes, or you read its files: "
            f"`holdfast mirror read FILE.csv --source {source.name} --dry-run`."
        )


@commands.command("set")
@spread
def change(name: Name, bounds: Bounds, call: Call) -> None:
    """Say other bounds for a system, or what missing items mean.

    \b
    Example: holdfast mirror set wms --most-percent 40 --most-units off
    """
    from core.mirror import sources

    terms = bounds.terms()
    if not terms:
        raise typer.BadParameter("say what is to change, like --most-percent 40")
    with call.door(Right.PLACE_CHANGE) as entered, entered.begin() as tx:
        changed = sources.change(tx, name, terms)
        if changed:
            entered.log(tx, "mirror.set", f"mirror:{sources.find(tx, name).id}", terms=sorted(terms))
    if call.as_json:
        say_json({"name": name, "changed": changed})
    else:
        say(f"{name} is changed." if changed else f"All of that is said of {name} already.")


@commands.command("list")
@spread
def list_(*, call: Call) -> None:
    """List the systems, with when each spoke last, and what waits.

    \b
    Example: holdfast mirror list
    """
    from core.mirror import views
    from edge.mirror_told import status_as_json

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, now = views.every(tx), tx.now
    if call.as_json:
        say_json([status_as_json(one) for one in found])
    elif found:
        columns = ["name", "counts", "last message", "last batch", ">items", ">late", ">refused", "state"]
        say_table(columns, [_line(one, now) for one in found])
    else:
        say("No outside system is named. `holdfast mirror add NAME --warehouse MAIN` names one.")


@commands.command()
@spread
def show(name: Name, *, call: Call) -> None:
    """Show a system: its last batches, what came late or was refused, and what should be counted again.

    \b
    Example: holdfast mirror show wms
    """
    from core.mirror import sources, views
    from core.zones import zone_of
    from edge.mirror_told import shown

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        source = sources.find(tx, name)
        status, told, now = views.status(tx, source), shown(tx, source), tx.now
        told["unsettled"] = [dataclasses.asdict(one) for one in views.unsettled(tx, source)]
        zone = zone_of(tx)
    if call.as_json:
        say_json(told)
        return
    say_table(["name", "counts", "last message", "last batch", ">items", ">late", ">refused", "state"],
              [_line(status, now)])  # fmt: skip
    if told["newest"] is not None:
        say(f"It is at {'time' if source.by_time else 'version'} {told['newest']}.")
    _say_rows("Batches", told["batches"], ("batch", "state", "received_at", "named", "same", "why"), zone)
    _say_rows("Late, and changed nothing", told["late_messages"], ("received_at", "sku", "grade", "bin", "units"), zone)
    _say_rows("Refused, and not told rightly since", told["refusals"], ("subject", "why", "times", "last_at"), zone)
    _say_rows("Left since they were counted; a new count may be higher", told["unsettled"],
              ("sku", "grade", "bin", "units", "as_of"), zone)  # fmt: skip


@commands.command()
@spread
def restart(name: Name, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False, *, call: Call) -> None:
    """Let a system count its versions anew, when it was set up again; stock stays as it is.

    What it told before is no longer newer than anything, so nothing of its past may still be under way.

    \b
    Example: holdfast mirror restart wms
    """
    from core.mirror import sources

    with call.door(Right.PLACE_CHANGE) as entered:
        with entered.begin() as tx:
            sources.find(tx, name)
        confirm(f"Forget how far {name} has counted its versions?", yes=yes)
        with entered.begin() as tx:
            items = sources.restart(tx, name)
            entered.log(tx, "mirror.restart", f"mirror:{sources.find(tx, name).id}", items=items)
    if call.as_json:
        say_json({"name": name, "items": items})
    else:
        say(f"{name} may begin again with version 0; {counted(items, 'item')} can be told anew.")


@commands.command()
@spread
def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False, *, call: Call) -> None:
    """Take a warehouse back from a system: it tells nothing any more. Stock and documents stay.

    \b
    Example: holdfast mirror remove wms
    """
    from core.mirror import sources

    with call.door(Right.PLACE_CHANGE) as entered:
        with entered.begin() as tx:
            source = sources.find(tx, name)
        confirm(f"Forget {name} and what it said?", yes=yes)
        with entered.begin() as tx:
            sources.remove(tx, name)
            entered.log(tx, "mirror.remove", f"mirror:{source.id}", warehouse=source.warehouse)
    if call.as_json:
        say_json({"name": name, "removed": True})
    else:
        say(f"{source.warehouse} is counted by nobody else now.")


def _bound(words: str) -> int | None:
    if words == "off":
        return None
    if not (words.isascii() and words.isdigit() and len(words) < 12):
        raise typer.BadParameter(f"{words!r} is no bound; write a number, or off")
    return int(words)


def _line(one: "Status", now: "datetime") -> list[object]:
    source, told_all_at = one.source, one.last_batch and one.last_batch.received_at
    return [source.name, source.warehouse, ago(one.last_message_at, now), ago(told_all_at, now), one.items, one.late,
            one.refused, _state(one)]  # fmt: skip


def _state(one: "Status") -> str:
    """What somebody has to do."""
    held = [str(row.id) for row in one.waiting if row.state == "held"]
    torn = [str(row.id) for row in one.waiting if row.state != "held"]
    told = ["silent"] if one.silent else []
    told += [f"`holdfast mirror review {' '.join(held)}`"] if held else []
    told += [f"`holdfast mirror resume {' '.join(torn)}`"] if torn else []
    return ", ".join(told) or "well"


def _say_rows(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...], zone: ZoneInfo) -> None:
    if rows:
        say(f"\n{title}")
        named = [name.replace("_", " ") for name in columns]
        say_table(named, [cells((row[name] for name in columns), zone) for row in rows])

"""``holdfast sync``: compare a whole store with what it should show, now."""

import dataclasses
from typing import Annotated

import typer

from core.access.rights import Right
from core.errors import Refused
from core.model import StoreMode
from core.words import counted
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread

_ROWS_SHOWN = 50


@spread
def sync(
    store: Annotated[str, typer.Argument(metavar="STORE", help="the store's name")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only look: write nothing, here or there")] = False,
    *,
    call: Call,
) -> None:
    """Compare all of a store with what it should show; set it right.

    Every number is read back, and what differs is shown. A store that is not live is never written to: what differs
    waits until it is.

    \b
    Example: holdfast sync Berlin --dry-run
    """
    from core import stores
    from jobs.sync import full_sync

    with call.door(Right.SYNC_RUN) as entered:
        with entered.begin() as tx:
            row = stores.find(tx, store)
        if row.mode is StoreMode.OFF:
            raise Refused(f"{row.name} is off; `holdfast store mode {row.name} observe` lets Holdfast read it")
        report = full_sync(entered.app, call.merchant, row.id, dry_run=dry_run)
        if not dry_run:
            with entered.begin() as tx:
                entered.log(tx, "sync.run", f"store:{row.id}", compared=report.compared, differ=len(report.differences))
    if call.as_json:
        say_json({"store": row.name, "mode": row.mode, "dry_run": dry_run, **dataclasses.asdict(report)})
        return
    if report.differences:
        shown = report.differences[:_ROWS_SHOWN]
        say_table(["SKU", "title", ">shows", ">should show"], [[d.sku, d.title, d.shown, d.wanted] for d in shown])
        if len(report.differences) > _ROWS_SHOWN:
            say(f"... and {len(report.differences) - _ROWS_SHOWN:,} more; --json lists all.")
    say(
        f"{row.name}: {counted(report.listings, 'listing')}, {report.new_listings:,} new; {report.compared:,} "
        f"compared, {len(report.differences):,} differ."
    )
    if report.differences:
        say(_what_follows(row.name, row.mode, paused=row.paused, dry_run=dry_run))


def _what_follows(name: str, mode: StoreMode, *, paused: bool, dry_run: bool) -> str:
    if dry_run:
        return f"Nothing was written; `holdfast sync {name}` sets it right."
    if paused:
        return f"{name} is paused, so nothing is written; `holdfast store resume {name}` goes on."
    if mode is not StoreMode.LIVE:
        return f"{name} is in mode {mode}, so nothing is written; `holdfast store mode {name} live` changes that."
    return "They are set right within seconds; what cannot be explained yet waits for the store's newest orders."

"""``holdfast explain``: why each store shows its number of an item, and what would make it another."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.selling.availability import Step
    from core.selling.explain import Explanation


@spread
def explain(
    sku: Annotated[str, typer.Argument(metavar="SKU", help="the item's code; upper and lower case are the same")],
    store: Annotated[str, typer.Option("--store", metavar="NAME", help="this store alone")] = "",
    make: Annotated[
        int | None, typer.Option("--make", metavar="N", min=0, help="also say what alone would make it N")
    ] = None,
    *,
    call: Call,
) -> None:
    """Say step by step why a store shows its number.

    With it stand what was last pushed and read back, what is on its way, and which documents moved the item.

    \b
    Example: holdfast explain MUG-RED --store Berlin
             holdfast explain MUG-RED --store Berlin --make 12
    """
    from core import catalog, stores
    from core.access import actors
    from core.selling.explain import as_data, explanations
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku)
        store_id = stores.find(tx, store).id if store else None
        found = explanations(tx, item_id, store_id=store_id, make=make)
        who = [mover.actor for one in found for mover in one.movers]
        who += [change.actor for one in found for change in one.rule_changes]
        names, now, zone = actors.names_of(tx, who), tx.now, zone_of(tx)
    if call.as_json:
        say_json([as_data(one) for one in found])
        return
    if not found:
        nobody = f"{store} does not list" if store else "No store lists"
        say(f"{nobody} {sku}; `holdfast stock show {sku}` tells what there is.")
    for nth, one in enumerate(found):
        if nth:
            say("")
        _say_number(one, now, zone)
        _say_ways(one, make)
        _say_movers(one, names, now)


def _say_number(one: "Explanation", now: datetime, zone: ZoneInfo) -> None:
    grade = "" if one.grade == "good" else f", {one.grade.replace('_', ' ')}"
    say(f"{one.sku} on {one.store} (listing {one.external_id}{grade}): {one.number:,}")
    say_table(["step", ">number", "why"], list(_steps(one.steps)))
    if one.parked:
        say(f"It is not pushed: {one.parked}")
    for line in _whereabouts(one, now, zone):
        say(line)


def _say_ways(one: "Explanation", number: int | None) -> None:
    if one.ways is None:
        return
    if not one.ways.changes:
        say(f"What would make it {number:,}: nothing alone; {one.ways.reason}.")
        return
    say(f"What would make it {number:,}, each by itself:")
    for change in one.ways.changes:
        say(f"  {change.words}")


def _steps(walked: "Sequence[Step]", of: str = "") -> Iterator[list[object]]:
    from core.selling.wording import sentence

    for step in walked:
        for part in step.parts:
            yield from _steps(part.steps, f"{part.sku}: ")
        yield [of + step.name, f"{step.number:,}", sentence(step)]


def _whereabouts(one: "Explanation", now: datetime, zone: ZoneInfo) -> Iterator[str]:
    """What the store was told, what was read back, and what is on its way, a sentence each."""
    if one.pushed is None:
        yield "Never pushed."
    else:
        because = f": {one.pushed.reason}" if one.pushed.reason else ""
        shown = "" if one.pushed.shown is None else f", and it showed {one.pushed.shown:,}"
        told = f"to show {one.pushed.wanted:,}{shown}{because}"
        yield f"Last push {ago(one.pushed.at, now)} ({one.pushed.status}): {told}."
    if one.observed is not None:
        when = "" if one.observed_at is None else f", {ago(one.observed_at, now)} by the store's clock"
        yield f"Last read back: {one.observed:,}{when}."
    if one.paused or one.mode not in ("live", "dry_run"):
        yield f"The store is {'paused' if one.paused else f'in mode {one.mode}'}: nothing is told to it."
    elif not one.parked:
        yield from _on_its_way(one, now, zone)
    if (most := one.on_its_way.may_raise_to) is not None:
        yield f"A write without an answer may have raised it to {most:,}."


def _on_its_way(one: "Explanation", now: datetime, zone: ZoneInfo) -> Iterator[str]:
    way = one.on_its_way
    if way.stale_since is None:
        yield "Nothing is on its way."
        return
    since = ago(way.stale_since, now).removesuffix(" ago")
    not_before = local(way.waits_until, zone, seconds=True) if way.waits_until else ""
    waits = f", after {way.tries} tries not before {not_before}" if not_before else ""
    yield f"On its way for {since}{', being pushed now' if way.pushing else waits}."
    if way.at_once != one.number:
        yield f"Only {way.at_once:,} can be told at once: other listings still show units that are to come here."


def _say_movers(one: "Explanation", names: Mapping[str, str], now: datetime) -> None:
    rows = []
    for mover in one.movers:
        order = f"order {mover.order} of {mover.store}" if mover.store else mover.order
        rows.append([ago(mover.recorded_at, now), mover.id, mover.kind, mover.sku, f"{mover.free:+,}",
                     order or mover.reason, names.get(mover.actor, mover.actor),
                     "yes" if mover.is_told else "not yet"])  # fmt: skip
    if rows:
        say("What moved it last:")
        say_table(["when", ">document", "kind", "SKU", ">free", "cause", "by", "pushed"], rows)
    for change in one.rule_changes:
        was, becomes = ("not set" if value is None else value for value in (change.was, change.becomes))
        whose = f"{change.rule} of the {change.scope}"
        who = names.get(change.actor, change.actor)
        say(f"Rule changed {ago(change.changed_at, now)}: {whose}, from {was} to {becomes}, by {who}.")

"""``holdfast lock list``, ``show``, ``report`` and ``history``: what locks have, and how it came about."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.lock_parts import Key
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.sales.lock_report import Event, Line, LockView


@spread
def list_locks(
    every: Annotated[bool, typer.Option("--all", help="also those that were refused or have ended")] = False,
    sku: Annotated[str, typer.Option("--sku", metavar="SKU", help="only locks of this item")] = "",
    store: Annotated[str, typer.Option("--store", metavar="NAME", help="only locks for orders of this store")] = "",
    *,
    call: Call,
) -> None:
    """Show the locks that are asked for, approved or in use.

    \b
    Example: holdfast lock list
             holdfast lock list --sku MUG-RED --all
    """
    from core import catalog, stores
    from core.sales import lock_report
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        store_id = stores.find(tx, store).id if store else None
        found, zone = lock_report.locks(tx, every=every, item_id=item_id, store_id=store_id), zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("No lock. Ask for one: holdfast lock request KEY SKU N")
    else:
        columns = ["lock", "item", "for", ">units", ">free", ">waits", ">promised", "state", "ends"]
        say_table(columns, [_row(one, zone) for one in found])


def _row(one: "LockView", zone: ZoneInfo) -> list[object]:
    from core.zones import end_in

    state = f"begins {local(one.starts_at, zone)}" if one.status == "approved" else one.status
    promised = one.reserved + one.sold
    return [
        one.name, _item(one), _party(one), one.quantity, one.free, one.waiting, promised, state,
        end_in(one.expires_at, zone) if one.expires_at else "",
    ]  # fmt: skip


def _item(one: "LockView") -> str:
    return one.sku if one.grade == "good" else f"{one.sku} ({one.grade})"


def _party(one: "LockView") -> str:
    """For whom a lock is, in few words."""
    kind = "floor" if one.standing else one.type
    place = f"{'pure ' if one.pure else ''}in {one.warehouse}" if one.warehouse else ""
    return ", ".join(word for word in (kind, one.store, one.account, one.owner, place) if word)


@spread
def show(key: Key, *, call: Call) -> None:
    """Show all that is known of a lock.

    \b
    Example: holdfast lock show trade-fair
    """
    from core.access import actors
    from core.sales import lock_report
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        one = lock_report.lock(tx, key)
        line, zone = lock_report.line_of(one, tx.now, 7, 7), zone_of(tx)
        names = actors.names_of(tx, [one.requested_by, one.decided_by])
    if call.as_json:
        say_json({**dataclasses.asdict(one), "fill": one.fill, "notes": line.notes})
        return
    say(f"{one.called}: {counted(one.quantity, 'unit')} of {_item(one)} for {_party(one)}, {one.status}")
    say_table([">free", ">waits", ">reserved", ">sold", ">gone", ">filled"],
              [[one.free, one.waiting, one.reserved, one.sold, one.consumed, f"{one.fill} %"]])  # fmt: skip
    for words in _facts(one, names, zone):
        say(words)
    for note in line.notes:
        say(f"{note[0].upper()}{note[1:]}.")


def _facts(one: "LockView", names: Mapping[str, str], zone: ZoneInfo) -> Iterable[str]:
    requested = f"Requested by {names.get(one.requested_by, one.requested_by)} on {local(one.requested_at, zone)}"
    decided = f", decided by {names.get(one.decided_by, one.decided_by)} on {local(one.decided_at, zone)}"
    yield requested + (decided if one.decided_at else "") + (f": {one.reason}." if one.reason else ".")
    begins = f"Begins {local(one.starts_at, zone)}. " if one.starts_at else ""
    yield begins + _ends(one, zone)
    shared = {"yes": "may take", "no": "may not take", "ask": "ask before they take"}[one.overflow]
    yield f"Its orders {shared} what everybody shares; its priority is {one.priority}."
    if one.migrated_from:
        yield f"It carries on lock {one.migrated_from}; `holdfast lock history {one.key}` tells all of it."


def _ends(one: "LockView", zone: ZoneInfo) -> str:
    from core.zones import end_in

    if one.expires_at is None:
        return "Has no end."
    if one.status == "expired":
        return f"Ended {end_in(one.expires_at, zone)}."
    return f"{'Would have ended' if one.status in ('closed', 'refused') else 'Ends'} {end_in(one.expires_at, zone)}."


@spread
def report(
    idle_days: Annotated[int, typer.Option(min=1, metavar="N", help="free units unmoved for N days are idle")] = 7,
    ahead_days: Annotated[int, typer.Option(min=0, metavar="N", help="tell ends within N days")] = 7,
    *,
    call: Call,
) -> None:
    """Show age and fill of locks, idle units, ends ahead.

    \b
    Example: holdfast lock report --idle-days 14
    """
    from core.sales import lock_report

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        told = lock_report.report(tx, idle_days=idle_days, ahead_days=ahead_days)
    if call.as_json:
        say_json(dataclasses.asdict(told))
        return
    if not told.lines:
        say("No lock is open.")
        return
    columns = ["lock", "item", "for", "state", ">days", ">filled", ">free", ">idle", ">waits", ">ends in"]
    say_table(columns, [_line(line) for line in told.lines])
    say(f"{told.free:,} free, {told.idle:,} of them idle; {told.promised:,} promised; {told.waiting:,} waited for.")
    for line in told.lines:
        for note in line.notes:
            say(f"{line.lock.name} {note}")


def _line(line: "Line") -> list[object]:
    one = line.lock
    ends = "" if line.ends_in_days is None else f"{line.ends_in_days} d"
    return [
        one.name, _item(one), _party(one), "used up" if line.used_up else one.status, line.age_days, f"{line.fill} %",
        one.free, line.idle, one.waiting, ends,
    ]  # fmt: skip


@spread
def history(key: Key, *, call: Call) -> None:
    """Show what happened to a lock.

    The history begins with the first lock that it migrated from, and ends with the last it migrated to. What orders
    drew on it stands in `holdfast stock card`.

    \b
    Example: holdfast lock history trade-fair
    """
    from core.access import actors
    from core.sales import lock_report
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        told, zone = lock_report.history(tx, key), zone_of(tx)
        names = actors.names_of(tx, [event.who for event in told.events])
    if call.as_json:
        events = [{**dataclasses.asdict(event), "by": names.get(event.who, event.who)} for event in told.events]
        locks = [dataclasses.asdict(one) for one in told.locks]
        say_json({"locks": locks, "links": told.links, "events": events, "left_out": told.left_out})
        return
    called = {one.key: one.name for one in told.locks}
    for before, after in told.links:
        say(f"{called[before]} migrated to {called[after]}.")
    rows = [_event(event, called, names, zone) for event in told.events]
    say_table(["when", "lock", "what", "by", "units", "why"], rows)
    if told.left_out:
        say("Older documents are left out; `holdfast stock card` shows all.")


def _event(event: "Event", called: Mapping[str, str], names: Mapping[str, str], zone: ZoneInfo) -> list[object]:
    by, moves, why = names.get(event.who, event.who), "; ".join(event.moves), event.reason
    for key, name in called.items():
        if key != name:  # a floor, whose key says nothing to people
            moves, why = moves.replace(key, name), why.replace(key, name)
    return [local(event.at, zone), called[event.lock], event.what, by, moves, why]

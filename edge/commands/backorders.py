"""``holdfast backorder``: who waits for what, when it comes, and who has to be told."""

import dataclasses
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import GOOD, GRADES
from core.words import counted
from edge.commands.acting import DryRun, Grade, Key, Sku, Units, act, effect_key
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.days import read_day

if TYPE_CHECKING:
    from datetime import datetime

    from core.command import Command
    from core.sales.waiting import WaitedFor, Waiter
    from core.stock import Stocked
    from core.transaction import Transaction

commands = typer.Typer(
    help="See who waits for units, what is expected, and who goes first.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ref = Annotated[str, typer.Option("--ref", metavar="REF", help="the supply's reference, like its purchase order")]
_MOST_UNITS = 1_000_000_000


@commands.command("list")
@spread
def list_waiters(
    sku: Annotated[str, typer.Argument(metavar="[SKU]", help="one item; else all that somebody waits for")] = "",
    *,
    call: Call,
) -> None:
    """Show who waits for an item, and when each can be sent.

    In the order in which they are served: broken promises come first, then paid
    orders, presales, locks and unpaid orders; among equals a higher priority,
    then the older.

    \b
    Example: holdfast backorder list
             holdfast backorder list MUG-RED
    """
    from core import catalog
    from core.sales import waiting
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        now, today = tx.now, tx.now.astimezone(zone_of(tx)).date()
        if not sku:
            items = waiting.waited_for(tx)
        else:
            waiters = waiting.queue(tx, catalog.item_id_of(tx, sku), GRADES)
    if not sku:
        _say_items(items, now, as_json=call.as_json)
    elif call.as_json:
        say_json([{**dataclasses.asdict(one), "ships_in_days": _days(one.ships_on, today)} for one in waiters])
    else:
        _say_queue(waiters, sku, now, today)


def _say_items(items: "Sequence[WaitedFor]", now: "datetime", *, as_json: bool) -> None:
    if as_json:
        say_json([dataclasses.asdict(one) for one in items])
    elif not items:
        say("Nobody waits for anything.")
    else:
        rows = [[one.sku, one.grade, one.units, one.waiters, ago(one.oldest, now), one.next_on] for one in items]
        say_table(["item", "grade", ">units", ">waiters", "oldest", "supply next on"], rows)


def _say_queue(waiters: "Sequence[Waiter]", sku: str, now: "datetime", today: date) -> None:
    if not waiters:
        say(f"Nobody waits for {sku}.")
        return
    rows = [
        [one.place, one.grade, one.rank, one.priority, one.who, one.store, one.units, ago(one.since, now),
         _ships(one.ships_on, today), one.supply or None]
        for one in waiters
    ]  # fmt: skip
    columns = [">turn", "grade", "rank", ">priority", "who", "store", ">units", "since", "ships", "supply"]
    say_table(columns, rows)


def _days(on: date | None, today: date) -> int | None:
    return None if on is None else (on - today).days


def _ships(on: date | None, today: date) -> str:
    days = _days(on, today)
    if days is None:
        return "not known"
    return f"{on}, in {counted(days, 'day')}" if days > 0 else f"{on}"


@commands.command()
@spread
def expect(
    sku: Sku,
    units: Annotated[
        int, typer.Argument(metavar="N", min=0, max=_MOST_UNITS, help="units of the whole supply; 0: it does not come")
    ],
    on: Annotated[str, typer.Argument(metavar="DATE", help="the day on which it comes, like 2027-02-01")],
    ref: Ref,
    grade: Grade = GOOD,
    *,
    call: Call,
) -> None:
    """Say that units are to come on a day. Who waits gets a date from it; no goods are booked in.

    Said again with the same reference, the new number and day hold, and dates follow.

    \b
    Example: holdfast backorder expect MUG-RED 200 2027-02-01 --ref PO-7
    """
    from core.sales import expected, promise_dates

    day = read_day(on)
    with call.door(Right.ORDER_CHANGE) as entered, entered.begin() as tx:
        expected.refuse_purchase(tx, ref)
        stocked = _stocked(tx, sku, grade)
        if units:
            expected.require_to_come(tx, day)
        changed = expected.expect(tx, stocked, units, day, ref)
        moved = promise_dates.recompute(tx, [stocked])
        entered.log(tx, "backorder.expect", f"item:{stocked.item_id}", units=units, on=day.isoformat(), ref=ref)
    if call.as_json:
        say_json({"sku": sku, "grade": grade, "units": units, "on": day, "ref": ref, "changed": changed,
                  "dates_moved": moved})  # fmt: skip
        return
    say(f"{counted(units, 'unit')} of {sku} {'are' if units != 1 else 'is'} expected on {day} with {ref}.")
    if moved:
        say(f"The dates of {counted(moved, 'order')} moved; `holdfast backorder moved` shows who has to be told.")


def _stocked(tx: "Transaction", sku: str, grade: str) -> "Stocked":
    """Raises: NotFound; Refused for a bundle, of which only the components come."""
    from core.catalog import sku_key
    from core.errors import Refused
    from core.goods import skus
    from core.stock import Stocked

    item = skus.resolve(tx, [sku])[sku_key(sku)]
    if item.kind == "bundle":
        raise Refused(f"{item.sku} is a bundle; say what is expected of its components")
    return Stocked(item.id, grade)


@commands.command()
@spread
def arrived(sku: Sku, units: Units, ref: Ref, grade: Grade = GOOD, key: Key = "", *, call: Call) -> None:
    """Book units in that were expected.

    They serve who waits, and are expected no more.

    \b
    Example: holdfast backorder arrived MUG-RED 120 --ref PO-7 --key delivery-2041
    """
    from core.sales import arriving

    with call.door(Right.STOCK_RECEIVE) as entered:
        with entered.begin() as tx:
            stocked = _stocked(tx, sku, grade)
        came = arriving.Arrived(effect_key("receipt", key), stocked, units, ref)
        document_id, counted_now, left = arriving.arrive(entered.app.db, entered.merchant_id, came, entered.actor)
    if call.as_json:
        say_json({"sku": sku, "grade": grade, "units": units, "ref": ref, "document_id": document_id,
                  "repeated": not counted_now, "still_expected": left})  # fmt: skip
    elif not counted_now:
        say(f"Receipt {key} was booked before; nothing was changed.")
    else:
        say(f"{counted(units, 'unit')} of {sku} booked in; {ref} is to bring {left:,} more.")


@commands.command()
@spread
def supply(
    sku: Annotated[str, typer.Argument(metavar="[SKU]", help="one item; else all")] = "",
    every: Annotated[bool, typer.Option("--all", help="also what has come")] = False,
    *,
    call: Call,
) -> None:
    """Show what is expected, the earliest first.

    \b
    Example: holdfast backorder supply MUG-RED
    """
    from core import catalog
    from core.sales import expected
    from core.stock import Stocked

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        items = None if item_id is None else [Stocked(item_id, one) for one in GRADES]
        found = expected.supply(tx, items, all_of_it=every)
    if call.as_json:
        say_json([{**dataclasses.asdict(one), "open": one.open} for one in found])
    elif not found:
        say("Nothing is expected. Say what is: holdfast backorder expect SKU N DATE --ref REF")
    else:
        rows = [
            [one.reference, one.sku, one.grade, one.quantity, one.received, one.open, one.presold,
             f"{one.on}{' (late)' if one.is_late and one.open else ''}"]
            for one in found
        ]  # fmt: skip
        say_table(["supply", "item", "grade", ">units", ">received", ">to come", ">in presales", "on"], rows)


@commands.command()
@spread
def moved(
    mark_told: Annotated[bool, typer.Option("--mark-told", help="note that all of these customers are told")] = False,
    *,
    call: Call,
) -> None:
    """Show whose date is not what the customer was last told.

    \b
    Example: holdfast backorder moved
             holdfast backorder moved --mark-told
    """
    from core.sales import promise_dates

    right = Right.ORDER_CHANGE if mark_told else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        found, now = promise_dates.untold(tx), tx.now
        if mark_told and found:
            promise_dates.mark_told(tx, found)
            entered.log(tx, "backorder.told", "backorder:dates", promises=len(found))
    if call.as_json:
        say_json([{**dataclasses.asdict(one), "marked_told": mark_told} for one in found])
        return
    if not found:
        say("Everybody who waits knows the date.")
        return
    rows = [
        [one.who, one.store, one.sku, one.units, one.told, one.becomes, "; ".join(one.reasons), ago(one.at, now)]
        for one in found
    ]
    say_table(["who", "store", "item", ">units", "told", "now", "why", "since"], rows)
    if mark_told:
        say(f"{counted(len(found), 'customer')} marked as told.")
    else:
        say("`holdfast backorder moved --mark-told` notes that they are told.")


@commands.command()
@spread
def priority(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="the order's number, or the key of a hold with --hold")],
    number: Annotated[
        int, typer.Argument(metavar="N", min=-1_000_000, max=1_000_000, help="higher goes first; 0 is usual")
    ],
    store: Annotated[
        str, typer.Option("--store", metavar="STORE", help="where several have an order of that number")
    ] = "",
    hold: Annotated[bool, typer.Option("--hold", help="ORDER is the key of a hold")] = False,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Let an order that waits go before others, or after them.

    Others of its rank, that is. It moves no unit by itself: paid orders still go
    before unpaid ones. A number below 0 is written after `--`.

    \b
    Example: holdfast backorder priority 1042 5
             holdfast backorder priority quote-8 5 --hold
    """
    from core.sales import promise_dates

    with call.door(Right.ORDER_CHANGE) as entered:
        with entered.begin() as tx:
            command = _priority(tx, order, store, number, hold=hold)
        changed = act(entered, command, dry_run=dry_run)
        if not dry_run:
            with entered.begin() as tx:
                promise_dates.recompute(tx, promise_dates.concerned(tx))
                entered.log(tx, "backorder.priority", f"{'hold' if hold else 'order'}:{order}", priority=number)
    if call.as_json:
        say_json({"order": order, "priority": number, "promises": changed, "dry_run": dry_run})
    elif changed:
        say(f"{'Hold' if hold else 'Order'} {order} {'would have' if dry_run else 'has'} priority {number}.")
    else:
        say(f"{'Hold' if hold else 'Order'} {order} has priority {number} already.")


def _priority(tx: "Transaction", order: str, store: str, number: int, *, hold: bool) -> "Command":
    """Raises: NotFound, naming the cure."""
    from core import stores
    from core.orders import views as order_views
    from core.sales.drawing import OWN
    from core.sales.waiting import HoldPriority, OrderPriority

    if hold:
        return HoldPriority(order, number)
    found = order_views.view(tx, order, store=store)
    store_id = OWN if found.store == order_views.OWN_SHOP else stores.find(tx, found.store).id
    return OrderPriority(store_id, found.external_id, number)


@commands.command()
@spread
def handling(
    days: Annotated[int | None, typer.Argument(metavar="[DAYS]", min=0, max=365, help="else it is only shown")] = None,
    *,
    call: Call,
) -> None:
    """Show or set how many days goods take until they can leave.

    Counted from the day on which they come.

    \b
    Example: holdfast backorder handling 2
    """
    from core.sales import expected, promise_dates

    right = Right.STOCK_VIEW if days is None else Right.ORDER_CHANGE
    with call.door(right) as entered, entered.begin() as tx:
        moved_dates = 0
        if days is not None:
            expected.set_handling_days(tx, days)
            moved_dates = promise_dates.recompute(tx, promise_dates.concerned(tx))
            entered.log(tx, "backorder.handling", "merchant:handling", days=days)
        holds = expected.handling_days(tx)
    if call.as_json:
        say_json({"handling_days": holds, "dates_moved": moved_dates})
    else:
        say(f"Goods can be sent {counted(holds, 'day')} after they came.")

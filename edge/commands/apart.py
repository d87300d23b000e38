"""``holdfast apart``: goods that are set apart: why they lie there, and their ways out."""

import dataclasses
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import DocumentKind
from core.words import counted
from edge.commands.acting import (
    MOST,
    AskedOrTried,
    DryRun,
    Key,
    Reason,
    act,
    effect_key,
    loss_views,
    losses_as_json,
    say_losses,
)
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.places import Places, say_placed
from edge.commands.spread import spread
from edge.instants import cells, local
from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from core.supply.going_back import GoingBack
    from core.transaction import Transaction

commands = typer.Typer(
    help="See what lies there and may not be sold, and let it out again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_MOST_RECORD = 2**63 - 1
_MOST_DIGITS = 18
Record = Annotated[
    int, typer.Argument(metavar="RECORD", min=1, max=_MOST_RECORD, help="as `holdfast apart list` shows it")
]


@commands.command("list")
@spread
def list_(
    sku: Annotated[str, typer.Argument(metavar="[SKU]", help="of one item; else of all")] = "",
    at: Annotated[str, typer.Option("--at", metavar="PLACE", help="in a warehouse, or a bin like MAIN/A-01")] = "",
    to_inspect: Annotated[bool, typer.Option("--to-inspect", help="only returns nobody has looked at yet")] = False,
    *,
    call: Call,
) -> None:
    """List what lies unavailable, the oldest first: where, why and since when.

    \b
    Example: holdfast apart list --to-inspect
    """
    from core import catalog
    from core.goods import lying
    from core.stocktake.opening import bins_of
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        bins = [spot.bin_id for spot in bins_of(tx, [at])] if at else None
        found, zone = lying.every(tx, item_id, bins, to_inspect=to_inspect), zone_of(tx)
        places = Places.of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    if not found:
        say("Nothing lies unavailable there.")
        return
    rows = [
        [one.record, one.sku, one.grade, places.said(one.place), one.units, _why(one.cause, one.to_inspect), one.reason,
         f"{one.since.astimezone(zone):%Y-%m-%d}", one.purchase]
        for one in found
    ]  # fmt: skip
    say_placed([">record", "SKU", "grade", "place", ">units", "why", "reason", "since", "order"], rows, "place")
    say(f"{counted(sum(one.units for one in found), 'unit')} in all.")


def _why(cause: str, to_inspect: bool) -> str:
    if to_inspect:
        return "to be inspected"
    return {"set_apart": "held back", "damage": "damaged", "receipt": "came damaged"}.get(cause, cause)


@commands.command()
@spread
def show(record: Record, *, call: Call) -> None:
    """Show one record and what became of its units.

    \b
    Example: holdfast apart show 327680
    """
    from core.access.actors import names_of
    from core.goods import inspection, lying
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        inspection.find(tx, record)
        (one,) = lying.every(tx, record_id=record)
        exits = lying.exits(tx, record)
        names, zone, places = names_of(tx, [left.actor for left in exits]), zone_of(tx), Places.of(tx)
    told = [{**dataclasses.asdict(left), "actor": names.get(left.actor, left.actor)} for left in exits]
    if call.as_json:
        say_json({**dataclasses.asdict(one), "exits": told})
        return
    where = "there" if places.one_room else f"in {one.place}"
    say(
        f"Record {record}: {one.units} of {counted(one.of, 'unit')} of {one.sku} ({one.grade}) lie {where} "
        f"since {local(one.since, zone)}, {_why(one.cause, one.to_inspect)}: {one.reason or 'no reason was said'}."
    )
    if told:
        say_table(["when", "what", ">document", ">units", "why", "who"], [cells(left.values(), zone) for left in told])


@commands.command()
@spread
def hold(asked: AskedOrTried, call: Call) -> None:
    """Hold units back from sale until somebody has looked at them.

    They stay on hand. Promises make room as when units are missing. `holdfast apart inspect` ends it.

    \b
    Example: holdfast apart hold MUG-RED 20 --at MAIN/A-01 --reason "lid may come off"
    """
    from core.goods.adjusting import Lose

    kind, dry_run = DocumentKind.SET_APART, asked.dry_run
    with call.door(Right.STOCK_ADJUST) as entered:
        what, spot = asked.stocked(entered)
        command = Lose(effect_key(kind, asked.key), asked.reason, kind, {what: asked.units}, spot=spot)
        adjusted = act(entered, command, dry_run=dry_run)
        losses = loss_views(entered, adjusted.losses)
        if not (dry_run or adjusted.repeated):
            with entered.begin() as tx:
                detail = {"units": asked.units, "grade": asked.grade, "document": adjusted.document_id}
                entered.log(tx, "apart.hold", f"item:{what.item_id}", **detail)
    document_id = None if dry_run else adjusted.document_id
    if call.as_json:
        told = asked.told(dry_run=dry_run, document_id=document_id, repeated=adjusted.repeated)
        say_json({**told, "losses": losses_as_json(losses)})
        return
    goods = f"{counted(asked.units, 'unit')} of {asked.sku}"
    if adjusted.repeated:
        say(f"That was booked before, as document {document_id}; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: {goods} would be held back. Without --dry-run they are.")
    else:
        say(f"{goods} held back, document {document_id}. `holdfast apart list {asked.sku}` shows the record.")
    say_losses(losses, dry_run=dry_run)


@commands.command()
@spread
def inspect(
    record: Record,
    reason: Reason,
    good: Annotated[int, typer.Option("--good", min=0, max=MOST, help="units to be sold as good")] = 0,
    minor_defect: Annotated[
        int, typer.Option("--minor-defect", min=0, max=MOST, help="units to be sold as of minor defect")
    ] = 0,
    unavailable: Annotated[
        int, typer.Option("--unavailable", min=0, max=MOST, help="units that stay there, not to be sold")
    ] = 0,
    scrap: Annotated[int, typer.Option("--scrap", min=0, max=MOST, help="units to throw away")] = 0,
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say what units of a record turned out to be, all of them or some.

    What can be sold serves what waits, the rest is free at once.

    \b
    Example: holdfast apart inspect 327680 --good 2 --minor-defect 1 --reason "one scratched"
    """
    from core.goods import inspection
    from core.goods.inspection import Findings

    with call.door(Right.STOCK_ADJUST) as entered:
        done = inspection.inspect(
            entered.app.db, entered.merchant_id, record, Findings(good, minor_defect, unavailable, scrap),
            key or str(uuid.uuid4()), actor=str(entered.actor), reason=reason, dry_run=dry_run,
        )  # fmt: skip
        if not (dry_run or done.repeated):
            with entered.begin() as tx:
                detail = {"good": good, "minor_defect": minor_defect, "unavailable": unavailable, "scrap": scrap}
                entered.log(tx, "apart.inspect", f"set_apart:{record}", document=done.document_id, **detail)
    if call.as_json:
        document_id = None if dry_run else done.document_id
        say_json({"record": record, "document_id": document_id, "left": done.left, "repeated": done.repeated})
    elif done.repeated:
        say(f"That was booked before, as document {done.document_id}; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: that can be booked. {counted(done.left, 'unit')} would be left to look at.")
    else:
        left = f" {counted(done.left, 'unit')} left to look at." if done.left else ""
        say(f"Record {record} inspected, document {done.document_id}.{left}")


@commands.command("return-to-vendor")
@spread
def return_to_vendor(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="your own for the return, like VR-7")],
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="who gets them back")],
    reason: Reason,
    goods: Annotated[
        list[str] | None, typer.Argument(metavar="[SKU=N...]", help="SKU=N or SKU=N:minor_defect; once for each")
    ] = None,
    record: Annotated[
        list[str] | None, typer.Option("--record", metavar="RECORD=N", help="N units of one record; once for each")
    ] = None,
    order: Annotated[str, typer.Option("--order", help="the purchase order that they came with")] = "",
    at: Annotated[str, typer.Option("--at", metavar="PLACE", help="where SKU=N lie: a bin like MAIN/A-01")] = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Send goods that are set apart back to their supplier.

    Repeating it with the same number changes nothing more. Goods on sale are held back first.

    \b
    Example: holdfast apart return-to-vendor VR-7 MUG-RED=2 --supplier ACME --order PO-7 --reason "chipped"
             holdfast apart return-to-vendor VR-8 --record 327680=3 --supplier ACME --reason "wrong colour"
    """
    from core.supply import going_back

    with call.door(Right.STOCK_ADJUST) as entered:
        with entered.begin() as tx:
            going = [*_by_sku(entered, tx, goods or (), at), *_by_record(tx, record or ())]
        done = going_back.send_back(
            entered.app.db, entered.merchant_id, number, supplier, going, actor=str(entered.actor), reason=reason,
            purchase=order, dry_run=dry_run,
        )  # fmt: skip
        if not (dry_run or done.repeated):
            with entered.begin() as tx:
                detail = {"units": done.units, "document": done.document_id, "order": order}
                entered.log(tx, "apart.return", f"vendor_return:{number}", **detail)
    document_id = done.document_id if not dry_run or done.repeated else None
    if call.as_json:
        say_json({
            "number": number, "document_id": document_id, "units": done.units, "repeated": done.repeated,
            "dry_run": dry_run,
        })  # fmt: skip
    elif done.repeated:
        say(f"{number} was booked before, as document {document_id}; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: {counted(done.units, 'unit')} would go back to {supplier}.")
    else:
        say(f"{counted(done.units, 'unit')} went back to {supplier}, document {document_id}.")


def _by_sku(entered: Door, tx: "Transaction", goods: Sequence[str], at: str) -> "list[GoingBack]":
    from core.ledger import home_of
    from core.supply.going_back import GoingBack
    from core.warehouse import warehouses

    spot = warehouses.spot_of(tx, at) if at else home_of(entered.app.db, entered.merchant_id).spot
    return [GoingBack(spot, stocked, units) for stocked, units in find_goods(tx, read_goods(goods))]


def _by_record(tx: "Transaction", words: Sequence[str]) -> "list[GoingBack]":
    from core.supply import going_back

    found = []
    for word in words:
        record, _, units = word.partition("=")
        if not all(part.isascii() and part.isdigit() and len(part) <= _MOST_DIGITS for part in (record, units)):
            raise typer.BadParameter(f"{word!r} is no record with its units; write it like 327680=3")
        found.append(going_back.of_record(tx, int(record), int(units)))
    return found


@commands.command("returns")
@spread
def returns_(
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="they wait until somebody has looked at them, or do not")
    ] = None,
    *,
    call: Call,
) -> None:
    """Show or say whether goods that come back wait, not to be sold, until somebody has looked at them.

    It holds for `holdfast stock return`. What a store puts back on sale by itself is on sale.

    \b
    Example: holdfast apart returns --wait
    """
    from core.goods import inspection

    right = Right.STOCK_VIEW if wait is None else Right.MERCHANT_CHANGE
    with call.door(right) as entered, entered.begin() as tx:
        if wait is not None:
            inspection.set_returns_wait(tx, wait)
            entered.log(tx, "apart.returns", "merchant", wait=wait)
        waits = inspection.returns_wait(tx)
    if call.as_json:
        say_json({"wait": waits})
    else:
        say(f"Goods that come back {'wait to be inspected' if waits else 'are on sale at once'}.")

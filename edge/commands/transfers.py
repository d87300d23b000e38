"""``holdfast transfer``: goods between our own warehouses, from the wish to the arrival."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun, effect_key, loss_views, losses_as_json, say_losses
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.spread import spread
from edge.days import read_day
from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from core.supply.sending import Moved
    from core.supply.transfers import Transfer
    from core.transaction import Transaction

commands = typer.Typer(
    help="Send goods from one of your warehouses to another.", no_args_is_help=True, rich_markup_mode=None
)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="of the transfer, like T-7")]
GOODS = "SKU=N or SKU=N:minor_defect; once for each"
Goods = Annotated[list[str], typer.Argument(metavar="SKU=N...", help=GOODS)]
SomeGoods = Annotated[list[str] | None, typer.Argument(metavar="[SKU=N...]", help=f"{GOODS}; else all that is left")]
Key = Annotated[str, typer.Option("--key", help="your own name for this; repeating it changes nothing more")]
Note = Annotated[str, typer.Option("--reason", help="a note for the document")]


@commands.command()
@spread
def ask(
    number: Number,
    goods: Goods,
    from_: Annotated[str, typer.Option("--from", metavar="WAREHOUSE", help="where the goods are")],
    to: Annotated[str, typer.Option("--to", metavar="WAREHOUSE", help="where they are to be")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="when they are to arrive, like 2027-03-31")] = "",
    note: Note = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Ask for goods to be sent; their warehouse keeps what is there of them, and what comes free there later.

    \b
    Example: holdfast transfer ask T-7 MUG-RED=20 POT=5 --from MAIN --to HAMBURG --dry-run
    """
    from core.supply import transfers
    from core.warehouse import warehouses

    with call.door(Right.STOCK_MOVE) as entered, entered.begin_or_try(dry_run) as tx:
        ends = warehouses.id_of(tx, from_), warehouses.id_of(tx, to)
        wanted = dict(find_goods(tx, read_goods(goods)))
        if len(wanted) < len(goods):
            raise typer.BadParameter("an item is named twice; say how many units of it in one place")
        transfers.ask(tx, number, ends, wanted, expected_on=read_day(on) if on else None, note=note)
        entered.log(tx, "transfer.ask", f"transfer:{number}", goods=goods)
        found = transfers.find(tx, number)
        told = _told(tx, found)
    if call.as_json:
        say_json({**told, "dry_run": dry_run})
        return
    lacking = sum(line["asked"] - line["kept"] for line in told["lines"])
    if dry_run:
        keeps = sum(line["kept"] for line in told["lines"])
        kept = f"{counted(keeps, 'unit')} kept for it in {from_}"
        say(f"Only tried out: transfer {number} would be asked for, and {kept}.")
    else:
        say(f"Transfer {number} is asked for. `holdfast transfer send {number}` sends it.")
    if lacking:
        say(
            f"{counted(lacking, 'unit')} of it cannot be kept now. What comes free there is kept for it once no "
            f"customer waits for it; `holdfast transfer show {number}` tells how much is."
        )


@commands.command()
@spread
def send(
    number: Number,
    goods: SomeGoods = None,
    from_: Annotated[str, typer.Option("--from", metavar="PLACE", help="the bin they leave, like MAIN/A-01")] = "",
    key: Key = "",
    reason: Note = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Send goods off, all that was asked for or some.

    They stay on sale while they are on their way. Without --from they leave the default bin of their warehouse.

    \b
    Example: holdfast transfer send T-7
             holdfast transfer send T-7 MUG-RED=10 --from MAIN/A-01
    """
    from core.supply import sending
    from core.warehouse import warehouses

    with call.door(Right.STOCK_MOVE) as entered:
        with entered.begin() as tx:
            transfer = _find(tx, number)
            spot = warehouses.spot_of(tx, from_ or warehouses.code_by_id(tx, transfer.row.from_id))
            units = _by_line(tx, transfer, goods) if goods else None
        moved = sending.send(
            entered.app.db, entered.merchant_id, number, units, spot, effect_key("cli", key),
            actor=str(entered.actor), reason=reason, dry_run=dry_run,
        )  # fmt: skip
        _say(entered, number, moved, "sent", dry_run, call.as_json)


@commands.command()
@spread
def receive(
    number: Number,
    goods: SomeGoods = None,
    damaged: Annotated[
        list[str] | None,
        typer.Option("--damaged", metavar="SKU=N", help="of these, so many are not to be sold; once for each item"),
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="the bin they are put in, like HAMBURG/A-01")] = "",
    key: Key = "",
    reason: Note = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Book in what arrived, all that is on its way or some.

    \b
    Example: holdfast transfer receive T-7
             holdfast transfer receive T-7 MUG-RED=10 --damaged MUG-RED=2
    """
    from core.supply import sending
    from core.warehouse import warehouses

    with call.door(Right.STOCK_RECEIVE) as entered:
        with entered.begin() as tx:
            transfer = _find(tx, number)
            spot = warehouses.spot_of(tx, to or warehouses.code_by_id(tx, transfer.row.to_id))
            units, broken = _by_line(tx, transfer, goods or ()), _by_line(tx, transfer, damaged or ())
        came = {line: sending.among(units.get(line, 0), broken.get(line, 0)) for line in (*units, *broken)}
        moved = sending.receive(
            entered.app.db, entered.merchant_id, number, came if goods else sending.Rest(broken), spot,
            effect_key("cli", key), actor=str(entered.actor), reason=reason, dry_run=dry_run,
        )  # fmt: skip
        _say(entered, number, moved, "booked in", dry_run, call.as_json)


@commands.command()
@spread
def lose(
    number: Number,
    goods: SomeGoods = None,
    reason: Annotated[str, typer.Option("--reason", help="what became of them")] = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Give up goods that never arrived.

    What nobody was promised goes first. If that is not enough, the newest promises wait again, each with an incident.

    \b
    Example: holdfast transfer lose T-7 MUG-RED=2 --reason "parcel lost" --dry-run
    """
    from core.supply import sending

    with call.door(Right.STOCK_ADJUST) as entered:
        with entered.begin() as tx:
            units = _by_line(tx, _find(tx, number), goods) if goods else None
        moved = sending.lose(
            entered.app.db, entered.merchant_id, number, units, effect_key("cli", key), actor=str(entered.actor),
            reason=reason, dry_run=dry_run,
        )  # fmt: skip
        _say(entered, number, moved, "given up", dry_run, call.as_json)


@commands.command()
@spread
def close(number: Number, *, call: Call) -> None:
    """Send no more of what was asked for; what is on its way still arrives.

    `holdfast transfer show` goes on telling what was asked for, and how much of it was closed.

    \b
    Example: holdfast transfer close T-7
    """
    from core.supply import keeping, transfers

    with call.door(Right.STOCK_MOVE) as entered, entered.begin() as tx:
        changed = transfers.close(tx, number)
        if changed:
            entered.log(tx, "transfer.close", f"transfer:{number}")
        found = transfers.find(tx, number)
        units = sum(keeping.closed(tx, found.row.id).values())
    if call.as_json:
        say_json({"number": number, "state": found.state, "changed": changed, "closed": units})
    elif changed:
        not_sent = counted(units, "unit")
        say(f"Transfer {number} is {found.state}; {not_sent} of what was asked for will not be sent.")
    else:
        say(f"Nothing of {number} was still to be sent.")


@commands.command()
@spread
def show(number: Number, *, call: Call) -> None:
    """Show what was asked for, is kept for it, was sent, is on its way, arrived and was lost.

    \b
    Example: holdfast transfer show T-7
    """
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        told = _told(tx, _find(tx, number))
    if call.as_json:
        say_json(told)
        return
    say(f"{number}  {told['from']} to {told['to']}, {told['state']}" + (f", due {told['on']}" if told["on"] else ""))
    columns = ["SKU", "grade", ">asked", ">closed", ">kept", ">sent", ">on its way", ">came", ">lost"]
    say_table(columns, [list(line.values()) for line in told["lines"]])


@commands.command("list")
@spread
def list_(
    all_of_them: Annotated[bool, typer.Option("--all", help="also those that are done")] = False, *, call: Call
) -> None:
    """List transfers that are not done, the newest first.

    \b
    Example: holdfast transfer list
    """
    from core.supply import transfers
    from core.warehouse import warehouses

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = transfers.every(tx, all_of_them=all_of_them)
        codes = {one.id: one.code for one in warehouses.every(tx)}
    told = [
        {"number": one.row.number, "from": codes[one.row.from_id], "to": codes[one.row.to_id], "state": one.state,
         "on": str(one.row.expected_on or ""), "on_its_way": sum(line.on_its_way for line in one.lines)}
        for one in found
    ]  # fmt: skip
    if call.as_json:
        say_json(told)
    elif told:
        say_table(["number", "from", "to", "state", "due", ">on its way"], [list(one.values()) for one in told])
    else:
        say("No transfer is under way. `holdfast transfer ask` makes one.")


def _find(tx: "Transaction", number: str) -> "Transfer":
    from core.supply import transfers

    return transfers.find(tx, number)


def _by_line(tx: "Transaction", transfer: "Transfer", goods: Sequence[str]) -> dict[int, int]:
    from core.supply import transfers

    found = find_goods(tx, read_goods(goods))
    return {
        transfers.line_of(transfer, stocked, text.partition("=")[0]).id: units
        for text, (stocked, units) in zip(goods, found, strict=True)
    }


def _told(tx: "Transaction", transfer: "Transfer") -> dict[str, Any]:
    from core.supply import keeping
    from core.warehouse import warehouses

    kept, closed = keeping.kept(tx, transfer.row.id), keeping.closed(tx, transfer.row.id)
    lines = [
        {"sku": transfer.skus[line.item_id], "grade": line.grade, "asked": line.asked + closed.get(line.id, 0),
         "closed": closed.get(line.id, 0), "kept": kept[line.id], "sent": line.sent, "on_its_way": line.on_its_way,
         "came": line.came, "lost": line.lost}
        for line in transfer.lines
    ]  # fmt: skip
    row = transfer.row
    ends = {"from": warehouses.code_by_id(tx, row.from_id), "to": warehouses.code_by_id(tx, row.to_id)}
    return {"number": row.number, **ends, "state": transfer.state, "on": str(row.expected_on or ""), "note": row.note,
            "lines": lines}  # fmt: skip


def _say(entered: Door, number: str, moved: "Moved", done: str, dry_run: bool, as_json: bool) -> None:
    losses = loss_views(entered, moved.losses)
    if as_json:
        say_json({
            "number": number, "document_id": moved.document_id, "repeated": moved.repeated, "dry_run": dry_run,
            "lines": [line._asdict() for line in moved.lines], "extra": moved.extra, "losses": losses_as_json(losses),
        })  # fmt: skip
        return
    if moved.repeated:
        say(f"That was booked before, as document {moved.document_id}; nothing was changed.")
        return
    if dry_run:
        say(f"Only tried out: goods of {number} would be {done}.")
    else:
        say(
            f"Goods of {number} are {done}, document {moved.document_id}. `holdfast transfer show {number}` tells more."
        )
    if moved.extra:
        verb = "would be" if dry_run else "is" if moved.extra == 1 else "are"
        was = "was on its" if moved.extra == 1 else "were on their"
        say(f"{counted(moved.extra, 'unit')} more than {was} way {verb} booked in as found.")
    say_losses(losses, dry_run=dry_run)

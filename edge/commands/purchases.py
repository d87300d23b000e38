"""``holdfast purchase``: order goods from suppliers, move and cut orders, and note what is announced."""

from typing import Annotated

import typer

from core.access.rights import Right
from core.stock import GOOD
from core.words import counted
from edge.commands.acting import MOST, DryRun, Grade, Key, Reason, Sku, loss_views, losses_as_json, say_losses
from edge.commands.common import Call, say, say_json
from edge.commands.purchase_parts import (
    Cases,
    Number,
    On,
    by_line,
    dates_follow,
    say_moved,
)
from edge.commands.purchase_parts import (
    as_json as told,
)
from edge.commands.spread import spread
from edge.days import read_day

commands = typer.Typer(
    help="Order goods from suppliers, and see what is on its way.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

What = Annotated[list[str], typer.Argument(metavar="SKU=N...", help="items and units, like MUG-RED=50")]


@commands.command()
@spread
def new(
    number: Number,
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="who sends the goods")],
    to: Annotated[str, typer.Option("--to", metavar="WAREHOUSE", help="where they go; else the first one")] = "",
    on: On = "",
    note: Annotated[str, typer.Option("--note", help="for everybody who looks at the order later")] = "",
    *,
    call: Call,
) -> None:
    """Start a purchase order, as a draft without lines.

    Without a day, its goods are expected after the supplier's lead days.

    \b
    Example: holdfast purchase new PO-7 --supplier ACME --on 2027-02-01
    """
    from core.ledger import home_of
    from core.supply import purchases
    from core.warehouse import warehouses

    day = read_day(on) if on else None
    with call.door(Right.PURCHASE_CHANGE) as entered:
        place = home_of(entered.app.db, entered.merchant_id).warehouse_id
        with entered.begin() as tx:
            place = warehouses.id_of(tx, to) if to else place
            row = purchases.new(tx, number, supplier, place, expected_on=day, note=note)
            entered.log(tx, "purchase.new", f"purchase:{row.id}", number=row.number)
    if call.as_json:
        say_json({"order": row.number, "id": row.id, "state": "draft", "expected_on": day})
    else:
        say(f"{row.number} is a draft; `holdfast purchase add-line {row.number} SKU N` says what to order.")


@commands.command("add-line")
@spread
def add_line(
    number: Number,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="our code of the item, or the supplier's")],
    quantity: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST, help="how many, 1 or more")],
    cases: Cases = False,
    grade: Grade = GOOD,
    on: On = "",
    cost: Annotated[str, typer.Option("--cost", metavar="3.20", help="of one unit; else as the supplier says")] = "",
    *,
    call: Call,
) -> None:
    """Add a line to a draft.

    \b
    Example: holdfast purchase add-line PO-7 MUG-RED 10 --cases
             holdfast purchase add-line PO-7 MUG-RED 240 --cost 3.20
    """
    from core.money import to_minor
    from core.supply import purchases, suppliers

    day = read_day(on) if on else None
    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        supplier = suppliers.get(tx, purchases.find(tx, number).row.supplier_id)
        minor = to_minor(cost, supplier.currency) if cost else None
        (line,) = purchases.add_lines(tx, number, [purchases.Wanted(sku, quantity, cases, grade, day, minor)])
        least = suppliers.brings(tx, supplier.id, [line.item_id])[line.item_id].least_units
        entered.log(tx, "purchase.add-line", f"purchase:{line.purchase_id}", item=line.item_id, units=line.ordered)
    if call.as_json:
        say_json({"order": number, "line": line.nth, "sku": sku, "units": line.ordered, "pack_size": line.pack_size,
                  "least_units": least})  # fmt: skip
        return
    say(f"{number} orders {counted(line.ordered, 'unit')} of {sku}; `holdfast purchase place {number}` places it.")
    if line.ordered < least:
        say(f"{supplier.code} sells {least:,} units or more of it.")


@commands.command("drop-line")
@spread
def drop_line(number: Number, sku: Sku, grade: Grade = GOOD, *, call: Call) -> None:
    """Take a line off a draft. Units of a placed order are cut instead.

    \b
    Example: holdfast purchase drop-line PO-7 MUG-RED
    """
    from core.supply import purchases

    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        order = purchases.find(tx, number).row
        item = purchases.item_named(tx, order.supplier_id, sku)
        dropped = purchases.drop_line(tx, number, item.id, grade)
        if dropped:
            entered.log(tx, "purchase.drop-line", f"purchase:{order.id}", item=item.id)
    if call.as_json:
        say_json({"order": number, "sku": item.sku, "dropped": dropped})
    else:
        say(f"{number} orders no {item.sku} any more." if dropped else f"{number} orders no {item.sku}.")


@commands.command()
@spread
def place(number: Number, dry_run: DryRun = False, *, call: Call) -> None:
    """Place an order: its units are on their way from now on.

    Who waits for them gets a date.

    \b
    Example: holdfast purchase place PO-7
    """
    from core.supply import placing, views

    with call.door(Right.PURCHASE_CHANGE) as entered:
        acted = placing.place(entered.app.db, entered.merchant_id, number, actor=str(entered.actor), dry_run=dry_run)
        moved = 0 if dry_run else dates_follow(entered, acted.stocked)
        with entered.begin() as tx:
            order = views.show(tx, number)
    if call.as_json:
        say_json(told(number, acted, units=order.ordered, dates_moved=moved, dry_run=dry_run))
    elif acted.repeated:
        say(f"{number} was placed before; nothing was changed.")
    else:
        day = f", the last of them on {order.expected_on}" if order.expected_on else "; nobody said when they come"
        verb = "would be on their way" if dry_run else "are on their way"
        say(f"{counted(order.ordered, 'unit')} of {number} {verb} to {order.warehouse}{'' if dry_run else day}.")
        say_moved(moved)


@commands.command("date")
@spread
def date_(
    number: Number,
    on: Annotated[str, typer.Argument(metavar="DATE", help="the day on which it comes, like 2027-02-01")],
    sku: Annotated[str, typer.Option("--sku", metavar="SKU", help="only this item; else all that has no own day")] = "",
    *,
    call: Call,
) -> None:
    """Say that an order comes on another day. The dates of who waits follow.

    \b
    Example: holdfast purchase date PO-7 2027-02-10
             holdfast purchase date PO-7 2027-03-01 --sku MUG-RED
    """
    from core.supply import purchases

    day = read_day(on)
    with call.door(Right.PURCHASE_CHANGE) as entered:
        with entered.begin() as tx:
            order = purchases.find(tx, number).row
            item_id = purchases.item_named(tx, order.supplier_id, sku).id if sku else None
            stocked = purchases.set_day(tx, number, day, item_id)
            entered.log(tx, "purchase.date", f"purchase:{order.id}", on=day.isoformat(), item=item_id)
        moved = dates_follow(entered, stocked)
    if call.as_json:
        say_json({"order": number, "on": day, "sku": sku or None, "dates_moved": moved})
    else:
        say(f"{sku or 'What'} of {number} {'comes' if sku else 'has no day of its own comes'} on {day}.")
        say_moved(moved)


@commands.command()
@spread
def notice(
    number: Number,
    what: What,
    ref: Annotated[str, typer.Option("--ref", metavar="NOTICE", help="the number of the supplier's notice")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="the day on which that delivery comes")],
    cases: Cases = False,
    *,
    call: Call,
) -> None:
    """Note what a supplier says is on its way, which may differ from what was ordered.

    It moves no unit; days follow it. Said again under the same number, the new word
    holds; 0 units come another time.

    \b
    Example: holdfast purchase notice PO-7 MUG-RED=200 --ref ASN-12 --on 2027-02-03
    """
    from core.supply import purchases

    day = read_day(on)
    with call.door(Right.STOCK_RECEIVE) as entered:
        with entered.begin() as tx:
            order = purchases.find(tx, number)
            units = by_line(tx, order, what, cases=cases, least=0)
            stocked = purchases.give_notice(tx, number, ref, units, day)
            entered.log(tx, "purchase.notice", f"purchase:{order.row.id}", ref=ref, on=day.isoformat())
            more = {line.nth: units[line.id] - line.open for line in order.lines if units.get(line.id, 0) > line.open}
        moved = dates_follow(entered, stocked)
    if call.as_json:
        say_json({"order": number, "notice": ref, "on": day, "units": sum(units.values()), "more_than_open": more,
                  "dates_moved": moved})  # fmt: skip
        return
    say(f"{counted(sum(units.values()), 'unit')} of {number} come with {ref} on {day}.")
    if more:
        say(f"That is {counted(sum(more.values()), 'unit')} more than is still to come.")
    say_moved(moved)


@commands.command()
@spread
def cut(
    number: Number,
    what: What,
    reason: Reason,
    lost: Annotated[bool, typer.Option("--lost", help="they left the supplier and were lost on their way")] = False,
    cases: Cases = False,
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Say that units of a placed order will not come.

    What nobody can buy yet goes first. Units that were on sale make room as when goods are missing.

    \b
    Example: holdfast purchase cut PO-7 MUG-RED=40 --reason "sold out at Acme" --dry-run
    """
    import uuid

    from core.supply import placing, purchases

    with call.door(Right.PURCHASE_CHANGE) as entered:
        with entered.begin() as tx:
            units = by_line(tx, purchases.find(tx, number), what, cases=cases)
        acted = placing.cut(
            entered.app.db, entered.merchant_id, number, units, key or str(uuid.uuid4()), actor=str(entered.actor),
            reason=reason, lost=lost, dry_run=dry_run,
        )  # fmt: skip
        views = loss_views(entered, acted.losses)
        moved = 0 if dry_run else dates_follow(entered, acted.stocked)
    total = sum(units.values())
    if call.as_json:
        say_json(told(number, acted, units=total, losses=losses_as_json(views), dates_moved=moved, dry_run=dry_run))
        return
    if acted.repeated:
        say(f"{key} was said of {number} before; nothing was changed.")
    else:
        say(f"{counted(total, 'unit')} of {number} {'would not' if dry_run else 'will not'} come.")
    say_losses(views, dry_run=dry_run)
    say_moved(moved)


@commands.command()
@spread
def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="why; a draft needs none")] = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Cancel an order of which nothing came.

    \b
    Example: holdfast purchase cancel PO-7 --reason "wrong supplier"
    """
    _end(number, reason, dry_run, call, cancel=True)


@commands.command()
@spread
def close(number: Number, reason: Reason, dry_run: DryRun = False, *, call: Call) -> None:
    """Close an order short: what has not come by now will not come.

    \b
    Example: holdfast purchase close PO-7 --reason "the rest is sold out"
    """
    _end(number, reason, dry_run, call, cancel=False)


def _end(number: str, reason: str, dry_run: bool, call: Call, *, cancel: bool) -> None:
    from core.supply import placing, views

    with call.door(Right.PURCHASE_CHANGE) as entered:
        acted = placing.end(
            entered.app.db, entered.merchant_id, number, actor=str(entered.actor), reason=reason, cancel=cancel,
            dry_run=dry_run,
        )  # fmt: skip
        lost = loss_views(entered, acted.losses)
        moved = 0 if dry_run else dates_follow(entered, acted.stocked)
        with entered.begin() as tx:
            order = views.show(tx, number)
    if call.as_json:
        say_json(told(number, acted, state=order.state, losses=losses_as_json(lost), dates_moved=moved,
                      dry_run=dry_run))  # fmt: skip
        return
    if dry_run:
        say(f"Only tried out: {number} would be {'cancelled' if cancel else 'closed'}.")
    else:
        say(f"{number} is {order.state}.")
    say_losses(lost, dry_run=dry_run)
    say_moved(moved)

"""``holdfast receive``, also as ``purchase receive``: goods of an order came; and ``purchase count``: sold early."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun, Key, Reason, loss_views, losses_as_json, say_losses
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.purchase_parts import Cases, Number, by_line, dates_follow, say_moved
from edge.commands.purchase_parts import as_json as told
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.supply.acting import Acted
    from core.supply.lines import Came
    from core.supply.purchases import Purchase
    from core.transaction import Transaction

_HELP = "of these, so many units are {}, also with --cases; once for each item"
Damaged = Annotated[list[str] | None, typer.Option("--damaged", metavar="SKU=N", help=_HELP.format("not to be sold"))]
Other = Annotated[
    list[str] | None, typer.Option("--other-grade", metavar="SKU=N", help=_HELP.format("in the other grade"))
]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Options that say what came of a purchase order."""

    what: Annotated[
        list[str] | None, typer.Argument(metavar="SKU=N...", help="items and how many came, like MUG-RED=48")
    ] = None
    every: Annotated[bool, typer.Option("--all", help="all that is still to come came")] = False
    notice: Annotated[str, typer.Option("--notice", metavar="REF", help="what this notice announced came")] = ""
    damaged: Damaged = None
    other_grade: Other = None
    cases: Cases = False
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="else the order's warehouse; or a bin")] = ""


@spread
def receive(
    number: Number,
    *,
    arrival: Arrival,
    key: Key = "",
    reason: Annotated[str, typer.Option("--reason", help="a note for the document")] = "",
    dry_run: DryRun = False,
    call: Call,
) -> None:
    """Book in what came for a purchase order.

    All of it, a part, or more. Who waits is served first; units that were on sale
    before only change their place. Damaged ones and those of the other grade are
    among the units named. What a notice announced is booked in once.

    \b
    Example: holdfast receive PO-7 --all
             holdfast receive PO-7 MUG-RED=48 CUP=12 --damaged CUP=2 --key delivery-2041
             holdfast purchase receive PO-7 MUG-RED=2 --cases --dry-run
    """
    from core.supply import receipts
    from core.warehouse import warehouses

    notice = arrival.notice
    if sum((arrival.every, bool(notice), bool(arrival.what))) != 1:
        raise typer.BadParameter("say what came: items like MUG-RED=48, or --all, or --notice REF")
    if notice and key:
        raise typer.BadParameter("what a notice announced is booked in once by itself; leave --key out")
    with call.door(Right.STOCK_RECEIVE) as entered:
        with entered.begin() as tx:
            order, came, apart = _asked(tx, number, arrival)
            spot = warehouses.spot_of(tx, arrival.to or _code(tx, order))
        named = None if arrival.every or notice else came
        delivery = receipts.Delivery(spot, named, apart, reason or key or notice, notice)
        acted = receipts.receive(
            entered.app.db, entered.merchant_id, number, delivery, key or str(uuid.uuid4()), actor=str(entered.actor),
            dry_run=dry_run,
        )  # fmt: skip
        views = loss_views(entered, acted.losses)
        moved = 0 if dry_run else dates_follow(entered, acted.stocked)
        with entered.begin() as tx:
            rows = _rows(tx, acted)
    if call.as_json:
        say_json(told(number, acted, lines=rows, losses=losses_as_json(views), dates_moved=moved, dry_run=dry_run))
    elif acted.repeated:
        what_came = f"What {notice} announced" if notice else f"Receipt {key} of {number}"
        more = " If more came, name it, like MUG-RED=2." if notice else ""
        say(f"{what_came} was booked before, as document {acted.document_ids[0]}; nothing was changed.{more}")
    else:
        _say_booked(rows, "" if dry_run else f"Booked in as document {acted.document_ids[0]}.")
        say_losses(views, dry_run=dry_run)
        say_moved(moved)


def _say_booked(rows: "Sequence[Mapping[str, object]]", done: str) -> None:
    """``done``: empty when it was only tried out."""
    say_table(
        ["item", "grade", ">came", ">damaged", ">other grade", ">in all", ">of", ">still to come"],
        [[one[name] for name in _SHOWN] for one in rows],
    )
    say(done or "Only tried out. Without --dry-run it is booked.")


def _asked(tx: "Transaction", number: str, arrival: Arrival) -> "tuple[Purchase, dict[int, Came], dict[int, Came]]":
    """The order, what came of it by line, and what of that is set apart. Raises: NotFound; Refused."""
    from core.errors import Refused
    from core.supply import purchases, receipts
    from core.supply.lines import Came

    order = purchases.find(tx, number)
    if arrival.notice:
        units = receipts.announced(order, arrival.notice)
    else:
        units = by_line(tx, order, arrival.what or (), cases=arrival.cases)
    bad, regraded = (by_line(tx, order, some or ()) for some in (arrival.damaged, arrival.other_grade))
    apart = {line_id: Came(0, bad.get(line_id, 0), regraded.get(line_id, 0)) for line_id in {*bad, *regraded}}
    came = {line_id: Came(n) for line_id, n in units.items()}
    if not units:
        return order, came, apart
    for line_id, one in apart.items():
        if one.units > units.get(line_id, 0):
            raise Refused(
                f"{one.units} of {units.get(line_id, 0)} units cannot be damaged or of the other grade; count them "
                "among the units that came"
            )
        came[line_id] = one._replace(good=units[line_id] - one.units)
    return order, came, apart


_SHOWN = ("sku", "grade", "units", "damaged", "other_grade", "came", "ordered", "open")


def _rows(tx: "Transaction", acted: "Acted") -> list[dict[str, object]]:
    """What came by line, and what is still to come of it."""
    skus = dict(
        tx.run(
            "SELECT id, sku FROM item WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))",
            ids=[line.item_id for line in acted.lines],
        ).all()
    )
    lines = {line.id: line for line in acted.lines}
    found = []
    for one in acted.receipts:
        line = lines[one.line_id]
        found.append({
            "sku": skus[line.item_id], "grade": line.grade, "units": one.good + one.damaged + one.regraded,
            "damaged": one.damaged, "other_grade": one.regraded, "came": line.came, "ordered": line.ordered - line.cut,
            "open": line.open,
        })  # fmt: skip
    return found


def _code(tx: "Transaction", order: "Purchase") -> str:
    code: str = tx.run(
        "SELECT code FROM warehouse WHERE merchant_id = :merchant_id AND id = :id", id=order.row.warehouse_id
    ).scalar_one()
    return code


@spread
def count(
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=0, max=365, help="what comes within so many days is sold")
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="sell nothing before it is here")] = False,
    as_ours: Annotated[bool, typer.Option("--as-ours", help="of a supplier: the merchant's own rule holds")] = False,
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="the rule for its goods alone")] = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Show or set when goods on their way may be sold, and see to it at once.

    What a presale names is left to it. Late goods are taken off sale again, but for what is promised.

    \b
    Example: holdfast purchase count --days 7 --dry-run
             holdfast purchase count --never --supplier SLOWBOAT
    """
    from core.supply import counting, suppliers

    said = [days is not None, never, as_ours]
    if sum(said) > 1 or (as_ours and not supplier):
        raise typer.BadParameter("say one of --days N, --never, or for a supplier --as-ours")
    right = Right.PURCHASE_CHANGE if any(said) else Right.STOCK_VIEW
    moved = 0
    with call.door(right) as entered:
        if any(said):
            with entered.begin_or_try(dry_run) as tx:
                if as_ours:
                    counting.unset_days(tx, supplier)
                else:
                    counting.set_days(tx, days, supplier)
                if dry_run:
                    _say_by_rule(counting.on_sale(tx), counting.by_rule(tx), call.as_json)
                    return
                entered.log(tx, "purchase.count", f"supplier:{supplier or 'all'}", days=days)
            moved = dates_follow(entered, counting.apply(entered.app.db, entered.merchant_id, actor=str(entered.actor)))
        with entered.begin() as tx:
            ours, others = counting.days_of_merchant(tx), [one for one in suppliers.every(tx) if one.counts]
            on_sale = counting.on_sale(tx)
    own: Sequence[dict[str, object]] = [{"supplier": one.code, "days": one.count_days} for one in others]
    if call.as_json:
        say_json({"days": ours, "suppliers": own, "units_on_sale": on_sale, "dates_moved": moved})
        return
    say(f"What comes {_within(ours)}; {counted(on_sale, 'unit')} on the way {'is' if on_sale == 1 else 'are'} on sale.")
    for one in others:
        say(f"Of {one.code}: what comes {_within(one.count_days)}.")
    say_moved(moved)


def _say_by_rule(now: int, then: int, as_json: bool) -> None:
    """What another rule would put on sale; what is promised of the rest stays so."""
    if as_json:
        say_json({"units_on_sale": now, "units_by_rule": then, "dry_run": True})
    else:
        say(f"Only tried out: the rule would put {counted(then, 'unit')} on the way on sale; {now:,} are now.")


def _within(days: int | None) -> str:
    return "is sold only once it is here" if days is None else f"within {counted(days, 'day')} may be sold"


@spread
def undo(
    number: Number,
    document: Annotated[int, typer.Argument(metavar="DOCUMENT", help="the receipt, as `purchase show` numbers it")],
    reason: Reason,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Take back a receipt that was entered by mistake.

    Its units are on their way again. Refused when somebody has them by now.

    \b
    Example: holdfast purchase undo PO-7 2049 --reason "typed 400 for 40"
    """
    from core.supply import taking_back

    with call.door(Right.STOCK_CORRECT) as entered:
        acted = taking_back.take_back(
            entered.app.db, entered.merchant_id, number, document, actor=str(entered.actor), reason=reason,
            dry_run=dry_run,
        )  # fmt: skip
        moved = 0 if dry_run else dates_follow(entered, acted.stocked)
    if call.as_json:
        say_json(told(number, acted, dates_moved=moved, dry_run=dry_run))
    elif acted.repeated:
        say(f"Document {document} was taken back before; nothing was changed.")
    else:
        say(f"Document {document} {'could be' if dry_run else 'is'} taken back; what is still to come is on its way.")
        say_moved(moved)

"""``holdfast purchase list`` and ``show``: what is on its way, what is late, and what came."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.places import Places, say_placed
from edge.commands.purchase_parts import Number
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.supply.views import LateView, NoticeView, OrderView, ReceiptView


@spread
def list_orders(
    every: Annotated[bool, typer.Option("--all", help="also what has come or was cancelled")] = False,
    late: Annotated[bool, typer.Option("--late", help="only what has not come by its day")] = False,
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="only orders to this supplier")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="the newest so many")] = 50,
    *,
    call: Call,
) -> None:
    """Show purchase orders, the newest first.

    \b
    Example: holdfast purchase list
             holdfast purchase list --late
    """
    from core.supply import suppliers, views

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        supplier_id = suppliers.find(tx, supplier).id if supplier else None
        found = views.newest(tx, only_open=not every, late=late, supplier_id=supplier_id, limit=limit)
        places = Places.of(tx)
    if call.as_json:
        say_json([{**dataclasses.asdict(one), "lines": len(one.lines)} for one in found])
    elif not found:
        say("Nothing is on its way." if not late else "Nothing is late.")
    else:
        rows = [
            [one.number, one.supplier, places.said(one.warehouse), one.state, one.ordered, one.came, one.open,
             one.counted, _last_day(one)]
            for one in found
        ]  # fmt: skip
        columns = ["order", "supplier", "to", "state", ">ordered", ">came", ">to come", ">on sale", "on"]
        say_placed(columns, rows, "to")


def _last_day(order: "OrderView") -> str | None:
    """When the last of it comes, and since when some of it is late."""
    late = [str(line.expected_on) for line in order.lines if line.late and line.expected_on]
    if not late or min(late) == str(order.expected_on):
        return _day(order.expected_on, order.late)
    return f"{order.expected_on} (some is late since {min(late)})"


def _day(on: object, late: bool) -> str | None:
    return None if on is None else f"{on}{' (late)' if late else ''}"


@spread
def show(number: Number, *, call: Call) -> None:
    """Show a purchase order: its lines, what was announced, and what came.

    \b
    Example: holdfast purchase show PO-7
    """
    from core.supply import views
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        order, notices, receipts = views.show(tx, number), views.notices(tx, number), views.receipts(tx, number)
        late, zone, places = views.late(tx, number), zone_of(tx), Places.of(tx)
    if call.as_json:
        parts: dict[str, Sequence[NoticeView] | Sequence[ReceiptView] | Sequence[LateView]] = {
            "notices": notices, "receipts": receipts, "incidents": late,
        }  # fmt: skip
        listed = {name: [dataclasses.asdict(one) for one in some] for name, some in parts.items()}
        say_json({**dataclasses.asdict(order), **listed})
        return
    _say_order(order, places)
    for one in late:
        say(f"{one.sku} is late: {one.told}. `holdfast purchase date {number} DATE` says when it comes.")
    if notices:
        say("")
        say_table(
            ["notice", "item", ">units", "on"],
            [[one.number, one.sku, one.units, one.expected_on] for one in notices],
        )
    if receipts:
        say("")
        say_placed(
            ["came", ">document", "item", ">good", ">damaged", ">other grade", "in"],
            [[local(one.received_at, zone), one.document_id, one.sku, one.good, one.damaged, one.regraded,
              places.said(one.place) + (" (taken back)" if one.taken_back_by else "")] for one in receipts],
            "in",
        )  # fmt: skip


def _say_order(order: "OrderView", places: Places) -> None:
    from core.money import from_minor

    note = f", {order.note}" if order.note else ""
    to = "" if places.one_room else f" to {order.warehouse}"
    say(f"{order.number}  {order.state}, from {order.supplier}{to}{note}")
    if not order.lines:
        say(f"It orders nothing yet; `holdfast purchase add-line {order.number} SKU N` adds a line.")
        return
    rows = [
        [one.line, one.sku, one.grade, one.ordered, one.cut, one.came, one.open, one.counted, one.pack_size,
         None if one.cost_minor is None else from_minor(one.cost_minor, order.currency),
         _day(one.expected_on, one.late)]
        for one in order.lines
    ]  # fmt: skip
    columns = [
        ">line", "item", "grade", ">ordered", ">cut", ">came", ">to come", ">on sale", ">in a case",
        f">{order.currency} each", "on",
    ]  # fmt: skip
    say_table(columns, rows)

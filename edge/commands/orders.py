"""``holdfast order``: orders of the merchant's own shop told by state, and every order looked at."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.errors import ConfigError, Refused
from core.words import counted
from edge.commands.common import Call, Door, ago, say, say_json, say_table
from edge.commands.places import Places, say_placed
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.fulfilment.views import FulfilmentView
    from core.orders.apply import ApplyOrder
    from core.orders.views import IncidentOfOrder, LineView, OrderRowView
    from core.rehearsal import Rehearsed
    from core.stock import Movement
    from core.transaction import Transaction

commands = typer.Typer(
    help="Tell the orders of your own shop, and look at every order.", no_args_is_help=True, rich_markup_mode=None
)

Store = Annotated[str, typer.Option("--store", metavar="NAME", help="the store, where several have an order so called")]


@commands.command()
@spread
def apply(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="a JSON file with one order or a list; - for stdin")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be booked; book nothing")] = False,
    *,
    call: Call,
) -> None:
    """Bring the books to the state that your own shop tells of its orders.

    Tell the whole order each time: what changed since is worked out. Telling it twice books nothing, and with a rising
    "version" an older state that comes late is dropped. The fields are explained in docs/promises.md.

    \b
    Example: echo '{"number": "2041", "placed_at": "2026-11-22T10:00:00Z", "paid": true, "takes": ["cart-17"],
                    "lines": [{"line_id": "1", "sku": "MUG-RED", "quantity": 3}]}' | holdfast order apply -
             holdfast order apply orders.json --dry-run
    """
    from core.orders import own as own_orders

    told = own_orders.read(_text_of(file, own_orders.MOST_BYTES))
    with call.door(Right.ORDER_CHANGE) as entered:
        with entered.begin() as tx:
            wanted = own_orders.commands(tx, told)
        if dry_run:
            _rehearse(entered, wanted, call.as_json)
        else:
            _apply(entered, wanted, call.as_json)


def _text_of(file: str, most: int) -> str:
    """What a file or stdin says, or enough of it to be refused as too long. Raises: ConfigError."""
    try:
        if file == "-":
            return sys.stdin.read(most + 1)
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(most + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read as text: {error}") from error


def _apply(entered: Door, wanted: "Sequence[ApplyOrder]", as_json: bool) -> None:
    from core.orders import views as order_views

    results = entered.app.combiner.run(entered.merchant_id, wanted, actor=str(entered.actor))
    news = dict.fromkeys((one.order.number for one in wanted), False)
    told = {one.order.number: one.order.version for one in wanted}
    refused: list[str] = []
    for command, result in zip(wanted, results, strict=True):
        number = command.order.number
        if isinstance(result, Refused):
            refused.append(f"order {number}: {result}")
        else:
            news[number] = news[number] or result
    with entered.begin() as tx:
        entered.log_all(tx, "order.apply", {f"order:{number}": {} for number, is_new in news.items() if is_new})
        rows = order_views.of_own_shop(tx, list(news))
    if as_json:
        say_json([{**dataclasses.asdict(row), "applied": news[row.external_id]} for row in rows])
    else:
        for row in rows:
            is_new = news[row.external_id]
            say(f"Order {row.number}: {_booked(row) if is_new else _already(told[row.external_id], row.version)}.")
    if refused:
        raise Refused("; ".join(refused))


def _booked(row: "OrderRowView") -> str:
    units = [(row.sold, "sold"), (row.reserved, "reserved"), (row.waiting, "waiting"), (row.shipped, "shipped")]
    said = [f"{counted(n, 'unit')} {what}" for n, what in units if n] or ["holds nothing"]
    return ", ".join(dict.fromkeys([row.state, *said]))


def _already(told: str, booked: str) -> str:
    """What is there in place of a state that was told, by the versions of both."""
    version = f", version {booked}" if booked else ""
    return f"{'this' if told == booked else 'a newer'} state is booked already{version}"


def _rehearse(entered: Door, wanted: "Sequence[ApplyOrder]", as_json: bool) -> None:
    from core.goods.item_views import skus
    from core.orders import views as order_views
    from core.rehearsal import rehearse_all

    found = rehearse_all(entered.app.db, entered.merchant_id, wanted, actor=str(entered.actor))
    with entered.begin() as tx:
        items = {move.stocked.item_id for _, moves in found.documents for move in moves}
        names = skus(tx, items | {incident.item_id for incident in found.incidents})
        told = _documents(tx, found, names)
        late = {
            one.order.number: one.order.version
            for one, result in zip(wanted, found.results, strict=True)
            if result is False
        }
        booked = {row.external_id: row.version for row in order_views.of_own_shop(tx, list(late))}
    short = [(found.orders[i.order_id], names[i.item_id], i.quantity) for i in found.incidents]
    refused = [str(result) for result in found.results if isinstance(result, Refused)]
    if as_json:
        oversold = [{"order": number, "sku": sku, "units": units} for number, sku, units in short]
        say_json({"documents": told, "oversold": oversold, "known_already": list(late), "refused": refused})
        return
    for document in told:
        say(f"{document['kind']} for {document['of']}" + (f" ({document['reason']})" if document["reason"] else ""))
        for move in document["moves"]:
            say(f"    {move}")
    for number, sku, units in short:
        say(f"Order {number} would be short of {counted(units, 'unit')} of {sku}.")
    for number, version in late.items():
        say(f"Order {number}: {_already(version, booked.get(number, ''))}.")
    for why in refused:
        say(f"Refused: {why}")
    say("Nothing was booked." if told else "Nothing would change; nothing was booked.")


def _documents(tx: "Transaction", found: "Rehearsed", names: Mapping[int, str]) -> list[dict[str, Any]]:
    from core.goods import places

    ends = {
        (move.layer, end.place_id) for _, moves in found.documents for move in moves for end in (move.from_, move.to)
    }
    where = places.names(tx, ends)
    return [
        {
            "kind": str(document.kind),
            "of": _whose(document.order_id, found.orders),
            "reason": document.reason,
            "moves": [_sentence(move, names, where) for move in moves],
        }
        for document, moves in found.documents
    ]


def _whose(order_id: int | None, numbers: Mapping[int, str]) -> str:
    number = None if order_id is None else numbers.get(order_id)
    return "another promise" if number is None else f"order {number}"


def _sentence(move: "Movement", names: Mapping[int, str], where: Mapping[Any, str]) -> str:
    def end(place_id: int | None, bucket: str) -> str:
        return bucket if place_id is None else f"{bucket} of {where[move.layer, place_id]}"

    grade = "" if move.stocked.grade == "good" else f" ({move.stocked.grade})"
    way = f"{end(*move.from_)} -> {end(*move.to)}"
    return f"{move.layer}: {move.quantity} {names[move.stocked.item_id]}{grade} {way}"


@commands.command()
@spread
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="the order's number, or its id at its store")],
    store: Store = "",
    *,
    call: Call,
) -> None:
    """Show an order: its lines, what each is promised from which pool, what was booked, and what went short and why.

    It also tells which warehouses send it, and why those.

    \b
    Example: holdfast order show 2041
             holdfast order show 1001 --store Berlin
    """
    from core.dispatch import decisions
    from core.dispatch import views as routes
    from core.dispatch.reasons import tell_in_one
    from core.fulfilment import views as fulfilments
    from core.orders import views as order_views
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        order, now = order_views.view(tx, number, store=store), tx.now
        zone = zone_of(tx)
        sent = fulfilments.every(tx, order_id=order.id)
        decided = decisions.in_force(tx, [order.id]).get(order.id)
        names = routes.names_for(tx, [decided.route]) if decided else None
        places = Places.of(tx)
    if call.as_json:
        route = routes.told(decided.route, names) if decided and names else None
        say_json(dataclasses.asdict(order) | {"fulfilments": [dataclasses.asdict(one) for one in sent], "route": route})
        return
    state = ", ".join(dict.fromkeys([order.state, "paid" if order.paid else "not paid"]))
    to = f", to {order.destination}" if order.destination else ""
    say(f"Order {order.number} of {order.store}: {state}, placed {ago(order.placed_at, now)}{to}")
    _say_lines(order.lines, places)
    _say_sent(sent, order.destination, places)
    if decided and names:
        say(tell_in_one(decided.route, places.names(names)))
    for document in order.documents:
        because = f": {document.reason}" if document.reason else ""
        say(f"{document.kind}, {ago(document.recorded_at, now)}, by {document.actor}{because}")
    _say_incidents(order.incidents, now, zone)


_UNITS = (">waiting", ">reserved", ">sold", ">allocated", ">shipped")


def _say_lines(lines: "Sequence[LineView]", places: Places) -> None:
    rows: list[list[object]] = []
    for line in lines:
        said = [line.line_id, line.sku, line.ordered, line.cancelled, line.written_off, line.returned]
        promises = [
            [one.sku, places.said(one.pool), one.waiting, one.reserved, one.sold, one.allocated, one.shipped]
            for one in line.promises
        ]
        for nth, promised in enumerate(promises or [["-", "", 0, 0, 0, 0, 0]]):
            rows.append([*(said if nth == 0 else [""] * len(said)), *promised])
    columns = ["line", "sku", ">ordered", ">cancelled", ">written off", ">returned"]
    say_placed([*columns, "promised", "pool", *_UNITS], rows, "pool")
    for line in lines:
        if line.held_reason:
            say(f"Line {line.line_id} is not booked: {line.held_reason}")


def _say_sent(sent: "Sequence[FulfilmentView]", destination: str, places: Places) -> None:
    if sent:
        rows: list[list[object]] = [
            [one.ref, places.said(one.warehouse), one.state, len(one.lines), *one.units] for one in reversed(sent)
        ]
        units = (">told", ">to send", ">shipped", ">taken back")
        say_placed(["part", "warehouse", "state", ">items", *units], rows, "warehouse")
    for one in reversed(sent):
        if one.open_units and destination and one.decided_for and one.decided_for != destination:
            who = places.said(one.warehouse) or "The warehouse"
            say(
                f"{who} was told of {one.ref} when the order went to {one.decided_for}. "
                f"`holdfast fulfil cancel {one.ref}` takes it back, then it is decided again who sends it."
            )


def _say_incidents(incidents: "Sequence[IncidentOfOrder]", now: datetime, zone: ZoneInfo) -> None:
    from core.alerts.words import told_cause

    for one in incidents:
        closed = f", over since {ago(one.closed_at, now).removesuffix(' ago')}" if one.closed_at else ""
        say(f"Short of {counted(one.units, 'unit')} of {one.sku}{closed}: {told_cause(one.cause)}")
        for event in one.timeline:
            say(f"    {local(datetime.fromisoformat(event['at']), zone, seconds=True)}  {event['what']}")


@commands.command("list")
@spread
def list_orders(
    waiting: Annotated[bool, typer.Option("--waiting", help="those of which units wait for goods")] = False,
    held: Annotated[bool, typer.Option("--held", help="those with a line that could not be booked")] = False,
    unsent: Annotated[bool, typer.Option("--unsent", help="paid ones that no warehouse is told to send")] = False,
    unpaid: Annotated[bool, typer.Option("--unpaid", help="those that hold or want units and are not paid")] = False,
    limit: Annotated[int, typer.Option("--last", metavar="N", min=1, max=1000, help="at most so many")] = 50,
    *,
    call: Call,
) -> None:
    """List orders, the newest first: all of them, or those that want attention.

    Units wait for goods, are reserved, or sold for good; of the sold ones a warehouse is told to send those allocated.
    What a presale sold waits until its goods are here, and is reserved or sold besides.
    --unsent lists paid orders with units that no warehouse is told to send, how many, and since when. Who ships in the
    storefront alone finds all that is not shipped there.

    \b
    Example: holdfast order list --waiting
             holdfast order list --unsent
             holdfast order list --unpaid --last 10
    """
    from core.orders import views as order_views
    from core.orders.views import Attention

    chosen = {
        Attention.WAITING: waiting, Attention.HELD: held, Attention.UNSENT: unsent, Attention.UNPAID: unpaid,
    }  # fmt: skip
    wanted = [attention for attention, is_wanted in chosen.items() if is_wanted]
    if len(wanted) > 1:
        raise typer.BadParameter("say one of --waiting, --held, --unsent and --unpaid")
    attention = wanted[0] if wanted else Attention.ANY
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        rows, now = order_views.orders(tx, attention, limit=limit), tx.now
    if call.as_json:
        say_json([dataclasses.asdict(row) for row in rows])
    elif not rows:
        say("No order is known." if attention is Attention.ANY else f"No order is {attention}.")
    else:
        _say_rows(rows, now, unsent=unsent)


def _say_rows(rows: "Sequence[OrderRowView]", now: datetime, *, unsent: bool) -> None:
    columns = ["order", "store", "state", "paid", "placed", *_UNITS, ">not booked"]
    cells: list[list[object]] = [
        [
            row.number, row.store, row.state, "yes" if row.paid else "no", ago(row.placed_at, now), row.waiting,
            row.reserved, row.sold, row.allocated, row.shipped, row.held_lines,
        ]
        for row in rows
    ]  # fmt: skip
    if unsent:
        columns += [">unsent", "since"]
        for row, told in zip(rows, cells, strict=True):
            told += [row.unsent, ago(row.unsent_since, now).removesuffix(" ago")]
    say_table(columns, cells)

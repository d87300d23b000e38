"""``holdfast fulfil`` and ``ship``: what warehouses are to send of paid orders, from the decision to the parcel."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun, act, effect_key
from edge.commands.common import Call, Door, say, say_json
from edge.commands.fulfil_views import say_dispatched
from edge.commands.spread import spread
from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from core.command import Command
    from core.fulfilment.acts import Done
    from core.fulfilment.views import FulfilmentView
    from core.rows import StoreKey
    from core.stock import Stocked

    On = tuple[str, StoreKey, int, dict[Stocked, int] | None]  # effect key, order, fulfilment order, units; None: all

commands = typer.Typer(help="Let warehouses send what paid orders want.", no_args_is_help=True, rich_markup_mode=None)

Ref = Annotated[str, typer.Argument(metavar="ORDER/N", help="an order's number and which part of it, like 1001/1")]
Goods = Annotated[
    list[str] | None, typer.Argument(metavar="[SKU=N...]", help="SKU=N or SKU=N:minor_defect; else all that is left")
]
Store = Annotated[str, typer.Option("--store", metavar="NAME", help="the store, where several have an order so called")]
Key = Annotated[str, typer.Option("--key", help="your own name for this; repeating it changes nothing more")]
Reason = Annotated[str, typer.Option("--reason", help="why, for everybody who looks at it later")]


@commands.command()
@spread
def allocate(
    orders: Annotated[list[str], typer.Argument(metavar="ORDER...", help="numbers of paid orders")],
    to: Annotated[
        str, typer.Option("--to", metavar="DEST", help="like DE-BY-80, where the order does not say it")
    ] = "",
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="else the one that is set")] = "",
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="WAREHOUSE", help="as if it had rejected the order")
    ] = None,
    store: Store = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Decide which warehouses send an order, and tell them to.

    What a warehouse is to send already stays with it; what waits for goods stays behind until they are there. With
    `holdfast route auto on` this happens by itself.

    \b
    Example: holdfast fulfil allocate 1001 --to DE-BY-80
             holdfast fulfil allocate 1001 1002 --without MUNICH --dry-run
    """
    from core.dispatch.destinations import read_destination
    from core.dispatch.model import Exclusion, Why
    from core.fulfilment import dispatching
    from core.orders.views import rows_of
    from core.warehouse import warehouses

    where = read_destination(to) if to else None
    with call.door(Right.ORDER_CHANGE) as entered:
        with entered.begin() as tx:
            rows = {row.id: row.number for row in rows_of(tx, orders, store)}
            shut = [Exclusion(place, Why.REJECTED) for place in warehouses.ids_of(tx, without or ())]
        found = dispatching.dispatch(
            entered.app.db, entered.merchant_id, list(rows), actor=str(entered.actor), to=where, strategy=strategy,
            without=shut, dry_run=dry_run,
        )  # fmt: skip
        with entered.begin() as tx:
            told = [one for one in found if one.made and not dry_run]
            entered.log_all(
                tx, "fulfil.allocate",
                {f"order:{rows[one.order_id]}": {"parts": [row.nth for row in one.made]} for one in told},
            )  # fmt: skip
            say_dispatched(tx, rows, found, dry_run=dry_run, as_json=call.as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfFulfilment(Call):
    """Options of what is done with units of a fulfilment order."""

    ref: Ref
    goods: Goods = None
    store: Store = ""
    key: Key = ""
    dry_run: DryRun = False


@commands.command()
@spread
def hand(
    asked: OfFulfilment,
    from_: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="the bin they are taken from, like MAIN/A-01")
    ] = "",
) -> None:
    """Hand goods to those who pack: they are being picked, and stand in their bin for nobody else.

    \b
    Example: holdfast fulfil hand 1001/1
             holdfast fulfil hand 1001/1 MUG-RED=2 --from MAIN/A-01
    """
    from core.fulfilment.acts import HandOver
    from core.warehouse import warehouses

    with asked.door(Right.STOCK_MOVE) as entered:
        with entered.begin() as tx:
            spot = warehouses.spot_of(tx, from_) if from_ else None
        _do(entered, asked, lambda on: HandOver(*on, spot), "handed over")


@commands.command("put-back")
@spread
def put_back(asked: OfFulfilment, reason: Reason = "") -> None:
    """Put back what was handed over: the warehouse still is to send it.

    \b
    Example: holdfast fulfil put-back 1001/1 MUG-RED=1
    """
    from core.fulfilment.acts import PutBack

    with asked.door(Right.STOCK_MOVE) as entered:
        _do(entered, asked, lambda on: PutBack(*on, reason), "put back")


@spread
def ship(asked: OfFulfilment) -> None:
    """Say that goods have left the house, all that is left or some.

    What was not handed over is on the way. When the store says later that it was shipped, nothing is booked twice.

    \b
    Example: holdfast ship 1001/1
             holdfast ship 1001/1 MUG-RED=2
    """
    from core.fulfilment.acts import Ship

    with asked.door(Right.STOCK_MOVE) as entered:
        _do(entered, asked, lambda on: Ship(*on), "shipped")


@commands.command()
@spread
def cancel(asked: OfFulfilment, reason: Reason = "") -> None:
    """Take goods from a warehouse that was to send them; the order keeps them, and they can be allocated again.

    What was handed over is put back first. With `holdfast route auto on` who sends them is decided again at once.

    \b
    Example: holdfast fulfil cancel 1001/1 --reason "the customer picks it up"
    """
    from core.fulfilment.acts import GiveBack

    with asked.door(Right.ORDER_CHANGE) as entered:
        _do(entered, asked, lambda on: GiveBack(*on, reason), "taken back")


@commands.command()
@spread
def reject(
    ref: Ref, reason: Reason = "", store: Store = "", key: Key = "", dry_run: DryRun = False, *, call: Call
) -> None:
    """Say that the warehouse will not send what is left: it is not asked again for this order.

    \b
    Example: holdfast fulfil reject 1001/1 --reason "the shelf fell over"
    """
    from core.fulfilment.acts import Reject

    asked = OfFulfilment(
        call.as_, call.merchant, call.data_dir, call.as_json, ref=ref, store=store, key=key, dry_run=dry_run
    )
    with asked.door(Right.STOCK_MOVE) as entered:
        _do(entered, asked, lambda on: Reject(*on, reason), "rejected")


def _do(entered: Door, asked: OfFulfilment, made: "Callable[[On], Command]", what: str) -> None:
    """``made``: the command on a fulfilment order and the units that are named."""
    found, units = _chosen(entered, asked.ref, asked.store, asked.goods)
    on = effect_key("cli", asked.key), found.order_key, found.id, units
    done = act(entered, made(on), dry_run=asked.dry_run)
    _say(entered, found, done, what, dry_run=asked.dry_run, as_json=asked.as_json)


def _chosen(
    entered: Door, ref: str, store: str, goods: Sequence[str] | None
) -> "tuple[FulfilmentView, dict[Stocked, int] | None]":
    """The fulfilment order, and the units that are named; None: all."""
    from core.fulfilment import views

    with entered.begin() as tx:
        named = find_goods(tx, read_goods(goods or ()))
        if len(dict(named)) < len(named):
            raise typer.BadParameter("an item is named twice; say how many units of it in one place")
        return views.find(tx, ref, store=store), dict(named) if goods else None


def _say(entered: Door, found: "FulfilmentView", done: "Done", what: str, *, dry_run: bool, as_json: bool) -> None:
    from core.fulfilment import views

    with entered.begin() as tx:
        after = views.find(tx, found.ref, store=found.store)
        if not done.repeated and not dry_run:
            entered.log(tx, f"fulfil.{what.replace(' ', '_')}", f"fulfilment:{found.ref}", document=done.document_id)
    units = sum(done.units.values())
    if as_json:
        told: dict[str, Any] = {
            "fulfilment": dataclasses.asdict(after), "document_id": done.document_id, "units": units,
            "repeated": done.repeated, "dry_run": dry_run,
        }  # fmt: skip
        say_json(told)
    elif done.repeated:
        say(f"That was booked before, as document {done.document_id}; nothing was changed.")
    elif dry_run:
        say(f"Only tried out: {counted(units, 'unit')} of {found.ref} would be {what}.")
    else:
        verb = "is" if units == 1 else "are"
        say(f"{counted(units, 'unit')} of {found.ref} {verb} {what}; it is {after.state} now.")

"""``holdfast fulfil``: what warehouses are to send of paid orders, from the decision to the parcel."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from edge.commands.acting import DryRun, act, effect_key
from edge.commands.common import FIRST_MERCHANT, As, AsJson, DataDir, Door, Merchant, counted, door, say, say_json
from edge.commands.fulfil_views import say_dispatched
from edge.quantities import find_goods, read_goods

if TYPE_CHECKING:
    from core.fulfilment.acts import Done
    from core.fulfilment.views import FulfilmentView
    from core.stock import Stocked

commands = typer.Typer(help="Let warehouses send what paid orders want.", no_args_is_help=True, rich_markup_mode=None)

Ref = Annotated[str, typer.Argument(metavar="ORDER/N", help="an order's number and which part of it, like 1001/1")]
Goods = Annotated[
    list[str] | None, typer.Argument(metavar="[SKU=N...]", help="SKU=N or SKU=N:minor_defect; else all that is left")
]
Store = Annotated[str, typer.Option("--store", metavar="NAME", help="the store, where several have an order so called")]
Key = Annotated[str, typer.Option("--key", help="your own name for this; repeating it changes nothing more")]
Reason = Annotated[str, typer.Option("--reason", help="why, for everybody who looks at it later")]


@commands.command()
def allocate(  # noqa: PLR0913, PLR0917  each is an option of the command line
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
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
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
    from core.orders.views import row_of
    from core.warehouse import warehouses

    where = read_destination(to) if to else None
    with door(merchant, data_dir, as_, Right.ORDER_CHANGE) as entered:
        with entered.begin() as tx:
            rows = {row.id: row.number for row in (row_of(tx, number, store) for number in orders)}
            shut = [Exclusion(warehouses.id_of(tx, code), Why.REJECTED) for code in without or ()]
        found = dispatching.dispatch(
            entered.app.db, entered.merchant_id, list(rows), actor=str(entered.actor), to=where, strategy=strategy,
            without=shut, dry_run=dry_run,
        )  # fmt: skip
        with entered.begin() as tx:
            for one in found if not dry_run else ():
                if one.made:
                    entered.log(
                        tx, "fulfil.allocate", f"order:{rows[one.order_id]}", parts=[row.nth for row in one.made]
                    )
            say_dispatched(tx, rows, found, dry_run=dry_run, as_json=as_json)


@commands.command()
def hand(  # noqa: PLR0913, PLR0917  each is an option of the command line
    ref: Ref,
    goods: Goods = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="the bin they are taken from, like MAIN/A-01")
    ] = "",
    store: Store = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Hand goods to those who pack: they are being picked, and stand in their bin for nobody else.

    \b
    Example: holdfast fulfil hand 1001/1
             holdfast fulfil hand 1001/1 MUG-RED=2 --from MAIN/A-01
    """
    from core.fulfilment.acts import HandOver
    from core.warehouse import warehouses

    with door(merchant, data_dir, as_, Right.STOCK_MOVE) as entered:
        found, units = _chosen(entered, ref, store, goods)
        with entered.begin() as tx:
            spot = warehouses.spot_of(tx, from_) if from_ else None
        done = act(entered, HandOver(effect_key("cli", key), found.order_key, found.id, units, spot), dry_run=dry_run)
        _say(entered, found, done, "handed over", dry_run=dry_run, as_json=as_json)


@commands.command("put-back")
def put_back(  # noqa: PLR0913, PLR0917  each is an option of the command line
    ref: Ref,
    goods: Goods = None,
    reason: Reason = "",
    store: Store = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put back what was handed over: the warehouse still is to send it.

    \b
    Example: holdfast fulfil put-back 1001/1 MUG-RED=1
    """
    from core.fulfilment.acts import PutBack

    with door(merchant, data_dir, as_, Right.STOCK_MOVE) as entered:
        found, units = _chosen(entered, ref, store, goods)
        done = act(entered, PutBack(effect_key("cli", key), found.order_key, found.id, units, reason), dry_run=dry_run)
        _say(entered, found, done, "put back", dry_run=dry_run, as_json=as_json)


@commands.command()
def ship(
    ref: Ref,
    goods: Goods = None,
    store: Store = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say that goods have left the house, all that is left or some.

    What was not handed over is on the way. When the store says later that it was shipped, nothing is booked twice.

    \b
    Example: holdfast fulfil ship 1001/1
             holdfast fulfil ship 1001/1 MUG-RED=2
    """
    from core.fulfilment.acts import Ship

    with door(merchant, data_dir, as_, Right.STOCK_MOVE) as entered:
        found, units = _chosen(entered, ref, store, goods)
        done = act(entered, Ship(effect_key("cli", key), found.order_key, found.id, units), dry_run=dry_run)
        _say(entered, found, done, "shipped", dry_run=dry_run, as_json=as_json)


@commands.command()
def cancel(  # noqa: PLR0913, PLR0917  each is an option of the command line
    ref: Ref,
    goods: Goods = None,
    reason: Reason = "",
    store: Store = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take goods from a warehouse that was to send them; the order keeps them, and they can be allocated again.

    What was handed over is put back first. With `holdfast route auto on` who sends them is decided again at once.

    \b
    Example: holdfast fulfil cancel 1001/1 --reason "the customer picks it up"
    """
    from core.fulfilment.acts import GiveBack

    with door(merchant, data_dir, as_, Right.ORDER_CHANGE) as entered:
        found, units = _chosen(entered, ref, store, goods)
        done = act(entered, GiveBack(effect_key("cli", key), found.order_key, found.id, units, reason), dry_run=dry_run)
        _say(entered, found, done, "taken back", dry_run=dry_run, as_json=as_json)


@commands.command()
def reject(
    ref: Ref,
    reason: Reason = "",
    store: Store = "",
    key: Key = "",
    dry_run: DryRun = False,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say that the warehouse will not send what is left: it is not asked again for this order.

    \b
    Example: holdfast fulfil reject 1001/1 --reason "the shelf fell over"
    """
    from core.fulfilment.acts import Reject

    with door(merchant, data_dir, as_, Right.STOCK_MOVE) as entered:
        found, _ = _chosen(entered, ref, store, None)
        command = Reject(effect_key("cli", key), found.order_key, found.id, reason=reason)
        done = act(entered, command, dry_run=dry_run)
        _say(entered, found, done, "rejected", dry_run=dry_run, as_json=as_json)


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

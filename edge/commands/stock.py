"""``holdfast stock``: what there is of an item, who shows what of it, and booking goods in."""

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import Refused
from edge.commands.common import (
    ACTOR,
    FIRST_MERCHANT,
    AsJson,
    DataDir,
    Merchant,
    ago,
    counted,
    hub,
    say,
    say_json,
    say_table,
)

if TYPE_CHECKING:
    from core.item_views import BalanceView, DocumentView, ItemView, Shown

commands = typer.Typer(
    help="See what there is and what each store shows; book goods in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Sku = Annotated[str, typer.Argument(metavar="SKU", help="the item's code; upper and lower case are the same")]


@commands.command()
def show(sku: Sku, merchant: Merchant = FIRST_MERCHANT, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show what there is of an item, and what each store shows and why.

    All three layers with their buckets, one line per store, and the newest documents.

    \b
    Example: holdfast stock show MUG-RED
    """
    from core import catalog, item_views

    with hub(merchant, data_dir) as app, app.db.begin(merchant, actor=ACTOR) as tx:
        item_id = catalog.item_id_of(tx, sku)
        item, balances = item_views.item_view(tx, item_id), item_views.balances(tx, item_id)
        shown, documents = item_views.shown_by_stores(tx, item_id), item_views.recent_documents(tx, item_id)
        now = tx.now
    if as_json:
        parts: dict[str, Sequence[Any]] = {"layers": balances, "stores": shown, "documents": documents}
        listed = {name: [dataclasses.asdict(one) for one in part] for name, part in parts.items()}
        say_json({**dataclasses.asdict(item), **listed})
        return
    _show_layers(item, balances)
    _show_stores(shown, now)
    _show_documents(documents, now)


def _show_layers(item: "ItemView", balances: "Sequence[BalanceView]") -> None:
    warning = "" if item.low_stock_threshold is None else f", warns at {item.low_stock_threshold}"
    say(f"{item.sku}  {item.title}{warning}")
    if not balances:
        say(f"Nothing was ever booked; `holdfast stock receive {item.sku} N` books units in.")
        return
    rows = [
        [one.layer, one.place, one.grade, ", ".join(f"{bucket} {units:,}" for bucket, units in one.buckets.items())]
        for one in balances
    ]
    say_table(["layer", "place", "grade", "units"], rows)


def _show_stores(shown: "Sequence[Shown]", now: datetime) -> None:
    if not shown:
        say("No store lists it.")
        return
    say("")
    columns = ["store", ">confirmed", ">read back", ">should show", "state", "last push"]
    rows = [
        [one.store, one.published, one.observed, one.wanted, _state(one, now), ago(one.last_pushed_at, now)]
        for one in shown
    ]
    say_table(columns, rows)
    for one in shown:
        say(f"{one.store} should show {one.wanted:,}: {one.why}")
        if one.last_reason:
            say(f"{one.store}, last push ({one.last_status}): {one.last_reason}")


def _state(one: "Shown", now: datetime) -> str:
    if one.parked:
        return f"parked: {one.parked}"
    if one.pushing:
        return "being pushed"
    if one.stale_since is not None:
        waits = "" if one.mode == "live" and not one.paused else f", store is {'paused' if one.paused else one.mode}"
        return f"stale since {ago(one.stale_since, now).removesuffix(' ago')}{waits}"
    return "settled"


def _show_documents(documents: "Sequence[DocumentView]", now: datetime) -> None:
    if not documents:
        return
    say("")
    rows = []
    for one in documents:
        cause = f"order {one.order} of {one.store}" if one.order and one.store else one.order or one.reason
        rows.append([ago(one.recorded_at, now), one.kind, cause, "; ".join(one.moves)])
    say_table(["when", "document", "cause", "moved"], rows)


@commands.command()
def receive(
    sku: Sku,
    units: Annotated[int, typer.Argument(metavar="N", min=1, help="units that came in, 1 or more")],
    key: Annotated[
        str, typer.Option(help="your own name for this receipt, like a delivery note; repeating it books nothing")
    ] = "",
    reason: Annotated[str, typer.Option(help="a note for the document")] = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Book units in.

    They serve what waits, the rest is free at once, and every live store shows it.

    \b
    Example: holdfast stock receive MUG-RED 40 --key delivery-2041
    """
    from core import catalog
    from core.receiving import Receive
    from core.stock import DocumentKind, Stocked

    with hub(merchant, data_dir) as app:
        with app.db.begin(merchant, actor=ACTOR) as tx:
            item_id, asked_at = catalog.item_id_of(tx, sku), tx.now
        command = Receive(
            f"receipt/{key or uuid.uuid4()}", DocumentKind.RECEIPT, {Stocked(item_id): units}, reason or key
        )
        document_id = app.combiner.run(merchant, [command], actor=ACTOR)[0]
        if isinstance(document_id, Refused):
            raise document_id
        with app.db.begin(merchant, actor=ACTOR) as tx:
            recorded_at = tx.run(
                "SELECT recorded_at FROM document WHERE merchant_id = :merchant_id AND id = :id", id=document_id
            ).scalar_one()
    repeated = recorded_at < asked_at
    if as_json:
        say_json({"sku": sku, "units": units, "document_id": document_id, "repeated": repeated})
    elif repeated:
        say(f"Receipt {key} was booked before, as document {document_id}; nothing was changed.")
    else:
        say(f"{counted(units, 'unit')} of {sku} booked in, document {document_id}.")


@commands.command()
def warn(
    sku: Sku,
    units: Annotated[int | None, typer.Argument(metavar="N", min=0, help="warn at this many free units")] = None,
    off: Annotated[bool, typer.Option("--off", help="warn no more")] = False,
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
) -> None:
    """Send one mail when the free units of an item fall to N.

    The next goes out only after the item has recovered and falls again.

    \b
    Example: holdfast stock warn MUG-RED 5
             holdfast stock warn MUG-RED --off
    """
    from core import catalog
    from core.queries import merchant_view

    if (units is None) != off:
        raise typer.BadParameter("say at how many units to warn, or --off")
    with hub(merchant, data_dir) as app, app.db.begin(merchant, actor=ACTOR) as tx:
        catalog.set_low_stock(tx, sku, units)
        receiver = merchant_view(tx).alert_email
    if units is None:
        say(f"No more warnings for {sku}.")
    elif receiver:
        say(f"A mail goes to {receiver} when {sku} falls to {units} free units.")
    else:
        say(f"Noted for {sku}, but nobody gets the mail yet: `holdfast merchant --email you@shop.example` says who.")

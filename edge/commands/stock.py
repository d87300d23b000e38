"""``holdfast stock``: what there is of an item, who shows what of it, and booking goods in."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from edge.commands import reversals, stock_acts
from edge.commands.acting import Sku
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.places import Places, say_balances
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.goods.item_views import BalanceView, DocumentView, ItemView, Shown

commands = typer.Typer(
    help="See what there is and what each store shows; book goods in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

stock_acts.register(commands)
commands.command("reverse")(reversals.reverse)


@commands.command()
@spread
def show(sku: Sku, *, call: Call) -> None:
    """Show what there is of an item, and what each store shows and why.

    All three layers with their buckets, one line per store, and the newest documents.

    \b
    Example: holdfast stock show MUG-RED
    """
    from core import catalog
    from core.access import actors
    from core.goods import item_views

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, sku)
        item, balances = item_views.item_view(tx, item_id), item_views.balances(tx, item_id)
        shown, documents = item_views.shown_by_stores(tx, item_id), item_views.recent_documents(tx, item_id)
        names, now, places = actors.names_of(tx, [one.actor for one in documents]), tx.now, Places.of(tx)
    if call.as_json:
        parts: dict[str, Sequence[Any]] = {"layers": balances, "stores": shown, "documents": documents}
        listed = {name: [dataclasses.asdict(one) for one in part] for name, part in parts.items()}
        say_json({**dataclasses.asdict(item), **listed})
        return
    _show_layers(item, balances, places)
    _show_stores(shown, now)
    _show_documents(documents, names, now)


def _show_layers(item: "ItemView", balances: "Sequence[BalanceView]", places: Places) -> None:
    warning = "" if item.low_stock_threshold is None else f", warns at {item.low_stock_threshold}"
    say(f"{item.sku}  {item.title}{warning}")
    for former in item.formerly:
        say(f"It was {former.sku} until {former.until:%Y-%m-%d}.")
    if not balances:
        say(
            f"Nothing was ever booked; `holdfast stock receive {item.sku} N` books units in. "
            f"What a bundle takes instead, `holdfast item show {item.sku}` tells."
        )
        return
    say_balances(balances, places)


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


def _show_documents(documents: "Sequence[DocumentView]", names: Mapping[str, str], now: datetime) -> None:
    if not documents:
        return
    say("")
    rows = []
    for one in documents:
        cause = f"order {one.order} of {one.store}" if one.order and one.store else one.order or one.reason
        by = names.get(one.actor, one.actor)
        rows.append([ago(one.recorded_at, now), one.id, one.kind, by, cause, "; ".join(one.moves)])
    say_table(["when", ">document", "kind", "by", "cause", "moved"], rows)


@commands.command()
@spread
def warn(
    sku: Sku,
    units: Annotated[int | None, typer.Argument(metavar="N", min=0, help="warn at this many free units")] = None,
    off: Annotated[bool, typer.Option("--off", help="warn no more")] = False,
    *,
    call: Call,
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
    with call.door(Right.ALERT_CHANGE) as entered, entered.begin() as tx:
        catalog.set_low_stock(tx, sku, units)
        entered.log(tx, "stock.warn", f"item:{catalog.item_id_of(tx, sku)}", units=units)
        receiver = merchant_view(tx).alert_email
    if call.as_json:
        say_json({"sku": sku, "warn_at": units, "mail_to": receiver or None})
    elif units is None:
        say(f"No more warnings for {sku}.")
    elif receiver:
        say(f"A mail goes to {receiver} when {sku} falls to {units} free units.")
    else:
        say(f"Noted for {sku}, but nobody gets the mail yet: `holdfast merchant --email you@shop.example` says who.")

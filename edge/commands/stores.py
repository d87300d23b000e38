"""``holdfast store``: connecting shops, and how much Holdfast may do with each."""

import dataclasses
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.errors import ConfigError
from core.model import Platform, StoreMode
from core.words import counted
from edge.commands.common import Call, DataDir, Door, ago, confirm, door, say, say_json, say_table
from edge.commands.spread import spread

if TYPE_CHECKING:
    from config.wiring import App
    from core.model import StoreProfile
    from core.queries import StoreView
    from core.stores import StoreRow

commands = typer.Typer(
    help="Connect shops, and say how much Holdfast may do with each.", no_args_is_help=True, rich_markup_mode=None
)

_CLOCK_OFF_S = 30

StoreName = Annotated[str, typer.Argument(metavar="STORE", help="the store's name, as `holdfast store list` shows it")]
MaybeStore = Annotated[str, typer.Argument(metavar="STORE", help="the store's name; or use --all")]
Credentials = Annotated[
    str, typer.Option(metavar="FILE", help="file of NAME=VALUE lines or JSON; - reads stdin; else you are asked")
]
All = Annotated[bool, typer.Option("--all", help="all stores of the merchant")]


@commands.command()
@spread
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what you call the store")],
    platform: Annotated[Platform, typer.Option(help="what the store runs on")],
    url: Annotated[str, typer.Option(help="the store's address; may be left out for BigCommerce")] = "",
    credentials: Credentials = "",
    opening: Annotated[
        bool | None,
        typer.Option("--opening/--no-opening", help="take the numbers it shows as the opening stock of new items"),
    ] = None,
    *,
    call: Call,
) -> None:
    """Connect a store; its credentials are tested, and kept encrypted.

    It starts in mode observe: Holdfast reads, and writes nothing until you say `holdfast store mode NAME live`.
    Credentials are never given on the command line, where others could read them: you are asked and what you type
    stays hidden, or they come from a file or a pipe.

    \b
    Example: holdfast store add Berlin --platform woocommerce --url https://shop.example --opening
             holdfast store add Berlin --platform shopify --url x.myshopify.com --credentials - < keys.txt
    """
    from core.queries import store_views
    from edge.commands.credentials import gather, tidy_url
    from jobs.connect import connect_store

    address = tidy_url(platform, url)
    with call.door(Right.STORE_CONNECT) as entered:
        if opening:
            entered.actor.require(Right.STOCK_RECEIVE)
        given = gather(platform, credentials)
        if opening is None:
            opening = not credentials and _is_to_open(entered)
        store, profile = connect_store(
            entered.app, call.merchant, name=name, platform=platform, url=address, credentials=given, opening=opening,
            actor=str(entered.actor),
        )  # fmt: skip
        with entered.begin() as tx:
            entered.log(tx, "store.add", f"store:{store.id}", platform=platform, opening=opening)
            view = next(view for view in store_views(tx) if view.id == store.id)
    if call.as_json:
        say_json({**dataclasses.asdict(view), "opening": opening, "warnings": profile.warnings})
    else:
        _say_connected(name, view, profile, opening=opening)


def _is_to_open(entered: Door) -> bool:
    """Asks, where there is somebody who can be asked and may decide it."""
    import sys

    question = "Take the numbers it shows as the opening stock of items that have none (yes for a first store)?"
    return Right.STOCK_RECEIVE in entered.actor.rights and sys.stdin.isatty() and typer.confirm(question)


def _say_connected(name: str, view: "StoreView", profile: "StoreProfile", *, opening: bool) -> None:
    say(f"Connected {name}: {profile.name}, {counted(view.listings, 'listing')}, in mode {view.mode}.")
    for warning in profile.warnings:
        say(f"  Note: {warning}")
    if view.unmapped:
        say(f"  {counted(view.unmapped, 'listing')} cannot be mapped by SKU; see `holdfast store map {name}`.")
    if opening and not view.listings:
        say("  It lists nothing, so there is no opening stock; `holdfast stock receive SKU N` books what you have.")
    elif not opening:
        say("  Its numbers were not taken over; `holdfast stock receive SKU N` books what you have.")
    say(f"Next: `holdfast sync {name} --dry-run` shows what would change; `holdfast store mode {name} live` writes.")


@commands.command("list")
@spread
def list_stores(*, call: Call) -> None:
    """Show all stores: mode, trouble, and last signs of life.

    \b
    Example: holdfast store list
    """
    from core.queries import store_views

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        views, now = store_views(tx), tx.now
    if call.as_json:
        say_json([dataclasses.asdict(view) for view in views])
    elif not views:
        say("No store yet. Connect one: holdfast store add NAME --platform shopify|woocommerce|bigcommerce --url URL")
    else:
        columns = ["store", "platform", "mode", "last webhook", "last poll", ">listings", ">stale", "trouble"]
        say_table(columns, [_line(view, now) for view in views])


def _line(view: "StoreView", now: datetime) -> list[object]:
    mode = f"{view.mode}, paused" if view.paused else view.mode
    return [
        view.name,
        view.platform,
        mode,
        ago(view.last_webhook_at, now),
        ago(view.last_poll_at, now),
        view.listings,
        view.stale,
        view.trouble,
    ]


@commands.command("test")
@spread
def try_store(store: StoreName, *, call: Call) -> None:
    """Try a store's credentials and rights now.

    What was wrong with it is forgotten when all is well.

    \b
    Example: holdfast store test Berlin
    """
    from core import stores
    from jobs.connect import test_store

    with call.door(Right.STORE_CHANGE) as entered:
        with entered.begin() as tx:
            row = stores.find(tx, store)
        profile = test_store(entered.app, call.merchant, row, actor=str(entered.actor))
        off_s = round((profile.clock - entered.app.db.clock()).total_seconds())
    if call.as_json:
        say_json({"store": row.name, "shop": profile.name, "clock_off_s": off_s, "warnings": profile.warnings})
        return
    say(f"{row.name} works: {profile.name}.")
    if abs(off_s) > _CLOCK_OFF_S:
        say(
            f"  Note: its clock is {abs(off_s)} s {'ahead of' if off_s > 0 else 'behind'} ours; see that ours is right."
        )
    for warning in profile.warnings:
        say(f"  Note: {warning}")


@commands.command()
@spread
def renew(store: StoreName, credentials: Credentials = "", *, call: Call) -> None:
    """Give a store new credentials.

    They are tested first, and the old ones stay when they do not work.

    \b
    Example: holdfast store renew Berlin
    """
    from core import stores
    from edge.commands.credentials import gather
    from jobs.connect import renew_credentials

    with call.door(Right.STORE_CONNECT) as entered:
        with entered.begin() as tx:
            row = stores.find(tx, store)
        given = gather(row.platform, credentials, _known(entered.app, row))
        profile = renew_credentials(entered.app, call.merchant, row, given, actor=str(entered.actor))
        with entered.begin() as tx:
            entered.log(tx, "store.renew", f"store:{row.id}")
    if call.as_json:
        say_json({"store": row.name, "shop": profile.name, "warnings": profile.warnings})
        return
    say(f"{row.name} has new credentials, and they work: {profile.name}.")
    for warning in profile.warnings:
        say(f"  Note: {warning}")


def _known(app: "App", row: "StoreRow") -> Mapping[str, str]:
    try:
        return app.secrets.open(row.credentials)
    except ConfigError:
        # The key is lost, which new credentials are the cure for.
        return {}


@commands.command()
@spread
def pause(store: MaybeStore = "", every: All = False, *, call: Call) -> None:
    """Stop writing to a store at once; --all is the red button.

    Orders are still taken in.

    \b
    Example: holdfast store pause Berlin
             holdfast store pause --all
    """
    with _store_door(store, call.as_, call.merchant, call.data_dir, every=every) as entered:
        names = _set_paused(entered, store, paused=True)
    if call.as_json:
        say_json({"paused": names})
        return
    say(f"Paused: {', '.join(names)}. Nothing is written until `holdfast store resume {'--all' if every else store}`.")


@commands.command()
@spread
def resume(store: MaybeStore = "", every: All = False, *, call: Call) -> None:
    """Write to a paused store again.

    \b
    Example: holdfast store resume Berlin
             holdfast store resume --all
    """
    with _store_door(store, call.as_, call.merchant, call.data_dir, every=every) as entered:
        names = _set_paused(entered, store, paused=False)
    if call.as_json:
        say_json({"resumed": names})
        return
    say(f"Resumed: {', '.join(names)}. Stores in mode live are written to again.")


def _store_door(store: str, as_: str, merchant: int, data_dir: DataDir, *, every: bool) -> AbstractContextManager[Door]:
    if bool(store) == every:
        raise typer.BadParameter("name one store, or say --all")
    return door(merchant, data_dir, as_, Right.STORE_CHANGE)


def _set_paused(entered: Door, store: str, *, paused: bool) -> list[str]:
    """Pause or resume the store of that name, or all for none; returns their names."""
    from core import stores
    from jobs.connect import change_pause

    with entered.begin() as tx:
        rows = [stores.find(tx, store)] if store else stores.every(tx)
    if not rows:
        raise ConfigError("there is no store yet; connect one with `holdfast store add`")
    change_pause(entered.app, entered.merchant_id, [row.id for row in rows], paused=paused, actor=str(entered.actor))
    with entered.begin() as tx:
        entered.log_all(tx, "store.pause" if paused else "store.resume", {f"store:{row.id}": {} for row in rows})
    return [row.name for row in rows]


@commands.command()
@spread
def mode(
    store: StoreName,
    to: Annotated[StoreMode, typer.Argument(metavar="MODE", help="off, observe, dry_run or live")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before going live")] = False,
    *,
    call: Call,
) -> None:
    """Say how much Holdfast may do with a store.

    \b
    off      nothing at all
    observe  take in its orders, write nothing
    dry_run  the same, and note what would be written
    live     write numbers; asks first, and says how many listings change
    Example: holdfast store mode Berlin live
    """
    from core import stores
    from jobs.connect import change_mode

    with call.door(Right.STORE_CHANGE) as entered:
        with entered.begin() as tx:
            row = stores.find(tx, store)
        if to is StoreMode.LIVE and row.mode is not StoreMode.LIVE:
            _ask_to_go_live(entered.app, call.merchant, row, yes=yes, quiet=call.as_json)
        looked_at = change_mode(entered.app, call.merchant, row.id, to, actor=str(entered.actor))
        with entered.begin() as tx:
            entered.log(tx, "store.mode", f"store:{row.id}", mode=to, was=row.mode)
    if call.as_json:
        say_json({"store": row.name, "mode": to, "was": row.mode, "paused": row.paused, "computed_again": looked_at})
        return
    say(f"{row.name} is in mode {to} (was {row.mode}).")
    if to in (StoreMode.LIVE, StoreMode.DRY_RUN):
        say(f"{counted(looked_at, 'listing')} are computed again; `holdfast doctor` shows what is still stale.")
    if row.paused and to is StoreMode.LIVE:
        say(f"It is still paused: nothing is written until `holdfast store resume {row.name}`.")


def _ask_to_go_live(app: "App", merchant: int, row: "StoreRow", *, yes: bool, quiet: bool) -> None:
    from jobs.sync import full_sync

    if yes and quiet:
        return

    report = full_sync(app, merchant, row.id, dry_run=True)
    change = [found for found in report.differences if found.shown is not None]
    emptied = sum(found.wanted == 0 for found in change)
    say(
        f"{row.name}: {len(change):,} of {counted(report.compared, 'listing')} would change, {emptied:,} of them to "
        f"0; `holdfast sync {row.name} --dry-run` lists them."
    )
    confirm(f"Write to {row.name} from now on?", yes=yes)


@commands.command("map")
@spread
def map_listing(
    store: StoreName,
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="the store's own id of the listing")] = "",
    sku: Annotated[str, typer.Argument(metavar="SKU", help="the item it sells")] = "",
    *,
    call: Call,
) -> None:
    """Say which item a listing sells, or list what needs mapping.

    Order lines that were held for the listing are replayed. With STORE alone: what needs mapping.

    \b
    Example: holdfast store map Berlin
             holdfast store map Berlin 4711 MUG-RED
    """
    from core import catalog, stores
    from core.queries import mapping_gaps

    if bool(listing) != bool(sku):
        raise typer.BadParameter("name both the listing and the SKU, or neither")
    needed = Right.STORE_CHANGE if listing else Right.STOCK_VIEW
    with call.door(needed) as entered, entered.begin() as tx:
        row = stores.find(tx, store)
        if listing:
            catalog.map_listing(tx, row.id, listing, sku)
            entered.log(tx, "store.map", f"store:{row.id}", listing=listing, sku=sku)
        gaps = [] if listing else mapping_gaps(tx, row.id)
    if listing:
        say(f"Listing {listing} of {row.name} sells {sku}; its held orders are fetched again.")
    elif call.as_json:
        say_json([dataclasses.asdict(gap) for gap in gaps])
    elif not gaps:
        say(f"Every listing of {row.name} is mapped, and no order line is held.")
    else:
        columns = ["listing", "SKU", "title", ">held order lines", "why"]
        say_table(columns, [[gap.external_id, gap.sku, gap.title, gap.held_lines, gap.why] for gap in gaps])
        say(f"Map one: holdfast store map {row.name} LISTING SKU")

"""``holdfast``: the command line, put together from ``edge.commands``."""

import importlib.metadata
import sys
from typing import Annotated

import typer

from core.errors import HoldfastError
from edge.commands import (
    alerts,
    apart,
    backorders,
    bins,
    books,
    bundles,
    campaigns,
    count,
    count_views,
    demo,
    doctor,
    explain,
    exports,
    fulfil,
    fulfil_views,
    history,
    import_views,
    imports,
    item_life,
    items,
    keys,
    listings,
    lock_moves,
    lock_views,
    locks,
    log,
    merchant,
    merchants,
    mirror,
    mirror_batches,
    orders,
    pool_views,
    pools,
    processes,
    purchase_receipts,
    purchase_views,
    purchases,
    replenish,
    reserve,
    reserve_rules,
    route,
    rules,
    simulate,
    stock,
    stores,
    suppliers,
    sync,
    transfers,
    users,
    values,
    warehouse_layers,
    warehouses,
)
from edge.commands.wording import Worded


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdfast {importlib.metadata.version('holdfast')}")
        raise typer.Exit


app = typer.Typer(
    name="holdfast",
    cls=Worded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Plain help: drawing boxes would take longer than everything else.
    rich_markup_mode=None,
)


@app.callback()
def holdfast(
    version: Annotated[
        bool, typer.Option("--version", help="say which version this is", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """One ledger, every storefront right. Start with `holdfast demo`, or `holdfast up` for your own stores."""


for run in (
    processes.up,
    demo.demo,
    simulate.simulate,
    doctor.doctor,
    sync.sync,
    explain.explain,
    purchase_receipts.receive,
    fulfil.ship,
    books.audit,
    history.rebuild,
    exports.export,
    log.log,
    merchant.merchant,
    processes.migrate,
    processes.web,
    processes.worker,
    processes.relay,
):
    app.command()(run)
stock.commands.command("at")(history.at)
stock.commands.command("card")(history.card)
stock.commands.command("value")(values.value)
for change in (item_life.rename, item_life.merge, item_life.split, item_life.reference, values.cost):
    items.commands.command()(change)
app.add_typer(merchants.commands, name="merchants")
app.add_typer(stores.commands, name="store")
app.add_typer(stock.commands, name="stock")
warehouses.commands.command()(warehouse_layers.reconcile)
app.add_typer(warehouses.commands, name="warehouse")
app.add_typer(bins.commands, name="bin")
app.add_typer(transfers.commands, name="transfer")
for on_batch in (
    mirror_batches.read, mirror_batches.review, mirror_batches.approve, mirror_batches.reject, mirror_batches.resume,
):  # fmt: skip
    mirror.commands.command()(on_batch)
app.add_typer(mirror.commands, name="mirror")
count.commands.command("list")(count_views.list_)
for look in (count_views.sheet, count_views.show, count_views.variance):
    count.commands.command()(look)
app.add_typer(count.commands, name="count")
app.add_typer(apart.commands, name="apart")
app.add_typer(items.commands, name="item")
app.add_typer(bundles.commands, name="bundle")
for limit in (reserve_rules.ttl, reserve_rules.limit, reserve_rules.limits):
    reserve.commands.command()(limit)
app.add_typer(reserve.commands, name="reserve")
for lock in (
    lock_moves.migrate,
    lock_moves.floor,
    lock_moves.limit,
    lock_views.show,
    lock_views.report,
    lock_views.history,
):
    locks.commands.command()(lock)
locks.commands.command("list")(lock_views.list_locks)
app.add_typer(locks.commands, name="lock")
app.add_typer(orders.commands, name="order")
pools.commands.command("list")(pool_views.list_pools)
for act in (
    pool_views.show, pool_views.report, campaigns.activity, campaigns.presale, campaigns.preload, campaigns.start,
    campaigns.stop, campaigns.deposit,
):  # fmt: skip
    pools.commands.command()(act)
app.add_typer(pools.commands, name="pool")
app.add_typer(backorders.commands, name="backorder")
purchases.commands.command("list")(purchase_views.list_orders)
for on_order in (purchase_views.show, purchase_receipts.receive, purchase_receipts.undo, purchase_receipts.count):
    purchases.commands.command()(on_order)
app.add_typer(purchases.commands, name="purchase")
app.add_typer(suppliers.commands, name="supplier")
app.add_typer(replenish.commands, name="replenish")
imports.commands.command("list")(import_views.list_imports)
for on_import in (import_views.show, import_views.undo):
    imports.commands.command()(on_import)
app.add_typer(imports.commands, name="import")
fulfil.commands.command("list")(fulfil_views.list_fulfilments)
fulfil.commands.command()(fulfil_views.show)
app.add_typer(fulfil.commands, name="fulfil")
app.add_typer(route.commands, name="route")
app.add_typer(rules.commands, name="rule")
app.add_typer(listings.commands, name="listing")
app.add_typer(alerts.commands, name="alert")
app.add_typer(books.work_commands, name="work")
app.add_typer(users.commands, name="user")
app.add_typer(keys.commands, name="key")


def main() -> None:
    """The entry point: errors raised on purpose are told in one line, with exit code 1."""
    try:
        app()
    except HoldfastError as error:
        typer.echo(f"holdfast: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

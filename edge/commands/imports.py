"""``holdfast import``: files of rows are tried out, read in once, and taken back."""

from typing import Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call
from edge.commands.import_parts import Asked, Format, read
from edge.commands.spread import spread

commands = typer.Typer(
    help="Read files of goods and orders, and take them back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("items")
@spread
def items(asked: Asked, call: Call) -> None:
    """Read items: their codes, titles, units and barcodes.

    Columns: sku, title, kind, units (like case=24; pallet=960), barcodes. What a row leaves empty stays as it is. Of
    what bundles and kits are made, a file of bundles says afterwards.

    \b
    Example: holdfast import items items.csv --dry-run
    """
    read("items", asked, call, Right.RULE_CHANGE)


@commands.command("bundles")
@spread
def bundles(asked: Asked, call: Call) -> None:
    """Read of what bundles and kits are made, a row for each component.

    Columns: bundle, kind (bundle or kit), part, grade, units (of the part in one bundle). The rows of a bundle stand
    together, and are all that it is made of. Bundles and parts are items that are there already.

    \b
    Example: holdfast import bundles bundles.csv --dry-run
    """
    read("bundles", asked, call, Right.RULE_CHANGE)


@commands.command("suppliers")
@spread
def suppliers(*, form: Format = "holdfast", asked: Asked, call: Call) -> None:
    """Read suppliers.

    Columns: code, name, email, currency, lead_days. Without a code, one is made of the name.

    \b
    Example: holdfast import suppliers suppliers.csv --dry-run
             holdfast import suppliers suppliers.csv --format stocky
    """
    read("suppliers", asked, call, Right.PURCHASE_CHANGE, form=form)


@commands.command("supplier-items")
@spread
def supplier_items(*, form: Format = "holdfast", asked: Asked, call: Call) -> None:
    """Read what suppliers bring, a row for each of their items.

    Columns: supplier, sku, supplier_sku, pack_size (units in one of its cases), least_units, lead_days, cost (of one
    unit, in the supplier's currency). What a row leaves empty stays as it is.

    \b
    Example: holdfast import supplier-items prices.csv --set supplier=ACME --dry-run
             holdfast import supplier-items purchase_order_1848.csv --format stocky
    """
    read("supplier-items", asked, call, Right.PURCHASE_CHANGE, form=form)


@commands.command("stock")
@spread
def stock(
    *,
    adds: Annotated[
        bool, typer.Option("--add", help="quantities came in addition; else they are what stands there")
    ] = False,
    asked: Asked,
    call: Call,
) -> None:
    """Read how many units stand where.

    Columns: sku, warehouse, bin, grade, quantity. The difference to the books is found, or missing; with --add the
    units came in addition.

    \b
    Example: holdfast import stock count.csv --dry-run
             holdfast import stock delivery.csv --add
    """
    read("stock", asked, call, Right.STOCK_RECEIVE if adds else Right.STOCK_ADJUST, said={"adds": adds})


@commands.command("purchases")
@spread
def purchases(*, form: Format = "holdfast", asked: Asked, call: Call) -> None:
    """Read purchase orders, a row for each line.

    Columns: number, supplier, warehouse, expected_on, note, state (draft or placed), sku, grade, quantity, unit, cut,
    came, cost, line_expected_on. What came or was cut elsewhere is not ordered again.

    \b
    Example: holdfast import purchases orders.csv --dry-run
             holdfast import purchases po_1848.csv --format stocky --set state=placed
    """
    read("purchases", asked, call, Right.PURCHASE_CHANGE, form=form)


@commands.command("receipts")
@spread
def receipts(asked: Asked, call: Call) -> None:
    """Read what came for purchase orders.

    A row for each line of a delivery. Columns: order, delivery, warehouse, bin, sku, grade, good, damaged,
    other_grade. A delivery with a name of its own is never booked twice.

    \b
    Example: holdfast import receipts delivery.csv --dry-run
    """
    read("receipts", asked, call, Right.STOCK_RECEIVE)


@commands.command("transfers")
@spread
def transfers(asked: Asked, call: Call) -> None:
    """Read transfers between warehouses.

    A row for each item. Columns: number, from, to, expected_on, note, sku, grade, quantity, sent, came, lost. What was
    not sent yet is asked for; what was sent and neither came nor is lost is on its way here, too, and on sale.

    \b
    Example: holdfast import transfers transfers.csv --dry-run
    """
    read("transfers", asked, call, Right.STOCK_MOVE, Right.STOCK_RECEIVE)


@commands.command("locks")
@spread
def locks(
    *,
    approve: Annotated[bool, typer.Option("--approve", help="approve them as well; for who may")] = False,
    asked: Asked,
    call: Call,
) -> None:
    """Ask for locks, one in each row.

    Columns: key, sku, grade, quantity, type, store, warehouse, pure, account, owner, priority, from, until, overflow,
    reason. No unit moves before they are approved.

    \b
    Example: holdfast import locks locks.csv --dry-run
             holdfast import locks locks.csv --approve
    """
    rights = (Right.LOCK_REQUEST, Right.LOCK_DECIDE) if approve else (Right.LOCK_REQUEST,)
    read("locks", asked, call, *rights, said={"approves": approve})

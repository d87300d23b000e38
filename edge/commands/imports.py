"""``holdfast import``: files of rows are tried out, read in once, and taken back."""

from typing import Annotated, Any, Literal

import typer

from core.access.rights import Right
from edge.commands.acting import DryRun
from edge.commands.common import FIRST_MERCHANT, As, AsJson, DataDir, Merchant
from edge.commands.import_parts import Again, Asked, BestEffort, CsvPath, RefusedTo, Say, read

commands = typer.Typer(
    help="Read files of goods and orders, and take them back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FormatName = Literal["holdfast", "stocky"]
Format = Annotated[FormatName, typer.Option("--format", help="whose names its columns have")]


def _form(form: FormatName) -> dict[str, Any]:
    return {} if form == "holdfast" else {"format": form}


@commands.command("items")
def items(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read items: their codes, titles, units and barcodes.

    Columns: sku, title, kind, units (like case=24; pallet=960), barcodes. What a row leaves empty stays as it is.

    \b
    Example: holdfast import items items.csv --dry-run
    """
    asked = Asked("items", path, dry_run, best_effort, again, set_ or (), refused, as_json)
    read(asked, merchant, data_dir, as_, Right.RULE_CHANGE)


@commands.command("suppliers")
def suppliers(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    form: Format = "holdfast",
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read suppliers.

    Columns: code, name, email, currency, lead_days. Without a code, one is made of the name.

    \b
    Example: holdfast import suppliers suppliers.csv --dry-run
             holdfast import suppliers suppliers.csv --format stocky
    """
    asked = Asked("suppliers", path, dry_run, best_effort, again, set_ or (), refused, as_json, _form(form))
    read(asked, merchant, data_dir, as_, Right.PURCHASE_CHANGE)


@commands.command("stock")
def stock(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    adds: Annotated[
        bool, typer.Option("--add", help="quantities came in addition; else they are what stands there")
    ] = False,
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read how many units stand where.

    Columns: sku, warehouse, bin, grade, quantity. The difference to the books is found, or missing; with --add the
    units came in addition.

    \b
    Example: holdfast import stock count.csv --dry-run
             holdfast import stock delivery.csv --add
    """
    right = Right.STOCK_RECEIVE if adds else Right.STOCK_ADJUST
    asked = Asked("stock", path, dry_run, best_effort, again, set_ or (), refused, as_json, {"adds": adds})
    read(asked, merchant, data_dir, as_, right)


@commands.command("purchases")
def purchases(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    form: Format = "holdfast",
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read purchase orders, a row for each line.

    Columns: number, supplier, warehouse, expected_on, note, state (draft or placed), sku, grade, quantity, unit, cut,
    came, cost, line_expected_on. What came or was cut elsewhere is not ordered again.

    \b
    Example: holdfast import purchases orders.csv --dry-run
             holdfast import purchases po_1848.csv --format stocky --set number=PO-1848 --set supplier=ACME
    """
    asked = Asked("purchases", path, dry_run, best_effort, again, set_ or (), refused, as_json, _form(form))
    read(asked, merchant, data_dir, as_, Right.PURCHASE_CHANGE)


@commands.command("receipts")
def receipts(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read what came for purchase orders.

    A row for each line of a delivery. Columns: order, delivery, warehouse, bin, sku, grade, good, damaged,
    other_grade. A delivery with a name of its own is never booked twice.

    \b
    Example: holdfast import receipts delivery.csv --dry-run
    """
    asked = Asked("receipts", path, dry_run, best_effort, again, set_ or (), refused, as_json)
    read(asked, merchant, data_dir, as_, Right.STOCK_RECEIVE)


@commands.command("transfers")
def transfers(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Read transfers between warehouses.

    Nothing moves yet. A row for each item. Columns: number, from, to, expected_on, note, sku, grade, quantity, sent,
    came, lost. What was sent elsewhere is not asked for again.

    \b
    Example: holdfast import transfers transfers.csv --dry-run
    """
    asked = Asked("transfers", path, dry_run, best_effort, again, set_ or (), refused, as_json)
    read(asked, merchant, data_dir, as_, Right.STOCK_MOVE)


@commands.command("locks")
def locks(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: CsvPath,
    approve: Annotated[bool, typer.Option("--approve", help="approve them as well; for who may")] = False,
    dry_run: DryRun = False,
    best_effort: BestEffort = False,
    again: Again = False,
    set_: Say = None,
    refused: RefusedTo = None,
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask for locks, one in each row.

    Columns: key, sku, grade, quantity, type, store, warehouse, pure, account, owner, priority, from, until, overflow,
    reason. No unit moves before they are approved.

    \b
    Example: holdfast import locks locks.csv --dry-run
             holdfast import locks locks.csv --approve
    """
    asked = Asked("locks", path, dry_run, best_effort, again, set_ or (), refused, as_json, {"approves": approve})
    rights = (Right.LOCK_REQUEST, Right.LOCK_DECIDE) if approve else (Right.LOCK_REQUEST,)
    read(asked, merchant, data_dir, as_, *rights)

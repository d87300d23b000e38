"""``holdfast export``: what there is, as a CSV file that can be read in again."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Caller, say
from edge.commands.spread import spread

KindName = Literal[
    "items", "bundles", "suppliers", "supplier-items", "stock", "purchases", "receipts", "transfers", "locks"
]
DelimiterName = Literal["comma", "semicolon", "tab"]
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


@spread
def export(
    *,
    kind: Annotated[KindName, typer.Argument(metavar="KIND", help=f"what to write: {', '.join(get_args(KindName))}")],
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="where to; else to stdout")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="also papers that are done")] = False,
    delimiter: Annotated[DelimiterName, typer.Option("--delimiter", help="what stands between cells")] = "comma",
    excel: Annotated[bool, typer.Option("--excel", help="with the mark by which Excel knows UTF-8")] = False,
    caller: Caller,
) -> None:
    """Write what there is as a CSV file.

    Read in again, such a file changes nothing. Cells that a spreadsheet would take for a formula begin with ', which
    is taken off again.

    \b
    Example: holdfast export stock --to stock.csv
             holdfast export purchases --all --to orders.csv --delimiter semicolon --excel
    """
    from core.files.kinds import kind_named
    from edge.csv_files import written

    found = kind_named(kind)
    rows = 0
    with (
        caller.door(Right.STOCK_VIEW) as entered,
        entered.begin() as tx,
        written(to, found.exported, delimiter=_DELIMITERS[delimiter], bom=excel) as write,
    ):
        for page in found.pages(tx, all_of_them):
            for row in page:
                write(row)
            rows += len(page)
    if to is not None:
        say(f"{counted(rows, 'row')} written to {to}.")

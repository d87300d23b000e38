"""``holdfast``: the command line, put together from ``edge.commands``."""

import sys

import typer

from core.errors import HoldfastError
from edge.commands import books, demo, doctor, merchant, processes, simulate, stock, stores, sync

app = typer.Typer(
    name="holdfast",
    help="One ledger, every storefront right. Start with `holdfast demo`, or `holdfast up` for your own stores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Plain help: drawing boxes would take longer than everything else.
    rich_markup_mode=None,
)
for run in (
    processes.up,
    demo.demo,
    simulate.simulate,
    doctor.doctor,
    sync.sync,
    books.audit,
    merchant.merchant,
    processes.migrate,
    processes.web,
    processes.worker,
    processes.relay,
):
    app.command()(run)
app.add_typer(stores.commands, name="store")
app.add_typer(stock.commands, name="stock")
app.add_typer(books.work_commands, name="work")


def main() -> None:
    """The entry point: errors raised on purpose are told in one line, with exit code 1."""
    try:
        app()
    except HoldfastError as error:
        typer.echo(f"holdfast: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

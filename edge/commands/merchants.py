"""``holdfast merchants``: all whose stock this hub keeps, each behind a wall of its own."""

from typing import Annotated

import typer

from edge.commands.common import AsJson, DataDir, say, say_json, say_table, whole_hub

commands = typer.Typer(
    help="List the merchants of this hub, and add one. Merchants see nothing of each other.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all merchants with the number that --merchant takes.

    \b
    Example: holdfast merchants list
    """
    from core.queries import merchants

    with whole_hub(data_dir) as app:
        found = merchants(app.db)
    if as_json:
        say_json([{"id": number, "name": name} for number, name in found.items()])
    else:
        say_table([">number", "name"], [[number, name] for number, name in found.items()])


@commands.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what the merchant is called")],
    time_zone: Annotated[str, typer.Option(help="like Europe/Berlin; its days begin and end there")] = "UTC",
    email: Annotated[str, typer.Option(help="where its warnings go; else nobody is warned")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a merchant, with a warehouse of its own.

    Only whoever has the shell may. Name it with --merchant in every other command; a user may work for several, with
    another role for each.

    \b
    Example: holdfast merchants add "Second shop" --time-zone Europe/Berlin
             holdfast user add planner@shop.example --role planner --merchant 2
    """
    from config.setup import add_merchant

    if not name.strip():
        raise typer.BadParameter("a merchant needs a name")
    with whole_hub(data_dir) as app:
        number = add_merchant(app.db, name=name.strip(), time_zone=time_zone, email=email)
    if as_json:
        say_json({"id": number, "name": name})
    else:
        say(f"Merchant {number} is there: `holdfast store add NAME --merchant {number} ...` connects its first store.")

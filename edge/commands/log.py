"""``holdfast log``: who did what."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import typer

from core.access.rights import Right
from edge.commands.common import FIRST_MERCHANT, As, AsJson, DataDir, Merchant, door, say, say_json, say_table


def log(
    limit: Annotated[int, typer.Option("--last", min=1, max=10_000, metavar="N", help="the newest N acts")] = 50,
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="of one: a user's EMAIL, cli, or as --json says")] = "",
    on: Annotated[str, typer.Option("--on", metavar="WHAT", help="on one: a user's EMAIL, or as --json says")] = "",
    as_: As = "",
    merchant: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what.

    Jobs are not in it: the documents that they post name them, as `holdfast stock show SKU` shows. Nothing in the log
    can be changed or deleted.

    \b
    Example: holdfast log
             holdfast log --by planner@shop.example --last 10
    """
    from core.access import acts, users

    with door(merchant, data_dir, as_, Right.LOG_VIEW) as entered, entered.begin() as tx:
        actor, subject = (users.find(tx, name).subject if "@" in name else name for name in (by, on))
        found = acts.newest(tx, limit, actor=actor, subject=subject)
    if as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("Nothing was done yet." if not (by or on) else "Nothing of that kind was done yet.")
    else:
        rows = [[f"{one.at:%Y-%m-%d %H:%M:%S}", one.who, one.act, one.what, _words(one.detail)] for one in found]
        say_table(["when (UTC)", "who", "act", "what", "detail"], rows)


def _words(detail: Mapping[str, object]) -> str:
    shown = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in detail.items()}
    return "; ".join(f"{name} {value}" for name, value in shown.items() if value is not None)

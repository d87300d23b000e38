"""``holdfast log``: who did what."""

import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import local

# As acts are noted: in ISO 8601, with the offset.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$")


@spread
def log(
    limit: Annotated[int, typer.Option("--last", min=1, max=10_000, metavar="N", help="the newest N acts")] = 50,
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="of one: a user's EMAIL, cli, or as --json says")] = "",
    on: Annotated[str, typer.Option("--on", metavar="WHAT", help="on one: a user's EMAIL, or as --json says")] = "",
    *,
    call: Call,
) -> None:
    """Show who did what.

    Jobs are not in it: the documents that they post name them, as `holdfast stock show SKU` shows. Nothing in the log
    can be changed or deleted.

    \b
    Example: holdfast log
             holdfast log --by planner@shop.example --last 10
    """
    from core.access import acts, users
    from core.zones import zone_of

    with call.door(Right.LOG_VIEW) as entered, entered.begin() as tx:
        actor, subject = (users.find(tx, name).subject if "@" in name else name for name in (by, on))
        found, zone = acts.newest(tx, limit, actor=actor, subject=subject), zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("Nothing was done yet." if not (by or on) else "Nothing of that kind was done yet.")
    else:
        rows = [
            [local(one.at, zone, seconds=True), one.who, one.act, one.what, _words(one.detail, zone)] for one in found
        ]
        say_table([f"when ({zone.key})", "who", "act", "what", "detail"], rows)


def _words(detail: Mapping[str, object], zone: ZoneInfo) -> str:
    shown = {name: _said(value, zone) for name, value in detail.items() if value not in (None, "", [], {})}
    return "; ".join(f"{name.replace('_', ' ')} {said}" for name, said in shown.items())


def _said(value: object, zone: ZoneInfo) -> str:
    """A value of a detail as words; an instant on the merchant's clock."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_said(one, zone) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(one, zone)}" for name, one in value.items())
    if isinstance(value, str) and _INSTANT.match(value):
        return local(datetime.fromisoformat(value), zone, seconds=True)
    return str(value)

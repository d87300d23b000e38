"""``holdfast key``: API keys, for programs that act for a merchant."""

import dataclasses
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.access.keys import KeyView

commands = typer.Typer(help="Make API keys for programs, and end them.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="what you call the key")]


@commands.command()
@spread
def make(
    name: Name,
    scope: Annotated[
        list[Right],
        typer.Option("--scope", metavar="RIGHT", help="what it may do; repeat it; `holdfast user rights` lists all"),
    ],
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, metavar="N", help="it works for N days; else until it is revoked")
    ] = None,
    *,
    call: Call,
) -> None:
    """Make an API key; it is shown this once.

    It may do what its scopes say, and they can be no more than what you may do. Only a fingerprint of it is kept, so
    nobody can show it again: a lost key is revoked, and another one made.

    \b
    Example: holdfast key make website --scope stock.view --scope hold.make --expires-days 365
    """
    from core.access import keys
    from core.zones import zone_of

    with call.door(Right.KEY_MANAGE) as entered, entered.begin() as tx:
        expires_at = None if expires_days is None else tx.now + timedelta(days=expires_days)
        key, zone = keys.make(tx, entered.actor, name, scope, expires_at), zone_of(tx)
    if call.as_json:
        say_json({"name": name.strip(), "key": str(key), "public_id": key.public_id, "expires_at": expires_at})
        return
    say(str(key))
    until = f"until {local(expires_at, zone)}" if expires_at else f"until `holdfast key revoke {name.strip()}`"
    say(f"Keep it now: it is never shown again. It works {until}.")


@commands.command("list")
@spread
def list_keys(
    every: Annotated[bool, typer.Option("--all", help="also those that were revoked")] = False, *, call: Call
) -> None:
    """Show the merchant's API keys: scopes, maker, last use.

    \b
    Example: holdfast key list
    """
    from core.access import actors, keys
    from core.zones import zone_of

    with call.door(Right.KEY_MANAGE) as entered, entered.begin() as tx:
        found, now, zone = keys.every(tx, revoked=every), tx.now, zone_of(tx)
        names = actors.names_of(tx, [key.made_by for key in found])
    if call.as_json:
        say_json([{**dataclasses.asdict(key), "maker": names.get(key.made_by, key.made_by)} for key in found])
    elif not found:
        say("No API key. Make one: holdfast key make NAME --scope stock.view")
    else:
        rows = [
            [
                key.name,
                f"hf_{key.public_id}_...",
                ", ".join(key.scopes),
                names.get(key.made_by, key.made_by),
                ago(key.last_used_at, now),
                _state(key, now, zone),
            ]
            for key in found
        ]
        say_table(["key", "begins with", "scopes", "made by", "last use", "state"], rows)


@commands.command()
@spread
def revoke(name: Name, *, call: Call) -> None:
    """End an API key at once, for good.

    \b
    Example: holdfast key revoke website
    """
    from core.access import keys

    with call.door(Right.KEY_MANAGE) as entered, entered.begin() as tx:
        keys.revoke(tx, entered.actor, name)
    if call.as_json:
        say_json({"key": name, "revoked": True})
    else:
        say(f"The key {name} works no more.")


def _state(key: "KeyView", now: datetime, zone: ZoneInfo) -> str:
    if key.revoked_at is not None:
        return f"revoked {ago(key.revoked_at, now)}"
    if key.expires_at is None:
        return "works"
    return f"{'works until' if key.expires_at > now else 'expired'} {local(key.expires_at, zone)}"

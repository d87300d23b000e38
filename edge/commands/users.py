"""``holdfast user``: who may act for a merchant, and what each role may do."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import RIGHTS, Right, Role
from edge.commands.common import AsJson, Call, say, say_json, say_table
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.access.users import Member
    from core.transaction import Transaction

commands = typer.Typer(
    help="Say who may act for a merchant, and in which role.", no_args_is_help=True, rich_markup_mode=None
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="the user's address; upper and lower case are the same")]
_ROLE = "owner, planner, warehouse, viewer or operator"


@commands.command()
def rights(as_json: AsJson = False) -> None:
    """Show what each role may do.

    \b
    Example: holdfast user rights
    """
    if as_json:
        say_json({role: [right for right in Right if right in RIGHTS[role]] for role in Role})
    else:
        rows = [[right, *("yes" if right in RIGHTS[role] else "" for role in Role)] for right in Right]
        say_table(["right", *Role], rows)


@commands.command()
@spread
def add(
    email: Email,
    role: Annotated[Role, typer.Option(metavar="ROLE", help=_ROLE)],
    name: Annotated[str, typer.Option(help="what people call the user")] = "",
    *,
    call: Call,
) -> None:
    """Make somebody a user of this merchant.

    A user may be in many merchants, with another role in each. One who was removed comes back as the same.

    \b
    Example: holdfast user add planner@shop.example --role planner
    """
    from core.access import users

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        added = users.add(tx, entered.actor, email, role, name)
    if call.as_json:
        say_json(_told(added))
    else:
        say(f"{added.email} has the role {role} now; commands take --as {added.email}.")


@commands.command("list")
@spread
def list_users(
    every: Annotated[bool, typer.Option("--all", help="also those who were removed")] = False, *, call: Call
) -> None:
    """Show the merchant's users and their roles.

    \b
    Example: holdfast user list
    """
    from core.access import users

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        found = [one for one in users.members(tx) if every or one.removed_at is None]
    if call.as_json:
        say_json([_told(one) for one in found])
    elif not found:
        say("No user yet. Add one: holdfast user add EMAIL --role owner")
    else:
        rows = [[one.email, one.name, one.role, _state(one), f"{one.created_at:%Y-%m-%d}"] for one in found]
        say_table(["user", "name", "role", "state", "since"], rows)


@commands.command("role")
@spread
def change_role(email: Email, role: Annotated[Role, typer.Argument(metavar="ROLE", help=_ROLE)], *, call: Call) -> None:
    """Give a user another role.

    The last owner stays one. API keys that the user made keep working; they are named.

    \b
    Example: holdfast user role planner@shop.example owner
    """
    from core.access import users

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        before = users.change_role(tx, entered.actor, email, role)
        left = _keys_of(tx, before)
    if call.as_json:
        say_json({"user": before.email, "role": role, "was": before.role, "keys": left})
        return
    say(f"{before.email} has the role {role} now (was {before.role}).")
    _say_keys(left)


@commands.command()
@spread
def remove(
    email: Email,
    erase: Annotated[
        bool, typer.Option("--erase", help="delete address and name too; the log keeps a number in their place")
    ] = False,
    *,
    call: Call,
) -> None:
    """Take all rights of a user with this merchant away.

    The log of acts still names the user, unless --erase. What the user is to other merchants stays. The last owner
    stays, too. API keys that the user made keep working; they are named.

    \b
    Example: holdfast user remove planner@shop.example
    """
    from core.access import users

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        removed = users.remove(tx, entered.actor, email, erase=erase)
        left = _keys_of(tx, removed)
    if call.as_json:
        say_json({"user": removed.email, "removed": True, "erased": erase, "keys": left})
        return
    say(f"{removed.email} may do nothing here any more{', and is erased' if erase else ''}.")
    _say_keys(left)


@commands.command()
@spread
def disable(email: Email, *, call: Call) -> None:
    """Let a user do nothing with this merchant for now.

    The last owner stays able. API keys that the user made keep working; they are named.

    \b
    Example: holdfast user disable planner@shop.example
    """
    _set_disabled(email, call, disabled=True)


@commands.command()
@spread
def enable(email: Email, *, call: Call) -> None:
    """Let a disabled user act again.

    \b
    Example: holdfast user enable planner@shop.example
    """
    _set_disabled(email, call, disabled=False)


def _set_disabled(email: str, call: Call, *, disabled: bool) -> None:
    from core.access import users

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        one = users.set_disabled(tx, entered.actor, email, disabled)
        left = _keys_of(tx, one) if disabled else []
    if call.as_json:
        say_json({"user": one.email, "disabled": disabled, "keys": left})
        return
    say(f"{one.email} may do nothing until `holdfast user enable`." if disabled else f"{one.email} may act again.")
    _say_keys(left)


def _told(one: "Member") -> dict[str, object]:
    """A member for machines, without the number that merchants share."""
    facts = dataclasses.asdict(one)
    del facts["user_id"]
    return facts


def _state(one: "Member") -> str:
    if one.removed_at is not None:
        return "removed"
    return "disabled" if one.disabled else "active"


def _keys_of(tx: "Transaction", one: "Member") -> list[str]:
    from core.access import keys

    return [key.name for key in keys.every(tx) if key.made_by == one.subject]


def _say_keys(names: list[str]) -> None:
    if names:
        say(f"API keys that this user made still work: {', '.join(names)}; `holdfast key revoke NAME` ends one.")

"""``holdfast lock migrate``, ``floor`` and ``limit``: units change their lock or keep a store going."""

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import GOOD
from core.words import counted
from edge.commands.acting import DryRun, Grade, Sku, act
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.lock_parts import (
    Account,
    Key,
    Priority,
    Pure,
    Reason,
    Ref,
    Store,
    TypeName,
    Until,
    Warehouse,
    done_as_json,
    item_named,
    log,
    state,
    store_named,
    tell,
    warehouse_named,
    window,
)
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.rows import LockRow
    from core.sales.lock_limits import LimitView
    from core.sales.lock_migration import Successor
    from core.sales.lock_terms import LockLimit
    from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class NewTerms:
    """Options that say in what a lock to be made differs from the one it takes the place of."""

    type_: Annotated[TypeName | None, typer.Option("--type", help="of a lock that is made")] = None
    store: Store = ""
    warehouse: Warehouse = ""
    sales_only: Annotated[bool, typer.Option("--sales-only", help="made without a warehouse")] = False
    pure: Pure = False
    account: Account = ""
    until: Until = ""

    def successor(self, tx: "Transaction", old: "LockRow", to: str) -> "Successor | None":
        """The lock to be made; None where there is one called so.

        Raises: typer.BadParameter for terms of one that is there; NotFound.
        """
        from core.sales import lock_report
        from core.sales.lock_migration import Successor
        from core.sales.lock_terms import Terms
        from core.sales.named import require_unlike

        if lock_report.is_known(tx, to):
            if self != NewTerms():
                raise typer.BadParameter(f"there is a lock {to} already; leave its terms as they are")
            return None
        require_unlike(tx, to)
        kind = self.type_ or old.type
        store_id = store_named(tx, kind, self.store) if self.store or kind != old.type else old.store_id
        place = None if self.sales_only else warehouse_named(tx, self.warehouse) or old.warehouse_id
        terms = Terms(
            kind, old.stocked, old.quantity, store_id, place, self.pure or (old.pure and place is not None),
            self.account or (old.account if kind == "business" else ""), old.owner, old.priority, None,
            window(tx, "", self.until)[1] or old.expires_at, old.overflow, old.reason,
        )  # fmt: skip
        return Successor(tx.new_id(), terms)


@spread
def migrate(
    key: Key,
    to: Annotated[str, typer.Argument(metavar="TO", help="the lock to go to; made where there is none")],
    units: Annotated[int | None, typer.Argument(metavar="N", min=1, help="so many units; else all of it")] = None,
    *,
    terms: NewTerms,
    reason: Reason = "",
    ref: Ref = "",
    dry_run: DryRun = False,
    call: Call,
) -> None:
    """Give a lock's units to another lock, all or N.

    All of them go with what waits and what orders have of it. Where there is no lock TO it is made like the old
    one, but for what you say. A lock that migrates as a whole closes; `holdfast lock history` shows both as one.

    \b
    Example: holdfast lock migrate trade-fair web-stock --dry-run
             holdfast lock migrate trade-fair acme-2027 20 --type business --account c-2041
    """
    from core.sales import lock_report
    from core.sales.lock_migration import MigrateLock, move_promises

    with call.door(Right.LOCK_CHANGE) as entered:
        with entered.begin() as tx:
            before = lock_report.lock(tx, key)
            new = terms.successor(tx, lock_report.record(tx, key), to)
        command = MigrateLock(key, to, ref or str(uuid.uuid4()), units, new, reason)
        done = act(entered, command, dry_run=dry_run)
        promised = before.reserved + before.sold if units is None else 0
        if not dry_run:
            log(entered, "lock.migrate", before.id, True, to=to, units=units, reason=reason)
            if units is None:
                actor = str(entered.actor)
                run = entered.app.combiner.run
                promised = move_promises(
                    entered.app.db, call.merchant, lambda commands: run(call.merchant, commands, actor=actor), key, to
                )
    if call.as_json:
        say_json({**done_as_json(key, done), "to": to, "promised": promised, "dry_run": dry_run})
        return
    going = [counted(-done.gained, "free unit")]
    going += [f"{counted(before.waiting - done.waiting, 'unit')} to wait for"] if before.waiting > done.waiting else []
    going += [f"{counted(promised, 'unit')} of orders"] if promised else []
    would = "would go" if dry_run else "went"
    say(f"{', '.join(going)} {would} from {before.name} to {to}. {state(before.called, done, dry_run)}")


@spread
def floor(
    store: Annotated[str, typer.Argument(metavar="STORE", help="the store that may count on the units")],
    sku: Sku,
    units: Annotated[int | None, typer.Argument(metavar="N", min=1, help="free units to keep for it")] = None,
    off: Annotated[bool, typer.Option("--off", help="no floor any more")] = False,
    priority: Priority = 0,
    grade: Grade = GOOD,
    reason: Reason = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Keep N units free for a store, whatever others sell.

    A floor is a lock that is filled again as its store sells. There is one floor for a store and an item; saying it
    again changes its number.

    \b
    Example: holdfast lock floor Berlin MUG-RED 10
             holdfast lock floor Berlin MUG-RED --off
    """
    from core import stores
    from core.sales.lock_floors import SetFloor

    if (units is None) is not off:
        raise typer.BadParameter("say how many units, or --off")
    with call.door(Right.LOCK_DECIDE) as entered:
        with entered.begin() as tx:
            shop = stores.find(tx, store)
            command = SetFloor(tx.new_id(), shop.id, item_named(tx, sku, grade), units or 0, priority, reason)
        done = act(entered, command, dry_run=dry_run)
        if not dry_run:
            with entered.begin() as tx:
                entered.log(tx, "lock.floor", f"store:{shop.id}", sku=sku, units=units or 0, reason=reason)
    of = sku if grade == GOOD else f"{sku} ({grade})"
    tell(command.key, done, call.as_json, dry_run=dry_run, called=f"The floor of {of} for {shop.name}")


@spread
def limit(
    who: Annotated[
        str, typer.Argument(metavar="[WHO]", help="a user's address or the name of an API key; or --everybody")
    ] = "",
    everybody: Annotated[bool, typer.Option("--everybody", help="all who have no limit of their own")] = False,
    units: Annotated[int | None, typer.Option(min=1, metavar="N", help="of one lock")] = None,
    share: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="PERCENT", help="of what is free of an item, or theirs")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, metavar="N", help="from beginning to end of a lock")] = None,
    off: Annotated[bool, typer.Option("--off", help="no limit of their own any more")] = False,
    *,
    call: Call,
) -> None:
    """Say how much somebody may lock, or show it.

    It holds for what they ask for, when it is approved and when it is raised. Owners may exceed it.

    \b
    Example: holdfast lock limit
             holdfast lock limit --everybody --share 30 --days 90
             holdfast lock limit buyer@shop.example --units 100
    """
    from core.sales.lock_terms import LockLimit

    wanted = LockLimit(units, share, days)
    if not who and not everybody:
        if off or wanted != LockLimit():
            raise typer.BadParameter("say whose limit it is, or --everybody")
        _show_limits(call)
    elif (who and everybody) or (off and wanted != LockLimit()):
        raise typer.BadParameter("say WHO or --everybody; and --off alone, or what is limited")
    else:
        _set_limit(call, who, None if off else wanted)


def _set_limit(call: Call, who: str, wanted: "LockLimit | None") -> None:
    from core.sales import lock_limits

    with call.door(Right.USER_MANAGE) as entered, entered.begin() as tx:
        requester = _requester(tx, who) if who else lock_limits.EVERYBODY
        lock_limits.set_limit(tx, requester, wanted)
        detail = {} if wanted is None else dataclasses.asdict(wanted)
        entered.log(tx, "lock.limit", requester or "everybody", **detail)
    if call.as_json:
        say_json({"requester": requester, "limit": wanted and dataclasses.asdict(wanted)})
    else:
        say(f"{who or 'Everybody'}: {_words_of(wanted) if wanted else 'no limit of their own'}.")


def _show_limits(call: Call) -> None:
    from core.access import actors
    from core.sales import lock_limits

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, now = lock_limits.limits(tx), tx.now
        names = actors.names_of(tx, [ref for one in found for ref in (one.requester, one.changed_by)])
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("No limit. Set one: holdfast lock limit --everybody --units N")
    else:
        say_table(["who", "at most", "since", "set by"], [_limit_row(one, names, now) for one in found])


def _limit_row(one: "LimitView", names: Mapping[str, str], now: datetime) -> list[object]:
    who = names.get(one.requester, one.requester) or "everybody else"
    return [who, _words_of(one.limit), ago(one.changed_at, now), names.get(one.changed_by, one.changed_by)]


def _words_of(limit: "LockLimit") -> str:
    said = (
        f"{counted(limit.units, 'unit')} a lock" if limit.units else "",
        f"{limit.share} % of an item" if limit.share else "",
        counted(limit.days, "day") if limit.days else "",
    )
    return ", ".join(word for word in said if word)


def _requester(tx: "Transaction", who: str) -> str:
    """A user or a key as documents name it. Raises: NotFound."""
    from core.access import keys, users
    from core.errors import NotFound

    for member in users.members(tx):
        if member.email == who.strip().casefold() and member.removed_at is None:
            return member.subject
    for one in keys.every(tx):
        if one.name == who.strip():
            return f"api_key:{one.public_id}"
    raise NotFound(f"there is no user and no API key {who}; `holdfast user list` and `holdfast key list` show them")

"""``holdfast lock``: set units apart for a purpose, give them back, and say who may."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.stock import GOOD
from core.words import counted
from edge.commands.acting import DryRun, Grade, Sku, Units, act
from edge.commands.common import Call, Door, say, say_json
from edge.commands.lock_parts import (
    Account,
    From,
    Key,
    Overflow,
    OverflowName,
    Owner,
    Priority,
    Pure,
    Reason,
    Ref,
    Store,
    TypeName,
    Until,
    Warehouse,
    Yes,
    bounds,
    bounds_of,
    is_owner,
    item_named,
    log,
    log_on,
    store_named,
    tell,
    warehouse_named,
    window,
)
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.rows import StoreKey
    from core.sales.lock_requests import Changes
    from core.sales.lock_terms import Terms
    from core.transaction import Transaction

commands = typer.Typer(
    help="Set units apart for a store, a customer or a purpose.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options of a lock that is asked for."""

    type_: Annotated[TypeName, typer.Option("--type", help="for whom: see docs/locks.md")] = "business"
    store: Store = ""
    warehouse: Warehouse = ""
    pure: Pure = False
    account: Account = ""
    owner: Owner = ""
    priority: Priority = 0
    from_: From = ""
    until: Until = ""
    overflow: Overflow = "yes"
    grade: Grade = GOOD
    reason: Reason = ""

    def terms(self, tx: "Transaction", sku: str, units: int) -> "Terms":
        """Raises: NotFound; Refused for a time that makes no sense."""
        from core.sales.lock_terms import Terms

        begins, ends = window(tx, self.from_, self.until)
        return Terms(
            self.type_, item_named(tx, sku, self.grade), units, store_named(tx, self.type_, self.store),
            warehouse_named(tx, self.warehouse), self.pure, self.account, self.owner, self.priority, begins, ends,
            self.overflow, self.reason,
        )  # fmt: skip


@commands.command()
@spread
def request(
    key: Annotated[str, typer.Argument(metavar="KEY", help="your own name for the lock; it is the lock's for good")],
    sku: Sku,
    units: Units,
    *,
    wanted: Wanted,
    approve: Annotated[bool, typer.Option("--approve", help="approve it as well; for who may")] = False,
    call: Call,
) -> None:
    """Ask for a lock. No unit moves before somebody else, or an owner, approves it.

    \b
    Example: holdfast lock request trade-fair MUG-RED 40 --owner "trade fairs" --until 2027-03-01
             holdfast lock request web-stock MUG-RED 100 --type channel --store Berlin --overflow no
    """
    from core.sales.lock_requests import RequestLock
    from core.sales.named import require_unlike

    with call.door(Right.LOCK_REQUEST) as entered:
        if approve:
            entered.actor.require(Right.LOCK_DECIDE)
        with entered.begin() as tx:
            require_unlike(tx, key)
            terms = wanted.terms(tx, sku, units)
            limit, siblings = bounds(tx, entered, terms)
            lock_id = tx.new_id()
        asked = act(entered, RequestLock(key, lock_id, terms, limit, siblings))
        log(entered, "lock.request", asked.lock_id, asked.lock_id == lock_id, units=units, reason=wanted.reason)
        if approve:
            _decide(entered, key, True, "", call.as_json)
        elif call.as_json:
            say_json({"key": key, "id": asked.lock_id, "status": asked.status})
        else:
            cure = f"; `holdfast lock approve {key}` moves its units" if asked.status == "requested" else ""
            say(f"Lock {key} is {asked.status}{cure}.")


@commands.command()
@spread
def approve(key: Key, reason: Reason = "", dry_run: DryRun = False, *, call: Call) -> None:
    """Approve a lock that somebody else asked for.

    Its units move at once, or when its time has come. What is not there waits, and is filled as units come free, by
    priority, then age.

    \b
    Example: holdfast lock approve trade-fair --dry-run
             holdfast lock approve trade-fair
    """
    with call.door(Right.LOCK_DECIDE) as entered:
        _decide(entered, key, True, reason, call.as_json, dry_run=dry_run)


@commands.command()
@spread
def refuse(key: Key, reason: Reason = "", *, call: Call) -> None:
    """Refuse a lock that somebody else asked for.

    \b
    Example: holdfast lock refuse trade-fair --reason "no fair this year"
    """
    with call.door(Right.LOCK_DECIDE) as entered:
        _decide(entered, key, False, reason, call.as_json)


def _decide(entered: Door, key: str, approve: bool, reason: str, as_json: bool, *, dry_run: bool = False) -> None:
    from core.sales.lock_requests import DecideLock

    limit, siblings = bounds_of(entered, key)
    done = act(entered, DecideLock(key, approve, reason, is_owner(entered), limit, siblings), dry_run=dry_run)
    if not dry_run:
        log_on(entered, "lock.approve" if approve else "lock.refuse", key, reason=reason)
    tell(key, done, as_json, dry_run=dry_run)


@commands.command()
@spread
def release(
    key: Key,
    units: Annotated[int | None, typer.Argument(metavar="N", min=1, help="how many units; or --all")] = None,
    all_: Annotated[bool, typer.Option("--all", help="all of it: the lock closes")] = False,
    ref: Ref = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    *,
    call: Call,
) -> None:
    """Give a lock back, a part of it or --all.

    Its units are free for everybody again. What the lock still waits for goes first. What orders have of it stays
    with them until it ships or is released.

    \b
    Example: holdfast lock release trade-fair 10
             holdfast lock release trade-fair --all --dry-run
    """
    from core.sales import lock_report
    from core.sales.locks import ReleaseLock
    from edge.commands.common import confirm

    if (units is None) is not all_:
        raise typer.BadParameter("say how many units, or --all")
    with call.door(Right.LOCK_CHANGE) as entered:
        with entered.begin() as tx:
            before = lock_report.lock(tx, key)
        if all_ and not dry_run and before.status == "active":
            which = f"{'the' if before.standing else 'lock'} {before.name}"
            confirm(
                f"Close {which} and give back {counted(before.free, 'unit')}?",
                yes=yes or call.as_json,
            )
        done = act(entered, ReleaseLock(key, units, ref or str(uuid.uuid4()), reason), dry_run=dry_run)
        log(entered, "lock.release", before.id, not dry_run, units=-done.gained, reason=reason)
    tell(key, done, call.as_json, dry_run=dry_run, promised=before.reserved + before.sold, called=before.called)


@commands.command()
@spread
def consume(
    key: Key,
    units: Units,
    order: Annotated[str, typer.Option("--order", metavar="NUMBER", help="a paid order that they go to")] = "",
    store: Annotated[
        str, typer.Option("--store", metavar="NAME", help="of the order, where several have one so called")
    ] = "",
    ref: Ref = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Take units out of a pure lock.

    With --order they go to that order, whoever else waits, and the lock's warehouse is told to send them. Else they are
    on sale again for everybody, and who waits for units is served first: --ref only keeps a repeated command from
    doing it twice.

    \b
    Example: holdfast lock consume fair 5 --order 1001
             holdfast lock consume marketplace-load 60
    """
    from core.fulfilment.consuming import ConsumeFor
    from core.sales.locks import ConsumeLock

    if store and not order:
        raise typer.BadParameter("say which order of that store: --order NUMBER")
    ref = ref or str(uuid.uuid4())
    with call.door(Right.LOCK_CHANGE) as entered:
        if order:
            entered.actor.require(Right.ORDER_CHANGE)
            taker = _order_named(entered, order, store)
            done = act(entered, ConsumeFor(key, taker, units, ref, reason), dry_run=dry_run)
        else:
            done = act(entered, ConsumeLock(key, units, ref, reason), dry_run=dry_run)
        if not dry_run:
            log_on(entered, "lock.consume", key, units=units, order=order, reason=reason)
    back = f"taken out for order {order}" if order else "taken out and on sale again: no order was named"
    tell(key, done, call.as_json, dry_run=dry_run, back=back)


def _order_named(entered: Door, number: str, store: str) -> "StoreKey":
    from core.orders.views import row_of
    from core.rows import StoreKey

    with entered.begin() as tx:
        row = row_of(tx, number, store)
    return StoreKey(row.store_id, row.external_id)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Options of what is to be otherwise with a lock."""

    quantity: Annotated[int | None, typer.Option("--quantity", metavar="N", min=1, help="for so many units")] = None
    from_: From = ""
    until: Until = ""
    no_end: Annotated[bool, typer.Option("--no-end", help="it has no end any more")] = False
    priority: Annotated[int | None, typer.Option("--priority", metavar="N", help="its place among who waits")] = None
    overflow: Annotated[OverflowName | None, typer.Option("--overflow", help="may its orders take shared ones")] = None
    owner: Annotated[str | None, typer.Option("--owner", metavar="TEXT", help="whose it is, for people")] = None

    def changes(self, tx: "Transaction") -> "Changes":
        """Raises: Refused for a time that makes no sense."""
        from core.sales.lock_requests import Changes

        begins, ends = window(tx, self.from_, self.until)
        return Changes(self.quantity, self.priority, self.overflow, self.owner, begins, ends, self.no_end)


@commands.command()
@spread
def change(
    key: Key,
    *,
    otherwise: Otherwise,
    ref: Ref = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    call: Call,
) -> None:
    """Change a lock's units, time, priority or overflow.

    More units are taken, or waited for; fewer are given back. Who asked for a lock does not get more by it than was
    approved; somebody else has to change it, or an owner.

    \b
    Example: holdfast lock change trade-fair --quantity 60
             holdfast lock change trade-fair --until 2027-04-01
    """
    from core.sales import lock_report
    from core.sales.lock_requests import ChangeLock, Changes

    if otherwise.until and otherwise.no_end:
        raise typer.BadParameter("say --until or --no-end, not both")
    with call.door(Right.LOCK_CHANGE) as entered:
        with entered.begin() as tx:
            changes = otherwise.changes(tx)
            called = lock_report.lock(tx, key).called
        if changes == Changes():
            raise typer.BadParameter("say what is to change: --quantity, --until, --no-end, --priority, ...")
        limit, siblings = bounds_of(entered, key)
        command = ChangeLock(key, changes, ref or str(uuid.uuid4()), reason, is_owner(entered), limit, siblings)
        done = act(entered, command, dry_run=dry_run)
        if not dry_run:
            log_on(entered, "lock.change", key, reason=reason, **_said(changes))
    tell(key, done, call.as_json, dry_run=dry_run, called=called)


def _said(changes: Any) -> dict[str, object]:
    """What was changed, as the log of acts keeps it."""
    import dataclasses

    said = {name: value for name, value in dataclasses.asdict(changes).items() if value not in (None, False)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}

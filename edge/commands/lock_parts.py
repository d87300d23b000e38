"""What the commands on locks share: their options, and how they tell what became of a lock."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from core.words import counted
from edge.coming import HELP, read_coming
from edge.commands.common import Door, say, say_json

if TYPE_CHECKING:
    from core.sales.lock_limits import Bounds
    from core.sales.lock_terms import Terms
    from core.sales.locks import Done
    from core.stock import Stocked
    from core.transaction import Transaction

TypeName = Literal["business", "main_site", "channel", "internal"]
OverflowName = Literal["yes", "no", "ask"]
Key = Annotated[str, typer.Argument(metavar="KEY", help="the lock's name, chosen when it was asked for")]
Store = Annotated[str, typer.Option("--store", metavar="NAME", help="whose orders draw on it; for channel, main_site")]
Warehouse = Annotated[str, typer.Option("--warehouse", metavar="CODE", help="set the goods apart in this one, too")]
Pure = Annotated[bool, typer.Option("--pure", help="no order draws on it; its goods leave by `holdfast lock consume`")]
Account = Annotated[
    str, typer.Option("--account", metavar="WORD", help="business: the holder whose orders draw on it, in any store")
]
Owner = Annotated[str, typer.Option("--owner", metavar="TEXT", help="whose it is, for people: a team or a purpose")]
Priority = Annotated[int, typer.Option("--priority", metavar="N", help="among locks that wait the higher is first")]
Overflow = Annotated[OverflowName, typer.Option("--overflow", help="may its orders take what everybody shares")]
From = Annotated[str, typer.Option("--from", metavar="WHEN", help=f"when it begins, {HELP}; else at once")]
Until = Annotated[str, typer.Option("--until", metavar="WHEN", help=f"when it ends, {HELP}; else it has no end")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="why, for everybody who looks at it later")]
Ref = Annotated[str, typer.Option("--ref", metavar="NAME", help="your own name for this; repeating it does no more")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


def bounds(tx: "Transaction", entered: Door, terms: "Terms") -> "Bounds":
    from core.sales import lock_limits

    found = lock_limits.bounds(tx, str(entered.actor), terms.stocked)
    return found._replace(limit=None) if is_owner(entered) else found


def bounds_of(entered: Door, key: str) -> "Bounds":
    from core.sales import lock_limits

    with entered.begin() as tx:
        return lock_limits.bounds_of_lock(tx, key)


def is_owner(entered: Door) -> bool:
    """Whoever has the shell is nobody's inferior."""
    from core.access.actors import ActorKind
    from core.access.rights import Role

    return entered.actor.kind is ActorKind.CLI or entered.actor.role is Role.OWNER


def window(tx: "Transaction", from_: str, until: str) -> tuple[datetime | None, datetime | None]:
    from core.queries import merchant_view

    if not from_ and not until:
        return None, None
    zone = ZoneInfo(merchant_view(tx).time_zone)
    begins = read_coming(from_, tx.now, zone) if from_ else None
    return begins, read_coming(until, tx.now, zone, day_ends=True) if until else None


def item_named(tx: "Transaction", sku: str, grade: str) -> "Stocked":
    from core import catalog
    from core.stock import Stocked

    return Stocked(catalog.item_id_of(tx, sku), grade)


def store_named(tx: "Transaction", type_: str, store: str) -> int | None:
    """Of a main_site lock without a store: our own interface."""
    from core import stores
    from core.sales.drawing import OWN

    if store:
        return stores.find(tx, store).id
    return OWN if type_ == "main_site" else None


def warehouse_named(tx: "Transaction", code: str) -> int | None:
    from core.alerts import rules as alert_rules

    return alert_rules.warehouse_id_of(tx, code) if code else None


def log(entered: Door, what: str, lock_id: int, is_new: bool, **detail: object) -> None:
    if is_new:
        with entered.begin() as tx:
            entered.log(tx, what, f"lock:{lock_id}", **_said(detail))


def log_on(entered: Door, what: str, key: str, **detail: object) -> None:
    from core.sales import lock_report

    with entered.begin() as tx:
        entered.log(tx, what, f"lock:{lock_report.record(tx, key).id}", **_said(detail))


def _said(detail: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in detail.items() if value not in ("", None)}


def done_as_json(key: str, done: "Done") -> dict[str, object]:
    return {"key": key, "status": done.status, "units": done.gained, "waiting": done.waiting}


def tell(
    key: str, done: "Done", as_json: bool, *, dry_run: bool = False, promised: int = 0, called: str = "",
    back: str = "given back",
) -> None:  # fmt: skip
    """Args: called: how a sentence on the lock begins, where its key is no name for people. back: what became of units
    that it has no more.
    """
    if as_json:
        say_json({**done_as_json(key, done), "dry_run": dry_run})
        return
    words = [state(called or f"Lock {key}", done, dry_run)]
    if done.gained:
        moved = counted(abs(done.gained), "unit")
        where = "set apart" if done.gained > 0 else back
        words.insert(0, f"{moved} {'would be ' if dry_run else ''}{where}.")
    if promised and done.status in ("closed", "expired"):
        words.append(f"Orders keep {counted(promised, 'unit')} of it until they ship or are released.")
    say(" ".join(words))


def state(called: str, done: "Done", dry_run: bool) -> str:
    waits = f" and {'would wait' if dry_run else 'waits'} for {counted(done.waiting, 'unit')}" if done.waiting else ""
    return f"{called} {'would be' if dry_run else 'is'} {done.status}{waits}."

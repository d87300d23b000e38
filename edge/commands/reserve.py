"""``holdfast reserve``: promise units to somebody for a while, and tell what becomes of it."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.stock import GOOD
from core.words import counted
from edge.commands.acting import Grade, act
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.durations import read_duration, write_left
from edge.instants import local

if TYPE_CHECKING:
    from core.orders.hold_views import HoldView
    from core.sales.holds import Hold
    from core.stock import Stocked
    from core.transaction import Transaction

commands = typer.Typer(
    help="Hold units for somebody, and say how many one may take.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_MOST_UNITS = 1_000_000
Key = Annotated[str, typer.Argument(metavar="KEY", help="your own name of the hold, like a cart or a quote")]
Ttl = Annotated[
    str, typer.Option("--ttl", metavar="TIME", help="how long it lasts, like 15min, 2h or 3d; else the rule")
]
Channel = Annotated[str, typer.Option("--channel", metavar="STORE", help="the store it is for; else our own interface")]
Payment = Annotated[str, typer.Option("--payment", metavar="METHOD", help="how it will be paid, like bank_transfer")]


@dataclass(frozen=True, slots=True)
class Wish:
    """Options of what is to be held, for whom, and how; see ``edge.commands.spread``."""

    key: Key
    what: Annotated[list[str], typer.Argument(metavar="SKU=N...", help="items and units, like MUG-RED=3")]
    holder: Annotated[str, typer.Option(metavar="WORD", help="who asks, as an opaque word: no name, no address")] = ""
    ttl: Ttl = ""
    channel: Channel = ""
    payment: Payment = ""
    grade: Grade = GOOD
    lock: Annotated[str, typer.Option(metavar="LOCK", help="take the units from this lock")] = ""
    pool: Annotated[str, typer.Option(metavar="CODE", help="take the units from this activity or presale")] = ""
    overflow: Annotated[
        bool, typer.Option("--overflow", help="what that lock or pool lacks may come from elsewhere")
    ] = False
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="hold what there is, and say what is missing; else all or nothing")
    ] = False
    wait: Annotated[
        bool, typer.Option("--wait", help="what is not there waits for goods, as far as the backorder rules let it")
    ] = False
    deduct_at_order: Annotated[
        bool, typer.Option("--deduct-at-order", help="the units are sold at once, and free again if it ends unpaid")
    ] = False

    def units(self) -> Mapping[str, int]:
        """By SKU. Raises: typer.BadParameter; Refused for a key or a holder that is none."""
        from core.opaque import holder_of, key_of

        if self.lock and self.pool:
            raise typer.BadParameter("name a lock or a pool, not both")
        asked = _quantities(self.what)
        key_of(self.key, "key of a hold")
        if self.holder:
            holder_of(self.holder)
        return asked


@commands.command()
@spread
def make(wish: Wish, call: Call) -> None:
    """Hold units for somebody: all that is asked for or nothing, until it is paid, released, or runs out.

    The same KEY with the same content holds nothing twice. Other holds of the same holder that are neither paid nor
    being paid give way when units fall short.

    \b
    Example: holdfast reserve make cart-17 MUG-RED=3 CUP=1 --holder c-2041
             holdfast reserve make quote-8 MUG-RED=200 --ttl 3d --lock trade-fair
    """
    from core.orders import hold_views
    from core.zones import zone_of

    asked = wish.units()
    with call.door(Right.HOLD_MAKE) as entered:
        with entered.begin() as tx:
            command, asked_at = _hold(tx, wish, asked), tx.now
        held = act(entered, command)
        with entered.begin() as tx:
            view, now, zone = hold_views.view(tx, wish.key), tx.now, zone_of(tx)
            missing = _skus_of(tx, dict(held.missing))
            repeated = view.made_at < asked_at
            if not repeated:
                entered.log(tx, "hold.make", f"hold:{wish.key}", units=sum(item.live for item in view.items))
    if call.as_json:
        told = {"missing": missing, "repeated": repeated, "gave_way": list(held.gave_way)}
        say_json({**dataclasses.asdict(view), **told})
        return
    say(f"Hold {wish.key} was made before." if repeated else f"Hold {wish.key} is made.")
    for key in held.gave_way:
        say(f"Hold {key} of the same holder gave way to it, and has ended.")
    _say_hold(view, now, zone)
    for sku, units in missing.items():
        say(f"{counted(units, 'unit')} of {sku} could not be had.")


def _hold(tx: "Transaction", wish: Wish, asked: Mapping[str, int]) -> "Hold":
    from core.sales import hold_rules, waiting
    from core.sales.holds import Hold

    store_id = _store_id(tx, wish.channel)
    lasts = hold_rules.allowed(read_duration(wish.ttl)) if wish.ttl else hold_rules.ttl(tx, store_id, wish.payment)
    quantities = _stocked(tx, asked, wish.grade)
    return Hold(
        wish.key, quantities, tx.now + lasts, store_id=store_id, holder=wish.holder,
        pool_id=_pool_id(tx, wish.lock, wish.pool), overflow=wish.overflow, best_effort=wish.best_effort,
        deducted=wish.deduct_at_order, may_wait=waiting.may_wait(tx, store_id, quantities) if wish.wait else {},
    )  # fmt: skip


def _quantities(what: Sequence[str]) -> Mapping[str, int]:
    """Units by SKU; what is named twice is added up."""
    asked: Counter[str] = Counter()
    for one in what:
        sku, equals, units = one.rpartition("=")
        if not equals or not sku or not (units.isascii() and units.isdigit() and 0 < int(units[:12]) <= _MOST_UNITS):
            raise typer.BadParameter(f"{one!r} is no item with its units; write it like MUG-RED=3")
        asked[sku] += int(units)
    return asked


def _stocked(tx: "Transaction", asked: Mapping[str, int], grade: str) -> "Mapping[Stocked, int]":
    from core.catalog import sku_key
    from core.goods import skus
    from core.stock import Stocked

    items = skus.resolve(tx, asked)
    quantities: Counter[Stocked] = Counter()
    for sku, units in asked.items():
        quantities[Stocked(items[sku_key(sku)].id, grade)] += units
    return quantities


def _store_id(tx: "Transaction", channel: str) -> int:
    from core import stores
    from core.sales.drawing import OWN

    return stores.find(tx, channel).id if channel else OWN


def _pool_id(tx: "Transaction", lock: str, pool: str) -> int | None:
    from core.sales.named import lock_named, pool_named

    if lock:
        return lock_named(tx, lock)
    return pool_named(tx, pool) if pool else None


def _skus_of(tx: "Transaction", units: "Mapping[Stocked, int]") -> dict[str, int]:
    from core.goods.item_views import skus

    names = skus(tx, [stocked.item_id for stocked in units])
    return {
        names.get(item_id, str(item_id)) + ("" if grade == GOOD else f" ({grade})"): n
        for (item_id, grade), n in units.items()
    }


@commands.command()
@spread
def extend(*, key: Key, ttl: Ttl = "", payment: Payment = "", channel: Channel = "", call: Call) -> None:
    """Let a hold last its full time from now, because its holder shows a sign of life.

    With --ttl or --payment its full time is another from now on.

    \b
    Example: holdfast reserve extend cart-17
             holdfast reserve extend cart-17 --payment bank_transfer
    """
    from core.sales import hold_rules
    from core.sales.holds import ExtendHold

    with call.door(Right.HOLD_MAKE) as entered:
        with entered.begin() as tx:
            time = hold_rules.allowed(read_duration(ttl)) if ttl else None
            if time is None and payment:
                time = hold_rules.ttl(tx, _store_id(tx, channel), payment)
        ends = act(entered, ExtendHold(key, ttl_s=None if time is None else int(time.total_seconds())))
        with entered.begin() as tx:
            entered.log(tx, "hold.extend", f"hold:{key}", until=ends.isoformat())
            now = tx.now
    if call.as_json:
        say_json({"key": key, "expires_at": ends})
    else:
        say(f"Hold {key} lasts {write_left(ends - now)} from now.")


@commands.command()
@spread
def release(key: Key, call: Call) -> None:
    """Give back what a hold holds, paid or not.

    \b
    Example: holdfast reserve release cart-17
    """
    from core.opaque import key_of
    from core.sales.holds import EndHold

    key_of(key, "key of a hold")
    with call.door(Right.HOLD_MAKE) as entered:
        freed = act(entered, EndHold(key))
        with entered.begin() as tx:
            entered.log(tx, "hold.release", f"hold:{key}", freed=freed)
    if call.as_json:
        say_json({"key": key, "freed": freed})
    elif freed:
        say(f"Hold {key} is released; its units are free.")
    else:
        say(f"Hold {key} holds nothing, and nothing can be held under that key any more.")


def _payment(state: str, key: str, call: Call) -> None:
    from core.orders import hold_views
    from core.sales.holds import PayHold
    from core.zones import zone_of

    with call.door(Right.HOLD_MAKE) as entered:
        news = act(entered, PayHold(key, state))
        with entered.begin() as tx:
            if news:
                entered.log(tx, f"hold.payment_{state}", f"hold:{key}")
            view, now, zone = hold_views.view(tx, key), tx.now, zone_of(tx)
    if call.as_json:
        say_json({**dataclasses.asdict(view), "news": news})
    else:
        say(f"Hold {key}: " + ("payment " + state if news else "that was known") + ".")
        _say_hold(view, now, zone)


@commands.command()
@spread
def paying(key: Key, call: Call) -> None:
    """Say that a payment for a hold has started: it does not run out until more is known.

    \b
    Example: holdfast reserve paying cart-17
    """
    _payment("started", key, call)


@commands.command()
@spread
def paid(key: Key, call: Call) -> None:
    """Say that a hold is paid: its units are sold, and stay so until an order takes them over or it is released.

    \b
    Example: holdfast reserve paid cart-17
    """
    _payment("paid", key, call)


@commands.command()
@spread
def failed(key: Key, call: Call) -> None:
    """Say that the payment for a hold failed: it lasts its full time from now, for another try.

    \b
    Example: holdfast reserve failed cart-17
    """
    _payment("failed", key, call)


@commands.command()
@spread
def show(key: Key, call: Call) -> None:
    """Show a hold: what it holds, until when, and what became of it.

    \b
    Example: holdfast reserve show cart-17
    """
    from core.orders import hold_views
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        view, now, zone = hold_views.view(tx, key), tx.now, zone_of(tx)
    if call.as_json:
        say_json(dataclasses.asdict(view))
        return
    _say_hold(view, now, zone)
    for one in view.documents:
        because = f": {one.reason}" if one.reason else ""
        say(f"{one.kind}, {ago(one.recorded_at, now)}, by {one.actor}{because}")


def _say_hold(view: "HoldView", now: datetime, zone: ZoneInfo) -> None:
    of = f" of {view.holder}" if view.holder else ""
    say(f"{view.key}{of}, made {ago(view.made_at, now)}: {_until(view, now, zone)}")
    rows = [[item.sku, item.grade, item.pool, item.wanted, item.live, item.waiting] for item in view.items]
    say_table(["item", "grade", "pool", ">asked", ">held", ">waits"], rows)


def _until(view: "HoldView", now: datetime, zone: ZoneInfo) -> str:
    """What becomes of a hold by itself, and when."""
    if view.balance_due_at is not None:
        paying = ", which is being paid" if view.state == "paying" else ""
        return f"the deposit is paid, the rest is owed by {local(view.balance_due_at, zone)}{paying}"
    if view.state != "held" or view.expires_at is None:
        return {"paid": "paid", "paying": "being paid, does not run out"}.get(view.state, "ended")
    left = view.expires_at - now
    return f"held for {write_left(left)} more" if left.total_seconds() >= 1 else "running out now"


@commands.command("list")
@spread
def list_holds(
    *,
    lasting: Annotated[
        bool, typer.Option("--lasting", help="those that are paid or being paid, the oldest first")
    ] = False,
    expiring: Annotated[
        bool, typer.Option("--expiring", help="those that run out, the next first; the default")
    ] = False,
    limit: Annotated[int, typer.Option("--last", metavar="N", min=1, max=1000, help="at most so many")] = 50,
    call: Call,
) -> None:
    """List the holds that hold units now.

    \b
    Example: holdfast reserve list --expiring
             holdfast reserve list --lasting
    """
    from core.orders import hold_views
    from core.zones import zone_of

    if lasting and expiring:
        raise typer.BadParameter("say --expiring or --lasting")
    which = hold_views.Which.LASTING if lasting else hold_views.Which.EXPIRING
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, now, zone = hold_views.open_holds(tx, which, limit=limit), tx.now, zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("Nobody holds anything that " + ("is paid or being paid." if lasting else "runs out."))
    else:
        rows = [
            [one.key, one.holder, _until(one, now, zone), ", ".join(f"{i.live} {i.sku}" for i in one.items if i.live)]
            for one in found
        ]
        say_table(["hold", "holder", "state", "units"], rows)

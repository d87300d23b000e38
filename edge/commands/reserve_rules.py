"""``holdfast reserve ttl`` and its siblings: how long holds last, and how much one customer may take."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread
from edge.durations import read_duration, write_duration

if TYPE_CHECKING:
    from core.transaction import Transaction

_PER = ("order", "customer", "day", "activity")
_OWN = "own"


@spread
def ttl(
    time: Annotated[
        str, typer.Argument(metavar="[TIME]", help="like 15min, 2h or 3d; without it the rules are shown")
    ] = "",
    channel: Annotated[
        str, typer.Option("--channel", metavar="STORE", help=f"for holds of this store; '{_OWN}': of our own interface")
    ] = "",
    payment: Annotated[str, typer.Option("--payment", metavar="METHOD", help="for this method of payment")] = "",
    off: Annotated[bool, typer.Option("--off", help="take the rule back")] = False,
    *,
    call: Call,
) -> None:
    """Say how long a hold lasts from its last sign of life, per channel and method of payment.

    The most specific rule wins: channel and method, then method, then channel, then the one for all; else 15 minutes.

    \b
    Example: holdfast reserve ttl
             holdfast reserve ttl 30min
             holdfast reserve ttl 3d --payment bank_transfer
             holdfast reserve ttl --channel Berlin --payment card --off
    """
    from core import stores
    from core.sales import hold_rules
    from core.sales.drawing import OWN

    if time and off:
        raise typer.BadParameter("say a time or --off")
    right = Right.RULE_CHANGE if time or off else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        store_id = None if not channel else OWN if channel == _OWN else stores.find(tx, channel).id
        if off:
            hold_rules.remove(tx, store_id, payment)
        elif time:
            hold_rules.put(tx, hold_rules.HoldRule(store_id, payment, read_duration(time)))
        if off or time:
            entered.log(tx, "hold.ttl", f"store:{channel or 'every'}", payment=payment, time=time or "off")
        rules = hold_rules.every(tx)
        names = {None: "every channel", OWN: "own interface"} | {store.id: store.name for store in stores.every(tx)}
    told = [
        {"channel": names.get(rule.store_id, str(rule.store_id)), "payment": rule.payment, "ttl_s": _seconds(rule.ttl)}
        for rule in rules
    ]
    if call.as_json:
        say_json(told)
        return
    if not told:
        say("Every hold lasts 15 minutes from its last sign of life.")
        return
    rows = [
        [one["channel"], one["payment"] or "every method", write_duration(rule.ttl)]
        for one, rule in zip(told, rules, strict=True)
    ]
    say_table(["channel", "payment", "lasts"], rows)
    say("What no rule covers lasts 15 minutes.")


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())


@spread
def limit(
    units: Annotated[
        int | None, typer.Argument(metavar="[N]", min=1, help="how many units; with --off not needed")
    ] = None,
    per: Annotated[
        str, typer.Option(help="order, customer (ever), day (of one customer), or activity (of one customer)")
    ] = "",
    item: Annotated[str, typer.Option("--item", metavar="SKU", help="of this item; else of all items together")] = "",
    pool: Annotated[str, typer.Option("--pool", metavar="CODE", help="with --per activity: its pool")] = "",
    off: Annotated[bool, typer.Option("--off", help="take the limit back")] = False,
    *,
    call: Call,
) -> None:
    """Say how many units one order or one customer may take.

    Days are those of the merchant's time zone. Holds are refused beyond a limit; an order counts, and is never refused.

    \b
    Example: holdfast reserve limit 2 --per customer --item SNEAKER-42
             holdfast reserve limit 10 --per day
             holdfast reserve limit 1 --per activity --pool FLASH-11
             holdfast reserve limit --per day --off
    """
    from core import catalog
    from core.sales import limit_rules
    from core.sales.limits import Per
    from core.sales.named import pool_named

    if per not in _PER:
        raise typer.BadParameter(f"say --per {', --per '.join(_PER)}")
    if (units is None) != off:
        raise typer.BadParameter("say how many units, or --off")
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, item) if item else None
        pool_id = pool_named(tx, pool) if pool else None
        if units is None:
            limit_rules.remove(tx, Per(per), item_id=item_id, pool_id=pool_id)
        else:
            limit_rules.put(tx, Per(per), units, item_id=item_id, pool_id=pool_id)
        subject = "item:all" if item_id is None else f"item:{item_id}"
        entered.log(tx, "hold.limit", subject, per=per, pool=pool, units=units)
        _say_limits(tx, call.as_json)


@spread
def limits(*, call: Call) -> None:
    """Show how many units one order or one customer may take.

    \b
    Example: holdfast reserve limits
    """
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        _say_limits(tx, call.as_json)


def _say_limits(tx: "Transaction", as_json: bool) -> None:
    from core.sales import limit_rules
    from core.sales.limits import words_of

    rows = limit_rules.every(tx)
    if as_json:
        say_json(
            [{"per": row.per, "item": row.sku or None, "pool": row.pool or None, "units": row.units} for row in rows]
        )
        return
    for row in rows:
        say(words_of(row))
    if not rows:
        say("Everybody may take as much as there is.")

"""``holdfast route rates``, ``transit``, ``week`` and ``weight``: what parcels cost and how long they take."""

import dataclasses
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread
from edge.days import read_day

if TYPE_CHECKING:
    from core.transaction import Transaction

rates = typer.Typer(help="Say what carriers take, by weight and region.", no_args_is_help=True, rich_markup_mode=None)
transit = typer.Typer(help="Say how long parcels are on the road.", no_args_is_help=True, rich_markup_mode=None)

Region = Annotated[str, typer.Option("--region", metavar="NAME", help="to this region; else to everywhere")]
From = Annotated[str, typer.Option("--warehouse", metavar="CODE", help="from this warehouse; else from all")]
MOST_ID = 2**63 - 1
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _ends(tx: "Transaction", region: str, warehouse: str) -> dict[str, int | None]:
    from core.dispatch import regions
    from core.warehouse import warehouses

    return {
        "region_id": regions.id_of(tx, region) if region else None,
        "warehouse_id": warehouses.id_of(tx, warehouse) if warehouse else None,
    }


def forget(call: Call, remove: "Callable[[Transaction, int], None]", what: str, number: int, said: str) -> None:
    """Remove what has a number: a rate, a transit time or a rule."""
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        remove(tx, number)
        entered.log(tx, f"route.{what}_remove", f"{what}:{number}")
    say_json({"removed": number}) if call.as_json else say(said)


@rates.command("add")
@spread
def add_rate(
    carrier: Annotated[str, typer.Argument(metavar="CARRIER", help="its name, like DHL")],
    up_to: Annotated[int, typer.Argument(metavar="GRAMS", min=1, help="the heaviest parcel at this price")],
    price: Annotated[str, typer.Argument(metavar="PRICE", help="with its currency, like 4.90EUR")],
    region: Region = "",
    warehouse: From = "",
    *,
    call: Call,
) -> None:
    """Say what a carrier takes for a parcel up to a weight; said again, the new price holds.

    Of one carrier the prices to the region that names a destination most closely hold, and of these a warehouse's own
    before those from all. Of several carriers the cheapest is taken. All prices are in one currency.

    \b
    Example: holdfast route rates add DHL 5000 5.90EUR --region germany
             holdfast route rates add DHL 31500 16.49EUR --region germany --warehouse MUNICH
    """
    from core import money
    from core.dispatch import rates as on_record

    cost, currency = money.read_money(price)
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        on_record.put_rate(tx, carrier, up_to, cost, currency, **_ends(tx, region, warehouse))
        told = {"up_to_g": up_to, "cost": cost, "currency": currency, "region": region, "warehouse": warehouse}
        entered.log(tx, "route.rate", f"carrier:{carrier.strip()}", **told)
    if call.as_json:
        say_json({"carrier": carrier, **told})
    else:
        say(f"{carrier} takes {money.write_money(cost, currency)} for a parcel up to {up_to:,} g.")


@rates.command("list")
@spread
def list_rates(*, call: Call) -> None:
    """List what carriers take.

    \b
    Example: holdfast route rates list
    """
    from core import money
    from core.dispatch import rates as on_record

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = on_record.rates(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif found:
        rows = [
            [one.id, one.carrier, one.region or "everywhere", one.warehouse or "all", f"{one.up_to_g:,}",
             money.write_money(one.cost, one.currency)]
            for one in found
        ]  # fmt: skip
        say_table([">rate", "carrier", "to", "from", ">up to g", ">price"], rows)
    else:
        say("No rate yet; `holdfast route rates add DHL 5000 5.90EUR` says what a parcel costs.")


@rates.command("remove")
@spread
def remove_rate(
    rate: Annotated[
        int, typer.Argument(metavar="RATE", max=MOST_ID, help="its number; `holdfast route rates list` shows it")
    ],
    call: Call,
) -> None:
    """Forget one price.

    \b
    Example: holdfast route rates remove 2049
    """
    from core.dispatch import rates as on_record

    forget(call, on_record.remove_rate, "rate", rate, f"Rate {rate} is forgotten.")


@transit.command("add")
@spread
def add_transit(
    least: Annotated[int, typer.Argument(metavar="LEAST", min=0, help="working days at least")],
    most: Annotated[int, typer.Argument(metavar="MOST", min=0, help="working days at most")],
    region: Region = "",
    warehouse: From = "",
    *,
    call: Call,
) -> None:
    """Say how many working days a parcel is on the road; said again, the new times hold.

    The days are those of the general week, see `holdfast route week`.

    \b
    Example: holdfast route transit add 1 2 --region germany
             holdfast route transit add 2 5 --region austria --warehouse BERLIN
    """
    from core.dispatch import rates as on_record

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        on_record.put_transit(tx, least, most, **_ends(tx, region, warehouse))
        told = {"least_days": least, "most_days": most, "region": region, "warehouse": warehouse}
        entered.log(tx, "route.transit", f"region:{region or 'every'}", **told)
    say_json(told) if call.as_json else say(f"Parcels take {least} to {most} working days.")


@transit.command("list")
@spread
def list_transits(*, call: Call) -> None:
    """List how long parcels are on the road.

    \b
    Example: holdfast route transit list
    """
    from core.dispatch import rates as on_record

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = on_record.transits(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif found:
        rows = [
            [one.id, one.region or "everywhere", one.warehouse or "all", one.least_days, one.most_days] for one in found
        ]
        say_table([">transit", "to", "from", ">least days", ">most days"], rows)
    else:
        say("No transit time yet; `holdfast route transit add 1 3` says how long parcels take.")


@transit.command("remove")
@spread
def remove_transit(
    number: Annotated[
        int, typer.Argument(metavar="TRANSIT", max=MOST_ID, help="its number; `holdfast route transit list` shows it")
    ],
    call: Call,
) -> None:
    """Forget one transit time.

    \b
    Example: holdfast route transit remove 2049
    """
    from core.dispatch import rates as on_record

    forget(call, on_record.remove_transit, "transit", number, f"Transit time {number} is forgotten.")


@spread
def week(
    days: Annotated[str, typer.Argument(metavar="[DAYS]", help="like mon-fri, or mon-thu,sat")] = "",
    warehouse: Annotated[str, typer.Option("--warehouse", metavar="CODE", help="of this one; else in general")] = "",
    closed: Annotated[
        list[str] | None, typer.Option("--closed", metavar="DATE", help="a day off all the same, like 2026-12-25")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="take it back: the general week, else mon-fri")] = False,
    *,
    call: Call,
) -> None:
    """Say on which days warehouses work, or show it.

    The general week is that of every warehouse without its own, and of the carriers. Days off are said together with
    the week, all of them.

    \b
    Example: holdfast route week
             holdfast route week mon-fri --closed 2026-12-25 --closed 2026-12-26
             holdfast route week mon-sat --warehouse SHOP
    """
    from core.dispatch import rates as on_record
    from core.dispatch.terms import USUAL_WEEK
    from core.warehouse import warehouses

    if (days and off) or (closed and not days):
        raise typer.BadParameter("say the days, with days off where there are any, or --off")
    weekdays, days_off = _read_days(days), [read_day(one) for one in closed or ()]
    right = Right.RULE_CHANGE if days or off else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        place = warehouses.id_of(tx, warehouse) if warehouse else None
        if off:
            on_record.drop_week(tx, place)
        elif days:
            on_record.put_week(tx, place, weekdays, days_off)
        if days or off:
            entered.log(tx, "route.week", f"warehouse:{warehouse or 'every'}", days=days or "off", closed=closed or [])
        known = dict([("", USUAL_WEEK), *on_record.weeks(tx)])
    if call.as_json:
        say_json(
            [
                {"warehouse": code, "days": _write_days(one.weekdays), "closed": sorted(map(str, one.closed_on))}
                for code, one in known.items()
            ]
        )
        return
    rows = [
        [code or "in general", _write_days(one.weekdays), " ".join(map(str, sorted(one.closed_on))) or None]
        for code, one in known.items()
    ]
    say_table(["warehouse", "works", "days off"], rows)


def _read_days(words: str) -> list[int]:
    """ISO weekdays from words like ``mon-thu,sat``."""
    found: set[int] = set()
    for part in words.lower().replace(" ", "").split(",") if words else ():
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise typer.BadParameter(f"{words!r} names no days; write them like mon-fri or mon-thu,sat")
        begin, end = _DAYS.index(first), _DAYS.index(last) if dash else _DAYS.index(first)
        span = range(begin, end + 1) if begin <= end else [*range(begin, 7), *range(end + 1)]
        found.update(day + 1 for day in span)
    return sorted(found)


def _write_days(weekdays: Collection[int]) -> str:
    return ",".join(_DAYS[day - 1] for day in sorted(weekdays))


@spread
def weight(
    items: Annotated[list[str], typer.Argument(metavar="SKU=GRAMS...", help="of one sale unit, packed; 0: not known")],
    *,
    call: Call,
) -> None:
    """Say what items weigh, so that parcels have a price.

    \b
    Example: holdfast route weight MUG-RED=350 POT=1200
    """
    from core.catalog import sku_key
    from core.dispatch import rates as on_record
    from core.goods import skus

    told = dict(_read_weight(one) for one in items)
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        found = skus.resolve(tx, told)
        on_record.set_weights(tx, {found[sku_key(sku)].id: grams or None for sku, grams in told.items()})
        weighed = {f"item:{found[sku_key(sku)].id}": {"weight_g": grams} for sku, grams in told.items()}
        entered.log_all(tx, "item.weight", weighed)
    if call.as_json:
        say_json(told)
        return
    for sku, grams in told.items():
        say(f"One {sku} weighs {grams:,} g." if grams else f"What one {sku} weighs is not known.")


def _read_weight(words: str) -> tuple[str, int]:
    sku, equals, grams = words.rpartition("=")
    if not equals or not sku.strip() or len(grams) > 12 or not (grams.isascii() and grams.isdigit()):
        raise typer.BadParameter(f"{words!r} says no weight; write it like MUG-RED=350")
    return sku.strip(), int(grams)

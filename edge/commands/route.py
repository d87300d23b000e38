"""``holdfast route``: which warehouse would send what, why, and what another strategy would have come to."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands import route_rates, route_rules
from edge.commands.acting import DryRun
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.places import Places
from edge.commands.spread import spread
from edge.instants import HELP as SINCE

if TYPE_CHECKING:
    from core.dispatch.comparing import Compared, Totals
    from core.dispatch.destinations import Destination
    from core.dispatch.model import Exclusion, Route
    from core.dispatch.strategies import Strategy
    from core.transaction import Transaction

commands = typer.Typer(
    help="Decide which warehouse sends what, and say why.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
commands.add_typer(route_rules.regions, name="regions")
commands.add_typer(route_rules.rules, name="rules")
commands.add_typer(route_rules.strategy, name="strategy")
commands.add_typer(route_rates.rates, name="rates")
commands.add_typer(route_rates.transit, name="transit")
commands.command("week")(route_rates.week)
commands.command("weight")(route_rates.weight)

To = Annotated[
    str, typer.Option("--to", metavar="DEST", help="COUNTRY-SUBDIVISION-POSTAL, like DE-BY-80, DE-BY, DE or DE--80")
]
_MOST_UNITS = 1_000_000


@commands.command("try")
@spread
def try_(
    goods: Annotated[list[str], typer.Argument(metavar="SKU[:N]...", help="what is ordered; N units, else one")],
    to: To,
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="else the one that is set")] = "",
    store: Annotated[str, typer.Option("--store", metavar="NAME", help="by the strategy of this store")] = "",
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="WAREHOUSE", help="as if it had rejected the order")
    ] = None,
    *,
    call: Call,
) -> None:
    """Say how an order would be sent now, and why.

    It tells the days of leaving and arrival, and a reason for every warehouse. Nothing is booked or kept. Of the
    destination the first three postal characters are looked at, no more.

    \b
    Example: holdfast route try MUG-RED:2 POT --to DE-BY-80
             holdfast route try TEA-SET --to AT-9-101 --strategy cheapest --without MUNICH
    """
    from core import stores
    from core.dispatch import rules, strategies, views
    from core.dispatch.destinations import read_destination
    from core.dispatch.reasons import tell

    if store and strategy:
        raise typer.BadParameter("say a strategy or a store whose strategy it is")
    destination, wanted = read_destination(to), _read_goods(goods)
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        if strategy:
            chosen = strategies.named(strategy)
        else:
            chosen = rules.choice(tx).of(stores.find(tx, store).id if store else None)
        route = _route(tx, wanted, destination, chosen, _rejecting(tx, without or ()))
        names, places = views.names_for(tx, [route]), Places.of(tx)
    if call.as_json:
        say_json(views.told(route, names))
        return
    for sentence in tell(route, places.names(names)):
        say(places.sentence(sentence))
    say(f"By the strategy {route.strategy}: {counted(route.parcels, 'parcel')} to {route.destination}.")


def _read_goods(goods: Sequence[str]) -> Counter[str]:
    """Units by SKU, from words like ``MUG-RED:2``; what is named twice is added up."""
    wanted: Counter[str] = Counter()
    for one in goods:
        sku, colon, units = one.rpartition(":")
        if not (colon and units.isascii() and units.isdigit()):
            sku, units = one, "1"
        if not sku.strip() or len(units) > 12 or not 1 <= int(units) <= _MOST_UNITS:
            raise typer.BadParameter(f"{one!r} is no item with its units; write it like MUG-RED:2")
        wanted[sku.strip()] += int(units)
    return wanted


def _rejecting(tx: "Transaction", codes: Sequence[str]) -> "list[Exclusion]":
    from core.dispatch.model import Exclusion, Why
    from core.warehouse import warehouses

    return [Exclusion(place, Why.REJECTED) for place in warehouses.ids_of(tx, codes)]


def _route(
    tx: "Transaction", wanted: Mapping[str, int], destination: "Destination", chosen: "Strategy",
    excluded: "Sequence[Exclusion]",
) -> "Route":  # fmt: skip
    from core.dispatch import reading
    from core.dispatch.routing import decide
    from core.warehouse import warehouses
    from edge.quantities import find_items

    lines = reading.lines_of_goods(tx, find_items(tx, wanted, "good"))
    places, laid = warehouses.every(tx), reading.terms(tx)
    things = [part.stocked for line in lines for part in line.parts]
    supply = reading.supply(tx, things, places, laid, tx.now)
    return decide(lines, destination, places, supply, laid, chosen, tx.now, excluded=excluded)


@commands.command("auto")
@spread
def auto(
    switch: Annotated[str, typer.Argument(metavar="[on|off]", help="else it tells whether it is on")] = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Let paid orders go to warehouses by themselves, those that wait now among them, or stop that.

    It is off to begin with. Who sends an order is decided again when goods are short, when a warehouse rejects it, and
    when one is paused; who sends what nobody could, when a warehouse may serve it. Switched off, what warehouses were
    told stays with them.

    \b
    Example: holdfast route auto on --dry-run
             holdfast route auto on
             holdfast route auto
    """
    from core.fulfilment import automatic

    if switch not in ("", "on", "off"):
        raise typer.BadParameter(f"{switch!r} is neither on nor off")
    right = Right.RULE_CHANGE if switch else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin_or_try(dry_run) as tx:
        waiting = len(automatic.that_wait(tx)) if dry_run else 0
        changed = bool(switch) and automatic.switch(tx, switch == "on")
        if changed:
            entered.log(tx, "route.auto", "merchant", switch=switch)
        on = automatic.is_on(tx)
    if call.as_json:
        say_json({"on": on, "changed": changed, **({"dry_run": True, "orders_that_wait": waiting} if dry_run else {})})
    elif dry_run and changed:
        now = f"{counted(waiting, 'order')} that {'waits' if waiting == 1 else 'wait'} now first"
        how = f"by themselves, {now}" if on else "by `holdfast fulfil allocate` alone"
        say(f"Only tried out: paid orders would go to warehouses {how}.")
    else:
        where = (
            "go to warehouses by themselves" if on else "are given to warehouses by `holdfast fulfil allocate` alone"
        )
        say(f"Paid orders {where}{' from now on' if changed else ''}.")


@commands.command("compare")
@spread
def compare(
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="the one to try")],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help=f"orders from then on: {SINCE}")] = "30 days",
    to: Annotated[
        str, typer.Option("--to", metavar="DEST", help="take the newest paid orders instead, as if all went there")
    ] = "",
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="so many orders at most, the newest")] = 1_000,
    *,
    call: Call,
) -> None:
    """Try another strategy on past orders.

    It tells the difference in parcels, cost and days, and changes nothing. Each order is decided again by its own
    strategy and by the other one, with today's rules, rates and warehouses, and with the stock that each warehouse had
    then. It takes the decisions on record; with --to the newest orders.

    \b
    Example: holdfast route compare --strategy fewest_parcels --since 2026-11-01
             holdfast route compare --strategy cheapest --to DE --last 200
    """
    from zoneinfo import ZoneInfo

    from core.dispatch import comparing, strategies
    from core.dispatch.destinations import read_destination
    from core.dispatch.views import names_for
    from core.queries import merchant_view
    from edge.instants import read_instant

    other = strategies.named(strategy)
    destination = read_destination(to) if to else None
    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        begins = read_instant(since, tx.now, ZoneInfo(merchant_view(tx).time_zone), day_begins=True)
        cases = (
            comparing.cases_decided(tx, begins, last)
            if destination is None
            else comparing.cases_ordered(tx, begins, destination, last)
        )
        compared = comparing.compare(tx, cases, other)
        currency = names_for(tx, []).currency
    sums = comparing.totals(compared)
    if call.as_json:
        say_json(
            {
                "strategy": other.name,
                "since": begins,
                "currency": currency,
                **dataclasses.asdict(sums),
                "each": [dataclasses.asdict(one) | {"destination": str(one.destination)} for one in compared],
            }
        )
    elif compared:
        _say_compared(other.name, compared, sums, currency)
    else:
        say("No order was routed in that time; --to DEST takes the newest paid orders, as if all went there.")


def _say_compared(name: str, compared: "Sequence[Compared]", sums: "Totals", currency: str) -> None:
    from core.money import write_money

    rows: list[list[object]] = [["parcels", sums.parcels_was, sums.parcels_would_be,
                                 f"{sums.parcels_would_be - sums.parcels_was:+}"]]  # fmt: skip
    if sums.priced:
        difference = write_money(sums.cost_would_be - sums.cost_was, currency)
        rows.append(
            ["cost", *(write_money(cost, currency) for cost in (sums.cost_was, sums.cost_would_be)), difference]
        )
    if sums.timed:
        was, would_be = (_mean(days, sums.timed) for days in (sums.days_was, sums.days_would_be))
        rows.append(["days to the last parcel", was, would_be, _mean(sums.days_would_be - sums.days_was, sums.timed)])
    say_table(["", ">as it was", f">{name}", ">difference"], rows)
    said = f"Over {counted(sums.orders, 'order')}, of which {sums.changed} would have been sent in another way."
    if sums.unsent:
        said += (
            f" {counted(sums.unsent, 'order')} could not be sent either way: no warehouse that may serve had the goods "
            f"when {'it was' if sums.unsent == 1 else 'they were'} placed or decided about."
        )
    for known, what in ((sums.priced, "cost"), (sums.timed, "days")):
        if known < len(compared):
            said += f" The {what} of {len(compared) - known} {'is' if what == 'cost' else 'are'} not known."
    say(said)


def _mean(total: int, count: int) -> str:
    """With one digit after the point."""
    tenths = round(10 * total / count)
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10}"

"""``holdfast replenish``: what to order again and why, what to send where, and what lies and does not sell."""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import Sku
from edge.commands.common import Call, Door, say, say_json
from edge.commands.replenish_parts import (
    group_as_json,
    item_as_json,
    say_accuracy,
    say_groups,
    say_slow,
    say_transfers,
    scores_as_json,
    slow_as_json,
)
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.replenish.drafting import Draft
    from core.replenish.views.facts import Item
    from core.replenish.views.planning import Group
    from core.transaction import Transaction

commands = typer.Typer(
    help="See what to order again, what to send where, and what lies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Lead = Annotated[int | None, typer.Option("--lead-days", metavar="DAYS", help="from an order to its arrival")]
Cover = Annotated[int | None, typer.Option("--cover-days", metavar="DAYS", help="an order lasts so long beyond that")]
Service = Annotated[
    str, typer.Option("--service", metavar="PERCENT", help="of lead times in which nothing may run out, like 97.5")
]
Told = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="WORD",
        help="how it is told what will sell: pace, forecast (by a library), better (of both)",
    ),
]


@commands.command()
@spread
def suggest(
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="only what this supplier is asked")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="make a draft of a purchase order for each supplier")] = False,
    to: Annotated[str, typer.Option("--to", metavar="WAREHOUSE", help="where drafts send goods; else the first")] = "",
    *,
    call: Call,
) -> None:
    """Say what to order now, from whom, for how much.

    \b
    Example: holdfast replenish suggest
             holdfast replenish suggest --supplier ACME --draft
    """
    from core.replenish.views import planning
    from core.supply import suppliers

    if to and not draft:
        raise typer.BadParameter("--to says where drafts send goods; say --draft, too")
    right = Right.PURCHASE_CHANGE if draft else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        supplier_id = suppliers.find(tx, supplier).id if supplier else None
        groups, drafts = _drafted(entered, tx, supplier_id, to) if draft else (planning.suggest(tx, supplier_id), [])
    if call.as_json:
        told = {"suppliers": [group_as_json(group) for group in groups]}
        say_json(told | {"drafts": [dataclasses.asdict(one) for one in drafts]} if draft else told)
        return
    say_groups(groups)
    for one in drafts:
        say(
            f"{one.number} is a draft for {one.supplier}: {counted(one.lines, 'line')}, {counted(one.units, 'unit')}. "
            f"`holdfast purchase place {one.number}` places it, `holdfast purchase cancel {one.number}` drops it."
        )


def _drafted(
    entered: Door, tx: "Transaction", supplier_id: int | None, to: str
) -> "tuple[Sequence[Group], Sequence[Draft]]":
    from core.replenish import drafting
    from core.warehouse import warehouses

    place = warehouses.id_of(tx, to) if to else _first_warehouse(entered)
    groups, drafts = drafting.draft(tx, place, supplier_id)
    made = {f"purchase:{one.number}": {"lines": one.lines, "units": one.units} for one in drafts}
    entered.log_all(tx, "replenish.draft", made)
    return groups, drafts


def _first_warehouse(entered: Door) -> int:
    from core.ledger import home_of

    return home_of(entered.app.db, entered.merchant_id).warehouse_id


@commands.command()
@spread
def item(sku: Sku, *, call: Call) -> None:
    """Say of one item when and how much is ordered.

    Each number is told in a sentence, step by step: how fast it sells, what is there, what is on its way, who waits.

    \b
    Example: holdfast replenish item MUG-RED
    """
    from core.replenish import wording
    from core.replenish.views import planning

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        one = planning.one_item(tx, _item(tx, sku))
    told = wording.sentences(one)
    if call.as_json:
        say_json(item_as_json(one, told))
        return
    say(f"{one.line.item.sku}  {one.line.item.title}")
    for number, sentence in enumerate(told, start=1):
        say(f"{number:>2}. {sentence}")


def _item(tx: "Transaction", sku: str) -> "Item":
    """Raises: NotFound; Refused for a bundle."""
    from core.catalog import sku_key
    from core.errors import Refused
    from core.goods import skus
    from core.replenish.views.facts import Item

    found = skus.resolve(tx, [sku])[sku_key(sku)]
    if found.kind == "bundle":
        raise Refused(
            f"{found.sku} is a bundle and has no units of its own; look at what it is made of: `holdfast item show "
            f"{found.sku}` tells"
        )
    title = tx.run("SELECT title FROM item WHERE merchant_id = :merchant_id AND id = :id", id=found.id).scalar_one()
    return Item(found.id, found.sku, title, found.kind)


@commands.command()
@spread
def transfers(*, call: Call) -> None:
    """Say what to send between warehouses.

    From those with too much of an item to those that run out of it first.

    \b
    Example: holdfast replenish transfers
    """
    from core.replenish.views import facts, standing

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = standing.transfers(tx, facts.items(tx))
    if call.as_json:
        say_json([{"sku": one.sku, "from": one.from_, "to": one.to, **dataclasses.asdict(one.move)} for one in found])
    else:
        say_transfers(found)


@commands.command()
@spread
def slow(
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, help="show so many at most")] = 50, *, call: Call
) -> None:
    """Say what lies and does not sell, and why.

    \b
    Example: holdfast replenish slow
    """
    from core.replenish.views import facts, standing

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = standing.slow(tx, facts.items(tx))
    if call.as_json:
        say_json([slow_as_json(one) for one in found])
    else:
        say_slow(found[:last], left_out=len(found) - last)


@commands.command()
@spread
def accuracy(
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, help="show so many items at most")] = 20,
    *,
    call: Call,
) -> None:
    """Say how good the forecast would have been.

    Each of the past weeks is forecast from the days before it, over all and by item: by the pace, and by the
    forecasting library where it is installed.

    \b
    Example: holdfast replenish accuracy
    """
    from core.replenish.views import facts, planning

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = planning.accuracy(tx, facts.items(tx))
    if call.as_json:
        items = [{"sku": sku, **scores_as_json(scores)} for sku, scores in sorted(found.items.items())]
        say_json({"window_days": found.window_days, **scores_as_json(found.over_all), "items": items})
    else:
        say_accuracy(found, last)


@commands.command("set")
@spread
def change(
    sku: Sku,
    lead: Lead = None,
    cover: Cover = None,
    service: Service = "",
    supplier: Annotated[str, typer.Option("--supplier", metavar="CODE", help="ask this one first")] = "",
    off: Annotated[bool | None, typer.Option("--off/--on", help="do not order it again; --on: do")] = None,
    method: Told = "",
    clear: Annotated[
        bool, typer.Option("--clear", help="forget all that was said of it, before anything else")
    ] = False,
    *,
    call: Call,
) -> None:
    """Say something of one item.

    What is not said stays; what nobody says is as the supplier or `holdfast replenish defaults` has it.

    \b
    Example: holdfast replenish set MUG-RED --cover-days 45 --service 97.5
             holdfast replenish set MUG-RED --off
    """
    from core.replenish import settings

    said = {"lead_days": lead, "cover_days": cover, "service_permille": _permille(service), "is_off": off}
    terms: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if not terms and not supplier and not method and not clear:
        raise typer.BadParameter("say what is to change, like --cover-days 45, --off or --clear")
    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        found = _item(tx, sku)
        if supplier:
            terms["supplier_id"] = _who_brings(tx, supplier, found)
        if method:
            terms["method"] = settings.method_named(method)
        before = settings.ItemTerms() if clear else settings.of_item(tx, found.id)
        after = before._replace(**terms)
        changed = settings.set_item(tx, found.id, after)
        if changed:
            entered.log(tx, "replenish.set", f"item:{found.id}", **after._asdict())
    if call.as_json:
        say_json({"sku": found.sku, "changed": changed, **after._asdict()})
    else:
        say(
            f"Noted; `holdfast replenish item {found.sku}` shows what follows."
            if changed
            else f"All of that is said of {found.sku} already."
        )


def _who_brings(tx: "Transaction", code: str, one: "Item") -> int:
    """Raises: NotFound; Refused for a supplier that is not known to bring it."""
    from core.errors import Refused
    from core.replenish.views import facts
    from core.supply import suppliers

    supplier = suppliers.find(tx, code)
    if all(source.supplier_id != supplier.id for source in facts.sources(tx, [one.id]).get(one.id, ())):
        raise Refused(
            f"nobody said that {supplier.code} brings {one.sku}: `holdfast supplier item {supplier.code} {one.sku} "
            "--pack 24`"
        )
    return supplier.id


@commands.command()
@spread
def defaults(
    window: Annotated[int | None, typer.Option("--window", metavar="DAYS", help="of sales that are looked at")] = None,
    lead: Lead = None,
    cover: Cover = None,
    service: Service = "",
    slow_days: Annotated[
        int | None, typer.Option("--slow", metavar="DAYS", help="slow is what sold for so long not")
    ] = None,
    most: Annotated[int | None, typer.Option("--most", metavar="DAYS", help="too much is what lasts longer")] = None,
    short: Annotated[int | None, typer.Option("--short", metavar="DAYS", help="a warehouse with less is short")] = None,
    method: Told = "",
    *,
    call: Call,
) -> None:
    """Show or change what holds for all other items.

    \b
    Example: holdfast replenish defaults
             holdfast replenish defaults --cover-days 45 --service 98
    """
    from core.replenish import settings

    said = {
        "window_days": window, "lead_days": lead, "cover_days": cover, "service_permille": _permille(service),
        "slow_days": slow_days, "most_days": most, "transfer_days": short,
    }  # fmt: skip
    terms = {name: value for name, value in said.items() if value is not None}
    right = Right.PURCHASE_CHANGE if terms or method else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        told_by = settings.method_named(method) if method else None
        if (terms or told_by) and settings.set_defaults(tx, terms, told_by):
            noted = terms | ({"method": told_by} if told_by else {})
            entered.log(tx, "replenish.defaults", f"merchant:{entered.merchant_id}", **noted)
        now = settings.defaults(tx)
    if call.as_json:
        say_json(dataclasses.asdict(now))
        return
    from core.replenish.wording import days, percent

    say(f"Sales of the last {days(now.window_days)} are looked at.")
    say(f"An order takes {days(now.lead_days)} where neither item nor supplier says otherwise.")
    say(f"It is to last {days(now.cover_days)} beyond that.")
    say(f"In {percent(now.service_permille)} of lead times nothing may run out.")
    say(f"Slow is what did not sell on {days(now.slow_days)} with any; too much lasts over {days(now.most_days)}.")
    say(f"A warehouse is short when its goods last less than {days(now.transfer_days)}.")
    say(f"What will sell is told by {_METHODS[now.method]}.")


_METHODS = {
    "pace": "their pace",
    "forecast": "the forecasting library",
    "better": "the forecasting library where it was off by less of late, else by their pace",
}


def _permille(service: str) -> int | None:
    """975 of ``97.5``; None where nothing is said. Raises: BadParameter."""
    if not service:
        return None
    try:
        permille = Decimal(service.rstrip("% ")) * 10
    except InvalidOperation:
        raise typer.BadParameter(f"{service} is no percentage; write one like 97.5") from None
    if not permille.is_finite() or permille != permille.to_integral_value():
        raise typer.BadParameter(f"a service level has one digit after the point, like 97.5, not {service}")
    return int(permille)

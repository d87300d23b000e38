"""``holdfast stock value`` and ``holdfast item cost``: what goods cost, and what those on hand are worth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.places import Places
from edge.commands.spread import spread
from edge.instants import HELP, read_instant

if TYPE_CHECKING:
    from core.past.valuation import ItemValue, Value

_SHOWN = 50  # items
_LIMIT_S = 600

MethodName = Literal["average", "fifo"]


@spread
def value(
    sku: Annotated[list[str] | None, typer.Argument(metavar="[SKU]...", help="only these items; else all")] = None,
    at: Annotated[str, typer.Option("--at", metavar="WHEN", help=HELP)] = "",
    method: Annotated[
        MethodName, typer.Option("--method", help="average: moving weighted average; fifo: first in, first out")
    ] = "average",
    *,
    call: Call,
) -> None:
    """Show what the goods on hand are worth, now or at an instant.

    By warehouse and by item, at what was noted when they came: by purchase orders, or with `holdfast item cost`. Sums
    of two currencies are never added, and units whose cost nobody noted are counted apart.

    \b
    Example: holdfast stock value
             holdfast stock value MUG-RED --at 2026-12-31 --method fifo
    """
    from zoneinfo import ZoneInfo

    from core import patience
    from core.goods import skus
    from core.past import valuation
    from core.queries import merchant_view

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        patience.allow(tx, _LIMIT_S)
        instant = read_instant(at, tx.now, ZoneInfo(merchant_view(tx).time_zone)) if at else None
        only = {item.id for item in skus.resolve(tx, sku).values()} if sku else None
        one_room = Places.of(tx).one_room
        found = valuation.values(tx, at=instant, method=valuation.Method(method), item_ids=only)
    by_warehouse, by_item = _summed(found, "warehouse"), _summed(found, "sku")
    whole = valuation.total([one.value for one in found])
    if call.as_json:
        say_json({
            "at": instant, "method": method, **_told(whole),
            "warehouses": [{"warehouse": name, **_told(one)} for name, one in by_warehouse.items()],
            "items": [{"sku": one.sku, "warehouse": one.warehouse, **_told(one.value)} for one in found],
        })  # fmt: skip
        return
    if not found:
        say("Nothing is on hand." if instant is None else "Nothing was on hand then.")
        return
    if not one_room:
        _say_values("warehouse", by_warehouse)
        say("")
    _say_values("SKU", dict(list(by_item.items())[:_SHOWN]))
    if len(by_item) > _SHOWN:
        say(f"and {len(by_item) - _SHOWN:,} more items; --json tells all, or name them")
    say(f"In all {counted(whole.units, 'unit')}, worth {_sums(whole) or 'nothing that anybody noted'}.")
    if whole.without_cost:
        say(
            f"Of these, {counted(whole.without_cost, 'unit')} came without a cost and are not in the sum; "
            "`holdfast item cost DOCUMENT SKU=4.90EUR` notes one."
        )


def _summed(found: "Sequence[ItemValue]", by: str) -> "dict[str, Value]":
    from core.past import valuation

    groups: dict[str, list[Value]] = {}
    for one in found:
        groups.setdefault(getattr(one, by), []).append(one.value)
    return {name: valuation.total(parts) for name, parts in sorted(groups.items())}


def _told(one: "Value") -> dict[str, Any]:
    from core.money import from_minor

    worth = {currency: from_minor(minor, currency) for currency, minor in one.minor.items()}
    return {"units": one.units, "without_cost": one.without_cost, "value": worth}


def _say_values(name: str, values: "Mapping[str, Value]") -> None:
    rows = [[of, one.units, one.without_cost or None, _sums(one)] for of, one in values.items()]
    say_table([name, ">units", ">without cost", ">value"], rows)


def _sums(one: "Value") -> str:
    from core.money import write_money

    return ", ".join(write_money(minor, currency) for currency, minor in one.minor.items())


@spread
def cost(
    document: Annotated[
        int, typer.Argument(metavar="DOCUMENT", help="that brought the goods; `holdfast stock card` tells")
    ],
    prices: Annotated[list[str], typer.Argument(metavar="SKU=PRICE...", help="of one unit, like MUG-RED=4.90EUR")],
    *,
    call: Call,
) -> None:
    """Note what units of a document cost.

    Of a receipt, an opening or a find. What comes with a purchase order is noted by itself, where its lines say a cost.

    \b
    Example: holdfast item cost 32801 MUG-RED=4.90EUR POT=12.00EUR
    """
    from core.errors import NotFound, Refused
    from core.goods import costs, skus
    from core.goods.costs import Cost
    from core.money import write_money

    said = [_one_price(text) for text in prices]
    noted: list[dict[str, object]] = []
    with call.door(Right.STOCK_RECEIVE) as entered, entered.begin() as tx:
        items = skus.resolve(tx, [code for code, _, _ in said])
        units = costs.brought(tx, document)
        wanted: dict[int, Cost] = {}
        for code, minor, currency in said:
            item = items[skus.sku_key(code)]
            if item.id not in units:
                cure = f"`holdfast stock card {item.sku}` lists those that did"
                raise NotFound(f"document {document} brought no {item.sku}; {cure}")
            if item.id in wanted:
                raise Refused(f"{item.sku} is named twice; say one cost of it")
            wanted[item.id] = Cost(item.id, units[item.id], minor, currency)
            noted.append({"sku": item.sku, "units": units[item.id], "cost": write_money(minor, currency)})
        changed = costs.correct(tx, document, list(wanted.values()))
        for one, item_id in zip(noted, wanted, strict=True):
            one["changed"] = item_id in changed
        entered.log(tx, "item.cost", f"document:{document}", prices=list(prices))
    if call.as_json:
        say_json({"document_id": document, "costs": noted})
    else:
        say_table(["SKU", ">units", ">each"], [[one["sku"], one["units"], one["cost"]] for one in noted])


def _one_price(text: str) -> tuple[str, int, str]:
    from core.money import read_money

    code, equals, price = text.rpartition("=")
    if not equals or not code.strip():
        raise typer.BadParameter(f"{text!r} says no cost; write it like MUG-RED=4.90EUR")
    return code.strip(), *read_money(price)

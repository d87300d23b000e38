"""``holdfast supplier``: who sends goods, how long that takes, in which packs and for how much."""

import dataclasses
from typing import Annotated

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread

commands = typer.Typer(
    help="Keep suppliers, and what each brings in which packs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Code = Annotated[str, typer.Argument(metavar="CODE", help="the supplier's code, like ACME")]
Name = Annotated[str | None, typer.Option("--name", help="what the company is called")]
Email = Annotated[str | None, typer.Option("--email", help="of the company's desk, never a person's own")]
Currency = Annotated[str | None, typer.Option("--currency", metavar="EUR", help="of its costs, as in ISO 4217")]
Lead = Annotated[int | None, typer.Option("--lead", metavar="DAYS", min=0, help="days from an order to its arrival")]


@commands.command()
@spread
def add(
    code: Code, name: Name = None, email: Email = None, currency: Currency = None, lead: Lead = None, *, call: Call
) -> None:
    """Add a supplier.

    \b
    Example: holdfast supplier add ACME --name "Acme Pottery" --currency EUR --lead 14
    """
    from core.supply import suppliers

    terms = _said(name=name, email=email, currency=currency, lead_days=lead)
    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        supplier_id = suppliers.add(tx, code, terms)
        entered.log(tx, "supplier.add", f"supplier:{supplier_id}", code=code.strip())
    if call.as_json:
        say_json({"id": supplier_id, "code": code.strip()})
    else:
        say(f"Supplier {code} is known; `holdfast supplier item {code} SKU --pack 24` says what it brings.")


@commands.command("set")
@spread
def change(
    code: Code, name: Name = None, email: Email = None, currency: Currency = None, lead: Lead = None, *, call: Call
) -> None:
    """Say something else of a supplier.

    \b
    Example: holdfast supplier set ACME --lead 21 --email orders@acme.example
    """
    from core.supply import suppliers

    terms = _said(name=name, email=email, currency=currency, lead_days=lead)
    if not terms:
        raise typer.BadParameter("say what is to change, like --lead 21")
    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        changed = suppliers.change(tx, code, terms)
        if changed:
            entered.log(tx, "supplier.set", f"supplier:{suppliers.find(tx, code).id}", terms=sorted(terms))
    if call.as_json:
        say_json({"code": code, "changed": changed})
    else:
        say(f"Supplier {code} is changed." if changed else f"All of that is said of {code} already.")


def _said(**terms: object) -> dict[str, object]:
    return {name: value for name, value in terms.items() if value is not None}


@commands.command("list")
@spread
def list_suppliers(*, call: Call) -> None:
    """Show all suppliers.

    \b
    Example: holdfast supplier list
    """
    from core.supply import counting, suppliers

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, ours = suppliers.every(tx), counting.days_of_merchant(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("No supplier is known. Add one: holdfast supplier add ACME --lead 14")
    else:
        rows = [
            [one.code, one.name, one.currency, one.lead_days, _counted(one.count_days if one.counts else ours),
             one.email or None]
            for one in found
        ]  # fmt: skip
        say_table(["supplier", "name", "currency", ">lead days", "sold before it is here", "e-mail"], rows)


def _counted(days: int | None) -> str:
    return "never" if days is None else f"{counted(days, 'day')} before"


@commands.command()
@spread
def show(code: Code, *, call: Call) -> None:
    """Show a supplier and what it brings.

    \b
    Example: holdfast supplier show ACME
    """
    from core.money import from_minor
    from core.supply import suppliers

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = suppliers.find(tx, code)
        items = suppliers.items_of(tx, found.id)
    if call.as_json:
        say_json({**dataclasses.asdict(found), "items": [one._asdict() for one in items]})
        return
    lead = (
        "nobody said how long it takes" if found.lead_days is None else f"{counted(found.lead_days, 'day')} to arrive"
    )
    say(f"{found.code}  {found.name}, {lead}, {found.currency}{f', {found.email}' if found.email else ''}")
    if not items:
        say(f"Nobody said what it brings: holdfast supplier item {found.code} SKU --pack 24 --cost 3.20")
        return
    rows = [
        [one.sku, one.supplier_sku or None, one.pack_size, one.least_units, one.lead_days,
         None if one.cost_minor is None else from_minor(one.cost_minor, found.currency)]
        for one in items
    ]  # fmt: skip
    say_table(["item", "its code", ">in a case", ">fewest", ">lead days", f">{found.currency} each"], rows)


@commands.command("item")
@spread
def item(
    code: Code,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="our own code of the item")],
    theirs: Annotated[str | None, typer.Option("--code", metavar="CODE", help="what the supplier calls it")] = None,
    pack: Annotated[int | None, typer.Option("--pack", metavar="N", min=1, help="sale units in one case")] = None,
    least: Annotated[int | None, typer.Option("--min", metavar="N", min=1, help="the fewest units it sells")] = None,
    lead: Lead = None,
    cost: Annotated[str | None, typer.Option("--cost", metavar="3.20", help="of one unit, in its currency")] = None,
    *,
    call: Call,
) -> None:
    """Say that a supplier brings an item, and how.

    What is not said stays as it was.

    \b
    Example: holdfast supplier item ACME MUG-RED --code 4711-R --pack 24 --cost 3.20
    """
    from core.money import to_minor
    from core.supply import purchases, suppliers

    with call.door(Right.PURCHASE_CHANGE) as entered, entered.begin() as tx:
        supplier = suppliers.find(tx, code)
        found = purchases.item_named(tx, supplier.id, sku)
        terms = _said(
            supplier_sku=None if theirs is None else theirs.strip(), pack_size=pack, least_units=least, lead_days=lead,
            cost_minor=None if cost is None else to_minor(cost, supplier.currency),
        )  # fmt: skip
        suppliers.put_item(tx, supplier.id, found.id, terms)
        entered.log(tx, "supplier.item", f"supplier:{supplier.id}", item=found.id, terms=sorted(terms))
        (now,) = [one for one in suppliers.items_of(tx, supplier.id) if one.item_id == found.id]
    if call.as_json:
        say_json({"supplier": supplier.code, **now._asdict()})
    else:
        say(f"{supplier.code} brings {now.sku}, {counted(now.pack_size, 'unit')} in a case.")

"""``holdfast stock receive``, ``found`` and ``return``: goods come in."""

from typing import Annotated

import typer

from core.access.rights import Right
from core.stock import DocumentKind, Stocked
from edge.commands.acting import MOST, Asked, Grade, Key, Reason, Sku, Units, act, effect_key, was_done_before
from edge.commands.common import Call, Door, say, say_json
from edge.commands.spread import spread

Note = Annotated[str, typer.Option("--reason", help="a note for the document")]
Into = Annotated[str, typer.Option("--to", metavar="PLACE", help="a warehouse, or one of its bins like MAIN/A-01")]
Damaged = Annotated[int, typer.Option("--damaged", min=0, help="sale units among them that are not to be sold")]


@spread
def receive(  # noqa: PLR0913, PLR0917  each is an option of the command line
    sku: Sku,
    number: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST, help="how many came in, 1 or more")],
    unit: Annotated[str, typer.Option("--unit", help="what N counts, like case; see `holdfast item unit`")] = "",
    damaged: Damaged = 0,
    grade: Grade = "good",
    to: Into = "",
    cost: Annotated[str, typer.Option("--cost", metavar="PRICE", help="of one sale unit, like 4.20 or 4.20EUR")] = "",
    currency: Annotated[
        str, typer.Option("--currency", metavar="CODE", help="of --cost, like EUR; else that of the item's last cost")
    ] = "",
    key: Key = "",
    reason: Note = "",
    *,
    call: Call,
) -> None:
    """Book units in.

    They serve what waits, the rest is free at once, and every live store shows it. With --cost, what a unit of them
    cost is noted in the same act; `holdfast item cost` notes it later.

    \b
    Example: holdfast stock receive MUG-RED 40 --key delivery-2041
             holdfast stock receive MUG-RED 3 --unit case --damaged 2
             holdfast stock receive MUG-RED 40 --to BERLIN/A-01 --cost 4.20 --currency EUR
    """
    from core import catalog
    from core.goods import items

    if currency and not cost:
        raise typer.BadParameter("say what a unit cost, too: --cost 4.20")
    with call.door(Right.STOCK_RECEIVE) as entered:
        units, note = number, reason or key
        if unit:
            with entered.begin() as tx:
                units = items.in_sale_units(tx, catalog.item_id_of(tx, sku), number, unit)
            note = f"{note}, {number} {unit}".removeprefix(", ")
        price = _read_cost(entered, sku, cost, currency) if cost else None
        asked = Asked(sku, units, grade, key, note, call.as_json, place=to, cost=price)
        _bring_in(entered, asked, DocumentKind.RECEIPT, damaged)


def _read_cost(entered: Door, sku: str, words: str, currency: str) -> tuple[int, str]:
    """``4.20`` with the currency said or that of the item's last cost, or ``4.20EUR``. Raises: Refused."""
    from core import catalog
    from core.errors import Refused
    from core.goods import costs
    from core.money import read_currency, read_money, to_minor

    if any(letter.isalpha() for letter in words):
        minor, said = read_money(words)
        if currency and read_currency(currency) != said:
            raise Refused(f"--cost says {said} and --currency {currency}; say one of them")
        return minor, said
    if not currency:
        with entered.begin() as tx:
            currency = costs.last_currency(tx, catalog.item_id_of(tx, sku)) or ""
    if not currency:
        raise Refused(f"no cost of {sku} was noted before; say in which currency this is: --currency EUR")
    code = read_currency(currency)
    return to_minor(words, code), code


@spread
def found(
    sku: Sku,
    units: Units,
    reason: Reason,
    grade: Grade = "good",
    to: Into = "",
    key: Key = "",
    *,
    call: Call,
) -> None:
    """Book in units that the books did not know of.

    \b
    Example: holdfast stock found MUG-RED 2 --reason "behind the shelf"
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _bring_in(entered, Asked(sku, units, grade, key, reason, call.as_json, place=to), DocumentKind.FOUND)


@spread
def return_(
    sku: Sku,
    units: Units,
    damaged: Damaged = 0,
    grade: Grade = "good",
    to: Into = "",
    inspected: Annotated[bool, typer.Option("--inspected", help="where returns wait: these were looked at")] = False,
    key: Key = "",
    reason: Note = "",
    *,
    call: Call,
) -> None:
    """Book in goods that came back, in the grade they are of.

    What a store puts back on sale by itself is booked by itself. This is for all that comes back otherwise. Where
    returns wait (`holdfast apart returns`), `holdfast apart inspect` says what they are.

    \b
    Example: holdfast stock return MUG-RED 1 --grade minor_defect
             holdfast stock return MUG-RED 2 --damaged 2
    """
    with call.door(Right.STOCK_RECEIVE) as entered:
        from core.goods import inspection

        with entered.begin() as tx:
            waits = not inspected and inspection.returns_wait(tx)
        asked = Asked(sku, units, grade, key, reason or key, call.as_json, place=to)
        _bring_in(entered, asked, DocumentKind.RETURN, units if waits else damaged, waits=waits)


def _bring_in(entered: Door, asked: Asked, kind: DocumentKind, damaged: int = 0, *, waits: bool = False) -> None:
    from core import catalog
    from core.errors import Refused
    from core.goods.inspection import ReturnToInspect
    from core.goods.receiving import Receive
    from core.money import write_money
    from core.warehouse import warehouses

    if damaged > asked.units:
        raise Refused(f"{damaged} of {asked.units} units cannot be damaged; say how many of them are")
    with entered.begin() as tx:
        item_id, asked_at = catalog.item_id_of(tx, asked.sku), tx.now
        spot = warehouses.spot_of(tx, asked.place) if asked.place else None
    what = Stocked(item_id, asked.grade)
    good = {what: asked.units - damaged}
    broken = {what: damaged} if damaged else {}
    comes_in = ReturnToInspect if waits else Receive
    command = comes_in(effect_key(kind, asked.key), kind, good, asked.reason, broken, spot, asked.cost)
    document_id = act(entered, command)
    with entered.begin() as tx:
        repeated = was_done_before(tx, document_id, asked_at)
        if not repeated:
            detail = {"units": asked.units, "damaged": damaged, "grade": asked.grade, "document": document_id}
            detail |= {"cost": write_money(*asked.cost)} if asked.cost else {}
            entered.log(tx, f"stock.{'receive' if kind is DocumentKind.RECEIPT else kind}", f"item:{item_id}", **detail)
    if asked.as_json:
        cost = write_money(*asked.cost) if asked.cost else None
        say_json(asked.told(damaged=damaged, document_id=document_id, repeated=repeated, cost=cost))
    elif repeated:
        say(f"{str(kind).capitalize()} {asked.key} was booked before, as document {document_id}; nothing was changed.")
    else:
        apart = f", {damaged} of them not to be sold{' before they are inspected' * waits}" if damaged else ""
        price = f", at {write_money(*asked.cost)} each" if asked.cost else ""
        say(f"{asked.goods} booked in{apart}{price}, document {document_id}.")

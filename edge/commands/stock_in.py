"""``holdfast stock receive``, ``found`` and ``return``: goods come in."""

from dataclasses import dataclass
from typing import Annotated

import typer

from core.access.rights import Right
from core.stock import DocumentKind, Stocked
from edge.commands.acting import MOST, Asked, Grade, Key, Sku, Units, act, effect_key, was_done_before
from edge.commands.common import Call, Door, say, say_json
from edge.commands.spread import spread

Note = Annotated[str, typer.Option("--reason", help="a note for the document")]
Into = Annotated[str, typer.Option("--to", metavar="PLACE", help="a warehouse, or one of its bins like MAIN/A-01")]
Damaged = Annotated[int, typer.Option("--damaged", min=0, help="sale units among them that are not to be sold")]


@dataclass(frozen=True, slots=True)
class Found(Asked):
    """What is asked of units that come in."""

    place: Into = ""


@dataclass(frozen=True, slots=True)
class State:
    """Options of units that come in: in which state, and where they are put."""

    damaged: Damaged = 0
    grade: Grade = "good"
    to: Into = ""


@dataclass(frozen=True, slots=True)
class Price:
    """Options of what a unit of them cost."""

    cost: Annotated[str, typer.Option("--cost", metavar="PRICE", help="of one sale unit, like 4.20 or 4.20EUR")] = ""
    currency: Annotated[
        str, typer.Option("--currency", metavar="CODE", help="of --cost, like EUR; else that of the item's last cost")
    ] = ""


@spread
def receive(
    sku: Sku,
    number: Annotated[int, typer.Argument(metavar="N", min=1, max=MOST, help="how many came in, 1 or more")],
    unit: Annotated[str, typer.Option("--unit", help="what N counts, like case; see `holdfast item unit`")] = "",
    *,
    state: State,
    price: Price,
    key: Key = "",
    reason: Note = "",
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

    if price.currency and not price.cost:
        raise typer.BadParameter("say what a unit cost, too: --cost 4.20")
    with call.door(Right.STOCK_RECEIVE) as entered:
        units, note = number, reason or key
        if unit:
            with entered.begin() as tx:
                units = items.in_sale_units(tx, catalog.item_id_of(tx, sku), number, unit)
            note = f"{note}, {number} {unit}".removeprefix(", ")
        cost = _read_cost(entered, sku, price) if price.cost else None
        asked = Asked(sku, units, note, state.grade, state.to, key)
        _bring_in(entered, asked, call, DocumentKind.RECEIPT, state.damaged, cost=cost)


def _read_cost(entered: Door, sku: str, price: Price) -> tuple[int, str]:
    """Of one unit, in the smallest unit of a currency.

    Read from ``4.20`` with the currency said or that of the item's last cost, or from ``4.20EUR``. Raises: Refused.
    """
    from core import catalog
    from core.errors import Refused
    from core.goods import costs
    from core.money import read_currency, read_money, to_minor

    currency = price.currency
    if any(letter.isalpha() for letter in price.cost):
        minor, said = read_money(price.cost)
        if currency and read_currency(currency) != said:
            raise Refused(f"--cost says {said} and --currency {currency}; say one of them")
        return minor, said
    if not currency:
        with entered.begin() as tx:
            currency = costs.last_currency(tx, catalog.item_id_of(tx, sku)) or ""
    if not currency:
        raise Refused(f"no cost of {sku} was noted before; say in which currency this is: --currency EUR")
    code = read_currency(currency)
    return to_minor(price.cost, code), code


@spread
def found(asked: Found, call: Call) -> None:
    """Book in units that the books did not know of.

    \b
    Example: holdfast stock found MUG-RED 2 --reason "behind the shelf"
    """
    with call.door(Right.STOCK_ADJUST) as entered:
        _bring_in(entered, asked, call, DocumentKind.FOUND)


@spread
def return_(
    sku: Sku,
    units: Units,
    *,
    state: State,
    inspected: Annotated[bool, typer.Option("--inspected", help="where returns wait: these were looked at")] = False,
    key: Key = "",
    reason: Note = "",
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
        asked = Asked(sku, units, reason or key, state.grade, state.to, key)
        _bring_in(entered, asked, call, DocumentKind.RETURN, units if waits else state.damaged, waits=waits)


def _bring_in(
    entered: Door, asked: Asked, call: Call, kind: DocumentKind, damaged: int = 0, *, waits: bool = False,
    cost: tuple[int, str] | None = None,
) -> None:  # fmt: skip
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
    what, written = Stocked(item_id, asked.grade), write_money(*cost) if cost else None
    good = {what: asked.units - damaged}
    broken = {what: damaged} if damaged else {}
    comes_in = ReturnToInspect if waits else Receive
    command = comes_in(effect_key(kind, asked.key), kind, good, asked.reason, broken, spot, cost)
    document_id = act(entered, command)
    with entered.begin() as tx:
        repeated = was_done_before(tx, document_id, asked_at)
        if not repeated:
            detail = {"units": asked.units, "damaged": damaged, "grade": asked.grade, "document": document_id}
            detail |= {"cost": written} if written else {}
            entered.log(tx, f"stock.{'receive' if kind is DocumentKind.RECEIPT else kind}", f"item:{item_id}", **detail)
    if call.as_json:
        say_json(asked.told(damaged=damaged, document_id=document_id, repeated=repeated, cost=written))
    elif repeated:
        say(f"{str(kind).capitalize()} {asked.key} was booked before, as document {document_id}; nothing was changed.")
    else:
        apart = f", {damaged} of them not to be sold{' before they are inspected' * waits}" if damaged else ""
        price = f", at {written} each" if written else ""
        say(f"{asked.goods} booked in{apart}{price}, document {document_id}.")

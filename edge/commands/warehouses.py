"""``holdfast warehouse``: the places where goods stand, and what there is in each."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.places import Places
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.warehouse.warehouses import Warehouse

commands = typer.Typer(
    help="Say where goods stand, and add up what is where.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Kind = Literal["warehouse", "store", "pickup", "3pl"]
Code = Annotated[str, typer.Argument(metavar="CODE", help="its short name, like BERLIN")]


@dataclass(frozen=True, slots=True)
class Said:
    """Options that say what a warehouse is like; None where nothing is said of it."""

    name: Annotated[str | None, typer.Option("--name", help="what people call it")] = None
    kind: Annotated[Kind | None, typer.Option("--kind", help="store: a point of sale; 3pl: a logistics partner")] = None
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="of its clock, like Europe/Berlin; else the merchant's")
    ] = None
    region: Annotated[str | None, typer.Option("--region", help="a name to add warehouses up by")] = None
    address: Annotated[
        str | None,
        typer.Option("--address", help="COUNTRY, SUBDIVISION, POSTAL, CITY, STREET; what is empty is unknown"),
    ] = None
    at: Annotated[
        str | None, typer.Option("--at", metavar="LAT,LON", help="coordinates in degrees, like 52.52,13.40")
    ] = None
    priority: Annotated[int | None, typer.Option("--priority", help="the highest is asked first")] = None
    cut_off: Annotated[
        str | None, typer.Option("--cut-off", metavar="HH:MM", help="paid later leaves a day later; none")
    ] = None
    handling_days: Annotated[
        int | None, typer.Option("--handling-days", min=0, max=365, help="from arrival until it can leave")
    ] = None
    capacity: Annotated[int | None, typer.Option("--capacity", min=0, help="parcels a day; 0: no limit")] = None

    def terms(self) -> dict[str, object]:
        """As the core names them. Raises: typer.BadParameter."""
        said: dict[str, object] = {
            "name": self.name, "kind": self.kind, "time_zone": self.time_zone, "region": self.region,
            "priority": self.priority, "handling_days": self.handling_days,
        }  # fmt: skip
        terms = {key: value for key, value in said.items() if value is not None}
        if self.address is not None:
            parts = [part.strip() for part in self.address.split(",", 4)]
            names = ("country", "subdivision", "postal", "city", "street")
            terms |= dict(zip(names, [*parts, "", "", "", "", ""], strict=False))
        if self.at is not None:
            terms["latitude"], terms["longitude"] = _degrees(self.at)
        if self.cut_off is not None:
            terms["cut_off"] = None if self.cut_off == "none" else _clock(self.cut_off)
        if self.capacity is not None:
            terms["capacity_per_day"] = self.capacity or None
        return terms


def _degrees(words: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(part) for part in words.split(","))
    except ValueError:
        raise typer.BadParameter(f"{words} is no pair of degrees; write it like 52.52,13.40") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise typer.BadParameter("a latitude is from -90 to 90, a longitude from -180 to 180")
    return latitude, longitude


def _clock(words: str) -> time:
    try:
        return datetime.strptime(f"{words}Z", "%H:%M%z").time()
    except ValueError:
        raise typer.BadParameter(f"{words} is no time of day; write it like 14:00, or none") from None


@commands.command()
@spread
def add(code: Code, said: Said, call: Call) -> None:
    """Add a warehouse, with one bin to begin with.

    \b
    Example: holdfast warehouse add HAMBURG --address "DE, HH, 20457, Hamburg" --cut-off 14:00
             holdfast warehouse add MALL --kind store --region north
    """
    from core.warehouse import warehouses

    terms = said.terms()
    with call.door(Right.PLACE_CHANGE) as entered, entered.begin() as tx:
        warehouse_id = warehouses.add(tx, code, terms)
        entered.log(tx, "warehouse.add", f"warehouse:{warehouse_id}", code=code.strip(), said=sorted(terms))
    if call.as_json:
        say_json({"code": code.strip(), "id": warehouse_id})
    else:
        say(f"Warehouse {code.strip()} is there. `holdfast stock receive SKU N --to {code.strip()}` books goods in.")


@commands.command("set")
@spread
def set_(code: Code, said: Said, call: Call) -> None:
    """Say something else of a warehouse; what is not named stays.

    \b
    Example: holdfast warehouse set HAMBURG --priority 10 --cut-off 15:30
             holdfast warehouse set HAMBURG --cut-off none
    """
    terms = said.terms()
    if not terms:
        raise typer.BadParameter("say what is to change; `holdfast warehouse set --help` lists what can")
    _change(code, terms, f"Warehouse {code} is changed.", call)


@commands.command()
@spread
def pause(code: Code, dry_run: DryRun = False, *, call: Call) -> None:
    """Let a warehouse serve no more orders; what stands there stays counted.

    Where orders go to warehouses by themselves, what nobody there packs yet goes to others.

    \b
    Example: holdfast warehouse pause HAMBURG --dry-run
             holdfast warehouse pause HAMBURG
    """
    from core.fulfilment import automatic
    from core.warehouse import warehouses

    if not dry_run:
        _change(code, {"paused": True}, f"Warehouse {code} serves no more orders.", call)
        return
    with call.door(Right.PLACE_CHANGE) as entered, entered.begin_or_try(dry_run) as tx:
        relieved = -len(automatic.to_relieve(tx))  # what other warehouses that are paused give back
        changed = warehouses.change(tx, code, {"paused": True})
        relieved = relieved + len(automatic.to_relieve(tx)) if automatic.is_on(tx) else 0
    if call.as_json:
        say_json({"code": code, "changed": changed, "relieved": relieved, "dry_run": True})
    elif changed:
        parts = f"; {counted(relieved, 'part')} of orders that nobody packs there yet would go elsewhere"
        say(f"Only tried out: warehouse {code} would serve no more orders{parts if relieved else ''}.")
    else:
        say("That is so already; nothing would be changed.")


@commands.command()
@spread
def resume(code: Code, *, call: Call) -> None:
    """Let a warehouse serve orders again.

    Where orders go to warehouses by themselves, those that no other could send are decided again at once.

    \b
    Example: holdfast warehouse resume HAMBURG
    """
    _change(code, {"paused": False}, f"Warehouse {code} serves orders again.", call)


def _change(code: str, terms: dict[str, object], done: str, call: Call) -> None:
    from core.warehouse import warehouses

    with call.door(Right.PLACE_CHANGE) as entered, entered.begin() as tx:
        changed = warehouses.change(tx, code, terms)
        if changed:
            entered.log(tx, "warehouse.set", f"warehouse:{warehouses.id_of(tx, code)}", said=sorted(terms))
    if call.as_json:
        say_json({"code": code, "changed": changed})
    else:
        say(done if changed else "That was so already; nothing was changed.")


@commands.command("list")
@spread
def list_(*, call: Call) -> None:
    """List warehouses, the one that is asked first at the top.

    \b
    Example: holdfast warehouse list
    """
    from core.warehouse import warehouses

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = warehouses.every(tx)
    if call.as_json:
        say_json([_as_json(one) for one in found])
        return
    rows = [
        [one.code, one.name, one.kind, one.region or "-", " ".join(filter(None, (one.country, one.subdivision))) or "-",
         one.priority, _until(one), one.bins, "paused" if one.paused else "serves"]
        for one in found
    ]  # fmt: skip
    say_table(["code", "name", "kind", "region", "where", ">priority", "leaves", ">bins", "state"], rows)


def _until(one: "Warehouse") -> str:
    days = f"after {one.handling_days} d" if one.handling_days else "at once"
    return f"{days}, until {one.cut_off:%H:%M}" if one.cut_off else days


def _as_json(one: "Warehouse") -> dict[str, object]:
    return {**dataclasses.asdict(one), "cut_off": None if one.cut_off is None else f"{one.cut_off:%H:%M}"}


@commands.command()
@spread
def totals(
    sku: Annotated[str, typer.Argument(metavar="[SKU]", help="of one item; else of all goods")] = "", *, call: Call
) -> None:
    """Add up what there is: by warehouse, by region, and over all.

    \b
    Example: holdfast warehouse totals MUG-RED
    """
    from core import catalog
    from core.warehouse import totals as added_up

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = added_up.totals(tx, catalog.item_id_of(tx, sku) if sku else None)
        one_room = Places.of(tx).one_room
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    rows = [
        [one.scope, one.place, one.book, one.available, one.allocated, one.picking, one.locked, one.unavailable,
         one.in_transit]
        for one in found
    ]  # fmt: skip
    columns = [">book", ">available", ">allocated", ">being packed", ">locked", ">unavailable", ">on its way"]
    if one_room:
        say_table(columns, [row[2:] for row in rows if row[0] == "all"])
    else:
        say_table(["", "place", *columns], rows)

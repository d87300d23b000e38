"""``holdfast route regions``, ``rules`` and ``strategy``: who may serve what, and who chooses among those that may."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.access.rights import Right
from core.errors import Refused
from edge.coming import HELP as COMING
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.route_rates import MOST_ID, forget
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.dispatch.destinations import Point

regions = typer.Typer(
    help="Name regions, made of countries, subdivisions and postal codes.", no_args_is_help=True, rich_markup_mode=None
)
rules = typer.Typer(
    help="Say which warehouse may serve what, where to and when.", no_args_is_help=True, rich_markup_mode=None
)
strategy = typer.Typer(help="Say how a warehouse is chosen.", no_args_is_help=True, rich_markup_mode=None)


@regions.command("add")
@spread
def add_region(
    name: Annotated[str, typer.Argument(metavar="NAME", help="one word, like south")],
    parts: Annotated[list[str], typer.Argument(metavar="PART...", help="like DE, DE-BY, DE-BY-80 or DE--80")],
    middle: Annotated[
        str, typer.Option("--middle", metavar="LAT,LON", help="from where distances are taken, like 48.14,11.58")
    ] = "",
    *,
    call: Call,
) -> None:
    """Make a region, or say anew what one is made of.

    A part is a country, a subdivision of one, or either with the first postal characters, three at most. Where several
    regions hold a destination, rates and transit times of the one that names it most closely are taken.

    \b
    Example: holdfast route regions add south DE-BY DE-BW AT
             holdfast route regions add munich DE-BY-80 DE-BY-81 --middle 48.14,11.58
    """
    from core.dispatch import regions as on_record

    point = _point(middle) if middle else None
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        made = on_record.put(tx, name, parts, point)
        said = [str(part) for part in made.parts]
        entered.log(tx, "route.region", f"region:{made.id}", name=made.name, parts=said, middle=middle)
    if call.as_json:
        say_json({"region": made.name, "parts": said, "middle": made.middle})
    else:
        say(f"Region {made.name} is made of {', '.join(said)}.")


def _point(words: str) -> "Point":
    from core.dispatch.destinations import Point

    try:
        return Point(*(float(part) for part in words.split(",", 1)))
    except (TypeError, ValueError):
        raise typer.BadParameter(f"{words!r} is no pair of degrees; write it like 48.14,11.58") from None


@regions.command("list")
@spread
def list_regions(*, call: Call) -> None:
    """List the regions and what they are made of.

    \b
    Example: holdfast route regions list
    """
    from core.dispatch import reading

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = reading.regions(tx)
    if call.as_json:
        say_json([{"region": one.name, "parts": list(map(str, one.parts)), "middle": one.middle} for one in found])
    elif found:
        rows = [
            [
                one.name,
                " ".join(map(str, one.parts)),
                one.middle and f"{one.middle.latitude:g},{one.middle.longitude:g}",
            ]
            for one in found
        ]
        say_table(["region", "made of", "middle"], rows)
    else:
        say("No region yet; `holdfast route regions add NAME DE-BY` makes one.")


@regions.command("remove")
@spread
def remove_region(
    name: Annotated[str, typer.Argument(metavar="NAME", help="`holdfast route regions list` shows them")], *, call: Call
) -> None:
    """Forget a region that no rate, transit time or rule names any more.

    \b
    Example: holdfast route regions remove south
    """
    from core.dispatch import regions as on_record

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        on_record.remove(tx, name)
        entered.log(tx, "route.region_remove", f"region:{name.strip().lower()}")
    say_json({"removed": name.strip().lower()}) if call.as_json else say(f"Region {name} is forgotten.")


@rules.command("add")
@spread
def add_rule(
    effect: Annotated[
        Literal["allow", "deny", "only"], typer.Argument(metavar="allow|deny|only", help="what the rule says")
    ],
    warehouse: Annotated[str, typer.Argument(metavar="WAREHOUSE", help="its code")],
    item: Annotated[str, typer.Option("--item", metavar="SKU", help="of this item; else of all")] = "",
    region: Annotated[str, typer.Option("--region", metavar="NAME", help="to this region; else to all")] = "",
    begins: Annotated[str, typer.Option("--from", metavar="TIME", help=f"from then on: {COMING}")] = "",
    ends: Annotated[str, typer.Option("--until", metavar="TIME", help="up to then; a date counts to its end")] = "",
    *,
    call: Call,
) -> None:
    """Lay down whether a warehouse may serve something.

    Without rules every warehouse serves everything. `deny`: this one does not send it. `allow`: only warehouses that
    are allowed send it. `only`: this one sends to that region and to no other; several such rules add up. A denial
    always wins.

    \b
    Example: holdfast route rules add only MUNICH --region south
             holdfast route rules add deny SHOP --item MUG-RED --until 2026-12-24
             holdfast route rules add allow BERLIN --region islands
    """
    from zoneinfo import ZoneInfo

    from core import catalog
    from core.dispatch import regions as on_record
    from core.dispatch import rules as laid
    from core.dispatch.terms import Effect
    from core.queries import merchant_view
    from core.warehouse import warehouses
    from edge.coming import read_coming

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        zone = ZoneInfo(merchant_view(tx).time_zone)
        rule_id = laid.add(
            tx,
            Effect(effect),
            warehouses.id_of(tx, warehouse),
            item_id=catalog.item_id_of(tx, item) if item else None,
            region_id=on_record.id_of(tx, region) if region else None,
            starts_at=read_coming(begins, tx.now, zone) if begins else None,
            ends_at=read_coming(ends, tx.now, zone, day_ends=True) if ends else None,
        )
        (made,) = (one for one in laid.every(tx) if one.id == rule_id)
        told = {"effect": effect, "item": item, "region": region, "from": begins, "until": ends}
        entered.log(tx, "route.rule", f"warehouse:{made.warehouse}", rule=rule_id, **told)
    say_json(dataclasses.asdict(made)) if call.as_json else say(f"Rule {rule_id} is laid down.")


@rules.command("list")
@spread
def list_rules(*, call: Call) -> None:
    """List all rules, by warehouse.

    \b
    Example: holdfast route rules list
    """
    from core.access import actors
    from core.dispatch import rules as laid
    from core.zones import end_in, zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = laid.every(tx)
        names, zone = actors.names_of(tx, [one.made_by for one in found]), zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif found:
        rows = [
            [one.id, one.warehouse, one.effect, one.item or "everything", one.region or "everywhere",
             one.starts_at and local(one.starts_at, zone),
             one.ends_at and f"{end_in(one.ends_at, zone)}{', over' if one.is_over else ''}",
             names.get(one.made_by, one.made_by)]
            for one in found
        ]  # fmt: skip
        say_table([">rule", "warehouse", "says", "of", "to", "from", "until", "by"], rows)
    else:
        say("No rule: every warehouse may serve everything.")


@rules.command("remove")
@spread
def remove_rule(
    rule: Annotated[
        int, typer.Argument(metavar="RULE", max=MOST_ID, help="its number; `holdfast route rules list` shows it")
    ],
    call: Call,
) -> None:
    """Take a rule back.

    \b
    Example: holdfast route rules remove 2049
    """
    from core.dispatch import rules as laid

    forget(call, laid.remove, "rule", rule, f"Rule {rule} is taken back.")


@strategy.command("show")
@spread
def show_strategy(*, call: Call) -> None:
    """Show the strategies that there are, and which are set.

    \b
    Example: holdfast route strategy show
    """
    from core import stores
    from core.dispatch import rules as laid
    from core.dispatch import strategies

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        chosen = laid.choice(tx)
        names = {one.id: one.name for one in stores.every(tx)}
    by_store = {names.get(store_id, str(store_id)): name for store_id, name in chosen.by_store.items()}
    if call.as_json:
        known = [{"name": one.name, "says": one.says} for one in strategies.every()]
        say_json({"usual": chosen.usual, "by_store": by_store, "strategies": known})
        return
    say_table(["strategy", "says"], [[one.name, one.says] for one in strategies.every()])
    say(f"Orders are routed by {chosen.usual}.")
    for store, name in sorted(by_store.items()):
        say(f"Those of {store} are routed by {name}.")


@strategy.command("set")
@spread
def set_strategy(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="`holdfast route strategy show` explains them")] = "",
    store: Annotated[str, typer.Option("--store", metavar="NAME", help="for orders of this store alone")] = "",
    off: Annotated[bool, typer.Option("--off", help="take it back: the merchant's own, else priority")] = False,
    *,
    call: Call,
) -> None:
    """Say how warehouses are chosen from now on, for all orders or for those of one store.

    What it would have come to in the past, `holdfast route compare` tells first.

    \b
    Example: holdfast route strategy set fewest_parcels
             holdfast route strategy set closest --store Berlin
             holdfast route strategy set --store Berlin --off
    """
    from core import stores
    from core.dispatch import rules as laid

    if bool(name) == off:
        raise Refused("say a strategy or --off; `holdfast route strategy show` shows those there are")
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        store_id = stores.find(tx, store).id if store else None
        laid.set_strategy(tx, store_id, name or None)
        holds = laid.choice(tx).of(store_id).name
        entered.log(tx, "route.strategy", f"store:{store_id}" if store_id else "merchant", strategy=name or "off")
    if call.as_json:
        say_json({"store": store, "strategy": holds})
    else:
        say(f"Orders{f' of {store}' if store else ''} are routed by {holds} from now on.")

"""Short ways to order goods from a supplier and to look at what is on its way, for tests."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from core.sales import expected
from core.stock import GOOD, Spot
from core.supply import counting, placing, purchases, receipts, suppliers
from core.supply.acting import Acted
from core.supply.lines import Came
from core.supply.purchases import Purchase
from core.warehouse import warehouses
from core.zones import zone_of
from tests.builders import World

ACTOR = "test"


class OnWay(NamedTuple):
    """An item's part of a warehouse in the dispatch layer."""

    available: int = 0
    incoming: int = 0
    incoming_sellable: int = 0
    unavailable: int = 0


def today(world: World) -> date:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return tx.now.astimezone(zone_of(tx)).date()


def supplier(world: World, code: str = "ACME", **terms: object) -> int:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return suppliers.add(tx, code, terms)


def warehouse(world: World, code: str) -> int:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return warehouses.add(tx, code, {})


def spot(world: World, place: str = "MAIN") -> Spot:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return warehouses.spot_of(tx, place)


def draft(
    world: World, number: str, units: Mapping[str, int], *, in_days: int | None = 10, to: str = "MAIN",
    of: str = "ACME",
) -> Purchase:  # fmt: skip
    """A draft of so many units by SKU; its supplier is made when it is the first."""
    on = None if in_days is None else today(world) + timedelta(days=in_days)
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        if of not in {one.code for one in suppliers.every(tx)}:
            suppliers.add(tx, of, {})
        purchases.new(tx, number, of, warehouses.id_of(tx, to), expected_on=on)
        purchases.add_lines(tx, number, [purchases.Wanted(sku, n) for sku, n in units.items()])
        return purchases.find(tx, number)


def placed(world: World, number: str, units: Mapping[str, int], **told: Any) -> Purchase:
    draft(world, number, units, **told)
    placing.place(world.db, world.merchant_id, number, actor=ACTOR)
    return look(world, number)


def look(world: World, number: str) -> Purchase:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return purchases.find(tx, number)


def line_id(world: World, number: str, sku: str) -> int:
    item_id = world.item(sku).item_id
    (found,) = [line.id for line in look(world, number).lines if line.item_id == item_id]
    return found


def receive(
    world: World, number: str, came: Mapping[str, int | Came] | None, key: str = "a", *, at: str = "MAIN",
    dry_run: bool = False,
) -> Acted:  # fmt: skip
    """Book in units, or what came in several states, by SKU; None: all that is still to come."""
    told = None
    if came is not None:
        told = {
            line_id(world, number, sku): Came(units) if isinstance(units, int) else units for sku, units in came.items()
        }
    delivery = receipts.Delivery(spot(world, at), told)
    return receipts.receive(world.db, world.merchant_id, number, delivery, key, actor=ACTOR, dry_run=dry_run)


def cut(world: World, number: str, units: Mapping[str, int], key: str = "a", **told: Any) -> Acted:
    by_line = {line_id(world, number, sku): n for sku, n in units.items()}
    return placing.cut(
        world.db, world.merchant_id, number, by_line, key, actor=ACTOR, **{"reason": "supplier says so", **told}
    )


def count(world: World, days: int | None) -> None:
    """Set the merchant's rule and have it done."""
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        counting.set_days(tx, days)
    counting.apply(world.db, world.merchant_id, actor=ACTOR)


def on_way(world: World, sku: str, to: str = "MAIN", grade: str = GOOD) -> OnWay:
    rows = world.ask(
        """SELECT d.available, d.incoming, d.incoming_sellable, d.unavailable FROM dispatch_balance d
           JOIN warehouse w ON w.merchant_id = d.merchant_id AND w.id = d.warehouse_id
           WHERE d.merchant_id = :merchant_id AND d.item_id = :item_id AND d.grade = :grade AND w.code = :code""",
        item_id=world.item(sku).item_id, grade=grade, code=to,
    )  # fmt: skip
    return OnWay(*rows[0]) if rows else OnWay()


def supply(world: World) -> list[tuple[str, str, int, int, int]]:
    """What those who wait can expect: reference, SKU, units still to come, how many came, in how many days."""
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        found = expected.supply(tx, all_of_it=True)
    now = today(world)
    return [(one.reference, one.sku, one.open, one.received, (one.on - now).days) for one in found]

"""Short ways to let demand wait, and to look at who waits."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from core.sales import expected, waiting
from core.sales.holds import Hold
from core.sales.waiting import Waiter
from core.selling import rules
from core.stock import GOOD, Stocked
from core.zones import zone_of
from tests.builders import FAR_OFF, Clock, World

DAY = 86_400


def rule(world: World, scope: str, name: str, value: int | str, *, store: int = 0, sku: str = "mug") -> None:
    with world.db.begin(1, actor="test") as tx:
        if scope == "store":
            subject = rules.store_subject(tx, str(store))
        elif scope == "item":
            subject = rules.item_subject(tx, sku)
        else:
            subject = rules.listing_subject(tx, str(store), f"listing-{sku}")
        rules.set_rules(tx, subject, {name: value})


def allowed(world: World, sku: str = "mug", store: int = 0) -> Mapping[Stocked, int]:
    with world.db.begin(1, actor="test") as tx:
        return waiting.may_wait(tx, store, [world.item(sku)])


def wait_for(world: World, key: str, units: int, *, sku: str = "mug", **told: Any) -> Any:
    return world.do(Hold(key, {world.item(sku): units}, FAR_OFF, may_wait=allowed(world, sku), **told))


def bundle(world: World, sku: str, **parts: int) -> None:
    item = world.item(sku)
    for part, quantity in parts.items():
        world.tell(
            """INSERT INTO component (merchant_id, bundle_item_id, item_id, grade, quantity)
               VALUES (:merchant_id, :bundle, :item, 'good', :quantity)""",
            bundle=item.item_id, item=world.item(part).item_id, quantity=quantity,
        )  # fmt: skip
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND id = :id", id=item.item_id)


def place_of(world: World, sku: str = "mug") -> list[tuple[str, str, int]]:
    return [(one.who, one.rank, one.units) for one in queue(world, sku)]


def queue(world: World, sku: str = "mug") -> list[Waiter]:
    with world.db.begin(1, actor="test") as tx:
        return waiting.queue(tx, world.item(sku).item_id, [GOOD])


def today(world: World, clock: Clock, days: int = 0) -> date:
    with world.db.begin(1, actor="test") as tx:
        return clock.now.astimezone(zone_of(tx)).date() + timedelta(days=days)


def expect(world: World, units: int, clock: Clock, *, days: int, ref: str = "PO-7", sku: str = "mug") -> bool:
    with world.db.begin(1, actor="test") as tx:
        return expected.expect(tx, world.item(sku), units, today(world, clock, days), ref)

"""What tests of locks share: short ways to ask for locks, to decide on them, and to see what they have."""

from typing import Any

from core.errors import Refused
from core.sales import lock_limits
from core.sales.holds import Hold
from core.sales.lock_floors import SetFloor
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import LockLimit, Terms
from tests.builders import FAR_OFF, Units, World

PLANNER, BUYER = "user:1", "user:2"


def do(world: World, command: Any, actor: str = PLANNER) -> Any:
    (result,) = world.run(command, actor=actor)
    if isinstance(result, Refused):
        raise result
    return result


def ask(world: World, key: str, sku: str, units: int, *, actor: str = BUYER, limit: LockLimit | None = None,
        **told: Any) -> Any:  # fmt: skip
    terms = Terms(told.pop("type", "business"), told.pop("stocked", None) or world.item(sku), units, **told)
    with world.db.begin(world.merchant_id, actor=actor) as tx:
        siblings = lock_limits.bounds(tx, actor, terms.stocked).siblings
        lock_id = tx.new_id()
    return do(world, RequestLock(key, lock_id, terms, limit, siblings), actor)


def approve(world: World, key: str, actor: str = PLANNER, **told: Any) -> Any:
    with world.db.begin(world.merchant_id, actor=actor) as tx:
        known = tx.run("SELECT 1 FROM lock WHERE merchant_id = :merchant_id AND key = :key", key=key).scalar()
        siblings = lock_limits.bounds_of_lock(tx, key).siblings if known else ()
    return do(world, DecideLock(key, approve=True, siblings=siblings, **told), actor)


def lock(world: World, key: str, sku: str, units: int, **told: Any) -> Any:
    """A lock that was asked for by one and approved by another."""
    ask(world, key, sku, units, **told)
    return approve(world, key)


def row(world: World, key: str) -> Any:
    (found,) = world.ask("SELECT * FROM lock WHERE merchant_id = :merchant_id AND key = :key", key=key)
    return found


def pool(world: World, key: str) -> Units:
    rows = world.ask(
        """SELECT b.free, b.reserved, b.sold, b.backordered FROM lock l JOIN sales_balance b
               ON b.merchant_id = l.merchant_id AND b.pool_id = l.id AND b.item_id = l.item_id AND b.grade = l.grade
           WHERE l.merchant_id = :merchant_id AND l.key = :key""",
        key=key,
    )
    return Units(*rows[0]) if rows else Units()


def shared(world: World, sku: str) -> Units:
    rows = world.ask(
        """SELECT b.free, b.reserved, b.sold, b.backordered FROM sales_balance b JOIN pool p
               ON p.merchant_id = b.merchant_id AND p.id = b.pool_id AND p.kind = 'shared'
           WHERE b.merchant_id = :merchant_id AND b.item_id = :item_id AND b.grade = 'good'""",
        item_id=world.item(sku).item_id,
    )
    return Units(*rows[0]) if rows else Units()


def dispatch(world: World, sku: str) -> tuple[int, int]:
    """Units in the warehouse that are available, and those that are locked there."""
    (found,) = world.ask(
        "SELECT available, locked FROM dispatch_balance WHERE merchant_id = :merchant_id AND item_id = :item_id",
        item_id=world.item(sku).item_id,
    )
    return found.available, found.locked


def main(world: World) -> int:
    return int(world.scalar("SELECT id FROM warehouse WHERE merchant_id = :merchant_id ORDER BY id LIMIT 1"))


def pool_id(world: World, key: str) -> int:
    return int(row(world, key).id)


def bundle(world: World, sku: str, **parts: int) -> None:
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND sku = :sku", sku=sku)
    for part, quantity in parts.items():
        world.tell(
            "INSERT INTO component VALUES (:merchant_id, :bundle, :item, 'good', :quantity)",
            bundle=world.item(sku).item_id, item=world.item(part).item_id, quantity=quantity,
        )  # fmt: skip


def floor(world: World, store: int, sku: str, units: int, **told: Any) -> Any:
    with world.db.begin(1, actor="test") as tx:
        lock_id = tx.new_id()
    return do(world, SetFloor(lock_id, store, world.item(sku), units, **told))


def named(world: World, key: str, units: int, *, sku: str = "mug", **told: Any) -> Hold:
    """A hold that asks for units of a lock."""
    return Hold(f"hold-{key}-{units}", {world.item(sku): units}, FAR_OFF, pool_id=pool_id(world, key), **told)

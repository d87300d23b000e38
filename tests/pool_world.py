"""Short ways to make pools and to look into them, for tests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.sales import campaigns
from core.sales.campaigns import Campaign
from core.sales.pools import OpenPool
from core.stock import GOOD, Pool, PoolKind, Stocked
from tests.builders import Units, World


def stocked(world: World, quantities: Mapping[str, int], grade: str = GOOD) -> dict[Stocked, int]:
    return {world.item(sku)._replace(grade=grade): units for sku, units in quantities.items()}


def open_pool(
    world: World,
    code: str,
    kind: PoolKind,
    quantities: Mapping[str, int],
    *,
    store_id: int | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    **terms: Any,
) -> int:
    """The id of a new pool; activities and presales with ``terms`` as in ``Campaign``."""
    with world.db.begin(world.merchant_id, actor="test") as tx:
        pool_id = tx.new_id()
    pool = Pool(pool_id, kind, code, store_id, starts_at=starts_at, ends_at=ends_at)
    opened = int(world.do(OpenPool(pool, stocked(world, quantities))))
    if kind is not PoolKind.CHANNEL:
        with world.db.begin(world.merchant_id, actor="test") as tx:
            campaigns.plan(tx, Campaign(opened, **terms))
    return opened


def in_pool(world: World, pool_id: int, sku: str, grade: str = GOOD) -> Units:
    """A pool's part of an item."""
    return of(world, pool_id, world.item(sku)._replace(grade=grade))


def shared(world: World, sku: str, grade: str = GOOD) -> Units:
    """The shared pool's part of an item; ``World.units`` is for items that are in no other pool."""
    pool_id = world.scalar("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'")
    return in_pool(world, pool_id, sku, grade)


def of(world: World, pool_id: int, what: Stocked) -> Units:
    rows = world.ask(
        """SELECT free, reserved, sold, backordered FROM sales_balance
           WHERE merchant_id = :merchant_id AND item_id = :item_id AND grade = :grade AND pool_id = :pool_id""",
        item_id=what.item_id, grade=what.grade, pool_id=pool_id,
    )  # fmt: skip
    return Units(*rows[0]) if rows else Units()


def row_of(world: World, pool_id: int) -> Any:
    (row,) = world.ask("SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = :id", id=pool_id)
    return row


def is_open_in(world: World, pool_id: int, sku: str) -> bool:
    return bool(
        world.scalar(
            """SELECT is_open FROM pool_item WHERE merchant_id = :merchant_id AND pool_id = :pool_id
                 AND item_id = :item_id""",
            pool_id=pool_id, item_id=world.item(sku).item_id,
        )
    )  # fmt: skip

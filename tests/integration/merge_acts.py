"""What tests of items that become one share."""

from typing import Any

from core.goods import merging
from core.goods.merging import Merged
from tests.builders import World
from tests.integration.bundle_acts import made_of


def merge(world: World, before: str, after: str, **told: Any) -> Merged:
    return merging.merge(world.db, world.merchant_id, before, after, actor="test", **told)


def set_of_both(world: World) -> int:
    """A store that lists six mugs, six cups, and a set of two mugs and a cup."""
    store_id = world.stocked("mug", "cup", "set", units=0)
    world.receive("mug", 6)
    world.receive("cup", 6)
    made_of(world, "set", mug=2, cup=1)
    return store_id


def raw_item(world: World, sku: str) -> int:
    """The id of the item that has the SKU itself."""
    return int(world.scalar("SELECT id FROM item WHERE merchant_id = :merchant_id AND sku = :sku", sku=sku))

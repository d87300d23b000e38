"""What tests of items that become one share."""

from typing import Any

from core.goods import merging
from core.goods.merging import Merged
from tests.builders import World


def merge(world: World, before: str, after: str, **told: Any) -> Merged:
    return merging.merge(world.db, world.merchant_id, before, after, actor="test", **told)


def raw_item(world: World, sku: str) -> int:
    """The id of the item that has the SKU itself."""
    return int(world.scalar("SELECT id FROM item WHERE merchant_id = :merchant_id AND sku = :sku", sku=sku))

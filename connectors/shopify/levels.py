"""Reading what inventory items show at the location we write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.shopify.caller import ShopifyCaller
from connectors.shopify.documents import LEVELS
from connectors.shopify.translate import Level, gid, level_of, reading

_LEVELS_PER_CALL = 250


@dataclass(frozen=True, slots=True)
class ReadLevel:
    """A level with Shopify's own time of the answer, in whole seconds.

    Rounded down like the times that polls vouch for: a poll of a later second knows all that this number holds.
    """

    level: Level
    read_at: datetime


def read_levels(caller: ShopifyCaller, location_id: str, item_ids: Sequence[str]) -> Mapping[str, ReadLevel]:
    """The level of each inventory item id. By id, not by search: Shopify's search index lags behind."""
    found: dict[str, ReadLevel] = {}
    left = list(dict.fromkeys(item_ids))
    while left:

        def attempt(size: int, waiting: Sequence[str] = tuple(left)) -> Mapping[str, ReadLevel]:
            batch = waiting[:size]
            variables = {
                "ids": [gid("InventoryItem", item_id) for item_id in batch],
                "location": gid("Location", location_id),
            }
            answer = caller.ask(LEVELS, variables)
            nodes = answer.data["nodes"]
            return {
                item_id: ReadLevel(level_of(node), answer.answered_at)
                for item_id, node in zip(batch, nodes, strict=True)
            }

        with reading("inventory levels"):
            batch = caller.sized("levels", _LEVELS_PER_CALL, attempt)
        found.update(batch)
        left = left[len(batch) :]
    return found

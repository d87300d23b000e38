"""What tests of purchase limits share."""

from typing import Any

import pytest

from core import catalog
from core.errors import LimitExceeded
from core.sales import limit_rules
from core.sales.holds import Hold, PayHold
from core.sales.limits import Per
from tests.builders import FAR_OFF, World


def limit(world: World, per: Per, units: int, sku: str = "", *, pool_id: int | None = None) -> None:
    with world.db.begin(1, actor="test") as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        limit_rules.put(tx, per, units, item_id=item_id, pool_id=pool_id)


def hold(world: World, key: str, units: int, sku: str = "mug", holder: str = "c-1", **told: Any) -> Hold:
    return Hold(key, {world.item(sku): units}, FAR_OFF, holder=holder, **told)


def buy(world: World, key: str, units: int, sku: str = "mug", holder: str = "c-1", **told: Any) -> None:
    """A hold that is paid, so that it gives way to nobody."""
    world.do(hold(world, key, units, sku, holder, **told))
    world.do(PayHold(key, "paid"))


def refusal(world: World, command: Hold) -> tuple[int, int, int]:
    """Limit, used and asked of the refusal of a hold."""
    with pytest.raises(LimitExceeded) as error:
        world.do(command)
    return error.value.limit, error.value.used, error.value.asked

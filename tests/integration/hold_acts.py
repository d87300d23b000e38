"""What tests of holds share."""

from core.sales import holds
from tests.builders import World


def expired(world: World) -> list[str]:
    with world.db.begin(1, actor="test") as tx:
        return sorted(holds.expired(tx))

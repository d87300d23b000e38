"""What the simulation found, each as small as it can be."""

import pytest

from core.transaction import Database, connect
from tests.builders import Units, World
from tests.conftest import Logins


class Torn(Exception):
    """Something that happens inside a transaction and undoes it."""


def test_a_transaction_undone_leaves_its_connection_fit_for_the_next_batch(logins: Logins) -> None:
    engine = connect(logins.app, pool_size=1)
    try:
        world = World(Database(engine))
        world.listings(world.store(), "mug")
        for _ in range(3):
            world.receive("mug", 1)
        with pytest.raises(Torn), world.db.begin(world.merchant_id, actor="test"):
            raise Torn
        world.receive("mug", 1)
        assert world.units("mug") == Units(free=4)
    finally:
        engine.dispose()

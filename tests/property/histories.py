"""What tests that play random histories share: how many there are, and a merchant of its own for each."""

import os
from itertools import count

from hypothesis import Phase, settings

from core import catalog
from core.transaction import Database
from tests.builders import World

SOAK = bool(os.environ.get("HOLDFAST_SOAK"))
_MERCHANTS = count(100)


def played(desk: int, soak: int, steps: tuple[int, int] = (50, 50)) -> settings:
    """How many histories are played at a desk and in a soak, and of how many ``steps`` each of them is.

    A desk is told the failing history as it was found; making it short takes minutes and is for the soak.
    """
    if SOAK:
        return settings(max_examples=soak, stateful_step_count=steps[1])
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    return settings(max_examples=desk, stateful_step_count=steps[0], phases=phases)


def random_shop(db: Database) -> World:
    """A merchant that no other history has met."""
    merchant_id = next(_MERCHANTS)
    catalog.ensure_merchant(db, merchant_id, name="Random shop")
    return World(db, merchant_id)

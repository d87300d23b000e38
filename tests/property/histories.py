"""What tests that play random histories share: how many there are, a merchant of its own for each, and their end."""

import os
import sys
from itertools import count
from typing import Self

from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from core import audit, catalog
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


def violations(world: World) -> list[audit.Violation]:
    """What the audit of its merchant finds."""
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return audit.audit(tx)


class History(RuleBasedStateMachine):
    """A random history on a real database."""

    database: Database
    ended: list[Self]

    @classmethod
    def play(cls, db: Database, how: settings) -> list[Self]:
        """Play so many on this database, and give those that came to their end."""
        cls.database, cls.ended = db, []
        run_state_machine_as_test(cls, settings=how)
        return cls.ended

    def teardown(self: Self) -> None:
        if sys.exception() is None:  # neither did it fail, nor was it cut short
            self.at_the_end()
            self.ended.append(self)

    def at_the_end(self) -> None:
        """What else happens then, and what must be true."""

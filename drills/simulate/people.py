"""What those who do something beside the storefronts share: names for what they do, and a way to ask until answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import psycopg

from core.command import Command
from core.errors import Refused
from core.stock import Spot, Stocked
from core.transaction import Database
from drills.simulate.caller import Caller
from drills.simulate.hub import Hub, Process
from drills.simulate.outside import OutsideModel

ACTOR = "api_key:1"


@dataclass(frozen=True, slots=True)
class Goods:
    """What the hub calls things: items by SKU, virtual bundles by SKU, stores and bins by name, the default one first.

    ``made_of``: units of which items one unit of a bundle or kit takes, by its SKU.
    ``parts``: items that were split off, by their SKU, with the SKU of what they were split off.
    ``warehouses``: ids, the default one first.
    """

    items: Mapping[str, Stocked]
    bundles: Mapping[str, Stocked]
    store_ids: Mapping[str, int]
    bins: Mapping[str, Spot]
    made_of: Mapping[str, Mapping[str, int]]
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def warehouses(self) -> list[int]:
        return list(dict.fromkeys(spot.warehouse_id for spot in self.bins.values()))


@dataclass(frozen=True, slots=True)
class World:
    """What they act in. ``database``: where they look at what is to be done, as on a screen; they change nothing there.

    ``model`` is told of all that they do before the hub is.
    """

    hub: Hub
    goods: Goods
    model: OutsideModel
    caller: Caller
    database: "psycopg.Connection[Any]"


def _nobody_listens(_: object) -> None:
    """The answer is of no use to whoever asked."""


class People:
    """They ask the hub's edge, and ask again until there is an answer."""

    def __init__(self, world: World) -> None:
        self._hub, self._goods, self._model, self._caller = world.hub, world.goods, world.model, world.caller
        self._database = world.database
        self._number = 0

    @property
    def _random(self) -> Random:
        return self._hub.scheduler.random

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    def _item(self) -> str:
        return self._random.choice(sorted(self._goods.items))

    def _spot(self) -> Spot:
        """Mostly the default bin."""
        spots = list(self._goods.bins.values())
        return spots[0] if self._random.random() < 0.6 else self._random.choice(spots)

    def _later(self, least_s: float, most_s: float, act: Callable[[], None]) -> None:
        """There is no rest before that, either."""
        self._caller.unanswered += 1

        def do() -> None:
            self._caller.unanswered -= 1
            act()

        self._hub.scheduler.after(self._random.uniform(least_s, most_s), do)

    def _see(self, statement: str, *values: object) -> list[Any]:
        return self._database.execute(statement.encode(), values).fetchall()

    def _have(self, name: str, act: Callable[[Database], object], answered: Callable[[Any], None]) -> None:
        """Something that is a transaction of its own; a refusal is an answer."""

        def do(edge: Process) -> object:
            try:
                return act(edge.app.db)
            except Refused as refused:
                return refused
            finally:
                self._hub.ledger_moved()

        self._caller.have(name, do, answered)

    def _do(
        self, key: str, command: Command, answered: Callable[[Any], None] = _nobody_listens, *, is_told: bool = False
    ) -> None:
        """A command that the outside model was told of under this key: answered as done, it has to stand."""

        def noted(result: Any) -> None:
            if not isinstance(result, Refused):
                self._model.answered.add(key)
            answered(result)

        self._caller.ask(key, command, noted, is_told=is_told)

    def _fact(self, name: str, act: Callable[[Database], object]) -> None:
        """Something that has happened, so nobody may refuse it."""
        self._have(name, act, partial(self._is_a_fact, name))

    def _is_a_fact(self, name: str, result: object) -> None:
        if isinstance(result, Refused):
            self._hub.found(f"{name} was refused: {result}")

"""Short ways to make bundles and kits, sell them, and change them while somebody waits."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.processes import wait_until
from core import catalog
from core.command import Command
from core.goods import items, recipes
from core.rows import Part
from core.stock import DocumentKind, Stocked
from tests.builders import Units, World, line, order
from tests.integration.race_acts import somebody_waits


def item(world: World, sku: str) -> Stocked:
    """An item that no store lists."""
    with world.db.begin(1, actor="test") as tx:
        return Stocked(items.add_item(tx, sku))


def made_of(world: World, sku: str, kind: str = recipes.BUNDLE, **parts: int) -> bool:
    with world.db.begin(1, actor="test") as tx:
        recipe = [Part(Stocked(catalog.item_id_of(tx, part)), units) for part, units in parts.items()]
        return recipes.set_recipe(tx, catalog.item_id_of(tx, sku), kind, recipe)


def tea_shop(world: World, *, mugs: int = 10, pots: int = 10) -> int:
    """A store that lists mugs, pots, and a tea set of two mugs and a pot."""
    store = world.stocked("mug", "pot", units=0)
    for sku, units in (("mug", mugs), ("pot", pots)):
        if units:
            world.receive(sku, units, DocumentKind.OPENING)
    world.listings(store, "set")
    made_of(world, "set", mug=2, pot=1)
    return store


def sell(world: World, store: int, sets: int, name: str = "1001", **told: Any) -> None:
    paid = told.pop("paid", True)
    world.hear(store, order(line("set", sets, **told), external_id=name, paid=paid))


def both(world: World) -> tuple[Units, Units]:
    return world.units("mug"), world.units("pot")


def graded(world: World, sku: str) -> dict[str, int]:
    rows = world.ask(
        """SELECT grade, available FROM warehouse_balance WHERE merchant_id = :merchant_id AND item_id = :item_id
               AND available > 0""",
        item_id=world.item(sku).item_id,
    )
    return {row.grade: row.available for row in rows}


def card(world: World, sku: str) -> items.Card:
    with world.db.begin(1, actor="test") as tx:
        return items.card(tx, sku)


class Changing:
    """A transaction that has made ``sku`` a bundle and not committed yet; ends when its context does."""

    def __init__(self, world: World, sku: str, **parts: int) -> None:
        self._world, self._sku, self._parts = world, sku, parts

    def meanwhile(self, pool: ThreadPoolExecutor, command: Command) -> Any:
        world = self._world
        with world.db.begin(1, actor="test") as tx:
            recipe = [Part(Stocked(catalog.item_id_of(tx, sku)), units) for sku, units in self._parts.items()]
            recipes.set_recipe(tx, catalog.item_id_of(tx, self._sku), recipes.BUNDLE, recipe)
            later = pool.submit(world.run, command)
            assert wait_until(lambda: somebody_waits(world), 10)
        return later.result(30)[0]


def have_bundles(world: World) -> None:
    """A merchant with a bundle, and a process that knows it."""
    item(world, "other")
    made_of(world, "other", cup=1)
    world.receive("cup", 1)

"""Kits on a real database: assembled, taken apart, and sold as one piece."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from config.processes import wait_until
from core.errors import InsufficientStock, Refused
from core.goods import recipes
from core.goods.bundles import Assemble
from core.rows import Part
from core.sales.holds import Hold
from core.stock import Stocked
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.bundle_acts import both, item, made_of, tea_shop
from tests.integration.race_acts import somebody_waits, together


def kit(world: World) -> Stocked:
    """Gift boxes of two mugs and a card; there are seven mugs, and cards enough."""
    world.stocked("mug", "card", units=0)
    world.receive("mug", 7)
    world.receive("card", 50)
    box = item(world, "gift-box")
    made_of(world, "gift-box", recipes.KIT, mug=2, card=1)
    return box


def test_kits_are_assembled_of_free_components_and_have_stock_of_their_own(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 3))
    assert (world.units("gift-box"), world.units("mug"), world.units("card")) == (
        Units(free=3), Units(free=1), Units(free=47),
    )  # fmt: skip
    assert world.documents()[-1] == "assembly"
    world.do(Assemble("evening", box, 3))
    assert world.units("gift-box").free == 3


def test_nothing_is_assembled_when_a_component_lacks_and_all_that_lacks_is_named(world: World) -> None:
    box = kit(world)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    with pytest.raises(InsufficientStock) as refused:
        world.do(Assemble("evening", box, 60))
    assert refused.value.missing == {world.item("mug"): 116, world.item("card"): 10}
    assert world.units("mug") == Units(free=4, reserved=3)


def test_kits_that_are_taken_apart_give_their_components_back(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 3))
    world.do(Assemble("morning", box, 2, apart=True))
    assert (world.units("gift-box"), world.units("mug"), world.units("card")) == (
        Units(free=1), Units(free=5), Units(free=49),
    )  # fmt: skip
    with pytest.raises(InsufficientStock):
        world.do(Assemble("noon", box, 2, apart=True))


def test_assembled_kits_serve_what_waits_for_them_and_parts_of_others_serve_theirs(world: World) -> None:
    store = world.stocked("mug", "card", "gift-box", units=0)
    made_of(world, "gift-box", recipes.KIT, mug=2, card=1)
    world.receive("mug", 4)
    world.receive("card", 4)
    world.hear(store, order(line("gift-box", 1), external_id="1", paid=True))
    world.do(Assemble("evening", world.item("gift-box"), 2))
    assert world.units("gift-box") == Units(free=1, sold=1)
    world.hear(store, order(line("mug", 1), external_id="2", paid=True))
    world.do(Assemble("morning", world.item("gift-box"), 1, apart=True))
    assert world.units("mug") == Units(free=1, sold=1)


def test_a_kit_is_assembled_of_what_a_bundle_in_it_is_made_of(world: World) -> None:
    tea_shop(world)
    crate = item(world, "crate")
    made_of(world, "crate", recipes.KIT, set=2)
    world.do(Assemble("evening", crate, 2))
    assert (world.units("crate"), *both(world)) == (Units(free=2), Units(free=2), Units(free=6))


def test_a_bundle_sells_a_kit_in_it_as_one_piece(world: World) -> None:
    kit(world)
    world.do(Assemble("evening", world.item("gift-box"), 2))
    store = world.store()
    world.listings(store, "pair")
    made_of(world, "pair", recipes.BUNDLE, **{"gift-box": 2})
    world.hear(store, order(line("pair", 1), paid=True))
    assert (world.units("gift-box"), world.units("mug")) == (Units(sold=2), Units(free=3))


def test_the_recipe_of_a_kit_changes_only_while_there_are_none(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 1))
    with pytest.raises(Refused, match="recipe of kit gift-box cannot change while 1 units of it are on hand"):
        made_of(world, "gift-box", recipes.KIT, mug=3)
    world.do(Assemble("morning", box, 1, apart=True))
    assert made_of(world, "gift-box", recipes.KIT, mug=3)
    world.do(Assemble("noon", box, 2))
    assert world.units("mug").free == 1


def test_an_item_with_stock_may_become_a_kit(world: World) -> None:
    world.stocked("mug", "box", units=4)
    assert made_of(world, "box", recipes.KIT, mug=2)
    world.do(Assemble("apart", world.item("box"), 1, apart=True))
    assert (world.units("box").free, world.units("mug").free) == (3, 6)


def test_kits_assembled_while_components_are_sold_use_no_unit_twice(world: World) -> None:
    box, mug = kit(world), world.item("mug")
    commands = [Assemble(f"kit-{n}", box, 1) if n % 2 else Hold(f"cart-{n}", {mug: 1}, FAR_OFF) for n in range(16)]
    together(lambda n: world.run(commands[n])[0], range(16), threads=8)
    mugs, boxes = world.units("mug"), world.units("gift-box")
    assert mugs.free + mugs.reserved + 2 * boxes.free == 7
    assert mugs.free < 2


def test_an_assembly_that_comes_while_the_recipe_changes_uses_the_new_one(world: World) -> None:
    box = kit(world)
    with ThreadPoolExecutor(1) as pool:
        with world.db.begin(1, actor="test") as tx:
            recipes.set_recipe(tx, box.item_id, recipes.KIT, [Part(world.item("mug"), 3)])
            later = pool.submit(world.run, Assemble("evening", box, 2))
            assert wait_until(lambda: somebody_waits(world), 10)
        later.result(30)
    assert (world.units("mug").free, world.units("card").free) == (1, 50)

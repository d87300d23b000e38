"""Goods come that bundles wait for: all that they are delivered with is looked at in one batch."""

from core.goods import recipes
from core.rows import Part
from tests.builders import Units, World, line, order


def made_of(world: World, store_id: int, bundle: str, *skus: str) -> None:
    world.listings(store_id, bundle)
    with world.db.begin(world.merchant_id, actor="test") as tx:
        recipes.set_recipe(tx, world.item(bundle).item_id, recipes.BUNDLE, [Part(world.item(sku), 1) for sku in skus])


def test_goods_come_that_a_bundle_of_many_components_waits_for(world: World) -> None:
    skus = list("abcdefgh")
    store_id = world.stocked(*skus, units=0)
    made_of(world, store_id, "set", *skus)
    world.hear(store_id, order(line("set", 1), paid=True))

    for sku in skus:
        world.receive(sku, 1)

    assert all(world.units(sku) == Units(sold=1) for sku in skus)


def test_goods_come_that_many_different_bundles_wait_for(world: World) -> None:
    skus = list("abcdefgh")
    store_id = world.stocked("mug", *skus, units=0)
    for sku in skus:
        made_of(world, store_id, f"set-{sku}", "mug", sku)
        world.hear(store_id, order(line(f"set-{sku}", 1), external_id=sku, paid=True))

    world.receive("mug", 8)

    assert world.units("mug") == Units(free=8, backordered=8)


def test_a_bundle_whose_other_line_gave_it_the_last_part_gets_the_rest(world: World) -> None:
    """No unit came free in sum: only the lines of the order changed places, and the lamp had lain there all along."""
    store_id = world.stocked("lamp", "plate", units=0)
    made_of(world, store_id, "set", "lamp", "plate")
    lines = line("set", 1, "2"), line("plate", 1, "1")
    world.hear(store_id, order(*lines, paid=True))
    world.receive("plate", 1)
    world.receive("lamp", 1)
    assert world.units("lamp") == Units(free=1, backordered=1), "it waits for its plate, which the other line has"

    world.hear(store_id, order(lines[0], line("plate", 1, "1", cancelled=1), paid=True, version="2"))

    assert (world.units("lamp"), world.units("plate")) == (Units(sold=1), Units(sold=1))

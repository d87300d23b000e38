"""What a merchant has nothing of is not looked for, and what others have changes no number of an item."""

from itertools import product

import pytest

from core.goods import item_views
from core.goods.item_views import Shown
from core.selling import facts, rules
from core.stock import PoolKind
from tests import pool_world
from tests.builders import World, line, order
from tests.integration import bundle_acts


def shown(world: World, sku: str) -> list[Shown]:
    with world.db.begin(1, actor="test") as tx:
        return item_views.shown_by_stores(tx, world.item(sku).item_id)


@pytest.mark.parametrize("has", list(product([False, True], repeat=3)), ids=str)
def test_bundles_pools_and_rules_of_other_items_change_neither_number_nor_words(
    world: World, has: tuple[bool, bool, bool]
) -> None:
    store = world.stocked("mug", units=9)
    other = world.store("Side street")
    world.listings(other, "mug", shown=9)
    world.listings(store, "jar", "set")
    world.receive("jar", 9)
    world.hear(store, order(line("mug", 2), external_id="1001"))
    before = shown(world, "mug")
    has_bundle, has_pool, has_rule = has
    if has_bundle:
        bundle_acts.made_of(world, "set", jar=1)
    if has_pool:
        pool_world.open_pool(world, "NEXT", PoolKind.PRESALE, {"jar": 6})
    if has_rule:
        with world.db.begin(1, actor="test") as tx:
            rules.set_rules(tx, rules.item_subject(tx, "jar"), {"safety_stock": 2})

    assert len(before) == 2
    assert all("7" in one.why for one in before)
    assert shown(world, "mug") == before


def test_the_columns_that_are_needed_are_enough_for_every_kind_of_listing(world: World) -> None:
    store = bundle_acts.tea_shop(world)
    pool_world.open_pool(world, "MAIN", PoolKind.CHANNEL, {"mug": 3}, store_id=store)
    every = "SELECT * FROM listing WHERE merchant_id = :merchant_id"
    needed = f"SELECT {', '.join(facts.NEEDED)} FROM listing WHERE merchant_id = :merchant_id"

    with world.db.begin(1, actor="test") as tx:
        told = [{row.id: one for row, one in facts.read(tx, source)} for source in (every, needed)]

    assert told[0] == told[1]
    assert len(told[0]) == 3
    assert any(one.parts for one in told[0].values())
    assert any(one.sources for one in told[0].values())

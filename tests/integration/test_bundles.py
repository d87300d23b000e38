"""Bundles on a real database: sold as their components, and coming back."""

import pytest

from core.errors import InsufficientStock, Refused
from core.goods.adjusting import Lose, Regrade
from core.goods.bundles import ReturnBundle
from core.sales.holds import EndHold, Hold
from core.stock import MINOR_DEFECT, DocumentKind
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration import lock_acts
from tests.integration.bundle_acts import both, graded, sell, tea_shop
from tests.integration.facts_acts import number

# ---- sold as their components


def test_a_listing_of_a_bundle_sells_its_components(world: World) -> None:
    store = tea_shop(world, mugs=7, pots=5)
    assert number(world, store, "set") == 3
    sell(world, store, 2, paid=False)
    assert both(world) == (Units(free=3, reserved=4), Units(free=3, reserved=2))
    sell(world, store, 2)
    assert both(world) == (Units(free=3, sold=4), Units(free=3, sold=2))
    assert number(world, store, "set") == 1
    assert world.units("set") == Units()


def test_a_bundle_ships_comes_back_and_is_sold_again(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 3, shipped=3)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((4, 0), (7, 0))
    sell(world, store, 3, shipped=3, returned=2)
    assert both(world) == (Units(free=8), Units(free=9))


def test_a_bundle_that_comes_back_with_a_flaw_is_sold_as_such(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 3, shipped=3)
    sell(world, store, 3, shipped=3, returned=2, returned_minor_defect=1)
    assert graded(world, "mug") == {"good": 6, "minor_defect": 2}
    assert graded(world, "pot") == {"good": 8, "minor_defect": 1}


def test_one_component_of_a_return_may_turn_out_to_be_of_another_grade(world: World) -> None:
    """The store tells that a set came back; who unpacks it finds that one mug is scratched."""
    store = tea_shop(world)
    sell(world, store, 1, shipped=1)
    sell(world, store, 1, shipped=1, returned=1)
    world.do(Regrade("unpacked", "scratched", world.item("mug"), MINOR_DEFECT, 1))
    assert (graded(world, "mug"), graded(world, "pot")) == ({"good": 9, "minor_defect": 1}, {"good": 10})


def test_a_bundle_refunded_without_restock_is_set_apart(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 2)
    sell(world, store, 2, written_off=1)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((8, 2), (9, 1))
    assert both(world) == (Units(free=6, sold=2), Units(free=8, sold=1))


def test_an_order_is_edited_up_and_down_in_whole_bundles(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 2)
    sell(world, store, 4)
    assert both(world) == (Units(free=2, sold=8), Units(free=6, sold=4))
    sell(world, store, 4, cancelled=3)
    assert both(world) == (Units(free=8, sold=2), Units(free=9, sold=1))


def test_what_is_short_of_one_component_waits_and_says_so(world: World) -> None:
    store = tea_shop(world, mugs=5, pots=4)
    sell(world, store, 4)
    assert both(world) == (Units(sold=5, backordered=3), Units(sold=4))
    (incident,) = world.incidents()
    assert (incident.item_id, incident.quantity) == (world.item("mug").item_id, 3)


def test_a_component_waits_until_it_makes_a_whole_bundle(world: World) -> None:
    """One mug more does not complete a set, so whoever wants one mug may have it."""
    store = tea_shop(world, mugs=2, pots=4)
    sell(world, store, 3)
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=4)
    world.hear(store, order(line("mug", 1), external_id="one mug", paid=True))
    world.receive("mug", 3)
    assert world.units("mug") == Units(free=1, sold=5, backordered=2)
    world.receive("mug", 1)
    assert (world.units("mug"), world.incidents()) == (Units(sold=7), [])


def test_a_component_that_completes_no_bundle_stays_free(world: World) -> None:
    store = tea_shop(world, mugs=2, pots=4)
    sell(world, store, 2)
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=2)


def test_a_bundle_whose_units_stand_in_several_pools_is_completed_too(world: World) -> None:
    """One of its mugs came out of a lock's pool; the one that went missing waits beside it, in the shared pool."""
    store = tea_shop(world, mugs=2, pots=1)
    lock_acts.lock(world, "channel", "mug", 1, type="channel", store_id=store)
    sell(world, store, 1)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert lock_acts.shared(world, "mug") == Units(backordered=2)
    world.receive("mug", 1)
    assert lock_acts.shared(world, "mug") == Units(free=1, backordered=2)
    world.receive("mug", 1)
    assert lock_acts.shared(world, "mug") == Units(sold=2)
    sell(world, store, 1, shipped=1)
    assert world.on_hand("mug") == (0, 0)


def test_what_is_left_of_a_bundle_in_a_locks_pool_counts_for_a_whole_one(world: World) -> None:
    store = tea_shop(world, mugs=2, pots=1)
    lock_acts.lock(world, "channel", "mug", 1, type="channel", store_id=store)
    sell(world, store, 1)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 1}))
    world.receive("mug", 1)
    assert (lock_acts.shared(world, "mug").backordered, world.on_hand("mug")) == (0, (2, 0))


def test_two_components_that_wait_come_together(world: World) -> None:
    store = tea_shop(world, mugs=0, pots=0)
    sell(world, store, 2)
    world.receive("mug", 3)
    assert both(world) == (Units(free=3, backordered=4), Units(backordered=2))
    world.receive("pot", 5)
    assert both(world) == (Units(free=1, sold=2, backordered=2), Units(free=4, sold=1, backordered=1))
    world.receive("mug", 1)
    assert both(world) == (Units(sold=4), Units(free=3, sold=2))


def test_a_missing_component_breaks_its_part_and_leaves_the_others(world: World) -> None:
    store = tea_shop(world, mugs=4, pots=2)
    sell(world, store, 2)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert both(world) == (Units(sold=2, backordered=2), Units(sold=2))
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=2)
    world.receive("mug", 1)
    assert both(world) == (Units(sold=4), Units(sold=2))
    sell(world, store, 2, shipped=2)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((0, 0), (0, 0))


def test_a_hold_of_a_bundle_holds_its_components_summed_over_all_lines(world: World) -> None:
    tea_shop(world, mugs=5, pots=3)
    world.do(Hold("cart", {world.item("set"): 1, world.item("mug"): 3}, FAR_OFF))
    assert both(world) == (Units(reserved=5), Units(free=2, reserved=1))
    with pytest.raises(InsufficientStock):
        world.do(Hold("late", {world.item("set"): 1}, FAR_OFF))
    world.do(EndHold("cart"))
    assert both(world) == (Units(free=5), Units(free=3))


def test_packs_of_bundles_multiply(world: World) -> None:
    store = tea_shop(world)
    world.tell("UPDATE listing SET pack_size = 2 WHERE merchant_id = :merchant_id AND sku = 'set'")
    sell(world, store, 2)
    assert both(world) == (Units(free=2, sold=8), Units(free=6, sold=4))


# ---- what comes back


def test_components_of_a_bundle_come_back_each_in_its_grade(world: World) -> None:
    tea_shop(world)
    mug, pot = world.item("mug"), world.item("pot")
    command = ReturnBundle("parcel", world.item("set").item_id, 2, {mug.item_id: 1}, {pot.item_id: 1})
    first = world.do(command)
    assert world.do(command) == first
    assert (graded(world, "mug"), world.on_hand("pot")) == ({"good": 13, "minor_defect": 1}, (11, 1))
    with pytest.raises(Refused, match="than came back"):
        world.do(ReturnBundle("other", world.item("set").item_id, 1, {mug.item_id: 3}))
    with pytest.raises(Refused, match="is no bundle"):
        world.do(ReturnBundle("other", mug.item_id, 1))

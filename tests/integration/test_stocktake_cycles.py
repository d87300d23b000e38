"""Stocktakes of some goods only: chosen by name, by sales, or by how long ago they were counted."""

import pytest

from core.errors import Refused
from core.stocktake import papers, views
from core.stocktake.entering import CannotEnter
from core.stocktake.opening import Choice
from tests.builders import World
from tests.integration.place_acts import tell
from tests.integration.test_stocktake import enter, find, post, sell, start


def test_a_stocktake_of_chosen_items_takes_no_others(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    start(world, choice=Choice(item_ids=[world.item("mug").item_id]))

    enter(world, mug=9)
    with pytest.raises(CannotEnter, match="chosen items"):
        enter(world, cup=9)

    assert post(world).left_out == {}


def test_two_stocktakes_do_not_count_the_same_goods_at_once(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    start(world)

    with pytest.raises(Refused, match="S-1"):
        start(world, number="S-2", choice=Choice(item_ids=[world.item("mug").item_id]))

    tell(world, papers.cancel, "S-1", "too late")
    start(world, number="S-2", choice=Choice(item_ids=[world.item("mug").item_id]))


def test_a_cycle_count_takes_what_sells_most(world: World) -> None:
    store_id = world.stocked("mug", "cup", "pot", units=100)
    sell(world, store_id, "mug", 80)
    sell(world, store_id, "cup", 15)

    def lines(number: str, *names: str) -> int:
        start(world, number=number, choice=Choice(classes=names))
        told = tell(world, views.progress, find(world, number))
        tell(world, papers.cancel, number, "only looking")
        return int(told.lines)

    assert [lines("S-A", "A"), lines("S-B", "B"), lines("S-AC", "A", "C")] == [1, 1, 2]
    enter_of = start(world, number="S-1", choice=Choice(classes=["A"]))
    assert enter_of.chosen == "items of class A"
    enter(world, mug=19)
    with pytest.raises(CannotEnter, match="chosen items"):
        enter(world, cup=85)


def test_a_cycle_count_takes_what_was_not_counted_for_longest(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=10)
    start(world)
    enter(world, mug=10)
    post(world)
    start(world, number="S-2")
    enter(world, number="S-2", cup=10)
    post(world, "S-2")

    def skus(number: str, choice: Choice) -> list[str]:
        start(world, number=number, choice=choice)
        found = [line.sku for line in tell(world, views.lines, find(world, number))]
        tell(world, papers.cancel, number, "only looking")
        return found

    assert skus("S-3", Choice(most=1)) == ["pot"]
    assert skus("S-4", Choice(most=2)) == ["mug", "pot"]
    assert skus("S-5", Choice(not_for_days=30)) == ["pot"]
    with pytest.raises(Refused, match="nothing there is to be counted"):
        start(world, number="S-6", choice=Choice(classes=["A"]))


def test_a_named_item_is_counted_where_the_books_hold_none(world: World) -> None:
    world.stocked("mug", units=0)
    start(world, choice=Choice(item_ids=[world.item("mug").item_id]))

    enter(world, mug=3)

    assert post(world).found == 3

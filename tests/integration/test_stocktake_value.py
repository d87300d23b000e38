"""What a stocktake is worth, and which items are counted because of what they cost."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from core.errors import Refused
from core.past.valuation import Value
from core.stocktake import opening, papers, views, worth
from core.stocktake.entering import CannotEnter
from core.stocktake.opening import Choice
from core.stocktake.worth import Worth
from core.transaction import Transaction
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.place_acts import receive, tell
from tests.integration.race_acts import somebody_waits
from tests.integration.test_costs import wait_until
from tests.integration.test_items_value import bring
from tests.integration.test_items_value import worth as on_hand
from tests.integration.test_stocktake import enter, find, post, sell, start


def values(world: World, number: str = "S-1") -> dict[str, Worth]:
    """By SKU and place."""

    def read(tx: Transaction) -> dict[str, Worth]:
        row = papers.find(tx, number)
        lines = views.lines(tx, row)
        told = worth.of_lines(tx, row, lines)
        return {f"{one.sku} {one.place}": value for one, value in zip(lines, told, strict=True)}

    found: dict[str, Worth] = tell(world, read)
    return found


def test_what_varies_is_worth_by_how_much_posting_changes_the_value(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=0)
    bring(world, "mug", 10, 100)
    bring(world, "mug", 10, 201)
    bring(world, "cup", 10, 700, "USD")
    bring(world, "pot", 4)
    before = on_hand(world)
    start(world)
    enter(world, mug=17, cup=12, pot=3)

    told = values(world)
    post(world)

    assert told == {
        "cup MAIN/DEFAULT": Worth({"USD": 1400}), "mug MAIN/DEFAULT": Worth({"EUR": -451}),
        "pot MAIN/DEFAULT": Worth({}, -1),
    }  # fmt: skip
    assert before == Value(34, 4, {"EUR": 3010, "USD": 7000})
    assert on_hand(world) == Value(32, 3, {"EUR": 3010 - 451, "USD": 8400})


def test_a_posted_stocktake_goes_on_saying_what_it_was_worth(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    bring(world, "mug", 10, 100)
    start(world)
    enter(world, mug=8)
    world.hear(store_id, order(line("mug", 1, shipped=1), paid=True))
    post(world)
    bring(world, "mug", 10, 900)

    assert values(world) == {"mug MAIN/DEFAULT": Worth({"EUR": -200})}


def test_goods_that_stood_in_the_wrong_bin_are_worth_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 7, 333)
    receive(world, "mug", 3, "MAIN/A-01")
    start(world)
    enter(world, mug=5)
    enter(world, "MAIN/A-01", mug=5)

    told = values(world)

    assert worth.total(list(told.values())) == Worth({"EUR": 0})
    assert {one.minor["EUR"] for one in told.values()} == {666, -666}


def test_what_is_found_of_an_item_that_was_sold_out_costs_what_it_cost_last(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    bring(world, "mug", 2, 150)
    world.hear(store_id, order(line("mug", 2, shipped=2), paid=True))
    start(world)
    enter(world, mug=3)

    told = values(world)
    post(world)

    assert told == {"mug MAIN/DEFAULT": Worth({"EUR": 450})}
    assert on_hand(world).minor == {"EUR": 450}


def test_a_cycle_count_takes_what_costs_most(world: World) -> None:
    store_id = world.stocked("mug", "pot", "cup", units=0)
    for sku, minor in {"mug": 10, "pot": 9000, "cup": None}.items():
        bring(world, sku, 100, minor)
    for sku, units in {"mug": 80, "pot": 5, "cup": 15}.items():
        sell(world, store_id, sku, units)

    def chosen(number: str, *names: str, **how: Any) -> list[str]:
        start(world, number=number, choice=Choice(classes=names, **how))
        found = [one.sku for one in tell(world, views.lines, find(world, number))]
        tell(world, papers.cancel, number, "only looking")
        return found

    assert chosen("S-1", "A") == ["mug"]
    assert chosen("S-2", "A", by_value=True) == ["pot"]
    assert chosen("S-3", "B", "C", by_value=True) == ["cup", "mug"]
    assert find(world, "S-2").chosen == "items of class A by value"
    with pytest.raises(Refused, match="--class A"):
        start(world, number="S-4", choice=Choice(by_value=True))


def test_the_report_shows_values_for_people_and_machines(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("stock", "receive", "MUG", "10", "--cost", "1.25EUR")
    assert holdfast("count", "start", "S-7", "--at", "MAIN", "--class", "C", "--by", "value").code == 0
    holdfast("count", "enter", "S-7", "MUG=8", "--at", "MAIN")

    said = holdfast("count", "variance", "S-7").out
    told = holdfast("count", "variance", "S-7", "--json").json

    assert "-2.50 EUR" in said
    assert "Posting it would change the value on hand by -2.50 EUR." in said
    assert (told["lines"][0]["value"], told["total"]["value"]) == ({"EUR": "-2.50"}, {"EUR": "-2.50"})
    assert json.dumps(told)


def both_start(world: World, begin: Callable[..., Any], *, waits: bool) -> list[object]:
    """Two open stocktakes of the same places, the second before the first is committed. Returns: what it answered."""
    world.stocked("mug", units=10)
    told: list[object] = []

    def second() -> None:
        try:
            told.append(tell(world, begin, "S-2", ("MAIN",)))
        except Refused as refused:
            told.append(refused)

    other = threading.Thread(target=second)
    with world.db.begin(1, actor="test") as tx:
        begin(tx, "S-1", ("MAIN",))
        other.start()
        if waits:
            wait_until(partial(somebody_waits, world))
        else:
            other.join()
    other.join()
    return told


def test_of_two_who_open_a_stocktake_of_the_same_goods_at_once_one_is_refused(world: World) -> None:
    (told,) = both_start(world, opening.start, waits=True)

    assert isinstance(told, Refused)
    assert "stocktake S-1" in str(told)


def test_without_turns_both_would_count_the_same_goods(world: World) -> None:
    """The control of the test above."""
    both_start(world, opening.write, waits=False)

    counted_by = world.scalar(
        "SELECT count(DISTINCT stocktake_id) FROM stocktake_line WHERE merchant_id = :merchant_id"
    )
    assert counted_by == 2


def test_goods_nobody_knew_of_are_counted_by_one_stocktake_only(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    ghost = world.store("ghosts")
    world.listings(ghost, "ghost")
    start(world)
    start(world, number="S-2", choice=Choice(item_ids=[world.item("ghost").item_id]))

    enter(world, number="S-2", ghost=3)
    with pytest.raises(CannotEnter, match="stocktake S-2 counts that"):
        enter(world, ghost=3)
    enter(world, mug=10, cup=10)

    tell(world, papers.cancel, "S-2", "by the other")
    enter(world, ghost=3)
    assert post(world).found == 3

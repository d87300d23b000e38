"""What goods on hand are worth, by what was noted when they came."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import Refused
from core.goods import costs, merging, splitting
from core.goods.adjusting import Lose
from core.goods.costs import Cost
from core.goods.receiving import Receive
from core.goods.splitting import Piece, Wish
from core.past import valuation
from core.past.valuation import Method, Value
from core.stock import GOOD, DocumentKind
from core.supply import placing, taking_back
from tests import supply_world
from tests.builders import World, line, order
from tests.integration.place_acts import place, tell


def bring(world: World, sku: str, units: int, minor: int | None = None, currency: str = "EUR", at: str = "MAIN") -> int:
    """The document by which units came, at a cost or not."""
    key = f"r{next(world._counter)}"
    document_id = int(world.do(Receive(key, DocumentKind.RECEIPT, {world.item(sku): units}, spot=place(world, at))))
    if minor is not None:
        tell(world, costs.note, document_id, [Cost(world.item(sku).item_id, units, minor, currency)])
    return document_id


def worth(world: World, method: Method = Method.AVERAGE, **told: Any) -> Value:
    with world.db.begin(1, actor="test") as tx:
        return valuation.total([one.value for one in valuation.values(tx, method=method, **told)])


def by_warehouse(world: World) -> Mapping[str, Value]:
    with world.db.begin(1, actor="test") as tx:
        return {one.warehouse: one.value for one in valuation.values(tx)}


def test_units_are_worth_what_they_cost_on_average(world: World) -> None:
    world.stocked("mug", units=0)

    bring(world, "mug", 10, 100)
    bring(world, "mug", 30, 200)

    assert worth(world) == Value(40, 0, {"EUR": 7000})


def test_what_leaves_leaves_at_the_average_or_oldest_first(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    bring(world, "mug", 10, 100)
    bring(world, "mug", 30, 200)

    world.hear(store_id, order(line("mug", 20, shipped=20), paid=True))

    assert worth(world).minor == {"EUR": 3500}
    assert worth(world, Method.FIFO).minor == {"EUR": 4000}


def test_units_nobody_priced_are_counted_apart_and_leave_first(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    bring(world, "mug", 5)
    bring(world, "mug", 10, 100)
    assert worth(world) == worth(world, Method.FIFO) == Value(15, 5, {"EUR": 1000})

    world.hear(store_id, order(line("mug", 7, shipped=7), paid=True))

    assert worth(world) == worth(world, Method.FIFO) == Value(8, 0, {"EUR": 800})


def test_two_currencies_are_never_added(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 10, 100)
    bring(world, "mug", 10, 90, "USD")

    assert worth(world) == worth(world, Method.FIFO) == Value(20, 0, {"EUR": 1000, "USD": 900})


def test_the_parts_of_warehouses_add_up_to_the_whole(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 1, 100)
    bring(world, "mug", 2, 101, at="HAMBURG")

    parts = by_warehouse(world)

    assert (parts["MAIN"].units, parts["HAMBURG"].units) == (1, 2)
    assert sum(part.minor["EUR"] for part in parts.values()) == 302


def test_no_warehouse_is_told_a_cent_more_than_its_share(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 195, 286)
    bring(world, "mug", 40, 284, at="HAMBURG")

    parts = by_warehouse(world)

    assert worth(world).minor == {"EUR": 67_130}  # 557.036 and 114.264
    assert (parts["MAIN"].minor, parts["HAMBURG"].minor) == ({"EUR": 55_704}, {"EUR": 11_426})


def test_what_comes_back_makes_up_for_what_left_since_the_last_cost(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 10)
    bring(world, "mug", 10, 100)
    bring(world, "mug", 10, 200)

    world.do(Lose("l1", "gone", DocumentKind.MISSING, {world.item("mug"): 1}))
    bring(world, "mug", 8)
    assert worth(world) == Value(37, 10, {"EUR": 4050})
    world.do(Lose("l2", "gone", DocumentKind.MISSING, {world.item("mug"): 14}))

    assert worth(world) == Value(23, 3, {"EUR": 3000})


def test_a_value_is_told_as_of_any_instant(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    bring(world, "mug", 10, 100)
    then = world.scalar("SELECT max(at) FROM item_cost WHERE merchant_id = :merchant_id")
    world.hear(store_id, order(line("mug", 4, shipped=4), paid=True))
    bring(world, "mug", 10, 300)

    assert worth(world, at=then) == worth(world, Method.FIFO, at=then) == Value(10, 0, {"EUR": 1000})
    assert worth(world).minor == {"EUR": 3600}


def test_a_cost_noted_late_counts_and_can_be_noted_again(world: World) -> None:
    world.stocked("mug", units=0)
    document_id, item_id = bring(world, "mug", 10), world.item("mug").item_id

    assert tell(world, costs.correct, document_id, [Cost(item_id, 10, 1000, "EUR")])
    assert worth(world) == Value(10, 0, {"EUR": 10_000})
    assert tell(world, costs.correct, document_id, [Cost(item_id, 10, 100, "EUR")])
    assert not tell(world, costs.correct, document_id, [Cost(item_id, 10, 100, "EUR")])

    assert worth(world) == worth(world, Method.FIFO) == Value(10, 0, {"EUR": 1000})


def priced(world: World, number: str, minor: int) -> None:
    supply_world.draft(world, number, {"mug": 10})
    world.tell("UPDATE purchase_line SET cost_minor = :minor WHERE merchant_id = :merchant_id AND purchase_id = "
               "(SELECT id FROM purchase WHERE merchant_id = :merchant_id AND number = :number)", minor=minor,
               number=number)  # fmt: skip
    placing.place(world.db, 1, number, actor="test")


def test_what_a_purchase_order_brings_costs_what_its_lines_say(world: World) -> None:
    world.stocked("mug", units=0)
    priced(world, "PO-1", 250)

    supply_world.receive(world, "PO-1", {"mug": 4})

    assert worth(world) == Value(4, 0, {"EUR": 1000})


def test_a_receipt_taken_back_leaves_the_average_as_it_was(world: World) -> None:
    world.stocked("mug", units=0)
    bring(world, "mug", 10, 100)
    priced(world, "PO-1", 9000)
    acted = supply_world.receive(world, "PO-1", {"mug": 10})
    assert worth(world).minor == {"EUR": 91_000}

    taking_back.take_back(world.db, 1, "PO-1", acted.document_ids[0], actor="test", reason="typo")

    assert worth(world) == worth(world, Method.FIFO) == Value(10, 0, {"EUR": 1000})


def test_a_merge_and_a_split_change_no_value(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    bring(world, "mug", 3)
    bring(world, "mug", 10, 100)
    bring(world, "cup", 10, 200)
    before = worth(world), worth(world, Method.FIFO)

    merging.merge(world.db, 1, "mug", "cup", actor="test")
    assert (worth(world), worth(world, Method.FIFO)) == before
    wish = Wish("cup", "tea-cup", {Piece(GOOD, place(world, "MAIN")): 11})
    splitting.split(world.db, 1, wish, "k", actor="test")

    assert (worth(world), worth(world, Method.FIFO)) == before


def test_what_is_no_cost_is_refused(world: World) -> None:
    world.stocked("mug", units=0)
    for minor, currency in ((-1, "EUR"), (10**15, "EUR"), (1, "EURO")):
        with pytest.raises(Refused, match=r"4\.90 EUR"):
            bring(world, "mug", 1, minor, currency)

"""A presale names the supply that brings its goods, and sells no more than that, whatever becomes of the supply."""

from collections.abc import Callable, Collection
from datetime import date, timedelta

import pytest

from core.errors import NotFound, Refused
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.orders.views import Attention, orders
from core.sales import expected, presale
from core.sales.pools import Collect, Deal, OpenPool, Resize
from core.stock import DocumentKind, Pool, PoolKind, Stocked
from core.supply import placing, purchases, taking_back
from core.supply.lines import Came
from tests import supply_world as sup
from tests.builders import Units, World, line, order
from tests.pool_world import in_pool, shared, stocked


def expect(world: World, sku: str, units: int, reference: str = "PO-7") -> None:
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, world.item(sku), units, date(2040, 5, 17), reference)


def presell(world: World, units: int, reference: str = "PO-7", code: str = "PRE") -> int:
    """The id of a presale of so many mugs that waits for a supply."""
    some = stocked(world, {"mug": units})
    with world.db.begin(1, actor="test") as tx:
        supply, pool_id = presale.supply_for(tx, reference, some), tx.new_id()
    return int(world.do(OpenPool(Pool(pool_id, PoolKind.PRESALE, code), some, supply)))


def presold(world: World, units: int = 10) -> tuple[int, int]:
    """A store of mugs that have not come, and a presale of so many of the ten that are ordered."""
    store_id = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    return store_id, presell(world, units)


def test_a_presale_names_supply_that_brings_enough(world: World) -> None:
    world.stocked("mug", units=0)
    expect(world, "mug", 10)
    with world.db.begin(1, actor="test") as tx, pytest.raises(NotFound, match="backorder expect mug"):
        presale.supply_for(tx, "PO-8", stocked(world, {"mug": 1}))
    with pytest.raises(Refused, match="10 are left, not 11"):
        presell(world, 11)
    assert in_pool(world, presell(world, 10, code="SECOND"), "mug") == Units(10)


def test_a_purchase_order_that_nobody_expects_yet_is_named_with_its_own_cure(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    some = stocked(world, {"mug": 1})

    def told(items: Collection[Stocked] = tuple(some)) -> str:
        with world.db.begin(1, actor="test") as tx, pytest.raises(NotFound) as error:
            presale.supply_for(tx, "PO-7", items)
        return str(error.value)

    sup.draft(world, "PO-7", {"mug": 10}, in_days=None)
    assert "`holdfast purchase place PO-7`" in told()
    placing.place(world.db, 1, "PO-7", actor="test")
    assert "`holdfast purchase date PO-7 DATE`" in told()
    assert "`holdfast purchase show PO-7`" in told(stocked(world, {"cup": 1}))
    with world.db.begin(1, actor="test") as tx:
        purchases.set_day(tx, "PO-7", sup.today(world) + timedelta(days=3))
        assert set(presale.supply_for(tx, "PO-7", some)) == set(some)


def test_two_presales_share_what_one_supply_brings(world: World) -> None:
    world.stocked("mug", units=0)
    expect(world, "mug", 10)
    first = presell(world, 6)
    with pytest.raises(Refused, match="4 are left, not 5"):
        presell(world, 5, code="TOO-MUCH")
    with pytest.raises(Refused, match="4 are left, not 5"):
        world.do(Deal(first, "more", stocked(world, {"mug": 5})))
    with pytest.raises(Refused, match="4 are left, not 5"):
        world.do(Resize(first, "larger", stocked(world, {"mug": 11})))
    second = presell(world, 3, code="SECOND")
    world.do(Collect(second, "less", stocked(world, {"mug": 2})))
    world.do(Deal(first, "more", stocked(world, {"mug": 3})))
    assert (in_pool(world, first, "mug"), in_pool(world, second, "mug")) == (Units(9), Units(1))


def test_what_was_handed_over_leaves_room_for_what_is_still_to_come(world: World) -> None:
    store, pool = presold(world, 4)
    world.hear(store, order(line("mug", 4), paid=True))
    sup.receive(world, "PO-7", {"mug": 4})
    world.do(Deal(pool, "more", stocked(world, {"mug": 6})))
    assert in_pool(world, pool, "mug") == Units(6)


# ---- the supply comes, or does not


def test_goods_that_came_are_sold_once(world: World) -> None:
    store, pool = presold(world)
    world.hear(store, order(line("mug", 2), external_id="A1", paid=True))
    sup.receive(world, "PO-7", None)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(free=8, sold=2))
    world.hear(store, order(line("mug", 13), external_id="A2", paid=True))
    assert shared(world, "mug") == Units(sold=10, backordered=5)
    assert [(one.kind, one.quantity) for one in world.incidents()] == [("oversell", 5)]


def test_each_part_that_comes_ends_so_much_of_the_presale(world: World) -> None:
    store, pool = presold(world)
    world.hear(store, order(line("mug", 2), paid=True))
    sup.receive(world, "PO-7", {"mug": 4}, "a")
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(6), Units(free=2, sold=2))
    sup.receive(world, "PO-7", {"mug": Came(0, 3, 1)}, "b")
    assert in_pool(world, pool, "mug") == Units(2)
    sup.receive(world, "PO-7", {"mug": 5}, "c")
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(free=7, sold=2))


def test_goods_that_went_to_who_was_first_are_not_offered_again(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 3), external_id="first", paid=True))
    sup.placed(world, "PO-7", {"mug": 10})
    pool = presell(world, 10)
    world.hear(store, order(line("mug", 6), external_id="presold", paid=True))
    sup.receive(world, "PO-7", {"mug": 7})
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(1, sold=2), Units(sold=7))


def _close(world: World) -> None:
    placing.end(world.db, 1, "PO-7", actor="test", reason="enough", cancel=False)


def _lose(world: World) -> None:
    sup.cut(world, "PO-7", {"mug": 7}, lost=True)


@pytest.mark.parametrize(
    ("shrinks", "left"),
    [(lambda world: sup.cut(world, "PO-7", {"mug": 7}), 1), (_lose, 1), (_close, 0)],
    ids=["cut", "lost", "closed"],
)
def test_units_that_will_not_come_are_offered_no_more(
    world: World, shrinks: Callable[[World], object], left: int
) -> None:
    store, pool = presold(world)
    world.hear(store, order(line("mug", 2), paid=True))
    shrinks(world)
    assert in_pool(world, pool, "mug") == Units(left, sold=2)


def test_supply_without_a_day_any_more_is_offered_no_more(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=None)
    mug, on = sup.line_id(world, "PO-7", "mug"), sup.today(world) + timedelta(days=3)
    with world.db.begin(1, actor="test") as tx:
        purchases.give_notice(tx, "PO-7", "ASN-1", {mug: 10}, on)
    pool = presell(world, 10)
    with world.db.begin(1, actor="test") as tx:
        purchases.give_notice(tx, "PO-7", "ASN-1", {mug: 0}, on)
    assert (in_pool(world, pool, "mug"), sup.supply(world)) == (Units(), [("PO-7", "mug", 0, 0, 3)])


def test_supply_that_is_to_bring_less_or_has_come_is_offered_no_more(world: World) -> None:
    world.stocked("mug", units=0)
    expect(world, "mug", 10)
    pool = presell(world, 9)
    expect(world, "mug", 7)
    assert in_pool(world, pool, "mug") == Units(7)
    document_id = world.do(Receive("receipt/x", DocumentKind.RECEIPT, stocked(world, {"mug": 4})))
    with world.db.begin(1, actor="test") as tx:
        expected.arrived(tx, world.item("mug"), 4, "PO-7", document_id)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(3), Units(4))


def test_a_receipt_taken_back_brings_no_offer_back_but_lets_it_be_made_again(world: World) -> None:
    _, pool = presold(world)
    (document_id,) = sup.receive(world, "PO-7", {"mug": 6}).document_ids
    taking_back.take_back(world.db, 1, "PO-7", document_id, actor="test", reason="typed")
    assert in_pool(world, pool, "mug") == Units(4)
    world.do(Deal(pool, "again", stocked(world, {"mug": 6})))
    assert in_pool(world, pool, "mug") == Units(10)


def test_units_given_back_of_supply_that_does_not_come_are_not_sold_again(world: World) -> None:
    store, pool = presold(world)
    world.hear(store, order(line("mug", 9), paid=True))
    sup.cut(world, "PO-7", {"mug": 4})
    assert in_pool(world, pool, "mug") == Units(sold=9)
    world.hear(store, order(line("mug", 9, cancelled=4), paid=True, version=2))
    assert in_pool(world, pool, "mug") == Units(1, sold=5)


def test_of_two_presales_the_newer_gives_up_first(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    old, new = presell(world, 6), presell(world, 4, code="SECOND")
    sup.receive(world, "PO-7", {"mug": 5})
    assert (in_pool(world, old, "mug"), in_pool(world, new, "mug")) == (Units(5), Units())
    assert world.documents()[-1] == "presale_end"


def test_an_order_that_a_presale_sold_is_listed_as_waiting_until_its_goods_are_here(world: World) -> None:
    store, _ = presold(world)
    world.hear(store, order(line("mug", 2), paid=True))
    with world.db.begin(1, actor="test") as tx:
        assert [(one.number, one.waiting, one.sold) for one in orders(tx, Attention.WAITING)] == [("#1001", 2, 2)]
    sup.receive(world, "PO-7", {"mug": 2})
    with world.db.begin(1, actor="test") as tx:
        assert orders(tx, Attention.WAITING) == []
        assert [one.waiting for one in orders(tx)] == [0]


def test_a_store_ships_what_waits_and_what_a_presale_still_owes_at_once(world: World) -> None:
    """Both parts of the line end in one promise, one after the other."""
    store, _ = presold(world)
    world.hear(store, order(line("mug", 2), paid=True))
    sup.receive(world, "PO-7", {"mug": 1}, "a")
    world.do(Lose("fire", "burnt", DocumentKind.MISSING, stocked(world, {"mug": 1})))

    world.hear(store, order(line("mug", 2, shipped=2), paid=True, version="2"))

    rows = world.ask(
        "SELECT live, waiting, shipped, broken FROM promise WHERE merchant_id = :merchant_id AND wanted > 0"
    )
    assert rows == [(0, 0, 2, False)]

"""What lies between shelves, dispatch and sales: each unit has one reason, and what is wrong in the books has none."""

import pytest

from core import catalog
from core.goods.adjusting import Lose
from core.sales.holds import Hold
from core.stock import DocumentKind
from core.warehouse import between_layers
from core.warehouse.between_layers import OfItem, Sales, Shelves
from tests.builders import FAR_OFF, World, line, order
from tests.integration import fulfilment_acts, lock_acts
from tests.integration.command_line import Holdfast
from tests.integration.place_acts import receive, tell
from tests.integration.test_transfers import asked, send


@pytest.fixture
def busy(world: World) -> World:
    """Of 20 mugs in MAIN and 4 in HAMBURG some are at every step of their way."""
    store_id = world.stocked("mug", "pot", units=20)
    asked(world, "T-1", mug=2)
    send(world, number="T-1")
    asked(world, mug=3)
    lock_acts.lock(world, "shelf", "mug", 4, warehouse_id=fulfilment_acts.spot(world, "MAIN").warehouse_id)
    for external_id, units in (("told", 3), ("packed", 1), ("sold", 5)):
        world.hear(store_id, order(line("mug", units), external_id=external_id, paid=True))
        if external_id != "sold":
            fulfilment_acts.dispatch(world, external_id)
    fulfilment_acts.act(world, "hand", external_id="packed")
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    receive(world, "mug", 4, "HAMBURG", damaged=2)
    return world


def test_each_step_between_the_layers_has_a_number_of_its_own(busy: World) -> None:
    mug = busy.item("mug").item_id

    hamburg, main = tell(busy, between_layers.shelves, mug)

    assert main == Shelves("MAIN", 17, 3, 3, 4, 7, 1, 0, 0)
    assert hamburg == Shelves("HAMBURG", 4, 0, 0, 0, 4, 0, 2, 0)
    assert tell(busy, between_layers.sales, mug) == Sales(
        available=11, kept=3, on_its_way=2, unpaid=2, to_allocate=5, free=9, locked=4, lock_free=4, lock_promised=0,
        unexplained=0,
    )  # fmt: skip


def test_over_all_items_the_numbers_add_up(busy: World) -> None:
    assert sum(one.on_shelf for one in tell(busy, between_layers.shelves)) == 41
    assert tell(busy, between_layers.sales).free == 9 + 20


def test_items_are_listed_by_what_lies_between_their_layers(busy: World) -> None:
    assert [(one.sku, one.to_hand_over, one.sales.to_allocate) for one in _largest(busy)] == [("mug", 3, 5)]


def test_what_is_promised_out_of_a_physical_lock_is_told_apart(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    here = fulfilment_acts.spot(world, "MAIN").warehouse_id
    lock_acts.lock(world, "fair", "mug", 4, type="channel", store_id=store_id, warehouse_id=here)
    world.hear(store_id, order(line("mug", 3), paid=True))

    told = tell(world, between_layers.sales)

    assert (told.locked, told.lock_free, told.lock_promised, told.unexplained) == (4, 1, 3, 0)
    fulfilment_acts.dispatch(world)
    told = tell(world, between_layers.sales)
    assert (told.locked, told.lock_free, told.lock_promised, told.unexplained) == (1, 1, 0, 0)


def test_presales_and_who_waits_have_no_goods_to_explain(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    world.hear(store_id, order(line("mug", 3), paid=True))
    world.do(Lose("fire", "fire", DocumentKind.MISSING, {world.item("mug"): 1}))

    told = tell(world, between_layers.sales)

    assert (told.available, told.to_allocate, told.free, told.unexplained) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE dispatch_balance SET available = available + 1 WHERE available > 0",
        "UPDATE dispatch_balance SET allocated = allocated + 1",
        "UPDATE warehouse_balance SET picking = picking + 1 WHERE picking = 0",
        "UPDATE warehouse_balance SET unavailable = unavailable + 1",
        "UPDATE sales_balance SET free = free + 1",
        "UPDATE sales_balance SET sold = sold + 1 WHERE pool_id IN (SELECT id FROM lock)",
    ],
)
def test_what_is_wrong_in_the_books_has_no_reason(busy: World, wrong: str) -> None:
    with busy.db.begin(busy.merchant_id, actor="test") as tx:
        assert tx.run(wrong).rowcount
        shelves, sales = between_layers.shelves(tx), between_layers.sales(tx)
        first = between_layers.largest(tx)[0]
        tx.connection.rollback()

    assert sum(one.unexplained for one in shelves) + sales.unexplained > 0
    assert first.sku in {"mug", "pot"}


def test_another_merchants_goods_are_not_in_it(busy: World) -> None:
    catalog.ensure_merchant(busy.db, 2, name="Second shop")
    other = World(busy.db, 2)

    (main,) = tell(other, between_layers.shelves)
    assert (main.on_shelf, tell(other, between_layers.sales).free, _largest(other)) == (0, 0, [])


def test_the_report_says_it_in_words(busy: World, holdfast: Holdfast) -> None:
    told = holdfast("warehouse", "reconcile", "mug")

    assert "sold, and no warehouse was told yet" in told.out
    assert "Everything is explained" in told.out
    assert holdfast("warehouse", "reconcile", "--json").json["unexplained"] == 0
    assert holdfast("warehouse", "reconcile", "spoon").code == 1


def _largest(world: World) -> list[OfItem]:
    found: list[OfItem] = tell(world, between_layers.largest)
    return found

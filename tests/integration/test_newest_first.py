"""Lists begin with the newest by time: ids come in blocks, one for each process, so they may run against it."""

import pytest

from core.dispatch import comparing
from core.dispatch.destinations import read_destination
from core.files import recorded
from core.fulfilment import views as fulfilments
from core.orders import views
from core.orders.views import Attention
from core.supply import views as purchases
from core.transaction import Database
from tests import supply_world as sup
from tests.builders import World, at, line, order
from tests.integration import fulfilment_acts


@pytest.fixture
def later(world: World) -> World:
    """Another process, whose ids are all below those of the first."""
    other = World(Database(world.db.engine), _counter=world._counter)
    with other.db.begin(1, actor="test") as tx:
        low = tx.new_id()
    with world.db.begin(1, actor="test") as tx:
        assert tx.new_id() > low
    return other


def shown(world: World, attention: Attention = Attention.ANY, limit: int = 50) -> list[str]:
    with world.db.begin(1, actor="test") as tx:
        return [row.number for row in views.orders(tx, attention, limit=limit)]


@pytest.mark.parametrize("attention", [Attention.ANY, Attention.WAITING, Attention.UNPAID])
def test_the_newest_order_stands_first_whatever_its_id(world: World, later: World, attention: Attention) -> None:
    store = world.stocked("MUG", units=0)
    world.hear(store, order(line("MUG", 1), external_id="1001", placed_at=at(0)))
    later.hear(store, order(line("MUG", 1), external_id="1002", placed_at=at(60)))

    assert shown(world, attention) == ["#1002", "#1001"]
    assert shown(world, attention, limit=1) == ["#1002"]


def test_what_was_booked_of_an_order_is_told_in_its_turn(world: World, later: World) -> None:
    store = world.stocked("MUG", units=2)
    world.hear(store, order(line("MUG", 1)))
    later.hear(store, order(line("MUG", 1), paid=True))
    world.hear(store, order(line("MUG", 1, shipped=1), paid=True))

    with world.db.begin(1, actor="test") as tx:
        kinds = [one.kind for one in views.view(tx, "1001").documents]

    assert kinds == ["reservation", "deduction", "shipment"]


def test_the_newest_orders_are_compared(world: World, later: World) -> None:
    store = world.stocked("MUG", units=9)
    world.hear(store, order(line("MUG", 1), external_id="1001", paid=True, placed_at=at(0)))
    later.hear(store, order(line("MUG", 2), external_id="1002", paid=True, placed_at=at(60)))

    with world.db.begin(1, actor="test") as tx:
        (case,) = comparing.cases_ordered(tx, at(-60), read_destination("DE"), limit=1)

    assert case.at == at(60)


def test_the_newest_purchase_import_and_fulfilment_order_stand_first(world: World, later: World) -> None:
    store = world.stocked("MUG", units=9)
    sup.placed(world, "PO-1", {"MUG": 5})
    sup.placed(later, "PO-2", {"MUG": 5})
    for nth, process in enumerate((world, later)):
        process.hear(store, order(line("MUG", 1), external_id=str(nth), paid=True, placed_at=at(nth)))
        fulfilment_acts.dispatch(process, str(nth))
        with process.db.begin(1, actor="test") as tx:
            recorded.begin(tx, "items", f"{nth}.csv", str(nth).encode(), 1)

    with world.db.begin(1, actor="test") as tx:
        assert [one.number for one in purchases.newest(tx)] == ["PO-2", "PO-1"]
        supplier_id = tx.run("SELECT id FROM supplier").scalar_one()
        assert [one.number for one in purchases.newest(tx, supplier_id=supplier_id, limit=1)] == ["PO-2"]
        assert [one.name for one in recorded.newest(tx, 2)] == ["1.csv", "0.csv"]
        assert [one.order for one in fulfilments.every(tx, all_of_them=True, limit=1)] == ["#1"]

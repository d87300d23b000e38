"""Paid orders go to warehouses by themselves, and who sends them is decided again when something goes wrong."""

from typing import Any

import pytest

from config.wiring import App
from core import work
from core.fulfilment import automatic, dispatching
from core.goods.adjusting import Lose
from core.pipe import Pipe
from core.stock import DocumentKind
from core.transaction import Transaction
from core.warehouse import warehouses
from jobs.dispatch import dispatch_orders
from tests.builders import World, line, order
from tests.integration.fulfilment_acts import act, fulfilments, goods, order_id, place, put, spot


def switch(world: World, on: bool = True) -> bool:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return automatic.switch(tx, on)


def look(app: App, world: World, *, upkeep: bool = False) -> None:
    if upkeep:
        with world.db.begin(world.merchant_id, actor="test") as tx:
            work.want(tx, [work.Want(automatic.TOPIC, 0, "")])
    dispatch_orders(app, world.merchant_id, 0)


def pause(world: World, code: str, paused: bool = True) -> None:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        warehouses.change(tx, code, {"paused": paused})


def paid(world: World, units: int = 2, external_id: str = "1001") -> None:
    store = int(world.scalar("SELECT id FROM store"))
    world.hear(store, order(line("mug", units), external_id=external_id, paid=True))


@pytest.fixture
def shop(world: World) -> World:
    """MAIN has 3 mugs and is asked first, HAMBURG has 4."""
    place(world, "HAMBURG", priority=-1)
    world.stocked("mug", units=3)
    put(world, "HAMBURG", mug=4)
    return world


def test_it_is_off_to_begin_with(app: App, shop: World) -> None:
    paid(shop)

    assert shop.work("dispatch") == []
    look(app, shop, upkeep=True)

    assert fulfilments(shop) == []


def test_a_paid_order_is_allocated(app: App, shop: World) -> None:
    assert switch(shop)
    paid(shop)
    assert shop.work("dispatch") == [str(order_id(shop))]

    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (1, 2, 0), "HAMBURG": (4, 0, 0)}
    assert shop.work("dispatch") == []


def test_orders_that_waited_when_it_was_switched_on_go_too(app: App, shop: World) -> None:
    paid(shop)
    switch(shop)
    assert not switch(shop)

    look(app, shop)

    assert len(fulfilments(shop)) == 1


def test_an_order_that_is_not_paid_is_not_looked_at(shop: World) -> None:
    switch(shop)
    shop.hear(int(shop.scalar("SELECT id FROM store")), order(line("mug", 2)))

    assert shop.work("dispatch") == []


def test_a_warehouse_that_rejects_is_not_asked_again(app: App, shop: World) -> None:
    switch(shop)
    paid(shop)
    look(app, shop)

    act(shop, "reject")
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (2, 2, 0)}
    act(shop, "reject", 2)
    look(app, shop)
    assert goods(shop, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (4, 0, 0)}
    assert shop.work("dispatch") == [str(order_id(shop))]  # looked at again, though nobody is left now


def test_a_shortage_is_decided_again(app: App, shop: World) -> None:
    switch(shop)
    paid(shop, units=3)
    look(app, shop)

    shop.do(Lose("fire", "fire", DocumentKind.MISSING, {shop.item("mug"): 2}, spot=spot(shop, "MAIN")))
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (0, 1, 0), "HAMBURG": (2, 2, 0)}


def test_a_paused_warehouse_keeps_only_what_is_being_packed(app: App, shop: World) -> None:
    switch(shop)
    paid(shop, units=3)
    look(app, shop)
    act(shop, "hand", units={"mug": 1})

    pause(shop, "MAIN")
    look(app, shop, upkeep=True)
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (2, 1, 1), "HAMBURG": (2, 2, 0)}


def test_pausing_a_warehouse_wakes_the_job_that_takes_its_orders_away(app: App, shop: World) -> None:
    switch(shop)
    paid(shop, units=3)
    look(app, shop)

    pause(shop, "MAIN")
    look(app, shop)  # takes them away
    look(app, shop)  # decides again

    assert goods(shop, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (1, 3, 0)}
    assert shop.work("dispatch") == []


def test_pausing_once_more_or_opening_again_wakes_nobody(shop: World) -> None:
    pause(shop, "MAIN")
    shop.tell("DELETE FROM work")

    pause(shop, "MAIN")
    pause(shop, "MAIN", paused=False)

    assert shop.work("dispatch") == []


def test_a_pause_changes_nothing_for_who_has_not_switched_it_on(app: App, shop: World) -> None:
    paid(shop)
    shop_of_packers = dispatching.dispatch(shop.db, 1, [order_id(shop)], actor="test")
    assert len(shop_of_packers[0].made) == 1

    pause(shop, "MAIN")
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (1, 2, 0), "HAMBURG": (4, 0, 0)}
    assert shop.work("dispatch") == []


def test_goods_that_come_are_sent_to_who_waits(app: App, shop: World) -> None:
    switch(shop)
    paid(shop, units=9)
    look(app, shop)
    assert [row.code for row in fulfilments(shop)] == ["MAIN", "HAMBURG"]

    shop.receive("mug", 5)
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (3, 5, 0), "HAMBURG": (0, 4, 0)}


def test_many_orders_share_what_there_is_and_none_is_told_twice(app: App, shop: World) -> None:
    switch(shop)
    for nth in range(5):
        paid(shop, units=1, external_id=str(nth))

    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (0, 3, 0), "HAMBURG": (2, 2, 0)}


def test_what_warehouses_were_told_stays_when_it_is_switched_off(app: App, shop: World) -> None:
    switch(shop)
    paid(shop)
    look(app, shop)
    paid(shop, units=1, external_id="1002")

    assert switch(shop, on=False)
    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (1, 2, 0), "HAMBURG": (4, 0, 0)}
    assert shop.work("dispatch") == []


def test_twenty_orders_take_no_more_statements_than_two(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order costs rows of a statement, never a statement."""
    put(shop, "HAMBURG", mug=100)
    for nth in range(24):
        paid(shop, units=1, external_id=str(nth))
    asked: list[str] = []
    for kind in (Pipe, Transaction):
        run = kind.run

        def counted(self: Any, statement: str, /, *told: Any, run: Any = run, **values: Any) -> Any:
            asked.append(statement)
            return run(self, statement, *told, **values)

        monkeypatch.setattr(kind, "run", counted)

    def statements(*external_ids: str) -> int:
        ids = [order_id(shop, one) for one in external_ids]
        asked.clear()
        dispatching.dispatch(shop.db, 1, ids, actor="test")
        return len(asked)

    statements("0", "1")  # the first of all looks for more
    assert statements("2", "3") == statements(*map(str, range(4, 24)))

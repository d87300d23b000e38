"""Paid orders go to warehouses by themselves, and who sends them is decided again when something goes wrong."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from config.wiring import App
from core import work
from core.dispatch import regions, rules, waking
from core.dispatch.terms import Effect
from core.fulfilment import automatic, dispatching
from core.fulfilment import views as fulfilment_views
from core.goods.adjusting import Lose
from core.ledger import Batch
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
            work.want(tx, [work.Want(waking.TOPIC, 0, "")])
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


# ---- an order that cannot be dispatched


def break_order(world: World, external_id: str) -> None:
    """What no store can tell: a destination that nobody can read."""
    world.tell("UPDATE store_order SET destination = '??' WHERE external_id = :id", id=external_id)


def waits(world: World) -> list[tuple[str, int, bool]]:
    """What wants doing: its reason, how often it was tried, and whether it is due now."""
    rows = world.ask(
        """SELECT reason, tries, due_at <= now() AS due FROM work WHERE merchant_id = :merchant_id
             AND topic = 'dispatch' ORDER BY subject"""
    )
    return [tuple(row) for row in rows]


def test_an_order_that_is_broken_stops_no_other(app: App, shop: World) -> None:
    switch(shop)
    for nth in range(5):
        paid(shop, units=1, external_id=str(nth))
    break_order(shop, "2")

    look(app, shop)

    assert goods(shop, "mug") == {"MAIN": (0, 3, 0), "HAMBURG": (3, 1, 0)}
    assert shop.work("dispatch") == [str(order_id(shop, "2"))]
    ((reason, tries, due),) = waits(shop)
    assert (tries, due) == (1, False)
    assert reason.startswith("Refused: ")


def test_an_order_that_stays_broken_is_a_dead_letter_in_the_end_and_goes_when_it_is_mended(
    app: App, shop: World
) -> None:
    switch(shop)
    paid(shop, units=1, external_id="whole")
    paid(shop, units=1, external_id="bad")
    break_order(shop, "bad")
    for _ in range(work.MAX_TRIES):
        shop.tell("UPDATE work SET due_at = now() - interval '1 second'")
        look(app, shop)
    assert shop.scalar("SELECT count(*) FROM work WHERE dead_at IS NOT NULL AND reason <> ''") == 1
    assert len(fulfilments(shop, "whole")) == 1

    shop.tell("UPDATE store_order SET destination = ''")
    with shop.db.begin(1, actor="test") as tx:
        assert work.replay(tx, "dispatch") == 1
    look(app, shop)

    assert len(fulfilments(shop, "bad")) == 1
    assert shop.work("dispatch") == []


def test_a_database_that_is_away_is_no_order_s_fault(app: App, shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is given back as it was, and the job is tried again."""
    switch(shop)
    for nth in range(3):
        paid(shop, units=1, external_id=str(nth))
    with shop.db.engine.connect() as other:
        other.execute(text("SELECT set_config('holdfast.merchant_id', '1', true)"))
        other.execute(text("SELECT 1 FROM store_order WHERE external_id = '1' FOR UPDATE"))
        monkeypatch.setattr(Batch, "row_lock", "FOR NO KEY UPDATE NOWAIT")
        with pytest.raises(OperationalError):
            look(app, shop)
        monkeypatch.undo()

    assert waits(shop) == [("", 0, True)] * 3
    look(app, shop)
    assert shop.work("dispatch") == []


# ---- the address changes after a warehouse was told


@pytest.fixture
def regions_apart(shop: World) -> World:
    """MAIN sends to Bavaria alone and HAMBURG to everywhere; the order goes to Bavaria at first."""
    with shop.db.begin(1, actor="test") as tx:
        south = regions.put(tx, "south", ["DE-BY"])
        rules.add(tx, Effect.ONLY, spot(shop, "MAIN").warehouse_id, region_id=south.id)
    return shop


def sent_to(world: World, destination: str, units: int = 2) -> None:
    store = int(world.scalar("SELECT id FROM store"))
    world.hear(store, order(line("mug", units), paid=True, destination=destination))


def decided_for(world: World) -> list[tuple[str, int, str]]:
    """Of what is still to be sent: its warehouse, how many units, and where the decision thought it goes."""
    with world.db.begin(1, actor="test") as tx:
        parts = fulfilment_views.of_order(tx, "1001")
    return [(one.warehouse, one.open_units, one.decided_for) for one in parts if one.open_units]


def test_what_nobody_packs_is_decided_again_when_its_address_changes(app: App, regions_apart: World) -> None:
    switch(regions_apart)
    sent_to(regions_apart, "DE-BY-80331")
    look(app, regions_apart)
    assert decided_for(regions_apart) == [("MAIN", 2, "DE-BY-803")]

    sent_to(regions_apart, "DE-HH-20095")
    assert decided_for(regions_apart) == []
    look(app, regions_apart)

    assert decided_for(regions_apart) == [("HAMBURG", 2, "DE-HH-200")]
    assert goods(regions_apart, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (2, 2, 0)}


def test_what_is_being_packed_stays_when_its_address_changes(app: App, regions_apart: World) -> None:
    switch(regions_apart)
    sent_to(regions_apart, "DE-BY-80331")
    look(app, regions_apart)
    act(regions_apart, "hand", units={"mug": 1})

    sent_to(regions_apart, "DE-HH-20095")
    look(app, regions_apart)

    assert decided_for(regions_apart) == [("MAIN", 1, "DE-BY-803"), ("HAMBURG", 1, "DE-HH-200")]


@pytest.mark.parametrize("told", ["DE-BY-80331", "DE-BY-80339", ""])
def test_an_address_that_is_told_again_or_not_changes_nothing(app: App, regions_apart: World, told: str) -> None:
    """Of a postal code no more than the first characters is known."""
    switch(regions_apart)
    sent_to(regions_apart, "DE-BY-80331")
    look(app, regions_apart)

    sent_to(regions_apart, told)

    assert decided_for(regions_apart) == [("MAIN", 2, "DE-BY-803")]
    assert regions_apart.work("dispatch") == []


def test_who_decides_by_hand_keeps_what_was_decided(regions_apart: World) -> None:
    sent_to(regions_apart, "DE-BY-80331")
    dispatching.dispatch(regions_apart.db, 1, [order_id(regions_apart)], actor="test")

    sent_to(regions_apart, "DE-HH-20095")

    assert decided_for(regions_apart) == [("MAIN", 2, "DE-BY-803")]


def test_an_address_that_changes_with_a_cancellation_gives_back_what_is_left(app: App, regions_apart: World) -> None:
    switch(regions_apart)
    sent_to(regions_apart, "DE-BY-80331", units=3)
    look(app, regions_apart)
    store = int(regions_apart.scalar("SELECT id FROM store"))

    regions_apart.hear(store, order(line("mug", 3, cancelled=1), paid=True, destination="DE-HH-20095"))
    look(app, regions_apart)

    assert decided_for(regions_apart) == [("HAMBURG", 2, "DE-HH-200")]
    assert goods(regions_apart, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (2, 2, 0)}

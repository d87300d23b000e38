"""Paid units that could be sent and that no warehouse is told to send: they are listed, and after a while they ring."""

import pytest

from config.wiring import App
from core.alerts.kinds import AlertKind
from core.fulfilment import automatic
from core.orders import unsent
from core.warehouse import warehouses
from tests import supply_world as sup
from tests.builders import Clock, World, line, order
from tests.integration import lock_acts
from tests.integration.alert_acts import alerts_of, are_open, look, rule
from tests.integration.command_line import Holdfast
from tests.integration.fulfilment_acts import act, dispatch, goods, place

DAY = 86_400


@pytest.fixture
def clock(app: App, world: World) -> Clock:
    """One clock for the hub and the test."""
    app.db.clock = world.db.clock = clock = Clock()
    return clock


@pytest.fixture
def store(world: World, clock: Clock) -> int:
    """Order #1001 is paid and wants 3 of 9 mugs; #1002 is not paid."""
    store = world.stocked("MUG", units=9)
    world.hear(store, order(line("MUG", 3), paid=True))
    world.hear(store, order(line("MUG", 2), external_id="1002"))
    return store


def switch_on(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        automatic.switch(tx, True)


def overdue(world: World) -> list[tuple[str, int]]:
    with world.db.begin(1, actor="test") as tx:
        return [(one.number, one.units) for one in unsent.overdue(tx)]


def test_paid_orders_that_no_warehouse_is_told_to_send_are_listed(
    holdfast: Holdfast, world: World, clock: Clock, store: int
) -> None:
    (row,) = holdfast("order", "list", "--unsent", "--json").json
    assert (row["number"], row["unsent"], row["allocated"]) == ("#1001", 3, 0)
    assert row["unsent_since"] == clock.now.isoformat()
    heading, only = holdfast("order", "list", "--unsent").out.splitlines()
    assert heading.split()[-2:] == ["unsent", "since"]
    assert only.split()[0] == "#1001"

    dispatch(world)
    assert holdfast("order", "list", "--unsent").out == "No order is unsent.\n"
    clock.pass_(DAY)
    act(world, "give back")
    (row,) = holdfast("order", "list", "--unsent", "--json").json
    assert row["unsent_since"] == clock.now.isoformat(), "no warehouse has been told since then"


def test_an_order_rings_when_nobody_is_told_to_send_it_for_a_day(
    app: App, world: World, clock: Clock, store: int
) -> None:
    switch_on(world)
    clock.pass_(DAY - 60)
    look(app)
    assert are_open(world, AlertKind.UNSENT) == []

    clock.pass_(120)
    for _ in range(2):
        look(app)
    (alert,) = alerts_of(world, AlertKind.UNSENT)
    assert {name: alert.facts[name] for name in ("order", "store", "units")} == {
        "order": "#1001", "store": "Main street", "units": 3,
    }  # fmt: skip

    dispatch(world)
    look(app)
    assert are_open(world, AlertKind.UNSENT) == [False]


def test_who_ships_in_the_storefront_is_not_warned(world: World, clock: Clock, store: int) -> None:
    clock.pass_(2 * DAY)
    assert overdue(world) == []

    world.hear(store, order(line("MUG", 1), external_id="1003", paid=True))
    dispatch(world, "1003")
    assert overdue(world) == [("#1001", 3)], "their warehouses are told here what to send"
    clock.pass_(unsent.USED_WITHIN.total_seconds() + 60)
    assert overdue(world) == [], "they have stopped telling them"


def test_the_rule_says_after_how_many_hours(app: App, world: World, clock: Clock, store: int) -> None:
    switch_on(world)
    clock.pass_(2 * DAY)
    rule(world, 72, AlertKind.UNSENT)
    assert overdue(world) == []
    rule(world, 47, AlertKind.UNSENT)
    assert overdue(world) == [("#1001", 3)]
    rule(world, None, AlertKind.UNSENT)
    assert overdue(world) == []


def test_an_order_stays_behind_when_its_warehouse_is_paused(world: World, clock: Clock, store: int) -> None:
    place(world, "HAMBURG")
    switch_on(world)
    with world.db.begin(1, actor="test") as tx:
        warehouses.change(tx, "MAIN", {"paused": True})
    dispatch(world)
    clock.pass_(2 * DAY)

    assert goods(world, "MUG")["MAIN"] == (9, 0, 0)
    assert overdue(world) == [("#1001", 3)]


def test_goods_that_are_still_on_their_way_cannot_be_sent(world: World, clock: Clock) -> None:
    store = world.stocked("MUG", units=0)
    sup.placed(world, "PO-7", {"MUG": 10}, in_days=20)
    sup.count(world, 20)
    world.hear(store, order(line("MUG", 3), paid=True))
    switch_on(world)
    clock.pass_(2 * DAY)
    assert overdue(world) == []

    sup.receive(world, "PO-7", None)
    assert overdue(world) == [("#1001", 3)]


def test_units_of_a_physical_lock_can_be_sent_from_its_warehouse(world: World, clock: Clock) -> None:
    store = world.stocked("MUG", units=3)
    main = int(world.scalar("SELECT id FROM warehouse WHERE code = 'MAIN'"))
    lock_acts.lock(world, "fair", "MUG", 3, warehouse_id=main, store_id=store, type="channel")
    world.hear(store, order(line("MUG", 3), paid=True))
    assert goods(world, "MUG")["MAIN"] == (0, 0, 0)
    switch_on(world)
    clock.pass_(2 * DAY)

    assert overdue(world) == [("#1001", 3)]


def test_doctor_and_the_rules_tell_of_them(holdfast: Holdfast, world: World, clock: Clock, store: int) -> None:
    clock.now = clock.after(-2 * DAY)
    world.hear(store, order(line("MUG", 1), external_id="1004", paid=True))
    clock.now = clock.after(2 * DAY)
    switch_on(world)

    told = {one["about"]: one["sentence"] for one in holdfast("doctor", "--json").json["problems"]}["orders"]

    assert "#1004 was the first" in told
    assert "holdfast order list --unsent" in told
    assert "1 alert would be opened now" in holdfast("alert", "rule", "set", "unsent", "2", "--dry-run").out
    assert holdfast("alert", "rule", "set", "unsent", "48").out.startswith("unsent of every order: warns at 48 hours")
    assert "not for an item" in holdfast("alert", "rule", "set", "unsent", "48", "--item", "MUG").err


def test_all_parts_of_an_order_are_shown_by_its_number(holdfast: Holdfast, world: World, store: int) -> None:
    assert "No warehouse was told to send anything of 1001" in holdfast("fulfil", "show", "1001").out
    dispatch(world)
    act(world, "give back")
    dispatch(world)

    shown = holdfast("fulfil", "show", "1001").out
    told = holdfast("fulfil", "show", "1001", "--json").json

    assert [one["ref"] for one in told] == ["1001/1", "1001/2"]
    assert shown.index("1001/1 of Main street: taken back") < shown.index("1001/2 of Main street: told")
    assert holdfast("fulfil", "show", "1001/2", "--json").json["state"] == "told"
    assert "no order 77 is known" in holdfast("fulfil", "show", "77").err

"""Demand that waits: when its goods come, and who is told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from config.wiring import App
from core import work
from core.errors import NotFound, Refused
from core.sales import expected, promise_dates
from core.sales.holds import Hold
from core.sales.waiting import OrderPriority
from core.stock import MINOR_DEFECT, PoolKind
from jobs import backorders
from tests.builders import FAR_OFF, Clock, World, line, order
from tests.hub import skip
from tests.integration.backorder_acts import DAY, bundle, expect, queue, rule, today
from tests.pool_world import open_pool

# ---- when goods come


def recompute(world: World, sku: str = "mug") -> int:
    with world.db.begin(1, actor="test") as tx:
        return promise_dates.recompute(tx, [world.item(sku)])


def ships(world: World, clock: Clock, sku: str = "mug") -> dict[str, int | None]:
    """Days from today until each can leave."""
    return {
        one.who.split("#")[-1]: None if one.ships_on is None else (one.ships_on - today(world, clock)).days
        for one in queue(world, sku)
    }


def three_orders(world: World, clock: Clock) -> int:
    """A store whose orders a, b and c wait for 4, 3 and 5 mugs."""
    store = world.stocked("mug", units=0)
    for name, units in (("a", 4), ("b", 3), ("c", 5)):
        clock.pass_(1)
        world.hear(store, order(line("mug", units), external_id=name, paid=True))
    return store


def test_each_gets_a_date_from_supply_in_the_order_of_the_queue(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 5, clock, days=2)
    expect(world, 4, clock, days=9, ref="PO-8")
    assert recompute(world) == 2
    assert ships(world, clock) == {"a": 3, "b": 10, "c": None}
    assert recompute(world) == 0


def test_the_days_that_handling_takes_move_all_dates(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 5, clock, days=2)
    with world.db.begin(1, actor="test") as tx:
        expected.set_handling_days(tx, 3)
    recompute(world)
    assert ships(world, clock)["a"] == 5


def test_dates_follow_supply_that_moves_and_customers_can_be_told(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 5, clock, days=2)
    recompute(world)
    tell(world)
    assert expect(world, 5, clock, days=6) is True
    assert expect(world, 5, clock, days=6) is False
    assert recompute(world) == 1
    (moved,) = untold(world)
    assert (moved.who, moved.store, moved.units) == ("order #a", "Main street", 4)
    assert (moved.told, moved.becomes) == (today(world, clock, 3), today(world, clock, 7))
    assert moved.reasons == ["PO-7 comes later"]
    tell(world)
    assert untold(world) == []


def untold(world: World) -> list[promise_dates.Moved]:
    with world.db.begin(1, actor="test") as tx:
        return promise_dates.untold(tx)


def tell(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        promise_dates.mark_told(tx, promise_dates.untold(tx))


def test_a_date_that_came_back_before_anybody_was_told_is_no_news(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 5, clock, days=2)
    recompute(world)
    tell(world)
    for days in (6, 2):
        expect(world, 5, clock, days=days)
        assert recompute(world) == 1
    assert untold(world) == []
    expect(world, 5, clock, days=4)
    recompute(world)
    (moved,) = untold(world)
    assert (moved.told, moved.becomes) == (today(world, clock, 3), today(world, clock, 5))


def test_dates_follow_the_queue(world: World, clock: Clock) -> None:
    store = three_orders(world, clock)
    expect(world, 5, clock, days=2)
    expect(world, 4, clock, days=9, ref="PO-8")
    recompute(world)
    world.do(OrderPriority(store, "c", 1))
    recompute(world)
    assert ships(world, clock) == {"c": 3, "a": 10, "b": None}


def test_who_is_before_me_is_served_before_me_be_it_a_lock_or_a_presale(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=0)
    pre = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 3})
    world.do(Hold("presold", {world.item("mug"): 3}, FAR_OFF, pool_id=pre))
    world.hear(store, order(line("mug", 8), external_id="unpaid"))
    expect(world, 3, clock, days=2)
    expect(world, 2, clock, days=5, ref="PO-8")
    recompute(world)
    assert ships(world, clock) == {"hold presold": 3, "unpaid": None}
    expect(world, 8, clock, days=5, ref="PO-8")
    recompute(world)
    assert ships(world, clock) == {"hold presold": 3, "unpaid": 6}


def test_supply_that_is_late_promises_nothing(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 5, clock, days=2)
    recompute(world)
    tell(world)
    clock.pass_(2 * DAY)
    assert recompute(world) == 0
    clock.pass_(DAY)
    assert recompute(world) == 1
    assert ships(world, clock)["a"] is None
    assert untold(world)[0].reasons[-1] == "PO-7 does not bring it, and nothing else is expected"


def test_what_has_arrived_is_expected_no_more(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 9, clock, days=2)
    recompute(world)
    with world.db.begin(1, actor="test") as tx:
        assert expected.arrived(tx, world.item("mug"), 4, "PO-7", 77) is True
        assert expected.arrived(tx, world.item("mug"), 4, "PO-7", 77) is False
        with pytest.raises(NotFound, match="backorder expect mug"):
            expected.arrived(tx, world.item("mug"), 4, "PO-9", 78)
    world.receive("mug", 4)
    assert recompute(world) == 0
    assert ships(world, clock) == {"b": 3, "c": None}
    with world.db.begin(1, actor="test") as tx:
        (left,) = expected.supply(tx, [world.item("mug")])
    assert (left.quantity, left.received, left.open) == (9, 4, 5)


def test_supply_is_expected_per_grade(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, flawed, 50, today(world, clock, 1), "PO-7")
    assert recompute(world) == 0


def test_supply_needs_a_reference(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    with pytest.raises(Refused, match="needs a reference"):
        expect(world, 5, clock, days=2, ref="  ")


def test_a_bundle_can_leave_when_the_last_of_its_components_can(world: World, clock: Clock) -> None:
    store = world.stocked("set", "mug", "cup", units=0)
    bundle(world, "set", mug=2, cup=1)
    world.hear(store, order(line("set", 1), external_id="s", paid=True))
    expect(world, 9, clock, days=2)
    recompute(world)
    assert ships(world, clock) == {"s": None}
    expect(world, 9, clock, days=20, sku="cup", ref="PO-8")
    recompute(world, "cup")
    assert ships(world, clock) == {"s": 21}
    assert ships(world, clock, "cup") == {"s": 21}


def test_dates_that_two_compute_at_once_are_noted_once(world: World, clock: Clock) -> None:
    three_orders(world, clock)
    expect(world, 50, clock, days=2)
    with ThreadPoolExecutor(6) as threads:
        changed = list(threads.map(lambda _: recompute(world), range(6)))
    assert sorted(changed) == [0, 0, 0, 0, 0, 3]


# ---- who is told


def run_job(app: App) -> None:
    with app.db.begin(1, actor="test") as tx:
        work.want(tx, [work.Want("backorders", 0, "")])
    backorders.look_after_backorders(app, 1, 0)


def alerts(world: World, kind: str) -> list[Any]:
    return list(
        world.ask("SELECT * FROM alert WHERE merchant_id = :merchant_id AND kind = :kind ORDER BY id", kind=kind)
    )


def test_the_job_brings_dates_up_to_date_and_lets_those_rest_who_wait_no_more(app: App, world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 4), external_id="a", paid=True))
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, world.item("mug"), 5, date(2040, 5, 17), "PO-7")
    run_job(app)
    assert [one.becomes for one in untold(world)] == [date(2040, 5, 18)]
    world.receive("mug", 4)
    run_job(app)
    assert world.scalar("SELECT count(*) FROM promise_date WHERE merchant_id = :merchant_id AND told_at IS NULL") == 0
    assert world.work("backorders") == []


def test_with_notify_it_is_told_when_demand_waits_and_when_it_is_filled(app: App, world: World) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "store", "backorder", "notify", store=store)
    world.hear(store, order(line("mug", 4), external_id="a", paid=True))
    world.hear(store, order(line("mug", 2), external_id="b", paid=True))
    for _ in range(2):
        run_job(app)
    (waits,) = alerts(world, "backorder_waits")
    assert (waits.closed_at, waits.facts["units"], waits.facts["orders"], waits.facts["sku"]) == (None, 6, 2, "mug")

    skip(app, 60)
    world.receive("mug", 5)
    for _ in range(2):
        run_job(app)
    (filled,) = alerts(world, "backorder_filled")
    assert (filled.facts["units"], filled.facts["still_waiting"]) == (5, 1)
    assert alerts(world, "backorder_waits")[0].closed_at is None

    skip(app, 60)
    world.receive("mug", 5)
    for _ in range(2):
        run_job(app)
    assert [one.facts["units"] for one in alerts(world, "backorder_filled")] == [5, 1]
    assert alerts(world, "backorder_waits")[0].closed_at is not None


@pytest.mark.parametrize("policy", ["yes", "no"])
def test_without_notify_nobody_is_told(app: App, world: World, policy: str) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "store", "backorder", policy, store=store)
    world.hear(store, order(line("mug", 4), external_id="a", paid=True))
    run_job(app)
    assert alerts(world, "backorder_waits") == []


def test_demand_that_is_called_off_is_not_told_as_filled(app: App, world: World) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "item", "backorder", "notify")
    world.hear(store, order(line("mug", 4), external_id="a"))
    run_job(app)
    world.hear(store, order(line("mug", 4, cancelled=4), external_id="a"))
    run_job(app)
    assert alerts(world, "backorder_filled") == []
    assert alerts(world, "backorder_waits")[0].closed_at is not None

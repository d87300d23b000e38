"""Demand that waits: whether it may, in which turn it is served, when its goods come, and who is told."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from config.wiring import App
from core import work
from core.errors import InsufficientStock, KeyReused, NotFound, Refused
from core.sales import expected, promise_dates, waiting
from core.sales.holds import EndHold, Hold, PayHold
from core.sales.waiting import HoldPriority, OrderPriority, Waiter
from core.selling import rules
from core.stock import GOOD, MINOR_DEFECT, PoolKind, Stocked
from core.transaction import Database
from core.zones import zone_of
from jobs import backorders
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.hub import skip
from tests.pool_world import open_pool, shared

DAY = 86_400


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    db.clock = held
    return held


def rule(world: World, scope: str, name: str, value: int | str, *, store: int = 0, sku: str = "mug") -> None:
    with world.db.begin(1, actor="test") as tx:
        if scope == "store":
            subject = rules.store_subject(tx, str(store))
        elif scope == "item":
            subject = rules.item_subject(tx, sku)
        else:
            subject = rules.listing_subject(tx, str(store), f"listing-{sku}")
        rules.set_rules(tx, subject, {name: value})


def allowed(world: World, sku: str = "mug", store: int = 0) -> Mapping[Stocked, int]:
    with world.db.begin(1, actor="test") as tx:
        return waiting.may_wait(tx, store, [world.item(sku)])


def wait_for(world: World, key: str, units: int, *, sku: str = "mug", **told: Any) -> Any:
    return world.do(Hold(key, {world.item(sku): units}, FAR_OFF, may_wait=allowed(world, sku), **told))


# ---- whether it may wait


@pytest.mark.parametrize(
    ("rules_set", "incident"),
    [
        ({}, True),
        ({"store": "yes"}, False),
        ({"store": "yes", "item": "no"}, True),
        ({"store": "no", "item": "notify"}, False),
        ({"item": "no", "listing": "yes"}, False),
        ({"store": "yes", "item": "yes", "listing": "no"}, True),
    ],
)
def test_an_order_waits_without_an_incident_where_the_nearest_rule_lets_it(
    world: World, rules_set: dict[str, str], incident: bool
) -> None:
    store = world.stocked("mug", units=1)
    for scope, value in rules_set.items():
        rule(world, scope, "backorder", value, store=store)
    world.hear(store, order(line("mug", 3)))
    assert world.units("mug") == Units(reserved=1, backordered=2)
    assert bool(world.incidents()) is incident


def test_what_waits_beyond_the_limit_is_oversold(world: World) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "store", "backorder", "yes", store=store)
    rule(world, "item", "backorder_limit", 5)
    world.hear(store, order(line("mug", 4), external_id="1"))
    assert world.incidents() == []
    world.hear(store, order(line("mug", 3), external_id="2"))
    assert [one.quantity for one in world.incidents()] == [2]


def test_a_store_that_shows_what_may_still_wait_is_told_when_more_waits(world: World) -> None:
    store, other = world.stocked("mug", units=0), world.store("Side street")
    world.listings(other, "mug")
    rule(world, "item", "backorder", "yes")
    rule(world, "item", "backorder_limit", 5)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")

    world.hear(store, order(line("mug", 2), paid=True))

    assert world.due(other, "mug") is not None


def test_a_hold_waits_where_the_rule_of_its_item_lets_it(world: World) -> None:
    world.stocked("mug", units=1)
    with pytest.raises(InsufficientStock):
        wait_for(world, "a", 3)
    rule(world, "item", "backorder", "yes")
    held = wait_for(world, "a", 3)
    assert (held.missing, held.waiting) == ((), ((world.item("mug"), 2),))
    assert world.units("mug") == Units(reserved=1, backordered=2)
    assert world.incidents() == []


def test_a_hold_that_does_not_ask_to_wait_is_refused_whatever_the_rule_says(world: World) -> None:
    world.stocked("mug", units=1)
    rule(world, "item", "backorder", "yes")
    with pytest.raises(InsufficientStock):
        world.do(Hold("a", {world.item("mug"): 3}, FAR_OFF))


def test_a_hold_waits_up_to_the_limit_of_all_that_waits(world: World) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "item", "backorder", "yes")
    rule(world, "item", "backorder_limit", 5)
    world.hear(store, order(line("mug", 3)))
    with pytest.raises(InsufficientStock):
        wait_for(world, "a", 3)
    assert wait_for(world, "b", 3, best_effort=True).missing == ((world.item("mug"), 1),)
    assert world.units("mug") == Units(backordered=5)
    with pytest.raises(InsufficientStock):
        wait_for(world, "c", 1, best_effort=True)


def test_the_rule_of_the_store_counts_for_holds_of_its_channel_alone(world: World) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "store", "backorder", "yes", store=store)
    assert allowed(world)[world.item("mug")] == 0
    assert allowed(world, store=store)[world.item("mug")] == waiting.NO_LIMIT
    rule(world, "store", "backorder_limit", 7, store=store)
    assert allowed(world, store=store)[world.item("mug")] == 7


def test_a_waiting_hold_that_is_asked_for_twice_is_made_once(world: World) -> None:
    world.stocked("mug", units=1)
    rule(world, "item", "backorder", "yes")
    first = wait_for(world, "a", 3)
    rule(world, "item", "backorder", "no")
    assert wait_for(world, "a", 3) == first._replace()
    with pytest.raises(KeyReused):
        wait_for(world, "a", 4)
    assert world.units("mug") == Units(reserved=1, backordered=2)


def test_a_hold_of_another_pool_does_not_wait_in_the_one_that_all_share(world: World) -> None:
    store = world.stocked("mug", units=5)
    rule(world, "item", "backorder", "yes")
    pool = open_pool(world, "BERLIN", PoolKind.CHANNEL, {"mug": 2}, store_id=store)
    with pytest.raises(InsufficientStock):
        wait_for(world, "a", 9, store_id=store, pool_id=pool)
    wait_for(world, "b", 9, store_id=store, pool_id=pool, overflow=True)
    assert shared(world, "mug") == Units(reserved=3, backordered=4)


def test_a_waiting_hold_is_filled_paid_expired_and_released_like_any_other(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    rule(world, "item", "backorder", "yes")
    for key in ("paid", "released", "runs out"):
        until = clock.after(60) if key == "runs out" else FAR_OFF
        world.do(Hold(key, {world.item("mug"): 2}, until, may_wait=allowed(world)))
    world.do(PayHold("paid", "paid"))
    world.do(EndHold("released"))
    clock.pass_(60)
    world.do(EndHold("runs out", only_expired=True))
    assert world.units("mug") == Units(backordered=2)
    world.receive("mug", 3)
    assert world.units("mug") == Units(1, sold=2)


def bundle(world: World, sku: str, **parts: int) -> None:
    item = world.item(sku)
    for part, quantity in parts.items():
        world.tell(
            """INSERT INTO component (merchant_id, bundle_item_id, item_id, grade, quantity)
               VALUES (:merchant_id, :bundle, :item, 'good', :quantity)""",
            bundle=item.item_id, item=world.item(part).item_id, quantity=quantity,
        )  # fmt: skip
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND id = :id", id=item.item_id)


def test_a_bundle_waits_for_what_its_components_lack_within_its_own_limit(world: World) -> None:
    world.stocked("set", "mug", "cup", units=0)
    bundle(world, "set", mug=2, cup=1)
    rule(world, "item", "backorder", "yes", sku="set")
    rule(world, "item", "backorder_limit", 3, sku="set")
    rule(world, "item", "backorder_limit", 1, sku="cup")
    assert allowed(world, "set") == {world.item("mug"): 6, world.item("cup"): 3}
    world.receive("cup", 9)
    held = wait_for(world, "a", 2, sku="set")
    assert held.waiting == ((world.item("mug"), 4),)
    assert (world.units("mug"), world.units("cup")) == (Units(backordered=4), Units(7, reserved=2))


# ---- who goes first


def place_of(world: World, sku: str = "mug") -> list[tuple[str, str, int]]:
    return [(one.who, one.rank, one.units) for one in queue(world, sku)]


def queue(world: World, sku: str = "mug") -> list[Waiter]:
    with world.db.begin(1, actor="test") as tx:
        return waiting.queue(tx, world.item(sku).item_id, [GOOD])


def test_the_queue_is_the_order_in_which_units_are_handed_out(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=0)
    rule(world, "item", "backorder", "yes")
    for name, paid in (("u1", False), ("p1", True), ("p2", True)):
        clock.pass_(1)
        world.hear(store, order(line("mug", 2), external_id=name, paid=paid))
    pre = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 9})
    world.do(Hold("presold", {world.item("mug"): 1}, FAR_OFF, pool_id=pre))
    assert place_of(world) == [
        ("order #p1", "paid", 2), ("order #p2", "paid", 2), ("hold presold", "presale", 1), ("order #u1", "unpaid", 2)
    ]  # fmt: skip
    served = []
    while turn := place_of(world):
        world.receive("mug", turn[0][2])
        left = place_of(world)
        served.append(turn[0])
        assert left == turn[1:]
    assert len(served) == 4


def test_a_higher_priority_goes_before_age_but_not_before_who_has_paid(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=0)
    for name, paid in (("old", True), ("new", True), ("unpaid", False)):
        clock.pass_(1)
        world.hear(store, order(line("mug", 1), external_id=name, paid=paid))
    assert world.do(OrderPriority(store, "new", 5)) == 1
    assert world.do(OrderPriority(store, "new", 5)) == 0
    world.do(OrderPriority(store, "unpaid", 99))
    assert [who for who, _, _ in place_of(world)] == ["order #new", "order #old", "order #unpaid"]
    world.receive("mug", 1)
    assert [who for who, _, _ in place_of(world)] == ["order #old", "order #unpaid"]


def test_a_hold_has_a_priority_too(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    rule(world, "item", "backorder", "yes")
    for key in ("first", "second"):
        clock.pass_(1)
        wait_for(world, key, 1)
    world.do(HoldPriority("second", 1))
    assert [who for who, _, _ in place_of(world)] == ["hold second", "hold first"]


def test_who_waits_for_nothing_has_no_priority(world: World) -> None:
    store = world.stocked("mug", units=9)
    world.hear(store, order(line("mug", 1), external_id="served"))
    world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    for command in (OrderPriority(store, "served", 1), HoldPriority("h", 1)):
        with pytest.raises(Refused, match="waits for nothing"):
            world.do(command)
    with pytest.raises(Refused, match="no order unknown"):
        world.do(OrderPriority(store, "unknown", 1))
    with pytest.raises(Refused, match="there is no hold"):
        world.do(HoldPriority("unknown", 1))
    assert world.scalar("SELECT count(*) FROM store_order WHERE merchant_id = :merchant_id") == 1


def test_all_items_that_somebody_waits_for_are_told_together(world: World, clock: Clock) -> None:
    store = world.stocked("mug", "cup", "pan", units=0)
    world.hear(store, order(line("mug", 2), line("cup", 1), external_id="1"))
    world.hear(store, order(line("mug", 3), external_id="2"))
    expect(world, 9, clock, days=4)
    with world.db.begin(1, actor="test") as tx:
        told = {one.sku: one for one in waiting.waited_for(tx)}
    assert {sku: (one.units, one.waiters) for sku, one in told.items()} == {"mug": (5, 2), "cup": (1, 1)}
    assert (told["mug"].next_on, told["cup"].next_on) == (today(world, clock, 4), None)


# ---- when goods come


def today(world: World, clock: Clock, days: int = 0) -> date:
    with world.db.begin(1, actor="test") as tx:
        return clock.now.astimezone(zone_of(tx)).date() + timedelta(days=days)


def expect(world: World, units: int, clock: Clock, *, days: int, ref: str = "PO-7", sku: str = "mug") -> bool:
    with world.db.begin(1, actor="test") as tx:
        return expected.expect(tx, world.item(sku), units, today(world, clock, days), ref)


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

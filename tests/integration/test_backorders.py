"""Demand that waits: whether it may, and in which turn it is served."""

import pytest

from core.errors import InsufficientStock, KeyReused, Refused
from core.sales import waiting
from core.sales.holds import EndHold, Hold, PayHold
from core.sales.waiting import HoldPriority, OrderPriority
from core.stock import PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.backorder_acts import allowed, bundle, expect, place_of, rule, today, wait_for
from tests.pool_world import open_pool, shared

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

"""When units are deducted: each way from placed to paid to the end, with what the pools say at every step."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from config.wiring import App
from core import stores
from core.errors import InsufficientStock
from core.model import Deduct, StoreOrder
from core.orders import own as own_orders
from core.sales.holds import EndHold, Hold, PayHold
from core.stock import PoolKind
from jobs import orders as job
from tests.builders import Clock, Units, World, at, line, order
from tests.pool_world import in_pool, open_pool, shared

RESERVE, AT_ORDER, AT_PAYMENT = Deduct.RESERVE_THEN_DEDUCT, Deduct.AT_ORDER, Deduct.AT_PAYMENT
Step = dict[str, Any]
Road = Callable[[World, Deduct, Step], None]


# ---- the two roads on which orders come


def from_a_store(world: World, deduct: Deduct, step: Step) -> None:
    facts = {name: n for name, n in step.items() if name in ("cancelled", "written_off", "shipped", "returned")}
    told = {name: word for name, word in step.items() if name in ("paid", "holds")}
    (row,) = world.ask("SELECT id FROM store WHERE merchant_id = :merchant_id")
    world.hear(row.id, order(line("mug", step["quantity"], **facts), **told), deduct=deduct)


def from_our_own_shop(world: World, deduct: Deduct, step: Step) -> None:
    told = {name: word for name, word in step.items() if name in ("paid", "holds")}
    facts = {name: n for name, n in step.items() if name not in told}
    state = {"number": "1", "placed_at": at(0).isoformat(), "deduct": deduct, **told}
    text = json.dumps({**state, "lines": [{"line_id": "1", "sku": "mug", **facts}]})
    with world.db.begin(1, actor="test") as tx:
        (command,) = own_orders.commands(tx, own_orders.read(text))
    world.do(command)


STORIES: dict[str, tuple[int, Sequence[Step], dict[Deduct, Sequence[Units]]]] = {
    "paid, edited, shipped in part, the rest cancelled": (
        10,
        (
            {"quantity": 4},
            {"quantity": 6},
            {"quantity": 6, "paid": True},
            {"quantity": 3, "paid": True},
            {"quantity": 3, "paid": True, "shipped": 1},
            {"quantity": 3, "paid": True, "shipped": 1, "cancelled": 2},
            {"quantity": 3, "paid": True, "shipped": 1, "cancelled": 2, "returned": 1},
        ),
        {
            RESERVE: (Units(6, 4), Units(4, 6), Units(4, 0, 6), Units(7, 0, 3), Units(7, 0, 2), Units(9), Units(10)),
            AT_ORDER: (
                Units(6, 0, 4), Units(4, 0, 6), Units(4, 0, 6), Units(7, 0, 3), Units(7, 0, 2), Units(9), Units(10),
            ),
            AT_PAYMENT: (Units(10), Units(10), Units(4, 0, 6), Units(7, 0, 3), Units(7, 0, 2), Units(9), Units(10)),
        },
    ),
    "never paid: the store lets it go": (
        10,
        ({"quantity": 4}, {"quantity": 4, "cancelled": 1}, {"quantity": 4, "holds": False}),
        {
            RESERVE: (Units(6, 4), Units(7, 3), Units(10)),
            AT_ORDER: (Units(6, 0, 4), Units(7, 0, 3), Units(10)),
            AT_PAYMENT: (Units(10), Units(10), Units(10)),
        },
    ),
    "the payment is taken back, and made again": (
        10,
        ({"quantity": 4}, {"quantity": 4, "paid": True}, {"quantity": 4}, {"quantity": 4, "paid": True}),
        {
            RESERVE: (Units(6, 4), Units(6, 0, 4), Units(6, 4), Units(6, 0, 4)),
            AT_ORDER: (Units(6, 0, 4),) * 4,
            AT_PAYMENT: (Units(10), Units(6, 0, 4), Units(10), Units(6, 0, 4)),
        },
    ),
    "too few: what is missing waits and is filled": (
        1,
        ({"quantity": 3}, {"quantity": 3, "paid": True}, {"receive": 4}, {"quantity": 3, "paid": True, "shipped": 3}),
        {
            RESERVE: (Units(0, 1, 0, 2), Units(0, 0, 1, 2), Units(2, 0, 3), Units(2)),
            AT_ORDER: (Units(0, 0, 1, 2), Units(0, 0, 1, 2), Units(2, 0, 3), Units(2)),
            AT_PAYMENT: (Units(1), Units(0, 0, 1, 2), Units(2, 0, 3), Units(2)),
        },
    ),
    "refunded without restock before it left": (
        10,
        ({"quantity": 4}, {"quantity": 4, "paid": True, "written_off": 1}),
        {
            RESERVE: (Units(6, 4), Units(6, 0, 3)),
            AT_ORDER: (Units(6, 0, 4), Units(6, 0, 3)),
            AT_PAYMENT: (Units(10), Units(6, 0, 3)),
        },
    ),
    "shipped before it is paid": (
        10,
        ({"quantity": 4, "shipped": 1}, {"quantity": 4, "shipped": 1, "paid": True}),
        {
            RESERVE: (Units(6, 0, 3), Units(6, 0, 3)),
            AT_ORDER: (Units(6, 0, 3), Units(6, 0, 3)),
            AT_PAYMENT: (Units(9), Units(6, 0, 3)),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("road", [from_a_store, from_our_own_shop])
@pytest.mark.parametrize("deduct", list(Deduct))
@pytest.mark.parametrize("story", list(STORIES))
def test_an_order_is_deducted_when_its_channel_says(world: World, story: str, deduct: Deduct, road: Road) -> None:
    stock, steps, expected = STORIES[story]
    world.stocked("mug", units=stock)
    for step, units in zip(steps, expected[deduct], strict=True):
        if "receive" in step:
            world.receive("mug", step["receive"])
        else:
            road(world, deduct, step)
            road(world, deduct, step)
        assert world.units("mug") == units, step


@pytest.mark.parametrize("deduct", list(Deduct))
def test_an_order_is_deducted_in_the_pools_that_it_draws_on(world: World, deduct: Deduct) -> None:
    store = world.stocked("mug", units=6)
    pool = open_pool(world, "BERLIN", PoolKind.CHANNEL, {"mug": 2}, store_id=store)
    held = {RESERVE: Units(0, 2), AT_ORDER: Units(0, 0, 2), AT_PAYMENT: Units(2)}
    world.hear(store, order(line("mug", 3)), deduct=deduct)
    assert in_pool(world, pool, "mug") == held[deduct]
    world.hear(store, order(line("mug", 3), paid=True), deduct=deduct)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(0, 0, 2), Units(3, 0, 1))
    world.hear(store, order(line("mug", 3, cancelled=3), paid=True), deduct=deduct)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(2), Units(4))


def test_a_channel_that_changes_its_way_is_followed_with_the_next_state(world: World) -> None:
    store = world.stocked("mug", units=10)
    for deduct, units in ((RESERVE, Units(6, 4)), (AT_ORDER, Units(6, 0, 4)), (AT_PAYMENT, Units(10))):
        world.hear(store, order(line("mug", 4)), deduct=deduct)
        assert world.units("mug") == units


# ---- a store's own rule


@pytest.mark.parametrize(
    ("rule", "units"),
    [
        (None, Units(6, 4)),
        ("reserve_then_deduct", Units(6, 4)),
        ("at_order", Units(6, 0, 4)),
        ("at_payment", Units(10)),
    ],
)
def test_the_job_that_applies_orders_follows_the_rule_of_their_store(
    app: App, world: World, rule: str | None, units: Units
) -> None:
    store_id = world.stocked("mug", units=10)
    world.tell("UPDATE store SET deduct = :rule WHERE merchant_id = :merchant_id", rule=rule)
    with world.db.begin(1, actor="test") as tx:
        store = stores.get(tx, store_id)
    placed: StoreOrder = order(line("mug", 4))
    job.apply(app, 1, store, [placed], 5, {placed.external_id: (at(0), at(0))})
    assert world.units("mug") == units


# ---- holds of our own interface

HOLDS: dict[str, tuple[Sequence[str], dict[Deduct, Sequence[Units]]]] = {
    "paid": (("make", "started", "paid"), {
        RESERVE: (Units(6, 4), Units(6, 4), Units(6, 0, 4)),
        AT_ORDER: (Units(6, 0, 4), Units(6, 0, 4), Units(6, 0, 4)),
    }),
    "paid and given back": (("make", "paid", "release"), {
        RESERVE: (Units(6, 4), Units(6, 0, 4), Units(10)),
        AT_ORDER: (Units(6, 0, 4), Units(6, 0, 4), Units(10)),
    }),
    "never paid: rolled back when its time is over": (("make", "expire"), {
        RESERVE: (Units(6, 4), Units(10)),
        AT_ORDER: (Units(6, 0, 4), Units(10)),
    }),
    "the payment failed, and nobody tried again": (("make", "started", "failed", "expire"), {
        RESERVE: (Units(6, 4), Units(6, 4), Units(6, 4), Units(10)),
        AT_ORDER: (Units(6, 0, 4), Units(6, 0, 4), Units(6, 0, 4), Units(10)),
    }),
    "given back unpaid": (("make", "release"), {
        RESERVE: (Units(6, 4), Units(10)),
        AT_ORDER: (Units(6, 0, 4), Units(10)),
    }),
}  # fmt: skip


@pytest.mark.parametrize("deduct", [RESERVE, AT_ORDER])
@pytest.mark.parametrize("story", list(HOLDS))
def test_a_hold_is_deducted_when_its_channel_says(world: World, clock: Clock, story: str, deduct: Deduct) -> None:
    steps, expected = HOLDS[story]
    world.stocked("mug", units=10)
    made = Hold("h", {world.item("mug"): 4}, clock.after(60), deducted=deduct is AT_ORDER)
    for step, units in zip(steps, expected[deduct], strict=True):
        if step == "make":
            world.do(made)
        elif step == "expire":
            clock.pass_(61)
            world.do(EndHold("h", only_expired=True))
        else:
            world.do(EndHold("h") if step == "release" else PayHold("h", step))
        assert world.units("mug") == units, step


def test_with_payment_alone_a_hold_is_made_when_it_is_paid_and_may_come_too_late(world: World, clock: Clock) -> None:
    """The documented risk: nobody holds anything before, so two may pay for one unit; the second is told at once."""
    world.stocked("mug", units=4)
    first, second = (Hold(key, {world.item("mug"): 4}, clock.after(60)) for key in ("first", "second"))
    world.run(first, PayHold("first", "paid"))
    assert world.units("mug") == Units(0, 0, 4)
    assert isinstance(world.run(second)[0], InsufficientStock)


@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("deduct", list(Deduct))
@pytest.mark.parametrize("held_deducted", [False, True])
def test_a_hold_of_either_way_becomes_an_order_of_any_way(
    world: World, clock: Clock, deduct: Deduct, held_deducted: bool, paid: bool
) -> None:
    world.stocked("mug", units=4)
    world.do(Hold("h", {world.item("mug"): 4}, clock.after(60), deducted=held_deducted))
    state = {"number": "1", "placed_at": at(0).isoformat(), "deduct": deduct, "paid": paid, "takes": ["h"]}
    text = json.dumps({**state, "lines": [{"line_id": "1", "sku": "mug", "quantity": 3}]})
    with world.db.begin(1, actor="test") as tx:
        (command,) = own_orders.commands(tx, own_orders.read(text))
    world.do(command)
    unpaid = {RESERVE: Units(1, 3), AT_ORDER: Units(1, 0, 3), AT_PAYMENT: Units(4)}
    assert world.units("mug") == (Units(1, 0, 3) if paid else unpaid[deduct])

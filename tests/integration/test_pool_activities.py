"""Pools of activities: their window, preload, start, stop and report."""

from typing import Any

import pytest

from core.errors import InsufficientStock, Refused
from core.sales import campaigns, pool_report
from core.sales.holds import EndHold, Hold, PayHold
from core.sales.pools import ClosePool, Deal, Preload, Resize, SetWindow
from core.stock import PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.pool_world import in_pool, is_open_in, open_pool, row_of, shared, stocked

ACTIVITY = PoolKind.ACTIVITY


def activity(world: World, clock: Clock, units: int = 10, **told: Any) -> int:
    """MUG's campaign: it starts in an hour and lasts an hour."""
    return open_pool(
        world, "SALE", ACTIVITY, {"mug": units}, starts_at=clock.after(3600), ends_at=clock.after(7200),
        **told,
    )  # fmt: skip


def test_an_activity_is_a_plan_until_it_is_preloaded(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    pool = activity(world, clock)
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(10), Units(0))
    assert world.do(Preload(pool)) == stocked(world, {"mug": 10})
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(0), Units(10))


def test_preloaded_units_are_set_apart_but_not_drawn_before_the_start(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=10)
    pool = activity(world, clock)
    world.do(Preload(pool))
    world.hear(store, order(line("mug", 2)))
    assert in_pool(world, pool, "mug") == Units(10)
    assert shared(world, "mug") == Units(backordered=2)
    with pytest.raises(Refused, match="closed"):
        world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF, pool_id=pool))


def test_from_its_start_to_its_end_every_channel_draws_on_an_activity_first(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=12)
    pool = activity(world, clock)
    world.do(Preload(pool))
    clock.pass_(3600)
    world.hear(store, order(line("mug", 3), external_id="1"))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(7, reserved=3), Units(2))
    clock.pass_(3600)
    world.hear(store, order(line("mug", 1), external_id="2"))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(7, reserved=3), Units(1, reserved=1))


def test_an_activity_of_one_store_serves_no_other(world: World, clock: Clock) -> None:
    berlin = world.stocked("mug", units=10)
    hamburg = world.store("Hamburg")
    world.listings(hamburg, "mug")
    pool = activity(world, clock, store_id=berlin)
    world.do(Preload(pool))
    clock.pass_(3600)
    world.hear(hamburg, order(line("mug", 1), external_id="h"))
    world.hear(berlin, order(line("mug", 1), external_id="b"))
    assert in_pool(world, pool, "mug") == Units(9, reserved=1)
    assert shared(world, "mug") == Units(backordered=1)


def test_an_activity_may_not_take_more_than_there_is(world: World, clock: Clock) -> None:
    world.stocked("mug", units=6)
    pool = activity(world, clock)
    with pytest.raises(InsufficientStock) as short:
        world.do(Preload(pool))
    assert short.value.missing == stocked(world, {"mug": 4})
    assert world.do(Preload(pool, best_effort=True)) == stocked(world, {"mug": 6})
    assert in_pool(world, pool, "mug") == Units(6)


def test_a_short_preload_is_topped_up_until_the_activity_begins(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=6)
    pool = activity(world, clock)
    world.do(Preload(pool, best_effort=True))
    world.receive("mug", 2)
    assert world.do(Preload(pool, best_effort=True, attempt="2")) == stocked(world, {"mug": 2})
    assert world.do(Preload(pool, best_effort=True, attempt="2")) == {}
    clock.pass_(3600)
    world.hear(store, order(line("mug", 5, shipped=5), paid=True))
    world.receive("mug", 9)
    with pytest.raises(Refused, match="has begun"):
        world.do(Preload(pool, best_effort=True, attempt="3"))
    assert in_pool(world, pool, "mug") == Units(3)


def test_a_preload_that_is_told_twice_deals_once(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock)
    assert world.do(Preload(pool)) == stocked(world, {"mug": 10})
    assert world.do(Preload(pool)) == {}
    assert shared(world, "mug") == Units(20)


def test_an_activity_that_is_started_early_is_drawn_on_at_once_and_shown(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=10)
    pool = activity(world, clock)
    world.do(Preload(pool))
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    clock.pass_(60)
    assert world.do(SetWindow(pool, clock.now, clock.after(7140))) is True
    assert world.due(store, "mug") is not None
    world.hear(store, order(line("mug", 1)))
    assert in_pool(world, pool, "mug") == Units(9, reserved=1)


def test_what_an_activity_did_not_sell_goes_back_to_all_and_its_promises_stay(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=10)
    pool = activity(world, clock)
    world.do(Preload(pool))
    clock.pass_(3600)
    world.hear(store, order(line("mug", 3), external_id="1", paid=True))
    assert world.do(ClosePool(pool, "stopped")) == stocked(world, {"mug": 7})
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(sold=3), Units(7))
    assert row_of(world, pool).closed_at == clock.now
    assert is_open_in(world, pool, "mug") is False
    assert world.do(ClosePool(pool, "again")) is None
    world.hear(store, order(line("mug", 3, shipped=3), external_id="1", paid=True))
    assert in_pool(world, pool, "mug") == Units()


def test_units_that_are_given_back_after_the_end_are_everybodys(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    pool = activity(world, clock)
    world.do(Preload(pool))
    clock.pass_(3600)
    world.do(Hold("h", {world.item("mug"): 4}, FAR_OFF, pool_id=pool))
    world.do(ClosePool(pool))
    world.do(EndHold("h"))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(10))


@pytest.mark.parametrize("command", ["deal", "resize", "window", "preload"])
def test_nothing_is_done_with_an_activity_that_has_ended(world: World, clock: Clock, command: str) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock)
    clock.pass_(7200)
    some = stocked(world, {"mug": 1})
    tried = {
        "deal": Deal(pool, "a", some), "resize": Resize(pool, "a", some),
        "window": SetWindow(pool, clock.now, FAR_OFF), "preload": Preload(pool),
    }[command]  # fmt: skip
    for _ in ("its time is over", "it is closed, too"):
        with pytest.raises(Refused, match="has ended"):
            world.do(tried)
        world.do(ClosePool(pool))
    assert shared(world, "mug") == Units(30)


def test_the_clock_closes_only_what_has_ended(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock)
    assert world.do(ClosePool(pool, only_ended=True)) is None
    clock.pass_(7199)
    assert world.do(ClosePool(pool, only_ended=True)) is None
    assert row_of(world, pool).closed_at is None
    clock.pass_(1)
    world.do(ClosePool(pool, only_ended=True))
    assert row_of(world, pool).closed_at is not None


def test_a_window_is_moved_before_the_start_and_its_end_at_any_time(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock)
    world.do(SetWindow(pool, clock.after(600), clock.after(1200)))
    assert world.do(SetWindow(pool, clock.after(600), clock.after(1200))) is False
    clock.pass_(600)
    world.do(SetWindow(pool, clock.now, clock.after(6000)))
    with pytest.raises(Refused, match="has begun"):
        world.do(SetWindow(pool, clock.after(60), clock.after(6000)))
    with pytest.raises(Refused, match="end before it starts"):
        world.do(SetWindow(pool, clock.now, clock.after(-1)))


def test_what_is_due_by_the_clock_is_told_once(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock, preload_at=clock.after(1800), best_effort=True)

    def due() -> campaigns.Due:
        with world.db.begin(1, actor="test") as tx:
            return campaigns.due(tx)

    assert not due()
    clock.pass_(1800)
    assert due() == campaigns.Due([(pool, True)], [], [])
    world.do(Preload(pool, best_effort=True))
    with world.db.begin(1, actor="test") as tx:
        campaigns.preloaded(tx, [pool])
    assert not due()
    clock.pass_(1800)
    assert due() == campaigns.Due([], [pool], [])
    with world.db.begin(1, actor="test") as tx:
        campaigns.begun(tx, [pool])
    assert not due()
    clock.pass_(3600)
    assert due() == campaigns.Due([], [], [pool])
    world.do(ClosePool(pool, only_ended=True))
    assert not due()


def test_a_report_says_what_became_of_the_units_by_item_and_hour(world: World, clock: Clock) -> None:
    store = world.stocked("mug", "cup", units=40)
    pool = open_pool(
        world, "SALE", ACTIVITY, {"mug": 20, "cup": 5}, starts_at=clock.after(10), ends_at=clock.after(86_400)
    )
    world.do(Preload(pool))
    clock.pass_(20)
    world.hear(store, order(line("mug", 6), line("cup", 5), external_id="1"))
    clock.pass_(3600)
    world.hear(store, order(line("mug", 6, cancelled=2), line("cup", 5), external_id="1", paid=True))
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF, pool_id=pool))
    world.do(PayHold("h", "paid"))
    world.do(Hold("open", {world.item("mug"): 1}, FAR_OFF, pool_id=pool))
    clock.pass_(3600)
    world.hear(store, order(line("mug", 6, cancelled=2, shipped=4), line("cup", 5), external_id="1", paid=True))
    world.do(ClosePool(pool))

    with world.db.begin(1, actor="test") as tx:
        told = pool_report.report(tx, pool)

    cup, mug = told.items
    assert (mug.sku, mug.planned, mug.result.dealt, mug.result.returned) == ("mug", 20, 20, 12)
    assert (mug.result.ordered, mug.result.sold, mug.result.shipped) == (8, 7, 4)
    assert mug.result.sell_through == 0.4
    assert [(result.ordered, result.sold) for _, result in mug.hours] == [(6, 0), (2, 7)]
    assert [hour.minute for hour, _ in mug.hours] == [0, 0]
    assert (cup.result.dealt, cup.result.sold, cup.result.returned) == (5, 5, 0)
    assert (told.total.dealt, told.total.ordered, told.pool.state) == (25, 13, "ended")


def test_a_pool_says_in_which_state_it_is(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    pool = activity(world, clock)

    def state() -> str:
        with world.db.begin(1, actor="test") as tx:
            return pool_report.pool(tx, pool).state

    states = [state()]
    world.do(Preload(pool))
    states.append(state())
    for seconds in (3600, 3600):
        clock.pass_(seconds)
        states.append(state())
    world.do(ClosePool(pool, only_ended=True))
    assert [*states, state()] == ["planned", "ready", "running", "ending", "ended"]
    with world.db.begin(1, actor="test") as tx:
        assert pool_report.pools(tx) == []
        assert [one.code for one in pool_report.pools(tx, ended=True)] == ["SALE"]

"""Holds of our own interface: all or nothing, with an end that comes once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.command import Command
from core.errors import InsufficientStock, KeyReused, Refused
from core.sales import holds
from core.sales.holds import DEFAULT_TTL, EndHold, ExtendHold, Held, Hold, PayHold
from core.stock import PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, at, line, order
from tests.integration.hold_acts import expired
from tests.integration.lock_acts import bundle, floor
from tests.pool_world import open_pool, shared


def test_what_a_hold_that_gives_way_frees_beside_serves_who_waits_for_it(world: World) -> None:
    store_id = world.stocked("mug", "box", units=1)
    both = {world.item("mug"): 1, world.item("box"): 1}
    world.do(Hold("a", both, FAR_OFF, holder="acme"))
    floor(world, store_id, "box", 1)

    world.do(Hold("b", {world.item("mug"): 1}, FAR_OFF, holder="acme"))

    assert world.scalar("SELECT waiting FROM lock WHERE merchant_id = :merchant_id") == 0


def test_a_hold_on_a_pool_may_ask_for_any_number_of_items_that_the_pool_has_none_of(world: World) -> None:
    skus = [f"sku-{n}" for n in range(6)]
    store_id = world.stocked(*skus, "mug", units=5)
    pool_id = open_pool(world, "few", PoolKind.CHANNEL, {"mug": 1}, store_id=store_id)
    asked = {world.item(sku): 1 for sku in skus}

    held = world.do(Hold("h", asked, FAR_OFF, store_id, pool_id=pool_id, overflow=True))
    with pytest.raises(InsufficientStock):
        world.do(Hold("i", asked, FAR_OFF, store_id, pool_id=pool_id))

    assert isinstance(held, Held)
    assert [shared(world, sku).reserved for sku in skus] == [1] * 6


def test_a_hold_takes_all_its_units(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    world.do(Hold("h", {world.item("mug"): 3, world.item("cup"): 2}, FAR_OFF))
    assert (world.units("mug"), world.units("cup")) == (Units(2, 3), Units(3, 2))


def test_a_hold_that_cannot_have_everything_takes_nothing(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    with pytest.raises(InsufficientStock):
        world.do(Hold("h", {world.item("mug"): 3, world.item("cup"): 6}, FAR_OFF))
    assert (world.units("mug"), world.units("cup")) == (Units(5), Units(5))
    assert world.incidents() == []


@pytest.mark.parametrize("units", [0, -1])
def test_a_hold_of_less_than_one_unit_is_refused_in_clear_words(world: World, units: int) -> None:
    world.stocked("mug", "cup", units=5)
    with pytest.raises(Refused, match=f"at least 1 unit of each item; {units} of item"):
        world.do(Hold("h", {world.item("mug"): 2, world.item("cup"): units}, FAR_OFF))
    assert (world.units("mug"), world.documents()) == (Units(5), [])


def test_a_hold_of_nothing_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="none was named"):
        world.do(Hold("h", {}, FAR_OFF))


def test_a_refused_hold_leaves_no_order_behind(world: World) -> None:
    world.stocked("mug", units=1)
    with pytest.raises(InsufficientStock):
        world.do(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    assert world.ask("SELECT 1 FROM store_order WHERE merchant_id = :merchant_id") == []


def test_a_refused_hold_may_be_asked_for_again_with_its_key(world: World) -> None:
    world.stocked("mug", units=1)
    wanted = Hold("h", {world.item("mug"): 2}, FAR_OFF)
    with pytest.raises(InsufficientStock):
        world.do(wanted)
    world.receive("mug", 1)
    world.do(wanted)
    assert world.units("mug") == Units(0, 2)


def test_a_hold_asked_for_twice_is_made_once(world: World) -> None:
    world.stocked("mug", units=5)
    wanted = Hold("h", {world.item("mug"): 2}, FAR_OFF)
    assert world.do(wanted) == world.do(wanted)
    assert world.units("mug") == Units(3, 2)


def test_a_hold_key_with_other_units_is_refused(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    with pytest.raises(KeyReused):
        world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF))
    assert world.units("mug") == Units(3, 2)


def test_a_released_hold_gives_its_units_back_once(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    assert world.do(EndHold("h")) is True
    assert world.do(EndHold("h")) is False
    assert world.units("mug") == Units(5)


def test_a_release_before_its_hold_ends_in_the_same_state(world: World) -> None:
    world.stocked("mug", units=5)
    assert world.do(EndHold("h")) is False
    with pytest.raises(Refused, match="released before"):
        world.do(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    assert world.units("mug") == Units(5)


def test_a_hold_lasts_until_its_end_and_no_longer(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.now + DEFAULT_TTL))
    clock.pass_(DEFAULT_TTL.total_seconds() - 1)
    assert expired(world) == []
    assert world.do(EndHold("h", only_expired=True)) is False
    assert world.units("mug") == Units(3, 2)
    clock.pass_(1)
    assert expired(world) == ["h"]
    assert world.do(EndHold("h", only_expired=True)) is True
    assert world.units("mug") == Units(5)
    assert expired(world) == []
    assert world.documents() == ["reservation", "expiry"]


def test_expiry_with_eight_threads_ends_each_hold_once(world: World, clock: Clock) -> None:
    world.stocked("mug", units=30)
    for n in range(30):
        world.do(Hold(f"h{n}", {world.item("mug"): 1}, clock.after(60)))
    clock.pass_(61)

    def expire(_: int) -> int:
        return sum(world.run(*(EndHold(key, only_expired=True) for key in expired(world))))

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(expire, range(8)))
    assert sum(ended) == 30
    assert world.units("mug") == Units(30)
    assert world.documents().count("expiry") == 30


def test_expiry_does_not_touch_holds_that_still_run(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("short", {world.item("mug"): 1}, clock.after(60)))
    world.do(Hold("long", {world.item("mug"): 1}, clock.after(600)))
    clock.pass_(61)
    world.run(EndHold("short", only_expired=True), EndHold("long", only_expired=True))
    assert world.units("mug") == Units(4, 1)


def test_an_order_of_a_store_never_ends_by_our_clock(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=5)
    world.hear(store, order(line("mug", 2)))
    clock.pass_(timedelta(days=3650).total_seconds())
    assert expired(world) == []


def test_units_of_an_expired_hold_go_to_who_waits(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=2)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(60)))
    world.hear(store, order(line("mug", 1), paid=True))
    assert world.units("mug") == Units(0, 2, 0, 1)
    clock.pass_(60)
    world.do(EndHold("h", only_expired=True))
    assert world.units("mug") == Units(1, 0, 1, 0)


def test_many_holds_that_ran_out_are_listed_in_portions(world: World, clock: Clock) -> None:
    world.stocked("mug", units=9)
    world.run(*(Hold(f"h{n}", {world.item("mug"): 1}, at(0)) for n in range(9)))
    with world.db.begin(1, actor="test") as tx:
        assert len(holds.expired(tx, limit=4)) == 4


# ---- what is asked for


def test_best_effort_takes_what_there_is_and_says_what_is_missing(world: World) -> None:
    world.stocked("mug", "cup", units=2)
    mug, cup = world.item("mug"), world.item("cup")
    held = world.do(Hold("h", {mug: 3, cup: 1}, FAR_OFF, best_effort=True))
    assert held.missing == ((mug, 1),)
    assert (world.units("mug"), world.units("cup")) == (Units(0, 2), Units(1, 1))
    assert world.do(Hold("h", {mug: 3, cup: 1}, FAR_OFF, best_effort=True)) == held


def test_best_effort_on_nothing_at_all_is_refused(world: World) -> None:
    world.stocked("mug", units=0)
    with pytest.raises(InsufficientStock):
        world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF, best_effort=True))


def test_demand_is_summed_over_a_bundle_and_its_own_components(world: World) -> None:
    store = world.stocked("mug", units=5)
    world.listings(store, "set")
    bundle(world, "set", mug=2)
    with pytest.raises(InsufficientStock):
        world.do(Hold("h", {world.item("set"): 2, world.item("mug"): 2}, FAR_OFF))
    world.do(Hold("h", {world.item("set"): 2, world.item("mug"): 1}, FAR_OFF))
    assert world.units("mug") == Units(0, 5)


def test_a_hold_whose_key_looks_like_the_end_of_another_stands_by_itself(world: World) -> None:
    world.stocked("mug", units=5)
    for key in ("h", "h/end", "h/paid"):
        world.do(Hold(key, {world.item("mug"): 1}, FAR_OFF))
    world.do(PayHold("h", "paid"))
    world.do(EndHold("h"))
    assert world.units("mug") == Units(3, 2)


# ---- how long it lasts


def test_a_sign_of_life_lets_a_hold_last_its_full_time_again(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    clock.pass_(800)
    assert world.do(ExtendHold("h")) == clock.after(900)
    clock.pass_(899)
    assert world.do(EndHold("h", only_expired=True)) is False
    clock.pass_(1)
    assert world.do(EndHold("h", only_expired=True)) is True


def test_a_method_of_payment_may_give_a_hold_another_full_time(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    assert world.do(ExtendHold("h", ttl_s=86_400)) == clock.after(86_400)
    clock.pass_(1000)
    assert world.do(ExtendHold("h")) == clock.after(86_400)


def test_a_hold_does_not_run_out_while_its_payment_is_under_way(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    assert world.do(PayHold("h", "started")) is True
    assert world.do(PayHold("h", "started")) is False
    clock.pass_(86_400)
    assert expired(world) == []
    assert world.do(EndHold("h", only_expired=True)) is False
    with pytest.raises(Refused, match="does not run out"):
        world.do(ExtendHold("h"))
    assert world.units("mug") == Units(3, 2)


def test_a_payment_that_failed_gives_the_full_time_for_another_try(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    world.do(PayHold("h", "started"))
    clock.pass_(5_000)
    world.do(PayHold("h", "failed"))
    clock.pass_(899)
    assert expired(world) == []
    clock.pass_(1)
    assert expired(world) == ["h"]


def test_a_paid_hold_stays_sold_and_late_news_of_its_payment_changes_nothing(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    assert world.do(PayHold("h", "paid")) is True
    assert world.do(PayHold("h", "paid")) is False
    assert world.do(PayHold("h", "started")) is False
    with pytest.raises(Refused, match="give its units back with a release"):
        world.do(PayHold("h", "failed"))
    clock.pass_(86_400)
    assert expired(world) == []
    assert world.units("mug") == Units(3, 0, 2)
    world.do(EndHold("h"))
    assert world.units("mug") == Units(5)


@pytest.mark.parametrize("command", [ExtendHold("h"), PayHold("h", "started"), PayHold("h", "paid")])
def test_what_concerns_no_hold_or_one_that_has_ended_is_refused_and_says_so(world: World, command: Command) -> None:
    world.stocked("mug", units=5)
    with pytest.raises(Refused, match="there is no hold h; make it first"):
        world.do(command)
    world.do(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    world.do(EndHold("h"))
    with pytest.raises(Refused, match="has ended"):
        world.do(command)

"""Holds of our own interface: all or nothing, with an end that comes once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core import holds
from core.errors import InsufficientStock, KeyReused, Refused
from core.holds import DEFAULT_TTL, EndHold, Hold
from core.transaction import Database
from tests.builders import FAR_OFF, Clock, Units, World, at, line, order


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    db.clock = held
    return held


def expired(world: World) -> list[str]:
    with world.db.begin(1, actor="test") as tx:
        return sorted(holds.expired(tx))


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

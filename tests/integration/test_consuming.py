"""Goods of a pure lock go to an order: taken out, promised and allocated in one batch, so nobody can come between."""

from typing import Any

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.fulfilment.consuming import ConsumeFor
from core.model import Deduct
from core.rows import StoreKey
from core.sales.locks import ConsumeLock, Done, ReleaseLock
from tests.builders import Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration.fulfilment_acts import act, dispatch, fulfilments, goods, place, put
from tests.integration.lock_acts import bundle, lock, pool, shared
from tests.integration.race_acts import kept, together
from tests.integration.test_fulfilment_races import forget_row_locks


def consume(world: World, units: int, external_id: str = "1001", key: str = "fba", ref: str = "") -> Any:
    return ConsumeFor(key, StoreKey(int(world.scalar("SELECT id FROM store")), external_id), units, ref or external_id)


def paid(world: World, units: int, external_id: str = "1001") -> None:
    store = int(world.scalar("SELECT id FROM store"))
    world.hear(store, order(line("mug", units), external_id=external_id, paid=True))


@pytest.fixture
def shop(world: World) -> World:
    """HAMBURG has 4 mugs, all of them in the pure lock "fba"; MAIN has none."""
    hamburg = place(world, "HAMBURG", priority=-1)
    world.stocked("mug", units=0)
    put(world, "HAMBURG", mug=4)
    lock(world, "fba", "mug", 4, warehouse_id=hamburg, pure=True)
    return world


def test_an_order_that_waits_gets_the_goods_and_their_warehouse_is_to_send_them(shop: World) -> None:
    paid(shop, 3)
    assert shop.units("mug") == Units(0, 0, 0, 3)

    assert shop.do(consume(shop, 2)) == Done("active", -2, 0)

    assert (pool(shop, "fba"), shared(shop, "mug")) == (Units(2), Units(0, 0, 2, 1))
    assert goods(shop, "mug")["HAMBURG"] == (0, 2, 0)
    assert [row.code for row in fulfilments(shop)] == ["HAMBURG"]
    act(shop, "ship")
    assert goods(shop, "mug")["HAMBURG"] == (0, 0, 0)
    assert (pool(shop, "fba"), shared(shop, "mug")) == (Units(2), Units(0, 0, 0, 1))


def test_who_waited_longer_does_not_come_between(shop: World) -> None:
    paid(shop, 4, "older")
    paid(shop, 2)

    shop.do(consume(shop, 2))

    assert goods(shop, "mug")["HAMBURG"] == (0, 2, 0)
    assert fulfilments(shop, "older") == []
    assert [row.code for row in fulfilments(shop)] == ["HAMBURG"]


def test_units_promised_from_elsewhere_leave_from_the_lock_and_serve_who_waits(shop: World) -> None:
    put(shop, "MAIN", mug=3)
    paid(shop, 3)
    paid(shop, 2, "later")
    assert shop.units("mug") == Units(0, 0, 3, 2)

    shop.do(consume(shop, 3))

    assert (pool(shop, "fba"), shared(shop, "mug")) == (Units(1), Units(1, 0, 5))
    assert goods(shop, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (0, 3, 0)}


def test_what_waits_and_what_nobody_is_to_send_yet_leave_together(shop: World) -> None:
    put(shop, "MAIN", mug=2)
    paid(shop, 3)
    assert shop.units("mug") == Units(0, 0, 2, 1)

    shop.do(consume(shop, 3))

    assert (pool(shop, "fba"), shared(shop, "mug")) == (Units(1), Units(2, 0, 3))
    assert goods(shop, "mug") == {"MAIN": (2, 0, 0), "HAMBURG": (0, 3, 0)}
    assert len(fulfilments(shop)) == 1


def test_it_happens_once_per_reference(shop: World) -> None:
    paid(shop, 3)

    answers = [shop.do(consume(shop, 2, ref="truck")) for _ in range(2)]

    assert answers == [Done("active", -2, 0)] * 2
    assert len(fulfilments(shop)) == 1
    with pytest.raises(KeyReused):
        shop.do(consume(shop, 1, ref="truck"))
    with pytest.raises(KeyReused):
        shop.do(ConsumeLock("fba", 2, "truck"))


def test_more_than_the_order_wants_is_refused_and_nothing_moves(shop: World) -> None:
    paid(shop, 3)
    shop.do(consume(shop, 2))

    with pytest.raises(Refused, match=r"has 1 paid unit of it that no warehouse is to send.*; take 1 or less"):
        shop.do(consume(shop, 2, ref="again"))

    assert (pool(shop, "fba"), len(fulfilments(shop))) == (Units(2), 1)


@pytest.mark.parametrize(
    ("units", "why"), [(5, "has 4 units to take"), (0, "name 1 unit or more"), (-1, "name 1 unit or more")]
)
def test_what_the_lock_has_not_is_refused(shop: World, units: int, why: str) -> None:
    paid(shop, 9)

    with pytest.raises(Refused, match=why):
        shop.do(consume(shop, units))


@pytest.mark.parametrize("deduct", list(Deduct))
def test_an_order_that_is_not_paid_gets_nothing(shop: World, deduct: Deduct) -> None:
    store = int(shop.scalar("SELECT id FROM store"))
    shop.hear(store, order(line("mug", 3)), deduct=deduct)

    with pytest.raises(Refused, match="0 paid units"):
        shop.do(consume(shop, 1))


def test_an_unknown_order_or_lock_is_named(shop: World) -> None:
    paid(shop, 1)

    with pytest.raises(NotFound, match="order 77 is not known"):
        shop.do(consume(shop, 1, "77"))
    with pytest.raises(NotFound, match="there is no lock abc"):
        shop.do(consume(shop, 1, key="abc"))
    assert shop.scalar("SELECT count(*) FROM store_order") == 1


def test_a_lock_that_orders_draw_on_is_not_consumed(shop: World) -> None:
    put(shop, "MAIN", mug=2)
    paid(shop, 2)
    place_id = int(shop.scalar("SELECT id FROM warehouse WHERE code = 'HAMBURG'"))
    shop.do(ReleaseLock("fba"))
    lock(shop, "fair", "mug", 2, warehouse_id=place_id)

    with pytest.raises(Refused, match="is not pure"):
        shop.do(consume(shop, 1, key="fair"))


def test_a_component_of_a_bundle_waits_for_the_others(shop: World) -> None:
    store = int(shop.scalar("SELECT id FROM store"))
    shop.stocked("set", "pot", units=0)
    bundle(shop, "set", mug=1, pot=1)
    shop.hear(store, order(line("set", 1), paid=True))

    with pytest.raises(Refused, match=r"0 paid units of it .*components of bundles aside"):
        shop.do(consume(shop, 1))


def test_what_its_order_cancels_is_free_and_the_lock_stays_as_it_is(shop: World) -> None:
    paid(shop, 2)
    shop.do(consume(shop, 2))

    store = int(shop.scalar("SELECT id FROM store"))
    shop.hear(store, order(line("mug", 2, cancelled=2), paid=True))

    assert (pool(shop, "fba"), shared(shop, "mug")) == (Units(2), Units(2))
    assert goods(shop, "mug")["HAMBURG"] == (2, 0, 0)


def test_many_at_once_take_what_there_is_and_no_more(shop: World) -> None:
    for nth in range(3):
        paid(shop, 2, str(nth))
    commands = [consume(shop, 2, str(nth % 3), ref=str(nth)) for nth in range(6)]

    results = together(lambda n: shop.run(commands[n])[0], range(6), threads=6)

    assert kept(results) == 2
    assert goods(shop, "mug")["HAMBURG"] == (0, 4, 0)
    assert sum(len(fulfilments(shop, str(nth))) for nth in range(3)) == 2


@pytest.mark.broken_books
def test_without_row_locks_two_orders_get_the_same_goods(
    shop: World, monkeypatch: pytest.MonkeyPatch, logins: Logins
) -> None:
    for nth in range(2):
        paid(shop, 3, str(nth))
    commands = [consume(shop, 3, str(nth)) for nth in range(2)]
    forget_row_locks(monkeypatch)

    results = together(lambda n: shop.run(commands[n])[0], range(2), threads=2)

    assert kept(results) == 2
    assert violations(logins) != []


def fill_a_day(shop: World) -> None:
    """HAMBURG, asked first, sends one parcel a day and has it: goods of its lock. Both warehouses have three mugs."""
    shop.tell("UPDATE warehouse SET capacity_per_day = 1, priority = 9 WHERE code = 'HAMBURG'")
    put(shop, "MAIN", mug=3)
    put(shop, "HAMBURG", mug=3)
    paid(shop, 1)
    shop.do(consume(shop, 1))


def test_parcels_of_a_consumed_lock_fill_a_day_and_those_given_back_make_room_again(shop: World) -> None:
    fill_a_day(shop)

    for number in ("1002", "1003"):
        paid(shop, 1, number)
    dispatch(shop, "1002")
    act(shop, "give back")
    dispatch(shop, "1003")

    assert [[row.code for row in fulfilments(shop, number)] for number in ("1002", "1003")] == [["MAIN"], ["HAMBURG"]]


def test_a_parcel_that_left_on_another_day_is_not_counted(shop: World) -> None:
    fill_a_day(shop)
    act(shop, "ship")
    paid(shop, 1, "1002")
    paid(shop, 1, "1003")

    dispatch(shop, "1002")  # what was shipped counts for the day on which it was to leave
    shop.tell("UPDATE fulfilment_order SET made_at = made_at - interval '7 days' WHERE decision_id IS NULL")
    dispatch(shop, "1003")

    assert [[row.code for row in fulfilments(shop, number)] for number in ("1002", "1003")] == [["MAIN"], ["HAMBURG"]]

"""Presales: sold before it is there, in a window and up to a cap, with deposits, and handed over when goods arrive."""

from datetime import datetime
from typing import Any

import pytest

from core.errors import InsufficientStock, LimitExceeded, Refused
from core.sales import holds, pool_report, presale
from core.sales.holds import EndHold, ExtendHold, Hold, PayHold
from core.sales.pools import ClosePool, Collect, Deal
from core.sales.presale import PayDeposit
from core.stock import PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.pool_world import in_pool, is_open_in, open_pool, row_of, shared, stocked

DAY = 86_400


def open_presale(world: World, units: int = 10, sku: str = "mug", **told: Any) -> int:
    return open_pool(world, f"PRE-{sku}", PoolKind.PRESALE, {sku: units}, **told)


def hold(world: World, pool: int, key: str, units: int, *, holder: str = "", until: datetime = FAR_OFF) -> None:
    world.do(Hold(key, {world.item("mug"): units}, until, holder=holder, pool_id=pool))


def promises(world: World, key: str) -> list[tuple[int, int, int, bool, bool]]:
    """Of a hold: waiting, live, released, is presale, is deducted."""
    rows = world.ask(
        """SELECT waiting, live, released, presale, deducted FROM promise WHERE merchant_id = :merchant_id
             AND order_id = (SELECT id FROM document WHERE merchant_id = :merchant_id AND effect_key = :key)
           ORDER BY id""",
        key=f"hold/{key}",
    )
    return [tuple(row) for row in rows]


def expire(world: World) -> list[str]:
    with world.db.begin(1, actor="test") as tx:
        keys = sorted(holds.expired(tx))
    world.run(*(EndHold(key, only_expired=True) for key in keys))
    return keys


# ---- selling


def test_a_presale_sells_units_that_are_not_there(world: World) -> None:
    store = world.stocked("mug", units=0)
    pool = open_presale(world)
    world.hear(store, order(line("mug", 3), paid=True))
    assert in_pool(world, pool, "mug") == Units(7, sold=3)
    assert (world.on_hand("mug"), world.incidents()) == ((0, 0), [])
    assert world.documents() == ["presale", "reservation", "deduction"]


def test_goods_that_are_there_are_sold_before_a_presale(world: World) -> None:
    store = world.stocked("mug", units=2)
    pool = open_presale(world)
    world.hear(store, order(line("mug", 3)))
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(reserved=2), Units(9, reserved=1))


def test_a_presale_sells_no_more_than_its_cap(world: World) -> None:
    store = world.stocked("mug", units=0)
    pool = open_presale(world, 2)
    world.hear(store, order(line("mug", 3)))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(reserved=2), Units(backordered=1))
    with pytest.raises(InsufficientStock):
        hold(world, pool, "h", 1)


def test_a_presale_sells_in_its_window_alone(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world, starts_at=clock.after(10), ends_at=clock.after(20))
    with pytest.raises(Refused, match="closed"):
        hold(world, pool, "early", 1)
    clock.pass_(10)
    hold(world, pool, "in time", 1)
    clock.pass_(10)
    with pytest.raises(Refused, match="closed"):
        hold(world, pool, "late", 1)
    assert in_pool(world, pool, "mug") == Units(9, reserved=1)


def test_a_presale_of_one_store_sells_in_no_other(world: World) -> None:
    berlin = world.stocked("mug", units=0)
    hamburg = world.store("Hamburg")
    world.listings(hamburg, "mug")
    pool = open_presale(world, store_id=berlin)
    world.hear(hamburg, order(line("mug", 1)))
    with pytest.raises(InsufficientStock):
        world.do(Hold("own", {world.item("mug"): 1}, FAR_OFF))
    assert in_pool(world, pool, "mug") == Units(10)
    assert shared(world, "mug") == Units(backordered=1)


def test_the_cap_of_a_presale_rises_and_falls(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world, 5)
    hold(world, pool, "h", 2)
    world.do(Deal(pool, "more", stocked(world, {"mug": 4})))
    world.do(Collect(pool, "less", stocked(world, {"mug": 1})))
    assert in_pool(world, pool, "mug") == Units(6, reserved=2)
    with pytest.raises(InsufficientStock):
        world.do(Collect(pool, "too much", stocked(world, {"mug": 7})))
    with world.db.begin(1, actor="test") as tx:
        assert [one.planned for one in pool_report.items(tx, pool)] == [8]


# ---- one customer


def limited(world: World, units: int) -> int:
    pool = open_presale(world)
    with world.db.begin(1, actor="test") as tx:
        presale.limit_per_customer(tx, pool, [world.item("mug")], units)
    return pool


def test_one_customer_gets_no_more_of_a_presale_than_its_limit(world: World) -> None:
    world.stocked("mug", units=0)
    pool = limited(world, 3)
    hold(world, pool, "a", 2, holder="c-1")
    world.do(PayHold("a", "paid"))
    with pytest.raises(LimitExceeded):
        hold(world, pool, "b", 2, holder="c-1")
    hold(world, pool, "c", 1, holder="c-1")
    hold(world, pool, "d", 3, holder="c-2")
    assert in_pool(world, pool, "mug") == Units(4, reserved=4, sold=2)


def test_who_does_not_say_who_buys_gets_nothing_of_a_presale_with_a_limit(world: World) -> None:
    world.stocked("mug", units=0)
    pool = limited(world, 3)
    with pytest.raises(Refused, match="name the holder"):
        hold(world, pool, "a", 1)
    with pytest.raises(InsufficientStock):
        world.do(Hold("b", {world.item("mug"): 1}, FAR_OFF))
    assert in_pool(world, pool, "mug") == Units(10)


def test_goods_that_came_still_count_for_the_limit_and_what_was_given_back_does_not(world: World) -> None:
    world.stocked("mug", units=0)
    pool = limited(world, 3)
    hold(world, pool, "a", 2, holder="c-1")
    world.do(PayHold("a", "paid"))
    world.receive("mug", 2)
    with pytest.raises(LimitExceeded):
        hold(world, pool, "b", 2, holder="c-1")
    world.do(EndHold("a"))
    hold(world, pool, "b", 3, holder="c-1")
    assert in_pool(world, pool, "mug") == Units(5, reserved=1)
    assert shared(world, "mug") == Units(reserved=2)


# ---- two payments


def test_a_paid_deposit_holds_units_until_the_rest_is_owed(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 2, until=clock.after(900))
    assert world.do(PayDeposit("h", clock.after(30 * DAY))) is True
    assert world.do(PayDeposit("h", clock.after(30 * DAY))) is False
    clock.pass_(30 * DAY - 1)
    assert expire(world) == []
    assert in_pool(world, pool, "mug") == Units(8, reserved=2)


def test_the_second_payment_sells_the_units_for_good(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 2, until=clock.after(900))
    world.do(PayDeposit("h", clock.after(30 * DAY)))
    clock.pass_(29 * DAY)
    assert world.do(PayHold("h", "paid")) is True
    clock.pass_(30 * DAY)
    assert expire(world) == []
    assert in_pool(world, pool, "mug") == Units(8, sold=2)


def test_a_rest_that_is_not_paid_in_time_gives_the_units_back_and_says_why(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 2, until=clock.after(900))
    world.do(PayDeposit("h", clock.after(30 * DAY)))
    clock.pass_(30 * DAY)
    assert expire(world) == ["h"]
    assert in_pool(world, pool, "mug") == Units(10)
    assert world.scalar(
        "SELECT reason FROM document WHERE merchant_id = :merchant_id AND kind = 'expiry'"
    ) == "the deposit was paid, the rest was not"  # fmt: skip


def test_a_payment_of_the_rest_under_way_is_waited_for_and_one_that_fails_wins_no_time(
    world: World, clock: Clock
) -> None:
    world.stocked("mug", units=0)
    open_presale(world)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    world.do(PayDeposit("h", clock.after(30 * DAY)))
    clock.pass_(30 * DAY - 5)
    world.do(PayHold("h", "started"))
    clock.pass_(60)
    assert expire(world) == []
    world.do(PayHold("h", "failed"))
    assert expire(world) == ["h"]


def test_a_sign_of_life_moves_no_date_of_payment(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 2, until=clock.after(900))
    world.do(PayDeposit("h", clock.after(DAY)))
    with pytest.raises(Refused, match=r"deposit of hold h is paid.*`holdfast reserve show h` says when"):
        world.do(ExtendHold("h"))
    world.do(PayDeposit("h", clock.after(2 * DAY)))
    clock.pass_(DAY)
    assert expire(world) == []


def test_a_hold_with_its_deposit_paid_gives_way_to_no_other_of_its_holder(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world, 2)
    hold(world, pool, "h", 2, holder="c-1", until=clock.after(900))
    world.do(PayDeposit("h", clock.after(DAY)))
    with pytest.raises(InsufficientStock):
        hold(world, pool, "other", 1, holder="c-1", until=clock.after(900))
    assert promises(world, "h") == [(0, 2, 0, True, False)]


@pytest.mark.parametrize("state", ["ended", "paid", "no presale", "owed already"])
def test_a_deposit_that_makes_no_sense_is_refused(world: World, clock: Clock, state: str) -> None:
    world.stocked("mug", units=0 if state != "no presale" else 9)
    open_presale(world)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(900)))
    if state == "ended":
        world.do(EndHold("h"))
    if state == "paid":
        world.do(PayHold("h", "paid"))
    with pytest.raises(Refused):
        world.do(PayDeposit("h", clock.after(-1 if state == "owed already" else DAY)))


def test_goods_for_a_paid_deposit_are_kept_for_it_until_the_rest_is_owed(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 2, until=clock.after(900))
    world.do(PayDeposit("h", clock.after(DAY)))
    world.receive("mug", 5)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(8), Units(3, reserved=2))
    clock.pass_(DAY)
    assert expire(world) == ["h"]
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(8), Units(5))


# ---- the end


def test_what_a_presale_did_not_sell_is_gone_at_its_end(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world, ends_at=clock.after(10))
    hold(world, pool, "h", 4)
    clock.pass_(10)
    assert world.do(ClosePool(pool, only_ended=True)) == stocked(world, {"mug": 6})
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(reserved=4), Units())
    assert world.documents()[-1] == "presale_end"


def test_units_that_are_given_back_after_the_end_are_gone_too(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 4)
    world.do(ClosePool(pool))
    world.do(EndHold("h"))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units())


def test_goods_are_handed_over_after_the_end_and_then_the_item_is_put_away(world: World) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    hold(world, pool, "h", 4)
    world.do(PayHold("h", "paid"))
    world.do(ClosePool(pool))
    assert is_open_in(world, pool, "mug") is True
    world.receive("mug", 3)
    world.do(ClosePool(pool))
    assert is_open_in(world, pool, "mug") is True
    world.receive("mug", 3)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(), Units(2, sold=4))
    assert world.do(ClosePool(pool)) is None
    assert is_open_in(world, pool, "mug") is False
    assert row_of(world, pool).closed_at is not None


# ---- goods arrive


def test_goods_go_to_paid_backorders_then_to_the_presale_then_to_unpaid_ones(world: World) -> None:
    store = world.stocked("mug", units=0)
    for name, paid in (("unpaid", False), ("paid", True)):
        world.hear(store, order(line("mug", 2), external_id=name, paid=paid))
    pool = open_presale(world)
    hold(world, pool, "h", 2)
    world.receive("mug", 3)
    assert promises(world, "h") == [(0, 1, 0, True, False), (0, 1, 0, False, False)]
    assert shared(world, "mug") == Units(sold=2, reserved=1, backordered=2)
    world.receive("mug", 3)
    assert promises(world, "h") == [(0, 1, 0, False, False), (0, 1, 0, False, False)]
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(sold=2, reserved=4), Units(8))


def test_among_those_of_a_presale_the_oldest_is_served_first(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    for key in ("first", "second", "third"):
        hold(world, pool, key, 2)
        clock.pass_(1)
    world.receive("mug", 3)
    assert [promises(world, key)[0][3] for key in ("first", "second", "third")] == [False, True, True]
    world.receive("mug", 1)
    assert [len(promises(world, key)) for key in ("first", "second", "third")] == [1, 2, 1]
    assert not any(row[3] for row in promises(world, "second"))


def test_a_bundle_that_was_sold_in_a_presale_gets_each_component_as_it_comes(world: World) -> None:
    store = world.stocked("set", units=0)
    world.listings(world.store("Workshop"), "mug", "cup")
    bundle = world.item("set")
    for sku, quantity in (("mug", 2), ("cup", 1)):
        world.tell(
            """INSERT INTO component (merchant_id, bundle_item_id, item_id, grade, quantity)
               VALUES (:merchant_id, :bundle, :item, 'good', :quantity)""",
            bundle=bundle.item_id, item=world.item(sku).item_id, quantity=quantity,
        )  # fmt: skip
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND id = :id", id=bundle.item_id)
    pool = open_pool(world, "PRE", PoolKind.PRESALE, {"mug": 10, "cup": 5})
    world.hear(store, order(line("set", 3), paid=True))
    assert (in_pool(world, pool, "mug"), in_pool(world, pool, "cup")) == (Units(4, sold=6), Units(2, sold=3))
    world.receive("mug", 4)
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(4, sold=2), Units(sold=4))
    world.receive("mug", 2)
    world.receive("cup", 3)
    assert (shared(world, "mug"), shared(world, "cup")) == (Units(sold=6), Units(sold=3))
    world.hear(store, order(line("set", 3, shipped=3), paid=True))
    assert (shared(world, "mug"), world.on_hand("mug")) == (Units(), (0, 0))


def test_a_presale_that_the_store_ships_without_a_word_leaves_the_presale(world: World) -> None:
    store = world.stocked("mug", units=0)
    pool = open_presale(world)
    world.hear(store, order(line("mug", 3), paid=True))
    world.hear(store, order(line("mug", 3, shipped=2), paid=True))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(7, sold=1), Units())


def test_a_report_follows_what_a_presale_sold_beyond_its_pool(world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    pool = open_presale(world)
    for key, units in (("paid later", 3), ("deposit", 2), ("open", 1)):
        hold(world, pool, key, units)
        clock.pass_(1)
    world.do(PayDeposit("deposit", clock.after(DAY)))
    world.receive("mug", 3)
    world.do(PayHold("paid later", "paid"))
    with world.db.begin(1, actor="test") as tx:
        told = pool_report.report(tx, pool)
    result = told.items[0].result
    assert (result.dealt, result.ordered, result.sold, result.deposits, result.handed_over) == (10, 6, 3, 2, 3)
    assert told.total == result

"""Purchase limits, and holds that give way to their own holder."""

from datetime import datetime, timedelta

import pytest

from core.errors import InsufficientStock, LimitExceeded, NotFound, Refused
from core.rows import LimitRow
from core.sales import limit_rules
from core.sales.holds import EndHold, Held, Hold, PayHold
from core.sales.limits import Per, day_began, words_of
from core.stock import MINOR_DEFECT, PoolKind
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.limit_acts import buy, hold, limit, refusal
from tests.integration.lock_acts import bundle
from tests.pool_world import open_pool

# ---- limits


def test_an_order_takes_no_more_than_its_limit_whoever_asks(world: World) -> None:
    world.stocked("mug", units=9)
    limit(world, Per.ORDER, 3, "mug")
    assert refusal(world, hold(world, "h", 4, holder="")) == (3, 0, 4)
    world.do(hold(world, "h", 3, holder=""))
    world.do(hold(world, "i", 3, holder=""))
    assert world.units("mug") == Units(3, 6)


def test_a_customer_takes_no_more_than_the_limit_ever(world: World, clock: Clock) -> None:
    world.stocked("mug", units=9)
    limit(world, Per.CUSTOMER, 3, "mug")
    buy(world, "h", 2)
    clock.pass_(20 * 86_400)
    assert refusal(world, hold(world, "i", 2)) == (3, 2, 2)
    world.do(hold(world, "i", 1))
    world.do(hold(world, "j", 3, holder="c-2"))
    assert world.units("mug") == Units(3, 4, 2)


def test_a_refusal_by_a_limit_names_item_limit_use_and_cure(world: World) -> None:
    world.stocked("mug", units=9)
    limit(world, Per.CUSTOMER, 3, "mug")
    buy(world, "h", 2)
    with pytest.raises(
        LimitExceeded, match="one customer may take 3 units of mug: 2 are taken and 2 more were asked for; ask for 1 or"
    ):
        world.do(hold(world, "i", 2))


def test_who_says_nothing_of_the_holder_cannot_pass_a_limit_of_customers(world: World) -> None:
    world.stocked("mug", "cup", units=9)
    limit(world, Per.CUSTOMER, 3, "mug")
    with pytest.raises(Refused, match="say who asks: name the holder"):
        world.do(hold(world, "h", 1, holder=""))
    world.do(hold(world, "h", 1, "cup", holder=""))


def test_a_limit_of_a_day_begins_anew_at_the_merchants_midnight(world: World, clock: Clock) -> None:
    """The merchant is in Berlin: midnight there is 23:00 or 22:00 of UTC."""
    world.stocked("mug", units=9)
    limit(world, Per.DAY, 2, "mug")
    midnight = day_began(clock.now, "Europe/Berlin") + timedelta(days=1, hours=12)
    clock.now = day_began(midnight, "Europe/Berlin") - timedelta(minutes=1)
    buy(world, "h", 2)
    assert refusal(world, hold(world, "i", 1)) == (2, 2, 1)
    clock.pass_(60)
    world.do(hold(world, "i", 2))


@pytest.mark.parametrize(
    ("now", "began"),
    [
        ("2026-03-29T00:30:00+00:00", "2026-03-28T23:00:00+00:00"),  # the clocks go forward this night
        ("2026-03-29T21:59:00+00:00", "2026-03-28T23:00:00+00:00"),
        ("2026-03-29T22:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("2026-10-25T22:59:00+00:00", "2026-10-24T22:00:00+00:00"),  # and back
        ("2026-10-25T23:00:00+00:00", "2026-10-25T23:00:00+00:00"),
    ],
)
def test_a_day_is_as_long_as_the_merchants_clock_says(now: str, began: str) -> None:
    assert day_began(datetime.fromisoformat(now), "Europe/Berlin") == datetime.fromisoformat(began)


def test_a_limit_over_all_items_adds_them_up(world: World) -> None:
    world.stocked("mug", "cup", units=9)
    limit(world, Per.DAY, 4)
    buy(world, "h", 3)
    assert refusal(world, hold(world, "i", 2, "cup")) == (4, 3, 2)
    world.do(hold(world, "i", 1, "cup"))


def test_a_limit_counts_both_grades_and_the_components_of_bundles(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.listings(store, "set")
    bundle(world, "set", mug=2)
    limit(world, Per.CUSTOMER, 5, "mug")
    buy(world, "h", 2, "set")
    assert refusal(world, hold(world, "i", 1, "set")) == (5, 4, 2)
    with pytest.raises(LimitExceeded):
        world.do(Hold("j", {world.item("mug")._replace(grade=MINOR_DEFECT): 2}, FAR_OFF, holder="c-1"))


def test_a_bundle_itself_is_not_limited(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.listings(store, "set")
    bundle(world, "set", mug=2)
    with pytest.raises(Refused, match="only the components are counted"):
        limit(world, Per.CUSTOMER, 5, "set")


def test_orders_count_and_are_never_refused(world: World) -> None:
    store = world.stocked("mug", units=20)
    limit(world, Per.CUSTOMER, 5, "mug")
    world.hear(store, order(line("mug", 7), paid=True), holder="c-1")
    assert refusal(world, hold(world, "h", 1)) == (5, 7, 1)
    world.hear(store, order(line("mug", 7, cancelled=4, shipped=3), paid=True), holder="c-1")
    assert refusal(world, hold(world, "h", 3)) == (5, 3, 3)
    world.do(hold(world, "h", 2))


def test_what_is_released_counts_no_more(world: World) -> None:
    world.stocked("mug", units=20)
    limit(world, Per.CUSTOMER, 5, "mug")
    buy(world, "h", 5)
    assert refusal(world, hold(world, "i", 1)) == (5, 5, 1)
    world.do(EndHold("h"))
    world.do(hold(world, "i", 5))
    assert world.units("mug") == Units(15, 5)


def test_two_holds_in_one_batch_count_each_other(world: World) -> None:
    world.stocked("mug", units=20)
    limit(world, Per.CUSTOMER, 5, "mug")
    buy(world, "h", 2)
    results = world.run(hold(world, "i", 2), PayHold("i", "paid"), hold(world, "j", 2), hold(world, "k", 1))
    assert [type(result) for result in results] == [Held, bool, LimitExceeded, Held]


def test_a_hold_repeated_under_its_key_is_answered_as_before_though_the_limit_is_used_up(world: World) -> None:
    world.stocked("mug", units=20)
    limit(world, Per.CUSTOMER, 5, "mug")
    first = world.do(hold(world, "h", 5))
    assert world.do(hold(world, "h", 5)) == first
    assert world.units("mug") == Units(15, 5)


def test_the_first_limit_of_a_merchant_holds_at_once_and_the_last_one_taken_back_is_gone(world: World) -> None:
    world.stocked("mug", units=20)
    world.do(hold(world, "g", 9))
    limit(world, Per.ORDER, 2, "mug")
    assert refusal(world, hold(world, "h", 3)) == (2, 0, 3)
    with world.db.begin(1, actor="test") as tx:
        limit_rules.remove(tx, Per.ORDER, item_id=world.item("mug").item_id)
    world.do(hold(world, "h", 3, holder="c-2"))
    with world.db.begin(1, actor="test") as tx, pytest.raises(NotFound):
        limit_rules.remove(tx, Per.ORDER)


def test_a_limit_set_again_is_changed(world: World) -> None:
    world.stocked("mug", units=20)
    limit(world, Per.ORDER, 2)
    limit(world, Per.ORDER, 4)
    with world.db.begin(1, actor="test") as tx:
        assert [words_of(row) for row in limit_rules.every(tx)] == ["one order may take 4 units of all items together"]


def test_an_activity_gives_a_customer_so_many_and_the_rest_comes_from_elsewhere(world: World) -> None:
    world.stocked("mug", units=9)
    pool_id = open_pool(world, "flash", PoolKind.CHANNEL, {"mug": 5}, store_id=0)
    limit(world, Per.ACTIVITY, 2, "mug", pool_id=pool_id)
    buy(world, "h", 3)
    drawn = world.ask("SELECT pool_id = :pool AS here, live FROM promise ORDER BY id", pool=pool_id)
    assert [tuple(row) for row in drawn] == [(True, 2), (False, 1)]
    assert refusal(world, hold(world, "i", 1, pool_id=pool_id)) == (2, 2, 1)
    world.do(hold(world, "i", 2, holder="c-2", pool_id=pool_id))
    with pytest.raises(Refused, match="say who asks"):
        world.do(hold(world, "j", 1, holder="", pool_id=pool_id))
    world.do(hold(world, "j", 1, holder=""))
    assert world.scalar("SELECT free FROM sales_balance WHERE pool_id = :pool", pool=pool_id) == 1


# ---- giving way


def test_a_holders_own_hold_gives_way_when_units_fall_short(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 4))
    world.do(hold(world, "tab-2", 3))
    assert world.units("mug") == Units(2, 3)
    with pytest.raises(Refused, match="tab-1 has ended"):
        world.do(PayHold("tab-1", "paid"))
    reasons = world.ask("SELECT reason FROM document WHERE kind = 'release'")
    assert [row.reason for row in reasons] == ["gave way to hold tab-2 of the same holder"]


def test_a_hold_that_is_not_needed_stays(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 2))
    world.do(hold(world, "tab-2", 3))
    assert world.units("mug") == Units(0, 5)


def test_the_hold_that_would_run_out_first_gives_way_first_and_no_more_than_needed(world: World, clock: Clock) -> None:
    world.stocked("mug", units=6)
    for key, seconds in (("long", 900), ("short", 300), ("middle", 600)):
        world.do(Hold(key, {world.item("mug"): 2}, clock.after(seconds), holder="c-1"))
    world.do(hold(world, "new", 3))
    left = world.ask("SELECT ttl_s FROM promise WHERE live > 0 AND ttl_s < 1000")
    assert [row.ttl_s for row in left] == [900]
    assert world.units("mug") == Units(1, 5)


@pytest.mark.parametrize("state", ["started", "paid"])
def test_a_hold_that_is_paid_or_being_paid_does_not_give_way(world: World, state: str) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 4))
    world.do(PayHold("tab-1", state))
    with pytest.raises(InsufficientStock):
        world.do(hold(world, "tab-2", 3))


def test_a_hold_that_cannot_be_made_all_the_same_leaves_the_others_alone(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 4))
    with pytest.raises(InsufficientStock):
        world.do(hold(world, "tab-2", 6))
    assert world.units("mug") == Units(1, 4)


def test_holds_of_others_and_of_nobody_do_not_give_way(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "other", 2, holder="c-2"))
    world.do(hold(world, "nobody", 2, holder=""))
    with pytest.raises(InsufficientStock):
        world.do(hold(world, "mine", 3))
    with pytest.raises(InsufficientStock):
        world.do(hold(world, "nobody-2", 3, holder=""))


def test_a_hold_of_several_items_gives_way_as_a_whole(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    world.do(Hold("tab-1", {world.item("mug"): 4, world.item("cup"): 2}, FAR_OFF, holder="c-1"))
    world.do(hold(world, "tab-2", 3))
    assert (world.units("mug"), world.units("cup")) == (Units(2, 3), Units(5))


def test_what_a_hold_that_gave_way_leaves_over_goes_to_who_waits(world: World) -> None:
    store = world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 5))
    world.hear(store, order(line("mug", 2), paid=True))
    world.do(hold(world, "tab-2", 3))
    assert world.units("mug") == Units(0, 3, 2)


def test_a_holders_own_hold_gives_way_when_a_limit_falls_short(world: World) -> None:
    world.stocked("mug", units=9)
    limit(world, Per.CUSTOMER, 2, "mug")
    world.do(hold(world, "tab-1", 2))
    world.do(hold(world, "tab-2", 1))
    assert world.units("mug") == Units(8, 1)


def test_best_effort_takes_what_the_holders_own_hold_had(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(hold(world, "tab-1", 4))
    held = world.do(hold(world, "tab-2", 7, best_effort=True))
    assert (world.units("mug"), held.missing) == (Units(0, 5), ((world.item("mug"), 2),))


def test_a_holder_with_very_many_holds_slows_nobody_down(world: World) -> None:
    """Whoever calls all customers by one name has a part of the holds looked at."""
    world.stocked("mug", units=200)
    world.run(*(hold(world, f"h{n}", 1, holder="guest") for n in range(200)))
    world.do(hold(world, "new", 20, holder="guest"))
    assert world.units("mug") == Units(0, 200)
    with pytest.raises(InsufficientStock):
        world.do(hold(world, "more", 90, holder="guest"))


# ---- cost


def test_the_count_of_one_customer_reads_nothing_of_others(world: World) -> None:
    world.stocked("mug", units=3_000)
    limit(world, Per.CUSTOMER, 5, "mug")
    limit(world, Per.DAY, 9)
    world.run(*(hold(world, f"h{n}", 1, holder=f"c-{n}") for n in range(600)))
    before = _read_of_promises(world)
    for n in range(5):
        world.do(hold(world, f"new-{n}", 1, holder=f"new-{n}"))
    assert _read_of_promises(world) - before < 5 * 20


def _read_of_promises(world: World) -> int:
    """Rows of promises that this database's scans and index scans have returned."""
    world.ask("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
    return int(
        world.scalar(
            """SELECT s.seq_tup_read + coalesce(s.idx_tup_fetch, 0) FROM pg_stat_user_tables s
               WHERE s.relname = 'promise'"""
        )
    )


# ---- how long holds last


def test_words_of_each_kind_of_limit() -> None:
    said = [words_of(LimitRow(1, per, 2, None, 3, "mug", "flash")) for per in Per]
    assert said == [
        "one order may take 3 units of mug",
        "one customer may take 3 units of mug",
        "one customer may take each day 3 units of mug",
        "one customer may take in flash 3 units of mug",
    ]

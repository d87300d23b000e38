"""Purchase limits, how long holds last, and holds that give way to their own holder."""

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from core import catalog, ledger
from core.combiner import Combiner
from core.errors import InsufficientStock, LimitExceeded, NotFound, Refused
from core.ledger import Batch
from core.rows import LimitRow
from core.sales import hold_rules, limit_rules
from core.sales.hold_rules import HoldRule, ttl_of
from core.sales.holds import EndHold, Held, Hold, PayHold
from core.sales.limits import Per, day_began, words_of
from core.stock import MINOR_DEFECT, PoolKind, Stocked
from core.transaction import Database
from tests.builders import FAR_OFF, Clock, Units, World, line, order
from tests.integration.lock_acts import bundle
from tests.pool_world import open_pool

MINUTES = timedelta(minutes=1)


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    db.clock = held
    return held


def limit(world: World, per: Per, units: int, sku: str = "", *, pool_id: int | None = None) -> None:
    with world.db.begin(1, actor="test") as tx:
        item_id = catalog.item_id_of(tx, sku) if sku else None
        limit_rules.put(tx, per, units, item_id=item_id, pool_id=pool_id)


def hold(world: World, key: str, units: int, sku: str = "mug", holder: str = "c-1", **told: Any) -> Hold:
    return Hold(key, {world.item(sku): units}, FAR_OFF, holder=holder, **told)


def buy(world: World, key: str, units: int, sku: str = "mug", holder: str = "c-1", **told: Any) -> None:
    """A hold that is paid, so that it gives way to nobody."""
    world.do(hold(world, key, units, sku, holder, **told))
    world.do(PayHold(key, "paid"))


def refusal(world: World, command: Hold) -> tuple[int, int, int]:
    """Limit, used and asked of the refusal of a hold."""
    with pytest.raises(LimitExceeded) as error:
        world.do(command)
    return error.value.limit, error.value.used, error.value.asked


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
    world.do(EndHold("h"))
    world.do(hold(world, "i", 5))


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


# ---- races


def together(commands: Sequence[Hold], world: World) -> list[Any]:
    start = threading.Barrier(len(commands))

    def run(command: Hold) -> Any:
        start.wait(20)
        return world.run(command)[0]

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


def promised(world: World, holder: str = "c-1") -> int:
    return int(
        world.scalar("SELECT coalesce(sum(wanted - released), 0) FROM promise WHERE holder = :holder", holder=holder)
    )


def test_many_holds_of_one_customer_at_once_never_pass_a_limit_over_all_items(world: World) -> None:
    skus = [f"sku-{n}" for n in range(12)]
    world.stocked(*skus, units=9)
    limit(world, Per.CUSTOMER, 3)
    buy(world, "first", 1, skus[0])
    results = together([hold(world, f"h{n}", 2, sku) for n, sku in enumerate(skus)], world)
    assert {type(result) for result in results} <= {Held, LimitExceeded}
    assert promised(world) == 3


def test_holds_of_one_customer_in_two_grades_at_once_never_pass_a_limit_of_the_item(world: World) -> None:
    world.stocked("mug", units=9)
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    limit(world, Per.CUSTOMER, 2, "mug")
    for n in range(6):
        results = together(
            [
                Hold(f"{n}-{grade}", {Stocked(flawed.item_id, grade): 2}, FAR_OFF, holder=f"c-{n}", best_effort=True)
                for grade in ("good", "minor_defect")
            ],
            world,
        )
        assert any(isinstance(result, Held | InsufficientStock) for result in results)
        assert promised(world, f"c-{n}") <= 2


class _TakesNoTurn(Batch):
    """What limits would be if nobody waited for the other: both have counted before either writes."""

    both_have_counted = threading.Barrier(2)

    def _take_turns(self, _holders: Collection[str]) -> None:
        return

    def _decide(self, *given: Any) -> Any:
        self.both_have_counted.wait(timeout=20)
        return super()._decide(*given)


def test_without_turns_two_holds_of_one_customer_pass_the_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the tests above."""
    world.stocked("mug", "cup", units=9)
    limit(world, Per.CUSTOMER, 2)
    world.run(hold(world, "warm", 1, holder="c-9"))
    monkeypatch.setattr(ledger, "Batch", _TakesNoTurn)
    results = together([hold(world, "h", 2, "mug"), hold(world, "i", 2, "cup")], world)
    assert [type(result) for result in results] == [Held, Held]
    assert promised(world) == 4


def test_customers_who_buy_each_others_items_in_opposite_order_do_not_deadlock(world: World) -> None:
    skus = [f"sku-{n}" for n in range(8)]
    world.stocked(*skus, units=400)
    limit(world, Per.DAY, 1_000)
    combiner = Combiner(world.db)

    def act(n: int) -> list[Any]:
        named = skus if n % 2 else skus[::-1]
        holds = [hold(world, f"{n}-{sku}", 1, sku, holder=f"c-{(n + k) % 5}") for k, sku in enumerate(named)]
        return combiner.run(1, holds, actor="test") if n % 3 else world.run(*holds)

    with ThreadPoolExecutor(8) as pool:
        results = [result for part in pool.map(act, range(24)) for result in part]
    assert {type(result) for result in results} == {Held}
    assert {world.units(sku) for sku in skus} == {Units(400 - 24, 24)}


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


def rule(store_id: int | None, payment: str, minutes: int) -> HoldRule:
    return HoldRule(store_id, payment, minutes * MINUTES)


RULES = [rule(None, "", 20), rule(5, "", 30), rule(None, "bank_transfer", 60), rule(5, "bank_transfer", 90)]


@pytest.mark.parametrize(
    ("store_id", "payment", "minutes"),
    [(0, "", 20), (0, "card", 20), (5, "card", 30), (0, "bank_transfer", 60), (5, "bank_transfer", 90)],
)
def test_the_most_specific_rule_says_how_long_a_hold_lasts(store_id: int, payment: str, minutes: int) -> None:
    assert ttl_of(RULES, store_id, payment) == minutes * MINUTES


def test_without_a_rule_a_hold_lasts_15_minutes() -> None:
    assert ttl_of([rule(5, "", 30), rule(None, "card", 60)], 0, "") == 15 * MINUTES


def test_rules_are_set_changed_and_taken_back(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        hold_rules.put(tx, rule(None, "Bank transfer", 60))
        hold_rules.put(tx, rule(None, "bank-transfer", 90))
        hold_rules.put(tx, rule(0, "", 30))
        assert hold_rules.every(tx) == [rule(0, "", 30), rule(None, "bank_transfer", 90)]
        assert hold_rules.ttl(tx, 7, "BANK TRANSFER") == 90 * MINUTES
        hold_rules.remove(tx, None, "bank transfer")
        assert hold_rules.ttl(tx, 7, "bank_transfer") == 15 * MINUTES
        with pytest.raises(NotFound):
            hold_rules.remove(tx, None, "bank transfer")


@pytest.mark.parametrize("ttl", [timedelta(seconds=9), timedelta(days=91)])
def test_a_time_that_makes_no_sense_is_refused(world: World, ttl: timedelta) -> None:
    with world.db.begin(1, actor="test") as tx, pytest.raises(Refused, match="from 10 seconds to 90 days"):
        hold_rules.put(tx, HoldRule(None, "", ttl))


def test_words_of_each_kind_of_limit() -> None:
    said = [words_of(LimitRow(1, per, 2, None, 3, "mug", "flash")) for per in Per]
    assert said == [
        "one order may take 3 units of mug",
        "one customer may take 3 units of mug",
        "one customer may take each day 3 units of mug",
        "one customer may take in flash 3 units of mug",
    ]

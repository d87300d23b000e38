"""Holds of our own interface: all or nothing, with an end that comes once."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import ledger
from core.command import Command
from core.errors import InsufficientStock, KeyReused, Refused
from core.ledger import Batch
from core.sales import holds
from core.sales.holds import DEFAULT_TTL, EndHold, ExtendHold, Held, Hold, PayHold
from core.stock import MINOR_DEFECT, BalanceKey, PoolKind
from core.transaction import Database
from tests.builders import FAR_OFF, Clock, Units, World, at, line, order
from tests.conftest import Logins, violations
from tests.integration.command_line import Holdfast, runner, settle_in
from tests.integration.lock_acts import bundle, floor
from tests.pool_world import open_pool, shared

WORKERS = 4


@pytest.fixture
def clock(db: Database) -> Clock:
    held = Clock()
    db.clock = held
    return held


def expired(world: World) -> list[str]:
    with world.db.begin(1, actor="test") as tx:
        return sorted(holds.expired(tx))


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


# ---- many workers at once


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        start.wait(20)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize(
    ("rescue", "answer"),
    [(lambda key: PayHold(key, "started"), bool), (ExtendHold, object), (lambda key: PayHold(key, "paid"), bool)],
    ids=["payment started", "extended", "paid"],
)
def test_four_workers_never_end_a_hold_that_was_rescued(
    world: World, clock: Clock, rescue: Callable[[str], Command], answer: type
) -> None:
    """Each hold is either rescued and holds its units, or has run out and says so to who comes too late."""
    world.stocked("mug", units=60)
    keys = [f"h{n}" for n in range(60)]
    world.run(*(Hold(key, {world.item("mug"): 1}, clock.after(60)) for key in keys))
    clock.pass_(61)

    def expire() -> int:
        ended = 0
        while due := expired(world):
            for start in range(0, len(due), 5):
                ended += sum(world.run(*(EndHold(key, only_expired=True) for key in due[start : start + 5])))
        return ended

    def save() -> list[Any]:
        mixed = random.Random(7).sample(keys, len(keys))
        return [world.run(rescue(key))[0] for key in mixed]

    *ended, saved = at_once([*([expire] * WORKERS), save])
    kept = sum(not isinstance(result, Refused) for result in saved)
    assert sum(ended) + kept == 60
    units = world.units("mug")
    assert (units.free, units.reserved + units.sold) == (60 - kept, kept)
    assert world.documents().count("expiry") == sum(ended)


class _ReadsWithoutLock(Batch):
    """What expiry would be without row locks: both have read before either writes."""

    row_lock = ""
    both_have_read = threading.Barrier(2)

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        read = super()._lock_balances(keys)
        self.both_have_read.wait(timeout=20)
        return read


@pytest.mark.broken_books
@pytest.mark.parametrize("rescue", [PayHold("h", "started"), ExtendHold("h")])
def test_without_row_locks_a_hold_is_rescued_and_ended(
    world: World, logins: Logins, clock: Clock, rescue: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(60)))
    clock.pass_(61)
    monkeypatch.setattr(ledger, "Batch", _ReadsWithoutLock)
    saved, ended = at_once([lambda: world.run(rescue)[0], lambda: world.run(EndHold("h", only_expired=True))[0]])
    assert not isinstance(saved, Refused)
    assert ended is True
    assert world.units("mug").reserved == 0 or violations(logins)


def test_a_hold_and_its_release_at_once_end_alike_whichever_is_first(world: World) -> None:
    world.stocked("mug", units=50)
    mug = world.item("mug")
    for n in range(12):
        hold, release = Hold(f"h{n}", {mug: 1}, FAR_OFF), EndHold(f"h{n}")
        (held,), _ = at_once([partial(world.run, hold), partial(world.run, release)])
        assert isinstance(held, Held | Refused)
    assert world.units("mug") == Units(50)


# ---- the command line


@pytest.fixture
def holdfast(
    logins: Logins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Holdfast:
    settle_in(monkeypatch, logins, tmp_path)
    return runner(monkeypatch, capsys)


def test_a_hold_is_made_shown_extended_paid_and_released(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=5)

    made = holdfast("reserve", "make", "cart-17", "mug=2", "CUP=1", "MUG=1", "--holder", "c-1")
    again = holdfast("reserve", "make", "cart-17", "mug=3", "CUP=1", "--holder", "c-1", "--json").json
    extended = holdfast("reserve", "extend", "cart-17", "--ttl", "2h")
    listed = holdfast("reserve", "list", "--expiring", "--json").json
    paying = holdfast("reserve", "paying", "cart-17", "--json").json
    lasting = holdfast("reserve", "list", "--lasting")
    paid = holdfast("reserve", "paid", "cart-17")
    released = holdfast("reserve", "release", "cart-17")
    shown = holdfast("reserve", "show", "cart-17")

    assert "Hold cart-17 is made." in made.out
    assert again["repeated"] is True
    assert {item["sku"]: item["live"] for item in again["items"]} == {"MUG": 3, "CUP": 1}
    assert extended.out == "Hold cart-17 lasts 2 h from now.\n"
    assert [(one["key"], one["state"], one["ttl_s"]) for one in listed] == [("cart-17", "held", 7200)]
    assert (paying["state"], paying["expires_at"]) == ("paying", None)
    assert "being paid, does not run out" in lasting.out
    assert "payment paid" in paid.out
    assert "its units are free" in released.out
    assert "deduction" in shown.out
    assert "ended" in shown.out
    assert world.units("MUG") == Units(5)
    acts = world.ask("SELECT act FROM act_log ORDER BY id")
    assert [row.act for row in acts] == [
        "hold.make", "hold.extend", "hold.payment_started", "hold.payment_paid", "hold.release",
    ]  # fmt: skip


def test_what_cannot_be_held_is_said_with_its_cure(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = {
        words: holdfast("reserve", *words.split(" "))
        for words in (
            "make h MUG=3",
            "make h TRAY=1",
            "make h MUG=1 --holder somebody@example.com",
            "make h MUG=1 --channel Paris",
            "make h MUG=1 --pool FLASH",
            "make h MUG=1 --lock fair",
            "paid nothing",
            "show nothing",
        )
    }
    assert [one.code for one in said.values()] == [1] * len(said)
    assert [
        words in one.err
        for words, one in zip(
            ("missing are 1 MUG", "no item has SKU TRAY", "no name and no address", "no store", "no pool FLASH",
             "no lock fair", "no hold nothing", "no hold nothing"), said.values(), strict=True,
        )
    ] == [True] * len(said)  # fmt: skip
    for words in (
        "make h MUG",
        "make h MUG=0",
        "make h MUG=-1",
        "make h =3",
        "make h MUG=1 --ttl soon",
        "make h MUG=1e3",
    ):
        assert holdfast("reserve", *words.split(" ")).code == 2
    assert world.units("MUG") == Units(2)


def test_best_effort_on_the_command_line_says_what_is_missing(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = holdfast("reserve", "make", "h", "MUG=3", "--best-effort")

    assert "1 unit of MUG could not be had." in said.out
    assert world.units("MUG") == Units(0, 2)


def test_a_hold_of_the_other_grade_takes_that_grade(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = holdfast("reserve", "make", "h", "MUG=1", "--grade", MINOR_DEFECT)

    assert (said.code, "missing are 1 MUG (minor_defect)" in said.err) == (1, True)


def test_how_long_holds_last_is_set_by_method_and_channel(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)

    holdfast("reserve", "ttl", "3d", "--payment", "bank transfer")
    holdfast("reserve", "ttl", "5min", "--channel", "own")
    rules = holdfast("reserve", "ttl", "--json").json
    short = holdfast("reserve", "make", "a", "MUG=1", "--json").json
    long = holdfast("reserve", "make", "b", "MUG=1", "--payment", "Bank-Transfer", "--json").json
    store = holdfast("reserve", "make", "c", "MUG=1", "--channel", "Main street", "--json").json
    changed = holdfast("reserve", "extend", "a", "--payment", "bank_transfer", "--json")
    gone = holdfast("reserve", "ttl", "--channel", "own", "--off")

    assert [(rule["channel"], rule["payment"], rule["ttl_s"]) for rule in rules] == [
        ("own interface", "", 300),
        ("every channel", "bank_transfer", 259_200),
    ]
    assert (short["ttl_s"], long["ttl_s"], store["ttl_s"]) == (300, 259_200, 900)
    assert changed.code == 0
    assert "own interface" not in gone.out
    assert holdfast("reserve", "ttl", "--channel", "own", "--off").code == 1
    assert holdfast("reserve", "ttl", "2s").code == 1


def test_limits_are_set_shown_kept_to_and_taken_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)

    holdfast("reserve", "limit", "2", "--per", "customer", "--item", "mug")
    shown = holdfast("reserve", "limits")
    as_data = holdfast("reserve", "limits", "--json").json
    refused = holdfast("reserve", "make", "a", "MUG=3", "--holder", "c-1")
    unknown = holdfast("reserve", "make", "a", "MUG=1")
    gone = holdfast("reserve", "limit", "--per", "customer", "--item", "mug", "--off")
    free = holdfast("reserve", "make", "a", "MUG=3")

    assert shown.out == "one customer may take 2 units of MUG\n"
    assert as_data == [{"per": "customer", "item": "MUG", "pool": None, "units": 2}]
    assert "one customer may take 2 units of MUG: 3 were asked for; ask for 2 or fewer" in refused.err
    assert "name the holder" in unknown.err
    assert gone.out == "Everybody may take as much as there is.\n"
    assert free.code == 0
    for words in ("limit 2", "limit 2 --per week", "limit --per day", "limit 2 --per day --off"):
        assert holdfast("reserve", *words.split(" ")).code == 2
    assert holdfast("reserve", "limit", "2", "--per", "activity").code == 1


def test_who_may_not_hold_is_told_which_right_is_missing(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")

    said = holdfast("reserve", "make", "a", "MUG=3", "--as", "viewer@shop.example")
    rule = holdfast("reserve", "ttl", "1h", "--as", "viewer@shop.example")
    looked = holdfast("reserve", "list", "--as", "viewer@shop.example")

    assert "lacks the right hold.make" in said.err
    assert "lacks the right rule.change" in rule.err
    assert looked.code == 0
    assert world.units("MUG") == Units(9)

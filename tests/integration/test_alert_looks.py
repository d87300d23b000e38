"""What no batch can see is seen by the job that looks: levels that were set, days of cover, locks."""

from datetime import timedelta

import pytest

from config.wiring import App
from core import ledger
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.alerts.rules import Scope
from core.model import StoreMode
from core.sales.holds import EndHold, Hold
from jobs.alerts import watch
from tests.builders import FAR_OFF, Clock, World, line, order
from tests.integration.alert_acts import COVER, LOW, alerts_of, are_open, look, mug, owed, rule, take, watched
from tests.integration.lock_acts import lock, shared

# ---- what the job sees


def test_a_level_set_above_what_is_there_rings_at_the_next_look_and_only_once(app: App, world: World) -> None:
    watched(world, 4)
    assert (are_open(world), world.work("alerts")) == ([], [""])

    watch(app, 1, 0)
    look(app)

    assert (are_open(world), owed(world), world.work("alerts")) == ([True], 1, [])


@pytest.mark.parametrize("change", ["lower", "clear", "off"])
def test_an_alert_ends_when_its_level_is_lowered_cleared_or_turned_off(app: App, world: World, change: str) -> None:
    watched(world, 12)
    take(world, "a", 5)
    if change == "clear":
        with world.db.begin(1, actor="test") as tx:
            alert_rules.clear_rule(tx, LOW, Scope(mug(world)))
    else:
        rule(world, 3 if change == "lower" else None, item_id=mug(world))

    look(app)

    assert are_open(world) == [False]


def test_an_item_that_never_had_a_unit_does_not_ring_for_every_item(app: App, world: World) -> None:
    store = world.store()
    world.listings(store, "mug")
    rule(world, 5)
    look(app)
    assert are_open(world) == []


def test_a_rule_for_a_warehouse_is_looked_at_too(app: App, world: World) -> None:
    world.stocked("mug", "cup", units=4)
    rule(world, 5, warehouse_id=ledger.home_of(world.db, 1).warehouse_id)
    look(app)
    assert [row.facts["warehouse"] for row in alerts_of(world)] == ["MAIN", "MAIN"]
    world.receive("mug", 2)
    assert [row.facts["sku"] for row in alerts_of(world) if row.closed_at is None] == ["cup"]


def test_many_items_are_looked_at_in_parts(app: App, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stocked(*(f"sku-{n}" for n in range(9)), units=4)
    rule(world, 5)
    monkeypatch.setattr("jobs.alerts._ITEMS_AT_ONCE", 4)
    monkeypatch.setattr("jobs.alerts._JUDGED_AT_ONCE", 3)
    look(app)
    assert are_open(world) == [True] * 9


def test_a_listing_that_may_sell_few_rings_for_its_store(app: App, world: World) -> None:
    """A buffer of the store leaves it fewer than there are."""
    berlin = world.stocked("mug", "cup", units=12)
    other = world.store("Other", mode=StoreMode.OBSERVE)
    world.listings(other, "mug", shown=12)
    world.tell("UPDATE store SET buffer = 8 WHERE merchant_id = :merchant_id AND id = :id", id=berlin)
    rule(world, 5, store_id=berlin)
    rule(world, 1, store_id=berlin, item_id=world.item("cup").item_id)

    look(app)
    look(app)

    (alert,) = alerts_of(world)
    assert alert.facts == {
        "sku": "mug", "title": "Mug", "store": "Main street", "listing": "listing-mug", "sellable": 4, "threshold": 5,
    }  # fmt: skip
    world.receive("mug", 2)
    look(app)
    assert are_open(world) == [False]


def test_a_listing_that_shows_the_item_no_more_rings_no_more(app: App, world: World) -> None:
    berlin = world.stocked("mug", units=3)
    rule(world, 5, store_id=berlin)
    look(app)
    assert are_open(world) == [True]
    world.tell("UPDATE listing SET item_id = NULL WHERE merchant_id = :merchant_id")
    look(app)
    assert are_open(world) == [False]


def test_listings_are_looked_at_in_parts(app: App, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    berlin = world.stocked(*(f"sku-{n}" for n in range(7)), units=4)
    rule(world, 5, store_id=berlin)
    monkeypatch.setattr("jobs.alerts._LISTINGS_AT_ONCE", 3)
    look(app)
    look(app)
    assert are_open(world) == [True] * 7


# ---- days of cover


@pytest.fixture
def clock(app: App, world: World) -> Clock:
    """One clock for the hub and the test."""
    app.db.clock = world.db.clock = clock = Clock()
    clock.now = clock.now.replace(hour=10)
    return clock


def sell_each_day(world: World, clock: Clock, days: int, units: int) -> None:
    store = world.ask("SELECT id FROM store WHERE merchant_id = :merchant_id")[0].id
    for _ in range(days):
        clock.pass_(86_400)
        world.hear(store, order(line("mug", units), external_id=f"{clock.now}", paid=True))


def test_goods_that_last_few_days_ring_and_recover(app: App, world: World, clock: Clock) -> None:
    """5 whole days with stock before today, 2 units a day on 4 of them; today's sales do not count yet."""
    world.stocked("mug", units=18)
    clock.pass_(86_400)
    rule(world, 7, COVER, window=14)
    sell_each_day(world, clock, 5, 2)
    look(app)
    (alert,) = alerts_of(world, COVER)
    assert alert.facts == {
        "sku": "mug", "title": "Mug", "days_left": 5, "free": 8, "sold": 8, "days": 5, "threshold": 7,
    }  # fmt: skip

    world.receive("mug", 4)
    look(app)
    assert are_open(world, COVER) == [True], "seven days and a half: not a fifth above 7"
    world.receive("mug", 1)
    look(app)
    assert are_open(world, COVER) == [False]


def test_cover_is_counted_anew_each_day_and_not_more_often(app: App, world: World, clock: Clock) -> None:
    world.stocked("mug", units=100)
    clock.pass_(86_400)
    rule(world, 7, COVER, item_id=mug(world))
    sell_each_day(world, clock, 3, 1)
    look(app)
    first = world.ask("SELECT until, days, sold FROM sales_pace WHERE merchant_id = :merchant_id")
    sell_each_day(world, clock, 0, 0)
    look(app)
    assert world.ask("SELECT until, days, sold FROM sales_pace WHERE merchant_id = :merchant_id") == first

    clock.pass_(86_400)
    look(app)

    (row,) = world.ask("SELECT until, days, sold FROM sales_pace WHERE merchant_id = :merchant_id")
    assert (row.until, row.days, row.sold) == (first[0].until + timedelta(days=1), 4, 3)


def test_what_is_given_back_or_waits_is_counted_once(app: App, world: World, clock: Clock) -> None:
    """A hold that ends sold nothing; an order that waits was sold when it came, not once more when it is filled."""
    store = world.stocked("mug", units=4)
    rule(world, 1, COVER, item_id=mug(world))
    clock.pass_(2 * 86_400)
    take(world, "a", 3)
    world.do(EndHold("a"))
    world.hear(store, order(line("mug", 6), paid=True))
    clock.pass_(86_400)
    world.receive("mug", 5)
    clock.pass_(86_400)

    look(app)

    (row,) = world.ask("SELECT days, sold FROM sales_pace WHERE merchant_id = :merchant_id")
    assert (row.days, row.sold) == (3, 6)


def test_cover_without_a_rule_is_forgotten(app: App, world: World, clock: Clock) -> None:
    world.stocked("mug", units=6)
    rule(world, 7, COVER)
    sell_each_day(world, clock, 3, 1)
    look(app)
    assert are_open(world, COVER) == [True]
    with world.db.begin(1, actor="test") as tx:
        alert_rules.clear_rule(tx, COVER, Scope())

    look(app)

    assert are_open(world, COVER) == [False]
    assert world.ask("SELECT * FROM sales_pace WHERE merchant_id = :merchant_id") == []


# ---- locks


def test_a_lock_rings_when_it_ends_soon_lies_idle_and_is_used_up(app: App, world: World, clock: Clock) -> None:
    world.stocked("mug", units=20)
    lock(world, "fair", "mug", 5, expires_at=clock.after(40 * 86_400), account="club")
    kinds = (AlertKind.LOCK_EXPIRING, AlertKind.LOCK_IDLE, AlertKind.LOCK_USED_UP)
    look(app)
    assert [are_open(world, kind) for kind in kinds] == [[], [], []]

    clock.pass_(15 * 86_400)
    look(app)
    assert [are_open(world, kind) for kind in kinds] == [[], [True], []]

    world.do(Hold("all", {world.item("mug"): 5}, FAR_OFF, holder="club"))
    assert shared(world, "mug").free == 15, "it drew on the lock"
    look(app)
    assert [are_open(world, kind) for kind in kinds] == [[], [False], [True]]

    clock.pass_(23 * 86_400)
    look(app)
    look(app)
    assert [are_open(world, kind) for kind in kinds] == [[True], [False], [True]]
    assert alerts_of(world, AlertKind.LOCK_EXPIRING)[0].facts["lock"] == "fair"


def test_lock_warnings_go_by_the_merchants_rules(app: App, world: World, clock: Clock) -> None:
    world.stocked("mug", "cup", units=20)
    lock(world, "fair", "mug", 5)
    rule(world, 30, AlertKind.LOCK_IDLE)
    clock.pass_(20 * 86_400)
    look(app)
    assert are_open(world, AlertKind.LOCK_IDLE) == []

    rule(world, 10, AlertKind.LOCK_IDLE, item_id=mug(world))
    look(app)
    assert are_open(world, AlertKind.LOCK_IDLE) == [True]
    rule(world, None, AlertKind.LOCK_IDLE, item_id=mug(world))
    look(app)
    assert are_open(world, AlertKind.LOCK_IDLE) == [False]

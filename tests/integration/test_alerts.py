"""What is warned of is told once per crossing, ends when it is over, and is told by whoever sees it first."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from config.processes import wait_until
from config.wiring import App
from core import catalog, ledger, stores
from core.alerts import lifecycle as alerts
from core.alerts import mail as alert_mail
from core.alerts import rules as alert_rules
from core.alerts import scan as alert_scan
from core.alerts.kinds import AlertKind, Crossing
from core.alerts.lifecycle import Ending, NewAlert
from core.alerts.rules import Scope
from core.errors import NotFound, Refused
from core.ledger import Batch
from core.model import StoreMode
from core.sales.holds import EndHold, Hold
from core.stock import BalanceKey
from core.transaction import Database, Transaction
from jobs.alerts import watch
from tests.builders import FAR_OFF, Clock, World, line, order
from tests.integration.lock_acts import lock, shared

LOW, COVER = AlertKind.LOW_STOCK, AlertKind.LOW_COVER


def rule(
    world: World,
    level: int | None,
    kind: AlertKind = LOW,
    *,
    window: int | None = None,
    item_id: int = 0,
    warehouse_id: int = 0,
    store_id: int = 0,
) -> None:
    with world.db.begin(1, actor="test") as tx:
        alert_rules.set_rule(tx, kind, Scope(item_id, warehouse_id, store_id), level, window_days=window)


def mug(world: World) -> int:
    return world.item("mug").item_id


def watched(world: World, units: int, threshold: int = 10) -> int:
    store = world.stocked("mug", units=units)
    rule(world, threshold, item_id=mug(world))
    return store


def take(world: World, key: str, units: int) -> None:
    world.do(Hold(key, {world.item("mug"): units}, FAR_OFF))


def alerts_of(world: World, kind: str = LOW) -> Sequence[Any]:
    """Alerts of a kind, oldest first."""
    return world.ask("SELECT * FROM alert WHERE merchant_id = :merchant_id AND kind = :kind ORDER BY id", kind=kind)


def are_open(world: World, kind: str = LOW) -> list[bool]:
    """One entry per alert, oldest first: is it still open?"""
    return [row.closed_at is None for row in alerts_of(world, kind)]


def owed(world: World) -> int:
    """Alerts that a mail is owed of."""
    return int(world.scalar("SELECT count(*) FROM alert_mail WHERE merchant_id = :merchant_id AND due_at IS NOT NULL"))


# ---- crossings


def test_falling_to_the_threshold_opens_one_alert_and_asks_for_one_mail(world: World) -> None:
    watched(world, 12)
    take(world, "a", 1)
    assert (are_open(world), world.work("mail")) == ([], [])
    take(world, "b", 1)
    assert (are_open(world), owed(world), len(world.work("mail"))) == ([True], 1, 1)


def test_falling_further_rings_no_second_time(world: World) -> None:
    watched(world, 12)
    for n in range(12):
        take(world, str(n), 1)
    assert (are_open(world), owed(world)) == ([True], 1)


def test_the_alert_says_what_the_mail_needs(world: World) -> None:
    watched(world, 12)
    take(world, "a", 5)
    (alert,) = alerts_of(world)
    assert alert.facts == {"sku": "mug", "title": "Mug", "threshold": 10, "free": 7}


def test_swinging_around_the_threshold_rings_once(world: World) -> None:
    """An alert ends only a fifth above its threshold."""
    watched(world, 11)
    for n in range(4):
        take(world, f"h{n}", 1)
        world.do(EndHold(f"h{n}"))
    assert (are_open(world), owed(world)) == ([True], 1)


def test_recovered_stock_ends_the_alert_and_the_next_fall_rings_again(world: World) -> None:
    watched(world, 11)
    take(world, "a", 1)
    world.receive("mug", 1)
    assert are_open(world) == [True]
    world.receive("mug", 1)
    assert are_open(world) == [False]
    assert alerts_of(world)[0].ended == {"free": 12, "threshold": 10}
    take(world, "b", 2)
    assert (are_open(world), owed(world)) == ([False, True], 2)


def test_a_threshold_of_nothing_rings_when_sold_out(world: World) -> None:
    watched(world, 2, threshold=0)
    take(world, "a", 1)
    assert are_open(world) == []
    take(world, "b", 1)
    assert are_open(world) == [True]


def test_items_without_a_threshold_never_ring(world: World, db: Database) -> None:
    watched(world, 5)
    with db.begin(1, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", None)
    take(world, "a", 5)
    assert are_open(world) == []


def test_a_batch_that_crosses_and_returns_rings_nobody(world: World) -> None:
    watched(world, 11)
    item = world.item("mug")
    world.run(Hold("a", {item: 5}, FAR_OFF), EndHold("a"))
    assert are_open(world) == []


def test_a_rule_for_every_item_holds_for_those_without_one_of_their_own(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=12)
    rule(world, 10)
    rule(world, 3, item_id=world.item("cup").item_id)
    rule(world, None, item_id=world.item("pot").item_id)

    for sku in ("mug", "cup", "pot"):
        world.do(Hold(sku, {world.item(sku): 8}, FAR_OFF))

    assert [row.facts["sku"] for row in alerts_of(world)] == ["mug"]


def test_units_that_leave_a_warehouse_ring_for_that_warehouse(world: World) -> None:
    """What is sold but not shipped is still available there."""
    store = world.stocked("mug", units=12)
    rule(world, 10, warehouse_id=ledger.home_of(world.db, 1).warehouse_id)
    world.hear(store, order(line("mug", 3), paid=True))
    assert are_open(world) == []

    world.hear(store, order(line("mug", 3, shipped=3), paid=True))

    (alert,) = alerts_of(world)
    assert alert.facts == {"sku": "mug", "title": "Mug", "threshold": 10, "free": 9, "warehouse": "MAIN"}
    world.receive("mug", 3)
    assert are_open(world) == [False]


def test_a_batch_that_rings_says_so_before_it_ends_and_waits_for_nothing_more(world: World) -> None:
    """Each statement beside the pipe is a wait of its own."""
    watched(world, 12)
    world.stocked("cup", units=12)
    statements: list[str] = []
    event.listen(world.db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def waits(sku: str, units: int) -> int:
        statements.clear()
        world.run(Hold(f"{sku}-{units}", {item[sku]: units}, FAR_OFF))
        return len(statements)

    item = {sku: world.item(sku) for sku in ("mug", "cup")}
    waits("cup", 1)

    assert waits("cup", 5) == waits("mug", 5) == 0
    assert are_open(world) == [True]


# ---- the same crossing, seen twice


class _Sees(list[Crossing]):
    """Every low crossing that any batch noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        note = alerts.note_crossings

        def seen(tx: Transaction, crossings: list[Crossing]) -> None:
            self.extend(one for one in crossings if one.is_low)
            note(tx, crossings)

        monkeypatch.setattr(alerts, "note_crossings", seen)


class _ReadsWithoutLock(Batch):
    """What the ledger would be without row locks: both batches have read before either writes."""

    row_lock = ""
    both_have_read = threading.Barrier(2)

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        read = super()._lock_balances(keys)
        self.both_have_read.wait(timeout=20)
        return read


def hold_together(world: World, holds: int) -> None:
    item, start = world.item("mug"), threading.Barrier(holds)

    def hold(n: int) -> None:
        start.wait()
        world.do(Hold(f"hold-{n}", {item: 1}, FAR_OFF))

    with ThreadPoolExecutor(holds) as threads:
        list(threads.map(hold, range(holds)))


def test_of_many_transactions_that_take_the_last_units_one_sees_the_crossing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched(world, 16, threshold=8)
    sees = _Sees(monkeypatch)

    hold_together(world, 12)

    assert len(sees) == 1
    assert (are_open(world), owed(world)) == ([True], 1)


@pytest.mark.broken_books
def test_two_that_see_the_same_crossing_open_one_alert(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: without row locks both see it. Even then one alert is opened."""
    watched(world, 11)
    sees = _Sees(monkeypatch)
    monkeypatch.setattr(ledger, "Batch", _ReadsWithoutLock)

    hold_together(world, 2)

    assert len(sees) == 2
    assert (are_open(world), owed(world)) == ([True], 1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def somebody_waits(world: World) -> bool:
    return bool(
        world.scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


def test_a_look_that_meets_a_receipt_judges_what_the_receipt_leaves(world: World, pool: ThreadPoolExecutor) -> None:
    world.stocked("mug", units=3)
    rule(world, 5)
    home = ledger.home_of(world.db, 1)
    with world.db.begin(1, actor="test") as tx:
        low = [one.spot for one in alert_scan.fallen(tx, home, [mug(world)])]
    assert low, "it looked low before"

    def judge() -> None:
        with world.db.begin(1, actor="test") as tx:
            alert_scan.judge(tx, home, low)

    with world.db.begin(1, actor="test") as tx:
        tx.run(
            "UPDATE sales_balance SET free = free + 0 WHERE merchant_id = :merchant_id AND item_id = :id", id=mug(world)
        )
        looks = pool.submit(judge)
        assert wait_until(lambda: somebody_waits(world), 10), "it takes the row before it judges"
        tx.run("DELETE FROM alert_rule WHERE merchant_id = :merchant_id")
    looks.result(30)
    assert are_open(world) == []


def test_who_mails_waits_for_no_batch_that_ends_an_alert(world: World) -> None:
    watched(world, 12)
    take(world, "a", 5)
    with world.db.begin(1, actor="test") as tx:
        catalog.set_merchant(tx, alert_email="buyer@example.org")

    with world.db.begin(1, actor="batch") as batch:
        alerts.end_alerts(batch, [Ending(LOW, f"{mug(world)}/good", {})])
        with world.db.begin(1, actor="mail") as tx:
            tx.run("SET LOCAL lock_timeout = '1s'")
            letter = alert_mail.pick(tx)

    assert letter is not None
    assert len(letter.notices) == 1


# ---- what the job sees


def look(app: App) -> None:
    with app.db.begin(1, actor="test") as tx:
        alert_rules.look(tx)
    watch(app, 1, 0)


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


# ---- oversell


def test_oversold_units_ring_with_cause_and_timeline_until_they_are_there(world: World) -> None:
    store = world.stocked("mug", units=2)

    world.hear(store, order(line("mug", 5), paid=True))

    (alert,) = alerts_of(world, AlertKind.OVERSELL)
    (incident,) = world.incidents()
    assert alert.subject == str(incident.id)
    told = {name: alert.facts[name] for name in ("sku", "units", "order", "store", "cause")}
    assert told == {"sku": "mug", "units": 3, "order": "#1001", "store": "Main street", "cause": "never_told"}
    assert "found units missing" in alert.facts["timeline"][-1]["what"]
    assert owed(world) == 1
    world.receive("mug", 3)
    assert are_open(world, AlertKind.OVERSELL) == [False]


# ---- rules and snoozes


def test_an_event_is_over_when_it_is_told_and_still_owes_its_mail(world: World) -> None:
    for _ in range(2):
        with world.db.begin(1, actor="test") as tx:
            alerts.open_alerts(tx, [NewAlert(AlertKind.BACKORDER_FILLED, "5/good", {"units": 1})])
    assert (are_open(world, AlertKind.BACKORDER_FILLED), owed(world)) == ([False, False], 2)


def test_a_bundle_is_watched_by_its_components_or_in_a_store(world: World) -> None:
    store = world.stocked("set", units=0)
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id")
    with pytest.raises(Refused, match="components"):
        rule(world, 5, item_id=world.item("set").item_id)
    rule(world, 5, item_id=world.item("set").item_id, store_id=store)


def test_a_rule_that_is_not_there_cannot_be_cleared(world: World) -> None:
    with world.db.begin(1, actor="test") as tx, pytest.raises(NotFound, match="alert rule list"):
        alert_rules.clear_rule(tx, LOW, Scope())


def test_an_unknown_warehouse_names_those_there_are(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        assert alert_rules.warehouse_id_of(tx, "main") == ledger.home_of(world.db, 1).warehouse_id
        with pytest.raises(NotFound, match="MAIN"):
            alert_rules.warehouse_id_of(tx, "moon")


@pytest.mark.parametrize("wrong", ["ended", "past", "unknown", "not snoozed"])
def test_what_cannot_be_snoozed_is_refused(world: World, wrong: str) -> None:
    watched(world, 12)
    take(world, "a", 5)
    (alert,) = alerts_of(world)
    if wrong == "ended":
        world.receive("mug", 20)
    until = {"past": world.db.clock(), "not snoozed": None}.get(wrong, FAR_OFF)
    with world.db.begin(1, actor="test") as tx, pytest.raises(Refused):
        alerts.snooze(tx, alert.id + (wrong == "unknown"), until)


def test_a_snoozed_alert_stays_open_and_recovers_like_any_other(world: World) -> None:
    watched(world, 12)
    take(world, "a", 5)
    with world.db.begin(1, actor="test") as tx:
        alerts.snooze(tx, alerts_of(world)[0].id, FAR_OFF)
    assert are_open(world) == [True]
    world.receive("mug", 20)
    assert are_open(world) == [False]


def test_thresholds_from_before_rules_are_rules_now(world: World) -> None:
    """The door of old sets the same rule."""
    world.stocked("mug", units=1)
    with world.db.begin(1, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", 4)
        (found,) = [one for one in alert_rules.rules(tx) if one.kind is LOW]
    assert (found.item, found.level, found.changed_by) == ("mug", 4, "test")


def test_alerts_of_another_merchant_are_nobodys_business(world: World, db: Database) -> None:
    catalog.ensure_merchant(db, 2, name="Second")
    watched(world, 12)
    take(world, "a", 5)
    with db.begin(2, actor="test") as tx, pytest.raises(NotFound):
        alerts.snooze(tx, alerts_of(world)[0].id, FAR_OFF)
    with db.begin(2, actor="test") as tx:
        assert [one for one in alert_rules.rules(tx) if one.changed_at is not None] == []
        assert stores.every(tx) == []

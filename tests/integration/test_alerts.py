"""What is warned of is told once per crossing, and ends when it is over."""

import pytest
from sqlalchemy import event

from core import catalog, ledger, stores
from core.alerts import lifecycle as alerts
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.alerts.lifecycle import NewAlert
from core.alerts.rules import Scope
from core.errors import NotFound, Refused
from core.sales.holds import EndHold, Hold
from core.transaction import Database
from tests.builders import FAR_OFF, World, line, order
from tests.integration.alert_acts import LOW, alerts_of, are_open, owed, rule, take, watched

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

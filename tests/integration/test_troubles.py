"""Troubles that stand until they are over ring once: late goods, activities without units, mirrors."""

from datetime import timedelta

import pytest

from config.wiring import App
from core.alerts.kinds import AlertKind
from core.mirror import full
from core.supply import counting
from tests import mirror_world as mirror
from tests import supply_world as sup
from tests.builders import Clock, World
from tests.hub import skip
from tests.integration.alert_acts import alerts_of, are_open, look
from tests.integration.test_jobs_pools import activity
from tests.integration.test_jobs_pools import run as keep_pools


@pytest.fixture
def clock(app: App, world: World) -> Clock:
    """One clock for the hub and the test."""
    app.db.clock = world.db.clock = clock = Clock()
    return clock


def test_goods_that_were_on_sale_and_are_late_ring_until_they_come(app: App, world: World, clock: Clock) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    look(app)
    assert are_open(world, AlertKind.GOODS_LATE) == []

    clock.pass_(4 * 86_400)
    counting.apply(world.db, 1, actor="test")
    for _ in range(2):
        look(app)
    (alert,) = alerts_of(world, AlertKind.GOODS_LATE)
    assert {name: alert.facts[name] for name in ("sku", "units", "purchase")} == {
        "sku": "mug", "units": 10, "purchase": "PO-7",
    }  # fmt: skip
    assert alert.closed_at is None

    sup.receive(world, "PO-7", None)
    look(app)
    assert are_open(world, AlertKind.GOODS_LATE) == [False]


def test_an_activity_without_its_units_rings_until_it_has_them(app: App, world: World) -> None:
    world.stocked("mug", units=4)
    activity(app, world)
    skip(app, timedelta(minutes=30).total_seconds())
    keep_pools(app)
    for _ in range(2):
        look(app)
    (alert,) = alerts_of(world, AlertKind.NOT_PRELOADED)
    assert alert.facts["pool"] == "SALE"
    assert "mug lacks 6" in alert.facts["trouble"]

    world.receive("mug", 6)
    keep_pools(app)
    look(app)
    assert are_open(world, AlertKind.NOT_PRELOADED) == [False]


def test_an_outside_system_rings_while_it_is_silent_and_while_a_batch_of_it_waits(
    app: App, world: World, clock: Clock
) -> None:
    world.stocked("mug", units=10)
    mirror.source(world, most_units=5, silent_after_s=3600)
    clock.pass_(4000)
    held = mirror.tell_all(world, 1, {"mug": 2})
    look(app)
    (waits,) = alerts_of(world, AlertKind.MIRROR_WAITS)
    assert (waits.facts["mirror"], waits.facts["warehouse"], waits.facts["batches"]) == ("wms", "MAIN", 1)
    assert are_open(world, AlertKind.MIRROR_SILENT) == [], "it has just spoken"

    full.reject(world.db, 1, held.row.id, "half a file", actor="user:7")
    clock.pass_(4000)
    look(app)
    assert (are_open(world, AlertKind.MIRROR_WAITS), are_open(world, AlertKind.MIRROR_SILENT)) == ([False], [True])
    mirror.tell(world, mirror.row("mug", 10, 2))
    look(app)
    assert are_open(world, AlertKind.MIRROR_SILENT) == [False]

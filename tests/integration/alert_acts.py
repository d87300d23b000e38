"""Short ways to set levels, sell goods, and look at what rings."""

from collections.abc import Sequence
from typing import Any

from config.wiring import App
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.alerts.rules import Scope
from core.sales.holds import Hold
from jobs.alerts import watch
from tests.builders import FAR_OFF, World

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


def look(app: App) -> None:
    with app.db.begin(1, actor="test") as tx:
        alert_rules.look(tx)
    watch(app, 1, 0)

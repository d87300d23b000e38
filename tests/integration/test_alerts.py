"""Low stock is told once per crossing."""

from core import catalog
from core.alerts import recovers_at
from core.holds import EndHold, Hold
from core.transaction import Database
from tests.builders import FAR_OFF, World


def watched(world: World, units: int, threshold: int = 10) -> None:
    world.stocked("mug", units=units)
    with world.db.begin(1, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", threshold)


def take(world: World, key: str, units: int) -> None:
    world.do(Hold(key, {world.item("mug"): units}, FAR_OFF))


def alerts(world: World) -> list[bool]:
    """One entry per alert, oldest first: is it still open?"""
    rows = world.ask("SELECT closed_at FROM alert WHERE merchant_id = :merchant_id ORDER BY id")
    return [row.closed_at is None for row in rows]


def test_falling_to_the_threshold_opens_one_alert_and_asks_for_one_mail(world: World) -> None:
    watched(world, 12)
    take(world, "a", 1)
    assert (alerts(world), world.work("mail")) == ([], [])
    take(world, "b", 1)
    assert (alerts(world), len(world.work("mail"))) == ([True], 1)


def test_falling_further_rings_no_second_time(world: World) -> None:
    watched(world, 12)
    for n in range(12):
        take(world, str(n), 1)
    assert (alerts(world), len(world.work("mail"))) == ([True], 1)


def test_the_alert_says_what_the_mail_needs(world: World) -> None:
    watched(world, 12)
    take(world, "a", 5)
    assert world.scalar("SELECT facts FROM alert WHERE merchant_id = :merchant_id") == {
        "sku": "mug", "title": "Mug", "threshold": 10, "free": 7,
    }  # fmt: skip


def test_swinging_around_the_threshold_rings_once(world: World) -> None:
    """An alert ends only a fifth above its threshold."""
    watched(world, 11)
    for n in range(4):
        take(world, f"h{n}", 1)
        world.do(EndHold(f"h{n}"))
    assert alerts(world) == [True]
    assert len(world.work("mail")) == 1


def test_recovered_stock_closes_the_alert_and_the_next_fall_rings_again(world: World) -> None:
    watched(world, 11)
    take(world, "a", 1)
    world.receive("mug", 1)
    assert alerts(world) == [True]
    world.receive("mug", 1)
    assert alerts(world) == [False]
    take(world, "b", 2)
    assert alerts(world) == [False, True]
    assert len(world.work("mail")) == 2


def test_an_alert_ends_where_it_says() -> None:
    assert (recovers_at(10), recovers_at(0), recovers_at(3)) == (12, 1, 4)


def test_a_threshold_of_nothing_rings_when_sold_out(world: World) -> None:
    watched(world, 2, threshold=0)
    take(world, "a", 1)
    assert alerts(world) == []
    take(world, "b", 1)
    assert alerts(world) == [True]


def test_items_without_a_threshold_never_ring(world: World, db: Database) -> None:
    watched(world, 5)
    with db.begin(1, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", None)
    take(world, "a", 5)
    assert alerts(world) == []


def test_a_batch_that_crosses_and_returns_rings_nobody(world: World) -> None:
    watched(world, 11)
    mug = world.item("mug")
    world.run(Hold("a", {mug: 5}, FAR_OFF), EndHold("a"))
    assert alerts(world) == []

"""A crossing that several see at once rings once, and nobody waits for who tells of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.processes import wait_until
from core import catalog, ledger
from core.alerts import lifecycle as alerts
from core.alerts import mail as alert_mail
from core.alerts import scan as alert_scan
from core.alerts.kinds import Crossing
from core.alerts.lifecycle import Ending
from core.sales.holds import Hold
from core.transaction import Transaction
from tests.builders import FAR_OFF, World
from tests.integration.alert_acts import LOW, are_open, mug, owed, rule, take, watched
from tests.integration.race_acts import forget_row_locks, somebody_waits, together


class _Sees(list[Crossing]):
    """Every low crossing that any batch noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        note = alerts.note_crossings

        def seen(tx: Transaction, crossings: list[Crossing]) -> None:
            self.extend(one for one in crossings if one.is_low)
            note(tx, crossings)

        monkeypatch.setattr(alerts, "note_crossings", seen)


def hold_together(world: World, holds: int) -> None:
    item = world.item("mug")
    together(lambda n: world.do(Hold(f"hold-{n}", {item: 1}, FAR_OFF)), range(holds))


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
    forget_row_locks(monkeypatch)

    hold_together(world, 2)

    assert len(sees) == 2
    assert (are_open(world), owed(world)) == ([True], 1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


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

"""A presale sells more while its supply shrinks: who comes second sees what the first has left."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from config.processes import wait_until
from core import ledger
from core.command import Command
from core.errors import Refused
from core.ledger import Batch
from core.sales import expected
from core.sales.holds import EndHold, Hold
from core.sales.pools import Deal
from tests.builders import FAR_OFF, Units, World
from tests.conftest import Logins, violations
from tests.integration.race_acts import somebody_waits
from tests.integration.test_presale_supply import presell
from tests.pool_world import in_pool, stocked
from tests.supply_world import today


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class ReadsWithoutLock(Batch):
    row_lock = ""


def bring(world: World, units: int) -> None:
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, world.item("mug"), units, today(world), "PO-7")


def offered(world: World) -> int:
    """A presale of 4 of 10 mugs, of which a hold has 3."""
    world.stocked("mug", units=0)
    bring(world, 10)
    pool = presell(world, 4)
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF, pool_id=pool))
    return pool


def beside(world: World, threads: ThreadPoolExecutor, units: int, command: Command) -> Any:
    """The result of a command that starts before it is committed that the supply brings so many units."""
    later: Future[list[Any]]
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, world.item("mug"), units, today(world), "PO-7")
        later = threads.submit(world.run, command)
        assert wait_until(lambda: somebody_waits(world), 10)
    return later.result(30)[0]


def test_more_is_dealt_to_a_presale_while_its_supply_shrinks(world: World, threads: ThreadPoolExecutor) -> None:
    pool = offered(world)
    result = beside(world, threads, 5, Deal(pool, "more", stocked(world, {"mug": 2})))
    assert isinstance(result, Refused)
    assert in_pool(world, pool, "mug") == Units(1, reserved=3)


def test_units_come_back_to_a_presale_while_its_supply_shrinks(world: World, threads: ThreadPoolExecutor) -> None:
    pool = offered(world)
    assert not isinstance(beside(world, threads, 2, EndHold("h")), Refused)
    assert in_pool(world, pool, "mug") == Units(2)


@pytest.mark.broken_books
def test_without_row_locks_a_presale_offers_what_does_not_come(
    world: World, logins: Logins, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = offered(world)
    monkeypatch.setattr(ledger, "Batch", ReadsWithoutLock)
    assert not isinstance(beside(world, threads, 5, Deal(pool, "more", stocked(world, {"mug": 2}))), Refused)
    assert "5n" in {violation.invariant.split()[0] for violation in violations(logins)}

"""One customer buys many times at once: no limit is passed, and nobody waits in a circle."""

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import ledger
from core.combiner import Combiner
from core.errors import InsufficientStock, LimitExceeded
from core.ledger import Batch
from core.sales.holds import Held, Hold
from core.sales.limits import Per
from core.stock import MINOR_DEFECT, Stocked
from tests.builders import FAR_OFF, Units, World
from tests.integration.limit_acts import buy, hold, limit
from tests.integration.race_acts import together


def all_at_once(world: World, commands: Sequence[Hold]) -> list[Any]:
    return together(lambda command: world.run(command)[0], commands)


def promised(world: World, holder: str = "c-1") -> int:
    return int(
        world.scalar("SELECT coalesce(sum(wanted - released), 0) FROM promise WHERE holder = :holder", holder=holder)
    )


def test_many_holds_of_one_customer_at_once_never_pass_a_limit_over_all_items(world: World) -> None:
    skus = [f"sku-{n}" for n in range(12)]
    world.stocked(*skus, units=9)
    limit(world, Per.CUSTOMER, 3)
    buy(world, "first", 1, skus[0])
    results = all_at_once(world, [hold(world, f"h{n}", 2, sku) for n, sku in enumerate(skus)])
    assert {type(result) for result in results} <= {Held, LimitExceeded}
    assert promised(world) == 3


def test_holds_of_one_customer_in_two_grades_at_once_never_pass_a_limit_of_the_item(world: World) -> None:
    world.stocked("mug", units=9)
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    limit(world, Per.CUSTOMER, 2, "mug")
    for n in range(6):
        results = all_at_once(
            world,
            [
                Hold(f"{n}-{grade}", {Stocked(flawed.item_id, grade): 2}, FAR_OFF, holder=f"c-{n}", best_effort=True)
                for grade in ("good", "minor_defect")
            ],
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
    results = all_at_once(world, [hold(world, "h", 2, "mug"), hold(world, "i", 2, "cup")])
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

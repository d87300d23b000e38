"""A presale or an activity is made at once with its limits and its terms, or not at all."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from core.access.actors import shell
from core.errors import LimitExceeded, Refused
from core.sales import campaigns, limit_rules
from core.sales.campaigns import Campaign, Opening
from core.sales.holds import Hold, PayHold
from core.sales.pools import OpenPool
from core.stock import Pool, PoolKind
from core.transaction import Database, Transaction
from tests.builders import FAR_OFF, World


class TornOff(Exception):
    """What a killed process never says."""


class MortalTransaction(Transaction):
    """One whose owner is killed before it says more than the first ``lives`` statements."""

    lives = 0

    def run(self, statement: str, /, **values: object) -> Any:
        if not self.lives:
            raise TornOff
        self.lives -= 1
        return Transaction.run(self, statement, **values)


@dataclass(slots=True)
class Mortal(Database):
    """One whose transactions are mortal."""

    lives: int = 0

    @contextmanager
    def begin(self, *args: Any, **how: Any) -> Iterator[Transaction]:
        with Database.begin(self, *args, **how) as tx:
            mortal = MortalTransaction(*(getattr(tx, field.name) for field in fields(Transaction)))
            mortal.lives = self.lives
            yield mortal


def presale(world: World, code: str = "PRE", per_customer: int | None = 2) -> Callable[[Transaction], Opening]:
    """Builds a presale of ten mugs and ten cups whose rest is owed some day."""

    def build(tx: Transaction) -> Opening:
        pool = Pool(tx.new_id(), PoolKind.PRESALE, campaigns.new_code(tx, code), None)
        quantities = {world.item(sku): 10 for sku in ("mug", "cup")}
        due = Campaign(pool.id, balance_due_at=tx.now + timedelta(days=30))
        return Opening(OpenPool(pool, quantities), due, per_customer)

    return build


def there(world: World) -> list[int]:
    """How many pools of its kind, limits, campaigns, and lines in the log of acts there are."""
    return [
        world.scalar(f"SELECT count(*) FROM {table} WHERE merchant_id = :merchant_id {only}")
        for table, only in (
            ("pool", "AND kind = 'presale'"), ("purchase_limit", ""), ("campaign", ""), ("act_log", ""),
        )
    ]  # fmt: skip


def test_wherever_its_maker_is_killed_a_presale_is_there_with_its_limits_or_not_at_all(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    campaigns.begin(world.db, 1, presale(world, "BEFORE"), shell(1))  # so that the places of the merchant are known
    for lives in count():
        mortal = Mortal(world.db.engine, world.db.clock, world.db.ids, lives=lives)
        try:
            campaigns.begin(mortal, 1, presale(world), shell(1))
        except TornOff:
            assert there(world) == [1, 2, 1, 1]
        else:
            break
    assert there(world) == [2, 4, 2, 2]
    assert lives > 4


def test_a_limit_holds_from_the_first_unit_of_a_presale_on(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    opening = campaigns.begin(world.db, 1, presale(world), shell(1))
    sale = opening.command.pool.id
    world.do(Hold("a", {world.item("mug"): 2, world.item("cup"): 2}, FAR_OFF, holder="c-1", pool_id=sale))
    world.do(PayHold("a", "paid"))
    for sku in ("mug", "cup"):
        with pytest.raises(LimitExceeded):
            world.do(Hold(f"b-{sku}", {world.item(sku): 1}, FAR_OFF, holder="c-1", pool_id=sale))
    with world.db.begin(1, actor="test") as tx:
        assert campaigns.of_pool(tx, sale) == opening.campaign
        assert [(one.sku, one.units, one.pool) for one in limit_rules.every(tx)] == [
            ("cup", 2, "PRE"),
            ("mug", 2, "PRE"),
        ]


def test_a_rehearsal_and_a_refusal_leave_nothing(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    campaigns.begin(world.db, 1, presale(world), shell(1), dry_run=True)

    def over(tx: Transaction) -> Opening:
        built = presale(world)(tx)
        ended = replace(built.command, pool=built.command.pool._replace(ends_at=tx.now))
        return Opening(ended, built.campaign, built.per_customer)

    with pytest.raises(Refused, match="ended already"):
        campaigns.begin(world.db, 1, over, shell(1))
    assert there(world) == [0, 0, 0, 0]


def test_of_two_who_make_a_presale_of_one_code_at_once_the_second_is_refused(world: World) -> None:
    """Both have seen that nobody has the code when the first writes."""
    world.stocked("mug", "cup", units=0)
    both = threading.Barrier(2)
    seen: dict[int, bool] = {}

    def begin(n: int) -> Any:
        def build(tx: Transaction) -> Opening:
            opening = presale(world)(tx)
            if not seen.setdefault(n, False):
                seen[n] = True
                both.wait(30)
            return opening

        try:
            return campaigns.begin(world.db, 1, build, shell(1))
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(begin, range(2)))

    (refused,) = [one for one in results if isinstance(one, Refused)]
    assert "there is a pool PRE" in str(refused)
    assert there(world) == [1, 2, 1, 1]

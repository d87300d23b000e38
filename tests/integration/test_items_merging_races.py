"""Two items become one while orders, catalogues and other merges are at work: no unit is lost, no circle is made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from core import ledger
from core.audit import audit
from core.errors import Refused
from core.ledger import Batch
from core.stock import BalanceKey
from tests.builders import Units, World, line, order
from tests.integration.merge_acts import merge, raw_item
from tests.integration.place_acts import tell
from tests.pool_world import shared


class _SeesThemMerge(Batch):
    """Between what it reads of listings and lines and its locks, their item becomes another, once."""

    between: ClassVar[list[Callable[[], object]]] = []

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        while self.between:
            self.between.pop()()
        return super()._lock_balances(keys)


class _DoesNotLookAgain(_SeesThemMerge):
    def _merged_stand(self) -> bool:
        return True


@pytest.mark.parametrize(("batch", "is_lost"), [(_SeesThemMerge, False), (_DoesNotLookAgain, True)])
@pytest.mark.parametrize("known_before", [False, True])
@pytest.mark.broken_books
def test_an_order_heard_while_its_item_becomes_another_sells_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch, batch: type[_SeesThemMerge], is_lost: bool, known_before: bool
) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    was = raw_item(world, "mug")
    if known_before:
        world.hear(store_id, order(line("mug", 2), holds=False))

    def between() -> None:
        monkeypatch.setattr(ledger, "Batch", Batch)
        merge(world, "mug", "cup")
        monkeypatch.setattr(ledger, "Batch", batch)

    batch.between.append(between)
    monkeypatch.setattr(ledger, "Batch", batch)
    world.hear(store_id, order(line("mug", 6)))

    rows = world.ask("SELECT live, waiting FROM promise WHERE merchant_id = :merchant_id AND item_id = :id", id=was)
    assert sum(map(sum, rows)) == (6 if is_lost else 0)
    if not is_lost:
        assert tell(world, audit) == []
        assert shared(world, "cup") == Units(2, 6, 0, 0)


def test_merges_and_orders_at_once_lose_no_unit(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=30)

    def buy(n: int) -> None:
        world.hear(store_id, order(line("mug", 1), external_id=f"o{n}"))

    with ThreadPoolExecutor(8) as pool:
        bought = [pool.submit(buy, n) for n in range(24)]
        merged = pool.submit(merge, world, "mug", "cup")
        bought += [pool.submit(buy, n) for n in range(24, 48)]
        for done in bought:
            done.result()
        merged.result()

    assert shared(world, "cup") == Units(12, 48, 0, 0)
    assert world.incidents() == []


def test_two_merges_against_each_other_make_no_circle(world: World) -> None:
    world.stocked("a", "b", "c", units=2)

    def one(pair: str) -> bool:
        try:
            merge(world, pair[0], pair[1])
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, ("ab", "bc", "ca", "ba", "cb", "ac")))

    assert len({world.item(sku) for sku in "abc"}) == 1
    assert shared(
        world, world.scalar("SELECT sku FROM item WHERE merchant_id = :merchant_id AND merged_into IS NULL")
    ) == Units(6, 0, 0, 0)


def test_a_catalogue_read_while_its_item_becomes_another_lists_the_other(world: World) -> None:
    world.stocked("mug", "cup", units=2)
    stores = [world.store(f"Street {n}") for n in range(6)]

    with ThreadPoolExecutor(7) as pool:
        read = [pool.submit(world.listings, store_id, "mug") for store_id in stores]
        merged = pool.submit(merge, world, "mug", "cup")
        for done in read:
            done.result()
        merged.result()

    ids = world.ask("SELECT DISTINCT item_id FROM listing WHERE merchant_id = :merchant_id")
    assert ids == [(world.item("cup").item_id,)]

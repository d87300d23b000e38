"""Many numbers at once: how large the batches to Shopify are, and what one does to its neighbours."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.shopify.batches import BatchSize
from connectors.shopify.client import ShopifyConnector
from connectors.shopify.push import LANES
from core.model import PushStatus
from tests.shopify_answers import WRITTEN, Shopify, at_row, failed, intent, keys, refused

pytest_plugins = ("tests.shopify_fixtures",)


class Shelf:
    """Items that Shopify counts: writes are compared row by row and taken or refused as a whole."""

    def __init__(self, quantities: Mapping[str, int], sells: Sequence[str] = ()) -> None:
        self.quantities = dict(quantities)
        self.sells = set(sells)
        self.writes: list[int] = []
        self.reads: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            return self._write(asked) if "key" in asked["variables"] else self._read(asked)

    def _read(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        items = [item.rpartition("/")[2] for item in asked["variables"]["ids"]]
        self.reads += items
        numbers = [{"name": "available", "quantity": self.quantities[item]} for item in items]
        nodes = [
            {"id": gid, "tracked": True, "inventoryLevel": {"isActive": True, "quantities": [number]}}
            for gid, number in zip(asked["variables"]["ids"], numbers, strict=True)
        ]
        for item in self.sells.intersection(items):
            self.quantities[item] -= 1
        return {"data": {"nodes": nodes}}

    def _write(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = asked["variables"]["input"]["quantities"]
        self.writes.append(len(wanted))
        items = [row["inventoryItemId"].rpartition("/")[2] for row in wanted]
        stale = [
            index
            for index, (item, row) in enumerate(zip(items, wanted, strict=True))
            if self.quantities[item] != row["changeFromQuantity"]
        ]
        if stale:
            return refused(*(("CHANGE_FROM_QUANTITY_STALE", at_row(index)) for index in stale))
        self.quantities |= {item: row["quantity"] for item, row in zip(items, wanted, strict=True)}
        return WRITTEN


def test_stale_rows_of_many_batches_are_read_and_only_lowered(shopify: Shopify, connector: ShopifyConnector) -> None:
    items = range(1, 321)
    shelf = Shelf({str(item): 10 if item % 8 else 9 for item in items})
    shopify.will(shelf)

    outcomes = connector.push([intent(item, 10, 5) for item in items])

    assert [each.status for each in outcomes] == [
        PushStatus.APPLIED if item % 8 else PushStatus.STALE for item in items
    ]
    assert all((each.observed, each.shown) == (9, 4) for each in outcomes if each.status is PushStatus.STALE)
    assert len(set(keys(shopify))) == len(keys(shopify))


def test_the_size_of_a_batch_follows_what_the_shop_takes() -> None:
    size = BatchSize()
    seen = []

    for _ in range(5):
        seen.append(size.rows)
        size.was_stale(size.rows)
    for _ in range(8):
        seen.append(size.rows)
        size.was_written(size.rows)

    assert seen == [40, 20, 10, 5, 5, 5, 10, 20, 40, 80, 160, 250, 250]


def test_answers_to_smaller_batches_do_not_change_the_size() -> None:
    size = BatchSize()

    size.was_stale(39)
    size.was_written(39)

    assert size.rows == 40


def test_a_busy_shop_gets_smaller_batches_in_the_next_push(shopify: Shopify, connector: ShopifyConnector) -> None:
    items = [str(item) for item in range(1, 40 * LANES + 1)]
    shelf = Shelf(dict.fromkeys(items, 10), sells=items)
    shopify.will(shelf)
    connector.push([intent(int(item), 11, 3) for item in items])
    first = max(shelf.writes)
    shelf.writes.clear()

    connector.push([intent(int(item), 11, 3) for item in items])

    assert (first, max(shelf.writes)) == (40, 5)


def test_an_item_that_sells_at_every_look_costs_its_neighbours_nothing(
    shopify: Shopify, connector: ShopifyConnector
) -> None:
    items = [str(item) for item in range(1, 41)]
    shelf = Shelf(dict.fromkeys(items, 10) | {"7": 9}, sells=["7"])
    shopify.will(shelf)

    outcomes = {each.listing_id: each for each in connector.push([intent(int(item), 10, 3) for item in items])}

    hot = outcomes.pop(7)
    assert (hot.status, hot.pull_orders, hot.shown) == (PushStatus.RETRY, True, None)
    assert {each.status for each in outcomes.values()} == {PushStatus.APPLIED}
    assert shelf.reads.count("7") == 2
    assert {item: shelf.quantities[item] for item in items if item != "7"} == {item: 3 for item in items if item != "7"}


def test_four_batches_are_under_way_at_once(shopify: Shopify, connector: ShopifyConnector) -> None:
    together = threading.Barrier(4)

    def answer(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
        together.wait(5)
        return WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 9, 7) for number in range(1, 161)])

    assert {each.status for each in outcomes} == {PushStatus.APPLIED}
    assert [each.listing_id for each in outcomes] == list(range(1, 161))


def test_a_batch_that_fails_leaves_the_others_their_outcomes(shopify: Shopify, connector: ShopifyConnector) -> None:
    written = threading.Semaphore(0)

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked["variables"]["input"]["quantities"][0]["inventoryItemId"].endswith("/1"):
            for _ in range(3):
                written.acquire(timeout=5)
            return failed("undefinedField")
        written.release()
        return WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 9, 7) for number in range(1, 21)])

    assert [each.status for each in outcomes] == [PushStatus.RETRY] * 5 + [PushStatus.APPLIED] * 15

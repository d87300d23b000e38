"""Pushes against a shop that sells between our calls, loses answers, and refuses rows or whole batches."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.woocommerce.crew import THREADS, Crew
from connectors.woocommerce.push import lanes, push
from connectors.woocommerce.shop import Answer, Params
from connectors.woocommerce.stock import StockReader, read_levels
from core.errors import Malformed, Rejected, Throttled, Unauthorized, Unreachable
from core.model import ListingRef, PushIntent, PushOutcome, PushStatus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _nothing(shop: "StockShop", rows: list[dict[str, Any]]) -> None:
    """The usual case."""


@dataclass
class StockShop:
    """Products and variations by id. ``before`` and ``after`` run around each write and may raise."""

    numbers: dict[int, int] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    managed: dict[int, object] = field(default_factory=dict)
    old: bool = False
    before: Callable[["StockShop", list[dict[str, Any]]], None] = _nothing
    after: Callable[["StockShop", list[dict[str, Any]]], None] = _nothing
    ignores_writes: bool = False
    calls: list[str] = field(default_factory=list)
    written: list[list[int]] = field(default_factory=list)

    def _row(self, number: int) -> dict[str, Any]:
        return {"id": number, "manage_stock": self.managed.get(number, True), "stock_quantity": self.numbers[number]}

    def get(self, endpoint: str, params: Params) -> Answer:
        self.calls.append(f"GET {endpoint}")
        if endpoint == "variations" and self.old:
            raise Rejected("no", status=404, code="rest_no_route")
        wanted = [int(one) for one in str(params["include"]).split(",")]
        variations = endpoint != "products"
        parents = set(self.parents.values())
        found = [one for one in wanted if one in self.numbers and (one in self.parents) == variations]
        shown = [self._row(one) for one in found]
        if not variations:
            shown += [{"id": one, "manage_stock": False, "stock_quantity": None} for one in wanted if one in parents]
        return Answer(shown, NOON, NOON)

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        self.calls.append(f"{method} {endpoint}")
        rows = data["update"]
        self.before(self, rows)
        self.written.append([row["id"] for row in rows])
        shown = []
        for row in rows:
            assert row["manage_stock"] is True
            assert type(row["stock_quantity"]) is int
            if row["id"] not in self.numbers:
                error = {"code": "woocommerce_rest_product_invalid_id", "data": {"status": 400}}
                shown.append({"id": row["id"], "error": error})
                continue
            if not self.ignores_writes:
                self.numbers[row["id"]] = row["stock_quantity"]
            shown.append(self._row(row["id"]))
        self.after(self, rows)
        return Answer({"update": shown}, NOON, NOON)

    def remove(self, endpoint: str) -> None:
        raise AssertionError("a push deletes nothing")

    def close(self) -> None:
        """There are no sockets."""


def _intent(listing_id: int, external_id: str, believed: int, wanted: int) -> PushIntent:
    return PushIntent(listing_id, external_id, believed, wanted, f"k{listing_id}")


def _push(shop: StockShop, *intents: PushIntent) -> list[PushOutcome]:
    crew = Crew(lambda: shop)
    try:
        return list(push(crew, intents))
    finally:
        crew.close()


def _once(act: Callable[["StockShop", list[dict[str, Any]]], None]) -> Callable[..., None]:
    left = [act]

    def run(shop: "StockShop", rows: list[dict[str, Any]]) -> None:
        if left:
            left.pop()(shop, rows)

    return run


def _raise(fault: Exception) -> Callable[..., None]:
    def run(shop: "StockShop", rows: list[dict[str, Any]]) -> None:
        raise fault

    return run


def test_only_changed_rows_are_written_in_one_batch() -> None:
    shop = StockShop({1: 10, 2: 5, 3: 7})

    outcomes = _push(shop, _intent(1, "1", 10, 8), _intent(2, "2", 5, 5), _intent(3, "3", 7, 9))

    assert shop.written == [[1, 3]]
    assert shop.numbers == {1: 8, 2: 5, 3: 9}
    assert [one.status for one in outcomes] == [PushStatus.APPLIED, PushStatus.EQUAL, PushStatus.APPLIED]
    assert [(one.observed, one.shown, one.observed_at) for one in outcomes] == [
        (10, 8, NOON),
        (5, 5, NOON),
        (7, 9, NOON),
    ]


def test_variations_go_to_the_route_of_their_product() -> None:
    shop = StockShop({47: 4, 48: 4, 57: 4}, parents={47: 46, 48: 46, 57: 56})

    outcomes = _push(shop, _intent(1, "46/47", 4, 3), _intent(2, "56/57", 4, 3), _intent(3, "46/48", 4, 3))

    assert {one.status for one in outcomes} == {PushStatus.APPLIED}
    assert [one.listing_id for one in outcomes] == [1, 2, 3]
    assert shop.calls == [
        "GET variations",
        "POST products/46/variations/batch",
        "POST products/56/variations/batch",
    ]


def test_a_shop_older_than_the_variations_route_is_asked_product_by_product() -> None:
    shop = StockShop({47: 4, 57: 6}, parents={47: 46, 57: 56}, old=True)
    reader = StockReader(shop)

    levels = read_levels(reader, [ListingRef(1, "56/57"), ListingRef(2, "46/47"), ListingRef(3, "60/61")])

    assert [level.quantity for level in levels] == [6, 4, None]
    assert reader.pooled([(46, 47)]) == frozenset()


def test_a_parent_s_number_is_never_split_by_writing_its_variation() -> None:
    shop = StockShop({62: 35}, parents={62: 61}, managed={62: "parent"})

    (outcome,) = _push(shop, _intent(1, "61/62", 35, 30))

    assert outcome.status is PushStatus.REFUSED
    assert "parent" in outcome.reason
    assert shop.written == []


def test_unmanaged_missing_and_foreign_rows_are_refused_alone() -> None:
    shop = StockShop({1: 10, 2: 5}, managed={2: False})

    outcomes = _push(
        shop, _intent(1, "1", 10, 8), _intent(2, "2", 5, 4), _intent(3, "404", 5, 4), _intent(4, "gid://x", 5, 4)
    )

    refused = PushStatus.REFUSED
    assert [one.status for one in outcomes] == [PushStatus.APPLIED, refused, refused, refused]
    assert all(one.reason for one in outcomes[1:])


def test_a_row_deleted_between_reading_and_writing_is_refused_alone() -> None:
    def delete(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        del shop.numbers[2]

    shop = StockShop({1: 10, 2: 5}, before=delete)

    outcomes = _push(shop, _intent(1, "1", 10, 8), _intent(2, "2", 5, 4))

    assert [one.status for one in outcomes] == [PushStatus.APPLIED, PushStatus.REFUSED]


def test_an_answer_with_another_number_is_believed_and_looked_into() -> None:
    shop = StockShop({1: 10}, ignores_writes=True)

    (outcome,) = _push(shop, _intent(1, "1", 10, 8))

    assert outcome.status is PushStatus.STALE
    assert (outcome.shown, outcome.pull_orders) == (10, True)


def test_stock_management_switched_off_meanwhile_is_named() -> None:
    shop = StockShop({1: 10}, before=lambda shop, rows: shop.managed.update({1: False}))

    (outcome,) = _push(shop, _intent(1, "1", 10, 8))

    assert outcome.status is PushStatus.REFUSED
    assert "management" in outcome.reason


def test_an_unseen_sale_is_never_put_back() -> None:
    shop = StockShop({1: 7, 2: 7})

    outcomes = _push(shop, _intent(1, "1", 10, 10), _intent(2, "2", 10, 9))

    assert shop.numbers == {1: 7, 2: 6}
    assert all((one.status, one.pull_orders) == (PushStatus.STALE, True) for one in outcomes)


def test_a_write_whose_answer_is_lost_is_recognised_and_not_taken_for_a_sale() -> None:
    shop = StockShop({1: 10}, after=_once(_raise(Unreachable("time-out"))))

    (outcome,) = _push(shop, _intent(1, "1", 10, 7))

    assert (outcome.status, outcome.shown, outcome.observed) == (PushStatus.APPLIED, 7, 10)
    assert shop.numbers == {1: 7}
    assert len(shop.written) == 1


def test_a_write_that_never_arrived_is_decided_anew_from_a_new_reading() -> None:
    def sell_and_fail(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        shop.numbers[1] -= 2
        raise Unreachable("time-out")

    shop = StockShop({1: 10}, before=_once(sell_and_fail))

    (outcome,) = _push(shop, _intent(1, "1", 10, 12))

    assert outcome.status is PushStatus.STALE
    assert shop.numbers == {1: 8}


def test_a_lost_partial_write_is_not_raised_to_the_full_number() -> None:
    shop = StockShop({1: 7}, after=_once(_raise(Unreachable("time-out"))))

    (outcome,) = _push(shop, _intent(1, "1", 10, 9))

    assert (outcome.status, outcome.pull_orders) == (PushStatus.STALE, True)
    assert shop.numbers == {1: 6}


@pytest.mark.parametrize("status", [400, 413])
def test_a_batch_refused_as_a_whole_is_halved_until_the_bad_row_is_alone(status: int) -> None:
    def refuse(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        if any(row["id"] == 5 for row in rows):
            raise Rejected("no", status=status, code="some_plugin")

    shop = StockShop(dict.fromkeys(range(1, 21), 10), before=refuse)

    outcomes = _push(shop, *(_intent(one, str(one), 10, 8) for one in range(1, 21)))

    assert [one.listing_id for one in outcomes if one.status is PushStatus.REFUSED] == [5]
    assert sum(one.status is PushStatus.APPLIED for one in outcomes) == 19


@pytest.mark.parametrize("fault", [Unreachable("gone"), Throttled(9.0), Unauthorized("no")])
def test_a_push_that_learns_nothing_raises(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        _push(StockShop({1: 10}, before=_raise(fault)), _intent(1, "1", 10, 8))


def test_more_rows_than_a_batch_holds_go_in_several() -> None:
    shop = StockShop(dict.fromkeys(range(1, 121), 10))

    _push(shop, *(_intent(one, str(one), 10, 8) for one in range(1, 121)))

    assert sorted(len(batch) for batch in shop.written) == [20, 100]


def test_a_group_without_a_change_costs_no_write() -> None:
    shop = StockShop({1: 10, 47: 4}, parents={47: 46})

    outcomes = _push(shop, _intent(1, "1", 12, 12), _intent(2, "46/47", 4, 4))

    assert [one.status for one in outcomes] == [PushStatus.STALE, PushStatus.EQUAL]
    assert sorted(shop.calls) == ["GET products", "GET variations"]


def test_a_group_that_the_shop_fails_at_leaves_its_neighbours_alone() -> None:
    def fail(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        if any(row["id"] == 150 for row in rows):
            raise Unreachable("500")

    shop = StockShop(dict.fromkeys(range(1, 301), 10), before=fail)

    outcomes = _push(shop, *(_intent(one, str(one), 10, 8) for one in range(1, 301)))

    assert [one.listing_id for one in outcomes] == list(range(1, 301))
    assert {one.listing_id for one in outcomes if one.status is PushStatus.RETRY} == set(range(101, 201))
    assert all(one.status is PushStatus.APPLIED for one in outcomes if not 101 <= one.listing_id <= 200)


def test_a_group_that_fails_does_not_stop_the_one_after_it() -> None:
    def garble(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        if any(row["id"] == 1150 for row in rows):
            raise Malformed("no JSON")

    numbers = range(1000, 1300)
    shop = StockShop(dict.fromkeys(numbers, 10), parents={one: one // 100 for one in numbers}, before=garble)

    outcomes = _push(shop, *(_intent(one, f"{one // 100}/{one}", 10, 8) for one in numbers))

    assert [one.status for one in outcomes] == (
        [PushStatus.APPLIED] * 100 + [PushStatus.RETRY] * 100 + [PushStatus.APPLIED] * 100
    )


@pytest.mark.parametrize("fault", [Throttled(9.0), Unauthorized("no")])
def test_a_shop_that_refuses_midway_is_not_asked_for_the_groups_not_yet_begun(fault: Exception) -> None:
    written = threading.Event()

    def answer_one_batch_only(shop: StockShop, rows: list[dict[str, Any]]) -> None:
        if rows[0]["id"] != 1:
            assert written.wait(5)
            raise fault

    shop = StockShop(dict.fromkeys(range(1, 1001), 10), before=answer_one_batch_only)
    shop.after = lambda shop, rows: written.set()

    outcomes = _push(shop, *(_intent(one, str(one), 10, 8) for one in range(1, 1001)))

    assert Counter(one.status for one in outcomes) == {PushStatus.APPLIED: 100, PushStatus.RETRY: 900}
    assert all(one.reason for one in outcomes if one.status is PushStatus.RETRY)
    assert shop.calls.count("POST products/batch") <= THREADS + 1


@given(st.sets(st.tuples(st.integers(1, 40), st.integers(0, 400)), max_size=600))
def test_no_product_is_ever_in_two_lanes_and_no_group_is_more_than_one_batch(pairs: set[tuple[int, int]]) -> None:
    ids = [f"{product}/{variation}" if variation else str(product) for product, variation in sorted(pairs)]

    found = lanes([_intent(number, one, 1, 1) for number, one in enumerate(ids)])

    products = [{one.external_id.partition("/")[0] for group in lane for one in group} for lane in found]
    assert sum(len(lane) for lane in products) == len({product for product, _ in pairs})
    assert sorted(one.external_id for lane in found for group in lane for one in group) == sorted(ids)
    assert all(1 <= len(group) <= 100 for lane in found for group in lane)


class CountedLine(StockShop):
    """A line that knows who speaks over it; ``gate`` opens when as many calls as there are threads wait at once."""

    def __init__(self, gate: threading.Barrier) -> None:
        super().__init__()
        self.gate = gate
        self.speakers: set[int] = set()
        self.closed = False

    def get(self, endpoint: str, params: Params) -> Answer:
        self.speakers.add(threading.get_ident())
        self.gate.wait(5)
        return Answer([], NOON, NOON)

    def close(self) -> None:
        self.closed = True


def test_four_groups_are_under_way_at_once_each_over_a_line_of_its_own() -> None:
    gate = threading.Barrier(THREADS)
    lines: list[CountedLine] = []

    def new_line() -> CountedLine:
        lines.append(CountedLine(gate))
        return lines[-1]

    crew = Crew(new_line)

    for _ in range(2):
        outcomes = push(crew, [_intent(one, str(one), 10, 8) for one in range(1, 801)])
        assert len(outcomes) == 800
    crew.close()

    assert len(lines) == THREADS
    assert all(line.closed and len(line.speakers) == 1 for line in lines)


def test_a_push_that_breaks_leaves_no_call_running_behind() -> None:
    under_way: list[int] = []

    def act(shop: object, reader: object, work: int) -> None:
        if work == 0:
            raise ZeroDivisionError
        under_way.append(work)
        time.sleep(0.05)
        under_way.remove(work)

    crew = Crew(StockShop)

    with pytest.raises(ZeroDivisionError):
        crew.each(act, range(50))

    assert under_way == []
    crew.close()

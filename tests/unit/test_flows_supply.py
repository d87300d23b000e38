"""Goods on their way: each flow moves the layers that it concerns, by as much, and a receipt takes each unit once."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import flows
from core.stock import Bucket, Layer, Movement, Stocked
from core.supply.acting import Receipt
from core.supply.counting import to_count
from core.supply.lines import Came, Notice, PurchaseLine, PurchaseRow, comes_on, outstanding, split, state_of
from core.supply.taking_back import split_back
from tests.builders import HOME, at

MUG = Stocked(5)
FAR = 22  # another warehouse than the default one
TODAY = date(2027, 2, 1)


def line(ordered: int = 10, cut: int = 0, came: int = 0, counted: int = 0, on: date | None = None) -> PurchaseLine:
    return PurchaseLine(1, 7, 1, MUG.item_id, MUG.grade, ordered, cut, came, counted, 1, None, on)


def order(*, placed: bool = True, on: date | None = None) -> PurchaseRow:
    return PurchaseRow(7, "PO-7", 3, FAR, on, "", at(0), "test", at(0) if placed else None)


def notice(units: int, day: int, *, number: str = "ASN", came_before: int = 0) -> Notice:
    return Notice(1, number, units, date(2027, 2, day), came_before, at(0), "test")


def change(moves: Sequence[Movement]) -> Counter[tuple[Layer, int | None, Bucket]]:
    found: Counter[tuple[Layer, int | None, Bucket]] = Counter()
    for move in moves:
        found[move.layer, move.from_.place_id, move.from_.bucket] -= move.quantity
        found[move.layer, move.to.place_id, move.to.bucket] += move.quantity
    return Counter({cell: n for cell, n in found.items() if n and cell[1] is not None})


W_AVAILABLE = (Layer.WAREHOUSE, HOME.bin_id, Bucket.AVAILABLE)
W_UNAVAILABLE = (Layer.WAREHOUSE, HOME.bin_id, Bucket.UNAVAILABLE)
D_AVAILABLE = (Layer.DISPATCH, HOME.warehouse_id, Bucket.AVAILABLE)
D_UNAVAILABLE = (Layer.DISPATCH, HOME.warehouse_id, Bucket.UNAVAILABLE)
INCOMING = (Layer.DISPATCH, FAR, Bucket.INCOMING)
COUNTED = (Layer.DISPATCH, FAR, Bucket.INCOMING_SELLABLE)
FREE = (Layer.SALES, HOME.shared_pool_id, Bucket.FREE)

FLOWS: dict[str, tuple[Sequence[Movement], dict[tuple[Layer, int | None, Bucket], int]]] = {
    "placed": (flows.order_in(FAR, MUG, 3), {INCOMING: 3}),
    "counted": (flows.count_incoming(HOME, FAR, MUG, 3), {INCOMING: -3, COUNTED: 3, FREE: 3}),
    "uncounted": (flows.uncount_incoming(HOME, FAR, MUG, 3), {INCOMING: 3, COUNTED: -3, FREE: -3}),
    "received": (
        flows.arrive(HOME, FAR, MUG, 3, counted=False),
        {INCOMING: -3, W_AVAILABLE: 3, D_AVAILABLE: 3, FREE: 3},
    ),
    "received, on sale before": (
        flows.arrive(HOME, FAR, MUG, 3, counted=True),
        {COUNTED: -3, W_AVAILABLE: 3, D_AVAILABLE: 3},
    ),
    "damaged": (
        flows.arrive_damaged(HOME, FAR, MUG, 3, counted=False),
        {INCOMING: -3, W_UNAVAILABLE: 3, D_UNAVAILABLE: 3},
    ),
    "damaged, on sale before": (
        flows.arrive_damaged(HOME, FAR, MUG, 3, counted=True),
        {COUNTED: -3, W_UNAVAILABLE: 3, D_UNAVAILABLE: 3},
    ),
    "cut or lost": (flows.come_no_more(FAR, MUG, 3, counted=False), {INCOMING: -3}),
    "cut or lost, on sale before": (flows.come_no_more(FAR, MUG, 3, counted=True), {COUNTED: -3}),
}


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_moves_what_the_table_says(name: str) -> None:
    moves, expected = FLOWS[name]
    assert dict(change(moves)) == expected


@pytest.mark.parametrize(
    "flow",
    [
        lambda: flows.order_in(FAR, MUG, 0),
        lambda: flows.count_incoming(HOME, FAR, MUG, 0),
        lambda: flows.uncount_incoming(HOME, FAR, MUG, 0),
        lambda: flows.arrive(HOME, FAR, MUG, 0, counted=True),
        lambda: flows.arrive_damaged(HOME, FAR, MUG, 0, counted=False),
        lambda: flows.come_no_more(FAR, MUG, 0, counted=False),
    ],
)
def test_no_units_are_no_movement(flow: Callable[[], list[Movement]]) -> None:
    assert flow() == []


def test_sellable_units_come_first_for_those_who_bought_them_early() -> None:
    parts = split(line(counted=4), Came(6))
    assert (parts.good.counted, parts.good.uncounted, parts.good.more) == (4, 2, 0)


def test_damaged_units_leave_what_was_sold_early_alone_as_long_as_they_can() -> None:
    assert split(line(counted=4), Came(0, 6)).broken == 0
    assert split(line(counted=4), Came(0, 8)).broken == 2
    assert split(line(counted=4), Came(0, 3, 5)).broken == 2
    assert split(line(counted=10), Came(7, 2, 1)).broken == 3


def test_what_is_more_than_was_ordered_was_not_on_its_way() -> None:
    parts = split(line(came=8), Came(5, 1))
    assert (parts.good.uncounted, parts.good.more, parts.damaged.more) == (2, 3, 1)


@given(
    ordered=st.integers(1, 12), came=st.integers(0, 14), share=st.integers(0, 12), good=st.integers(0, 9),
    damaged=st.integers(0, 9), regraded=st.integers(0, 9),
)  # fmt: skip
def test_a_receipt_takes_each_unit_once_and_no_more_than_is_there(
    ordered: int, came: int, share: int, good: int, damaged: int, regraded: int
) -> None:
    mine = line(ordered, came=came)
    mine = mine._replace(counted=min(share, mine.open))
    parts = split(mine, Came(good, damaged, regraded))
    taken = [parts.good, parts.damaged, parts.regraded]
    assert [sum(one) for one in taken] == [good, damaged, regraded]
    assert sum(one.counted for one in taken) <= mine.counted
    assert sum(one.uncounted for one in taken) <= mine.uncounted
    expected = min(good + damaged + regraded, mine.open)
    assert sum(one.counted + one.uncounted for one in taken) == expected


@given(
    ordered=st.integers(1, 12), others=st.integers(0, 14), share=st.integers(0, 12), good=st.integers(0, 9),
    damaged=st.integers(0, 9), regraded=st.integers(0, 9),
)  # fmt: skip
def test_a_receipt_taken_back_leaves_a_line_as_it_was(
    ordered: int, others: int, share: int, good: int, damaged: int, regraded: int
) -> None:
    before = line(ordered, came=others)
    before = before._replace(counted=min(share, before.open))
    came = Came(good, damaged, regraded)
    took = split(before, came)
    after = before._replace(came=others + came.units, counted=before.counted - took.counted)
    back = split_back(after, Receipt(1, 1, *came, 31, at(0)), took.good.counted)
    assert [sum(one) for one in (back.good, back.damaged, back.regraded)] == [good, damaged, regraded]
    on_way = back.counted + sum(one.uncounted for one in (back.good, back.damaged, back.regraded))
    assert on_way == before.open - after.open
    assert after.counted + back.counted == before.counted - took.broken


@pytest.mark.parametrize(
    ("placed", "some", "state"),
    [
        (False, line(), "draft"),
        (True, line(), "placed"),
        (True, line(cut=3, came=7), "closed"),
        (True, line(came=12), "closed"),
        (True, line(cut=10), "cancelled"),
    ],
)
def test_the_state_of_an_order_follows_from_its_lines(placed: bool, some: PurchaseLine, state: str) -> None:
    assert state_of(order(placed=placed), [some]) == state


def test_a_dropped_draft_is_cancelled() -> None:
    assert state_of(order(placed=False)._replace(cancelled_at=at(0)), [line()]) == "cancelled"


def test_a_line_comes_on_its_own_day_else_on_that_of_its_order() -> None:
    early, late = date(2027, 2, 3), date(2027, 2, 9)
    assert comes_on(order(on=late), line(), []) == late
    assert comes_on(order(on=late), line(on=early), []) == early
    assert comes_on(order(), line(), []) is None


def test_announced_deliveries_say_the_day_where_they_bring_all() -> None:
    late = date(2027, 2, 9)
    assert comes_on(order(on=late), line(), [notice(10, 4)]) == date(2027, 2, 4)
    assert comes_on(order(on=late), line(), [notice(6, 4), notice(4, 12, number="B")]) == date(2027, 2, 12)


def test_announced_deliveries_of_a_part_can_only_put_the_rest_off() -> None:
    late = date(2027, 2, 9)
    assert comes_on(order(on=late), line(), [notice(6, 4)]) == late
    assert comes_on(order(on=late), line(), [notice(6, 20)]) == date(2027, 2, 20)
    assert comes_on(order(), line(), [notice(6, 20)]) == date(2027, 2, 20)


def test_what_came_is_taken_for_the_earliest_announced_since() -> None:
    announced = [notice(6, 4, came_before=2), notice(4, 12, number="B", came_before=2)]
    assert [left for _, left in outstanding(announced, 2)] == [6, 4]
    assert [left for _, left in outstanding(announced, 6)] == [2, 4]
    assert [(one.number, left) for one, left in outstanding(announced, 9)] == [("B", 3)]
    assert outstanding(announced, 40) == []


@pytest.mark.parametrize(
    ("on", "within", "presold", "counted"),
    [
        (date(2027, 2, 1), 0, False, 10),
        (date(2027, 2, 8), 7, False, 10),
        (date(2027, 2, 9), 7, False, 0),
        (date(2027, 1, 31), 7, False, 0),
        (date(2027, 2, 3), None, False, 0),
        (None, 7, False, 0),
        (date(2027, 2, 3), 7, True, 0),
    ],
)
def test_goods_are_counted_when_they_arrive_soon_are_not_late_and_no_presale_sells_them(
    on: date | None, within: int | None, presold: bool, counted: int
) -> None:
    assert to_count(10, on, TODAY, within, presold=presold) == counted

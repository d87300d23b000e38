"""The shortage rule over random shelves: nothing is lost, nobody is skipped, and parts add up to the whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.books import Widen
from core.rows import LockRow, PromiseRow
from core.sales.shortage import Bound, Loss, Shelf, Sold, Unsold, decide_back, decide_shortage
from core.stock import Pool, PoolKind
from tests.builders import HOME, at, promise

ROOMS = {PoolKind.SHARED: 0, PoolKind.CHANNEL: 1, PoolKind.ACTIVITY: 1, PoolKind.LOCK: 2}


def lock_of(pool: Pool, priority: int, since: int) -> LockRow:
    return LockRow(
        pool.id, f"lock-{pool.id}", "business", "active", 5, "good", 100, 0, priority, "", "", None, pool.warehouse_id,
        False, "yes", None, None, "test", at(since),
    )  # fmt: skip


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    """Pools of all kinds with goods, locks with and without a warehouse among them, and promises that stand in them."""
    kinds = [
        PoolKind.SHARED,
        *draw(st.lists(st.sampled_from([PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.LOCK]), max_size=5)),
    ]
    pools = []
    for n, kind in enumerate(kinds):
        place = draw(st.sampled_from([None, HOME.warehouse_id])) if kind is PoolKind.LOCK else None
        pools.append(Pool(11 + n, kind, warehouse_id=place))
    unsold = []
    for pool in pools:
        lock = lock_of(pool, draw(st.integers(0, 2)), draw(st.integers(0, 3))) if pool.kind is PoolKind.LOCK else None
        if units := draw(st.integers(0, 4)):
            unsold.append(Unsold(pool, units, lock))
    sold = []
    for n in range(draw(st.integers(0, 6))):
        row = promise(100 + n, live=draw(st.integers(1, 3)), promised_at=at(draw(st.integers(0, 3))))
        sold.append(Sold(row, draw(st.sampled_from(pools))))
    outside = [one.units for one in unsold if one.pool.warehouse_id is None]
    outside += [one.promise.live for one in sold if one.pool.warehouse_id is None]
    return Shelf(sum(outside), draw(st.permutations(unsold)), draw(st.permutations(sold)))


def total(shelf: Shelf) -> int:
    return sum(one.units for one in shelf.unsold) + sum(one.promise.live for one in shelf.sold)


def after(shelf: Shelf, losses: list[Loss]) -> Shelf:
    """The shelf without what was given up."""
    free = {loss.pool.id: loss.units for loss in losses if loss.promise is None}
    live = {loss.promise.id: loss.units for loss in losses if loss.promise is not None}
    unsold = [replace(one, units=one.units - free.get(one.pool.id, 0)) for one in shelf.unsold]
    sold = [
        replace(one, promise=one.promise._replace(live=one.promise.live - live.get(one.promise.id, 0)))
        for one in shelf.sold
    ]
    outside = sum(loss.units for loss in losses if loss.pool.warehouse_id is None)
    return Shelf(
        shelf.available - outside, [one for one in unsold if one.units], [one for one in sold if one.promise.live]
    )


def given_up(losses: list[Loss]) -> dict[tuple[int, int | None], int]:
    found: dict[tuple[int, int | None], int] = {}
    for loss in losses:
        key = (loss.pool.id, loss.promise.id if loss.promise else None)
        found[key] = found.get(key, 0) + loss.units
    return found


@given(shelf=shelves(), data=st.data())
def test_as_much_is_given_up_as_is_gone_and_never_more_than_somebody_has(shelf: Shelf, data: st.DataObject) -> None:
    units = data.draw(st.integers(0, total(shelf)))
    losses = decide_shortage(units, shelf)
    assert sum(loss.units for loss in losses) == units
    assert all(loss.units > 0 for loss in losses)
    has: dict[tuple[int, int | None], int] = {(one.pool.id, None): one.units for one in shelf.unsold}
    has.update({(one.pool.id, one.promise.id): one.promise.live for one in shelf.sold})
    assert all(n <= has[key] for key, n in given_up(losses).items())


@given(shelf=shelves(), data=st.data())
def test_nobody_gives_while_somebody_before_them_still_has_units(shelf: Shelf, data: st.DataObject) -> None:
    units = data.draw(st.integers(0, total(shelf)))
    losses = decide_shortage(units, shelf)
    left = after(shelf, losses)
    ranks = [_rank(loss.pool, loss.promise) for loss in losses]
    assert ranks == sorted(ranks)
    still = [_rank(one.pool, None) for one in left.unsold] + [_rank(one.pool, one.promise) for one in left.sold]
    assert not ranks or not still or max(ranks)[:2] <= min(still)[:2]


def _rank(pool: Pool, row: PromiseRow | None) -> tuple[int, int, float, int]:
    """Goods of physical locks last; free units before promised ones, and of these the newest first."""
    physical = int(pool.warehouse_id is not None)
    if row is None:
        return (physical, ROOMS[pool.kind], 0, 0)
    return (physical, 9, -row.promised_at.timestamp(), -row.id)


@given(shelf=shelves(), data=st.data())
def test_one_loss_after_another_takes_from_the_same_as_both_together(shelf: Shelf, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, total(shelf)))
    second = data.draw(st.integers(0, total(shelf) - first))
    one = decide_shortage(first, shelf)
    other = decide_shortage(second, after(shelf, one))
    assert given_up([*one, *other]) == given_up(decide_shortage(first + second, shelf))


@given(shelf=shelves(), data=st.data())
def test_it_does_not_matter_in_which_order_pools_and_promises_were_read(shelf: Shelf, data: st.DataObject) -> None:
    units = data.draw(st.integers(0, total(shelf)))
    shuffled = Shelf(shelf.available, data.draw(st.permutations(shelf.unsold)), data.draw(st.permutations(shelf.sold)))
    assert decide_shortage(units, shuffled) == decide_shortage(units, shelf)


@given(shelf=shelves())
def test_the_newest_promises_are_enough_to_know_what_all_of_them_would_say(shelf: Shelf) -> None:
    """What a batch loads, the newest promises of each kind of pool up to what lacks, decides the same."""
    units = total(shelf)
    for wanted in range(units + 1):
        whole = decide_shortage(wanted, shelf)
        broken = {loss.promise.id for loss in whole if loss.promise is not None}
        fewer = [one for one in shelf.sold if one.promise.id in broken]
        assert decide_shortage(wanted, replace(shelf, sold=fewer)) == whole


@given(shelf=shelves())
def test_with_too_few_promises_at_hand_it_asks_for_more_and_never_lets_units_vanish(shelf: Shelf) -> None:
    with pytest.raises(Widen):
        decide_shortage(total(shelf) + 1, replace(shelf, available=shelf.available + 1))


class TestWhoGivesUnitsBackToAWarehouse:
    """``allocated`` to be sent, ``locked`` for a physical lock's own orders; the newest give way."""

    def test_the_newest_first(self) -> None:
        old, new = promise(1, promised_at=at(1), live=3), promise(2, promised_at=at(2), live=2)

        assert decide_back(3, [Bound(old, 3), Bound(new, 2)]) == [(new, 2), (old, 1)]

    def test_what_stands_apart_need_not_be_given_back(self) -> None:
        old, new = promise(1, promised_at=at(1), live=3), promise(2, promised_at=at(2), live=3)

        assert decide_back(4, [Bound(old, 3), Bound(new, 1, 2)]) == [(new, 1), (old, 1)]
        assert decide_back(2, [Bound(old, 3), Bound(new, 1, 2)]) == []

    def test_more_must_be_looked_for_when_they_are_not_enough(self) -> None:
        with pytest.raises(Widen):
            decide_back(2, [Bound(promise(live=1), 1)])

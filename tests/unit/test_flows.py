"""Walks the flow table: whatever an act moves, from whatever pool, the layers tell the same story afterwards.

What an act changes is weighed by itself, without a state to start from: where all invariants change by nothing, they
hold after the act if they held before.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import flows
from core.errors import Broken
from core.stock import BUCKETS, GOOD, MINOR_DEFECT, WORLD, At, Bucket, Layer, Movement, Pool, PoolKind, Spot, Stocked
from tests.builders import HOME, at

MUG, FLAWED, BOX = Stocked(7, GOOD), Stocked(7, MINOR_DEFECT), Stocked(8, GOOD)
LINE = 70
HERE, THERE = HOME.warehouse_id, 22
SHELF = Spot(HERE, 99)
WAREHOUSE_OF_BIN = {HOME.bin_id: HERE, SHELF.bin_id: HERE}

SHARED = HOME.shared_pool
LOCK = Pool(50, PoolKind.LOCK, "sales lock")
MAPPED = Pool(51, PoolKind.LOCK, "mapped lock", warehouse_id=HERE)
PURE = Pool(52, PoolKind.LOCK, "pure lock", warehouse_id=HERE, pure=True)
ELSEWHERE = Pool(53, PoolKind.LOCK, "mapped lock elsewhere", warehouse_id=THERE)
CHANNEL = Pool(54, PoolKind.CHANNEL, "channel", store_id=3)
ACTIVITY = Pool(55, PoolKind.ACTIVITY, "activity")
PRESALE = Pool(56, PoolKind.PRESALE, "presale")

LOCKS = (LOCK, MAPPED, PURE, ELSEWHERE)
LOCKS_HERE = (LOCK, MAPPED, PURE)
DEALT = (CHANNEL, ACTIVITY)
WITH_GOODS = (SHARED, *LOCKS_HERE, *DEALT)


def closed(pool: Pool) -> Pool:
    return pool._replace(id=pool.id + 100, code=f"closed {pool.code}", closed_at=at(0))


EVERY = (SHARED, *LOCKS, *DEALT, PRESALE, *map(closed, (*LOCKS, *DEALT, PRESALE)))
PROMISED_GOODS = (*WITH_GOODS, *map(closed, (*LOCKS_HERE, *DEALT)))
POOLS = {pool.id: pool for pool in EVERY}
UNITS = object()  # where the quantity stands among a flow's arguments


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table with one choice of its arguments."""

    flow: Callable[..., Any]
    arguments: tuple[Any, ...]
    damaged: bool | None = None
    counted: bool | None = None

    @property
    def said(self) -> dict[str, bool]:
        both = {"damaged": self.damaged, "counted": self.counted}
        return {name: value for name, value in both.items() if value is not None}

    @property
    def name(self) -> str:
        return self.flow.__name__

    def __str__(self) -> str:
        pools = [one.code or "shared" for one in self.arguments if isinstance(one, Pool)]
        words = [str(one) for one in self.arguments if isinstance(one, bool | Bucket)]
        return " ".join([self.name, *pools, *words, *(f"{name} {value}" for name, value in self.said.items())])

    def act(self, units: int) -> list[Movement]:
        """What ``units`` (>= 1) move."""
        arguments = [units if one is UNITS else one for one in self.arguments]
        moves = self.flow(*arguments, **self.said)
        return [moves] if isinstance(moves, Movement) else list(moves)


def rows() -> Iterator[Case]:
    """Every function of ``core.flows`` with every kind of pool that it may meet."""
    for row in (flows.come_in, flows.come_in_unsellable, flows.go_missing, flows.damage, flows.mend, flows.scrap):
        yield Case(row, (HOME, MUG, UNITS))
    for before, after in ((MUG, FLAWED), (FLAWED, MUG), (MUG, BOX)):
        yield Case(flows.turn_into, (HOME, before, after, UNITS, 2))
    for found in (MUG, FLAWED):
        yield Case(flows.release_apart, (HOME, MUG, found, UNITS))
    yield from promises()
    yield from sent_by_warehouses()
    yield from losses()
    yield from locks_and_pools()
    yield from on_their_way()


def promises() -> Iterator[Case]:
    yield Case(flows.wait, (HOME, MUG, UNITS, LINE))
    yield Case(flows.stop_waiting, (HOME, MUG, UNITS, LINE))
    for pool in EVERY:
        yield Case(flows.deduct, (pool, MUG, UNITS, LINE))
        yield Case(flows.undeduct, (pool, MUG, UNITS, LINE))
    for pool, deducted in product(EVERY, (False, True)):
        if pool.is_open:
            yield Case(flows.hold, (pool, MUG, UNITS, deducted, LINE))
        yield Case(flows.release, (HOME, pool, MUG, UNITS, deducted, LINE))
    for deducted in (False, True):
        yield Case(flows.fill, (HOME, MUG, UNITS, deducted, LINE))
    for pool in PROMISED_GOODS:
        yield Case(flows.ship, (HOME, pool, MUG, UNITS, LINE))


def sent_by_warehouses() -> Iterator[Case]:
    for pool in PROMISED_GOODS:
        yield Case(flows.allocate, (pool, HERE, MUG, UNITS, LINE))
        yield Case(flows.deallocate, (pool, HERE, MUG, UNITS, LINE))
        yield Case(flows.leave, (HOME.spot, pool, MUG, UNITS, LINE))
    for row in (flows.pick, flows.put_back):
        yield Case(row, (HOME.bin_id, MUG, UNITS, LINE))


def losses() -> Iterator[Case]:
    for damaged in (False, True):
        for pool in (SHARED, *DEALT):
            yield Case(flows.lose_free, (HOME, pool, MUG, UNITS), damaged)
        for pool in LOCKS_HERE:
            yield Case(flows.lose_locked, (HOME, pool, MUG, UNITS), damaged)
        for pool, deducted in product(PROMISED_GOODS, (False, True)):
            yield Case(flows.break_promise, (HOME, pool, MUG, UNITS, deducted, LINE), damaged)


def locks_and_pools() -> Iterator[Case]:
    for pool in LOCKS:
        for row in (flows.lock, flows.fill_lock, flows.unlock):
            yield Case(row, (HOME, pool, MUG, UNITS))
        for wait in (flows.lock_waits, flows.lock_stops_waiting):
            yield Case(wait, (pool, MUG, UNITS))
    for pool in DEALT:
        yield Case(flows.deal, (HOME, pool, MUG, UNITS))
        yield Case(flows.collect, (HOME, pool, MUG, UNITS))
    yield Case(flows.presell, (PRESALE, MUG, UNITS))
    yield Case(flows.end_presale, (PRESALE, MUG, UNITS))
    for deducted in (False, True):
        yield Case(flows.hand_over, (HOME, PRESALE, MUG, UNITS, deducted, LINE))
    for (one, other), bucket in product(permutations((SHARED, *LOCKS), 2), BUCKETS[Layer.SALES]):
        yield Case(flows.migrate, (one, other, bucket, MUG, UNITS, LINE))


def on_their_way() -> Iterator[Case]:
    """What was counted as sellable and comes damaged, or not at all, is left out: others make room for it beside."""
    for bucket in (Bucket.AVAILABLE, Bucket.UNAVAILABLE):
        yield Case(flows.put_away, (MUG, HOME.spot, SHELF, bucket, UNITS))
    yield Case(flows.send, (HOME.spot, THERE, MUG, UNITS))
    yield Case(flows.keep, (HERE, MUG, UNITS))
    yield Case(flows.let_go, (HERE, MUG, UNITS))
    for place in (HERE, THERE):
        yield Case(flows.order_in, (place, MUG, UNITS))
        yield Case(flows.count_incoming, (HOME, place, MUG, UNITS))
        yield Case(flows.uncount_incoming, (HOME, place, MUG, UNITS))
        for counted in (False, True):
            yield Case(flows.arrive, (HOME, place, MUG, UNITS), counted=counted)
        yield Case(flows.arrive_damaged, (HOME, place, MUG, UNITS), counted=False)
        yield Case(flows.come_no_more, (place, MUG, UNITS), counted=False)


CASES = list(rows())
NO_FLOWS = {"promised"}  # tells a bucket


def weighed(moves: Sequence[Movement]) -> dict[str, int]:
    """By how much one act lets the two sides of each invariant come apart; empty when none does."""
    weight: Counter[str] = Counter()
    apart = any(map(of_physical_lock, moves))
    for move in moves:
        for end, sign in ((move.from_, -move.quantity), (move.to, move.quantity)):
            for invariant, side in sides(move.stocked, move.layer, end, apart=apart):
                weight[invariant] += side * sign
    return {invariant: n for invariant, n in weight.items() if n}


def of_physical_lock(move: Movement) -> bool:
    ends = (move.from_, move.to)
    if move.layer is Layer.DISPATCH:
        return any(end.bucket is Bucket.LOCKED for end in ends)
    pools = [POOLS[end.place_id] for end in ends if move.layer is Layer.SALES and end.place_id is not None]
    return any(pool.warehouse_id is not None for pool in pools)


def sides(stocked: Stocked, layer: Layer, end: At, *, apart: bool) -> Iterator[tuple[str, int]]:
    """The invariants that count a bucket, and on which side: 1 or -1.

    Args: apart: the units of the act are those of a physical lock, so what is allocated counts as its own.
    """
    place, bucket = end
    if place is None:
        return
    if layer is Layer.WAREHOUSE:
        warehouse = WAREHOUSE_OF_BIN[place]
        if bucket in (Bucket.AVAILABLE, Bucket.PICKING):
            yield f"3 sellable of {stocked} in {warehouse}", 1
        else:
            yield f"3 unavailable of {stocked} in {warehouse}", 1
    elif layer is Layer.DISPATCH:
        if bucket in (Bucket.AVAILABLE, Bucket.ALLOCATED, Bucket.LOCKED):
            yield f"3 sellable of {stocked} in {place}", -1
        if bucket is Bucket.UNAVAILABLE:
            yield f"3 unavailable of {stocked} in {place}", -1
        if bucket in (Bucket.AVAILABLE, Bucket.ALLOCATED, Bucket.LOCKED, Bucket.INCOMING_SELLABLE):
            yield f"4 goods of {stocked}", 1
        if bucket is Bucket.LOCKED:
            yield f"5b locked of {stocked} in {place}", 1
        if bucket is Bucket.ALLOCATED and apart:
            yield f"5b locked of {stocked} in {place}", 1
    elif bucket is not Bucket.BACKORDERED and POOLS[place].kind is not PoolKind.PRESALE:
        yield f"4 goods of {stocked}", -1
        if POOLS[place].warehouse_id is not None:
            yield f"5b locked of {stocked} in {POOLS[place].warehouse_id}", -1


def test_the_walk_takes_every_row_of_the_table() -> None:
    public = {name for name, what in inspect.getmembers(flows, inspect.isfunction)
              if what.__module__ == flows.__name__ and not name.startswith("_")}  # fmt: skip
    assert {case.name for case in CASES} == public - NO_FLOWS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_row_keeps_invariants_3_4_and_5b_whatever_the_pool(case: Case) -> None:
    for quantity in (1, 4, 1_000_000):
        moves = case.act(quantity)
        assert moves
        assert weighed(moves) == {}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_row_lets_units_or_demand_into_a_closed_pool(case: Case) -> None:
    for move in case.act(3):
        if move.layer is Layer.SALES and move.to.place_id is not None and not POOLS[move.to.place_id].is_open:
            assert move.to.bucket in (Bucket.RESERVED, Bucket.SOLD)
            assert move.from_.place_id == move.to.place_id


@pytest.mark.parametrize(
    "flow", ["come_in", "damage", "mend", "scrap", "ship", "lose_locked", "break_promise", "arrive", "send"]
)
def test_a_row_with_a_movement_left_out_is_found(flow: str) -> None:
    """The control of the walk: what it weighs does come apart when a layer is forgotten."""
    for case in CASES:
        if case.name == flow:
            moves = case.act(3)
            assert any(weighed([*moves[:n], *moves[n + 1 :]]) for n in range(len(moves))), case


@pytest.mark.parametrize("pool", [MAPPED, PURE], ids=lambda pool: pool.code)
def test_what_enters_or_leaves_a_physical_lock_moves_its_warehouse(pool: Pool) -> None:
    entering = [flows.lock(HOME, pool, MUG, 3), flows.fill_lock(HOME, pool, MUG, 3)]
    leaving = [flows.unlock(HOME, pool, MUG, 3), flows.release(HOME, closed(pool), MUG, 3, True, LINE)]
    available, locked = At(HERE, Bucket.AVAILABLE), At(HERE, Bucket.LOCKED)
    for moves, ends in [(one, (available, locked)) for one in entering] + [
        (one, (locked, available)) for one in leaving
    ]:
        assert [(move.from_, move.to) for move in moves if move.layer is Layer.DISPATCH] == [ends]


def test_units_that_migrate_within_one_warehouse_stay_where_they_are() -> None:
    assert {move.layer for move in flows.migrate(MAPPED, PURE, Bucket.FREE, MUG, 3)} == {Layer.SALES}
    moved = [move for move in flows.migrate(MAPPED, ELSEWHERE, Bucket.SOLD, MUG, 3) if move.layer is Layer.DISPATCH]
    assert [(move.from_.place_id, move.to.bucket) for move in moved] == [
        (HERE, Bucket.AVAILABLE),
        (THERE, Bucket.LOCKED),
    ]


def test_demand_that_migrates_has_no_goods_to_move() -> None:
    assert len(flows.migrate(MAPPED, ELSEWHERE, Bucket.BACKORDERED, MUG, 3)) == 1


@pytest.mark.parametrize("deducted", [False, True])
@pytest.mark.parametrize("pool", [pool for pool in EVERY if pool.is_open], ids=lambda pool: pool.code)
def test_a_release_is_the_opposite_of_its_hold(pool: Pool, deducted: bool) -> None:
    both = [*flows.hold(pool, MUG, 3, deducted, LINE), *flows.release(HOME, pool, MUG, 3, deducted, LINE)]
    assert changed(both) == {}


@pytest.mark.parametrize("pool", LOCKS, ids=lambda pool: pool.code)
def test_acts_and_their_opposites_leave_nothing_changed(pool: Pool) -> None:
    pairs = [
        flows.damage(HOME, MUG, 3) + flows.mend(HOME, MUG, 3),
        flows.come_in_unsellable(HOME, MUG, 3) + flows.scrap(HOME, MUG, 3),
        flows.come_in(HOME, MUG, 3) + flows.go_missing(HOME, MUG, 3),
        flows.lock(HOME, pool, MUG, 3) + flows.unlock(HOME, pool, MUG, 3),
        flows.lock_waits(pool, MUG, 3) + flows.lock_stops_waiting(pool, MUG, 3),
        flows.migrate(pool, SHARED, Bucket.SOLD, MUG, 3) + flows.migrate(SHARED, pool, Bucket.SOLD, MUG, 3),
        flows.deal(HOME, CHANNEL, MUG, 3) + flows.collect(HOME, CHANNEL, MUG, 3),
        flows.presell(PRESALE, MUG, 3) + flows.end_presale(PRESALE, MUG, 3),
    ]
    assert [changed(pair) for pair in pairs] == [{}] * len(pairs)


def changed(moves: Sequence[Movement]) -> dict[tuple[Stocked, Layer, At], int]:
    cells: Counter[tuple[Stocked, Layer, At]] = Counter()
    for move in moves:
        cells[move.stocked, move.layer, move.from_] -= move.quantity
        cells[move.stocked, move.layer, move.to] += move.quantity
    return {cell: n for cell, n in cells.items() if n and cell[2] != WORLD}


def test_a_paid_promise_stands_in_sold_and_an_unpaid_one_in_reserved() -> None:
    assert [flows.promised(deducted=True), flows.promised(deducted=False)] == [Bucket.SOLD, Bucket.RESERVED]


def test_a_broken_promise_waits_in_the_shared_pool_wherever_it_stood() -> None:
    waits = HOME.shared(Bucket.BACKORDERED)
    for pool in WITH_GOODS:
        assert waits in [move.to for move in flows.break_promise(HOME, pool, MUG, 2, True, LINE, damaged=False)]


def test_a_lock_that_loses_units_waits_for_as_many() -> None:
    for pool in LOCKS_HERE:
        assert changed(flows.lose_locked(HOME, pool, MUG, 2, damaged=False))[
            MUG, Layer.SALES, pool.at(Bucket.BACKORDERED)
        ] == 2  # fmt: skip


def test_a_shipment_leaves_through_allocated_and_picking() -> None:
    for pool in WITH_GOODS:
        moves = flows.ship(HOME, pool, MUG, 2, LINE)
        passed = {(move.layer, move.to.bucket) for move in moves}
        assert {(Layer.DISPATCH, Bucket.ALLOCATED), (Layer.WAREHOUSE, Bucket.PICKING)} <= passed
        assert sum(move.quantity for move in moves if move.to == WORLD) == 2 * len(Layer)


def test_nothing_to_move_moves_nothing() -> None:
    nothing = [
        flows.hold(SHARED, MUG, 0, False, LINE), flows.release(HOME, SHARED, MUG, 0, True, LINE),
        flows.deduct(SHARED, MUG, 0, LINE), flows.undeduct(SHARED, MUG, 0, LINE), flows.wait(HOME, MUG, 0, LINE),
        flows.stop_waiting(HOME, MUG, 0, LINE), flows.lock(HOME, MAPPED, MUG, 0), flows.lock_waits(LOCK, MUG, 0),
        flows.lock_stops_waiting(LOCK, MUG, 0), flows.fill_lock(HOME, MAPPED, MUG, 0),
        flows.unlock(HOME, MAPPED, MUG, 0), flows.migrate(MAPPED, LOCK, Bucket.FREE, MUG, 0),
        flows.deal(HOME, CHANNEL, MUG, 0), flows.collect(HOME, CHANNEL, MUG, 0), flows.presell(PRESALE, MUG, 0),
        flows.end_presale(PRESALE, MUG, 0),
    ]  # fmt: skip
    assert nothing == [[]] * len(nothing)


@given(acts=st.lists(st.tuples(st.sampled_from(CASES), st.integers(1, 5)), max_size=60))
def test_any_row_of_legal_acts_keeps_the_layers_equal_and_no_bucket_below_nothing(acts: list[tuple[Case, int]]) -> None:
    done: list[Movement] = flows.come_in(HOME, MUG, 20) + flows.come_in(HOME, BOX, 20)
    weight: Counter[str] = Counter()
    for case, quantity in acts:
        moves = case.act(quantity)
        if min(changed([*done, *moves]).values()) >= 0:  # else the ledger would refuse it
            done += moves
            weight.update(weighed(moves))
    assert not any(weight.values())


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_movement_of_nothing_is_refused(quantity: int) -> None:
    with pytest.raises(Broken):
        Movement(MUG, Layer.SALES, WORLD, HOME.shared(Bucket.FREE), quantity)


def test_a_movement_to_where_it_comes_from_is_refused() -> None:
    with pytest.raises(Broken):
        Movement(MUG, Layer.SALES, HOME.shared(Bucket.FREE), HOME.shared(Bucket.FREE), 1)


def test_a_movement_to_a_bucket_of_another_layer_is_refused() -> None:
    with pytest.raises(Broken):
        Movement(MUG, Layer.SALES, WORLD, HOME.shared(Bucket.PICKING), 1)


def test_a_movement_to_a_bucket_without_a_place_is_refused() -> None:
    with pytest.raises(Broken):
        Movement(MUG, Layer.SALES, WORLD, At(None, Bucket.FREE), 1)

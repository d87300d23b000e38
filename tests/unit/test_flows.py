"""Walks the flow table: whatever an act moves, the three layers tell the same story afterwards."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import flows
from core.errors import Broken
from core.stock import BUCKETS, WORLD, At, Bucket, Layer, Movement, Stocked
from tests.builders import HOME

MUG = Stocked(7)
LINE = 70
Cells = Counter[tuple[Layer, Bucket]]

IN_THE_HOUSE = {
    Layer.WAREHOUSE: (Bucket.AVAILABLE, Bucket.PICKING),
    Layer.DISPATCH: (Bucket.AVAILABLE, Bucket.ALLOCATED, Bucket.LOCKED),
    Layer.SALES: (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD),
}


def moved(cells: Cells, moves: Sequence[Movement]) -> Cells:
    after = cells.copy()
    for move in moves:
        if move.from_ != WORLD:
            after[move.layer, move.from_.bucket] -= move.quantity
        if move.to != WORLD:
            after[move.layer, move.to.bucket] += move.quantity
        assert min(after.values()) >= 0, f"{move} takes more than there is"
    return after


def sellable(cells: Cells, layer: Layer) -> int:
    return sum(cells[layer, bucket] for bucket in IN_THE_HOUSE[layer])


def full_house() -> Cells:
    """Sixty units that agree in all layers, in every state an act may start from, and ten waiting."""
    cells: Cells = Counter()
    cells = moved(cells, flows.come_in(HOME, MUG, 60))
    cells = moved(cells, flows.damage(HOME, MUG, 10))
    cells = moved(cells, flows.hold(HOME, MUG, 20, 10, deducted=False, line_id=LINE))
    return moved(cells, flows.deduct(HOME, MUG, 10, LINE))


ACTS = {
    "come_in": lambda n: flows.come_in(HOME, MUG, n),
    "go_missing": lambda n: flows.go_missing(HOME, MUG, n),
    "damage": lambda n: flows.damage(HOME, MUG, n),
    "mend": lambda n: flows.mend(HOME, MUG, n),
    "hold": lambda n: flows.hold(HOME, MUG, n, n, deducted=False, line_id=LINE),
    "hold_paid": lambda n: flows.hold(HOME, MUG, n, n, deducted=True, line_id=LINE),
    "release": lambda n: flows.release(HOME, MUG, n, n, deducted=False, line_id=LINE),
    "release_paid": lambda n: flows.release(HOME, MUG, n, n, deducted=True, line_id=LINE),
    "deduct": lambda n: flows.deduct(HOME, MUG, n, LINE),
    "undeduct": lambda n: flows.undeduct(HOME, MUG, n, LINE),
    "fill": lambda n: flows.fill(HOME, MUG, n, deducted=False, line_id=LINE),
    "fill_paid": lambda n: flows.fill(HOME, MUG, n, deducted=True, line_id=LINE),
    "ship": lambda n: flows.ship(HOME, MUG, n, LINE),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("quantity", [1, 4, 10])
def test_every_flow_keeps_the_three_layers_equal(act: str, quantity: int) -> None:
    before = full_house()
    after = moved(before, ACTS[act](quantity))
    assert after != before
    assert sellable(after, Layer.WAREHOUSE) == sellable(after, Layer.DISPATCH) == sellable(after, Layer.SALES)
    assert after[Layer.WAREHOUSE, Bucket.UNAVAILABLE] == after[Layer.DISPATCH, Bucket.UNAVAILABLE]


@pytest.mark.parametrize("act", ACTS)
def test_every_flow_stays_within_the_buckets_of_its_layer(act: str) -> None:
    for move in ACTS[act](3):
        for end in (move.from_, move.to):
            assert end == WORLD or end.bucket in BUCKETS[move.layer]


@pytest.mark.parametrize("deducted", [False, True])
def test_a_release_is_the_opposite_of_its_hold(deducted: bool) -> None:
    before = full_house()
    held = moved(before, flows.hold(HOME, MUG, 3, 2, deducted, LINE))
    assert moved(held, flows.release(HOME, MUG, 3, 2, deducted, LINE)) == before


def test_mending_is_the_opposite_of_damage() -> None:
    before = full_house()
    assert moved(moved(before, flows.damage(HOME, MUG, 3)), flows.mend(HOME, MUG, 3)) == before


def test_a_paid_promise_stands_in_sold_and_an_unpaid_one_in_reserved() -> None:
    assert [flows.promised(deducted=True), flows.promised(deducted=False)] == [Bucket.SOLD, Bucket.RESERVED]


def test_a_shipment_leaves_through_allocated_and_picking() -> None:
    passed = {(move.layer, move.to.bucket) for move in flows.ship(HOME, MUG, 2, LINE)}
    assert {(Layer.DISPATCH, Bucket.ALLOCATED), (Layer.WAREHOUSE, Bucket.PICKING)} <= passed
    assert sum(move.quantity for move in flows.ship(HOME, MUG, 2, LINE) if move.to == WORLD) == 2 * len(Layer)


def test_nothing_to_hold_moves_nothing() -> None:
    assert flows.hold(HOME, MUG, 0, 0, deducted=False, line_id=LINE) == []
    assert flows.release(HOME, MUG, 0, 0, deducted=True, line_id=LINE) == []
    assert flows.deduct(HOME, MUG, 0, LINE) == flows.undeduct(HOME, MUG, 0, LINE) == []


@given(acts=st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(1, 5)), max_size=30))
def test_any_row_of_legal_flows_keeps_the_layers_equal(acts: list[tuple[str, int]]) -> None:
    cells = full_house()
    for act, quantity in acts:
        try:
            cells = moved(cells, ACTS[act](quantity))
        except AssertionError:
            continue  # more than there is: the ledger would refuse it
        assert len({sellable(cells, layer) for layer in Layer}) == 1


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

"""Out of which bins goods leave: the default place first, never more than a bin has and its warehouse lets go."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from core.books import Books
from core.stock import BUCKETS, BalanceKey, Bucket, Home, Layer, Pool, PoolKind, Spot, Stocked
from core.warehouse.picking import Picker

MUG = Stocked(7)
MAIN, SHELF, HAMBURG = Spot(1, 11), Spot(1, 12), Spot(2, 21)


def books(in_bins: dict[Spot, int], let_go: dict[int, int], locked: dict[int, int] | None = None) -> Books:
    known = Books(1, Home(MAIN.bin_id, MAIN.warehouse_id, 3), datetime.now(UTC), iter(()).__next__, "test")
    known.spots = {MUG: [spot for spot in in_bins if spot != MAIN]}
    for layer, place_id, bucket, units in [
        *((Layer.WAREHOUSE, spot.bin_id, Bucket.AVAILABLE, n) for spot, n in in_bins.items()),
        *((Layer.DISPATCH, place, Bucket.AVAILABLE, n) for place, n in let_go.items()),
        *((Layer.DISPATCH, place, Bucket.LOCKED, n) for place, n in (locked or {}).items()),
    ]:
        key = BalanceKey(layer, *MUG, place_id)
        for other in BUCKETS[layer]:
            known.cells.setdefault((key, other), 0)
        known.cells[key, bucket] = units
    return known


def taken(picker: Picker, units: int, pool: Pool | None = None) -> dict[int, int]:
    """Units by bin."""
    return {home.bin_id: n for home, n in picker.take(MUG, units, pool)}


def test_the_default_bin_gives_first_and_the_others_the_rest() -> None:
    known = books({MAIN: 2, SHELF: 3, HAMBURG: 4}, {1: 5, 2: 4})

    assert taken(Picker(known), 6) == {11: 2, 12: 3, 21: 1}


def test_no_more_leaves_a_warehouse_than_it_lets_go() -> None:
    known = books({MAIN: 5, HAMBURG: 5}, {1: 2, 2: 5}, {1: 3})

    assert taken(Picker(known), 4) == {11: 2, 21: 2}


def test_goods_of_a_physical_lock_leave_out_of_its_warehouse() -> None:
    known = books({MAIN: 5, HAMBURG: 5}, {1: 5, 2: 2}, {1: 0, 2: 3})
    lock = Pool(9, PoolKind.LOCK, warehouse_id=2)

    assert taken(Picker(known), 4, lock) == {21: 3}


def test_a_second_line_of_the_same_document_finds_what_the_first_left() -> None:
    picker = Picker(books({MAIN: 2, HAMBURG: 2}, {1: 2, 2: 2}))

    assert taken(picker, 3) == {11: 2, 21: 1}
    assert taken(picker, 3) == {21: 1}


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
    st.lists(st.integers(1, 6), max_size=6),
    st.integers(0, 4),
)
def test_all_that_is_there_is_found_and_nothing_twice(
    in_bins: tuple[int, int, int], asked: list[int], held: int
) -> None:
    main, shelf, hamburg = in_bins
    may_leave = max(main + shelf - held, 0)
    picker = Picker(books({MAIN: main, SHELF: shelf, HAMBURG: hamburg}, {1: may_leave, 2: hamburg}))

    found = [taken(picker, units) for units in asked]

    there = may_leave + hamburg
    assert sum(sum(one.values()) for one in found) == min(sum(asked), there)
    for bin_id, units in ((11, main), (12, shelf), (21, hamburg)):
        assert sum(one.get(bin_id, 0) for one in found) <= units

"""Which pools a buyer draws on, over random pools: never on what is set apart for others, and in a fixed order.

And what comes of components: kits that are put together, bundles that come back.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.books import Books
from core.errors import InsufficientStock, Refused
from core.goods.bundles import decide_assembly, decide_return
from core.rows import LockRow, Part
from core.sales.drawing import OWN, TURN, draws, draws_of_hold, may_draw
from core.stock import Bucket, Layer, Pool, PoolKind, Stocked
from tests.builders import HOME, NOON, at

MUG, PARTS = Stocked(5), (Stocked(6), Stocked(7), Stocked(6, "minor_defect"))
PER_UNIT = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
HOLDERS = st.sampled_from(["", "acme", "zoe"])
STORES = st.sampled_from([OWN, 1, 2])
INSTANTS = st.none() | st.integers(-3, 3).map(at)
LOCKED = st.booleans() | st.just(True)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, LockRow | None]:
    """A pool of any kind but the shared one, open or closed, with its lock if it has one."""
    kind = draw(st.sampled_from([PoolKind.LOCK, PoolKind.LOCK, PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.PRESALE]))
    pool = Pool(
        100, kind, "pool", draw(st.none() | STORES), starts_at=draw(INSTANTS), ends_at=draw(INSTANTS),
        closed_at=None if draw(LOCKED) else at(-1),
    )  # fmt: skip
    if kind is not PoolKind.LOCK:
        return pool, None
    pool = pool._replace(pure=draw(st.booleans()))
    status = draw(st.sampled_from(["active", "active", "active", "requested", "closed"]))
    lock = LockRow(
        100, "lock", draw(st.sampled_from(["business", "internal"])), status, *MUG, 10, 0, 0, "", draw(HOLDERS),
        pool.store_id, None, pool.pure, draw(st.sampled_from(["yes", "no", "ask"])), None, None, "test", at(0),
    )  # fmt: skip
    return pool, lock


@st.composite
def shelves(draw: st.DrawFn) -> Books:
    """Books that know of a few pools for mugs."""
    books = Books(1, HOME, NOON, lambda: 0, "test")
    books.pools[HOME.shared_pool_id] = HOME.shared_pool
    for n, (pool, lock) in enumerate(draw(st.lists(pools(), max_size=6))):
        numbered = pool._replace(id=100 + n)
        books.pools[numbered.id] = numbered
        if numbered.is_open:
            books.open_pools.setdefault(MUG, []).append(numbered.id)
        if lock is not None:
            books.locks[numbered.id] = lock._replace(id=numbered.id)
    return books


def is_meant_for(pool: Pool, lock: LockRow | None, store: int, holder: str) -> bool:
    """Said in other words than the core's."""
    if pool.kind is PoolKind.LOCK:
        return lock is not None and (pool.store_id == store or (holder != "" and lock.account == holder))
    return pool.store_id in (None, store)


@given(drawn=pools(), store=STORES, holder=HOLDERS, seconds=st.integers(-4, 4))
def test_only_who_a_pool_is_for_draws_on_it_and_only_while_it_runs(
    drawn: tuple[Pool, LockRow | None], store: int, holder: str, seconds: int
) -> None:
    (pool, lock), now = drawn, NOON + timedelta(seconds=seconds)
    begun = pool.starts_at is None or not now < pool.starts_at
    over = pool.ends_at is not None and not now < pool.ends_at
    is_up = pool.closed_at is None and (lock is None or lock.status == "active")
    expected = is_up and begun and not over and not pool.pure and is_meant_for(pool, lock, store, holder)
    assert may_draw(pool, lock, store, holder, now) is expected


@given(books=shelves(), store=STORES, holder=HOLDERS)
def test_everybody_draws_on_each_pool_once_and_on_the_shared_one_before_presales(
    books: Books, store: int, holder: str
) -> None:
    found = draws(books, MUG, store, holder)
    assert len({pool.id for pool in found}) == len(found)
    assert HOME.shared_pool in found
    assert [TURN[pool.kind] for pool in found] == sorted(TURN[pool.kind] for pool in found)
    allowed = {one.id for one in books.pools.values() if may_draw(one, books.locks.get(one.id), store, holder, NOON)}
    assert {pool.id for pool in found} == allowed


@given(books=shelves(), store=STORES, holder=HOLDERS, overflow=st.booleans())
def test_the_widest_policy_of_a_buyers_locks_decides_on_shared_units(
    books: Books, store: int, holder: str, overflow: bool
) -> None:
    all_of_them = draws(books, MUG, store, holder)
    policies = {books.locks[pool.id].overflow for pool in all_of_them if pool.kind is PoolKind.LOCK}
    is_let = not policies or "yes" in policies or (overflow and "ask" in policies)
    found = draws_of_hold(books, MUG, store, holder, None, overflow)
    assert (HOME.shared_pool in found) is is_let
    assert [pool for pool in all_of_them if pool != HOME.shared_pool] == [p for p in found if p != HOME.shared_pool]


@given(books=shelves(), store=STORES, holder=HOLDERS, overflow=st.booleans(), nth=st.integers(0, 5))
def test_a_hold_that_names_a_pool_draws_on_it_first_and_on_no_pool_of_others(
    books: Books, store: int, holder: str, overflow: bool, nth: int
) -> None:
    named = list(books.pools.values())[nth % len(books.pools)]
    with suppress(Refused):
        found = draws_of_hold(books, MUG, store, holder, named.id, overflow)
        assert found[0] == named
        assert named.is_open
        assert not named.pure
        assert named.store_id in (None, store)
        assert set(found[1:]) <= set(draws(books, MUG, store, holder))
        assert len({pool.id for pool in found}) == len(found)
        lock = books.locks.get(named.id)
        assert lock is None or lock.account in ("", holder)
        assert len(found) == 1 or overflow or (lock is not None and lock.overflow == "yes")


# ---- components


@given(per=PER_UNIT, free=st.lists(st.integers(0, 30), min_size=3, max_size=3), times=st.integers(1, 6))
def test_an_assembly_uses_all_that_its_recipe_says_or_nothing(
    per: tuple[int, int, int], free: list[int], times: int
) -> None:
    books = Books(1, HOME, NOON, lambda: 0, "test")
    used = [Part(part, n) for part, n in zip(PARTS, per, strict=True)]
    for part, n in zip(PARTS, free, strict=True):
        books.cells[HOME.shared_pool.key(part), Bucket.FREE] = n
    missing = {part: n * times - there for part, n, there in zip(PARTS, per, free, strict=True) if n * times > there}
    if missing:
        with pytest.raises(InsufficientStock) as refusal:
            decide_assembly(books, used, [Part(MUG, 1)], times)
        assert refusal.value.missing == missing
        return
    needed = {part: n * times for part, n in zip(PARTS, per, strict=True)}
    change: Counter[tuple[Layer, Stocked]] = Counter()
    for move in decide_assembly(books, used, [Part(MUG, 1)], times):
        change[move.layer, move.stocked] += move.quantity * (1 if move.from_.place_id is None else -1)
    for layer in Layer:
        assert {part: -change[layer, part] for part in PARTS} == needed
        assert change[layer, MUG] == times


@given(
    per=PER_UNIT, units=st.integers(1, 5),
    flawed=st.dictionaries(st.sampled_from([6, 7, 8]), st.integers(1, 9)),
    damaged=st.dictionaries(st.sampled_from([6, 7, 8]), st.integers(1, 9)),
)  # fmt: skip
def test_what_came_back_of_bundles_is_all_of_their_components_and_as_bad_as_was_told(
    per: tuple[int, int, int], units: int, flawed: dict[int, int], damaged: dict[int, int]
) -> None:
    parts = [Part(part, n) for part, n in zip(PARTS, per, strict=True)]
    came = Counter[int]()
    for part in parts:
        came[part.stocked.item_id] += part.per_unit * units
    told = Counter(flawed) + Counter(damaged)
    if any(n > came[item_id] for item_id, n in told.items()):
        with pytest.raises(Refused, match="more flawed or damaged"):
            decide_return(parts, units, flawed, damaged)
        return
    found = decide_return(parts, units, flawed, damaged)
    assert [one.stocked for one in found] == list(PARTS)
    for one, part in zip(found, parts, strict=True):
        assert min(one.as_sold, one.flawed, one.damaged) >= 0
        assert one.as_sold + one.flawed + one.damaged == part.per_unit * units
    for item_id in (6, 7):
        mine = [one for one in found if one.stocked.item_id == item_id]
        assert sum(one.flawed for one in mine) == flawed.get(item_id, 0)
        assert sum(one.damaged for one in mine) == damaged.get(item_id, 0)

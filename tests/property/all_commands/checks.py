"""Compares the books after a step with what the plain model is certain of, and with what the step allows."""

from collections import Counter
from collections.abc import Iterable

from tests.property.all_commands.kinds import Kind
from tests.property.all_commands.layers import check_layers
from tests.property.all_commands.plain_model import OPEN_LOCK, Books, ClaimKey, Lock, Pool, Seen, Step, total


def check(books: Books, step: Step, seen: Seen) -> None:
    """Raises: AssertionError for what must not be. Afterwards ``books`` know what was lawful and not certain before."""
    before, books.seen = books.seen, seen
    assert set(seen.locks) == set(books.locks)
    kinds = {kind for _, kind in (*before.shelf, *seen.shelf, *books.shelf, *seen.stood, *seen.stands)}
    check_layers(books, step, before, kinds)
    for kind in kinds:
        _each_unit_once(seen, kind)
        _nobody_waits_in_vain(books, seen, kind)
    _claims(books, step)
    _nobody_is_robbed(books, step, before)
    _drawn_lawfully(books, step, before)
    for key, lock in books.locks.items():
        _lock(lock, step, seen, key)
    for pool in books.pools.values():
        for kind in kinds:
            _pool(pool, step, seen, kind)
    _presales_keep_to_supply(books)


def _each_unit_once(seen: Seen, kind: Kind) -> None:
    """Every unit that exists, or is on sale on its way, is free in one pool or promised once; those of presales do not
    exist.
    """
    there = [stand for (pool_id, of), stand in seen.stands.items() if of == kind and seen.pools[pool_id] != "presale"]
    mine = [key for key in seen.claims if key[2] == kind]
    promised = sum(seen.there(key) for key in mine)
    exist = total(seen.shelf, kind) + seen.counted(kind)
    assert sum(stand.free for stand in there) + promised == exist, (kind, exist)
    assert sum(stand.reserved + stand.sold for stand in there) == promised, kind
    waiting = sum(seen.claims[key].waiting for key in mine)
    assert waiting == seen.stand(seen.shared, kind).backordered, kind


def _nobody_waits_in_vain(books: Books, seen: Seen, kind: Kind) -> None:
    """While units are free, only components of bundles wait: for the others of their bundle; and physical locks, for
    goods in their warehouse.
    """
    if not seen.free(kind):
        return
    for key, claim in seen.claims.items():
        owner, line_id, of = key
        if of == kind:
            line = books.buyers[owner].lines.get(line_id)
            assert not claim.waiting or (line is not None and len(line.parts) > 1), (key, "waits", seen.free(kind))
            assert sum(claim.live.values()) == seen.there(key), (key, "waits for its presale", seen.free(kind))
    for name, lock in seen.locks.items():
        place = books.locks[name].warehouse
        lacks = place is not None and not seen.at(place, kind).available
        assert lock.kind != kind or not lock.waiting or lacks, (name, "waits", seen.free(kind))


def _claims(books: Books, step: Step) -> None:
    """Every order and hold has what it is owed, and no unit of it ended twice."""
    seen = books.seen
    for owner, buyer in books.buyers.items():
        if buyer.holder in step.holders and buyer.may_give_way:
            mine = [seen.claim(key) for key, _ in books.claims_of(owner)]
            if not any(claim.waiting + claim.live.total() for claim in mine):
                close(books, owner)
    for key, claim in books.claims.items():
        got = seen.claim(key)
        assert got.waiting + got.live.total() == claim.owed, (key, claim, got)
        assert got.shipped == claim.shipped, (key, claim, got)
        assert got.wanted == claim.owed + claim.shipped + got.released, (key, claim, got)
    for key, got in seen.claims.items():
        assert key in books.claims or not got.wanted, (key, got)


def close(books: Books, owner: str) -> None:
    """A hold has ended: nothing is owed any more."""
    books.buyers[owner].is_open = False
    for _, claim in books.claims_of(owner):
        claim.owed = 0


def _nobody_is_robbed(books: Books, step: Step, before: Seen) -> None:
    """Promises of others are broken only for goods that are gone, and of no more than those."""
    newly: Counter[Kind] = Counter()
    for key, got in books.seen.claims.items():
        if key[0] not in step.orders:
            newly[key[2]] += max(got.waiting - before.claim(key).waiting, 0)
    for kind, units in newly.items():
        assert units <= step.left[kind], (kind, "broken", units)
    for kind, (least, most) in step.waits.items():
        assert least <= newly[kind] <= most, (kind, "broken", newly[kind], "instead of", least, most)


def _drawn_lawfully(books: Books, step: Step, before: Seen) -> None:
    """Who has more units of a pool than before may draw on it."""
    if step.moves:
        return
    for key, got in books.seen.claims.items():
        buyer = books.buyers[key[0]]
        for pool_id, live in got.live.items():
            if live > before.claim(key).live[pool_id] and pool_id not in step.taken | step.ended:
                assert books.may_draw(buyer, pool_id, step.now), (key, "draws on", pool_id)


def _lock(lock: Lock, step: Step, seen: Seen, key: str) -> None:
    """A lock's sold, idle and waiting units come to what it is for, less what has left by orders or is gone."""
    got, stand = seen.locks[key], seen.stand(lock.pool_id, lock.kind)
    assert (got.status, got.quantity, got.kind) == (lock.status, lock.size, lock.kind), (key, lock, got)
    assert got.waiting == stand.backordered, (key, got, stand)
    units = stand.units + got.waiting
    if lock.status != OPEN_LOCK:
        assert stand.free + got.waiting == 0, (key, stand)
        assert units <= lock.units, (key, lock, stand)
    elif lock.is_floor:
        assert stand.free + got.waiting == lock.size, (key, lock, stand)
    else:
        assert lock.units - step.left[lock.kind] <= units <= lock.units <= lock.size, (key, lock, stand)
    lock.units = units


def _pool(pool: Pool, step: Step, seen: Seen, kind: Kind) -> None:
    """A pool has what it was given, less what has left; a presale hands over, and a closed pool gives back."""
    stand = seen.stand(pool.id, kind)
    assert not stand.backordered, (pool, stand)
    assert pool.is_open or not stand.free, (pool, stand)
    may_leave = pool.units[kind] if pool.type == "presale" or not pool.is_open else step.left[kind]
    assert pool.units[kind] - may_leave <= stand.units <= pool.units[kind], (pool, kind, stand)
    pool.units[kind] = stand.units


def _presales_keep_to_supply(books: Books) -> None:
    """While a presale offers anything of a purchase order, that still brings it, and all that was sold of it."""
    for pool in books.pools.values():
        for kind, number in pool.supply.items():
            assert not pool.is_open or (number, kind) in books.seen.presold, (pool, number)
            if any(stand.free for stand in books.presales_of(number, kind)):
                assert books.room(number, kind) >= 0, (pool, number, books.room(number, kind))


def waits_for_nothing_it_may_have(books: Books, keys: Iterable[ClaimKey], before: Seen, step: Step) -> None:
    """After an order: of what it waits for newly, nothing is free in a pool that it may draw on.

    The shared pool is looked at for all who wait: what came back by the order itself may wait for its bundle there.
    What a lock was served in the same act came after the order.
    """
    served = {lock.pool_id for name, lock in before.locks.items() if books.seen.locks[name].waiting < lock.waiting} | {
        books.seen.shared
    }
    for key in keys:
        if books.seen.claim(key).waiting > before.claim(key).waiting:
            for (pool_id, kind), stand in books.seen.stands.items():
                if kind == key[2] and stand.free and pool_id not in served:
                    assert not books.may_draw(books.buyers[key[0]], pool_id, step.now), (key, "could have", pool_id)

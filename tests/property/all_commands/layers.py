"""Compares where goods stand, and what is on its way, with what the plain model knows of bins and warehouses."""

from collections import Counter
from collections.abc import Iterable

from tests.property.all_commands.kinds import Heap, Kind, other
from tests.property.all_commands.plain_model import Books, ClaimKey, Seen, Step, total
from tests.property.all_commands.plain_supply import is_coming


def check_layers(books: Books, step: Step, before: Seen, kinds: Iterable[Kind]) -> None:
    """Afterwards ``books`` know out of which bins orders took their goods.

    Raises: AssertionError for what must not be.
    """
    _papers(books, step)
    on_way = is_coming(books.purchases, books.transfers)
    for kind in kinds:
        _goods(books, step, before, kind)
        for warehouse_id in set(books.warehouses.values()):
            _warehouse(books, warehouse_id, kind, on_way.get((warehouse_id, kind), (0, 0)))
        for bin_id in books.frozen if not step.counts else ():
            _frozen(books, step, before, bin_id, kind)
    _sending(books, step, before)


def _goods(books: Books, step: Step, before: Seen, kind: Kind) -> None:
    """Units in bins and set apart there; orders may have broken some, mended some, and found what they shipped."""
    seen, broke, mendable = books.seen, 0, 0
    for owner in step.orders:
        for key, claim in books.claims_of(owner):
            if key[2] == kind:
                assert 0 <= seen.claim(key).damaged <= claim.broken_at_most, (key, claim)
                change = seen.claim(key).damaged - before.claim(key).damaged
                broke, mendable = broke + max(change, 0), mendable + max(-change, 0)
    mended = broke - (total(seen.apart, kind) - total(books.apart, kind))
    least = min(mendable, total(before.apart, kind)) if step.alone else 0
    assert least <= mended <= mendable, (kind, "apart", books.apart, seen.apart)
    expected = books.has(kind) - step.shipped[kind] - broke + mended
    most = step.found[kind] + step.turned[other(kind)]
    change = total(seen.shelf, kind) - expected
    assert -step.turned[kind] <= change <= most, (kind, "on the shelves", expected, seen.shelf)
    for bin_id in books.warehouses:
        _bin(books, step, bin_id, kind, broke, mended + most)


def _bin(books: Books, step: Step, bin_id: int, kind: Kind, broke: int, back: int) -> None:
    """Each bin has what it should; only orders say not where their goods leave."""
    heap, seen = (bin_id, kind), books.seen
    if step.picks_bins:
        assert 0 <= seen.shelf[heap] <= books.shelf[heap] + back, (heap, books.shelf[heap], seen.shelf[heap])
        assert 0 <= seen.apart[heap] <= books.apart[heap] + broke, (heap, books.apart[heap], seen.apart[heap])
    else:
        assert seen.shelf[heap] == books.shelf[heap], (heap, "has", seen.shelf[heap], "not", books.shelf[heap])
        assert seen.apart[heap] == books.apart[heap], (heap, "has", seen.apart[heap], "not", books.apart[heap])
    books.shelf[heap], books.apart[heap] = seen.shelf[heap], seen.apart[heap]


def _warehouse(books: Books, warehouse_id: int, kind: Kind, on_way: tuple[int, int]) -> None:
    """A warehouse has what its bins have, locks what its locks have, and awaits what was ordered or sent to it."""
    seen, stood = books.seen, books.seen.at(warehouse_id, kind)
    heaps = [(bin_id, kind) for bin_id, place in books.warehouses.items() if place == warehouse_id]
    assert stood.there == sum(seen.shelf[heap] for heap in heaps), (warehouse_id, kind, stood)
    assert stood.unavailable == sum(seen.apart[heap] for heap in heaps), (warehouse_id, kind, stood)
    pools = books.physical_pools(warehouse_id)
    told = [one for one in seen.sending if one.warehouse_id == warehouse_id and one.key[2] == kind]
    kept = sum(
        one.lines[kind].kept for one in books.transfers.values() if one.start == warehouse_id and kind in one.lines
    )
    assert stood.allocated == sum(one.units for one in told) + kept, (warehouse_id, kind, "is to send", told, stood)
    locked = sum(seen.stand(pool_id, kind).units for pool_id in pools)
    locked -= sum(one.units for one in told if one.pool_id in pools)
    assert stood.locked == locked, (warehouse_id, kind, "locks", stood, "for", locked)
    assert (stood.incoming, stood.counted) == on_way, (warehouse_id, kind, "awaits", on_way, stood)
    assert min(stood.available, stood.allocated, stood.incoming, stood.counted) >= 0, (warehouse_id, kind, stood)


def _frozen(books: Books, step: Step, before: Seen, bin_id: int, kind: Kind) -> None:
    """While a bin is counted it changes by facts alone: what stores shipped and found nowhere else, or got back."""
    heap, seen = (bin_id, kind), books.seen
    if not step.picks_bins:
        assert seen.shelf[heap] == before.shelf[heap], (heap, "is frozen", before.shelf[heap], seen.shelf[heap])
        assert seen.apart[heap] == before.apart[heap], (heap, "is frozen", before.apart[heap], seen.apart[heap])


def _papers(books: Books, step: Step) -> None:
    """Lines of purchase orders and transfers say what became of their units; what is kept gives way to what is gone."""
    seen = books.seen
    bought = {
        (number, kind): line.numbers for number, order in books.purchases.items() for kind, line in order.lines.items()
    }
    assert seen.bought == bought
    for (number, kind), (asked, left, came, lost, kept) in seen.sent.items():
        line = books.transfers[number].lines[kind]
        assert (asked, left) == (line.asked, line.sent), (number, kind)
        assert max(left - came - lost, 0) == line.on_way, (number, kind, left, came, lost, line)
        assert kept == line.kept or (step.left[kind] and 0 <= kept < line.kept), (number, kind, "keeps", kept, line)
        line.kept = kept
    assert len(seen.sent) == sum(len(transfer.lines) for transfer in books.transfers.values())


def _sending(books: Books, step: Step, before: Seen) -> None:
    """What warehouses are to send is paid and there, and nobody takes it back unasked but for goods that are gone."""
    seen, was, told, handed = books.seen, Counter[ClaimKey](), Counter[ClaimKey](), Counter[Heap]()
    for one in before.sending:
        was[one.key] += one.units
    for one in seen.sending:
        told[one.key] += one.units
        if one.bin_id is not None:
            handed[one.bin_id, one.key[2]] += one.units
    for key, units in told.items():
        assert not units or books.buyers[key[0]].paid, (key, "is to be sent and not paid")
        assert units <= seen.there(key), (key, "is to be sent", units)
        assert units <= was[key] or step.told, (key, "is to be sent unasked")
        is_free = step.told or step.moves or key[0] in step.orders or step.left[key[2]]
        assert units >= was[key] or is_free, (key, "is sent no more", was[key], units)
    assert +handed == +seen.picking, (handed, seen.picking)

"""What becomes of plain books when an item turns out to be another one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from tests.property.all_commands.kinds import Heap, Kind
from tests.property.all_commands.plain_model import Books, ClaimKey, Seen, SeenClaim


def join_items(books: Books, part: str, item: str) -> None:
    """All that is of ``part`` is of ``item``, also in the books as they were seen before."""

    def now(kind: Kind) -> Kind:
        return (item, kind[1]) if kind[0] == part else kind

    books.shelf, books.apart = _heaps(books.shelf, now), _heaps(books.apart, now)
    claims = dict(books.claims)
    books.claims.clear()
    for (owner, line_id, kind), claim in claims.items():
        known = books.claims.setdefault(
            (owner, line_id, now(kind)), replace(claim, owed=0, shipped=0, broken_at_most=0)
        )
        known.owed += claim.owed
        known.shipped += claim.shipped
        known.broken_at_most += claim.broken_at_most
    for lock in books.locks.values():
        lock.kind = now(lock.kind)
    for pool in books.pools.values():
        pool.units = _sums(pool.units, now)
    _join_seen(books.seen, now)


def _join_seen(seen: Seen, now: Callable[[Kind], Kind]) -> None:
    seen.shelf, seen.picking, seen.apart = (_heaps(one, now) for one in (seen.shelf, seen.picking, seen.apart))
    seen.stood, seen.stands = _added(seen.stood, now), _added(seen.stands, now)
    claims: dict[ClaimKey, SeenClaim] = {}
    for (owner, line_id, kind), claim in seen.claims.items():
        known = claims.setdefault((owner, line_id, now(kind)), SeenClaim())
        for one in fields(SeenClaim):
            setattr(known, one.name, getattr(known, one.name) + getattr(claim, one.name))
    seen.claims = claims
    seen.locks = {key: replace(lock, kind=now(lock.kind)) for key, lock in seen.locks.items()}


def _heaps(heaps: Mapping[Heap, int], now: Callable[[Kind], Kind]) -> Counter[Heap]:
    found = Counter[Heap]()
    for (bin_id, kind), units in heaps.items():
        found[bin_id, now(kind)] += units
    return found


def _sums(units: Mapping[Kind, int], now: Callable[[Kind], Kind]) -> Counter[Kind]:
    found = Counter[Kind]()
    for kind, n in units.items():
        found[now(kind)] += n
    return found


def _added(stands: Mapping[tuple[int, Kind], Any], now: Callable[[Kind], Kind]) -> dict[tuple[int, Kind], Any]:
    """Rows of numbers, added up where they are of one place and kind now."""
    found: dict[tuple[int, Kind], Any] = {}
    for (place, kind), stand in stands.items():
        known = found.get((place, now(kind)))
        found[place, now(kind)] = stand if known is None else _sum(known, stand)
    return found


def _sum(one: Any, other: Any) -> Any:
    return type(one)(*(getattr(one, each.name) + getattr(other, each.name) for each in fields(one)))

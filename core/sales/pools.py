"""Pools that a planner makes: units set apart for a store or an activity, or sold before they are there.

Every command on a pool keeps it still: its row is locked before any balance, so that no item enters a pool while
somebody closes it.
"""

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import flows
from core.books import Books, key_hash
from core.command import Command
from core.errors import InsufficientStock, Refused
from core.rows import PoolItemRow
from core.sales.supplied import require_room
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Pool, PoolKind, Stocked

Units = Mapping[Stocked, int]
PLANNED = (PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.PRESALE)
_IN_POOL = (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD)


def split(wanted: Units, free: Units, *, best_effort: bool) -> dict[Stocked, int]:
    """What is dealt of ``wanted`` units (>= 0) when so many are ``free``; only what is above 0. Pure.

    Raises: InsufficientStock when there are too few, unless with ``best_effort``, which deals what there is.
    """
    missing = {stocked: units - free[stocked] for stocked, units in wanted.items() if units > free[stocked]}
    if missing and not best_effort:
        raise InsufficientStock(missing)
    dealt = {stocked: min(units, free[stocked]) for stocked, units in wanted.items()}
    return {stocked: units for stocked, units in dealt.items() if units}


class Shifted(NamedTuple):
    """Units that entered a pool and units that left it, per item, all >= 1."""

    dealt: Units
    collected: Units

    def words(self) -> str:
        """As JSON."""
        return json.dumps([[[*stocked, units] for stocked, units in part.items()] for part in self])

    @classmethod
    def read(cls, words: str) -> "Shifted":
        dealt, collected = (
            {Stocked(item_id, grade): units for item_id, grade, units in part} for part in json.loads(words)
        )
        return cls(dealt, collected)


@dataclass(frozen=True, slots=True)
class OpenPool(Command):
    """Make a pool; once per code, which is never used for another one.

    ``pool``        with an id that the caller took; a channel's pool names its store.
    ``quantities``  units per item, >= 1: dealt at once to a channel's pool, all of them or none; those of a presale may
                    be sold before they are there; those of an activity are its plan, dealt by ``Preload``.
    ``supply``      of a presale: ids of the expected supply that each item waits for.
    """

    pool: Pool
    quantities: Units = field(hash=False)
    supply: Mapping[Stocked, int] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        return f"pool/{self.pool.code}/open"

    def effect_keys(self) -> Iterable[str]:
        return (self.key,)

    def supplies(self) -> Iterable[int]:
        return self.supply.values()

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.quantities

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of(books, self.pool, self.quantities)

    def decide(self, books: Books) -> int:
        """Returns: the pool's id. Raises: Refused; InsufficientStock; KeyReused when the code is that of another."""
        pool = self.pool
        content = [*pool[1:8], _sorted(self.quantities), _sorted(self.supply)]
        if earlier := books.effect(self.key, content):
            return int(json.loads(earlier.result or ""))
        self._check(books)
        books.put(books.pools, pool.id, pool)
        for stocked, units in self.quantities.items():
            cap = None if pool.kind is PoolKind.CHANNEL else units
            books.add_pool(pool, stocked, cap=cap, expected_id=self.supply.get(stocked))
        require_room(books, pool, self.quantities)
        entering: Units = {} if pool.kind is PoolKind.ACTIVITY else self.quantities
        if pool.kind is PoolKind.CHANNEL:
            entering = split(entering, {one: books.free(one) for one in entering}, best_effort=False)
        if entering:
            _post_entering(books, pool, entering, self.key, content)
        else:
            books.note_effect(self.key, content, None)
        books.note_result(json.dumps(pool.id))
        return pool.id

    def _check(self, books: Books) -> None:
        pool = self.pool
        if pool.kind not in PLANNED or not pool.code:
            raise Refused("a pool that is made by hand is a channel's, an activity or a presale, and has a code")
        if pool.kind is PoolKind.CHANNEL and pool.store_id is None:
            raise Refused(f"pool {pool.code} is for one channel: name its store")
        if pool.kind is not PoolKind.CHANNEL and not self.quantities:
            raise Refused(f"{pool.kind} {pool.code} has no items: name at least one, with its units")
        check_window(pool, books.now)
        check_quantities(books, self.quantities)


@dataclass(frozen=True, slots=True)
class OnPool(Command):
    """A command on a pool that is there."""

    pool_id: int

    def whole_pools(self) -> Iterable[int]:
        return (self.pool_id,)

    def stocked(self, books: Books) -> Iterable[Stocked]:
        return books.items_in(self.pool_id)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of(books, books.pool(self.pool_id), self.stocked(books))


@dataclass(frozen=True, slots=True)
class _Shift(OnPool):
    """Units enter or leave a pool, once per ``key``; all of them or none, or with ``best_effort`` what is there."""

    key: str
    quantities: Units = field(hash=False)
    best_effort: bool = False

    @property
    def effect_key(self) -> str:
        return f"pool/{self.pool_id}/shift/{self.key}"

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.quantities

    @abstractmethod
    def changes(self, books: Books, pool: Pool) -> Units:
        """Units that are to enter the pool (> 0) or to leave it (< 0), per item."""

    def decide(self, books: Books) -> Shifted:
        """Raises: InsufficientStock; KeyReused; Refused when the pool has ended or is no planner's to change."""
        content = [type(self).__name__, _sorted(self.quantities), self.best_effort]
        if earlier := books.effect(self.effect_key, content):
            return Shifted.read(earlier.result or "")
        pool = open_pool(books, self.pool_id)
        check_quantities(books, self.quantities, least=0)
        books.note_effect(self.effect_key, content, None)
        changes = self.changes(books, pool)
        entering = {stocked: units for stocked, units in changes.items() if units > 0}
        leaving = {stocked: -units for stocked, units in changes.items() if units < 0}
        require_room(books, pool, entering)
        if pool.kind is not PoolKind.PRESALE:
            entering = split(entering, {one: books.free(one) for one in entering}, best_effort=self.best_effort)
        leaving = split(leaving, {one: books.free(one, pool) for one in leaving}, best_effort=self.best_effort)
        shifted = Shifted(entering, leaving)
        books.note_result(shifted.words())
        if pool.kind is PoolKind.PRESALE:
            _lower_caps(books, pool, leaving)
        enter(books, pool, entering, f"{self.effect_key}/deal")
        leave(books, pool, leaving, f"{self.effect_key}/collect")
        return shifted


@dataclass(frozen=True, slots=True)
class Deal(_Shift):
    """Free units of the shared pool enter a channel's or an activity's; a presale may sell so many more."""

    def changes(self, _books: Books, _pool: Pool) -> Units:
        return self.quantities


@dataclass(frozen=True, slots=True)
class Collect(_Shift):
    """Units of a pool that nobody has been promised go back; a presale may sell so many less."""

    def changes(self, _books: Books, _pool: Pool) -> Units:
        return {stocked: -units for stocked, units in self.quantities.items()}


@dataclass(frozen=True, slots=True)
class Resize(_Shift):
    """So many units of a pool are free afterwards, whatever it had; each >= 0."""

    def changes(self, books: Books, pool: Pool) -> Units:
        return {stocked: units - books.free(stocked, pool) for stocked, units in self.quantities.items()}


@dataclass(frozen=True, slots=True)
class Preload(OnPool):
    """Set the planned units of an activity apart; all of them or none, or with ``best_effort`` what is there.

    What it has counts, so repeating it deals what is still missing, until the activity has begun: what was sold since
    must not be dealt again. ``attempt``: another word for each try.
    """

    best_effort: bool = False
    attempt: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self._key(), self._key(self.attempt))

    def _key(self, attempt: str = "") -> str:
        return f"pool/{self.pool_id}/preload" + (f"/{attempt}" if attempt else "")

    def decide(self, books: Books) -> Units:
        """Returns: units dealt per item. Raises: InsufficientStock; Refused when it has ended, or has begun and has
        been preloaded.
        """
        pool = open_pool(books, self.pool_id)
        if pool.kind is not PoolKind.ACTIVITY:
            raise Refused(f"pool {pool.code} is a {pool.kind}; only an activity is preloaded")
        wanted = self.missing(books, pool)
        first, key = self._key(), self._key(self.attempt)
        if key_hash(first) not in books.known_effects:
            key = first
        elif not wanted or key_hash(key) in books.known_effects:
            return {}
        elif pool.runs(books.now):
            raise Refused(f"{pool.code} has begun: deal more by hand with `holdfast pool deal {pool.code} SKU N`")
        dealt = split(wanted, {one: books.free(one) for one in wanted}, best_effort=self.best_effort)
        enter(books, pool, dealt, key)
        return dealt

    def missing(self, books: Books, pool: Pool) -> dict[Stocked, int]:
        """Planned units that are not in the pool, per item."""
        found = {
            stocked: (row.cap or 0) - sum(books.units(Layer.SALES, stocked, pool.at(bucket)) for bucket in _IN_POOL)
            for stocked, row in books.items_in(pool.id).items()
        }
        return {stocked: units for stocked, units in found.items() if units > 0}


@dataclass(frozen=True, slots=True)
class SetWindow(OnPool):
    """A pool may be drawn on from ``starts_at`` until ``ends_at`` (None: no bound on that side)."""

    starts_at: datetime | None
    ends_at: datetime | None

    def decide(self, books: Books) -> bool:
        """Returns: False when that was its window. Raises: Refused."""
        pool = open_pool(books, self.pool_id)
        moved = pool._replace(starts_at=self.starts_at, ends_at=self.ends_at)
        if moved == pool:
            return False
        if pool.runs(books.now) and moved.starts_at is not None and moved.starts_at > books.now:
            raise Refused(f"{pool.code} has begun: stop it with `holdfast pool stop {pool.code}`, or let it go on")
        check_window(moved, books.now)
        books.put(books.pools, pool.id, moved)
        books.items_shown.update(stocked.item_id for stocked in books.items_in(pool.id))
        return True


@dataclass(frozen=True, slots=True)
class ClosePool(OnPool):
    """Nobody draws on a pool any more. What nobody was promised goes back to the shared pool, or, of a presale, out of
    the world; promised units stay until they leave or are given back.

    On a pool that is closed already, items are put away that nothing is to be handed over of. ``only_ended``: leave it
    alone while its window lasts.
    """

    reason: str = ""
    only_ended: bool = False

    def decide(self, books: Books) -> Units | None:
        """Returns: units that went back; None when nothing was closed now. Raises: Refused for a lock's pool."""
        pool = planned_pool(books, self.pool_id)
        if self.only_ended and pool.is_open and (pool.ends_at is None or pool.ends_at > books.now):
            return None
        items = books.items_in(pool.id)
        back = {stocked: units for stocked in items if pool.is_open and (units := books.free(stocked, pool))}
        leave(books, pool, back, f"pool/{pool.id}/end", self.reason)
        closed = pool._replace(closed_at=pool.closed_at or books.now)
        books.put(books.pools, pool.id, closed)
        for stocked, row in items.items():
            due = pool.kind is PoolKind.PRESALE and any(
                books.units(Layer.SALES, stocked, pool.at(bucket)) for bucket in (Bucket.RESERVED, Bucket.SOLD)
            )
            if row.is_open is not due:
                _put_item(books, closed, row._replace(is_open=due))
        return back if pool.is_open else None


def enter(books: Books, pool: Pool, units: Units, effect_key: str) -> None:
    """Post what enters a pool, and note items that it did not have."""
    if not units:
        return
    items = books.items_in(pool.id)
    for stocked, n in units.items():
        row = items.get(stocked)
        if row is None:
            row = PoolItemRow(*stocked, pool.id, True, None if pool.kind is PoolKind.CHANNEL else n)
        elif pool.kind is PoolKind.PRESALE:
            row = row._replace(cap=(row.cap or 0) + n)
        _put_item(books, pool, row._replace(is_open=True))
    _post_entering(books, pool, units, effect_key)


def _post_entering(books: Books, pool: Pool, units: Units, effect_key: str, content: object = None) -> None:
    presale = pool.kind is PoolKind.PRESALE
    kind = DocumentKind.PRESALE if presale else DocumentKind.DEAL
    moves = [
        move
        for stocked, n in units.items()
        for move in (flows.presell(pool, stocked, n) if presale else flows.deal(books.home, pool, stocked, n))
    ]
    books.post(kind, effect_key, moves, content=content, reason=f"pool {pool.code}")


def leave(books: Books, pool: Pool, units: Units, effect_key: str, reason: str = "") -> None:
    """Post what leaves a pool because nobody was promised it."""
    if not units:
        return
    presale = pool.kind is PoolKind.PRESALE
    kind = DocumentKind.PRESALE_END if presale else DocumentKind.COLLECT
    moves = [
        move
        for stocked, n in units.items()
        for move in (flows.end_presale(pool, stocked, n) if presale else flows.collect(books.home, pool, stocked, n))
    ]
    books.post(kind, effect_key, moves, reason=reason or f"pool {pool.code}")


def _lower_caps(books: Books, pool: Pool, units: Units) -> None:
    items = books.items_in(pool.id)
    for stocked, n in units.items():
        row = items[stocked]
        _put_item(books, pool, row._replace(cap=(row.cap or 0) - n))


def _sorted(numbers: Mapping[Stocked, int]) -> list[tuple[int, str, int]]:
    return sorted((*stocked, n) for stocked, n in numbers.items())


def _put_item(books: Books, pool: Pool, row: PoolItemRow) -> None:
    books.add_pool(pool, Stocked(row.item_id, row.grade), is_open=row.is_open, cap=row.cap, expected_id=row.expected_id)


def keys_of(books: Books, pool: Pool, items: Iterable[Stocked]) -> set[BalanceKey]:
    """Rows that units on their way into or out of a pool concern."""
    return {key for stocked in items for key in (*books.sales_keys(stocked), pool.key(stocked))}


def planned_pool(books: Books, pool_id: int) -> Pool:
    """Raises: Refused for a pool that belongs to a lock, and for the shared one."""
    pool = books.pool(pool_id)
    if pool.kind not in PLANNED:
        cure = "; see `holdfast lock --help`" if pool.kind is PoolKind.LOCK else ""
        raise Refused(f"pool {pool.code or pool.kind} is not changed by hand{cure}")
    return pool


def open_pool(books: Books, pool_id: int) -> Pool:
    """Raises: Refused for a pool that is closed or whose time is over, too."""
    pool = planned_pool(books, pool_id)
    if not pool.is_open or (pool.ends_at is not None and pool.ends_at <= books.now):
        raise Refused(f"{pool.kind} {pool.code} has ended; make a new one")
    return pool


def check_window(pool: Pool, now: datetime) -> None:
    """Raises: Refused for a window that is none, or is over."""
    if pool.starts_at is not None and pool.ends_at is not None and pool.ends_at <= pool.starts_at:
        raise Refused(f"{pool.kind} {pool.code} would end before it starts; give it an end after its start")
    if pool.ends_at is not None and pool.ends_at <= now:
        raise Refused(f"{pool.kind} {pool.code} would have ended already; give it an end that is to come")
    if pool.kind is PoolKind.ACTIVITY and (pool.starts_at is None or pool.ends_at is None):
        raise Refused(f"activity {pool.code} needs a start and an end")


def check_quantities(books: Books, quantities: Units, *, least: int = 1) -> None:
    """Raises: Refused for numbers that make no sense here, and for bundles."""
    for stocked, units in quantities.items():
        if units < least:
            raise Refused(
                f"a pool takes {least} or more units of an item; {units} of item {stocked.item_id} were named"
            )
        if stocked.item_id in books.recipes:
            raise Refused(f"item {stocked.item_id} is a bundle: a pool has units of what bundles are made of")

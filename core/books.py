"""What a batch knows in memory: balances, orders, lines and promises, and what is posted against them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from core.errors import Broken, InsufficientStock, KeyReused, Refused
from core.rows import (
    ApartWish,
    CostWish,
    DocumentRow,
    EffectRow,
    FulfilmentLineRow,
    FulfilmentRow,
    IncidentRow,
    KeptRow,
    LimitRow,
    LineRow,
    ListingRow,
    LockRow,
    OrderRow,
    Part,
    PoolItemRow,
    PromiseRow,
    StoreKey,
    SupplyRow,
)
from core.stock import BUCKETS, At, BalanceKey, Bucket, DocumentKind, Home, Layer, Movement, Pool, Spot, Stocked

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()
_SALES, _FREE = Layer.SALES, Bucket.FREE
_ARRIVED = (Layer.DISPATCH, Bucket.AVAILABLE)
_MOVEMENTS_LOG = 2  # where the length of ``Books.movements`` stands in a mark


def content_hash(content: object) -> bytes:
    """A hash of what a command asks for: equal for equal content, whatever process computes it.

    Words are taken as they are; anything else is written as JSON first, which takes ten times as long.
    """
    return _hash(content if isinstance(content, str) else json.dumps(content, sort_keys=True, default=str))


def effect_key_of_hold(key: str) -> str:
    """The effect key of a hold made through our own interface."""
    return f"hold/{key}"


@lru_cache(maxsize=4096)
def _hash(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()[:16]


key_hash = _hash


class Widen(Exception):
    """A decision needs balance rows that its batch has not locked, or without any: promises that it has not loaded."""

    def __init__(self, keys: Iterable[BalanceKey]) -> None:
        self.keys = frozenset(keys)
        super().__init__(f"needs {len(self.keys)} more rows")


@dataclass(slots=True)
class Books:
    """The state a batch decides on. Every change goes through ``put`` or ``post`` and can be undone, command by
    command.
    """

    merchant_id: int
    home: Home
    now: datetime
    new_id: Callable[[], int]
    actor: str
    cells: dict[tuple[BalanceKey, Bucket], int] = field(default_factory=dict)
    orders: dict[StoreKey, OrderRow] = field(default_factory=dict)
    lines: dict[int, LineRow] = field(default_factory=dict)
    promises: dict[int, PromiseRow] = field(default_factory=dict)
    listings: dict[StoreKey, ListingRow] = field(default_factory=dict)
    pools: dict[int, Pool] = field(default_factory=dict)
    open_pools: dict[Stocked, list[int]] = field(default_factory=dict)
    pool_items: dict[tuple[Stocked, int], PoolItemRow] = field(default_factory=dict)  # made or changed here
    supplies: dict[int, SupplyRow] = field(default_factory=dict)  # that presales wait for
    supplied: dict[tuple[Stocked, int], int] = field(default_factory=dict)  # ids of supply by item and presale
    locks: dict[int, LockRow] = field(default_factory=dict)
    fulfilments: dict[int, FulfilmentRow] = field(default_factory=dict)
    fulfilment_lines: dict[int, FulfilmentLineRow] = field(default_factory=dict)
    kept: dict[int, KeptRow] = field(default_factory=dict)
    spots: dict[Stocked, list[Spot]] = field(default_factory=dict)  # where goods stand; not the default place
    frozen: dict[int, tuple[str, str]] = field(default_factory=dict)  # bins by id: name, the stocktake that froze it
    recipes: dict[int, list[Part]] = field(default_factory=dict)  # of virtual bundles, nested ones taken apart
    kits: dict[int, list[Part]] = field(default_factory=dict)  # of kits that a command asked for, taken apart the same
    holds: dict[str, int] = field(default_factory=dict)  # document ids by key
    open_holds: dict[str, list[str]] = field(default_factory=dict)  # keys by holder, of those that may give way
    limits: list[LimitRow] = field(default_factory=list)
    day_began: datetime | None = None  # in the merchant's time zone; known where there are limits
    bought: dict[tuple[int, str], int] = field(default_factory=dict)  # limit, holder: units in promises not loaded here
    known_effects: dict[bytes, EffectRow] = field(default_factory=dict)
    documents: list[DocumentRow] = field(default_factory=list)
    movements: list[tuple[int, int, Movement]] = field(default_factory=list)  # document id, line number, movement
    effects: list[EffectRow] = field(default_factory=list)
    incidents: list[IncidentRow] = field(default_factory=list)
    apart: dict[int, ApartWish] = field(default_factory=dict)  # by document
    costs: dict[int, CostWish] = field(default_factory=dict)  # by document
    counted: list[tuple[int, int]] = field(default_factory=list)  # listing id, units its store took off by itself
    items_of: dict[int, dict[Stocked, PoolItemRow]] = field(default_factory=dict)  # of pools that commands keep still
    shown_again: set[int] = field(default_factory=set)  # listings to compute again although no balance moved
    items_shown: set[int] = field(default_factory=set)  # items whose listings to compute again, likewise
    merged: dict[int, str] = field(default_factory=dict)  # items that became part of others, with the SKUs of these
    dispatches: bool = False  # are paid orders handed to warehouses by themselves?
    heard_at: datetime | None = None
    ours_since: datetime | None = None
    _undo: list[tuple[dict[Any, Any], Any, Any]] = field(default_factory=list)
    _lines_of: dict[int, dict[str, int]] = field(default_factory=dict)
    _promises_of: dict[int, dict[int, None]] = field(default_factory=dict)  # ids in the order they came
    _waited: dict[Stocked, set[int]] = field(default_factory=dict)
    _promised_to: dict[str, set[int]] = field(default_factory=dict)
    _sent_for: dict[int, dict[int, None]] = field(default_factory=dict)  # fulfilment lines by promise, likewise
    _logs: tuple[list[Any], ...] = field(init=False)

    def put(self, rows: dict[K, V], key: K, value: V) -> None:
        """Change one row so that ``undo_to`` can bring the old one back."""
        self._undo.append((rows, key, rows.get(key, _ABSENT)))
        rows[key] = value

    def mark(self) -> tuple[int, ...]:
        """A point to come back to; there is no way back beyond the newest."""
        self._undo.clear()
        return tuple(map(len, self._logs))

    def undo_to(self, mark: tuple[int, ...]) -> None:
        """Take back everything put or posted since ``mark``."""
        logs = self._logs
        while len(self._undo) > mark[0]:
            rows, key, old = self._undo.pop()
            if old is _ABSENT:
                del rows[key]
            else:
                rows[key] = old
        for log, length in zip(logs[1:], mark[1:], strict=True):
            del log[length:]

    def __post_init__(self) -> None:
        self._logs = (self._undo, self.documents, self.movements, self.effects, self.incidents, self.counted)

    def units(self, layer: Layer, stocked: Stocked, at: At) -> int:
        """What a bucket holds now. Raises: Widen when its row is not in this batch."""
        if at.place_id is None:
            raise Broken("the world has no balance")
        key = BalanceKey(layer, *stocked, at.place_id)
        try:
            return self.cells[key, at.bucket]
        except KeyError:
            raise Widen([key]) from None

    def pool(self, pool_id: int) -> Pool:
        """Raises: Broken when the batch has not loaded it."""
        if pool_id == self.home.shared_pool_id:
            return self.home.shared_pool
        if pool_id not in self.pools:
            raise Broken(f"pool {pool_id} is not in this batch")
        return self.pools[pool_id]

    def open_pools_of(self, stocked: Stocked) -> list[Pool]:
        """Open pools that have, or may have, units of this beside the shared pool."""
        return [self.pools[pool_id] for pool_id in self.open_pools.get(stocked, ())]

    def spots_of(self, stocked: Stocked) -> list[Spot]:
        """Where goods of this stand, or may: the default place, then the others by warehouse and bin; frozen last."""
        spots = [self.home.spot, *self.spots.get(stocked, ())]
        return sorted(spots, key=lambda spot: spot.bin_id in self.frozen) if self.frozen else spots

    def parts(self, stocked: Stocked) -> list[Part]:
        """What one unit of this takes: itself, or the components of a virtual bundle."""
        return self.recipes.get(stocked.item_id) or [Part(stocked, 1)]

    def sales_keys(self, stocked: Stocked) -> list[BalanceKey]:
        """The rows that a promise of this can concern: the shared pool's and those of all open pools."""
        shared = self.home.key(_SALES, stocked)
        others = self.open_pools.get(stocked)
        if not others:
            return [shared]
        return [shared, *(BalanceKey(_SALES, *stocked, pool_id) for pool_id in others)]

    def free(self, stocked: Stocked, pool: Pool | None = None) -> int:
        """Units of a pool (None: the shared one) that nobody has been promised."""
        key = self.home.key(_SALES, stocked) if pool is None else pool.key(stocked)
        try:
            return self.cells[key, _FREE]
        except KeyError:
            raise Widen([key]) from None

    def find(self, effect_key: str, content: object) -> int | None:
        """The document that this key posted earlier. Raises: KeyReused when its content was another."""
        earlier = self.effect(effect_key, content)
        return None if earlier is None else earlier.document_id

    def effect(self, effect_key: str, content: object) -> EffectRow | None:
        """What this key did earlier. Raises: KeyReused when its content was another."""
        earlier = self.known_effects.get(key_hash(effect_key))
        if earlier is not None and earlier.content_hash != content_hash(content):
            raise KeyReused(effect_key)
        return earlier

    def post(
        self,
        kind: DocumentKind,
        effect_key: str,
        movements: list[Movement],
        *,
        content: object = None,
        happened_at: datetime | None = None,
        order_id: int | None = None,
        reason: str = "",
        corrects_id: int | None = None,
        document_id: int | None = None,
    ) -> int:
        """Record one document and move its units. The only way a quantity ever changes.

        Args: document_id: where the caller has taken it already, from ``new_id``.

        Raises: InsufficientStock when a bucket would fall below 0; Widen when a row is not in this batch.
        """
        document_id, posted = document_id or self.new_id(), self.movements
        if self.merged:
            self._refuse_merged(movements)
        for number, movement in enumerate(movements, start=1):
            try:
                self._move(movement)
            except KeyError:
                raise Widen(self._not_here(movements)) from None
            posted.append((document_id, number, movement))
        when = happened_at or self.now
        self.documents.append(DocumentRow(document_id, kind, effect_key, when, order_id, reason, corrects_id))
        self.note_effect(effect_key, f"{kind} {effect_key}" if content is None else content, document_id)
        return document_id

    def _refuse_merged(self, movements: list[Movement]) -> None:
        for movement in movements:
            if into := self.merged.get(movement.stocked.item_id):
                raise Refused(f"the item has just become part of {into}, or did before; say it of {into}")

    def note_effect(self, effect_key: str, content: object, document_id: int | None) -> None:
        """Take a key for good; without a document where it moves nothing and must never be used again."""
        hashed = key_hash(effect_key)
        effect = EffectRow(hashed, content_hash(content), document_id)
        self.effects.append(effect)
        self.put(self.known_effects, hashed, effect)

    def note_result(self, result: str) -> None:
        """Keep the answer (JSON) of the effect posted last, so that repeating its key answers the same."""
        effect = self.effects.pop()._replace(result=result)
        self.effects.append(effect)
        self.put(self.known_effects, effect.key_hash, effect)

    def _move(self, m: Movement) -> None:
        (item_id, grade), layer, (from_place, from_bucket), (to_place, to_bucket), quantity, _ = m
        cells, undo, key = self.cells, self._undo, None
        if from_place is not None:
            key = BalanceKey(layer, item_id, grade, from_place)
            cell = (key, from_bucket)
            there = cells[cell]
            if there < quantity:
                raise InsufficientStock({m.stocked: quantity - there})
            undo.append((cells, cell, there))
            cells[cell] = there - quantity
        if to_place is not None:
            if key is None or to_place != from_place:
                key = BalanceKey(layer, item_id, grade, to_place)
            cell = (key, to_bucket)
            there = cells[cell]
            undo.append((cells, cell, there))
            cells[cell] = there + quantity

    def _not_here(self, movements: list[Movement]) -> set[BalanceKey]:
        """Keys of rows that these movements need and that are not in this batch."""
        return {key for m in movements for key in _ends(m) if (key, BUCKETS[m.layer][0]) not in self.cells}

    def add_line(self, line: LineRow) -> None:
        """Add or replace a line of an order."""
        self.put(self.lines, line.id, line)
        self._lines_of.setdefault(line.order_id, {})[line.external_line_id] = line.id

    def add_promise(self, promise: PromiseRow) -> None:
        """Add or replace a promise of a line."""
        if promise.id not in self.promises:
            self._promises_of.setdefault(promise.owner_id, {})[promise.id] = None
        if promise.waiting or promise.presale:
            self._waited.setdefault(promise.stocked, set()).add(promise.id)
        if promise.holder:
            self._promised_to.setdefault(promise.holder, set()).add(promise.id)
        self.put(self.promises, promise.id, promise)

    def add_lock(self, lock: LockRow) -> None:
        """Add or replace a lock. Its store may show other numbers when it begins, ends or lets in more than before."""
        old = self.locks.get(lock.id)
        was, becomes = (None if one is None or one.status != "active" else one.overflow for one in (old, lock))
        if was != becomes:
            self.items_shown.add(lock.item_id)
        self.put(self.locks, lock.id, lock)

    def add_fulfilment(self, row: FulfilmentRow) -> None:
        """Add or replace a fulfilment order."""
        self.put(self.fulfilments, row.id, row)

    def add_fulfilment_line(self, row: FulfilmentLineRow) -> None:
        """Add or replace a line of a fulfilment order."""
        if row.id not in self.fulfilment_lines:
            self._sent_for.setdefault(row.promise_id, {})[row.id] = None
        self.put(self.fulfilment_lines, row.id, row)

    def fulfilment_lines_of(self, promise_id: int) -> list[FulfilmentLineRow]:
        """Lines by which warehouses are, or were, to send units of a promise."""
        rows = self.fulfilment_lines
        return [rows[line_id] for line_id in self._sent_for.get(promise_id, ()) if line_id in rows]

    def add_pool(
        self,
        pool: Pool,
        stocked: Stocked,
        *,
        is_open: bool = True,
        cap: int | None = None,
        expected_id: int | None = None,
    ) -> None:
        """Add or replace a pool and its part for one item; one that is not open is drawn on no more."""
        self.put(self.pools, pool.id, pool)
        self.put(self.pool_items, (stocked, pool.id), PoolItemRow(*stocked, pool.id, is_open, cap, expected_id))
        others = [pool_id for pool_id in self.open_pools.get(stocked, []) if pool_id != pool.id]
        self.put(self.open_pools, stocked, [*others, pool.id] if is_open else others)

    def items_in(self, pool_id: int) -> dict[Stocked, PoolItemRow]:
        """All items that a pool has or had, of pools that a command keeps still."""
        changed = {stocked: row for (stocked, of), row in self.pool_items.items() if of == pool_id}
        return {**self.items_of.get(pool_id, {}), **changed}

    def line(self, order_id: int, external_line_id: str) -> LineRow | None:
        line_id = self._lines_of.get(order_id, {}).get(external_line_id)
        return None if line_id is None else self.lines.get(line_id)

    def lines_of(self, order_id: int) -> Iterator[LineRow]:
        for line_id in list(self._lines_of.get(order_id, {}).values()):
            if line_id in self.lines:
                yield self.lines[line_id]

    def promises_of(self, line_id: int) -> list[PromiseRow]:
        """Of an order line, or of a hold by its document's id; oldest first."""
        rows = self.promises
        return [rows[promise_id] for promise_id in self._promises_of.get(line_id, ()) if promise_id in rows]

    def promised_to(self, holder: str) -> Iterator[PromiseRow]:
        """Promises to one holder, of those that this batch knows."""
        for promise_id in self._promised_to.get(holder, ()):
            if promise_id in self.promises:
                yield self.promises[promise_id]

    def news(self, heard_at: datetime | None, ours_since: datetime | None) -> None:
        """Remember when the earliest news arrived that this batch acts on, for the measure of the lag."""
        if heard_at is not None:
            self.heard_at = min(self.heard_at or heard_at, heard_at)
            self.ours_since = min(self.ours_since or self.now, ours_since or heard_at)

    @property
    def somebody_waits(self) -> bool:
        """False when no promise and no lock of this batch can be served, whatever comes free."""
        return bool(self._waited or self.locks)

    def moved(self, moved_since: tuple[int, ...]) -> list[Stocked]:
        """What somebody may be served with since a mark, in the order in which it moved.

        It moved in the sales layer, or came to stand in a warehouse, where a physical lock may wait for units that were
        free before they were there.
        """
        news = (m for _, _, m in self.movements[moved_since[_MOVEMENTS_LOG] :])
        return list(dict.fromkeys(m.stocked for m in news if m.layer is _SALES or (m.layer, m.to.bucket) == _ARRIVED))

    def lines_moved(self, moved_since: tuple[int, ...]) -> list[int]:
        """Order lines that got or gave units since a mark."""
        news = (m.order_line_id for _, _, m in self.movements[moved_since[_MOVEMENTS_LOG] :])
        return list(dict.fromkeys(line_id for line_id in news if line_id is not None))

    def pools_moved(self, moved_since: tuple[int, ...]) -> list[int]:
        """Pools that units entered, left or changed their bucket in since a mark."""
        news = (m for _, _, m in self.movements[moved_since[_MOVEMENTS_LOG] :] if m.layer is _SALES)
        ends = (place for m in news for place in (m.from_.place_id, m.to.place_id))
        return list(dict.fromkeys(place for place in ends if place is not None))

    def waiting(self, stocked: Stocked) -> list[PromiseRow]:
        """Promises that want goods: units that wait, or were sold in a presale."""
        rows = map(self.promises.get, sorted(self._waited.get(stocked, ())))
        return [
            row
            for row in rows
            if row is not None and row.item_id == stocked.item_id and (row.waiting or (row.presale and row.live))
        ]

    def waiting_locks(self, stocked: Stocked) -> list[LockRow]:
        if not self.locks:
            return []
        return [lock for lock in self.locks.values() if lock.waiting and lock.stocked == stocked]


def _ends(m: Movement) -> Iterator[BalanceKey]:
    for end in (m.from_, m.to):
        if end.place_id is not None:
            yield BalanceKey(m.layer, *m.stocked, end.place_id)

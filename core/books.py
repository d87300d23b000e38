"""What a batch knows in memory: balances, orders, lines and promises, and what is posted against them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from core.errors import Broken, InsufficientStock, KeyReused
from core.stock import BUCKETS, At, BalanceKey, Bucket, DocumentKind, Home, Layer, Movement, Stocked

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()
_SALES, _FREE = Layer.SALES, Bucket.FREE
_MOVEMENTS_LOG = 2  # where the length of ``Books.movements`` stands in a mark


class StoreKey(NamedTuple):
    """Something of a store by the store's own id: an order, or a listing."""

    store_id: int
    external_id: str


class OrderRow(NamedTuple):
    id: int
    store_id: int
    external_id: str
    number: str
    state: str
    holds: bool
    paid: bool
    placed_at: datetime | None
    version: str
    fetch_seq: int
    applied_at: datetime | None


class LineRow(NamedTuple):
    id: int
    order_id: int
    external_line_id: str
    external_id: str | None
    sku: str
    title: str
    listing_id: int | None
    item_id: int | None
    ordered: int
    cancelled: int
    written_off: int
    damaged: int
    returned: int
    counted: int
    hidden: int
    deducted: bool
    paid: bool
    held_reason: str


class PromiseRow(NamedTuple):
    """wanted = waiting + live + shipped + released."""

    id: int
    order_line_id: int
    order_id: int
    item_id: int
    grade: str
    pool_id: int
    wanted: int
    waiting: int
    live: int
    shipped: int
    released: int
    deducted: bool
    promised_at: datetime
    expires_at: datetime | None

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class ListingRow(NamedTuple):
    id: int
    item_id: int | None
    pack_size: int


class DocumentRow(NamedTuple):
    id: int
    kind: DocumentKind
    effect_key: str
    happened_at: datetime
    order_id: int | None
    reason: str


class EffectRow(NamedTuple):
    key_hash: bytes
    content_hash: bytes
    document_id: int | None


class IncidentRow(NamedTuple):
    """A promise that cannot be kept as made; ``order_line_id`` points at it."""

    id: int
    kind: str
    store_id: int
    order_id: int
    order_line_id: int
    item_id: int
    quantity: int


def content_hash(content: object) -> bytes:
    """A hash of what a command asks for: equal for equal content, whatever process computes it.

    Words are taken as they are; anything else is written as JSON first, which takes ten times as long.
    """
    words = content if isinstance(content, str) else json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(words.encode()).digest()[:16]


@lru_cache(maxsize=4096)
def key_hash(effect_key: str) -> bytes:
    return hashlib.sha256(effect_key.encode()).digest()[:16]


class Widen(Exception):
    """A decision needs balance rows that its batch has not locked."""

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
    known_effects: dict[bytes, tuple[bytes, int | None]] = field(default_factory=dict)
    documents: list[DocumentRow] = field(default_factory=list)
    movements: list[tuple[int, int, Movement]] = field(default_factory=list)  # document id, line number, movement
    effects: list[EffectRow] = field(default_factory=list)
    incidents: list[IncidentRow] = field(default_factory=list)
    counted: list[tuple[int, int]] = field(default_factory=list)  # listing id, units its store took off by itself
    shown_again: set[int] = field(default_factory=set)  # listings to compute again although no balance moved
    heard_at: datetime | None = None
    ours_since: datetime | None = None
    _undo: list[tuple[dict[Any, Any], Any, Any]] = field(default_factory=list)
    _lines_of: dict[int, dict[str, int]] = field(default_factory=dict)
    _promises_of: dict[int, list[int]] = field(default_factory=dict)
    _waited: dict[Stocked, set[int]] = field(default_factory=dict)

    def put(self, rows: dict[K, V], key: K, value: V) -> None:
        """Change one row so that ``undo_to`` can bring the old one back."""
        self._undo.append((rows, key, rows.get(key, _ABSENT)))
        rows[key] = value

    def mark(self) -> tuple[int, ...]:
        """A point to come back to; there is no way back beyond the newest."""
        self._undo.clear()
        return tuple(map(len, self._logs()))

    def undo_to(self, mark: tuple[int, ...]) -> None:
        """Take back everything put or posted since ``mark``."""
        logs = self._logs()
        while len(self._undo) > mark[0]:
            rows, key, old = self._undo.pop()
            if old is _ABSENT:
                del rows[key]
            else:
                rows[key] = old
        for log, length in zip(logs[1:], mark[1:], strict=True):
            del log[length:]

    def _logs(self) -> tuple[list[Any], ...]:
        return (self._undo, self.documents, self.movements, self.effects, self.incidents, self.counted)

    def units(self, layer: Layer, stocked: Stocked, at: At) -> int:
        """What a bucket holds now. Raises: Widen when its row is not in this batch."""
        if at.place_id is None:
            raise Broken("the world has no balance")
        key = BalanceKey(layer, *stocked, at.place_id)
        try:
            return self.cells[key, at.bucket]
        except KeyError:
            raise Widen([key]) from None

    def free(self, stocked: Stocked) -> int:
        """Units of the shared pool that nobody has been promised."""
        key = self.home.key(_SALES, stocked)
        try:
            return self.cells[key, _FREE]
        except KeyError:
            raise Widen([key]) from None

    def find(self, effect_key: str, content: object) -> int | None:
        """The document that this key posted earlier. Raises: KeyReused when its content was another."""
        earlier = self.known_effects.get(key_hash(effect_key))
        if earlier is None:
            return None
        if earlier[0] != content_hash(content):
            raise KeyReused(effect_key)
        return earlier[1]

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
    ) -> int:
        """Record one document and move its units. The only way a quantity ever changes.

        Raises: InsufficientStock when a bucket would fall below 0; Widen when a row is not in this batch.
        """
        document_id, posted = self.new_id(), self.movements
        for number, movement in enumerate(movements, start=1):
            try:
                self._move(movement)
            except KeyError:
                raise Widen(self._not_here(movements)) from None
            posted.append((document_id, number, movement))
        self.documents.append(DocumentRow(document_id, kind, effect_key, happened_at or self.now, order_id, reason))
        hashed = content_hash(f"{kind} {effect_key}" if content is None else content)
        key = key_hash(effect_key)
        self.effects.append(EffectRow(key, hashed, document_id))
        self.put(self.known_effects, key, (hashed, document_id))
        return document_id

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
            self._promises_of.setdefault(promise.order_line_id, []).append(promise.id)
        if promise.waiting:
            self._waited.setdefault(promise.stocked, set()).add(promise.id)
        self.put(self.promises, promise.id, promise)

    def line(self, order_id: int, external_line_id: str) -> LineRow | None:
        line_id = self._lines_of.get(order_id, {}).get(external_line_id)
        return None if line_id is None else self.lines.get(line_id)

    def lines_of(self, order_id: int) -> Iterator[LineRow]:
        for line_id in list(self._lines_of.get(order_id, {}).values()):
            if line_id in self.lines:
                yield self.lines[line_id]

    def promises_of(self, line_id: int) -> Iterator[PromiseRow]:
        for promise_id in dict.fromkeys(self._promises_of.get(line_id, [])):
            if promise_id in self.promises:
                yield self.promises[promise_id]

    def news(self, heard_at: datetime | None, ours_since: datetime | None) -> None:
        """Remember when the earliest news arrived that this batch acts on, for the measure of the lag."""
        if heard_at is not None:
            self.heard_at = min(self.heard_at or heard_at, heard_at)
            self.ours_since = min(self.ours_since or self.now, ours_since or heard_at)

    def waiting(self, moved_since: tuple[int, ...]) -> Mapping[Stocked, list[PromiseRow]]:
        """Promises with waiting units of what was moved since a mark, by what they wait for.

        Nothing waits while units are free, so only what moved can have units for somebody now.
        """
        by_stocked: dict[Stocked, list[PromiseRow]] = {}
        if not self._waited:
            return by_stocked
        news = self.movements[moved_since[_MOVEMENTS_LOG] :]
        for stocked in dict.fromkeys(m.stocked for _, _, m in news if m.layer is Layer.SALES):
            ids = sorted(self._waited.get(stocked, ()))
            rows = [row for row in map(self.promises.get, ids) if row is not None and row.waiting]
            if rows:
                by_stocked[stocked] = rows
        return by_stocked


def _ends(m: Movement) -> Iterator[BalanceKey]:
    for end in (m.from_, m.to):
        if end.place_id is not None:
            yield BalanceKey(m.layer, *m.stocked, end.place_id)

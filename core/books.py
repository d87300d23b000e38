"""What a batch knows in memory: balances, orders, lines and promises, and what is posted against them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from core.errors import Broken, InsufficientStock, KeyReused
from core.stock import BUCKETS, WORLD, At, BalanceKey, Bucket, DocumentKind, Home, Layer, Movement, Stocked

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()


class StoreKey(NamedTuple):
    """Something of a store by the store's own id: an order, or a listing."""

    store_id: int
    external_id: str


@dataclass(frozen=True, slots=True)
class OrderRow:
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


@dataclass(frozen=True, slots=True)
class LineRow:
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


@dataclass(frozen=True, slots=True)
class PromiseRow:
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


@dataclass(frozen=True, slots=True)
class ListingRow:
    id: int
    item_id: int | None
    pack_size: int


@dataclass(frozen=True, slots=True)
class DocumentRow:
    id: int
    kind: DocumentKind
    effect_key: str
    happened_at: datetime
    order_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class EffectRow:
    effect_key: str
    content_hash: bytes
    document_id: int | None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A promise that cannot be kept as made; ``order_line_id`` points at it."""

    id: int
    kind: str
    store_id: int
    order_id: int
    order_line_id: int
    item_id: int
    quantity: int


def content_hash(content: object) -> bytes:
    """A hash of what a command asks for: equal for equal content, whatever process computes it."""
    plain = asdict(content) if is_dataclass(content) and not isinstance(content, type) else content
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).digest()[:16]


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
    _waited: set[int] = field(default_factory=set)

    def put(self, rows: dict[K, V], key: K, value: V) -> None:
        """Change one row so that ``undo_to`` can bring the old one back."""
        self._undo.append((rows, key, rows.get(key, _ABSENT)))
        rows[key] = value

    def mark(self) -> tuple[int, ...]:
        """A point to come back to."""
        return tuple(len(part) for part in self._logs())

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

    def holds(self, stocked: Stocked) -> bool:
        """True when this batch has locked the item's row of the shared pool."""
        return (self.home.key(Layer.SALES, stocked), Bucket.FREE) in self.cells

    def free(self, stocked: Stocked) -> int:
        """Units of the shared pool that nobody has been promised."""
        return self.units(Layer.SALES, stocked, self.home.shared(Bucket.FREE))

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
        missing = {key for m in movements for key in _ends(m) if (key, Bucket(BUCKETS[m.layer][0])) not in self.cells}
        if missing:
            raise Widen(missing)
        document_id = self.new_id()
        for number, movement in enumerate(movements, start=1):
            self._move(movement)
            self.movements.append((document_id, number, movement))
        self.documents.append(DocumentRow(document_id, kind, effect_key, happened_at or self.now, order_id, reason))
        hashed = content_hash(content if content is not None else [kind, effect_key])
        self.effects.append(EffectRow(effect_key, hashed, document_id))
        self.put(self.known_effects, key_hash(effect_key), (hashed, document_id))
        return document_id

    def _move(self, m: Movement) -> None:
        for end, change in ((m.from_, -m.quantity), (m.to, m.quantity)):
            if end == WORLD or end.place_id is None:
                continue
            cell = (BalanceKey(m.layer, *m.stocked, end.place_id), end.bucket)
            left = self.cells[cell] + change
            if left < 0:
                raise InsufficientStock({m.stocked: -left})
            self.put(self.cells, cell, left)

    def add_line(self, line: LineRow) -> None:
        """Add or replace a line of an order."""
        self.put(self.lines, line.id, line)
        self._lines_of.setdefault(line.order_id, {})[line.external_line_id] = line.id

    def add_promise(self, promise: PromiseRow) -> None:
        """Add or replace a promise of a line."""
        known = self._promises_of.setdefault(promise.order_line_id, [])
        if promise.id not in known:
            known.append(promise.id)
        if promise.waiting:
            self._waited.add(promise.id)
        self.put(self.promises, promise.id, promise)

    def line(self, order_id: int, external_line_id: str) -> LineRow | None:
        line_id = self._lines_of.get(order_id, {}).get(external_line_id)
        return None if line_id is None else self.lines.get(line_id)

    def lines_of(self, order_id: int) -> Iterator[LineRow]:
        for line_id in list(self._lines_of.get(order_id, {}).values()):
            if line_id in self.lines:
                yield self.lines[line_id]

    def promises_of(self, line_id: int) -> Iterator[PromiseRow]:
        for promise_id in list(self._promises_of.get(line_id, [])):
            if promise_id in self.promises:
                yield self.promises[promise_id]

    def news(self, heard_at: datetime | None, ours_since: datetime | None) -> None:
        """Remember when the earliest news arrived that this batch acts on, for the measure of the lag."""
        if heard_at is not None:
            self.heard_at = min(self.heard_at or heard_at, heard_at)
            self.ours_since = min(self.ours_since or self.now, ours_since or heard_at)

    def waiting(self) -> Mapping[Stocked, list[PromiseRow]]:
        """Promises with waiting units whose rows are in this batch, by what they wait for."""
        by_stocked: dict[Stocked, list[PromiseRow]] = {}
        for promise_id in sorted(self._waited):
            promise = self.promises.get(promise_id)
            if promise is not None and promise.waiting:
                by_stocked.setdefault(promise.stocked, []).append(promise)
        return by_stocked


def _ends(m: Movement) -> Iterator[BalanceKey]:
    for end in (m.from_, m.to):
        if end.place_id is not None:
            yield BalanceKey(m.layer, *m.stocked, end.place_id)

"""``Batch``: many commands of one merchant in one transaction. The only writer of quantities.

A batch reads all it needs and locks its balance rows once, in key order; then pure decisions run one after another
against memory; then everything is written with one statement per table. Rows are always taken in the same order
(orders, then balances by key), so batches wait for each other but never in a circle. Whoever changes a promise holds
the balance row of its item, so promises need no lock of their own.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from psycopg.errors import UniqueViolation
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from core import alerts, marks, reading, tables
from core.alerts import Watched
from core.backorders import fill_waiting
from core.books import Books, LineRow, OrderRow, PromiseRow, StoreKey, Widen, key_hash
from core.errors import Broken, NotFound, Refused
from core.pipe import Piped, pipe
from core.stock import BUCKETS, BalanceKey, Bucket, Home, Layer, Stocked
from core.transaction import Database, Transaction
from core.writing import make_missing, write_balances, write_documents, write_effects, write_rows

_TRIES = 4
_IDS_PER_COMMAND, _IDS_AT_ONCE = 4, 256
_PART = 100  # documents
_BACKORDERED = Bucket.BACKORDERED
_RACED_FOR = ("effect", "store_order")
# The default places are made with their merchant and stay.
_homes: WeakKeyDictionary[Engine, dict[int, Home]] = WeakKeyDictionary()


class Command(Protocol):
    """One thing somebody wants done. Says what it reads before it decides; decides without I/O."""

    def effect_keys(self) -> Iterable[str]:
        """Keys to look up among the effects posted before."""

    def order_keys(self) -> Iterable[StoreKey]:
        """Orders to load and lock (made when missing), with their lines and promises."""

    def listing_keys(self, books: Books) -> Iterable[StoreKey]:
        """Listings to look up by their store's id, now that orders are known."""

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        """Balance rows to lock, now that orders and listings are known."""

    def decide(self, books: Books) -> object:
        """Post documents to ``books``; returns the result for the caller. Raises: Refused; Widen."""


def run(db: Database, merchant_id: int, commands: Sequence[Command], *, actor: str, source: str = "") -> list[Any]:
    """Do all commands, each wholly or not at all.

    Returns: one result per command, in order; a command that was refused has its ``Refused`` as result.
    Raises: Broken when an invariant would be violated; database errors.
    """
    results: list[Any] = [None] * len(commands)
    wanted: dict[int, frozenset[BalanceKey]] = dict.fromkeys(range(len(commands)), frozenset())
    raced: IntegrityError | None = None
    for _ in range(_TRIES):
        try:
            with db.begin(merchant_id, actor=actor, source=source) as tx:
                done, wider = Batch(tx).apply({n: commands[n] for n in wanted}, wanted)
        except IntegrityError as error:
            if not _lost_a_race(error):
                raise
            raced = error  # look again and find what was made between our look and our write
            continue
        for n, result in done.items():
            results[n] = result
        wanted = wider
        if not wanted:
            return results
    raise Broken(f"{len(wanted)} commands found no stable set of rows in {_TRIES} batches") from raced


def _lost_a_race(error: IntegrityError) -> bool:
    """True when another transaction made the same effect or the same new order first."""
    cause = error.orig
    return isinstance(cause, UniqueViolation) and (cause.diag.table_name or "").startswith(_RACED_FOR)


class Batch:
    """One transaction's worth of commands."""

    row_lock: ClassVar[str] = "FOR NO KEY UPDATE"

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.books = Books(tx.merchant_id, home_of(tx), tx.now, self._new_id, tx.actor)
        self._ids: list[int] = []
        self._loaded: dict[str, dict[Any, Any]] = {}
        self._known_orders: set[int] = set()
        self._looked_up: set[bytes] = set()
        self._watched: list[Watched] = []
        self._served: list[int] = []

    def apply(
        self, commands: dict[int, Command], extra: dict[int, frozenset[BalanceKey]]
    ) -> tuple[dict[int, Any], dict[int, frozenset[BalanceKey]]]:
        """Load, decide, write. Returns results by number, and the commands that need a wider batch."""
        self._keep_ids(_IDS_PER_COMMAND * (len(commands) + 1))
        with pipe(self.tx) as self._sent:
            self._sent.run(reading.PLANS)
            self._load(commands.values(), extra)
            done, wider = self._decide(commands, extra)
            freed = self._flush()
        self._warn(freed)
        return done, wider

    def _decide(
        self, commands: dict[int, Command], extra: dict[int, frozenset[BalanceKey]]
    ) -> tuple[dict[int, Any], dict[int, frozenset[BalanceKey]]]:
        books = self.books
        done: dict[int, Any] = {}
        wider: dict[int, frozenset[BalanceKey]] = {}
        for n, command in commands.items():
            mark = books.mark()
            try:
                done[n] = command.decide(books)
                fill_waiting(books, mark)  # who waited is served before the next command can take what came free
            except Refused as refusal:
                books.undo_to(mark)
                done[n] = refusal
            except Widen as more:
                books.undo_to(mark)
                wider[n] = extra[n] | more.keys
            if len(books.documents) >= _PART:
                self._write_part()
        for n in self._answered_meanwhile(commands, done):
            del done[n]
            wider[n] = extra[n]
        return done, wider

    def _answered_meanwhile(self, commands: dict[int, Command], done: dict[int, Any]) -> list[int]:
        """Refused commands on new orders whose key was posted between our look at the orders and our locks.

        They come again, find their order, and get the answer that their key had the first time.
        """
        asked = {n: set(map(key_hash, commands[n].effect_keys())) for n, r in done.items() if isinstance(r, Refused)}
        doubted = set().union(*asked.values()) - self._looked_up
        if not doubted:
            return []
        found = {row[0] for row in reading.find_effects(self._sent, doubted).fetchall()}
        return [n for n, keys in asked.items() if keys & found]

    def _keep_ids(self, most: int) -> None:
        self._ids = [self.tx.new_id() for _ in range(most)][::-1]

    def _new_id(self) -> int:
        if not self._ids:
            with self._sent.paused():
                self._keep_ids(_IDS_AT_ONCE)
        return self._ids.pop()

    # ---- reading

    def _load(self, commands: Collection[Command], extra: dict[int, frozenset[BalanceKey]]) -> None:
        books = self.books
        self._load_orders(sorted({key for c in commands for key in c.order_keys()}))
        if listings := sorted({key for c in commands for key in c.listing_keys(books)}):
            books.listings.update(reading.find_listings(self._sent, listings))
        keys = {key for c in commands for key in c.balance_keys(books)}
        self._looked_up = self._effects_to_find(commands)
        self._lock_balances(sorted(keys.union(*extra.values())))
        self._load_waiting()
        self._loaded = {name: dict(getattr(books, name)) for name in ("cells", "orders", "lines", "promises")}

    def _load_orders(self, keys: list[StoreKey]) -> None:
        """Known orders are locked and read with all that hangs on them; an unknown one starts as a new row in memory.

        Who else makes the same new order meets our key when it writes, and looks again.
        """
        if not keys:
            return
        books, orders = self.books, self.books.orders
        for row in reading.lock_orders(self._sent, keys, self.row_lock):
            orders[StoreKey(row.store_id, row.external_id)] = row
        self._known_orders = {row.id for row in orders.values()}
        if orders:
            lines, promises = reading.lines_of(self._sent, self._known_orders)
            for line in lines:
                books.add_line(line)
            for promise in promises:
                books.add_promise(promise)
        for key in keys:
            if key not in orders:
                orders[key] = OrderRow(self._new_id(), *key, "", "new", False, False, None, "", -1, None)

    def _effects_to_find(self, commands: Iterable[Command]) -> set[bytes]:
        """An order that is new has posted nothing, so the keys of commands on it need no look."""
        orders, known = self.books.orders, self._known_orders
        found: set[bytes] = set()
        for command in commands:
            on = list(command.order_keys())
            if not on or (known and any(orders[key].id in known for key in on)):
                found.update(map(key_hash, command.effect_keys()))
        return found

    def _lock_balances(self, keys: list[BalanceKey]) -> None:
        """Make what is missing, then lock all: nobody who holds a row lock still waits for a row to be made.

        What is read beside the locked rows is asked for after them: whoever posts one of these keys, or serves one of
        our promises, holds a row that we hold.
        """
        sent, books = self._sent, self.books
        by_layer = {layer: [key for key in keys if key.layer is layer] for layer in Layer}
        waited = [promise.id for promise in books.promises.values() if promise.waiting]
        for layer, here in by_layer.items():
            make_missing(sent, layer, here)
        locked = [
            (layer, here, reading.lock_balances(sent, layer, here, self.row_lock))
            for layer, here in by_layer.items()
            if here
        ]
        effects = reading.find_effects(sent, self._looked_up) if self._looked_up else None
        served = reading.find_promises(sent, waited) if waited else None
        watched = alerts.watched(sent, {key.item_id for key in by_layer[Layer.SALES]})
        for layer, here, rows in locked:
            if self._read_layer(layer, rows.fetchall()) < len(here):
                raise Broken(f"{layer} balance rows could not be made")
        for key, content, document_id in effects.fetchall() if effects else ():
            books.known_effects[key] = (content, document_id)
        for row in map(PromiseRow._make, served.fetchall() if served else ()):
            books.add_promise(row)
        self._watched = watched()

    def _read_layer(self, layer: Layer, rows: Sequence[Sequence[Any]]) -> int:
        cells, buckets = self.books.cells, BUCKETS[layer]
        for place_id, item_id, grade, *units in rows:
            key = BalanceKey(layer, item_id, grade, place_id)
            for bucket, n in zip(buckets, units, strict=True):
                cells[key, bucket] = n
        return len(rows)

    def _load_waiting(self) -> None:
        """Promises that wait for what this batch may free; their item's balance row is locked already."""
        books, shared = self.books, self.books.home.shared_pool_id
        due = [
            key for (key, bucket), n in books.cells.items() if n and bucket is _BACKORDERED and key.place_id == shared
        ]
        for row in reading.find_waiting(self._sent, due) if due else ():
            if row.id not in books.promises:
                books.add_promise(row)

    # ---- writing

    def _changed(self, name: str) -> list[Any]:
        """Rows that are not the ones loaded, or written since."""
        before = self._loaded[name]
        return [row for key, row in getattr(self.books, name).items() if before.get(key) != row]

    def _write_part(self) -> None:
        """What nobody else can write too goes ahead, so that the server works on it while we go on deciding."""
        sent, books, loaded = self._sent, self.books, self._loaded
        write_documents(sent, self.tx, books)
        lines, promises = self._changed("lines"), self._changed("promises")
        write_rows(sent, tables.order_line, LineRow._fields, lines, loaded["lines"])
        write_rows(sent, tables.promise, PromiseRow._fields, promises, loaded["promises"])
        self._served += self._served_lines(promises)
        loaded["lines"].update((row.id, row) for row in lines)
        loaded["promises"].update((row.id, row) for row in promises)

    def _flush(self) -> dict[Stocked, tuple[int, int]]:
        """Write what is left. Returns: free units of the shared pool before and after, where they changed."""
        sent, books = self._sent, self.books
        self._write_part()
        write_effects(sent, books)
        write_rows(sent, tables.store_order, OrderRow._fields, self._changed("orders"), self._known_orders)
        moved = self._moved()
        write_balances(sent, books, moved)
        freed = self._freed(moved)
        items = {stocked.item_id for stocked in freed}
        if items or books.shown_again or books.counted:
            piped = Piped(self.tx, sent, self._new_id)
            marks.stale(piped, items, books.shown_again, books.counted, books.heard_at, books.ours_since)
        return freed

    def _warn(self, freed: dict[Stocked, tuple[int, int]]) -> None:
        alerts.open_incidents(self.tx, self.books.incidents)
        alerts.close_incidents(self.tx, self._served)
        alerts.watch_low_stock(self.tx, self._watched, freed)

    def _moved(self) -> list[BalanceKey]:
        """Keys of balance rows that changed, in the order in which they are locked."""
        before = self._loaded["cells"]
        return sorted({cell[0] for cell, n in self.books.cells.items() if before[cell] != n})

    def _freed(self, moved: list[BalanceKey]) -> dict[Stocked, tuple[int, int]]:
        """Free units of the shared pool before and after, where they changed."""
        cells, before, shared = self.books.cells, self._loaded["cells"], self.books.home.shared_pool_id
        free = {
            Stocked(key.item_id, key.grade): (before[key, Bucket.FREE], cells[key, Bucket.FREE])
            for key in moved
            if key.layer is Layer.SALES and key.place_id == shared
        }
        return {stocked: (was, now) for stocked, (was, now) in free.items() if was != now}

    def _served_lines(self, promises: list[PromiseRow]) -> list[int]:
        """Lines whose units waited, before or within this batch, and wait no more."""
        before, short = self._loaded["promises"], {incident.order_line_id for incident in self.books.incidents}
        return [
            row.order_line_id
            for row in promises
            if not row.waiting
            and (row.order_line_id in short or ((known := before.get(row.id)) is not None and known.waiting))
        ]


def home_of(tx: Transaction) -> Home:
    """The merchant's default places. Raises: NotFound for an unknown merchant."""
    homes = _homes.setdefault(tx.connection.engine, {})
    home = homes.get(tx.merchant_id)
    if home is None:
        home = homes[tx.merchant_id] = _read_home(tx)
    return home


def _read_home(tx: Transaction) -> Home:
    row = tx.run(
        """SELECT b.id AS bin_id, b.warehouse_id, p.id AS shared_pool_id FROM bin b
           JOIN warehouse w ON (w.merchant_id, w.id) = (b.merchant_id, b.warehouse_id)
           JOIN pool p ON p.merchant_id = b.merchant_id AND p.kind = 'shared'
           WHERE b.merchant_id = :merchant_id AND b.is_default ORDER BY w.id LIMIT 1"""
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no merchant {tx.merchant_id} with a warehouse; run `holdfast migrate` first")
    return Home(row.bin_id, row.warehouse_id, row.shared_pool_id)

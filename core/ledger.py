"""``Batch``: many commands of one merchant in one transaction. The only writer of quantities.

A batch reads all it needs and locks its balance rows once, in key order; then pure decisions run one after another
against memory; then everything is written with one statement per table. Rows are always taken in the same order
(orders, then turns of holders, then balances by key), so batches wait for each other but never in a circle. Whoever
changes a promise holds the balance row of its item, so promises need no lock of their own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from psycopg.errors import UniqueViolation
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from core import bulk, marks, reading, tables
from core.alerts import lifecycle as alerts
from core.alerts import watch as alert_watch
from core.alerts.kinds import Watch
from core.books import (
    Books,
    LimitRow,
    LineRow,
    LockRow,
    OrderRow,
    PoolItemRow,
    PromiseRow,
    StoreKey,
    Widen,
    effect_key_of_hold,
    key_hash,
)
from core.command import Command
from core.errors import Broken, NotFound, Refused
from core.pipe import Answer, Piped, pipe
from core.sales import giving_way, limits
from core.sales.backorders import fill_waiting
from core.stock import BUCKETS, BalanceKey, Bucket, Home, Layer, Pool, PoolKind, Stocked
from core.transaction import Database, Transaction
from core.writing import make_missing, write_balances, write_documents, write_effects, write_rows

_TRIES = 4
_IDS_PER_COMMAND, _IDS_AT_ONCE = 4, 256
_KEPT = ("cells", "orders", "lines", "promises", "locks", "pools")
_PART = 100  # documents
_BACKORDERED, _RESERVED, _SOLD = Bucket.BACKORDERED, Bucket.RESERVED, Bucket.SOLD
_RACED_FOR = ("effect", "store_order", "lock", "pool")
# The default places are made with their merchant and stay.
_homes: WeakKeyDictionary[Engine, dict[int, Home]] = WeakKeyDictionary()
# Merchants that are known to have pools beside the shared one, bundles, purchase limits, or more than one bin. Most
# have none and need not look for them; each batch finds out under its locks whether that is still so.
_special: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()
# Balance rows that were there: rows stay, so nobody need look again whether they have to be made.
_made: WeakKeyDictionary[Engine, set[BalanceKey]] = WeakKeyDictionary()
_MOST_MADE = 200_000


def run(db: Database, merchant_id: int, commands: Sequence[Command], *, actor: str, source: str = "") -> list[Any]:
    """Do all commands, each wholly or not at all.

    Returns: one result per command, in order; a command that was refused has its ``Refused`` as result.
    Raises: Broken when an invariant would be violated; database errors.
    """
    home = home_of(db, merchant_id)
    results: list[Any] = [None] * len(commands)
    wanted: dict[int, frozenset[BalanceKey]] = dict.fromkeys(range(len(commands)), frozenset())
    raced: IntegrityError | None = None
    for attempt in range(_TRIES):
        try:
            with db.begin_piped(merchant_id, actor=actor, source=source) as tx:
                batch = Batch(tx, home, careful=attempt > 0)
                done, wider = batch.apply({n: commands[n] for n in wanted}, wanted, commit=True)
            _note_made(db.engine, batch.made)
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


def _note_made(engine: Engine, keys: Collection[BalanceKey]) -> None:
    """Only what is committed is there for good."""
    if keys:
        made = _made.setdefault(engine, set())
        if len(made) > _MOST_MADE:
            made.clear()
        made.update(keys)


def _lost_a_race(error: IntegrityError) -> bool:
    """True when another transaction made the same effect or the same new order first."""
    cause = error.orig
    return isinstance(cause, UniqueViolation) and (cause.diag.table_name or "").startswith(_RACED_FOR)


class Batch:
    """One transaction's worth of commands."""

    row_lock: ClassVar[str] = "FOR NO KEY UPDATE"

    def __init__(self, tx: Transaction, home: Home, *, careful: bool = False) -> None:
        """``careful``: look up every effect key, also those that are new nearly always."""
        self.tx, self._careful = tx, careful
        self.books = Books(tx.merchant_id, home, tx.now, self._new_id, tx.actor)
        self._ids: list[int] = []
        self._loaded: dict[str, dict[Any, Any]] = {}
        self._known_orders: set[int] = set()
        self._counted: set[Stocked] = set()
        self._looked_up: set[bytes] = set()
        self._taken_apart: tuple[set[int], set[int]] | None = None  # items whose recipes were read: bundles and kits
        self._holders: set[str] = set()
        self._own_holds: Answer | None = None
        self._watched: list[Watch] = []
        self._served: list[int] = []
        self.made: list[BalanceKey] = []  # balance rows that may not have been there

    def apply(
        self, commands: dict[int, Command], extra: dict[int, frozenset[BalanceKey]], *, commit: bool = False
    ) -> tuple[dict[int, Any], dict[int, frozenset[BalanceKey]]]:
        """Load, decide, write. Returns results by number, and the commands that need a wider batch.

        Args: commit: end the transaction with the last statement where nothing else is to be said in it; that saves
              a wait. Otherwise its owner commits.
        """
        self._keep_ids(_IDS_PER_COMMAND * (len(commands) + 1))
        with pipe(self.tx) as self._sent:
            self._sent.run(reading.SETTINGS)
            if not self._load(commands.values(), extra):
                return {}, extra
            done, wider = self._decide(commands, extra)
            self._flush()
            quiet = not (self.books.incidents or self._served)
            if commit and quiet:
                self._sent.command(b"COMMIT")
        if not quiet:
            self._warn()
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
        self._ids = self.tx.new_ids(most)[::-1]

    def _new_id(self) -> int:
        if not self._ids:
            with self._sent.paused():
                self._keep_ids(_IDS_AT_ONCE)
        return self._ids.pop()

    # ---- reading

    def _load(self, commands: Collection[Command], extra: dict[int, frozenset[BalanceKey]]) -> bool:
        """Returns: False when pools came or went before our locks held: then all is to be read again."""
        books = self.books
        self._load_orders(sorted({key for c in commands for key in c.order_keys()}))
        self._load_holds({key for c in commands for key in c.hold_keys()})
        self._load_promises({order_id for c in commands for order_id in c.order_ids()})
        self._load_locks({key for c in commands for key in c.lock_keys()})
        self._keep_pools({pool_id for c in commands for pool_id in c.whole_pools()})
        if listings := sorted({key for c in commands for key in c.listing_keys(books)}):
            books.listings.update(reading.find_listings(self._sent, listings))
        self._load_pools(
            {stocked for c in commands for stocked in c.stocked(books)},
            {pool_id for c in commands for pool_id in c.pool_ids()},
            {item_id for c in commands for item_id in c.kits()},
        )
        limited = self._load_limits(commands)
        self._holders = {holder for c in commands for holder in c.holders()}
        again = any(extra.values())
        if again and self._holders:  # perhaps for the rows of holds that are to give way, and of who waits for theirs
            self._take_own_holds(giving_way.ask(self._sent, self._holders))
            self._load_open_pools({promise.stocked for promise in books.promises.values()})
        keys = {key for c in commands for key in c.balance_keys(books)}
        if again:
            keys |= giving_way.keys_of_open_holds(books)
        self._looked_up = self._effects_to_find(commands)
        if not self._lock_balances(sorted(keys.union(*extra.values()))):
            return False
        if self._own_holds:
            self._take_own_holds(self._own_holds)
        self._load_waiting()
        self._load_newest(commands)
        if limited:
            limits.load_bought(self._sent, books, limited)
        self._loaded = {name: dict(getattr(books, name)) for name in _KEPT}
        return True

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

    def _load_holds(self, keys: set[str]) -> None:
        """Holds have no row of their own: a key leads to its document, and the document to the promises."""
        if not keys:
            return
        books, by_hash = self.books, {key_hash(effect_key_of_hold(key)): key for key in keys}
        found = reading.effects_by_hash(reading.find_effects(self._sent, by_hash))
        books.known_effects.update(found)
        books.holds = {
            by_hash[hashed]: effect.document_id for hashed, effect in found.items() if effect.document_id is not None
        }
        for promise in reading.promises_of(self._sent, books.holds.values()) if books.holds else ():
            books.add_promise(promise)

    def _load_promises(self, order_ids: set[int]) -> None:
        for promise in reading.promises_of(self._sent, order_ids) if order_ids else ():
            if promise.id not in self.books.promises:
                self.books.add_promise(promise)

    def _load_locks(self, keys: set[str]) -> None:
        if keys:
            for row in map(LockRow._make, reading.find_locks(self._sent, keys=keys).fetchall()):
                self.books.locks[row.id] = row

    def _keep_pools(self, pool_ids: set[int]) -> None:
        """Lock pools so that nobody adds items to them or closes them beside us; before any balance row."""
        if not pool_ids:
            return
        books = self.books
        books.pools.update((pool.id, pool) for pool in reading.lock_pools(self._sent, pool_ids, self.row_lock))
        books.items_of = {pool_id: {} for pool_id in pool_ids}
        for row in reading.items_of_pools(self._sent, pool_ids):
            books.items_of[row.pool_id][Stocked(row.item_id, row.grade)] = row

    def _load_pools(self, stocked: set[Stocked], pool_ids: set[int], kits: set[int]) -> None:
        """Recipes of bundles, the open pools of all that is counted, and every pool that somebody names."""
        books = self.books
        self._counted = stocked | {promise.stocked for promise in books.promises.values()}
        if self.tx.merchant_id in _special.setdefault(self.tx.connection.engine, set()):
            self._taken_apart = ({one.item_id for one in stocked}, kits)
            books.recipes, books.kits = map(reading.recipes_by_item, self._ask_recipes(*self._taken_apart))
            self._counted = {part.stocked for one in self._counted for part in books.parts(one)}
            self._counted.update(part.stocked for parts in books.kits.values() for part in parts)
            self._load_open_pools(set())
        self._name_pools(pool_ids | {promise.pool_id for promise in books.promises.values()} | books.locks.keys())

    def _load_open_pools(self, more: set[Stocked]) -> None:
        """Open pools of all that is counted, and of ``more`` from now on, and where the goods of these stand."""
        if self.tx.merchant_id in _special[self.tx.connection.engine]:
            self._counted |= more
            spots = reading.find_spots(self._sent, self._counted, self.books.home)
            self._take_open_pools(reading.find_open_pools(self._sent, self._counted))
            self.books.spots = reading.spots_by_stocked(spots)

    def _ask_recipes(self, bundles: set[int], kits: set[int]) -> tuple[Answer | None, Answer | None]:
        """What the bundles and the kits that commands named are made of."""
        return (
            reading.ask_recipes(self._sent, bundles) if bundles else None,
            reading.ask_recipes(self._sent, kits, kind="kit") if kits else None,
        )

    def _name_pools(self, named: set[int]) -> None:
        """Load these pools, and of all pools of locks the locks."""
        books, shared = self.books, self.books.home.shared_pool_id
        if unknown := named - {shared} - books.pools.keys():
            books.pools.update((pool.id, pool) for pool in reading.find_pools(self._sent, unknown))
        if unread := {pool.id for pool in books.pools.values() if pool.kind is PoolKind.LOCK} - books.locks.keys():
            for row in map(LockRow._make, reading.find_locks(self._sent, ids=unread).fetchall()):
                books.locks[row.id] = row

    def _load_limits(self, commands: Collection[Command]) -> Mapping[tuple[int, str], LimitRow]:
        """Purchase limits of what is asked for. Returns: which limits count the units of which holders."""
        if self.tx.merchant_id not in _special[self.tx.connection.engine]:
            return {}
        asked = {pair for c in commands for pair in c.limited(self.books)}
        if asked:
            limits.load(self._sent, self.books, {item_id for _, item_id in asked})
        counted = limits.counted(self.books, asked)
        self._take_turns({holder for _, holder in counted})
        return counted

    def _take_turns(self, holders: Collection[str]) -> None:
        """Nobody else decides for these holders until our transaction ends. Comes before all balance rows."""
        limits.take_turns(self._sent, self.tx.merchant_id, holders)

    def _take_own_holds(self, answer: Answer) -> None:
        giving_way.take(self.books, answer)
        self._name_pools({promise.pool_id for promise in self.books.promises.values()})

    def _take_open_pools(self, answer: Answer) -> None:
        books = self.books
        books.open_pools = {}
        for item_id, grade, *row in answer.fetchall():
            pool = reading.as_pool(row)
            books.pools[pool.id] = pool
            books.open_pools.setdefault(Stocked(item_id, grade), []).append(pool.id)

    def _effects_to_find(self, commands: Iterable[Command]) -> set[bytes]:
        """An order that is new has posted nothing, so the keys of commands on it need no look."""
        orders, known = self.books.orders, self._known_orders
        found: set[bytes] = set()
        for command in commands:
            if command.hopeful and not self._careful:
                continue
            on = list(command.order_keys())
            if not on or (known and any(orders[key].id in known for key in on)):
                found.update(map(key_hash, command.effect_keys()))
        return found

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        """Make what is missing, then lock all: nobody who holds a row lock still waits for a row to be made.

        What is read beside the locked rows is asked for after them: whoever posts one of these keys, changes one of
        our promises, or opens and closes pools of these items, holds a row that we hold.
        """
        sent, books, made = self._sent, self.books, _made.setdefault(self.tx.connection.engine, set())
        by_layer = {layer: [key for key in keys if key.layer is layer] for layer in Layer}
        self.made = [key for key in keys if key not in made]
        for layer in Layer if self.made else ():
            make_missing(sent, layer, [key for key in self.made if key.layer is layer])
        locked = [
            (layer, here, reading.lock_balances(sent, layer, here, self.row_lock))
            for layer, here in by_layer.items()
            if here
        ]
        effects = reading.find_effects(sent, self._looked_up) if self._looked_up else None
        promises = reading.find_promises(sent, books.promises.values()) if books.promises else None
        special = reading.has_special(sent, books.home) if by_layer[Layer.SALES] else None
        recipes = self._ask_recipes(*self._taken_apart) if self._taken_apart else None
        self._own_holds = giving_way.ask(sent, self._holders) if self._holders else None
        watched = alert_watch.watched(sent, {key.item_id for key in keys if key.layer is not Layer.WAREHOUSE})
        for layer, here, rows in locked:
            if self._read_layer(layer, rows.fetchall()) < len(here):
                made.difference_update(here)
                return False
        if effects:
            books.known_effects.update(reading.effects_by_hash(effects))
        for row in map(PromiseRow._make, promises.fetchall() if promises else ()):
            books.add_promise(row)
        self._watched = watched()
        return self._recipes_stand(recipes) and self._pools_stand(special)

    def _recipes_stand(self, recipes: tuple[Answer | None, Answer | None] | None) -> bool:
        """Returns: False when an item became a bundle, or is one no more, since we read what it is made of."""
        if recipes is None:
            return True
        return (self.books.recipes, self.books.kits) == tuple(map(reading.recipes_by_item, recipes))

    def _pools_stand(self, special: Answer | None) -> bool:
        """Pools and locks as they are under our row locks. Returns: False when there are others than we read before."""
        books, known = self.books, _special.setdefault(self.tx.connection.engine, set())
        if special and (has := special.scalars()[0]) != (self.tx.merchant_id in known):
            (known.add if has else known.discard)(self.tx.merchant_id)
            return False
        before, open_before, stood_before = set(books.pools), books.open_pools, books.spots
        if before:
            books.pools.update((pool.id, pool) for pool in reading.find_pools(self._sent, before))
        if self._counted:
            self._load_open_pools(set())
        if books.locks:
            for row in map(LockRow._make, reading.find_locks(self._sent, ids=books.locks).fetchall()):
                books.locks[row.id] = row
        needed = {promise.pool_id for promise in books.promises.values()} - {books.home.shared_pool_id}
        stand = (open_before, stood_before) == (books.open_pools, books.spots)
        return stand and needed <= books.pools.keys()

    def _read_layer(self, layer: Layer, rows: Sequence[Sequence[Any]]) -> int:
        cells, buckets = self.books.cells, BUCKETS[layer]
        for place_id, item_id, grade, *units in rows:
            key = BalanceKey(layer, item_id, grade, place_id)
            for bucket, n in zip(buckets, units, strict=True):
                cells[key, bucket] = n
        return len(rows)

    def _load_waiting(self) -> None:
        """Promises that want what this batch may free, with those they are delivered with."""
        books, shared = self.books, self.books.home.shared_pool_id
        presales = {pool.id for pool in books.pools.values() if pool.kind is PoolKind.PRESALE}
        due, presold = [], []
        for (key, bucket), n in books.cells.items():
            if not n:
                continue
            if bucket is _BACKORDERED and key.place_id == shared:
                due.append(key)
            elif key.place_id in presales and (bucket is _RESERVED or bucket is _SOLD):
                presold.append(Stocked(key.item_id, key.grade))
        rows = reading.find_waiting(self._sent, due, presold) if due or presold else []
        together = reading.promises_of(self._sent, {row.order_id for row in rows}) if rows else []
        for row in together:
            if row.id not in books.promises:
                books.add_promise(row)

    def _load_newest(self, commands: Collection[Command]) -> None:
        """The newest promises of what commands say is short, with those they are delivered with."""
        short: Counter[tuple[Stocked, int | None]] = Counter()
        for command in commands:
            short.update(command.short(self.books))
        if short:
            rows = reading.find_newest(self._sent, short)
            self._load_promises({row.order_id for row in rows})
            self._name_pools({promise.pool_id for promise in self.books.promises.values()})

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
        write_rows(sent, tables.promise, PromiseRow._fields, promises, loaded["promises"], ("order_id", "id"))
        self._served += self._served_lines(promises)
        loaded["lines"].update((row.id, row) for row in lines)
        loaded["promises"].update((row.id, row) for row in promises)

    def _flush(self) -> None:
        """Write what is left, with what it sets in motion."""
        sent, books = self._sent, self.books
        self._write_part()
        write_effects(sent, books)
        write_rows(sent, tables.store_order, OrderRow._fields, self._changed("orders"), self._known_orders)
        self._write_pools()
        moved = self._moved()
        write_balances(sent, books, moved)
        piped = Piped(self.tx, sent, self._new_id)
        items = self._items_to_show(moved) | books.items_shown
        if items or books.shown_again or books.counted:
            marks.stale(piped, items, books.shown_again, books.counted, books.heard_at, books.ours_since)
        crossed = alert_watch.crossed(self._watched, books.home, moved, self._loaded["cells"], books.cells)
        alerts.note_crossings(piped, crossed)

    def _write_pools(self) -> None:
        sent, books, loaded = self._sent, self.books, self._loaded
        write_rows(sent, tables.pool, Pool._fields, self._changed("pools"), loaded["pools"])
        write_rows(sent, tables.lock, LockRow._fields, self._changed("locks"), loaded["locks"])
        bulk.put(sent, tables.pool_item, PoolItemRow._fields, books.pool_items.values(), PoolItemRow._fields[:3])

    def _warn(self) -> None:
        alerts.open_incidents(self.tx, self.books.incidents)
        alerts.close_incidents(self.tx, self._served)

    def _moved(self) -> list[BalanceKey]:
        """Keys of balance rows that changed, in the order in which they are locked."""
        before = self._loaded["cells"]
        return sorted({cell[0] for cell, n in self.books.cells.items() if before[cell] != n})

    def _items_to_show(self, moved: list[BalanceKey]) -> set[int]:
        """Items of which any pool has more or fewer free units than before, or more or fewer wait: both may be shown."""
        cells, before = self.books.cells, self._loaded["cells"]
        return {
            key.item_id
            for key in moved
            if key.layer is Layer.SALES
            and any(before.get((key, bucket)) != cells[key, bucket] for bucket in (Bucket.FREE, _BACKORDERED))
        }

    def _served_lines(self, promises: list[PromiseRow]) -> list[int]:
        """Lines and holds whose units waited, before or within this batch, and of which none waits any more."""
        before, short = self._loaded["promises"], {incident.order_line_id for incident in self.books.incidents}
        return [
            row.owner_id
            for row in promises
            if not row.waiting
            and (row.owner_id in short or ((known := before.get(row.id)) is not None and known.waiting))
            and not any(other.waiting for other in self.books.promises_of(row.owner_id))
        ]


def home_of(db: Database, merchant_id: int) -> Home:
    """The merchant's default places. Raises: NotFound for an unknown merchant."""
    homes = _homes.setdefault(db.engine, {})
    home = homes.get(merchant_id)
    if home is None:
        with db.begin(merchant_id, actor="ledger") as tx:
            home = homes[merchant_id] = _read_home(tx)
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

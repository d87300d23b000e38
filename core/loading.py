"""What a batch reads before it decides, and the rows that it locks: for ``core.ledger`` alone.

Rows are always taken in the same order (orders, then turns of holders, then balances by key), so batches wait for each
other but never in a circle. What is read beside the locked rows is read again under the locks.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from core import reading
from core.alerts import watch as alert_watch
from core.alerts.kinds import Watch
from core.books import Books, effect_key_of_hold, key_hash
from core.command import Command, SentFrom, Where
from core.fulfilment import reading as sent_goods
from core.pipe import Answer, Pipe
from core.rows import LimitRow, LockRow, OrderRow, PromiseRow, StoreKey
from core.sales import allocated, giving_way, limits, supplied
from core.stock import BUCKETS, MINOR_DEFECT, BalanceKey, Bucket, Home, Layer, PoolKind, Stocked
from core.transaction import Transaction
from core.writing import make_missing

_IDS_AT_ONCE = 256
_KEPT = ("cells", "orders", "lines", "promises", "locks", "pools", "fulfilments", "fulfilment_lines", "kept")
_BACKORDERED, _RESERVED, _SOLD = Bucket.BACKORDERED, Bucket.RESERVED, Bucket.SOLD
# Merchants that are known to have pools beside the shared one, bundles, purchase limits, or more than one bin. Most
# have none and need not look for them; each batch finds out under its locks whether that is still so.
_special: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()
# Merchants of whom items became part of others, which never ends.
_merging: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()
# Balance rows that were there: rows stay, so nobody need look again whether they have to be made.
_made: WeakKeyDictionary[Engine, set[BalanceKey]] = WeakKeyDictionary()
_MOST_MADE = 200_000


def note_made(engine: Engine, keys: Collection[BalanceKey]) -> None:
    """Only what is committed is there for good."""
    if keys:
        made = _made.setdefault(engine, set())
        if len(made) > _MOST_MADE:
            made.clear()
        made.update(keys)


class Loader:
    """Fills the books of one batch. ``made``: balance rows that may not have been there before."""

    row_lock: ClassVar[str] = "FOR NO KEY UPDATE"

    def __init__(self, tx: Transaction, home: Home, *, careful: bool = False) -> None:
        """``careful``: look up every effect key, also those that are new nearly always."""
        self.tx, self._careful = tx, careful
        self.books = Books(tx.merchant_id, home, tx.now, self._new_id, tx.actor)
        self.made: list[BalanceKey] = []
        self._sent: Pipe
        self._ids: list[int] = []
        self._loaded: dict[str, dict[Any, Any]] = {}
        self._known_orders: set[int] = set()
        self._counted: set[Stocked] = set()
        self._looked_up: set[bytes] = set()
        self._taken_apart: tuple[set[int], set[int]] | None = None  # items whose recipes were read: bundles and kits
        self._holders: set[str] = set()
        self._own_holds: Answer | None = None
        self._watched: list[Watch] = []

    def _keep_ids(self, most: int) -> None:
        self._ids = self.tx.new_ids(most)[::-1]

    def _new_id(self) -> int:
        if not self._ids:
            self._ids = self.tx.ids_at_hand(_IDS_AT_ONCE)[::-1]
        if not self._ids:
            with self._sent.paused():
                self._keep_ids(_IDS_AT_ONCE)
        return self._ids.pop()

    def _load(self, commands: Collection[Command], extra: dict[int, frozenset[BalanceKey]]) -> bool:
        """Returns: False when pools came or went before our locks held: then all is to be read again."""
        books = self.books
        self._load_orders(sorted({key for c in commands for key in c.order_keys()}))
        self._load_holds({key for c in commands for key in c.hold_keys()})
        self._load_promises({order_id for c in commands for order_id in c.order_ids()})
        sending = {books.orders[key].id for c in commands if c.sends() for key in c.order_keys()}
        self._load_fulfilments(sending)
        self._load_locks({key for c in commands for key in c.lock_keys()})
        self._keep_pools({pool_id for c in commands for pool_id in c.whole_pools()})
        if listings := sorted({key for c in commands for key in c.listing_keys(books)}):
            books.listings.update(reading.find_listings(self._sent, listings))
        if self.tx.merchant_id in _merging.setdefault(self.tx.connection.engine, set()):
            self._follow_merged()
        self._load_pools(
            {stocked for c in commands for stocked in c.stocked(books)},
            {pool_id for c in commands for pool_id in c.pool_ids()},
            {item_id for c in commands for item_id in c.kits()},
            flawed=any(c.brings_flawed() for c in commands),
        )
        limited = self._load_limits(commands)
        self._holders = {holder for c in commands for holder in c.holders()}
        again = any(extra.values())
        if again and self._holders:  # perhaps for the rows of holds that are to give way, and of who waits for theirs
            self._take_own_holds(giving_way.ask(self._sent, self._holders))
            self._load_open_pools({promise.stocked for promise in books.promises.values()})
        keys = {key for c in commands for key in c.balance_keys(books)}
        keys |= allocated.keys_of(books)
        if again:
            keys |= giving_way.keys_of_open_holds(books)
        self._looked_up = self._effects_to_find(commands)
        if not self._lock_balances(sorted(keys.union(*extra.values()))):
            return False
        if self._own_holds:
            self._take_own_holds(self._own_holds)
        self._load_waiting()
        supplied.load(self._sent, books, {supply_id for c in commands for supply_id in c.supplies()})
        self._load_newest(commands)
        self._load_fulfilments(sending | {row.order_id for row in books.fulfilments.values()})
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

    def _load_fulfilments(self, order_ids: set[int]) -> None:
        """What warehouses were told of these orders, and of all others of which they are to send something."""
        books = self.books
        wanted = order_ids | {promise.order_id for promise in books.promises.values() if promise.allocated}
        if wanted:
            fulfilments, lines = sent_goods.fulfilments_of(self._sent, wanted)
            for fulfilment in fulfilments:
                books.add_fulfilment(fulfilment)
            for line in lines:
                books.add_fulfilment_line(line)

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

    def _follow_merged(self) -> None:
        """What lines and listings sell is what their items have become."""
        books = self.books
        lines = [row for row in books.lines.values() if row.item_id is not None]
        listings = [(key, row) for key, row in books.listings.items() if row.item_id is not None]
        sold = {row.item_id for row in lines} | {row.item_id for _, row in listings}
        merged = reading.find_merged(self._sent, {one for one in sold if one is not None}) if sold else {}
        for line in lines:
            if line.item_id in merged:
                books.add_line(line._replace(item_id=merged[line.item_id][0]))
        for key, listing in listings:
            if listing.item_id in merged:
                books.listings[key] = listing._replace(item_id=merged[listing.item_id][0])

    def _merged_stand(self) -> bool:
        """Returns: False when an item that lines or listings sell became part of another before our locks held."""
        books, known = self.books, _merging[self.tx.connection.engine]
        if self.tx.merchant_id not in known:
            known.add(self.tx.merchant_id)
            return False
        merged = reading.find_merged(self._sent, {key.item_id for key, _ in books.cells})
        books.merged = {item_id: sku for item_id, (_, sku) in merged.items()}
        sold = {row.item_id for row in books.lines.values()} | {row.item_id for row in books.listings.values()}
        return not sold & merged.keys()

    def _load_pools(self, stocked: set[Stocked], pool_ids: set[int], kits: set[int], *, flawed: bool) -> None:
        """Recipes of bundles, the open pools of all that is counted, and every pool that somebody names."""
        books = self.books
        self._counted = stocked | {promise.stocked for promise in books.promises.values()}
        if self.tx.merchant_id in _special.setdefault(self.tx.connection.engine, set()):
            self._taken_apart = ({one.item_id for one in stocked}, kits)
            books.recipes, books.kits = map(reading.recipes_by_item, self._ask_recipes(*self._taken_apart))
            self._counted = {part.stocked for one in self._counted for part in books.parts(one)}
            self._counted.update(part.stocked for parts in books.kits.values() for part in parts)
            if flawed:
                self._counted.update([one._replace(grade=MINOR_DEFECT) for one in self._counted])
            self._load_open_pools(set())
        self._name_pools(pool_ids | {promise.pool_id for promise in books.promises.values()} | books.locks.keys())

    def _load_open_pools(self, more: set[Stocked]) -> None:
        """Open pools of all that is counted, and of ``more`` from now on, and where the goods of these stand."""
        if self.tx.merchant_id in _special[self.tx.connection.engine]:
            self._counted |= more
            spots, frozen = (
                reading.find_spots(self._sent, self._counted, self.books.home),
                reading.find_frozen(self._sent),
            )
            self._take_open_pools(reading.find_open_pools(self._sent, self._counted))
            self.books.spots = reading.spots_by_stocked(spots)
            self.books.frozen = {bin_id: (name, number) for bin_id, name, number in frozen.fetchall()}

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
        special = reading.has_special(sent, books.home) if keys else None
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
        if special:
            ((has, books.dispatches, merges),) = special.fetchall()
            if merges and not self._merged_stand():
                return False
            if has != (self.tx.merchant_id in known):
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
        self._name_pools({row.pool_id for row in together})

    def _load_newest(self, commands: Collection[Command]) -> None:
        """The newest promises of what commands say is short, with those they are delivered with."""
        short: Counter[tuple[Stocked, Where]] = Counter()
        for command in commands:
            short.update(command.short(self.books))
        if short:
            standing = {(one, where): n for (one, where), n in short.items() if where is None or isinstance(where, int)}
            orders = {row.order_id for row in reading.find_newest(self._sent, standing)}
            if len(standing) < len(short):
                orders |= sent_goods.find_sent(self._sent, short)
            self._load_promises(orders)
            self._name_pools({promise.pool_id for promise in self.books.promises.values()})
        transfers = {transfer_id for c in commands for transfer_id in c.transfer_ids()}
        if transfers or any(isinstance(where, SentFrom) for _, where in short):
            self.books.kept = {row.id: row for row in sent_goods.find_kept(self._sent, transfers, short)}

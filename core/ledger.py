"""``Batch``: many commands of one merchant in one transaction. The only writer of quantities.

A batch reads all it needs and locks its balance rows once, in key order; then pure decisions run one after another
against memory; then everything is written with one statement per table. Rows are always taken in the same order
(orders, then balances by key), so batches wait for each other but never in a circle. Whoever changes a promise holds
the balance row of its item, so promises need no lock of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any, ClassVar, Protocol

from sqlalchemy.exc import IntegrityError

from core import alerts, bulk, marks, tables
from core.backorders import fill_waiting
from core.books import Books, LineRow, ListingRow, OrderRow, PromiseRow, StoreKey, Widen, key_hash
from core.errors import Broken, NotFound, Refused
from core.stock import BUCKETS, BalanceKey, Bucket, Home, Layer, Stocked
from core.transaction import Database, Transaction

_BALANCES = {
    Layer.WAREHOUSE: (tables.warehouse_balance, "bin_id"),
    Layer.DISPATCH: (tables.dispatch_balance, "warehouse_id"),
    Layer.SALES: (tables.sales_balance, "pool_id"),
}
_ORDER_COLUMNS = [f.name for f in fields(OrderRow)]
_LINE_COLUMNS = [f.name for f in fields(LineRow)]
_PROMISE_COLUMNS = [f.name for f in fields(PromiseRow)]
_EFFECT_COLUMNS = ("key_hash", "content_hash", "document_id")
_DOCUMENT_COLUMNS = (
    "id", "recorded_at", "kind", "effect_key", "actor", "source", "correlation_id", "happened_at", "order_id", "reason",
)  # fmt: skip
_MOVEMENT_COLUMNS = (
    "document_id", "line_no", "recorded_at", "item_id", "grade", "layer", "from_place", "from_bucket", "to_place",
    "to_bucket", "quantity", "order_line_id",
)  # fmt: skip
_TRIES = 4


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
    wanted: dict[int, frozenset[BalanceKey]] = {n: frozenset() for n in range(len(commands))}
    for _ in range(_TRIES):
        try:
            with db.begin(merchant_id, actor=actor, source=source) as tx:
                done, wider = Batch(tx).apply({n: commands[n] for n in wanted}, wanted)
        except IntegrityError:
            # Somebody posted one of our keys between our look and our write: look again and find it.
            continue
        for n, result in done.items():
            results[n] = result
        wanted = wider
        if not wanted:
            return results
    raise Broken(f"{len(wanted)} commands found no stable set of rows in {_TRIES} batches")


class Batch:
    """One transaction's worth of commands."""

    row_lock: ClassVar[str] = "FOR NO KEY UPDATE"

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.books = Books(tx.merchant_id, home_of(tx), tx.now, tx.new_id, tx.actor)
        self._loaded: dict[str, dict[Any, Any]] = {}

    def apply(
        self, commands: dict[int, Command], extra: dict[int, frozenset[BalanceKey]]
    ) -> tuple[dict[int, Any], dict[int, frozenset[BalanceKey]]]:
        """Load, decide, write. Returns results by number, and the commands that need a wider batch."""
        books = self.books
        self._load_orders(sorted({key for c in commands.values() for key in c.order_keys()}))
        self._load_listings(sorted({key for c in commands.values() for key in c.listing_keys(books)}))
        keys = {key for c in commands.values() for key in c.balance_keys(books)}
        self._lock_balances(sorted(keys.union(*extra.values())))
        # Only now: whoever posts one of these keys, or serves one of these promises, holds a row that we hold.
        self._load_effects({key for c in commands.values() for key in c.effect_keys()})
        self._load_served()
        self._load_waiting()
        self._remember()
        done: dict[int, Any] = {}
        wider: dict[int, frozenset[BalanceKey]] = {}
        for n, command in commands.items():
            mark = books.mark()
            try:
                done[n] = command.decide(books)
                fill_waiting(books)  # who waited is served before the next command can take what came free
            except Refused as refusal:
                books.undo_to(mark)
                done[n] = refusal
            except Widen as more:
                books.undo_to(mark)
                wider[n] = extra[n] | more.keys
        self._flush()
        return done, wider

    # ---- reading

    def _load_effects(self, keys: set[str]) -> None:
        rows = (
            self.tx.run(
                """SELECT e.key_hash, e.content_hash, e.document_id FROM unnest(CAST(:keys AS bytea[])) k (key_hash)
               CROSS JOIN LATERAL (SELECT * FROM effect
                   WHERE merchant_id = :merchant_id AND key_hash = k.key_hash) e""",
                keys=[key_hash(key) for key in keys],
            )
            if keys
            else ()
        )
        for row in rows:
            self.books.known_effects[bytes(row.key_hash)] = (bytes(row.content_hash), row.document_id)

    def _load_orders(self, keys: list[StoreKey]) -> None:
        if not keys:
            return
        new = [(self.tx.new_id(), key.store_id, key.external_id, "", "new", False, False, -1) for key in keys]
        columns = ["id", "store_id", "external_id", "number", "state", "holds", "paid", "fetch_seq"]
        bulk.insert_missing(self.tx, tables.store_order, columns, new, ["store_id", "external_id"])
        for row in self.tx.run(
            f"""SELECT o.* FROM unnest(CAST(:stores AS bigint[]), CAST(:ids AS text[])) k (store_id, external_id)
                CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id
                    AND store_id = k.store_id AND external_id = k.external_id {self.row_lock}) o""",
            stores=[key.store_id for key in keys],
            ids=[key.external_id for key in keys],
        ):
            order = OrderRow(*(getattr(row, name) for name in _ORDER_COLUMNS))
            self.books.orders[StoreKey(order.store_id, order.external_id)] = order
        ids = [order.id for order in self.books.orders.values()]
        for row in self._of_orders("order_line", ids):
            self.books.add_line(LineRow(*(getattr(row, name) for name in _LINE_COLUMNS)))
        for row in self._of_orders("promise", ids):
            self.books.add_promise(PromiseRow(*(getattr(row, name) for name in _PROMISE_COLUMNS)))

    def _of_orders(self, table: str, order_ids: list[int]) -> Any:
        return self.tx.run(
            f"""SELECT r.* FROM unnest(CAST(:ids AS bigint[])) k (id)
                CROSS JOIN LATERAL (SELECT * FROM {table} WHERE merchant_id = :merchant_id AND order_id = k.id) r
                ORDER BY r.id""",
            ids=order_ids,
        )

    def _load_listings(self, keys: list[StoreKey]) -> None:
        rows = (
            self.tx.run(
                """SELECT k.store_id, k.external_id, l.id, l.item_id, l.pack_size
               FROM unnest(CAST(:stores AS bigint[]), CAST(:ids AS text[])) k (store_id, external_id)
               CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id
                   AND store_id = k.store_id AND external_id = k.external_id) l""",
                stores=[key.store_id for key in keys],
                ids=[key.external_id for key in keys],
            )
            if keys
            else ()
        )
        for row in rows:
            self.books.listings[StoreKey(row.store_id, row.external_id)] = ListingRow(
                row.id, row.item_id, row.pack_size
            )

    def _lock_balances(self, keys: list[BalanceKey]) -> None:
        """Make what is missing, then lock all: nobody who holds a row lock still waits for a row to be made."""
        by_layer = {layer: [key for key in keys if key.layer == layer] for layer in Layer}
        for layer, here in by_layer.items():
            table, place = _BALANCES[layer]
            zeros = [(k.place_id, k.item_id, k.grade, *(0 for _ in BUCKETS[layer])) for k in here]
            columns = [place, "item_id", "grade", *BUCKETS[layer]]
            bulk.insert_missing(self.tx, table, columns, zeros, ["item_id", "grade", place])
        for layer, here in by_layer.items():
            if here and self._lock_layer(layer, here) < len(here):
                raise Broken(f"{layer} balance rows could not be made")

    def _lock_layer(self, layer: Layer, keys: list[BalanceKey]) -> int:
        table, place = _BALANCES[layer]
        rows = self.tx.run(
            f"""SELECT b.* FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]))
                    k (item_id, grade, place_id)
                CROSS JOIN LATERAL (SELECT * FROM {table.name} WHERE merchant_id = :merchant_id
                    AND item_id = k.item_id AND grade = k.grade AND {place} = k.place_id {self.row_lock}) b""",
            items=[key.item_id for key in keys],
            grades=[key.grade for key in keys],
            places=[key.place_id for key in keys],
        ).all()
        for row in rows:
            key = BalanceKey(layer, row.item_id, row.grade, getattr(row, place))
            for bucket in BUCKETS[layer]:
                self.books.cells[key, bucket] = getattr(row, bucket)
        return len(rows)

    def _load_served(self) -> None:
        """Promises of our orders that waited when they were read, again: units may have come free for them since."""
        waited = [promise.id for promise in self.books.promises.values() if promise.waiting]
        rows = (
            self.tx.run(
                """SELECT p.* FROM unnest(CAST(:ids AS bigint[])) k (id)
               CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND id = k.id) p""",
                ids=waited,
            )
            if waited
            else ()
        )
        for row in rows:
            self.books.add_promise(PromiseRow(*(getattr(row, name) for name in _PROMISE_COLUMNS)))

    def _load_waiting(self) -> None:
        """Promises that wait for what this batch may free; their item's balance row is locked already."""
        home, books = self.books.home, self.books
        due = [
            key
            for (key, bucket), n in books.cells.items()
            if n and bucket == Bucket.BACKORDERED and key.place_id == home.shared_pool_id
        ]
        rows = (
            self.tx.run(
                """SELECT p.* FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
               CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id
                   AND item_id = k.item_id AND grade = k.grade AND waiting > 0) p""",
                items=[key.item_id for key in due],
                grades=[key.grade for key in due],
            )
            if due
            else ()
        )
        for row in rows:
            if row.id not in books.promises:
                books.add_promise(PromiseRow(*(getattr(row, name) for name in _PROMISE_COLUMNS)))

    # ---- writing

    def _remember(self) -> None:
        books = self.books
        self._loaded = {
            "cells": dict(books.cells),
            "orders": dict(books.orders),
            "lines": dict(books.lines),
            "promises": dict(books.promises),
        }

    def _changed(self, name: str) -> list[Any]:
        """Rows that are not the ones loaded."""
        before = self._loaded[name]
        return [row for key, row in getattr(self.books, name).items() if before.get(key) is not row]

    def _flush(self) -> None:
        books, tx = self.books, self.tx
        self._flush_documents()
        bulk.put(tx, tables.store_order, _ORDER_COLUMNS, map(astuple, self._changed("orders")), ["id"])
        bulk.put(tx, tables.order_line, _LINE_COLUMNS, map(astuple, self._changed("lines")), ["id"])
        bulk.put(tx, tables.promise, _PROMISE_COLUMNS, map(astuple, self._changed("promises")), ["id"])
        freed = self._flush_balances()
        alerts.open_incidents(tx, books.incidents)
        alerts.close_incidents(tx, [p.order_line_id for p in self._changed("promises") if not p.waiting])
        alerts.watch_low_stock(tx, freed)
        marks.stale(
            tx,
            {stocked.item_id for stocked in freed},
            books.shown_again,
            books.counted,
            books.heard_at,
            books.ours_since,
        )

    def _flush_documents(self) -> None:
        books, tx = self.books, self.tx
        effects = [(key_hash(e.effect_key), e.content_hash, e.document_id) for e in books.effects]
        posted = (tx.actor, tx.source, tx.correlation_id)
        documents = [
            (d.id, tx.now, d.kind, d.effect_key, *posted, d.happened_at, d.order_id, d.reason) for d in books.documents
        ]
        movements = [
            (doc, no, tx.now, *m.stocked, m.layer, *m.from_, *m.to, m.quantity, m.order_line_id)
            for doc, no, m in books.movements
        ]
        bulk.insert(tx, tables.effect, _EFFECT_COLUMNS, effects)
        bulk.insert(tx, tables.document, _DOCUMENT_COLUMNS, documents)
        bulk.insert(tx, tables.movement, _MOVEMENT_COLUMNS, movements)

    def _flush_balances(self) -> dict[Stocked, tuple[int, int]]:
        """Write changed rows whole; returns free units of the shared pool before and after, where they changed."""
        books, before = self.books, self._loaded["cells"]
        changed = sorted({key for (key, bucket), n in books.cells.items() if before.get((key, bucket)) != n})
        for layer, (table, place) in _BALANCES.items():
            rows = [
                (k.place_id, k.item_id, k.grade, *(books.cells[k, bucket] for bucket in BUCKETS[layer]))
                for k in changed
                if k.layer == layer
            ]
            bulk.put(self.tx, table, [place, "item_id", "grade", *BUCKETS[layer]], rows, ["item_id", "grade", place])
        freed = {}
        for key in changed:
            if key.layer == Layer.SALES and key.place_id == books.home.shared_pool_id:
                was, now = before.get((key, Bucket.FREE), 0), books.cells[key, Bucket.FREE]
                if was != now:
                    freed[Stocked(key.item_id, key.grade)] = (was, now)
        return freed


def home_of(tx: Transaction) -> Home:
    """The merchant's default places. Raises: NotFound for an unknown merchant."""
    row = tx.run(
        """SELECT b.id AS bin_id, b.warehouse_id, p.id AS shared_pool_id FROM bin b
           JOIN warehouse w ON (w.merchant_id, w.id) = (b.merchant_id, b.warehouse_id)
           JOIN pool p ON p.merchant_id = b.merchant_id AND p.kind = 'shared'
           WHERE b.merchant_id = :merchant_id AND b.is_default ORDER BY w.id LIMIT 1"""
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no merchant {tx.merchant_id} with a warehouse; run `holdfast migrate` first")
    return Home(row.bin_id, row.warehouse_id, row.shared_pool_id)

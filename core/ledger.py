"""``Batch``: many commands of one merchant in one transaction. The only writer of quantities.

A batch reads all it needs and locks its balance rows once, in key order (``core.loading``); then pure decisions run one
after another against memory; then everything is written with one statement per table. Whoever changes a promise holds
the balance row of its item, so promises need no lock of their own.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from psycopg.errors import UniqueViolation
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from core import bulk, marks, reading, tables, work
from core.alerts import lifecycle as alerts
from core.alerts import watch as alert_watch
from core.books import Widen, key_hash
from core.command import Command
from core.dispatch import waking
from core.errors import Broken, NotFound, Refused
from core.loading import Loader, note_made
from core.pipe import Piped, pipe
from core.rows import FulfilmentLineRow, FulfilmentRow, LineRow, LockRow, OrderRow, PoolItemRow, PromiseRow
from core.sales.backorders import fill_waiting
from core.sales.supplied import keep_to_supply
from core.stock import BalanceKey, Bucket, Home, Layer, Pool
from core.transaction import Database, Transaction
from core.writing import write_balances, write_documents, write_effects, write_kept, write_rows

# Batches that a command may take: each has the rows that the one before found to be wanted.
TRIES = 8
_IDS_PER_COMMAND = 4
_PART = 100  # documents
_RACED_FOR = ("effect", "store_order", "lock", "pool")
# The default places are made with their merchant and stay.
_homes: WeakKeyDictionary[Engine, dict[int, Home]] = WeakKeyDictionary()


def run(
    db: Database,
    merchant_id: int,
    commands: Sequence[Command],
    *,
    actor: str,
    source: str = "",
    answers: dict[int, Any] | None = None,
) -> list[Any]:
    """Do all commands, each wholly or not at all.

    Args: answers: takes each result by the command's number as soon as it is committed. What is raised later, for
          commands that needed another batch, takes none of it back.
    Returns: one result per command, in order; a command that was refused has its ``Refused`` as result.
    Raises: Broken when an invariant would be violated; database errors.
    """
    home = home_of(db, merchant_id)
    answers = {} if answers is None else answers
    wanted: dict[int, frozenset[BalanceKey]] = dict.fromkeys(range(len(commands)), frozenset())
    raced: IntegrityError | None = None
    for attempt in range(TRIES):
        try:
            with db.begin_piped(merchant_id, actor=actor, source=source) as tx:
                batch = Batch(tx, home, careful=attempt > 0)
                done, wider = batch.apply({n: commands[n] for n in wanted}, wanted, commit=True)
            note_made(db.engine, batch.made)
        except IntegrityError as error:
            if not lost_a_race(error):
                raise
            raced = error  # look again and find what was made between our look and our write
            continue
        answers.update(done)
        wanted = wider
        if not wanted:
            return [answers[n] for n in range(len(commands))]
    raise Broken(f"{len(wanted)} commands found no stable set of rows in {TRIES} batches") from raced


def lost_a_race(error: IntegrityError) -> bool:
    """True when another transaction made the same effect or the same new order first."""
    cause = error.orig
    return isinstance(cause, UniqueViolation) and (cause.diag.table_name or "").startswith(_RACED_FOR)


class Batch(Loader):
    """One transaction's worth of commands."""

    def __init__(self, tx: Transaction, home: Home, *, careful: bool = False) -> None:
        super().__init__(tx, home, careful=careful)
        self._served: list[int] = []
        self._to_dispatch: set[int] = set()

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
                keep_to_supply(books)
            except Refused as refusal:
                books.undo_to(mark)
                done[n] = refusal
            except Widen as more:
                books.undo_to(mark)
                done.pop(n, None)  # who waits for what it brought may need more rows than itself
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
        self._to_dispatch.update(row.order_id for row in promises if self._is_to_send(row))
        loaded["lines"].update((row.id, row) for row in lines)
        loaded["promises"].update((row.id, row) for row in promises)

    def _flush(self) -> None:
        """Write what is left, with what it sets in motion."""
        sent, books = self._sent, self.books
        self._write_part()
        write_effects(sent, books)
        write_rows(sent, tables.store_order, OrderRow._fields, self._changed("orders"), self._known_orders)
        self._write_pools()
        self._write_fulfilments()
        moved = self._moved()
        write_balances(sent, books, moved)
        piped = Piped(self.tx, sent, self._new_id)
        items = self._items_to_show(moved) | books.items_shown
        if items or books.shown_again or books.counted:
            marks.stale(piped, items, books.shown_again, books.counted, books.heard_at, books.ours_since)
        if books.dispatches:
            if risen := self._more_to_send(moved):
                self._to_dispatch |= waking.waiting_for(piped, risen)
            work.want(piped, [work.Want(waking.TOPIC, 0, str(order_id)) for order_id in self._to_dispatch])
        crossed = alert_watch.crossed(self._watched, books.home, moved, self._loaded["cells"], books.cells)
        alerts.note_crossings(piped, crossed)

    def _write_pools(self) -> None:
        sent, books, loaded = self._sent, self.books, self._loaded
        write_rows(sent, tables.pool, Pool._fields, self._changed("pools"), loaded["pools"])
        write_rows(sent, tables.lock, LockRow._fields, self._changed("locks"), loaded["locks"])
        bulk.put(sent, tables.pool_item, PoolItemRow._fields, books.pool_items.values(), PoolItemRow._fields[:3])

    def _write_fulfilments(self) -> None:
        for name, table, columns in (
            ("fulfilments", tables.fulfilment_order, FulfilmentRow._fields),
            ("fulfilment_lines", tables.fulfilment_line, FulfilmentLineRow._fields),
        ):
            write_rows(self._sent, table, columns, self._changed(name), self._loaded[name])
        write_kept(self._sent, self._changed("kept"))

    def _warn(self) -> None:
        alerts.open_incidents(self.tx, self.books.incidents)
        alerts.close_incidents(self.tx, self._served)

    def _moved(self) -> list[BalanceKey]:
        """Keys of balance rows that changed, in the order in which they are locked."""
        before = self._loaded["cells"]
        return sorted({cell[0] for cell, n in self.books.cells.items() if before[cell] != n})

    def _items_to_show(self, moved: list[BalanceKey]) -> set[int]:
        """Items of which any pool has more or fewer free units than before, or more or fewer wait: both are shown."""
        cells, before = self.books.cells, self._loaded["cells"]
        return {
            key.item_id
            for key in moved
            if key.layer is Layer.SALES
            and any(before.get((key, bucket)) != cells[key, bucket] for bucket in (Bucket.FREE, Bucket.BACKORDERED))
        }

    def _more_to_send(self, moved: list[BalanceKey]) -> set[int]:
        """Items of which some warehouse has more units than before that it could be told to send."""
        cells, before = self.books.cells, self._loaded["cells"]
        return {
            key.item_id
            for key in moved
            if key.layer is Layer.DISPATCH and cells[key, Bucket.AVAILABLE] > before[key, Bucket.AVAILABLE]
        }

    def _is_to_send(self, row: PromiseRow) -> bool:
        """Are there more units than before that a warehouse should send and none is told to?"""
        before = self._loaded["promises"].get(row.id)
        return row.to_allocate > (before.to_allocate if before else 0)

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
            home = homes[merchant_id] = home_in(tx)
    return home


def home_in(tx: Transaction) -> Home:
    """The same, read in a transaction. Raises: NotFound."""
    row = tx.run(
        """SELECT b.id AS bin_id, b.warehouse_id, p.id AS shared_pool_id FROM bin b
           JOIN warehouse w ON (w.merchant_id, w.id) = (b.merchant_id, b.warehouse_id)
           JOIN pool p ON p.merchant_id = b.merchant_id AND p.kind = 'shared'
           WHERE b.merchant_id = :merchant_id AND b.is_default ORDER BY w.id LIMIT 1"""
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no merchant {tx.merchant_id} with a warehouse; run `holdfast migrate` first")
    return Home(row.bin_id, row.warehouse_id, row.shared_pool_id)

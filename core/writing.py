"""How a batch's rows reach their tables: for ``core.ledger`` alone."""

from collections.abc import Collection, Container, Iterable, Sequence
from typing import Any

from sqlalchemy import Table

from core import bulk, tables
from core.books import Books
from core.goods import costing, set_apart
from core.pipe import Runner
from core.rows import DocumentRow, EffectRow, KeptRow
from core.stock import BUCKETS, BalanceKey, Layer
from core.transaction import Transaction

BALANCES = {
    Layer.WAREHOUSE: (tables.warehouse_balance, "bin_id"),
    Layer.DISPATCH: (tables.dispatch_balance, "warehouse_id"),
    Layer.SALES: (tables.sales_balance, "pool_id"),
}
_DOCUMENT_COLUMNS = (*DocumentRow._fields, "recorded_at", "actor", "source", "correlation_id")
_MOVEMENT_COLUMNS = (
    "document_id", "line_no", "recorded_at", "item_id", "grade", "layer", "from_place", "from_bucket", "to_place",
    "to_bucket", "quantity", "order_line_id",
)  # fmt: skip


def balance_columns(layer: Layer) -> list[str]:
    return [BALANCES[layer][1], "item_id", "grade", *BUCKETS[layer]]


def make_missing(sent: Runner, layer: Layer, keys: Iterable[BalanceKey]) -> None:
    """Balance rows of nothing where there are none."""
    table, place = BALANCES[layer]
    zeros = [0] * len(BUCKETS[layer])
    rows = [(k.place_id, k.item_id, k.grade, *zeros) for k in keys]
    bulk.insert_missing(sent, table, balance_columns(layer), rows, ["item_id", "grade", place])


def write_documents(sent: Runner, tx: Transaction, books: Books) -> None:
    """Documents and movements not written yet. Their ids are ours alone: nobody waits for these rows."""
    now, posted = tx.now, (tx.now, tx.actor, tx.source, tx.correlation_id)
    documents = [(*document, *posted) for document in books.documents]
    movements = [
        (doc, no, now, item_id, grade, layer, *from_, *to, quantity, line_id)
        for doc, no, ((item_id, grade), layer, from_, to, quantity, line_id) in books.movements
    ]
    bulk.insert(sent, tables.document, _DOCUMENT_COLUMNS, documents)
    bulk.insert(sent, tables.movement, _MOVEMENT_COLUMNS, movements)
    set_apart.keep(sent, books)
    books.documents.clear()
    books.movements.clear()


def write_effects(sent: Runner, books: Books) -> None:
    """In the order of their keys, as all batches do: two that post the same keys wait for each other, never in a
    circle.
    """
    bulk.insert(sent, tables.effect, EffectRow._fields, sorted(books.effects))


def write_rows(
    sent: Runner,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    known: Container[int],
    key: Sequence[str] = ("id",),
) -> None:
    """Rows that begin with their id; those whose id is ``known`` are there already. ``key`` names the primary key."""
    new: list[Sequence[Any]] = []
    old: list[Sequence[Any]] = []
    for row in rows:
        (old if row[0] in known else new).append(row)
    bulk.insert(sent, table, columns, new)
    bulk.put(sent, table, columns, old, key)


def write_kept(sent: Runner, rows: Collection[KeptRow]) -> None:
    """What warehouses keep for transfers; the rest of these lines is their transfer's to change."""
    if rows:
        sent.run(
            """UPDATE transfer_line l SET allocated = k.units
               FROM unnest(CAST(:ids AS bigint[]), CAST(:units AS bigint[])) k (id, units)
               WHERE l.merchant_id = :merchant_id AND l.id = k.id""",
            ids=[row.id for row in rows],
            units=[row.allocated for row in rows],
        )


def write_balances(sent: Runner, books: Books, keys: Iterable[BalanceKey]) -> None:
    """Whole rows of these keys, and then what goods cost, which goes by what is on hand."""
    for layer, (table, place) in BALANCES.items():
        buckets = BUCKETS[layer]
        rows = [
            (k.place_id, k.item_id, k.grade, *(books.cells[k, bucket] for bucket in buckets))
            for k in keys
            if k.layer is layer
        ]
        bulk.put(sent, table, balance_columns(layer), rows, ["item_id", "grade", place])
    costing.keep(sent, books)

"""Full batches as they are kept: the row of each, and what it changes or would change."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core import bulk, tables
from core.errors import NotFound
from core.mirror.difference import Looked
from core.mirror.known import Outcome
from core.mirror.shelf import Cell
from core.mirror.sources import Source
from core.transaction import Transaction

HELD, ACCEPTED, DONE, REJECTED = "held", "open", "done", "rejected"
_CHUNK = 5_000


class BatchRow(NamedTuple):
    """``state``: held (waits for a person), open (being booked), done or rejected.

    ``why``: why it is held, or what a person said. ``named``, ``unnamed``: items that it named, and others that it
    says 0 of; ``same``: those of both that were as it says.
    """

    id: int
    source_id: int
    key: str
    content_hash: bytes
    version: int
    as_of: datetime
    zero_missing: bool
    received_at: datetime
    actor: str
    state: str
    why: str
    decided_at: datetime | None
    decided_by: str | None
    ended_at: datetime | None
    named: int
    unnamed: int
    same: int


class ItemRow(NamedTuple):
    """What a batch says of an item; ``change``: what was booked of it, or is to be."""

    batch_id: int
    item_id: int
    grade: str
    bin_id: int
    units: int
    named: bool
    outcome: str
    shelf: int
    change: int
    document_id: int | None

    @property
    def cell(self) -> Cell:
        return Cell(self.item_id, self.grade, self.bin_id)


@dataclass(frozen=True, slots=True)
class Tally:
    """Items of a batch by what became of them, the units found and missing, and the items whose last unit went."""

    booked: int
    open: int
    late: int
    refused: int
    found: int
    missing: int
    zeroed: int


def write(tx: Transaction, row: BatchRow) -> None:
    """A new batch, or a known one that this transaction has locked."""
    bulk.put(tx, tables.mirror_batch, BatchRow._fields, [row], ["id"])


def find(tx: Transaction, batch_id: int, *, row_lock: str = "") -> BatchRow:
    """Raises: NotFound."""
    row = tx.run(
        f"SELECT {_ROW} FROM mirror_batch WHERE merchant_id = :merchant_id AND id = :id {row_lock}", id=batch_id
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}; `holdfast mirror show NAME` names those of a source")
    return BatchRow(*row)


def by_key(tx: Transaction, source: Source, key: str) -> BatchRow | None:
    """The batch that came under this key before."""
    row = tx.run(
        f"SELECT {_ROW} FROM mirror_batch WHERE merchant_id = :merchant_id AND source_id = :source_id AND key = :key",
        source_id=source.id, key=key,
    ).one_or_none()  # fmt: skip
    return None if row is None else BatchRow(*row)


def waiting(tx: Transaction, source: Source) -> list[BatchRow]:
    """Batches that wait for a person, or were not booked to their end; the oldest first."""
    rows = tx.run(
        f"""SELECT {_ROW} FROM mirror_batch WHERE merchant_id = :merchant_id AND source_id = :source_id
            AND state IN ('{HELD}', '{ACCEPTED}') ORDER BY received_at, id""",
        source_id=source.id,
    )
    return [BatchRow(*row) for row in rows]


def newest(tx: Transaction, source: Source, most: int) -> list[BatchRow]:
    """The newest first."""
    rows = tx.run(
        f"""SELECT {_ROW} FROM mirror_batch WHERE merchant_id = :merchant_id AND source_id = :source_id
            ORDER BY received_at DESC, id DESC LIMIT :most""",
        source_id=source.id, most=most,
    )  # fmt: skip
    return [BatchRow(*row) for row in rows]


def put_items(tx: Transaction, batch_id: int, looked: Sequence[Looked]) -> None:
    """Write what a batch says of items, in place of what is kept of it."""
    tx.run("DELETE FROM mirror_batch_item WHERE merchant_id = :merchant_id AND batch_id = :id", id=batch_id)
    for n in range(0, len(looked), _CHUNK):
        rows = [
            ItemRow(batch_id, *one.cell, one.units, one.named, one.outcome, one.shelf, one.change, None)
            for one in looked[n : n + _CHUNK]
        ]
        bulk.insert(tx, tables.mirror_batch_item, ItemRow._fields, rows)


def write_items(tx: Transaction, rows: Iterable[ItemRow]) -> None:
    """What became of items; this transaction has locked their batch."""
    bulk.put(tx, tables.mirror_batch_item, ItemRow._fields, rows, ItemRow._fields[:4])


def items(tx: Transaction, batch_id: int, *, outcome: Outcome | None = None, most: int | None = None) -> list[ItemRow]:
    """What a batch says, in the order in which rows are locked; all, or what became of them alike."""
    only = "" if outcome is None else f"AND outcome = '{outcome}'"
    rows = tx.run(
        f"""SELECT {", ".join(ItemRow._fields)} FROM mirror_batch_item
            WHERE merchant_id = :merchant_id AND batch_id = :id {only}
            ORDER BY item_id, grade, bin_id LIMIT :most""",
        id=batch_id, most=most,
    )  # fmt: skip
    return [ItemRow(*row) for row in rows]


def forget_same(tx: Transaction, batch_id: int) -> None:
    """What a batch that was decided on leaves as it is need not be kept."""
    tx.run(
        "DELETE FROM mirror_batch_item WHERE merchant_id = :merchant_id AND batch_id = :id AND outcome = :same",
        id=batch_id, same=Outcome.SAME,
    )  # fmt: skip


def tally(tx: Transaction, batch_id: int) -> Tally:
    """What became of the items that are kept of a batch."""
    return tallies(tx, [batch_id])[batch_id]


def tallies(tx: Transaction, batch_ids: Collection[int]) -> dict[int, Tally]:
    """The same of several batches."""
    rows = tx.run(
        f"""SELECT k.id, t.* FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE outcome = '{Outcome.BOOKED}'), count(*) FILTER (WHERE outcome = 'open'),
                    count(*) FILTER (WHERE outcome = 'late'), count(*) FILTER (WHERE outcome = 'refused'),
                    CAST(coalesce(sum(change) FILTER (WHERE moves AND change > 0), 0) AS bigint),
                    CAST(coalesce(-sum(change) FILTER (WHERE moves AND change < 0), 0) AS bigint),
                    count(*) FILTER (WHERE moves AND shelf > 0 AND shelf + change = 0)
                FROM (SELECT *, outcome IN ('booked', 'open') AS moves FROM mirror_batch_item
                    WHERE merchant_id = :merchant_id AND batch_id = k.id) i) t""",
        ids=sorted(batch_ids),
    )
    return {batch_id: Tally(*told) for batch_id, *told in rows}


_ROW = ", ".join(BatchRow._fields)

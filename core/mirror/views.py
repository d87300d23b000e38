"""What there is to know of outside systems: when each spoke last, what came late, what was refused, what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.mirror import batches, refusals, sources
from core.mirror.batches import BatchRow
from core.mirror.known import UNHEARD
from core.mirror.refusals import Refusal
from core.mirror.shelf import DEPARTED, bins_of
from core.mirror.sources import Source
from core.transaction import Transaction

_SHOWN = 20
LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Status:
    """A source as it stands.

    ``items``: how many it told of; ``newest``: the newest version of them all, and ``as_of`` when it was last counted
    (None: nothing was told). ``late``: messages that came late in the last seven days. ``waiting``: batches that
    wait for a person or were cut short. ``silent``: nothing came for longer than the source may be silent.
    """

    source: Source
    items: int
    newest: int | None
    as_of: datetime | None
    last_message_at: datetime | None
    last_batch: BatchRow | None
    late: int
    refused: int
    waiting: Sequence[BatchRow]
    silent: bool


@dataclass(frozen=True, slots=True)
class Late:
    """A message that came after a newer one; ``bin`` is empty where the whole warehouse was counted."""

    received_at: datetime
    key: str
    sku: str
    grade: str
    bin: str
    version: int
    units: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """``units`` left by our books since an item was counted: perhaps the source knows, so a new count may be higher."""

    sku: str
    grade: str
    bin: str
    units: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch says of one item, for people."""

    sku: str
    grade: str
    bin: str
    units: int
    named: bool
    outcome: str
    shelf: int
    change: int
    document_id: int | None


def every(tx: Transaction) -> list[Status]:
    """All sources, by name."""
    return [status(tx, source) for source in sources.every(tx)]


def status(tx: Transaction, source: Source) -> Status:
    row = tx.run(
        """SELECT n.items, n.newest, n.as_of,
               (SELECT received_at FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :source_id
                   ORDER BY received_at DESC LIMIT 1) AS last_message_at,
               (SELECT count(*) FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :source_id
                   AND outcome = 'late' AND received_at > :since) AS late,
               (SELECT count(*) FROM mirror_refusal WHERE merchant_id = :merchant_id AND source_id = :source_id)
                   AS refused
           FROM (SELECT count(*) AS items, max(version) AS newest, max(as_of) AS as_of FROM mirror_item
               WHERE merchant_id = :merchant_id AND source_id = :source_id AND version > :unheard) n""",
        source_id=source.id, unheard=UNHEARD, since=tx.now - LATELY,
    ).one()  # fmt: skip
    last = next(iter(batches.newest(tx, source, 1)), None)
    heard = max(filter(None, (row.last_message_at, last and last.received_at)), default=source.created_at)
    limit = source.silent_after_s
    silent = limit is not None and heard < tx.now - timedelta(seconds=limit)
    waiting = batches.waiting(tx, source)
    newest = max((one for one in (row.newest, source.covered) if one is not None), default=None)
    return Status(
        source, row.items, newest, row.as_of, row.last_message_at, last, row.late, row.refused, waiting, silent
    )  # fmt: skip


def late(tx: Transaction, source: Source, most: int = _SHOWN) -> list[Late]:
    """Messages that came late, the newest first."""
    rows = tx.run(
        """SELECT m.received_at, m.key, i.sku, m.grade, coalesce(b.code, ''), m.version, m.units
           FROM (SELECT * FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :source_id
               AND outcome = 'late' ORDER BY received_at DESC LIMIT :most) m
           JOIN item i ON i.merchant_id = m.merchant_id AND i.id = m.item_id
           LEFT JOIN bin b ON b.merchant_id = m.merchant_id AND b.id = m.bin_id ORDER BY m.received_at DESC, m.key""",
        source_id=source.id, most=most,
    )  # fmt: skip
    return [Late(*row) for row in rows]


def refused(tx: Transaction, source: Source, most: int = _SHOWN) -> list[Refusal]:
    """What was refused and was not told rightly since, the newest first."""
    return refusals.newest(tx, source, most)


def unsettled(tx: Transaction, source: Source, most: int = _SHOWN) -> list[Unsettled]:
    """Items of which units left since they were counted, the most units first: worth to be counted again."""
    rows = tx.run(
        f"""SELECT i.sku, n.grade, coalesce(b.code, ''), n.gone, n.as_of
            FROM (SELECT k.*, CAST(({DEPARTED}) AS bigint) AS gone FROM mirror_item k
                WHERE merchant_id = :merchant_id AND source_id = :source_id AND version > :unheard) n
            CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = n.item_id OFFSET 0) i
            LEFT JOIN bin b ON b.merchant_id = :merchant_id AND b.id = n.bin_id
            WHERE n.gone > 0 ORDER BY n.gone DESC, i.sku LIMIT :most""",
        source_id=source.id, unheard=UNHEARD, most=most,
        bins=[spot.bin_id for spot in bins_of(tx, source.warehouse_id)],
    )  # fmt: skip
    return [Unsettled(*row) for row in rows]


def changes(tx: Transaction, row: BatchRow, most: int | None = None) -> list[Change]:
    """What a batch changes or would change, the largest change first."""
    rows = tx.run(
        """SELECT i.sku, c.grade, coalesce(b.code, ''), c.units, c.named, c.outcome, c.shelf, c.change, c.document_id
           FROM (SELECT * FROM mirror_batch_item WHERE merchant_id = :merchant_id AND batch_id = :id
               AND outcome <> 'same' ORDER BY abs(change) DESC, item_id, grade, bin_id LIMIT :most) c
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = c.item_id OFFSET 0) i
           LEFT JOIN bin b ON b.merchant_id = :merchant_id AND b.id = c.bin_id
           ORDER BY abs(c.change) DESC, i.sku, c.grade, 3""",
        id=row.id, most=most,
    )  # fmt: skip
    return [Change(*row) for row in rows]

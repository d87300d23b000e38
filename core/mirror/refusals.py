"""What a source told and was refused: a list to work off, which is empty when all was mended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from core.mirror.sources import Source
from core.transaction import Transaction

MOST_KEPT = 1_000  # of one source, the newest


@dataclass(frozen=True, slots=True)
class Refusal:
    """``subject``: a SKU, or a batch by its id; it was refused ``times`` times in all."""

    subject: str
    why: str
    times: int
    first_at: datetime
    last_at: datetime


def note(tx: Transaction, source: Source, refused: Mapping[str, str]) -> None:
    """Why each subject was refused."""
    if not refused:
        return
    tx.run(
        """INSERT INTO mirror_refusal (merchant_id, source_id, subject, why, times, first_at, last_at)
           SELECT :merchant_id, :source_id, k.subject, k.why, 1, :now, :now
           FROM unnest(CAST(:subjects AS text[]), CAST(:whys AS text[])) k (subject, why)
           ON CONFLICT (merchant_id, source_id, subject) DO UPDATE SET why = EXCLUDED.why,
               times = mirror_refusal.times + 1, last_at = EXCLUDED.last_at""",
        source_id=source.id, subjects=sorted(refused), whys=[refused[subject] for subject in sorted(refused)],
    )  # fmt: skip
    # Rows that somebody else is changing are left to the next one: two could wait for each other's.
    tx.run(
        """DELETE FROM mirror_refusal WHERE merchant_id = :merchant_id AND source_id = :source_id
           AND subject = ANY(ARRAY(SELECT subject FROM mirror_refusal
               WHERE merchant_id = :merchant_id AND source_id = :source_id AND subject = ANY(ARRAY(
                   SELECT subject FROM mirror_refusal WHERE merchant_id = :merchant_id AND source_id = :source_id
                   ORDER BY last_at DESC, subject OFFSET :most))
               FOR UPDATE SKIP LOCKED))""",
        source_id=source.id, most=MOST_KEPT,
    )  # fmt: skip


def mended(tx: Transaction, source: Source, subjects: Iterable[str]) -> None:
    """These were told rightly. Rows are locked in the order in which they are noted."""
    tx.run(
        """DELETE FROM mirror_refusal WHERE merchant_id = :merchant_id AND source_id = :source_id
           AND subject = ANY(ARRAY(SELECT r.subject FROM unnest(CAST(:subjects AS text[])) k (name)
               CROSS JOIN LATERAL (SELECT subject FROM mirror_refusal WHERE merchant_id = :merchant_id
                   AND source_id = :source_id AND subject = k.name FOR UPDATE) r))""",
        source_id=source.id, subjects=sorted(set(subjects)),
    )  # fmt: skip


def newest(tx: Transaction, source: Source, most: int = MOST_KEPT) -> list[Refusal]:
    """The newest first."""
    rows = tx.run(
        """SELECT subject, why, times, first_at, last_at FROM mirror_refusal
           WHERE merchant_id = :merchant_id AND source_id = :source_id ORDER BY last_at DESC, subject LIMIT :most""",
        source_id=source.id, most=most,
    )  # fmt: skip
    return [Refusal(*row) for row in rows]

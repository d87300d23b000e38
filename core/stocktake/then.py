"""What the books held in a bin at an instant of the near past, and whether somebody has corrected them since.

Goods that moved after a count moved on the shelf, too. A correction is another thing: who finds a unit missing after
it was counted as missing speaks of the same unit, and booking both would take it away twice. Nobody can tell the two
cases apart afterwards, so such a line has to be counted again.

Whether a correction came before or after a count cannot be told by time alone: its time is taken when its transaction
begins, and it is seen when that ends. So a count remembers how many corrections of the last minutes it has seen.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from core.stock import DocumentKind
from core.stocktake.papers import LineKey
from core.transaction import Transaction

# What people say about the books, not about goods that move.
FIXES = tuple(
    str(kind)
    for kind in (
        DocumentKind.OPENING, DocumentKind.FOUND, DocumentKind.MISSING, DocumentKind.DAMAGE, DocumentKind.MEND,
        DocumentKind.SET_APART, DocumentKind.INSPECTION, DocumentKind.REGRADE, DocumentKind.REVERSAL,
        DocumentKind.MERGE, DocumentKind.SPLIT,
    )
)  # fmt: skip
# Longer than any transaction that corrects books takes: a statement may take a minute.
MARGIN = timedelta(minutes=10)

# One statement sees one state of all tables: the balance, and the movements that made it.
MOVED = """
    SELECT coalesce(sum(d.units) FILTER (WHERE d.recorded_at > k.at), 0) AS since,
        count(*) FILTER (WHERE d.kind = ANY(CAST(:kinds AS text[])) AND d.recorded_at <= k.at) AS fixes,
        count(*) FILTER (WHERE d.kind = ANY(CAST(:kinds AS text[])) AND d.recorded_at > k.at) AS fixes_since
    FROM (SELECT m.recorded_at, m.units, o.kind FROM (
        SELECT document_id, recorded_at, sum(
            CASE WHEN to_place = k.bin_id AND to_bucket IN ('available', 'picking') THEN quantity ELSE 0 END
            - CASE WHEN from_place = k.bin_id AND from_bucket IN ('available', 'picking') THEN quantity ELSE 0 END
        ) AS units
        FROM movement
        WHERE merchant_id = :merchant_id AND item_id = k.item_id AND recorded_at > k.at - CAST(:margin AS interval)
          AND grade = k.grade AND layer = 'warehouse' AND (from_place = k.bin_id OR to_place = k.bin_id)
          AND document_id <> ALL (CAST(:own AS bigint[]))
        GROUP BY 1, 2) m
    CROSS JOIN LATERAL (SELECT kind FROM document
        WHERE merchant_id = :merchant_id AND id = m.document_id AND recorded_at = m.recorded_at OFFSET 0) o
    WHERE m.units <> 0) d"""
_NAMED = """
    unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:at AS timestamptz[]),
        CAST(:known AS bigint[])) WITH ORDINALITY k (bin_id, item_id, grade, at, known, nth)"""


class Then(NamedTuple):
    """``book``: units that could be sold, handed out for orders or not. ``fixes``, ``fixes_since``: corrections shortly
    before and after the instant.
    """

    book: int
    fixes: int
    fixes_since: int


def at_instants(tx: Transaction, lines: Sequence[tuple[LineKey, datetime | None]]) -> list[Then]:
    """What the books held of each line at its instant (in the past; None: now), in the order of the lines."""
    rows = tx.run(
        f"""SELECT coalesce(b.units, 0), m.since, m.fixes, m.fixes_since FROM {_NAMED}
            LEFT JOIN LATERAL (SELECT available + picking AS units FROM warehouse_balance
                WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = k.grade AND bin_id = k.bin_id
                OFFSET 0) b ON true
            CROSS JOIN LATERAL ({MOVED}) m ORDER BY k.nth""",
        **_bound([(key, at or tx.now, 0) for key, at in lines]),
    )
    found: list[Then] = []
    for (_, at), (book, since, fixes, fixes_since) in zip(lines, rows, strict=True):
        # All that is seen has been before now, whatever our clock says: it may have been set back.
        is_now = at is None
        found.append(Then(int(book), fixes + fixes_since, 0) if is_now else Then(int(book - since), fixes, fixes_since))
    return found


def corrected(
    tx: Transaction, lines: Iterable[tuple[LineKey, datetime, int]], own: Collection[int] = ()
) -> set[LineKey]:
    """Lines with more corrections since shortly before an instant than were ``fixes``, those by the documents ``own``
    aside.
    """
    rows = tx.run(
        f"""SELECT k.bin_id, k.item_id, k.grade FROM {_NAMED} CROSS JOIN LATERAL ({MOVED}) m
            WHERE m.fixes + m.fixes_since <> k.known""",
        **_bound(lines, own),
    )
    return {LineKey(*row) for row in rows}


def bound(own: Collection[int] = ()) -> dict[str, object]:
    """What ``MOVED`` asks for beside its line ``k``: a bin, an item, a grade and an instant ``at``."""
    return {"margin": MARGIN, "kinds": list(FIXES), "own": sorted(own)}


def _bound(lines: Iterable[tuple[LineKey, datetime, int]], own: Collection[int] = ()) -> dict[str, object]:
    known = list(lines)
    return bound(own) | {
        "bins": [key.bin_id for key, _, _ in known], "items": [key.item_id for key, _, _ in known],
        "grades": [key.grade for key, _, _ in known], "at": [at for _, at, _ in known],
        "known": [fixes for _, _, fixes in known],
    }  # fmt: skip

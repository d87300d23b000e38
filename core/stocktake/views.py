"""Stocktakes as people look at them: what is to be counted, how far it is, what varies, and who counted what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.stocktake.papers import LineKey, StocktakeRow
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LineView:
    """Sale units. ``opened``: what the books held when the stocktake was opened, ``book``: when the line was counted.

    ``now``: what they hold now. ``variance``: counted less book, also of a line that is taken as gone because nobody
    counted it; None: not known. ``posted``: what was booked of it. ``left_out``: why it was not.
    """

    place: str
    item_id: int
    sku: str
    title: str
    grade: str
    state: str
    opened: int
    counted: int | None
    book: int | None
    variance: int | None
    counters: int
    now: int
    posted: int | None
    left_out: str

    @property
    def booked(self) -> int:
        """Units that posting books, or has booked: above 0 found, below 0 missing."""
        if self.posted is not None:
            return self.posted
        return 0 if self.left_out else self.variance or 0

    @property
    def percent(self) -> float | None:
        """Of the book; None where the books held nothing."""
        if self.variance is None or not self.book:
            return None
        return round(100 * self.variance / self.book, 1)


@dataclass(frozen=True, slots=True)
class Progress:
    """Lines by how far they are; ``found``: among all, those of goods that the books did not know of in their bin."""

    lines: int
    counted: int
    uncounted: int
    recount: int
    found: int
    posted: int
    left_out: int


@dataclass(frozen=True, slots=True)
class CounterView:
    """Who counted how many lines, as they stand; ``entered_by``: who entered them."""

    counter: str
    entered_by: str
    lines: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class CountView:
    """One count that was entered; ``stands``: it was not replaced by a later one of the same counter."""

    place: str
    grade: str
    counter: str
    counted: int
    book: int
    counted_at: datetime
    entered_at: datetime
    entered_by: str
    stands: bool


_PLACE = """CROSS JOIN LATERAL (SELECT warehouse_id, code, is_default FROM bin
    WHERE merchant_id = :merchant_id AND id = l.bin_id OFFSET 0) b
CROSS JOIN LATERAL (SELECT code FROM warehouse
    WHERE merchant_id = :merchant_id AND id = b.warehouse_id OFFSET 0) w"""


def lines(tx: Transaction, row: StocktakeRow, states: Sequence[str] = (), *, varying: bool = False) -> list[LineView]:
    """All lines by place and SKU, or those in these states (uncounted, counted, recount); or those that vary."""
    rows = tx.run(
        f"""SELECT w.code || '/' || b.code AS place, l.item_id, i.sku, i.title, l.grade,
                l.state, l.opened, l.counted,
                CASE WHEN l.state = 'uncounted' AND :is_zero THEN l.opened ELSE l.book END AS book, n.variance,
                (SELECT count(*) FROM stocktake_count c WHERE c.merchant_id = :merchant_id AND c.stocktake_id = :id
                    AND (c.bin_id, c.item_id, c.grade) = (l.bin_id, l.item_id, l.grade) AND c.stands) AS counters,
                coalesce(g.units, 0) AS now, l.posted, l.left_out
            FROM (SELECT * FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = :id
                AND (CAST(:states AS text[]) = '{{}}' OR state = ANY (CAST(:states AS text[]))) OFFSET 0) l
            CROSS JOIN LATERAL (SELECT CASE WHEN l.state = 'counted' THEN l.counted - l.book
                WHEN l.state = 'uncounted' AND :is_zero THEN -l.opened END AS variance) n
            CROSS JOIN LATERAL (SELECT sku, title FROM item
                WHERE merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i
            {_PLACE}
            LEFT JOIN LATERAL (SELECT available + picking AS units FROM warehouse_balance
                WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade AND bin_id = l.bin_id
                OFFSET 0) g ON true
            WHERE NOT :varying OR l.state = 'recount' OR n.variance <> 0
            ORDER BY w.code, NOT b.is_default, b.code, i.sku, l.grade""",
        id=row.id, states=list(states), varying=varying,
        is_zero=row.uncounted_is_zero and row.posting_at is None and row.cancelled_at is None,
    )  # fmt: skip
    return [LineView(**one._mapping) for one in rows]


def progress(tx: Transaction, row: StocktakeRow) -> Progress:
    found = tx.run(
        """SELECT count(*) AS lines, count(*) FILTER (WHERE state = 'counted') AS counted,
               count(*) FILTER (WHERE state = 'uncounted') AS uncounted,
               count(*) FILTER (WHERE state = 'recount') AS recount, count(*) FILTER (WHERE opened = 0) AS found,
               count(posted) AS posted, count(*) FILTER (WHERE left_out <> '') AS left_out
           FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = :id""",
        id=row.id,
    ).one()
    return Progress(**found._mapping)


def counters(tx: Transaction, row: StocktakeRow) -> list[CounterView]:
    """By the time of their last count."""
    rows = tx.run(
        """SELECT counter, entered_by, count(*) AS lines, max(entered_at) AS last_at FROM stocktake_count
           WHERE merchant_id = :merchant_id AND stocktake_id = :id AND stands GROUP BY 1, 2 ORDER BY 4, 1""",
        id=row.id,
    )
    return [CounterView(**one._mapping) for one in rows]


def counts(tx: Transaction, row: StocktakeRow, item_id: int) -> list[CountView]:
    """All counts of an item, replaced ones too, as they were entered."""
    rows = tx.run(
        f"""SELECT w.code || '/' || b.code AS place, l.grade, l.counter, l.counted, l.book, l.counted_at, l.entered_at,
                l.entered_by, l.stands
            FROM (SELECT * FROM stocktake_count WHERE merchant_id = :merchant_id AND stocktake_id = :id
                AND item_id = :item_id OFFSET 0) l {_PLACE}
            ORDER BY 1, 2, l.revision""",
        id=row.id, item_id=item_id,
    )  # fmt: skip
    return [CountView(**one._mapping) for one in rows]


def bins(tx: Transaction, row: StocktakeRow) -> list[str]:
    """The bins that it covers, like MAIN/A-01."""
    rows = tx.run(
        f"""SELECT w.code || '/' || b.code FROM (SELECT bin_id FROM stocktake_bin
                WHERE merchant_id = :merchant_id AND stocktake_id = :id OFFSET 0) l {_PLACE}
            ORDER BY w.code, NOT b.is_default, b.code""",
        id=row.id,
    )
    return list(rows.scalars())


def names(tx: Transaction, keys: Sequence[LineKey]) -> list[str]:
    """Lines as people name them: ``MUG-RED at MAIN/A-01``."""
    rows = tx.run(
        f"""SELECT i.sku || CASE l.grade WHEN 'good' THEN '' ELSE ' (' || l.grade || ')' END || ' at ' || w.code || '/'
                || b.code
            FROM unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]))
                l (bin_id, item_id, grade)
            CROSS JOIN LATERAL (SELECT sku FROM item
                WHERE merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i {_PLACE} ORDER BY 1""",
        bins=[key.bin_id for key in keys], items=[key.item_id for key in keys],
        grades=[key.grade for key in keys],
    )  # fmt: skip
    return list(rows.scalars())

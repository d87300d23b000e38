"""Counts are entered: in any order, by several people, some lines now and others later, and again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core import bulk, tables
from core.errors import Refused
from core.stock import GRADES, Spot, Stocked
from core.stocktake import overlap, papers, then
from core.stocktake.papers import MOST_UNITS, RECOUNT, Count, LineKey, StocktakeRow, settle
from core.stocktake.then import Then
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Counted:
    """``units`` (>= 0) that could be sold stood there ``at`` an instant; None: now."""

    spot: Spot
    stocked: Stocked
    units: int
    at: datetime | None = None

    @property
    def key(self) -> LineKey:
        return LineKey(self.spot.bin_id, *self.stocked)


@dataclass(frozen=True, slots=True)
class Entered:
    """``revision``: of the stocktake, now. ``recount``: lines that somebody has to count again."""

    revision: int
    lines: int
    recount: Sequence[LineKey]


class CannotEnter(Refused):
    """Nothing was entered; ``problems`` says why by the place of each count that is at fault, beginning with 0."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        super().__init__("; ".join(self.problems.values()))


def enter(tx: Transaction, number: str, counts: Sequence[Counted], counter: str) -> Entered:
    """Enter what one ``counter`` counted; what the same one entered before of the same lines is replaced.

    An approval given before lapses. Raises: NotFound; Refused; CannotEnter.
    """
    row = papers.locked_open(tx, number)
    if not counts:
        raise Refused("say what was counted, like MUG-RED=17 --at MAIN/A-01")
    if problems := _problems(tx, row, counts):
        raise CannotEnter(problems)
    if problems := _counted_elsewhere(tx, row, counts):
        raise CannotEnter(problems)
    books = then.at_instants(tx, [(one.key, one.at) for one in counts])
    if problems := {n: _CORRECTED for n, known in enumerate(books) if known.fixes_since}:
        raise CannotEnter(problems)
    _write_counts(tx, row, counts, books, counter.strip() or tx.actor)
    settled = _settle(tx, row, [one.key for one in counts])
    tx.run(
        """UPDATE stocktake SET revision = :revision, approved_at = NULL, approved_by = ''
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=row.id, revision=row.revision + 1,
    )  # fmt: skip
    return Entered(row.revision + 1, len(counts), [key for key, state in settled.items() if state == RECOUNT])


_CORRECTED = (
    "somebody corrected the books of this after it was counted (found, missing, set, regraded, damaged or mended), so "
    "its difference is not known any more; count it again"
)


def _problems(tx: Transaction, row: StocktakeRow, counts: Sequence[Counted]) -> dict[int, str]:
    """Why counts cannot be entered, by their place."""
    bins, chosen, bundles = _known(tx, row, counts)
    found: dict[int, str] = {}
    first: dict[LineKey, int] = {}
    for n, one in enumerate(counts):
        problem = _problem(tx, row, one)
        if not problem and first.setdefault(one.key, n) != n:
            problem = "it is counted twice here; say the units of all heaps together, once"
        elif not problem and one.spot.bin_id not in bins:
            problem = f"that bin is no part of stocktake {row.number}; `holdfast count show {row.number}` tells which"
        elif not problem and one.stocked.item_id in bundles:
            problem = "it has no stock of its own (a bundle, or part of another item now); count what is there instead"
        elif not problem and row.of_some and one.stocked.item_id not in chosen:
            problem = f"stocktake {row.number} is of chosen items, and this is none of them; count it in another one"
        if problem:
            found[n] = problem
    return found


def _counted_elsewhere(tx: Transaction, row: StocktakeRow, counts: Sequence[Counted]) -> dict[int, str]:
    """The same for goods that another open stocktake counts in that bin."""
    others = overlap.taken(tx, row, [one.key for one in counts])
    return {
        n: f"stocktake {others[one.key]} counts that there; enter it in that one, or post or cancel it first"
        for n, one in enumerate(counts)
        if one.key in others
    }


def _problem(tx: Transaction, row: StocktakeRow, one: Counted) -> str:
    """Why this cannot be a count, whatever the stocktake covers; empty if it can."""
    if not 0 <= one.units <= MOST_UNITS:
        return f"nobody counts {one.units} units; say 0 to {MOST_UNITS:,}"
    if one.stocked.grade not in GRADES:
        return f"a grade is {' or '.join(GRADES)}, not {one.stocked.grade}"
    if one.at is not None and one.at > tx.now:
        return f"{one.at.isoformat()} is still to come; say when it was counted"
    if one.at is not None and one.at < row.opened_at:
        return f"the stocktake was opened at {row.opened_at.isoformat()}, after that; count it again"
    return ""


def _known(tx: Transaction, row: StocktakeRow, counts: Sequence[Counted]) -> tuple[set[int], set[int], set[int]]:
    """Bins that the stocktake covers, items that it is of, and items without stock of their own, of the named."""
    items = sorted({one.stocked.item_id for one in counts})
    bins = tx.run(
        """SELECT b.bin_id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT bin_id
               FROM stocktake_bin WHERE merchant_id = :merchant_id AND stocktake_id = :id AND bin_id = k.id OFFSET 0) b
        """,
        id=row.id, ids=sorted({one.spot.bin_id for one in counts}),
    )  # fmt: skip
    chosen = tx.run(
        """SELECT i.item_id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT item_id
               FROM stocktake_item WHERE merchant_id = :merchant_id AND stocktake_id = :id AND item_id = k.id OFFSET 0)
               i""",
        id=row.id, ids=items,
    )  # fmt: skip
    bundles = tx.run(
        """SELECT i.id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT id FROM item
               WHERE merchant_id = :merchant_id AND id = k.id AND (kind = 'bundle' OR merged_into IS NOT NULL)
               OFFSET 0) i""",
        ids=items,
    )
    return set(bins.scalars()), set(chosen.scalars()), set(bundles.scalars())


def _write_counts(
    tx: Transaction, row: StocktakeRow, counts: Sequence[Counted], books: Sequence[Then], counter: str
) -> None:
    """The counts stand from now on; goods that the books do not know of in a bin get a line."""
    keys = [one.key for one in counts]
    bulk.insert_missing(
        tx, tables.stocktake_line,
        ("stocktake_id", *LineKey._fields, "opened", "opened_fixes", "state", "left_out"),
        [(row.id, *key, 0, 0, papers.UNCOUNTED, "") for key in keys], ("stocktake_id", *LineKey._fields),
    )  # fmt: skip
    tx.run(
        f"""UPDATE stocktake_count c SET stands = false FROM {_KEYS}
            WHERE c.merchant_id = :merchant_id AND c.stocktake_id = :id AND c.bin_id = k.bin_id
              AND c.item_id = k.item_id AND c.grade = k.grade AND c.counter = :counter AND c.stands""",
        id=row.id, counter=counter, **_bound(keys),
    )  # fmt: skip
    bulk.insert(
        tx, tables.stocktake_count,
        ("stocktake_id", "revision", *LineKey._fields, "counter", "counted", "book", "counted_at", "fixes",
         "entered_at", "entered_by", "stands"),
        [
            (row.id, row.revision + 1, *one.key, counter, one.units, known.book, one.at or tx.now, known.fixes, tx.now,
             tx.actor, True)
            for one, known in zip(counts, books, strict=True)
        ],
    )  # fmt: skip


def _settle(tx: Transaction, row: StocktakeRow, keys: Sequence[LineKey]) -> dict[LineKey, str]:
    """Write which count of each line stands. Returns: their states."""
    rows = tx.run(
        f"""SELECT {", ".join(f"c.{name}" for name in (*LineKey._fields, *Count._fields))} FROM {_KEYS}
            CROSS JOIN LATERAL (SELECT * FROM stocktake_count WHERE merchant_id = :merchant_id
                AND stocktake_id = :id AND bin_id = k.bin_id AND item_id = k.item_id AND grade = k.grade AND stands
                OFFSET 0) c""",
        id=row.id, **_bound(keys),
    )  # fmt: skip
    counts: dict[LineKey, list[Count]] = defaultdict(list)
    for bin_id, item_id, grade, *count in rows:
        counts[LineKey(bin_id, item_id, grade)].append(Count(*count))
    settled = {key: settle(counts[key]) for key in keys}
    standing = [count for _, count in settled.values()]
    tx.run(
        """UPDATE stocktake_line l
           SET state = k.state, counted = k.counted, book = k.book, counted_at = k.counted_at, fixes = k.fixes
           FROM unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]),
               CAST(:states AS text[]), CAST(:counted AS bigint[]), CAST(:books AS bigint[]),
               CAST(:at AS timestamptz[]), CAST(:fixes AS integer[]))
               k (bin_id, item_id, grade, state, counted, book, counted_at, fixes)
           WHERE l.merchant_id = :merchant_id AND l.stocktake_id = :id AND l.bin_id = k.bin_id
             AND l.item_id = k.item_id AND l.grade = k.grade""",
        id=row.id,
        states=[state for state, _ in settled.values()],
        counted=[None if one is None else one.counted for one in standing],
        books=[None if one is None else one.book for one in standing],
        at=[None if one is None else one.counted_at for one in standing],
        fixes=[None if one is None else one.fixes for one in standing],
        **_bound(settled),
    )
    return {key: state for key, (state, _) in settled.items()}


_KEYS = """unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]))
    k (bin_id, item_id, grade)"""


def _bound(keys: Iterable[LineKey]) -> dict[str, object]:
    known = list(keys)
    return {
        "bins": [key.bin_id for key in known], "items": [key.item_id for key in known],
        "grades": [key.grade for key in known],
    }  # fmt: skip

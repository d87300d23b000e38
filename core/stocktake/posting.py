"""A stocktake is booked: what was found comes in, what is missing goes, through the ledger, some lines at a time.

Each transaction books the next lines, so sales go on between them, and who is stopped half-way goes on where it ended.
Found goods come first: what only stood in the wrong bin breaks no promise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import flows, single
from core.books import Books
from core.command import Command, HandedFrom, SentFrom, Short
from core.errors import Broken, Refused
from core.goods.receiving import keys_at, keys_of_goods, refuse_bundles
from core.ledger import Batch, home_of
from core.sales.shortage import Loss, Shortage, on_shelf, short_of
from core.stock import BalanceKey, DocumentKind, Home, Spot, Stocked
from core.stocktake import approving, papers, then
from core.stocktake.papers import CORRECTED, COUNTED, RECOUNT, LineKey, StocktakeRow
from core.transaction import Database, Transaction

LINES_AT_ONCE = 1_000
_TRIES = 8


class Due(NamedTuple):
    """A line to be booked: what was counted less what the books held at that instant (never 0)."""

    key: LineKey
    variance: int
    counted_at: datetime
    fixes: int


class Booked(NamedTuple):
    """``units`` found (above 0) or missing; fewer are missing than counted where the books hold fewer by now."""

    key: LineKey
    units: int
    document_id: int | None


@dataclass(frozen=True, slots=True)
class Posted:
    """``left_out``: lines that were not booked, by why. ``repeated``: it was posted before."""

    found: int = 0
    missing: int = 0
    lines: int = 0
    documents: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    losses: Sequence[Loss] = ()
    repeated: bool = False


class Part(NamedTuple):
    """What one transaction books."""

    booked: Sequence[Booked]
    losses: Sequence[Loss]


class _CorrectedMeanwhile(Exception):
    """Somebody corrected the books of these lines between our look and our locks."""


@dataclass(frozen=True, slots=True)
class PostCounts(Command):
    """Book lines of one stocktake, which the caller has locked, in one document for each bin and direction."""

    row: StocktakeRow
    due: Sequence[Due] = field(hash=False)
    spots: Mapping[int, Spot] = field(hash=False)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {one.key.stocked for one in self.due}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, self.stocked(books))
        return keys.union(key for one in self.due for key in keys_at(self._home(books, one), one.key.stocked))

    def short(self, books: Books) -> Short:
        """Where goods of one kind are gone from several bins, each finds less than is there now: then for all of them
        the newest promises are loaded, whoever is to send their goods.
        """
        gone = [
            (self._home(books, one), one.key.stocked, self._gone(books, one)) for one in self.due if one.variance < 0
        ]
        bins = Counter(stocked for _, stocked, _ in gone)
        found = Counter(short_of(books, [one for one in gone if bins[one[1]] == 1]))
        for home, stocked, units in gone:
            if bins[stocked] > 1:
                where = (None, home.warehouse_id, SentFrom(home.warehouse_id), HandedFrom(home.bin_id))
                found.update({(stocked, one): units for one in where})
        return found

    def _gone(self, books: Books, one: Due) -> int:
        """What was sold since out of this bin cannot be missing, too: then it was taken from another."""
        return min(-one.variance, on_shelf(books, one.key.stocked, self._home(books, one)))

    def decide(self, books: Books) -> Part:
        """Raises: Refused for a bundle; Widen."""
        refuse_bundles(books, self.stocked(books))
        booked: list[Booked] = []
        for lines in _by_bin(one for one in self.due if one.variance > 0):
            home = self._home(books, lines[0])
            moves = [move for one in lines for move in flows.come_in(home, one.key.stocked, one.variance)]
            document_id = books.post(DocumentKind.FOUND, self._key(lines, "found"), moves, reason=self._reason)
            booked += [Booked(one.key, one.variance, document_id) for one in lines]
        losses: list[Loss] = []
        for lines in _by_bin(one for one in self.due if one.variance < 0):
            booked += self._lose(books, lines, losses)
        return Part(booked, losses)

    def _lose(self, books: Books, lines: Sequence[Due], losses: list[Loss]) -> list[Booked]:
        home = self._home(books, lines[0])
        units = {one.key: self._gone(books, one) for one in lines}
        shortage = Shortage(books, False, f"units were missing in stocktake {self.row.number}", home)
        moves = [move for key, n in units.items() if n for move in shortage.of(key.stocked, n)]
        document_id = None
        if moves:
            document_id = books.post(DocumentKind.MISSING, self._key(lines, "missing"), moves, reason=self._reason)
            shortage.note()
            losses += shortage.losses
        return [Booked(key, -n, document_id if n else None) for key, n in units.items()]

    def _home(self, books: Books, one: Due) -> Home:
        return books.home.at(self.spots[one.key.bin_id])

    def _key(self, lines: Sequence[Due], what: str) -> str:
        """Each line is booked once, so its first line names a document."""
        return f"stocktake/{self.row.id}/{what}/{'/'.join(map(str, lines[0].key))}"

    @property
    def _reason(self) -> str:
        return f"stocktake {self.row.number}"


def post(
    db: Database,
    merchant_id: int,
    number: str,
    *,
    actor: str,
    leave_out: bool = False,
    lines_at_once: int = LINES_AT_ONCE,
) -> Posted:
    """Book all that was counted; begun and not ended, go on.

    Args: leave_out: book the others where some lines have to be counted again; else that is refused.
    Raises: NotFound; Refused, also when a second person has to approve first.
    """
    with db.begin(merchant_id, actor=actor) as tx:
        before = _begin(tx, number, leave_out=leave_out)
    losses: list[Loss] = []
    while before.state != "posted" and _post_some(db, merchant_id, number, actor, lines_at_once, losses):
        pass
    with db.begin(merchant_id, actor=actor) as tx:
        return summary(tx, before, losses, repeated=before.state == "posted")


def rehearse(db: Database, merchant_id: int, number: str, *, actor: str, leave_out: bool = False) -> Posted:
    """What ``post`` would answer now, in one transaction that is taken back: sales of these goods wait for it.

    Raises: as ``post``.
    """
    home, losses = home_of(db, merchant_id), list[Loss]()
    with db.begin(merchant_id, actor=actor) as tx:
        row = _begin(tx, number, leave_out=leave_out)
        due = _due(tx, row, LINES_AT_ONCE)
        while due:
            losses += _end(tx, row, due, _tried(tx, home, _command(tx, row, due)))
            due = _due(tx, row, LINES_AT_ONCE)
        told = summary(tx, row, losses, repeated=row.state == "posted")
        tx.connection.rollback()
    return told


def _tried(tx: Transaction, home: Home, command: PostCounts) -> object:
    wider = frozenset[BalanceKey]()
    for _ in range(_TRIES):
        done, more = Batch(tx, home, careful=True).apply({0: command}, {0: wider})
        if not more:
            if isinstance(done[0], Refused):
                raise done[0]
            return done[0]
        wider |= more[0]
    raise Broken(f"trying out a stocktake found no stable set of rows in {_TRIES} batches")


def summary(tx: Transaction, row: StocktakeRow, losses: Sequence[Loss] = (), *, repeated: bool = False) -> Posted:
    """What has been booked of it."""
    found, missing, lines, documents = tx.run(
        """SELECT coalesce(sum(greatest(posted, 0)), 0), coalesce(sum(greatest(-posted, 0)), 0), count(posted),
               count(DISTINCT document_id)
           FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = :id""",
        id=row.id,
    ).one()
    left_out = tx.run(
        """SELECT left_out, count(*) FROM stocktake_line
           WHERE merchant_id = :merchant_id AND stocktake_id = :id AND left_out <> '' GROUP BY 1 ORDER BY 1""",
        id=row.id,
    )
    return Posted(int(found), int(missing), lines, documents, dict(left_out.all()), losses, repeated)


def _begin(tx: Transaction, number: str, *, leave_out: bool) -> StocktakeRow:
    """From now on nothing more is counted. What nobody counted is settled; what was counted right is done.

    Returns: the stocktake as it was before.
    """
    before = papers.locked(tx, number)
    if before.state in ("posting", "posted"):
        return before
    row = papers.locked_open(tx, number)
    approving.require(tx, row)
    if row.uncounted_is_zero:
        tx.run(
            """UPDATE stocktake_line SET state = 'counted', counted = 0, book = opened, counted_at = :opened_at,
                   fixes = opened_fixes
               WHERE merchant_id = :merchant_id AND stocktake_id = :id AND state = 'uncounted'""",
            id=row.id, opened_at=row.opened_at,
        )  # fmt: skip
    wrong = to_count_again(tx, row)
    if wrong and not leave_out:
        raise Refused(
            f"{len(wrong)} lines of stocktake {row.number} have to be counted again: `holdfast count variance "
            f"{row.number}` shows them; or book the others with --leave-out"
        )
    tx.run(
        """UPDATE stocktake_line SET
               left_out = CASE WHEN state <> 'counted' THEN state ELSE '' END,
               posted = CASE WHEN counted = book THEN 0 END
           WHERE merchant_id = :merchant_id AND stocktake_id = :id""",
        id=row.id,
    )
    _leave_out(tx, row, [key for key, why in wrong.items() if why == CORRECTED])
    if not tx.run(
        """SELECT EXISTS (SELECT FROM stocktake_line
               WHERE merchant_id = :merchant_id AND stocktake_id = :id AND state = 'counted')""",
        id=row.id,
    ).scalar_one():
        raise Refused(f"nothing was counted; `holdfast count enter {row.number}` enters counts")
    tx.run(
        """UPDATE stocktake SET posting_at = :now, posting_by = :actor
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=row.id, actor=tx.actor,
    )  # fmt: skip
    return row


def to_count_again(tx: Transaction, row: StocktakeRow) -> dict[LineKey, str]:
    """Lines whose counters do not agree (recount), and those whose books were corrected since (corrected)."""
    rows = tx.run(
        """SELECT bin_id, item_id, grade, state, counted_at, fixes FROM stocktake_line
           WHERE merchant_id = :merchant_id AND stocktake_id = :id
             AND (state = 'recount' OR state = 'counted' AND counted <> book)""",
        id=row.id,
    ).all()
    differ = {LineKey(*one[:3]): RECOUNT for one in rows if one.state == RECOUNT}
    counted = [(LineKey(*one[:3]), one.counted_at, one.fixes) for one in rows if one.state == COUNTED]
    return differ | dict.fromkeys(_corrected(tx, counted), CORRECTED)


def _corrected(tx: Transaction, counted: Sequence[tuple[LineKey, datetime, int]]) -> set[LineKey]:
    """Lines whose books were corrected since, and those of items that became bundles or part of others."""
    gone = tx.run(
        """SELECT i.id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT id FROM item
               WHERE merchant_id = :merchant_id AND id = k.id AND (kind = 'bundle' OR merged_into IS NOT NULL)
               OFFSET 0) i""",
        ids=sorted({key.item_id for key, _, _ in counted}),
    )
    items = set(gone.scalars())
    return then.corrected(tx, counted) | {key for key, _, _ in counted if key.item_id in items}


def _post_some(db: Database, merchant_id: int, number: str, actor: str, most: int, losses: list[Loss]) -> bool:
    """Book the next lines. Returns: False when there were none and the stocktake is at its end."""
    due: list[Due] = []

    def build(tx: Transaction) -> Command:
        row = papers.locked(tx, number)
        due[:] = _due(tx, row, most)
        return _command(tx, row, due)

    def end(tx: Transaction, answer: object) -> Sequence[Loss]:
        row = papers.locked(tx, number)
        return _end(tx, row, due, answer)

    for _ in range(_TRIES):
        try:
            losses += single.do(db, merchant_id, build, end, actor=actor)
        except _CorrectedMeanwhile:
            continue
        return bool(due)
    raise Broken(f"the books of stocktake {number} were corrected {_TRIES} times while it was posted")


def _command(tx: Transaction, row: StocktakeRow, due: Sequence[Due]) -> PostCounts:
    """Books those lines whose books nobody has corrected since; the others are left out."""
    wrong = _corrected(tx, [(one.key, one.counted_at, one.fixes) for one in due])
    _leave_out(tx, row, wrong)
    left = [one for one in due if one.key not in wrong]
    return PostCounts(row, left, papers.spots(tx, [one.key.bin_id for one in left]))


def _end(tx: Transaction, row: StocktakeRow, due: Sequence[Due], answer: object) -> Sequence[Loss]:
    """Write what was booked, now that nobody else can book anything on these lines. Raises: _CorrectedMeanwhile."""
    if not isinstance(answer, Part):
        raise Broken(f"posting a stocktake answered {answer!r}")
    booked = {one.key: one for one in answer.booked}
    own = {one.document_id for one in answer.booked if one.document_id is not None}
    if then.corrected(tx, [(one.key, one.counted_at, one.fixes) for one in due if one.key in booked], own):
        raise _CorrectedMeanwhile
    tx.run(
        """UPDATE stocktake_line l SET posted = k.units, document_id = k.document_id
           FROM unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]),
               CAST(:units AS bigint[]), CAST(:documents AS bigint[])) k (bin_id, item_id, grade, units, document_id)
           WHERE l.merchant_id = :merchant_id AND l.stocktake_id = :id AND l.bin_id = k.bin_id
             AND l.item_id = k.item_id AND l.grade = k.grade""",
        id=row.id, units=[one.units for one in booked.values()],
        documents=[one.document_id for one in booked.values()], **_bound(booked),
    )  # fmt: skip
    if not due:
        tx.run(
            """UPDATE stocktake SET posted_at = :now
               WHERE merchant_id = :merchant_id AND id = :id AND posted_at IS NULL""",
            id=row.id,
        )
        papers.thaw(tx, row.id)
    return answer.losses


def _leave_out(tx: Transaction, row: StocktakeRow, keys: Iterable[LineKey]) -> None:
    known = list(keys)
    if known:
        tx.run(
            """UPDATE stocktake_line l SET left_out = :why, posted = NULL
               FROM unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]))
                   k (bin_id, item_id, grade)
               WHERE l.merchant_id = :merchant_id AND l.stocktake_id = :id AND l.bin_id = k.bin_id
                 AND l.item_id = k.item_id AND l.grade = k.grade""",
            id=row.id, why=CORRECTED, **_bound(known),
        )  # fmt: skip


def _bound(keys: Iterable[LineKey]) -> dict[str, object]:
    known = list(keys)
    return {
        "bins": [key.bin_id for key in known], "items": [key.item_id for key in known],
        "grades": [key.grade for key in known],
    }  # fmt: skip


def _due(tx: Transaction, row: StocktakeRow, most: int) -> list[Due]:
    rows = tx.run(
        """SELECT bin_id, item_id, grade, counted - book AS variance, counted_at, fixes FROM stocktake_line
           WHERE merchant_id = :merchant_id AND stocktake_id = :id AND state = 'counted' AND posted IS NULL
             AND left_out = ''
           ORDER BY counted < book, bin_id, item_id, grade LIMIT :most""",
        id=row.id, most=most,
    )  # fmt: skip
    return [Due(LineKey(*one[:3]), one.variance, one.counted_at, one.fixes) for one in rows]


def _by_bin(lines: Iterable[Due]) -> list[list[Due]]:
    found: dict[int, list[Due]] = defaultdict(list)
    for one in lines:
        found[one.key.bin_id].append(one)
    return list(found.values())

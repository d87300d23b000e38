"""A stocktake as a paper: what it covers, how far it is, and which count of a line stands. Rules first, rows after.

What counts is the instant at which a line was counted. The books are wrong by what was counted less what they held at
that instant, and whatever moves before that is booked moves both alike: it is neither lost nor found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core import numbered
from core.access.actors import Actor
from core.access.rights import Right
from core.errors import Refused
from core.stock import Spot, Stocked
from core.transaction import Transaction

ROW_LOCK = "FOR NO KEY UPDATE"
MOST_UNITS = 1_000_000_000
UNCOUNTED, COUNTED, RECOUNT, CORRECTED = "uncounted", "counted", "recount", "corrected"


class StocktakeRow(NamedTuple):
    """``of_some``: a cycle count, only of chosen items; ``chosen`` says in words how the lines were chosen.

    ``blind``: who counts is not told what the books hold. ``uncounted_is_zero``: what nobody counted is taken to have
    been gone when the stocktake was opened; else it is left alone. ``revision``: how often counts were entered.
    """

    id: int
    number: str
    of_some: bool
    chosen: str
    blind: bool
    uncounted_is_zero: bool
    note: str
    revision: int
    opened_at: datetime
    opened_by: str
    approved_at: datetime | None = None
    approved_by: str = ""
    posting_at: datetime | None = None
    posting_by: str = ""
    posted_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str = ""
    reason: str = ""

    @property
    def state(self) -> str:
        """counting, approved, posting (begun and not ended), posted or cancelled."""
        if self.cancelled_at is not None:
            return "cancelled"
        if self.posted_at is not None:
            return "posted"
        if self.posting_at is not None:
            return "posting"
        return "counting" if self.approved_at is None else "approved"


class LineKey(NamedTuple):
    """One line: an item in one grade in one bin."""

    bin_id: int
    item_id: int
    grade: str

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class Count(NamedTuple):
    """What one counter found (``counted`` units) and what the books held then; the later one has the higher
    ``revision``. ``fixes``: see ``core.stocktake.then``.
    """

    revision: int
    counter: str
    counted: int
    book: int
    counted_at: datetime
    fixes: int

    @property
    def variance(self) -> int:
        return self.counted - self.book


def settle(counts: Iterable[Count]) -> tuple[str, Count | None]:
    """Which of the counts of a line stands, one of each counter given: a state, and the count. Pure.

    Two counters agree when they find the same difference to the books, whenever each of them counted. The newest count
    stands when nobody else counted or another agrees with it; else somebody counts again, until two agree.
    """
    newest_first = sorted(counts, reverse=True)
    if not newest_first:
        return UNCOUNTED, None
    newest, *others = newest_first
    if not others or any(other.variance == newest.variance for other in others):
        return COUNTED, newest
    return RECOUNT, None


@dataclass(frozen=True, slots=True)
class Limit:
    """Variances beyond this need the approval of a second person; None: no such limit.

    ``units``: found and missing ones together. ``percent``: of the units that the books held of what was counted.
    """

    units: int | None = None
    percent: int | None = None

    def exceeded(self, varies: int, book: int) -> bool:
        return (self.units is not None and varies > self.units) or (
            self.percent is not None and 100 * varies > self.percent * book
        )


def is_hidden(row: StocktakeRow, actor: Actor) -> bool:
    """While a blind stocktake is counted, only who may approve it is told what the books hold."""
    return row.blind and row.state in ("counting", "approved") and Right.COUNT_APPROVE not in actor.rights


def require_sight(row: StocktakeRow, actor: Actor) -> None:
    """Raises: Forbidden for who is not told what the books hold."""
    if is_hidden(row, actor):
        actor.require(Right.COUNT_APPROVE)


def find(tx: Transaction, number: str) -> StocktakeRow:
    """As it stands, for who only looks. Raises: NotFound, naming some that are there."""
    return _read(tx, number, "")


def locked(tx: Transaction, number: str) -> StocktakeRow:
    """The same, and nobody else changes it until our transaction ends. Raises: NotFound."""
    return _read(tx, number, ROW_LOCK)


def locked_open(tx: Transaction, number: str) -> StocktakeRow:
    """The same of one that is still counted. Raises: NotFound; Refused."""
    row = locked(tx, number)
    if row.state in ("counting", "approved"):
        return row
    if row.state == "posting":
        raise Refused(f"stocktake {number} is being posted; `holdfast count post {number}` ends that")
    raise Refused(f"stocktake {number} is {row.state}; `holdfast count start` opens another")


def every(tx: Transaction, *, all_of_them: bool = False) -> list[StocktakeRow]:
    """Stocktakes that are open, or all, the newest first."""
    rows = tx.run(
        f"""SELECT {", ".join(StocktakeRow._fields)} FROM stocktake WHERE merchant_id = :merchant_id
            {"" if all_of_them else "AND posted_at IS NULL AND cancelled_at IS NULL"}
            ORDER BY opened_at DESC, id DESC"""
    )
    return [StocktakeRow(*row) for row in rows]


def limit(tx: Transaction) -> Limit:
    """The merchant's."""
    row = tx.run(
        "SELECT approve_units, approve_percent FROM stocktake_rule WHERE merchant_id = :merchant_id"
    ).one_or_none()
    return Limit() if row is None else Limit(*row)


def set_limit(tx: Transaction, wanted: Limit) -> None:
    """Raises: Refused for what is no limit."""
    if any(n is not None and not 0 <= n <= MOST_UNITS for n in (wanted.units, wanted.percent)):
        raise Refused(f"a limit is 0 to {MOST_UNITS:,}; with 0 every variance needs an approval")
    tx.run(
        """INSERT INTO stocktake_rule VALUES (:merchant_id, :units, :percent)
           ON CONFLICT (merchant_id) DO UPDATE SET approve_units = :units, approve_percent = :percent""",
        units=wanted.units, percent=wanted.percent,
    )  # fmt: skip


def cancel(tx: Transaction, number: str, reason: str) -> bool:
    """End it without booking anything; bins that it froze are thawed.

    Returns: False when that was done before. Raises: NotFound; Refused.
    """
    if locked(tx, number).state == "cancelled":
        return False
    row = locked_open(tx, number)
    tx.run(
        """UPDATE stocktake SET cancelled_at = :now, cancelled_by = :actor, reason = :reason
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=row.id, actor=tx.actor, reason=reason,
    )  # fmt: skip
    thaw(tx, row.id)
    return True


def thaw(tx: Transaction, stocktake_id: int) -> None:
    """Thaw the bins that this stocktake froze, unless another open one did, too; what people froze stays so."""
    take_turns(tx)
    tx.run(
        f"""UPDATE bin SET frozen = false WHERE merchant_id = :merchant_id AND id IN (SELECT bin_id FROM stocktake_bin
                WHERE merchant_id = :merchant_id AND stocktake_id = :id AND froze)
              AND id NOT IN ({FROZEN_FOR_OTHERS})""",
        id=stocktake_id,
    )


# Bins that open stocktakes but one froze.
FROZEN_FOR_OTHERS = """
    SELECT f.bin_id FROM (SELECT id FROM stocktake WHERE merchant_id = :merchant_id
        AND posted_at IS NULL AND cancelled_at IS NULL AND id <> :id OFFSET 0) o
    CROSS JOIN LATERAL (SELECT bin_id FROM stocktake_bin
        WHERE merchant_id = :merchant_id AND stocktake_id = o.id AND froze OFFSET 0) f"""


def take_turns(tx: Transaction) -> None:
    """Who gives lines to stocktakes, or freezes or thaws bins for them, waits for who else does; until it commits."""
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.stocktakes', :merchant_id))")


def spots(tx: Transaction, bin_ids: Sequence[int]) -> dict[int, Spot]:
    """Bins with their warehouses, by id."""
    rows = tx.run(
        """SELECT b.warehouse_id, b.id FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT warehouse_id, id FROM bin
               WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) b""",
        ids=list(dict.fromkeys(bin_ids)),
    )
    return {bin_id: Spot(warehouse_id, bin_id) for warehouse_id, bin_id in rows}


def _read(tx: Transaction, number: str, row_lock: str) -> StocktakeRow:
    first = "`holdfast count start` opens one"
    return StocktakeRow(*numbered.row_of(tx, "stocktake", StocktakeRow._fields, number, row_lock, first))

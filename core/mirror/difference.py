"""What a full batch changes: each item beside what is known of it and what stands on its shelf, and whether that is so
much that a person looks at it first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core.mirror.known import UNHEARD, Known, Outcome, judge
from core.mirror.shelf import DEPARTED, Cell
from core.mirror.sources import ALWAYS_ALLOWED, FEW_UNITS, Source
from core.transaction import Transaction

_AT_ONCE = 5_000


class Counted(NamedTuple):
    """A number of a batch; ``named`` False: it is 0 because the batch does not name the item."""

    cell: Cell
    units: int
    named: bool = True


class Looked(NamedTuple):
    """A number beside the shelf, which has ``shelf`` units; ``change``: what makes it so many."""

    cell: Cell
    units: int
    named: bool
    outcome: Outcome
    shelf: int
    change: int

    @property
    def is_zeroed(self) -> bool:
        return self.shelf > 0 and self.shelf + self.change == 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Items by what becomes of them, and the units that stand there now, are found and are missing in all."""

    named: int
    unnamed: int
    changed: int
    same: int
    late: int
    refused: int
    stood: int
    found: int
    missing: int
    zeroed: int


def look(
    tx: Transaction, source: Source, bins: Sequence[int], stamp: tuple[int, datetime], counted: Sequence[Counted]
) -> list[Looked]:
    """Each number as it stands now. Args: bins: of the warehouse. stamp: version, and when it was counted."""
    looked: list[Looked] = []
    for n in range(0, len(counted), _AT_ONCE):
        looked += _look(tx, source, bins, stamp, counted[n : n + _AT_ONCE])
    return looked


def unnamed(tx: Transaction, source: Source, bins: Sequence[int], named: Iterable[Cell]) -> list[Counted]:
    """Zeros for all that stands in the warehouse and is not named."""
    rows = tx.run(
        f"""SELECT DISTINCT item_id, grade, {"bin_id" if source.by_bin else "0"} FROM warehouse_balance
            WHERE merchant_id = :merchant_id AND bin_id = ANY (CAST(:bins AS bigint[])) AND available + picking > 0""",
        bins=list(bins),
    )
    known = set(named)
    return [Counted(cell, 0, named=False) for row in rows if (cell := Cell(*row)) not in known]


def summed(looked: Iterable[Looked]) -> Difference:
    """Pure."""
    every = list(looked)
    changed = [one for one in every if one.outcome is Outcome.OPEN]
    by = {outcome: sum(one.outcome is outcome for one in every) for outcome in Outcome}
    named = sum(one.named for one in every)
    return Difference(
        named, len(every) - named, len(changed), by[Outcome.SAME], by[Outcome.LATE], by[Outcome.REFUSED],
        sum(one.shelf for one in every), sum(max(one.change, 0) for one in changed),
        sum(max(-one.change, 0) for one in changed), sum(one.is_zeroed for one in changed),
    )  # fmt: skip


def too_much(source: Source, difference: Difference) -> str:
    """Why a person has to look at it first; empty when nobody has to. Pure."""
    items, changed = difference.named + difference.unnamed, difference.changed
    units = difference.found + difference.missing
    whys: list[str] = []
    share, zeroed, most = source.most_percent, source.most_zeroed, source.most_units
    if share is not None and changed > ALWAYS_ALLOWED and changed * 100 > share * items:
        whys.append(f"it changes {changed:,} of {items:,} items, more than {share} %")
    if zeroed is not None and difference.zeroed > zeroed:
        whys.append(f"it takes the last unit of {difference.zeroed:,} items, more than {zeroed:,}")
    if share is not None and difference.missing > FEW_UNITS and difference.missing * 2 > difference.stood:
        whys.append(f"it takes away {difference.missing:,} of {difference.stood:,} units, more than half")
    if most is not None and units > most:
        whys.append(f"it moves {units:,} units, more than {most:,}")
    return "; ".join(whys)


def emptied(looked: Iterable[Looked]) -> Sequence[Looked]:
    """All that stands on the shelf, where a batch takes the last unit of all of it; else nothing. Pure."""
    stood = [one for one in looked if one.shelf > 0]
    return stood if all(one.is_zeroed and one.outcome is Outcome.OPEN for one in stood) else ()


def _look(
    tx: Transaction, source: Source, bins: Sequence[int], stamp: tuple[int, datetime], counted: Sequence[Counted]
) -> list[Looked]:
    version, as_of = stamp
    rows = tx.run(
        f"""SELECT k.nth, coalesce(n.version, {UNHEARD}), coalesce(n.units, 0), s.shelf, ({DEPARTED})
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]))
                WITH ORDINALITY u (item_id, grade, bin_id, nth)
            CROSS JOIN LATERAL (SELECT u.*, CAST(:as_of AS timestamptz) AS as_of) k
            LEFT JOIN LATERAL (SELECT version, units FROM mirror_item WHERE merchant_id = :merchant_id
                AND source_id = :source_id AND item_id = k.item_id AND grade = k.grade AND bin_id = k.bin_id
                OFFSET 0) n ON true
            CROSS JOIN LATERAL (SELECT coalesce(sum(available + picking), 0) AS shelf
                FROM (SELECT * FROM warehouse_balance
                    WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = k.grade OFFSET 0) b
                WHERE bin_id = ANY (CASE WHEN k.bin_id = 0 THEN CAST(:bins AS bigint[]) ELSE ARRAY[k.bin_id] END)) s""",
        source_id=source.id,
        as_of=as_of,
        bins=list(bins),
        items=[one.cell.item_id for one in counted],
        grades=[one.cell.grade for one in counted],
        places=[one.cell.bin_id for one in counted],
    )
    looked: list[Looked] = []
    for nth, known_version, known_units, shelf, gone in rows:
        cell, units, named = counted[nth - 1]
        outcome = judge(version, units, Known(known_version, known_units), source.covered)
        change = max(units - int(gone), 0) - int(shelf)
        if outcome is Outcome.OPEN and not change:
            outcome = Outcome.SAME
        looked.append(Looked(cell, units, named, outcome, int(shelf), change))
    return looked

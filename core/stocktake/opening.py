"""Opening a stocktake: which bins and items are counted, and what the books hold of them at that instant."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core import bulk, tables
from core.errors import Refused
from core.stock import Spot
from core.stocktake import classes, overlap, papers, then
from core.stocktake.papers import MOST_UNITS, StocktakeRow
from core.transaction import Transaction
from core.warehouse.warehouses import ids_of, spot_of, spots_of

MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Choice:
    """Of what stands in the bins only some is counted; what is empty does not narrow.

    ``item_ids``      these items, also where the books hold none.
    ``classes``       of A (the items that sell most: 80 of 100 units), B (the next 15) and C (the others).
    ``not_for_days``  lines not counted for so many days, or never.
    ``most``          at most so many lines: those counted longest ago.
    ``by_value``      the classes are made of what the units sold cost, not of how many they are.
    """

    item_ids: Collection[int] = ()
    classes: Collection[str] = ()
    not_for_days: int | None = None
    most: int | None = None
    by_value: bool = False

    @property
    def is_all(self) -> bool:
        return not (self.item_ids or self.classes or self.not_for_days is not None or self.most is not None)

    @property
    def words(self) -> str:
        parts = [f"{len(self.item_ids)} named items"] if self.item_ids else []
        by = " by value" if self.by_value else ""
        parts += [f"items of class {' and '.join(sorted(self.classes))}{by}"] if self.classes else []
        parts += [f"not counted for {self.not_for_days} days"] if self.not_for_days is not None else []
        parts += [f"at most {self.most} lines, those counted longest ago"] if self.most is not None else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a stocktake is done; see ``core.stocktake.papers.StocktakeRow``. ``freeze``: nobody books goods into its bins
    or out of them by command until it ends.
    """

    blind: bool = False
    uncounted_is_zero: bool = False
    freeze: bool = False
    note: str = ""
    choice: Choice = field(default_factory=Choice)


def bins_of(tx: Transaction, places: Sequence[str]) -> list[Spot]:
    """All bins of a warehouse for ``MAIN``, one bin for ``MAIN/A-01``. Raises: NotFound; Refused for none."""
    bins = [place for place in places if "/" in place]
    named = spots_of(tx, bins)
    rows = tx.run(
        """SELECT k.id AS warehouse_id, b.id AS bin_id FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = k.id OFFSET 0) b
           ORDER BY b.id""",
        ids=ids_of(tx, [place for place in places if "/" not in place]),
    )
    found = [named.get(place) or spot_of(tx, place) for place in bins]  # which says what is wrong with it
    found += [Spot(row.warehouse_id, row.bin_id) for row in rows]
    if not found:
        raise Refused("say where to count: a warehouse like MAIN, or a bin like MAIN/A-01")
    return list(dict.fromkeys(found))


def start(tx: Transaction, number: str, places: Sequence[str], terms: Terms | None = None) -> StocktakeRow:
    """Open a stocktake of these places. Raises: NotFound; Refused, also when something of it is being counted."""
    papers.take_turns(tx)
    return write(tx, number, places, terms)


def write(tx: Transaction, number: str, places: Sequence[str], terms: Terms | None = None) -> StocktakeRow:
    """The same, for who has the turn."""
    number, terms, bin_ids = number.strip(), terms or Terms(), [spot.bin_id for spot in bins_of(tx, places)]
    _require(tx, number, terms)
    row = StocktakeRow(
        tx.new_id(), number, not terms.choice.is_all, terms.choice.words, terms.blind, terms.uncounted_is_zero,
        terms.note, 0, tx.now, tx.actor,
    )  # fmt: skip
    bulk.insert(tx, tables.stocktake, StocktakeRow._fields, [row])
    frozen_here = _freeze(tx, row, bin_ids) if terms.freeze else set()
    bulk.insert(
        tx, tables.stocktake_bin, ("stocktake_id", "bin_id", "froze"),
        [(row.id, bin_id, bin_id in frozen_here) for bin_id in bin_ids],
    )  # fmt: skip
    _write_lines(tx, row, bin_ids, terms.choice)
    overlap.refuse_counted_twice(tx, row)
    return row


def _require(tx: Transaction, number: str, terms: Terms) -> None:
    if not number:
        raise Refused("a stocktake needs a number, like S-2027-1")
    known = tx.run("SELECT FROM stocktake WHERE merchant_id = :merchant_id AND number = :number", number=number)
    if known.one_or_none() is not None:
        raise Refused(f"there is a stocktake {number} already; `holdfast count show {number}` tells of it")
    if unknown := set(terms.choice.classes) - set(classes.CLASSES):
        raise Refused(f"a class is A, B or C, not {', '.join(sorted(unknown))}")
    if terms.choice.by_value and not terms.choice.classes:
        raise Refused("by value classes are made; say which of them are counted, like --class A")
    days, most = terms.choice.not_for_days, terms.choice.most
    if (days is not None and not 1 <= days <= MOST_DAYS) or (most is not None and not 1 <= most <= MOST_UNITS):
        raise Refused(f"say how many days, 1 to {MOST_DAYS:,}, or lines, 1 to {MOST_UNITS:,}")


def _freeze(tx: Transaction, row: StocktakeRow, bin_ids: Sequence[int]) -> set[int]:
    """Returns: those that stocktakes froze, this one or others that are open; not those that somebody froze by hand."""
    newly = tx.run(
        """UPDATE bin SET frozen = true
           WHERE merchant_id = :merchant_id AND id = ANY (CAST(:ids AS bigint[])) AND NOT frozen RETURNING id""",
        ids=bin_ids,
    ).scalars()
    return {*newly, *tx.run(papers.FROZEN_FOR_OTHERS, id=row.id).scalars()}


def _write_lines(tx: Transaction, row: StocktakeRow, bin_ids: Sequence[int], choice: Choice) -> None:
    """The snapshot is taken and written by one statement: it never passes through our memory.

    Corrections before it are counted only where a line that nobody counts is booked by what it says.
    """
    chosen = _chosen_items(tx, bin_ids, choice)
    tx.run(
        f"""WITH stands AS (
                SELECT bin_id, item_id, grade, available + picking AS units FROM warehouse_balance
                WHERE merchant_id = :merchant_id AND bin_id = ANY (CAST(:bin_ids AS bigint[]))
                  AND available + picking > 0
                  AND (CAST(:chosen AS bigint[]) IS NULL OR item_id = ANY (CAST(:chosen AS bigint[])))
            ), picked AS (
                SELECT s.* FROM stands s CROSS JOIN LATERAL (SELECT max(counted_at) AS at FROM stocktake_line
                    WHERE merchant_id = :merchant_id AND bin_id = s.bin_id AND item_id = s.item_id
                      AND grade = s.grade AND posted IS NOT NULL) last
                WHERE CAST(:before AS timestamptz) IS NULL OR last.at IS NULL OR last.at < :before
                ORDER BY last.at NULLS FIRST, s.bin_id, s.item_id, s.grade LIMIT :most
            )
            INSERT INTO stocktake_line (merchant_id, stocktake_id, bin_id, item_id, grade, opened, opened_fixes, state,
                left_out)
            SELECT :merchant_id, :id, k.bin_id, k.item_id, k.grade, k.units, coalesce(m.fixes + m.fixes_since, 0),
                'uncounted', ''
            FROM (SELECT *, CAST(:now AS timestamptz) AS at FROM picked) k
            LEFT JOIN LATERAL ({then.MOVED}) m ON :is_zero""",
        id=row.id, bin_ids=list(bin_ids), chosen=chosen, is_zero=row.uncounted_is_zero, most=choice.most,
        before=None if choice.not_for_days is None else tx.now - timedelta(days=choice.not_for_days), **then.bound(),
    )  # fmt: skip
    if not row.of_some:
        return
    tx.run(
        """INSERT INTO stocktake_item
           SELECT :merchant_id, :id, item_id FROM stocktake_line
           WHERE merchant_id = :merchant_id AND stocktake_id = :id
           UNION SELECT :merchant_id, :id, k.id FROM unnest(CAST(:named AS bigint[])) k (id)""",
        id=row.id, named=sorted(choice.item_ids),
    )  # fmt: skip
    if tx.run(
        "SELECT FROM stocktake_item WHERE merchant_id = :merchant_id AND stocktake_id = :id LIMIT 1", id=row.id
    ).one_or_none() is None:  # fmt: skip
        raise Refused(f"nothing there is to be counted: {choice.words}")


def _chosen_items(tx: Transaction, bin_ids: Sequence[int], choice: Choice) -> list[int] | None:
    """None: all."""
    if not choice.classes:
        return sorted(choice.item_ids) or None
    standing = tx.run(
        """SELECT DISTINCT item_id FROM warehouse_balance WHERE merchant_id = :merchant_id
             AND bin_id = ANY (CAST(:bin_ids AS bigint[])) AND available + picking > 0""",
        bin_ids=list(bin_ids),
    ).scalars()
    known = classes.read(tx, list(standing), value=choice.by_value)
    wanted = {item_id for item_id, name in known.items() if name in choice.classes}
    return sorted(wanted & set(choice.item_ids) if choice.item_ids else wanted)

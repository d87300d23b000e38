"""No line is counted by two open stocktakes: both would book the same difference, and one be told to count again."""

from collections.abc import Sequence

from core.errors import Refused
from core.stocktake.papers import LineKey, StocktakeRow, take_turns
from core.transaction import Transaction


def refuse_counted_twice(tx: Transaction, row: StocktakeRow) -> None:
    """For who has the turn. Raises: Refused when another open stocktake has a line of this one."""
    other = tx.run(
        """SELECT o.number FROM (SELECT id, number FROM stocktake WHERE merchant_id = :merchant_id
               AND posted_at IS NULL AND cancelled_at IS NULL AND id <> :id OFFSET 0) o
           WHERE EXISTS (SELECT FROM stocktake_line a JOIN stocktake_line b ON b.merchant_id = a.merchant_id
               AND b.stocktake_id = :id AND (b.bin_id, b.item_id, b.grade) = (a.bin_id, a.item_id, a.grade)
               WHERE a.merchant_id = :merchant_id AND a.stocktake_id = o.id)
           ORDER BY o.number LIMIT 1""",
        id=row.id,
    ).scalar_one_or_none()  # fmt: skip
    if other is not None:
        raise Refused(
            f"some of it is being counted by stocktake {other}; post it or cancel it first, `holdfast count show "
            f"{other}` tells how far it is"
        )


def taken(tx: Transaction, row: StocktakeRow, keys: Sequence[LineKey]) -> dict[LineKey, str]:
    """Which of the lines this stocktake has not and cannot get, with the number of the one that counts them.

    Who gets new lines has the turn from then on.
    """
    if not (new := _not_its_own(tx, row, keys)):
        return {}
    take_turns(tx)
    rows = tx.run(
        f"""SELECT k.bin_id, k.item_id, k.grade, min(o.number) FROM {_KEYS}
            CROSS JOIN (SELECT id, number FROM stocktake WHERE merchant_id = :merchant_id
                AND posted_at IS NULL AND cancelled_at IS NULL AND id <> :id OFFSET 0) o
            CROSS JOIN LATERAL (SELECT FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = o.id
                AND bin_id = k.bin_id AND item_id = k.item_id AND grade = k.grade OFFSET 0) l GROUP BY 1, 2, 3""",
        id=row.id, **_bound(new),
    )  # fmt: skip
    return {LineKey(*key): number for *key, number in rows}


def _not_its_own(tx: Transaction, row: StocktakeRow, keys: Sequence[LineKey]) -> list[LineKey]:
    known = {
        LineKey(*one)
        for one in tx.run(
            f"""SELECT k.bin_id, k.item_id, k.grade FROM {_KEYS} CROSS JOIN LATERAL (SELECT FROM stocktake_line
                    WHERE merchant_id = :merchant_id AND stocktake_id = :id AND bin_id = k.bin_id
                      AND item_id = k.item_id AND grade = k.grade OFFSET 0) l""",
            id=row.id, **_bound(keys),
        )
    }  # fmt: skip
    return [key for key in keys if key not in known]


_KEYS = """unnest(CAST(:bins AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]))
    k (bin_id, item_id, grade)"""


def _bound(keys: Sequence[LineKey]) -> dict[str, object]:
    return {
        "bins": [key.bin_id for key in keys], "items": [key.item_id for key in keys],
        "grades": [key.grade for key in keys],
    }  # fmt: skip

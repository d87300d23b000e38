"""Balances a bucket a row, as they are stored and as movements make them: parts of SQL, of one merchant each."""

from core.stock import BUCKETS
from core.writing import BALANCES

COLUMNS = "item_id, layer, grade, place_id, bucket, units"


def stored(where: str = "") -> str:
    """A select of ``COLUMNS`` from the balances ``b``; ``where`` goes on from its conditions."""
    return " UNION ALL ".join(
        f"""SELECT b.item_id, '{layer}' AS layer, b.grade, b.{place} AS place_id, v.bucket, v.units FROM {table.name} b
            CROSS JOIN LATERAL (VALUES {", ".join(f"('{bucket}', b.{bucket})" for bucket in BUCKETS[layer])})
                v (bucket, units)
            WHERE b.merchant_id = :merchant_id {where}"""
        for layer, (table, place) in BALANCES.items()
    )


def moved(movements: str) -> str:
    """A select of ``COLUMNS`` from a select of movements: what each took from a bucket and brought into one."""
    return f"""SELECT m.item_id, m.layer, m.grade, e.place_id, e.bucket, e.units FROM ({movements}) m
        CROSS JOIN LATERAL (VALUES (m.from_place, m.from_bucket, -m.quantity), (m.to_place, m.to_bucket, m.quantity))
            e (place_id, bucket, units)
        WHERE e.place_id IS NOT NULL"""


def kept(checkpoints: str) -> str:
    """A select of ``COLUMNS`` from a select of item ids and ``cells`` of checkpoints."""
    return f"""SELECT c.item_id, e.cell ->> 0 AS layer, e.cell ->> 1 AS grade, (e.cell ->> 2)::bigint AS place_id,
            e.cell ->> 3 AS bucket, (e.cell ->> 4)::bigint AS units
        FROM ({checkpoints}) c CROSS JOIN LATERAL jsonb_array_elements(c.cells) e (cell)"""


def differences(known: str, movements: str) -> str:
    """A select of the buckets whose known units (a select of ``COLUMNS``) are not those that the movements make.

    Args: movements: what follows SELECT ... in a select from movements ``m``, up to its conditions.
    """
    # Added up by way first: there are few ways between buckets, and each movement is then looked at once.
    ways = "m.item_id, m.layer, m.grade, m.from_place, m.from_bucket, m.to_place, m.to_bucket"
    summed = f"SELECT {ways}, sum(m.quantity) AS quantity {movements} GROUP BY {ways}"
    return f"""
        SELECT layer, item_id, grade, place_id, bucket, coalesce(s.units, 0)::bigint AS stored,
            coalesce(r.units, 0)::bigint AS replayed
        FROM ({known}) s FULL JOIN (
            SELECT item_id, layer, grade, place_id, bucket, sum(units) AS units FROM ({moved(summed)}) moved
            GROUP BY 1, 2, 3, 4, 5) r USING (item_id, layer, grade, place_id, bucket)
        WHERE coalesce(s.units, 0) <> coalesce(r.units, 0)"""


BALANCES_OF_ALL = differences(stored(), "FROM movement m WHERE m.merchant_id = :merchant_id")
BALANCES_OF_SOME = differences(
    stored("AND b.item_id = ANY(CAST(:item_ids AS bigint[]))"),
    """FROM unnest(CAST(:item_ids AS bigint[])) k (id) CROSS JOIN LATERAL (
           SELECT * FROM movement WHERE merchant_id = :merchant_id AND item_id = k.id OFFSET 0) m""",
)
# The newest of each item goes on from all that were made before it, so it is wrong when any of them is.
_NEWEST = """SELECT DISTINCT ON (item_id) item_id, at, cells FROM balance_checkpoint
    WHERE merchant_id = :merchant_id ORDER BY item_id, at DESC"""
CHECKPOINTS = differences(
    kept(_NEWEST),
    f"""FROM movement m JOIN ({_NEWEST}) k ON k.item_id = m.item_id AND m.recorded_at <= k.at
        WHERE m.merchant_id = :merchant_id""",
)

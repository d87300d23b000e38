"""Items by the codes that people write, many at a time."""

from collections.abc import Iterable
from typing import NamedTuple

from core.catalog import sku_key
from core.errors import NotFound
from core.transaction import Transaction

_NAMED = 5


class SkuItem(NamedTuple):
    """``kind`` is "plain", "bundle" or "kit"."""

    id: int
    sku: str
    kind: str


def find(tx: Transaction, skus: Iterable[str]) -> dict[str, SkuItem]:
    """Items by ``sku_key``; those that are not there are left out."""
    rows = tx.run(
        """SELECT i.sku_key, i.id, i.sku, i.kind
           FROM unnest(CAST(:keys AS text[])) k (key)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND sku_key = k.key) i""",
        keys=sorted({sku_key(sku) for sku in skus}),
    )
    return {row[0]: SkuItem(*row[1:]) for row in rows}


def resolve(tx: Transaction, skus: Iterable[str]) -> dict[str, SkuItem]:
    """All items by ``sku_key``. Raises: NotFound, naming the unknown codes, each with one that is near."""
    wanted = list(skus)
    found = find(tx, wanted)
    unknown = list(dict.fromkeys(sku for sku in wanted if sku_key(sku) not in found))
    if unknown:
        raise NotFound("no item has " + ", ".join(_with_near(tx, unknown)))
    return found


def _with_near(tx: Transaction, unknown: list[str]) -> list[str]:
    said = unknown[:_NAMED]
    rows = tx.run(
        """SELECT k.sku, n.sku AS near FROM unnest(CAST(:skus AS text[]), CAST(:starts AS text[])) k (sku, start)
            LEFT JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id
                AND sku_key >= k.start AND sku_key < k.start || chr(65533) ORDER BY sku_key LIMIT 1) n ON true""",
        skus=said,
        starts=[sku_key(sku)[:3] for sku in said],
    )
    near = {row.sku: row.near for row in rows}
    words = [f"SKU {sku}" + (f" (did you mean {near[sku]}?)" if near[sku] else "") for sku in said]
    return [*words, f"and {len(unknown) - _NAMED} more"] if len(unknown) > _NAMED else words

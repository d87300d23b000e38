"""What became of an item: what it was called, what others call it, what it took in and what was split off it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.goods import references, renames
from core.goods.references import Reference
from core.goods.renames import Former
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Change:
    """``kind``: "merge" or "split". ``item`` became a part of ``other``, or ``other`` was split off it.

    Both by the SKUs that they have today.
    """

    kind: str
    item: str
    other: str
    document_id: int
    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Life:
    formerly: Sequence[Former]
    references: Sequence[Reference]
    changes: Sequence[Change]


def life(tx: Transaction, item_id: int) -> Life:
    """The newest first. Of what became a part of the item, what it was called and what became of it before, too."""
    rows = tx.run(
        """WITH part AS (SELECT id FROM item WHERE merchant_id = :merchant_id AND id = :item_id
               UNION ALL SELECT id FROM item WHERE merchant_id = :merchant_id AND merged_into = :item_id),
           known AS (
               SELECT c.* FROM part p CROSS JOIN LATERAL (SELECT * FROM item_change
                   WHERE merchant_id = :merchant_id AND item_id = p.id OFFSET 0) c
               UNION SELECT c.* FROM part p CROSS JOIN LATERAL (SELECT * FROM item_change
                   WHERE merchant_id = :merchant_id AND other_id = p.id OFFSET 0) c)
           SELECT k.kind, i.sku AS item, o.sku AS other, k.document_id, k.at, k.actor, k.reason FROM known k
           JOIN item i ON i.merchant_id = :merchant_id AND i.id = k.item_id
           JOIN item o ON o.merchant_id = :merchant_id AND o.id = k.other_id ORDER BY k.at DESC, k.document_id DESC""",
        item_id=item_id,
    )
    changes = [Change(**row._mapping) for row in rows]
    return Life(renames.history(tx, item_id), references.of_item(tx, item_id), changes)


@dataclass(frozen=True, slots=True)
class Became:
    """An item became a part of ``sku``, as that is called now, with a document; ``now``: what that is a part of today,
    by its SKU, or itself.
    """

    sku: str
    document_id: int
    at: datetime
    now: str


def became(tx: Transaction, item_id: int) -> Became | None:
    """What an item became a part of; None while it stands for itself."""
    row = tx.run(
        """SELECT o.sku, c.document_id, c.at, n.sku AS now FROM item i
           JOIN item_change c ON c.merchant_id = i.merchant_id AND c.item_id = i.id AND c.kind = 'merge'
           JOIN item o ON o.merchant_id = i.merchant_id AND o.id = c.other_id
           JOIN item n ON n.merchant_id = i.merchant_id AND n.id = i.merged_into
           WHERE i.merchant_id = :merchant_id AND i.id = :item_id""",
        item_id=item_id,
    ).one_or_none()
    return None if row is None else Became(**row._mapping)

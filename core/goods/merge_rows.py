"""What a merge of items looks at, and what follows beside the ledger: for ``core.goods.merging`` alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from core import bulk, marks, tables
from core.errors import Refused
from core.goods import recipes, skus
from core.goods.recipes import Recipe
from core.rows import Part
from core.stock import BUCKETS, BalanceKey, Layer, Stocked
from core.transaction import Transaction
from core.writing import BALANCES

_FEW = 5  # that are named


@dataclass(frozen=True, slots=True)
class Item:
    """``merged_into``: the item that it is a part of already, and ``merged_sku`` the SKU of that one."""

    id: int
    sku: str
    kind: str
    merged_into: int | None
    merged_sku: str


def locked(tx: Transaction, before: str, after: str) -> tuple[Item, Item]:
    """Both items, which nobody renames, lists anew or merges meanwhile. Raises: NotFound; Refused for one and the same.

    The first is the one that has the SKU itself, also when it is a part of another by now.
    """
    skus.take_turns(tx)
    second = skus.resolve(tx, [after])[skus.sku_key(after)].id
    own = skus.holder(tx, before)
    first = skus.resolve(tx, [before])[skus.sku_key(before)].id if own is None else own
    rows = tx.run(
        """SELECT i.id, i.sku, i.kind, i.merged_into, coalesce(n.sku, '') AS merged_sku
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, sku, kind, merged_into FROM item
               WHERE merchant_id = :merchant_id AND id = k.id FOR UPDATE) i
           LEFT JOIN item n ON n.merchant_id = :merchant_id AND n.id = i.merged_into""",
        ids=sorted({first, second}),
    )
    items = {row.id: Item(*row) for row in rows}
    if len(items) < 2:
        raise Refused(f"{before} and {after} are one item; name two")
    if items[second].merged_into is not None:
        raise Refused(f"{items[second].sku} has just become a part of {items[second].merged_sku}; say it again")
    return items[first], items[second]


def require_movable(tx: Transaction, before: Item, after: Item) -> None:
    """Raises: Refused, naming all that stands in the way, each with its cure."""
    for item in (before, after):
        if item.kind == "bundle":
            raise Refused(
                f"{item.sku} is a bundle and has no stock of its own; map its listings instead: `holdfast store map`"
            )
    rows = tx.run(_OBSTACLES, before=before.id, after=after.id).scalars().all()
    if rows:
        told = [*rows[:_FEW], f"and {len(rows) - _FEW} more"] if len(rows) > _FEW else rows
        raise Refused(f"{before.sku} cannot become a part of {after.sku} yet: " + "; ".join(told))


_OBSTACLES = """
    SELECT DISTINCT 'purchase order ' || p.number || ' still brings it, see `holdfast purchase show ' || p.number || '`'
    FROM purchase_line l JOIN purchase p ON p.merchant_id = l.merchant_id AND p.id = l.purchase_id
        AND p.cancelled_at IS NULL
    WHERE l.merchant_id = :merchant_id AND l.item_id = :before AND l.ordered - l.cut - l.came > 0
    UNION ALL SELECT DISTINCT 'transfer ' || t.number || ' is not done, see `holdfast transfer show ' || t.number || '`'
    FROM (SELECT transfer_id FROM transfer_line
            WHERE merchant_id = :merchant_id AND item_id = :before AND asked > sent
        UNION SELECT transfer_id FROM transfer_line
            WHERE merchant_id = :merchant_id AND item_id = :before AND sent > came + lost) l
    JOIN transfer t ON t.merchant_id = :merchant_id AND t.id = l.transfer_id
    UNION ALL SELECT 'stocktake ' || s.number || ' counts it; post or cancel that'
    FROM (SELECT id, number FROM stocktake WHERE merchant_id = :merchant_id
        AND posted_at IS NULL AND cancelled_at IS NULL OFFSET 0) s
    WHERE EXISTS (SELECT FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = s.id
        AND item_id IN (:before, :after))
    UNION ALL SELECT 'one ' || b.unit || ' of it is ' || b.units || ' units and of the other ' || a.units
        || '; `holdfast item unit` drops one'
    FROM item_unit b JOIN item_unit a ON a.merchant_id = b.merchant_id AND a.item_id = :after AND a.unit = b.unit
        AND a.units <> b.units
    WHERE b.merchant_id = :merchant_id AND b.item_id = :before
    UNION ALL SELECT i.sku || ' is made of the other; end its recipe'
    FROM component c JOIN item i ON i.merchant_id = c.merchant_id AND i.id = c.bundle_item_id
    WHERE c.merchant_id = :merchant_id AND c.bundle_item_id = :after AND c.item_id = :before
    UNION ALL SELECT 'lock ' || b.key || ' keeps a floor of it and ' || a.key || ' one of the other for one store; '
        || 'close one: `holdfast lock release ' || b.key || ' --all`'
    FROM lock b JOIN lock a ON a.merchant_id = b.merchant_id AND a.item_id = :after AND a.grade = b.grade
        AND a.store_id IS NOT DISTINCT FROM b.store_id AND a.standing
    WHERE b.merchant_id = :merchant_id AND b.item_id = :before AND b.standing
        AND b.status IN ('requested', 'approved', 'active')
    UNION ALL SELECT 'both are expected under the reference ' || b.reference
    FROM expected b JOIN expected a ON a.merchant_id = b.merchant_id AND a.item_id = :after AND a.grade = b.grade
        AND a.reference = b.reference
    WHERE b.merchant_id = :merchant_id AND b.item_id = :before AND b.received < b.quantity
    ORDER BY 1
"""


def balances(tx: Transaction, item_id: int) -> Sequence[BalanceKey]:
    """All balance rows of an item that hold anything."""
    return [key for layer in Layer for key in _rows(tx, layer, item_id)]


def _rows(tx: Transaction, layer: Layer, item_id: int) -> Sequence[BalanceKey]:
    table, place = BALANCES[layer]
    units = " + ".join(BUCKETS[layer])
    rows = tx.run(
        f"""SELECT grade, {place} AS place FROM {table.name}
            WHERE merchant_id = :merchant_id AND item_id = :item_id AND {units} > 0""",
        item_id=item_id,
    )
    return [BalanceKey(layer, item_id, row.grade, row.place) for row in rows]


def open_pools(tx: Transaction, item_id: int) -> Sequence[int]:
    """Open pools of an item that are no locks."""
    found: Sequence[int] = (
        tx.run(
            """SELECT p.id FROM pool_item i JOIN pool p ON p.merchant_id = i.merchant_id AND p.id = i.pool_id
               WHERE i.merchant_id = :merchant_id AND i.item_id = :item_id AND i.is_open AND p.kind <> 'lock'""",
            item_id=item_id,
        )
        .scalars()
        .all()
    )
    return found


def warn_no_more(tx: Transaction, item_id: int) -> None:
    """Nobody is to be told that nothing is left of an item that became another, nor to order more of it."""
    tx.run(
        """UPDATE alert_rule SET level = NULL, window_days = NULL, changed_at = :now, changed_by = :actor
           WHERE merchant_id = :merchant_id AND item_id = :item_id AND level IS NOT NULL""",
        item_id=item_id, actor=tx.actor,
    )  # fmt: skip
    tx.run(
        """INSERT INTO alert_rule (merchant_id, item_id, kind, warehouse_id, store_id, grade, level, changed_at,
               changed_by)
           SELECT :merchant_id, :item_id, kind, warehouse_id, store_id, grade, NULL, :now, :actor FROM (
               SELECT kind, 0 AS warehouse_id, 0 AS store_id, grade
               FROM unnest(ARRAY['low_stock', 'low_cover', 'backorder_waits', 'backorder_filled']) kind
               CROSS JOIN unnest(ARRAY['good', 'minor_defect']) grade
               UNION SELECT kind, warehouse_id, store_id, grade FROM alert_rule
               WHERE merchant_id = :merchant_id AND item_id = 0) every
           ON CONFLICT DO NOTHING""",
        item_id=item_id, actor=tx.actor,
    )  # fmt: skip
    tx.run(
        """INSERT INTO replenish_item (merchant_id, item_id, is_off) VALUES (:merchant_id, :item_id, true)
           ON CONFLICT (merchant_id, item_id) DO UPDATE SET is_off = true""",
        item_id=item_id,
    )


def move(tx: Transaction, before: int, after: int, document_id: int, reason: str) -> None:
    """Everything that goes by the first item's id goes by the second's, in the transaction that moved its units.

    Raises: Refused for open orders that contain both, as components of one bundle.
    """
    ids = {"before": before, "after": after}
    _require_apart(tx, before, after)
    listings = tx.run("SELECT id FROM listing WHERE merchant_id = :merchant_id AND item_id = :before", **ids).scalars()
    marks.stale(tx, [after], listings.all(), ())  # before their rows are taken: see there for the order
    for statement in _MOVES:
        tx.run(statement, **ids)
    _move_recipes(tx, before, after)
    change = (document_id, before, "merge", after, tx.now, tx.actor, reason)
    names = ["document_id", "item_id", "kind", "other_id", "at", "actor", "reason"]
    bulk.insert(tx, tables.item_change, names, [change])


_BESIDE = """
    FROM promise b CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND order_id = b.order_id
        AND item_id = :after AND grade = b.grade AND order_line_id IS NOT DISTINCT FROM b.order_line_id OFFSET 0) a
    WHERE b.merchant_id = :merchant_id AND b.item_id = :before
"""
_MOVES = (
    "UPDATE listing SET item_id = :after WHERE merchant_id = :merchant_id AND item_id = :before",
    # One line takes of the item what it took of both: so much comes back with each that is returned.
    f"""WITH beside AS MATERIALIZED (SELECT b.order_id, b.order_line_id, b.grade,
            max(a.per_unit) + max(b.per_unit) AS per_unit {_BESIDE} GROUP BY 1, 2, 3)
        UPDATE promise p SET per_unit = k.per_unit FROM beside k WHERE p.merchant_id = :merchant_id
            AND p.order_id = k.order_id AND p.order_line_id IS NOT DISTINCT FROM k.order_line_id
            AND p.grade = k.grade AND p.item_id IN (:before, :after)""",
    "UPDATE promise SET item_id = :after WHERE merchant_id = :merchant_id AND item_id = :before",
    """UPDATE fulfilment_line f SET item_id = :after FROM promise p
       WHERE p.merchant_id = :merchant_id AND p.item_id = :after AND f.merchant_id = :merchant_id
         AND f.order_id = p.order_id AND f.promise_id = p.id AND f.item_id = :before""",
    """UPDATE lock b SET item_id = :after WHERE b.merchant_id = :merchant_id AND b.item_id = :before
           AND NOT (b.standing AND EXISTS (SELECT FROM lock a WHERE a.merchant_id = :merchant_id AND a.item_id = :after
               AND a.grade = b.grade AND a.store_id IS NOT DISTINCT FROM b.store_id AND a.standing))""",
    """UPDATE incident SET item_id = :after WHERE merchant_id = :merchant_id AND item_id = :before
           AND closed_at IS NULL""",
    """UPDATE expected b SET item_id = :after WHERE b.merchant_id = :merchant_id AND b.item_id = :before
           AND NOT EXISTS (SELECT FROM expected a WHERE a.merchant_id = :merchant_id AND a.item_id = :after
               AND a.grade = b.grade AND a.reference = b.reference)""",
    """UPDATE supplier_item b SET item_id = :after WHERE b.merchant_id = :merchant_id AND b.item_id = :before
           AND NOT EXISTS (SELECT FROM supplier_item a WHERE a.merchant_id = :merchant_id AND a.item_id = :after
               AND a.supplier_id = b.supplier_id)""",
    "UPDATE item_reference SET item_id = :after WHERE merchant_id = :merchant_id AND item_id = :before",
    """INSERT INTO item_unit (merchant_id, item_id, unit, units)
       SELECT merchant_id, :after, unit, units FROM item_unit WHERE merchant_id = :merchant_id AND item_id = :before
       ON CONFLICT DO NOTHING""",
    """UPDATE alert SET closed_at = :now WHERE merchant_id = :merchant_id AND item_id = :before
           AND closed_at IS NULL""",
    """UPDATE item SET merged_into = :after WHERE merchant_id = :merchant_id
           AND (id = :before OR merged_into = :before)""",
)


def _require_apart(tx: Transaction, before: int, after: int) -> None:
    found = tx.run(
        f"""SELECT DISTINCT coalesce(
                (SELECT number FROM store_order WHERE merchant_id = :merchant_id AND id = b.order_id),
                (SELECT effect_key FROM document WHERE merchant_id = :merchant_id AND id = b.order_id))
            {_BESIDE} AND a.waiting + a.live + b.waiting + b.live > 0 ORDER BY 1""",
        before=before,
        after=after,
    ).scalars()
    if rows := found.all():
        raise Refused(
            f"one line of {', '.join(rows[:_FEW])} wants units of both, as parts of one bundle; ship or cancel it first"
        )


def _move_recipes(tx: Transaction, before: int, after: int) -> None:
    """Bundles and kits that contain the first contain the second. Raises: Refused for a kit that is in stock."""
    rows = tx.run(
        """SELECT c.bundle_item_id, i.kind, c.item_id, c.grade, c.quantity FROM component c
           JOIN item i ON i.merchant_id = c.merchant_id AND i.id = c.bundle_item_id
           WHERE c.merchant_id = :merchant_id AND c.bundle_item_id <> :before AND EXISTS (SELECT FROM component w
               WHERE w.merchant_id = :merchant_id AND w.bundle_item_id = c.bundle_item_id AND w.item_id = :before)""",
        before=before,
    ).all()
    found: dict[tuple[int, str], dict[Stocked, int]] = {}
    for row in rows:
        parts = found.setdefault((row.bundle_item_id, row.kind), {})
        one = Stocked(after if row.item_id == before else row.item_id, row.grade)
        parts[one] = parts.get(one, 0) + row.quantity
    recipes.set_recipes(
        tx, {item_id: Recipe(kind, [Part(*part) for part in parts.items()]) for (item_id, kind), parts in found.items()}
    )

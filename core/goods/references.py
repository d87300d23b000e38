"""What others call an item: barcodes, and numbers of any other kind that a merchant names.

A value belongs to one item per kind. Suppliers' numbers are terms of the supplier, see ``core.supply.suppliers``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import NotFound, Refused
from core.goods import skus
from core.goods.barcodes import require_gtin
from core.transaction import Transaction

BARCODE = "barcode"
_LONGEST_KIND, _LONGEST = 40, 200


@dataclass(frozen=True, slots=True)
class Reference:
    """``value`` as it was entered; ``kind``: "barcode", or any word."""

    kind: str
    value: str
    made_at: datetime
    made_by: str


def put(tx: Transaction, item_id: int, kind: str, value: str) -> bool:
    """Say what others call an item. Returns: False when it was called so already.

    Raises: Refused for a barcode whose check digit is wrong, and for what another item is called.
    """
    kind, value = _tidy(kind), value.strip()
    key = _key(kind, value)
    skus.take_turns(tx)
    _refuse_others(tx, item_id, value)
    made = tx.run(
        """INSERT INTO item_reference (merchant_id, kind, key, value, item_id, made_at, made_by)
           VALUES (:merchant_id, :kind, :key, :value, :item_id, :now, :actor)
           ON CONFLICT (merchant_id, kind, key) DO NOTHING""",
        kind=kind, key=key, value=value, item_id=item_id, actor=tx.actor,
    ).rowcount  # fmt: skip
    if made:
        return True
    owner = tx.run(
        """SELECT i.id, i.sku FROM item_reference r JOIN item i ON i.merchant_id = r.merchant_id AND i.id = r.item_id
           WHERE r.merchant_id = :merchant_id AND r.kind = :kind AND r.key = :key""",
        kind=kind, key=key,
    ).one()  # fmt: skip
    if owner.id != item_id:
        cure = f"take it away there first: `holdfast item reference {owner.sku} --drop {kind}={value}`"
        raise Refused(f"{kind} {value} is {owner.sku}'s; {cure}")
    return False


def drop(tx: Transaction, item_id: int, kind: str, value: str) -> None:
    """Raises: NotFound, naming what the item is called."""
    kind = _tidy(kind)
    gone = tx.run(
        """DELETE FROM item_reference WHERE merchant_id = :merchant_id AND kind = :kind AND key = :key
             AND item_id = :item_id""",
        kind=kind, key=_key(kind, value.strip()), item_id=item_id,
    ).rowcount  # fmt: skip
    if not gone:
        known = ", ".join(f"{one.kind}={one.value}" for one in of_item(tx, item_id)) or "none"
        raise NotFound(f"the item has no {kind} {value.strip()}; its references: {known}")


def drop_all(tx: Transaction, kind: str, values: Collection[tuple[int, str]]) -> None:
    """Nobody calls these items so any more, each given with its item's id; what no item is called is no matter."""
    kind = _tidy(kind)
    tx.run(
        """DELETE FROM item_reference r USING unnest(CAST(:ids AS bigint[]), CAST(:keys AS text[])) k (item_id, key)
           WHERE r.merchant_id = :merchant_id AND r.kind = :kind AND r.key = k.key AND r.item_id = k.item_id""",
        kind=kind, ids=[item_id for item_id, _ in values], keys=[_key(kind, value.strip()) for _, value in values],
    )  # fmt: skip


def of_item(tx: Transaction, item_id: int) -> Sequence[Reference]:
    """By kind and value."""
    rows = tx.run(
        """SELECT kind, value, made_at, made_by FROM item_reference
           WHERE merchant_id = :merchant_id AND item_id = :item_id ORDER BY kind, key""",
        item_id=item_id,
    )
    return [Reference(*row) for row in rows]


def refuse_taken(tx: Transaction, sku: str, item_id: int | None = None) -> None:
    """Raises: Refused when a reference of another item than this one is written like ``sku``."""
    for called in skus.by_references(tx, [sku]).get(skus.sku_key(sku), ()):
        if called.item.id != item_id and not called.is_suppliers:
            raise Refused(
                f"{sku} is the {called.kind} of {called.item.sku} and as a SKU would mean two items; choose another or "
                f"`holdfast item reference {called.item.sku} --drop {called.kind}={sku}`"
            )


def _refuse_others(tx: Transaction, item_id: int, value: str) -> None:
    other = skus.find(tx, [value]).get(skus.sku_key(value))
    if other is not None and other.id != item_id:
        raise Refused(f"{value} is or was the SKU of {other.sku}, so as a reference it would mean two items")


def _tidy(kind: str) -> str:
    name = kind.strip().casefold()
    if not name or len(name) > _LONGEST_KIND or not name.isprintable() or set(name) & set("= "):
        raise Refused(f"the kind of a reference is a word of at most {_LONGEST_KIND} letters, like barcode or asin")
    return name


def _key(kind: str, value: str) -> str:
    if not value or len(value) > _LONGEST or not value.isprintable():
        raise Refused(f"a reference is one line of 1 to {_LONGEST} letters, like barcode=4006381333931")
    return require_gtin(value) if kind == BARCODE else skus.sku_key(value)

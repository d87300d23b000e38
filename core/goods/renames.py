"""Items get other SKUs. Whatever refers to an item goes by its id, so nothing of it moves.

By an earlier SKU it is found as before, unless another item has that now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.exc import IntegrityError

from core import bulk, tables
from core.errors import NotFound, Refused
from core.goods import references, skus
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Former:
    """An item was called ``sku`` until then."""

    sku: str
    until: datetime
    renamed_by: str


class _Named(NamedTuple):
    id: int
    sku: str
    key: str


def rename(tx: Transaction, code: str, sku: str) -> bool:
    """Give an item another SKU. Returns: False when it has it already.

    Raises: NotFound; Refused for a SKU that another item has, with the cure, or that is none.
    """
    sku = skus.read_sku(sku)
    skus.take_turns(tx)
    item_id = skus.resolve(tx, [code])[skus.sku_key(code)].id
    item = _locked(tx, [item_id])[item_id]
    if item.sku == sku:
        return False
    references.refuse_taken(tx, sku, item_id)
    if (other := skus.holder(tx, sku)) is not None and other != item_id:
        raise _taken(tx, item, other)
    _remember(tx, [item])
    try:
        _write(tx, item_id, sku)
    except IntegrityError as error:  # somebody gave it to another item between our look and our write
        raise Refused(f"another item has just got the SKU {sku}; `holdfast item show {sku}` shows it") from error
    return True


def swap(tx: Transaction, first: str, second: str) -> None:
    """Two items exchange their SKUs in one act; either may be merged into the other. Raises: NotFound; Refused."""
    skus.take_turns(tx)
    ids = [skus.holder(tx, code) for code in (first, second)]
    for code, found in zip((first, second), ids, strict=True):
        if found is None:
            raise NotFound(f"no item has SKU {code} now; say SKUs that items have, not what they were called before")
    items = _locked(tx, [found for found in ids if found is not None])
    if len(items) < 2:
        raise Refused("say two different items; their SKUs are exchanged")
    if {item.key for item in items.values()} != {skus.sku_key(first), skus.sku_key(second)}:
        raise Refused("one of them was renamed meanwhile; look at both and say it again")
    one, other = items
    _remember(tx, items.values())
    tx.run(
        "UPDATE item SET sku_key = chr(31) || id WHERE merchant_id = :merchant_id AND id = :id", id=one
    )  # a key that no SKU can have, since two rows are never written in one moment
    _write(tx, other, items[one].sku)
    _write(tx, one, items[other].sku)


def history(tx: Transaction, item_id: int) -> Sequence[Former]:
    """What an item was called before, the newest first."""
    rows = tx.run(
        """SELECT sku, until, renamed_by FROM item_rename WHERE merchant_id = :merchant_id AND item_id = :item_id
           ORDER BY until DESC, id DESC""",
        item_id=item_id,
    )
    return [Former(*row) for row in rows]


def _locked(tx: Transaction, item_ids: Sequence[int]) -> Mapping[int, _Named]:
    """Nobody else renames these until this transaction ends; taken in the order of their ids."""
    rows = tx.run(
        """SELECT i.id, i.sku, i.sku_key FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, sku, sku_key FROM item
               WHERE merchant_id = :merchant_id AND id = k.id FOR UPDATE) i""",
        ids=sorted(item_ids),
    )
    return {row[0]: _Named(*row) for row in rows}


def _remember(tx: Transaction, items: Iterable[_Named]) -> None:
    """Note what they are called until now."""
    rows = [(tx.new_id(), item.id, item.sku, item.key, tx.now, tx.actor) for item in items]
    bulk.insert(tx, tables.item_rename, ["id", "item_id", "sku", "sku_key", "until", "renamed_by"], rows)


def _write(tx: Transaction, item_id: int, sku: str) -> None:
    tx.run(
        "UPDATE item SET sku = :sku, sku_key = :key WHERE merchant_id = :merchant_id AND id = :id",
        id=item_id, sku=sku, key=skus.sku_key(sku),
    )  # fmt: skip


def _taken(tx: Transaction, item: _Named, other_id: int) -> Refused:
    other = tx.run(
        "SELECT sku, title, merged_into FROM item WHERE merchant_id = :merchant_id AND id = :id", id=other_id
    ).one()
    exchange = f"`holdfast item rename {item.sku} {other.sku} --swap` exchanges the two"
    if other.merged_into is not None:
        return Refused(f"{other.sku} is the SKU of an item that became part of another; {exchange}")
    more = f"`holdfast item merge {item.sku} --into {other.sku}` makes them one"
    return Refused(f"{other.sku} ({other.title or 'no title'}) has that SKU already; {exchange}, {more}")

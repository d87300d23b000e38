"""Items by the codes that people write, many at a time: the one look-up of all commands.

A code is, in this order: the SKU of an item, a SKU that an item had before, or what others call it (a barcode or
another reference, a supplier's number). What was merged into another item is found as that one.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from core.errors import NotFound, Refused
from core.goods.barcodes import gtin
from core.transaction import Transaction

_NAMED = 5
_LONGEST = 200
_NUMBER_OF = "number of "


def sku_key(sku: str) -> str:
    """The form in which SKUs are compared: codes that differ only in case or outer blanks are one item."""
    return sku.strip().casefold()


def read_sku(sku: str) -> str:
    """A SKU as it is kept. Raises: Refused for what is none."""
    sku = sku.strip()
    require_line("SKU", sku)
    if not sku:
        raise Refused("an item needs a SKU: the code by which stores and people name it")
    return sku


def require_line(name: str, text: str) -> None:
    """Raises: Refused for what is too long, or more than one line."""
    if len(text) > _LONGEST or not text.isprintable():
        raise Refused(f"a {name} is at most {_LONGEST} letters in one line")


class SkuItem(NamedTuple):
    """``kind`` is "plain", "bundle" or "kit"."""

    id: int
    sku: str
    kind: str


# An item that ``i`` is, or has become a part of. Looked up by the bare column: by an expression no index is asked.
_ITEM = "coalesce(n.id, i.id), coalesce(n.sku, i.sku) AS sku, coalesce(n.kind, i.kind)"
_OWN = "id, sku, kind, merged_into"
_NOW = """LEFT JOIN LATERAL (SELECT id, sku, kind FROM item
    WHERE merchant_id = :merchant_id AND id = i.merged_into OFFSET 0) n ON true"""


def find(tx: Transaction, skus: Iterable[str]) -> dict[str, SkuItem]:
    """Items by ``sku_key`` of the SKUs that they have or had; those that are not there are left out."""
    keys = {sku_key(sku) for sku in skus}
    rows = tx.run(
        f"""SELECT k.key, {_ITEM} FROM unnest(CAST(:keys AS text[])) k (key)
            CROSS JOIN LATERAL (SELECT {_OWN} FROM item
                WHERE merchant_id = :merchant_id AND sku_key = k.key OFFSET 0) i {_NOW}""",
        keys=sorted(keys),
    )
    found = {row[0]: SkuItem(*row[1:]) for row in rows}
    if missing := keys - found.keys():
        found.update(_former(tx, missing))
    return found


def holder(tx: Transaction, sku: str) -> int | None:
    """The item that has this very SKU now, be it part of another or not."""
    found: int | None = tx.run(
        "SELECT id FROM item WHERE merchant_id = :merchant_id AND sku_key = :key", key=sku_key(sku)
    ).scalar_one_or_none()
    return found


def own(tx: Transaction, sku: str) -> int | None:
    """The item that has this very SKU now, or else had it last, be it part of another or not."""
    if (item_id := holder(tx, sku)) is not None:
        return item_id
    found: int | None = tx.run(
        """SELECT item_id FROM item_rename WHERE merchant_id = :merchant_id AND sku_key = :key
           ORDER BY until DESC, id DESC LIMIT 1""",
        key=sku_key(sku),
    ).scalar_one_or_none()
    return found


def take_turns(tx: Transaction) -> None:
    """Renames, merges, splits and new references wait for each other until their transactions end; before all rows."""
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.items', :merchant_id))")


def keep(tx: Transaction, skus: Iterable[str]) -> dict[str, SkuItem]:
    """The same, and until this transaction ends none of the items becomes a part of another."""
    wanted = list(skus)
    while True:
        found = find(tx, wanted)
        if not _merged(tx, {item.id for item in found.values()}):
            return found


def keep_one(tx: Transaction, item_id: int) -> int:
    """The item that this one is now, which it stays until this transaction ends."""
    while merged := _merged(tx, {item_id}):
        item_id = merged[item_id]
    return item_id


def _merged(tx: Transaction, item_ids: Collection[int]) -> Mapping[int, int]:
    """Those of the items that are part of another, with that one; the others stay as they are from now on."""
    # All of them are asked for: a condition would be looked at before a row is locked, and could hold no more after it.
    rows = tx.run(
        """SELECT i.id, i.merged_into FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, merged_into FROM item
               WHERE merchant_id = :merchant_id AND id = k.id FOR KEY SHARE) i""",
        ids=sorted(item_ids),
    )
    return {row.id: row.merged_into for row in rows if row.merged_into is not None}


def _former(tx: Transaction, keys: Collection[str]) -> Mapping[str, SkuItem]:
    """By SKUs that nobody has now: the item that had it last."""
    rows = tx.run(
        f"""SELECT k.key, {_ITEM} FROM unnest(CAST(:keys AS text[])) k (key)
            CROSS JOIN LATERAL (SELECT item_id FROM item_rename WHERE merchant_id = :merchant_id AND sku_key = k.key
                ORDER BY until DESC, id DESC LIMIT 1) r
            CROSS JOIN LATERAL (SELECT {_OWN} FROM item
                WHERE merchant_id = :merchant_id AND id = r.item_id OFFSET 0) i {_NOW}""",
        keys=sorted(keys),
    )
    return {row[0]: SkuItem(*row[1:]) for row in rows}


class Called(NamedTuple):
    """What somebody calls an item: ``kind`` is that of a reference, or "number of CODE" for a supplier's."""

    item: SkuItem
    kind: str

    @property
    def is_suppliers(self) -> bool:
        return self.kind.startswith(_NUMBER_OF)


def by_references(tx: Transaction, codes: Iterable[str]) -> dict[str, list[Called]]:
    """What is called so by others, by ``sku_key`` of the codes; unknown ones are left out."""
    asked = {sku_key(code): code.strip() for code in codes}
    rows = tx.run(
        f"""SELECT k.key, {_ITEM}, c.said FROM
                unnest(CAST(:keys AS text[]), CAST(:codes AS text[]), CAST(:barcodes AS text[])) k (key, code, barcode)
            CROSS JOIN LATERAL (
                SELECT item_id, kind AS said FROM item_reference WHERE merchant_id = :merchant_id AND key = k.key
                    AND kind <> 'barcode'
                UNION ALL SELECT item_id, kind FROM item_reference WHERE merchant_id = :merchant_id
                    AND kind = 'barcode' AND key = k.barcode
                UNION ALL SELECT si.item_id, :number_of || s.code FROM supplier_item si
                    CROSS JOIN LATERAL (SELECT code FROM supplier
                        WHERE merchant_id = :merchant_id AND id = si.supplier_id OFFSET 0) s
                    WHERE si.merchant_id = :merchant_id AND si.supplier_sku = k.code
                        AND si.supplier_sku <> '') c
            CROSS JOIN LATERAL (SELECT {_OWN} FROM item
                WHERE merchant_id = :merchant_id AND id = c.item_id OFFSET 0) i {_NOW}
            ORDER BY k.key, sku, c.said""",
        keys=list(asked),
        codes=list(asked.values()),
        barcodes=[gtin(code) or "" for code in asked],
        number_of=_NUMBER_OF,
    )
    found: dict[str, list[Called]] = {}
    for key, *item, said in rows:
        found.setdefault(key, []).append(Called(SkuItem(*item), said))
    return found


def look_up(tx: Transaction, codes: Collection[str]) -> dict[str, SkuItem]:
    """Items by ``sku_key`` of what they are called, by us or by others; those that are not there are left out.

    Raises: Refused for a code that means several items.
    """
    found = find(tx, codes)
    if unknown := [code for code in codes if sku_key(code) not in found]:
        for key, called in by_references(tx, unknown).items():
            found[key] = _the_one(key, called)
    return found


def resolve(tx: Transaction, skus: Iterable[str]) -> dict[str, SkuItem]:
    """The same for codes that must all be there.

    Raises: NotFound, naming the unknown codes, each with one that is near; Refused for a code that means several items.
    """
    wanted = list(skus)
    found = look_up(tx, wanted)
    if unknown := list(dict.fromkeys(sku for sku in wanted if sku_key(sku) not in found)):
        named = ", ".join(_with_near(tx, unknown))
        raise NotFound(f"no item has {named}; `holdfast item list` shows all")
    return found


def _the_one(code: str, called: Collection[Called]) -> SkuItem:
    (first, *others) = {one.item.id: one.item for one in called}.values()
    if others:
        means = " and ".join(f"{one.item.sku} ({one.kind})" for one in called)
        raise Refused(f"{code} is ambiguous: it means {means}; say the SKU")
    return first


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

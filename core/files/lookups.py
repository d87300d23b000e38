"""What names in files mean, many at a time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from core.catalog import sku_key
from core.files import cells
from core.files.cells import BadCell
from core.files.columns import Problem, Record
from core.files.units import problem
from core.goods import skus
from core.goods.skus import SkuItem
from core.stock import GOOD, Spot, Stocked
from core.supply import suppliers
from core.supply.suppliers import Supplier
from core.transaction import Transaction


class Items(NamedTuple):
    """``by_key``: items by ``sku_key`` of what rows call them; ``near``: of unknown ones, by key, what looks alike.

    ``ambiguous``: what codes mean that mean several items.
    """

    by_key: Mapping[str, SkuItem]
    near: Mapping[str, str]
    ambiguous: Mapping[str, str]

    def find(self, record: Record, column: str = "sku") -> SkuItem | Problem:
        """The item that a row names, or what to say where there is none."""
        code = record.values[column]
        key = sku_key(code)
        item = self.by_key.get(key)
        if key in self.ambiguous:
            return problem(record, column, f"it means {self.ambiguous[key]}; write the SKU")
        if item is None:
            hint = f"did you mean {self.near[key]}? Else " if key in self.near else ""
            return problem(record, column, f"no item has this SKU; {hint}`holdfast item add {code}` makes one")
        return item

    def stocked(self, record: Record) -> Stocked | Problem:
        """What a row names and there can be units of: no bundle."""
        item = self.find(record)
        if isinstance(item, Problem):
            return item
        if item.kind == "bundle":
            cure = f"it is a bundle; name what it is made of: `holdfast item show {item.sku}` tells"
            return problem(record, "sku", cure)
        return Stocked(item.id, record.values.get("grade") or GOOD)


def items(tx: Transaction, codes: Collection[str], supplier_id: int | None = None) -> Items:
    """Items by their SKUs, by what this supplier calls them, or by what anybody else does; the first that there is."""
    found = skus.find(tx, codes)
    if supplier_id is not None:
        theirs = suppliers.skus_by_code(tx, supplier_id, [code for code in codes if sku_key(code) not in found])
        own = skus.find(tx, theirs.values())
        found |= {sku_key(code): own[sku_key(sku)] for code, sku in theirs.items()}
    called = skus.by_references(tx, [code for code in codes if sku_key(code) not in found])
    ambiguous = {}
    for key, some in called.items():
        if len({one.item.id for one in some}) > 1:
            ambiguous[key] = " and ".join(f"{one.item.sku} ({one.kind})" for one in some)
        else:
            found[key] = some[0].item
    unknown = sorted({sku_key(code) for code in codes} - found.keys() - ambiguous.keys())
    rows = tx.run(
        """SELECT k.key, n.sku FROM unnest(CAST(:keys AS text[]), CAST(:starts AS text[])) k (key, start)
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND sku_key >= k.start
               AND sku_key < k.start || chr(65533) ORDER BY sku_key LIMIT 1) n""",
        keys=unknown, starts=[key[:3] for key in unknown],
    )  # fmt: skip
    return Items(found, {row.key: row.sku for row in rows}, ambiguous)


class Place(NamedTuple):
    """``bin_code``: empty for the default bin. ``frozen``: it is being counted."""

    spot: Spot
    name: str
    frozen: bool


class Places(NamedTuple):
    """``by_name``: by code of the warehouse and of the bin, as files write them; ``first``: the default warehouse's."""

    by_name: Mapping[tuple[str, str], Place]
    first: str
    warehouses: Mapping[str, int]

    def find(self, record: Record) -> Place | Problem:
        """What the columns warehouse and bin name; the default ones where they are empty."""
        code, bin_code = record.values["warehouse"] or self.first, record.values["bin"] or ""
        place = self.by_name.get((code, bin_code))
        if place is not None:
            return place
        if code not in self.warehouses:
            return problem(record, "warehouse", f"there is no such warehouse; there are {', '.join(self.warehouses)}")
        return problem(record, "bin", f"there is no such bin; `holdfast bin add {code}/{bin_code}` makes it")

    def warehouse(self, record: Record, column: str = "warehouse") -> int | Problem:
        code = record.values[column] or self.first
        if code in self.warehouses:
            return self.warehouses[code]
        return problem(record, column, f"there is no such warehouse; there are {', '.join(self.warehouses)}")


def places(tx: Transaction, named: Iterable[tuple[str, str]], first_id: int) -> Places:
    """Args: named: codes of warehouses and bins (empty: the default one). first_id: of the default warehouse."""
    known = tx.run("SELECT code, id FROM warehouse WHERE merchant_id = :merchant_id ORDER BY code").all()
    codes = {row.code: row.id for row in known}
    first = next(code for code, warehouse_id in codes.items() if warehouse_id == first_id)
    wanted = sorted({(code or first, bin_code or "") for code, bin_code in named})
    there = [pair for pair in wanted if pair[0] in codes]
    rows = tx.run(
        """SELECT k.warehouse_id, k.code AS wanted, b.id, b.code, b.frozen
           FROM unnest(CAST(:warehouses AS bigint[]), CAST(:codes AS text[])) k (warehouse_id, code)
           CROSS JOIN LATERAL (
               SELECT id, code, frozen FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = k.warehouse_id
                   AND code = k.code
               UNION ALL SELECT id, code, frozen FROM bin WHERE merchant_id = :merchant_id
                   AND warehouse_id = k.warehouse_id AND is_default AND k.code = '') b""",
        warehouses=[codes[code] for code, _ in there], codes=[bin_code for _, bin_code in there],
    )  # fmt: skip
    names = {warehouse_id: code for code, warehouse_id in codes.items()}
    found = {
        (names[row.warehouse_id], row.wanted): Place(
            Spot(row.warehouse_id, row.id), f"{names[row.warehouse_id]}/{row.code}", row.frozen
        )
        for row in rows
    }
    return Places(found, first, codes)


def supplier(record: Record, said: str, known: Sequence[Supplier]) -> Supplier | Problem:
    """Who sends goods, by its code, or by a name that only one has."""
    found = [one for one in known if one.code == said] or [one for one in known if one.name.lower() == said.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        return problem(record, "supplier", "several suppliers have this name; write the code of one")
    return problem(
        record, "supplier", f"no supplier has this code or name; `holdfast supplier add {said}` makes one"
    )  # fmt: skip


def cost(record: Record, currency: str) -> int | Problem | None:
    """What one unit costs, in the smallest unit of a currency; None: the row does not say."""
    text = record.values["cost"]
    try:
        return cells.minor(text, currency) if text else None
    except BadCell as bad:
        return problem(record, "cost", str(bad))


def stores(tx: Transaction) -> Mapping[str, int]:
    """By name."""
    return dict(tuple(row) for row in tx.run("SELECT name, id FROM store WHERE merchant_id = :merchant_id"))


def no_store(record: Record, known: Collection[str]) -> Problem | None:
    """What to say of the store that a row names where there is none."""
    if record.values["store"] in known:
        return None
    return problem(record, "store", f"there is no such store; there are {', '.join(sorted(known))}")


def orders(tx: Transaction, numbers: Collection[str]) -> set[str]:
    """Those of these numbers that purchase orders have."""
    rows = tx.run(
        """SELECT k.number FROM unnest(CAST(:numbers AS text[])) k (number)
           CROSS JOIN LATERAL (SELECT FROM purchase
               WHERE merchant_id = :merchant_id AND number = k.number OFFSET 0) p""",
        numbers=sorted(numbers),
    )
    return set(rows.scalars())


def no_order(record: Record, column: str) -> Problem:
    return problem(
        record, column, "there is no such purchase order; `holdfast purchase list --all` shows those there are"
    )


def names(tx: Transaction, table: str, column: str, ids: Iterable[int]) -> Mapping[int, str]:
    """What rows of a table are called, by id."""
    rows = tx.run(
        f"""SELECT k.id, t.{column} AS name FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT {column} FROM {table} WHERE merchant_id = :merchant_id AND id = k.id
                OFFSET 0) t""",
        ids=sorted(set(ids)),
    )
    return {row.id: row.name for row in rows}


def standing(tx: Transaction, item_ids: Iterable[int], *, but: str = "") -> Mapping[int, str]:
    """SKUs by item, of those that are not part of another by now, and not of the kind ``but``."""
    rows = tx.run(
        """SELECT k.id, i.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT sku, merged_into, kind FROM item WHERE merchant_id = :merchant_id AND id = k.id
               OFFSET 0) i
           WHERE i.merged_into IS NULL AND i.kind <> :but""",
        ids=sorted(set(item_ids)), but=but,
    )  # fmt: skip
    return {row.id: row.sku for row in rows}


def bin_names(tx: Transaction, ids: Iterable[int]) -> Mapping[int, tuple[str, str]]:
    """Codes of the warehouse and of the bin, by its id."""
    rows = tx.run(
        """SELECT k.id, w.code AS warehouse, b.code FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT code, warehouse_id FROM bin WHERE merchant_id = :merchant_id AND id = k.id
               OFFSET 0) b
           CROSS JOIN LATERAL (SELECT code FROM warehouse WHERE merchant_id = :merchant_id AND id = b.warehouse_id
               OFFSET 0) w""",
        ids=sorted(set(ids)),
    )
    return {row.id: (row.warehouse, row.code) for row in rows}

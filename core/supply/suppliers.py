"""Suppliers: who sends us goods, how long that takes, in which packs and for how much."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.errors import NotFound, Refused
from core.goods import items
from core.transaction import Transaction

_LONGEST = 120
_CURRENCY = re.compile(r"[A-Z]{3}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
CASE = "case"


@dataclass(frozen=True, slots=True)
class Supplier:
    """``lead_days``: from an order to its arrival; None: nobody said.

    ``counts``: it has a rule of its own on goods that may be sold before they are here: ``count_days``, None for never.
    """

    id: int
    code: str
    name: str
    email: str
    currency: str
    lead_days: int | None
    counts: bool
    count_days: int | None


# What may be said of a supplier, beside its code.
TERMS = ("name", "email", "currency", "lead_days")
ITEM_TERMS = ("supplier_sku", "pack_size", "least_units", "lead_days", "cost_minor")


def add(tx: Transaction, code: str, terms: Mapping[str, object]) -> int:
    """A new supplier; ``terms`` by the names in ``TERMS``. Returns: its id. Raises: Refused."""
    code = code.strip()
    if not code or any(letter.isspace() or not letter.isprintable() for letter in code) or len(code) > _LONGEST:
        raise Refused("a supplier's code is a short word without spaces, like ACME")
    terms = {"name": code, "email": "", "currency": "EUR", "lead_days": None, **terms}
    _require(terms)
    supplier_id = tx.new_id()
    made = tx.run(
        """INSERT INTO supplier
               (merchant_id, id, code, name, email, currency, lead_days, counts, count_days, created_at)
           VALUES (:merchant_id, :id, :code, :name, :email, :currency, :lead_days, false, NULL, :now)
           ON CONFLICT (merchant_id, code) DO NOTHING""",
        id=supplier_id, code=code, **terms,
    )  # fmt: skip
    if not made.rowcount:
        raise Refused(f"there is a supplier {code} already; `holdfast supplier set {code}` changes it")
    return supplier_id


def change(tx: Transaction, code: str, terms: Mapping[str, object]) -> bool:
    """Say something else of a supplier; returns False when all of it was so. Raises: NotFound; Refused."""
    supplier = find(tx, code)
    _require(terms)
    if not terms:
        return False
    values = ", ".join(f"{name} = :{name}" for name in terms)
    differs = " OR ".join(f"{name} IS DISTINCT FROM :{name}" for name in terms)
    changed = tx.run(
        f"UPDATE supplier SET {values} WHERE merchant_id = :merchant_id AND id = :id AND ({differs})",
        id=supplier.id, **terms,
    )  # fmt: skip
    return bool(changed.rowcount)


def _require(terms: Mapping[str, object]) -> None:
    """Raises: Refused for the first term that cannot be."""
    name, email, currency = (str(terms.get(one) or "") for one in TERMS[:3])
    if "name" in terms and (not name.strip() or len(name) > _LONGEST or not name.isprintable()):
        raise Refused(f"a supplier's name is one line of at most {_LONGEST} letters")
    if email and not _EMAIL.fullmatch(email):
        raise Refused(f"{email} is no e-mail address; name the company's desk, like orders@acme.example")
    if "currency" in terms and not _CURRENCY.fullmatch(currency):
        raise Refused(f"a currency is three capital letters as in ISO 4217, like EUR, not {currency}")
    _require_days(terms.get("lead_days"))


def _require_days(days: object) -> None:
    if days is not None and not (isinstance(days, int) and 0 <= days <= 1000):
        raise Refused("lead days are 0 to 1,000")


_COLUMNS = "id, code, name, email, currency, lead_days, counts, count_days"


def find(tx: Transaction, code: str) -> Supplier:
    """Raises: NotFound, naming those that there are."""
    row = tx.run(
        f"SELECT {_COLUMNS} FROM supplier WHERE merchant_id = :merchant_id AND code = :code", code=code.strip()
    ).one_or_none()
    if row is None:
        known = ", ".join(one.code for one in every(tx)[:10])
        cure = f"there are {known}" if known else "none is known: `holdfast supplier add CODE` makes one"
        raise NotFound(f"there is no supplier {code}; {cure}")
    return Supplier(**row._mapping)


def get(tx: Transaction, supplier_id: int) -> Supplier:
    row = tx.run(f"SELECT {_COLUMNS} FROM supplier WHERE merchant_id = :merchant_id AND id = :id", id=supplier_id).one()
    return Supplier(**row._mapping)


def every(tx: Transaction) -> Sequence[Supplier]:
    """All suppliers by code."""
    rows = tx.run(f"SELECT {_COLUMNS} FROM supplier WHERE merchant_id = :merchant_id ORDER BY code")
    return [Supplier(**row._mapping) for row in rows]


# ---- what they bring


class SupplierItem(NamedTuple):
    """``pack_size``: sale units in one of its cases. ``least_units``: the fewest that it sells.

    ``cost_minor``: of one sale unit, in the smallest unit of the supplier's currency; None: nobody said.
    """

    item_id: int
    sku: str
    supplier_sku: str
    pack_size: int
    least_units: int
    lead_days: int | None
    cost_minor: int | None


def put_item(tx: Transaction, supplier_id: int, item_id: int, terms: Mapping[str, object]) -> None:
    """The supplier brings this item; ``terms`` by the names in ``ITEM_TERMS``, what is not said stays.

    Raises: Refused.
    """
    _require_item(tx, supplier_id, item_id, terms)
    said = {"supplier_sku": "", "pack_size": _case_of(tx, item_id) or 1, "least_units": 1, **terms}
    said = {"lead_days": None, "cost_minor": None} | said
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in terms) or "item_id = EXCLUDED.item_id"
    tx.run(
        f"""INSERT INTO supplier_item (merchant_id, supplier_id, item_id, {", ".join(ITEM_TERMS)})
            VALUES (:merchant_id, :supplier_id, :item_id, {", ".join(f":{name}" for name in ITEM_TERMS)})
            ON CONFLICT (merchant_id, supplier_id, item_id) DO UPDATE SET {updates}""",
        supplier_id=supplier_id, item_id=item_id, **said,
    )  # fmt: skip


def _require_item(tx: Transaction, supplier_id: int, item_id: int, terms: Mapping[str, object]) -> None:
    for name, most, words in (
        ("pack_size", items.MOST_IN_A_UNIT, "a case holds"),
        ("least_units", 1_000_000_000, "the fewest units that it sells are"),
    ):
        number = terms.get(name, 1)
        if not isinstance(number, int) or not 1 <= number <= most:
            raise Refused(f"{words} 1 to {most:,}")
    cost = terms.get("cost_minor")
    if isinstance(cost, int) and cost < 0:
        raise Refused("a cost is 0 or more")
    _require_days(terms.get("lead_days"))
    code = terms.get("supplier_sku")
    taken = tx.run(
        """SELECT i.sku FROM supplier_item s JOIN item i ON (i.merchant_id, i.id) = (s.merchant_id, s.item_id)
           WHERE s.merchant_id = :merchant_id AND s.supplier_id = :supplier_id AND s.supplier_sku = :code
             AND s.supplier_sku <> '' AND s.item_id <> :item_id""",
        supplier_id=supplier_id, item_id=item_id, code=code or "",
    ).scalar_one_or_none()  # fmt: skip
    if taken is not None:
        raise Refused(f"this supplier calls {taken} {code} already; give each item a code of its own")


def _case_of(tx: Transaction, item_id: int) -> int | None:
    return items.units_of(tx, item_id).get(CASE)


def items_of(tx: Transaction, supplier_id: int) -> Sequence[SupplierItem]:
    """What a supplier brings, by SKU."""
    rows = tx.run(
        f"""SELECT s.item_id, i.sku, {", ".join(f"s.{name}" for name in ITEM_TERMS)} FROM supplier_item s
            JOIN item i ON i.merchant_id = s.merchant_id AND i.id = s.item_id
            WHERE s.merchant_id = :merchant_id AND s.supplier_id = :supplier_id ORDER BY i.sku""",
        supplier_id=supplier_id,
    )
    return [SupplierItem(*row) for row in rows]


class Brings(NamedTuple):
    """What is known of an item at a supplier. ``pack_size``: sale units in a case, as it packs it or else as the item
    comes; None: nobody said.
    """

    pack_size: int | None
    least_units: int
    lead_days: int | None
    cost_minor: int | None


def brings(tx: Transaction, supplier_id: int, item_ids: Collection[int]) -> dict[int, Brings]:
    """By item, also for items that nobody said it brings."""
    rows = tx.run(
        """SELECT k.item_id, coalesce(s.pack_size, u.units), coalesce(s.least_units, 1), s.lead_days, s.cost_minor
           FROM unnest(CAST(:items AS bigint[])) k (item_id)
           LEFT JOIN LATERAL (SELECT * FROM supplier_item WHERE merchant_id = :merchant_id
               AND supplier_id = :supplier_id AND item_id = k.item_id OFFSET 0) s ON true
           LEFT JOIN LATERAL (SELECT units FROM item_unit WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND unit = :unit OFFSET 0) u ON true""",
        items=sorted(set(item_ids)), supplier_id=supplier_id, unit=CASE,
    )  # fmt: skip
    return {row[0]: Brings(*row[1:]) for row in rows}


def skus_by_code(tx: Transaction, supplier_id: int, codes: Collection[str]) -> dict[str, str]:
    """Our SKUs by what a supplier calls them; codes that it does not know are left out."""
    rows = tx.run(
        """SELECT k.code, i.sku FROM unnest(CAST(:codes AS text[])) k (code)
           CROSS JOIN LATERAL (SELECT item_id FROM supplier_item WHERE merchant_id = :merchant_id
               AND supplier_id = :supplier_id AND supplier_sku = k.code AND supplier_sku <> '' OFFSET 0) s
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = s.item_id OFFSET 0) i""",
        codes=sorted({code.strip() for code in codes}), supplier_id=supplier_id,
    )  # fmt: skip
    return {row.code: row.sku for row in rows}

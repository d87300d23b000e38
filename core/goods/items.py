"""Items: made by hand, with the units that they come in, and how each is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.catalog import item_id_of, sku_key
from core.errors import NotFound, Refused
from core.goods import recipes, references, skus
from core.goods.recipes import Component
from core.transaction import Transaction

MOST_IN_A_UNIT = 1_000_000


def add_item(tx: Transaction, sku: str, title: str = "") -> int:
    """Make a plain item; returns its id. Raises: Refused for a SKU that is taken or that is none."""
    sku, title = skus.read_sku(sku), title.strip()
    skus.require_line("title", title)
    references.refuse_taken(tx, sku)
    item_id = tx.new_id()
    made = tx.run(
        """INSERT INTO item (merchant_id, id, sku, sku_key, title, created_at)
           VALUES (:merchant_id, :id, :sku, :key, :title, :now) ON CONFLICT (merchant_id, sku_key) DO NOTHING""",
        id=item_id, sku=sku, key=sku_key(sku), title=title,
    ).rowcount  # fmt: skip
    if not made:
        raise Refused(f"there is an item {sku} already; `holdfast item show {sku}` shows it")
    return item_id


def set_unit(tx: Transaction, item_id: int, unit: str, units: int) -> None:
    """One ``unit``, like a case, is ``units`` (>= 1) sale units of the item. Raises: Refused."""
    if not 1 <= units <= MOST_IN_A_UNIT:
        raise Refused(f"a {unit} holds 1 to {MOST_IN_A_UNIT:,} units")
    tx.run(
        """INSERT INTO item_unit (merchant_id, item_id, unit, units) VALUES (:merchant_id, :item_id, :unit, :units)
           ON CONFLICT (merchant_id, item_id, unit) DO UPDATE SET units = EXCLUDED.units""",
        item_id=item_id, unit=_tidy_unit(unit), units=units,
    )  # fmt: skip


def drop_unit(tx: Transaction, item_id: int, unit: str) -> None:
    """Raises: NotFound."""
    gone = tx.run(
        "DELETE FROM item_unit WHERE merchant_id = :merchant_id AND item_id = :item_id AND unit = :unit",
        item_id=item_id, unit=_tidy_unit(unit),
    ).rowcount  # fmt: skip
    if not gone:
        raise NotFound(_no_such_unit(unit, units_of(tx, item_id)))


def units_of(tx: Transaction, item_id: int) -> Mapping[str, int]:
    """Sale units in each unit that the item comes in, smallest first."""
    rows = tx.run(
        """SELECT unit, units FROM item_unit WHERE merchant_id = :merchant_id AND item_id = :item_id
           ORDER BY units, unit""",
        item_id=item_id,
    )
    return {row.unit: row.units for row in rows}


def in_sale_units(tx: Transaction, item_id: int, number: int, unit: str) -> int:
    """``number`` units as they came, told in sale units. Raises: NotFound for a unit that nobody has set."""
    known = units_of(tx, item_id)
    factor = known.get(_tidy_unit(unit))
    if factor is None:
        raise NotFound(_no_such_unit(unit, known))
    return number * factor


def _tidy_unit(unit: str) -> str:
    name = unit.strip().casefold()
    if not name or len(name) > 40 or not name.isprintable() or "=" in name:
        raise Refused("a unit is a word like case or pallet")
    return name


def _no_such_unit(unit: str, known: Mapping[str, int]) -> str:
    there = f"there are: {', '.join(known)}" if known else "none is set"
    return f"the item comes in no unit {unit}; {there}; set it with `holdfast item unit SKU {unit}=24`"


@dataclass(frozen=True, slots=True)
class Card:
    """An item as it was entered. ``part_of``: SKUs of what contains it; ``listings``: how many listings sell it."""

    item_id: int
    sku: str
    title: str
    kind: str
    units: Mapping[str, int]
    components: Sequence[Component]
    part_of: Sequence[str]
    listings: int


def card(tx: Transaction, sku: str) -> Card:
    """Raises: NotFound."""
    item_id = item_id_of(tx, sku)
    row = tx.run(
        """SELECT sku, title, kind, (SELECT count(*) FROM listing WHERE merchant_id = :merchant_id AND item_id = i.id)
               AS listings FROM item i WHERE merchant_id = :merchant_id AND id = :id""",
        id=item_id,
    ).one()
    part_of = (
        tx.run(
            """SELECT DISTINCT b.sku FROM component c
               JOIN item b ON b.merchant_id = c.merchant_id AND b.id = c.bundle_item_id
               WHERE c.merchant_id = :merchant_id AND c.item_id = :id ORDER BY b.sku""",
            id=item_id,
        )
        .scalars()
        .all()
    )
    return Card(
        item_id, row.sku, row.title, row.kind, units_of(tx, item_id), recipes.components_of(tx, item_id), part_of,
        row.listings,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """An item in a list; ``free``: of its shared pool, in grade good and in all others."""

    sku: str
    title: str
    kind: str
    free: int
    free_minor_defect: int


def listed(tx: Transaction, *, kind: str = "", like: str = "", after: str = "", limit: int = 100) -> list[Listed]:
    """Items by SKU: of one kind, with a text in SKU or title, after a SKU, where these are given."""
    rows: Sequence[Any] = tx.run(
        """SELECT i.sku, i.title, i.kind, coalesce(sum(b.free) FILTER (WHERE b.grade = 'good'), 0)::bigint AS free,
               coalesce(sum(b.free) FILTER (WHERE b.grade <> 'good'), 0)::bigint AS free_minor_defect
           FROM (SELECT * FROM item WHERE merchant_id = :merchant_id AND sku_key > :after
                   AND merged_into IS NULL
                   AND (:kind = '' OR kind = :kind)
                   AND (:like = '' OR position(:like IN sku_key) > 0 OR position(:like IN lower(title)) > 0)
               ORDER BY sku_key LIMIT :limit) i
           LEFT JOIN LATERAL (SELECT s.free, s.grade FROM sales_balance s
               JOIN pool p ON p.merchant_id = s.merchant_id AND p.id = s.pool_id AND p.kind = 'shared'
               WHERE s.merchant_id = :merchant_id AND s.item_id = i.id) b ON true
           GROUP BY i.sku_key, i.sku, i.title, i.kind ORDER BY i.sku_key""",
        kind=kind, like=like.strip().lower(), after=sku_key(after), limit=limit,
    ).all()  # fmt: skip
    return [Listed(**row._mapping) for row in rows]

"""What bundles and kits are made of: checked, changed and shown.

A bundle is virtual: whoever sells it sells its components, and it has no stock of its own. A kit is assembled first and
has stock of its own. Orders keep the recipe that they were placed with.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core import bulk, marks, reading, tables
from core.errors import Refused
from core.rows import Part
from core.selling import facts
from core.selling.availability import Facts, number_to_write
from core.selling.rules import Difference
from core.stock import GOOD, GRADES, BalanceKey, Layer, Stocked
from core.transaction import Transaction
from core.writing import make_missing

PLAIN, BUNDLE, KIT = KINDS = ("plain", "bundle", "kit")
MOST_PARTS = 100  # of one recipe
MOST_PATHS = 1_000  # to the components, when all nested bundles are taken apart
MOST_UNITS = 1_000_000  # of all components of one bundle together


class Item(NamedTuple):
    sku: str
    kind: str


class _Size(NamedTuple):
    depth: int
    paths: int
    units: int


_ONE = _Size(0, 1, 1)


def check_recipe(item_id: int, items: Mapping[int, Item], recipes: Mapping[int, Sequence[Part]]) -> None:
    """May ``item_id`` be made of what ``recipes`` says? All that contain it are looked at too. Pure.

    Args:   items: everything that the recipes name. recipes: components of bundles and kits, by item; at least those
            of the item, of all that contain it, and of all that any of these is made of.
    Raises: Refused, naming the way through the recipes that is a circle or too deep.
    """
    _check_recipes([item_id], items, recipes)


def _check_recipes(item_ids: Collection[int], items: Mapping[int, Item], recipes: Mapping[int, Sequence[Part]]) -> None:
    """The same of several items."""
    for item_id in item_ids:
        _check_parts(item_id, items, recipes[item_id])
    _require_good_in({one for one in item_ids if items[one].kind == BUNDLE}, items, recipes)
    known: dict[int, _Size] = {}
    for root in recipes:
        _measure(root, (), items, recipes, known)


def _check_parts(item_id: int, items: Mapping[int, Item], parts: Sequence[Part]) -> None:
    if not 0 < len(parts) <= MOST_PARTS:
        raise Refused(f"{items[item_id].sku} needs 1 to {MOST_PARTS} different components, not {len(parts)}")
    for part in parts:
        if part.per_unit < 1 or part.stocked.grade not in GRADES:
            raise Refused(f"a component is 1 unit or more of an item, of grade {' or '.join(GRADES)}")
        if items[part.stocked.item_id].kind == BUNDLE and part.stocked.grade != GOOD:
            raise Refused(f"{items[part.stocked.item_id].sku} is a bundle, so its components say their grades")


def _require_good_in(
    bundles: Collection[int], items: Mapping[int, Item], recipes: Mapping[int, Sequence[Part]]
) -> None:
    """A bundle has no grade of its own, so nothing may contain it in one. Raises: Refused."""
    for holder, parts in recipes.items():
        if wrong := [one for one, _ in parts if one.item_id in bundles and one.grade != GOOD]:
            raise Refused(
                f"{items[wrong[0].item_id].sku} cannot become a bundle while {items[holder].sku} is made of some of "
                f"grade {wrong[0].grade}: change what {items[holder].sku} is made of first (`holdfast bundle set`)"
            )


def _measure(
    item_id: int, way: tuple[int, ...], items: Mapping[int, Item], recipes: Mapping[int, Sequence[Part]],
    known: dict[int, _Size],
) -> _Size:  # fmt: skip
    """How deep and large an item is when it is taken apart. A kit inside a bundle is not."""
    if item_id in known:
        return known[item_id]
    here, sku = (*way, item_id), items[item_id].sku
    if item_id in way:
        circle = " > ".join(items[one].sku for one in here[way.index(item_id) :])
        raise Refused(f"nothing can be made of itself: {circle}; leave one of these out")
    size = _ONE
    if parts := recipes.get(item_id):
        inside = [_measure(part.stocked.item_id, here, items, recipes, known) for part in parts]
        taken = [
            size if items[part.stocked.item_id].kind == BUNDLE else _ONE
            for part, size in zip(parts, inside, strict=True)
        ]
        size = _Size(
            1 + max(one.depth for one in taken),
            sum(one.paths for one in taken),
            sum(part.per_unit * one.units for part, one in zip(parts, taken, strict=True)),
        )
    if size.depth > reading.DEPTH:
        raise Refused(
            f"{sku} would be bundles in bundles, {size.depth} deep; {reading.DEPTH} is the most: put components of an "
            "inner one in directly"
        )
    if size.paths > MOST_PATHS or size.units > MOST_UNITS:
        raise Refused(
            f"{sku} would come to {size.paths:,} components of {size.units:,} units; at most {MOST_PATHS:,} of "
            f"{MOST_UNITS:,} can be delivered together"
        )
    known[item_id] = size
    return size


def set_recipe(tx: Transaction, item_id: int, kind: str, parts: Sequence[Part]) -> bool:
    """Make an item a bundle or a kit of ``parts``, or with another recipe than before; listings are computed again.

    Returns: False when it is that already, and nothing was written. Orders that were placed stay as they are.
    Raises:  Refused, naming the cure: a circle, too deep, or stock and promises that would lose their meaning.
    """
    return bool(set_recipes(tx, {item_id: Recipe(kind, parts)}))


class Recipe(NamedTuple):
    """What an item is to be: a bundle or a kit of ``parts``, or a plain item without any."""

    kind: str
    parts: Sequence[Part]


def set_recipes(tx: Transaction, wanted: Mapping[int, Recipe]) -> set[int]:
    """The same for several items, all of them or none. Returns: those that were something else before."""
    _lock_recipes(tx)
    items, recipes = _around(tx, wanted, {part.stocked.item_id for one in wanted.values() for part in one.parts})
    before = {item_id: Recipe(items[item_id].kind, sorted(recipes.get(item_id, ()))) for item_id in wanted}
    changed = {item_id: one for item_id, one in wanted.items() if before[item_id] != (one.kind, sorted(one.parts))}
    for item_id, (kind, parts) in changed.items():
        if len({part.stocked for part in parts}) < len(parts):
            raise Refused("a component is named twice; say each once, with all its units")
        items[item_id], recipes[item_id] = items[item_id]._replace(kind=kind), parts
    _check_recipes(changed, items, recipes)
    _require_unused(tx, _in_use(changed, before, items))
    _write(tx, changed)
    return set(changed)


def _in_use(changed: Mapping[int, Recipe], before: Mapping[int, Recipe], items: Mapping[int, Item]) -> dict[int, str]:
    """What items are refused with while there is something of them: bundles to be, and kits. Pure."""
    found = {}
    for item_id, one in changed.items():
        was = before[item_id].kind
        if one.kind == BUNDLE != was:
            found[item_id] = f"{items[item_id].sku} cannot become a bundle"
        elif was == KIT:
            found[item_id] = f"the recipe of kit {items[item_id].sku} cannot change"
    return found


def end_recipe(tx: Transaction, item_id: int) -> bool:
    """Make an item a plain one again, with stock of its own. Returns: False when it is that already."""
    _lock_recipes(tx)
    kind = tx.run("SELECT kind FROM item WHERE merchant_id = :merchant_id AND id = :id", id=item_id).scalar_one()
    if kind == PLAIN:
        return False
    _write(tx, {item_id: Recipe(PLAIN, ())})
    return True


def _lock_recipes(tx: Transaction) -> None:
    """Nobody else changes a recipe until this transaction ends: two changes could make a circle together."""
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.recipes', :merchant_id))")


def _around(
    tx: Transaction, item_ids: Collection[int], parts: Collection[int]
) -> tuple[dict[int, Item], dict[int, Sequence[Part]]]:
    """Recipes of items, of all that contain one of them, and of all that any of these or ``parts`` is made of.

    Returns: also the items that these recipes, or the caller, name.
    """
    rows = tx.run(_AROUND, ids=sorted(item_ids), parts=sorted(parts)).all()
    recipes: dict[int, list[Part]] = {}
    for row in rows:
        recipes.setdefault(row.bundle_item_id, []).append(Part(Stocked(row.item_id, row.grade), row.quantity))
    ids = {*item_ids, *parts} | {row.bundle_item_id for row in rows} | {row.item_id for row in rows}
    found = tx.run(
        """SELECT i.id, i.sku, i.kind FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
               (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i""",
        ids=sorted(ids),
    )
    return {row.id: Item(row.sku, row.kind) for row in found}, {**recipes}


_AROUND = """
    WITH RECURSIVE up AS (
        SELECT unnest(CAST(:ids AS bigint[])) AS id
        UNION SELECT c.bundle_item_id FROM up CROSS JOIN LATERAL (SELECT bundle_item_id FROM component
            WHERE merchant_id = :merchant_id AND item_id = up.id OFFSET 0) c
    ), down AS (
        (SELECT id FROM up UNION SELECT unnest(CAST(:parts AS bigint[])))
        UNION SELECT c.item_id FROM down CROSS JOIN LATERAL (SELECT item_id FROM component
            WHERE merchant_id = :merchant_id AND bundle_item_id = down.id OFFSET 0) c
    ) SELECT c.* FROM down CROSS JOIN LATERAL (SELECT bundle_item_id, item_id, grade, quantity FROM component
        WHERE merchant_id = :merchant_id AND bundle_item_id = down.id OFFSET 0) c
"""


def around(
    item_id: int, recipes: Mapping[int, Sequence[Part]], containing: Mapping[int, Iterable[int]]
) -> dict[int, Sequence[Part]]:
    """Of many recipes those that ``check_recipe`` has to see for one item. Pure.

    Args: containing: by item, at least all whose recipes name it.
    """
    up = _reached([item_id], lambda one: containing.get(one, ()))
    down = _reached(up, lambda one: [part.stocked.item_id for part in recipes.get(one, ())])
    return {one: recipes[one] for one in down if one in recipes}


def _reached(starts: Iterable[int], onward: Callable[[int], Iterable[int]]) -> set[int]:
    found, fresh = set(starts), set(starts)
    while fresh:
        fresh = {other for one in fresh for other in onward(one)} - found
        found |= fresh
    return found


def _require_unused(tx: Transaction, refusals: Mapping[int, str]) -> None:
    """Nothing of these items is there, promised or set apart, and nobody can change that before this transaction ends.

    Whoever moves or promises units holds the shared pool's row of the item, so these rows are taken first.

    Args: refusals: by item, what it is refused with. Raises: Refused for the first of which there is something.
    """
    if not refusals:
        return
    shared = tx.run("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'").scalar_one()
    keys = sorted(BalanceKey(Layer.SALES, item_id, grade, shared) for item_id in refusals for grade in GRADES)
    make_missing(tx, Layer.SALES, keys)
    reading.lock_balances(tx, Layer.SALES, keys, "FOR NO KEY UPDATE").fetchall()
    row = tx.run(_USED, ids=sorted(refusals)).one_or_none()
    if row is None:
        return
    refusal = refusals[row.item_id]
    if row.on_hand:
        raise Refused(
            f"{refusal} while {row.on_hand} units of it are on hand: bring its stock to 0 first (`holdfast bundle "
            "disassemble`, or `holdfast stock set` and `holdfast stock scrap`)"
        )
    if row.promised:
        raise Refused(f"{refusal} while {row.promised} units of it are promised: ship or release those first")
    raise Refused(f"{refusal} while it has pools or locks of its own: release or close them first: {row.pools}")


_USED = """
    SELECT k.item_id, uses.* FROM unnest(CAST(:ids AS bigint[])) k (item_id) CROSS JOIN LATERAL (
    SELECT (SELECT coalesce(sum(available + picking + unavailable), 0)::bigint FROM warehouse_balance
            WHERE merchant_id = :merchant_id AND item_id = k.item_id) AS on_hand,
        (SELECT coalesce(sum(free + reserved + sold + backordered), 0)::bigint FROM sales_balance
            WHERE merchant_id = :merchant_id AND item_id = k.item_id) AS promised,
        (SELECT string_agg(name, ', ' ORDER BY name) FROM (
            SELECT CASE WHEN standing THEN 'floor for ' || (SELECT name FROM store
                    WHERE merchant_id = :merchant_id AND id = lock.store_id) ELSE 'lock ' || key END AS name
            FROM lock WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND status IN ('requested', 'approved', 'active')
            UNION SELECT 'pool ' || p.code FROM pool_item i
                JOIN pool p ON p.merchant_id = i.merchant_id AND p.id = i.pool_id AND p.kind <> 'lock'
                WHERE i.merchant_id = :merchant_id AND i.item_id = k.item_id AND i.is_open) of_its_own) AS pools) uses
    WHERE uses.on_hand > 0 OR uses.promised > 0 OR uses.pools IS NOT NULL ORDER BY k.item_id LIMIT 1
"""


def _write(tx: Transaction, made: Mapping[int, Recipe]) -> None:
    ids = sorted(made)
    if not ids:
        return
    marks.stale(tx, ids, _listings_with(tx, ids), ())
    tx.run(
        """UPDATE item i SET kind = k.kind FROM unnest(CAST(:ids AS bigint[]), CAST(:kinds AS text[])) k (id, kind)
           WHERE i.merchant_id = :merchant_id AND i.id = k.id""",
        ids=ids, kinds=[made[item_id].kind for item_id in ids],
    )  # fmt: skip
    tx.run(
        "DELETE FROM component WHERE merchant_id = :merchant_id AND bundle_item_id = ANY(CAST(:ids AS bigint[]))",
        ids=ids,
    )
    rows = [(item_id, *part.stocked, part.per_unit) for item_id in ids for part in made[item_id].parts]
    bulk.insert(tx, tables.component, ["bundle_item_id", "item_id", "grade", "quantity"], rows)


def _listings_with(tx: Transaction, item_ids: Collection[int]) -> Sequence[int]:
    """Listings that sell one of these items, itself or in bundles."""
    ids: Sequence[int] = (
        tx.run(
            """WITH RECURSIVE sold AS (
               SELECT unnest(CAST(:ids AS bigint[])) AS id
               UNION SELECT c.bundle_item_id FROM sold s JOIN component c
                   ON c.merchant_id = :merchant_id AND c.item_id = s.id)
           SELECT l.id FROM sold s JOIN listing l ON l.merchant_id = :merchant_id AND l.item_id = s.id""",
            ids=list(item_ids),
        )
        .scalars()
        .all()
    )
    return ids


def preview(tx: Transaction, item_id: int, kind: str, parts: Sequence[Part]) -> list[Difference]:
    """Listings that would show another number with this recipe (empty: none any more). Nothing is changed or marked.

    Raises: as ``set_recipe``.
    """
    listing_ids = _listings_with(tx, [item_id])
    before = _numbers(tx, listing_ids)
    tried = tx.connection.begin_nested()
    (set_recipe(tx, item_id, kind, parts) if parts else end_recipe(tx, item_id))
    after = _numbers(tx, listing_ids)
    tried.rollback()
    return [
        Difference(row.store, row.external_id, row.sku, row.title, number_to_write(told), number_to_write(now))
        for (row, told), (_, now) in zip(before, after, strict=True)
        if number_to_write(told) != number_to_write(now)
    ]


def _numbers(tx: Transaction, listing_ids: Sequence[int]) -> list[tuple[Any, Facts]]:
    source = """SELECT x.*, s.name AS store FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
        (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id AND untracked_reason = '' OFFSET 0) x
        JOIN store s ON s.merchant_id = :merchant_id AND s.id = x.store_id ORDER BY x.store_id, x.external_id"""
    return facts.read(tx, source, ids=list(listing_ids))


@dataclass(frozen=True, slots=True)
class Component:
    """One line of a recipe; ``level``: 1 for components, 2 for those of a bundle among them, and so on."""

    sku: str
    title: str
    kind: str
    grade: str
    quantity: int
    level: int


def components_of(tx: Transaction, item_id: int) -> list[Component]:
    """A recipe as it was entered, each nested bundle followed by its own components."""
    rows = tx.run(
        """WITH RECURSIVE part AS (
               SELECT c.*, 1 AS level, ARRAY[i.sku_key, c.grade] AS way, i.sku, i.title, i.kind FROM component c
               JOIN item i ON i.merchant_id = :merchant_id AND i.id = c.item_id
               WHERE c.merchant_id = :merchant_id AND c.bundle_item_id = :id
               UNION ALL SELECT c.*, p.level + 1, p.way || i.sku_key || c.grade, i.sku, i.title, i.kind FROM part p
               JOIN component c ON c.merchant_id = :merchant_id AND c.bundle_item_id = p.item_id
               JOIN item i ON i.merchant_id = :merchant_id AND i.id = c.item_id
               WHERE p.kind = 'bundle' AND p.level < :depth
           ) SELECT sku, title, kind, grade, quantity, level FROM part ORDER BY way""",
        id=item_id, depth=reading.DEPTH,
    )  # fmt: skip
    return [Component(**row._mapping) for row in rows]

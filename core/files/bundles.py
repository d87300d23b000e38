"""Files of bundles and kits: a row for each component. What an item is made of is what the file says, and no more."""

from collections import ChainMap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from core.errors import Refused
from core.files import cells, lookups, papers
from core.files.columns import Column, Problem
from core.files.desk import ITEM, Desk, Kind
from core.files.recorded import Effect
from core.files.units import CHANGED, MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.goods import recipes
from core.goods.recipes import BUNDLE, KIT, PLAIN, Item
from core.goods.skus import SkuItem
from core.rows import Part
from core.stock import GOOD, Stocked
from core.transaction import Transaction

_PAGE = 500
_AS_IF = "made"  # what items are made of by the rows that were only tried out

COLUMNS = (
    Column("bundle", cells.text(10_000), ("bundle sku", "kit", "kit sku", "parent sku"), required=True),
    Column("kind", cells.one_of((BUNDLE, KIT))),
    Column("part", cells.text(10_000), ("part sku", "component", "component sku", "sku"), required=True),
    Column("grade", cells.grade, default=GOOD),
    Column("units", cells.whole(1, recipes.MOST_UNITS), ("units per bundle", "quantity", "qty"), default=1),
)


class _Made(NamedTuple):
    """What an item is made of: nothing where ``kind`` is plain."""

    kind: str
    parts: tuple[Part, ...]

    def as_json(self) -> list[Any]:
        return [self.kind, [[*part.stocked, part.per_unit] for part in self.parts]]


_NOTHING = _Made(PLAIN, ())


class _Known(NamedTuple):
    """What codes of the file mean, and what everything is made of, as if the rows before had been done."""

    items: lookups.Items
    named: dict[int, Item]
    made: dict[int, _Made]
    parts: dict[int, Sequence[Part]]  # of what is made
    containing: dict[int, set[int]]  # by item, what is made of it, or was before a row of the file

    def becomes(self, item_id: int, made: _Made) -> None:
        self.made[item_id], self.parts[item_id] = made, made.parts
        for part in made.parts:
            self.containing.setdefault(part.stocked.item_id, set()).add(item_id)


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``. A bundle may be named as a component before its own rows come."""
    with desk.begin() as tx:
        codes = {record.values[column] for unit in units for record in unit.records for column in ("bundle", "part")}
        items, made = lookups.items(tx, codes), _recipes(tx) | desk.seen.setdefault(_AS_IF, {})
        named = _named(tx, {*made, *(part.stocked.item_id for one in made.values() for part in one.parts)})
    known = _Known(items, named | {one.id: Item(one.sku, one.kind) for one in items.by_key.values()}, {}, {}, {})
    for item_id, one in made.items():
        known.becomes(item_id, one)
    return papers.each(desk, units, lambda at, unit: _one(at, unit, known))


def _one(desk: Desk, unit: Unit, known: _Known) -> Outcome:
    read = _read(desk, unit, known)
    if isinstance(read, Outcome):
        return read
    item, wanted = read
    before = known.made.get(item.id, _NOTHING)
    if before == wanted:
        return outcome(unit, SAME, item.sku)
    made = f"{wanted.kind} of {', '.join(_said(part, known) for part in wanted.parts)}"
    what = CHANGED if before.parts else MADE
    was = {"item_id": item.id, "was": before.as_json(), "now": wanted.as_json()}
    told = outcome(unit, what, item.sku, made, before=was)
    with desk.begin() as tx:
        if desk.tries:  # what the rows before would have changed is not there
            _check(item.id, wanted, known)
        recipes.set_recipe(tx, item.id, wanted.kind, wanted.parts)
        desk.note(tx, told)
    known.becomes(item.id, wanted)
    if desk.tries:
        desk.seen[_AS_IF][item.id] = wanted
    return told


def _read(desk: Desk, unit: Unit, known: _Known) -> tuple[SkuItem, _Made] | Outcome:
    head, problems = papers.common(unit, ("kind",))
    first, code = unit.records[0], unit.values["bundle"]
    item = known.items.find(first, "bundle")
    found = [known.items.find(record, "part") for record in unit.records]
    problems += [one for one in (item, *found) if isinstance(one, Problem)]
    if isinstance(item, Problem) or problems:
        return refused(unit, code, *problems)
    row = desk.seen.setdefault(item.id, unit.row)
    if row != unit.row:
        return refused(unit, code, problem(first, "bundle", f"row {row} says what it is made of already"))
    parts = [
        Part(Stocked(one.id, record.values["grade"]), record.values["units"])
        for record, one in zip(unit.records, found, strict=True)
        if not isinstance(one, Problem)
    ]
    twice = papers.twice(unit, [part.stocked for part in parts], "part")
    if twice:
        return refused(unit, code, *twice)
    now = known.made.get(item.id, _NOTHING).kind
    kind = head["kind"] or (BUNDLE if now == PLAIN else now)
    return item, _Made(kind, tuple(sorted(parts)))


def _check(item_id: int, wanted: _Made, known: _Known) -> None:
    """Raises: Refused where it would be made of itself, or too deep, after the rows before it."""
    seen = recipes.around(item_id, ChainMap({item_id: wanted.parts}, known.parts), known.containing)
    named = {item_id, *seen, *(part.stocked.item_id for parts in seen.values() for part in parts)}
    kinds = {one: known.named[one]._replace(kind=known.made.get(one, _NOTHING).kind) for one in named}
    recipes.check_recipe(item_id, kinds | {item_id: kinds[item_id]._replace(kind=wanted.kind)}, seen)


def _said(part: Part, known: _Known) -> str:
    grade = "" if part.stocked.grade == GOOD else f" ({part.stocked.grade})"
    return f"{part.per_unit} {known.named[part.stocked.item_id].sku}{grade}"


def _named(tx: Transaction, ids: set[int]) -> dict[int, Item]:
    return {item_id: Item(sku, PLAIN) for item_id, sku in lookups.names(tx, "item", "sku", ids).items()}


def _recipes(tx: Transaction, ids: Sequence[int] | None = None) -> dict[int, _Made]:
    """What these items, or all, are made of; those made of nothing are left out."""
    every = "(SELECT DISTINCT bundle_item_id FROM component WHERE merchant_id = :merchant_id)"
    rows = tx.run(
        f"""SELECT k.id, i.kind, c.item_id, c.grade, c.quantity
            FROM {every if ids is None else "unnest(CAST(:ids AS bigint[]))"} k (id)
            CROSS JOIN LATERAL (SELECT kind FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i
            CROSS JOIN LATERAL (SELECT item_id, grade, quantity FROM component
                WHERE merchant_id = :merchant_id AND bundle_item_id = k.id OFFSET 0) c""",
        **({} if ids is None else {"ids": list(ids)}),
    )
    kinds: dict[int, str] = {}
    parts: dict[int, list[Part]] = {}
    for row in rows:
        kinds[row.id] = row.kind
        parts.setdefault(row.id, []).append(Part(Stocked(row.item_id, row.grade), row.quantity))
    return {item_id: _Made(kinds[item_id], tuple(sorted(some))) for item_id, some in parts.items()}


def take_back(desk: Desk, rows: Sequence[Effect], _reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: items are made of what they were made of before, unless that changed since."""
    return [_back(desk, row) for row in rows]


def _back(desk: Desk, row: Effect) -> str:
    item_id, (kind, parts) = row.before["item_id"], row.before["was"]
    try:
        with desk.begin() as tx:
            now = _recipes(tx, [item_id]).get(item_id, _NOTHING)
            if now.as_json() != row.before["now"]:
                return "its recipe was changed since"
            if kind == PLAIN:
                recipes.end_recipe(tx, item_id)
            else:
                recipes.set_recipe(tx, item_id, kind, [Part(Stocked(*one[:2]), one[2]) for one in parts])
    except Refused as refusal:
        return str(refusal)
    return ""


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: components as they were entered, those of bundles among them not taken apart."""
    after = ""
    while True:
        bundles = tx.run(
            """SELECT i.id, i.sku, i.sku_key FROM item i
               WHERE i.merchant_id = :merchant_id AND i.kind <> 'plain' AND i.sku_key > :after
               ORDER BY i.sku_key LIMIT :limit""",
            after=after, limit=_PAGE,
        ).all()  # fmt: skip
        if not bundles:
            return
        after, made = bundles[-1].sku_key, _recipes(tx, [one.id for one in bundles])
        skus = lookups.names(tx, "item", "sku", [part.stocked.item_id for one in made.values() for part in one.parts])
        yield [
            (one.sku, made[one.id].kind, skus[part.stocked.item_id], part.stocked.grade, part.per_unit)
            for one in bundles
            for part in sorted(made[one.id].parts, key=lambda part: (skus[part.stocked.item_id], part.stocked.grade))
        ]


KIND = Kind(
    "bundles", COLUMNS, ("bundle",), work, take_back, pages, together=True, names={"bundle": ITEM, "part": ITEM}
)

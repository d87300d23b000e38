"""Files of items: codes, titles, and the units that they come in."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core import bulk, tables
from core.catalog import sku_key
from core.errors import Refused
from core.files import cells
from core.files.cells import BadCell
from core.files.columns import Column
from core.files.desk import Desk, Kind
from core.files.recorded import Effect
from core.files.units import CHANGED, MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.goods import references, skus
from core.goods.barcodes import gtin, require_gtin
from core.goods.items import MOST_IN_A_UNIT
from core.goods.references import BARCODE
from core.transaction import Transaction

_PAGE = 1_000
PLAIN = "plain"
_LONGEST_KNOWN = 10_000  # of what stores call things; what is new is in one line of at most so many letters:
_LONGEST = 200


def _barcodes_cell(text: str) -> str:
    listed = str(cells.text(1_000)(text))
    wrong = next((code.strip() for code in listed.split(";") if code.strip() and gtin(code) is None), None)
    if wrong is not None:
        raise BadCell(
            f"{wrong} is no barcode, or a digit of it is wrong; write 8, 12, 13 or 14 digits, ; between several"
        )
    return listed


COLUMNS = (
    Column("sku", cells.text(_LONGEST_KNOWN), ("variant sku", "item", "code"), required=True),
    Column("title", cells.text(_LONGEST_KNOWN), ("name", "item name", "product title", "description")),
    Column("kind", cells.one_of((PLAIN, "bundle", "kit"))),
    Column("units", cells.case_units, ("packs", "cases")),
    Column("barcodes", _barcodes_cell, ("barcode", "gtin", "ean", "upc", "variant barcode")),
)


class _Known(NamedTuple):
    """``barcodes``: as 14 digits, so that they can be compared."""

    id: int
    sku: str
    kind: str
    title: str
    units: Mapping[str, int]
    barcodes: Mapping[str, str]


class _Change(NamedTuple):
    """``title``: None where it stays; ``units``: those that are new or other than before; ``barcodes``: new ones."""

    item_id: int
    unit: Unit
    title: str | None
    units: Mapping[str, int]
    barcodes: Sequence[str]
    known: _Known | None


class _There(NamedTuple):
    """What there is already of what a chunk of rows names.

    ``known``: items by ``sku_key``; ``called``: what others call so; ``owners``: of barcodes, by their 14 digits;
    ``skus``: items whose SKU is written like a barcode.
    """

    known: Mapping[str, _Known]
    called: Mapping[str, Sequence[skus.Called]]
    owners: Mapping[str, int]
    skus: Mapping[str, skus.SkuItem]


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``. What a row leaves empty stays as it is."""
    with desk.begin() as tx:
        there = _there(tx, units)
        decided = [_decided(desk, unit, there, tx.new_id()) for unit in units]
        changes = [one for one in decided if isinstance(one, _Change)]
        _write(tx, changes)
        told = [_told(one) if isinstance(one, _Change) else one for one in decided]
        desk.note(tx, *told)
    return told


def _there(tx: Transaction, units: Sequence[Unit]) -> _There:
    codes = [unit.values["sku"] for unit in units]
    barcodes = {key: code for unit in units for key, code in _barcodes(unit).items()}
    return _There(
        known_items(tx, codes), skus.by_references(tx, codes), _owners(tx, barcodes), skus.find(tx, barcodes.values())
    )  # fmt: skip


def _owners(tx: Transaction, barcodes: Collection[str]) -> Mapping[str, int]:
    """Items by the 14 digits of their barcodes."""
    rows = tx.run(
        """SELECT k.key, r.item_id FROM unnest(CAST(:keys AS text[])) k (key)
           CROSS JOIN LATERAL (SELECT item_id FROM item_reference WHERE merchant_id = :merchant_id
               AND kind = :barcode AND key = k.key OFFSET 0) r""",
        keys=sorted(barcodes), barcode=BARCODE,
    )  # fmt: skip
    return {row.key: row.item_id for row in rows}


def _decided(desk: Desk, unit: Unit, there: _There, new_id: int) -> _Change | Outcome:
    sku, record = unit.values["sku"], unit.records[0]
    item = there.known.get(sku_key(sku))
    first = desk.seen.setdefault(item.id if item else sku_key(sku), unit.row)
    if first != unit.row:
        return refused(unit, sku, problem(record, "sku", f"row {first} says something of this item already"))
    others = [one for one in there.called.get(sku_key(sku), ()) if not one.is_suppliers]
    if item is None and others:
        cure = f"it is the {others[0].kind} of {others[0].item.sku} and as a SKU would mean two items; write the SKU"
        return refused(unit, sku, problem(record, "sku", cure))
    wrong = _wrong_barcode(desk, unit, there, item.id if item else new_id)
    return refused(unit, sku, problem(record, "barcodes", wrong)) if wrong else decide(unit, item, new_id)


def _wrong_barcode(desk: Desk, unit: Unit, there: _There, item_id: int) -> str:
    """What is wrong with the first barcode that cannot be this item's; empty when all can."""
    for key, code in _barcodes(unit).items():
        if there.owners.get(key, item_id) != item_id:
            return f"{code} is another item's; take it away there first: `holdfast item reference SKU --drop barcode=`"
        named = there.skus.get(sku_key(code))
        if named is not None and named.id != item_id:
            return f"{code} is the SKU of {named.sku}, so as a barcode it would mean two items"
        first = desk.seen.setdefault((BARCODE, key), unit.row)
        if first != unit.row:
            return f"row {first} gives {code} to another item"
    return ""


def _barcodes(unit: Unit) -> dict[str, str]:
    """As they are written, by their 14 digits."""
    listed = [code.strip() for code in (unit.values["barcodes"] or "").split(";")]
    return {require_gtin(code): code for code in listed if code}


def decide(unit: Unit, known: _Known | None, new_id: int) -> _Change | Outcome:
    """What a row asks for, by what there is. Pure."""
    record, sku = unit.records[0], unit.values["sku"]
    title, kind, wanted = unit.values["title"], unit.values["kind"], unit.values["units"] or {}
    if known is not None and known.kind != PLAIN and kind not in (None, known.kind):
        cure = f"it is a {known.kind} here; a file of bundles, or `holdfast bundle`, says of what an item is made"
        return refused(unit, sku, problem(record, "kind", cure))
    too_many = next((name for name, n in wanted.items() if n > MOST_IN_A_UNIT), None)
    if too_many:
        return refused(unit, sku, problem(record, "units", f"a {too_many} holds 1 to {MOST_IN_A_UNIT:,} units"))
    barcodes = _barcodes(unit)
    if known is None:
        for column in ("sku", "title"):
            text = unit.values[column] or ""
            if len(text) > _LONGEST or not text.isprintable():
                return refused(unit, sku, problem(record, column, f"write one line of at most {_LONGEST} letters"))
        return _Change(new_id, unit, title or "", wanted, list(barcodes.values()), None)
    other = {name: n for name, n in wanted.items() if known.units.get(name) != n}
    new_title = title if title is not None and title != known.title.strip() else None
    new = [code for key, code in barcodes.items() if key not in known.barcodes]
    if new_title is None and not other and not new:
        return outcome(unit, SAME, sku)
    return _Change(known.id, unit, new_title, other, new, known)


def _told(one: _Change) -> Outcome:
    sku, known = one.unit.values["sku"], one.known
    if known is None:
        made_of_others = one.unit.values["kind"] not in (None, PLAIN)
        told = [one.title or "", "plain until a file of bundles says of what it is made" if made_of_others else ""]
        return outcome(one.unit, MADE, sku, ", ".join(filter(None, told)), before={"item_id": one.item_id})
    told = [f"{known.title or '-'} -> {one.title}"] if one.title is not None else []
    told += [f"barcode {code}" for code in one.barcodes]
    told += [f"{name} {known.units.get(name, '-')} -> {n}" for name, n in one.units.items()]
    before = {
        "item_id": one.item_id, "units": {name: [known.units.get(name), n] for name, n in one.units.items()},
        "title": None if one.title is None else [known.title, one.title], "barcodes": list(one.barcodes),
    }  # fmt: skip
    return outcome(one.unit, CHANGED, sku, ", ".join(told), before=before)


def known_items(tx: Transaction, codes: Sequence[str]) -> dict[str, _Known]:
    """Items by ``sku_key`` of SKUs that they have or had."""
    named = skus.find(tx, codes)
    by_id = _by_id(tx, [item.id for item in named.values()])
    return {key: by_id[item.id] for key, item in named.items()}


def _by_id(tx: Transaction, item_ids: Sequence[int]) -> dict[int, _Known]:
    rows = tx.run(
        """SELECT i.id, i.sku, i.kind, i.title, u.names, u.numbers, r.keys, r.said
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i
           CROSS JOIN LATERAL (SELECT array_agg(unit ORDER BY unit) AS names, array_agg(units ORDER BY unit) AS numbers
               FROM item_unit WHERE merchant_id = :merchant_id AND item_id = i.id) u
           CROSS JOIN LATERAL (SELECT array_agg(key ORDER BY key) AS keys, array_agg(value ORDER BY key) AS said
               FROM item_reference WHERE merchant_id = :merchant_id AND item_id = i.id AND kind = :barcode) r""",
        ids=sorted(set(item_ids)), barcode=BARCODE,
    )  # fmt: skip
    return {
        row.id: _Known(
            row.id, row.sku, row.kind, row.title, dict(zip(row.names or (), row.numbers or (), strict=True)),
            dict(zip(row.keys or (), row.said or (), strict=True)),
        )
        for row in rows
    }  # fmt: skip


def _write(tx: Transaction, changes: Sequence[_Change]) -> None:
    made = [one for one in changes if one.known is None]
    rows = [
        (one.item_id, one.unit.values["sku"], sku_key(one.unit.values["sku"]), one.title or "", tx.now) for one in made
    ]
    bulk.insert_missing(tx, tables.item, ["id", "sku", "sku_key", "title", "created_at"], rows, ["sku_key"])
    _write_titles(tx, {one.item_id: one.title for one in changes if one.known and one.title is not None})
    units = [(one.item_id, name, n) for one in changes for name, n in one.units.items()]
    bulk.put(tx, tables.item_unit, ["item_id", "unit", "units"], units, ["item_id", "unit"])
    _write_barcodes(tx, {require_gtin(code): (code, one.item_id) for one in changes for code in one.barcodes})


def _write_barcodes(tx: Transaction, barcodes: Mapping[str, tuple[str, int]]) -> None:
    """Args: barcodes: as they are written, and whose they are, by their 14 digits; nobody else's a moment ago.

    Raises: Refused where somebody gave one away meanwhile.
    """
    rows = [(BARCODE, key, code, item_id, tx.now, tx.actor) for key, (code, item_id) in sorted(barcodes.items())]
    columns = ["kind", "key", "value", "item_id", "made_at", "made_by"]
    bulk.insert_missing(tx, tables.item_reference, columns, rows, ["kind", "key"])
    owners = _owners(tx, barcodes)
    taken = next((code for key, (code, item_id) in barcodes.items() if owners[key] != item_id), None)
    if taken is not None:
        raise Refused(f"barcode {taken} was given to another item just now; read the file again")


def _write_titles(tx: Transaction, titles: Mapping[int, str]) -> None:
    tx.run(
        """UPDATE item i SET title = k.title FROM unnest(CAST(:ids AS bigint[]), CAST(:titles AS text[])) k (id, title)
           WHERE i.merchant_id = :merchant_id AND i.id = k.id""",
        ids=list(titles), titles=list(titles.values()),
    )  # fmt: skip


def take_back(desk: Desk, rows: Sequence[Effect], _reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: what rows changed is as it was, unless it changed since; items stay."""
    with desk.begin() as tx:
        now = _by_id(tx, [row.before["item_id"] for row in rows])
        kept = [_stays(row, now.get(row.before["item_id"])) for row in rows]
        back = [row.before for row, why in zip(rows, kept, strict=True) if not why]
        _write_titles(tx, {one["item_id"]: one["title"][0] for one in back if one["title"]})
        units = [(one["item_id"], name, was) for one in back for name, (was, _) in one["units"].items()]
        before = [unit for unit in units if unit[2] is not None]
        bulk.put(tx, tables.item_unit, ["item_id", "unit", "units"], before, ["item_id", "unit"])
        gone = [unit for unit in units if unit[2] is None]
        tx.run(
            """DELETE FROM item_unit u USING unnest(CAST(:ids AS bigint[]), CAST(:names AS text[])) k (id, name)
               WHERE u.merchant_id = :merchant_id AND u.item_id = k.id AND u.unit = k.name""",
            ids=[unit[0] for unit in gone], names=[unit[1] for unit in gone],
        )  # fmt: skip
        references.drop_all(tx, BARCODE, [(one["item_id"], code) for one in back for code in one["barcodes"]])
    return kept


def _stays(row: Effect, now: _Known | None) -> str:
    if row.outcome == MADE:
        return "an item stays, for what was ever counted under it"
    before = row.before
    if now is None:
        return "it is not there any more"
    if before["title"] and now.title != before["title"][1]:
        return "its title was changed since"
    if any(now.units.get(name) != n for name, (_, n) in before["units"].items()):
        return "its units were changed since"
    if any(gtin(code) not in now.barcodes for code in before["barcodes"]):
        return "its barcodes were changed since"
    return ""


def pages(tx: Transaction, _all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: without items that are part of others by now."""
    after = ""
    while True:
        found = tx.run(
            """SELECT sku_key, id FROM item WHERE merchant_id = :merchant_id AND sku_key > :after
                 AND merged_into IS NULL ORDER BY sku_key LIMIT :limit""",
            after=after, limit=_PAGE,
        ).all()  # fmt: skip
        if not found:
            return
        after, known = found[-1].sku_key, _by_id(tx, [row.id for row in found])
        yield [_exported(known[row.id]) for row in found]


def _exported(one: _Known) -> Sequence[Any]:
    return (one.sku, one.title, one.kind, cells.write_case_units(one.units), "; ".join(one.barcodes.values()))


KIND = Kind("items", COLUMNS, ("sku",), work, take_back, pages)

"""What else is wrong with rows whose cells are wrong: names in them that nobody has, so that all is told at once."""

from collections.abc import Iterator, Mapping, Sequence

from core.files import lookups
from core.files.columns import Problem, Record
from core.files.desk import BIN, GOODS, ITEM, WAREHOUSE, Desk, Kind
from core.ledger import home_of


def unknown_names(kind: Kind, desk: Desk, records: Sequence[Record]) -> list[Problem]:
    """Of rows that are not worked on, problems with what ``kind`` says its columns name, in the order of the rows."""
    if not kind.names or not records:
        return []
    home = home_of(desk.db, desk.merchant_id)
    with desk.begin() as tx:
        codes = {code for record in records for _, code in _said(kind.names, record, ITEM, GOODS)}
        items = lookups.items(tx, codes)
        bins = [(one.values["warehouse"], one.values["bin"]) for one in records if _names_a_bin(kind.names, one)]
        places = lookups.places(tx, bins, home.warehouse_id)
    return [one for record in records for one in _of_one(kind.names, record, items, places)]


def _said(names: Mapping[str, str], record: Record, *what: str) -> Iterator[tuple[str, str]]:
    """Columns of a row that name one of these, with what stands there; not those that are empty or wrong by itself."""
    for column, named in names.items():
        if named in what and record.values.get(column):
            yield column, record.values[column]


def _names_a_bin(names: Mapping[str, str], record: Record) -> bool:
    return BIN in names.values() and {"warehouse", "bin"} <= record.values.keys()


def _of_one(
    names: Mapping[str, str], record: Record, items: lookups.Items, places: lookups.Places
) -> Iterator[Problem]:  # fmt: skip
    found: list[object] = [items.find(record, column) for column, _ in _said(names, record, ITEM)]
    found += [items.stocked(record) for _ in _said(names, record, GOODS)]
    if _names_a_bin(names, record):
        found.append(places.find(record))
    else:
        found += [places.warehouse(record, column) for column, _ in _said(names, record, WAREHOUSE)]
    yield from (one for one in found if isinstance(one, Problem))

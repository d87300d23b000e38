"""What else is wrong with rows of which something is wrong: names that nobody has, and costs that mean nothing, so that
all is told at once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.catalog import sku_key
from core.files import lookups
from core.files.columns import Problem, Record
from core.files.desk import BIN, COST, GOODS, ITEM, PURCHASE, STORE, SUPPLIER, WAREHOUSE, Desk, Kind
from core.ledger import home_of
from core.supply import suppliers
from core.supply.suppliers import Supplier
from core.transaction import Transaction

_USUAL = "EUR"  # the currency of suppliers of whom nobody said any


class _Known(NamedTuple):
    """What there is of what some rows name. ``currencies``: of who sends a paper, by its name."""

    items: lookups.Items
    places: lookups.Places
    stores: Collection[str]
    senders: Sequence[Supplier]
    orders: Collection[str]
    currencies: Mapping[object, str]


def unknown_names(kind: Kind, desk: Desk, records: Sequence[Record]) -> list[Problem]:
    """Of rows that are not worked on, problems with what ``kind`` says its columns name, in the order of the rows."""
    if not kind.names or not records:
        return []
    home = home_of(desk.db, desk.merchant_id)
    with desk.begin() as tx:
        known = _look_up(tx, kind, records, home.warehouse_id)
    return [one for record in records for one in _of_one(kind, record, known)]


def _look_up(tx: Transaction, kind: Kind, records: Sequence[Record], warehouse_id: int) -> _Known:
    def said(*what: str) -> set[str]:
        return {record.values[column] for record in records for column in _said(kind.names, record, *what)}

    bins = [(one.values["warehouse"], one.values["bin"]) for one in records if _names_a_bin(kind.names, one)]
    senders = suppliers.every(tx) if SUPPLIER in kind.names.values() else []
    currencies: dict[object, str] = {}
    for record in records:
        for column in _said(kind.names, record, SUPPLIER):
            found = lookups.supplier(record, record.values[column], senders)
            if isinstance(found, Supplier):
                currencies.setdefault(_paper(kind, record), found.currency)
    return _Known(
        lookups.items(tx, said(ITEM, GOODS)), lookups.places(tx, bins, warehouse_id),
        lookups.stores(tx) if STORE in kind.names.values() else (), senders,
        lookups.orders(tx, said(PURCHASE)), currencies,
    )  # fmt: skip


def _of_one(kind: Kind, record: Record, known: _Known) -> Iterator[Problem]:
    currency = known.currencies.get(_paper(kind, record), _USUAL)
    look: Mapping[str, Callable[[str], object]] = {
        ITEM: lambda column: known.items.find(record, column),
        GOODS: lambda _: known.items.stocked(record),
        SUPPLIER: lambda column: lookups.supplier(record, record.values[column], known.senders),
        STORE: lambda _: lookups.no_store(record, known.stores),
        PURCHASE: lambda column: None if record.values[column] in known.orders else lookups.no_order(record, column),
        COST: lambda _: lookups.cost(record, currency),
        WAREHOUSE: lambda column: None if _names_a_bin(kind.names, record) else known.places.warehouse(record, column),
    }
    found = [look[what](column) for column in _said(kind.names, record, *look) if (what := kind.names[column])]
    found += [known.places.find(record)] if _names_a_bin(kind.names, record) else []
    yield from (one for one in found if isinstance(one, Problem) and not _is_settled(kind, one, known))


def _is_settled(kind: Kind, one: Problem, known: _Known) -> bool:
    """A code that means several items may mean one of them to who sends it."""
    return not {SUPPLIER, PURCHASE}.isdisjoint(kind.names.values()) and sku_key(one.value) in known.items.ambiguous


def _paper(kind: Kind, record: Record) -> object:
    return tuple(record.values.get(column) for column in kind.by)


def _said(names: Mapping[str, str], record: Record, *what: str) -> Iterator[str]:
    """Columns of a row that name one of these; not those that are empty or wrong by themselves."""
    yield from (column for column, named in names.items() if named in what and record.values.get(column))


def _names_a_bin(names: Mapping[str, str], record: Record) -> bool:
    return BIN in names.values() and {"warehouse", "bin"} <= record.values.keys()

"""Files of locks: each row asks for one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.command import Command
from core.errors import Refused
from core.files import cells, lookups
from core.files.columns import Column, Problem
from core.files.desk import GOODS, STORE, WAREHOUSE, Desk, Kind
from core.files.recorded import Effect
from core.files.units import MADE, SAME, Outcome, Unit, outcome, problem, refused
from core.ledger import home_of
from core.rows import LockRow
from core.sales import lock_limits
from core.sales.drawing import OVERFLOWS, OWN
from core.sales.lock_limits import Bounds
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import TYPES, Terms
from core.sales.locks import ReleaseLock
from core.stock import GOOD, Stocked
from core.transaction import Transaction

_PAGE = 500
APPROVES = "approves"  # what may be said of such a file: who reads it approves its locks, too
AS_OWNER = "as_owner"  # what is said of who reads it
_OPEN = ("requested", "approved", "active")
# What of a lock a file says; how a lock is called in a file by how it is called here.
_COMPARED = {
    "type": "type", "quantity": "quantity", "store_id": "store", "warehouse_id": "warehouse", "pure": "pure",
    "account": "account", "owner": "owner", "priority": "priority", "starts_at": "from", "expires_at": "until",
    "overflow": "overflow",
}  # fmt: skip

COLUMNS = (
    Column("key", cells.line(100), ("lock", "lock key"), required=True),
    Column("sku", cells.text(10_000), ("variant sku", "item"), required=True),
    Column("grade", cells.grade, default=GOOD),
    Column("quantity", cells.whole(1), ("qty", "units"), required=True),
    Column("type", cells.one_of(TYPES), default="business"),
    Column("store", cells.line(), ("channel",)),
    Column("warehouse", cells.line(60), ("location",)),
    Column("pure", cells.yes_or_no, default=False),
    Column("account", cells.line(), default=""),
    Column("owner", cells.line(), default=""),
    Column("priority", cells.signed, default=0),
    Column("from", cells.instant, ("begins", "starts")),
    Column("until", cells.instant, ("ends", "expires")),
    Column("overflow", cells.one_of(OVERFLOWS), default="yes"),
    Column("reason", cells.line(), default=""),
    Column("status", cells.text(40)),
)


class _Wanted(NamedTuple):
    unit: Unit
    terms: Terms

    @property
    def key(self) -> str:
        return str(self.unit.values["key"])


def work(desk: Desk, units: Sequence[Unit]) -> list[Outcome]:
    """See ``core.files.desk.Kind``."""
    with desk.begin() as tx:
        items = lookups.items(tx, [unit.values["sku"] for unit in units])
        places = lookups.places(tx, (), home_of(desk.db, desk.merchant_id).warehouse_id)
        stores = lookups.stores(tx)
        known = _known(tx, [unit.values["key"] for unit in units])
        rows = [_row(unit, items, places, stores) for unit in units]
        wanted = [row for row in rows if isinstance(row, _Wanted)]
        bounds, ids = _bounds(desk, tx, wanted), tx.new_ids(len(wanted))
    told: dict[int, Outcome] = {}
    asking = []
    for unit, row in zip(units, rows, strict=True):
        if isinstance(row, Outcome):
            told[unit.row] = row
        elif row.key in known and not _is_ours(desk, known[row.key]):
            told[unit.row] = _compare(row, known[row.key])
        else:
            asking.append(row)
    told.update((one.row, one) for one in _ask(desk, asking, bounds, ids))
    return [told[unit.row] for unit in units]


def _row(unit: Unit, items: lookups.Items, places: lookups.Places, stores: Mapping[str, int]) -> _Wanted | Outcome:
    record, said = unit.records[0], unit.values
    stocked = items.stocked(record)
    place = places.warehouse(record) if said["warehouse"] else None
    store = OWN if said["type"] == "main_site" and not said["store"] else stores.get(said["store"] or "")
    problems = [one for one in (stocked, place) if isinstance(one, Problem)]
    if said["store"] and store is None:
        problems += filter(None, [lookups.no_store(record, stores)])
    if problems or isinstance(stocked, Problem) or isinstance(place, Problem):
        return refused(unit, said["key"], *problems)
    terms = Terms(
        said["type"], stocked, said["quantity"], store, place, said["pure"], said["account"], said["owner"],
        said["priority"], said["from"], said["until"], said["overflow"], said["reason"],
    )  # fmt: skip
    return _Wanted(unit, terms)


def _bounds(desk: Desk, tx: Transaction, rows: Sequence[_Wanted]) -> Mapping[Stocked, Bounds]:
    items = {row.terms.stocked for row in rows}
    if desk.said.get(AS_OWNER):
        return dict.fromkeys(items, Bounds(None, ()))
    return lock_limits.bounds_of_all(tx, desk.actor, items)


def _known(tx: Transaction, keys: Sequence[str]) -> dict[str, LockRow]:
    rows = tx.run(
        f"""SELECT {", ".join(f"l.{name}" for name in LockRow._fields)} FROM unnest(CAST(:keys AS text[])) k (key)
            CROSS JOIN LATERAL (SELECT * FROM lock WHERE merchant_id = :merchant_id AND key = k.key OFFSET 0) l""",
        keys=sorted(set(keys)),
    )
    return {row.key: LockRow(*row) for row in rows}


def _is_ours(desk: Desk, known: LockRow) -> bool:
    """Asked for by an import that was torn off: asking once more does no harm, and tells what came of it."""
    return known.requested_by == desk.actor and desk.began_before(known.requested_at)


def _compare(row: _Wanted, known: LockRow) -> Outcome:
    """A lock that is here is left alone where it is as the file says."""
    record = row.unit.records[0]
    cure = f"lock {known.key} is here already and says otherwise; `holdfast lock change {known.key}` changes it"
    problems = [
        problem(record, column, cure)
        for name, column in _COMPARED.items()
        if getattr(row.terms, name) != getattr(known, name)
    ]
    if row.terms.stocked != known.stocked:
        problems.append(problem(record, "sku", cure))
    return refused(row.unit, row.key, *problems) if problems else outcome(row.unit, SAME, row.key)


def _made(row: _Wanted) -> Outcome:
    return outcome(row.unit, MADE, row.key, f"{row.terms.quantity:,} units", before={"key": row.key})


def _ask(desk: Desk, asking: Sequence[_Wanted], bounds: Mapping[Stocked, Bounds], ids: Sequence[int]) -> list[Outcome]:
    commands: list[Command] = []
    asked: dict[Stocked, list[str]] = {}  # by this file, and perhaps in another batch than those that follow
    for row, lock_id in zip(asking, ids, strict=False):
        own, earlier = bounds[row.terms.stocked], asked.setdefault(row.terms.stocked, [])
        siblings = () if own.limit is None else (*own.siblings, *earlier)
        earlier.append(row.key)
        commands.append(RequestLock(row.key, lock_id, row.terms, own.limit, siblings))
        if desk.said.get(APPROVES):
            commands.append(DecideLock(row.key, True, "", bool(desk.said.get(AS_OWNER)), *own))
    results = desk.do(commands)
    each = len(commands) // len(asking) if asking else 1
    return [_told(row, results[n * each : (n + 1) * each]) for n, row in enumerate(asking)]


def _told(row: _Wanted, results: Sequence[object]) -> Outcome:
    refusals = [problem(row.unit.records[0], "", str(one)) for one in results if isinstance(one, Refused)]
    return refused(row.unit, row.key, refusals[0]) if refusals else _made(row)


def take_back(desk: Desk, rows: Sequence[Effect], reason: str) -> list[str]:
    """See ``core.files.desk.Kind``: locks are closed; what orders have of them stays with the orders."""
    results = desk.do([ReleaseLock(row.subject, None, "", reason) for row in rows])
    return [str(one) if isinstance(one, Refused) else "" for one in results]


def pages(tx: Transaction, all_of_them: bool) -> Iterator[list[Sequence[Any]]]:
    """See ``core.files.desk.Kind``: those asked for, approved or in use, or all; floors are rules, and no locks."""
    after = 0
    statuses = "" if all_of_them else "AND status = ANY(CAST(:statuses AS text[]))"
    while True:
        rows = tx.run(
            f"""SELECT {", ".join(LockRow._fields)} FROM lock WHERE merchant_id = :merchant_id AND id > :after
                AND NOT standing {statuses} ORDER BY id LIMIT :limit""",
            after=after, limit=_PAGE, **({} if all_of_them else {"statuses": list(_OPEN)}),
        ).all()  # fmt: skip
        if not rows:
            return
        after = rows[-1].id
        found = [LockRow(*row) for row in rows]
        skus = lookups.names(tx, "item", "sku", [one.item_id for one in found])
        places = lookups.names(tx, "warehouse", "code", [one.warehouse_id for one in found if one.warehouse_id])
        stores = lookups.names(tx, "store", "name", [one.store_id for one in found if one.store_id])
        yield [_exported(one, skus, places, stores) for one in found]


def _exported(
    one: LockRow, skus: Mapping[int, str], places: Mapping[int, str], stores: Mapping[int, str]
) -> Sequence[Any]:
    return (
        one.key, skus[one.item_id], one.grade, one.quantity, one.type, stores.get(one.store_id or 0),
        places.get(one.warehouse_id or 0), "yes" if one.pure else "no", one.account, one.owner, one.priority,
        one.starts_at and one.starts_at.isoformat(), one.expires_at and one.expires_at.isoformat(), one.overflow,
        one.reason, one.status,
    )  # fmt: skip


KIND = Kind(
    "locks", COLUMNS, ("key",), work, take_back, pages,
    names={"sku": GOODS, "warehouse": WAREHOUSE, "store": STORE},
)  # fmt: skip

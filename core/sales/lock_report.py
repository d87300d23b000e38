"""Read-only views of locks: what each has and waits for, what a planner should look at, and how it came about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core import reading
from core.books import key_hash
from core.errors import NotFound
from core.goods import places
from core.rows import LockRow
from core.sales.locks import request_key
from core.stock import GOOD
from core.transaction import Transaction
from core.zones import end_in, zone_of

_OPEN = ("requested", "approved", "active")
_ENDED = ("closed", "expired")
_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class LockView:
    """One lock with what stands in its pool; units, all >= 0.

    ``consumed``  units that left it: shipped for its orders, or taken out of a pure one. None where that is not told:
                  before it begins, after it ends, and for floors, which are filled again.
    """

    id: int
    key: str
    type: str
    status: str
    sku: str
    grade: str
    quantity: int
    waiting: int
    free: int
    reserved: int
    sold: int
    consumed: int | None
    priority: int
    owner: str
    account: str
    store: str
    warehouse: str
    pure: bool
    overflow: str
    standing: bool
    starts_at: datetime | None
    expires_at: datetime | None
    requested_by: str
    requested_at: datetime
    decided_by: str
    decided_at: datetime | None
    moved_at: datetime | None
    reason: str
    migrated_from: str

    @property
    def name(self) -> str:
        """What people call it: its key, but for a floor, whose key is made of numbers."""
        grade = "" if self.grade == GOOD else f" ({self.grade})"
        return f"floor of {self.sku}{grade} for {self.store}" if self.standing else self.key

    @property
    def called(self) -> str:
        """The same as the beginning of a sentence."""
        return f"The {self.name}" if self.standing else f"Lock {self.key}"

    @property
    def began_at(self) -> datetime | None:
        """When its units first moved; None before."""
        if self.status in ("requested", "approved", "refused") or self.decided_at is None:
            return None
        return max(self.decided_at, self.starts_at) if self.starts_at is not None else self.decided_at

    @property
    def fill(self) -> int:
        """Percent of its units that it has got; what orders took of it counts. 0 before it begins."""
        return 0 if self.began_at is None else (self.quantity - self.waiting) * 100 // self.quantity


_LOCKS = """
    SELECT l.id, l.key, l.type, l.status, i.sku, l.grade, l.quantity, l.waiting, coalesce(b.free, 0) AS free,
        coalesce(b.reserved, 0) AS reserved, coalesce(b.sold, 0) AS sold,
        CASE WHEN l.status = 'active' AND NOT l.standing
            THEN l.quantity - l.waiting - b.free - b.reserved - b.sold END AS consumed,
        l.priority, l.owner, l.account,
        coalesce(s.name, CASE WHEN l.store_id = 0 THEN 'our own interface' END, '') AS store,
        coalesce(w.code, '') AS warehouse, l.pure, l.overflow, l.standing, l.starts_at, l.expires_at, l.requested_by,
        l.requested_at, l.decided_by, l.decided_at, l.moved_at, l.reason, coalesce(f.key, '') AS migrated_from
    FROM ({source}) l
    JOIN item i ON i.merchant_id = :merchant_id AND i.id = l.item_id
    LEFT JOIN sales_balance b ON b.merchant_id = :merchant_id AND b.item_id = l.item_id AND b.grade = l.grade
        AND b.pool_id = l.id
    LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
    LEFT JOIN warehouse w ON w.merchant_id = :merchant_id AND w.id = l.warehouse_id
    LEFT JOIN lock f ON f.merchant_id = :merchant_id AND f.id = l.migrated_from
    ORDER BY l.status <> 'active', l.requested_at, l.id
"""


def locks(
    tx: Transaction, *, every: bool = False, item_id: int | None = None, store_id: int | None = None
) -> list[LockView]:
    """Locks that are asked for, approved or active, or with ``every`` all there were, oldest first."""
    where = "" if every else f"AND status IN ({', '.join(map(repr, _OPEN))})"
    where += "" if item_id is None else " AND item_id = :item_id"
    where += "" if store_id is None else " AND store_id = :store_id"
    said = {"item_id": item_id, "store_id": store_id}
    given = {name: value for name, value in said.items() if value is not None}
    source = f"SELECT * FROM lock WHERE merchant_id = :merchant_id {where}"
    return [LockView(**row._mapping) for row in tx.run(_LOCKS.format(source=source), **given)]


def lock(tx: Transaction, key: str) -> LockView:
    """Raises: NotFound, naming locks that are called alike."""
    source = "SELECT * FROM lock WHERE merchant_id = :merchant_id AND key = :key"
    row = tx.run(_LOCKS.format(source=source), key=key).one_or_none()
    if row is None:
        alike = tx.run(
            """SELECT key FROM lock WHERE merchant_id = :merchant_id AND starts_with(lower(key), lower(:near))
               ORDER BY key LIMIT 3""",
            near=key[:3],
        ).scalars()
        hint = ", ".join(alike)
        raise NotFound(
            f"there is no lock {key}; " + (f"did you mean {hint}?" if hint else "`holdfast lock list` shows them")
        )
    return LockView(**row._mapping)


def is_known(tx: Transaction, key: str) -> bool:
    """Was there ever a lock so called?"""
    return bool(reading.find_locks(tx, keys=[key]).fetchall())


def record(tx: Transaction, key: str) -> LockRow:
    """The record of a lock, with the ids of all that it names. Raises: NotFound."""
    rows = reading.find_locks(tx, keys=[key]).fetchall()
    if not rows:
        raise NotFound(f"there is no lock {key}; `holdfast lock list` shows them")
    return LockRow._make(rows[0])


# ---- the report


@dataclass(frozen=True, slots=True)
class Line:
    """One open lock as the report shows it: days since it began (or was asked for), and what to look at.

    ``idle``   free units that nothing moved for as long as was asked.
    ``notes``  sentences for a planner, each with what to do.
    """

    lock: LockView
    age_days: int
    fill: int
    idle: int
    ends_in_days: int | None
    used_up: bool
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """Open locks, with sums in units."""

    lines: Sequence[Line]
    free: int = 0
    waiting: int = 0
    promised: int = 0
    idle: int = 0


def report(tx: Transaction, *, idle_days: int = 7, ahead_days: int = 7) -> Report:
    """All open locks. Args: idle_days: free units unmoved for so long are idle. ahead_days: how far ends are told."""
    lines = [line_of(one, tx.now, idle_days, ahead_days) for one in locks(tx)]
    return Report(
        lines,
        free=sum(line.lock.free for line in lines),
        waiting=sum(line.lock.waiting for line in lines),
        promised=sum(line.lock.reserved + line.lock.sold for line in lines),
        idle=sum(line.idle for line in lines),
    )


def line_of(one: LockView, now: datetime, idle_days: int, ahead_days: int) -> Line:
    """What the report says of one lock. Pure."""
    since = one.began_at or one.requested_at
    unmoved = one.moved_at is not None and one.moved_at <= now - timedelta(days=idle_days)
    # A floor is there to lie free until its store sells.
    idle = one.free if unmoved and not one.standing and one.status == "active" else 0
    ends = None
    if one.expires_at is not None and one.status in _OPEN:
        ends = max((one.expires_at - now) // timedelta(days=1), 0)
    used_up = one.status == "active" and not one.standing and one.free + one.waiting == 0
    facts = Line(one, max((now - since) // timedelta(days=1), 0), one.fill, idle, ends, used_up, ())
    return Line(one, facts.age_days, facts.fill, idle, ends, used_up, tuple(_notes(facts, now, idle_days, ahead_days)))


def _notes(line: Line, now: datetime, idle_days: int, ahead_days: int) -> Iterable[str]:
    one = line.lock
    if one.status == "requested":
        waited = f"for {line.age_days} days" if line.age_days else "since today"
        yield f"waits for a decision {waited}: `holdfast lock approve {one.key}` or `holdfast lock refuse {one.key}`"
    if one.status in _ENDED:
        again = f"`holdfast lock request KEY {one.sku} {one.quantity}`"
        yield f"has ended: {again} asks for its units again, under another key"
    elif one.expires_at is not None and one.expires_at <= now:
        yield "its end has come: its free units are given back within minutes"
    elif one.expires_at is not None and one.expires_at <= now + timedelta(days=ahead_days):
        left = "today" if not line.ends_in_days else f"in {line.ends_in_days} days"
        yield f"ends {left}: `holdfast lock change {one.key} --until DAY` extends it"
    if line.idle:
        yield f"{line.idle} units unmoved for {idle_days} days: `holdfast lock release {one.key} {line.idle}`"
    if line.used_up:
        yield f"used up: `holdfast lock release {one.key} --all` closes it, `holdfast lock change {one.key}` raises it"
    if one.status == "active" and one.waiting:
        yield f"waits for {one.waiting} units; it is filled when units come free"


# ---- the history


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a lock; ``who`` as documents name an actor, ``moves`` for people."""

    at: datetime
    lock: str
    what: str
    who: str
    reason: str = ""
    moves: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One history: locks that units migrated through, oldest first, and what happened to them, oldest first.

    ``links``  pairs of keys: from which lock units or promises went to which.
    ``left_out``  True when there were more documents than are told.
    """

    locks: Sequence[LockView]
    events: Sequence[Event]
    links: Sequence[tuple[str, str]] = field(default=())
    left_out: bool = False


def history(tx: Transaction, key: str) -> History:
    """The history of a lock with all it migrated from and to. Raises: NotFound."""
    one = lock(tx, key)
    edges = _migrations(tx)
    ids = _connected(one.id, edges)
    source = "SELECT * FROM lock WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))"
    found = [LockView(**row._mapping) for row in tx.run(_LOCKS.format(source=source), ids=sorted(ids))]
    chain = sorted(found, key=lambda view: (view.decided_at or view.requested_at, view.id))
    names = {view.id: view.key for view in chain}
    documents = _documents(tx, names)
    asked = _asked_for(tx, names)
    records = [event for view in chain for event in _of_record(view, asked.get(view.id))]
    events = records + documents[:_DOCUMENTS] + _changes(tx, names)
    links = [(names[a], names[b]) for a, b in edges if a in names and b in names]
    return History(chain, sorted(events, key=lambda event: event.at), links, len(documents) > _DOCUMENTS)


def _migrations(tx: Transaction) -> list[tuple[int, int]]:
    """From which lock to which units went, of all migrations that the merchant ever made."""
    rows = tx.run(
        """SELECT m.from_place, m.to_place, min(d.id) AS first FROM document d
           JOIN movement m ON m.merchant_id = d.merchant_id AND m.document_id = d.id AND m.recorded_at = d.recorded_at
           WHERE d.merchant_id = :merchant_id AND d.kind = 'migration' AND m.layer = 'sales'
           GROUP BY 1, 2 ORDER BY 3"""
    )
    return [(row.from_place, row.to_place) for row in rows]


def _connected(start: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """Locks before a lock and locks after it; those that only share an ancestor with it have a history of their own."""
    found = {start}
    for pairs in (edges, [(b, a) for a, b in edges]):
        reached, fresh = {start}, {start}
        while fresh:
            fresh = {b for a, b in pairs if a in fresh} - reached
            reached |= fresh
        found |= reached
    return found


def _asked_for(tx: Transaction, names: Mapping[int, str]) -> dict[int, int]:
    """Units that locks were requested with, which may be others by now."""
    rows = tx.run(
        """SELECT k.id, coalesce(CAST(e.result ->> 'units' AS bigint), logged.units) AS units
           FROM unnest(CAST(:ids AS bigint[]), CAST(:hashes AS bytea[])) k (id, hash)
           LEFT JOIN LATERAL (SELECT result FROM effect
               WHERE merchant_id = :merchant_id AND key_hash = k.hash OFFSET 0) e ON true
           -- Where the request itself says nothing: it was made before requests did.
           LEFT JOIN LATERAL (SELECT CAST(detail ->> 'units' AS bigint) AS units FROM act_log
               WHERE merchant_id = :merchant_id AND subject = 'lock:' || k.id AND act = 'lock.request'
               LIMIT 1) logged ON true""",
        ids=list(names),
        hashes=[key_hash(request_key(key)) for key in names.values()],
    )
    return {row.id: row.units for row in rows if row.units is not None}


def _of_record(view: LockView, asked_for: int | None) -> Iterable[Event]:
    units = f"{view.quantity if asked_for is None else asked_for} units of {view.sku}"
    # A lock that a migration made was asked for as another one; one that took more in was asked for itself.
    is_own = asked_for is not None or not view.migrated_from
    if is_own:
        what = f"floor set, by now {units}" if view.standing else f"requested: {units}"
        yield Event(view.requested_at, view.key, what, view.requested_by)
    if view.decided_at is not None and not view.standing and is_own:
        decided = "refused" if view.status == "refused" else "approved"
        yield Event(view.decided_at, view.key, decided, view.decided_by, view.reason)


def _documents(tx: Transaction, names: dict[int, str]) -> list[Event]:
    """The newest documents of these locks, one more than are told."""
    rows = tx.run(
        f"""SELECT d.recorded_at, d.order_id, d.kind, d.actor, d.reason, moved.moves
           FROM (SELECT * FROM document WHERE merchant_id = :merchant_id AND order_id = ANY(CAST(:ids AS bigint[]))
               ORDER BY recorded_at DESC, id DESC LIMIT :most) d
           CROSS JOIN LATERAL (
               SELECT array_agg({places.moved()} ORDER BY line_no) AS moves
               FROM movement m WHERE m.merchant_id = :merchant_id AND m.document_id = d.id
                 AND m.recorded_at = d.recorded_at AND m.layer = 'sales') moved""",
        ids=sorted(names), most=_DOCUMENTS + 1,
    )  # fmt: skip
    return [
        Event(row.recorded_at, names[row.order_id], row.kind, row.actor, row.reason, tuple(row.moves or ()))
        for row in rows
    ]


def _changes(tx: Transaction, names: dict[int, str]) -> list[Event]:
    """What the log of acts says of changes that moved no unit."""
    subjects = {f"lock:{lock_id}": key for lock_id, key in names.items()}
    rows: Collection[Any] = tx.run(
        """SELECT at, subject, actor, detail FROM act_log
           WHERE merchant_id = :merchant_id AND subject = ANY(CAST(:subjects AS text[])) AND act = 'lock.change'""",
        subjects=sorted(subjects),
    ).all()
    zone = zone_of(tx)
    return [
        Event(row.at, subjects[row.subject], _told(row.detail, zone), row.actor, str(row.detail.get("reason") or ""))
        for row in rows
    ]


def _told(detail: dict[str, object], zone: ZoneInfo) -> str:
    said = {name: value for name, value in detail.items() if name != "reason"}
    if ends := said.pop("expires_at", None):
        said["ends"] = end_in(datetime.fromisoformat(str(ends)), zone)
    return "changed: " + ", ".join(f"{name} {value}" for name, value in said.items())

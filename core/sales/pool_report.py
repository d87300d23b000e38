"""What pools have, and what came of activities and presales: views for people and programs."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import InsufficientStock, Refused
from core.stock import Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PoolView:
    """``store`` empty: every channel. Units over all items: ``planned`` is what it may promise at most (of an activity
    what it is to have), None for a channel's pool, which has no plan.

    ``state``: planned (an activity whose units are not dealt), ready (its time has not come), running, ending, ended.
    """

    id: int
    code: str
    kind: str
    store: str
    state: str
    starts_at: datetime | None
    ends_at: datetime | None
    closed_at: datetime | None
    preload_at: datetime | None
    preloaded_at: datetime | None
    balance_due_at: datetime | None
    items: int
    planned: int | None
    free: int
    reserved: int
    sold: int
    trouble: str


_VIEW = """
    SELECT p.id, p.code, p.kind, p.starts_at, p.ends_at, p.closed_at, CASE WHEN p.store_id = 0 THEN 'own interface'
            ELSE coalesce(s.name, '') END AS store, c.preload_at, c.preloaded_at, c.balance_due_at,
        coalesce(c.trouble, '') AS trouble, u.items, u.planned, u.free, u.reserved, u.sold
    FROM ({source}) k
    CROSS JOIN LATERAL (SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = k.id
        AND kind IN ('channel', 'activity', 'presale') OFFSET 0) p
    LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = p.store_id
    LEFT JOIN campaign c ON c.merchant_id = :merchant_id AND c.id = p.id
    CROSS JOIN LATERAL (SELECT count(*) AS items, sum(i.cap)::bigint AS planned,
            coalesce(sum(b.free), 0)::bigint AS free, coalesce(sum(b.reserved), 0)::bigint AS reserved,
            coalesce(sum(b.sold), 0)::bigint AS sold
        FROM pool_item i LEFT JOIN LATERAL (SELECT * FROM sales_balance WHERE merchant_id = :merchant_id
            AND item_id = i.item_id AND grade = i.grade AND pool_id = i.pool_id OFFSET 0) b ON true
        WHERE i.merchant_id = :merchant_id AND i.pool_id = p.id) u
    ORDER BY p.id
"""


def pools(tx: Transaction, *, ended: bool = False) -> list[PoolView]:
    """The merchant's pools, oldest first; with ``ended`` also those that are closed."""
    source = "SELECT DISTINCT pool_id AS id FROM pool_item WHERE merchant_id = :merchant_id AND is_open"
    if ended:
        source = "SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind <> 'lock'"
    return [_view(tx, row) for row in tx.run(_VIEW.format(source=source))]


def pool(tx: Transaction, pool_id: int) -> PoolView:
    """One pool. Raises: NoResultFound for an id that is none."""
    return _view(tx, tx.run(_VIEW.format(source="SELECT CAST(:id AS bigint) AS id"), id=pool_id).one())


def _view(tx: Transaction, row: Any) -> PoolView:
    return PoolView(**row._mapping, state=_state(row, tx.now))


def _state(row: Any, now: datetime) -> str:
    if row.closed_at is not None:
        return "ended"
    if row.ends_at is not None and row.ends_at <= now:
        return "ending"
    if row.kind == "activity" and row.preloaded_at is None and not row.free + row.reserved + row.sold:
        return "planned"
    return "ready" if row.starts_at is not None and row.starts_at > now else "running"


@dataclass(frozen=True, slots=True)
class ItemView:
    """What a pool has of one item. ``limit``: units of it that one customer may have; ``supply``: its reference."""

    item_id: int
    grade: str
    sku: str
    title: str
    planned: int | None
    free: int
    reserved: int
    sold: int
    is_open: bool
    limit: int | None
    supply: str


def items(tx: Transaction, pool_id: int) -> list[ItemView]:
    """What a pool has of each item, by SKU."""
    rows = tx.run(
        """SELECT i.item_id, i.grade, t.sku, t.title, i.cap AS planned, coalesce(b.free, 0) AS free,
               coalesce(b.reserved, 0) AS reserved, coalesce(b.sold, 0) AS sold, i.is_open,
               (SELECT units FROM purchase_limit l WHERE l.merchant_id = :merchant_id AND l.item_id = i.item_id
                   AND l.per = 'activity' AND l.pool_id = i.pool_id) AS limit,
               coalesce((SELECT reference FROM expected e WHERE e.merchant_id = :merchant_id AND e.id = i.expected_id),
                   '') AS supply
           FROM pool_item i JOIN item t ON t.merchant_id = :merchant_id AND t.id = i.item_id
           LEFT JOIN LATERAL (SELECT * FROM sales_balance WHERE merchant_id = :merchant_id AND item_id = i.item_id
               AND grade = i.grade AND pool_id = i.pool_id OFFSET 0) b ON true
           WHERE i.merchant_id = :merchant_id AND i.pool_id = :pool_id ORDER BY t.sku, i.grade""",
        pool_id=pool_id,
    )
    return [ItemView(**row._mapping) for row in rows]


# ---- what came of it


@dataclass(frozen=True, slots=True)
class Flow:
    """``units`` of an item that moved at an end of the pool, in one hour.

    ``from_`` and ``to``: buckets of the pool, or ``shared`` or ``world``; ``kind`` is that of the document.
    """

    stocked: Stocked
    hour: datetime
    kind: str
    from_: str
    to: str
    units: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a pool's units. ``ordered`` and ``sold`` are net of what was given back.

    ``dealt`` (of an activity what was preloaded and dealt later, of a presale what it might sell) less ``returned`` is
    what could be sold. Of a presale: ``deposits`` are units whose deposit alone is paid, ``handed_over`` those whose
    goods have come.
    """

    dealt: int = 0
    returned: int = 0
    ordered: int = 0
    sold: int = 0
    deposits: int = 0
    handed_over: int = 0
    shipped: int = 0

    @property
    def sell_through(self) -> float | None:
        """Ordered of what was dealt, 0 to 1; None when nothing was. For people: no unit is computed from it."""
        return self.ordered / self.dealt if self.dealt else None


_COLUMNS: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("free", "reserved"): {"ordered": 1},
    ("free", "sold"): {"ordered": 1, "sold": 1},
    ("reserved", "sold"): {"sold": 1},
    ("sold", "reserved"): {"sold": -1},
    ("shared", "free"): {"dealt": 1},
    ("world", "free"): {"dealt": 1},
    ("free", "shared"): {"returned": 1},
    ("free", "world"): {"returned": 1},
    ("reserved", "free"): {"ordered": -1},
    ("reserved", "shared"): {"ordered": -1},
    ("sold", "free"): {"ordered": -1, "sold": -1},
    ("sold", "shared"): {"ordered": -1, "sold": -1},
}
_GIVEN_BACK = frozenset({"release", "expiry"})


def effect_of(flow: Flow) -> Mapping[str, int]:
    """What one unit of a flow adds to the columns of ``Result``. Pure."""
    if flow.to == "world" and flow.from_ in ("reserved", "sold"):
        if flow.kind in _GIVEN_BACK:
            return _COLUMNS[flow.from_, "free"]
        return {"shipped": 1} if flow.kind == "shipment" else {"handed_over": 1}
    return _COLUMNS.get((flow.from_, flow.to), {})


def results(flows: Iterable[Flow]) -> Result:
    """The sum of many flows. Pure."""
    sums: Counter[str] = Counter()
    for flow in flows:
        for column, n in effect_of(flow).items():
            sums[column] += n * flow.units
    return Result(**sums)


@dataclass(frozen=True, slots=True)
class ItemReport:
    """``hours``: units ordered and sold in each hour (the merchant's time) in which something changed."""

    sku: str
    title: str
    grade: str
    planned: int | None
    result: Result
    hours: Sequence[tuple[datetime, Result]]


@dataclass(frozen=True, slots=True)
class Report:
    pool: PoolView
    total: Result
    items: Sequence[ItemReport]


def report(tx: Transaction, pool_id: int) -> Report:
    """What was dealt, ordered, sold and returned, per item and hour. Reads what its items moved since it was made."""
    told, its_items = pool(tx, pool_id), items(tx, pool_id)
    zone = ZoneInfo(tx.run("SELECT time_zone FROM merchant WHERE id = :merchant_id").scalar_one())
    flows = _flows(tx, pool_id, [Stocked(one.item_id, one.grade) for one in its_items])
    by_item: defaultdict[Stocked, list[Flow]] = defaultdict(list)
    for flow in flows:
        by_item[flow.stocked].append(flow)
    sold = _presold(tx, pool_id) if told.kind == "presale" else {}
    reports = [
        ItemReport(one.sku, one.title, one.grade, one.planned, _with(results(mine), sold, stocked), by_hour(mine, zone))
        for one in its_items
        for stocked in [Stocked(one.item_id, one.grade)]
        for mine in [by_item[stocked]]
    ]
    return Report(told, _with(results(flows), sold, *sold), reports)


def _with(result: Result, sold: Mapping[Stocked, Result], *items: Stocked) -> Result:
    """What a presale sold is told by its promises: its units go on to be paid and shipped in the shared pool."""
    if not sold:
        return result
    mine = [sold[stocked] for stocked in items if stocked in sold]
    return replace(
        result, sold=sum(one.sold for one in mine), deposits=sum(one.deposits for one in mine),
        shipped=sum(one.shipped for one in mine),
    )  # fmt: skip


def _presold(tx: Transaction, pool_id: int) -> dict[Stocked, Result]:
    rows = tx.run(
        """SELECT item_id, grade, coalesce(sum(live + shipped) FILTER (WHERE deducted), 0)::bigint AS sold,
               coalesce(sum(live) FILTER (WHERE balance_due_at IS NOT NULL), 0)::bigint AS deposits,
               sum(shipped)::bigint AS shipped
           FROM promise WHERE merchant_id = :merchant_id AND presale_id = :pool_id GROUP BY 1, 2""",
        pool_id=pool_id,
    )
    return {
        Stocked(row.item_id, row.grade): Result(sold=row.sold, deposits=row.deposits, shipped=row.shipped)
        for row in rows
    }


def by_hour(flows: Sequence[Flow], zone: ZoneInfo) -> list[tuple[datetime, Result]]:
    """Flows summed by hour, oldest first; only hours in which units were ordered, sold or given back. Pure."""
    hours: defaultdict[datetime, list[Flow]] = defaultdict(list)
    for flow in flows:
        if {"ordered", "sold"} & effect_of(flow).keys():
            hours[flow.hour].append(flow)
    return [(hour.astimezone(zone), results(hours[hour])) for hour in sorted(hours)]


def _flows(tx: Transaction, pool_id: int, stocked: Collection[Stocked]) -> list[Flow]:
    """Movements at this pool's ends, summed by hour and kind of document."""
    rows = tx.run(
        """SELECT m.item_id, m.grade, date_trunc('hour', m.recorded_at) AS hour, d.kind,
               CASE WHEN m.from_place = :pool_id THEN m.from_bucket
                   WHEN m.from_place IS NULL THEN 'world' ELSE 'shared' END AS from_,
               CASE WHEN m.to_place = :pool_id THEN m.to_bucket
                   WHEN m.to_place IS NULL THEN 'world' ELSE 'shared' END AS to, sum(m.quantity)::bigint AS units
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT * FROM movement WHERE merchant_id = :merchant_id AND item_id = k.item_id
               AND grade = k.grade AND layer = 'sales' AND recorded_at >= CAST(:since AS timestamptz)
               AND (from_place = :pool_id OR to_place = :pool_id) OFFSET 0) m
           CROSS JOIN LATERAL (SELECT kind FROM document WHERE merchant_id = :merchant_id AND id = m.document_id
               AND recorded_at = m.recorded_at OFFSET 0) d
           GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 3, 1, 2""",
        pool_id=pool_id,
        since=_made_at(tx, pool_id),
        items=[one.item_id for one in stocked],
        grades=[one.grade for one in stocked],
    )
    return [Flow(Stocked(row.item_id, row.grade), row.hour, row.kind, row.from_, row.to, row.units) for row in rows]


_CLOCKS_APART = timedelta(hours=1)


def _made_at(tx: Transaction, pool_id: int) -> datetime:
    """Somewhat before the pool was made: its row says so by the server's clock, movements by ours."""
    made: datetime = tx.run(
        "SELECT created_at FROM pool WHERE merchant_id = :merchant_id AND id = :id", id=pool_id
    ).scalar_one()
    return made - _CLOCKS_APART


def told(tx: Transaction, refusal: Refused) -> str:
    """A refusal for people: units that are missing are told by the SKUs of their items."""
    if not isinstance(refusal, InsufficientStock) or type(refusal) is not InsufficientStock:
        return str(refusal)
    return "not enough free units: " + ", ".join(
        f"{name} lacks {n:,}" for name, n in named(tx, refusal.missing).items()
    )


def named(tx: Transaction, units: Mapping[Stocked, int]) -> dict[str, int]:
    """Units by SKU instead of item; the grade is told where it is not the good one."""
    rows = tx.run(
        """SELECT i.id, i.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, sku FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i""",
        ids=sorted({stocked.item_id for stocked in units}),
    )
    skus = {row.id: row.sku for row in rows}
    return {
        skus[stocked.item_id] + ("" if stocked.grade == "good" else f" ({stocked.grade})"): n
        for stocked, n in units.items()
    }

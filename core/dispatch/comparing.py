"""Another strategy tried on the past: each order again, with what stood there when it was decided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.dispatch import decisions, reading, rules
from core.dispatch.destinations import Destination
from core.dispatch.model import Line, Route, Supply
from core.dispatch.routing import decide
from core.dispatch.strategies import Strategy, named
from core.stock import Stocked
from core.transaction import Transaction
from core.warehouse import warehouses

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Case:
    """An order of the past, and the strategy that chose, or would have chosen, for it."""

    order_id: int
    at: datetime
    lines: Sequence[Line]
    destination: Destination
    strategy: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """``cost`` None: the price of a parcel is not known; ``days`` None: no transit time is, or nothing goes."""

    parcels: int
    cost: int | None
    days: int | None
    units: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One order by its own strategy and by the other."""

    order_id: int
    at: datetime
    destination: Destination
    strategy: str
    was: Outcome
    would_be: Outcome


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over orders, of which ``unsent`` ones nobody could have sent either way; those of cost and days over the
    ``priced`` and ``timed`` ones, where both sides are known.
    """

    orders: int
    unsent: int
    changed: int
    parcels_was: int
    parcels_would_be: int
    priced: int
    cost_was: int
    cost_would_be: int
    timed: int
    days_was: int
    days_would_be: int


def cases_decided(tx: Transaction, since: datetime, limit: int = MOST) -> list[Case]:
    """Orders about which was decided since, newest first."""
    return [
        Case(one.order_id, one.route.decided_at, one.route.lines, one.route.destination, one.route.strategy)
        for one in decisions.since(tx, since, min(limit, MOST))
    ]


def cases_ordered(tx: Transaction, since: datetime, destination: Destination, limit: int = MOST) -> list[Case]:
    """The newest paid orders, placed since, as if all went to one destination; newest first."""
    rows = tx.run(
        """SELECT o.id, o.store_id, o.placed_at AS at FROM (
               SELECT * FROM store_order WHERE merchant_id = :merchant_id AND placed_at >= :since
               ORDER BY placed_at DESC, id DESC LIMIT :limit) o
           WHERE o.paid ORDER BY o.placed_at DESC, o.id DESC""",
        since=since,
        limit=min(limit, MOST),
    ).all()
    lines = reading.lines_once_ordered(tx, [row.id for row in rows])
    chosen = rules.choice(tx)
    return [
        Case(row.id, row.at, lines[row.id], destination, chosen.of(row.store_id).name)
        for row in rows
        if row.id in lines
    ]


def compare(tx: Transaction, cases: Sequence[Case], other: Strategy) -> list[Compared]:
    """Each case by both strategies, with today's rules, rates and warehouses, and with the stock of its own time.

    Each order is taken by itself; limits of parcels per day are left out, since the parcels of then are gone.

    Args: cases: newest first.
    """
    if not cases:
        return []
    laid, places = reading.terms(tx), warehouses.every(tx)
    things = {part.stocked for case in cases for line in case.lines for part in line.parts}
    then = _walk_back(tx, sorted(things), [case.at for case in cases])
    found = []
    for case, supply in zip(cases, then, strict=True):
        was, would_be = (
            decide(case.lines, case.destination, places, supply, laid, strategy, case.at)
            for strategy in (named(case.strategy), other)
        )
        found.append(
            Compared(case.order_id, case.at, case.destination, case.strategy, _outcome(was), _outcome(would_be))
        )
    return found


def _outcome(route: Route) -> Outcome:
    days = None if route.latest is None else (route.latest - route.decided_at.date()).days
    return Outcome(route.parcels, route.cost, days, sum(leg.units for leg in route.legs))


def _walk_back(tx: Transaction, things: Sequence[Stocked], instants: Sequence[datetime]) -> Iterator[Supply]:
    """What stood in each warehouse just before each instant, from now back; one statement, so one moment is read."""
    rows = tx.run(
        """SELECT NULL AS at, b.item_id, b.grade, b.warehouse_id AS place, b.available, b.locked
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT * FROM dispatch_balance WHERE merchant_id = :merchant_id
               AND item_id = k.item_id AND grade = k.grade OFFSET 0) b
           UNION ALL
           SELECT m.recorded_at, m.item_id, m.grade, e.place, e.sign * m.quantity * (e.bucket = 'available')::int,
               e.sign * m.quantity * (e.bucket = 'locked')::int
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT * FROM movement WHERE merchant_id = :merchant_id AND item_id = k.item_id
               AND recorded_at >= :since AND grade = k.grade AND layer = 'dispatch' OFFSET 0) m
           CROSS JOIN LATERAL (VALUES (m.from_place, m.from_bucket, 1), (m.to_place, m.to_bucket, -1))
               e (place, bucket, sign)
           WHERE e.bucket IN ('available', 'locked')
           ORDER BY at DESC NULLS FIRST""",
        items=[one.item_id for one in things],
        grades=[one.grade for one in things],
        since=min(instants),
    ).fetchall()
    supply, nth = Supply(), 0
    for instant in instants:
        while nth < len(rows) and (rows[nth].at is None or rows[nth].at >= instant):
            _add(supply, rows[nth])
            nth += 1
        yield supply


def _add(supply: Supply, row: Any) -> None:
    thing = Stocked(row.item_id, row.grade)
    for stock, units in ((supply.available, row.available), (supply.locked, row.locked)):
        if units:
            there = stock.setdefault(thing, {})
            there[row.place] = there.get(row.place, 0) + units


def totals(compared: Sequence[Compared]) -> Totals:
    """What the other strategy would come to, over all."""
    priced = [one for one in compared if one.was.cost is not None and one.would_be.cost is not None]
    timed = [one for one in compared if one.was.days is not None and one.would_be.days is not None]
    return Totals(
        orders=len(compared),
        unsent=sum(not one.was.units and not one.would_be.units for one in compared),
        changed=sum(one.was != one.would_be for one in compared),
        parcels_was=sum(one.was.parcels for one in compared),
        parcels_would_be=sum(one.would_be.parcels for one in compared),
        priced=len(priced),
        cost_was=sum(one.was.cost or 0 for one in priced),
        cost_would_be=sum(one.would_be.cost or 0 for one in priced),
        timed=len(timed),
        days_was=sum(one.was.days or 0 for one in timed),
        days_would_be=sum(one.would_be.days or 0 for one in timed),
    )

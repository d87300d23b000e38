"""Paid orders become fulfilment orders: decided, allocated and recorded in one transaction, many orders at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.command import Command
from core.dispatch import decisions, reading, rules, strategies
from core.dispatch.decisions import Decision, New
from core.dispatch.destinations import Destination, read_destination
from core.dispatch.model import Exclusion, Route, Why, why_not
from core.dispatch.routing import decide
from core.errors import Broken, InsufficientStock, Refused
from core.fulfilment.allocating import Allocate
from core.ledger import TRIES, Batch, home_of
from core.reading import lock_orders
from core.rows import FulfilmentRow, StoreKey
from core.stock import BalanceKey
from core.transaction import Database, Transaction
from core.warehouse import warehouses

NOWHERE = Destination("")
_LATER = frozenset({Why.NOWHERE, Why.REST_OF_BUNDLE})  # goods may come without any news of the order


@dataclass(frozen=True, slots=True)
class Order:
    """A row of an order, locked."""

    id: int
    key: StoreKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of one order: ``route`` None when nothing was to be sent; ``made``: the fulfilment orders, with their
    ``route``; ``refused``: the order or the goods changed meanwhile, so decide again.
    """

    order_id: int
    route: Route | None = None
    made: Sequence[FulfilmentRow] = ()
    refused: str = ""

    @property
    def again(self) -> bool:
        """Is it worth looking at again, although nothing of the order changes?"""
        return bool(self.refused) or (self.route is not None and any(one.why in _LATER for one in self.route.waits))


def dispatch(
    db: Database, merchant_id: int, order_ids: Collection[int], *, actor: str, to: Destination | None = None,
    strategy: str = "", without: Sequence[Exclusion] = (), dry_run: bool = False,
) -> list[Dispatched]:  # fmt: skip
    """Decide who sends what of these orders and allocate it; what is allocated already stays.

    Args: to, strategy: instead of the orders' own. without: warehouses that are not to be asked.
    Raises: Broken when no batch was wide enough; database errors.
    """
    home, wider = home_of(db, merchant_id), dict[int, frozenset[BalanceKey]]()
    for _ in range(TRIES):
        with db.begin(merchant_id, actor=actor) as tx:
            planned = _plan(tx, _locked(tx, order_ids), to, strategy, without)
            commands: dict[int, Command] = {
                order_id: one.command for order_id, one in planned.items() if one.command is not None
            }
            known = {order_id: wider.get(order_id, frozenset()) for order_id in commands}
            results, more = Batch(tx, home, careful=True).apply(commands, known) if commands else ({}, {})
            if not more:
                found = [_outcome(one, results.get(order_id)) for order_id, one in planned.items()]
                _record(tx, [planned[one.order_id] for one in found if not one.refused])
            if more or dry_run:
                tx.connection.rollback()
        if not more:
            return found
        wider |= {order_id: known[order_id] | keys for order_id, keys in more.items()}
    raise Broken(f"{len(more)} orders found no stable set of rows in {TRIES} batches")


@dataclass(frozen=True, slots=True)
class _Planned:
    order_id: int
    route: Route
    earlier: Decision | None
    decision_id: int
    command: Allocate | None


def _outcome(planned: _Planned, result: Any) -> Dispatched:
    if isinstance(result, Refused):
        gone = isinstance(result, InsufficientStock)
        why = "others have taken goods of it; decide again" if gone else str(result)
        return Dispatched(planned.order_id, planned.route, refused=why)
    return Dispatched(planned.order_id, planned.route, result or ())


def _locked(tx: Transaction, order_ids: Collection[int]) -> list[Order]:
    """In the order in which batches lock them, which is not the database's order of words."""
    rows = tx.run(
        """SELECT s.store_id, s.external_id FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT store_id, external_id FROM store_order
               WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) s""",
        ids=sorted(set(order_ids)),
    ).all()
    keys = sorted(StoreKey(*row) for row in rows)
    return [
        Order(row.id, StoreKey(row.store_id, row.external_id), _destination(row.destination))
        for row in lock_orders(tx, keys, Batch.row_lock)
    ]


def _destination(words: str) -> Destination:
    return read_destination(words) if words else NOWHERE


def _plan(
    tx: Transaction, orders: Sequence[Order], to: Destination | None, strategy: str, without: Sequence[Exclusion]
) -> dict[int, _Planned]:
    """By order; those of which nothing is to be sent are left out. Each takes from what those before it leave."""
    ids = [order.id for order in orders]
    lines = reading.lines_of_orders(tx, ids)
    if not lines:
        return {}
    warehouses.lock_limited(tx)
    laid, places, chosen = reading.terms(tx), warehouses.every(tx), rules.choice(tx)
    things = {part.stocked for some in lines.values() for line in some for part in line.parts}
    supply = reading.supply(tx, things, places, laid, tx.now)
    before, rejected = decisions.in_force(tx, ids), rejections(tx, ids)
    found: dict[int, _Planned] = {}
    for order in orders:
        if order.id not in lines:
            continue
        earlier = before.get(order.id)
        where = to or order.destination
        if where == NOWHERE and earlier is not None:
            where = earlier.route.destination
        by = strategies.named(strategy) if strategy else chosen.of(order.key.store_id)
        shut = [*without, *rejected.get(order.id, ())]
        route = decide(
            lines[order.id], where, places, supply, laid, by, tx.now, excluded=shut,
            earlier=earlier.route if earlier else None,
        )  # fmt: skip
        supply.take(route)
        found[order.id] = _planned(tx, order, route, earlier)
    return found


def _planned(tx: Transaction, order: Order, route: Route, earlier: Decision | None) -> _Planned:
    decision_id = tx.new_id()
    command = Allocate(order.key, decision_id, route.legs) if route.legs else None
    return _Planned(order.id, route, earlier, decision_id, command)


def _record(tx: Transaction, planned: Sequence[_Planned]) -> None:
    """What sends something, or tells another cause why nothing goes; that nothing goes still is no news."""
    news = [one for one in planned if _is_news(one.route, one.earlier)]
    decisions.record(
        tx,
        [New(one.order_id, one.route, one.earlier.id if one.earlier else None) for one in news],
        [one.decision_id for one in news],
    )


def _is_news(route: Route, earlier: Decision | None) -> bool:
    return bool(route.legs) or earlier is None or why_not(route) != why_not(earlier.route)


def rejections(tx: Transaction, order_ids: Collection[int]) -> Mapping[int, list[Exclusion]]:
    """Warehouses that rejected these orders, by order."""
    rows = tx.run(
        """SELECT k.id, f.warehouse_id, f.why FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM fulfilment_order WHERE merchant_id = :merchant_id AND order_id = k.id
               AND rejected_at IS NOT NULL OFFSET 0) f ORDER BY k.id, f.nth""",
        ids=sorted(order_ids),
    )
    found: defaultdict[int, list[Exclusion]] = defaultdict(list)
    for order_id, place, why in rows:
        found[order_id].append(Exclusion(place, Why.REJECTED, None, why))
    return found

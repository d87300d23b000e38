"""Orders in: fetch what hints and polls named, and apply its newest state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.wiring import App
from connectors.port import Connector
from core import stores, work
from core.errors import HoldfastError, Malformed, Refused
from core.model import FetchedOrders, StoreOrder
from core.orders.apply import ApplyOrder
from core.stores import StoreRow
from core.transaction import Transaction
from core.work import Lease, Want
from jobs.leases import giving_back
from jobs.registry import LEASE_S, job

_AT_ONCE = 5
_MISSING_TRIES = 4
_ACTOR = "job:order"


@dataclass(frozen=True, slots=True)
class _Lot:
    """Rows that one thread fetches at once, claimed before ``fetch_seq`` was taken."""

    store: StoreRow
    leases: Sequence[Lease]
    fetch_seq: int


@job("order", queue="order", lot=_AT_ONCE)
def apply_orders(app: App, merchant_id: int, store_id: int) -> None:
    """Fetch the orders of one store that want it, in small lots so that several threads can share a rush."""
    lot: _Lot | None = None
    while True:
        if lot is None:
            with app.db.begin(merchant_id, actor=_ACTOR) as tx:
                lot = _take(tx, store_id)
        if not lot.leases:
            return
        following: _Lot | None = None
        with giving_back(app, merchant_id, store_id, lot.leases, _ACTOR):
            following = _fetch_and_apply(app, merchant_id, lot)
        lot = following  # None when the store did not answer as hoped: the next lot is a new start


def _take(tx: Transaction, store_id: int) -> _Lot:
    """The next rows that are due; none are left in the lot when there is nothing to do."""
    store = stores.get(tx, store_id)
    while leases := work.claim(tx, "order", store_id, limit=_AT_ONCE, lease_s=LEASE_S):
        if store.reads:
            return _Lot(store, leases, int(tx.run("SELECT nextval('fetch_seq')").scalar_one()))
        # The poll after the store is switched on again finds what it missed.
        work.settle(tx, leases)
    return _Lot(store, (), 0)


def _fetch_and_apply(app: App, merchant_id: int, lot: _Lot) -> _Lot:
    """Fetch and apply one lot; returns the next, taken in the transaction that settled this one."""
    store, leases = lot.store, lot.leases
    connector = app.connector(merchant_id, store.id)
    asked_at = app.db.clock()
    fetched, unreadable = _fetch(connector, [lease.subject for lease in leases])
    answered_at = app.db.clock()
    by_id = {lease.subject: lease for lease in leases}
    orders = {order.external_id: order for order in fetched.orders}
    gone, unknown = _gone(app, merchant_id, store.id, [by_id[i] for i in fetched.missing if i in by_id])
    # Of the way so far ours was what passed between due and asked; the rest was the store's.
    news = {i: (k.heard_at, answered_at - (asked_at - max(k.due_at, k.heard_at))) for i, k in by_id.items()}
    apply(app, merchant_id, store, [*orders.values(), *gone], lot.fetch_seq, news)
    done = [k for i, k in by_id.items() if i not in unreadable and i not in unknown]
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, done)
        waits = [(by_id[order_id], reason) for order_id, reason in {**unreadable, **unknown}.items()]
        work.postpone_each(tx, [work.Wait(lease, float(2**lease.tries), reason) for lease, reason in waits])
        again = [o for o in orders.values() if o.look_again_at is not None]
        work.want(tx, [Want("order", store.id, o.external_id, o.look_again_at) for o in again])
        stores.accepted(tx, store.id, "order")
        return _take(tx, store.id)


def _fetch(connector: Connector, order_ids: Sequence[str]) -> tuple[FetchedOrders, dict[str, str]]:
    """All orders at once; when one cannot be read, each by itself, so that it stops no other."""
    try:
        return connector.fetch_orders(order_ids), {}
    except Malformed as error:
        if len(order_ids) == 1:
            return FetchedOrders([]), {order_ids[0]: str(error)}
    found: list[StoreOrder] = []
    missing: list[str] = []
    unreadable: dict[str, str] = {}
    for order_id in order_ids:
        one, bad = _fetch(connector, [order_id])
        found += one.orders
        missing += one.missing
        unreadable |= bad
    return FetchedOrders(found, missing), unreadable


def _gone(
    app: App, merchant_id: int, store_id: int, leases: Sequence[Lease]
) -> tuple[list[StoreOrder], dict[str, str]]:
    """Orders that the store no longer has: what they hold is released. One that we never saw may only be late."""
    gone: list[StoreOrder] = []
    unknown: dict[str, str] = {}
    if not leases:
        return gone, unknown
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        rows = tx.run(
            """SELECT k.external_id, o.number, o.placed_at FROM unnest(CAST(:ids AS text[])) k (external_id)
               CROSS JOIN LATERAL (SELECT number, placed_at FROM store_order WHERE merchant_id = :merchant_id
                   AND store_id = :store_id AND external_id = k.external_id AND placed_at IS NOT NULL OFFSET 0) o""",
            store_id=store_id, ids=[lease.subject for lease in leases],
        )  # fmt: skip
        known = {row.external_id: row for row in rows}
    for lease in leases:
        row = known.get(lease.subject)
        if row is not None:
            gone.append(
                StoreOrder(lease.subject, row.number, "deleted", row.placed_at, "deleted", False, False, lines=())
            )
        elif lease.tries < _MISSING_TRIES:
            unknown[lease.subject] = "the store does not know this order (yet)"
    return gone, unknown


def apply(
    app: App,
    merchant_id: int,
    store: StoreRow,
    orders: Sequence[StoreOrder],
    fetch_seq: int,
    news: Mapping[str, tuple[datetime, datetime]],
) -> None:
    """Apply fetched orders through the combiner. ``news``: per order when its hint came, and since when it was ours.

    Raises: what a command was refused with; an order that exists on a store is never refused, so that is a fault.
    """
    commands = [
        ApplyOrder(
            store.id,
            order,
            fetch_seq,
            opened_at=store.opened_at,
            heard_at=news[order.external_id][0],
            ours_since=news[order.external_id][1],
            deduct=store.deduct,
        )
        for order in orders
    ]
    for order, result in zip(orders, app.combiner.run(merchant_id, commands, actor=_ACTOR), strict=True):
        if isinstance(result, Refused):
            raise HoldfastError(f"order {order.number} was refused: {result}") from result

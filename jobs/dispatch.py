"""Paid orders go to the warehouses that send them, for merchants who have switched that on."""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from config.wiring import App
from core import work
from core.backoff import backoff_s
from core.dispatch import waking
from core.errors import Refused
from core.fulfilment import automatic, dispatching
from core.fulfilment.dispatching import Dispatched
from core.work import Lease, Wait
from jobs.registry import LEASE_S, job

logger = logging.getLogger(__name__)
_ACTOR = "job:dispatch"
_LOT = 200
_MOVED_S = 1.0  # order or goods changed while it was decided
_NOWHERE_S = 300.0  # no warehouse has the goods, and none says when it does
_NO_FAULT_OF_ORDERS = (OperationalError, InterfaceError, NoConnection)


@job(waking.TOPIC, lot=_LOT)
def dispatch_orders(app: App, merchant_id: int, _store_id: int) -> None:
    """Decide who sends orders that are paid, or were taken from a warehouse, and tell the warehouses.

    Safe with many workers: what one has allocated, the next finds allocated.
    """
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, waking.TOPIC, 0, limit=_LOT, lease_s=LEASE_S)
        on = automatic.is_on(tx)
    if not leases:
        return
    found, broken = list[Dispatched](), dict[int, str]()
    try:
        if on:
            if any(not lease.subject for lease in leases):
                _relieve(app, merchant_id)
            found = _dispatch(app, merchant_id, [int(lease.subject) for lease in leases if lease.subject], broken)
    except Exception:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            work.give_back(tx, leases)
        raise
    _settle(app, merchant_id, leases, found, broken)


def _dispatch(app: App, merchant_id: int, order_ids: Sequence[int], broken: dict[int, str]) -> list[Dispatched]:
    """All orders at once; when that fails, each half by itself, so that one that is broken stops no other.

    Args: broken: takes the orders that fail alone, and why. Raises: what says nothing of an order, like a database
          that is away.
    """
    if not order_ids:
        return []
    try:
        return dispatching.dispatch(app.db, merchant_id, order_ids, actor=_ACTOR)
    except _NO_FAULT_OF_ORDERS:
        raise
    except Exception as error:  # whatever it is, it stands with its order, which is tried again
        if len(order_ids) == 1:
            broken[order_ids[0]] = f"{type(error).__name__}: {error}"
            logger.warning("order %s of merchant %s is not dispatched", order_ids[0], merchant_id, exc_info=error)
            return []
    half = len(order_ids) // 2
    return [part for some in (order_ids[:half], order_ids[half:]) for part in _dispatch(app, merchant_id, some, broken)]


def _relieve(app: App, merchant_id: int) -> None:
    """Take from paused warehouses what nobody packs yet: who sends it is decided again."""
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            commands = automatic.to_relieve(tx)
        results = app.combiner.run(merchant_id, commands, actor=_ACTOR) if commands else []
        if all(isinstance(result, Refused) for result in results):  # none left, or others were faster
            return


def _settle(
    app: App, merchant_id: int, leases: Sequence[Lease], found: Sequence[Dispatched], broken: Mapping[int, str]
) -> None:
    """A broken order comes again, later each time, and in the end stays as a dead letter with its reason."""
    waits = {str(one.order_id): _MOVED_S if one.refused else _NOWHERE_S for one in found if one.again}
    faults = {str(order_id): why for order_id, why in broken.items()}
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, [lease for lease in leases if lease.subject not in waits | faults])
        later = [lease for lease in leases if lease.subject in waits]
        work.postpone_each(tx, [Wait(lease, waits[lease.subject], "") for lease in later], counts=False)
        bad = [lease for lease in leases if lease.subject in faults]
        work.postpone_each(tx, [Wait(lease, backoff_s(lease.tries), faults[lease.subject]) for lease in bad])

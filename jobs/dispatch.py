"""Paid orders go to the warehouses that send them, for merchants who have switched that on."""

from collections.abc import Sequence

from config.wiring import App
from core import work
from core.errors import Refused
from core.fulfilment import automatic, dispatching
from core.fulfilment.dispatching import Dispatched
from core.work import Lease
from jobs.registry import LEASE_S, job

_ACTOR = "job:dispatch"
_LOT = 200
_MOVED_S = 1.0  # order or goods changed while it was decided
_NOWHERE_S = 300.0  # no warehouse has the goods, and none says when it does


@job(automatic.TOPIC, lot=_LOT)
def dispatch_orders(app: App, merchant_id: int, _store_id: int) -> None:
    """Decide who sends orders that are paid, or were taken from a warehouse, and tell the warehouses.

    Safe with many workers: what one has allocated, the next finds allocated.
    """
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, automatic.TOPIC, 0, limit=_LOT, lease_s=LEASE_S)
        on = automatic.is_on(tx)
    if not leases:
        return
    found: list[Dispatched] = []
    try:
        if on:
            if any(not lease.subject for lease in leases):
                _relieve(app, merchant_id)
            orders = [int(lease.subject) for lease in leases if lease.subject]
            found = dispatching.dispatch(app.db, merchant_id, orders, actor=_ACTOR) if orders else []
    except Exception:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            work.give_back(tx, leases)
        raise
    _settle(app, merchant_id, leases, found)


def _relieve(app: App, merchant_id: int) -> None:
    """Take from paused warehouses what nobody packs yet: who sends it is decided again."""
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            commands = automatic.to_relieve(tx)
        results = app.combiner.run(merchant_id, commands, actor=_ACTOR) if commands else []
        if all(isinstance(result, Refused) for result in results):  # none left, or others were faster
            return


def _settle(app: App, merchant_id: int, leases: Sequence[Lease], found: Sequence[Dispatched]) -> None:
    waits = {str(one.order_id): _MOVED_S if one.refused else _NOWHERE_S for one in found if one.again}
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, [lease for lease in leases if lease.subject not in waits])
        for delay_s in (_MOVED_S, _NOWHERE_S):
            later = [lease for lease in leases if waits.get(lease.subject) == delay_s]
            work.postpone(tx, later, delay_s=delay_s, reason="", counts=False)

"""Activities and presales by the clock: preloaded, shown when they begin, closed when they end."""

import logging
from typing import Any

from config.wiring import App
from core import work
from core.command import Command
from core.errors import Refused
from core.sales import campaigns, pool_report
from core.sales.pools import ClosePool, Preload
from jobs.registry import LEASE_S, job

logger = logging.getLogger(__name__)
_ACTOR = "job:pools"


@job(campaigns.TOPIC)
def keep_pools(app: App, merchant_id: int, _store_id: int) -> None:
    """Do what the time has come for. Safe with many workers, and late: each act is done once."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, campaigns.TOPIC, 0, limit=1, lease_s=LEASE_S)
        due = campaigns.due(tx) if leases else None
    if due is None:
        return
    for pool_id in due.end:
        _run(app, merchant_id, ClosePool(pool_id, "its time was over", only_ended=True))
    for pool_id, best_effort in due.preload:
        _preload(app, merchant_id, pool_id, best_effort=best_effort)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        if due.begin:
            campaigns.begun(tx, due.begin)
        # Settled before it is wanted for later: a row that is wanted while it is leased is due at once.
        work.settle(tx, leases)
        campaigns.wake_later(tx)


def _preload(app: App, merchant_id: int, pool_id: int, *, best_effort: bool) -> None:
    result = _run(app, merchant_id, Preload(pool_id, best_effort=best_effort))
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        if not isinstance(result, Refused):
            campaigns.preloaded(tx, pool_id)
            return
        pool = pool_report.pool(tx, pool_id)
        trouble = (
            f"{pool_report.told(tx, result)}; make room, or deal what there is: "
            f"`holdfast pool preload {pool.code} --best-effort`"
        )
        campaigns.not_preloaded(tx, pool_id, trouble)
    if pool.trouble != trouble:
        logger.warning("activity %s of merchant %s is not preloaded: %s", pool.code, merchant_id, trouble)


def _run(app: App, merchant_id: int, command: Command) -> Any:
    return app.combiner.run(merchant_id, [command], actor=_ACTOR)[0]

"""Activities and presales by the clock: preloaded, shown when they begin, closed when they end."""

import logging
from collections.abc import Sequence

from config.wiring import App
from core import work
from core.errors import Refused
from core.sales import campaigns, pool_report
from core.sales.pools import ClosePool, Preload
from core.transaction import Transaction
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
    ended = [ClosePool(pool_id, "its time was over", only_ended=True) for pool_id in due.end]
    app.combiner.run(merchant_id, ended, actor=_ACTOR)
    _preload(app, merchant_id, due.preload)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        if due.begin:
            campaigns.begun(tx, due.begin)
        # Settled before it is wanted for later: a row that is wanted while it is leased is due at once.
        work.settle(tx, leases)
        campaigns.wake_later(tx)


def _preload(app: App, merchant_id: int, asked: Sequence[tuple[int, bool]]) -> None:
    """Args: asked: pools, and whether to deal what there is."""
    commands = [Preload(pool_id, best_effort=best_effort) for pool_id, best_effort in asked]
    results = app.combiner.run(merchant_id, commands, actor=_ACTOR)
    told = [(pool_id, result) for (pool_id, _), result in zip(asked, results, strict=True)]
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        campaigns.preloaded(tx, [pool_id for pool_id, result in told if not isinstance(result, Refused)])
        for pool_id, result in told:
            if isinstance(result, Refused):
                _warn(tx, pool_id, result)


def _warn(tx: Transaction, pool_id: int, refusal: Refused) -> None:
    pool = pool_report.pool(tx, pool_id)
    trouble = (
        f"{pool_report.told(tx, refusal)}; make room, or deal what there is: "
        f"`holdfast pool preload {pool.code} --best-effort`"
    )
    campaigns.not_preloaded(tx, pool_id, trouble)
    if pool.trouble != trouble:
        logger.warning("activity %s of merchant %s is not preloaded: %s", pool.code, tx.merchant_id, trouble)

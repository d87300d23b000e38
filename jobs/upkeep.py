"""What keeps the house in order: holds that run out, partitions to come, evidence that is old, and the audit."""

import logging
from datetime import timedelta

from config.wiring import App
from core import audit, holds, work
from core.transaction import Transaction
from core.work import Lease
from jobs.registry import LEASE_S, job

logger = logging.getLogger(__name__)
_ACTOR = "job:upkeep"


def _claim(app: App, merchant_id: int, topic: str) -> list[Lease]:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        return work.claim(tx, topic, 0, limit=1, lease_s=LEASE_S)


def _settle(app: App, merchant_id: int, leases: list[Lease]) -> None:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, leases)


@job("expire")
def expire_holds(app: App, merchant_id: int, _store_id: int) -> None:
    """Release holds of our own interface that have run out. Safe with many workers: each hold ends once."""
    leases = _claim(app, merchant_id, "expire")
    if not leases:
        return
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            keys = holds.expired(tx)
        if not keys:
            break
        app.combiner.run(merchant_id, [holds.EndHold(key, only_expired=True) for key in keys], actor="job:expire")
    _settle(app, merchant_id, leases)


@job("audit")
def run_audit(app: App, merchant_id: int, _store_id: int) -> None:
    """Check the invariants; a violation stays in the work table with what it found, so that doctor shows it."""
    leases = _claim(app, merchant_id, "audit")
    if not leases:
        return
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        violations = audit.audit(tx)
        if violations:
            first = violations[0]
            reason = f"{len(violations)} violations, the first: {first.invariant}: {dict(first.row)}"
            logger.error("audit of merchant %s: %s", merchant_id, reason)
            work.postpone(tx, leases, delay_s=3600, reason=reason)
        else:
            work.settle(tx, leases)


@job("upkeep")
def upkeep(app: App, merchant_id: int, _store_id: int) -> None:
    """Make the partitions of the coming months."""
    leases = _claim(app, merchant_id, "upkeep")
    if not leases:
        return
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        _add_months(tx)
        work.settle(tx, leases)


def _add_months(tx: Transaction) -> None:
    for months in range(3):
        tx.run("SELECT add_month(CAST(:day AS date))", day=(tx.now + timedelta(days=31 * months)).date())

"""What keeps the house in order: holds that run out, partitions to come, checkpoints of the past, and the audit."""

import logging
from datetime import timedelta

from config.wiring import App
from core import audit, patience, work
from core.alerts.kinds import LONGEST_WINDOW_DAYS
from core.demand import flows
from core.mirror import pruning
from core.past import checkpoints
from core.past.checkpoints import Window
from core.sales import holds
from core.transaction import Transaction
from core.work import Lease
from jobs.registry import LEASE_S, TIME_LIMIT_S, job

logger = logging.getLogger(__name__)
_ACTOR = "job:upkeep"
_CHECKPOINT_LIMIT_S = 1200
_ITEMS_LOOKED_AT, _ITEMS_COUNTED = 5_000, 20
_AFTER_THE_LIMIT_S = LEASE_S - TIME_LIMIT_S


def _claim(app: App, merchant_id: int, topic: str, *, lease_s: float = LEASE_S) -> list[Lease]:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        return work.claim(tx, topic, 0, limit=1, lease_s=lease_s)


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


@job("audit", limit_s=audit.LIMIT_S)
def run_audit(app: App, merchant_id: int, _store_id: int) -> None:
    """Check the invariants; a violation stays in the work table with what it found, so that doctor shows it."""
    leases = _claim(app, merchant_id, "audit", lease_s=audit.LIMIT_S + _AFTER_THE_LIMIT_S)
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
    """Make the partitions of the coming months, and forget what outside systems told long ago."""
    leases = _claim(app, merchant_id, "upkeep")
    if not leases:
        return
    pruning.prune(app.db, merchant_id, actor=_ACTOR)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        _add_months(tx)
        work.settle(tx, leases)


def _add_months(tx: Transaction) -> None:
    days = [(tx.now + timedelta(days=31 * months)).date() for months in range(3)]
    tx.run("SELECT add_month(k.day) FROM unnest(CAST(:days AS date[])) k (day)", days=days)


@job("checkpoint", limit_s=_CHECKPOINT_LIMIT_S)
def make_checkpoints(app: App, merchant_id: int, _store_id: int) -> None:
    """Write down the balances of items that moved much, so that their past stays quick to read, and sum up days."""
    leases = _claim(app, merchant_id, "checkpoint", lease_s=_CHECKPOINT_LIMIT_S + _AFTER_THE_LIMIT_S)
    if not leases:
        return
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        window = checkpoints.open_window(tx)
    if window is not None:
        _fill(app, merchant_id, window)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            checkpoints.close_window(tx, window)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            patience.allow(tx, _CHECKPOINT_LIMIT_S)
            flows.settle(tx, flows.window(tx, LONGEST_WINDOW_DAYS), flows.pools(tx))
    _settle(app, merchant_id, leases)


def _fill(app: App, merchant_id: int, window: Window) -> None:
    """Make all checkpoints of a window, in small transactions; one that breaks off is made from the start again."""
    last = 0
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            patience.allow(tx, _CHECKPOINT_LIMIT_S)
            item_ids = checkpoints.items_after(tx, last, limit=_ITEMS_LOOKED_AT)
            due = checkpoints.due(tx, window, item_ids)
        if not item_ids:
            return
        last = item_ids[-1]
        for start in range(0, len(due), _ITEMS_COUNTED):
            while _make(app, merchant_id, window, due[start : start + _ITEMS_COUNTED]):
                pass


def _make(app: App, merchant_id: int, window: Window, item_ids: list[int]) -> int:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        patience.allow(tx, _CHECKPOINT_LIMIT_S)
        return checkpoints.make(tx, window, item_ids)

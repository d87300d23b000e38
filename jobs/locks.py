"""Locks begin when their time has come and end when they have run out."""

from collections.abc import Sequence

from config.wiring import App
from core import work
from core.command import Command
from core.errors import Refused
from core.sales import locks
from core.sales.locks import ExpireLock, StartLock
from jobs.registry import LEASE_S, job

_ACTOR = "job:locks"


@job("locks")
def start_and_end_locks(app: App, merchant_id: int, _store_id: int) -> None:
    """Move the units of locks whose time has come, and give back those of locks that have run out.

    Safe with many workers: each lock begins once and ends once.
    """
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, "locks", 0, limit=1, lease_s=LEASE_S)
    if not leases:
        return
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            begins, ends = locks.due(tx)
        if not begins and not ends:
            break
        # Ends first: what they give back is there for those that begin.
        _do(app, merchant_id, [*map(ExpireLock, ends), *map(StartLock, begins)])
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, leases)


def _do(app: App, merchant_id: int, commands: Sequence[Command]) -> None:
    """Raises: Refused when nothing at all could be done, so that nobody tries the same for ever."""
    results = app.combiner.run(merchant_id, commands, actor=_ACTOR)
    refused = [result for result in results if isinstance(result, Refused)]
    if len(refused) == len(results):
        raise refused[0]

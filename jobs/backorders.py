"""Those who wait: transfers get what came free, dates are brought up to date, and who wants to know is told."""

from config.wiring import App
from core import work
from core.sales import notices, promise_dates
from core.supply import counting, topping_up
from jobs.registry import LEASE_S, job

_ACTOR = "job:backorders"


@job("backorders")
def look_after_backorders(app: App, merchant_id: int, _store_id: int) -> None:
    """Dates follow supply, the queue, and days that pass. Safe with many workers: each change is noted once."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, "backorders", 0, limit=1, lease_s=LEASE_S)
    if not leases:
        return
    counting.apply(app.db, merchant_id, actor=_ACTOR)
    topping_up.apply(app.db, merchant_id, actor=_ACTOR)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        promise_dates.recompute(tx, promise_dates.concerned(tx))
        promise_dates.let_rest(tx)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        notices.give_notice(tx)
        work.settle(tx, leases)

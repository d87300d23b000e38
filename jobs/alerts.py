"""Looks at everything that somebody wants to be warned of and that no batch of the ledger sees by itself."""

from collections.abc import Iterable, Sequence

from config.wiring import App
from core import ledger, troubles, work
from core.alerts import channels as alert_channels
from core.alerts import lifecycle as alerts
from core.alerts import locks as alert_locks
from core.alerts import pace as alert_pace
from core.alerts import scan as alert_scan
from core.alerts.kinds import Spot
from core.alerts.lifecycle import Ending, NewAlert
from core.alerts.rules import TOPIC
from core.stock import Home
from core.transaction import Transaction
from jobs.registry import LEASE_S, job

_ACTOR = "job:alerts"
_ITEMS_AT_ONCE, _LISTINGS_AT_ONCE, _JUDGED_AT_ONCE, _PACES_AT_ONCE = 5_000, 500, 200, 500
# Paces are computed once a day for each item; what one run leaves over, the next ones do.
_MOST_PACES = 5_000


@job(TOPIC)
def watch(app: App, merchant_id: int, _store_id: int) -> None:
    """Open and end alerts on low stock, days of cover, and locks. Running it again changes nothing."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, TOPIC, 0, limit=1, lease_s=LEASE_S)
    if not leases:
        return
    home = ledger.home_of(app.db, merchant_id)
    _watch_stock(app, merchant_id, home)
    _watch_channels(app, merchant_id)
    _refresh_paces(app, merchant_id)
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        _note(tx, *alert_pace.look(tx))
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        _note(tx, *alert_locks.look(tx))
        _note(tx, *troubles.look(tx))
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, leases)


def _watch_stock(app: App, merchant_id: int, home: Home) -> None:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        over = alert_scan.recovered(tx, home)
    _judge(app, merchant_id, home, over)
    last = 0
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            item_ids = alert_scan.next_items(tx, last, limit=_ITEMS_AT_ONCE)
            low = alert_scan.fallen(tx, home, item_ids) if item_ids else []
        if not item_ids:
            return
        last = item_ids[-1]
        _judge(app, merchant_id, home, [one.spot for one in low])


def _judge(app: App, merchant_id: int, home: Home, spots: Iterable[Spot]) -> None:
    """In small transactions: orders of these items wait for each."""
    in_order = sorted(spots)
    for start in range(0, len(in_order), _JUDGED_AT_ONCE):
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            alert_scan.judge(tx, home, in_order[start : start + _JUDGED_AT_ONCE])


def _watch_channels(app: App, merchant_id: int) -> None:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        stores, is_open = alert_channels.stores(tx), alert_channels.told_of(tx)
    watched: set[int] = set()
    last: int | None = 0
    while stores and last is not None:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            page = alert_channels.look(tx, stores, is_open, last, limit=_LISTINGS_AT_ONCE)
            _note(tx, page.opened, page.ended)
        watched.update(page.watched)
        last = page.last
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        _note(tx, (), alert_channels.unwatched(is_open, watched))


def _refresh_paces(app: App, merchant_id: int) -> None:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        due = alert_pace.due(tx, limit=_MOST_PACES)
    for start in range(0, len(due), _PACES_AT_ONCE):
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            alert_pace.refresh(tx, due[start : start + _PACES_AT_ONCE])


def _note(tx: Transaction, opened: Sequence[NewAlert], ended: Sequence[Ending]) -> None:
    alerts.open_alerts(tx, opened)
    alerts.end_alerts(tx, ended)

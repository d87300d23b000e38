"""What a rule would open. The caller throws away what this writes."""

from collections.abc import Sequence

from core import troubles
from core.alerts import channels as alert_channels
from core.alerts import lifecycle as alerts
from core.alerts import locks as alert_locks
from core.alerts import pace as alert_pace
from core.alerts import scan as alert_scan
from core.alerts import views as alert_views
from core.alerts.kinds import AlertKind
from core.alerts.views import AlertView
from core.stock import Home
from core.transaction import Transaction

_AT_ONCE = 5_000
_MOST = 1_000_000


def opened(tx: Transaction, home: Home, kind: AlertKind) -> Sequence[AlertView]:
    """Open the alerts of a kind that the rules ask for as they stand in this transaction; takes no row locks."""
    if kind is AlertKind.LOW_STOCK:
        _open_low_stock(tx, home)
    elif kind is AlertKind.LOW_COVER:
        _open_low_cover(tx)
    elif kind in alert_locks.LOCK_KINDS:
        alerts.open_alerts(tx, alert_locks.look(tx)[0])
    elif kind in (AlertKind.UNSENT, AlertKind.STORE_SILENT):
        alerts.open_alerts(tx, troubles.look(tx)[0])
    return alert_views.newest(tx, _MOST, open_only=True, kind=kind, since=tx.now)


def _open_low_stock(tx: Transaction, home: Home) -> None:
    last: int | None = 0
    while last is not None and (item_ids := alert_scan.next_items(tx, last, limit=_AT_ONCE)):
        alerts.note_crossings(tx, alert_scan.fallen(tx, home, item_ids))
        last = item_ids[-1]
    stores, is_open = alert_channels.stores(tx), alert_channels.told_of(tx)
    last = 0 if stores else None
    while last is not None:
        page = alert_channels.look(tx, stores, is_open, last, limit=_AT_ONCE)
        alerts.open_alerts(tx, page.opened)
        last = page.last


def _open_low_cover(tx: Transaction) -> None:
    alert_pace.refresh(tx, alert_pace.due(tx, limit=_AT_ONCE))
    alerts.open_alerts(tx, alert_pace.look(tx)[0])

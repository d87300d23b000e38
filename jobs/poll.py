"""The safety net: ask each store which orders changed, and walk the same road as its webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.wiring import App
from core import stores, work
from core.errors import ConfigError, Unauthorized
from core.stores import StoreRow
from core.work import Want
from jobs.leases import do_alone
from jobs.registry import job

_ACTOR = "job:poll"


@job("poll", queue="push")
def poll_orders(app: App, merchant_id: int, store_id: int) -> None:
    """One run of pages from the watermark; what changed becomes work, and the watermark moves when all is noted."""

    def poll(store: StoreRow) -> None:
        if store.reads and store.opened_at is not None:
            with _noting(app, merchant_id, store_id):
                _poll(app, merchant_id, store)

    do_alone(app, merchant_id, store_id, "poll", _ACTOR, poll)


@contextmanager
def _noting(app: App, merchant_id: int, store_id: int) -> Iterator[None]:
    """Note that the store's orders could not be read; where it refuses us, that is noted as its trouble instead."""
    try:
        yield
    except (Unauthorized, ConfigError):
        raise
    except Exception:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            stores.unread(tx, store_id)
        raise


def _poll(app: App, merchant_id: int, store: StoreRow) -> None:
    connector = app.connector(merchant_id, store.id)
    watermark = stores.poll_from(store, app.db.clock())
    page = connector.orders_changed_since(watermark, None)
    read_at = page.read_at
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            fetch = stores.needs_fetch(tx, store.id, page.changes)
            work.want(tx, [Want("order", store.id, order_id) for order_id in fetch])
            if page.cursor is None:
                stores.polled(tx, store.id, read_at)
                stores.accepted(tx, store.id, "poll")
                return
        page = connector.orders_changed_since(watermark, page.cursor)


@job("hooks")
def ensure_hooks(app: App, merchant_id: int, store_id: int) -> None:
    """See that the store's webhook subscriptions stand and point at us."""

    def ensure(store: StoreRow) -> None:
        if store.reads and app.settings.public_url:
            app.connector(merchant_id, store_id).ensure_webhooks(hook_url(app, merchant_id, store_id))

    do_alone(app, merchant_id, store_id, "hooks", _ACTOR, ensure)


def hook_url(app: App, merchant_id: int, store_id: int) -> str:
    """Where a store's webhooks are to be delivered."""
    return f"{app.settings.public_url}/hooks/{merchant_id}/{store_id}"

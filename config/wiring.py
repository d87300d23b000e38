"""Builds the App: the one place where settings, database, keys and connectors meet."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from config import secrets
from config.secrets import Secrets
from config.settings import Settings
from connectors.http import Net
from connectors.port import Connector
from core import schema, stores
from core.combiner import Combiner
from core.errors import ConfigError
from core.model import Platform, StoreAccess
from core.stores import StoreRow
from core.transaction import Database, connect

_FRESH = timedelta(seconds=1)


def make_connector(access: StoreAccess, net: Net) -> Connector:
    """The connector of a store's platform; each platform's packages load only when a store of it is used."""
    match access.platform:
        case Platform.SHOPIFY:
            from connectors.shopify.client import ShopifyConnector

            return ShopifyConnector(access, net)
        case Platform.WOOCOMMERCE:
            from connectors.woocommerce.client import WooCommerceConnector

            return WooCommerceConnector(access, net)
        case Platform.BIGCOMMERCE:
            from connectors.bigcommerce.client import BigCommerceConnector

            return BigCommerceConnector(access, net)


@dataclass(slots=True)
class App:
    """What every process works with. Connectors are kept, and renewed when a store changes."""

    settings: Settings
    db: Database
    combiner: Combiner
    secrets: Secrets
    net: Net
    _local: threading.local = field(default_factory=threading.local)
    _stores: dict[tuple[int, int], tuple[datetime, StoreRow]] = field(default_factory=dict)
    _pushing: dict[tuple[int, int], tuple[object, Connector]] = field(default_factory=dict)

    def connector(self, merchant_id: int, store_id: int) -> Connector:
        """A connector for one store, for use by this thread. Raises: NotFound; ConfigError without its key."""
        return self._connector(self._local.__dict__.setdefault("connectors", {}), merchant_id, store_id)

    def pushing_connector(self, merchant_id: int, store_id: int) -> Connector:
        """The one connector that writes to a store, whatever thread pushes: it remembers writes that may still land.

        For the holder of the store's push lease only, so that no two threads use it at once.
        """
        return self._connector(self._pushing, merchant_id, store_id)

    def _connector(
        self, kept: dict[tuple[int, int], tuple[object, Connector]], merchant_id: int, store_id: int
    ) -> Connector:
        store = self._store(merchant_id, store_id)
        stamp = (store.url, store.credentials, tuple(sorted(store.settings.items())))
        known = kept.get((merchant_id, store_id))
        if known is not None and known[0] == stamp:
            return known[1]
        if known is not None:
            known[1].close()
        access = StoreAccess(
            merchant_id, store_id, store.platform, store.url, self.secrets.open(store.credentials), store.settings
        )
        connector = make_connector(access, self.net)
        kept[merchant_id, store_id] = (stamp, connector)
        return connector

    def _store(self, merchant_id: int, store_id: int) -> StoreRow:
        """A store's row, at most a second old: each job and each webhook asks for it."""
        now = self.db.clock()
        known = self._stores.get((merchant_id, store_id))
        if known is not None and now - _FRESH <= known[0] <= now:
            return known[1]
        with self.db.begin(merchant_id, actor="system") as tx:
            store = stores.get(tx, store_id)
        self._stores[merchant_id, store_id] = (now, store)
        return store

    def close(self) -> None:
        self.db.engine.dispose()


def build(settings: Settings, *, pool_size: int = 8) -> App:
    """Connect, and refuse a schema that is not ours. Raises: ConfigError."""
    if not settings.database_url:
        raise ConfigError("no database: set HOLDFAST_DATABASE_URL, or run `holdfast up`, which brings its own")
    engine = connect(settings.database_url, pool_size=pool_size)
    schema.require(engine)
    db = Database(engine)
    return App(settings, db, Combiner(db), secrets.load(settings), Net(allow_private=settings.sandbox))

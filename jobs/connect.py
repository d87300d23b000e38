"""Connecting a store: test the credentials, keep them sealed, import its catalogue, arm its webhooks."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from config.wiring import App, make_connector
from connectors.port import Connector
from core import catalog, pushes, stores, work
from core.goods.receiving import Receive
from core.model import Platform, Sharing, StoreAccess, StoreMode, StoreOrder, StoreProfile
from core.orders.apply import ApplyOrder
from core.stock import GOOD, DocumentKind, Stocked
from core.stores import StoreRow
from core.transaction import Transaction
from jobs.sync import import_catalogue

_SHELL = "cli"
_OPEN_ORDERS_WITHIN = timedelta(days=60)


def probe(app: App, merchant_id: int, platform: Platform, url: str, credentials: Mapping[str, str]) -> StoreProfile:
    """Try credentials without keeping them. Raises: ConnectorError with cause and cure."""
    connector = make_connector(StoreAccess(merchant_id, 0, platform, url, credentials), app.net)
    try:
        return connector.probe()
    finally:
        connector.close()


def connect_store(
    app: App,
    merchant_id: int,
    *,
    name: str,
    platform: Platform,
    url: str,
    credentials: Mapping[str, str],
    opening: bool = False,
    actor: str = _SHELL,
) -> tuple[StoreRow, StoreProfile]:
    """Connect a store; it starts in observe, so nothing is written to it before a person says so.

    With ``opening`` its numbers, together with its open orders, become the opening stock of items that have none.
    Its webhooks are made by a job at once. A connection that broke off half-way goes on when it is asked for again.
    Raises: ConnectorError when the credentials do not work (nothing is kept then); Refused for a name in use.
    """
    profile = probe(app, merchant_id, platform, url, credentials)
    with app.db.begin(merchant_id, actor=actor) as tx:
        store_id = stores.add(
            tx,
            name=name,
            platform=platform,
            url=url,
            credentials=app.secrets.seal(credentials),
            settings=profile.settings,
        )
    connector = app.connector(merchant_id, store_id)
    import_catalogue(app, merchant_id, store_id, connector)
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.opened(tx, store_id, profile.clock.replace(microsecond=0))
    if opening:
        open_stock(app, merchant_id, store_id, connector, actor=actor)
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.start(tx, store_id, poll_s=app.settings.poll_s)
        return stores.get(tx, store_id), profile


def open_stock(app: App, merchant_id: int, store_id: int, connector: Connector, *, actor: str = _SHELL) -> None:
    """Post the opening stock from what a store shows and the units its open orders have taken off that number.

    Items that have any document already are left alone, so running it again changes nothing.
    """
    with app.db.begin(merchant_id, actor=actor) as tx:
        store = stores.get(tx, store_id)
        units = _shown_units(tx, store_id)
        items = _items_of(tx, store_id)
        fetch_seq = int(tx.run("SELECT nextval('fetch_seq')").scalar_one())
    orders = _open_orders(app, connector, store)
    for order in orders:
        for line in order.lines:
            stocked = items.get(line.external_id or "")
            if stocked in units:
                units[stocked] += max(line.counted - (line.shipped - line.returned), 0)
    commands = [
        Receive(_opening_key(stocked), DocumentKind.OPENING, {stocked: n}, f"shown by {store.name}")
        for stocked, n in units.items()
        if n > 0
    ]
    opening_orders = [ApplyOrder(store_id, order, fetch_seq, opened_at=store.opened_at) for order in orders]
    for start in range(0, len(commands), 400):
        app.combiner.run(merchant_id, commands[start : start + 400], actor=actor)
    app.combiner.run(merchant_id, opening_orders, actor=actor)


def _opening_key(stocked: Stocked) -> str:
    grade = "" if stocked.grade == GOOD else f"/{stocked.grade}"
    return f"opening/item/{stocked.item_id}{grade}"


def _shown_units(tx: Transaction, store_id: int) -> dict[Stocked, int]:
    """Units that the store showed when its catalogue was read, of what has no history yet; bundles have no stock."""
    rows = tx.run(
        """SELECT l.item_id, l.grade, sum(greatest(l.observed, 0) * l.pack_size)::bigint AS units FROM listing l
           JOIN item i ON i.merchant_id = l.merchant_id AND i.id = l.item_id AND i.kind <> 'bundle'
           WHERE l.merchant_id = :merchant_id AND l.store_id = :store_id
             AND l.observed IS NOT NULL AND NOT EXISTS (SELECT FROM movement m
                 WHERE m.merchant_id = :merchant_id AND m.item_id = l.item_id)
           GROUP BY l.item_id, l.grade""",
        store_id=store_id,
    )
    return {Stocked(row.item_id, row.grade): row.units for row in rows}


def _open_orders(app: App, connector: Connector, store: StoreRow) -> list[StoreOrder]:
    """Orders placed before the numbers were read that still hold units."""
    opened_at = store.opened_at or app.db.clock()
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = connector.orders_changed_since(opened_at - _OPEN_ORDERS_WITHIN, cursor)
        ids += [change.external_id for change in page.changes]
        cursor = page.cursor
        if cursor is None:
            break
    limit = connector.abilities.fetch_limit
    found: list[StoreOrder] = []
    for start in range(0, len(ids), limit):
        found += connector.fetch_orders(ids[start : start + limit]).orders
    return [order for order in found if order.holds and order.placed_at < opened_at]


def _items_of(tx: Transaction, store_id: int) -> dict[str, Stocked]:
    rows = tx.run(
        """SELECT external_id, item_id, grade FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id
           AND item_id IS NOT NULL""",
        store_id=store_id,
    )
    return {row.external_id: Stocked(row.item_id, row.grade) for row in rows}


def change_mode(app: App, merchant_id: int, store_id: int, mode: StoreMode, *, actor: str = _SHELL) -> int:
    """Switch a store's mode, and look at the listings of all stores, since who sells changes what each may show.

    Returns: how many of this store's should show another number.
    """
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.set_mode(tx, store_id, mode)
        return _look_again(tx)[store_id]


def change_pause(app: App, merchant_id: int, store_ids: Sequence[int], *, paused: bool, actor: str = _SHELL) -> None:
    """Stop writing to stores, or begin again; the other stores share what is scarce without the paused ones."""
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.set_paused(tx, store_ids, paused)
    with app.db.begin(merchant_id, actor=actor) as tx:  # a transaction of its own: the stop waits for nothing
        _look_again(tx)


def change_sharing(
    app: App,
    merchant_id: int,
    sharing: Sharing | None = None,
    share_below: int | None = None,
    *,
    actor: str = _SHELL,
) -> None:
    """Say how the merchant's stores share units, and below how many (>= 0) at the latest; what they show follows."""
    with app.db.begin(merchant_id, actor=actor) as tx:
        catalog.set_merchant(tx, sharing=sharing, share_below=share_below)
        _look_again(tx)


def _look_again(tx: Transaction) -> dict[int, int]:
    """Mark what the stores that are told numbers should show otherwise; returns how many listings, per store."""
    told = {store.id for store in stores.every(tx) if store.mode in (StoreMode.LIVE, StoreMode.DRY_RUN)}
    return {store.id: pushes.mark_wrong(tx, store.id) if store.id in told else 0 for store in stores.every(tx)}


def renew_credentials(
    app: App, merchant_id: int, store: StoreRow, credentials: Mapping[str, str], *, actor: str = _SHELL
) -> StoreProfile:
    """Replace the credentials of a store by others that work. Raises: ConnectorError; the old ones stay then."""
    profile = probe(app, merchant_id, store.platform, store.url, credentials)
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.set_credentials(tx, store.id, app.secrets.seal(credentials), {**store.settings, **profile.settings})
    return profile


def test_store(app: App, merchant_id: int, store: StoreRow, *, actor: str) -> StoreProfile:
    """Probe a connected store and clear or set its trouble. Raises: ConnectorError."""
    profile = app.connector(merchant_id, store.id).probe()
    with app.db.begin(merchant_id, actor=actor) as tx:
        stores.set_trouble(tx, store.id, "")
        stores.set_settings(tx, store.id, profile.settings)
        work.want(tx, [work.Want("poll", store.id, "")])
    return profile

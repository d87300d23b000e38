"""A merchant with many listed items, plenty of stock, and as long a past as a measurement needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import ClientCursor
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from bench.load import MERCHANT
from config.embedded import Postgres
from core import audit, catalog, ledger, schema, stores
from core.goods.receiving import Receive
from core.model import Platform, StoreListing, StoreMode
from core.stock import DocumentKind, Stocked
from core.transaction import Database, connect

PLENTY = 1_000_000_000
MOVEMENTS_PER_ORDER = 28  # 4 lines: reserved 4, deducted 4, shipped through all layers 20
_PAGE = 1_000
# Ids of the past stand above all that the id source hands out here.
_PAST_IDS = 1 << 50


@dataclass(frozen=True, slots=True)
class Shop:
    """One database of the core; ``item_ids`` each have a listing ``listing-<nth>`` on one live store."""

    db: Database
    url: str
    item_ids: Sequence[int]
    store_id: int

    def close(self) -> None:
        self.db.engine.dispose()


def open_shop(server: Postgres, database: str, items: int) -> Shop:
    """Make and migrate ``database``, and bring in stock that never runs out."""
    with server.connect_as_superuser() as connection:
        connection.execute(SQL("CREATE DATABASE {} OWNER holdfast_owner").format(Identifier(database)))
    owner = connect(_at(server.owner_url, database), role=None)
    schema.migrate(owner)
    owner.dispose()
    url = _at(server.app_url, database)
    db = Database(connect(url))
    catalog.ensure_merchant(db, MERCHANT, name="Bench shop")
    store_id = _make_listings(db, items)
    with db.begin(MERCHANT, actor="bench") as tx:
        rows = tx.run("SELECT item_id FROM listing WHERE merchant_id = :merchant_id ORDER BY external_id")
        item_ids = list(rows.scalars())
    for start in range(0, items, _PAGE):
        stock = {Stocked(item_id): PLENTY for item_id in item_ids[start : start + _PAGE]}
        ledger.run(db, MERCHANT, [Receive(f"opening/{start}", DocumentKind.OPENING, stock)], actor="bench")
    shop = Shop(db, url, item_ids, store_id)
    settle(server, shop)
    return shop


def copied(server: Postgres, template: str, database: str, like: Shop) -> Shop:
    """A copy of another shop's database, under a name of its own. Nobody may be connected to ``template``."""
    with server.connect_as_superuser() as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(database)))
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} OWNER holdfast_owner STRATEGY FILE_COPY").format(
                Identifier(database), Identifier(template)
            )
        )
    url = _at(server.app_url, database)
    return Shop(Database(connect(url)), url, like.item_ids, like.store_id)


def add_past(superuser_url: str, shop: Shop, first: int, last: int) -> None:
    """Orders number ``first`` to ``last`` of the past: four units each, come in, sold, paid and shipped.

    Written by plain statements as the ledger would have written them, so that the audit stays empty.

    Args: superuser_url: of the server; the shop's own database is taken there.
    """
    values = {
        "m": MERCHANT, "store": shop.store_id, "first": first, "last": last, "base": _PAST_IDS,
        "items": list(shop.item_ids),
    }  # fmt: skip
    url = make_url(superuser_url).set(drivername="postgresql", database=make_url(shop.url).database)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        # CREATE TABLE AS takes no values from outside, so they are written into the statements.
        cursor = ClientCursor(connection)
        with connection.transaction():
            for statement in _PAST:
                cursor.execute(statement, values)


def violations(shop: Shop) -> int:
    """Rows that break an invariant of the books."""
    with shop.db.begin(MERCHANT, actor="bench") as tx:
        return len(audit.audit(tx))


def settle(server: Postgres, shop: Shop) -> None:
    """What PostgreSQL would do by itself at an unknown moment is done now."""
    with server.connect_as_superuser(make_url(shop.url).database or "") as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _make_listings(db: Database, items: int) -> int:
    told = [StoreListing(f"listing-{n:06d}", f"sku-{n:06d}", f"Item {n}", PLENTY) for n in range(items)]
    with db.begin(MERCHANT, actor="bench") as tx:
        store_id = stores.add(
            tx, name="Main street", platform=Platform.WOOCOMMERCE, url="http://127.0.0.1:1", credentials=b"",
            settings={},
        )  # fmt: skip
        stores.set_mode(tx, store_id, StoreMode.LIVE)
    for start in range(0, items, _PAGE):
        with db.begin(MERCHANT, actor="bench") as tx:
            catalog.import_listings(tx, store_id, told[start : start + _PAGE])
    return store_id


def _at(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


_PAST: tuple[LiteralString, ...] = (
    """CREATE TEMP TABLE past_home ON COMMIT DROP AS SELECT b.id AS bin_id, b.warehouse_id, p.id AS pool_id,
           -- the past fills this month up to now: partitions are made per month
           date_trunc('month', now()) AS since
       FROM bin b JOIN pool p ON p.merchant_id = b.merchant_id AND p.kind = 'shared'
       WHERE b.merchant_id = %(m)s AND b.is_default""",
    """CREATE TEMP TABLE past_line ON COMMIT DROP AS
       SELECT %(base)s + n AS order_id, %(base)s + n * 4 + k AS line_id, n, k + 1 AS line_no,
           (CAST(%(items)s AS bigint[]))[1 + (n * 4 + k) %% cardinality(CAST(%(items)s AS bigint[]))] AS item_id,
           h.since + (now() - h.since) * ((n * 0.6180339887) %% 1) AS at
       FROM generate_series(CAST(%(first)s AS bigint), CAST(%(last)s AS bigint)) n
       CROSS JOIN generate_series(0, 3) k CROSS JOIN past_home h""",
    """INSERT INTO store_order (merchant_id, id, store_id, external_id, number, state, holds, paid, placed_at, version,
           fetch_seq, applied_at)
       SELECT %(m)s, order_id, %(store)s, 'past-' || n, '#' || n, 'completed', true, true, at, '1', 1, at
       FROM past_line WHERE line_no = 1""",
    """INSERT INTO order_line (merchant_id, id, order_id, external_line_id, external_id, sku, title, listing_id,
           item_id, ordered, cancelled, written_off, returned, counted, hidden, deducted, paid, held_reason)
       SELECT %(m)s, line_id, order_id, line_no::text, NULL, '', '', NULL, item_id,
           1, 0, 0, 0, 1, 0, true, true, '' FROM past_line""",
    """INSERT INTO promise (merchant_id, id, order_line_id, order_id, item_id, grade, pool_id, wanted, waiting, live,
           shipped, released, deducted, promised_at, expires_at)
       SELECT %(m)s, line_id, line_id, order_id, item_id, 'good', pool_id, 1, 0, 0, 1, 0, true, at, NULL
       FROM past_line CROSS JOIN past_home""",
    """INSERT INTO document (merchant_id, id, recorded_at, kind, effect_key, actor, source, correlation_id, happened_at,
           order_id, reason)
       SELECT %(m)s, %(base)s + n * 4 + act.nth, at, act.kind, 'past/' || n || '/' || act.kind, 'bench', '', '', at,
           order_id, ''
       FROM past_line CROSS JOIN (VALUES (0, 'reservation'), (1, 'deduction'), (2, 'shipment')) act (nth, kind)
       WHERE line_no = 1
       UNION ALL
       SELECT %(m)s, %(base)s + %(first)s * 4 + 3, now(), 'receipt', 'past/' || %(first)s || '/receipt', 'bench', '',
           '', now(), NULL, ''""",
    """INSERT INTO effect (merchant_id, key_hash, content_hash, document_id)
       SELECT %(m)s, substring(sha256(convert_to(effect_key, 'UTF8')) for 16), '\\x00', id
       FROM document
       WHERE merchant_id = %(m)s AND id BETWEEN %(base)s + %(first)s * 4 AND %(base)s + %(last)s * 4 + 3""",
    """INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
           from_bucket, to_place, to_bucket, quantity, order_line_id)
       SELECT %(m)s, %(base)s + n * 4 + act.nth, act.line_no + (l.line_no - 1) * act.lines, at, item_id, 'good',
           act.layer, CASE act.from_bucket WHEN 'world' THEN NULL ELSE act.place END, act.from_bucket,
           CASE act.to_bucket WHEN 'world' THEN NULL ELSE act.place END, act.to_bucket, 1, line_id
       FROM past_line l CROSS JOIN past_home h CROSS JOIN LATERAL (VALUES
           (0, 1, 1, 'sales', h.pool_id, 'free', 'reserved'), (1, 1, 1, 'sales', h.pool_id, 'reserved', 'sold'),
           (2, 5, 1, 'dispatch', h.warehouse_id, 'available', 'allocated'),
           (2, 5, 2, 'warehouse', h.bin_id, 'available', 'picking'),
           (2, 5, 3, 'warehouse', h.bin_id, 'picking', 'world'),
           (2, 5, 4, 'dispatch', h.warehouse_id, 'allocated', 'world'), (2, 5, 5, 'sales', h.pool_id, 'sold', 'world')
       ) act (nth, lines, line_no, layer, place, from_bucket, to_bucket)""",
    """INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
           from_bucket, to_place, to_bucket, quantity, order_line_id)
       SELECT %(m)s, %(base)s + %(first)s * 4 + 3, row_number() OVER (), now(), item_id, 'good', layer, NULL, 'world',
           place, bucket, units, NULL
       FROM (SELECT item_id, count(*) AS units FROM past_line GROUP BY 1) i CROSS JOIN past_home h
       CROSS JOIN LATERAL (VALUES ('warehouse', h.bin_id, 'available'), ('dispatch', h.warehouse_id, 'available'),
           ('sales', h.pool_id, 'free')) v (layer, place, bucket)""",
)

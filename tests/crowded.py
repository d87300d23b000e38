"""A merchant with as many rows in every table as make a wrong plan slow, written by plain statements in one go.

The rows are such as the ledger would have written, so the audit of what tests do on top of them stays empty.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

UNITS = 1_000
_TENTH = 10
# Ids stand above all that the id source hands out in a test; the documents of the opening above those.
_BASE, _OPENINGS = 1 << 50, 1 << 51


def sku(nth: int) -> str:
    return f"past-{nth}"


def item_id(nth: int) -> int:
    return _BASE + nth


def stocked(nth: int) -> int:
    """The number of the ``nth`` item that has units: ``UNITS``, ten of which are promised."""
    return _TENTH * nth


def empty(nth: int) -> int:
    """The number of the ``nth`` item that has none."""
    return nth + nth // (_TENTH - 1) + 1


def leave_alone(connection: Connection) -> None:
    """Nobody vacuums or analyses any table from now on."""
    names = connection.execute(
        text("SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    ).scalars()
    for name in names.all():
        connection.execute(text(f"ALTER TABLE {name} SET (autovacuum_enabled = off)"))


def crowd(connection: Connection, store_ids: Sequence[int], numbers: range) -> None:
    """Add rows with these numbers to the tables of merchant 1.

    Of each number one item, one listing of the first store (the other lists those that have units, too), balances in
    all layers, an order with a line, a promise (the even ones of orders, the odd ones of holds), a document with an
    effect and a movement, a push, an incident, an alert with its rule, a closed lock with its pool, and in ten queues
    of stores a row that is owed a push and a row of work, neither due before tomorrow.

    Args: store_ids: two. numbers: begin and end at tens.
    """
    # What is referred to is there, and is looked up again for each row if this is not said.
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    values = {
        "first": numbers.start, "last": numbers.stop, "units": UNITS, "tenth": _TENTH, "base": _BASE,
        "opening": _OPENINGS + numbers.start, "store": store_ids[0], "other": store_ids[1],
    }  # fmt: skip
    for statement in _FILL:
        connection.execute(text(statement), {name: n for name, n in values.items() if f":{name}" in statement})


# ``at`` of a row: spread over this month up to now, because partitions are made per month.
_FILL = (
    """CREATE TEMP TABLE past ON COMMIT DROP AS
       SELECT n, :base + n AS id, :base + n - n % :tenth AS sold_id, n % :tenth = 0 AS stocked, n % 2 = 0 AS ordered,
           since + (now() - since) * (n / :last ::float8) AS at, b.id AS bin_id, b.warehouse_id, p.id AS pool_id,
           CASE n % :tenth WHEN 0 THEN :store WHEN 1 THEN :other ELSE n % :tenth END AS queue
       FROM generate_series(:first, :last - 1) n CROSS JOIN date_trunc('month', now()) since
       CROSS JOIN (SELECT * FROM bin WHERE merchant_id = 1 AND is_default) b
       CROSS JOIN (SELECT * FROM pool WHERE merchant_id = 1 AND kind = 'shared') p""",
    """INSERT INTO item (merchant_id, id, sku, sku_key, title, created_at)
       SELECT 1, id, 'past-' || n, 'past-' || n, 'Past ' || n, at FROM past""",
    """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title, item_id, believed, published,
           published_at, observed)
       SELECT 1, id, :store, 'listing-past-' || n, 'past-' || n, 'Past ' || n, id, units, units, at, units
       FROM past CROSS JOIN LATERAL (SELECT CASE WHEN stocked THEN :units ELSE 0 END AS units) u
       UNION ALL SELECT 1, id + :base, :other, 'listing-past-' || n, 'past-' || n, 'Past ' || n, id, :units, :units, at,
           :units
       FROM past WHERE stocked""",
    """INSERT INTO warehouse_balance SELECT 1, bin_id, id, 'good', CASE WHEN stocked THEN :units ELSE 0 END, 0, 0
       FROM past""",
    """INSERT INTO dispatch_balance
       SELECT 1, warehouse_id, id, 'good', CASE WHEN stocked THEN :units ELSE 0 END, 0, 0, 0, 0, 0 FROM past""",
    """INSERT INTO sales_balance SELECT 1, pool_id, id, 'good', CASE WHEN stocked THEN :units - :tenth ELSE 0 END,
           CASE WHEN stocked THEN :tenth ELSE 0 END, 0, 0
       FROM past""",
    """INSERT INTO store_order (merchant_id, id, store_id, external_id, number, state, holds, paid, placed_at, version,
           fetch_seq, applied_at)
       SELECT 1, id, :store, 'past-' || n, '#past-' || n, CASE WHEN ordered THEN 'open' ELSE 'cancelled' END, ordered,
           false, at, '1', 0, at
       FROM past""",
    """INSERT INTO order_line (merchant_id, id, order_id, external_line_id, external_id, sku, title, listing_id,
           item_id, ordered, cancelled, written_off, returned, counted, hidden, deducted, paid, held_reason)
       SELECT 1, id, id, '1', 'listing-past-' || n - n % :tenth, 'past-' || n - n % :tenth, '', sold_id, sold_id, 1,
           CASE WHEN ordered THEN 0 ELSE 1 END, 0, 0, 0, 0, false, false, ''
       FROM past""",
    """INSERT INTO promise (merchant_id, id, order_line_id, order_id, item_id, grade, pool_id, wanted, waiting, live,
           shipped, released, deducted, promised_at, expires_at, holder, ttl_s)
       SELECT 1, id, CASE WHEN ordered THEN id END, id, sold_id, 'good', pool_id, 1, 0, 1, 0, 0, false, at,
           CASE WHEN NOT ordered THEN now() + make_interval(days => 1, secs => n) END,
           CASE WHEN ordered THEN '' ELSE 'holder-' || n END, CASE WHEN NOT ordered THEN 900 END
       FROM past""",
    """INSERT INTO document (merchant_id, id, recorded_at, kind, effect_key, actor, source, correlation_id, happened_at,
           order_id, reason)
       SELECT 1, id, at, 'reservation', CASE WHEN ordered THEN 'past/' ELSE 'hold/past-' END || n, 'test', '', '', at,
           CASE WHEN ordered THEN id END, ''
       FROM past
       UNION ALL SELECT 1, :opening, min(at), 'opening', 'past/opening/' || :first, 'test', '', '', min(at), NULL, ''
       FROM past""",
    """INSERT INTO effect (merchant_id, key_hash, content_hash, document_id)
       SELECT 1, substring(sha256(convert_to(effect_key, 'UTF8')) for 16), '\\x00', id FROM document
       WHERE merchant_id = 1 AND (id >= :base + :first AND id < :base + :last OR id = :opening)""",
    """INSERT INTO movement (merchant_id, document_id, line_no, recorded_at, item_id, grade, layer, from_place,
           from_bucket, to_place, to_bucket, quantity, order_line_id)
       SELECT 1, id, 1, at, sold_id, 'good', 'sales', pool_id, 'free', pool_id, 'reserved', 1,
           CASE WHEN ordered THEN id END
       FROM past
       UNION ALL SELECT 1, :opening, row_number() OVER (), (SELECT min(at) FROM past), id, 'good', layer, NULL, 'world',
           place, bucket, :units, NULL
       FROM past CROSS JOIN LATERAL (VALUES ('warehouse', bin_id, 'available'), ('dispatch', warehouse_id, 'available'),
           ('sales', pool_id, 'free')) v (layer, place, bucket)
       WHERE stocked""",
    """INSERT INTO push_due (merchant_id, store_id, listing_id, revision, stale_since, tryable_since, not_before,
           until_known, tries, heard_own_ms)
       SELECT 1, queue, id, id, at, at, now() + interval '1 day', now() + interval '1 day', 1, 0 FROM past""",
    """INSERT INTO push (merchant_id, id, store_id, listing_id, believed, wanted, status, shown, reason, claimed_at,
           settled_at, own_ms)
       SELECT 1, id, :store, sold_id, 0, :units, 'applied', :units, '', at, at, 0 FROM past""",
    """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason)
       SELECT 1, 'order', queue, 'past-' || n, 1, at, now() + interval '1 day', 0, '' FROM past""",
    """INSERT INTO alert (merchant_id, id, kind, subject, item_id, facts, opened_at, closed_at)
       SELECT 1, id, 'low_stock', id || '/good', id, '{}', at, CASE WHEN stocked THEN at END FROM past""",
    """INSERT INTO alert_mail (merchant_id, alert_id, sent_at) SELECT 1, id, at FROM past""",
    """INSERT INTO incident (merchant_id, id, kind, store_id, order_id, order_line_id, item_id, quantity, cause,
           timeline, opened_at, closed_at)
       SELECT 1, id, 'oversell', :store, id, id, sold_id, 1, 'never_told', '[]', at, at FROM past""",
    """INSERT INTO alert_rule (merchant_id, item_id, kind, warehouse_id, store_id, grade, level, changed_at, changed_by)
       SELECT 1, id, 'low_stock', 0, 0, 'good', 5, at, 'test' FROM past""",
    """INSERT INTO pool (merchant_id, id, kind, name, closed_at, code, created_at)
       SELECT 1, id, 'lock', '', at, 'lock/past-' || n, at FROM past""",
    """INSERT INTO pool_item (merchant_id, item_id, grade, pool_id, is_open)
       SELECT 1, sold_id, 'good', id, false FROM past""",
    """INSERT INTO lock (merchant_id, id, key, type, status, item_id, grade, quantity, waiting, priority, owner,
           account, pure, overflow, requested_by, requested_at, decided_by, reason)
       SELECT 1, id, 'past-' || n, 'internal', 'closed', sold_id, 'good', 1, 0, 0, '', '', false, 'yes', 'test', at,
           '', ''
       FROM past""",
)

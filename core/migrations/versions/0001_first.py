"""The first schema: catalogue, three-layered ledger, orders and promises, work; roles, tenant walls, immutability."""

from typing import Any

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CATALOGUE = """
CREATE SEQUENCE id_block AS bigint MINVALUE 1;
CREATE SEQUENCE fetch_seq AS bigint;
CREATE SEQUENCE lease AS bigint;

CREATE TABLE merchant (
    id bigint PRIMARY KEY, name text NOT NULL, time_zone text NOT NULL, alert_email text NOT NULL DEFAULT '',
    sharing text NOT NULL DEFAULT 'adaptive' CHECK (sharing IN ('mirror', 'adaptive', 'escrow')),
    share_below bigint NOT NULL DEFAULT 0 CHECK (share_below >= 0),
    created_at timestamptz NOT NULL
);
CREATE TABLE warehouse (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, code text NOT NULL, name text NOT NULL,
    time_zone text NOT NULL, kind text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, code)
);
CREATE TABLE bin (
    merchant_id bigint NOT NULL, id bigint NOT NULL, warehouse_id bigint NOT NULL, code text NOT NULL,
    is_default boolean NOT NULL,
    PRIMARY KEY (merchant_id, id), FOREIGN KEY (merchant_id, warehouse_id) REFERENCES warehouse,
    UNIQUE (merchant_id, warehouse_id, code)
);
CREATE UNIQUE INDEX bin_one_default ON bin (merchant_id, warehouse_id) WHERE is_default;
CREATE TABLE pool (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, kind text NOT NULL, name text NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (merchant_id, id)
);
CREATE UNIQUE INDEX pool_one_shared ON pool (merchant_id) WHERE kind = 'shared';
CREATE TABLE item (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, sku text NOT NULL, sku_key text NOT NULL,
    title text NOT NULL, low_stock_threshold integer CHECK (low_stock_threshold >= 0), created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, sku_key)
);
CREATE TABLE store (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, name text NOT NULL, platform text NOT NULL,
    url text NOT NULL, mode text NOT NULL CHECK (mode IN ('off', 'observe', 'dry_run', 'live')),
    credentials bytea NOT NULL, settings jsonb NOT NULL, trouble text NOT NULL DEFAULT '', trouble_since timestamptz,
    paused boolean NOT NULL DEFAULT false, last_webhook_at timestamptz, last_poll_at timestamptz,
    polled_until timestamptz, orders_known_until timestamptz, poll_marks jsonb NOT NULL DEFAULT '[]', opened_at timestamptz, blind boolean NOT NULL DEFAULT false,
    safety_stock integer NOT NULL DEFAULT 0 CHECK (safety_stock >= 0), created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, name)
);
CREATE TABLE listing (
    merchant_id bigint NOT NULL, id bigint NOT NULL, store_id bigint NOT NULL, external_id text NOT NULL,
    sku text NOT NULL, title text NOT NULL, item_id bigint, pack_size integer NOT NULL DEFAULT 1 CHECK (pack_size > 0),
    untracked_reason text NOT NULL DEFAULT '', quarantine_reason text NOT NULL DEFAULT '',
    believed bigint, asked bigint, published bigint, published_at timestamptz, observed bigint, observed_at timestamptz,
    proven_equal_at timestamptz,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, store_id, external_id),
    FOREIGN KEY (merchant_id, store_id) REFERENCES store, FOREIGN KEY (merchant_id, item_id) REFERENCES item
) WITH (fillfactor = 50);
COMMENT ON TABLE listing IS 'what is pushed over and over stands in no index, so that such an update adds to none';
CREATE INDEX listing_by_item ON listing (merchant_id, item_id);
"""

LEDGER = """
CREATE TABLE effect (
    merchant_id bigint NOT NULL, key_hash bytea NOT NULL, content_hash bytea NOT NULL, document_id bigint, result jsonb,
    PRIMARY KEY (merchant_id, key_hash)
) PARTITION BY HASH (merchant_id, key_hash);
CREATE TABLE document (
    merchant_id bigint NOT NULL, id bigint NOT NULL, recorded_at timestamptz NOT NULL, kind text NOT NULL,
    effect_key text NOT NULL, actor text NOT NULL, source text NOT NULL, correlation_id text NOT NULL,
    happened_at timestamptz NOT NULL, corrects_id bigint, order_id bigint, reason text NOT NULL,
    PRIMARY KEY (merchant_id, id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX document_by_order ON document (merchant_id, order_id) WHERE order_id IS NOT NULL;
CREATE TABLE movement (
    merchant_id bigint NOT NULL, document_id bigint NOT NULL, line_no integer NOT NULL,
    recorded_at timestamptz NOT NULL, item_id bigint NOT NULL, grade text NOT NULL, layer text NOT NULL,
    from_place bigint, from_bucket text NOT NULL, to_place bigint, to_bucket text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0), order_line_id bigint,
    CHECK ((from_place IS NULL) = (from_bucket = 'world') AND (to_place IS NULL) = (to_bucket = 'world')),
    CHECK (from_place IS DISTINCT FROM to_place OR from_bucket <> to_bucket),
    PRIMARY KEY (merchant_id, document_id, line_no, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX movement_by_item ON movement (merchant_id, item_id, recorded_at);
CREATE TABLE warehouse_balance (
    merchant_id bigint NOT NULL, bin_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL,
    available bigint NOT NULL CHECK (available >= 0), picking bigint NOT NULL CHECK (picking >= 0),
    unavailable bigint NOT NULL CHECK (unavailable >= 0),
    PRIMARY KEY (merchant_id, item_id, grade, bin_id)
) WITH (fillfactor = 70);
CREATE TABLE dispatch_balance (
    merchant_id bigint NOT NULL, warehouse_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL,
    available bigint NOT NULL CHECK (available >= 0), allocated bigint NOT NULL CHECK (allocated >= 0),
    locked bigint NOT NULL CHECK (locked >= 0), unavailable bigint NOT NULL CHECK (unavailable >= 0),
    incoming bigint NOT NULL CHECK (incoming >= 0), incoming_sellable bigint NOT NULL CHECK (incoming_sellable >= 0),
    PRIMARY KEY (merchant_id, item_id, grade, warehouse_id)
) WITH (fillfactor = 70);
CREATE TABLE sales_balance (
    merchant_id bigint NOT NULL, pool_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL,
    free bigint NOT NULL CHECK (free >= 0), reserved bigint NOT NULL CHECK (reserved >= 0),
    sold bigint NOT NULL CHECK (sold >= 0), backordered bigint NOT NULL CHECK (backordered >= 0),
    PRIMARY KEY (merchant_id, item_id, grade, pool_id)
) WITH (fillfactor = 70);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: what was recorded is never changed; post a document that corrects it', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON effect FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON document FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON movement FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON effect EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON document EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON movement EXECUTE FUNCTION refuse_change();

DO $$ BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE effect_%s PARTITION OF effect FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TRIGGER stays_whole BEFORE TRUNCATE ON effect_%s EXECUTE FUNCTION refuse_change()', part);
    END LOOP;
END $$;

-- Makes the partitions of the month that holds a day; callable by the application, which may not create tables itself.
CREATE FUNCTION add_month(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', day);
    part text;
    whole text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('holdfast.add_month'));
    FOREACH whole IN ARRAY ARRAY['document', 'movement'] LOOP
        part := whole || '_' || to_char(first, 'YYYY_MM');
        IF to_regclass(part) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, whole,
                first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00');
            EXECUTE format('CREATE TRIGGER stays_whole BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', part);
        END IF;
    END LOOP;
END $$;
SELECT add_month((now() + make_interval(months => n))::date) FROM generate_series(0, 2) AS n;
"""

SALES = """
CREATE TABLE store_order (
    merchant_id bigint NOT NULL, id bigint NOT NULL, store_id bigint NOT NULL, external_id text NOT NULL,
    number text NOT NULL, state text NOT NULL, holds boolean NOT NULL, paid boolean NOT NULL, placed_at timestamptz,
    version text NOT NULL DEFAULT '', fetch_seq bigint NOT NULL, applied_at timestamptz,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, store_id, external_id)
);
COMMENT ON COLUMN store_order.store_id IS '0: a hold made through our own interface';
CREATE TABLE order_line (
    merchant_id bigint NOT NULL, id bigint NOT NULL, order_id bigint NOT NULL, external_line_id text NOT NULL,
    external_id text, sku text NOT NULL, title text NOT NULL, listing_id bigint, item_id bigint,
    ordered bigint NOT NULL CHECK (ordered >= 0), cancelled bigint NOT NULL CHECK (cancelled >= 0),
    written_off bigint NOT NULL CHECK (written_off >= 0),
    damaged bigint NOT NULL DEFAULT 0 CHECK (damaged >= 0), returned bigint NOT NULL CHECK (returned >= 0),
    counted bigint NOT NULL, hidden bigint NOT NULL CHECK (hidden >= 0), deducted boolean NOT NULL,
    paid boolean NOT NULL, held_reason text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, order_id, external_line_id)
);
CREATE INDEX order_line_held ON order_line (merchant_id, order_id) WHERE held_reason <> '';
CREATE INDEX order_line_hidden ON order_line (merchant_id, listing_id) WHERE hidden > 0;
CREATE TABLE promise (
    merchant_id bigint NOT NULL, id bigint NOT NULL, order_line_id bigint NOT NULL, order_id bigint NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL, pool_id bigint NOT NULL,
    wanted bigint NOT NULL CHECK (wanted >= 0), waiting bigint NOT NULL CHECK (waiting >= 0),
    live bigint NOT NULL CHECK (live >= 0), shipped bigint NOT NULL CHECK (shipped >= 0),
    released bigint NOT NULL CHECK (released >= 0), deducted boolean NOT NULL, promised_at timestamptz NOT NULL,
    expires_at timestamptz,
    CHECK (waiting + live + shipped + released = wanted),
    PRIMARY KEY (merchant_id, id)
) WITH (fillfactor = 80);
CREATE INDEX promise_by_item ON promise (merchant_id, item_id, promised_at, id);
CREATE INDEX promise_by_order ON promise (merchant_id, order_id);
CREATE INDEX promise_waiting ON promise (merchant_id, item_id, grade) WHERE waiting > 0;
CREATE INDEX promise_expiring ON promise (merchant_id, expires_at) WHERE expires_at IS NOT NULL AND live + waiting > 0;
CREATE TABLE incident (
    merchant_id bigint NOT NULL, id bigint NOT NULL, kind text NOT NULL, store_id bigint, order_id bigint,
    order_line_id bigint, item_id bigint, quantity bigint NOT NULL CHECK (quantity > 0), cause text NOT NULL,
    timeline jsonb NOT NULL, opened_at timestamptz NOT NULL, closed_at timestamptz,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX incident_by_order_line ON incident (merchant_id, order_line_id) WHERE closed_at IS NULL;
"""

WORK = """
CREATE TABLE work (
    merchant_id bigint NOT NULL, topic text NOT NULL, store_id bigint NOT NULL, subject text NOT NULL,
    revision bigint NOT NULL, heard_at timestamptz NOT NULL, due_at timestamptz NOT NULL, sent_until timestamptz,
    leased_until timestamptz, lease bigint, holder text NOT NULL DEFAULT '', tries integer NOT NULL, reason text NOT NULL, dead_at timestamptz,
    PRIMARY KEY (merchant_id, topic, store_id, subject)
) WITH (fillfactor = 50);
CREATE INDEX work_due ON work (due_at) WHERE dead_at IS NULL;
CREATE TABLE schedule (
    merchant_id bigint NOT NULL REFERENCES merchant, topic text NOT NULL, store_id bigint NOT NULL, cron text NOT NULL,
    next_at timestamptz NOT NULL, enabled boolean NOT NULL,
    PRIMARY KEY (merchant_id, topic, store_id)
);
-- Comes and goes with each change of a number: no other index, and no foreign key, which would lock the listing.
CREATE TABLE push_due (
    merchant_id bigint NOT NULL, store_id bigint NOT NULL, listing_id bigint NOT NULL, revision bigint NOT NULL,
    stale_since timestamptz NOT NULL, tryable_since timestamptz NOT NULL, not_before timestamptz,
    tries integer NOT NULL, heard_at timestamptz, heard_own_ms bigint NOT NULL,
    PRIMARY KEY (merchant_id, store_id, listing_id)
) WITH (fillfactor = 50);
CREATE TABLE push (
    merchant_id bigint NOT NULL, id bigint NOT NULL, store_id bigint NOT NULL, listing_id bigint NOT NULL,
    believed bigint, wanted bigint NOT NULL, status text NOT NULL, shown bigint, observed bigint,
    observed_at timestamptz, orders_known_until timestamptz, reason text NOT NULL, heard_at timestamptz,
    stale_since timestamptz, claimed_at timestamptz NOT NULL, settled_at timestamptz NOT NULL, own_ms bigint NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX push_by_listing ON push (merchant_id, listing_id, settled_at);
CREATE TABLE alert (
    merchant_id bigint NOT NULL, id bigint NOT NULL, kind text NOT NULL, subject text NOT NULL, item_id bigint,
    facts jsonb NOT NULL, opened_at timestamptz NOT NULL, closed_at timestamptz, mailed_at timestamptz,
    PRIMARY KEY (merchant_id, id)
);
CREATE UNIQUE INDEX alert_one_open ON alert (merchant_id, kind, subject) WHERE closed_at IS NULL;

-- What the relay may see across merchants: which groups of rows want work, by id, and nothing else. Marks them as sent
-- so that a row is sent once until ``hold`` has passed or it was claimed.
CREATE FUNCTION take_due_work(at timestamptz, hold interval, most integer)
RETURNS TABLE (merchant_id bigint, topic text, store_id bigint, waiting bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT w.merchant_id, w.topic, w.store_id, w.subject FROM work w
        WHERE w.dead_at IS NULL AND w.due_at <= at
          AND (w.sent_until IS NULL OR w.sent_until <= at) AND (w.leased_until IS NULL OR w.leased_until <= at)
        ORDER BY w.due_at LIMIT most FOR UPDATE SKIP LOCKED
    ), sent AS (
        UPDATE work w SET sent_until = at + hold FROM due
        WHERE (w.merchant_id, w.topic, w.store_id, w.subject) = (due.merchant_id, due.topic, due.store_id, due.subject)
        RETURNING w.merchant_id, w.topic, w.store_id
    )
    SELECT s.merchant_id, s.topic, s.store_id, count(*) FROM sent s GROUP BY 1, 2, 3
$$;
-- A worker that starts again under its name frees what its predecessor, now dead, had claimed. Returns how many rows.
CREATE FUNCTION free_leases_of(name text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH freed AS (
        UPDATE work SET leased_until = NULL, lease = NULL, sent_until = NULL, holder = ''
        WHERE holder = name AND name <> '' AND leased_until IS NOT NULL RETURNING 1
    ) SELECT count(*) FROM freed
$$;
CREATE FUNCTION next_work_at(after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT min(due_at) FROM work WHERE dead_at IS NULL AND due_at > after
$$;
-- Turns due schedule rows into work; ``next_at`` is set by the caller, who knows the merchant's time zone.
CREATE FUNCTION due_schedules(at timestamptz)
RETURNS TABLE (merchant_id bigint, topic text, store_id bigint, cron text, time_zone text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.merchant_id, s.topic, s.store_id, s.cron, m.time_zone
    FROM schedule s JOIN merchant m ON m.id = s.merchant_id WHERE s.enabled AND s.next_at <= at
$$;
-- Counts what has doubled since it was last counted: a plan made for an empty table is wrong for a full one, and the
-- server's own daemon looks once a minute at most. Returns how many tables were counted.
CREATE FUNCTION count_grown_tables() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    grown regclass;
    counted integer := 0;
BEGIN
    FOR grown IN
        SELECT t.relid FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid
        WHERE t.schemaname = 'public' AND t.n_live_tup > 2 * greatest(c.reltuples, 50)
    LOOP
        EXECUTE format('ANALYZE %s', grown);
        counted := counted + 1;
    END LOOP;
    RETURN counted;
END $$;
CREATE FUNCTION all_merchants() RETURNS TABLE (id bigint, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT id, name FROM merchant ORDER BY id $$;
"""

WALLS = """
DO $$
DECLARE
    name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_app') THEN
        CREATE ROLE holdfast_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXECUTE format('GRANT holdfast_app TO %I', current_user);
    END IF;
    FOREACH name IN ARRAY ARRAY['warehouse', 'bin', 'pool', 'item', 'store', 'listing', 'effect', 'document', 'movement',
        'warehouse_balance', 'dispatch_balance', 'sales_balance', 'store_order', 'order_line', 'promise', 'incident',
        'work', 'schedule', 'push_due', 'push', 'alert'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format($p$CREATE POLICY own_merchant ON %I TO holdfast_app USING
            (merchant_id = nullif(current_setting('holdfast.merchant_id', true), '')::bigint)$p$, name);
    END LOOP;
    ALTER TABLE merchant ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own_merchant ON merchant TO holdfast_app USING
        (id = nullif(current_setting('holdfast.merchant_id', true), '')::bigint);
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO holdfast_app;
GRANT USAGE, SELECT ON id_block, fetch_seq, lease TO holdfast_app;
GRANT SELECT, INSERT, UPDATE ON merchant, warehouse, bin, pool, item, store, listing, warehouse_balance, dispatch_balance,
    sales_balance, store_order, order_line, promise, incident, alert TO holdfast_app;
GRANT SELECT, INSERT ON effect, document, movement, push TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON work, schedule, push_due TO holdfast_app;
GRANT SELECT ON alembic_version TO holdfast_app;
REVOKE ALL ON FUNCTION add_month, take_due_work, free_leases_of, next_work_at, due_schedules, all_merchants,
    count_grown_tables FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_month, take_due_work, free_leases_of, next_work_at, due_schedules, all_merchants,
    count_grown_tables TO holdfast_app;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    for part in (CATALOGUE, LEDGER, SALES, WORK, WALLS):
        driver.execute(part)

"""Pools, locks, bundles, grades, and promises that know them."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

POOLS = """
ALTER TABLE pool
    ADD code text NOT NULL DEFAULT '', ADD store_id bigint, ADD warehouse_id bigint,
    ADD pure boolean NOT NULL DEFAULT false, ADD starts_at timestamptz, ADD ends_at timestamptz,
    ADD created_at timestamptz NOT NULL DEFAULT now(), ALTER name SET DEFAULT '',
    ADD CHECK (kind IN ('shared', 'lock', 'channel', 'activity', 'presale')),
    ADD CHECK (warehouse_id IS NULL OR kind = 'lock'), ADD CHECK (NOT pure OR warehouse_id IS NOT NULL);
COMMENT ON COLUMN pool.store_id IS 'NULL: every channel may draw on it; 0: our own interface alone';
CREATE UNIQUE INDEX pool_by_code ON pool (merchant_id, code) WHERE code <> '';
CREATE TABLE pool_item (
    merchant_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL, pool_id bigint NOT NULL,
    is_open boolean NOT NULL, cap bigint CHECK (cap >= 0),
    PRIMARY KEY (merchant_id, item_id, grade, pool_id)
);
COMMENT ON COLUMN pool_item.is_open IS 'units of the item may be drawn from the pool, or are still to be handed over';
CREATE INDEX pool_item_open ON pool_item (merchant_id, item_id, grade) WHERE is_open;
CREATE INDEX pool_item_of_pool ON pool_item (merchant_id, pool_id);
CREATE TABLE lock (
    merchant_id bigint NOT NULL, id bigint NOT NULL, key text NOT NULL, type text NOT NULL, status text NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL, quantity bigint NOT NULL CHECK (quantity > 0),
    waiting bigint NOT NULL CHECK (waiting >= 0 AND waiting <= quantity), priority integer NOT NULL,
    owner text NOT NULL, account text NOT NULL, store_id bigint, warehouse_id bigint, pure boolean NOT NULL,
    overflow text NOT NULL, starts_at timestamptz, expires_at timestamptz, requested_by text NOT NULL,
    requested_at timestamptz NOT NULL, decided_by text NOT NULL, decided_at timestamptz, reason text NOT NULL,
    migrated_from bigint, moved_at timestamptz,
    CHECK (type IN ('business', 'main_site', 'channel', 'internal')),
    CHECK (status IN ('requested', 'refused', 'approved', 'active', 'closed', 'expired')),
    CHECK (overflow IN ('yes', 'no', 'ask')), CHECK (NOT pure OR warehouse_id IS NOT NULL),
    CHECK (waiting = 0 OR status = 'active'),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, key)
);
COMMENT ON TABLE lock IS 'a lock has the id of its pool';
CREATE INDEX lock_by_item ON lock (merchant_id, item_id);
CREATE INDEX lock_waiting ON lock (merchant_id, item_id) WHERE waiting > 0;
CREATE INDEX lock_ends ON lock (merchant_id, expires_at) WHERE status = 'active' AND expires_at IS NOT NULL;
CREATE INDEX lock_begins ON lock (merchant_id, starts_at) WHERE status = 'approved';
"""

ITEMS = """
ALTER TABLE item ADD kind text NOT NULL DEFAULT 'plain' CHECK (kind IN ('plain', 'bundle', 'kit'));
CREATE TABLE component (
    merchant_id bigint NOT NULL, bundle_item_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0), CHECK (item_id <> bundle_item_id),
    PRIMARY KEY (merchant_id, bundle_item_id, item_id, grade)
);
CREATE INDEX component_by_item ON component (merchant_id, item_id);
CREATE TABLE item_unit (
    merchant_id bigint NOT NULL, item_id bigint NOT NULL, unit text NOT NULL,
    units bigint NOT NULL CHECK (units > 0),
    PRIMARY KEY (merchant_id, item_id, unit)
);
ALTER TABLE listing ADD grade text NOT NULL DEFAULT 'good' CHECK (grade IN ('good', 'minor_defect'));
"""

PROMISES = """
ALTER TABLE promise
    ALTER order_line_id DROP NOT NULL, ADD paid boolean NOT NULL DEFAULT false,
    ADD per_unit bigint NOT NULL DEFAULT 1 CHECK (per_unit > 0),
    ADD damaged bigint NOT NULL DEFAULT 0 CHECK (damaged >= 0), ADD backorder boolean NOT NULL DEFAULT false,
    ADD broken boolean NOT NULL DEFAULT false, ADD priority integer NOT NULL DEFAULT 0,
    ADD holder text NOT NULL DEFAULT '', ADD ttl_s bigint CHECK (ttl_s > 0),
    ADD presale boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN promise.order_id IS 'of a hold made through our own interface: its document';
COMMENT ON COLUMN promise.per_unit IS 'units of the item for one unit of the line: of a bundle, its recipe when it was ordered';
COMMENT ON COLUMN promise.damaged IS 'of the released: units that were written off and are held as unavailable';
COMMENT ON COLUMN promise.backorder IS 'a rule allowed what waits to wait';
COMMENT ON COLUMN promise.ttl_s IS 'of a hold that is not paid: how long it lasts from its last sign of life';
UPDATE promise p SET paid = l.paid, damaged = l.damaged FROM order_line l
    WHERE l.merchant_id = p.merchant_id AND l.id = p.order_line_id;
UPDATE promise p SET order_line_id = NULL FROM store_order o
    WHERE o.merchant_id = p.merchant_id AND o.id = p.order_id AND o.store_id = 0;
UPDATE promise p SET order_id = d.id FROM document d
    WHERE d.merchant_id = p.merchant_id AND d.order_id = p.order_id AND d.kind = 'reservation' AND p.order_line_id IS NULL;
DELETE FROM order_line l USING store_order o
    WHERE o.merchant_id = l.merchant_id AND o.id = l.order_id AND o.store_id = 0;
DELETE FROM store_order WHERE store_id = 0;
ALTER TABLE order_line DROP COLUMN damaged, ADD grade text NOT NULL DEFAULT 'good',
    ADD returned_minor_defect bigint NOT NULL DEFAULT 0 CHECK (returned_minor_defect >= 0);
ALTER TABLE promise DROP CONSTRAINT promise_pkey, ADD PRIMARY KEY (merchant_id, order_id, id);
DROP INDEX promise_by_order;
CREATE INDEX promise_by_holder ON promise (merchant_id, holder, item_id) WHERE holder <> '';
CREATE INDEX promise_presold ON promise (merchant_id, item_id, grade) WHERE presale AND live > 0;
COMMENT ON COLUMN store_order.store_id IS '0: an order of our own interface';
"""

# The setting is read once for each statement, not for each row.
WALLS = """
DO $$
DECLARE
    wall record;
BEGIN
    FOR wall IN SELECT tablename FROM pg_policies WHERE schemaname = 'public' AND policyname = 'own_merchant' LOOP
        EXECUTE format($p$ALTER POLICY own_merchant ON %I USING
            (%I = (SELECT nullif(current_setting('holdfast.merchant_id', true), '')::bigint))$p$, wall.tablename,
            CASE WHEN wall.tablename = 'merchant' THEN 'id' ELSE 'merchant_id' END);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    new = [walled("pool_item"), walled("lock"), walled("component", "SELECT, INSERT, UPDATE, DELETE")]
    new += [walled("item_unit", "SELECT, INSERT, UPDATE, DELETE")]
    for part in (POOLS, ITEMS, PROMISES, *new, WALLS):
        driver.execute(part)

"""How long holds last, how much one customer may take, and the ways to find who holds what."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE hold_rule (
    merchant_id bigint NOT NULL REFERENCES merchant, store_id bigint, payment text NOT NULL,
    ttl_s bigint NOT NULL CHECK (ttl_s > 0),
    UNIQUE NULLS NOT DISTINCT (merchant_id, store_id, payment)
);
COMMENT ON TABLE hold_rule IS 'store_id NULL: every channel, 0: our own interface; payment empty: every method';
CREATE TABLE purchase_limit (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL,
    per text NOT NULL CHECK (per IN ('order', 'customer', 'day', 'activity')), item_id bigint, pool_id bigint,
    units bigint NOT NULL CHECK (units > 0), CHECK ((per = 'activity') = (pool_id IS NOT NULL)),
    PRIMARY KEY (merchant_id, id), UNIQUE NULLS NOT DISTINCT (merchant_id, item_id, per, pool_id)
);
COMMENT ON COLUMN purchase_limit.item_id IS 'NULL: all items together';
CREATE INDEX promise_open_of_holder ON promise (merchant_id, holder, expires_at)
    WHERE holder <> '' AND order_line_id IS NULL AND expires_at IS NOT NULL AND live > 0;
CREATE INDEX promise_held_without_end ON promise (merchant_id, order_id)
    WHERE order_line_id IS NULL AND expires_at IS NULL AND live + waiting > 0;
CREATE INDEX promise_unpaid_order ON promise (merchant_id, order_id)
    WHERE order_line_id IS NOT NULL AND NOT paid AND live + waiting > 0;
CREATE INDEX incident_of_order ON incident (merchant_id, order_id);
CREATE INDEX order_by_number ON store_order (merchant_id, number);
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in ("hold_rule", "purchase_limit"):
        driver.execute(walled(table, "SELECT, INSERT, UPDATE, DELETE"))

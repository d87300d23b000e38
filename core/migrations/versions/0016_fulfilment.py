"""Fulfilment orders: which warehouse sends which units of an order."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE merchant ADD dispatches boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN merchant.dispatches IS 'paid orders are handed to warehouses without anybody asking';
ALTER TABLE store_order ADD destination text NOT NULL DEFAULT '' CHECK (length(destination) <= 10);
COMMENT ON COLUMN store_order.destination IS 'COUNTRY-SUBDIVISION-POSTAL, of the postal code the first characters';
-- No unit leaves an order, or is unpaid, while a warehouse is to send it.
ALTER TABLE promise ADD allocated bigint NOT NULL DEFAULT 0 CHECK (allocated BETWEEN 0 AND live),
    ADD CHECK (allocated = 0 OR paid AND deducted AND NOT presale);
COMMENT ON COLUMN promise.allocated IS 'of the live units: those that a warehouse is to send';
CREATE INDEX promise_allocated ON promise (merchant_id, item_id, grade, pool_id) WHERE allocated > 0;
ALTER TABLE transfer_line ADD allocated bigint NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    ADD CHECK (allocated = 0 OR allocated <= asked - sent);
COMMENT ON COLUMN transfer_line.allocated IS 'units that the first warehouse keeps for it';
CREATE INDEX transfer_line_kept ON transfer_line (merchant_id, item_id, grade) WHERE allocated > 0;
CREATE TABLE fulfilment_order (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, order_id bigint NOT NULL,
    nth integer NOT NULL CHECK (nth > 0), warehouse_id bigint NOT NULL, decision_id bigint,
    leaves_on date, earliest date, latest date, made_at timestamptz NOT NULL, made_by text NOT NULL,
    rejected_at timestamptz, why text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, order_id, nth)
);
COMMENT ON COLUMN fulfilment_order.nth IS 'of its order, from 1';
COMMENT ON COLUMN fulfilment_order.leaves_on IS 'with earliest and latest day of arrival: as the decision promised';
COMMENT ON COLUMN fulfilment_order.why IS 'why the warehouse rejected it';
CREATE TABLE fulfilment_line (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, fulfilment_id bigint NOT NULL,
    order_id bigint NOT NULL, order_line_id bigint NOT NULL, promise_id bigint NOT NULL, warehouse_id bigint NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL, bin_id bigint, units bigint NOT NULL CHECK (units >= 0),
    shipped bigint NOT NULL CHECK (shipped >= 0), back bigint NOT NULL CHECK (back >= 0),
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE NULLS NOT DISTINCT (merchant_id, fulfilment_id, promise_id, bin_id)
) WITH (fillfactor = 80);
COMMENT ON COLUMN fulfilment_line.bin_id IS 'out of which its units were handed over; NULL: they were not, yet';
COMMENT ON COLUMN fulfilment_line.units IS 'allocated now: neither shipped nor given back';
COMMENT ON COLUMN fulfilment_line.moved_at IS 'when units last came to it';
CREATE INDEX fulfilment_line_of_order ON fulfilment_line (merchant_id, order_id);
CREATE INDEX fulfilment_line_open ON fulfilment_line (merchant_id, warehouse_id, fulfilment_id) WHERE units > 0;
CREATE INDEX fulfilment_line_goods ON fulfilment_line (merchant_id, item_id, grade, warehouse_id) WHERE units > 0;
CREATE INDEX fulfilment_line_handed ON fulfilment_line (merchant_id, bin_id, item_id, grade, moved_at)
    WHERE units > 0 AND bin_id IS NOT NULL;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in ("fulfilment_order", "fulfilment_line"):
        driver.execute(walled(table))

"""Goods that may not be sold: why they wait, and what went back to a supplier."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE set_apart (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, bin_id bigint NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL, units bigint NOT NULL CHECK (units > 0),
    units_left bigint NOT NULL CHECK (units_left BETWEEN 0 AND units), cause text NOT NULL,
    to_inspect boolean NOT NULL, reason text NOT NULL, since timestamptz NOT NULL, document_id bigint,
    PRIMARY KEY (merchant_id, id)
);
COMMENT ON TABLE set_apart IS 'why units are unavailable; those left add up to the bucket of their bin';
COMMENT ON COLUMN set_apart.cause IS 'the kind of document that set them apart first';
COMMENT ON COLUMN set_apart.document_id IS 'that made this record; NULL: set apart before there were records';
CREATE INDEX set_apart_lying ON set_apart (merchant_id, item_id, grade, bin_id, since, id) WHERE units_left > 0;
CREATE TABLE set_apart_exit (
    merchant_id bigint NOT NULL REFERENCES merchant, set_apart_id bigint NOT NULL, document_id bigint NOT NULL,
    units bigint NOT NULL CHECK (units > 0),
    PRIMARY KEY (merchant_id, set_apart_id, document_id)
);
CREATE INDEX set_apart_exit_of_document ON set_apart_exit (merchant_id, document_id);
CREATE TABLE inspection_rule (
    merchant_id bigint PRIMARY KEY REFERENCES merchant, inspect_returns boolean NOT NULL
);
CREATE TABLE vendor_return (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, number text NOT NULL CHECK (number <> ''),
    supplier_id bigint NOT NULL, purchase_id bigint, reason text NOT NULL, document_id bigint NOT NULL,
    sent_at timestamptz NOT NULL, sent_by text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, number)
);
COMMENT ON COLUMN vendor_return.purchase_id IS 'the order that the goods came with; NULL: not known';
CREATE INDEX vendor_return_of_purchase ON vendor_return (merchant_id, purchase_id) WHERE purchase_id IS NOT NULL;
CREATE TABLE vendor_return_line (
    merchant_id bigint NOT NULL REFERENCES merchant, vendor_return_id bigint NOT NULL, nth integer NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL, bin_id bigint NOT NULL, units bigint NOT NULL CHECK (units > 0),
    PRIMARY KEY (merchant_id, vendor_return_id, nth)
);
"""
# What lies unavailable already was set apart before anybody wrote down why.
EARLIER = """
INSERT INTO set_apart
    SELECT merchant_id, nextval('id_block') * 16384, bin_id, item_id, grade, unavailable, unavailable, 'damage', false,
        '', now(), NULL
    FROM warehouse_balance WHERE unavailable > 0;
"""
TABLES = ("set_apart", "set_apart_exit", "inspection_rule", "vendor_return", "vendor_return_line")


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    driver.execute(EARLIER)
    for table in TABLES:
        driver.execute(walled(table))

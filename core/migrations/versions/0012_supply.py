"""Suppliers, purchase orders and transfers: goods on their way to us and between our warehouses."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE supplier (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, code text NOT NULL CHECK (code <> ''),
    name text NOT NULL, email text NOT NULL, currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    lead_days integer CHECK (lead_days BETWEEN 0 AND 1000), counts boolean NOT NULL,
    count_days integer CHECK (count_days BETWEEN 0 AND 365), created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, code)
);
COMMENT ON COLUMN supplier.email IS 'the company''s desk, never a person''s own';
COMMENT ON COLUMN supplier.currency IS 'ISO 4217: of the costs of its goods';
COMMENT ON COLUMN supplier.counts IS 'count_days holds, not the merchant''s own';
COMMENT ON COLUMN supplier.count_days IS 'goods that arrive within so many days are counted as sellable; NULL: none are';
CREATE TABLE supplier_item (
    merchant_id bigint NOT NULL REFERENCES merchant, supplier_id bigint NOT NULL, item_id bigint NOT NULL,
    supplier_sku text NOT NULL, pack_size bigint NOT NULL CHECK (pack_size BETWEEN 1 AND 1000000),
    least_units bigint NOT NULL CHECK (least_units > 0), lead_days integer CHECK (lead_days BETWEEN 0 AND 1000),
    cost_minor bigint CHECK (cost_minor >= 0),
    PRIMARY KEY (merchant_id, supplier_id, item_id)
);
COMMENT ON COLUMN supplier_item.pack_size IS 'sale units in one of its cases';
COMMENT ON COLUMN supplier_item.cost_minor IS 'of one sale unit, in the smallest unit of the supplier''s currency';
CREATE UNIQUE INDEX supplier_item_sku ON supplier_item (merchant_id, supplier_id, supplier_sku)
    WHERE supplier_sku <> '';
CREATE TABLE supply_rule (
    merchant_id bigint NOT NULL REFERENCES merchant, count_days integer CHECK (count_days BETWEEN 0 AND 365),
    PRIMARY KEY (merchant_id)
);
CREATE TABLE purchase (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, number text NOT NULL CHECK (number <> ''),
    supplier_id bigint NOT NULL, warehouse_id bigint NOT NULL, expected_on date, note text NOT NULL,
    created_at timestamptz NOT NULL, created_by text NOT NULL, placed_at timestamptz, cancelled_at timestamptz,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, number)
);
CREATE INDEX purchase_draft ON purchase (merchant_id, id) WHERE placed_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX purchase_of_supplier ON purchase (merchant_id, supplier_id, id);
COMMENT ON COLUMN purchase.cancelled_at IS 'of a draft: when it was dropped';
CREATE TABLE purchase_line (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, purchase_id bigint NOT NULL,
    nth integer NOT NULL CHECK (nth > 0), item_id bigint NOT NULL, grade text NOT NULL,
    ordered bigint NOT NULL CHECK (ordered > 0), cut bigint NOT NULL CHECK (cut BETWEEN 0 AND ordered),
    came bigint NOT NULL CHECK (came >= 0), counted bigint NOT NULL CHECK (counted >= 0),
    pack_size bigint NOT NULL CHECK (pack_size > 0), cost_minor bigint CHECK (cost_minor >= 0), expected_on date,
    CHECK (counted <= greatest(ordered - cut - came, 0)),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, purchase_id, item_id, grade)
);
COMMENT ON COLUMN purchase_line.came IS 'units that came for it, whatever their state';
COMMENT ON COLUMN purchase_line.counted IS 'of those still to come: counted as sellable';
COMMENT ON COLUMN purchase_line.expected_on IS 'NULL: the day of its order';
CREATE INDEX purchase_line_open ON purchase_line (merchant_id, purchase_id) WHERE ordered - cut - came > 0;
CREATE INDEX purchase_line_of_item ON purchase_line (merchant_id, item_id);
CREATE TABLE purchase_notice (
    merchant_id bigint NOT NULL REFERENCES merchant, line_id bigint NOT NULL, number text NOT NULL CHECK (number <> ''),
    units bigint NOT NULL CHECK (units >= 0), expected_on date NOT NULL, came_before bigint NOT NULL,
    noted_at timestamptz NOT NULL, noted_by text NOT NULL,
    PRIMARY KEY (merchant_id, line_id, number)
);
COMMENT ON COLUMN purchase_notice.came_before IS 'units that had come for the line when this was announced';
CREATE TABLE purchase_receipt (
    merchant_id bigint NOT NULL REFERENCES merchant, document_id bigint NOT NULL, line_id bigint NOT NULL,
    good bigint NOT NULL CHECK (good >= 0), damaged bigint NOT NULL CHECK (damaged >= 0),
    regraded bigint NOT NULL CHECK (regraded >= 0), bin_id bigint NOT NULL, received_at timestamptz NOT NULL,
    taken_back_by bigint,
    CHECK (good + damaged + regraded > 0),
    PRIMARY KEY (merchant_id, document_id, line_id)
);
COMMENT ON COLUMN purchase_receipt.regraded IS 'units that came in the other grade';
COMMENT ON COLUMN purchase_receipt.taken_back_by IS 'the document that took it back: entered by mistake';
CREATE INDEX purchase_receipt_of_line ON purchase_receipt (merchant_id, line_id);
"""
TABLES: tuple[str, ...] = (
    "supplier", "supplier_item", "supply_rule", "purchase", "purchase_line", "purchase_notice", "purchase_receipt",
)  # fmt: skip


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        rights = "SELECT, INSERT, UPDATE, DELETE" if table == "purchase_line" else "SELECT, INSERT, UPDATE"
        driver.execute(walled(table, rights))

"""Items over time: earlier SKUs, merges and splits, costs, references of others."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE item ADD merged_into bigint, ADD CHECK (merged_into <> id);
COMMENT ON COLUMN item.merged_into IS 'the item that it is part of now; what is merged on later is followed, so never a chain';
CREATE INDEX item_merged ON item (merchant_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE item_rename (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, item_id bigint NOT NULL, sku text NOT NULL,
    sku_key text NOT NULL, until timestamptz NOT NULL, renamed_by text NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
COMMENT ON TABLE item_rename IS 'what items were called before';
CREATE INDEX item_rename_by_sku ON item_rename (merchant_id, sku_key, until, id);
CREATE INDEX item_rename_of_item ON item_rename (merchant_id, item_id);
CREATE TABLE item_reference (
    merchant_id bigint NOT NULL REFERENCES merchant, kind text NOT NULL CHECK (kind <> ''),
    key text NOT NULL CHECK (key <> ''), value text NOT NULL, item_id bigint NOT NULL, made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    PRIMARY KEY (merchant_id, kind, key)
);
COMMENT ON COLUMN item_reference.key IS 'the value as it is compared; of a barcode 14 digits';
CREATE INDEX item_reference_by_key ON item_reference (merchant_id, key);
CREATE INDEX item_reference_of_item ON item_reference (merchant_id, item_id);
CREATE INDEX supplier_item_by_sku ON supplier_item (merchant_id, supplier_sku) WHERE supplier_sku <> '';
CREATE TABLE item_change (
    merchant_id bigint NOT NULL REFERENCES merchant, document_id bigint NOT NULL, item_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('merge', 'split')), other_id bigint NOT NULL, at timestamptz NOT NULL,
    actor text NOT NULL, reason text NOT NULL,
    PRIMARY KEY (merchant_id, document_id)
);
COMMENT ON COLUMN item_change.item_id IS 'the item that became a part of the other, or that the other was split off from';
CREATE INDEX item_change_of_item ON item_change (merchant_id, item_id);
CREATE INDEX item_change_of_other ON item_change (merchant_id, other_id);
CREATE TABLE item_cost (
    merchant_id bigint NOT NULL REFERENCES merchant, item_id bigint NOT NULL, at timestamptz NOT NULL,
    nth integer NOT NULL CHECK (nth > 0), document_id bigint NOT NULL, units bigint NOT NULL CHECK (units <> 0),
    cost_minor bigint CHECK (cost_minor >= 0), currency text NOT NULL, parts jsonb NOT NULL,
    PRIMARY KEY (merchant_id, item_id, at, nth)
);
COMMENT ON COLUMN item_cost.units IS 'that came with the document; below 0: that had come with it and were taken back';
COMMENT ON COLUMN item_cost.cost_minor IS 'of one unit; NULL: nobody knows';
COMMENT ON COLUMN item_cost.parts IS 'what there was of the item then, by what it cost on average';
CREATE INDEX item_cost_of_document ON item_cost (merchant_id, document_id);
"""
TABLES: tuple[str, ...] = ("item_rename", "item_reference", "item_change", "item_cost")


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        rights = "SELECT, INSERT, UPDATE, DELETE" if table == "item_reference" else "SELECT, INSERT, UPDATE"
        driver.execute(walled(table, rights))

"""What is to be ordered again: settings per item and supplier."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE replenish_default (
    merchant_id bigint NOT NULL REFERENCES merchant, window_days integer NOT NULL CHECK (window_days BETWEEN 14 AND 365),
    lead_days integer NOT NULL CHECK (lead_days BETWEEN 0 AND 1000),
    cover_days integer NOT NULL CHECK (cover_days BETWEEN 1 AND 1000),
    service_permille integer NOT NULL CHECK (service_permille BETWEEN 500 AND 999),
    slow_days integer NOT NULL CHECK (slow_days BETWEEN 1 AND 365),
    most_days integer NOT NULL CHECK (most_days BETWEEN 1 AND 10000),
    transfer_days integer NOT NULL CHECK (transfer_days BETWEEN 1 AND 365),
    PRIMARY KEY (merchant_id)
);
COMMENT ON TABLE replenish_default IS 'what holds for items that say nothing of their own; no row: what comes with the hub';
COMMENT ON COLUMN replenish_default.window_days IS 'days of sales that are looked at';
COMMENT ON COLUMN replenish_default.service_permille IS 'of lead times in which nothing may run out';
COMMENT ON COLUMN replenish_default.most_days IS 'what lasts longer is too much';
COMMENT ON COLUMN replenish_default.transfer_days IS 'a warehouse whose goods last shorter is short';
CREATE TABLE replenish_item (
    merchant_id bigint NOT NULL REFERENCES merchant, item_id bigint NOT NULL,
    lead_days integer CHECK (lead_days BETWEEN 0 AND 1000), cover_days integer CHECK (cover_days BETWEEN 1 AND 1000),
    service_permille integer CHECK (service_permille BETWEEN 500 AND 999), supplier_id bigint, is_off boolean NOT NULL,
    PRIMARY KEY (merchant_id, item_id)
);
COMMENT ON COLUMN replenish_item.supplier_id IS 'who is asked first; NULL: whoever brings it soonest';
COMMENT ON COLUMN replenish_item.is_off IS 'it is not ordered again';
CREATE TABLE flow_day (
    merchant_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL, place_id bigint NOT NULL,
    day date NOT NULL, sold bigint NOT NULL, came bigint NOT NULL, net bigint NOT NULL,
    PRIMARY KEY (merchant_id, item_id, grade, place_id, day)
);
COMMENT ON TABLE flow_day IS 'sums of movements of days that are over, to be made again from the movements at any time';
COMMENT ON COLUMN flow_day.place_id IS 'a warehouse; 0: the sales layer';
CREATE TABLE flow_mark (
    merchant_id bigint NOT NULL REFERENCES merchant, time_zone text NOT NULL, since date NOT NULL, until date NOT NULL,
    PRIMARY KEY (merchant_id)
);
COMMENT ON COLUMN flow_mark.until IS 'the first day that is not summed up, after the first that is, since';
"""
TABLES: tuple[str, ...] = ("replenish_default", "replenish_item", "flow_day", "flow_mark")


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        driver.execute(walled(table, "SELECT, INSERT, UPDATE, DELETE"))

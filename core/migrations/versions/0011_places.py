"""Warehouses as places: where they are, when they send, what they can do; bins that stand still."""

from typing import Any

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE warehouse
    ADD region text NOT NULL DEFAULT '', ADD country text NOT NULL DEFAULT '', ADD subdivision text NOT NULL DEFAULT '',
    ADD postal text NOT NULL DEFAULT '', ADD city text NOT NULL DEFAULT '', ADD street text NOT NULL DEFAULT '',
    ADD latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD CHECK ((latitude IS NULL) = (longitude IS NULL)),
    ADD priority integer NOT NULL DEFAULT 0, ADD cut_off time,
    ADD capacity_per_day bigint CHECK (capacity_per_day > 0), ADD paused boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT warehouse_kinds CHECK (kind IN ('warehouse', 'store', 'pickup', '3pl'));
COMMENT ON COLUMN warehouse.country IS 'ISO 3166-1, two capital letters; empty: not said';
COMMENT ON COLUMN warehouse.subdivision IS 'ISO 3166-2 without the country, like BY or CA';
COMMENT ON COLUMN warehouse.cut_off IS 'by its own clock: orders paid later leave a working day later; NULL: none';
COMMENT ON COLUMN warehouse.capacity_per_day IS 'parcels; NULL: no limit';
ALTER TABLE bin ADD frozen boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN bin.frozen IS 'nothing goes in or out but by a count';
CREATE INDEX warehouse_balance_of_bin ON warehouse_balance (merchant_id, bin_id, item_id);
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

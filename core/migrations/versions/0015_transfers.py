"""Transfers: goods on their way between our own warehouses; and lines of orders that count as their store sells."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE transfer (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, number text NOT NULL CHECK (number <> ''),
    from_id bigint NOT NULL, to_id bigint NOT NULL CHECK (to_id <> from_id), expected_on date, note text NOT NULL,
    created_at timestamptz NOT NULL, created_by text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, number)
);
COMMENT ON COLUMN transfer.from_id IS 'warehouse, as to_id';
CREATE TABLE transfer_line (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, transfer_id bigint NOT NULL,
    nth integer NOT NULL CHECK (nth > 0), item_id bigint NOT NULL, grade text NOT NULL,
    asked bigint NOT NULL CHECK (asked >= 0), sent bigint NOT NULL CHECK (sent >= 0),
    came bigint NOT NULL CHECK (came >= 0), lost bigint NOT NULL CHECK (lost >= 0),
    CHECK (lost <= sent),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, transfer_id, item_id, grade)
);
COMMENT ON COLUMN transfer_line.came IS 'units that arrived, whatever their state; more than were sent, if more came';
CREATE INDEX transfer_line_on_its_way ON transfer_line (merchant_id, transfer_id) WHERE sent > came + lost;
CREATE INDEX bin_frozen ON bin (merchant_id) WHERE frozen;
CREATE INDEX transfer_line_unsent ON transfer_line (merchant_id, transfer_id) WHERE asked > sent;
"""
# Lines are told as their store sells, in packs; how many units a pack takes is the promise's, from its first day.
AS_SOLD = """
CREATE TEMP TABLE packed ON COMMIT DROP AS
    SELECT o.merchant_id, o.id, l.pack_size FROM order_line o
    JOIN listing l ON l.merchant_id = o.merchant_id AND l.id = o.listing_id WHERE l.pack_size > 1;
UPDATE promise p SET per_unit = p.per_unit * k.pack_size FROM packed k
    WHERE p.merchant_id = k.merchant_id AND p.order_line_id = k.id;
UPDATE order_line o SET ordered = ordered / k.pack_size, cancelled = cancelled / k.pack_size,
        written_off = written_off / k.pack_size, returned = returned / k.pack_size,
        returned_minor_defect = returned_minor_defect / k.pack_size
    FROM packed k WHERE o.merchant_id = k.merchant_id AND o.id = k.id;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    driver.execute(AS_SOLD)
    for table in ("transfer", "transfer_line"):
        driver.execute(walled(table))

"""Goods that went back to their supplier take the cost with them at which they came; what was on hand is found fast."""

from typing import Any

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE item_cost ADD taken_by bigint;
COMMENT ON COLUMN item_cost.taken_by IS
    'the document with which units of that cost went back to their supplier, or came from there again';
CREATE INDEX item_cost_taken_by ON item_cost (merchant_id, taken_by) WHERE taken_by IS NOT NULL;
CREATE INDEX movement_of_bins ON movement (merchant_id, item_id, recorded_at) INCLUDE (from_place, to_place, quantity)
    WHERE layer = 'warehouse' AND from_place IS DISTINCT FROM to_place;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

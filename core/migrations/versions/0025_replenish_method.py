"""How it is told what will sell: per merchant, and per item where it says something else."""

from typing import Any

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE replenish_default ADD COLUMN method text NOT NULL DEFAULT 'pace'
    CHECK (method IN ('pace', 'forecast', 'better'));
ALTER TABLE replenish_default ALTER COLUMN method DROP DEFAULT;
ALTER TABLE replenish_item ADD COLUMN method text CHECK (method IN ('pace', 'forecast', 'better'));
-- Sums of days on which an item became part of another took its sold units to be sold once more.
TRUNCATE flow_day, flow_mark;
COMMENT ON COLUMN replenish_item.method IS 'NULL: as replenish_default has it';
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

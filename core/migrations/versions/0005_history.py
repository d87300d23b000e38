"""Balances of the past, so that any instant can be computed."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHANGES = f"""
CREATE TABLE balance_checkpoint (
    merchant_id bigint NOT NULL, item_id bigint NOT NULL, at timestamptz NOT NULL, cells jsonb NOT NULL,
    PRIMARY KEY (merchant_id, item_id, at)
);
CREATE TABLE checkpoint_mark (
    merchant_id bigint NOT NULL REFERENCES merchant, covered_until timestamptz, looked_at timestamptz NOT NULL,
    open_then text[] NOT NULL,
    PRIMARY KEY (merchant_id)
);
{walled("balance_checkpoint", "SELECT, INSERT, DELETE")}
{walled("checkpoint_mark")}
ALTER TABLE push ADD COLUMN facts jsonb;
COMMENT ON COLUMN push.facts IS 'what the number was computed from, with the version of the sum; null: not kept then';
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

"""Floors as standing locks, what a requester may lock at most, and ways to find locks."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE lock ADD standing boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT standing OR type = 'channel' AND store_id IS NOT NULL AND warehouse_id IS NULL);
COMMENT ON COLUMN lock.standing IS 'a floor: kept at its quantity of free units as its store sells them';
CREATE UNIQUE INDEX lock_one_floor ON lock (merchant_id, store_id, item_id, grade) WHERE standing;
CREATE INDEX lock_open ON lock (merchant_id, item_id) WHERE status IN ('requested', 'approved', 'active');
CREATE INDEX document_migrations ON document (merchant_id, id) WHERE kind = 'migration';
CREATE TABLE lock_limit (
    merchant_id bigint NOT NULL REFERENCES merchant, requester text NOT NULL,
    most_units bigint CHECK (most_units > 0), most_share integer CHECK (most_share BETWEEN 1 AND 100),
    most_days integer CHECK (most_days > 0), changed_at timestamptz NOT NULL, changed_by text NOT NULL,
    PRIMARY KEY (merchant_id, requester), CHECK (num_nonnulls(most_units, most_share, most_days) > 0)
);
COMMENT ON COLUMN lock_limit.requester IS 'as documents name an actor; empty: everybody who has no row of their own';
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    driver.execute(walled("lock_limit", "SELECT, INSERT, UPDATE, DELETE"))

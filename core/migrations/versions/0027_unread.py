"""For how long tries to read a store's orders have failed, so that somebody is warned of a store that is silent."""

from typing import Any

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE store ADD COLUMN unread_s bigint NOT NULL DEFAULT 0 CHECK (unread_s >= 0),
    ADD COLUMN unread_at timestamptz;
COMMENT ON COLUMN store.unread_s IS 'seconds over which tries to read its orders have failed, one after the other';
COMMENT ON COLUMN store.unread_at IS 'when the last of them failed; NULL: its orders could be read';
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

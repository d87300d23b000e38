"""What is to be ordered again: settings per item and supplier."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CHANGES = """
SELECT;
"""
TABLES: tuple[str, ...] = ()


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        driver.execute(walled(table))

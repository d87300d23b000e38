"""Suppliers, purchase orders and transfers: goods on their way to us and between our warehouses."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0012"
down_revision = "0011"
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

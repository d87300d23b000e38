"""What can be warned of is told by the code alone, where each kind has its words."""

from typing import Any

from alembic import op

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute("ALTER TABLE alert_rule DROP CONSTRAINT alert_rule_kind_check")

"""Lists begin with the newest by the time that people mean: ids come in blocks, a block for each process."""

from typing import Any

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CHANGES = """
CREATE INDEX order_newest ON store_order (merchant_id, placed_at, id) WHERE placed_at IS NOT NULL;
-- Without the id: where nothing is known of a table, an index with it is taken to look rows up by their ids.
CREATE INDEX purchase_newest ON purchase (merchant_id, created_at);
DROP INDEX purchase_of_supplier;
CREATE INDEX purchase_of_supplier ON purchase (merchant_id, supplier_id, created_at);
CREATE INDEX import_newest ON import (merchant_id, begun_at);
CREATE INDEX fulfilment_order_newest ON fulfilment_order (merchant_id, warehouse_id, made_at);
CREATE INDEX promise_unsent ON promise (merchant_id, order_id)
    WHERE order_line_id IS NOT NULL AND paid AND deducted AND NOT presale AND live > allocated;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)

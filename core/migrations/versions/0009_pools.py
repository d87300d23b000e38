"""Campaigns, presales, expected supply and promised dates."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE pool_item ADD expected_id bigint;
COMMENT ON COLUMN pool_item.expected_id IS 'of a presale: the supply that it waits for';
ALTER TABLE promise ADD presale_id bigint, ADD balance_due_at timestamptz;
COMMENT ON COLUMN promise.presale_id IS 'the presale that sold it; stays when its goods have arrived';
COMMENT ON COLUMN promise.balance_due_at IS 'its deposit is paid, and the rest is owed by then';
UPDATE promise SET presale_id = pool_id WHERE presale;
CREATE INDEX promise_of_presale ON promise (merchant_id, presale_id) WHERE presale_id IS NOT NULL;
ALTER TABLE warehouse ADD handling_days integer NOT NULL DEFAULT 1 CHECK (handling_days BETWEEN 0 AND 365);
COMMENT ON COLUMN warehouse.handling_days IS 'days from the arrival of goods until they can leave again';
CREATE TABLE campaign (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, preload_at timestamptz,
    best_effort boolean NOT NULL, balance_due_at timestamptz, preloaded_at timestamptz, shown_at timestamptz,
    trouble text NOT NULL, made_at timestamptz NOT NULL, made_by text NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
COMMENT ON TABLE campaign IS 'what an activity or a presale does by the clock; it has the id of its pool';
COMMENT ON COLUMN campaign.shown_at IS 'when the stores were told that its units may be sold';
CREATE TABLE expected (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0), received bigint NOT NULL CHECK (received >= 0),
    expected_at timestamptz NOT NULL, reference text NOT NULL CHECK (reference <> ''), moved_at timestamptz NOT NULL,
    receipts bigint[] NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, item_id, grade, reference)
);
COMMENT ON COLUMN expected.receipts IS 'documents whose units are in received';
CREATE INDEX expected_open ON expected (merchant_id, item_id, grade) WHERE received < quantity;
CREATE TABLE promise_date (
    merchant_id bigint NOT NULL REFERENCES merchant, promise_id bigint NOT NULL, nth integer NOT NULL CHECK (nth > 0),
    order_id bigint NOT NULL, was date, becomes date, reference text NOT NULL, reason text NOT NULL,
    at timestamptz NOT NULL, told_at timestamptz, CHECK (was IS DISTINCT FROM becomes),
    PRIMARY KEY (merchant_id, promise_id, nth)
);
COMMENT ON COLUMN promise_date.reference IS 'the supply that brings it by then; empty: none';
CREATE INDEX promise_date_untold ON promise_date (merchant_id, promise_id) WHERE told_at IS NULL;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in ("campaign", "expected", "promise_date"):
        driver.execute(walled(table))

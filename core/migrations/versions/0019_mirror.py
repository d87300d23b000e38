"""Stock told by an outside system, each message once and in the sender's order."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE mirror_source (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, name text NOT NULL CHECK (name <> ''),
    warehouse_id bigint NOT NULL, by_time boolean NOT NULL, by_bin boolean NOT NULL, zero_missing boolean NOT NULL,
    most_percent integer CHECK (most_percent BETWEEN 0 AND 100), most_zeroed bigint CHECK (most_zeroed >= 0),
    most_units bigint CHECK (most_units >= 0), silent_after_s bigint CHECK (silent_after_s > 0), covered bigint,
    created_at timestamptz NOT NULL, created_by text NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, name), UNIQUE (merchant_id, warehouse_id)
);
COMMENT ON COLUMN mirror_source.by_time IS 'its messages are ordered by time, kept in microseconds since 1970; else by number';
COMMENT ON COLUMN mirror_source.by_bin IS 'it counts bins; else the whole warehouse';
COMMENT ON COLUMN mirror_source.most_percent IS 'a batch that changes more waits for a person, as with most_*; NULL: no bound';
COMMENT ON COLUMN mirror_source.covered IS 'the newest batch that said 0 of every item that it did not name';
CREATE TABLE mirror_item (
    merchant_id bigint NOT NULL REFERENCES merchant, source_id bigint NOT NULL, item_id bigint NOT NULL,
    grade text NOT NULL, bin_id bigint NOT NULL, version bigint NOT NULL, units bigint NOT NULL CHECK (units >= 0),
    as_of timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, source_id, item_id, grade, bin_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE mirror_item IS 'the newest that a source said of an item; a version below 0: nothing yet';
COMMENT ON COLUMN mirror_item.bin_id IS '0: the whole warehouse';
CREATE TABLE mirror_message (
    merchant_id bigint NOT NULL REFERENCES merchant, source_id bigint NOT NULL, key text NOT NULL CHECK (key <> ''),
    item_id bigint NOT NULL, grade text NOT NULL, bin_id bigint NOT NULL, version bigint NOT NULL,
    units bigint NOT NULL CHECK (units >= 0), received_at timestamptz NOT NULL, actor text NOT NULL,
    outcome text NOT NULL, change bigint NOT NULL, document_id bigint,
    PRIMARY KEY (merchant_id, source_id, key)
);
CREATE INDEX mirror_message_by_time ON mirror_message (merchant_id, source_id, received_at);
CREATE INDEX mirror_message_late ON mirror_message (merchant_id, source_id, received_at) WHERE outcome = 'late';
CREATE TABLE mirror_batch (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, source_id bigint NOT NULL,
    key text NOT NULL CHECK (key <> ''), content_hash bytea NOT NULL, version bigint NOT NULL,
    as_of timestamptz NOT NULL, zero_missing boolean NOT NULL, received_at timestamptz NOT NULL, actor text NOT NULL,
    state text NOT NULL CHECK (state IN ('held', 'open', 'done', 'rejected')), why text NOT NULL,
    decided_at timestamptz, decided_by text, ended_at timestamptz,
    named bigint NOT NULL, unnamed bigint NOT NULL, same bigint NOT NULL,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, source_id, key)
);
COMMENT ON COLUMN mirror_batch.named IS 'items that it named; unnamed: others that it says 0 of; same: they were as it says';
COMMENT ON COLUMN mirror_batch.why IS 'why it waits for a person, or what that person said';
CREATE INDEX mirror_batch_waiting ON mirror_batch (merchant_id, source_id) WHERE state IN ('held', 'open');
CREATE INDEX mirror_batch_by_time ON mirror_batch (merchant_id, source_id, received_at);
CREATE TABLE mirror_batch_item (
    merchant_id bigint NOT NULL REFERENCES merchant, batch_id bigint NOT NULL, item_id bigint NOT NULL,
    grade text NOT NULL, bin_id bigint NOT NULL, units bigint NOT NULL CHECK (units >= 0), named boolean NOT NULL,
    outcome text NOT NULL, shelf bigint NOT NULL, change bigint NOT NULL, document_id bigint,
    PRIMARY KEY (merchant_id, batch_id, item_id, grade, bin_id)
);
COMMENT ON TABLE mirror_batch_item IS 'what a batch changes, or would change; items that were as it says are not kept';
COMMENT ON COLUMN mirror_batch_item.shelf IS 'units that stood there when it was looked at';
CREATE INDEX mirror_batch_item_open ON mirror_batch_item (merchant_id, batch_id, item_id, grade, bin_id)
    WHERE outcome = 'open';
CREATE TABLE mirror_refusal (
    merchant_id bigint NOT NULL REFERENCES merchant, source_id bigint NOT NULL, subject text NOT NULL,
    why text NOT NULL, times bigint NOT NULL CHECK (times > 0), first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, source_id, subject)
);
COMMENT ON TABLE mirror_refusal IS 'what was refused and has not been told rightly since, by SKU or by batch';
"""
TABLES: tuple[str, ...] = (
    "mirror_source",
    "mirror_item",
    "mirror_message",
    "mirror_batch",
    "mirror_batch_item",
    "mirror_refusal",
)


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        driver.execute(walled(table, "SELECT, INSERT, UPDATE, DELETE"))

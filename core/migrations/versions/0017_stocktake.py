"""Stocktakes: what was counted, by whom, against what the books held then."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE stocktake (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, number text NOT NULL CHECK (number <> ''),
    of_some boolean NOT NULL, chosen text NOT NULL, blind boolean NOT NULL, uncounted_is_zero boolean NOT NULL,
    note text NOT NULL, revision bigint NOT NULL CHECK (revision >= 0),
    opened_at timestamptz NOT NULL, opened_by text NOT NULL,
    approved_at timestamptz, approved_by text NOT NULL, posting_at timestamptz, posting_by text NOT NULL,
    posted_at timestamptz, cancelled_at timestamptz, cancelled_by text NOT NULL, reason text NOT NULL,
    CHECK (posted_at IS NULL OR posting_at IS NOT NULL), CHECK (posting_at IS NULL OR cancelled_at IS NULL),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, number)
);
COMMENT ON COLUMN stocktake.of_some IS 'a cycle count: only of the items in stocktake_item';
COMMENT ON COLUMN stocktake.revision IS 'how often counts were entered';
CREATE INDEX stocktake_open ON stocktake (merchant_id) WHERE posted_at IS NULL AND cancelled_at IS NULL;
CREATE TABLE stocktake_bin (
    merchant_id bigint NOT NULL REFERENCES merchant, stocktake_id bigint NOT NULL, bin_id bigint NOT NULL,
    froze boolean NOT NULL,
    PRIMARY KEY (merchant_id, stocktake_id, bin_id)
);
COMMENT ON COLUMN stocktake_bin.froze IS 'the stocktake froze it, and thaws it at its end';
CREATE TABLE stocktake_item (
    merchant_id bigint NOT NULL REFERENCES merchant, stocktake_id bigint NOT NULL, item_id bigint NOT NULL,
    PRIMARY KEY (merchant_id, stocktake_id, item_id)
);
CREATE TABLE stocktake_line (
    merchant_id bigint NOT NULL REFERENCES merchant, stocktake_id bigint NOT NULL, bin_id bigint NOT NULL,
    item_id bigint NOT NULL, grade text NOT NULL,
    opened bigint NOT NULL CHECK (opened >= 0), opened_fixes integer NOT NULL CHECK (opened_fixes >= 0),
    state text NOT NULL CHECK (state IN ('uncounted', 'counted', 'recount')),
    counted bigint CHECK (counted >= 0), book bigint CHECK (book >= 0), counted_at timestamptz,
    fixes integer CHECK (fixes >= 0), document_id bigint, posted bigint, left_out text NOT NULL,
    CHECK ((state = 'counted') = (counted IS NOT NULL) AND num_nonnulls(counted, book, counted_at, fixes) IN (0, 4)),
    CHECK ((document_id IS NULL) = (coalesce(posted, 0) = 0)), CHECK (posted IS NULL OR left_out = ''),
    PRIMARY KEY (merchant_id, stocktake_id, bin_id, item_id, grade)
);
COMMENT ON COLUMN stocktake_line.opened IS 'units that the books held when the stocktake was opened';
COMMENT ON COLUMN stocktake_line.book IS 'units that the books held at counted_at';
COMMENT ON COLUMN stocktake_line.fixes IS 'corrections of these books shortly before counted_at: one more is one since';
COMMENT ON COLUMN stocktake_line.posted IS 'units found (above 0) or missing that were booked; NULL: nothing yet';
COMMENT ON COLUMN stocktake_line.left_out IS 'why it was not booked: uncounted, recount or corrected';
CREATE INDEX stocktake_line_due ON stocktake_line (merchant_id, stocktake_id, bin_id, item_id, grade)
    WHERE state = 'counted' AND posted IS NULL AND left_out = '';
CREATE INDEX stocktake_line_last ON stocktake_line (merchant_id, bin_id, item_id, grade, counted_at)
    WHERE posted IS NOT NULL;
CREATE TABLE stocktake_count (
    merchant_id bigint NOT NULL REFERENCES merchant, stocktake_id bigint NOT NULL, revision bigint NOT NULL,
    bin_id bigint NOT NULL, item_id bigint NOT NULL, grade text NOT NULL, counter text NOT NULL,
    counted bigint NOT NULL CHECK (counted >= 0), book bigint NOT NULL CHECK (book >= 0),
    counted_at timestamptz NOT NULL, fixes integer NOT NULL, entered_at timestamptz NOT NULL,
    entered_by text NOT NULL, stands boolean NOT NULL,
    PRIMARY KEY (merchant_id, stocktake_id, bin_id, item_id, grade, revision)
);
COMMENT ON COLUMN stocktake_count.stands IS 'false: the same counter has counted the same again';
CREATE UNIQUE INDEX stocktake_count_stands
    ON stocktake_count (merchant_id, stocktake_id, bin_id, item_id, grade, counter) WHERE stands;
CREATE TABLE stocktake_rule (
    merchant_id bigint PRIMARY KEY REFERENCES merchant, approve_units bigint CHECK (approve_units >= 0),
    approve_percent integer CHECK (approve_percent >= 0)
);
"""
TABLES = (
    "stocktake", "stocktake_bin", "stocktake_item", "stocktake_line", "stocktake_count", "stocktake_rule",
)  # fmt: skip


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        driver.execute(walled(table))

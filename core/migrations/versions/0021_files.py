"""Files read in: what each row asked for and did."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE import (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, kind text NOT NULL CHECK (kind <> ''),
    name text NOT NULL, content_hash bytea NOT NULL, nth integer NOT NULL CHECK (nth > 0),
    state text NOT NULL CHECK (state IN ('begun', 'done', 'undone')), units bigint NOT NULL CHECK (units >= 0),
    begun_at timestamptz NOT NULL, begun_by text NOT NULL, ended_at timestamptz, undone_at timestamptz,
    undone_by text NOT NULL,
    CHECK ((state = 'begun') = (ended_at IS NULL)), CHECK ((state = 'undone') = (undone_at IS NOT NULL)),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, content_hash, nth)
);
COMMENT ON COLUMN import.content_hash IS 'of the bytes, the kind and what was said of them: the same file is read once';
COMMENT ON COLUMN import.nth IS 'how often it was read, counting this time';
COMMENT ON COLUMN import.units IS 'rows, or papers of several rows, that were read';
CREATE TABLE import_row (
    merchant_id bigint NOT NULL REFERENCES merchant, import_id bigint NOT NULL, row_no bigint NOT NULL,
    rows bigint NOT NULL CHECK (rows > 0), outcome text NOT NULL CHECK (outcome IN ('made', 'changed', 'refused')),
    subject text NOT NULL, told text NOT NULL, document_id bigint, was text, undone_at timestamptz,
    kept_because text NOT NULL,
    CHECK (outcome <> 'refused' OR (document_id IS NULL AND undone_at IS NULL)),
    PRIMARY KEY (merchant_id, import_id, row_no)
);
COMMENT ON TABLE import_row IS 'rows that did something or were refused; all others found things as they say';
COMMENT ON COLUMN import_row.was IS 'JSON: what was so before, as far as a way back needs it';
COMMENT ON COLUMN import_row.kept_because IS 'why it could not be taken back when somebody last tried';
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in ("import", "import_row"):
        driver.execute(walled(table))

"""Pushes wait for the order that would explain them; work is found in the order in which it is due."""

from typing import Any

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE push_due ADD COLUMN until_known timestamptz;
CREATE INDEX work_to_claim ON work (merchant_id, topic, store_id, due_at, subject) WHERE dead_at IS NULL;
"""

# As before, but both follow the index on due_at and stop where they have enough, and rows are marked by key, whatever
# the planner believes of the table.
LOOKING = """
CREATE OR REPLACE FUNCTION take_due_work(at timestamptz, hold interval, most integer)
RETURNS TABLE (merchant_id bigint, topic text, store_id bigint, waiting bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
    WITH due AS (
        SELECT w.* FROM work w
        WHERE w.dead_at IS NULL AND w.due_at <= at
          AND (w.sent_until IS NULL OR w.sent_until <= at) AND (w.leased_until IS NULL OR w.leased_until <= at)
        ORDER BY w.due_at LIMIT most FOR UPDATE SKIP LOCKED
    ), sent AS (
        INSERT INTO work AS w (merchant_id, topic, store_id, subject, revision, heard_at, due_at, sent_until, tries,
            reason)
        SELECT due.merchant_id, due.topic, due.store_id, due.subject, due.revision, due.heard_at, due.due_at, at + hold,
            due.tries, due.reason FROM due
        ON CONFLICT ON CONSTRAINT work_pkey DO UPDATE SET sent_until = EXCLUDED.sent_until
        RETURNING w.merchant_id, w.topic, w.store_id
    )
    SELECT s.merchant_id, s.topic, s.store_id, count(*) FROM sent s GROUP BY 1, 2, 3
$$;
CREATE OR REPLACE FUNCTION next_work_at(after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_sort = off SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
    SELECT due_at FROM work WHERE dead_at IS NULL AND due_at > after ORDER BY due_at LIMIT 1
$$;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    for part in (CHANGES, LOOKING):
        driver.execute(part)

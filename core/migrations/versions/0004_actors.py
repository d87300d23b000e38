"""Users, their roles and keys, and the log of what they did."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGES = """
-- The one thing about a user that merchants share; the rest stands with the member. Its id is drawn at random, so that
-- nobody learns from a number whether an address was known before.
CREATE TABLE app_user (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL CHECK (email <> ''));
CREATE UNIQUE INDEX app_user_email ON app_user (lower(email));
CREATE TABLE member (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, user_id uuid NOT NULL REFERENCES app_user,
    name text NOT NULL, role text NOT NULL CHECK (role IN ('owner', 'planner', 'warehouse', 'viewer', 'operator')),
    disabled boolean NOT NULL, created_at timestamptz NOT NULL, removed_at timestamptz,
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, user_id)
);
CREATE INDEX member_by_user ON member (user_id);
CREATE TABLE api_key (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, public_id text NOT NULL UNIQUE,
    name text NOT NULL, secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0), made_by text NOT NULL, created_at timestamptz NOT NULL,
    expires_at timestamptz, last_used_at timestamptz, revoked_at timestamptz,
    PRIMARY KEY (merchant_id, id)
);
CREATE UNIQUE INDEX api_key_name ON api_key (merchant_id, name) WHERE revoked_at IS NULL;
CREATE TABLE act_log (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, at timestamptz NOT NULL, actor text NOT NULL,
    act text NOT NULL, subject text NOT NULL, detail jsonb NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX act_log_by_time ON act_log (merchant_id, at, id);
CREATE INDEX act_log_by_actor ON act_log (merchant_id, actor, at, id);
CREATE INDEX act_log_by_subject ON act_log (merchant_id, subject, at, id);
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON act_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON act_log EXECUTE FUNCTION refuse_change();
"""

DOORS = """
ALTER TABLE app_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_members ON app_user FOR SELECT TO holdfast_app USING (EXISTS (SELECT FROM member m
    WHERE m.user_id = app_user.id
      AND m.merchant_id = nullif(current_setting('holdfast.merchant_id', true), '')::bigint));
-- Not the whole row: the system's own columns would tell when an address was first known.
GRANT SELECT (id, email) ON app_user TO holdfast_app;

-- The user with an address, made if need be; the answer looks the same either way. Until the transaction ends, others
-- who ask for the same address wait.
CREATE FUNCTION user_called(address text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO app_user (email) VALUES (address)
    ON CONFLICT (lower(email)) DO UPDATE SET email = app_user.email RETURNING id
$$;
-- Erases an address that no merchant has as a member any more. The caller holds it by user_called, so that nobody adds
-- it meanwhile; whoever did not would be stopped by the foreign key.
CREATE FUNCTION forget_user(who uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM app_user WHERE id = who AND NOT EXISTS (SELECT FROM member WHERE user_id = who)
$$;
-- Whose key it is, by the part of it that is no secret.
CREATE FUNCTION merchant_of_key(key_id text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT merchant_id FROM api_key WHERE public_id = key_id
$$;
REVOKE ALL ON FUNCTION user_called, forget_user, merchant_of_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION user_called, forget_user, merchant_of_key TO holdfast_app;
"""


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    driver.execute(walled("member", "SELECT, INSERT, UPDATE (name, role, disabled, removed_at), DELETE"))
    driver.execute(walled("api_key", "SELECT, INSERT, UPDATE (last_used_at, revoked_at)"))
    driver.execute(walled("act_log", "SELECT, INSERT"))
    driver.execute(DOORS)

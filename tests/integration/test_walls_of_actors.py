"""The wall between merchants, for all tables by their policies, and for users, keys and acts by trying."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from core import catalog
from core.access import acts, keys, users
from core.access.actors import as_user, by_key, shell
from core.access.rights import Right, Role
from core.errors import NotFound
from core.transaction import Database, connect
from tests.builders import World
from tests.conftest import Logins
from tests.integration.test_walls import TENANT_TABLES

SECOND = 2
BOTH, FIRST_ONLY = "both@example.com", "first@example.com"
CONDITION = (
    "(merchant_id = ( SELECT (NULLIF(current_setting('holdfast.merchant_id'::text, true), ''::text))::bigint "
    'AS "nullif"))'
)
# What the application reads without a merchant's number in it.
NO_TENANT = {"alembic_version", "app_user", "merchant"}


@pytest.fixture
def worlds(db: Database) -> tuple[World, World]:
    """Two merchants, each with users, keys and acts; one user is in both."""
    catalog.ensure_merchant(db, SECOND, name="Second shop")
    for merchant_id, emails in ((1, (BOTH, FIRST_ONLY)), (SECOND, (BOTH,))):
        cli = shell(merchant_id)
        with db.begin(merchant_id, actor="cli") as tx:
            for email in emails:
                users.add(tx, cli, email, Role.OWNER, name=f"Seen by {merchant_id}")
            keys.make(tx, cli, "website", {Right.STOCK_VIEW})
            acts.note(tx, cli, "test.done", f"merchant:{merchant_id}")
    return World(db), World(db, merchant_id=SECOND)


@pytest.fixture
def narrow(logins: Logins) -> Iterator[Database]:
    """A pool of one connection: whoever comes next gets the one that was just used for somebody else."""
    engine = connect(logins.app, pool_size=1)
    yield Database(engine)
    engine.dispose()


def test_each_table_of_a_merchant_has_one_policy_for_everything(superuser: Engine) -> None:
    with superuser.connect() as connection:
        tables = set(
            connection.execute(
                text(
                    """SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                       WHERE a.attname = 'merchant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                         AND c.relnamespace = 'public'::regnamespace"""
                )
            ).scalars()
        )
        policies = connection.execute(
            text("SELECT tablename, permissive, roles::text, cmd, qual, coalesce(with_check, qual) FROM pg_policies")
        ).all()

    walls = {row.tablename: tuple(row)[1:] for row in policies if row.tablename in tables}
    assert set(TENANT_TABLES) <= tables
    assert len([row for row in policies if row.tablename in tables]) == len(tables)
    assert walls == dict.fromkeys(tables, ("PERMISSIVE", "{holdfast_app}", "ALL", CONDITION, CONDITION))


def test_the_application_reads_no_table_without_a_wall(superuser: Engine) -> None:
    with superuser.connect() as connection:
        readable = set(
            connection.execute(
                text(
                    """SELECT c.relname FROM pg_class c
                       WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace
                         AND has_any_column_privilege('holdfast_app', c.oid, 'SELECT')
                         AND NOT EXISTS (SELECT FROM pg_attribute a
                             WHERE a.attrelid = c.oid AND a.attname = 'merchant_id')"""
                )
            ).scalars()
        )
        walled = set(
            connection.execute(text("SELECT relname FROM pg_class WHERE relname = ANY(:n) AND relrowsecurity"),
                               {"n": list(NO_TENANT)}).scalars()
        )  # fmt: skip

    assert readable == NO_TENANT
    assert walled == {"app_user", "merchant"}


def test_no_function_that_looks_over_walls_is_open_to_everybody_or_led_astray(superuser: Engine) -> None:
    with superuser.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT p.proname, has_function_privilege('public', p.oid, 'EXECUTE') AS open,
                       array_to_string(p.proconfig, ',') AS config
                   FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"""
            )
        ).all()

    assert {"user_called", "forget_user", "merchant_of_key", "all_merchants"} <= {row.proname for row in rows}
    assert [row.proname for row in rows if row.open or "search_path=public, pg_temp" not in (row.config or "")] == []


@pytest.mark.parametrize("table", ["member", "api_key", "act_log"])
def test_a_merchant_sees_its_own_rows_and_none_of_another(
    worlds: tuple[World, World], superuser: Engine, table: str
) -> None:
    for world in worlds:
        with superuser.connect() as connection:
            own = connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE merchant_id = :id"), {"id": world.merchant_id}
            ).scalar_one()
        assert own > 0
        assert world.scalar(f"SELECT count(*) FROM {table}") == own


def test_a_merchant_sees_the_addresses_of_its_own_users_only(worlds: tuple[World, World], db: Database) -> None:
    first, second = worlds

    assert {row.email for row in first.ask("SELECT email FROM app_user")} == {BOTH, FIRST_ONLY}
    assert [row.email for row in second.ask("SELECT email FROM app_user")] == [BOTH]
    with db.begin(SECOND, actor="test") as tx:
        assert [one.name for one in users.members(tx)] == ["Seen by 2"]
    with pytest.raises(NotFound):
        as_user(db, SECOND, FIRST_ONLY)


def test_adding_a_user_does_not_tell_whether_the_address_was_known(worlds: tuple[World, World], db: Database) -> None:
    """Neither the answer nor the row that can be read afterwards differs in anything but what is drawn at random."""
    _, second = worlds
    with db.begin(SECOND, actor="cli") as tx:
        known = users.add(tx, shell(SECOND), FIRST_ONLY, Role.VIEWER)
        unknown = users.add(tx, shell(SECOND), "new@example.com", Role.VIEWER)

    assert known.user_id.version == unknown.user_id.version == 4
    assert (known.name, known.created_at) == (unknown.name, unknown.created_at)
    for column in ("xmin", "ctid"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            second.ask(f"SELECT {column} FROM app_user")


def test_a_merchant_cannot_write_or_erase_users_but_by_the_doors(worlds: tuple[World, World]) -> None:
    first, second = worlds
    for statement in (
        "INSERT INTO app_user (email) VALUES ('x@example.com')",
        "UPDATE app_user SET email = 'x@example.com'",
        "DELETE FROM app_user",
        "UPDATE member SET user_id = gen_random_uuid()",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            second.tell(statement)
    user_id = first.scalar("SELECT id FROM app_user WHERE email = :email", email=FIRST_ONLY)
    second.tell("SELECT forget_user(:id)", id=user_id)
    second.tell("UPDATE member SET role = 'viewer'")
    second.tell("DELETE FROM member")

    assert [row.role for row in first.ask("SELECT role FROM member")] == ["owner", "owner"]
    assert first.scalar("SELECT count(*) FROM app_user") == 2


def test_a_merchant_writes_no_act_or_key_for_another(worlds: tuple[World, World]) -> None:
    _, second = worlds
    for statement in (
        "INSERT INTO act_log VALUES (1, 5, :now, 'cli', 'x.y', 'z', '{}')",
        "INSERT INTO member SELECT 1, 5, id, '', 'owner', false, :now FROM app_user LIMIT 1",
        """INSERT INTO api_key (merchant_id, id, public_id, name, secret_hash, scopes, made_by, created_at)
           VALUES (1, 5, 'x', 'x', sha256('x'), ARRAY['stock.view'], 'cli', :now)""",
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            second.tell(statement)


def test_a_connection_of_the_pool_forgets_whose_it_was_for_users_keys_and_acts(
    worlds: tuple[World, World], narrow: Database
) -> None:
    def seen(merchant_id: int) -> tuple[int, dict[str, int]]:
        with narrow.begin(merchant_id, actor="test") as tx:
            backend = int(tx.run("SELECT pg_backend_pid()").scalar_one())
            tables = ("app_user", "member", "api_key", "act_log")
            return backend, {t: tx.run(f"SELECT count({'id'}) FROM {t}").scalar_one() for t in tables}

    first, second, first_again = seen(1), seen(SECOND), seen(1)

    assert first[0] == second[0] == first_again[0]
    assert first == first_again
    assert first[1] == {"app_user": 2, "member": 2, "api_key": 1, "act_log": 4}
    assert second[1] == {"app_user": 1, "member": 1, "api_key": 1, "act_log": 3}


def test_after_a_key_was_let_in_the_connection_belongs_to_nobody(
    worlds: tuple[World, World], db: Database, narrow: Database
) -> None:
    with db.begin(1, actor="cli") as tx:
        key = keys.make(tx, shell(1), "second key", {Right.STOCK_VIEW})

    assert by_key(narrow, str(key)).merchant_id == 1

    with narrow.outside() as connection:
        assert connection.execute(text("SELECT current_setting('holdfast.merchant_id', true)")).scalar_one() == ""
        for table in ("app_user", "member", "api_key", "act_log", *TENANT_TABLES):
            column = "email" if table == "app_user" else "merchant_id"
            assert connection.execute(text(f"SELECT {column} FROM {table} LIMIT 1")).all() == [], table


def test_a_setting_made_for_the_whole_session_would_be_seen(worlds: tuple[World, World], narrow: Database) -> None:
    """The control of the tests above: what they look at does show a number that outlives its transaction."""
    with narrow.outside() as connection:
        connection.execute(text("SELECT set_config('holdfast.merchant_id', '1', false)"))
    with narrow.outside() as connection:
        assert connection.execute(text("SELECT count(*) FROM member")).scalar_one() == 2

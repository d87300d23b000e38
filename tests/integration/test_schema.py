"""One schema: what the migrations make, what the tables say, and who may run on it."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from config import wiring
from config.settings import Settings
from core import schema, tables
from core.errors import ConfigError
from core.transaction import connect
from tests.builders import World, line, order
from tests.conftest import SECRET_KEY, Logins

# Indexes, unique and foreign keys stand in the migration alone, where PostgreSQL's own words for them are.
COMPARED = {"add_table", "remove_table", "add_column", "remove_column", "modify_type", "modify_nullable"}


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        parts = set(connection.execute(text("SELECT relname FROM pg_class WHERE relispartition")).scalars())

        def is_whole(name: str | None, kind: str, _parents: Any) -> bool:
            return kind != "table" or (name not in parts and name != "alembic_version")

        context = MigrationContext.configure(connection, opts={"include_name": is_whole, "compare_type": True})
        found = compare_metadata(context, tables.metadata)
    flat = [part for entry in found for part in (entry if isinstance(entry, list) else [entry])]
    return [entry for entry in flat if entry[0] in COMPARED]


def test_the_migrations_make_the_tables_that_the_code_knows(superuser: Engine) -> None:
    assert differences(superuser) == []


def test_a_column_that_only_one_side_has_is_seen(superuser: Engine) -> None:
    """The control of the test above."""
    with superuser.connect() as connection:
        connection.execute(text("ALTER TABLE item ADD COLUMN colour text"))
        connection.execute(text("ALTER TABLE store ALTER COLUMN name TYPE varchar(20)"))
    assert {entry[0] for entry in differences(superuser)} == {"remove_column", "modify_type"}


@pytest.mark.parametrize(("found", "cure"), [("0000", "holdfast migrate"), ("9999", "install the newer Holdfast")])
def test_a_process_refuses_a_schema_of_another_version(
    logins: Logins, superuser: Engine, found: str, cure: str
) -> None:
    with superuser.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    with pytest.raises(ConfigError, match=cure) as error:
        wiring.build(Settings.load(database_url=logins.app, secret_keys=SECRET_KEY))
    assert found in str(error.value)


def test_an_older_version_leaves_the_schema_of_a_newer_one_as_it_is(superuser: Engine) -> None:
    with superuser.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"has schema 9999, .* install the newer Holdfast again"):
        schema.migrate(superuser)
    assert schema.version_of(superuser) == "9999"


@pytest.mark.broken_books
def test_a_process_refuses_an_empty_database(logins: Logins, superuser: Engine) -> None:
    with superuser.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public AUTHORIZATION pg_database_owner"))
        connection.execute(text("GRANT USAGE ON SCHEMA public TO holdfast_app"))
    engine = connect(logins.app)
    with pytest.raises(ConfigError, match="schema none"):
        schema.require(engine)
    engine.dispose()


def test_migrating_twice_changes_nothing(logins: Logins) -> None:
    owner = connect(logins.owner, role=None)
    assert schema.migrate(owner) == (schema.VERSION, schema.VERSION)
    owner.dispose()


def test_the_version_that_processes_look_for_is_the_newest_migration() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [schema.VERSION]


def test_partitions_stand_ready_for_the_months_to_come(superuser: Engine) -> None:
    with superuser.connect() as connection:
        ready = connection.execute(
            text(
                """SELECT count(*) FROM generate_series(0, 2) n WHERE to_regclass('document_' || to_char(
                       date_trunc('month', now()) + make_interval(months => n), 'YYYY_MM')) IS NOT NULL"""
            )
        ).scalar_one()
    assert ready == 3


def test_lines_that_were_counted_in_units_are_counted_as_their_store_sells(superuser: Engine, world: World) -> None:
    store = world.stocked("mug", units=40)
    world.listings(store, "six", pack_size=6)
    six = order(line("six", 3, shipped=1), external_id="1", paid=True)
    single = order(line("mug", 2), external_id="2", paid=True)
    world.hear(store, six)
    world.hear(store, single)
    before = [tuple(row) for row in world.ask("SELECT * FROM order_line WHERE merchant_id = :merchant_id ORDER BY id")]
    folder = Path(schema.__file__).parent / "migrations"
    with superuser.begin() as connection:
        for change in (
            "UPDATE promise SET per_unit = 1",
            """UPDATE order_line SET ordered = 6 * ordered, cancelled = 6 * cancelled, written_off = 6 * written_off,
               returned = 6 * returned, returned_minor_defect = 6 * returned_minor_defect WHERE sku = 'six'""",
        ):
            connection.execute(text(change))
        driver: Any = connection.connection.driver_connection
        driver.execute(ScriptDirectory(str(folder)).get_revision("0015").module.AS_SOLD)

    after = [tuple(row) for row in world.ask("SELECT * FROM order_line WHERE merchant_id = :merchant_id ORDER BY id")]
    assert after == before
    documents = world.documents()
    world.hear(store, six)
    world.hear(store, single)
    assert world.documents() == documents

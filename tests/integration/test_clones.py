"""A database that tests use one after another is to each as if nobody had used it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from core.transaction import Database
from tests.builders import World, line, order
from tests.clones import Clones, Kept, Logins
from tests.conftest import _violations_in_small, violations

TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"


@pytest.fixture
def kept(_clones: Clones) -> Iterator[Kept]:
    with _clones.fresh() as logins:
        made = Kept(logins)
        yield made
        made.close()


def ask(logins: Logins, statement: str) -> list[Any]:
    """What the superuser is answered."""
    url = make_url(logins.superuser).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def contents(logins: Logins) -> dict[str, list[Any]]:
    """All rows, and how far counters are."""
    found = {table: ask(logins, f"SELECT t::text FROM {table} t ORDER BY 1") for (table,) in ask(logins, TABLES)}
    return {**found, "counters": ask(logins, "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")}


def sell(kept: Kept) -> None:
    with kept.lent() as engine:
        world = World(Database(engine))
        world.hear(world.stocked("mug", units=3), order(line("mug", 2)))


def test_a_cleared_database_has_the_rows_and_counters_of_a_new_one(kept: Kept) -> None:
    first = contents(kept.logins)
    for _ in range(2):
        sell(kept)
        assert contents(kept.logins) != first

        assert kept.clear()

        assert contents(kept.logins) == first


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE document DISABLE TRIGGER ALL",
        "ALTER TABLE item ALTER COLUMN sku SET DEFAULT 'x'",
        "CREATE INDEX ON item (title)",
        "DROP POLICY own_merchant ON item",
        "GRANT UPDATE ON movement TO holdfast_app",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER SEQUENCE id_block INCREMENT 2",
        "SELECT add_month('2031-01-01')",
        "ANALYZE merchant",
    ],
)
def test_a_database_with_more_changed_than_rows_is_not_used_again(kept: Kept, statement: str) -> None:
    ask(kept.logins, statement)

    assert not kept.clear()


def test_a_session_forgets_what_a_test_told_it(kept: Kept) -> None:
    own = "SELECT pg_backend_pid(), current_setting('work_mem')"
    with kept.lent() as engine, engine.begin() as connection:
        first = connection.execute(text(own)).one()
        for told in (
            "SET work_mem = '77MB'",
            "LISTEN somebody",
            "SELECT pg_advisory_lock(7)",
            "CREATE TEMP TABLE mine AS SELECT 1",
            "PREPARE this AS SELECT 1",
        ):
            connection.execute(text(told))

    with kept.lent() as engine, engine.begin() as connection:
        assert connection.execute(text(own)).one() == first
        for left in (
            "pg_listening_channels()",
            "pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            "pg_class WHERE relname = 'mine'",
            "pg_prepared_statements WHERE name = 'this'",
        ):
            assert connection.execute(text(f"SELECT count(*) FROM {left}")).scalar_one() == 0, left


def test_what_one_statement_finds_in_small_books_is_what_the_audit_finds(kept: Kept) -> None:
    sell(kept)
    assert _violations_in_small(kept.auditor) == []
    ask(kept.logins, "UPDATE sales_balance SET free = free + 1")

    found = _violations_in_small(kept.auditor)

    assert found
    assert found == violations(kept.logins)

"""Databases for tests: clones of the migrated one, and one that is cleared and used again where that is safe.

To make a database, to drop it, and to meet it with connections that know none of its tables takes longer than most
tests. So a worker keeps one. After a test its rows and counters are as they were in the template, and it is dropped
when anything else may have changed.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from core.transaction import connect


@dataclass(frozen=True, slots=True)
class Logins:
    """One database, by the three logins that may enter it."""

    superuser: str
    owner: str
    app: str

    def at(self, database: str) -> "Logins":
        """The same logins at another database of the server."""
        urls = (make_url(url).set(database=database) for url in (self.superuser, self.owner, self.app))
        return Logins(*(url.render_as_string(hide_password=False) for url in urls))

    @property
    def database(self) -> str:
        return str(make_url(self.app).database)


CONNECTIONS = 20
# Deleted rows still lie there. PostgreSQL plans for ten pages where it has counted none.
_MOST_PAGES = 10
_MOST_TESTS = 60
# Everything but rows: a change of it leaves an entry with a newer transaction, or one entry less.
_CATALOGS = (
    *("class", "attribute", "attrdef", "index", "sequence", "constraint", "type", "namespace", "statistic"),
    *("proc", "trigger", "policy", "rewrite"),
)
_SHAPE = " UNION ALL ".join(f"SELECT count(*), max(xmin::text::bigint) FROM pg_{name}" for name in _CATALOGS)
_OURS = "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
_GROWN = f"SELECT EXISTS (SELECT {_OURS} AND pg_relation_size(oid) > {_MOST_PAGES} * 8192)"
_COUNTERS = "SELECT schemaname || '.' || sequencename, start_value, last_value FROM pg_sequences"
_COLUMNS = """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
_END_OTHERS = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL (%s)"""
# Whatever a test may have told its session.
_FORGET = "RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DEALLOCATE ALL; DISCARD TEMP"


class Kept:
    """A database that is used by one test after another, and the connections to it that stay.

    ``auditor`` asks the same few statements after each test, so it plans them once.
    """

    def __init__(self, logins: Logins) -> None:
        self.logins = logins
        self._tests = 0
        self._spare: list[psycopg.Connection[Any]] = []
        self.auditor = connect(logins.app, pool_size=1)
        event.listen(self.auditor, "connect", _plan_once)
        url = make_url(logins.superuser).set(drivername="postgresql").render_as_string(hide_password=False)
        self._keeper = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        # Neither guards against deletion nor references are asked.
        self._keeper.execute("SET session_replication_role = replica")
        self._keeper.execute("SET plan_cache_mode = force_generic_plan")
        self._make_clear()
        self._shape = self._rows(_SHAPE)

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """An engine that knows nothing of the tests before, and gets the connection that knows the tables first."""
        engine = connect(self.logins.app, pool_size=CONNECTIONS)
        event.listen(engine, "do_connect", lambda *_: self._spare.pop() if self._spare else None)
        try:
            yield engine
        finally:
            pool: Any = engine.pool
            if pool.checkedin() and (raw := _forgetful(engine)) is not None:
                self._spare.append(raw)
            engine.dispose()

    def is_large(self) -> bool:
        """Has any table more rows, deleted ones too, than plans made once are good for?"""
        return self._rows(_GROWN) == [(True,)]

    def clear(self) -> bool:
        """Bring all rows and counters back to what they were at first; False when that would not be enough."""
        self._tests += 1
        stay = [self._keeper.info.backend_pid, *(raw.info.backend_pid for raw in self._spare), self._auditor_pid()]
        self._rows(_END_OTHERS, [stay])
        if self._tests >= _MOST_TESTS or self.is_large() or self._rows(_SHAPE) != self._shape:
            return False
        self._rows("SELECT pg_temp.clear()")
        return True

    def close(self) -> None:
        for raw in self._spare:
            raw.close()
        self.auditor.dispose()
        self._keeper.close()

    def _auditor_pid(self) -> int:
        with self.auditor.connect() as connection:
            raw: Any = connection.connection.driver_connection
            return int(raw.info.backend_pid)

    def _make_clear(self) -> None:
        """One function for all tables: each asks one row where there is nothing to do."""
        acts = []
        for nth, (table,) in enumerate(self._rows(f"SELECT oid::regclass::text {_OURS}")):
            acts.append(f"IF EXISTS (SELECT FROM {table}) THEN DELETE FROM {table}; END IF;")
            if self._rows(f"SELECT EXISTS (SELECT FROM {table})") == [(True,)]:
                ((columns,),) = self._rows(_COLUMNS, [table])
                self._rows(f"CREATE TEMP TABLE first_{nth} AS SELECT {columns} FROM {table}")
                kept = f"SELECT {columns} FROM pg_temp.first_{nth}"
                acts.append(f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE {kept};")
        for counter, start, last in self._rows(_COUNTERS):
            acts.append(f"PERFORM setval('{counter}', {last or start}, {last is not None});")
        body = f"BEGIN {' '.join(acts)} END"
        self._rows(f"CREATE FUNCTION pg_temp.clear() RETURNS void LANGUAGE plpgsql AS $clear${body}$clear$")

    def _rows(self, statement: str, values: Sequence[object] | None = None) -> list[Any]:
        cursor = self._keeper.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def _plan_once(raw: Any, _record: Any) -> None:
    raw.prepare_threshold = 0
    raw.autocommit = True
    raw.execute("SET plan_cache_mode = force_generic_plan")
    raw.autocommit = False


def _forgetful(engine: Engine) -> "psycopg.Connection[Any] | None":
    """A connection out of the pool without what a test told its session; None when the test has ended it."""
    try:
        connection = engine.connect()
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        with connection.begin() as transaction:
            raw.execute("SELECT")
            transaction.rollback()  # with it, all who prepare statements forget them
        connection.detach()
        raw.autocommit = True
        raw.execute(_FORGET, prepare=False)
        raw.autocommit = False
    except (DBAPIError, psycopg.OperationalError):
        return None
    return raw


class Clones:
    """The databases of one process that runs tests."""

    def __init__(self, template: Logins, server: Engine) -> None:
        self._template, self._server = template, server
        self._numbers = itertools.count(1)
        self._kept: Kept | None = None

    @contextmanager
    def fresh(self) -> Iterator[Logins]:
        """A database that nobody has used, and nobody will."""
        logins = self._make()
        try:
            yield logins
        finally:
            self._drop(logins)

    @contextmanager
    def cleared(self) -> Iterator[Kept]:
        """A database with the template's rows and no others, in which a test is to change nothing but rows."""
        kept, self._kept = self._kept or Kept(self._make()), None
        is_clear = False
        try:
            yield kept
            is_clear = kept.clear()
        finally:
            if is_clear:
                self._kept = kept
            else:
                self._end(kept)

    def close(self) -> None:
        if self._kept is not None:
            self._end(self._kept)

    def _end(self, kept: Kept) -> None:
        kept.close()
        self._drop(kept.logins)

    def _make(self) -> Logins:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with self._server.connect() as connection:
            connection.execute(
                text(
                    f"CREATE DATABASE {name} TEMPLATE {self._template.database} OWNER holdfast_owner STRATEGY FILE_COPY"
                )
            )
        return self._template.at(name)

    def _drop(self, logins: Logins) -> None:
        with self._server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {logins.database} WITH (FORCE)"))

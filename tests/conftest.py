"""One PostgreSQL for the whole run, for each test a database as if nobody had used it, and an audit afterwards."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from hypothesis import settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from config import wiring
from config.embedded import start_postgres, start_valkey
from config.settings import Settings
from config.wiring import App
from core import audit, catalog, schema
from core.transaction import Database, connect
from drills import scratch
from tests.builders import World
from tests.clones import CONNECTIONS, Clones, Kept, Logins

__all__ = ["SECRET_KEY", "Logins", "violations"]

FIRST_MERCHANT = 1
SECRET_KEY = Fernet.generate_key().decode()
ROOT = Path(__file__).resolve().parents[1]

# HOLDFAST_SOAK=1 plays far more random histories than a desk or CI has time for.
settings.register_profile("check", max_examples=40, deadline=None, print_blob=True)
settings.register_profile("soak", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile("soak" if os.environ.get("HOLDFAST_SOAK") else "check")


class Host:
    """The run's PostgreSQL: started when first asked for, by the one process that outlives all test workers."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._logins: Logins | None = None

    def logins(self) -> Logins:
        if self._logins is None:
            folder = self._stack.enter_context(scratch.folder("holdfast-tests"))
            server = self._stack.enter_context(start_postgres(folder, fsync=False))
            logins = Logins(server.superuser_url, server.owner_url, server.app_url)
            set_up_server(logins)
            make_template(logins)
            self._logins = logins
        return self._logins

    def close(self) -> None:
        self._stack.close()


def set_up_server(logins: Logins) -> None:
    """Nothing is analysed by chance, and passwords are hashed once instead of 4,096 times.

    That many make guessing hard, and tests wait for it.
    """
    superuser = create_engine(logins.superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with superuser.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET autovacuum = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("SET scram_iterations = 1"))
        for url in map(make_url, (logins.superuser, logins.owner, logins.app)):
            connection.execute(text(f"ALTER ROLE {url.username} PASSWORD '{url.password}'"))


def make_template(logins: Logins) -> None:
    """A migrated database with merchant 1 in it, to be cloned for each test."""
    owner = connect(logins.owner, role=None)
    schema.migrate(owner)
    owner.dispose()
    app = connect(logins.app)
    catalog.ensure_merchant(Database(app), FIRST_MERCHANT, name="Test shop", time_zone="Europe/Berlin")
    app.dispose()


_HOST = pytest.StashKey[Host]()
_FOUND = pytest.StashKey[list[audit.Violation]]()
# Whoever writes into the books writes into one of these.
_WRITTEN = (
    "document",
    "promise",
    "sales_balance",
    "dispatch_balance",
    "warehouse_balance",
    "lock",
    "purchase",
    "transfer",
)
# One statement that names the invariants which are broken: which rows break them is asked only then.
_BROKEN = " UNION ALL ".join(
    f"SELECT {number} WHERE EXISTS ({query})" for number, query in enumerate(audit.INVARIANTS.values())
)
_IS_WRITTEN_IN = f"SELECT {' OR '.join(f'EXISTS (SELECT FROM {table})' for table in _WRITTEN)}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_HOST] = Host()
    config.addinivalue_line("markers", "broken_books: the test corrupts the books on purpose; no audit afterwards")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Only xdist's controller calls this, once per worker, before the worker starts."""
    node.workerinput["logins"] = asdict(node.config.stash[_HOST].logins())


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_HOST].close()


@pytest.fixture(scope="session")
def contracts() -> Path:
    """The folder of the platforms' facts and samples."""
    folder = Path(os.environ.get("HOLDFAST_CONTRACTS", ROOT.parent / "shared" / "contracts"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no contracts at {folder}; set HOLDFAST_CONTRACTS")
        pytest.skip(f"no contracts at {folder}")
    return folder


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config) -> Logins:
    """The run's migrated database; nobody may stay connected to it."""
    handed = getattr(pytestconfig, "workerinput", None)
    return Logins(**handed["logins"]) if handed else pytestconfig.stash[_HOST].logins()


@pytest.fixture(scope="session")
def _server(template: Logins) -> Iterator[Engine]:
    """One lasting connection from which databases are made and dropped."""
    engine = create_engine(template.at("postgres").superuser, isolation_level="AUTOCOMMIT", pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _clones(template: Logins, _server: Engine) -> Iterator[Clones]:
    clones = Clones(template, _server)
    yield clones
    clones.close()


@pytest.fixture
def _kept(request: pytest.FixtureRequest, _clones: Clones) -> Iterator[Kept | None]:
    """A database used before, for a test that enters it by the core's door; who breaks more than rows has a new one.

    Such a change would be found, and the database dropped; this saves looking for it where it is likely.
    """
    names = request.fixturenames
    if "db" not in names or "superuser" in names or request.node.get_closest_marker("broken_books") is not None:
        yield None
        return
    with _clones.cleared() as kept:
        yield kept


@pytest.fixture
def logins(request: pytest.FixtureRequest, _clones: Clones, _kept: Kept | None) -> Iterator[Logins]:
    """A database with merchant 1 and nothing in stock. Its books must be right when the test ends."""
    with ExitStack() as stack:
        here = stack.enter_context(_clones.fresh()) if _kept is None else _kept.logins
        yield here
        if request.node.get_closest_marker("broken_books") is None:
            found = request.node.stash.get(_FOUND, None)
            assert (violations(here) if found is None else found) == []


def violations(logins: Logins) -> list[audit.Violation]:
    """What the audit of every merchant finds."""
    engine = connect(logins.app, pool_size=1)
    try:
        return _violations_of(engine)
    finally:
        engine.dispose()


def _violations_of(engine: Engine) -> list[audit.Violation]:
    db = Database(engine)
    found = []
    for merchant_id in _merchants(db):
        with db.begin(merchant_id, actor="test") as tx:
            found += audit.audit(tx)
    return found


def _violations_in_small(engine: Engine) -> list[audit.Violation]:
    """The same, asked in one statement while nothing is found; in large books its plan may take for ever."""
    db = Database(engine)
    for merchant_id in _merchants(db):
        with db.begin(merchant_id, actor="test") as tx:
            if tx.run(_BROKEN).first() is not None:
                return _violations_of(engine)
    return []


def _is_written_in(engine: Engine) -> bool:
    """Has any merchant a document, a promise, or goods in a balance?"""
    db = Database(engine)
    for merchant_id in _merchants(db):
        with db.begin(merchant_id, actor="test") as tx:
            if tx.run(_IS_WRITTEN_IN).scalar_one():
                return True
    return False


def _merchants(db: Database) -> Sequence[int]:
    with db.outside() as connection:
        return connection.execute(text("SELECT id FROM all_merchants()")).scalars().all()


@pytest.fixture
def db(request: pytest.FixtureRequest, logins: Logins, _kept: Kept | None) -> Iterator[Database]:
    """The core's own door to the test's database, as the application's role."""
    # Over a connection that knows the tables already the audit is quicker. One that the test has killed leaves it to a
    # new one. Books in which nothing was ever written are right.
    if _kept is not None:
        with _kept.lent() as engine:
            yield Database(engine)
        if not _kept.is_large():
            with suppress(DBAPIError):
                request.node.stash[_FOUND] = _violations_in_small(_kept.auditor)
        return
    engine = connect(logins.app, pool_size=CONNECTIONS)
    yield Database(engine)
    if request.node.get_closest_marker("broken_books") is None:
        with suppress(DBAPIError):
            request.node.stash[_FOUND] = _violations_of(engine) if _is_written_in(engine) else []
    engine.dispose()


@pytest.fixture
def superuser(logins: Logins) -> Iterator[Engine]:
    """For what no process of the hub may do: looking over walls, and corrupting books."""
    engine = create_engine(logins.superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def app(logins: Logins, tmp_path: Path) -> Iterator[App]:
    """The whole App on the test's database, allowed to talk to stores on this machine."""
    built = wiring.build(
        Settings.load(database_url=logins.app, data_dir=tmp_path, secret_keys=SECRET_KEY, sandbox=True)
    )
    yield built
    built.close()


@pytest.fixture(scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_valkey(tmp_path_factory.mktemp("valkey"), fsync=False) as server:
        yield server.url


@pytest.fixture
def valkey_url(_valkey: str) -> str:
    """An empty Valkey."""
    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
    return _valkey


@pytest.fixture
def world(db: Database) -> World:
    """Merchant 1, told about in few words."""
    return World(db)

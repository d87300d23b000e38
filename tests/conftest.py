"""One PostgreSQL for the whole run, a database of its own for each test, and an audit when the test is over."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
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

FIRST_MERCHANT = 1
SECRET_KEY = Fernet.generate_key().decode()
ROOT = Path(__file__).resolve().parents[1]

# HOLDFAST_SOAK=1 plays far more random histories than a desk or CI has time for.
settings.register_profile("check", max_examples=40, deadline=None, print_blob=True)
settings.register_profile("soak", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile("soak" if os.environ.get("HOLDFAST_SOAK") else "check")


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
            shorten_logins(logins)
            make_template(logins)
            self._logins = logins
        return self._logins

    def close(self) -> None:
        self._stack.close()


def shorten_logins(logins: Logins) -> None:
    """Hash the passwords once instead of 4,096 times, which guessing has to be made hard with and tests wait for."""
    superuser = create_engine(logins.superuser, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with superuser.connect() as connection:
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
_CLONES = itertools.count(1)


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


@pytest.fixture
def logins(request: pytest.FixtureRequest, template: Logins, _server: Engine) -> Iterator[Logins]:
    """A fresh database with merchant 1 and nothing in stock. Its books must be right when the test ends."""
    name = f"test_{os.getpid()}_{next(_CLONES)}"
    with _server.connect() as connection:
        connection.execute(
            text(f"CREATE DATABASE {name} TEMPLATE {template.database} OWNER holdfast_owner STRATEGY FILE_COPY")
        )
    here = template.at(name)
    yield here
    try:
        if request.node.get_closest_marker("broken_books") is None:
            found = request.node.stash.get(_FOUND, None)
            assert (violations(here) if found is None else found) == []
    finally:
        with _server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def violations(logins: Logins) -> list[audit.Violation]:
    """What the audit of every merchant finds."""
    engine = connect(logins.app, pool_size=1)
    try:
        return _violations_of(engine)
    finally:
        engine.dispose()


def _violations_of(engine: Engine) -> list[audit.Violation]:
    db = Database(engine)
    with db.outside() as connection:
        merchants = connection.execute(text("SELECT id FROM all_merchants()")).scalars().all()
    found = []
    for merchant_id in merchants:
        with db.begin(merchant_id, actor="test") as tx:
            found += audit.audit(tx)
    return found


def _is_written_in(engine: Engine) -> bool:
    """Has any merchant a document, a promise, or goods in a balance?"""
    db = Database(engine)
    with db.outside() as connection:
        merchants = connection.execute(text("SELECT id FROM all_merchants()")).scalars().all()
    for merchant_id in merchants:
        with db.begin(merchant_id, actor="test") as tx:
            if any(tx.run(f"SELECT EXISTS (SELECT FROM {table})").scalar_one() for table in _WRITTEN):
                return True
    return False


@pytest.fixture
def db(request: pytest.FixtureRequest, logins: Logins) -> Iterator[Database]:
    """The core's own door to the test's database, as the application's role."""
    engine = connect(logins.app, pool_size=20)
    yield Database(engine)
    # Over a connection that knows the tables already the audit is quicker. One that the test has killed leaves it to a
    # new one. Books in which nothing was ever written are right.
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

"""A hub on a PostgreSQL and a Valkey of one's own, over TCP with passwords: the processes as one would run them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy.engine import make_url

from config import embedded, wiring
from config.embedded import Embedded
from config.embedded.ports import free_port
from config.settings import Settings
from config.wiring import App
from core import stores
from core.model import Sharing
from jobs import connect
from tests.hub import (
    MERCHANT,
    ROOT,
    Store,
    assert_nothing_lost,
    clean_environment,
    come_to_rest,
    connect_all,
    street,
    units,
    until,
)

HOLDFAST = [sys.executable, "-P", "-m", "edge.cli"]
DRAIN_S = 30


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Embedded]:
    """PostgreSQL 16 and Valkey that somebody else runs; the hub knows nothing but their addresses."""
    with embedded.start(tmp_path / "servers", postgres_major=16, tcp=True, fsync=False) as running:
        yield running


@pytest.fixture
def settings(servers: Embedded, tmp_path: Path) -> Settings:
    port = free_port()
    urls = servers.servers
    assert "@127.0.0.1:" in urls.app_url
    assert "@127.0.0.1:" in urls.redis_url
    return Settings.load(
        database_url=urls.app_url.replace("postgresql+psycopg:", "postgresql:"), redis_url=urls.redis_url,
        data_dir=tmp_path / "data", secret_keys=Fernet.generate_key().decode(), sandbox=True, port=port,
        public_url=f"http://127.0.0.1:{port}",
    )  # fmt: skip


def environment(settings: Settings, **more: str) -> dict[str, str]:
    return clean_environment(
        database_url=settings.database_url, redis_url=settings.redis_url, data_dir=settings.data_dir,
        secret_keys=settings.secret_keys.get_secret_value(), sandbox="true", port=settings.port,
        public_url=settings.public_url, **more,
    )  # fmt: skip


@contextmanager
def processes(settings: Settings, *names: str) -> Iterator[None]:
    """The hub's processes, ended as an operating system ends them: SIGTERM, and time to drain."""
    with ExitStack() as stack:
        running = [
            stack.enter_context(subprocess.Popen([*HOLDFAST, name], cwd=ROOT, env=environment(settings)))
            for name in names
        ]
        try:
            until(lambda: answers(settings), 60)
            yield
        finally:
            for process in running:
                process.terminate()
            codes = [process.wait(DRAIN_S) for process in running]
    # The web server ends as told, by the signal itself.
    assert set(codes) <= {0, -signal.SIGTERM}


def answers(settings: Settings) -> bool:
    try:
        return httpx.get(f"{settings.public_url}/ready", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_hub_on_servers_of_ones_own_does_a_full_round_as_the_weak_role(servers: Embedded, settings: Settings) -> None:
    migrate(environment(settings, owner_database_url=servers.servers.owner_url))

    with street("woocommerce", "shopify") as shops, processes(settings, "web", "worker", "relay"):
        shops.stock({"mug": 10, "plate": 5})
        app = wiring.build(settings, pool_size=2)
        try:
            connect.change_sharing(app, MERCHANT, Sharing.MIRROR)
            open_for_business(app, connect_all(app, shops).values())
            shops.checkout("woocommerce", ("mug", 3))
            cancelled = shops.checkout("woocommerce", ("mug", 2), ("plate", 5))
            until(lambda: shops.everywhere("mug") == {5} and shops.everywhere("plate") == {0}, 30)
            shops.act("woocommerce", "cancel", order_id=cancelled)

            come_to_rest(app, shops, 30)

            assert units(app, "mug") == (7, 0, 3)
            assert shops.everywhere("mug") == {7}
            assert_nothing_lost(app, shops)
            assert users_at_work(servers) == {"holdfast_app"}
            assert doctor(settings)["problems"] == []
        finally:
            app.close()


def migrate(env: Mapping[str, str]) -> None:
    assert holdfast(env, "migrate")[0] == 0


def open_for_business(app: App, connected: Iterable[Store]) -> None:
    """Live, and polled each second."""
    for store in connected:
        with app.db.begin(MERCHANT, actor="test") as tx:
            stores.set_schedule(tx, "poll", store.id, "every 1")


def users_at_work(servers: Embedded) -> set[str]:
    """Who is logged in to the hub's database; the server is PostgreSQL 16."""
    with servers.postgres.connect_as_superuser() as connection:
        assert connection.info.server_version // 10_000 == 16
        rows = connection.execute("SELECT usename FROM pg_stat_activity WHERE datname = 'holdfast'").fetchall()
    return {str(row[0]) for row in rows}


def doctor(settings: Settings) -> dict[str, object]:
    found: dict[str, object] = json.loads(holdfast(environment(settings), "doctor", "--json")[1])
    return found


def holdfast(env: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a command."""
    argv = [*HOLDFAST, *arguments]
    done = subprocess.run(argv, check=False, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout


def test_a_login_that_owns_the_database_steps_down_to_the_weak_role(servers: Embedded, settings: Settings) -> None:
    with servers.postgres.connect_as_superuser() as connection:
        connection.execute("CREATE ROLE boss LOGIN PASSWORD 'boss'")
        connection.execute("CREATE DATABASE shop OWNER boss")
        connection.execute("GRANT holdfast_app TO boss")
    strong_url = make_url(settings.database_url).set(username="boss", password="boss", database="shop")
    strong = settings.model_copy(update={"database_url": strong_url.render_as_string(hide_password=False)})
    migrate(environment(strong))
    app = wiring.build(strong, pool_size=1)
    try:
        with app.db.begin(MERCHANT, actor="test") as tx:
            assert tx.run("SELECT session_user || '/' || current_user").scalar_one() == "boss/holdfast_app"
            assert not tx.run("SELECT has_table_privilege('movement', 'DELETE')").scalar_one()
    finally:
        app.close()


def test_both_servers_want_their_password(servers: Embedded) -> None:
    nobody = make_url(servers.servers.app_url).set(password="guessed", drivername="postgresql")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(nobody.render_as_string(hide_password=False))
    assert os.environ.get("HOLDFAST_DATABASE_URL") is None

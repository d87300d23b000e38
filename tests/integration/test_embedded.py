"""The servers from the wheels, started by ourselves: who may do what, what survives, and what is said when it fails."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config import embedded
from config.embedded import Embedded, Servers
from config.embedded.home import server_account
from config.processes import kill_session, spawn, wait_until
from core.errors import ConfigError

ROOT = Path(__file__).parents[2]
START_AND_STAY = """
import json, sys, time
from pathlib import Path
from config import embedded
hub = embedded.start(Path(sys.argv[1]))
print(json.dumps([process.pid for process in hub.processes.values()]), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded.start(tmp_path_factory.mktemp("hub"), fsync=False) as running:
        yield running


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[psutil.Popen]:
    """A process of its own that runs the servers on ``tmp_path`` until it is killed."""
    process = psutil.Popen(
        [sys.executable, "-c", START_AND_STAY, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline())
    started = [process, *process.children(recursive=True)]
    yield process
    process.stdout.close()
    for one in started:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)


def value(url: str, query: str) -> object:
    with connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_owner_owns_and_the_application_may_not_build(hub: Embedded) -> None:
    with connect(hub.servers.owner_url) as owner:
        owner.execute("CREATE TABLE shelf (n int)")
        owner.execute("GRANT INSERT ON shelf TO holdfast_app")

    with connect(hub.servers.app_url) as app:
        app.execute("INSERT INTO shelf VALUES (1)")
        for forbidden in (b"CREATE TABLE mine (n int)", b"CREATE SCHEMA mine", b"CREATE TEMP TABLE t (n int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)

    strong = (
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%' AND (rolsuper OR rolbypassrls OR rolcreatedb)"
    )
    assert value(hub.servers.app_url, strong) == 0


def test_nobody_gets_in_with_a_wrong_password(hub: Embedded) -> None:
    url = hub.servers.app_url
    secret = url.split(":")[2].split("@")[0]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(url.replace(secret, "guess"))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(
            hub.servers.redis_url.replace(hub.servers.redis_url.split(":")[2].split("@")[0], "x")
        ).ping()


def test_passwords_show_in_no_repr_no_log_and_no_process_list(hub: Embedded) -> None:
    files = [hub.servers.data_dir / name / "passwords.json" for name in ("postgres", "valkey")]
    secrets = [secret for file in files for secret in json.loads(file.read_text()).values()]
    seen = repr(hub.servers)
    for server in (hub.postgres, hub.valkey):
        seen += server.home.log.read_text() + " ".join(psutil.Process(server.process.pid).cmdline())

    assert len(secrets) == 4
    assert not [secret for secret in secrets if secret in seen]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_the_servers_are_set_up_for_a_ledger_and_for_messages(hub: Embedded, tmp_path: Path) -> None:
    settings = redis.Redis.from_url(hub.servers.redis_url, decode_responses=True).config_get("*")

    assert value(hub.servers.app_url, "SHOW timezone") == "UTC"
    assert value(hub.servers.app_url, "SHOW synchronous_commit") == "on"
    assert value(hub.servers.app_url, "SHOW listen_addresses") == ""
    assert value(hub.servers.app_url, "SELECT lower('ÄÖ') || (SELECT 'a' > 'B')::text") == "äötrue"
    assert settings["appendonly"] == "yes"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"


def test_the_sockets_lie_in_a_private_folder_with_a_short_path(hub: Embedded) -> None:
    folder = hub.postgres.home.socket_dir

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 100


def test_a_second_run_on_a_folder_is_told_who_has_it(hub: Embedded) -> None:
    with pytest.raises(ConfigError, match=f"process {os.getpid()} already runs on .*choose another folder"):
        embedded.start(hub.servers.data_dir)

    hub.check()


def test_another_process_can_find_the_running_servers(hub: Embedded, tmp_path: Path) -> None:
    assert embedded.running(hub.servers.data_dir) == hub.servers
    assert embedded.running(tmp_path) is None


def test_both_servers_killed_come_back_with_their_data_at_the_same_address(hub: Embedded) -> None:
    with connect(hub.servers.owner_url) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(hub.servers.redis_url).set("kept", "7")
    for process in hub.processes.values():
        process.kill()
        process.wait()
    with pytest.raises(ConfigError, match="PostgreSQL ended by itself"):
        hub.check()

    said: list[str] = []

    def both_answer() -> bool:
        said.extend(hub.revive())
        return len(said) >= 2 and hub.postgres.is_ready() and hub.valkey.is_ready()

    assert wait_until(both_answer, 20.0, step_s=0.05)
    assert value(hub.servers.owner_url, "SELECT n FROM kept") == 7
    assert redis.Redis.from_url(hub.servers.redis_url).get("kept") == b"7"
    hub.check()


def test_two_run_at_once_the_other_one_an_older_version_over_tcp(hub: Embedded, tmp_path: Path) -> None:
    with (
        embedded.start_postgres(tmp_path / "other", major=16, fsync=False, tcp=True) as postgres,
        embedded.start_valkey(tmp_path / "queue", fsync=False, tcp=True) as valkey,
    ):
        assert "@127.0.0.1:" in postgres.app_url
        assert str(value(postgres.app_url, "SHOW server_version")).startswith("16.")
        assert str(value(hub.servers.app_url, "SHOW server_version")).startswith("18.")
        assert valkey.url.startswith("redis://:")
        assert redis.Redis.from_url(valkey.url).ping()

    with pytest.raises(ConfigError, match=r"written by PostgreSQL 16 and this is 18; run version 16"):
        embedded.start_postgres(tmp_path / "other")


def test_a_taken_port_is_named_as_the_cause(hub: Embedded, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(ConfigError, match="choose another port"):
            embedded.start_valkey(tmp_path / "queue", tcp=True, port=port)
        with pytest.raises(ConfigError, match="choose another port"):
            embedded.start_postgres(tmp_path / "base", fsync=False, tcp=True, port=port)


def test_lost_passwords_are_not_replaced_by_ones_that_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)

    with pytest.raises(ConfigError, match=r"passwords\.json is missing.*backup"):
        embedded.start_postgres(tmp_path / "postgres")


def test_a_kill_of_everybody_leaves_no_process_and_loses_no_data(other_run: psutil.Popen, tmp_path: Path) -> None:
    servers = embedded.running(tmp_path)
    assert isinstance(servers, Servers)
    with connect(servers.owner_url) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(servers.redis_url).set("kept", "7")
    left = other_run.children(recursive=True)

    other_run.kill()
    other_run.wait()
    gone, alive = psutil.wait_procs(left, timeout=10)

    assert len(gone) > 4
    assert not alive
    # Nothing but the pid in its file tells PostgreSQL that a server lives; after a reboot that may be anyone's.
    with Lodger() as lodger:
        pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
        pid_file.write_text(
            "\n".join([str(lodger.pid), *pid_file.read_text().splitlines()[1:], ""])
            if pid_file.exists()
            else f"{lodger.pid}\n{tmp_path}\n"
        )
        with embedded.start(tmp_path) as again:
            assert value(again.servers.owner_url, "SELECT n FROM kept") == 7
            assert redis.Redis.from_url(again.servers.redis_url).get("kept") == b"7"


def test_a_start_right_after_a_kill_waits_for_the_old_servers_to_end(other_run: psutil.Popen, tmp_path: Path) -> None:
    old_server = next(one for one in other_run.children() if one.name() == "postgres")
    old_server.suspend()
    other_run.kill()
    other_run.wait()
    ends_late = threading.Timer(1.5, old_server.resume)
    ends_late.start()

    with embedded.start(tmp_path) as again:
        assert value(again.servers.app_url, "SELECT 1") == 1
    ends_late.join()


class Lodger:
    """A process of the servers' user that has nothing to do with them."""

    def __enter__(self) -> "subprocess.Popen[bytes]":
        nowhere = subprocess.DEVNULL
        self.process = spawn(["sleep", "600"], env={}, stdout=nowhere, stderr=nowhere, account=server_account())
        return self.process

    def __exit__(self, *_: object) -> None:
        kill_session(self.process)
        self.process.wait()

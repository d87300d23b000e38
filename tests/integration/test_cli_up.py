"""``holdfast up`` as a person runs it: a real process, from a folder of another project, ended with Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from config.processes import wait_until
from tests.conftest import SECRET_KEY, Logins

HOLDFAST = str(Path(sys.executable).parent / "holdfast")
PATIENCE_S = 60.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with Python modules of its own that carry the names of ours."""
    for name in ("config", "core", "jobs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('this is another project')")
    return tmp_path


def environment(place: Path, **settings: str) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    ours = {"DATA_DIR": str(place / "data"), "SECRET_KEY_FILE": str(place / "keys" / "secret.key"), **settings}
    return {**own, "PYTHONUNBUFFERED": "1", **{f"HOLDFAST_{name}": value for name, value in ours.items()}}


@contextmanager
def up(place: Path, *options: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [HOLDFAST, "up", *options],
        cwd=place,
        env=environment(place, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            for one in psutil.Process(process.pid).children(recursive=True):
                one.kill()
            process.kill()
        process.wait()


def address(process: "subprocess.Popen[str]") -> str:
    """What it says it runs at, once it does."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Holdfast runs at "):
            return line.split()[3].rstrip(";")
    assert process.stderr is not None
    pytest.fail(f"it ended: {process.stderr.read()}")


def ask(place: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [HOLDFAST, *arguments],
        cwd=place,
        env=environment(place, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_hub_of_its_own_is_found_by_other_commands_and_ends_with_ctrl_c(place: Path) -> None:
    with up(place, "--port", "0", "--name", "Cups") as process:
        web = address(process)
        ready = httpx.get(f"{web}/ready", trust_env=False)
        merchant = ask(place, "merchant")
        checkup = ask(place, "doctor", "--json")
        twice = ask(place, "up")
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE_S)
        assert process.stdout is not None
        last_words = process.stdout.read()

    assert ready.status_code == 200
    assert "Merchant 1: Cups" in merchant.stdout
    assert (checkup.returncode, json.loads(checkup.stdout)["problems"]) == (0, [])
    assert (twice.returncode, "already" in twice.stderr) == (1, True)
    assert code == 0
    assert "nothing is left running" in last_words
    assert len(started) >= 5
    assert gone(started)
    assert "no hub runs on" in ask(place, "audit").stderr
    assert (place / "keys" / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_port_that_is_taken_names_the_cure_and_leaves_nothing(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        said = ask(place, "up", "--port", str(port))

    assert said.returncode == 1
    assert said.stderr.startswith(f"holdfast: port {port} of 127.0.0.1 cannot be used")
    assert "`holdfast up --port " in said.stderr
    assert not (place / "data").exists()


def test_a_request_to_end_while_it_starts_leaves_no_server(place: Path) -> None:
    with up(place, "--port", "0") as process:
        myself = psutil.Process(process.pid)
        wait_until(lambda: bool(myself.children()), PATIENCE_S)
        started = myself.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)

    assert started
    assert wait_until(lambda: gone(started), 10.0)


def test_servers_of_your_own_replace_the_embedded_ones(place: Path, logins: Logins, valkey_url: str) -> None:
    mine = {
        "DATABASE_URL": logins.app,
        "OWNER_DATABASE_URL": logins.owner,
        "REDIS_URL": valkey_url,
        "SECRET_KEYS": SECRET_KEY,
    }
    with up(place, "--port", "0", **mine) as process:
        address(process)
        names = {one.name() for one in psutil.Process(process.pid).children(recursive=True)}
        checkup = ask(place, "doctor", "--json", **mine)
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)

    assert code == 0
    assert json.loads(checkup.stdout)["problems"] == []
    assert not [name for name in names if name.startswith(("postgres", "valkey"))]
    assert not (place / "data" / "postgres").exists()
    assert not (place / "keys").exists()


def test_the_login_that_owns_the_schema_is_not_handed_to_the_processes(
    place: Path, logins: Logins, valkey_url: str
) -> None:
    mine = {
        "DATABASE_URL": logins.app,
        "OWNER_DATABASE_URL": logins.owner,
        "REDIS_URL": valkey_url,
        "SECRET_KEYS": SECRET_KEY,
    }
    with up(place, "--port", "0", **mine) as process:
        address(process)
        given = [one.environ() for one in psutil.Process(process.pid).children(recursive=True)]

    assert len(given) >= 3
    assert [name for env in given for name in env if name == "HOLDFAST_OWNER_DATABASE_URL"] == []

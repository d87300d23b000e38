"""All of a hub from one command: servers, schema and three processes, kept alive until somebody asks for the end."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from config import secrets, setup
from config.embedded import start_postgres, start_valkey
from config.embedded.ports import free_port
from config.embedded.server import Server
from config.hub import announced_urls
from config.settings import Settings
from core.errors import ConfigError
from edge.supervisor import Child, Supervisor

# Longer than the worker's own drain, so that it is never cut off in the middle of a push.
WORKER_DRAIN_S = 40.0
READY_LIMIT_S = 60.0
PROCESSES = ("web", "worker", "relay")
Revive = Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class FirstMerchant:
    """What the first merchant is called when a hub starts for the first time, and where its warnings go."""

    name: str = "My shop"
    time_zone: str = "UTC"
    email: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A hub that answers. ``address`` is that of its web server."""

    address: str
    public_url: str
    logs: Path


def run(settings: Settings, merchant: FirstMerchant, started: Callable[[Running], None]) -> None:
    """Run a hub until SIGINT, SIGTERM or SIGHUP, then let the workers finish; ``started`` is called once it answers.

    Raises: ConfigError when the port or the folder is taken, or something does not start; nothing is left running.
    """
    if settings.embedded_database and announced_urls(settings.data_dir / "postgres"):
        raise ConfigError(f"a hub runs on {settings.data_dir} already; stop it first, or choose another --data-dir")
    settings = _with_port(settings)
    secrets.ensure_key_file(settings)
    secrets.load(settings)
    with _servers(settings) as (settings, revive):
        setup.migrate(settings, name=merchant.name, time_zone=merchant.time_zone, email=merchant.email)
        logs = settings.data_dir / "logs"
        with Supervisor(logs, stop_order=("web", "relay", "worker"), revive=revive) as supervisor:
            for name in PROCESSES:
                supervisor.start(_child(name, settings))
            if _wait_ready(supervisor, settings, logs):
                started(Running(address_of(settings), settings.public_url, logs))
                supervisor.wait()


def address_of(settings: Settings) -> str:
    """Where the web server is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _with_port(settings: Settings) -> Settings:
    """Settings with a port that is free now (0: one is chosen); a sandbox hub is reached at its own address."""
    if settings.port == 0:
        settings = settings.model_copy(update={"port": free_port()})
    else:
        _require_free(settings.host, settings.port)
    if settings.sandbox and not settings.public_url:
        settings = settings.model_copy(update={"public_url": address_of(settings)})
    return settings


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the web server binds: a port whose last connections still fade away counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} of {host} cannot be used ({error.strerror}); stop the program that has it, "
                f"or choose another: `holdfast up --port {port + 1 if port < 65535 else 8700}`"
            ) from error


@contextmanager
def _servers(settings: Settings) -> Iterator[tuple[Settings, Revive]]:
    """Start those servers that the settings leave to us; gives settings that name all, and what keeps ours alive."""
    servers: list[Server] = []
    urls: dict[str, str] = {}
    with ExitStack() as stack:
        if settings.embedded_database:
            postgres = stack.enter_context(start_postgres(settings.data_dir / "postgres"))
            servers.append(postgres)
            urls |= {"database_url": postgres.app_url, "owner_database_url": postgres.owner_url}
        if settings.embedded_redis:
            valkey = stack.enter_context(start_valkey(settings.data_dir / "valkey"))
            servers.append(valkey)
            urls |= {"redis_url": valkey.url}

        def revive() -> Sequence[str]:
            now = time.monotonic()
            return [f"{server.name} had ended and is started again" for server in servers if server.revive(now)]

        yield settings.model_copy(update=urls), revive


def _child(name: str, settings: Settings) -> Child:
    """One of our own processes. Of the logins it gets the application's, never the owner's."""
    env = {variable: value for variable, value in os.environ.items() if variable != "HOLDFAST_OWNER_DATABASE_URL"}
    env |= {
        f"HOLDFAST_{field.upper()}": str(getattr(settings, field))
        for field in ("database_url", "redis_url", "data_dir", "public_url", "host", "port")
    }
    # The supervisor starts a worker only when the one before it has ended, so its name may free what that one held.
    env.setdefault("HOLDFAST_WORKER_NAME", f"{socket.gethostname()}:{settings.data_dir}")
    drain_s = WORKER_DRAIN_S if name == "worker" else 10.0
    return Child(name, [sys.executable, "-P", "-m", "edge.cli", name], env, drain_s=drain_s)


def _wait_ready(supervisor: Supervisor, settings: Settings, logs: Path) -> bool:
    """True when the web server answers and all three processes live; False when the end was asked for before."""
    deadline = time.monotonic() + READY_LIMIT_S
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        while not supervisor.wait(0.1):
            if len(supervisor.pids()) == len(PROCESSES) and _answers(client, settings):
                return True
            if time.monotonic() > deadline:
                raise ConfigError(f"the hub was not ready after {READY_LIMIT_S:g} s; the logs in {logs} say why")
    return False


def _answers(client: httpx.Client, settings: Settings) -> bool:
    try:
        return client.get(f"{address_of(settings)}/ready").is_success
    except httpx.TransportError:
        # Not listening yet; the caller asks again until its limit.
        return False

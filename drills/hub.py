"""A whole hub with its sandbox storefronts, in a folder of its own: real processes, real servers, nothing shared."""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config import embedded, setup, wiring
from config.embedded.ports import free_port
from config.settings import Settings
from config.wiring import App
from core import stores
from core.errors import Broken, ConfigError, ConnectorError, HoldfastError
from core.model import Platform, StoreMode
from drills.storefronts import Sandbox, ShopAddress
from edge.supervisor import Child, Supervisor
from jobs import connect

logger = logging.getLogger(__name__)

MERCHANT = setup.FIRST_MERCHANT
HOST = "127.0.0.1"
POLL_S = 2
READY_S = 60.0
# Webhooks are taken in until the end, then what is left of them is done, then the shops close.
STOP_ORDER = ("edge", "relay", "worker", "sandbox")


class Interrupted(HoldfastError):
    """A person pressed Ctrl-C, or the process was asked to end."""


@dataclass(frozen=True, slots=True)
class Hub:
    """Everything that runs, while it runs."""

    folder: Path
    app: App
    supervisor: Supervisor
    sandbox: Sandbox
    public_url: str
    reading_url: str

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises: Interrupted; Broken when a process that must not end has ended."""
        if self.supervisor.wait(seconds):
            raise Interrupted("stopped")
        for name, code in self.supervisor.ended().items():
            raise Broken(f"{name} ended with code {code}; see {self.supervisor.log_dir / name}.log")


def new_folder() -> Path:
    """A folder for one run that only we may read."""
    return Path(tempfile.mkdtemp(prefix="holdfast-demo-"))


@contextmanager
def running(folder: Path, *, seed: int, calm: bool) -> Iterator[Hub]:
    """Start servers, schema, edge, worker, relay and sandbox, and end them all, workers drained.

    Raises: ConfigError when something does not start, with the log that says why; Interrupted.
    """
    logs, port = folder / "logs", free_port()
    with (
        embedded.start(folder / "data") as servers,
        Supervisor(logs, stop_order=STOP_ORDER, revive=servers.revive) as supervisor,
    ):
        urls = servers.servers
        settings = _settings(folder, urls, port)
        env = _environment(settings)
        supervisor.start(_sandbox(env, seed=seed, calm=calm))
        setup.migrate(settings, name="Demo shop")
        for name, command in (("relay", "relay"), ("worker", "worker"), ("edge", "web")):
            argv = [sys.executable, "-P", "-m", "edge.cli", command]
            supervisor.start(Child(name, argv, env, drain_s=30.0))
        sandbox = Sandbox.read(json.loads(supervisor.read_ready_line("sandbox", READY_S)))
        app = wiring.build(settings)
        try:
            hub = Hub(folder, app, supervisor, sandbox, settings.public_url, urls.owner_url)
            _wait_for_edge(hub)
            yield hub
        finally:
            app.close()


def connect_stores(hub: Hub) -> None:
    """Connect all shops at once: the first one's numbers become the opening stock; then let them be written to."""
    jobs = [
        _Job(partial(_connect, hub, name, shop, opening=place == 0))
        for place, (name, shop) in enumerate(hub.sandbox.shops.items())
    ]
    while any(job.is_alive() for job in jobs):
        hub.pause(0.1)
    for job in jobs:
        job.result()
    for store in _stores(hub):
        with hub.app.db.begin(MERCHANT, actor="demo") as tx:
            stores.set_schedule(tx, "poll", store.id, f"every {POLL_S}")
        connect.change_mode(hub.app, MERCHANT, store.id, StoreMode.LIVE)


class _Job(Thread):
    """Something that takes a while, on a thread that never keeps the process alive."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001  ``result`` raises it in the thread that asks
            self._failure = error

    def result(self) -> None:
        self.join()
        if self._failure:
            raise self._failure


def _connect(hub: Hub, name: str, shop: ShopAddress, *, opening: bool) -> None:
    """Connect one shop. A call that fails on the way is made up for by what may be repeated, as a person would do.

    Webhooks that could not be made yet are made by the job that looks after them, which is due at once.
    """
    app = hub.app
    try:
        connect.connect_store(
            app,
            MERCHANT,
            name=name,
            platform=Platform(name),
            url=shop.url,
            credentials=shop.credentials,
            opening=opening,
        )
    except ConnectorError as failed:
        store = next((store for store in _stores(hub) if store.name == name), None)
        if store is None or store.opened_at is None:
            raise
        logger.warning("connecting %s: %s; going on with what is left to do", name, failed)
        if opening:
            connect.open_stock(app, MERCHANT, store.id, app.connector(MERCHANT, store.id))


def _stores(hub: Hub) -> list[stores.StoreRow]:
    with hub.app.db.begin(MERCHANT, actor="demo") as tx:
        return stores.every(tx)


def _settings(folder: Path, urls: embedded.Servers, port: int) -> Settings:
    return Settings.load(
        database_url=urls.app_url,
        owner_database_url=urls.owner_url,
        redis_url=urls.redis_url,
        data_dir=folder / "data",
        secret_keys=SecretStr(Fernet.generate_key().decode()),
        sandbox=True,
        public_url=f"http://{HOST}:{port}",
        host=HOST,
        port=port,
        poll_s=POLL_S,
        smtp_url=SecretStr(""),
    )


def _environment(settings: Settings) -> Mapping[str, str]:
    """What the hub's processes need, and nothing of another hub that this shell may be set up for.

    The owner's login is not in it: no process of the hub may change what was recorded.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return clean | {
        "HOLDFAST_DATABASE_URL": settings.database_url,
        "HOLDFAST_REDIS_URL": settings.redis_url,
        "HOLDFAST_DATA_DIR": str(settings.data_dir),
        "HOLDFAST_SECRET_KEYS": settings.secret_keys.get_secret_value(),
        "HOLDFAST_SANDBOX": "true",
        "HOLDFAST_WORKER_NAME": "drill",
        "HOLDFAST_PUBLIC_URL": settings.public_url,
        "HOLDFAST_HOST": settings.host,
        "HOLDFAST_PORT": str(settings.port),
        "HOLDFAST_POLL_S": str(settings.poll_s),
    }


def _sandbox(env: Mapping[str, str], *, seed: int, calm: bool) -> Child:
    argv = [sys.executable, "-P", "-m", "sandbox", "--seed", str(seed), *(["--calm"] if calm else [])]
    # A new sandbox would know nothing of its orders, so it is not started again.
    return Child("sandbox", argv, env, restart=False)


def _wait_for_edge(hub: Hub) -> None:
    """Its receivers have to answer before shops are told of them."""
    url, deadline = f"{hub.public_url}/ready", time.monotonic() + READY_S
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while not _answers(client, url):
            hub.pause(0.1)
            if time.monotonic() > deadline:
                raise ConfigError(f"edge was not ready within {READY_S:g} s; see {hub.supervisor.log_dir}/edge.log")


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

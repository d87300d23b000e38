"""A hub under load whose processes are killed one after another: nothing is lost and nothing is done twice."""

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography.fernet import Fernet

from config import wiring
from config.embedded.ports import free_port
from config.hub import locate
from config.settings import Settings
from config.wiring import App
from core import stores
from tests.hub import MERCHANT, Street, assert_nothing_lost, clean_environment, come_to_rest, connect_all, street, until

GOODS = {f"sku-{n}": 400 for n in range(12)}
READY_S = 60.0
REST_S = 60.0


@dataclass
class Hub:
    """``holdfast up`` as a person runs it, on a folder that outlives it."""

    folder: Path
    port: int = field(default_factory=free_port)
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    process: "subprocess.Popen[bytes] | None" = None
    _seen: dict[int, psutil.Process] = field(default_factory=dict)

    def start(self) -> None:
        """Returns when it answers."""
        log = self.folder.with_suffix(".log").open("ab")
        env = clean_environment(sandbox="true", secret_keys=self.key, data_dir=self.folder, port=self.port)
        argv = [sys.executable, "-P", "-m", "edge.cli", "up"]
        with log:
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._answers, READY_S)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.folder.with_suffix(".log").read_text()
        try:
            ready = httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=2.0, trust_env=False).is_success
        except httpx.TransportError:
            return False
        return ready and len(self.family()) > 5

    def family(self) -> list[psutil.Process]:
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self._seen |= {child.pid: child for child in family}
        return family

    def app(self) -> App:
        return wiring.build(
            locate(Settings.load(data_dir=self.folder, secret_keys=self.key, sandbox=True)).model_copy(
                update={"public_url": f"http://127.0.0.1:{self.port}"}
            ),
            pool_size=2,
        )

    def kill(self, name: str) -> None:
        """SIGKILL for one of its processes."""
        if name == "supervisor":
            assert self.process is not None
            self.family()
            self.process.kill()
            self.process.wait()
        elif name in ("postgres", "valkey"):
            self._server(name).kill()
        else:
            next(child for child in self.family() if child.cmdline()[-2:] == ["edge.cli", name]).kill()

    def _server(self, name: str) -> psutil.Process:
        """The oldest process of a server, from which the others stem."""
        return min(
            (child for child in self.family() if name in child.name()),
            key=lambda child: (child.create_time(), child.pid),
        )

    def stop(self) -> None:
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            self.family()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def survivors(self) -> list[psutil.Process]:
        """Processes that it ever started and that have not ended some seconds later."""
        _, alive = psutil.wait_procs(list(self._seen.values()), timeout=10)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    running = Hub(tmp_path / "hub")
    yield running
    running.stop()
    left = running.survivors()
    for process in left:
        process.kill()
    assert left == []


@contextmanager
def load(shops: Street, orders_per_s: float) -> Iterator[list[str]]:
    """Shoppers who go on buying, and now and then give something back, as long as the block lasts."""
    bought: list[str] = []
    over = threading.Event()
    chance = random.Random(4)

    def shop_on() -> None:
        with httpx.Client(base_url=shops.told["control"], timeout=30.0, trust_env=False) as control:
            mine = Street(shops.told, control)
            while not over.wait(1 / orders_per_s):
                shop = chance.choice(shops.shops)
                lines = [(sku, chance.randint(1, 3)) for sku in chance.sample(sorted(GOODS), 3)]
                bought.append(mine.checkout(shop, *lines))
                if chance.random() < 0.15:
                    mine.act(shop, "cancel", order_id=bought[-1])

    shopping = threading.Thread(target=shop_on)
    shopping.start()
    try:
        yield bought
    finally:
        over.set()
        shopping.join()


def open_for_business(hub: Hub, shops: Street) -> None:
    """Connect all shops, polled each second."""
    app = hub.app()
    try:
        for store in connect_all(app, shops).values():
            with app.db.begin(MERCHANT, actor="test") as tx:
                stores.set_schedule(tx, "poll", store.id, "every 1")
    finally:
        app.close()


def test_a_hub_whose_every_process_is_killed_in_mid_replay_loses_and_doubles_nothing(hub: Hub) -> None:
    with street("shopify", "woocommerce", "bigcommerce") as shops:
        shops.stock(GOODS)
        hub.start()
        open_for_business(hub, shops)

        with load(shops, orders_per_s=4) as bought:
            for name in ("worker", "relay", "web", "postgres"):
                time.sleep(1.5)
                hub.kill(name)
            time.sleep(2.5)
            hub.kill("valkey")
            shutil.rmtree(hub.folder / "valkey" / "data" / "appendonlydir")
            time.sleep(2)
            hub.kill("supervisor")
            assert hub.survivors() == []
            hub.start()
            time.sleep(1)

        assert len(bought) > 30
        app = hub.app()
        try:
            come_to_rest(app, shops, REST_S)
            assert_nothing_lost(app, shops)
        finally:
            app.close()

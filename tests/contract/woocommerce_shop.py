"""A WooCommerce sandbox and a hub that listens, as real processes and sockets, and the comparison with samples."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from woocommerce import API

STOCK = 1000


@dataclass
class Running:
    """A sandbox process with one calm WooCommerce shop of products S0 to S159; S39, S79, ... are variations."""

    control: httpx.Client
    url: str
    keys: Mapping[str, str]

    @property
    def api(self) -> Any:
        return API(self.url, self.keys["consumer_key"], self.keys["consumer_secret"], timeout=10)

    def act(self, name: str, **body: object) -> dict[str, Any]:
        answer = self.control.post(f"/shops/woocommerce/{name}", json=body)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def buy(self, *lines: tuple[str, int], paid: bool = True) -> int:
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        return int(self.act("checkout", reference="r", paid=paid, lines=rows)["order_id"])

    def product(self, sku: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.api.get("products", params={"sku": sku}).json()
        return found[0]


@contextmanager
def running() -> Iterator[Running]:
    command = [sys.executable, "-P", "-m", "sandbox", "--seed", "3", "--calm", "--shops", "woocommerce"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        front = ready["shops"]["woocommerce"]
        with httpx.Client(base_url=ready["control"], timeout=10) as control:
            running = Running(control, front["url"], front["credentials"])
            running.act(
                "catalogue", products=[{"sku": f"S{n}", "title": f"Thing {n}", "stock": STOCK} for n in range(160)]
            )
            yield running
        process.terminate()
        assert process.wait(timeout=10) == 0


@dataclass
class Receiver:
    """A hub that keeps every POST and answers ``status``."""

    url: str = ""
    status: int = 200
    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    def wait(self, count: int) -> list[tuple[Mapping[str, str], bytes]]:
        wait_until(lambda: len(self.got) >= count)
        return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests want no lines on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}/in"
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def wait_until(true: Callable[[], bool], limit_s: float = 5) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def sample(contracts: Path, name: str) -> Any:
    return json.loads((contracts / "woocommerce" / "samples" / f"{name}.json").read_text())


def kind(value: object) -> str:
    """The JSON type; whole and broken numbers are one."""
    return "number" if isinstance(value, float) or type(value) is int else type(value).__name__


def unlike(ours: object, theirs: list[object], path: str = "") -> list[str]:
    """Where ``ours`` has a key or a type that none of ``theirs`` has. What is null or empty there says nothing."""
    known = [each for each in theirs if each is not None]
    if ours is None or not known:
        return []
    alike = [each for each in known if kind(each) == kind(ours)]
    if not alike:
        return [f"{path}: {kind(ours)} instead of {kind(known[0])}"]
    if isinstance(ours, dict):
        keys = {key: [each[key] for each in alike if isinstance(each, dict) and key in each] for key in ours}
        return [f"{path}.{key}: unknown" for key, found in keys.items() if not found] + [
            line for key, value in ours.items() if keys[key] for line in unlike(value, keys[key], f"{path}.{key}")
        ]
    if isinstance(ours, list):
        items = [item for each in alike if isinstance(each, list) for item in each]
        return [line for value in ours for line in unlike(value, items, f"{path}[]")] if items else []
    return []


def assert_like(ours: object, *theirs: object) -> None:
    assert unlike(ours, list(theirs)) == []

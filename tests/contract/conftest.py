"""The real sandbox as a child process, and a receiver for its webhooks."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from core.model import Platform, StoreAccess
from tests.contract.storefronts import CASES, Receiver, Storefront

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", params=list(CASES), ids=str)
def storefront(request: pytest.FixtureRequest) -> Iterator[Storefront]:
    """A calm shop, probed once so that its settings are known, as when a merchant connects it."""
    platform: Platform = request.param
    command = [sys.executable, "-P", "-m", "sandbox", "--seed", "7", "--calm", "--shops", platform.value]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            shop = ready["shops"][platform.value]
            access = StoreAccess(1, 1, platform, shop["url"], shop["credentials"])
            case = CASES[platform]
            newcomer = case.connect(access)
            access = replace(access, settings=newcomer.probe().settings)
            newcomer.close()
            connector = case.connect(access)
            with httpx.Client(base_url=ready["control"], timeout=30.0) as control:
                yield Storefront(case, access, connector, control)
            connector.close()
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    deliveries: list[tuple[Mapping[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            deliveries.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Receiver(f"http://127.0.0.1:{server.server_port}/hooks", deliveries)
        server.shutdown()
        thread.join()

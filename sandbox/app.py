"""One process, one event loop: a port for each shop and one for control, all on the loopback address."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.control import Control
from sandbox.deliveries import Deliveries
from sandbox.faults import CALM, Counters, Dials, Faults, FaultyNetwork, Panel
from sandbox.journal import Journal
from sandbox.shop import Shop, Storefront

HOST = "127.0.0.1"
PARENT_CHECK_S = 0.5

# Imported only when asked for, so that one platform's module never stands in another's way.
PLATFORMS: Mapping[str, str] = {
    "shopify": "sandbox.shopify",
    "woocommerce": "sandbox.woocommerce",
    "bigcommerce": "sandbox.bigcommerce",
}


@dataclass(frozen=True, slots=True)
class Options:
    seed: int
    calm: bool
    shops: Sequence[str]


class Server(uvicorn.Server):
    """Leaves signals to us: ours end the process with code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ByPort:
    """ASGI: hands each request to the app of the port it came in on."""

    def __init__(self, apps: Mapping[int, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)


def listen() -> socket.socket:
    # The protocol is named because asyncio turns Nagle's delay off only where it sees TCP.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind((HOST, 0))
    return sock


def url_of(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}"


def build(platform: str, shop: Shop) -> Storefront:
    """Raises: TypeError when the platform's module does not build a storefront."""
    storefront = import_module(PLATFORMS[platform]).build(shop)
    if not isinstance(storefront, Storefront):
        raise TypeError(f"{PLATFORMS[platform]}.build answers with a Storefront")
    return storefront


async def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or the death of the parent process."""
    parent = os.getppid()
    async with httpx.AsyncClient(
        trust_env=False, limits=httpx.Limits(max_connections=64, max_keepalive_connections=64)
    ) as client:
        panel, journal = Panel(CALM if options.calm else Dials(), Counters()), Journal()
        control_socket = listen()
        sockets = {name: listen() for name in options.shops}
        shops = {
            name: _open_shop(name, url_of(sock), options.seed, panel, journal, client) for name, sock in sockets.items()
        }
        fronts = {name: build(name, shop) for name, shop in shops.items()}
        apps: dict[int, ASGIApp] = {control_socket.getsockname()[1]: Control(shops, panel, journal).app()}
        for name, front in fronts.items():
            port = sockets[name].getsockname()[1]
            apps[port] = FaultyNetwork(front.app, shops[name].faults, front.throttled, front.failed)
        server = Server(_config(ByPort(apps)))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server)
        announcing = asyncio.create_task(_announce(server, url_of(control_socket), shops, fronts))
        guarding = asyncio.create_task(_end_with_parent(server, parent))
        await server.serve(sockets=[control_socket, *sockets.values()])
        announcing.cancel()
        guarding.cancel()
        await asyncio.gather(announcing, guarding, return_exceptions=True)
        for shop in shops.values():
            await shop.deliveries.close()


def _open_shop(name: str, url: str, seed: int, panel: Panel, journal: Journal, client: httpx.AsyncClient) -> Shop:
    faults = Faults(panel, f"{seed}/{name}")
    return Shop(name, url, f"{seed}/{name}", faults, Deliveries(faults, client), journal)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _stop(server: Server) -> None:
    server.should_exit = True


async def _announce(
    server: Server, control_url: str, shops: Mapping[str, Shop], fronts: Mapping[str, Storefront]
) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    ready = {
        "control": control_url,
        "shops": {
            name: {"url": shop.url, "credentials": dict(fronts[name].credentials)} for name, shop in shops.items()
        },
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


async def _end_with_parent(server: Server, parent: int) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK_S)
    _stop(server)

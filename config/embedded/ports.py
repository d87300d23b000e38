"""TCP ports that the system chooses."""

import socket
from collections.abc import Callable
from typing import TypeVar

from core.errors import ConfigError

T = TypeVar("T")
TRIES = 5


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def retry_port(port: int | None, start: Callable[[int | None], T]) -> T:
    """Start on ``port`` (None: no TCP); 0 tries chosen ones, since another program may be quicker to take one."""
    if port != 0:
        return start(port)
    for _ in range(TRIES - 1):
        chosen = free_port()
        try:
            return start(chosen)
        except ConfigError:
            if not taken(chosen):
                raise
    return start(free_port())


def taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""Several calls to one shop at a time, so that a slow shop's answers are waited for together."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from .shop import Shop
from .stock import StockReader

# Each call occupies one of the shop's PHP workers, and a small host has only a handful of them.
THREADS = 4

Work = TypeVar("Work")


class Line(Shop, Protocol):
    """A shop over a connection of its own."""

    def close(self) -> None:
        """Give back sockets."""


class Crew:
    """At most four threads, started when needed, each with a line of its own: a session is not for several threads."""

    def __init__(self, new_line: Callable[[], Line]) -> None:
        self._new_line = new_line
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="woocommerce")
        self._own = threading.local()
        self._lines: list[Line] = []

    def each(self, act: Callable[[Shop, StockReader, Work], None], works: Sequence[Work]) -> None:
        """Act on all, begun in the order given. Afterwards nothing is left running, even when this is interrupted.

        Raises: what ``act`` raises, for the first such of ``works``.
        """
        running = [self._pool.submit(self._do, act, work) for work in works]
        try:
            for one in running:
                one.result()
        finally:
            for one in running:
                one.cancel()
            wait(running)

    def close(self) -> None:
        """End the threads and give back their sockets."""
        self._pool.shutdown()
        for line in self._lines:
            line.close()

    def _do(self, act: Callable[[Shop, StockReader, Work], None], work: Work) -> None:
        if not hasattr(self._own, "reader"):
            self._own.line = self._new_line()
            self._own.reader = StockReader(self._own.line)
            self._lines.append(self._own.line)
        act(self._own.line, self._own.reader, work)

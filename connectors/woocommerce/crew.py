"""The threads of one shop, each with a line of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from connectors import crew

from .shop import Shop
from .stock import StockReader

THREADS = crew.THREADS

Work = TypeVar("Work")


class Line(Shop, Protocol):
    """A shop over a connection of its own."""

    def close(self) -> None:
        """Give back sockets."""


class Crew:
    """A crew whose threads each speak over a line of their own: a session is not for several threads."""

    def __init__(self, new_line: Callable[[], Line]) -> None:
        self._new_line = new_line
        self._crew = crew.Crew("woocommerce")
        self._own = threading.local()
        self._lines: list[Line] = []

    def each(self, act: Callable[[Shop, StockReader, Work], None], works: Sequence[Work]) -> None:
        """See ``connectors.crew.Crew.each``."""
        self._crew.each(lambda work: self._do(act, work), works)

    def close(self) -> None:
        """End the threads and give back their sockets."""
        self._crew.close()
        for line in self._lines:
            line.close()

    def _do(self, act: Callable[[Shop, StockReader, Work], None], work: Work) -> None:
        if not hasattr(self._own, "reader"):
            self._own.line = self._new_line()
            self._own.reader = StockReader(self._own.line)
            self._lines.append(self._own.line)
        act(self._own.line, self._own.reader, work)

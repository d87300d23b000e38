"""Several calls to one store at a time, so that a slow store's answers are waited for together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

# Each call occupies one of the store's workers: a small WooCommerce host has only a handful of them.
THREADS = 4

Work = TypeVar("Work")


class Crew:
    """At most so many threads, started when needed and kept until ``close``."""

    def __init__(self, name: str, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def each(self, act: Callable[[Work], None], works: Sequence[Work]) -> None:
        """Act on all, begun in the order given. Afterwards nothing is left running, even when this is interrupted.

        Raises: what ``act`` raises, for the first such of ``works``.
        """
        running = [self._pool.submit(act, work) for work in works]
        try:
            for one in running:
                one.result()
        finally:
            for one in running:
                one.cancel()
            wait(running)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

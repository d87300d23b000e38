"""How many rows to put in one call that Shopify takes or refuses as a whole."""

import threading
from collections.abc import Sequence
from typing import TypeVar

FEWEST = 5
MOST = 250
_FIRST = 40

Row = TypeVar("Row")


class BatchSize:
    """Learns from the answers: the busier a shop, the sooner some row of a large call has sold in the meantime.

    Only batches of at least the present size count: a refusal costs two more calls, so where a push is dealt into small
    shares, single refusals must not drive the size down to where calls outnumber what they save.
    """

    def __init__(self) -> None:
        self.rows = _FIRST
        self._lock = threading.Lock()

    def was_stale(self, rows: int) -> None:
        """A batch of ``rows`` was refused for a number that had moved."""
        with self._lock:
            if rows >= self.rows:
                self.rows = max(min(self.rows, rows // 2), FEWEST)

    def was_written(self, rows: int) -> None:
        """A batch of ``rows`` was taken."""
        with self._lock:
            if rows >= self.rows:
                self.rows = min(self.rows * 2, MOST)


def cut(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """Into batches of ``size``, the last maybe smaller."""
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def share(rows: Sequence[Row], size: int, threads: int) -> list[list[Row]]:
    """Into batches of at most ``size`` rows that occupy all ``threads``, unless these would be too small."""
    return cut(rows, min(size, max(-(-len(rows) // threads), FEWEST)))

"""Concurrent callers share batches: the first thread that arrives leads, drains the queue, commits, hands out results.

One hot balance row is then locked once per batch instead of once per caller. One queue per merchant, so merchants never
wait for each other's batches.
"""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from core import ledger
from core.errors import Overloaded
from core.ledger import Command
from core.transaction import Database


@dataclass(slots=True)
class _Queue:
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[tuple[Command, str, Future[Any]]] = field(default_factory=deque)
    led: bool = False


class Combiner:
    """The door to the ledger for single calls and lists alike."""

    def __init__(self, db: Database, *, batch_limit: int = 500, queue_limit: int = 20_000) -> None:
        self._db, self._batch_limit, self._queue_limit = db, batch_limit, queue_limit
        self._queues: dict[int, _Queue] = {}
        self._lock = threading.Lock()

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        """Do all commands, in as few batches as the callers of this moment need together.

        Returns: results in order; a refused command has its ``Refused`` as result. Raises: Overloaded when too many
        wait; what the batch raised, for the commands that were in it.
        """
        futures: list[Future[Any]] = [Future() for _ in commands]
        queue = self._queue(merchant_id)
        with queue.lock:
            if len(queue.waiting) + len(commands) > self._queue_limit and queue.waiting:
                raise Overloaded(retry_after_s=1.0)
            queue.waiting.extend((c, actor, f) for c, f in zip(commands, futures, strict=True))
            leads = not queue.led
            queue.led = True
        if leads:
            self._lead(merchant_id, queue, set(futures))
        return [future.result() for future in futures]

    def _queue(self, merchant_id: int) -> _Queue:
        with self._lock:
            return self._queues.setdefault(merchant_id, _Queue())

    def _lead(self, merchant_id: int, queue: _Queue, own: set[Future[Any]]) -> None:
        """Serve until our own commands are done, then hand the lead on.

        A batch that fails takes only its own commands with it; a leader that is torn away hands the lead on, too.
        """
        try:
            while own:
                with queue.lock:
                    batch = self._take(queue)
                self._serve(merchant_id, batch)
                own -= {future for _, _, future in batch}
        finally:
            self._hand_on(merchant_id, queue)

    def _hand_on(self, merchant_id: int, queue: _Queue) -> None:
        with queue.lock:
            queue.led = bool(queue.waiting)
            rest = {future for _, _, future in queue.waiting}
        if rest:
            threading.Thread(target=self._lead, args=(merchant_id, queue, rest), daemon=True).start()

    def _take(self, queue: _Queue) -> list[tuple[Command, str, Future[Any]]]:
        """The next commands of one actor, at most a batch of them."""
        batch: list[tuple[Command, str, Future[Any]]] = []
        while queue.waiting and len(batch) < self._batch_limit:
            if batch and queue.waiting[0][1] != batch[0][1]:
                break
            batch.append(queue.waiting.popleft())
        return batch

    def _serve(self, merchant_id: int, batch: list[tuple[Command, str, Future[Any]]]) -> None:
        try:
            results = ledger.run(self._db, merchant_id, [c for c, _, _ in batch], actor=batch[0][1])
        except BaseException as error:
            for _, _, future in batch:
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, _, future), result in zip(batch, results, strict=True):
            future.set_result(result)

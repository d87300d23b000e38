"""Concurrent callers share batches: the first thread that arrives leads, drains the queue, commits, hands out results.

One hot balance row is then locked once per batch instead of once per caller. One queue per merchant, so merchants never
wait for each other's batches; in it the actors take turns, a batch each.
"""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from core import ledger
from core.command import Command
from core.errors import Overloaded
from core.transaction import Database

# Callers that were answered together are likely to ask again together. Waiting a moment for them makes one large batch
# of what would be a small one and a large one in turn. Much shorter than a commit takes.
_GATHER_S = 0.002
_RETRY_S = 1.0
# A caller that nobody wakes looks for itself: whoever should have woken it may have been torn away.
_LOOK_S = 1.0


class _Call:
    """One caller's commands, in line. Its thread sleeps on ``wake`` until all are answered or it shall lead.

    Callers answered together are woken in a row, each by the one before (``behind``): woken all at once they would
    only wait for each other again, for the one interpreter.
    """

    __slots__ = ("actor", "answered", "behind", "commands", "count", "error", "leads", "results", "taken", "wake")

    def __init__(self, commands: Sequence[Command], actor: str) -> None:
        self.commands, self.actor, self.count = commands, actor, len(commands)
        self.results: list[Any] = [None] * self.count
        self.error: BaseException | None = None
        self.taken = self.answered = 0  # how many, from the first on
        self.leads = False
        self.behind: _Call | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    def sleep(self) -> None:
        while not self.wake.acquire(timeout=_LOOK_S):
            if self.leads or self.answered == self.count:
                return

    def rouse(self) -> None:
        """Once more does no harm."""
        if self.wake.locked():
            self.wake.release()


_Share = tuple[_Call, int, int]  # of a call: its commands from one number up to another


class _Queue:
    """Who waits for one merchant's ledger; read and changed under ``lock``, but for what only the leader touches."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_actor: OrderedDict[str, deque[_Call]] = OrderedDict()  # the actor whose turn it is stands first
        self.waiting: dict[str, int] = {}  # commands that no batch has taken yet
        self.calls = 0
        self.led = False
        self.serving: list[_Share] = []  # the leader's: what it took and has not answered
        self.last_calls = 0  # the leader's: how many were in the batch before
        self.quorum = 0  # calls that the leader waits for
        self.gathered = threading.Lock()
        self.gathered.acquire()

    def add(self, call: _Call) -> None:
        self.by_actor.setdefault(call.actor, deque()).append(call)
        self.waiting[call.actor] = self.waiting.get(call.actor, 0) + call.count
        self.calls += 1
        if 0 < self.quorum <= self.calls and self.gathered.locked():
            self.gathered.release()

    def take(self, limit: int) -> list[_Share]:
        """The next batch: commands of the actor whose turn it is, who then stands last.

        A leader may be torn away between any two steps, so what it takes is written down before it leaves the line.
        """
        actor, calls = next(iter(self.by_actor.items()))
        room = limit
        while calls and room:
            call, first = calls[0], calls[0].taken
            end = min(first + room, call.count)
            self.serving.append((call, first, end))
            call.taken = end
            room -= end - first
            self.waiting[actor] -= end - first
            if end == call.count:
                self._remove(call)
        if calls:
            self.by_actor.move_to_end(actor)
        self.last_calls = len(self.serving)
        return self.serving

    def drop(self, call: _Call) -> None:
        """What no batch has taken yet is not done any more: its caller is gone."""
        if call in self.by_actor.get(call.actor, ()):
            self.waiting[call.actor] -= call.count - call.taken
            self._remove(call)

    def _remove(self, call: _Call) -> None:
        calls = self.by_actor[call.actor]
        calls.remove(call)
        self.calls -= 1
        if not calls:
            del self.by_actor[call.actor], self.waiting[call.actor]


class Combiner:
    """The door to the ledger for single calls and lists alike.

    Args: batch_limit: commands in one batch. queue_limit: commands of one actor that may wait; all actors of a merchant
          together may have ``actors_limit`` times as many.
    """

    def __init__(
        self, db: Database, *, batch_limit: int = 500, queue_limit: int = 20_000, actors_limit: int = 5
    ) -> None:
        self._db, self._batch_limit = db, batch_limit
        self._queue_limit, self._total_limit = queue_limit, queue_limit * actors_limit
        self._queues: dict[int, _Queue] = {}
        self._lock = threading.Lock()

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        """Do all commands, in as few batches as the callers of this moment need together.

        Returns: results in order; a refused command has its ``Refused`` as result. Raises: Overloaded when too many
        wait, or when the thread that led our batch was torn away: asking again is safe, since no effect is posted
        twice; what the batch raised, for the commands that were in it.
        """
        if not commands:
            return []
        call, queue = _Call(commands, actor), self._queue(merchant_id)
        try:
            with queue.lock:
                self._require_room(queue, call)
                queue.add(call)
                if not queue.led:
                    call.leads = queue.led = True
            if not call.leads:
                call.sleep()
            if call.behind is not None:
                call.behind.rouse()
            if call.leads:
                self._lead(merchant_id, queue, call)
        except BaseException:
            self._leave(queue, call)
            raise
        if call.error is not None:
            raise call.error
        return call.results

    def _queue(self, merchant_id: int) -> _Queue:
        queue = self._queues.get(merchant_id)
        if queue is None:
            with self._lock:
                queue = self._queues.setdefault(merchant_id, _Queue())
        return queue

    def _require_room(self, queue: _Queue, call: _Call) -> None:
        """A list longer than the whole queue is served all the same when nothing else waits."""
        mine, all_ = queue.waiting.get(call.actor, 0), sum(queue.waiting.values())
        if (mine and mine + call.count > self._queue_limit) or (all_ and all_ + call.count > self._total_limit):
            raise Overloaded(retry_after_s=_RETRY_S)

    # ---- the leader

    def _lead(self, merchant_id: int, queue: _Queue, own: _Call) -> None:
        """Serve until our own commands are answered, then hand the lead on."""
        try:
            while own.answered < own.count:
                self._gather(queue)
                with queue.lock:
                    shares = queue.take(self._batch_limit)
                self._serve(merchant_id, queue, shares)
        finally:
            self._hand_on(queue, own)

    def _gather(self, queue: _Queue) -> None:
        if queue.calls >= queue.last_calls:
            return
        try:
            with queue.lock:
                queue.quorum = queue.last_calls
            queue.gathered.acquire(timeout=_GATHER_S)
        finally:
            with queue.lock:
                queue.quorum = 0
                queue.gathered.acquire(blocking=False)  # they may all have come while we gave up

    def _serve(self, merchant_id: int, queue: _Queue, shares: list[_Share]) -> None:
        """One batch. What it raises goes to those whose commands were in it."""
        commands = [command for call, first, end in shares for command in call.commands[first:end]]
        answers: dict[int, Any] = {}
        try:
            ledger.run(self._db, merchant_id, commands, actor=shares[0][0].actor, answers=answers)
        except Exception as error:  # noqa: BLE001  every caller raises it who has no answer
            self._answer(queue, answers, error)
        else:
            self._answer(queue, answers, None)

    def _answer(self, queue: _Queue, answers: Mapping[int, Any], error: Exception | None) -> None:
        """Whoever lacks an answer gets the error. Once more does no harm: who was answered before keeps that answer."""
        at = 0
        row: list[_Call] = []
        for call, first, end in queue.serving:
            if call.answered < end:
                share = [answers[n] for n in range(at, at + end - first) if n in answers]
                if len(share) == end - first:
                    call.results[first:end] = share
                else:
                    call.error = call.error or error
                call.answered = end
            at += end - first
            if call.answered == call.count and not call.leads:
                row.append(call)
        for call, behind in itertools.pairwise(row):
            call.behind = behind
        if row:
            row[0].rouse()
        queue.serving = []

    def _hand_on(self, queue: _Queue, own: _Call) -> None:
        """Who waits next leads. Callers of a batch that its leader left in the middle are told to ask again."""
        self._answer(queue, {}, Overloaded(retry_after_s=_RETRY_S))
        with queue.lock:
            own.leads = False
            heir = next(iter(queue.by_actor.values()))[0] if queue.by_actor else None
            queue.led = heir is not None
            if heir is not None:
                heir.leads = True
                heir.rouse()

    def _leave(self, queue: _Queue, call: _Call) -> None:
        """A caller is torn away, or was never let in; if it was to lead, somebody else has to."""
        with queue.lock:
            queue.drop(call)
        if call.behind is not None:
            call.behind.rouse()
        if call.leads:
            self._hand_on(queue, call)

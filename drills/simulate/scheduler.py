"""The one scheduler: what is due when, by simulated time, and tasks that take turns.

The hub's jobs are plain functions, so to stop one between two of its steps it needs a stack of its own: a carrier
thread. A carrier runs only while the scheduler stands still and waits for it. So exactly one thing happens at a time,
and the seed alone decides which.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random

Act = Callable[[], None]


class Crash(BaseException):
    """The process that did this is gone, as after SIGKILL. No code of the hub can catch it as a failure."""


class _Carrier:
    """A thread that carries one task after another, each step only when it is given the turn."""

    def __init__(self) -> None:
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.body: Act | None = None
        threading.Thread(target=self._carry, name="carrier", daemon=True).start()

    def _carry(self) -> None:
        self._go.acquire()
        while self.body is not None:
            self.body()
            self.body = None
            self.give_back()

    def turn(self) -> None:
        """Run until the task pauses or ends."""
        self._go.release()
        self._back.acquire()

    def give_back(self) -> None:
        """Called by the task: let the scheduler go on, and wait for the next turn."""
        self._back.release()
        self._go.acquire()

    def dismiss(self) -> None:
        self._go.release()


class Task:
    """Something with a stack that can be stopped between two steps. ``error`` is what ended it, if anything did."""

    def __init__(self, name: str, carrier: _Carrier, body: Act, ended: Callable[["Task"], None]) -> None:
        self.name, self.carrier, self.ended = name, carrier, ended
        self.is_killed = self.is_done = False
        self.error: BaseException | None = None
        self._body = body
        carrier.body = self._run

    def _run(self) -> None:
        try:
            if self.is_killed:
                raise Crash(self.name)
            self._body()
        except BaseException as error:  # noqa: BLE001 - whoever started the task is told what ended it
            self.error = error
        self.is_done = True


class Scheduler:
    """Simulated time, and all that is to happen in it, in the order of time. Nothing here ever sleeps."""

    def __init__(self, seed: int, start: datetime) -> None:
        self.random = Random(seed)
        self.now = start
        self.steps = 0
        self._due: list[tuple[datetime, int, Act]] = []
        self._number = count()
        self._idle: list[_Carrier] = []
        self._running: Task | None = None

    def after(self, seconds: float, act: Act) -> None:
        """Do something later; at one instant, in the order asked."""
        heappush(self._due, (self.now + timedelta(seconds=seconds), next(self._number), act))

    def step(self) -> bool:
        """Do the next thing that is due; False when nothing is."""
        if not self._due:
            return False
        at, _, act = heappop(self._due)
        self.now = max(self.now, at)
        self.steps += 1
        act()
        return True

    def start(self, name: str, body: Act, ended: Callable[[Task], None], delay_s: float = 0.0) -> Task:
        """Begin a task; ``ended`` is called when it returned, failed, or was killed."""
        task = Task(name, self._idle.pop() if self._idle else _Carrier(), body, ended)
        self.after(delay_s, partial(self._resume, task))
        return task

    def pause(self, seconds: float) -> None:
        """Called inside a task: let time pass and others act. Outside of any task it does nothing."""
        task = self._running
        if task is None:
            return
        self.after(seconds, partial(self._resume, task))
        task.carrier.give_back()
        if task.is_killed:
            raise Crash(task.name)

    def kill(self, task: Task) -> None:
        """End a task where it stands."""
        task.is_killed = True
        self._resume(task)

    def close(self) -> None:
        """Let the carriers go; no task may be under way."""
        for carrier in self._idle:
            carrier.dismiss()
        self._idle.clear()

    def _resume(self, task: Task) -> None:
        if task.is_done:
            return  # killed while it waited for this turn
        before, self._running = self._running, task
        task.carrier.turn()
        self._running = before
        if task.is_done:
            self._idle.append(task.carrier)
            task.ended(task)

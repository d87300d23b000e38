"""Callers of the core's public door, as many as a load needs, and what they were answered in which time."""

import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.processes import settle_memory
from core.combiner import Combiner
from core.command import Command
from core.errors import Refused
from core.sales.holds import Hold
from core.stock import Stocked
from core.transaction import Database, connect, wall_clock

MERCHANT = 1
ACTOR = "api_key:bench"
_ANSWER_S = 120.0
_runs = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answered:
    """``per_second`` counts commands; ``p99_ms`` is of calls, however many commands each carried."""

    per_second: float
    p99_ms: float


def reserve(db: Database, items: Sequence[int], *, threads: int, seconds: float, lot: int = 1) -> Answered:
    """Holds of one unit each, from ``threads`` callers that each wait for their answer before they ask again."""
    run, ends = f"{next(_runs)}-{time.monotonic_ns()}", wall_clock() + timedelta(days=30)

    def ask(caller: int, n: int) -> list[Command]:
        first = (caller * 7919 + n) * lot
        return [
            Hold(f"{run}-{caller}-{n}-{k}", {Stocked(items[(first + k) % len(items)]): 1}, ends) for k in range(lot)
        ]

    return drive(Combiner(db), ask, threads=threads, seconds=seconds)


def drive(
    combiner: Combiner, ask: Callable[[int, int], Sequence[Command]], *, threads: int, seconds: float
) -> Answered:
    """``ask(caller, n)`` makes the commands of a caller's nth call. Raises: what any call was refused with."""
    callers = [_Caller(combiner, ask, n) for n in range(threads)]
    start = threading.Barrier(threads + 1)
    for caller in callers:
        threading.Thread(target=caller.run, args=(start, seconds), daemon=True).start()
    start.wait(_ANSWER_S)
    began = time.perf_counter()
    for caller in callers:
        if not caller.ended.wait(seconds + _ANSWER_S):
            raise TimeoutError(f"a caller had no answer within {_ANSWER_S:g} s")
        if caller.error is not None:
            raise caller.error
    took = max(caller.ended_at for caller in callers) - began
    times = sorted(itertools.chain.from_iterable(caller.times for caller in callers))
    return Answered(sum(caller.commands for caller in callers) / took, times[len(times) * 99 // 100] * 1000)


class _Caller:
    """One thread that calls, waits, and calls again until its time is over."""

    def __init__(self, combiner: Combiner, ask: Callable[[int, int], Sequence[Command]], number: int) -> None:
        self._combiner, self._ask, self._number = combiner, ask, number
        self.times: list[float] = []
        self.commands = 0
        self.ended_at = 0.0
        self.error: BaseException | None = None
        self.ended = threading.Event()

    def run(self, start: threading.Barrier, seconds: float) -> None:
        try:
            start.wait(_ANSWER_S)
            self._call_until(time.perf_counter() + seconds)
        except BaseException as error:  # noqa: BLE001  ``drive`` raises it
            self.error = error
        finally:
            self.ended_at = time.perf_counter()
            self.ended.set()

    def _call_until(self, end: float) -> None:
        for n in itertools.count():
            asked = time.perf_counter()
            if asked >= end:
                return
            commands = self._ask(self._number, n)
            results = self._combiner.run(MERCHANT, commands, actor=ACTOR)
            self.times.append(time.perf_counter() - asked)
            self.commands += len(results)
            for result in results:
                if isinstance(result, Refused):
                    raise result


def reserve_from_processes(url: str, items: Sequence[int], *, processes: int, threads: int, seconds: float) -> float:
    """Holds a second of several processes together, each with ``threads`` callers and a combiner of its own."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(processes), context.SimpleQueue()
    children = [
        context.Process(target=_process, args=(url, items, threads, seconds, start, answers), daemon=True)
        for _ in range(processes)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(seconds + _ANSWER_S)
        if child.exitcode != 0:
            raise RuntimeError(f"a process of callers ended with {child.exitcode}")
    return sum(float(answers.get()) for _ in children)


def _process(url: str, items: Sequence[int], threads: int, seconds: float, start: Any, answers: Any) -> None:
    engine = connect(url)
    try:
        settle_memory()
        db = Database(engine)
        reserve(db, items, threads=2, seconds=0.1)  # modules, connections and plans are there when the clock starts
        start.wait(_ANSWER_S)
        answers.put(reserve(db, items, threads=threads, seconds=seconds).per_second)
    finally:
        engine.dispose()

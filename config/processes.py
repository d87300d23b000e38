"""Child processes that never outlive us: started here, ended here, and by the kernel if we cannot."""

import functools
import gc
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from config import parent_death

Stream = int | IO[bytes]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system to run a child as."""

    uid: int
    gid: int


@dataclass(slots=True)
class Backoff:
    """Growing waits between starts of something that keeps ending; living for ``calm_s`` makes them small again."""

    first_s: float = 0.2
    cap_s: float = 10.0
    calm_s: float = 30.0
    tries: int = 0
    not_before: float = 0.0

    def ended(self, now: float, lived_s: float) -> float:
        """Note an end at ``now`` (monotonic seconds) after ``lived_s``; returns the seconds until a new start."""
        self.tries = 0 if lived_s >= self.calm_s else self.tries
        wait_s = min(self.first_s * 2.0**self.tries, self.cap_s)
        # Beyond this the wait has long been the cap, and 2**tries would grow without end.
        self.tries = min(self.tries + 1, 16)
        self.not_before = now + wait_s
        return wait_s


def settle_memory() -> None:
    """Collect garbage as suits a process that lasts: what is there when it starts stays, and batches make many rows.

    A full collection of all that is loaded takes longer (58 ms) than a batch of the ledger.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: Stream,
    stderr: Stream,
    stdin: Stream = subprocess.DEVNULL,
    cwd: Path | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    keep_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C reaches only us.

    When we end, whatever the cause, it gets ``death_signal``. A command that cannot be run ends with code 1 and says
    why on stderr. ``keep_fds`` stay open in it.
    """
    tie, fds = _tie()
    user = f"{account.uid}:{account.gid}" if account else "-"
    wrapper = [sys.executable, "-I", "-S", parent_death.__file__, tie, str(int(death_signal)), user]
    return _in_lasting_thread(
        lambda: subprocess.Popen(  # noqa: S603  the command is the caller's own, and no shell reads it
            [*wrapper, *argv],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[*keep_fds, *fds],
            start_new_session=True,
        )
    )


def end(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """Send each signal in turn and wait its seconds; then SIGKILL for all of the session. Returns the exit code."""
    for number, wait_s in steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
    kill_session(process)
    return process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a child and for what it started in its session, if anything is left of them."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # PermissionError is how macOS says that only zombies are left.
        return


def trim_log(path: Path, limit_bytes: int = 20_000_000) -> None:
    """Keep a log that others append to below ``limit_bytes``: what is there moves to ``NAME.1``.

    A line written in between may be lost; the writers keep their open file. On a full disk the old lines go, since only
    that makes room.
    """
    try:
        if path.stat().st_size < limit_bytes:
            return
    except FileNotFoundError:
        return
    older = path.with_name(path.name + ".1")
    try:
        shutil.copyfile(path, older)
    except OSError:
        older.unlink(missing_ok=True)
    os.truncate(path, 0)


def open_log(path: Path) -> IO[bytes]:
    """A log that only we may read, opened so that several writers may append."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _tie() -> tuple[str, list[int]]:
    if sys.platform == "linux":
        return f"parent={os.getpid()}", []
    reading, _ = _lifeline(os.getpid())
    return f"lifeline={reading}", [reading]


@functools.cache
def _lifeline(_process_id: int) -> tuple[int, int]:
    """A pipe whose writing end only this process holds, until it ends."""
    return os.pipe()


def _in_lasting_thread(make: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Linux counts the end of the thread that forked as the end of the parent, so one thread forks for all."""
    future: Future[subprocess.Popen[bytes]] = Future()
    _spawner(os.getpid()).put((future, make))
    return future.result()


_Order = tuple[Future[subprocess.Popen[bytes]], Callable[[], subprocess.Popen[bytes]]]


@functools.cache
def _spawner(_process_id: int) -> "queue.SimpleQueue[_Order]":
    orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            future, make = orders.get()
            try:
                future.set_result(make())
            except Exception as error:  # noqa: BLE001  handed to the thread that asked
                future.set_exception(error)

    threading.Thread(target=serve, name="spawner", daemon=True).start()
    return orders


def wait_until(reached: Callable[[], bool], limit_s: float, step_s: float = 0.02) -> bool:
    """Look every ``step_s`` until ``reached``; False when ``limit_s`` have passed."""
    deadline = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() >= deadline:
            return False
        time.sleep(step_s)
    return True

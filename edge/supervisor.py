"""Runs child processes: starts them, starts crashed ones again, ends them in order. It knows nothing of their work."""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from config.processes import Backoff, kill_session, open_log, spawn, trim_log, wait_until
from core.errors import Broken, ConfigError

logger = logging.getLogger(__name__)

TICK_S = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object] | int | None


@dataclass(frozen=True, slots=True)
class Child:
    """A process to run. ``argv[0]`` is the program; ``env`` is all of its environment, and never shown.

    ``drain_s``: seconds between SIGTERM and SIGKILL. ``restart``: start it again when it ends by itself.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    drain_s: float = 10.0
    restart: bool = True


@dataclass(slots=True)
class _Kept:
    """A child with its newest process and what is known of its ends."""

    child: Child
    process: "subprocess.Popen[bytes]"
    started_at: float
    backoff: Backoff = field(default_factory=Backoff)
    end_noted: bool = False


class Supervisor:
    """A context manager around the life of some children; leaving it ends them.

    Stderr of a child goes to ``NAME.log`` in ``log_dir`` (kept), stdout to ``NAME.out`` (new at each start). Its stdin
    is a pipe that stays open as long as we live. While inside, SIGINT, SIGTERM and SIGHUP ask for the stop (``wait``
    returns True), and a second one ends what still drains. ``stop_order`` names who ends first; the others follow,
    newest first. ``revive`` is called some times a second, to keep other things alive, and returns sentences to log.
    """

    def __init__(
        self,
        log_dir: Path,
        *,
        stop_order: Sequence[str] = (),
        revive: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self.log_dir = log_dir
        self._stop_order = tuple(stop_order)
        self._revive = revive
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._former_handlers: dict[signal.Signals, Handler] = {}
        self._failure: Exception | None = None
        # Plain marks, not threading.Event: its lock may be held by the very code that a signal interrupts.
        self._stop_asked = False
        self._hurry = False
        self._stopping = False

    def __enter__(self) -> Self:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        if threading.current_thread() is threading.main_thread():
            self._former_handlers = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        self._monitor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._former_handlers.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def start(self, child: Child) -> int:
        """Start a child under its name, which must be new; returns its process id."""
        with self._lock:
            if self._stopping or child.name in self._kept:
                raise Broken(f"{child.name} cannot be started: it was before, or everything stops")
            self._kept[child.name] = _Kept(child, self._launch(child), time.monotonic())
            return self._kept[child.name].process.pid

    def pids(self) -> Mapping[str, int]:
        """The process id of each child that lives now."""
        with self._lock:
            return {name: kept.process.pid for name, kept in self._kept.items() if kept.process.poll() is None}

    def ended(self) -> Mapping[str, int]:
        """Exit codes of the children that have ended for good: those with ``restart`` off (a signal is negative)."""
        with self._lock:
            codes = {name: kept.process.poll() for name, kept in self._kept.items() if not kept.child.restart}
        return {name: code for name, code in codes.items() if code is not None}

    def read_ready_line(self, name: str, timeout_s: float) -> str:
        """The first line that a child wrote to stdout since its newest start, without its line end.

        Raises ConfigError when it ends first, or says nothing within ``timeout_s``.
        """
        path = self.log_dir / f"{name}.out"
        process = self._kept[name].process
        wait_until(lambda: b"\n" in path.read_bytes() or process.poll() is not None or self._stop_asked, timeout_s)
        line, end, _ = path.read_bytes().partition(b"\n")
        if not end:
            code = process.poll()
            what = (
                f"was not ready within {timeout_s:g} s"
                if code is None
                else f"ended with code {code} before it was ready"
            )
            raise ConfigError(f"{name} {what}; see {self.log_dir / name}.log")
        return line.decode()

    def ask_to_stop(self) -> None:
        """Make ``wait`` return True, as a first Ctrl-C does."""
        self._stop_asked = True

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until asked to stop (True) or for ``timeout_s`` (False); raises what broke the supervisor itself."""
        limit_s = float("inf") if timeout_s is None else timeout_s
        asked = wait_until(lambda: self._stop_asked or self._failure is not None, limit_s, step_s=0.05)
        if self._failure:
            raise self._failure
        return asked

    def stop(self) -> None:
        """End all children, one after another in the stop order; calling it again does nothing."""
        with self._lock:
            self._stopping = True
        if self._monitor.is_alive():
            self._monitor.join()
        newest_first = list(reversed(self._kept))
        names = [name for name in self._stop_order if name in self._kept]
        for name in [*names, *(name for name in newest_first if name not in names)]:
            self._end(self._kept[name])

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._hurry = self._stop_asked
        self._stop_asked = True

    def _watch(self) -> None:
        """The monitor's thread: it only ends with the supervisor, and says so when something unforeseen ends it."""
        try:
            while not self._stopping:
                self._call_revive()
                with self._lock:
                    for kept in self._kept.values():
                        self._look_after(kept, time.monotonic())
                time.sleep(TICK_S)
        except Exception as error:  # noqa: BLE001  the main thread raises it from ``wait``
            self._failure = error

    def _call_revive(self) -> None:
        try:
            for sentence in self._revive() if self._revive else ():
                logger.warning(sentence)
        except OSError as error:
            # A full disk or too many processes: it may pass, and ending everything would not help.
            logger.error("a server could not be started again: %s", error)

    def _look_after(self, kept: _Kept, now: float) -> None:
        """Start a child again when it has ended and its wait is over; keep its files short."""
        for suffix in ("log", "out"):
            trim_log(self.log_dir / f"{kept.child.name}.{suffix}")
        code = kept.process.poll()
        if code is None or self._stopping:
            return
        if not kept.end_noted:
            kept.end_noted = True
            kill_session(kept.process)
            _close_stdin(kept.process)
            wait_s = kept.backoff.ended(now, now - kept.started_at)
            plan = f"it starts again in {wait_s:g} s" if kept.child.restart else "it is not started again"
            logger.warning("%s ended with code %d; %s", kept.child.name, code, plan)
        if kept.child.restart and now >= kept.backoff.not_before:
            try:
                kept.process = self._launch(kept.child)
            except OSError as error:
                wait_s = kept.backoff.ended(now, 0.0)
                logger.error("%s could not be started: %s; next try in %g s", kept.child.name, error, wait_s)
            else:
                kept.started_at, kept.end_noted = now, False

    def _launch(self, child: Child) -> "subprocess.Popen[bytes]":
        # Python of another project must not be found first, and lines must not wait in a buffer.
        env = {name: value for name, value in child.env.items() if name != "PYTHONPATH"} | {"PYTHONUNBUFFERED": "1"}
        with (
            open_log(self.log_dir / f"{child.name}.out") as stdout,
            open_log(self.log_dir / f"{child.name}.log") as stderr,
        ):
            stdout.truncate(0)
            return spawn(child.argv, env=env, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr)

    def _end(self, kept: _Kept) -> None:
        """SIGTERM, time to drain, SIGKILL for what is left of its session."""
        process = kept.process
        if process.poll() is None:
            process.terminate()
            wait_until(lambda: process.poll() is not None or self._hurry, kept.child.drain_s)
            kill_session(process)
        process.wait()
        _close_stdin(process)


def _close_stdin(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin:
        process.stdin.close()

"""One server process in its home: launched, waited for, launched again after a crash, and stopped."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from config.embedded.home import Home
from config.embedded.words import explain
from config.processes import Backoff, end, open_log, spawn, trim_log
from core.errors import ConfigError

# Nothing of our own environment reaches a server: PGDATA, PGOPTIONS and their like would change it.
SERVER_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
LAST_WORDS_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Command:
    """How one server is run.

    ``stdin`` is what it reads first (settings that must not show in the process list). ``stop_steps`` are the signals
    for a clean end with the seconds each may take; ``death_signal`` is for the case that we die.
    """

    name: str
    argv: Sequence[str]
    cwd: Path
    stop_steps: Sequence[tuple[signal.Signals, float]]
    death_signal: signal.Signals
    stdin: bytes = b""


class Server:
    """A running server; a context manager that stops it. Not for several threads at once."""

    def __init__(self, home: Home, command: Command) -> None:
        self.home = home
        self.command = command
        self._backoff = Backoff()
        self._seen_ended = False
        self._log_start = 0
        self._launched_at = 0.0
        self.process = self._launch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def name(self) -> str:
        return self.command.name

    def wait_ready(self, ready: Callable[[], bool], limit_s: float) -> None:
        """Return when ``ready`` says so; raises ConfigError when the server ends or ``limit_s`` pass."""
        deadline = time.monotonic() + limit_s
        while not ready():
            if self.process.poll() is not None:
                raise explain(self.name, self.last_words(), self.home.folder, self.home.log)
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"{self.name} was not ready after {limit_s:g} s; if {self.home.log} shows that it still recovers, "
                    "start again: it goes on from there"
                )
            time.sleep(0.01)

    def check(self) -> None:
        """Raise ConfigError, with the cause where it is known, when the server has ended by itself."""
        if self.process.poll() is not None:
            raise explain(self.name, self.last_words(), self.home.folder, self.home.log)

    def revive(self, now: float) -> bool:
        """Launch an ended server again, after growing waits, and never wait here; True when it did.

        ``now``: monotonic seconds. Addresses stay the same, and the server itself recovers its data. Its log is kept
        short here too. Raises OSError when not even a process can be made; the next call tries again.
        """
        trim_log(self.home.log)
        if self.process.poll() is None:
            return False
        if not self._seen_ended:
            self._seen_ended = True
            self._backoff.ended(now, now - self._launched_at)
        if now < self._backoff.not_before:
            return False
        try:
            self.process = self._launch()
        except OSError:
            self._backoff.ended(now, 0.0)
            raise
        return True

    def stop(self) -> None:
        """End the server cleanly, and free the folder; calling it again does nothing."""
        if self.home.lock_fd >= 0:
            end(self.process, self.command.stop_steps)
            self.home.close()

    def last_words(self) -> str:
        """What it has written since this launch, the end of it."""
        return written_since(self.home.log, self._log_start)

    def _launch(self) -> subprocess.Popen[bytes]:
        with open_log(self.home.log) as log, tempfile.TemporaryFile() as settings:
            settings.write(self.command.stdin)
            settings.seek(0)
            self._log_start = log.tell()
            process = spawn(
                self.command.argv,
                env=SERVER_ENV,
                cwd=self.command.cwd,
                stdin=settings,
                stdout=log,
                stderr=log,
                account=self.home.account,
                death_signal=self.command.death_signal,
                keep_fds=[self.home.lock_fd],
            )
        self._launched_at = time.monotonic()
        self._seen_ended = False
        return process


def written_since(log: Path, start: int) -> str:
    """The end of a log, from byte ``start`` at the earliest; from its beginning when it was cut short since."""
    with log.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(start, size - LAST_WORDS_BYTES) if start <= size else 0)
        return stream.read().decode(errors="replace")

"""The folder one embedded server lives in: its lock, passwords and data, and the short-lived folder of its socket."""

import errno
import fcntl
import json
import os
import pwd
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.processes import Account, wait_until
from core.errors import ConfigError

# sun_path holds 104 bytes on macOS and 108 on Linux, its end mark included.
SOCKET_PATH_BYTES = 100
# PostgreSQL gives its own children 5 s to end at once before it kills them.
LAST_RUN_ENDS_S = 10.0


def server_account() -> Account | None:
    """Who the servers run as: us, or nobody when we are root, since PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


class Home:
    """An embedded server's folder, locked from ``open`` to ``close``.

    ``lock_fd`` is to be inherited by the server: then the lock outlives us for as long as any of its processes does,
    and no second server ever starts beside one that still ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.account = server_account()
        self.run_dir = Path()
        self.lock_fd = -1

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket_dir(self) -> Path:
        return self.run_dir / "socket"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def open(self) -> None:
        """Make, lock and tidy the folder; raises ConfigError when another run has it or the disk is full."""
        try:
            self._make_folder()
            self._lock()
            try:
                self._remove_last_run_dir()
                self._make_run_dir()
            except BaseException:
                self.close()
                raise
        except OSError as error:
            cause = error.strerror or type(error).__name__
            cure = "free some space" if error.errno == errno.ENOSPC else "choose a folder that you may write to"
            raise ConfigError(f"{self.folder} cannot be used: {cause}; {cure}") from error

    def close(self) -> None:
        """Remove what belongs to this run and unlock; the data stays."""
        if self.run_dir != Path():
            shutil.rmtree(self.run_dir, ignore_errors=True)
            self.run_dir = Path()
        os.ftruncate(self.lock_fd, 0)
        os.close(self.lock_fd)
        self.lock_fd = -1

    def announce(self, urls: Mapping[str, str]) -> None:
        """Leave the run's addresses in the lock file (0600), for ``announced``."""
        note = {"pid": os.getpid(), "run_dir": str(self.run_dir), "urls": dict(urls)}
        os.ftruncate(self.lock_fd, 0)
        os.pwrite(self.lock_fd, json.dumps(note).encode(), 0)

    def passwords(self, names: Sequence[str]) -> Mapping[str, str]:
        """Random passwords, made once and kept 0600 beside the data.

        Raises ConfigError when there is data and the passwords to it are gone.
        """
        file = self.folder / "passwords.json"
        if file.exists():
            kept: dict[str, str] = json.loads(file.read_text())
            return kept
        if self.data.exists():
            raise ConfigError(f"{file} is missing, and {self.data} opens to nothing else; put it back from a backup")
        made = {name: secrets.token_urlsafe(24) for name in names}
        write_private(file, json.dumps(made))
        return made

    def make_server_dir(self, path: Path) -> None:
        """A folder only the server's user may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        self.give_to_server(path)

    def give_to_server(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def data_path_for_server(self) -> str:
        """The data folder as the server, started inside it, has to name it.

        On Linux nobody need not be able to walk down to it: a data folder below /root works too.
        """
        if self.account is None:
            return str(self.data)
        if sys.platform == "linux":
            return "/proc/self/cwd"
        closed = [str(part) for part in self.data.parents if not part.stat().st_mode & stat.S_IXOTH]
        if closed:
            raise ConfigError(
                f"as root the servers run as nobody, who may not enter {closed[0]}; choose a folder elsewhere"
            )
        return str(self.data)

    def _make_folder(self) -> None:
        missing = [part for part in (self.folder, *self.folder.parents) if not part.exists()]
        for part in reversed(missing):
            part.mkdir(mode=0o711 if self.account else 0o700, exist_ok=True)

    def _lock(self) -> None:
        self.lock_fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        # The servers of a killed run may need a while to end; a living run will not go away.
        if not wait_until(self._try_lock, 1.0) and (
            self._holder_lives() or not wait_until(self._try_lock, LAST_RUN_ENDS_S)
        ):
            holder = read_note(self.lock_fd).get("pid", "unknown")
            os.close(self.lock_fd)
            self.lock_fd = -1
            raise ConfigError(
                f"process {holder} already runs on {self.folder}; stop it first, or choose another folder"
            )

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder_lives(self) -> bool:
        holder = read_note(self.lock_fd).get("pid")
        return isinstance(holder, int) and process_lives(holder)

    def _remove_last_run_dir(self) -> None:
        """A run that was killed left its socket folder behind."""
        last = read_note(self.lock_fd).get("run_dir")
        if isinstance(last, str) and Path(last).name.startswith("holdfast-"):
            path = Path(last)
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)

    def _make_run_dir(self) -> None:
        for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108  mkdtemp makes it private
            if len(os.fsencode(f"{base}/holdfast-12345678/socket/.s.PGSQL.65535")) <= SOCKET_PATH_BYTES and (
                self.account is None or _everybody_may_enter(Path(base))
            ):
                self.run_dir = Path(tempfile.mkdtemp(prefix="holdfast-", dir=base))
                self.announce({})
                self.run_dir.chmod(0o711 if self.account else 0o700)
                self.make_server_dir(self.socket_dir)
                return
        raise ConfigError("no folder for sockets: set TMPDIR to a short path that every user may enter, such as /tmp")


def read_note(lock_fd: int) -> Mapping[str, object]:
    """What the newest holder of a lock wrote into its file; empty when there is nothing whole."""
    try:
        note: object = json.loads(os.pread(lock_fd, 65536, 0))
    except ValueError:
        # Not written yet, or torn by a power failure: either way it tells nothing.
        return {}
    return note if isinstance(note, dict) else {}


def announced(folder: Path) -> Mapping[str, str]:
    """The addresses of the server that runs on a folder now; empty when none does."""
    try:
        lock_fd = os.open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return {}
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        urls = read_note(lock_fd).get("urls")
        return urls if isinstance(urls, dict) else {}
    finally:
        os.close(lock_fd)
    return {}


def process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_private(file: Path, content: str) -> None:
    """Write a file that only we may read, whole or not at all, and on the disk when this returns."""
    new = file.with_name(file.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def _everybody_may_enter(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.resolve().parents))

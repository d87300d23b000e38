"""The two servers of a hub on one machine, started and stopped together."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from config.embedded.home import announced
from config.embedded.postgres import Postgres, start_postgres
from config.embedded.server import Server
from config.embedded.valkey import Valkey, start_valkey


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are. ``owner_url`` (migrations) and ``app_url`` are SQLAlchemy's, ``redis_url`` is redis-py's."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    data_dir: Path


class Embedded:
    """Both servers; a context manager that stops them. Not for several threads at once."""

    def __init__(self, data_dir: Path, postgres: Postgres, valkey: Valkey) -> None:
        self.postgres = postgres
        self.valkey = valkey
        self.servers = Servers(postgres.owner_url, postgres.app_url, valkey.url, data_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def processes(self) -> Mapping[str, "subprocess.Popen[bytes]"]:
        """The newest process of each, by the names ``postgres`` and ``valkey``."""
        return {"postgres": self.postgres.process, "valkey": self.valkey.process}

    def check(self) -> None:
        """Raise ConfigError, with the cause where it is known, when a server has ended by itself."""
        for server in self._both():
            server.check()

    def revive(self) -> Sequence[str]:
        """Launch what has ended again, without waiting for it; returns a sentence for each. To be called often."""
        now = time.monotonic()
        return [f"{server.name} had ended and is started again" for server in self._both() if server.revive(now)]

    def stop(self) -> None:
        """End both cleanly; calling it again does nothing."""
        try:
            self.valkey.stop()
        finally:
            self.postgres.stop()

    def _both(self) -> Sequence[Server]:
        return self.postgres, self.valkey


def start(
    data_dir: Path,
    *,
    postgres_major: int = 18,
    fsync: bool = True,
    tcp: bool = False,
    postgres_port: int = 0,
    valkey_port: int = 0,
    start_limit_s: float = 120.0,
) -> Embedded:
    """Run both servers on ``data_dir``, made on first use; both answer when this returns.

    Args and errors: see ``start_postgres`` and ``start_valkey``.
    """
    data_dir = data_dir.absolute()
    postgres = start_postgres(
        data_dir / "postgres",
        major=postgres_major,
        fsync=fsync,
        tcp=tcp,
        port=postgres_port,
        start_limit_s=start_limit_s,
    )
    try:
        valkey = start_valkey(data_dir / "valkey", fsync=fsync, tcp=tcp, port=valkey_port, start_limit_s=start_limit_s)
    except BaseException:
        postgres.stop()
        raise
    return Embedded(data_dir, postgres, valkey)


def running(data_dir: Path) -> Servers | None:
    """Where the servers are that another process runs on ``data_dir`` now; None when none does."""
    urls = {**announced(data_dir / "postgres"), **announced(data_dir / "valkey")}
    if not urls.keys() >= {"owner", "app", "redis"}:
        return None
    return Servers(urls["owner"], urls["app"], urls["redis"], data_dir.absolute())

"""PostgreSQL from its wheel: made with initdb, run as our child, opened only to passwords of its own."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from config.embedded.binaries import postgres_folder, share_postgres
from config.embedded.home import Home
from config.embedded.ports import retry_port
from config.embedded.server import SERVER_ENV, Command, Server, written_since
from config.embedded.words import explain
from config.processes import kill_session, open_log, spawn
from core.errors import ConfigError

DATABASE = "holdfast"
SUPERUSER, OWNER, APP = "postgres", "holdfast_owner", "holdfast_app"
SOCKET_PORT = 5432
INITDB_LIMIT_S = 120.0
CREATE_ROLE = "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    major: int
    fsync: bool
    port: int | None
    start_limit_s: float


class Postgres(Server):
    """A PostgreSQL of our own. ``superuser_url`` is for set-up and tests; no process of the hub uses it."""

    def __init__(self, home: Home, command: Command, passwords: dict[str, str], port: int | None) -> None:
        self._passwords = passwords
        self._port = port
        super().__init__(home, command)

    @property
    def owner_url(self) -> str:
        return self._url(OWNER, DATABASE)

    @property
    def app_url(self) -> str:
        return self._url(APP, DATABASE)

    @property
    def superuser_url(self) -> str:
        return self._url(SUPERUSER, SUPERUSER)

    def is_ready(self) -> bool:
        """The server's own word: the last line of its pid file."""
        lines = pid_file_lines(self.home.data)
        return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].startswith("ready")

    def connect_as_superuser(self, database: str = SUPERUSER) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.home.socket_dir),
            port=self._port or SOCKET_PORT,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        )

    def set_up(self) -> None:
        """Make the roles and the database where they are missing: ``holdfast_owner`` owns, ``holdfast_app`` works."""
        with self.connect_as_superuser() as connection:
            roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in (OWNER, APP):
                if role not in roles:
                    # Hashed here, so that not even an error in the server's log shows the password.
                    hashed = connection.pgconn.encrypt_password(
                        self._passwords[role].encode(), role.encode(), b"scram-sha-256"
                    )
                    connection.execute(sql.SQL(CREATE_ROLE).format(sql.Identifier(role), sql.Literal(hashed.decode())))
            database = sql.Identifier(DATABASE)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(OWNER)))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(APP)))

    def _url(self, user: str, database: str) -> str:
        login = f"postgresql+psycopg://{user}:{quote(self._passwords[user], safe='')}"
        if self._port:
            return f"{login}@127.0.0.1:{self._port}/{database}"
        return f"{login}@/{database}?host={quote(str(self.home.socket_dir))}&port={SOCKET_PORT}"


def start_postgres(
    folder: Path,
    *,
    major: int = 18,
    fsync: bool = True,
    tcp: bool = False,
    port: int = 0,
    start_limit_s: float = 120.0,
) -> Postgres:
    """Run PostgreSQL on ``folder``, made on first use; ready, with roles and database, when this returns.

    Args:    fsync: False only where the data may be lost with the machine. tcp: listen on 127.0.0.1 beside the private
             socket; ``port`` 0 lets the system choose. start_limit_s: crash recovery has to fit.
    Raises:  ConfigError: folder in use, port taken, disk full, data of another major version, unsupported platform.
    """
    return retry_port(
        port if tcp else None,
        lambda chosen: _start(folder, PostgresOptions(major, fsync, chosen, start_limit_s)),
    )


def _start(folder: Path, options: PostgresOptions) -> Postgres:
    installation = postgres_folder(options.major)
    home = Home(folder)
    home.open()
    server: Postgres | None = None
    try:
        if home.account:
            installation = share_postgres(installation, home.run_dir / "programs")
        passwords = dict(home.passwords((SUPERUSER, OWNER, APP)))
        if not home.data.exists():
            _initdb(home, installation, options, passwords[SUPERUSER])
        _check_major(home.data, options.major)
        _forget_reused_pid(home.data)
        server = Postgres(home, _command(home, installation, options), passwords, options.port)
        server.wait_ready(server.is_ready, options.start_limit_s)
        server.set_up()
        home.announce({"owner": server.owner_url, "app": server.app_url})
    except BaseException as error:
        if server:
            server.stop()
        else:
            home.close()
        if isinstance(error, psycopg.Error | OSError):
            raise explain("PostgreSQL", str(error), home.folder, home.log) from error
        raise
    return server


def _command(home: Home, installation: Path, options: PostgresOptions) -> Command:
    settings = {
        "listen_addresses": "127.0.0.1" if options.port else "",
        "port": str(options.port or SOCKET_PORT),
        "unix_socket_directories": str(home.socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "fsync": "on" if options.fsync else "off",
        "full_page_writes": "on" if options.fsync else "off",
        "synchronous_commit": "on",
        # Queues and listings change many times a second; dead rows wait no minute to be cleared.
        "autovacuum_naptime": "10s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_checkpoints": "off",
    }
    argv = [str(installation / "bin" / "postgres"), "-D", home.data_path_for_server()]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return Command(
        name="PostgreSQL",
        argv=argv,
        cwd=home.data,
        # Fast: it writes a checkpoint and is clean; immediate: it recovers at the next start.
        stop_steps=((signal.SIGINT, 30.0), (signal.SIGQUIT, 8.0)),
        death_signal=signal.SIGQUIT,
    )


def _initdb(home: Home, installation: Path, options: PostgresOptions, password: str) -> None:
    """Make the data under another name first, so that a broken attempt is never taken for data."""
    new = home.folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    home.make_server_dir(new)
    locale = ["--locale=C", "--encoding=UTF8"]
    if options.major >= 17:
        # The same letters and order on every machine.
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    data = home.data_path_for_server() if home.account else str(new)
    with tempfile.NamedTemporaryFile("w", dir=home.socket_dir) as password_file:
        password_file.write(password)
        password_file.flush()
        home.give_to_server(Path(password_file.name))
        argv = [
            str(installation / "bin" / "initdb"),
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file.name}",
            "--auth=scram-sha-256",
            *locale,
            *([] if options.fsync else ["--no-sync"]),
        ]
        _run_initdb(home, argv, new)
    new.rename(home.data)


def _run_initdb(home: Home, argv: Sequence[str], cwd: Path) -> None:
    with open_log(home.log) as log:
        start = log.tell()
        process = spawn(
            argv,
            env=SERVER_ENV,
            cwd=cwd,
            stdout=log,
            stderr=log,
            account=home.account,
            keep_fds=[home.lock_fd],
        )
    try:
        code = process.wait(INITDB_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"initdb was not done after {INITDB_LIMIT_S:g} s; is the disk of {cwd} very slow?") from error
    finally:
        kill_session(process)
        process.wait()
    if code != 0:
        shutil.rmtree(cwd, ignore_errors=True)
        raise explain("PostgreSQL", written_since(home.log, start), home.folder, home.log)


def _check_major(data: Path, major: int) -> None:
    written_by = (data / "PG_VERSION").read_text().strip()
    if written_by != str(major):
        raise ConfigError(
            f"the data in {data} was written by PostgreSQL {written_by} and this is {major}; "
            f"run version {written_by} on it, or dump it there and restore it into a new folder"
        )


def _forget_reused_pid(data: Path) -> None:
    """Remove the pid file of a crashed server when its number now belongs to something else.

    PostgreSQL would take that for a living server; after a restart of a container the numbers are nearly always reused.
    The folder's lock says that no server of ours lives; the look at the process is for one started by hand.
    """
    lines = pid_file_lines(data)
    if not lines or not lines[0].isdigit():
        return
    try:
        process = psutil.Process(int(lines[0]))
        ours = process.name().startswith("postgres") and Path(process.cwd()) == data.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # Gone, or not to be seen: PostgreSQL decides.
        return
    if not ours:
        (data / "postmaster.pid").unlink()


def pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []

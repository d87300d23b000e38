"""The yardstick: the usual one-row reservation, driven by PostgreSQL's own pgbench.

One transaction inserts a reservation, inserts its movement and takes a unit off the stock row where there is one left:
what a shop without a ledger would do.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from config.embedded import Postgres
from config.embedded.binaries import postgres_folder
from config.processes import kill_session, spawn

DATABASE = "yardstick"
CLIENTS = 16
_TABLES = """
    CREATE TABLE stock (item_id bigint PRIMARY KEY, free bigint NOT NULL CHECK (free >= 0)) WITH (fillfactor = 70);
    CREATE TABLE reservation (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id bigint NOT NULL, units bigint NOT NULL,
        expires_at timestamptz NOT NULL
    );
    CREATE TABLE movement (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id bigint NOT NULL, from_bucket text NOT NULL,
        to_bucket text NOT NULL, units bigint NOT NULL, recorded_at timestamptz NOT NULL
    );
"""
_SCRIPT = """\\set item random(1, {items})
BEGIN;
INSERT INTO reservation (item_id, units, expires_at) VALUES (:item, 1, now() + interval '15 minutes');
INSERT INTO movement (item_id, from_bucket, to_bucket, units, recorded_at)
VALUES (:item, 'free', 'reserved', 1, now());
UPDATE stock SET free = free - 1 WHERE item_id = :item AND free >= 1;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """pgbench against a database of its own; ``url`` leads over the socket that the core uses, too."""

    url: URL
    folder: Path

    def per_second(self, items: int, seconds: float) -> float:
        """Transactions a second over ``items`` stock rows. Raises: RuntimeError with pgbench's words."""
        script = self.folder / f"reserve-{items}.sql"
        script.write_text(_SCRIPT.format(items=items))
        said = self._pgbench(
            "--no-vacuum", f"--client={CLIENTS}", "--jobs=2", "--protocol=prepared", f"--time={max(round(seconds), 1)}",
            f"--file={script}",
        )  # fmt: skip
        found = re.search(r"^tps = ([0-9.]+) \(without", said, re.MULTILINE)
        if found is None or "number of failed transactions: 0 " not in said:
            raise RuntimeError(f"pgbench told no speed, or had failures:\n{said}")
        return float(found[1])

    def _pgbench(self, *options: str) -> str:
        program = postgres_folder(18) / "bin" / "pgbench"
        env = {
            "PGHOST": str(self.url.query["host"]), "PGPORT": str(self.url.query["port"]),
            "PGUSER": self.url.username or "", "PGPASSWORD": self.url.password or "", "LC_ALL": "C",
        }  # fmt: skip
        process = spawn(
            [str(program), *options, DATABASE], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            said = process.communicate()[0].decode(errors="replace")
        finally:
            kill_session(process)
        if process.returncode:
            raise RuntimeError(f"pgbench failed:\n{said}")
        return said


def make_yardstick(server: Postgres, folder: Path, items: int) -> Yardstick:
    """A database with ``items`` stock rows that never run out."""
    with server.connect_as_superuser() as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER holdfast_owner")  # the name is the constant above
    url = make_url(server.owner_url).set(database=DATABASE)
    with server.connect_as_superuser(DATABASE) as connection:
        connection.execute("SET ROLE holdfast_owner")
        connection.execute(_TABLES)
        connection.execute("INSERT INTO stock SELECT n, 1000000000 FROM generate_series(1, %s) n", [items])
        connection.execute("RESET ROLE")
        connection.execute("VACUUM ANALYZE")
    return Yardstick(url, folder)

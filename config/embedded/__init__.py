"""PostgreSQL and Valkey as children of one process, from the programs that their wheels carry.

Only the programs are used. Each server lives in a folder of its own with lock, passwords, log and data, speaks over a
socket in a private folder, and ends with the process that started it, whatever ends that.
"""

from config.embedded.both import Embedded, Servers, running, start
from config.embedded.postgres import Postgres, start_postgres
from config.embedded.valkey import Valkey, start_valkey

__all__ = ["Embedded", "Postgres", "Servers", "Valkey", "running", "start", "start_postgres", "start_valkey"]

"""``Database.begin(merchant_id)``: the only commit, the tenant's wall, and where time and ids come from."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from core.arrays import ListDumper

Clock = Callable[[], datetime]

APP_ROLE = "holdfast_app"
# Never to become smaller: ids handed out before would come again.
_IDS_PER_BLOCK = 16_384
# A plan is made for the table as it is now: one kept from when the table was empty read whole merchants for each key.
_OPTIONS = "-c timezone=UTC -c lock_timeout=15s -c statement_timeout=60s -c plan_cache_mode=force_custom_plan"
# Statements are few and constant; reading one for its bound names costs as much as running it.
_statement = lru_cache(maxsize=512)(text)
_ENTER = text("SELECT set_config('holdfast.merchant_id', :merchant_id, true)")


def wall_clock() -> datetime:
    return datetime.now(UTC)


def connect(url: str, *, pool_size: int = 8, role: str | None = APP_ROLE) -> Engine:
    """An engine whose every connection is ``role`` (None: the login itself, for migrations).

    A login that owns the database steps down to the application's role at once, so no process can change what was
    recorded or look over a tenant's wall.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        pool_timeout=20,
        connect_args={"connect_timeout": 5, "options": _OPTIONS},
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: Any) -> None:
        raw.prepare_threshold = 2
        raw.adapters.register_dumper(list, ListDumper)
        if role is not None and raw.info.user != role:
            raw.autocommit = True
            raw.execute(f"SET ROLE {role}")
            raw.autocommit = False

    return engine


class IdSource:
    """Ids made by us: unique over all processes, each from a block of numbers that a sequence hands out."""

    def __init__(self, blocks: Callable[[], int] | None = None) -> None:
        self._next_block = blocks
        self._lock = threading.Lock()
        self._next = self._end = 0

    def take(self, connection: Connection) -> int:
        """The next id; asks the database once for a block."""
        return self.take_many(connection, 1)[0]

    def at_hand(self, most: int) -> list[int]:
        """The next ids, rising: as many as are left of a block, so that nobody is asked."""
        with self._lock:
            return list(self._cut(most))

    def take_many(self, connection: Connection, count: int) -> list[int]:
        """The next ids, rising."""
        taken: list[int] = []
        with self._lock:
            while len(taken) < count:
                if self._next == self._end:
                    block = self._next_block() if self._next_block else _next_block(connection)
                    self._next, self._end = block * _IDS_PER_BLOCK, (block + 1) * _IDS_PER_BLOCK
                taken.extend(self._cut(count - len(taken)))
        return taken

    def _cut(self, most: int) -> range:
        """What is left of the block, but no more than ``most``; for who has the lock."""
        first, self._next = self._next, min(self._next + most, self._end)
        return range(first, self._next)


def _next_block(connection: Connection) -> int:
    return int(connection.execute(text("SELECT nextval('id_block')")).scalar_one())


@dataclass(slots=True)
class Transaction:
    """One open transaction of one merchant; ``now`` stands still in it."""

    connection: Connection
    merchant_id: int
    now: datetime
    actor: str
    source: str
    correlation_id: str
    holder: str
    _ids: IdSource

    def new_id(self) -> int:
        return self._ids.take(self.connection)

    def new_ids(self, count: int) -> list[int]:
        """As many ids, rising."""
        return self._ids.take_many(self.connection, count)

    def ids_at_hand(self, most: int) -> list[int]:
        """As many as can be had without a statement, rising; perhaps none."""
        return self._ids.at_hand(most)

    def run(self, statement: str, /, **values: object) -> Any:
        """Execute a text statement with ``:merchant_id`` and ``:now`` always bound."""
        return self.connection.execute(
            _statement(statement), {"merchant_id": self.merchant_id, "now": self.now, **values}
        )


@dataclass(slots=True)
class Database:
    """The doors to one database. ``holder`` names the process in the leases that it takes."""

    engine: Engine
    clock: Clock = wall_clock
    ids: IdSource = field(default_factory=IdSource)
    holder: str = ""

    @contextmanager
    def begin(
        self, merchant_id: int, *, actor: str, source: str = "", correlation_id: str = ""
    ) -> Iterator[Transaction]:
        """Open a transaction inside one merchant's wall; commits at the end, rolls back on any exception."""
        with self.engine.begin() as connection:
            connection.execute(_ENTER, {"merchant_id": str(merchant_id)})
            yield Transaction(
                connection, merchant_id, self.clock(), actor, source, correlation_id, self.holder, self.ids
            )

    @contextmanager
    def begin_piped(self, merchant_id: int, *, actor: str, source: str = "") -> Iterator[Transaction]:
        """Like ``begin``, for who opens a pipe at once: that begins the transaction and sets the tenant in it."""
        with self.engine.begin() as connection:
            yield Transaction(connection, merchant_id, self.clock(), actor, source, "", self.holder, self.ids)

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """A transaction of no merchant: sees no tenant's rows, only what the schema's functions hand out."""
        with self.engine.begin() as connection:
            yield connection

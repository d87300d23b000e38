"""Statements that travel together: each leaves as soon as it is ready, and answers are awaited only where one is read.

A batch is a dozen statements. Waiting for each answer before the next is sent takes longer than all that the server
does for them, and every wait costs time of ours. So a batch speaks to libpq itself, in its pipeline mode (PostgreSQL
18, section 32.5); statements are prepared once for each connection.
"""

import select
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from itertools import count
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import Connection, Dialect, Engine, event, text
from sqlalchemy.exc import DBAPIError

from core.arrays import parameter
from core.transaction import Transaction

# Waking the server for each small statement costs both of us more than the statement; a large one it can begin with.
_WORTH_SENDING = 4096


class Runner(Protocol):
    """What runs a statement with ``:merchant_id`` and ``:now`` always bound: a transaction, or a pipe in it."""

    def run(self, statement: str, /, **values: object) -> Any: ...


class Answer:
    """What a statement answers, once it is asked for."""

    def __init__(self, pipe: "Pipe", prepares: str | None = None) -> None:
        self._pipe, self.prepares = pipe, prepares
        self.result: PGresult | None = None

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        """Rows as plain tuples, in the order that the statement names its columns. Waits for them."""
        return self._pipe.rows(self)

    def scalars(self) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self.fetchall()]


class Pipe:
    """Sends without waiting."""

    def __init__(self, tx: Transaction, raw: "psycopg.Connection[Any]", prepared: dict[str, bytes]) -> None:
        self._conn, self._prepared, self._dialect = raw.pgconn, prepared, tx.connection.dialect
        self._reads = Transformer(raw)
        self._always = {"merchant_id": tx.merchant_id, "now": tx.now}
        self._asked: deque[Answer] = deque()
        self._kept_back = 0  # bytes of values not sent yet
        self._failed: PGresult | None = None

    def run(self, statement: str, /, **values: object) -> Answer:
        """Send; what goes wrong is raised where an answer is read, or at the end."""
        native, names = _native(statement, self._dialect)
        bound = self._always | values
        parameters = [parameter(bound[name]) for name in names]
        name = self._prepared.get(statement)
        if name is None:
            name = self._prepared[statement] = b"batch_%d" % next(_names)
            self._conn.send_prepare(name, native)
            self._asked.append(Answer(self, prepares=statement))
        self._conn.send_query_prepared(name, parameters)
        answer = Answer(self)
        self._asked.append(answer)
        self._kept_back += sum(map(len, filter(None, parameters)))
        if self._kept_back >= _WORTH_SENDING:
            self._conn.flush()  # the server begins while the next statement is made ready
            self._kept_back = 0
        return answer

    def command(self, words: bytes) -> None:
        """Send a command that has no parameters and answers nothing: where a transaction begins or ends."""
        self._conn.send_query_params(words, None)
        self._asked.append(Answer(self))

    def rows(self, answer: Answer) -> Sequence[tuple[Any, ...]]:
        if answer.result is None:
            self._conn.send_flush_request()
            self._send_all()
            self._kept_back = 0
            while answer.result is None:
                self._take_next()
        self._raise_what_failed()
        result: Any = answer.result
        self._reads.set_pgresult(result)
        return self._reads.load_rows(0, result.ntuples, tuple)

    def finish(self) -> None:
        """Take what is still to be answered; afterwards the connection is as it was before."""
        self.drain()
        self._raise_what_failed()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time for a statement of another kind; answers not read yet are kept."""
        self.finish()
        yield
        self._conn.enter_pipeline_mode()

    def drain(self) -> None:
        self._conn.pipeline_sync()
        self._send_all()
        while self._asked:
            self._take_next()
        self._next_result()  # of the sync itself
        self._conn.exit_pipeline_mode()

    def _take_next(self) -> None:
        answer = self._asked.popleft()
        result = self._next_result()
        while result is not None:
            answer.result, result = result, self._next_result()
        status = answer.result.status if answer.result is not None else ExecStatus.FATAL_ERROR
        if status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED):
            self._failed = self._failed or answer.result
            if answer.prepares is not None:
                self._prepared.pop(answer.prepares, None)

    def _next_result(self) -> PGresult | None:
        while self._conn.is_busy():
            self._wait(select.POLLIN)
            self._conn.consume_input()
        return self._conn.get_result()

    def _send_all(self) -> None:
        while self._conn.flush():
            # The server may want to be rid of answers before it takes more.
            if self._wait(select.POLLIN | select.POLLOUT) & select.POLLIN:
                self._conn.consume_input()

    def _wait(self, events: int) -> int:
        poll = select.poll()
        poll.register(self._conn.socket, events)
        return poll.poll()[0][1]

    def _raise_what_failed(self) -> None:
        if self._failed is not None:
            raise error_from_result(self._failed, encoding="utf-8")


_names = count()
_prepared: WeakKeyDictionary["psycopg.Connection[Any]", dict[str, bytes]] = WeakKeyDictionary()
_heard: WeakSet[Engine] = WeakSet()


def _prepared_on(tx: Transaction, raw: "psycopg.Connection[Any]") -> dict[str, bytes]:
    """Names of the statements prepared on a connection. After a rollback, also one to a savepoint, psycopg deallocates
    all there are.
    """
    engine = tx.connection.engine
    if engine in _heard:
        return _prepared.setdefault(raw, {})
    event.listen(engine, "rollback", _after_rollback)
    event.listen(engine, "rollback_savepoint", _after_rollback_to)
    event.listen(engine, "reset", _before_reset)
    _heard.add(engine)
    return {}  # the rollback of a connection that is out already would not be heard


def _after_rollback(connection: Connection) -> None:
    if not connection.invalidated:
        _prepared.pop(cast(Any, connection.connection.driver_connection), None)


def _after_rollback_to(connection: Connection, _name: str, _context: object) -> None:
    _after_rollback(connection)


def _before_reset(raw: Any, _record: object, _state: object) -> None:
    """The pool rolls back what a connection comes back with."""
    if raw.pgconn.transaction_status != TransactionStatus.IDLE:
        _prepared.pop(raw, None)


class Piped(Transaction):
    """The transaction itself, for who needs one, with its statements sent through a pipe.

    Args: new_id: where ids come from, since the transaction can fetch none while the pipe is open.
    """

    def __init__(self, tx: Transaction, sent: Pipe, new_id: Callable[[], int]) -> None:
        super().__init__(*(getattr(tx, field.name) for field in fields(tx)))
        self._sent, self._new_id = sent, new_id

    def new_id(self) -> int:
        return self._new_id()

    def run(self, statement: str, /, **values: object) -> Any:
        return self._sent.run(statement, **values)


@contextmanager
def pipe(tx: Transaction) -> Iterator[Pipe]:
    """A pipe inside a transaction, which it begins if nobody has; all that was sent is done when it ends.

    No other statement may run meanwhile. Who begins the transaction here sets the tenant in it.

    Raises: the same errors that ``tx.run`` raises, of the first statement that failed.
    """
    raw: Any = tx.connection.connection.driver_connection
    raw.pgconn.enter_pipeline_mode()
    sent = Pipe(tx, raw, _prepared_on(tx, raw))
    try:
        if raw.pgconn.transaction_status == TransactionStatus.IDLE:
            sent.command(b"BEGIN")
        yield sent
        sent.finish()
    except psycopg.Error as error:
        _leave(tx, raw, sent)
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, connection_invalidated=raw.closed, dialect=tx.connection.dialect
        ) from error
    except Exception:
        _leave(tx, raw, sent)
        raise
    except BaseException:
        # Torn away in the middle: what was sent may still wait for a lock, and nobody will read its answer.
        _close(tx, raw)
        raise


def _leave(tx: Transaction, raw: "psycopg.Connection[Any]", sent: Pipe) -> None:
    """After a statement failed: pass over the answers of those that were sent behind it."""
    try:
        if raw.pgconn.pipeline_status != PipelineStatus.OFF:
            sent.drain()
    except psycopg.Error:
        _close(tx, raw)
    if raw.closed:
        tx.connection.invalidate()


def _close(tx: Transaction, raw: "psycopg.Connection[Any]") -> None:
    raw.close()
    tx.connection.invalidate()


@lru_cache(maxsize=512)
def _native(statement: str, dialect: Dialect) -> tuple[bytes, tuple[str, ...]]:
    """The statement as PostgreSQL reads it, and the names of ``$1``, ``$2`` and so on."""
    compiled = text(statement).compile(dialect=dialect)
    names = tuple(compiled.params)
    numbers = {name: f"${n}" for n, name in enumerate(names, start=1)}
    return (str(compiled) % numbers).encode(), names

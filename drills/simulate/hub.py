"""The hub under simulation: its real jobs, relay, receiver and ledger in processes that may die at named points.

What stands in for the outside: the broker, the connectors, and the moment at which concurrent callers meet in the
combiner. Everything else is the code that runs in production, on a real database.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, cast
from weakref import WeakSet

import psycopg
from cryptography.fernet import Fernet
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Connection, Engine, event

from config.secrets import Secrets
from config.settings import Settings
from config.wiring import App
from connectors.http import Net
from connectors.port import Connector
from core import work
from core.combiner import Combiner
from core.command import Command
from core.transaction import Database, IdSource, Transaction
from drills.simulate.journal import Journal
from drills.simulate.scheduler import Crash, Scheduler, Task
from drills.simulate.weather import Weather
from drills.simulate.wire import Place
from edge.webhooks import Receiver
from jobs import relay  # and with it all jobs
from jobs.registry import JOBS

MERCHANT = 1
_FIRST_BLOCK = 1_000
_AT_ONCE = 6
_TICK_S = 1.0
_HOLDER = "worker"
_NAMED = 0.9
_REDELIVERED = 0.5
_KEY = Fernet.generate_key().decode()

MakeConnector = Callable[[int, Place], Connector]
MakeCombiner = Callable[[Database], Combiner]


class LastingConnection(psycopg.Connection[Any]):
    """Keeps what it has prepared when a transaction is rolled back: nothing here makes or drops what a plan stands on.

    psycopg would have all statements planned again, which takes a good part of a seed's time.
    """

    def rollback(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        if self.pgconn.exec_(b"ROLLBACK").status != ExecStatus.COMMAND_OK:
            raise psycopg.OperationalError("the connection was lost before its rollback")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"


class Process:
    """One process of the hub: what it remembers dies with it, and so does every task that it had under way."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self.hub, self.name = hub, name
        self.is_up = False
        self.tasks: dict[Task, None] = {}
        self.app: SimulatedApp
        self.receiver: Receiver

    def pause(self, seconds: float) -> None:
        self.hub.scheduler.pause(seconds)

    def point(self, name: str) -> None:
        """Where this process may die."""
        hub = self.hub
        if hub.scheduler.random.random() < hub.weather.crash:
            hub.journal.write(hub.scheduler.now, self.name, f"dies at {name}")
            raise Crash(name)

    def run(self, name: str, body: Callable[[], None], done: Callable[[bool], None] | None = None) -> None:
        """Start a task of this process; ``done`` is told whether it came to its end. A failure is a finding."""

        def ended(task: Task) -> None:
            self.tasks.pop(task, None)
            if isinstance(task.error, Crash):
                self.die()
            elif task.error is not None:
                self.hub.found(f"{self.name} failed in {name}: {_first_line(task.error)}")
            if done is not None:
                done(task.error is None)

        self.tasks[self.hub.scheduler.start(name, body, ended)] = None

    def die(self) -> None:
        """Take all tasks down where they stand, and come back later."""
        if not self.is_up:
            return
        self.is_up = False
        while self.tasks:
            task = next(iter(self.tasks))
            del self.tasks[task]
            self.hub.scheduler.kill(task)
        self.hub.scheduler.after(self.hub.scheduler.random.uniform(0.2, 5.0), self.come_up)

    def come_up(self) -> None:
        """Begin with an empty memory."""
        self.is_up = True
        self.app = SimulatedApp(self)
        self.receiver = Receiver(self.app)
        self.hub.journal.write(self.hub.scheduler.now, self.name, "is up")
        self.hub.came_up(self)


class WatchedDatabase(Database):
    """Between two transactions others may act, and around each commit the process may die."""

    def __init__(self, process: Process, *, is_shared: bool) -> None:
        hub = process.hub
        super().__init__(hub.engine, hub.clock, hub.new_ids(), _HOLDER if process.name == _HOLDER else "")
        self._process, self._is_shared = process, is_shared

    @contextmanager
    def begin(
        self, merchant_id: int, *, actor: str, source: str = "", correlation_id: str = ""
    ) -> Iterator[Transaction]:
        self._before()
        with super().begin(merchant_id, actor=actor, source=source, correlation_id=correlation_id) as tx:
            yield tx
            self._process.point("before commit")
        self._after()

    @contextmanager
    def begin_piped(self, merchant_id: int, *, actor: str, source: str = "") -> Iterator[Transaction]:
        """A pipe commits with its last statement, so what dies before that dies before the first one."""
        self._before()
        self._process.point("before a batch")
        with super().begin_piped(merchant_id, actor=actor, source=source) as tx:
            yield tx
        self._after()

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        self._before()
        with super().outside() as connection:
            yield connection
            self._process.point("before commit")
        self._after()

    def _before(self) -> None:
        # Whoever leads a batch keeps the turn: a second leader would wait for it in the combiner, for ever.
        if not self._is_shared:
            self._process.pause(self._process.hub.scheduler.random.uniform(0.0, 0.02))

    def _after(self) -> None:
        self._process.hub.committed(is_ledger=self._is_shared)
        self._process.point("after commit")


@dataclass(slots=True)
class _Caller:
    commands: Sequence[Command]
    actor: str
    results: list[Any] | None = None
    error: Exception | None = None

    @property
    def is_served(self) -> bool:
        return self.results is not None or self.error is not None


class MeetingCombiner(Combiner):
    """Callers who arrive while nobody serves stand in line; the first to get the turn hands all of them on at once."""

    def __init__(self, process: Process, db: Database, inner: Combiner) -> None:
        super().__init__(db)
        self._process, self._inner = process, inner
        self._line: deque[_Caller] = deque()

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        caller = _Caller(commands, actor)
        self._line.append(caller)
        self._process.pause(self._process.hub.scheduler.random.uniform(0.0, 0.05))
        while not caller.is_served:
            self._hand_on_together(merchant_id)
        if caller.error is not None:
            raise caller.error
        return caller.results or []

    def _hand_on_together(self, merchant_id: int) -> None:
        """The callers at the head of the line, as long as they are one actor's."""
        group = [self._line.popleft()]
        while self._line and self._line[0].actor == group[0].actor:
            group.append(self._line.popleft())
        together = [command for caller in group for command in caller.commands]
        try:
            results = iter(self._inner.run(merchant_id, together, actor=group[0].actor))
        except Exception as error:  # noqa: BLE001 - each caller raises it again
            for caller in group:
                caller.error = error
            return
        for caller in group:
            caller.results = [next(results) for _ in caller.commands]


class SimulatedApp(App):
    """A process's App, with model storefronts at the other end of its connectors."""

    def __init__(self, process: Process) -> None:
        hub = process.hub
        db = WatchedDatabase(process, is_shared=False)
        batches = WatchedDatabase(process, is_shared=True)
        combiner = MeetingCombiner(process, batches, hub.make_combiner(batches))
        super().__init__(hub.settings, db, combiner, hub.secrets, Net())
        self._process = process
        self._writers: dict[int, Connector] = {}

    def connector(self, _merchant_id: int, store_id: int) -> Connector:
        return self._process.hub.make_connector(store_id, self._process)

    def pushing_connector(self, merchant_id: int, store_id: int) -> Connector:
        if store_id not in self._writers:
            self._writers[store_id] = self.connector(merchant_id, store_id)
        return self._writers[store_id]


class Broker:
    """Messages in memory: any may be lost, doubled or late. What a dead worker had in hand may come again."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.waiting: deque[tuple[str, int]] = deque()

    def enqueue(self, message: Message[Any]) -> None:
        """As Dramatiq's brokers have it."""
        hub, weather, random = self._hub, self._hub.weather, self._hub.scheduler.random
        copies = 0 if random.random() < weather.message_lost else 1 + (random.random() < weather.message_doubled)
        for _ in range(copies):
            late = random.random() < weather.message_late
            wait_s = random.uniform(1.0, 30.0) if late else random.uniform(0.001, 0.02)
            hub.scheduler.after(wait_s, partial(self.arrive, message.actor_name, message.args[1]))

    def arrive(self, topic: str, store_id: int) -> None:
        self.waiting.append((topic, store_id))
        self._hub.hand_out()


class Hub:
    """All processes of one hub, and what they share.

    ``found`` takes what must not be; ``ledger_moved`` is called after each commit of a batch. ``our_clock_s`` is by how
    much our clock is wrong.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        journal: Journal,
        engine: Engine,
        weather: Weather,
        outside: "Surroundings",
    ) -> None:
        self.scheduler, self.journal, self.engine, self.weather = scheduler, journal, engine, weather
        self.make_connector, self.make_combiner = outside.make_connector, outside.make_combiner
        self.found, self.ledger_moved = outside.found, outside.ledger_moved
        self.settings = Settings.load(database_url=str(engine.url), secret_keys=_KEY, sandbox=True, public_url="")
        self.secrets = Secrets(_KEY)
        self.our_clock_s = 0.0
        self.broker = Broker(self)
        self._blocks = count(_FIRST_BLOCK)
        self._notified = self._relay_is_busy = self._relay_is_wanted = False
        self._schedule_is_due = True
        self._is_worker_named = scheduler.random.random() < _NAMED
        self._relay_wakes_at: datetime | None = None
        self._listening: WeakSet[psycopg.Connection[Any]] = WeakSet()
        event.listen(engine, "checkout", self._listen)
        self.edge, self.worker, self.relay = (Process(self, name) for name in ("edge", _HOLDER, "relay"))

    @property
    def processes(self) -> Sequence[Process]:
        return (self.edge, self.worker, self.relay)

    def start(self) -> None:
        for process in self.processes:
            process.come_up()
        self._tick()

    def clock(self) -> datetime:
        """Our clock, which somebody may set."""
        return self.scheduler.now + timedelta(seconds=self.our_clock_s)

    def new_ids(self) -> IdSource:
        """As a process has it; what a dead one had left of its block is never used."""
        return IdSource(self._blocks.__next__)

    def committed(self, *, is_ledger: bool) -> None:
        if is_ledger:
            self.ledger_moved()
        self._hear_pipes()
        if self._notified:
            self._notified = False
            self._wake_relay(self.scheduler.random.uniform(0.02, 0.4))

    def came_up(self, process: Process) -> None:
        """What a process of its kind does first."""
        if process is self.worker:
            process.run("first steps", self._free_own_leases, lambda _: self.hand_out())
        elif process is self.relay:
            process.run("look around", lambda: relay.look_around(process.app))

    def hand_out(self) -> None:
        """Give messages to the worker's free threads."""
        while self.worker.is_up and self.broker.waiting and len(self.worker.tasks) < _AT_ONCE:
            topic, store_id = self.broker.waiting.popleft()
            job, app = JOBS[topic].run, self.worker.app
            self.worker.run(topic, partial(job, app, MERCHANT, store_id), partial(self._worked, topic, store_id))

    def _worked(self, topic: str, store_id: int, came_to_its_end: bool) -> None:
        random = self.scheduler.random
        if not came_to_its_end and random.random() < _REDELIVERED:
            self.scheduler.after(random.uniform(1.0, 10.0), partial(self.broker.arrive, topic, store_id))
        self.hand_out()

    def _free_own_leases(self) -> None:
        """A worker that has a name frees what it held before; else its leases have to run out."""
        if self._is_worker_named:
            with self.worker.app.db.outside() as connection:
                work.free_leases_of(connection, _HOLDER)

    def _tick(self) -> None:
        self._schedule_is_due = True
        self._relay_turn()
        self.scheduler.after(self.scheduler.random.uniform(1.0, 4.0), self._tick)

    def _relay_turn(self) -> None:
        if not self.relay.is_up:
            return
        self._relay_is_wanted = True
        if not self._relay_is_busy:
            self._relay_is_busy = True
            self.relay.run("turn", self._relay, self._relayed)

    def _relay(self) -> None:
        while self._relay_is_wanted:
            self._relay_is_wanted = False
            if self._schedule_is_due:
                self._schedule_is_due = False
                relay.run_schedule(self.relay.app.db)
            # The relay asks of a broker that it takes messages, no more.
            wait_s = relay.relay_once(self.relay.app.db, cast(RedisBroker, self.broker))
            if wait_s < _TICK_S:
                self._wake_relay(wait_s)

    def _wake_relay(self, seconds: float) -> None:
        at = self.scheduler.now + timedelta(seconds=seconds)
        if self._relay_wakes_at is None or at < self._relay_wakes_at:
            self._relay_wakes_at = at
            self.scheduler.after(seconds, self._relay_woke)

    def _relay_woke(self) -> None:
        self._relay_wakes_at = None
        self._relay_turn()

    def _relayed(self, _: bool) -> None:
        self._relay_is_busy = False

    def _listen(self, raw: "psycopg.Connection[Any]", *_: object) -> None:
        """Who sends a notification is told of it, too, together with the end of its commit."""
        if raw in self._listening:
            return
        raw.autocommit = True
        raw.execute(f"LISTEN {work.CHANNEL}")
        raw.autocommit = False
        raw.add_notify_handler(self._heard)
        self._listening.add(raw)

    def _heard(self, _: object) -> None:
        self._notified = True

    def _hear_pipes(self) -> None:
        """Who speaks to libpq itself leaves notifications with it."""
        for raw in self._listening:
            while not raw.closed and raw.pgconn.notifies():
                self._notified = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a hub meets: storefronts, the combiner it is built with, and who watches it."""

    make_connector: MakeConnector
    make_combiner: MakeCombiner
    found: Callable[[str], None]
    ledger_moved: Callable[[], None]

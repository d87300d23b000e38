"""A worker that kills itself at a named point of a job. Not a test: the tests start it as a process of its own.

Each line on stdin is a JSON object: ``topic`` and ``store_id`` of the job, ``point`` and ``count`` of the death, and
the seconds that the clock is ``ahead``. The answer is the exit code on a line of stdout; 0: the job ended before it.

Points: ``begin`` of the n-th transaction (so after the commit before it), ``commit`` of the n-th (sent, its answer not
read), ``answer`` of the store's n-th call.
"""

import json
import os
import signal
import sys
from datetime import timedelta
from typing import Any, NoReturn

from sqlalchemy import Connection, event

from config import wiring
from config.settings import Settings
from config.wiring import App
from core.transaction import wall_clock
from jobs import broker
from jobs.registry import JOBS

MERCHANT = 1
assert broker.QUEUES, "importing the broker registers all jobs"


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Death:
    """Counts how often its point was passed."""

    def __init__(self, point: str, count: int) -> None:
        self.point = point
        self._left = count

    def is_due(self, point: str) -> bool:
        self._left -= point == self.point
        return self._left == 0


class Dying:
    """A connector whose user dies when a call has been answered."""

    def __init__(self, connector: object, death: Death) -> None:
        self._connector = connector
        self._death = death

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connector, name)
        if not callable(found):
            return found

        def call(*arguments: object) -> object:
            answer = found(*arguments)
            if self._death.is_due("answer"):
                die()
            return answer

        return call


class MortalApp(App):
    """An App whose connectors are watched."""

    death: Death

    def connector(self, merchant_id: int, store_id: int) -> Any:
        return Dying(App.connector(self, merchant_id, store_id), self.death)

    def pushing_connector(self, merchant_id: int, store_id: int) -> Any:
        return Dying(App.pushing_connector(self, merchant_id, store_id), self.death)


def live(topic: str, store_id: int, point: str, count: int, ahead: float) -> None:
    built = wiring.build(Settings.load())
    app = MortalApp(built.settings, built.db, built.combiner, built.secrets, built.net)
    app.db.clock = lambda: wall_clock() + timedelta(seconds=ahead)
    app.death = death = Death(point, count)

    @event.listens_for(app.db.engine, "begin")
    def _begin(_connection: Connection) -> None:
        if death.is_due("begin"):
            die()

    @event.listens_for(app.db.engine, "commit")
    def _commit(connection: Connection) -> None:
        if death.is_due("commit"):
            raw: Any = connection.connection.driver_connection
            raw.pgconn.send_query(b"COMMIT")
            die()

    JOBS[topic].run(app, MERCHANT, store_id)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(**json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

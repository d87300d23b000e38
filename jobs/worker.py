"""The worker process: Dramatiq's Worker in process, drained on SIGTERM."""

import logging
import signal
import threading

from dramatiq import Worker

from config.wiring import App
from core import work
from jobs.broker import QUEUES, declare_actors, make_broker

logger = logging.getLogger(__name__)
# How long an idle consumer sleeps at most, and so the most that a message waits whose token was lost.
_IDLE_MS = 250
_UPKEEP_THREADS = 3
_DRAIN_MS = 30_000


def run(app: App) -> None:
    """Work until SIGTERM or SIGINT, then finish what was begun."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app.db.holder = app.settings.worker_name
    with app.db.outside() as connection:
        freed = work.free_leases_of(connection, app.db.holder)
    if freed:
        logger.info("freed %s rows that a worker of this name had left behind", freed)
    workers = []
    # Fetching is waiting for stores: many threads, little work. Each store has one push under way at most.
    threads = {
        "order": app.settings.worker_threads,
        "push": app.settings.worker_threads // 3,
        "upkeep": _UPKEEP_THREADS,
    }
    for queue in QUEUES:
        broker = make_broker(app.settings.redis_url, [queue])
        declare_actors(broker, app)
        workers.append(
            Worker(
                broker,
                worker_timeout=_IDLE_MS,
                worker_threads=threads[queue],
            )
        )
        workers[-1].start()
    logger.info("working on %s", ", ".join(QUEUES))
    stop.wait()
    for worker in workers:
        worker.stop(timeout=_DRAIN_MS)
        worker.broker.close()
    app.close()

"""The worker process: Dramatiq's Worker in process, drained on SIGTERM."""

import logging
import signal
import threading

from dramatiq import Worker

from config.wiring import App
from jobs.broker import QUEUES, declare_actors, make_broker

logger = logging.getLogger(__name__)
# Milliseconds: how long an idle consumer may sleep, and so the most that a message of the queue waits unseen.
_IDLE_MS = {"store": 15, "upkeep": 500}
_DRAIN_MS = 30_000


def run(app: App) -> None:
    """Work until SIGTERM or SIGINT, then finish what was begun."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workers = []
    for queue, threads in zip(QUEUES, (app.settings.worker_threads, 2), strict=True):
        broker = make_broker(app.settings.redis_url, [queue])
        declare_actors(broker, app)
        workers.append(Worker(broker, worker_timeout=_IDLE_MS[queue], worker_threads=threads))
        workers[-1].start()
    logger.info("working on %s", ", ".join(QUEUES))
    stop.wait()
    for worker in workers:
        worker.stop(timeout=_DRAIN_MS)
        worker.broker.close()
    app.close()

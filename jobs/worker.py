"""The worker process: Dramatiq's Worker in process, drained on SIGTERM."""

import logging
import signal
import threading

from dramatiq import Worker

from config.wiring import App
from jobs.broker import QUEUES, declare_actors, make_broker

logger = logging.getLogger(__name__)
# Milliseconds: how long an idle consumer may sleep, and so the most that a message waits unseen.
_IDLE_MS = 15
_DRAIN_MS = 30_000


def run(app: App) -> None:
    """Work until SIGTERM or SIGINT, then finish what was begun."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    broker = make_broker(app.settings.redis_url)
    declare_actors(broker, app)
    workers = [
        Worker(broker, queues={queue}, worker_timeout=_IDLE_MS, worker_threads=threads)
        for queue, threads in zip(QUEUES, (app.settings.worker_threads, 2), strict=True)
    ]
    for worker in workers:
        worker.start()
    logger.info("working on %s", ", ".join(QUEUES))
    stop.wait()
    for worker in workers:
        worker.stop(timeout=_DRAIN_MS)
    broker.close()
    app.close()

"""Dramatiq as we use it: messages carry ids only, and any of them may be lost, doubled or late."""

from collections.abc import Iterable
from typing import Any

import dramatiq
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Middleware, Retries, ShutdownNotifications, TimeLimit

from config.wiring import App
from jobs import mail, orders, poll, push, sync, upkeep
from jobs.registry import JOBS, TIME_LIMIT_S

_RedisBroker: Any = RedisBroker  # its constructor carries no types
QUEUES = ("order", "push", "upkeep")
_KEEP = (mail, orders, poll, push, sync, upkeep)  # importing them registers their jobs


def make_broker(redis_url: str, queues: Iterable[str] = QUEUES) -> RedisBroker:
    """A broker with our queues; each worker has its own.

    An unexpected failure is tried again by Dramatiq for minutes, with growing waits.
    """
    middleware: list[Middleware] = [
        AgeLimit(max_age=TIME_LIMIT_S * 1000),
        TimeLimit(time_limit=TIME_LIMIT_S * 1000),
        ShutdownNotifications(),
        Callbacks(),
        Retries(max_retries=5, min_backoff=500, max_backoff=60_000),
    ]
    broker: RedisBroker = _RedisBroker(url=redis_url, middleware=middleware, namespace="holdfast")
    for queue in queues:
        broker.declare_queue(queue)
    return broker


def declare_actors(broker: RedisBroker, app: App) -> None:
    """One actor per topic, each calling its job with this process's App."""
    for registered in JOBS.values():
        if registered.queue not in broker.queues:
            continue

        def perform(merchant_id: int, store_id: int, _run: Any = registered.run) -> None:
            _run(app, merchant_id, store_id)

        dramatiq.Actor(
            perform, broker=broker, actor_name=registered.topic, queue_name=registered.queue, priority=0, options={}
        )


def send(broker: RedisBroker, groups: Iterable[tuple[int, str, int]]) -> None:
    """Put (merchant_id, topic, store_id) on the queues."""
    for merchant_id, topic, store_id in groups:
        broker.enqueue(Message(JOBS[topic].queue, topic, (merchant_id, store_id), {}, {}))

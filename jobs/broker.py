"""Dramatiq as we use it: messages carry ids only, and any of them may be lost, doubled or late."""

import time
from collections.abc import Iterable
from typing import Any

import dramatiq
import redis
from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import AgeLimit, Callbacks, Middleware, Retries, ShutdownNotifications, TimeLimit

from config.wiring import App
from jobs import alerts, backorders, dispatch, locks, mail, orders, poll, pools, push, sync, upkeep
from jobs.registry import JOBS, TIME_LIMIT_S

QUEUES = ("order", "push", "upkeep")
# Importing them registers jobs.
_KEEP = (alerts, backorders, dispatch, locks, mail, orders, poll, pools, push, sync, upkeep)

_closed: Any = ConnectionClosed  # carries no types, like the broker's constructor
_TOKENS_KEPT = 64
_DELAYED_MS = 1_000
_FULL_S = 0.02


class WakingBroker(RedisBroker):
    """Dramatiq's broker, whose idle consumers sleep until a message comes.

    Its own consumers ask for messages many times a second, which took a quarter of a busy worker's time. Here each
    message puts a token on a list that idle consumers block on. A lost token costs a wait of the worker's time-out.
    """

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        sent = super().enqueue(message, delay=delay)
        if delay is None:
            key = self._tokens(message.queue_name)
            with self.client.pipeline(transaction=False) as pipe:
                pipe.lpush(key, "")
                pipe.ltrim(key, 0, _TOKENS_KEPT - 1)
                pipe.execute()
        return sent

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        if dq_name(queue_name) == queue_name:
            return super().consume(queue_name, prefetch, _DELAYED_MS)
        return _Sleeper(
            super().consume(queue_name, prefetch, 1), prefetch, timeout, self.client, self._tokens(queue_name)
        )

    def _tokens(self, queue_name: str) -> str:
        return f"{self.namespace}:tokens:{queue_name}"


class _Sleeper(Consumer):
    """A consumer that waits for a token where the inner one would ask again."""

    def __init__(self, inner: Any, prefetch: int, timeout_ms: int, client: Any, tokens: str) -> None:
        self._inner, self._prefetch, self._timeout_s = inner, prefetch, timeout_ms / 1000
        self._client, self._tokens = client, tokens

    def ack(self, message: MessageProxy) -> None:
        self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        self._inner.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._inner.requeue(messages)

    def __next__(self) -> MessageProxy | None:
        message: MessageProxy | None = next(self._inner)
        if message is not None:
            return message
        if self._inner.outstanding_message_count >= self._prefetch:
            time.sleep(_FULL_S)  # all hands are full: more tokens would not help
            return None
        try:
            self._client.blpop(self._tokens, timeout=self._timeout_s)
        except redis.ConnectionError as error:
            raise _closed(error) from None
        return None

    def close(self) -> None:
        self._inner.close()


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
    make: Any = WakingBroker  # its constructor carries no types
    broker: RedisBroker = make(url=redis_url, middleware=middleware, namespace="holdfast")
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
            perform,
            broker=broker,
            actor_name=registered.topic,
            queue_name=registered.queue,
            priority=0,
            options={"time_limit": registered.limit_s * 1000},
        )


def send(broker: RedisBroker, groups: Iterable[tuple[int, str, int]]) -> None:
    """Put (merchant_id, topic, store_id) on the queues."""
    for merchant_id, topic, store_id in groups:
        broker.enqueue(Message(JOBS[topic].queue, topic, (merchant_id, store_id), {}, {}))

"""The relay with a real Valkey: each group once, again when nobody came, at once when something happens."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker

from config.wiring import App
from core import stores, work
from core.work import Want
from jobs import broker as brokers
from jobs import relay
from jobs.registry import JOBS
from tests.builders import World
from tests.hub import MERCHANT, until

HOLD_S = 10


@pytest.fixture
def broker(app: App, valkey_url: str) -> Iterator[RedisBroker]:
    made = brokers.make_broker(valkey_url)
    brokers.declare_actors(made, app)
    yield made
    made.close()


def want(app: App, *subjects: str, topic: str = "order", store_id: int = 7) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [Want(topic, store_id, subject) for subject in subjects])


def queued(broker: RedisBroker) -> list[tuple[str, tuple[int, ...]]]:
    """Takes all messages off the queues: topic and arguments of each."""
    found = []
    for queue in brokers.QUEUES:
        consumer = broker.consume(queue, prefetch=100, timeout=50)
        while (message := next(consumer)) is not None:
            found.append((message.actor_name, tuple(message.args)))
            consumer.ack(message)
        consumer.close()
    return sorted(found)


def test_many_rows_of_a_store_are_a_handful_of_messages_that_carry_ids_only(app: App, broker: RedisBroker) -> None:
    want(app, *(str(n) for n in range(700)))
    want(app, "1", store_id=8)
    want(app, "", topic="push")

    relay.relay_once(app.db, broker)

    found = queued(broker)
    assert set(found) == {("order", (1, 7)), ("order", (1, 8)), ("push", (1, 7))}
    assert found.count(("order", (1, 7))) == 12, "six jobs at most for one store and look, and a look takes 500 rows"
    assert found.count(("order", (1, 8))) == found.count(("push", (1, 7))) == 1


def test_what_was_sent_is_not_sent_again_until_the_hold_is_over(app: App, broker: RedisBroker) -> None:
    want(app, "1")
    for _ in range(5):
        relay.relay_once(app.db, broker)
    assert queued(broker) == [("order", (1, 7))]

    stand_still(app, app.db.clock() + timedelta(seconds=HOLD_S + 1))
    relay.relay_once(app.db, broker)

    assert queued(broker) == [("order", (1, 7))]


def test_what_is_wanted_while_it_is_worked_on_is_sent_again_at_once_when_that_ends(
    app: App, broker: RedisBroker
) -> None:
    want(app, "1")
    relay.relay_once(app.db, broker)
    with app.db.begin(MERCHANT, actor="test") as tx:
        leases = work.claim(tx, "order", 7, limit=10, lease_s=180)
    want(app, "1")
    relay.relay_once(app.db, broker)
    assert queued(broker) == [("order", (1, 7))], "nothing while somebody holds it"

    with app.db.begin(MERCHANT, actor="test") as tx:
        work.settle(tx, leases)
    relay.relay_once(app.db, broker)

    assert queued(broker) == [("order", (1, 7))]


def test_a_topic_that_no_job_serves_is_not_sent_and_stops_no_other(app: App, broker: RedisBroker) -> None:
    want(app, "1", topic="of_a_newer_version")
    want(app, "1")
    relay.relay_once(app.db, broker)
    assert queued(broker) == [("order", (1, 7))]


def test_the_answer_says_when_something_planned_is_due(app: App, broker: RedisBroker) -> None:
    soon = app.db.clock() + timedelta(seconds=0.4)
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [Want("order", 7, "1", soon)])
    assert 0 < relay.relay_once(app.db, broker) <= 0.4
    assert queued(broker) == []


@pytest.fixture
def running(app: App, valkey_url: str) -> Iterator[App]:
    """The relay's own loop, on a thread."""
    stop = threading.Event()
    broker = brokers.make_broker(valkey_url)

    thread = threading.Thread(target=relay._listen, args=(app, broker, stop))
    thread.start()
    time.sleep(0.3)
    yield app
    stop.set()
    thread.join()
    broker.close()


def test_a_commit_that_asks_for_work_is_on_the_queue_within_100_milliseconds(
    running: App, broker: RedisBroker, valkey_url: str
) -> None:
    took = []
    for number in range(5):
        consumer = broker.consume(JOBS["order"].queue, prefetch=1, timeout=2)
        time.sleep(0.35)  # somewhere between two ticks
        began = time.monotonic()
        want(running, str(number), store_id=100 + number)
        while (message := next(consumer)) is None:
            assert time.monotonic() < began + 5
        took.append(time.monotonic() - began)
        consumer.ack(message)
        consumer.close()

    assert sorted(took)[2] < 0.1


def schedule(app: App, topic: str, cron: str, store_id: int = 0) -> None:
    """A row of the schedule that is due now."""
    with app.db.begin(MERCHANT, actor="test") as tx:
        stores.set_schedule(tx, topic, store_id, cron)
        tx.run("UPDATE schedule SET next_at = :now WHERE merchant_id = :merchant_id")


def stand_still(app: App, moment: datetime) -> None:
    app.db.clock = lambda: moment


def revision(world: World, topic: str) -> int:
    """How often a topic was asked for."""
    found = world.ask("SELECT revision FROM work WHERE merchant_id = :merchant_id AND topic = :topic", topic=topic)
    return int(found[0].revision) if found else 0


def test_a_schedule_row_runs_once_each_time_however_many_relays_look(app: App, world: World) -> None:
    schedule(app, "expire", "every 30")

    for turn in range(1, 4):
        stand_still(app, app.db.clock() + timedelta(seconds=31))
        relays = [threading.Thread(target=relay.run_schedule, args=(app.db,)) for _ in range(4)]
        for each in relays:
            each.start()
        for each in relays:
            each.join()
        relay.run_schedule(app.db)
        assert revision(world, "expire") == turn


def test_a_schedule_that_was_missed_for_days_runs_once_and_not_once_per_day(app: App, world: World) -> None:
    schedule(app, "audit", "45 3 * * *")
    relay.run_schedule(app.db)
    stand_still(app, app.db.clock() + timedelta(days=9))

    for _ in range(3):
        relay.run_schedule(app.db)

    assert revision(world, "audit") == 2


def test_a_cron_line_is_read_in_the_merchants_time_zone(app: App, world: World) -> None:
    schedule(app, "audit", "45 3 * * *")
    stand_still(app, datetime(2026, 7, 1, 12, tzinfo=UTC))
    world.tell("UPDATE schedule SET next_at = :at WHERE merchant_id = :merchant_id", at=app.db.clock())

    relay.run_schedule(app.db)

    # Berlin is two hours ahead of UTC in summer.
    assert world.scalar("SELECT next_at FROM schedule WHERE merchant_id = :merchant_id") == datetime(
        2026, 7, 2, 1, 45, tzinfo=UTC
    )


def test_messages_that_are_lost_with_the_broker_are_sent_again(app: App, broker: RedisBroker, valkey_url: str) -> None:
    want(app, "", topic="expire", store_id=0)
    relay.relay_once(app.db, broker)
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    assert queued(broker) == []
    worker = Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    try:
        stand_still(app, app.db.clock() + timedelta(seconds=HOLD_S + 1))
        relay.relay_once(app.db, broker)

        def done() -> bool:
            with app.db.begin(MERCHANT, actor="test") as tx:
                return not tx.run("SELECT 1 FROM work WHERE merchant_id = :merchant_id").scalar()

        until(done, 10)
    finally:
        worker.stop()


def test_a_relay_that_comes_back_lets_no_number_rise_before_every_store_was_polled(app: App, world: World) -> None:
    store_id = world.store()

    relay.look_around(app)

    assert world.scalar("SELECT blind FROM store WHERE merchant_id = :merchant_id AND id = :id", id=store_id)
    assert world.work("poll") == world.work("hooks") == [""]

"""The relay: finds rows that want work and sends their ids to the broker; runs the schedule.

It wakes when a commit that marked work says so, and each second in any case. Every row is sent once per lease; if the
message is lost, it is sent again. The relay keeps nothing in memory: any number of them may run, and any may die.
"""

import logging
import signal
import threading
import time
from datetime import timedelta

import psycopg
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from config.wiring import App
from core import schema, stores, work
from core.schedule import next_run
from core.transaction import Database
from jobs.broker import make_broker, send
from jobs.registry import JOBS

logger = logging.getLogger(__name__)
_TICK_S = 1.0
_COUNT_S = 5.0
_HOLD = timedelta(seconds=10)
_AT_ONCE = 500


def run(app: App) -> None:
    """Relay until SIGTERM or SIGINT; outages of the database or the broker are waited out."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    broker = make_broker(app.settings.redis_url)
    blinded = False
    while not stop.is_set():
        try:
            if not blinded:
                look_around(app)
                blinded = True
            _listen(app, broker, stop)
        except (DBAPIError, psycopg.Error) as error:
            logger.warning("database: %s; trying again", str(error).splitlines()[0])
            app.db.engine.dispose()
            blinded = False
            stop.wait(_TICK_S)
        except (redis.RedisError, BrokerConnectionError) as error:
            logger.warning("broker: %s; trying again", error)
            stop.wait(_TICK_S)
    broker.close()
    app.close()


def look_around(app: App) -> None:
    """We were away, and what stores told meanwhile may be lost: poll each before any of its numbers rises."""
    with app.db.outside() as connection:
        merchants = connection.execute(text("SELECT id FROM all_merchants()")).scalars().all()
    for merchant_id in merchants:
        with app.db.begin(merchant_id, actor="relay") as tx:
            stores.blind(tx, [store.id for store in stores.every(tx) if store.reads])


def _listen(app: App, broker: RedisBroker, stop: threading.Event) -> None:
    with app.db.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if raw is None:
            raise psycopg.OperationalError("no connection")
        raw.autocommit = True
        raw.execute(f"LISTEN {work.CHANNEL}")
        try:
            next_tick = next_count = 0.0
            while not stop.is_set():
                if time.monotonic() >= next_tick:
                    run_schedule(app.db)
                    next_tick = time.monotonic() + _TICK_S
                if time.monotonic() >= next_count:
                    schema.count_grown_tables(app.db)
                    next_count = time.monotonic() + _COUNT_S
                wait_s = relay_once(app.db, broker)
                for _ in raw.notifies(timeout=min(wait_s, max(next_tick - time.monotonic(), 0.001)), stop_after=1):
                    pass
                for _ in raw.notifies(timeout=0):
                    pass  # one look serves all that called meanwhile
        finally:
            raw.autocommit = False
            connection.invalidate()


def relay_once(db: Database, broker: RedisBroker) -> float:
    """Send everything that is due; returns seconds until something else will be due (at most a tick)."""
    while True:
        now = db.clock()
        with db.outside() as connection:
            rows = connection.execute(
                text(
                    """SELECT merchant_id, topic, store_id, waiting FROM take_due_work(:now, :hold, :most)
                       ORDER BY merchant_id, topic, store_id"""
                ),
                {"now": now, "hold": _HOLD, "most": _AT_ONCE},
            ).all()
            upcoming = connection.execute(text("SELECT next_work_at(:now)"), {"now": now}).scalar_one()
        for row in rows:
            if row.topic in JOBS:
                send(broker, [(row.merchant_id, row.topic, row.store_id)] * JOBS[row.topic].share(row.waiting))
        if sum(row.waiting for row in rows) < _AT_ONCE:
            return _TICK_S if upcoming is None else min(max((upcoming - now).total_seconds(), 0.001), _TICK_S)


def run_schedule(db: Database) -> None:
    """Turn due schedule rows into work, and set when each is due next; one relay does each row once."""
    now = db.clock()
    with db.outside() as connection:
        due = connection.execute(
            text(
                """SELECT merchant_id, topic, store_id, cron, time_zone FROM due_schedules(:now)
                   ORDER BY merchant_id, topic, store_id"""
            ),
            {"now": now},
        ).all()
    for row in due:
        with db.begin(row.merchant_id, actor="relay") as tx:
            mine = tx.run(
                """SELECT 1 FROM schedule WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = :store_id
                   AND next_at <= :now FOR UPDATE SKIP LOCKED""",
                topic=row.topic,
                store_id=row.store_id,
            ).scalar()
            if mine:
                tx.run(
                    """UPDATE schedule SET next_at = :next_at WHERE merchant_id = :merchant_id AND topic = :topic
                       AND store_id = :store_id""",
                    topic=row.topic,
                    store_id=row.store_id,
                    next_at=next_run(row.cron, tx.now, row.time_zone),
                )
                work.want(tx, [work.Want(row.topic, row.store_id, "")])

"""Upkeep: holds run out, partitions are there before they are needed, and a broken rule is seen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, inspect, text

from config import setup
from config.processes import wait_until
from config.settings import Settings
from config.wiring import App
from core import audit, catalog, stores, work
from core.sales.holds import Hold
from jobs import upkeep
from jobs.broker import declare_actors, make_broker
from jobs.registry import TIME_LIMIT_S
from tests.builders import Units, World
from tests.conftest import SECRET_KEY, Logins
from tests.hub import MERCHANT, skip


def want(app: App, topic: str) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [work.Want(topic, 0, "")])


def hold(app: App, world: World, key: str, units: int, seconds: float) -> None:
    world.do(Hold(key, {world.item("mug"): units}, app.db.clock() + timedelta(seconds=seconds)))


def test_holds_that_ran_out_are_released_and_others_stay(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    hold(app, world, "short", 3, 60)
    hold(app, world, "long", 2, 3600)
    want(app, "expire")
    upkeep.expire_holds(app, MERCHANT, 0)
    assert world.units("mug") == Units(free=5, reserved=5)

    skip(app, 61)
    want(app, "expire")
    upkeep.expire_holds(app, MERCHANT, 0)

    assert world.units("mug") == Units(free=8, reserved=2)
    assert world.work("expire") == []


def test_each_hold_ends_once_however_many_workers_look(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    for number in range(8):
        hold(app, world, str(number), 1, 60)
    skip(app, 61)

    def work_on(_worker: int) -> None:
        want(app, "expire")
        upkeep.expire_holds(app, MERCHANT, 0)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work_on, range(8)))

    assert world.units("mug") == Units(free=10)
    assert world.documents().count("expiry") == 8


def test_partitions_of_the_coming_months_are_made_and_making_them_again_does_nothing(
    app: App, superuser: Engine
) -> None:
    skip(app, 300 * 86_400)
    for _ in range(2):
        want(app, "upkeep")
        upkeep.upkeep(app, MERCHANT, 0)

    later = app.db.clock() + timedelta(days=31)
    assert {f"document_{later:%Y_%m}", f"movement_{later:%Y_%m}"} <= set(inspect(superuser).get_table_names())


def test_an_audit_that_finds_nothing_is_done(app: App, world: World) -> None:
    world.stocked("mug", units=10)
    want(app, "audit")
    upkeep.run_audit(app, MERCHANT, 0)
    assert world.work("audit") == []


@pytest.mark.broken_books
def test_an_audit_that_finds_a_broken_rule_stays_as_work_that_says_what(
    app: App, world: World, superuser: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    world.stocked("mug", units=10)
    with superuser.connect() as connection:
        connection.execute(text("UPDATE sales_balance SET free = free + 1"))
    want(app, "audit")

    upkeep.run_audit(app, MERCHANT, 0)

    (row,) = world.ask("SELECT * FROM work WHERE merchant_id = :merchant_id AND topic = 'audit'")
    assert "violations, the first:" in row.reason
    assert "violations" in caplog.text


def test_every_merchant_gets_the_schedule_that_it_lacks_and_keeps_its_own_lines(
    app: App, world: World, logins: Logins
) -> None:
    catalog.ensure_merchant(world.db, 2, name="Second shop")
    with world.db.begin(2, actor="test") as tx:
        stores.set_schedule(tx, "audit", 0, "15 1 * * *")
    settings = Settings.load(database_url=logins.app, owner_database_url=logins.owner, secret_keys=SECRET_KEY)
    for _ in range(2):
        setup.migrate(settings)

    for merchant_id, audited in ((MERCHANT, "45 3 * * *"), (2, "15 1 * * *")):
        rows = World(world.db, merchant_id).ask("SELECT topic, cron, enabled FROM schedule WHERE store_id = 0")
        assert {row.topic: row.cron for row in rows} == {**setup.SCHEDULE, "audit": audited}
        assert all(row.enabled for row in rows)


def test_an_audit_may_read_a_large_ledger_for_longer_than_other_statements(app: App, world: World) -> None:
    ordinary = "SELECT current_setting('statement_timeout')"
    with world.db.begin(MERCHANT, actor="test") as tx:
        audit.audit(tx)
        assert tx.run(ordinary).scalar_one() == "1h"
    assert world.scalar(ordinary) == "1min"


def test_a_long_audit_is_stopped_late_and_nobody_else_begins_before(
    app: App, world: World, superuser: Engine, valkey_url: str
) -> None:
    broker = make_broker(valkey_url)
    declare_actors(broker, app)
    want(app, "audit")
    leased = "SELECT leased_until - :now FROM work WHERE merchant_id = :merchant_id AND topic = 'audit'"
    with ThreadPoolExecutor(1) as pool, superuser.connect() as connection:
        connection.execute(text("BEGIN"))
        connection.execute(text("LOCK TABLE movement"))
        audited = pool.submit(upkeep.run_audit, app, MERCHANT, 0)
        assert wait_until(lambda: bool(world.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted")), 10)
        lease = world.scalar(leased, now=app.db.clock())
        connection.execute(text("COMMIT"))
        audited.result(20)

    limit = timedelta(milliseconds=broker.actors["audit"].options["time_limit"])
    assert timedelta(seconds=audit.LIMIT_S) <= limit < lease
    assert broker.actors["expire"].options["time_limit"] == TIME_LIMIT_S * 1000

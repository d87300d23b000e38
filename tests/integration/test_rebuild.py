"""Rebuild: the balances become what the movements say, whatever else goes on, and nothing else changes."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from config.processes import wait_until
from core import marks
from core.access import actors
from core.goods.receiving import Receive
from core.past import rebuild
from core.past.rebuild import Plan, Rebuild, Rebuilt
from core.stock import BalanceKey, Bucket, DocumentKind
from tests.builders import Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration.race_acts import somebody_waits


@pytest.fixture
def store(world: World) -> int:
    store = world.stocked("mug", "cup", units=20)
    world.hear(store, order(line("mug", 3), paid=True))
    return store


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def corrupt(superuser: Engine, *statements: str) -> None:
    with superuser.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))


def plan(world: World) -> Plan:
    with world.db.begin(1, actor="test") as tx:
        return rebuild.plan(tx)


def run(world: World, planned: Plan | None = None) -> Rebuilt:
    return rebuild.run(world.db, actors.shell(1), planned or plan(world))


def told(planned: Plan) -> set[tuple[str, str, int, int]]:
    return {(one.layer, one.bucket, one.stored, one.replayed) for one in planned.differences}


def test_right_balances_need_no_rebuild(world: World, store: int) -> None:
    assert plan(world).is_empty
    assert run(world) == Rebuilt([], [])


def test_every_bucket_that_is_wrong_is_told_and_set_right(world: World, store: int, superuser: Engine) -> None:
    mug = world.item("mug").item_id
    corrupt(
        superuser,
        f"UPDATE sales_balance SET free = free + 4, sold = 0 WHERE item_id = {mug}",
        f"UPDATE dispatch_balance SET incoming = 9 WHERE item_id = {mug}",
        "DELETE FROM warehouse_balance",
        f"INSERT INTO sales_balance SELECT 1, pool_id, {mug}, 'minor_defect', 5, 0, 0, 0 FROM sales_balance LIMIT 1",
    )
    planned = plan(world)
    assert told(planned) == {
        ("warehouse", "available", 0, 20),
        ("dispatch", "incoming", 9, 0),
        ("sales", "free", 21, 17),
        ("sales", "sold", 0, 3),
        ("sales", "free", 5, 0),
    }

    done = run(world, planned)

    assert (done.changed, done.impossible) == (planned.differences, [])
    assert plan(world).is_empty
    assert world.units("mug") == Units(free=17, sold=3)


def test_what_was_changed_is_logged_and_the_stores_hear_of_it(
    world: World, store: int, superuser: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    corrupt(superuser, f"UPDATE sales_balance SET free = 2 WHERE item_id = {world.item('cup').item_id}")

    run(world)

    (act,) = world.ask("SELECT * FROM act_log WHERE merchant_id = :merchant_id AND act = 'balances.rebuild'")
    (change,) = act.detail["changed"]
    assert change[-3:] == ["free", 2, 20]
    assert "rebuilt ['sales'" in caplog.text
    assert world.due(store, "cup") is not None
    assert world.due(store, "mug") is None


@pytest.mark.broken_books
def test_what_the_movements_lead_below_nothing_is_left_and_told(world: World, store: int, superuser: Engine) -> None:
    corrupt(superuser, "DELETE FROM movement WHERE layer = 'sales' AND to_bucket = 'free'")

    done = run(world)

    assert [(one.bucket, one.stored, one.replayed) for one in done.impossible] == [(Bucket.FREE, 17, -3)]
    assert world.units("mug").free == 17
    assert world.units("cup").free == 0


def test_a_past_that_is_kept_wrong_is_forgotten(world: World, store: int, superuser: Engine) -> None:
    corrupt(
        superuser,
        """INSERT INTO balance_checkpoint SELECT 1, id, now(), '[["sales", "good", 1, "free", 7]]' FROM item LIMIT 1""",
    )
    planned = plan(world)
    assert (len(planned.checkpoints), planned.differences) == (1, [])

    run(world, planned)

    assert plan(world).is_empty
    assert world.scalar("SELECT count(*) FROM balance_checkpoint WHERE merchant_id = :merchant_id") == 0


# ---- while batches run


def test_rebuilding_again_and_again_while_batches_run_changes_nothing_that_they_do(
    world: World, store: int, superuser: Engine
) -> None:
    """Each round corrupts a row that batches change all the time, and sets it right beside them."""
    mug, stop = world.item("mug"), threading.Event()

    def keep_busy(worker: int) -> int:
        done = 0
        while not stop.is_set():
            world.do(Receive(f"busy/{worker}/{done}", DocumentKind.RECEIPT, {mug: 2}))
            world.hear(store, order(line("mug", 1), external_id=f"{worker}-{done}", paid=True))
            done += 1
        return done

    with ThreadPoolExecutor(4) as workers:
        busy = [workers.submit(keep_busy, worker) for worker in range(4)]
        try:
            for _ in range(12):
                corrupt(superuser, f"UPDATE sales_balance SET free = free + 1000 WHERE item_id = {mug.item_id}")
                assert run(world).changed
        finally:
            stop.set()
        rounds = sum(one.result(30) for one in busy)

    assert world.units("mug") == Units(free=17 + rounds, sold=3 + rounds)


class _Interrupted(Rebuild):
    """A receipt comes in between what was read and what is written."""

    receipt: Receive
    world: World
    pool: ThreadPoolExecutor

    def _write(self, rows: Mapping[BalanceKey, Mapping[Bucket, int]]) -> None:
        arrived = self.pool.submit(self.world.do, self.receipt)
        wait_until(lambda: arrived.done() or somebody_waits(self.world), 20)
        super()._write(rows)


class _WithoutLock(_Interrupted):
    row_lock = ""


def interrupt(
    kind: type[_Interrupted], world: World, superuser: Engine, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    kind.receipt = Receive("late", DocumentKind.RECEIPT, {world.item("cup"): 5})
    kind.world, kind.pool = world, pool
    monkeypatch.setattr(rebuild, "Rebuild", kind)
    corrupt(superuser, f"UPDATE sales_balance SET free = 2 WHERE item_id = {world.item('cup').item_id}")
    run(world)
    pool.shutdown()


def test_a_batch_that_comes_between_waits_and_is_counted(
    world: World, store: int, superuser: Engine, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    interrupt(_Interrupted, world, superuser, monkeypatch, pool)

    assert world.units("cup").free == 25


@pytest.mark.broken_books
def test_without_row_locks_a_batch_that_comes_between_is_lost(
    world: World,
    store: int,
    superuser: Engine,
    monkeypatch: pytest.MonkeyPatch,
    pool: ThreadPoolExecutor,
    logins: Logins,
) -> None:
    """The control of the test above."""
    interrupt(_WithoutLock, world, superuser, monkeypatch, pool)

    assert world.units("cup").free == 20
    assert "2" in {violation.invariant[0] for violation in violations(logins)}


def test_a_rebuild_takes_rows_in_the_order_of_batches(
    world: World, store: int, superuser: Engine, pool: ThreadPoolExecutor
) -> None:
    """A batch holds the low row and then takes the high one, while the rebuild wants both; nobody waits in a circle."""
    corrupt(superuser, "UPDATE sales_balance SET free = free + 1", "UPDATE warehouse_balance SET available = 1")
    planned = plan(world)
    row = "SELECT FROM {} WHERE merchant_id = :merchant_id AND item_id = :item_id FOR NO KEY UPDATE"
    mug, cup = world.item("mug").item_id, world.item("cup").item_id
    with world.db.begin(1, actor="batch") as tx:
        tx.run(row.format("warehouse_balance"), item_id=min(mug, cup))
        rebuilt = pool.submit(run, world, planned)
        assert wait_until(lambda: somebody_waits(world), 10)
        tx.run(row.format("warehouse_balance"), item_id=max(mug, cup))
        tx.run(row.format("sales_balance"), item_id=min(mug, cup))
        marks.stale(tx, {mug, cup}, (), ())

    assert len(rebuilt.result(30).changed) == 4


def test_two_rebuilds_at_once_set_everything_right_once(world: World, store: int, superuser: Engine) -> None:
    corrupt(superuser, "UPDATE sales_balance SET free = free + 1")
    planned = plan(world)
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: run(world, planned), range(2)))

    assert sorted(len(one.changed) for one in done) == [0, 2]
    assert world.units("mug").free == 17

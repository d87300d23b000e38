"""Messages of an outside system at one moment: the newest holds, whatever the order in which they are taken in."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from config.processes import wait_until
from core.mirror import batches, known, sources
from core.mirror.known import Outcome
from core.sales.holds import Hold
from core.stock import Stocked
from tests import mirror_world as mirror
from tests.builders import FAR_OFF, World
from tests.integration.place_acts import tell as told
from tests.integration.race_acts import kept, together
from tests.mirror_world import row, shelf, tell, tell_all

THREADS = 8
ROUNDS = 6


def tell_at_once(world: World, rounds: int) -> Iterator[tuple[int, int]]:
    """With each round many messages at once, the newest somewhere among them: what stands then, and what should."""
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 5, 0))
    for turn in range(1, rounds + 1):
        versions = [turn * 100 + n for n in (3, 7, 1, 6, 2, 5, 0, 4)]
        together(lambda version: tell(world, row("mug", version, version)), versions, THREADS)
        yield shelf(world, "mug"), turn * 100 + 7


def test_late_and_newer_messages_at_one_moment_end_with_the_newest(world: World) -> None:
    assert all(stands == newest for stands, newest in tell_at_once(world, ROUNDS))


def test_without_a_row_lock_a_late_message_undoes_a_newer_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(known, "ROW_LOCK", "")

    assert any(stands != newest for stands, newest in tell_at_once(world, 4 * ROUNDS))


def test_one_message_sent_from_many_threads_is_booked_once(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)
    rows = [row("mug", 8, 1, id="m"), row("cup", 9, 1, id="c")]

    answers = together(lambda n: tell(world, *(rows if n % 2 else rows[::-1])), range(THREADS), THREADS)

    assert sum(not one.repeated for said in answers for one in said) == 2
    assert world.documents() == ["found", "found"]


def test_one_batch_sent_from_many_threads_is_booked_once(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)

    done = together(lambda _: tell_all(world, 1, {"mug": 8, "cup": 2}), range(THREADS), THREADS)

    assert len({one.row.id for one in done}) == 1
    assert sorted(world.documents()) == ["found", "missing"]


def test_batches_and_messages_at_one_moment_end_with_the_newest_of_each_item(world: World) -> None:
    skus = [f"item-{n}" for n in range(40)]
    world.stocked(*skus, units=5)
    mirror.source(world, zero_missing=True)

    def act(version: int) -> object:
        if version % 4 == 0:
            return tell_all(world, version, dict.fromkeys(skus[: 30 if version == 8 else 40], version))
        return tell(world, *(row(sku, version, version) for sku in skus[version % 5 :: 5]))

    together(act, list(range(1, 13)), THREADS)

    assert {sku: shelf(world, sku) for sku in skus} == dict.fromkeys(skus, 12)


def test_counts_and_holds_at_one_moment_never_promise_more_than_was_counted(world: World) -> None:
    world.stocked("mug", units=50)
    mirror.source(world)
    mug: Stocked = world.item("mug")

    def act(n: int) -> object:
        if n % 5 == 0:
            return tell(world, row("mug", 20, n))
        return world.run(Hold(f"h{n}", {mug: 1}, FAR_OFF))[0]

    promised = kept([answer for answer in together(act, range(60), THREADS) if not isinstance(answer, list)])

    units = world.units("mug")
    assert units.free + units.reserved == 20
    assert promised == units.reserved + units.backordered


def test_a_batch_that_is_cut_short_goes_on_where_it_was(world: World, superuser: Engine) -> None:
    skus = [f"item-{n}" for n in range(700)]
    world.stocked(*skus, units=0)
    world.receive(skus[-1], 5)
    mirror.source(world)
    failed: list[Exception] = []

    def booking() -> None:
        try:
            tell_all(world, 1, dict.fromkeys(skus, 8))
        except DBAPIError as error:
            failed.append(error)

    with world.db.begin(1, actor="test") as tx:
        last = "SELECT FROM warehouse_balance WHERE merchant_id = :merchant_id AND item_id = :id FOR UPDATE"
        tx.run(last, id=world.item(skus[-1]).item_id)
        thread = threading.Thread(target=booking)
        thread.start()
        assert wait_until(lambda: kill_who_waits(superuser), 14)
    thread.join()

    (row_left,) = told(world, lambda tx: batches.waiting(tx, sources.find(tx, "wms")))
    assert len(failed) == 1
    assert 0 < world.documents().count("found") < len(skus)
    (later,) = tell(world, row(skus[-1], 6, 2))
    assert later.outcome is Outcome.BOOKED
    again = tell_all(world, 1, dict.fromkeys(skus, 8))
    assert (again.row.id, again.row.state) == (row_left.id, "done")
    assert (shelf(world, skus[0]), shelf(world, skus[350]), shelf(world, skus[-1])) == (8, 8, 6)


def kill_who_waits(superuser: Engine) -> bool:
    """End the connection that waits for a row; True when there was one."""
    with superuser.connect() as connection:
        killed = connection.execute(
            text(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'"""
            )
        )
        return bool(killed.all())

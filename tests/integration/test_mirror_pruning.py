"""Messages of the past are forgotten, and still none of them is booked a second time."""

import threading

import pytest

from config.wiring import App
from core import work
from core.mirror import pruning, sources, views
from core.mirror.known import Outcome
from core.mirror.telling import Answer
from jobs import upkeep
from tests import mirror_world as mirror
from tests.builders import World
from tests.hub import MERCHANT
from tests.integration.test_places import tell as told
from tests.mirror_world import row, shelf, tell


def age(world: World, days: int = 91) -> None:
    """All that was told before was told so many days earlier."""
    world.tell("UPDATE mirror_message SET received_at = received_at - make_interval(days => :days)", days=days)


def prune(world: World) -> int:
    return pruning.prune(world.db, world.merchant_id, actor="test")


def messages(world: World) -> int:
    return int(world.scalar("SELECT count(*) FROM mirror_message WHERE merchant_id = :merchant_id"))


def test_what_was_forgotten_and_comes_again_is_late_or_the_same(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)
    rows = [row("mug", 8, 1), row("mug", 3, 2), row("mug", 9, 3, id="m"), row("cup", 7, 1)]
    for one in rows:
        tell(world, one)
    age(world)
    tell(world, row("cup", 6, 2))

    assert (prune(world), messages(world)) == (4, 1)

    again = [tell(world, one)[0] for one in rows]
    assert [one.outcome for one in again] == [Outcome.LATE, Outcome.LATE, Outcome.SAME, Outcome.LATE]
    assert (shelf(world, "mug"), shelf(world, "cup")) == (9, 6)
    (other,) = tell(world, row("mug", 2, 3))
    assert other.outcome is Outcome.REFUSED


def test_a_message_before_a_batch_that_did_not_name_its_item_stays_late(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    mirror.source(world, zero_missing=True)
    tell(world, row("cup", 3, 4))
    mirror.tell_all(world, 5, {"mug": 1})
    age(world)
    tell(world, row("mug", 2, 6))
    prune(world)

    assert tell(world, row("cup", 3, 4))[0].outcome is Outcome.LATE
    assert shelf(world, "cup") == 0


def test_what_is_younger_and_the_newest_of_each_source_stays(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 1))
    age(world)
    assert (prune(world), messages(world)) == (0, 1)
    assert told(world, views.status, told(world, sources.find, "wms")).last_message_at is not None

    tell(world, row("mug", 7, 2))
    age(world, 80)
    tell(world, row("mug", 6, 3))

    assert (prune(world), messages(world)) == (1, 2)


def test_very_many_go_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, *(row("mug", n, n) for n in range(9)))
    age(world)
    tell(world, row("mug", 9, 9))
    monkeypatch.setattr(pruning, "_AT_ONCE", 3)

    assert (prune(world), messages(world)) == (9, 1)


def test_who_tells_while_messages_are_forgotten_is_answered(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    rows = [row("mug", n, n) for n in range(40)]
    tell(world, *rows)
    age(world)
    tell(world, row("mug", 40, 40))
    again: list[Answer] = []
    teller = threading.Thread(target=lambda: again.extend(one for said in rows for one in tell(world, said)))
    teller.start()
    prune(world)
    teller.join()

    assert len(again) == len(rows)
    assert shelf(world, "mug") == 40


def forgotten_while_it_is_told(world: World) -> bool:
    """Somebody tells a message again, and looks at it twice: is it forgotten in between?"""
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 1))
    age(world)
    tell(world, row("mug", 7, 2))
    forgetting = threading.Thread(target=prune, args=(world,))
    with world.db.begin(world.merchant_id, actor="test") as tx:
        sources.find(tx, "wms", row_lock="FOR SHARE")
        before = tx.run("SELECT count(*) FROM mirror_message").scalar_one()
        forgetting.start()
        forgetting.join(timeout=1.0)
        vanished = bool(before != tx.run("SELECT count(*) FROM mirror_message").scalar_one())
    forgetting.join()
    assert messages(world) == 1
    return vanished


def test_no_message_is_forgotten_while_somebody_tells_it_again(world: World) -> None:
    assert not forgotten_while_it_is_told(world)


def test_without_a_row_lock_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(pruning, "ROW_LOCK", "")

    assert forgotten_while_it_is_told(world)


def test_the_nightly_job_does_it(app: App, world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 1))
    age(world)
    tell(world, row("mug", 7, 2))
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [work.Want("upkeep", 0, "")])

    upkeep.upkeep(app, MERCHANT, 0)

    assert messages(world) == 1

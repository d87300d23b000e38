"""Messages of the past are forgotten, and still none of them is booked a second time."""

import threading

import pytest

from config.wiring import App
from core import work
from core.mirror import batches, full, pruning, sources, views
from core.mirror.known import Outcome
from core.mirror.telling import Answer
from jobs import upkeep
from tests import mirror_world as mirror
from tests.builders import World
from tests.hub import MERCHANT
from tests.integration.place_acts import tell as told
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


# ---- full batches


def batch_rows(world: World) -> tuple[int, int]:
    """How many batches are kept, and how many of their items."""
    return (
        world.scalar("SELECT count(*) FROM mirror_batch WHERE merchant_id = :merchant_id"),
        world.scalar("SELECT count(*) FROM mirror_batch_item WHERE merchant_id = :merchant_id"),
    )


def age_batches(world: World, days: int = 91) -> None:
    world.tell("UPDATE mirror_batch SET received_at = received_at - make_interval(days => :days)", days=days)


@pytest.mark.parametrize("zero_missing", [False, True])
def test_batches_of_the_past_are_forgotten_and_told_again_change_nothing(world: World, zero_missing: bool) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, zero_missing=zero_missing)
    for version in (1, 2, 3):
        mirror.tell_all(world, version, {"mug": version, "cup": 9 - version})
        age_batches(world)
    assert batch_rows(world) == (3, 6)

    assert (prune(world), batch_rows(world)) == (2, (1, 2))

    world.stocked("pot", units=4)
    for version in (1, 2, 3):
        mirror.tell_all(world, version, {"mug": version, "cup": 9 - version})
    assert [shelf(world, sku) for sku in ("mug", "cup", "pot")] == [3, 6, 4]


def test_a_batch_that_nothing_newer_covers_stays_where_what_is_not_named_is_none(world: World) -> None:
    """Its source says since a while that what it does not name is not there; the batch would say so of the pot."""
    world.stocked("mug", units=5)
    mirror.source(world)
    for version in (1, 2):
        mirror.tell_all(world, version, {"mug": version})
        age_batches(world)
    with world.db.begin(1, actor="test") as tx:
        sources.change(tx, "wms", {"zero_missing": True})

    assert (prune(world), batch_rows(world)[0]) == (0, 2)

    world.stocked("pot", units=4)
    assert mirror.tell_all(world, 1, {"mug": 1}).repeated
    assert shelf(world, "pot") == 4


def test_what_waits_stays_and_what_was_rejected_is_never_booked(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, most_units=3)
    held, rejected = (mirror.tell_all(world, 1, {sku: 50}, key=sku).row for sku in ("mug", "cup"))
    full.reject(world.db, 1, rejected.id, "a typing error", actor="test")
    mirror.tell_all(world, 2, {"mug": 5})
    age_batches(world)
    mirror.tell_all(world, 3, {"mug": 5})

    assert prune(world) == 1
    again = mirror.tell_all(world, 1, {"cup": 50}, key="cup")

    assert (again.repeated, again.row.state, shelf(world, "cup")) == (True, "rejected", 5)
    with world.db.begin(1, actor="test") as tx:
        assert [one.id for one in batches.waiting(tx, sources.find(tx, "wms"))] == [held.id]
        assert len(batches.items(tx, held.id)) == 1
        assert batches.items(tx, rejected.id) == []


def test_very_many_items_of_batches_go_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stocked(*(f"mug-{n}" for n in range(7)), units=5)
    mirror.source(world)
    for version in range(1, 6):
        mirror.tell_all(world, version, {f"mug-{n}": version for n in range(7)})
    age_batches(world)
    mirror.tell_all(world, 6, {"mug-0": 9})
    monkeypatch.setattr(pruning, "_AT_ONCE", 3)
    monkeypatch.setattr(pruning, "_BATCHES", 2)

    assert (prune(world), batch_rows(world)) == (5, (1, 1))

"""Locks migrate: units, waiting demand and promises go over, and the history stays one."""

from typing import Any

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.sales import lock_migration, lock_report
from core.sales.holds import EndHold, Hold
from core.sales.lock_migration import MigrateLock, MovePromises, Successor, move_promises
from core.sales.lock_terms import Terms
from core.sales.locks import Done, ReleaseLock
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.lock_acts import ask, dispatch, do, floor, lock, main, named, pool, row, shared


def migrate(world: World, key: str, to: str, units: int | None = None, *, ref: str = "m1", **terms: Any) -> Any:
    new = None
    if terms:
        with world.db.begin(1, actor="test") as tx:
            new = Successor(tx.new_id(), Terms(terms.pop("type", "business"), world.item("mug"), 1, **terms))
    return do(world, MigrateLock(key, to, ref, units, new))


def follow(world: World, key: str, to: str) -> int:
    return move_promises(world.db, 1, lambda commands: world.run(*commands), key, to)


def story(world: World, key: str) -> lock_report.History:
    with world.db.begin(1, actor="test") as tx:
        return lock_report.history(tx, key)


def test_some_units_migrate_to_another_lock_once_per_reference(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 6)
    lock(world, "b", "mug", 2)
    assert migrate(world, "a", "b", 4) == Done("active", -4, 0)
    assert migrate(world, "a", "b", 4) == Done("active", -4, 0)
    with pytest.raises(KeyReused):
        migrate(world, "a", "b", 3)
    assert (pool(world, "a"), pool(world, "b"), shared(world, "mug")) == (Units(2), Units(6), Units(2))
    assert (row(world, "a").quantity, row(world, "b").quantity) == (2, 6)


def test_what_waits_migrates_with_its_lock(world: World) -> None:
    world.stocked("mug", units=4)
    lock(world, "a", "mug", 10)
    lock(world, "b", "mug", 1)
    migrate(world, "a", "b", 7)
    assert (pool(world, "a"), pool(world, "b")) == (Units(backordered=3), Units(4, backordered=4))
    world.receive("mug", 5)
    assert (row(world, "a").waiting, row(world, "b").waiting) == (0, 2)


def test_a_whole_lock_migrates_with_its_promises_and_closes(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "a", "mug", 8, type="channel", store_id=store)
    lock(world, "b", "mug", 1)
    world.hear(store, order(line("mug", 2), paid=True))
    world.hear(store, order(line("mug", 1), external_id="1002"))
    do(world, Hold("h", {world.item("mug"): 2}, FAR_OFF, store_id=store, pool_id=row(world, "a").id))
    assert migrate(world, "a", "b").gained == -3
    assert (row(world, "a").status, pool(world, "a")) == ("closed", Units(0, 3, 2))
    assert follow(world, "a", "b") == 5
    assert (pool(world, "a"), pool(world, "b"), shared(world, "mug")) == (Units(), Units(4, 3, 2), Units(1))
    assert row(world, "b").quantity == 9
    assert follow(world, "a", "b") == 0
    world.hear(store, order(line("mug", 2, shipped=2), paid=True))
    world.hear(store, order(line("mug", 1, cancelled=1), external_id="1002"))
    do(world, EndHold("h"))
    assert (pool(world, "b"), world.on_hand("mug")) == (Units(7), (8, 0))


def test_a_whole_lock_that_migrated_is_asked_for_again_and_its_promises_follow(world: World) -> None:
    """Whoever broke off between the two halves repeats the command, under whatever reference."""
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 8)
    lock(world, "b", "mug", 1)
    do(world, named(world, "a", 3))
    first = migrate(world, "a", "b", ref="one")
    assert migrate(world, "a", "b", ref="two") == first
    with pytest.raises(KeyReused):
        migrate(world, "a", "c", ref="three")
    assert follow(world, "a", "b") == 3
    assert pool(world, "b") == Units(6, 3)


def test_promises_follow_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_migration, "_PORTION", 2)
    monkeypatch.setattr(lock_migration, "_LOOK_AT", 3)
    store = world.stocked("mug", units=20)
    lock(world, "a", "mug", 8, type="channel", store_id=store)
    lock(world, "b", "mug", 1)
    for n in range(7):
        world.hear(store, order(line("mug", 1), external_id=str(n), paid=n % 2 == 0))
    for n in range(5):  # newer ones, elsewhere
        do(world, Hold(f"h{n}", {world.item("mug"): 1}, FAR_OFF))
    migrate(world, "a", "b")
    assert follow(world, "a", "b") == 7
    assert pool(world, "b") == Units(2, 3, 4)


def test_a_lock_that_orders_have_all_of_migrates_to_a_successor(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 3)
    do(world, named(world, "a", 3))
    assert migrate(world, "a", "b", owner="web") == Done("closed", 0, 0)
    assert follow(world, "a", "b") == 3
    assert (pool(world, "b"), row(world, "b").quantity) == (Units(0, 3), 3)


def test_a_lock_with_nothing_left_does_not_migrate(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "a", "mug", 3, type="channel", store_id=store)
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    with pytest.raises(Refused, match="has no units left"):
        migrate(world, "a", "b", owner="web")


def test_a_promise_that_has_shipped_in_part_migrates_with_what_is_left(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "a", "mug", 8, type="channel", store_id=store)
    lock(world, "b", "mug", 1)
    world.hear(store, order(line("mug", 5, shipped=2), paid=True))
    migrate(world, "a", "b")
    follow(world, "a", "b")
    assert pool(world, "b") == Units(4, 0, 3)
    world.hear(store, order(line("mug", 5, shipped=5), paid=True))
    assert (pool(world, "b"), world.on_hand("mug")) == (Units(4), (5, 0))


def test_promises_of_a_lock_in_use_stay(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 8)
    lock(world, "b", "mug", 1)
    do(world, named(world, "a", 3))
    with pytest.raises(Refused, match="migrate the whole lock first"):
        do(world, MovePromises("a", "b", []))


def test_a_migration_makes_its_successor_with_other_terms(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock(world, "a", "mug", 6)
    assert migrate(world, "a", "b", type="channel", store_id=store, priority=2, owner="web").waiting == 0
    made, old = row(world, "b"), row(world, "a")
    assert (made.type, made.store_id, made.priority, made.owner, made.status) == ("channel", store, 2, "web", "active")
    assert (made.quantity, made.waiting, made.migrated_from, made.requested_by) == (6, 2, old.id, old.requested_by)
    assert (pool(world, "b"), old.status) == (Units(4, backordered=2), "closed")
    world.hear(store, order(line("mug", 1), paid=True))
    assert pool(world, "b") == Units(3, 0, 1, 2)


def test_the_key_of_a_successor_is_taken_for_good(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 6)
    migrate(world, "a", "b", 2, owner="web")
    with pytest.raises(KeyReused):
        ask(world, "b", "mug", 2)


def test_a_successor_that_was_given_back_before_it_came_is_not_made(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "a", "mug", 6)
    do(world, ReleaseLock("b"))
    with pytest.raises(Refused, match="released before it was requested"):
        migrate(world, "a", "b", 2, owner="web")
    assert pool(world, "a") == Units(6)


def test_goods_change_hands_in_the_warehouse_where_an_end_is_physical(world: World) -> None:
    world.stocked("mug", units=10)
    place = main(world)
    lock(world, "paper", "mug", 6)
    lock(world, "goods", "mug", 1, warehouse_id=place)
    migrate(world, "paper", "goods", 4)
    assert (pool(world, "goods"), dispatch(world, "mug")) == (Units(5), (5, 5))
    migrate(world, "goods", "more goods", 2, warehouse_id=place)
    assert (pool(world, "more goods"), dispatch(world, "mug")) == (Units(2), (5, 5))
    do(world, named(world, "goods", 2))
    migrate(world, "goods", "paper")
    follow(world, "goods", "paper")
    assert (pool(world, "paper"), dispatch(world, "mug")) == (Units(3, 2), (8, 2))


def test_goods_that_are_not_in_the_warehouse_do_not_migrate_there(world: World) -> None:
    world.stocked("mug", units=10)
    with world.db.begin(1, actor="test") as tx:
        second = tx.new_id()
        tx.run(
            """INSERT INTO warehouse (merchant_id, id, code, name, time_zone, kind)
               VALUES (:merchant_id, :id, 'B', 'Second', 'UTC', 'warehouse')""",
            id=second,
        )
    lock(world, "a", "mug", 6)
    lock(world, "there", "mug", 1, warehouse_id=second)
    with pytest.raises(Refused, match="has 0 units to set apart, not 6"):
        migrate(world, "a", "there")
    assert (pool(world, "a"), row(world, "a").status) == (Units(6), "active")


def test_what_cannot_migrate_is_refused_with_the_reason(world: World) -> None:
    store = world.stocked("mug", "cup", units=10)
    lock(world, "a", "mug", 6)
    lock(world, "cups", "cup", 2)
    ask(world, "asked", "mug", 2)
    floor(world, store, "mug", 1)
    floor_key = world.scalar("SELECT key FROM lock WHERE standing")
    for key, to, words in (
        ("a", "a", "cannot migrate to itself"),
        ("a", "cups", "for another item or grade"),
        ("a", "asked", "is requested, so it takes no units"),
        ("asked", "a", "only a begun lock migrates"),
        (floor_key, "a", "a floor; set it lower instead"),
        ("a", floor_key, "a floor, which fills itself"),
    ):
        with pytest.raises(Refused, match=words):
            migrate(world, key, to)
    for key, to in (("nowhere", "a"), ("a", "nowhere")):
        with pytest.raises(NotFound, match="there is no lock nowhere"):
            migrate(world, key, to)
    with pytest.raises(Refused, match="has 6 units free and waits for 0; no more can migrate"):
        migrate(world, "a", "b", 7, owner="x")
    assert pool(world, "a") == Units(6)


# ---- one history


def test_the_history_of_a_lock_begins_where_its_units_come_from(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "a", "mug", 6, reason="spring fair")
    migrate(world, "a", "b", type="channel", store_id=store)
    migrate(world, "b", "c", 2, owner="rest")
    for key in ("a", "b", "c"):
        told = story(world, key)
        assert [view.key for view in told.locks] == ["a", "b", "c"]
        assert told.links == [("a", "b"), ("b", "c")]
        assert [(event.lock, event.what) for event in told.events] == [
            ("a", "requested: 6 units of mug"), ("a", "approved"), ("a", "lock"), ("a", "migration"),
            ("b", "migration"),
        ]  # fmt: skip
    assert story(world, "c").locks[2].migrated_from == "b"
    assert story(world, "a").events[3].moves == ("6 free of lock/a -> free of lock/b",)


def test_several_locks_that_became_one_are_all_in_its_history(world: World) -> None:
    world.stocked("mug", units=10)
    for key in ("a", "b", "one"):
        lock(world, key, "mug", 2)
    migrate(world, "a", "one")
    migrate(world, "b", "one")
    assert {view.key for view in story(world, "one").locks} == {"a", "b", "one"}
    assert {view.key for view in story(world, "a").locks} == {"a", "one"}
    assert pool(world, "one") == Units(6)


def test_units_that_migrate_to_and_fro_have_a_history_that_ends(world: World) -> None:
    world.stocked("mug", units=10)
    for key in ("a", "b"):
        lock(world, key, "mug", 4)
    migrate(world, "a", "b", 2)
    migrate(world, "b", "a", 1)
    assert {view.key for view in story(world, "a").locks} == {"a", "b"}
    assert (row(world, "b").migrated_from, row(world, "a").migrated_from) == (row(world, "a").id, None)

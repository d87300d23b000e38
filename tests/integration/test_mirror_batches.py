"""Full batches of an outside system: item by item in its order, and beyond a bound only when a person says so."""

from collections.abc import Mapping

import pytest

from core.errors import Refused
from core.mirror import full, sources, views
from core.mirror.known import Outcome
from core.mirror.messages import BadRows
from tests import mirror_world as mirror
from tests.builders import Clock, World, line, order
from tests.integration.place_acts import tell as told
from tests.mirror_world import row, shelf, shipped, tell, tell_all


def test_a_full_batch_changes_only_items_without_a_newer_message(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 7))

    done = tell_all(world, 5, {"mug": 1, "cup": 9})

    assert done.row.state == "done"
    assert (shelf(world, "mug"), shelf(world, "cup"), shelf(world, "pot")) == (8, 9, 5)


def test_items_that_a_full_batch_does_not_name_become_0_where_the_source_says_so(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=5)
    mirror.source(world, zero_missing=True)
    tell(world, row("pot", 4, 9))

    done = tell_all(world, 5, {"mug": 1})

    assert (done.row.named, done.row.unnamed) == (1, 2)
    assert (shelf(world, "mug"), shelf(world, "cup"), shelf(world, "pot")) == (1, 0, 4)


def test_a_message_older_than_a_batch_that_did_not_name_its_item_is_late(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    mirror.source(world, zero_missing=True)
    tell_all(world, 5, {"mug": 1})

    (answer,) = tell(world, row("cup", 3, 4))

    assert answer.outcome is Outcome.LATE
    assert shelf(world, "cup") == 0


def test_a_full_batch_that_comes_again_is_not_booked_again(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    first = tell_all(world, 5, {"mug": 1})
    tell(world, row("mug", 8, 6))

    again = tell_all(world, 5, {"mug": 1})

    assert (again.row.id, again.repeated) == (first.row.id, True)
    assert shelf(world, "mug") == 8


def test_a_full_batch_with_another_content_under_its_version_is_refused(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell_all(world, 5, {"mug": 1})

    with pytest.raises(Refused, match="version 5 came before with other content"):
        tell_all(world, 5, {"mug": 2})
    with pytest.raises(Refused, match="other numbers were told of mug under version 5"):
        tell_all(world, 5, {"mug": 2}, key="another")

    source = told(world, sources.find, "wms")
    assert {one.subject for one in told(world, views.refused, source)} == {"batch at/5", "batch id/another"}


def test_a_batch_without_any_item_is_refused(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world, zero_missing=True)

    with pytest.raises(BadRows, match="names none"):
        tell_all(world, 5, {}, best_effort=True)


# ---- the breaker


def test_a_batch_beyond_a_bound_waits_and_books_nothing(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    mirror.source(world, most_units=5)

    held = tell_all(world, 1, {"mug": 2, "cup": 10})

    assert (held.row.state, held.row.why) == ("held", "it moves 8 units, more than 5")
    assert shelf(world, "mug") == 10
    assert [(one.sku, one.change) for one in told(world, views.changes, held.row)] == [("mug", -8)]
    assert [one.id for one in told(world, views.status, told(world, sources.find, "wms")).waiting] == [held.row.id]


def test_a_batch_that_takes_most_units_of_a_small_shop_waits(world: World) -> None:
    world.stocked("mug", units=70)
    mirror.source(world, most_percent=20)

    held = tell_all(world, 1, {"mug": 10})

    assert (held.row.state, held.row.why) == ("held", "it takes away 60 of 70 units, more than half")
    assert shelf(world, "mug") == 70


@pytest.mark.parametrize(
    ("there", "promised", "waits"),
    [
        ({"cup": 5, "plate": 10}, 0, "it takes all that stands in the warehouse: units 15, items 2"),
        ({"cup": 5}, 1, "it takes all that stands in the warehouse: units 5, items 1"),
        ({"cup": 5}, 0, ""),
        ({"cup": 5, "plate": 10, "mug": 1}, 1, ""),
    ],
    ids=["two items", "promised units", "one item that runs out", "not all"],
)
def test_a_batch_that_leaves_nothing_of_a_warehouse_waits_however_small_it_is(
    world: World, there: Mapping[str, int], promised: int, waits: str
) -> None:
    store = world.stocked("cup", "plate", "mug", units=0)
    for sku, units in there.items():
        world.receive(sku, units)
    if promised:
        world.hear(store, order(line("cup", promised), paid=True))
    mirror.source(world, most_percent=20, most_zeroed=20, most_units=5_000, zero_missing=True)

    batch = tell_all(world, 1, {"mug": 4})

    assert (batch.row.state, batch.row.why) == (("held", waits) if waits else ("done", ""))
    assert shelf(world, "cup") == (5 if waits else 0)


def test_who_asks_for_no_share_is_asked_of_no_empty_warehouse(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, most_zeroed=20, most_units=5_000, zero_missing=True)

    assert tell_all(world, 1, {"mug": 0}).row.state == "done"


def test_an_approved_batch_is_booked_and_what_is_newer_by_then_stays(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    mirror.source(world, most_units=5)
    held = tell_all(world, 1, {"mug": 2, "cup": 1})
    tell(world, row("cup", 7, 2))

    done = full.approve(world.db, 1, held.row.id, "new season", actor="user:7")

    assert (done.row.state, done.row.decided_by) == ("done", "user:7")
    assert (shelf(world, "mug"), shelf(world, "cup")) == (2, 7)
    with pytest.raises(Refused, match="is done"):
        full.approve(world.db, 1, held.row.id, "", actor="user:7")


def test_a_rejected_batch_is_never_booked(world: World) -> None:
    world.stocked("mug", units=10)
    mirror.source(world, most_zeroed=0)
    held = tell_all(world, 1, {"mug": 0})

    full.reject(world.db, 1, held.row.id, "half a file", actor="user:7")

    assert tell_all(world, 1, {"mug": 0}).row.state == "rejected"
    assert shelf(world, "mug") == 10
    with pytest.raises(Refused, match="is rejected"):
        full.approve(world.db, 1, held.row.id, "", actor="user:7")
    with pytest.raises(Refused, match="is rejected"):
        full.reject(world.db, 1, held.row.id, "", actor="user:7")


def test_an_older_message_is_booked_while_a_batch_waits_and_is_undone_by_its_approval(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    mirror.source(world, most_units=5, zero_missing=True)
    held = tell_all(world, 5, {"mug": 10})
    tell(world, row("cup", 9, 4))
    assert shelf(world, "cup") == 9

    full.approve(world.db, 1, held.row.id, "", actor="user:7")

    assert shelf(world, "cup") == 0


def test_units_that_leave_while_a_batch_waits_are_taken_off_its_count(world: World, clock: Clock) -> None:
    store_id = world.stocked("mug", units=10)
    mirror.source(world, most_units=5)
    held = tell_all(world, 1, {"mug": 20})
    clock.pass_(3600)
    shipped(world, store_id, 2)
    clock.pass_(60)

    full.approve(world.db, 1, held.row.id, "", actor="user:7")

    assert shelf(world, "mug") == 18


def test_a_batch_that_is_only_tried_out_leaves_nothing_behind(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    mirror.source(world, zero_missing=True)

    tried = tell_all(world, 1, {"mug": 2}, dry_run=True)
    (alone,) = tell(world, row("mug", 3, 1), dry_run=True)

    assert tried.difference is not None
    assert (tried.difference.changed, tried.difference.missing, tried.difference.zeroed) == (2, 18, 1)
    assert alone.change == -7
    assert shelf(world, "mug") == 10
    tables = ("mirror_batch", "mirror_batch_item", "mirror_message", "mirror_item", "mirror_refusal")
    assert [world.scalar(f"SELECT count(*) FROM {name}") for name in tables] == [0] * len(tables)

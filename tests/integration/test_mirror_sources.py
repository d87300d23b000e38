"""Outside systems themselves: one for a warehouse, heard anew when they start again, silent, and removed."""

import pytest

from core.errors import NotFound, Refused
from core.mirror import full, sources, views
from core.mirror.known import Outcome
from tests import mirror_world as mirror
from tests.builders import Clock, World
from tests.integration.place_acts import place
from tests.integration.place_acts import tell as told
from tests.mirror_world import row, shelf, tell, tell_all


def test_one_system_is_the_truth_for_a_warehouse(world: World) -> None:
    mirror.source(world)

    with pytest.raises(Refused, match="wms counts MAIN already"):
        mirror.source(world, "other")
    with pytest.raises(NotFound, match="there are wms"):
        tell(world, row("mug", 1, 1), name="other")


def test_a_system_that_counts_its_versions_anew_is_heard_again(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, zero_missing=True, most_units=5)
    tell(world, row("mug", 6, 1), row("mug", 5, 2, id="m"))
    tell_all(world, 3, {"mug": 5, "cup": 6})
    held = tell_all(world, 1000, {"mug": 50, "cup": 5})

    told(world, sources.restart, "wms")
    answers = tell(world, row("mug", 4, 1), row("mug", 3, 2, id="m"))
    again = tell_all(world, 3, {"mug": 2, "cup": 4})

    assert [one.outcome for one in answers] == [Outcome.BOOKED, Outcome.BOOKED]
    assert (again.repeated, shelf(world, "mug"), shelf(world, "cup")) == (False, 2, 4)
    with pytest.raises(Refused, match="is rejected"):
        full.approve(world.db, 1, held.row.id, "", actor="user:7")


def test_a_source_that_is_removed_leaves_its_documents_and_nothing_else(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, most_units=5)
    tell(world, row("mug", 4, 1))
    tell_all(world, 2, {"cup": 50})

    told(world, sources.remove, "wms")

    tables = ("mirror_batch", "mirror_batch_item", "mirror_message", "mirror_item", "mirror_source")
    assert [world.scalar(f"SELECT count(*) FROM {name}") for name in tables] == [0] * len(tables)
    assert shelf(world, "mug") == 4


def test_a_system_is_silent_after_the_time_that_was_said(world: World, clock: Clock) -> None:
    world.stocked("mug", units=5)
    mirror.source(world, silent_after_s=3600)
    clock.pass_(3000)
    tell(world, row("mug", 5, 1))
    clock.pass_(3000)
    source = told(world, sources.find, "wms")
    assert not told(world, views.status, source).silent

    clock.pass_(700)

    assert told(world, views.status, source).silent
    assert place(world, "MAIN").warehouse_id == source.warehouse_id

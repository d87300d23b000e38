"""An outside system counts a warehouse: each of its messages takes effect once, and a late one never undoes a newer."""

from datetime import UTC, datetime, timedelta

import pytest

from core.goods.adjusting import Lose
from core.mirror import sources, views
from core.mirror.known import Outcome
from core.mirror.messages import BadRows
from core.stock import DocumentKind
from tests import mirror_world as mirror
from tests.builders import Clock, Units, World, line, order
from tests.integration.place_acts import in_bin, receive
from tests.integration.place_acts import tell as told
from tests.mirror_world import row, shelf, shipped, tell, tell_all


def test_the_difference_is_found_or_missing(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)

    answers = tell(world, row("mug", 8, 1), row("CUP", 2, 1))

    assert [(one.outcome, one.change) for one in answers] == [(Outcome.BOOKED, 3), (Outcome.BOOKED, -3)]
    assert (world.units("mug").free, world.units("cup").free) == (8, 2)
    assert world.documents() == ["found", "missing"]


def test_what_stands_there_already_posts_nothing(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)

    (answer,) = tell(world, row("mug", 5, 1))

    assert answer.outcome is Outcome.SAME
    assert world.documents() == []


def test_a_message_that_comes_again_is_answered_as_the_first_time(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    (first,) = tell(world, row("mug", 8, 1, id="m-1"))
    tell(world, row("mug", 2, 2))

    (again,) = tell(world, row("mug", 8, 1, id="m-1"))

    assert (again.document_id, again.outcome, again.repeated) == (first.document_id, Outcome.BOOKED, True)
    assert shelf(world, "mug") == 2


def test_the_id_of_a_message_with_other_content_is_refused(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 1, id="m-1"))

    (answer,) = tell(world, row("cup", 8, 2, id="m-1"))

    assert answer.outcome is Outcome.REFUSED
    assert "m-1 came before with other content" in answer.why
    assert shelf(world, "cup") == 5


def test_a_late_message_changes_nothing(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 7))

    (answer,) = tell(world, row("mug", 3, 6))

    assert answer.outcome is Outcome.LATE
    assert shelf(world, "mug") == 8
    source = told(world, sources.find, "wms")
    (late,) = told(world, views.late, source)
    assert (late.sku, late.version, late.units) == ("mug", 6, 3)


def test_another_number_under_the_same_version_is_refused_until_a_newer_one_comes(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)
    tell(world, row("mug", 8, 7, id="a"))

    (answer,) = tell(world, row("mug", 3, 7, id="b"))

    assert answer.outcome is Outcome.REFUSED
    assert "another number was told under version 7" in answer.why
    source = told(world, sources.find, "wms")
    assert [one.subject for one in told(world, views.refused, source)] == ["mug"]
    tell(world, row("mug", 3, 8, id="b"))
    assert shelf(world, "mug") == 3
    assert told(world, views.refused, source) == []


def test_a_message_ordered_by_time_is_late_by_its_time_whatever_its_offset(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world, by_time=True)
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    tell(world, row("mug", 8, time=f"{day}T14:30:00+02:00"))

    (answer,) = tell(world, row("mug", 3, time=f"{day}T13:29:00+01:00"))

    assert answer.outcome is Outcome.LATE


# ---- what a count knows of, and what it does not


def test_what_left_after_it_was_counted_is_taken_off_the_count(world: World, clock: Clock) -> None:
    store_id = world.stocked("mug", units=10)
    mirror.source(world)
    counted_at = clock.now
    clock.pass_(60)
    shipped(world, store_id, 2)
    clock.pass_(60)

    tell(world, row("mug", 10, 1, as_of=counted_at.isoformat()))

    assert shelf(world, "mug") == 8


def test_what_left_before_it_was_counted_is_not_taken_off_again(world: World, clock: Clock) -> None:
    store_id = world.stocked("mug", units=10)
    mirror.source(world)
    clock.pass_(60)
    shipped(world, store_id, 2)
    clock.pass_(60)

    tell(world, row("mug", 8, 1, as_of=clock.now.isoformat()))

    assert shelf(world, "mug") == 8
    assert "missing" not in world.documents()


def test_what_came_after_it_was_counted_is_not_added_to_the_count(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    mirror.source(world)
    counted_at = clock.now
    clock.pass_(60)
    world.receive("mug", 5)
    clock.pass_(60)

    tell(world, row("mug", 10, 1, as_of=counted_at.isoformat()))

    assert shelf(world, "mug") == 10


def test_what_people_said_is_missing_since_the_count_stays_missing(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    mirror.source(world)
    counted_at = clock.now
    clock.pass_(60)
    world.do(Lose("l", "broken", DocumentKind.MISSING, {world.item("mug"): 3}))
    clock.pass_(60)

    tell(world, row("mug", 10, 1, as_of=counted_at.isoformat()))

    assert shelf(world, "mug") == 7


def test_what_another_message_took_off_is_not_taken_off_again(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    mirror.source(world)
    counted_at = clock.now
    clock.pass_(60)
    tell(world, row("mug", 6, 1))
    clock.pass_(60)

    tell(world, row("mug", 5, 2, as_of=counted_at.isoformat()))

    assert shelf(world, "mug") == 5


def test_units_that_left_since_they_were_counted_are_listed_to_be_counted_again(world: World, clock: Clock) -> None:
    store_id = world.stocked("mug", units=10)
    mirror.source(world)
    tell(world, row("mug", 8, 1))
    clock.pass_(60)
    shipped(world, store_id, 2)

    (one,) = told(world, views.unsettled, told(world, sources.find, "wms"))

    assert (one.sku, one.units) == ("mug", 2)
    assert shelf(world, "mug") == 6
    tell(world, row("mug", 8, 2))
    assert shelf(world, "mug") == 8


def test_a_promise_whose_goods_are_not_counted_waits_and_is_kept_when_it_turns_out_to_be_shipped(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    world.hear(store_id, order(line("mug", 1), paid=True))
    mirror.source(world)

    (answer,) = tell(world, row("mug", 0, 1))

    assert answer.waits == 1
    assert world.units("mug") == Units(backordered=1)
    assert len(world.incidents()) == 1
    world.hear(store_id, order(line("mug", 1, shipped=1), paid=True))
    assert world.incidents() == []
    assert (shelf(world, "mug"), world.units("mug")) == (0, Units())


def test_found_goods_serve_who_waits(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    world.hear(store_id, order(line("mug", 3), paid=True))
    mirror.source(world)

    tell(world, row("mug", 4, 1))

    assert world.units("mug") == Units(free=1, sold=3)


# ---- places


def test_a_count_of_a_whole_warehouse_takes_what_is_missing_out_of_its_bins_and_of_no_other(world: World) -> None:
    world.stocked("mug", units=4)
    receive(world, "mug", 3, "MAIN/A-01")
    receive(world, "mug", 5, "HAMBURG")
    mirror.source(world)

    (answer,) = tell(world, row("mug", 2, 1))

    assert answer.change == -5
    assert (in_bin(world, "mug", "MAIN")[0], in_bin(world, "mug", "MAIN/A-01")[0]) == (0, 2)
    assert in_bin(world, "mug", "HAMBURG")[0] == 5
    assert world.documents()[-2:] == ["missing", "missing"]


def test_goods_found_in_a_second_warehouse_are_put_in_its_default_bin(world: World) -> None:
    world.stocked("mug", units=4)
    receive(world, "mug", 3, "HAMBURG/A-01")
    mirror.source(world, at="HAMBURG")

    tell(world, row("mug", 10, 1))

    assert in_bin(world, "mug", "HAMBURG")[0] == 7
    assert shelf(world, "mug", "MAIN") == 4


def test_a_source_that_counts_bins_names_them(world: World) -> None:
    world.stocked("mug", units=4)
    receive(world, "mug", 3, "MAIN/A-01")
    mirror.source(world, by_bin=True)

    tell(world, row("mug", 1, 1, bin="A-01"), row("mug", 9, 1))

    assert (in_bin(world, "mug", "MAIN")[0], in_bin(world, "mug", "MAIN/A-01")[0]) == (9, 1)
    with pytest.raises(BadRows, match="holdfast bin add MAIN/B-02"):
        tell(world, row("mug", 1, 2, bin="B-02"))


def test_a_batch_of_a_source_that_counts_bins_zeroes_the_bins_that_it_does_not_name(world: World) -> None:
    world.stocked("mug", units=4)
    receive(world, "mug", 3, "MAIN/A-01")
    receive(world, "mug", 5, "HAMBURG")
    mirror.source(world, by_bin=True, zero_missing=True)

    tell_all(world, 1, {"mug": 4})

    assert (in_bin(world, "mug", "MAIN")[0], in_bin(world, "mug", "MAIN/A-01")[0]) == (4, 0)
    assert shelf(world, "mug", "HAMBURG") == 5


def test_a_bin_is_refused_where_the_whole_warehouse_is_counted(world: World) -> None:
    world.stocked("mug", units=4)
    mirror.source(world)

    with pytest.raises(BadRows, match="leave bin out"):
        tell(world, row("mug", 1, 1, bin="DEFAULT"))


def test_goods_of_another_grade_and_those_set_apart_are_counted_by_themselves(world: World) -> None:
    world.stocked("mug", units=4)
    world.do(Lose("l", "broken", DocumentKind.DAMAGE, {world.item("mug"): 1}))
    mirror.source(world)

    tell(world, row("mug", 3, 1), row("mug", 2, 1, grade="minor_defect"))

    assert world.documents() == ["damage", "found"]
    assert world.on_hand("mug") == (3, 1)


# ---- rows that cannot be used


def test_nothing_is_booked_when_a_row_cannot_be_used_unless_that_is_asked_for(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world)
    rows = [row("mug", 8, 1), row("nothing", 3, 1), row("cup", -1, 1)]

    with pytest.raises(BadRows) as refused:
        tell(world, *rows)

    assert {one.row: one.subject for one in refused.value.problems} == {2: "nothing", 3: "cup"}
    assert shelf(world, "mug") == 5
    answers = tell(world, *rows, best_effort=True)
    assert [one.outcome for one in answers] == [Outcome.BOOKED, Outcome.REFUSED, Outcome.REFUSED]
    assert shelf(world, "mug") == 8


def test_an_item_named_in_two_spellings_is_named_twice(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)

    with pytest.raises(BadRows, match=r"row 2 \(MUG\): row 1 names the same item"):
        tell_all(world, 1, {"mug": 8, "MUG": 8}, best_effort=True)


def test_a_row_that_cannot_be_read_is_not_taken_for_an_item_that_is_missing(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mirror.source(world, zero_missing=True)

    with pytest.raises(BadRows, match="quantity"):
        tell_all(world, 1, {"mug": 5, "cup": "many"}, best_effort=True)
    done = tell_all(world, 1, {"mug": 5, "cup": 5, "not ours": 4}, best_effort=True)

    assert [one.subject for one in done.left_out] == ["not ours"]
    assert shelf(world, "cup") == 5


def test_one_item_told_several_times_in_one_request_ends_with_its_newest_number(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world)

    answers = tell(world, row("mug", 8, 3), row("mug", 2, 1), row("MUG", 9, 4), row("mug", 9, 4))

    assert [one.outcome for one in answers] == [Outcome.BOOKED, Outcome.LATE, Outcome.BOOKED, Outcome.BOOKED]
    assert answers[3].repeated
    assert shelf(world, "mug") == 9


def test_a_number_from_the_future_is_refused_because_nothing_could_be_newer(world: World) -> None:
    world.stocked("mug", units=5)
    mirror.source(world, by_time=True)
    ahead = (datetime.now(UTC) + timedelta(hours=2)).isoformat()

    with pytest.raises(BadRows, match="has not come yet"):
        tell(world, row("mug", 8, time=ahead))

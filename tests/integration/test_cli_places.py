"""``holdfast warehouse`` and ``holdfast bin`` as a merchant types them."""

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


def test_goods_are_received_in_a_new_warehouse_put_away_and_added_up(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=3)

    holdfast(
        "warehouse", "add", "HAMBURG", "--address", "DE, HH, 20457, Hamburg", "--cut-off", "14:00", "--at", "53.5,10"
    )
    holdfast("stock", "receive", "MUG", "10", "--to", "HAMBURG")
    holdfast("bin", "add", "HAMBURG/A-01")
    told = holdfast("bin", "move", "MUG", "4", "--to", "HAMBURG/A-01", "--key", "m1")
    again = holdfast("bin", "move", "MUG", "4", "--to", "HAMBURG/A-01", "--key", "m1")

    assert "now in HAMBURG/A-01" in told.out
    assert "was booked before" in again.out
    listed = holdfast("bin", "list", "HAMBURG", "--json").json
    assert {one["code"]: one["units"] for one in listed} == {"DEFAULT": 6, "A-01": 4}
    totals = holdfast("warehouse", "totals", "MUG", "--json").json
    assert {one["place"]: one["book"] for one in totals} == {"HAMBURG": 10, "MAIN": 3, "-": 13, "all": 13}
    warehouse = next(one for one in holdfast("warehouse", "list", "--json").json if one["code"] == "HAMBURG")
    assert (warehouse["country"], warehouse["city"], warehouse["cut_off"]) == ("DE", "Hamburg", "14:00")


def test_a_frozen_bin_says_how_to_thaw_it(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=3)
    holdfast("bin", "add", "MAIN/A-01")
    holdfast("bin", "freeze", "MAIN/A-01")

    refused = holdfast("bin", "move", "MUG", "1", "--to", "MAIN/A-01")

    assert refused.code == 1
    assert "holdfast bin thaw MAIN/A-01" in refused.err
    holdfast("bin", "thaw", "MAIN/A-01")
    assert holdfast("bin", "move", "MUG", "1", "--to", "MAIN/A-01").code == 0


def test_words_that_mean_nothing_are_refused_with_an_example(world: World, holdfast: Holdfast) -> None:
    assert "52.52,13.40" in holdfast("warehouse", "add", "X", "--at", "north").err
    for words in ("teatime", "24:00", "14", "14:00:30", " 9: 5", "14:00+02"):
        assert "14:00" in holdfast("warehouse", "add", "X", "--cut-off", words).err
    assert "what is to change" in holdfast("warehouse", "set", "MAIN").err
    assert "no warehouse NOWHERE" in holdfast("warehouse", "pause", "NOWHERE").err


def test_a_pause_is_tried_out(world: World, holdfast: Holdfast) -> None:
    store = world.stocked("MUG", units=3)
    holdfast("route", "auto", "on")
    world.hear(store, order(line("MUG", 2), paid=True))
    assert holdfast("fulfil", "allocate", "1001").code == 0
    tried = holdfast("warehouse", "pause", "MAIN", "--dry-run")
    assert tried.out == (
        "Only tried out: warehouse MAIN would serve no more orders; 1 part of orders that nobody packs there yet would "
        "go elsewhere.\n"
    )
    assert "paused" not in holdfast("warehouse", "list").out
    assert holdfast("warehouse", "pause", "MAIN", "--dry-run", "--json").json["relieved"] == 1


def test_a_paused_warehouse_says_so_in_the_list(world: World, holdfast: Holdfast) -> None:
    holdfast("warehouse", "pause", "MAIN")

    assert "paused" in holdfast("warehouse", "list").out
    assert "nothing was changed" in holdfast("warehouse", "pause", "MAIN").out


def test_goods_go_to_another_warehouse_in_the_words_of_the_page(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "POT", units=20)
    holdfast("warehouse", "add", "HAMBURG")

    would = holdfast("transfer", "ask", "T-7", "MUG=30", "--from", "MAIN", "--to", "HAMBURG", "--dry-run")
    assert "transfer T-7 would be asked for, and 20 units kept for it in MAIN." in would.out
    assert "10 units of it cannot be kept now" in would.out
    assert holdfast("transfer", "list", "--json").json == []
    asked = holdfast(
        "transfer", "ask", "T-7", "MUG=20", "POT=5", "--from", "MAIN", "--to", "HAMBURG", "--on", "2027-03-31"
    )
    tried = holdfast("transfer", "send", "T-7", "--dry-run")
    sent = holdfast("transfer", "send", "T-7", "MUG=20", "--key", "truck")
    again = holdfast("transfer", "send", "T-7", "MUG=20", "--key", "truck")
    came = holdfast("transfer", "receive", "T-7", "MUG=19", "--damaged", "MUG=1")
    lost = holdfast("transfer", "lose", "T-7", "--reason", "parcel lost")

    assert "holdfast transfer send T-7" in asked.out
    assert "Only tried out" in tried.out
    assert [one.code for one in (sent, came, lost)] == [0, 0, 0], sent.err + came.err + lost.err
    assert "was booked before" in again.out
    shown = holdfast("transfer", "show", "T-7", "--json").json
    assert shown["state"] == "waiting"
    assert shown["lines"][0] == {
        "sku": "MUG", "grade": "good", "asked": 20, "closed": 0, "kept": 0, "sent": 20, "on_its_way": 0,
        "came": 19, "lost": 1,
    }  # fmt: skip
    assert "T-7" in holdfast("transfer", "list").out
    assert "POT" in holdfast("transfer", "show", "T-7").out


def test_goods_of_another_warehouse_are_not_put_away_but_transferred(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=20)
    holdfast("warehouse", "add", "HAMBURG")

    refused = holdfast("bin", "move", "MUG", "1", "--to", "HAMBURG/DEFAULT").err

    assert "--from" in refused
    assert "`holdfast transfer ask" in refused


def test_damaged_units_of_a_transfer_are_among_those_that_came(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=20)
    holdfast("warehouse", "add", "HAMBURG")
    holdfast("transfer", "ask", "T-7", "MUG=10", "--from", "MAIN", "--to", "HAMBURG")
    holdfast("transfer", "send", "T-7")

    too_many = holdfast("transfer", "receive", "T-7", "MUG=2", "--damaged", "MUG=3")
    holdfast("transfer", "receive", "T-7", "MUG=4", "--damaged", "MUG=1")

    assert "3 of 2 units cannot be damaged; count them among the units that came" in too_many.err
    (line,) = holdfast("transfer", "show", "T-7", "--json").json["lines"]
    assert (line["came"], line["on_its_way"]) == (4, 6)

    # all the rest comes, and one of it is damaged
    holdfast("transfer", "receive", "T-7", "--damaged", "MUG=1")
    (line,) = holdfast("transfer", "show", "T-7", "--json").json["lines"]
    assert (line["came"], line["on_its_way"]) == (10, 0)
    assert sum(one["units"] for one in holdfast("apart", "list", "--json").json) == 2


def test_more_than_was_sent_is_said(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=20)
    holdfast("warehouse", "add", "HAMBURG")
    holdfast("transfer", "ask", "T-7", "MUG=4", "--from", "MAIN", "--to", "HAMBURG")
    holdfast("transfer", "send", "T-7")

    tried = holdfast("transfer", "receive", "T-7", "MUG=9", "--dry-run").out
    came = holdfast("transfer", "receive", "T-7", "MUG=9").out

    assert "5 units more than were on their way would be booked in as found" in tried
    assert "5 units more than were on their way are booked in as found" in came


def test_a_closed_transfer_still_says_what_was_asked_for(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "POT", units=20)
    holdfast("warehouse", "add", "HAMBURG")
    holdfast("transfer", "ask", "T-7", "MUG=15", "POT=2", "--from", "MAIN", "--to", "HAMBURG")
    holdfast("transfer", "send", "T-7", "MUG=12", "POT=2")

    closed = holdfast("transfer", "close", "T-7")
    again = holdfast("transfer", "close", "T-7")

    assert "3 units" in closed.out
    assert "Nothing of T-7 was still to be sent" in again.out
    lines = holdfast("transfer", "show", "T-7", "--json").json["lines"]
    assert [(one["asked"], one["closed"], one["sent"]) for one in lines] == [(15, 3, 12), (2, 0, 2)]
    assert "closed" in holdfast("transfer", "show", "T-7").out


def test_a_transfer_of_goods_that_it_has_not_says_what_to_look_at(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "POT", units=20)
    holdfast("warehouse", "add", "HAMBURG")
    holdfast("transfer", "ask", "T-7", "MUG=20", "--from", "MAIN", "--to", "HAMBURG")

    refused = holdfast("transfer", "send", "T-7", "POT=1")

    assert refused.code == 1
    assert "holdfast transfer show T-7" in refused.err


def test_what_is_said_of_goods_can_be_said_of_one_place(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=0)
    holdfast("warehouse", "add", "HAMBURG")
    holdfast("stock", "receive", "MUG", "10", "--to", "HAMBURG")

    lost = holdfast("stock", "missing", "MUG", "1", "--reason", "not there")
    assert lost.code == 1
    assert "name the place" in lost.err
    for act in ("missing", "damage", "mend"):
        assert holdfast("stock", act, "MUG", "1", "--reason", "seen", "--at", "HAMBURG").code == 0
    assert holdfast("stock", "regrade", "MUG", "2", "--reason", "scratched", "--at", "HAMBURG").code == 0
    assert holdfast("stock", "set", "MUG", "5", "--reason", "count", "--at", "HAMBURG").code == 0
    assert holdfast("stock", "found", "MUG", "1", "--reason", "behind", "--to", "HAMBURG").code == 0

    (hamburg,) = holdfast("bin", "list", "HAMBURG", "--json").json
    assert hamburg["units"] == 8

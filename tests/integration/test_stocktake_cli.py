"""``holdfast count`` as a merchant types it."""

import csv
from pathlib import Path

import pytest

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


@pytest.fixture
def people(world: World, holdfast: Holdfast) -> None:
    for name, role in {"ann": "warehouse", "bob": "planner", "eve": "viewer"}.items():
        assert holdfast("user", "add", f"{name}@shop.example", "--role", role).code == 0


def fill_in(sheet: Path, **counted: str) -> None:
    with sheet.open(newline="") as text:
        rows = list(csv.DictReader(text))
    with sheet.open("w", newline="") as text:
        write = csv.DictWriter(text, rows[0].keys())
        write.writeheader()
        for row in rows:
            write.writerow({**row, "counted": counted.get(row["sku"], "")})


def test_a_warehouse_is_counted_with_a_sheet_while_it_sells(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    store_id = world.stocked("MUG", "POT", units=10)
    sheet = tmp_path / "sheet.csv"

    opened = holdfast("count", "start", "S-7", "--at", "MAIN")
    written = holdfast("count", "sheet", "S-7", "--file", str(sheet))
    fill_in(sheet, MUG="8")
    entered = holdfast("count", "enter", "S-7", "--file", str(sheet))
    world.hear(store_id, order(line("MUG", 3, shipped=3), paid=True))
    varies = holdfast("count", "variance", "S-7", "--json").json
    tried = holdfast("count", "post", "S-7", "--dry-run", "--json").json
    posted = holdfast("count", "post", "S-7")

    assert "2 lines to count" in opened.out
    assert "2 lines written" in written.out
    assert "1 line of stocktake S-7 entered" in entered.out
    (one,) = varies["lines"]
    assert (one["book"], one["counted"], one["variance"], one["percent"], one["now"]) == (10, 8, -2, -20.0, 7)
    assert (tried["missing"], tried["dry_run"]) == (2, True)
    assert "0 found and 2 missing on 1 line, 1 document" in posted.out
    assert "1 line left alone: nobody counted" in posted.out
    assert world.on_hand("MUG")[0] == 5
    assert "was posted before" in holdfast("count", "post", "S-7").out


def test_rows_that_cannot_be_entered_are_named_with_their_cure_and_none_is(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", units=10)
    holdfast("count", "start", "S-7", "--at", "MAIN")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "Place;SKU;Counted;Counted at\nMAIN/DEFAULT;MUG;9;\nMAIN;NOSUCH;1;\nMAIN/X;MUG;1;\nMAIN;MUG;many;\n"
        "MAIN;MUG;3;teatime\n"
    )

    refused = holdfast("count", "enter", "S-7", "--file", str(sheet))

    assert refused.code == 1
    assert "4 rows cannot be entered" in refused.err
    for told in ("row 3: no item has SKU NOSUCH", "row 4: there is no bin MAIN/X", "row 5: 'many'", "row 6: 'teatime'"):
        assert told in refused.err
    assert holdfast("count", "show", "S-7", "--json").json["progress"]["counted"] == 0


def test_a_line_that_the_stocktake_refuses_is_named_by_its_row(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=10)
    holdfast("count", "start", "S-7", "--at", "MAIN", "--sku", "MUG")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("place,sku,counted\nMAIN,MUG,9\n\nMAIN,POT,9\nMAIN,mug,8\n")

    refused = holdfast("count", "enter", "S-7", "--file", str(sheet))

    assert "row 4: stocktake S-7 is of chosen items" in refused.err
    assert "row 5: it is counted twice" in refused.err


@pytest.mark.usefixtures("people")
def test_a_second_person_approves_what_varies_too_much(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=10)
    holdfast("count", "limit", "--units", "1")
    holdfast("count", "start", "S-7", "--at", "MAIN")
    holdfast("count", "enter", "S-7", "MUG=8", "--at", "MAIN", "--as", "bob@shop.example")

    unapproved = holdfast("count", "post", "S-7")
    by_counter = holdfast("count", "approve", "S-7", "--as", "bob@shop.example")
    without_right = holdfast("count", "approve", "S-7", "--as", "ann@shop.example")
    nameless = holdfast("count", "approve", "S-7")
    assert [one.code for one in (unapproved, by_counter, without_right, nameless)] == [1, 1, 1, 1]
    assert "holdfast count approve S-7" in unapproved.err
    assert "counted some of stocktake" in by_counter.err
    assert "count.approve" in without_right.err
    assert "--as EMAIL" in nameless.err

    holdfast("user", "add", "cem@shop.example", "--role", "planner")
    stale = holdfast("count", "approve", "S-7", "--revision", "7", "--as", "cem@shop.example")
    approved = holdfast("count", "approve", "S-7", "--revision", "1", "--as", "cem@shop.example")
    assert "revision 1, not 7" in stale.err
    assert "0 found and 2 missing" in approved.out
    assert holdfast("count", "list", "--json").json[0]["state"] == "approved"

    holdfast("count", "enter", "S-7", "MUG=7", "--at", "MAIN", "--as", "bob@shop.example")
    lapsed = holdfast("count", "post", "S-7")
    assert lapsed.code == 1
    holdfast("count", "approve", "S-7", "--as", "cem@shop.example")
    assert holdfast("count", "post", "S-7").code == 0
    history = holdfast("count", "show", "S-7", "--json").json["history"]
    assert [one["what"] for one in history] == ["opened", "approved", "posting begun", "posted"]
    assert history[1]["who"] == "cem@shop.example"


@pytest.mark.usefixtures("people")
def test_who_counts_blind_is_not_told_what_the_books_hold(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=7_351)
    holdfast("count", "start", "S-7", "--at", "MAIN", "--blind")
    ann = ("--as", "ann@shop.example")
    entered = holdfast("count", "enter", "S-7", "MUG=7000", "--at", "MAIN", *ann)

    seen = [
        entered,
        holdfast("count", "sheet", "S-7", *ann),
        holdfast("count", "sheet", "S-7", "--json", *ann),
        holdfast("count", "show", "S-7", *ann),
        holdfast("count", "show", "S-7", "--json", *ann),
        holdfast("count", "show", "S-7", "--sku", "MUG", "--json", *ann),
        holdfast("count", "variance", "S-7", *ann),
        holdfast("count", "post", "S-7", "--dry-run", *ann),
    ]

    assert [one.code for one in seen] == [0, 0, 0, 0, 0, 0, 1, 1]
    assert not any("351" in one.out + one.err or "7,351" in one.out for one in seen)
    assert "7351" in holdfast("count", "variance", "S-7", "--as", "bob@shop.example").out
    assert "7351" in holdfast("count", "show", "S-7", "--sku", "MUG", "--as", "bob@shop.example").out


@pytest.mark.usefixtures("people")
def test_who_may_only_look_counts_nothing(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=1)
    for words in (
        ("start", "S-7", "--at", "MAIN"), ("enter", "S-7", "MUG=1", "--at", "MAIN"), ("post", "S-7"),
        ("cancel", "S-7"), ("limit", "--units", "3"), ("approve", "S-7"),
    ):  # fmt: skip
        assert "lacks the right" in holdfast("count", *words, "--as", "eve@shop.example").err
    assert holdfast("count", "list", "--as", "eve@shop.example").code == 0


def test_counters_who_differ_are_named_by_their_line(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=10)
    holdfast("count", "start", "S-7", "--at", "MAIN")
    holdfast("count", "enter", "S-7", "MUG=9", "--at", "MAIN", "--counter", "team-1")

    differs = holdfast("count", "enter", "S-7", "MUG=8", "--at", "MAIN", "--counter", "team-2")

    assert "Counters differ: MUG at MAIN/DEFAULT" in differs.out
    assert "MAIN/DEFAULT,MUG" in holdfast("count", "sheet", "S-7", "--only", "recount").out
    assert "To be counted again: MUG at MAIN/DEFAULT" in holdfast("count", "variance", "S-7").out
    assert holdfast("count", "post", "S-7").code == 1
    holdfast("count", "enter", "S-7", "MUG=8", "--at", "MAIN", "--counter", "team-1")
    assert "0 found and 2 missing" in holdfast("count", "post", "S-7").out


def test_what_was_counted_earlier_is_entered_with_its_time(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=10)
    holdfast("count", "start", "S-7", "--at", "MAIN")

    early = holdfast("count", "enter", "S-7", "MUG=9", "--at", "MAIN", "--when", "2020-01-01T10:00")
    late = holdfast("count", "enter", "S-7", "MUG=9", "--at", "MAIN", "--when", "2200-01-01T10:00")

    assert "was opened at" in early.err
    assert "has not come yet" in late.err
    assert holdfast("count", "enter", "S-7", "MUG=9", "--at", "MAIN", "--when", "now").code == 0


def test_words_that_mean_nothing_are_refused_with_an_example(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=1)
    holdfast("count", "start", "S-7", "--at", "MAIN")
    too_many = tmp_path / "sheet.csv"
    too_many.write_text("place,sku,counted\nMAIN,MUG,999999999999\n")

    assert "--at MAIN/A-01" in holdfast("count", "enter", "S-7", "MUG=1").err
    assert "MUG-RED=17" in holdfast("count", "enter", "S-7").err
    assert "MUG-RED=" in holdfast("count", "enter", "S-7", "MUG", "--at", "MAIN").err
    assert "no warehouse NOWHERE" in holdfast("count", "start", "S-8", "--at", "NOWHERE").err
    assert "no stocktake S-9" in holdfast("count", "show", "S-9").err
    assert "cannot be read" in holdfast("count", "enter", "S-7", "--file", "/nowhere.csv").err
    assert "not both" in holdfast("count", "limit", "--units", "1", "--none").err
    for option, number in (("--not-for", 10**12), ("--most", 10**30)):
        assert "say how many" in holdfast("count", "start", "S-8", "--at", "MAIN", option, str(number)).err
    assert "a limit is" in holdfast("count", "limit", "--units", str(10**30)).err
    assert "nobody counts" in holdfast("count", "enter", "S-7", "--file", str(too_many)).err
    assert "no warehouse" in holdfast("count", "start", "S-8", "--at", "").err
    assert "needs a number" in holdfast("count", "start", " ", "--at", "MAIN").err
    assert "A, B or C" in holdfast("count", "start", "S-8", "--at", "MAIN", "--class", "Z").err


def test_a_cancelled_stocktake_says_so(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=1)
    holdfast("count", "start", "S-7", "--at", "MAIN", "--freeze")

    told = holdfast("count", "cancel", "S-7", "--reason", "wrong day")

    assert "is cancelled" in told.out
    assert "was cancelled before" in holdfast("count", "cancel", "S-7").out
    assert "No stocktake is open" in holdfast("count", "list").out
    assert holdfast("count", "list", "--all", "--json").json[0]["state"] == "cancelled"
    assert holdfast("bin", "list", "--json").json[0]["frozen"] is False


def test_who_gave_units_up_is_told_by_item_and_not_without_end(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    skus = [f"P{nth:02}" for nth in range(25)]
    store_id = world.stocked(*skus, units=10)
    world.hear(store_id, order(line("P24", 9), paid=True))
    sheet = tmp_path / "sheet.csv"
    holdfast("count", "start", "S-7", "--at", "MAIN")
    holdfast("count", "sheet", "S-7", "--file", str(sheet))
    fill_in(sheet, **dict.fromkeys(skus, "4"))
    holdfast("count", "enter", "S-7", "--file", str(sheet))

    said = holdfast("count", "post", "S-7").out

    rows = [one.split() for one in said.splitlines()]
    assert rows[1][:2] == ["SKU", "units"]
    assert rows[2][:2] == ["P24", "5"]  # who waits stands first
    assert "waits for them again" in said.splitlines()[2]
    assert rows[3][:2] == ["P00", "6"]
    assert "and 6 more; --json tells all" in said
    assert len(rows) == 1 + 1 + 20 + 1 + 1


def test_a_bin_that_a_stocktake_froze_names_it_and_how_it_ends(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=10)
    holdfast("count", "start", "S-7", "--at", "MAIN", "--freeze")

    refused = holdfast("stock", "receive", "MUG", "1").err

    assert "bin MAIN/DEFAULT is frozen for stocktake S-7" in refused
    assert "`holdfast count post S-7`" in refused
    assert "thaw" not in refused
    holdfast("count", "cancel", "S-7")
    holdfast("bin", "freeze", "MAIN/DEFAULT")
    assert "`holdfast bin thaw MAIN/DEFAULT`" in holdfast("stock", "receive", "MUG", "1").err

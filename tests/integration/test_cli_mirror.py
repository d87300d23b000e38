"""``holdfast mirror`` as a merchant types it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import World
from tests.integration.command_line import Holdfast
from tests.mirror_world import shelf


def write(folder: Path, content: str | bytes) -> str:
    file = folder / "stock.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def test_a_full_file_is_tried_out_waits_is_looked_at_and_approved(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "CUP", units=10)
    named = holdfast("mirror", "add", "wms", "--warehouse", "MAIN", "--missing", "zero", "--most-units", "5")
    file = write(tmp_path, "sku;quantity\nMUG;4\n")
    read = ("mirror", "read", file, "--source", "wms", "--full", "--version", "1")

    tried = holdfast(*read, "--dry-run")
    held = holdfast(*read)

    assert "POST /mirror/wms/items" in named.out
    assert "It would wait for a person" in tried.out
    assert "not named" in tried.out
    assert "Nothing is booked yet" in held.out
    (listed,) = holdfast("mirror", "list", "--json").json
    number = str(listed["waiting"][0]["batch"])
    assert f"mirror review {number}" in holdfast("mirror", "list").out
    reviewed = holdfast("mirror", "review", number)
    assert "it moves 16 units, more than 5" in reviewed.out
    assert "-10" in reviewed.out
    assert holdfast("mirror", "approve", number, "--reason", "new season").code == 0
    assert (shelf(world, "MUG"), shelf(world, "CUP")) == (4, 0)
    assert holdfast("mirror", "review", number, "--json").json["booked"] == 2
    assert "is done" in holdfast("mirror", "reject", number, "--reason", "too late").err


def test_a_file_of_single_items_tells_what_became_of_each(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", "CUP", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    today = f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z"
    file = write(tmp_path, f"\ufeffSKU,Qty,Version,As of\nMUG,4,7,\nCUP,10,7,{today}\n")

    told = holdfast("mirror", "read", file, "--source", "wms")
    again = holdfast("mirror", "read", write(tmp_path, "sku,quantity,version\nMUG,5,7\nCUP,1,6\n"), "--source", "wms")

    assert "2 messages of wms: 1 booked, 1 as it was" in told.out
    assert again.code == 1
    assert "1 late, 1 refused" in again.out
    assert "needs a newer version" in again.out
    shown = holdfast("mirror", "show", "wms", "--json").json
    assert [one["sku"] for one in shown["late_messages"]] == ["CUP"]
    assert [one["subject"] for one in shown["refusals"]] == ["MUG"]
    assert "Refused, and not told rightly since" in holdfast("mirror", "show", "wms").out
    assert "It is at version 7." in holdfast("mirror", "show", "wms").out


def test_a_file_that_is_read_twice_says_that_nothing_was_booked_again(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "CUP", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    read = ("mirror", "read", write(tmp_path, "sku,quantity,version\nMUG,4,7\nCUP,10,7\n"), "--source", "wms")

    first, again = holdfast(*read), holdfast(*read)

    assert "1 booked, 1 as it was" in first.out
    assert "came before" not in first.out
    assert "2 messages of wms: 0 booked, 0 as it was, 0 late, 0 refused.\n" in again.out
    assert "2 messages of these came before; nothing was booked again." in again.out
    assert holdfast(*read, "--json").json["repeated"] == 2
    assert shelf(world, "MUG") == 4


def test_all_that_is_wrong_with_a_full_file_is_named_at_once(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", "CUP", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    file = write(tmp_path, "sku,quantity\nCUP,abc\nNOPE,3\nMUG,5\nMUG,6\n")
    read = ("mirror", "read", file, "--source", "wms", "--full", "--version", "1")

    said = holdfast(*read).err

    assert [one in said for one in ("row 2 (CUP)", "row 3 (NOPE)", "row 5 (MUG): row 4 names the same item")] == [
        True
    ] * 3
    assert "row 5" in holdfast(*read, "--best-effort").err


def test_rows_that_cannot_be_used_are_named_by_their_line(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    file = write(tmp_path, "sku,quantity,version\n\nMUG,4,1\nPOT,1,1\nMUG,-3,2\n")

    refused = holdfast("mirror", "read", file, "--source", "wms")
    tried = holdfast("mirror", "read", file, "--source", "wms", "--best-effort", "--json")

    assert refused.code == 1
    assert "row 4 (POT): no item has this SKU" in refused.err
    assert "row 5 (MUG): quantity" in refused.err
    assert (tried.json["booked"], tried.json["refused"]) == (1, 2)
    assert shelf(world, "MUG") == 4


@pytest.mark.parametrize(("by", "like"), [((), "--version 4711"), (("--by-time",), "--time 2027-03-31T14:30")])
def test_a_file_without_its_place_in_the_order_is_refused_with_the_option_that_says_it(
    world: World, holdfast: Holdfast, tmp_path: Path, by: tuple[str, ...], like: str
) -> None:
    world.stocked("MUG", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN", *by)
    read = ("mirror", "read", write(tmp_path, "sku,quantity\nMUG,4\n"), "--source", "wms")

    full, single = holdfast(*read, "--full"), holdfast(*read)

    assert (full.code, single.code) == (2, 2)
    assert like in " ".join(full.err.split())
    assert f"--full {like}" in " ".join(single.err.split())
    assert shelf(world, "MUG") == 10


FILES: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "is empty"),
    "a column that nobody knows": ("sku,quantity,colour\nMUG,1,red\n", "no column 'colour'"),
    "a column twice": ("sku,quantity,qty\nMUG,1,1\n", "there twice"),
    "no quantity": ("sku,version\nMUG,1\n", "needs the columns sku and quantity"),
    "more cells than columns": ("sku,quantity\nMUG,1,5\n", "line 2 has more cells"),
    "no text": (b"PK\x03\x04abc", "no CSV file"),
    "a zero byte": (b"sku,quantity\nMUG\0,1\n", "no CSV file"),
}


def test_a_file_that_cannot_be_read_says_why(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")

    told = {
        name: holdfast("mirror", "read", write(tmp_path, content), "--source", "wms").err
        for name, (content, _) in FILES.items()
    }

    assert {name: why in told[name] for name, (_, why) in FILES.items()} == dict.fromkeys(FILES, True)
    assert "cannot be read" in holdfast("mirror", "read", str(tmp_path / "none.csv"), "--source", "wms").err


def test_options_that_mean_nothing_are_refused_with_an_example(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN", "--silent-after", "2h")
    file = write(tmp_path, "sku,quantity\n")

    assert "or off" in holdfast("mirror", "set", "wms", "--most-units", "many").err
    assert "percent" in holdfast("mirror", "set", "wms", "--most-percent", "140").err
    assert "like --most-percent 40" in holdfast("mirror", "set", "wms").err
    assert "add --full" in holdfast("mirror", "read", file, "--source", "wms", "--version", "3").err
    assert "there are wms" in holdfast("mirror", "show", "wsm").err
    assert "no batch 77" in holdfast("mirror", "review", "77").err
    assert "1 to 40 letters" in holdfast("mirror", "add", "a/b", "--warehouse", "MAIN").err
    assert world.documents() == []


def test_a_source_is_changed_started_anew_and_removed(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    holdfast("mirror", "read", write(tmp_path, "sku,quantity,version\nMUG,4,700\n"), "--source", "wms")

    assert "is changed" in holdfast("mirror", "set", "wms", "--most-units", "off").out
    assert "already" in holdfast("mirror", "set", "wms", "--most-units", "off").out
    assert "repeat the command with --yes" in holdfast("mirror", "restart", "wms").err
    assert "1 item can be told anew" in holdfast("mirror", "restart", "wms", "--yes").out
    assert "counted by nobody else" in holdfast("mirror", "remove", "wms", "--yes").out
    assert "No outside system" in holdfast("mirror", "list").out


def test_only_who_may_correct_stock_decides_on_a_batch(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=10)
    holdfast("user", "add", "ada@example.com", "--role", "warehouse")
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN", "--most-zeroed", "0")
    file = write(tmp_path, "sku,quantity\nMUG,0\n")
    me = ("--as", "ada@example.com")

    held = holdfast("mirror", "read", file, "--source", "wms", "--full", "--version", "1", "--json", *me).json

    assert held["state"] == "held"
    assert "stock.correct" in holdfast("mirror", "approve", str(held["batch"]), *me).err
    assert "stock.correct" in holdfast("mirror", "reject", str(held["batch"]), "--reason", "no", *me).err
    assert "place.change" in holdfast("mirror", "set", "wms", "--most-zeroed", "off", *me).err
    assert shelf(world, "MUG") == 10


def test_an_item_that_was_renamed_keeps_its_place_in_the_order_under_both_names(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", units=10)
    holdfast("mirror", "add", "wms", "--warehouse", "MAIN")
    holdfast("mirror", "read", write(tmp_path, "sku,quantity,version\nMUG,4,7\n"), "--source", "wms")
    assert holdfast("item", "rename", "MUG", "BECHER").code == 0

    late = holdfast("mirror", "read", write(tmp_path, "sku,quantity,version\nMUG,9,6\n"), "--source", "wms", "--json")
    twice = write(tmp_path, "sku,quantity\nMUG,3\nBECHER,3\n")
    both = holdfast("mirror", "read", twice, "--source", "wms", "--full", "--version", "8")

    assert late.json["late"] == 1
    assert "row 2 names the same item" in both.err
    assert shelf(world, "BECHER") == 4

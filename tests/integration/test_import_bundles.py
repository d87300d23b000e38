"""``holdfast import bundles``: of what bundles and kits are made, from a file and back."""

from pathlib import Path

import pytest

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast

NESTED = (
    "bundle,kind,part,grade,units\nPARTY,,TEA-SET,,3\nPARTY,,GIFT,,1\nTEA-SET,bundle,MUG,,2\nTEA-SET,,POT,,1\n"
    "GIFT,kit,MUG,minor_defect,1\nGIFT,,POT,,1\n"
)


@pytest.fixture
def shop(world: World, holdfast: Holdfast) -> World:
    """A shop with mugs and pots, and with items that are made of nothing yet."""
    world.stocked("MUG", "POT", units=20)
    for sku in ("TEA-SET", "GIFT", "PARTY"):
        holdfast("item", "add", sku)
    return world


def file(folder: Path, text: str) -> str:
    path = folder / "bundles.csv"
    path.write_text(text)
    return str(path)


def made_of(holdfast: Holdfast, sku: str) -> dict[str, int]:
    """Units by component, as they were entered."""
    card = holdfast("item", "show", sku, "--json").json
    return {one["sku"]: one["quantity"] for one in card["components"] if one["level"] == 1}


def test_nested_bundles_are_read_before_what_is_in_them_is_made(
    shop: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    path = file(tmp_path, NESTED)

    tried = holdfast("import", "bundles", path, "--dry-run")
    nothing_yet = made_of(holdfast, "PARTY")
    read = holdfast("import", "bundles", path, "--json").json

    assert "Only tried out: 3 made" in tried.out
    assert "bundle of 2 MUG, 1 POT" in tried.out
    assert nothing_yet == {}
    assert (read["made"], read["refused"]) == (3, 0)
    assert made_of(holdfast, "PARTY") == {"TEA-SET": 3, "GIFT": 1}
    assert holdfast("item", "show", "GIFT", "--json").json["kind"] == "kit"
    assert holdfast("import", "bundles", path, "--again", "--json").json["same"] == 3
    without_kind = file(tmp_path, "bundle,part,grade,units\nGIFT,POT,,1\nGIFT,MUG,minor_defect,1\n")
    assert holdfast("import", "bundles", without_kind, "--json").json["same"] == 1


def test_a_file_of_bundles_that_was_a_mistake_leaves_them_as_they_were(
    shop: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    holdfast("bundle", "set", "TEA-SET", "MUG=1")
    first = holdfast("import", "bundles", file(tmp_path, NESTED), "--json").json
    holdfast("bundle", "set", "PARTY", "POT=7")

    tried = holdfast("import", "undo", str(first["import"]), "--reason", "wrong", "--dry-run", "--json").json
    undone = holdfast("import", "undo", str(first["import"]), "--reason", "wrong", "--json").json

    assert (first["made"], first["changed"]) == (2, 1)
    assert tried["stays"] == undone["stays"]
    assert [(one["what"], one["because"]) for one in undone["stays"]] == [("PARTY", "its recipe was changed since")]
    assert made_of(holdfast, "TEA-SET") == {"MUG": 1}
    assert holdfast("item", "show", "GIFT", "--json").json["kind"] == "plain"


def test_each_wrong_row_is_named_with_what_to_do_about_it(shop: World, holdfast: Holdfast, tmp_path: Path) -> None:
    rows = (
        "bundle,kind,part,units\nTEA-SETT,bundle,MUG,1\nGIFT,bundle,MUGG,1\nGIFT,,MUG,none\nPARTY,kit,MUG,1\n"
        "PARTY,bundle,POT,1\nTEA-SET,,MUG,1\nTEA-SET,,mug,2\ntea-set,,POT,1\nMUG,bundle,POT,1\n"
    )

    refused = holdfast("import", "bundles", file(tmp_path, rows), "--json")

    assert refused.code == 1
    assert [(one["row"], one["column"]) for one in refused.json["problems"]] == [
        (2, "bundle"), (3, "part"), (4, "units"), (6, "kind"), (8, "part"), (9, "bundle"), (10, ""),
    ]  # fmt: skip
    cures = " ".join(one["cure"] for one in refused.json["problems"])
    for cure in (
        "did you mean TEA-SET?", "whole number", "says kit", "row 7 has the same goods", "row 7 says", "20 units of it"
    ):  # fmt: skip
        assert cure in cures
    assert made_of(holdfast, "PARTY") == {}


@pytest.mark.parametrize(
    "rows", ["TEA-SET,GIFT\nGIFT,TEA-SET\n", "PARTY,TEA-SET\nTEA-SET,GIFT\nGIFT,PARTY\n", "GIFT,GIFT\n"]
)
def test_a_circle_is_found_before_anything_is_done(shop: World, holdfast: Holdfast, tmp_path: Path, rows: str) -> None:
    refused = holdfast("import", "bundles", file(tmp_path, f"bundle,part\n{rows}"), "--json")

    (problem,) = refused.json["problems"]
    assert problem["row"] == len(rows.splitlines()) + 1
    assert "nothing can be made of itself" in problem["cure"]
    assert [made_of(holdfast, sku) for sku in ("PARTY", "TEA-SET", "GIFT")] == [{}, {}, {}]
    assert holdfast("import", "list", "--json").json == []


def test_what_was_read_is_sold_as_its_components(shop: World, holdfast: Holdfast, tmp_path: Path) -> None:
    store = shop.store("Side street")
    shop.listings(store, "PARTY")
    holdfast("import", "bundles", file(tmp_path, "bundle,part,units\nPARTY,MUG,4\nPARTY,POT,1\n"))

    shop.hear(store, order(line("PARTY", 2)))

    assert (shop.units("MUG").reserved, shop.units("POT").reserved) == (8, 2)


def test_items_of_a_file_are_plain_until_a_file_of_bundles_is_read(
    shop: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text("sku,title,kind\nBOX,Box,bundle\nTEA-SET,Tea,kit\n")

    read = holdfast("import", "items", str(items), "--json").json
    holdfast("import", "bundles", file(tmp_path, "bundle,kind,part\nBOX,bundle,MUG\nTEA-SET,kit,MUG\n"))
    again = holdfast("import", "items", str(items), "--again", "--json").json
    items.write_text("sku,kind\nBOX,plain\nTEA-SET,bundle\n")
    wrong = holdfast("import", "items", str(items), "--json").json

    assert (read["made"], read["changed"], again["same"]) == (1, 1, 2)
    assert "plain until a file of bundles" in read["first"][0]["change"]
    assert [(one["row"], one["column"]) for one in wrong["problems"]] == [(2, "kind"), (3, "kind")]

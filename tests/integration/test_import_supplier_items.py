"""``holdfast import supplier-items``: supplier's numbers, case sizes and costs, from a file and back."""

from pathlib import Path

import pytest

from tests.builders import World
from tests.integration.command_line import Holdfast


@pytest.fixture
def shop(world: World, holdfast: Holdfast) -> World:
    """Two suppliers of the same name, one of whom brings mugs."""
    world.stocked("MUG", "POT", units=1)
    holdfast("item", "unit", "POT", "case=6")
    holdfast("supplier", "add", "ACME", "--name", "Acme Pottery", "--currency", "JPY")
    holdfast("supplier", "add", "BAKER", "--name", "Baker")
    holdfast("supplier", "add", "BAKER-2", "--name", "Baker")
    holdfast("supplier", "item", "ACME", "MUG", "--code", "M-1", "--pack", "24", "--cost", "320")
    return world


def file(folder: Path, text: str) -> str:
    path = folder / "prices.csv"
    path.write_text(text)
    return str(path)


def brings(holdfast: Holdfast, supplier: str) -> dict[str, tuple[str, int, int | None]]:
    """What they call an item, their case, and what one unit costs, by our SKU."""
    shown = holdfast("supplier", "show", supplier, "--json").json
    return {one["sku"]: (one["supplier_sku"], one["pack_size"], one["cost_minor"]) for one in shown["items"]}


def test_prices_are_read_and_what_a_row_leaves_empty_stays(shop: World, holdfast: Holdfast, tmp_path: Path) -> None:
    path = file(tmp_path, "vendor,item,case,unit cost\nacme pottery,MUG,,¥ 340\nACME,POT,,\n")

    read = holdfast("import", "supplier-items", path, "--json").json

    assert (read["changed"], read["made"]) == (1, 1)
    assert brings(holdfast, "ACME") == {"MUG": ("M-1", 24, 340), "POT": ("", 6, None)}

    undone = holdfast("import", "undo", str(read["import"]), "--reason", "last year's", "--json").json

    assert (undone["undone"], [one["row"] for one in undone["stays"]]) == (1, [3])
    assert brings(holdfast, "ACME")["MUG"] == ("M-1", 24, 320)


def test_a_row_that_cannot_be_is_named_with_its_cure(shop: World, holdfast: Holdfast, tmp_path: Path) -> None:
    rows = (
        "supplier,sku,supplier_sku,pack_size,cost\nNOBODY,MUG,,,\nBaker,MUG,,,\nACME,POT,M-1,,\nACME,MUG,,,3.20\n"
        "BAKER,MUG,X,,\nBAKER,POT,X,,\nBAKER-2,MUG,,0,\nBAKER,mug,Y,,\n"
    )

    refused = holdfast("import", "supplier-items", file(tmp_path, rows), "--json").json

    assert [(one["row"], one["column"]) for one in refused["problems"]] == [
        (2, "supplier"), (3, "supplier"), (4, "supplier_sku"), (5, "cost"), (7, "supplier_sku"), (8, "pack_size"),
        (9, "sku"),
    ]  # fmt: skip
    cures = " ".join(one["cure"] for one in refused["problems"])
    for cure in ("holdfast supplier add NOBODY", "several suppliers", "calls another item so", "no amount of JPY",
                 "the item of row 6", "row 6 says"):  # fmt: skip
        assert cure in cures
    assert brings(holdfast, "BAKER") == {}


def test_an_order_file_of_stocky_tells_suppliers_numbers_and_cases_too(
    shop: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    path = file(
        tmp_path, "Purchase Order,Vendor/Supplier,SKU,Supplier Code,Qty Ordered,Pack Size,Cost (supplier currency)\n"
        "1848,Acme Pottery,POT,P-7,36,12,510\n",
    )  # fmt: skip

    told = holdfast("import", "supplier-items", path, "--format", "stocky", "--json").json

    assert told["columns_not_read"] == ["Purchase Order", "Qty Ordered"]
    assert brings(holdfast, "ACME")["POT"] == ("P-7", 12, 510)

"""``holdfast export``: what it writes can be read in again, and changes nothing."""

from pathlib import Path

import pytest

from core import catalog
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import Terms
from core.supply import sending, transfers
from core.supply.lines import Came
from core.warehouse import warehouses
from tests import supply_world as sup
from tests.builders import World
from tests.integration.command_line import Holdfast

TAKEN_OVER = ("items", "bundles", "suppliers", "supplier-items", "stock", "purchases", "transfers", "locks")
KINDS = ("items", "bundles", "suppliers", "supplier-items", "stock", "purchases", "receipts", "transfers", "locks")


@pytest.fixture
def full(world: World, holdfast: Holdfast) -> World:
    """A merchant who has some of everything."""
    world.stocked("MUG", "POT", '=DANGER,"X"', units=20)
    holdfast("item", "unit", "MUG", "case=24", "pallet=960")
    holdfast("item", "add", "GIFT", "--kind", "kit", "--part", "MUG=1", "--part", "POT=1:minor_defect")
    holdfast("item", "add", "ALL", "--title", "All of it", "--kind", "bundle", "--part", "GIFT=2", "--part", "MUG=3")
    holdfast("item", "add", "MORE", "--kind", "bundle", "--part", "ALL")
    sup.warehouse(world, "BERLIN")
    holdfast("bin", "add", "BERLIN/A-01")
    holdfast("stock", "receive", "MUG", "7", "--grade", "minor_defect", "--to", "BERLIN/A-01")
    sup.supplier(world, "ACME", name="Acme; Pottery", currency="EUR", lead_days=14)
    holdfast("supplier", "item", "ACME", "MUG", "--code", "=4711", "--pack", "24", "--cost", "3.20", "--lead", "0")
    holdfast("supplier", "item", "ACME", "POT")
    sup.placed(world, "PO-7", {"MUG": 48, "POT": 12}, to="BERLIN")
    sup.receive(world, "PO-7", {"MUG": Came(10, 2, 1)}, "delivery-1", at="BERLIN/A-01")
    sup.receive(world, "PO-7", {"POT": 12}, "delivery-2", at="BERLIN")
    sup.draft(world, "PO-8", {"MUG": 5})
    with world.db.begin(world.merchant_id, actor="test") as tx:
        ends = warehouses.id_of(tx, "MAIN"), warehouses.id_of(tx, "BERLIN")
        transfers.ask(tx, "T-7", ends, {world.item("MUG"): 6, world.item("POT"): 2})
        line = transfers.find(tx, "T-7").lines[0].id
    sending.send(world.db, world.merchant_id, "T-7", {line: 4}, sup.spot(world), "a", actor="test")
    terms = Terms("business", world.item("MUG"), 3, owner="@trade fairs", priority=-2)
    world.do(RequestLock("fair", 10**9, terms))
    world.do(DecideLock("fair", True, "", as_owner=True))
    world.do(RequestLock("-later", 10**9 + 1, terms))
    return world


def test_stock_of_an_item_that_became_a_bundle_is_not_written(full: World, holdfast: Holdfast, tmp_path: Path) -> None:
    path = str(tmp_path / "stock.csv")
    holdfast("item", "add", "TEA-SET")
    holdfast("stock", "receive", "TEA-SET", "5")
    holdfast("stock", "set", "TEA-SET", "0", "--reason", "sold as a bundle")
    assert holdfast("bundle", "set", "TEA-SET", "MUG=1", "POT=1").code == 0

    holdfast("export", "stock", "--to", path)
    read = holdfast("import", "stock", path, "--dry-run", "--json").json

    assert (read["changed"], read["refused"]) == (0, 0)
    assert "TEA-SET" not in Path(path).read_text()


@pytest.mark.parametrize("delimiter", ["comma", "semicolon", "tab"])
def test_what_is_written_can_be_read_in_again_and_changes_nothing(
    full: World, holdfast: Holdfast, tmp_path: Path, delimiter: str
) -> None:
    excel = ["--excel"] if delimiter == "semicolon" else []
    documents = full.documents()
    for kind in KINDS:
        path = str(tmp_path / f"{kind}.csv")
        wrote = holdfast("export", kind, "--to", path, "--all", "--delimiter", delimiter, *excel)

        read = holdfast("import", kind, path, "--json")

        assert wrote.code == 0, wrote.err
        assert read.code == 0, read.out + read.err
        told = read.json
        assert told["same"] > 0
        assert (told["made"], told["changed"], told["refused"]) == (0, 0, 0)
        assert told["columns_not_read"] == []
        assert told["delimiter"] == delimiter
    assert full.documents() == documents


def test_another_merchant_can_take_over_what_was_written(full: World, holdfast: Holdfast, tmp_path: Path) -> None:
    catalog.ensure_merchant(full.db, 2, name="Second shop")
    second = World(full.db, 2)
    holdfast("warehouse", "add", "BERLIN", "--merchant", "2")
    holdfast("bin", "add", "BERLIN/A-01", "--merchant", "2")

    for kind in TAKEN_OVER:
        path = tmp_path / f"{kind}.csv"
        holdfast("export", kind, "--to", str(path))
        taken = holdfast("import", kind, str(path), "--json", "--merchant", "2")
        assert taken.code == 0, taken.out + taken.err
        assert taken.json["made"] + taken.json["changed"] > 0

        if kind in {"bundles", "suppliers", "supplier-items", "stock"}:
            # Rows come in the order in which items were made.
            assert sorted(holdfast("export", kind, "--merchant", "2").out.splitlines()) == sorted(
                path.read_text().splitlines()
            )
    assert holdfast("export", "items", "--merchant", "2").out == (tmp_path / "items.csv").read_text()
    for place in ("MAIN", "BERLIN"):  # what is unavailable is in no file
        assert sup.on_way(second, "MUG", place)[:3] == sup.on_way(full, "MUG", place)[:3]
    assert sup.on_way(second, "MUG", "BERLIN").incoming_sellable == 4
    assert holdfast("transfer", "show", "T-7", "--json", "--merchant", "2").json == shown(holdfast, "T-7")
    again = holdfast("import", "transfers", str(tmp_path / "transfers.csv"), "--again", "--json", "--merchant", "2")
    assert (again.json["made"], again.json["same"]) == (0, 1)


def shown(holdfast: Holdfast, number: str) -> object:
    return holdfast("transfer", "show", number, "--json").json


def test_of_a_transfer_that_came_in_part_the_rest_is_taken_over(
    full: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    catalog.ensure_merchant(full.db, 2, name="Second shop")
    second = World(full.db, 2)
    holdfast("warehouse", "add", "BERLIN", "--merchant", "2")
    holdfast("bin", "add", "BERLIN/A-01", "--merchant", "2")
    holdfast("transfer", "send", "T-7")
    holdfast("transfer", "receive", "T-7", "MUG=3")
    holdfast("transfer", "lose", "T-7", "MUG=1", "--reason", "broken")
    for kind in TAKEN_OVER:
        path = str(tmp_path / f"{kind}.csv")
        holdfast("export", kind, "--to", path)
        assert holdfast("import", kind, path, "--dry-run", "--merchant", "2").code == 0
        taken = holdfast("import", kind, path, "--json", "--merchant", "2")
        assert taken.code == 0, taken.out + taken.err

    there = holdfast("transfer", "show", "T-7", "--json", "--merchant", "2").json
    assert [(one["sku"], one["asked"], one["sent"], one["on_its_way"]) for one in there["lines"]] == [
        ("MUG", 2, 2, 2), ("POT", 2, 2, 2)
    ]  # fmt: skip
    assert sup.on_way(second, "POT", "BERLIN") == sup.on_way(full, "POT", "BERLIN")
    undone = holdfast("import", "undo", str(taken_id(holdfast)), "--reason", "wrong", "--merchant", "2")
    assert "were sent" in undone.out + undone.err
    assert holdfast("transfer", "receive", "T-7", "--merchant", "2").code == 0
    assert holdfast("transfer", "show", "T-7", "--json", "--merchant", "2").json["state"] == "done"
    holdfast("transfer", "receive", "T-7")
    for sku, warehouse in (("MUG", "MAIN"), ("MUG", "BERLIN"), ("POT", "MAIN"), ("POT", "BERLIN")):
        # What is unavailable is in no file.
        assert sup.on_way(second, sku, warehouse)[:3] == sup.on_way(full, sku, warehouse)[:3]


def taken_id(holdfast: Holdfast) -> int:
    """Of the last file of transfers that the second merchant read."""
    read = holdfast("import", "list", "--json", "--merchant", "2").json
    return next(int(one["import"]) for one in read if one["kind"] == "transfers")


def test_what_became_part_of_another_item_is_in_no_file(full: World, holdfast: Holdfast, tmp_path: Path) -> None:
    full.stocked("JUG", units=4)
    holdfast("supplier", "item", "ACME", "JUG", "--code", "J-1")
    merged = holdfast("item", "merge", "JUG", "--into", '=DANGER,"X"', "--reason", "the same")
    assert merged.code == 0, merged.err

    for kind in ("items", "supplier-items", "stock"):
        path = tmp_path / f"{kind}.csv"
        holdfast("export", kind, "--to", str(path))
        read = holdfast("import", kind, str(path), "--json")

        assert "JUG" not in path.read_text()
        assert read.code == 0, read.out
        assert (read.json["made"], read.json["changed"], read.json["refused"]) == (0, 0, 0)


def test_formulas_are_written_so_that_no_spreadsheet_runs_them(full: World, holdfast: Holdfast) -> None:
    written = holdfast("export", "items").out

    assert "'=DANGER" in written
    assert "\n=DANGER" not in written
    assert '"=DANGER' not in written


def test_a_file_that_cannot_be_written_leaves_nothing_behind(full: World, holdfast: Holdfast, tmp_path: Path) -> None:
    refused = holdfast("export", "items", "--to", str(tmp_path / "nowhere" / "items.csv"))

    assert refused.code == 1
    assert "name a folder that is there" in refused.err

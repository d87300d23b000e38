"""``holdfast import`` and ``export`` as a merchant types them."""

import io
from pathlib import Path

import pytest

from core import catalog
from tests import supply_world as sup
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


def file(folder: Path, text: str, name: str = "rows.csv", encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_count_is_tried_out_read_once_and_taken_back(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", "POT", units=5)
    counted = file(tmp_path, "sku,quantity\nMUG,3\nPOT,5\n")

    tried = holdfast("import", "stock", counted, "--dry-run")
    read = holdfast("import", "stock", counted, "--json")
    again = holdfast("import", "stock", counted, "--json")

    assert "Only tried out: 0 made, 1 changed, 1 left alone, 0 refused" in tried.out
    assert "5 -> 3" in tried.out
    assert (read.json["changed"], read.json["same"], read.json["refused"]) == (1, 1, 0)
    assert again.json["repeated"]
    assert world.on_hand("MUG") == (3, 0)

    undone = holdfast("import", "undo", str(read.json["import"]), "--reason", "wrong file", "--json")

    assert (undone.json["undone"], undone.json["kept"]) == (1, 0)
    assert world.on_hand("MUG") == (5, 0)
    assert holdfast("import", "stock", counted, "--json").json["changed"] == 1


def test_a_file_with_a_wrong_row_does_nothing_and_says_what_to_correct(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=5)
    rows = "sku,warehouse,bin,quantity\nMUG,,,3\nMUGX,,,4\nPOT,NOWHERE,,1\nPOT,MAIN,Z-9,1\nPOT,,,many\nMUG,MAIN,,4\n"

    refused = holdfast("import", "stock", file(tmp_path, rows), "--json")

    assert refused.code == 1
    assert [(one["row"], one["column"], one["value"]) for one in refused.json["problems"]] == [
        (3, "sku", "MUGX"), (4, "warehouse", "NOWHERE"), (5, "bin", "Z-9"), (6, "quantity", "many"), (7, "sku", "MUG"),
    ]  # fmt: skip
    cures = " ".join(one["cure"] for one in refused.json["problems"])
    for cure in ("did you mean MUG?", "there are MAIN", "holdfast bin add MAIN/Z-9", "whole number", "row 2 says"):
        assert cure in cures
    assert world.on_hand("MUG") == (5, 0)
    assert holdfast("import", "list", "--json").json == []


def test_all_that_is_wrong_with_a_row_is_told_at_once(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=1)
    stock, items, bundles = tmp_path / "stock.csv", tmp_path / "items.csv", tmp_path / "bundles.csv"
    stock.write_text("sku,warehouse,quantity\nMUG,ATLANTIS,many\nTEACUP,MAIN,-1\nMUG,,x\n")
    items.write_text("sku,units,barcodes\nMUG,case,123\n")
    bundles.write_text("bundle,part,units\nGIFT,MUG,1\nGIFT,TEACUP,none\n")

    def told(kind: str, path: Path) -> list[tuple[int, str]]:
        read = holdfast("import", kind, str(path), "--dry-run", "--json")
        return [(one["row"], one["column"]) for one in read.json["problems"]]

    assert told("stock", stock) == [
        (2, "quantity"), (2, "warehouse"), (3, "quantity"), (3, "sku"), (4, "quantity")
    ]  # fmt: skip
    assert told("items", items) == [(2, "units"), (2, "barcodes")]
    assert told("bundles", bundles) == [(2, "bundle"), (3, "units"), (3, "bundle"), (3, "part")]


def test_with_best_effort_right_rows_count_and_the_others_come_back_for_correction(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=5)
    path = file(tmp_path, 'Item;Colour;Qty\nMUG;"red; dark";3\nMUX;=1+1;4\nPOT;;1\n')

    done = holdfast("import", "stock", path, "--best-effort", "--json")

    told = done.json
    assert (done.code, told["changed"], told["refused"]) == (1, 2, 1)
    assert (told["delimiter"], told["columns_not_read"]) == ("semicolon", ["Colour"])
    corrections = Path(told["refused_file"])
    text = corrections.read_text(encoding="utf-8-sig")
    assert text.startswith("Item;Colour;Qty;error\nMUX;'=1+1;4;")
    assert (world.on_hand("MUG")[0], world.on_hand("POT")[0]) == (3, 1)
    shown = holdfast("import", "show", str(told["import"])).out
    assert "refused" in shown
    assert "no item has this SKU" in shown

    corrections.write_text(text.replace("MUX", "POT"), encoding="utf-8-sig")
    corrected = holdfast("import", "stock", str(corrections), "--json").json

    assert (corrected["changed"], corrected["refused"], corrected["columns_not_read"]) == (1, 0, ["Colour"])
    assert world.on_hand("POT") == (4, 0)


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [("sku;title\nTASSE;Weiß €\n", "cp1252", "CP1252 (Windows)"), ("sku;title\nTASSE;Weiß €\n", "utf-8-sig", "UTF-8"),
     ('sep=;\r\nSKU;"Name"\r\n"TASSE";"Weiß €"\r\n\r\n;;\r\n', "utf-8", "UTF-8"),
     ('sku\ttitle\n="TASSE"\tWeiß €\n', "utf-8", "UTF-8")],
)  # fmt: skip
def test_files_are_read_as_spreadsheets_write_them(
    world: World, holdfast: Holdfast, tmp_path: Path, text: str, encoding: str, told: str
) -> None:
    read = holdfast("import", "items", file(tmp_path, text, encoding=encoding), "--json")

    assert (read.json["encoding"], read.json["made"]) == (told, 1)
    assert world.scalar("SELECT title FROM item WHERE merchant_id = :merchant_id AND sku = 'TASSE'") == "Weiß €"


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "empty"), ("\n", "empty"), ("colour\nred\n", "no column sku"), ('sku,quantity\nMUG,"3\n', "quote"),
     ("sku,quantity\nMUG," + "9" * 200_000, "row 2"), ("sku,quantity" + "," * 300_000, "no table"),
     ("PK\x03\x04", "no CSV file"), ('"sku', "cannot be read")],
)  # fmt: skip
def test_what_cannot_be_read_at_all_names_the_cure(
    world: World, holdfast: Holdfast, tmp_path: Path, text: str, told: str
) -> None:
    refused = holdfast("import", "stock", file(tmp_path, text))

    assert refused.code == 1
    assert told in refused.err
    assert "Traceback" not in refused.err
    assert holdfast("import", "stock", str(tmp_path / "nothing.csv")).code == 1
    assert holdfast("import", "stock", str(tmp_path)).code == 1
    own = str(tmp_path / "rows.csv")
    assert "take the place" in holdfast("import", "stock", own, "--refused", own, "--best-effort").err


def test_stdin_is_a_file_too(world: World, holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stocked("MUG", units=5)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"sku,quantity\nMUG,3\n")))

    assert holdfast("import", "stock", "-", "--json").json["changed"] == 1


def test_units_that_came_in_addition_are_taken_back_unless_somebody_has_them(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    store = world.stocked("MUG", "POT", units=1)
    came = file(tmp_path, "sku,quantity\nMUG,4\nPOT,4\n")
    read = holdfast("import", "stock", came, "--add", "--json")
    assert (world.on_hand("MUG")[0], world.on_hand("POT")[0]) == (5, 5)
    world.hear(store, order(line("MUG", 5)))

    tried = holdfast("import", "undo", str(read.json["import"]), "--reason", "doubled", "--dry-run", "--json")
    undone = holdfast("import", "undo", str(read.json["import"]), "--reason", "doubled", "--json")

    assert tried.json["stays"] == undone.json["stays"]
    (stays,) = undone.json["stays"]
    assert (undone.code, stays["row"], stays["what"]) == (1, 2, "MUG in MAIN/DEFAULT")
    assert "units are free" in stays["because"]
    assert (world.on_hand("MUG")[0], world.on_hand("POT")[0]) == (5, 1)

    forced = holdfast("import", "undo", str(read.json["import"]), "--reason", "doubled", "--force", "--json")

    assert (forced.json["undone"], forced.json["kept"]) == (1, 0)
    assert world.on_hand("MUG")[0] == 1
    assert "was taken back before" in holdfast("import", "undo", str(read.json["import"]), "--reason", "x").err


def test_items_and_suppliers_change_where_a_file_says_otherwise_and_change_back(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", units=1)
    read = holdfast("import", "items", file(tmp_path, "sku,name,units\nmug,Red mug,case=24\nNEW,,\n"), "--json").json
    holdfast("supplier", "add", "ACME", "--lead", "5")
    sent = holdfast(
        "import", "suppliers", file(tmp_path, "code,name,lead_days\nACME,Acme,9\n,Pot & Co,\n"), "--json"
    ).json

    assert [one["what"] for one in read["first"]] == ["changed", "made"]
    assert [one["subject"] for one in sent["first"]] == ["ACME", "POT-CO"]
    assert holdfast("item", "show", "MUG", "--json").json["units"] == {"case": 24}

    for one in (read, sent):
        undone = holdfast("import", "undo", str(one["import"]), "--reason", "wrong", "--json").json
        assert (undone["undone"], [stays["row"] for stays in undone["stays"]]) == (1, [3])
    card = holdfast("item", "show", "MUG", "--json").json
    assert (card["title"], card["units"]) == ("Mug", {})
    assert holdfast("supplier", "show", "ACME", "--json").json["lead_days"] == 5


def test_orders_of_stocky_are_read_with_what_their_file_does_not_say(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=1)
    holdfast("import", "suppliers", file(tmp_path, "Supplier Name,Phone\nAcme Pottery,1\n"), "--format", "stocky")
    path = file(
        tmp_path, 'SKU,Product,Qty Ordered,Qty Received,Cost (base),Total Cost (base)\nMUG,Mug,48,8,"3,20",153.60\n'
        "POT,Pot,12,12,5.00,60.00\n",
    )  # fmt: skip
    said = ("--format", "stocky", "--set", "number=PO-1848", "--set", "supplier=acme pottery")

    lacking = holdfast("import", "purchases", path, "--format", "stocky")
    read = holdfast("import", "purchases", path, *said, "--set", "state=placed", "--json")

    assert "--set number=" in lacking.err
    assert read.json["columns_not_read"] == ["Product", "Total Cost (base)"]
    (told,) = read.json["first"]
    assert (told["what"], told["subject"], told["rows"]) == ("made", "PO-1848", 2)
    shown = holdfast("purchase", "show", "PO-1848", "--json").json
    assert [(one["sku"], one["ordered"], one["cost_minor"]) for one in shown["lines"]] == [("MUG", 40, 320)]
    assert sup.on_way(world, "MUG").incoming == 40

    undone = holdfast("import", "undo", str(read.json["import"]), "--reason", "ordered twice", "--json")

    assert undone.json["undone"] == 1
    assert sup.on_way(world, "MUG").incoming == 0


def test_an_order_file_of_stocky_says_by_itself_what_is_still_to_come(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=1)
    holdfast("supplier", "add", "ACME", "--name", "Acme Pottery", "--currency", "USD")
    names = (
        "Purchase Order,Vendor/Supplier,Product,Variant,SKU,Barcode,Supplier Code,ASIN,Text 1,Date 1,Weight,"
        "Total Weight,Weight Unit,Status,Received at,Retail Price,In Stock,Qty Ordered,Pack Size,Qty (packs) Ordered,"
        "Cost (base),Total Cost (base),Cost (supplier currency),Total Cost (supplier currency)"
    )
    mug = "1848,Acme Pottery,Mug,Red,MUG,,M-1,,,,,,,pending,,9.90,7,48,24,2,3.00,144.00,3.25,156.00"
    pot = "1848,Acme Pottery,Pot,,POT,,,,,,,,,received,2026-08-01,29.00,0,12,1,12,5.00,60.00,5.40,64.80"
    rows = "\n".join((names, mug, pot)) + "\n"

    read = holdfast("import", "purchases", file(tmp_path, rows), "--format", "stocky", "--json")

    assert read.json["made"] == 1, read.out
    shown = holdfast("purchase", "show", "1848", "--json").json
    assert [(one["sku"], one["ordered"], one["cost_minor"]) for one in shown["lines"]] == [("MUG", 48, 325)]


def test_an_order_that_is_here_and_otherwise_is_refused_with_its_neighbours(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", units=1)
    sup.draft(world, "PO-7", {"MUG": 5})
    rows = (
        "number,supplier,sku,quantity,cost\nPO-8,ACME,MUG,5,3.2.1\nPO-8,ACME,MUG,5,\nPO-9,ACME,MUG,5,\nPO-7,ACME,MUG,6,\n"
        "PO-9,ACME,MUG,1,\nPO-10,NOBODY,MUG,1,\n"
    )

    refused = holdfast("import", "purchases", file(tmp_path, rows), "--best-effort", "--json")

    assert [(one["row"], one["column"]) for one in refused.json["problems"]] == [
        (2, "cost"), (5, "quantity"), (6, "number"), (7, "supplier"),
    ]  # fmt: skip
    assert refused.json["made"] == 1
    corrections = Path(refused.json["refused_file"]).read_text(encoding="utf-8-sig")
    assert "it stands or falls with row 2" in corrections


ALL_WRONG = {
    "purchases": (
        "number,supplier,warehouse,sku,quantity,unit,state,cost,expected_on\n"
        "PO-G,NOBODY,MARS,NOPE,abc,pallet,castle,1.234,02/01/2027\n",
        {"supplier", "warehouse", "sku", "quantity", "unit", "state", "cost", "expected_on"},
    ),
    "purchases, whose cells are right": (
        "number,supplier,warehouse,sku,quantity,cost\nPO-G,NOBODY,MARS,NOPE,1,1.234\n",
        {"supplier", "warehouse", "sku", "cost"},
    ),
    "supplier-items": (
        "supplier,sku,cost,pack_size\nNOBODY,NOPE,1.234,0\n",
        {"supplier", "sku", "cost", "pack_size"},
    ),
    "supplier-items, whose cells are right": ("supplier,sku,cost\nACME,MUG,3.2.1\n", {"cost"}),
    "receipts": ("order,warehouse,sku,good\nPO-NONE,MARS,NOPE,abc\n", {"order", "warehouse", "sku", "good"}),
    "receipts, whose cells are right": (
        "order,warehouse,sku,good\nPO-NONE,MARS,NOPE,1\n",
        {"order", "warehouse", "sku"},
    ),
    "transfers": ("number,from,to,sku,quantity\nT-9,MARS,VENUS,NOPE,abc\n", {"from", "to", "sku", "quantity"}),
    "locks": (
        "key,sku,quantity,type,store,warehouse\nfair,NOPE,abc,castle,Nowhere,MARS\n",
        {"sku", "quantity", "type", "store", "warehouse"},
    ),
}


@pytest.mark.parametrize("name", ALL_WRONG)
def test_all_wrong_columns_of_a_row_are_named_at_once(
    world: World, holdfast: Holdfast, tmp_path: Path, name: str
) -> None:
    world.stocked("MUG", units=1)
    sup.supplier(world, "ACME")
    rows, wrong = ALL_WRONG[name]

    tried = holdfast("import", name.partition(",")[0], file(tmp_path, rows), "--dry-run", "--json").json

    columns = [one["column"] for one in tried["problems"]]
    assert set(columns) == wrong
    assert len(columns) == len(wrong)


def test_a_number_of_two_suppliers_is_the_one_of_who_sends_the_goods_whatever_else_is_wrong(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", "POT", units=1)
    for code, sku in (("ACME", "MUG"), ("OTHER", "POT")):
        sup.supplier(world, code, currency="KWD")
        holdfast("supplier", "item", code, sku, "--code", "4711")
    rows = "number,supplier,sku,quantity,cost\nPO-7,ACME,4711,abc,\nPO-7,,4711,1,1.234\n"

    tried = holdfast("import", "purchases", file(tmp_path, rows), "--dry-run", "--json").json

    assert [(one["row"], one["column"]) for one in tried["problems"]] == [(2, "quantity")]


def test_receipts_transfers_and_locks_are_read_and_taken_back(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=10)
    sup.warehouse(world, "BERLIN")
    sup.placed(world, "PO-7", {"MUG": 5})
    files = {
        "receipts": "order,delivery,sku,good,damaged\nPO-7,D-1,MUG,3,1\n",
        "transfers": "number,from,to,sku,quantity\nT-7,MAIN,BERLIN,MUG,4\n",
        "locks": "key,sku,quantity,owner\nfair,MUG,4,@fairs\n",
    }
    options = {"locks": ["--approve"]}
    read = {
        kind: holdfast("import", kind, file(tmp_path, text, f"{kind}.csv"), *options.get(kind, []), "--json").json
        for kind, text in files.items()
    }

    assert [one["made"] for one in read.values()] == [1, 1, 1]
    assert world.on_hand("MUG") == (13, 1)
    assert holdfast("lock", "show", "fair", "--json").json["status"] == "active"

    for told in read.values():
        undone = holdfast("import", "undo", str(told["import"]), "--reason", "mistake", "--json").json
        assert (undone["undone"], undone["stays"]) == (1, [])
    assert world.on_hand("MUG") == (10, 0)
    assert sup.on_way(world, "MUG").incoming == 5
    assert holdfast("lock", "show", "fair", "--json").json["status"] == "closed"
    assert holdfast("transfer", "show", "T-7", "--json").json["state"] == "cancelled"


def test_who_may_only_look_reads_no_file(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=5)
    for email, role in (("eve@shop.example", "viewer"), ("will@shop.example", "warehouse")):
        holdfast("user", "add", email, "--role", role)
    path = file(tmp_path, "sku,quantity\nMUG,3\n")

    assert holdfast("import", "stock", path, "--as", "eve@shop.example").code == 1
    assert holdfast("import", "items", path, "--as", "will@shop.example").code == 1
    read = holdfast("import", "stock", path, "--as", "will@shop.example", "--json")
    assert read.json["changed"] == 1
    undone = holdfast("import", "undo", str(read.json["import"]), "--reason", "x", "--as", "will@shop.example")
    assert "stock.correct" in undone.err
    assert holdfast("export", "stock", "--as", "eve@shop.example").code == 0


def test_a_file_of_another_merchant_is_not_to_be_seen(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=5)
    catalog.ensure_merchant(world.db, 2, name="Second shop")
    read = holdfast("import", "stock", file(tmp_path, "sku,quantity\nMUG,3\n"), "--json").json

    assert "no import" in holdfast("import", "show", str(read["import"]), "--merchant", "2").err
    assert "no import" in holdfast("import", "undo", str(read["import"]), "--reason", "x", "--merchant", "2").err


def test_barcodes_are_read_and_each_is_one_items(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", "POT", units=1)
    rows = "sku,barcode\nMUG,4006381333931; 96385074\nNEW,036000291452\n"
    read = holdfast("import", "items", file(tmp_path, rows), "--json").json
    wrong = "sku,barcode\nPOT,4006381333931\nMUG,4006381333932\nLID,73513537\nPAN,73513537\n036000291452,\n"

    refused = holdfast("import", "items", file(tmp_path, wrong), "--best-effort", "--json").json

    assert (read["made"], read["changed"]) == (1, 1)
    assert [(one["row"], one["column"]) for one in refused["problems"]] == [
        (2, "barcodes"), (3, "barcodes"), (5, "barcodes"), (6, "sku"),
    ]  # fmt: skip
    assert holdfast("import", "stock", file(tmp_path, "sku,quantity\n96385074,7\n"), "--json").json["changed"] == 1
    assert world.on_hand("MUG") == (7, 0)
    assert "96385074" in holdfast("export", "items").out

    undone = holdfast("import", "undo", str(read["import"]), "--reason", "wrong", "--json").json

    assert (undone["undone"], undone["kept"]) == (1, 1)
    assert "96385074" not in holdfast("export", "items").out


def test_goods_are_found_by_a_code_that_they_had_before(world: World, holdfast: Holdfast, tmp_path: Path) -> None:
    world.stocked("MUG", units=1)
    renamed = holdfast("item", "rename", "MUG", "MUG-RED")
    assert renamed.code == 0, renamed.err

    counted = holdfast("import", "stock", file(tmp_path, "sku,quantity\nMUG,4\n"), "--json")
    titled = holdfast("import", "items", file(tmp_path, "sku,title\nmug,Red\nMUG-RED,Redder\n"), "--json")

    assert counted.json["changed"] == 1
    assert [one["row"] for one in titled.json["problems"]] == [3]
    assert "row 2" in titled.json["problems"][0]["cure"]


def test_a_file_that_is_too_long_is_not_begun(
    world: World, holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.stocked("MUG", "POT", units=5)
    path = file(tmp_path, "sku,quantity\nMUG,3\nPOT,3\n")
    with monkeypatch.context() as bounds:
        bounds.setattr("core.files.units.MOST_ROWS", 1)
        assert "more than 1 rows; split it" in holdfast("import", "stock", path).err
    with monkeypatch.context() as bounds:
        bounds.setattr("edge.csv_files.MOST_BYTES", 10)
        assert "split it" in holdfast("import", "stock", path).err

    assert world.on_hand("MUG") == (5, 0)
    assert "No file was read" in holdfast("import", "list").out


def test_an_order_that_is_to_come_on_another_day_is_not_left_alone_unseen(
    world: World, holdfast: Holdfast, tmp_path: Path
) -> None:
    world.stocked("MUG", units=1)
    sup.placed(world, "PO-7", {"MUG": 5})
    path = tmp_path / "orders.csv"
    holdfast("export", "purchases", "--to", str(path))
    rows = path.read_text().splitlines()
    day = rows[1].split(",")[3]

    path.write_text("\n".join([rows[0], rows[1].replace(day, "2031-05-05", 1)]))
    refused = holdfast("import", "purchases", str(path), "--json")

    assert [(one["column"], one["value"]) for one in refused.json["problems"]] == [("expected_on", "2031-05-05")]
    assert day in refused.json["problems"][0]["cure"]

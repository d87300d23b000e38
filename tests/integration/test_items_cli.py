"""``holdfast item`` and ``holdfast stock value``, as a planner uses them."""

import pytest

from core.goods.receiving import Receive
from core.stock import DocumentKind
from tests.builders import Clock, World, line, order
from tests.integration.command_line import Holdfast
from tests.pool_world import shared


def test_an_item_is_renamed_and_says_what_it_was(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=5)

    assert holdfast("item", "rename", "mug", "CUP").out == "mug is CUP now; mug finds it, too.\n"

    for command in (("item", "show", "MUG"), ("stock", "show", "MUG")):
        shown = holdfast(*command)
        assert "CUP" in shown.out
        assert "It was MUG until 20" in shown.out
    assert "MUG is CUP now." in holdfast("item", "show", "MUG").out
    assert holdfast("item", "show", "mug", "--json").json["formerly"][0]["sku"] == "MUG"
    assert holdfast("item", "rename", "MUG", "CUP").out == "It is CUP already.\n"


def test_two_items_exchange_their_skus(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "CUP", units=5)
    refused = holdfast("item", "rename", "MUG", "CUP")
    assert refused.code == 1
    assert "`holdfast item rename MUG CUP --swap` exchanges the two" in refused.err

    assert holdfast("item", "rename", "MUG", "CUP", "--swap", "--json").json["swap"] is True
    assert "say SKUs that items have" in holdfast("item", "rename", "MUG", "POT", "--swap").err


def test_a_merge_is_tried_out_and_done(world: World, holdfast: Holdfast) -> None:
    store_id = world.stocked("MUG", "CUP", units=5)
    world.hear(store_id, order(line("MUG", 7)))

    tried = holdfast("item", "merge", "MUG", "--into", "CUP", "--dry-run")
    assert tried.out == "MUG would become a part of CUP, with 5 units on hand and 7 promised or waiting.\n"
    assert shared(world, "MUG").reserved == 5
    done = holdfast("item", "merge", "MUG", "--into", "CUP", "--reason", "one mug", "--json").json

    assert (done["on_hand"], done["promised"], done["repeated"]) == (5, 7, False)
    assert "already" in holdfast("item", "merge", "MUG", "--into", "CUP").out
    assert "MUG became a part of CUP on 20" in holdfast("item", "show", "MUG").out
    assert "merge" in holdfast("stock", "card", "MUG").out
    assert [one["sku"] for one in holdfast("item", "list", "--json").json] == ["CUP"]
    reversed_ = holdfast("stock", "reverse", str(done["document_id"]), "--reason", "wrong")
    assert "`holdfast item split`" in reversed_.err


def test_a_part_of_an_item_is_split_off(world: World, holdfast: Holdfast) -> None:
    store_id = world.stocked("MUG", units=5)
    asked = ("item", "split", "MUG", "CUP", "--take", "2", "--take", "1:good@MAIN", "--listing", "Main street=MUG")

    assert holdfast(*asked, "--dry-run").out == "CUP would be an item of its own, with 3 units.\n"
    assert (
        holdfast(*asked, "--key", "k", "--reason", "old handle").out == "CUP is an item of its own now, with 3 units.\n"
    )
    assert "done before" in holdfast(*asked, "--key", "k").out

    assert (shared(world, "MUG").free, shared(world, "CUP").free) == (2, 3)
    assert world.listing(store_id, "MUG").item_id == world.item("CUP").item_id


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(("split", "MUG", "CUP", "--take", "many"), 2, "says no units"),
     (("split", "MUG", "CUP", "--take", "1:mouldy"), 2, "says no units"),
     (("split", "MUG", "CUP", "--take", "1@NOWHERE"), 1, "NOWHERE"),
     (("split", "MUG", "CUP", "--listing", "Main street"), 2, "names no listing"),
     (("split", "MUG", "CUP"), 1, "which units or which listings"),
     (("split", "MUG", "CUP", "--take", "²"), 2, "says no units"),
     (("merge", "MUG", "--into", "mug"), 1, "are one item"),
     (("merge", "MUG", "--into", "PAN"), 1, "no item has SKU PAN"),
     (("rename", "MUG", ""), 1, "an item needs a SKU"),
     (("reference", "MUG", "4006381333931"), 2, "says no reference"),
     (("reference", "MUG", "barcode=4006381333930"), 1, "check digit would be 1"),
     (("cost", "1", "MUG=4.90EUR"), 1, "document 1 brought no MUG"),
     (("cost", "1", "MUG=cheap"), 1, "no price"),
     (("cost", "1", "MUG"), 2, "says no cost")],
)  # fmt: skip
def test_what_is_told_wrong_is_refused_in_one_line(
    world: World, holdfast: Holdfast, arguments: tuple[str, ...], code: int, words: str
) -> None:
    world.stocked("MUG", units=5)

    said = holdfast("item", *arguments)

    assert said.code == code
    assert words in said.err.replace("\n", " ")


def test_a_barcode_will_do_wherever_a_sku_is_asked_for(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=5)
    ean = "4006381333931"
    assert ean in holdfast("item", "reference", "MUG", f"barcode={ean}").out

    assert holdfast("stock", "show", ean, "--json").json["sku"] == "MUG"
    assert holdfast("stock", "receive", ean, "3", "--json").code == 0
    assert holdfast("reserve", "make", "h", f"{ean}=2").code == 0
    assert holdfast("stock", "card", f"0{ean}").code == 0
    assert (shared(world, "MUG").free, shared(world, "MUG").reserved) == (6, 2)

    assert holdfast("item", "reference", "MUG", "--drop", f"barcode={ean}", "--json").json["references"] == []
    assert "no item has SKU" in holdfast("stock", "show", ean).err


def test_what_goods_are_worth_is_told_by_warehouse_and_item(world: World, holdfast: Holdfast) -> None:
    assert holdfast("stock", "value").out == "Nothing is on hand.\n"
    world.stocked("MUG", "POT", units=0)
    quantities = {world.item("MUG"): 10, world.item("POT"): 4}
    document_id = str(world.do(Receive("r", DocumentKind.OPENING, quantities)))
    world.receive("MUG", 2)

    assert holdfast("item", "cost", document_id, "MUG=4.90 EUR", "pot=120JPY").code == 0
    told = holdfast("stock", "value", "--json").json

    assert told["value"] == {"EUR": "49.00", "JPY": "480"}
    assert (told["units"], told["without_cost"]) == (16, 2)
    assert told["warehouses"] == [
        {"warehouse": "MAIN", "units": 16, "without_cost": 2, "value": {"EUR": "49.00", "JPY": "480"}}
    ]
    fifo = holdfast("stock", "value", "--method", "fifo").out
    assert "In all 16 units, worth 49.00 EUR, 480 JPY." in fifo
    assert "In all 4 units, worth 480 JPY." in holdfast("stock", "value", "pot").out
    assert "has not come yet" in holdfast("stock", "value", "--at", "2999-01-01").err


def test_a_receipt_that_is_reversed_takes_its_cost_back(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=0)
    for units, price in ((10, "1.00EUR"), (10, "900EUR")):
        document_id = str(world.do(Receive(price, DocumentKind.RECEIPT, {world.item("MUG"): units})))
        assert holdfast("item", "cost", document_id, f"MUG={price}").code == 0

    assert holdfast("stock", "reverse", document_id, "--reason", "typo").code == 0

    for method in ("average", "fifo"):
        assert holdfast("stock", "value", "--method", method, "--json").json["value"] == {"EUR": "10.00"}


def test_the_card_of_what_became_a_part_of_another_is_found_by_its_own_sku(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "CUP", "POT", units=5)
    holdfast("item", "rename", "CUP", "BOWL")
    holdfast("item", "merge", "MUG", "--into", "BOWL")
    world.receive("BOWL", 2)

    told, said = holdfast("stock", "card", "MUG", "--json").json, holdfast("stock", "card", "mug").out
    its = holdfast("stock", "card", "CUP", "--json").json

    assert [line["kind"] for line in told["documents"]] == ["merge", "opening"]
    assert told["documents"][0]["after"] == []
    assert (told["became"]["sku"], told["became"]["now"]) == ("BOWL", "BOWL")
    assert "mug became a part of BOWL with document" in said
    assert "`holdfast stock card BOWL`" in said
    assert [line["kind"] for line in its["documents"]] == ["receipt", "merge", "opening"]
    assert its["became"] is None

    holdfast("item", "merge", "BOWL", "--into", "POT")
    again = holdfast("stock", "card", "MUG").out.replace("\n", " ")
    assert "and that of POT" in again
    assert "`holdfast stock card POT`" in again


def test_what_there_was_of_an_item_before_it_became_a_part_of_another_is_told(world: World, holdfast: Holdfast) -> None:
    clock = Clock()
    now, world.db.clock = clock.now, clock
    clock.pass_(-7200)
    world.stocked("MUG", "CUP", units=5)
    world.receive("MUG", 2)
    clock.now = now
    holdfast("item", "merge", "MUG", "--into", "CUP")

    before = holdfast("stock", "at", "MUG", "1 hour ago", "--json").json
    after = holdfast("stock", "at", "MUG", "now", "--json").json
    said = holdfast("stock", "at", "MUG", "1 hour ago").out

    assert (before["sku"], before["became"]["sku"]) == ("MUG", "CUP")
    assert [one["buckets"]["available"] for one in before["layers"][:2]] == [7, 7]
    assert (after["sku"], after["layers"][0]["buckets"]["available"]) == ("CUP", 12)
    assert "MUG became a part of CUP with document" in said
    assert holdfast("stock", "at", "CUP", "1 hour ago", "--json").json["layers"][0]["buckets"]["available"] == 5


def test_a_merge_is_not_reversed_and_the_way_back_is_named(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "CUP", units=5)
    document_id = holdfast("item", "merge", "MUG", "--into", "CUP", "--json").json["document_id"]

    said = holdfast("stock", "reverse", str(document_id), "--reason", "typo")

    assert said.code == 1
    assert "holdfast item split" in said.err
    assert world.on_hand("CUP") == (10, 0)


def test_units_without_a_cost_are_named(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=3)

    said = holdfast("stock", "value")

    assert "worth nothing that anybody noted" in said.out
    assert "Of these, 3 units came without a cost" in said.out


def test_who_only_looks_changes_no_item(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", "CUP", units=3)
    holdfast("user", "add", "eyes@shop.example", "--role", "viewer")

    for arguments in (
        ("rename", "MUG", "POT"), ("merge", "MUG", "--into", "CUP"), ("split", "MUG", "POT", "--take", "1"),
        ("reference", "MUG", "asin=1"), ("cost", "1", "MUG=1EUR"),
    ):  # fmt: skip
        assert "eyes@shop.example" in holdfast("item", *arguments, "--as", "eyes@shop.example").err
    assert holdfast("stock", "value", "--as", "eyes@shop.example").code == 0

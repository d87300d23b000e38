"""``holdfast supplier`` and ``holdfast purchase`` on a real database, as a planner and a warehouse use them."""

from datetime import timedelta

import pytest

from core.errors import Refused
from core.money import from_minor, to_minor
from core.supply import suppliers
from tests import supply_world as sup
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast
from tests.supply_world import OnWay


def day(world: World, days: int) -> str:
    return (sup.today(world) + timedelta(days=days)).isoformat()


def ordered(holdfast: Holdfast, world: World, *lines: str, days: int = 10) -> None:
    """PO-7 to ACME, which brings mugs in cases of 24, is placed with lines like ``MUG=48``."""
    world.stocked("MUG", "CUP", units=0)
    holdfast("supplier", "add", "ACME", "--lead", "14")
    holdfast("supplier", "item", "ACME", "MUG", "--code", "4711-R", "--pack", "24", "--cost", "3.20")
    holdfast("purchase", "new", "PO-7", "--supplier", "ACME", "--on", day(world, days))
    for one in lines:
        sku, units = one.split("=")
        assert holdfast("purchase", "add-line", "PO-7", sku, units).code == 0
    assert holdfast("purchase", "place", "PO-7").code == 0


# ---- suppliers


def test_a_supplier_is_added_changed_and_shown(holdfast: Holdfast) -> None:
    assert "No supplier is known" in holdfast("supplier", "list").out
    assert holdfast("supplier", "add", "ACME", "--name", "Acme Pottery", "--lead", "14").code == 0
    assert "there is a supplier ACME already" in holdfast("supplier", "add", "ACME").err
    assert (
        "is changed" in holdfast("supplier", "set", "ACME", "--currency", "GBP", "--email", "orders@acme.example").out
    )
    assert "said of ACME already" in holdfast("supplier", "set", "ACME", "--currency", "GBP").out
    (one,) = holdfast("supplier", "list", "--json").json
    assert (one["code"], one["name"], one["currency"], one["lead_days"]) == ("ACME", "Acme Pottery", "GBP", 14)
    assert "there are ACME" in holdfast("supplier", "show", "EMCA").err


@pytest.mark.parametrize(
    ("option", "value", "cure"),
    [("--currency", "euro", "ISO 4217"), ("--email", "acme", "company's desk"), ("--lead", "5000", "0 to 1,000")],
)
def test_what_cannot_be_said_of_a_supplier_is_refused(holdfast: Holdfast, option: str, value: str, cure: str) -> None:
    assert cure in holdfast("supplier", "add", "ACME", option, value).err
    assert holdfast("supplier", "list", "--json").json == []


def test_what_a_supplier_brings_keeps_what_was_not_said_again(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=0)
    holdfast("supplier", "add", "ACME")
    holdfast("supplier", "item", "ACME", "MUG", "--code", "4711-R", "--pack", "24", "--cost", "3.20")
    one = holdfast("supplier", "item", "ACME", "mug", "--min", "48", "--json").json
    assert (one["pack_size"], one["least_units"], one["cost_minor"], one["supplier_sku"]) == (24, 48, 320, "4711-R")
    assert "3.20" in holdfast("supplier", "show", "ACME").out
    assert "calls MUG 4711-R already" in holdfast("supplier", "item", "ACME", "CUP", "--code", "4711-R").err


def test_a_case_nobody_spoke_of_is_that_of_the_item(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("supplier", "add", "ACME")
    holdfast("item", "unit", "MUG", "case=12")
    assert holdfast("supplier", "item", "ACME", "MUG", "--json").json["pack_size"] == 12


@pytest.mark.parametrize(
    ("words", "currency", "minor"), [("3.20", "EUR", 320), ("7", "JPY", 7), ("1.234", "KWD", 1234), ("0", "USD", 0)]
)
def test_costs_are_whole_numbers_of_the_smallest_unit(words: str, currency: str, minor: int) -> None:
    assert to_minor(words, currency) == minor
    assert to_minor(from_minor(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("words", "currency"),
    [("3.205", "EUR"), ("7.5", "JPY"), ("-1", "EUR"), ("nan", "EUR"), ("three", "EUR"), ("1e40", "EUR"), ("", "EUR")],
)
def test_what_is_no_cost_is_refused(words: str, currency: str) -> None:
    with pytest.raises(Refused):
        to_minor(words, currency)


# ---- purchase orders


def test_an_order_is_written_placed_and_shown(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=0)
    holdfast("supplier", "add", "ACME", "--lead", "14")
    holdfast("supplier", "item", "ACME", "MUG", "--code", "4711-R", "--pack", "24", "--min", "96", "--cost", "3.20")
    assert "is a draft" in holdfast("purchase", "new", "PO-7", "--supplier", "ACME").out
    assert "already" in holdfast("purchase", "new", "PO-7", "--supplier", "ACME").err
    said = holdfast("purchase", "add-line", "PO-7", "4711-R", "2", "--cases")
    assert "PO-7 orders 48 units of 4711-R" in said.out
    assert "ACME sells 96 units or more of it" in said.out
    assert "has a line of MUG already" in holdfast("purchase", "add-line", "PO-7", "MUG", "2").err
    assert "how many CUP a case holds" in holdfast("purchase", "add-line", "PO-7", "CUP", "2", "--cases").err
    holdfast("purchase", "add-line", "PO-7", "CUP", "2")
    holdfast("purchase", "drop-line", "PO-7", "CUP")
    assert "48 units of PO-7 would be on their way" in holdfast("purchase", "place", "PO-7", "--dry-run").out
    assert holdfast("purchase", "list", "--json").json[0]["state"] == "draft"
    placed = holdfast("purchase", "place", "PO-7").out
    assert f"48 units of PO-7 are on their way to MAIN, the last of them on {day(world, 14)}" in placed
    assert "was placed before" in holdfast("purchase", "place", "PO-7").out
    shown = holdfast("purchase", "show", "PO-7", "--json").json
    (one,) = shown["lines"]
    assert (shown["state"], one["sku"], one["ordered"], one["cost_minor"]) == ("placed", "MUG", 48, 320)
    assert "3.20" in holdfast("purchase", "show", "PO-7").out
    assert "the newest are PO-7" in holdfast("purchase", "show", "PO-9").err
    assert "is placed" in holdfast("purchase", "add-line", "PO-7", "CUP", "2").err


def test_goods_are_booked_in_after_they_were_tried_out(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48", "CUP=10")
    tried = holdfast("purchase", "receive", "PO-7", "MUG=1", "--cases", "--dry-run")
    assert "Only tried out" in tried.out
    assert world.on_hand("MUG") == (0, 0)
    said = holdfast(
        "receive", "PO-7", "MUG=24", "CUP=4", "--damaged", "CUP=1", "--other-grade", "MUG=2", "--key", "d-1"
    )
    assert "Booked in as document" in said.out
    assert (world.on_hand("CUP"), sup.on_way(world, "MUG")) == ((3, 1), OnWay(available=22, incoming=24))
    again = holdfast(
        "receive", "PO-7", "MUG=24", "CUP=4", "--damaged", "CUP=1", "--other-grade", "MUG=2", "--key", "d-1"
    )
    assert "was booked before" in again.out
    lines = holdfast("purchase", "receive", "PO-7", "--all", "--json").json["lines"]
    assert [(one["sku"], one["units"], one["open"]) for one in lines] == [("MUG", 24, 0), ("CUP", 6, 0)]
    assert holdfast("purchase", "list", "--json").json == []
    (shown,) = holdfast("purchase", "list", "--all", "--json").json
    assert (shown["state"], shown["came"]) == ("closed", 58)
    holdfast("bin", "add", "MAIN/A-01")
    assert "MAIN/DEFAULT" in holdfast("purchase", "show", "PO-7").out


def test_all_of_an_order_comes_with_some_of_it_damaged_and_is_told_twice(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48", "CUP=10")
    all_of_it = ("receive", "PO-7", "--all", "--damaged", "CUP=3", "--key", "d-1")
    assert holdfast(*all_of_it, "--dry-run", "--json").json["document_ids"] == []
    assert "Booked in" in holdfast(*all_of_it).out
    assert (world.on_hand("MUG"), world.on_hand("CUP")) == ((48, 0), (7, 3))
    assert "was booked before" in holdfast(*all_of_it).out
    assert "say how many units came" in holdfast("receive", "PO-7", "--all", "--damaged", "CUP=3").err


def test_what_is_wrong_with_a_receipt_is_said_with_its_cure(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48")
    assert "say what came" in holdfast("receive", "PO-7").err
    assert "say what came" in holdfast("receive", "PO-7", "MUG=2", "--all").err
    assert "orders no CUP" in holdfast("receive", "PO-7", "CUP=2").err
    assert "no item has SKU MUGG" in holdfast("receive", "PO-7", "MUGG=2").err
    assert "cannot be damaged" in holdfast("receive", "PO-7", "MUG=2", "--damaged", "MUG=3").err
    assert "no item with its units" in holdfast("receive", "PO-7", "MUG").err
    assert "there is no warehouse ROME" in holdfast("receive", "PO-7", "MUG=2", "--to", "ROME").err
    assert "no notice ASN-1" in holdfast("receive", "PO-7", "--notice", "ASN-1").err
    holdfast("bin", "freeze", "MAIN/DEFAULT")
    assert "is frozen" in holdfast("receive", "PO-7", "MUG=2").err
    assert world.on_hand("MUG") == (0, 0)


def test_a_delivery_is_announced_and_then_booked_in_by_its_number(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48")
    said = holdfast("purchase", "notice", "PO-7", "MUG=3", "--cases", "--ref", "ASN-1", "--on", day(world, 4))
    assert "72 units of PO-7 come with ASN-1" in said.out
    assert "24 units more than is still to come" in said.out
    assert day(world, 4) in holdfast("purchase", "list").out
    tried = holdfast("receive", "PO-7", "--notice", "ASN-1", "--dry-run")
    assert (tried.code, world.on_hand("MUG")) == (0, (0, 0))
    holdfast("receive", "PO-7", "--notice", "ASN-1")
    again = holdfast("receive", "PO-7", "--notice", "asn-1".upper())
    assert "What ASN-1 announced was booked before" in again.out
    assert world.on_hand("MUG") == (72, 0)
    assert "booked in otherwise" in holdfast("receive", "PO-7", "--notice", "ASN-1", "--damaged", "MUG=1").err
    assert "leave --key out" in holdfast("receive", "PO-7", "--notice", "ASN-1", "--key", "k").err
    assert "is closed" in holdfast("purchase", "notice", "PO-7", "MUG=3", "--ref", "B", "--on", day(world, 4)).err


def test_who_waits_hears_of_every_day_that_moves(holdfast: Holdfast, world: World) -> None:
    world.hear(world.stocked("MUG", "CUP", units=0), order(line("MUG", 4), paid=True))
    holdfast("supplier", "add", "ACME")
    holdfast("purchase", "new", "PO-7", "--supplier", "ACME", "--on", day(world, 10))
    holdfast("purchase", "add-line", "PO-7", "MUG", "48")
    assert "The dates of 1 order moved" in holdfast("purchase", "place", "PO-7").out
    holdfast("backorder", "moved", "--mark-told")
    assert "The dates of 1 order moved" in holdfast("purchase", "date", "PO-7", day(world, 20)).out
    (one,) = holdfast("backorder", "moved", "--json").json
    assert (one["told"], one["becomes"], one["reasons"]) == (day(world, 11), day(world, 21), ["PO-7 comes later"])
    assert "is a purchase order" in holdfast("backorder", "expect", "MUG", "5", day(world, 3), "--ref", "PO-7").err
    assert "is a purchase order" in holdfast("backorder", "arrived", "MUG", "5", "--ref", "PO-7").err
    assert "is no day" in holdfast("purchase", "date", "PO-7", "soon").err


def test_units_that_do_not_come_are_cut_and_the_order_ends(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48", "CUP=5")
    holdfast("purchase", "cut", "PO-7", "MUG=8", "--reason", "sold out", "--dry-run")
    assert sup.on_way(world, "MUG") == OnWay(incoming=48)
    said = holdfast("purchase", "cut", "PO-7", "MUG=8", "--reason", "sold out", "--key", "c-1", "--json").json
    assert (said["units"], said["repeated"], said["losses"]) == (8, False, [])
    assert (
        "was said of PO-7 before"
        in holdfast("purchase", "cut", "PO-7", "MUG=8", "--reason", "sold out", "--key", "c-1").out
    )
    assert "only 40 units" in holdfast("purchase", "cut", "PO-7", "MUG=41", "--reason", "x").err
    holdfast("purchase", "cut", "PO-7", "CUP=5", "--lost", "--reason", "parcel gone")
    assert holdfast("purchase", "close", "PO-7", "--reason", "enough").out == "PO-7 is cancelled.\n"
    assert world.documents() == ["purchase", "purchase_cut", "lost", "purchase_cut"]


def test_goods_on_sale_before_they_are_here_are_cut_with_who_gives_them_up(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=5", days=3)
    would = holdfast("purchase", "count", "--days", "7", "--dry-run").out
    assert would == "Only tried out: the rule would put 5 units on the way on sale; 0 are now.\n"
    assert holdfast("purchase", "count", "--json").json["days"] is None
    said = holdfast("purchase", "count", "--days", "7").out
    assert "within 7 days may be sold; 5 units on the way are on sale" in said
    store = world.store("Side street")
    world.listings(store, "MUG")
    world.hear(store, order(line("MUG", 4), paid=True))
    tried = holdfast("purchase", "cut", "PO-7", "MUG=3", "--reason", "sold out", "--dry-run")
    assert "order #1001 of Side street" in tried.out
    holdfast("purchase", "cut", "PO-7", "MUG=3", "--reason", "sold out")
    assert world.units("MUG") == (0, 0, 2, 2)
    assert "is sold only once it is here" in holdfast("purchase", "count", "--never").out
    assert sup.on_way(world, "MUG") == OnWay(incoming_sellable=2)


def test_a_supplier_keeps_its_own_rule_until_ours_holds_again(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=5", days=3)
    holdfast("purchase", "count", "--never", "--supplier", "ACME")
    assert holdfast("purchase", "count", "--days", "7", "--json").json == {
        "days": 7, "suppliers": [{"supplier": "ACME", "days": None}], "units_on_sale": 0, "dates_moved": 0,
    }  # fmt: skip
    assert holdfast("purchase", "count", "--as-ours", "--supplier", "ACME", "--json").json["units_on_sale"] == 5
    assert "for a supplier" in holdfast("purchase", "count", "--as-ours").err


def test_a_warehouse_books_in_what_a_planner_ordered(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=5")
    holdfast("user", "add", "pat@shop.example", "--role", "warehouse", "--name", "Pat")
    for refused in (("cut", "PO-7", "MUG=1", "--reason", "x"), ("place", "PO-7"), ("count", "--never")):
        assert "purchase.change" in holdfast("purchase", *refused, "--as", "pat@shop.example").err
    assert holdfast("receive", "PO-7", "MUG=2", "--as", "pat@shop.example").code == 0
    assert holdfast("purchase", "list", "--as", "pat@shop.example").code == 0


def test_the_list_shows_what_is_late(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=5", days=-3)
    assert "(late)" in holdfast("purchase", "list", "--late").out
    holdfast("purchase", "date", "PO-7", day(world, 3))
    assert holdfast("purchase", "list", "--late").out == "Nothing is late.\n"


def test_goods_that_were_on_sale_and_are_late_are_shown_with_what_became_of_them(
    holdfast: Holdfast, world: World
) -> None:
    ordered(holdfast, world, "MUG=5", days=3)
    holdfast("purchase", "count", "--days", "7")
    world.tell("UPDATE purchase SET expected_on = expected_on - 5 WHERE merchant_id = :merchant_id")
    holdfast("purchase", "count", "--days", "7")
    (incident,) = holdfast("purchase", "show", "PO-7", "--json").json["incidents"]
    assert (incident["sku"], incident["units"]) == ("MUG", 5)
    assert "5 were taken off sale, 0 are promised" in holdfast("purchase", "show", "PO-7").out
    holdfast("purchase", "date", "PO-7", day(world, 3))
    assert holdfast("purchase", "show", "PO-7", "--json").json["incidents"] == []


def test_a_receipt_typed_wrongly_is_taken_back_by_who_may_correct(holdfast: Holdfast, world: World) -> None:
    ordered(holdfast, world, "MUG=48")
    (document,) = holdfast("receive", "PO-7", "MUG=40", "--json").json["document_ids"]
    assert (
        "could be taken back" in holdfast("purchase", "undo", "PO-7", str(document), "--reason", "4", "--dry-run").out
    )
    assert "is taken back" in holdfast("purchase", "undo", "PO-7", str(document), "--reason", "typed 40 for 4").out
    assert "was taken back before" in holdfast("purchase", "undo", "PO-7", str(document), "--reason", "4").out
    assert "(taken back)" in holdfast("purchase", "show", "PO-7").out
    assert sup.on_way(world, "MUG") == OnWay(incoming=48)


def test_a_line_of_each_grade_is_named_by_its_grade(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("supplier", "add", "ACME")
    holdfast("purchase", "new", "PO-7", "--supplier", "ACME")
    for grade in ("good", "minor_defect"):
        holdfast("purchase", "add-line", "PO-7", "MUG", "5", "--grade", grade)
    assert "nobody said when they come" in holdfast("purchase", "place", "PO-7").out
    holdfast("receive", "PO-7", "MUG=2:minor_defect")
    assert sup.on_way(world, "MUG", grade="minor_defect") == OnWay(available=2, incoming=3)
    assert sup.on_way(world, "MUG") == OnWay(incoming=5)


def test_suppliers_of_another_merchant_are_not_seen(world: World) -> None:
    sup.supplier(world)
    with world.db.begin(2, actor="test") as tx:
        assert suppliers.every(tx) == []

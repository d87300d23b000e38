"""``holdfast stock`` on a real database: looking, booking in, and warning."""

import pytest

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


def test_an_item_shows_its_layers_its_stores_and_why(holdfast: Holdfast, world: World) -> None:
    store_id = world.stocked("MUG", units=9)
    world.hear(store_id, order(line("MUG", 2, counted=2)))

    said = holdfast("stock", "show", "mug")
    told = holdfast("stock", "show", "MUG", "--json").json

    assert [layer["layer"] for layer in told["layers"]] == ["warehouse", "dispatch", "sales"]
    assert told["layers"][2]["buckets"] == {"free": 7, "reserved": 2, "sold": 0, "backordered": 0}
    assert told["stores"][0]["wanted"] == 7
    assert told["documents"][0]["kind"] == "reservation"
    assert told["documents"][0]["order"] == "#1001"
    assert "7 units are free in the shared pool" in said.out
    assert "stale since" in said.out


def test_an_unknown_sku_names_those_that_are_near(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG-RED", units=1)

    said = holdfast("stock", "show", "MUG-BLUE")

    assert (said.code, said.out) == (1, "")
    assert said.err == "holdfast: no item has SKU MUG-BLUE (did you mean MUG-RED?); `holdfast item list` shows all\n"


def test_a_receipt_with_a_key_books_once(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)

    first = holdfast("stock", "receive", "MUG", "5", "--key", "delivery-1", "--json").json
    again = holdfast("stock", "receive", "mug", "5", "--key", "delivery-1", "--json").json
    other = holdfast("stock", "receive", "MUG", "6", "--key", "delivery-1")

    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["document_id"] == again["document_id"]
    assert other.code == 1
    assert "choose a new key" in other.err
    assert world.units("MUG").free == 6


def test_receipts_without_a_key_are_each_their_own(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)

    holdfast("stock", "receive", "MUG", "5")
    holdfast("stock", "receive", "MUG", "5")

    assert world.units("MUG").free == 11


@pytest.mark.parametrize("units", ["0", "-3", "many"])
def test_a_receipt_of_nothing_is_not_understood(holdfast: Holdfast, units: str) -> None:
    assert holdfast("stock", "receive", "MUG", units).code == 2


def test_a_warning_is_set_said_to_whom_and_taken_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)

    nobody = holdfast("stock", "warn", "MUG", "5")
    holdfast("merchant", "--email", "stock@shop.example")
    somebody = holdfast("stock", "warn", "MUG", "4")
    holdfast("stock", "receive", "MUG", "1")
    shown = holdfast("stock", "show", "MUG", "--json").json["low_stock_threshold"]
    holdfast("stock", "warn", "MUG", "--off")

    assert "holdfast merchant --email" in nobody.out
    assert "stock@shop.example" in somebody.out
    assert shown == 4
    assert holdfast("stock", "show", "MUG", "--json").json["low_stock_threshold"] is None
    assert holdfast("stock", "warn", "MUG").code == 2

"""Warehouses and bins: made, changed and frozen; goods that come into them, move between them, and are added up."""

from typing import Any

import pytest

from core.errors import ConfigError, NotFound, Refused
from core.goods.receiving import Receive
from core.sales.holds import Hold
from core.stock import DocumentKind, Spot
from core.warehouse import bins, totals, warehouses
from core.warehouse.moves import PutAway
from tests.builders import FAR_OFF, World, line, order


def place(world: World, name: str) -> Spot:
    """The bin, made with its warehouse where there is none."""
    code, _, bin_code = name.partition("/")
    with world.db.begin(world.merchant_id, actor="test") as tx:
        if code not in {one.code for one in warehouses.every(tx)}:
            warehouses.add(tx, code, {})
        if bin_code:
            bins.add(tx, name)
        return warehouses.spot_of(tx, name)


def receive(world: World, sku: str, units: int, at: str, damaged: int = 0) -> None:
    what = world.item(sku)
    broken = {what: damaged} if damaged else {}
    world.do(Receive(f"r/{sku}/{at}/{units}", DocumentKind.RECEIPT, {what: units}, "", broken, place(world, at)))


def in_bin(world: World, sku: str, at: str) -> tuple[int, int, int]:
    """Available, picking and unavailable units."""
    rows = world.ask(
        """SELECT available, picking, unavailable FROM warehouse_balance
           WHERE merchant_id = :merchant_id AND item_id = :item_id AND bin_id = :bin_id""",
        item_id=world.item(sku).item_id, bin_id=place(world, at).bin_id,
    )  # fmt: skip
    return tuple(rows[0]) if rows else (0, 0, 0)


def tell(world: World, act: Any, *values: Any) -> Any:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return act(tx, *values)


def test_goods_received_in_another_warehouse_can_be_sold_like_all_others(world: World) -> None:
    store_id = world.stocked("mug", units=0)

    receive(world, "mug", 5, "HAMBURG")

    assert world.units("mug").free == 5
    assert in_bin(world, "mug", "HAMBURG") == (5, 0, 0)
    assert in_bin(world, "mug", "MAIN") == (0, 0, 0)
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    assert world.units("mug").reserved == 5
    assert world.listing(store_id, "mug") is not None


def test_a_receipt_in_another_warehouse_serves_who_waits(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    world.hear(store_id, order(line("mug", 2), paid=True))

    receive(world, "mug", 3, "HAMBURG/A-01")

    assert (world.units("mug").sold, world.units("mug").backordered, world.units("mug").free) == (2, 0, 1)


def test_what_arrives_damaged_is_set_apart_in_its_bin(world: World) -> None:
    world.stocked("mug", units=0)

    receive(world, "mug", 5, "HAMBURG/A-01", damaged=2)

    assert in_bin(world, "mug", "HAMBURG/A-01") == (5, 0, 2)
    assert world.units("mug").free == 5


def test_the_same_receipt_into_another_bin_is_another_content(world: World) -> None:
    world.stocked("mug", units=0)
    here, there = place(world, "MAIN/A"), place(world, "MAIN/B")
    what = {world.item("mug"): 1}
    world.do(Receive("r", DocumentKind.RECEIPT, what, "", {}, here))

    assert world.do(Receive("r", DocumentKind.RECEIPT, what, "", {}, here)) is not None
    with pytest.raises(Refused, match="r"):
        world.do(Receive("r", DocumentKind.RECEIPT, what, "", {}, there))


def test_putting_away_changes_the_bin_and_no_number_that_a_store_shows(world: World) -> None:
    world.stocked("mug", units=5)
    before = world.units("mug")

    world.do(PutAway("p", world.item("mug"), 3, place(world, "MAIN"), place(world, "MAIN/A-01")))

    assert in_bin(world, "mug", "MAIN") == (2, 0, 0)
    assert in_bin(world, "mug", "MAIN/A-01") == (3, 0, 0)
    assert world.units("mug") == before


def test_no_more_is_put_away_than_stands_there(world: World) -> None:
    world.stocked("mug", units=5)

    with pytest.raises(Refused, match="only 5"):
        world.do(PutAway("p", world.item("mug"), 6, place(world, "MAIN"), place(world, "MAIN/A-01")))


def test_between_warehouses_goods_are_not_put_away_but_transferred(world: World) -> None:
    world.stocked("mug", units=5)

    with pytest.raises(Refused, match="transfer"):
        world.do(PutAway("p", world.item("mug"), 1, place(world, "MAIN"), place(world, "HAMBURG")))


def test_a_frozen_bin_takes_nothing_in_and_gives_nothing_out(world: World) -> None:
    place(world, "MAIN/A-01")

    assert tell(world, bins.freeze, "MAIN/A-01", True)
    with pytest.raises(Refused, match="holdfast bin thaw MAIN/A-01"):
        tell(world, warehouses.spot_of, "MAIN/A-01")
    assert not tell(world, bins.freeze, "MAIN/A-01", True)
    assert tell(world, bins.freeze, "MAIN/A-01", False)
    assert tell(world, warehouses.spot_of, "MAIN/A-01")


def test_a_bin_that_is_not_there_is_named_with_the_command_that_makes_it(world: World) -> None:
    with pytest.raises(NotFound, match="holdfast bin add MAIN/Z-99"):
        tell(world, warehouses.spot_of, "MAIN/Z-99")
    with pytest.raises(NotFound, match="there are MAIN"):
        tell(world, warehouses.spot_of, "NOWHERE/A")


def test_a_warehouse_is_added_once_and_says_what_it_was_told(world: World) -> None:
    tell(world, warehouses.add, "NORTH", {"kind": "3pl", "region": "north", "country": "DE", "priority": 3})

    with pytest.raises(Refused, match="already"):
        tell(world, warehouses.add, "NORTH", {})
    first, second = tell(world, warehouses.every)
    assert (first.code, first.kind, first.region, first.country, first.bins) == ("NORTH", "3pl", "north", "DE", 1)
    assert (second.code, second.time_zone, first.time_zone) == ("MAIN", "Europe/Berlin", "Europe/Berlin")


@pytest.mark.parametrize(
    "terms", [{"kind": "shed"}, {"country": "Germany"}, {"time_zone": "Mars/Base"}, {"latitude": 3.0}]
)
def test_what_a_warehouse_cannot_be_is_refused_in_words(world: World, terms: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        tell(world, warehouses.add, "NORTH", terms)


def test_a_change_that_changes_nothing_says_so(world: World) -> None:
    assert tell(world, warehouses.change, "MAIN", {"priority": 7})
    assert not tell(world, warehouses.change, "MAIN", {"priority": 7})


def test_totals_add_up_by_warehouse_by_region_and_over_all(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    tell(world, warehouses.add, "NORTH", {"region": "north"})
    tell(world, warehouses.add, "SOUTH", {"region": "south"})
    receive(world, "mug", 2, "NORTH")
    receive(world, "cup", 3, "SOUTH/A", damaged=1)

    of_all = {(one.scope, one.place): one.book for one in tell(world, totals.totals)}
    of_mugs = {(one.scope, one.place): one.book for one in tell(world, totals.totals, world.item("mug").item_id)}

    assert of_all == {
        ("warehouse", "MAIN"): 8, ("warehouse", "NORTH"): 2, ("warehouse", "SOUTH"): 4,
        ("region", "-"): 8, ("region", "north"): 2, ("region", "south"): 4, ("all", "all"): 14,
    }  # fmt: skip
    assert of_mugs[("all", "all")] == 6
    assert of_mugs[("warehouse", "SOUTH")] == 0

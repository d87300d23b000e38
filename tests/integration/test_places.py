"""Warehouses and bins: made, changed and frozen; goods that come into them, move between them, and are added up."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from core import ledger
from core.errors import ConfigError, NotFound, Refused
from core.goods import items, recipes
from core.goods.adjusting import Lose, SetOnShelf, Unblock
from core.goods.bundles import Assemble, ReturnBundle
from core.goods.receiving import Receive
from core.ledger import Batch
from core.pipe import Answer
from core.reversing import Reverse, read_document
from core.rows import Part
from core.sales.holds import Hold
from core.stock import BalanceKey, DocumentKind, Stocked
from core.supply import sending, transfers
from core.warehouse import bins, totals, warehouses
from core.warehouse.moves import PutAway
from tests.builders import FAR_OFF, World, line, order
from tests.integration.place_acts import in_bin, place, receive, tell


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


def test_a_frozen_bin_takes_nothing_in_and_gives_nothing_out_but_by_a_count(world: World) -> None:
    world.stocked("mug", units=5)
    mug, default, shelf = world.item("mug"), place(world, "MAIN"), place(world, "MAIN/A-01")
    receive(world, "mug", 4, "MAIN/A-01")
    received = world.ask("SELECT max(id) AS id FROM document WHERE kind = 'receipt'")[0].id
    with world.db.begin(world.merchant_id, actor="test") as tx:
        document = read_document(tx, received)
    tell(world, bins.freeze, "MAIN/A-01", True)

    for act in (
        PutAway("in", mug, 1, default, shelf),
        PutAway("out", mug, 1, shelf, default),
        Receive("more", DocumentKind.RECEIPT, {mug: 1}, "", {}, shelf),
        Lose("gone", "broken", DocumentKind.MISSING, {mug: 1}, spot=shelf),
        Reverse(document, "entered twice"),
    ):
        with pytest.raises(Refused, match="holdfast bin thaw MAIN/A-01"):
            world.do(act)
    world.do(SetOnShelf("count", "counted", mug, 3, spot=shelf))

    assert in_bin(world, "mug", "MAIN/A-01") == (3, 0, 0)
    tell(world, bins.freeze, "MAIN/A-01", False)
    world.do(PutAway("out", mug, 1, shelf, default))
    assert in_bin(world, "mug", "MAIN") == (6, 0, 0)


def test_an_order_ships_several_kinds_of_goods_out_of_other_bins_at_once(world: World) -> None:
    skus = ("mug", "cup", "pot", "lid", "jar")
    store = world.stocked(*skus, units=0)
    for n, sku in enumerate(skus):
        receive(world, sku, 2, ("HAMBURG", "MAIN")[n % 2] + f"/A-{n}")
    world.hear(store, order(*(line(sku, 1) for sku in skus), paid=True))

    world.hear(store, order(*(line(sku, 1, shipped=1) for sku in skus), paid=True))

    assert [in_bin(world, sku, ("HAMBURG", "MAIN")[n % 2] + f"/A-{n}")[0] for n, sku in enumerate(skus)] == [1] * 5
    assert "found" not in world.documents()


def test_kits_are_not_made_and_bundles_do_not_come_back_where_goods_are_counted(world: World) -> None:
    world.stocked("mug", units=9)
    mug = world.item("mug").item_id
    with world.db.begin(1, actor="test") as tx:
        kit, bundle = items.add_item(tx, "box"), items.add_item(tx, "set")
        for made, kind in ((kit, recipes.KIT), (bundle, recipes.BUNDLE)):
            recipes.set_recipe(tx, made, kind, [Part(Stocked(mug), 2)])
    tell(world, bins.freeze, "MAIN", True)

    for act in (Assemble("a", Stocked(kit), 1), ReturnBundle("r", bundle, 1)):
        with pytest.raises(Refused, match="holdfast bin thaw MAIN/"):
            world.do(act)


def test_what_a_store_shipped_leaves_a_frozen_bin_last(world: World) -> None:
    store = world.stocked("mug", units=2)
    receive(world, "mug", 3, "MAIN/A-01")
    tell(world, bins.freeze, "MAIN", True)

    world.hear(store, order(line("mug", 4, shipped=4), paid=True))

    assert in_bin(world, "mug", "MAIN/A-01") == (0, 0, 0)
    assert in_bin(world, "mug", "MAIN") == (1, 0, 0)


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


def test_an_order_ships_out_of_the_bins_that_its_goods_stand_in(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    receive(world, "mug", 2, "MAIN/A-01")
    receive(world, "mug", 3, "HAMBURG")

    world.hear(store_id, order(line("mug", 5, shipped=5), paid=True))

    assert in_bin(world, "mug", "MAIN") == (0, 0, 0)
    assert in_bin(world, "mug", "MAIN/A-01") == (0, 0, 0)
    assert in_bin(world, "mug", "HAMBURG") == (1, 0, 0)
    assert world.units("mug").free == 1


def test_two_lines_of_one_order_do_not_take_the_same_unit_off_a_shelf(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    world.listings(store_id, "pair", pack_size=2)
    world.tell(
        "UPDATE listing SET item_id = :item WHERE merchant_id = :merchant_id AND sku = 'pair'",
        item=world.item("mug").item_id,
    )
    receive(world, "mug", 2, "HAMBURG")

    world.hear(store_id, order(line("mug", 1, shipped=1), line("pair", 1, shipped=1), paid=True))

    assert in_bin(world, "mug", "HAMBURG") == (0, 0, 0)
    assert world.units("mug").sold == 0


def test_what_was_thought_on_its_way_and_was_shipped_has_come(world: World) -> None:
    store_id = world.stocked("mug", units=2)
    with world.db.begin(1, actor="test") as tx:
        ends = warehouses.id_of(tx, "MAIN"), warehouses.add(tx, "HAMBURG", {})
        transfers.ask(tx, "T-1", ends, {world.item("mug"): 2})
    sending.send(world.db, 1, "T-1", None, place(world, "MAIN"), "k", actor="test")

    world.hear(store_id, order(line("mug", 1, shipped=1), paid=True))

    assert "found" in world.documents()
    assert in_bin(world, "mug", "MAIN") == (0, 0, 0)
    assert world.units("mug").free == 2


def test_what_is_missing_or_damaged_elsewhere_leaves_that_bin(world: World) -> None:
    world.stocked("mug", units=1)
    receive(world, "mug", 4, "HAMBURG/A-01")
    what, spot = {world.item("mug"): 1}, place(world, "HAMBURG/A-01")

    world.do(Lose("l", "not there", DocumentKind.MISSING, what, spot=spot))
    world.do(Lose("d", "dropped", DocumentKind.DAMAGE, what, spot=spot))
    assert in_bin(world, "mug", "HAMBURG/A-01") == (2, 0, 1)
    world.do(Unblock("m", "cleaned", DocumentKind.MEND, what, spot=spot))
    assert in_bin(world, "mug", "HAMBURG/A-01") == (3, 0, 0)
    with pytest.raises(Refused, match="set apart as unavailable are 0"):
        world.do(Unblock("s", "broken", DocumentKind.SCRAP, what, spot=spot))

    assert in_bin(world, "mug", "MAIN") == (1, 0, 0)
    assert world.units("mug").free == 4


def test_promises_make_room_for_what_is_missing_in_another_warehouse(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    receive(world, "mug", 2, "HAMBURG")
    world.hear(store_id, order(line("mug", 2), external_id="1", paid=True))
    world.hear(store_id, order(line("mug", 1), external_id="2", paid=True))

    world.do(Lose("l", "gone", DocumentKind.MISSING, {world.item("mug"): 2}, spot=place(world, "HAMBURG")))

    assert (world.units("mug").sold, world.units("mug").backordered) == (1, 2)
    assert sum(one.quantity for one in world.incidents()) == 2


def test_a_count_of_one_bin_says_nothing_of_the_others(world: World) -> None:
    world.stocked("mug", units=3)
    receive(world, "mug", 4, "HAMBURG")

    adjusted = world.do(SetOnShelf("c", "counted", world.item("mug"), 5, spot=place(world, "HAMBURG")))

    assert adjusted.change == 1
    assert in_bin(world, "mug", "HAMBURG") == (5, 0, 0)
    assert in_bin(world, "mug", "MAIN") == (3, 0, 0)


def test_a_refund_that_keeps_units_off_sale_sets_them_apart_where_they_stand(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    receive(world, "mug", 2, "HAMBURG")
    world.hear(store_id, order(line("mug", 2), paid=True))

    world.hear(store_id, order(line("mug", 2, written_off=1), paid=True))

    assert in_bin(world, "mug", "HAMBURG") == (1, 0, 1)


def test_a_flaw_found_late_is_looked_for_where_the_goods_are(world: World) -> None:
    store_id = world.stocked("mug", units=1)
    world.hear(store_id, order(line("mug", 1, shipped=1), paid=True))
    world.hear(store_id, order(line("mug", 1, shipped=1, returned=1), paid=True))
    world.do(PutAway("p", world.item("mug"), 1, place(world, "MAIN"), place(world, "MAIN/A-01")))

    world.hear(store_id, order(line("mug", 1, shipped=1, returned=1, returned_minor_defect=1), paid=True))

    assert in_bin(world, "mug", "MAIN/A-01") == (0, 0, 0)
    flawed = world.item("mug")._replace(grade="minor_defect")
    assert world.scalar(
        "SELECT available FROM warehouse_balance WHERE merchant_id = :merchant_id AND grade = :grade AND bin_id = :bin",
        grade=flawed.grade, bin=place(world, "MAIN/A-01").bin_id,
    ) == 1  # fmt: skip


def test_a_receipt_in_another_warehouse_is_taken_back_there(world: World) -> None:
    world.stocked("mug", units=1)
    receive(world, "mug", 4, "HAMBURG", damaged=1)
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF))
    document_id = world.scalar("SELECT max(id) FROM document WHERE merchant_id = :merchant_id AND kind = 'receipt'")
    with world.db.begin(1, actor="test") as tx:
        command = Reverse(read_document(tx, document_id), "entered twice", True)

    world.do(command)

    assert in_bin(world, "mug", "HAMBURG") == (0, 0, 0)
    assert in_bin(world, "mug", "MAIN") == (1, 0, 0)
    assert (world.units("mug").reserved, world.units("mug").backordered) == (1, 2)


def test_goods_that_move_while_an_order_ships_are_taken_from_where_they_are_then(world: World) -> None:
    """Twenty orders ship while as many units move to another bin: each finds its unit."""
    store_id = world.stocked("mug", units=20)
    here, there = place(world, "MAIN"), place(world, "MAIN/A-01")

    def ship(n: int) -> None:
        world.hear(store_id, order(line("mug", 1, shipped=1), external_id=f"o{n}", paid=True))

    def move(n: int) -> None:
        with contextlib.suppress(Refused):  # all of them may have left
            world.do(PutAway(f"m{n}", world.item("mug"), 1, here, there))

    with ThreadPoolExecutor(8) as pool:
        for done in [*(pool.submit(ship, n) for n in range(20)), *(pool.submit(move, n) for n in range(20))]:
            done.result()

    assert "found" not in world.documents()
    assert in_bin(world, "mug", "MAIN") == in_bin(world, "mug", "MAIN/A-01") == (0, 0, 0)
    assert world.units("mug").sold == 0


class _SeesThemMove(Batch):
    """Between its look at where goods stand and its locks, they are put elsewhere, once."""

    between: ClassVar[list[Callable[[], object]]] = []

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        while self.between:
            self.between.pop()()
        return super()._lock_balances(keys)


class _DoesNotLookAgain(_SeesThemMove):
    def _pools_stand(self, special: Answer | None) -> bool:
        return True


@pytest.mark.parametrize(("batch", "invented"), [(_SeesThemMove, False), (_DoesNotLookAgain, True)])
def test_goods_put_away_between_the_look_and_the_locks_are_not_invented(
    world: World, monkeypatch: pytest.MonkeyPatch, batch: type[_SeesThemMove], invented: bool
) -> None:
    store_id = world.stocked("mug", units=3)
    here, there = place(world, "MAIN"), place(world, "MAIN/A-01")
    place(world, "HAMBURG")

    def put_away() -> None:
        monkeypatch.setattr(ledger, "Batch", Batch)
        world.do(PutAway("p", world.item("mug"), 3, here, there))
        monkeypatch.setattr(ledger, "Batch", batch)

    batch.between.append(put_away)
    monkeypatch.setattr(ledger, "Batch", batch)
    world.hear(store_id, order(line("mug", 3, shipped=3), paid=True))

    assert ("found" in world.documents()) is invented

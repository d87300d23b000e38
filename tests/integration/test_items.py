"""Items get other SKUs, others call them by their own numbers, and parts of them become items of their own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import catalog
from core.errors import KeyReused, NotFound, Refused
from core.goods import item_life, items, merging, references, renames, skus, splitting
from core.goods.splitting import Piece, SplitOff, Wish
from core.past import history
from core.sales.holds import Hold
from core.stock import GOOD, MINOR_DEFECT
from core.supply import suppliers
from tests import supply_world
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.place_acts import in_bin, place, receive, tell
from tests.pool_world import shared


def add(world: World, *codes: str) -> None:
    for sku in codes:
        tell(world, items.add_item, sku)


def found(world: World, code: str) -> str:
    """The SKU of the item that the code finds."""
    item: skus.SkuItem = tell(world, skus.resolve, [code])[skus.sku_key(code)]
    return item.sku


def called(world: World, sku: str) -> Sequence[str]:
    return [former.sku for former in tell(world, renames.history, world.item(sku).item_id)]


# ---- renames


def test_an_item_keeps_everything_and_is_found_by_both_skus(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    item = world.item("mug")
    world.hear(store_id, order(line("mug", 2)))

    assert tell(world, renames.rename, "MUG", "Mug-Red")

    assert world.item("mug") == world.item("MUG-RED") == item
    assert world.units("mug") == Units(3, 2)
    assert called(world, "mug-red") == ["mug"]
    world.hear(store_id, order(line("mug", 1), external_id="late"))
    assert world.units("mug") == Units(2, 3)


def test_a_catalogue_that_still_says_the_old_sku_makes_no_new_item(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    tell(world, renames.rename, "mug", "cup")

    world.listings(store_id, "mug")
    world.listings(world.store("Side street"), "mug")

    assert world.scalar("SELECT count(DISTINCT item_id) FROM listing WHERE merchant_id = :merchant_id") == 1
    assert [one.sku for one in tell(world, items.listed)] == ["cup"]


def test_an_old_sku_that_another_item_takes_means_that_one(world: World) -> None:
    add(world, "mug")
    tell(world, renames.rename, "mug", "cup")
    assert found(world, "mug") == "cup"

    add(world, "mug")

    assert found(world, "mug") == "mug"


def test_of_two_that_had_a_sku_the_last_is_found_by_it(world: World) -> None:
    add(world, "a", "b")
    for before, after in (("a", "a2"), ("b", "a"), ("a", "b2")):
        tell(world, renames.rename, before, after)

    assert found(world, "a") == "b2"
    assert called(world, "b2") == ["a", "b"]


def test_a_chain_and_a_circle_of_renames_end_where_they_are(world: World) -> None:
    add(world, "a")
    for before, after in (("a", "b"), ("b", "c"), ("c", "a"), ("b", "d")):
        tell(world, renames.rename, before, after)

    assert {found(world, code) for code in "abcd"} == {"d"}
    assert called(world, "d") == ["a", "c", "b", "a"]
    assert not tell(world, renames.rename, "a", "d")


def test_two_items_exchange_their_skus_in_one_act(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mug, cup = world.item("mug"), world.item("cup")

    tell(world, renames.swap, "mug", "CUP")

    assert (world.item("mug"), world.item("cup")) == (cup, mug)
    assert (called(world, "mug"), called(world, "cup")) == (["cup"], ["mug"])


def test_a_sku_in_use_is_refused_with_the_cures(world: World) -> None:
    add(world, "mug", "cup")

    with pytest.raises(Refused, match=r"holdfast item rename mug cup --swap.*holdfast item merge mug --into cup"):
        tell(world, renames.rename, "mug", "Cup")


@pytest.mark.parametrize("sku", ["", "   ", "x" * 201, "two\nlines", "bell\a"])
def test_what_is_no_sku_is_refused(world: World, sku: str) -> None:
    add(world, "mug")

    with pytest.raises(Refused, match="SKU"):
        tell(world, renames.rename, "mug", sku)


def test_long_skus_of_any_script_are_as_good_as_others(world: World) -> None:
    add(world, "mug")
    for sku in ("杯" * 200, "ΐ" * 200, "TASSE-ß", "👩‍🍳-1" if "👩‍🍳".isprintable() else "👩-1"):
        tell(world, renames.rename, found(world, "mug"), sku)

        assert found(world, sku.upper()) == sku


def test_what_changes_only_its_letters_is_written_as_told(world: World) -> None:
    add(world, "mug")

    assert tell(world, renames.rename, "mug", "MUG")

    assert found(world, "mug") == "MUG"


def test_the_sku_of_what_was_merged_is_taken_over_by_an_exchange(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    merging.merge(world.db, 1, "mug", "cup", actor="test")
    with pytest.raises(Refused, match="--swap"):
        tell(world, renames.rename, "cup", "mug")

    tell(world, renames.swap, "cup", "mug")

    assert found(world, "cup") == found(world, "mug") == "mug"


def test_one_of_many_who_want_the_same_sku_gets_it(world: World) -> None:
    add(world, *(f"a{n}" for n in range(8)))

    def want(n: int) -> bool:
        try:
            return bool(tell(world, renames.rename, f"a{n}", "best"))
        except Refused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(want, range(8))) == 1


# ---- what others call an item


def test_a_barcode_finds_its_item_however_long_it_is_written(world: World) -> None:
    add(world, "mug", "cup")
    tell(world, references.put, world.item("mug").item_id, "Barcode", "4006381333931")
    tell(world, references.put, world.item("cup").item_id, "barcode", "036000291452")

    for code in ("4006381333931", "04006381333931", "400-6381-333931", " 4006381333931 "):
        assert found(world, code) == "mug"
    assert found(world, "0036000291452") == "cup"


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [("barcode", "4006381333932", "check digit would be 1"), ("barcode", "12345", "8, 12, 13 or 14 digits"),
     ("barcode", "", "one line"), ("asin", "x" * 201, "one line"), ("a=b", "1", "a word"), ("", "1", "a word"),
     ("number of acme", "1", "a word"), ("barcode", "٤٠٠٦٣٨١٣٣٣٩٣١", "8, 12, 13 or 14 digits")],
)  # fmt: skip
def test_what_is_no_reference_is_refused(world: World, kind: str, value: str, why: str) -> None:
    add(world, "mug")

    with pytest.raises(Refused, match=why):
        tell(world, references.put, world.item("mug").item_id, kind, value)


def test_a_value_belongs_to_one_item_per_kind(world: World) -> None:
    add(world, "mug", "cup")
    mug, cup = world.item("mug").item_id, world.item("cup").item_id
    assert tell(world, references.put, mug, "asin", "B00X")
    assert not tell(world, references.put, mug, "asin", "b00x")

    with pytest.raises(Refused, match="holdfast item reference mug --drop asin=B00X"):
        tell(world, references.put, cup, "asin", "B00X")
    tell(world, references.drop, mug, "asin", "b00X")

    assert tell(world, references.put, cup, "asin", "B00X")
    with pytest.raises(NotFound, match="asin=B00X"):
        tell(world, references.drop, cup, "asin", "other")


def test_a_code_that_means_two_items_is_refused_naming_both(world: World) -> None:
    add(world, "mug", "cup")
    tell(world, references.put, world.item("mug").item_id, "asin", "77")
    tell(world, references.put, world.item("cup").item_id, "shelf", "77")

    with pytest.raises(Refused, match=r"it means cup \(shelf\) and mug \(asin\)"):
        world.item("77")


def test_a_suppliers_number_finds_its_item_unless_two_suppliers_mean_others(world: World) -> None:
    add(world, "mug", "cup")
    acme, beta = supply_world.supplier(world, "ACME"), supply_world.supplier(world, "BETA")
    tell(world, suppliers.put_item, acme, world.item("mug").item_id, {"supplier_sku": "No-100"})
    assert found(world, "No-100") == "mug"

    tell(world, suppliers.put_item, beta, world.item("cup").item_id, {"supplier_sku": "No-100"})

    with pytest.raises(Refused, match=r"cup \(number of BETA\) and mug \(number of ACME\)"):
        world.item("No-100")


def test_nothing_becomes_ambiguous_by_a_new_sku_or_reference(world: World) -> None:
    add(world, "mug", "cup")
    tell(world, references.put, world.item("mug").item_id, "asin", "77")

    with pytest.raises(Refused, match="77 is the asin of mug"):
        add(world, "77")
    with pytest.raises(Refused, match="77 is the asin of mug"):
        tell(world, renames.rename, "cup", "77")
    with pytest.raises(Refused, match="CUP is or was the SKU of cup"):
        tell(world, references.put, world.item("mug").item_id, "asin", "CUP")
    tell(world, renames.rename, "mug", "77")


def test_references_of_one_merchant_are_nothing_to_another(world: World) -> None:
    catalog.ensure_merchant(world.db, 2, name="Other")
    other = World(world.db, 2)
    add(world, "mug")
    tell(world, references.put, world.item("mug").item_id, "barcode", "4006381333931")
    tell(world, renames.rename, "mug", "cup")

    for code in ("4006381333931", "mug", "cup"):
        with pytest.raises(NotFound):
            other.item(code)


def test_what_others_call_an_item_finds_what_it_became(world: World) -> None:
    world.stocked("mug", "cup", units=1)
    tell(world, references.put, world.item("mug").item_id, "barcode", "4006381333931")
    tell(world, renames.rename, "mug", "bowl")

    merging.merge(world.db, 1, "bowl", "cup", actor="test", reason="one and the same")

    assert {found(world, code) for code in ("mug", "bowl", "4006381333931")} == {"cup"}
    life = tell(world, item_life.life, world.item("cup").item_id)
    assert [(one.kind, one.item, one.other, one.reason) for one in life.changes] == [
        ("merge", "bowl", "cup", "one and the same")
    ]


# ---- splits


def split(world: World, sku: str, key: str = "k", of: str = "mug", goods: Any = None, **told: Any) -> SplitOff:
    pieces = {Piece(grade, place(world, at)): units for (grade, at), units in (goods or {}).items()}
    return splitting.split(world.db, 1, Wish(of, sku, pieces, **told), key, actor="test")


def test_free_units_of_chosen_bins_and_grades_become_a_new_item(world: World) -> None:
    world.stocked("mug", units=5)
    receive(world, "mug", 4, "HAMBURG/B-1")
    world.receive("mug", 2)

    done = split(world, "cup", goods={(GOOD, "MAIN"): 3, (GOOD, "HAMBURG/B-1"): 4})

    assert (done.units, done.repeated) == (7, False)
    assert (shared(world, "mug").free, shared(world, "cup").free) == (4, 7)
    assert (in_bin(world, "cup", "MAIN"), in_bin(world, "cup", "HAMBURG/B-1")) == ((3, 0, 0), (4, 0, 0))
    assert world.documents()[-1] == "split"


def test_promised_units_stay(world: World) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF))

    with pytest.raises(Refused, match="only 2 good units are free"):
        split(world, "cup", goods={(GOOD, "MAIN"): 3})
    split(world, "cup", goods={(GOOD, "MAIN"): 2})

    assert shared(world, "mug") == Units(0, 3)


@pytest.mark.parametrize(
    ("goods", "why"),
    [({(GOOD, "MAIN"): 6}, "only 5 good units stand"), ({(MINOR_DEFECT, "MAIN"): 1}, "only 0 minor_defect units"),
     ({(GOOD, "MAIN"): 0}, "1 or more"), ({}, "which units or which listings")],
)  # fmt: skip
def test_what_cannot_be_split_off_leaves_no_new_item(world: World, goods: Any, why: str) -> None:
    world.stocked("mug", units=5)

    with pytest.raises(Refused, match=why):
        split(world, "cup", goods=goods)

    with pytest.raises(NotFound):
        world.item("cup")


def test_listings_go_to_the_new_item(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    listing_id = world.listing(store_id, "mug").id

    split(world, "cup", goods={(GOOD, "MAIN"): 4}, listings=[listing_id])

    world.hear(store_id, order(line("mug", 3)))
    assert (shared(world, "mug"), shared(world, "cup")) == (Units(1), Units(1, 3))


def test_a_split_is_done_once_per_key_and_never_into_an_item_that_is_there(world: World) -> None:
    world.stocked("mug", "pot", units=5)
    first = split(world, "cup", goods={(GOOD, "MAIN"): 3})

    assert split(world, "cup", goods={(GOOD, "MAIN"): 3}) == SplitOff(first.document_id, first.item_id, repeated=True)
    with pytest.raises(KeyReused):
        split(world, "cup", goods={(GOOD, "MAIN"): 1})
    with pytest.raises(Refused, match="that SKU is taken"):
        split(world, "pot", "other", goods={(GOOD, "MAIN"): 1})
    assert shared(world, "mug").free == 2


def test_what_was_split_off_can_be_merged_back(world: World) -> None:
    world.stocked("mug", units=5)
    split(world, "cup", goods={(GOOD, "MAIN"): 3})

    merging.merge(world.db, 1, "cup", "mug", actor="test")

    assert shared(world, "cup") == Units(5)
    with world.db.begin(1, actor="test") as tx:
        assert len(history.item_at(tx, world.item("mug").item_id, tx.now)) == 3


def test_splits_at_once_take_no_unit_twice(world: World) -> None:
    world.stocked("mug", units=10)
    place(world, "MAIN")

    def one(n: int) -> int:
        try:
            return split(world, f"cup-{n}", f"k{n}", goods={(GOOD, "MAIN"): 3}).units
        except Refused:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 9

    assert shared(world, "mug").free == 1

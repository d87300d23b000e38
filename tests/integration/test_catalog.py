"""Merchants, items, and the listings that show them."""

import pytest

from core import catalog
from core.catalog import Imported
from core.errors import ConfigError, NotFound
from core.model import StoreListing
from core.transaction import Database
from tests.builders import World, line, order


def imported(world: World, store: int, *listings: StoreListing) -> Imported:
    with world.db.begin(1, actor="test") as tx:
        return catalog.import_listings(tx, store, listings)


def skus(world: World) -> list[str]:
    return [row.sku for row in world.ask("SELECT sku FROM item WHERE merchant_id = :merchant_id ORDER BY sku")]


def mapping(world: World, store: int) -> dict[str, str | None]:
    rows = world.ask(
        """SELECT l.external_id, i.sku FROM listing l LEFT JOIN item i ON i.merchant_id = l.merchant_id
               AND i.id = l.item_id WHERE l.merchant_id = :merchant_id AND l.store_id = :store""",
        store=store,
    )
    return {row.external_id: row.sku for row in rows}


def test_a_new_sku_becomes_an_item_that_its_listing_is_mapped_to(world: World) -> None:
    store = world.store()
    done = imported(world, store, StoreListing("9", "MUG-1", "Mug", 4))
    assert (done.listings, done.new_listings) == (1, 1)
    assert mapping(world, store) == {"9": "MUG-1"}


def test_what_a_new_listing_shows_is_believed(world: World) -> None:
    store = world.store()
    imported(world, store, StoreListing("9", "MUG-1", "Mug", 4), StoreListing("8", "CUP-1", "Cup", None, "not counted"))
    rows = world.ask("SELECT external_id, believed FROM listing WHERE merchant_id = :merchant_id")
    assert {row.external_id: row.believed for row in rows} == {"9": 4, "8": None}


def test_skus_that_differ_in_case_or_blanks_are_one_item(world: World) -> None:
    one, two = world.store("One"), world.store("Two")
    imported(world, one, StoreListing("9", "85123a", "Mug", 4))
    imported(world, two, StoreListing("7", " 85123A ", "Mug", 4))
    assert skus(world) == ["85123a"]
    assert mapping(world, two) == {"7": "85123a"}


def test_importing_again_changes_no_mapping_and_no_belief(world: World) -> None:
    store = world.store()
    imported(world, store, StoreListing("9", "MUG-1", "Mug", 4))
    done = imported(world, store, StoreListing("9", "CUP-1", "Renamed", 99))
    assert (done.listings, done.new_listings) == (1, 0)
    assert mapping(world, store) == {"9": "MUG-1"}
    (row,) = world.ask("SELECT title, sku, believed FROM listing WHERE merchant_id = :merchant_id")
    assert tuple(row) == ("Renamed", "CUP-1", 4)


def test_a_sku_that_one_store_carries_twice_is_parked_for_a_person(world: World) -> None:
    store = world.store()
    done = imported(world, store, StoreListing("9", "MUG", "Mug", 4), StoreListing("8", "mug", "Mug again", 4))
    assert done.ambiguous == 1
    assert mapping(world, store) == {"9": "MUG", "8": None}
    (parked,) = world.ask(
        "SELECT quarantine_reason FROM listing WHERE merchant_id = :merchant_id AND external_id = '8'"
    )
    assert "map it by hand" in parked.quarantine_reason


def test_the_same_twin_is_parked_again_when_it_comes_alone(world: World) -> None:
    store = world.store()
    imported(world, store, StoreListing("9", "MUG", "Mug", 4))
    assert imported(world, store, StoreListing("8", "mug", "Mug again", 4)).ambiguous == 1
    assert mapping(world, store)["8"] is None


def test_a_listing_without_a_sku_is_parked(world: World) -> None:
    store = world.store()
    imported(world, store, StoreListing("9", "  ", "Nameless", 4), StoreListing("8", "", "Nameless too", 4))
    assert mapping(world, store) == {"9": None, "8": None}
    assert skus(world) == []


def test_an_empty_page_is_no_trouble(world: World) -> None:
    assert imported(world, world.store()).listings == 0


def test_mapping_by_hand_trusts_no_number_read_before(world: World, db: Database) -> None:
    store = world.store()
    imported(world, store, StoreListing("9", "MUG", "Mug", 4), StoreListing("8", "mug", "Twin", 4))
    with db.begin(1, actor="test") as tx:
        catalog.map_listing(tx, store, "8", " Mug ")
    (row,) = world.ask(
        """SELECT id, believed, quarantine_reason FROM listing
           WHERE merchant_id = :merchant_id AND external_id = '8'"""
    )
    assert (row.believed, row.quarantine_reason) == (None, "")
    assert [due.listing_id for due in world.ask("SELECT listing_id FROM push_due")] == [row.id]
    assert world.work("push") == [""]


def test_mapping_what_nobody_knows_names_the_cure(world: World, db: Database) -> None:
    store = world.stocked("mug-blue", units=0)
    with db.begin(1, actor="test") as tx, pytest.raises(NotFound, match="did you mean mug-blue"):
        catalog.map_listing(tx, store, "listing-mug-blue", "mug-bleu")
    with db.begin(1, actor="test") as tx, pytest.raises(NotFound, match="holdfast sync"):
        catalog.map_listing(tx, store, "unheard-of", "mug-blue")


def test_a_line_held_while_its_listing_was_being_imported_is_replayed_by_the_next_import(world: World) -> None:
    """The order was read before the import committed and written after it, so neither saw the other."""
    store = world.store()
    world.hear(store, order(line("mug", 1)))
    world.listings(store, "mug", shown=4)
    world.tell("DELETE FROM work WHERE merchant_id = :merchant_id")
    world.listings(store, "mug", shown=4)
    assert world.work("order") == ["1001"]


def test_a_merchant_is_made_once(db: Database, world: World) -> None:
    for name in ("First", "Other"):
        catalog.ensure_merchant(db, 5, name=name)
    five = World(db, merchant_id=5)
    assert [row.name for row in five.ask("SELECT name FROM merchant")] == ["First"]
    assert five.scalar("SELECT count(*) FROM bin") == five.scalar("SELECT count(*) FROM pool") == 1


def test_an_unknown_time_zone_is_refused_with_an_example(db: Database) -> None:
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        catalog.ensure_merchant(db, 5, name="x", time_zone="Mars/Olympus")


def test_a_low_stock_threshold_needs_an_item(world: World, db: Database) -> None:
    with db.begin(1, actor="test") as tx, pytest.raises(NotFound):
        catalog.set_low_stock(tx, "nothing", 3)

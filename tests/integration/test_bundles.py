"""Bundles and kits on a real database: sold as their components, assembled, taken apart, and coming back."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config.processes import wait_until
from core import catalog
from core.command import Command
from core.errors import InsufficientStock, Refused
from core.goods import items, recipes
from core.goods.adjusting import Lose, Regrade, SetOnShelf
from core.goods.bundles import Assemble, ReturnBundle
from core.goods.receiving import Receive
from core.ledger import Batch
from core.orders.apply import ApplyOrder
from core.rows import Part
from core.sales.holds import EndHold, Hold
from core.stock import MINOR_DEFECT, DocumentKind, Stocked
from tests.builders import FAR_OFF, Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration import lock_acts
from tests.integration.command_line import Holdfast, runner, settle_in
from tests.integration.test_facts import number
from tests.integration.test_races import together


@pytest.fixture
def holdfast(
    logins: Logins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Holdfast:
    settle_in(monkeypatch, logins, tmp_path)
    return runner(monkeypatch, capsys)


def item(world: World, sku: str) -> Stocked:
    """An item that no store lists."""
    with world.db.begin(1, actor="test") as tx:
        return Stocked(items.add_item(tx, sku))


def made_of(world: World, sku: str, kind: str = recipes.BUNDLE, **parts: int) -> bool:
    with world.db.begin(1, actor="test") as tx:
        recipe = [Part(Stocked(catalog.item_id_of(tx, part)), units) for part, units in parts.items()]
        return recipes.set_recipe(tx, catalog.item_id_of(tx, sku), kind, recipe)


def tea_shop(world: World, *, mugs: int = 10, pots: int = 10) -> int:
    """A store that lists mugs, pots, and a tea set of two mugs and a pot."""
    store = world.stocked("mug", "pot", units=0)
    for sku, units in (("mug", mugs), ("pot", pots)):
        if units:
            world.receive(sku, units, DocumentKind.OPENING)
    world.listings(store, "set")
    made_of(world, "set", mug=2, pot=1)
    return store


def sell(world: World, store: int, sets: int, name: str = "1001", **told: Any) -> None:
    paid = told.pop("paid", True)
    world.hear(store, order(line("set", sets, **told), external_id=name, paid=paid))


def both(world: World) -> tuple[Units, Units]:
    return world.units("mug"), world.units("pot")


# ---- sold as their components


def test_a_listing_of_a_bundle_sells_its_components(world: World) -> None:
    store = tea_shop(world, mugs=7, pots=5)
    assert number(world, store, "set") == 3
    sell(world, store, 2, paid=False)
    assert both(world) == (Units(free=3, reserved=4), Units(free=3, reserved=2))
    sell(world, store, 2)
    assert both(world) == (Units(free=3, sold=4), Units(free=3, sold=2))
    assert number(world, store, "set") == 1
    assert world.units("set") == Units()


def test_a_bundle_ships_comes_back_and_is_sold_again(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 3, shipped=3)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((4, 0), (7, 0))
    sell(world, store, 3, shipped=3, returned=2)
    assert both(world) == (Units(free=8), Units(free=9))


def test_a_bundle_that_comes_back_with_a_flaw_is_sold_as_such(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 3, shipped=3)
    sell(world, store, 3, shipped=3, returned=2, returned_minor_defect=1)
    assert graded(world, "mug") == {"good": 6, "minor_defect": 2}
    assert graded(world, "pot") == {"good": 8, "minor_defect": 1}


def graded(world: World, sku: str) -> dict[str, int]:
    rows = world.ask(
        """SELECT grade, available FROM warehouse_balance WHERE merchant_id = :merchant_id AND item_id = :item_id
               AND available > 0""",
        item_id=world.item(sku).item_id,
    )
    return {row.grade: row.available for row in rows}


def test_one_component_of_a_return_may_turn_out_to_be_of_another_grade(world: World) -> None:
    """The store tells that a set came back; who unpacks it finds that one mug is scratched."""
    store = tea_shop(world)
    sell(world, store, 1, shipped=1)
    sell(world, store, 1, shipped=1, returned=1)
    world.do(Regrade("unpacked", "scratched", world.item("mug"), MINOR_DEFECT, 1))
    assert (graded(world, "mug"), graded(world, "pot")) == ({"good": 9, "minor_defect": 1}, {"good": 10})


def test_a_bundle_refunded_without_restock_is_set_apart(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 2)
    sell(world, store, 2, written_off=1)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((8, 2), (9, 1))
    assert both(world) == (Units(free=6, sold=2), Units(free=8, sold=1))


def test_an_order_is_edited_up_and_down_in_whole_bundles(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 2)
    sell(world, store, 4)
    assert both(world) == (Units(free=2, sold=8), Units(free=6, sold=4))
    sell(world, store, 4, cancelled=3)
    assert both(world) == (Units(free=8, sold=2), Units(free=9, sold=1))


def test_what_is_short_of_one_component_waits_and_says_so(world: World) -> None:
    store = tea_shop(world, mugs=5, pots=4)
    sell(world, store, 4)
    assert both(world) == (Units(sold=5, backordered=3), Units(sold=4))
    (incident,) = world.incidents()
    assert (incident.item_id, incident.quantity) == (world.item("mug").item_id, 3)


def test_a_component_waits_until_it_makes_a_whole_bundle(world: World) -> None:
    """One mug more does not complete a set, so whoever wants one mug may have it."""
    store = tea_shop(world, mugs=2, pots=4)
    sell(world, store, 3)
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=4)
    world.hear(store, order(line("mug", 1), external_id="one mug", paid=True))
    world.receive("mug", 3)
    assert world.units("mug") == Units(free=1, sold=5, backordered=2)
    world.receive("mug", 1)
    assert (world.units("mug"), world.incidents()) == (Units(sold=7), [])


def test_a_component_that_completes_no_bundle_stays_free(world: World) -> None:
    store = tea_shop(world, mugs=2, pots=4)
    sell(world, store, 2)
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=2)


def test_a_bundle_whose_units_stand_in_several_pools_is_completed_too(world: World) -> None:
    """One of its mugs came out of a lock's pool; the one that went missing waits beside it, in the shared pool."""
    store = tea_shop(world, mugs=2, pots=1)
    lock_acts.lock(world, "channel", "mug", 1, type="channel", store_id=store)
    sell(world, store, 1)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert lock_acts.shared(world, "mug") == Units(backordered=2)
    world.receive("mug", 1)
    assert lock_acts.shared(world, "mug") == Units(free=1, backordered=2)
    world.receive("mug", 1)
    assert lock_acts.shared(world, "mug") == Units(sold=2)
    sell(world, store, 1, shipped=1)
    assert world.on_hand("mug") == (0, 0)


def test_what_is_left_of_a_bundle_in_a_locks_pool_counts_for_a_whole_one(world: World) -> None:
    store = tea_shop(world, mugs=2, pots=1)
    lock_acts.lock(world, "channel", "mug", 1, type="channel", store_id=store)
    sell(world, store, 1)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 1}))
    world.receive("mug", 1)
    assert (lock_acts.shared(world, "mug").backordered, world.on_hand("mug")) == (0, (2, 0))


def test_two_components_that_wait_come_together(world: World) -> None:
    store = tea_shop(world, mugs=0, pots=0)
    sell(world, store, 2)
    world.receive("mug", 3)
    assert both(world) == (Units(free=3, backordered=4), Units(backordered=2))
    world.receive("pot", 5)
    assert both(world) == (Units(free=1, sold=2, backordered=2), Units(free=4, sold=1, backordered=1))
    world.receive("mug", 1)
    assert both(world) == (Units(sold=4), Units(free=3, sold=2))


def test_a_missing_component_breaks_its_part_and_leaves_the_others(world: World) -> None:
    store = tea_shop(world, mugs=4, pots=2)
    sell(world, store, 2)
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert both(world) == (Units(sold=2, backordered=2), Units(sold=2))
    world.receive("mug", 1)
    assert world.units("mug") == Units(free=1, sold=2, backordered=2)
    world.receive("mug", 1)
    assert both(world) == (Units(sold=4), Units(sold=2))
    sell(world, store, 2, shipped=2)
    assert (world.on_hand("mug"), world.on_hand("pot")) == ((0, 0), (0, 0))


def test_a_hold_of_a_bundle_holds_its_components_summed_over_all_lines(world: World) -> None:
    tea_shop(world, mugs=5, pots=3)
    world.do(Hold("cart", {world.item("set"): 1, world.item("mug"): 3}, FAR_OFF))
    assert both(world) == (Units(reserved=5), Units(free=2, reserved=1))
    with pytest.raises(InsufficientStock):
        world.do(Hold("late", {world.item("set"): 1}, FAR_OFF))
    world.do(EndHold("cart"))
    assert both(world) == (Units(free=5), Units(free=3))


def test_packs_of_bundles_multiply(world: World) -> None:
    store = tea_shop(world)
    world.tell("UPDATE listing SET pack_size = 2 WHERE merchant_id = :merchant_id AND sku = 'set'")
    sell(world, store, 2)
    assert both(world) == (Units(free=2, sold=8), Units(free=6, sold=4))


# ---- recipes


def test_nested_bundles_are_sold_as_what_is_in_the_innermost(world: World) -> None:
    store = tea_shop(world)
    world.listings(store, "gift")
    made_of(world, "gift", set=2, mug=1)
    world.hear(store, order(line("gift", 1), paid=True))
    assert both(world) == (Units(free=5, sold=5), Units(free=8, sold=2))


def test_orders_keep_the_recipe_of_their_time_through_all_that_happens_later(world: World) -> None:
    store = tea_shop(world, mugs=20, pots=20)
    sell(world, store, 2, "old")
    assert made_of(world, "set", mug=3, pot=2)
    sell(world, store, 1, "new")
    assert both(world) == (Units(free=13, sold=7), Units(free=16, sold=4))
    sell(world, store, 3, "old", shipped=1)
    assert both(world) == (Units(free=11, sold=7), Units(free=15, sold=4))
    sell(world, store, 3, "old", shipped=1, cancelled=2)
    sell(world, store, 3, "old", shipped=1, cancelled=2, returned=1)
    assert both(world) == (Units(free=17, sold=3), Units(free=18, sold=2))


def test_a_changed_recipe_makes_listings_stale_that_sell_it_at_any_depth(world: World) -> None:
    store = tea_shop(world)
    world.listings(store, "gift")
    made_of(world, "gift", set=1)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    assert made_of(world, "set", mug=1, pot=1)
    assert all(world.due(store, sku) for sku in ("set", "gift"))
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    assert not made_of(world, "set", mug=1, pot=1)
    assert world.due(store, "set") is None


def test_a_circle_is_refused_and_names_the_way(world: World) -> None:
    tea_shop(world)
    item(world, "gift")
    made_of(world, "gift", set=1)
    with pytest.raises(Refused, match=r"set > gift > set|gift > set > gift"):
        made_of(world, "set", gift=1, mug=1)
    assert [one.sku for one in card(world, "set").components] == ["mug", "pot"]


def card(world: World, sku: str) -> items.Card:
    with world.db.begin(1, actor="test") as tx:
        return items.card(tx, sku)


def test_two_changes_at_once_make_no_circle_together(world: World) -> None:
    for sku in ("a", "b", "mug"):
        item(world, sku)

    def change(n: int) -> object:
        try:
            return made_of(world, "ab"[n], recipes.BUNDLE, **{"ba"[n]: 1, "mug": 1})
        except Refused as refusal:
            return refusal

    answers = together(change, range(2), threads=2)
    assert sorted(isinstance(answer, Refused) for answer in answers) == [False, True]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda world, store: world.receive("cup", 2), "2 units of it are on hand"),
        (
            lambda world, store: world.do(Receive("d", DocumentKind.RECEIPT, {}, damaged={world.item("cup"): 1})),
            "1 units",
        ),
        (lambda world, store: world.hear(store, order(line("cup", 1), paid=True)), "1 units of it are promised"),
        (lambda world, store: lock_acts.lock(world, "vip", "cup", 1), "1 units of it are promised"),
        (lambda world, store: lock_acts.ask(world, "vip", "cup", 1), "lock vip"),
    ],
    ids=["on hand", "damaged", "owed to an order", "a lock that waits", "a lock asked for"],
)
def test_an_item_in_use_does_not_become_a_bundle(world: World, use: Any, said: str) -> None:
    store = world.stocked("mug", "cup", units=0)
    use(world, store)
    with pytest.raises(Refused, match=f"cup cannot become a bundle.*{said}"):
        made_of(world, "cup", mug=2)
    assert card(world, "cup").kind == "plain"


def test_a_bundle_becomes_a_plain_item_again_and_its_orders_end_as_they_began(world: World) -> None:
    store = tea_shop(world)
    sell(world, store, 2)
    with world.db.begin(1, actor="test") as tx:
        assert recipes.end_recipe(tx, world.item("set").item_id)
        assert not recipes.end_recipe(tx, world.item("set").item_id)
    world.receive("set", 3)
    sell(world, store, 2, shipped=2)
    sell(world, store, 1, "new")
    assert (world.units("set"), *both(world)) == (Units(free=2, sold=1), Units(free=6), Units(free=8))


@pytest.mark.parametrize(
    "act",
    [
        lambda box: Receive("r", DocumentKind.RECEIPT, {box: 1}),
        lambda box: Lose("l", "why", DocumentKind.MISSING, {box: 1}),
        lambda box: SetOnShelf("s", "why", box, 3),
        lambda box: Regrade("g", "why", box, MINOR_DEFECT, 1),
        lambda box: Assemble("a", box, 1),
    ],
)
def test_a_bundle_has_no_stock_to_act_on(world: World, act: Any) -> None:
    tea_shop(world)
    with pytest.raises(Refused, match=r"bundle has no stock of its own|only kits are assembled"):
        world.do(act(world.item("set")))


# ---- while somebody changes the recipe


class _Changing:
    """A transaction that has made ``sku`` a bundle and not committed yet; ends when its context does."""

    def __init__(self, world: World, sku: str, **parts: int) -> None:
        self._world, self._sku, self._parts = world, sku, parts

    def meanwhile(self, pool: ThreadPoolExecutor, command: Command) -> Any:
        world = self._world
        with world.db.begin(1, actor="test") as tx:
            recipe = [Part(Stocked(catalog.item_id_of(tx, sku)), units) for sku, units in self._parts.items()]
            recipes.set_recipe(tx, catalog.item_id_of(tx, self._sku), recipes.BUNDLE, recipe)
            later = pool.submit(world.run, command)
            assert wait_until(lambda: somebody_waits(world), 10)
        return later.result(30)[0]


def have_bundles(world: World) -> None:
    """A merchant with a bundle, and a process that knows it."""
    item(world, "other")
    made_of(world, "other", cup=1)
    world.receive("cup", 1)


def somebody_waits(world: World) -> bool:
    return bool(
        world.scalar(
            """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
    )


@pytest.mark.parametrize("first_bundle", [True, False])
def test_an_order_that_comes_while_its_item_becomes_a_bundle_is_one_of_the_bundle(
    world: World, first_bundle: bool
) -> None:
    store = world.stocked("mug", "cup", units=9)
    world.listings(store, "box")
    if not first_bundle:
        have_bundles(world)
    with ThreadPoolExecutor(1) as pool:
        applied = ApplyOrder(store, order(line("box", 2), paid=True), world.next_seq())
        assert _Changing(world, "box", mug=2).meanwhile(pool, applied) is True
    assert (world.units("mug"), world.units("box")) == (Units(free=5, sold=4), Units())


@pytest.mark.broken_books
def test_without_a_second_look_at_recipes_the_bundle_itself_would_be_promised(
    world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above, and the audit finds what it does."""
    store = world.stocked("mug", "cup", units=9)
    world.listings(store, "box")
    have_bundles(world)
    monkeypatch.setattr(Batch, "_recipes_stand", lambda *_: True)
    with ThreadPoolExecutor(1) as pool:
        applied = ApplyOrder(store, order(line("box", 2), paid=True), world.next_seq())
        _Changing(world, "box", mug=2).meanwhile(pool, applied)
    assert world.units("box").backordered == 2
    assert [one.invariant.split()[0] for one in violations(logins)] == ["10"]


def test_a_receipt_that_comes_while_its_item_becomes_a_bundle_is_refused(world: World) -> None:
    world.stocked("mug", "box", units=0)
    with ThreadPoolExecutor(1) as pool:
        receipt = Receive("r", DocumentKind.RECEIPT, {world.item("box"): 5})
        assert isinstance(_Changing(world, "box", mug=2).meanwhile(pool, receipt), Refused)
    assert world.units("box") == Units()


# ---- kits


def kit(world: World) -> Stocked:
    """Gift boxes of two mugs and a card; there are seven mugs, and cards enough."""
    world.stocked("mug", "card", units=0)
    world.receive("mug", 7)
    world.receive("card", 50)
    box = item(world, "gift-box")
    made_of(world, "gift-box", recipes.KIT, mug=2, card=1)
    return box


def test_kits_are_assembled_of_free_components_and_have_stock_of_their_own(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 3))
    assert (world.units("gift-box"), world.units("mug"), world.units("card")) == (
        Units(free=3), Units(free=1), Units(free=47),
    )  # fmt: skip
    assert world.documents()[-1] == "assembly"
    world.do(Assemble("evening", box, 3))
    assert world.units("gift-box").free == 3


def test_nothing_is_assembled_when_a_component_lacks_and_all_that_lacks_is_named(world: World) -> None:
    box = kit(world)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    with pytest.raises(InsufficientStock) as refused:
        world.do(Assemble("evening", box, 60))
    assert refused.value.missing == {world.item("mug"): 116, world.item("card"): 10}
    assert world.units("mug") == Units(free=4, reserved=3)


def test_kits_that_are_taken_apart_give_their_components_back(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 3))
    world.do(Assemble("morning", box, 2, apart=True))
    assert (world.units("gift-box"), world.units("mug"), world.units("card")) == (
        Units(free=1), Units(free=5), Units(free=49),
    )  # fmt: skip
    with pytest.raises(InsufficientStock):
        world.do(Assemble("noon", box, 2, apart=True))


def test_assembled_kits_serve_what_waits_for_them_and_parts_of_others_serve_theirs(world: World) -> None:
    store = world.stocked("mug", "card", "gift-box", units=0)
    made_of(world, "gift-box", recipes.KIT, mug=2, card=1)
    world.receive("mug", 4)
    world.receive("card", 4)
    world.hear(store, order(line("gift-box", 1), external_id="1", paid=True))
    world.do(Assemble("evening", world.item("gift-box"), 2))
    assert world.units("gift-box") == Units(free=1, sold=1)
    world.hear(store, order(line("mug", 1), external_id="2", paid=True))
    world.do(Assemble("morning", world.item("gift-box"), 1, apart=True))
    assert world.units("mug") == Units(free=1, sold=1)


def test_a_kit_is_assembled_of_what_a_bundle_in_it_is_made_of(world: World) -> None:
    tea_shop(world)
    crate = item(world, "crate")
    made_of(world, "crate", recipes.KIT, set=2)
    world.do(Assemble("evening", crate, 2))
    assert (world.units("crate"), *both(world)) == (Units(free=2), Units(free=2), Units(free=6))


def test_a_bundle_sells_a_kit_in_it_as_one_piece(world: World) -> None:
    kit(world)
    world.do(Assemble("evening", world.item("gift-box"), 2))
    store = world.store()
    world.listings(store, "pair")
    made_of(world, "pair", recipes.BUNDLE, **{"gift-box": 2})
    world.hear(store, order(line("pair", 1), paid=True))
    assert (world.units("gift-box"), world.units("mug")) == (Units(sold=2), Units(free=3))


def test_the_recipe_of_a_kit_changes_only_while_there_are_none(world: World) -> None:
    box = kit(world)
    world.do(Assemble("evening", box, 1))
    with pytest.raises(Refused, match="recipe of kit gift-box cannot change while 1 units of it are on hand"):
        made_of(world, "gift-box", recipes.KIT, mug=3)
    world.do(Assemble("morning", box, 1, apart=True))
    assert made_of(world, "gift-box", recipes.KIT, mug=3)
    world.do(Assemble("noon", box, 2))
    assert world.units("mug").free == 1


def test_an_item_with_stock_may_become_a_kit(world: World) -> None:
    world.stocked("mug", "box", units=4)
    assert made_of(world, "box", recipes.KIT, mug=2)
    world.do(Assemble("apart", world.item("box"), 1, apart=True))
    assert (world.units("box").free, world.units("mug").free) == (3, 6)


def test_kits_assembled_while_components_are_sold_use_no_unit_twice(world: World) -> None:
    box, mug = kit(world), world.item("mug")
    commands = [Assemble(f"kit-{n}", box, 1) if n % 2 else Hold(f"cart-{n}", {mug: 1}, FAR_OFF) for n in range(16)]
    together(lambda n: world.run(commands[n])[0], range(16), threads=8)
    mugs, boxes = world.units("mug"), world.units("gift-box")
    assert mugs.free + mugs.reserved + 2 * boxes.free == 7
    assert mugs.free < 2


def test_an_assembly_that_comes_while_the_recipe_changes_uses_the_new_one(world: World) -> None:
    box = kit(world)
    with ThreadPoolExecutor(1) as pool:
        with world.db.begin(1, actor="test") as tx:
            recipes.set_recipe(tx, box.item_id, recipes.KIT, [Part(world.item("mug"), 3)])
            later = pool.submit(world.run, Assemble("evening", box, 2))
            assert wait_until(lambda: somebody_waits(world), 10)
        later.result(30)
    assert (world.units("mug").free, world.units("card").free) == (1, 50)


# ---- what comes back


def test_components_of_a_bundle_come_back_each_in_its_grade(world: World) -> None:
    tea_shop(world)
    mug, pot = world.item("mug"), world.item("pot")
    command = ReturnBundle("parcel", world.item("set").item_id, 2, {mug.item_id: 1}, {pot.item_id: 1})
    first = world.do(command)
    assert world.do(command) == first
    assert (graded(world, "mug"), world.on_hand("pot")) == ({"good": 13, "minor_defect": 1}, (11, 1))
    with pytest.raises(Refused, match="than came back"):
        world.do(ReturnBundle("other", world.item("set").item_id, 1, {mug.item_id: 3}))
    with pytest.raises(Refused, match="is no bundle"):
        world.do(ReturnBundle("other", mug.item_id, 1))


# ---- through the command line


def test_a_bundle_is_made_shown_tried_and_ended(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", "POT", units=10)
    world.listings(store, "SET", shown=10)
    assert holdfast("item", "add", "GIFT", "--kind", "bundle", "--part", "MUG=2", "--part", "POT").code == 0
    tried = holdfast("bundle", "set", "SET", "MUG=4", "POT=1", "--dry-run", "--json").json
    assert [(one["before"], one["after"]) for one in tried["differences"]] == [(0, 2)]
    assert holdfast("item", "show", "SET", "--json").json["kind"] == "plain"
    assert holdfast("bundle", "set", "SET", "MUG=4", "POT=1").out == "SET is a bundle of MUG=4, POT=1.\n"
    assert "already" in holdfast("bundle", "set", "SET", "MUG=4", "POT=1").out

    told = holdfast("item", "show", "set", "--json").json
    assert [(one["sku"], one["quantity"]) for one in told["components"]] == [("MUG", 4), ("POT", 1)]
    assert "Part of: GIFT, SET." in holdfast("item", "show", "MUG").out
    assert [one["sku"] for one in holdfast("item", "list", "--kind", "bundle", "--json").json] == ["GIFT", "SET"]
    assert holdfast("bundle", "end", "SET").out == "SET is a plain item.\n"
    acts = [row.act for row in world.ask("SELECT act FROM act_log WHERE merchant_id = :merchant_id ORDER BY id")]
    assert acts == ["item.add", "bundle.set", "bundle.end"]


def test_kits_are_assembled_and_taken_apart_from_the_command_line(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CARD", units=5)
    holdfast("item", "add", "BOX", "--kind", "kit", "--part", "MUG=2", "--part", "CARD")
    assert "can be assembled" in holdfast("bundle", "assemble", "BOX", "2", "--dry-run").out
    assert "2 kits of BOX assembled" in holdfast("bundle", "assemble", "BOX", "2", "--key", "evening").out
    assert "was done before" in holdfast("bundle", "assemble", "BOX", "2", "--key", "evening").out
    lacks = holdfast("bundle", "assemble", "BOX", "4")
    assert (lacks.code, lacks.err) == (1, "holdfast: not enough free units; missing are 1 CARD, 7 MUG\n")
    assert holdfast("bundle", "disassemble", "BOX", "2", "--json").json["units"] == 2
    assert (world.units("MUG").free, world.units("BOX").free) == (5, 0)
    assert "no stock" not in holdfast("bundle", "return", "BOX", "1").err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("item", "add", "MUG"), 1),
        (("item", "add", " "), 1),
        (("item", "add", "BOX", "--kind", "bundle"), 2),
        (("item", "add", "BOX", "--part", "MUG"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "CUP"), 1),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG=two"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG=0"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG", "--part", "mug"), 1),
        (("bundle", "set", "MUG", "MUG=2"), 1),
        (("item", "unit", "MUG", "24"), 2),
        (("item", "unit", "MUG", "case=0"), 1),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_no_item_behind(
    holdfast: Holdfast, world: World, arguments: Sequence[str], code: int
) -> None:
    world.stocked("MUG", units=5)
    said = holdfast(*arguments)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    assert world.ask("SELECT 1 FROM item WHERE merchant_id = :merchant_id AND sku = 'BOX'") == []


def test_long_lists_of_items_go_on_where_they_ended(holdfast: Holdfast, world: World) -> None:
    for sku in ("A", "b", "C"):
        item(world, sku)
    assert [one["sku"] for one in holdfast("item", "list", "--limit", "2", "--json").json] == ["A", "b"]
    assert "--after b" in holdfast("item", "list", "--limit", "2").out
    assert [one["sku"] for one in holdfast("item", "list", "--after", "B", "--json").json] == ["C"]
    assert "no such item" in holdfast("item", "list", "--like", "zzz").out

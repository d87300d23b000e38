"""What bundles are made of: nested, changed, and changed while somebody sells them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, event

from core.errors import Refused
from core.goods import recipes
from core.goods.adjusting import Lose, Regrade, SetOnShelf
from core.goods.bundles import Assemble
from core.goods.receiving import Receive
from core.ledger import Batch
from core.orders.apply import ApplyOrder
from core.rows import Part
from core.stock import MINOR_DEFECT, DocumentKind, Stocked
from tests.builders import Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration import lock_acts
from tests.integration.bundle_acts import Changing, both, card, have_bundles, item, made_of, sell, tea_shop
from tests.integration.race_acts import together

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


def test_what_a_bundle_contains_in_another_grade_becomes_no_bundle(world: World) -> None:
    mug, plate, gift = item(world, "mug"), item(world, "plate"), item(world, "gift")
    with world.db.begin(1, actor="test") as tx:
        flawed = Stocked(plate.item_id, MINOR_DEFECT)
        recipes.set_recipe(tx, gift.item_id, recipes.BUNDLE, [Part(mug, 1), Part(flawed, 1)])
    with pytest.raises(Refused, match="plate cannot become a bundle while gift is made of some of grade minor_defect"):
        made_of(world, "plate", mug=1)
    assert made_of(world, "plate", "kit", mug=1)


def test_a_recipe_is_set_without_reading_those_that_have_nothing_to_do_with_it(world: World) -> None:
    item(world, "mug")
    for n in range(60):
        item(world, f"set{n}")
        made_of(world, f"set{n}", mug=n + 1)
    item(world, "last")
    read = []

    def note(_connection: Any, cursor: Any, *_told: Any) -> None:
        read.append(max(cursor.rowcount, 0))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        assert made_of(world, "last", mug=1)
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert 0 < sum(read) < 40


def test_a_circle_is_refused_and_names_the_way(world: World) -> None:
    tea_shop(world)
    item(world, "gift")
    made_of(world, "gift", set=1)
    with pytest.raises(Refused, match=r"set > gift > set|gift > set > gift"):
        made_of(world, "set", gift=1, mug=1)
    assert [one.sku for one in card(world, "set").components] == ["mug", "pot"]


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
        assert Changing(world, "box", mug=2).meanwhile(pool, applied) is True
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
        Changing(world, "box", mug=2).meanwhile(pool, applied)
    assert world.units("box").backordered == 2
    assert [one.invariant.split()[0] for one in violations(logins)] == ["10"]


def test_a_receipt_that_comes_while_its_item_becomes_a_bundle_is_refused(world: World) -> None:
    world.stocked("mug", "box", units=0)
    with ThreadPoolExecutor(1) as pool:
        receipt = Receive("r", DocumentKind.RECEIPT, {world.item("box"): 5})
        assert isinstance(Changing(world, "box", mug=2).meanwhile(pool, receipt), Refused)
    assert world.units("box") == Units()

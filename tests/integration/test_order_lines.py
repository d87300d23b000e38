"""Several lines of one order want the same item: the order shares what it has, whatever was heard of first."""

from collections.abc import Mapping
from typing import Any

from core.goods.adjusting import Lose
from core.orders.apply import ApplyOrder
from core.sales.holds import Hold
from core.sales.pools import ClosePool
from core.stock import DocumentKind, PoolKind
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration import lock_acts
from tests.integration.bundle_acts import made_of, tea_shop
from tests.pool_world import in_pool, open_pool, shared


def lines(world: World, sku: str = "mug") -> dict[str, tuple[int, int, int]]:
    """Live, waiting and shipped units of an item by line."""
    rows = world.ask(
        """SELECT l.external_line_id, sum(p.live) AS live, sum(p.waiting) AS waiting, sum(p.shipped) AS shipped
           FROM promise p JOIN order_line l ON l.merchant_id = p.merchant_id AND l.id = p.order_line_id
           WHERE p.merchant_id = :merchant_id AND p.item_id = :item_id GROUP BY 1""",
        item_id=world.item(sku).item_id,
    )
    return {row.external_line_id: (row.live, row.waiting, row.shipped) for row in rows}


def moved(world: World, sku: str = "mug") -> dict[str, int]:
    """Promised and waiting units of an item by line, as its documents tell."""
    promised = "('reserved', 'sold', 'backordered')"
    rows = world.ask(
        f"""SELECT l.external_line_id, sum(CASE WHEN m.to_bucket IN {promised} THEN m.quantity ELSE 0 END
                - CASE WHEN m.from_bucket IN {promised} THEN m.quantity ELSE 0 END) AS units
            FROM movement m JOIN order_line l ON l.merchant_id = m.merchant_id AND l.id = m.order_line_id
            WHERE m.merchant_id = :merchant_id AND m.layer = 'sales' AND m.item_id = :item_id GROUP BY 1""",
        item_id=world.item(sku).item_id,
    )
    return {row.external_line_id: row.units for row in rows}


def tell(world: World, store: int, *told: Mapping[str, Any], paid: bool = True, name: str = "1001") -> None:
    """Hear of an order with these lines: sku, quantity and what else is told of each, by their ids 1, 2, ..."""
    some = [line(one["sku"], one["quantity"], str(n), **_rest(one)) for n, one in enumerate(told, start=1)]
    world.hear(store, order(*some, external_id=name, paid=paid))


def _rest(told: Mapping[str, Any]) -> dict[str, int]:
    return {key: value for key, value in told.items() if key not in {"sku", "quantity"}}


def sets(quantity: int, **told: int) -> dict[str, Any]:
    return {"sku": "set", "quantity": quantity, **told}


def mugs(quantity: int, **told: int) -> dict[str, Any]:
    return {"sku": "mug", "quantity": quantity, **told}


# ---- goods that leave


def test_a_bundle_that_ships_takes_what_another_line_has_before_anything_counts_as_found(world: World) -> None:
    store = tea_shop(world, mugs=2)
    tell(world, store, mugs(2))
    tell(world, store, mugs(2), sets(1, shipped=1))
    assert lines(world) == {"1": (0, 2, 0), "2": (0, 0, 2)}
    assert "found" not in world.documents()
    assert world.on_hand("mug") == (0, 0)


def test_so_does_a_plain_line_of_what_a_bundle_has(world: World) -> None:
    store = tea_shop(world, mugs=2)
    tell(world, store, sets(1), mugs(2))
    assert lines(world) == {"1": (2, 0, 0), "2": (0, 2, 0)}
    tell(world, store, sets(1), mugs(2, shipped=1))
    assert lines(world) == {"1": (1, 1, 0), "2": (0, 1, 1)}
    assert "found" not in world.documents()


def test_only_what_no_line_of_the_order_has_was_found(world: World) -> None:
    store = tea_shop(world, mugs=2)
    tell(world, store, sets(1), mugs(3))
    tell(world, store, sets(1), mugs(3, shipped=3))
    assert lines(world) == {"1": (0, 2, 0), "2": (0, 0, 3)}
    found = world.scalar(
        """SELECT sum(m.quantity) FROM document d JOIN movement m ON m.merchant_id = d.merchant_id
               AND m.document_id = d.id WHERE d.merchant_id = :merchant_id AND d.kind = 'found' AND m.layer = 'sales'"""
    )
    assert found == 1


def test_units_of_other_orders_stay_with_them(world: World) -> None:
    store = tea_shop(world, mugs=2)
    tell(world, store, mugs(2), name="other")
    tell(world, store, mugs(1, shipped=1), name="mine")
    assert world.units("mug") == Units(sold=2)
    assert world.on_hand("mug") == (2, 0)


def test_a_hold_that_an_order_takes_over_serves_what_leaves_first(world: World) -> None:
    store = tea_shop(world, mugs=2)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    state = order(line("mug", 2, "1"), line("mug", 2, "2", shipped=2), paid=True)
    world.do(ApplyOrder(store, state, world.next_seq(), takes=("cart",)))
    assert lines(world) == {"1": (0, 2, 0), "2": (0, 0, 2)}
    assert world.on_hand("mug") == (0, 0)


# ---- what a line gives up


def test_what_one_line_gives_up_goes_to_another_one_that_waits(world: World) -> None:
    """Also though somebody else has paid and waits: the customer gave nothing up."""
    store = tea_shop(world, mugs=2)
    tell(world, store, mugs(2), mugs(2), paid=False)
    tell(world, store, mugs(1), name="other")
    tell(world, store, mugs(2, cancelled=2), mugs(2), paid=False)
    assert world.units("mug") == Units(reserved=2, backordered=1)
    assert {row.external_id for row in waiting(world)} == {"other"}


def test_documents_tell_of_each_line_what_it_has_when_units_change_lines(world: World) -> None:
    store = tea_shop(world, mugs=5)
    tell(world, store, mugs(3), sets(2))
    tell(world, store, mugs(3, cancelled=3), sets(2, shipped=1), mugs(2))
    tell(world, store, mugs(3, cancelled=3), sets(2, shipped=1), mugs(2, shipped=2))
    assert lines(world) == {"1": (0, 0, 0), "2": (1, 1, 2), "3": (0, 0, 2)}
    assert moved(world) == {"1": 0, "2": 2, "3": 0}


def waiting(world: World) -> Any:
    return world.ask(
        """SELECT o.external_id, l.external_line_id, p.waiting, p.broken, p.backorder FROM promise p
           JOIN store_order o ON o.merchant_id = p.merchant_id AND o.id = p.order_id
           JOIN order_line l ON l.merchant_id = p.merchant_id AND l.id = p.order_line_id
           WHERE p.merchant_id = :merchant_id AND p.waiting > 0 ORDER BY p.id"""
    )


def test_the_incident_follows_the_line_that_waits(world: World) -> None:
    store = tea_shop(world, mugs=2)
    tell(world, store, mugs(2), mugs(2))
    (first,) = world.incidents()
    tell(world, store, mugs(2), mugs(2, shipped=2))
    (second,) = world.incidents()
    assert first.order_line_id != second.order_line_id
    assert second.quantity == 2


def test_a_broken_promise_stays_one_whichever_line_waits(world: World) -> None:
    store = tea_shop(world, mugs=4)
    tell(world, store, mugs(2), mugs(2))
    world.do(Lose("shelf", "not there", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert [(row.external_line_id, row.broken) for row in waiting(world)] == [("2", True)]
    tell(world, store, mugs(2), mugs(2, shipped=2))
    assert [(row.external_line_id, row.broken) for row in waiting(world)] == [("1", True)]
    (incident,) = world.incidents()
    assert (incident.cause, incident.quantity) == ("broken", 2)


def test_an_order_told_again_leaves_its_units_where_they_went_meanwhile(world: World) -> None:
    """The bundle comes first and cannot be completed, so the mug that came went to the line that it completes."""
    store = tea_shop(world, mugs=0)
    tell(world, store, sets(1), mugs(1))
    world.receive("mug", 1)
    before = world.documents()
    tell(world, store, sets(1), mugs(1))
    assert lines(world) == {"1": (0, 2, 0), "2": (1, 0, 0)}
    assert world.documents() == before


def test_lines_that_are_told_in_another_order_share_as_before(world: World) -> None:
    store = tea_shop(world, mugs=2)
    some = [line("mug", 2, "9"), line("mug", 2, "10")]
    world.hear(store, order(*some, external_id="a"))
    world.hear(store, order(*reversed(some), external_id="b"))
    assert lines(world) == {"9": (2, 2, 0), "10": (0, 4, 0)}


# ---- pools


def test_units_stay_in_their_pool_when_they_change_lines_even_in_one_that_is_closed(world: World) -> None:
    store = tea_shop(world, mugs=4)
    pool_id = open_pool(world, "OWN", PoolKind.CHANNEL, {"mug": 2}, store_id=store)
    tell(world, store, mugs(2), mugs(2))
    world.do(ClosePool(pool_id, "over"))
    tell(world, store, mugs(2, cancelled=2), mugs(2))
    assert (in_pool(world, pool_id, "mug"), shared(world, "mug")) == (Units(sold=2), Units(free=2))


def test_a_line_that_is_deducted_takes_reserved_units_of_one_that_is_not(world: World) -> None:
    store = tea_shop(world, mugs=3)
    lock_acts.lock(world, "vip", "mug", 1, type="channel", store_id=store)
    tell(world, store, mugs(3), paid=False)
    tell(world, store, mugs(3), mugs(3, shipped=2), paid=False)
    assert lines(world) == {"1": (1, 2, 0), "2": (0, 1, 2)}
    assert lock_acts.pool(world, "vip") == Units()
    assert shared(world, "mug") == Units(reserved=1, backordered=3)


# ---- packs


def test_an_order_keeps_the_pack_that_it_was_sold_in(world: World) -> None:
    store = tea_shop(world, mugs=40)
    world.tell("UPDATE listing SET pack_size = 6 WHERE merchant_id = :merchant_id AND sku = 'mug'")
    tell(world, store, mugs(3, counted=3))
    world.tell("UPDATE listing SET pack_size = 4 WHERE merchant_id = :merchant_id AND sku = 'mug'")
    tell(world, store, mugs(3, counted=3))
    assert world.units("mug") == Units(free=22, sold=18)
    tell(world, store, mugs(4, cancelled=1, written_off=1, shipped=1, counted=3))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=22, sold=6), (28, 6))
    tell(world, store, mugs(4, cancelled=1, written_off=0, shipped=2, returned=1, counted=3))
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=28, sold=6), (34, 0))
    tell(world, store, mugs(1), name="new")
    assert world.units("mug") == Units(free=24, sold=10)


def test_a_pack_of_bundles_keeps_both(world: World) -> None:
    store = tea_shop(world, mugs=40, pots=20)
    world.tell("UPDATE listing SET pack_size = 2 WHERE merchant_id = :merchant_id AND sku = 'set'")
    tell(world, store, sets(2))
    world.tell("UPDATE listing SET pack_size = 1 WHERE merchant_id = :merchant_id AND sku = 'set'")
    made_of(world, "set", mug=1)
    tell(world, store, sets(3, shipped=1))
    assert (lines(world), lines(world, "pot")) == ({"1": (8, 0, 4)}, {"1": (4, 0, 2)})


# ---- returns in another grade


def flawed(world: World, sku: str = "mug") -> Units:
    return shared(world, sku, "minor_defect")


def came_back(world: World, store: int, **told: int) -> None:
    tell(world, store, mugs(2, shipped=2, **told), name="returned")


def test_a_return_that_turns_out_to_have_a_flaw_breaks_the_newest_promise_of_the_good_unit(world: World) -> None:
    store = tea_shop(world, mugs=2)
    came_back(world, store, returned=0)
    came_back(world, store, returned=2)
    tell(world, store, mugs(1), name="older")
    tell(world, store, mugs(1), name="newer")
    came_back(world, store, returned=2, returned_minor_defect=1)
    assert (world.on_hand("mug"), shared(world, "mug"), flawed(world)) == (
        (1, 0),
        Units(sold=1, backordered=1),
        Units(1),
    )
    assert [(row.external_id, row.broken) for row in waiting(world)] == [("newer", True)]
    (incident,) = world.incidents()
    assert (incident.cause, incident.quantity) == ("broken", 1)
    assert "order #returned" in incident.timeline[-1]["what"]
    came_back(world, store, returned=2, returned_minor_defect=1)
    assert flawed(world) == Units(1)


def test_so_it_does_of_a_bundle_in_one_state_with_all_that_happened_meanwhile(world: World) -> None:
    """The order whose return it was ships more in the same state, and free units, a pool and a promise make room."""
    store = tea_shop(world, mugs=8, pots=8)
    tell(world, store, sets(3, shipped=2), name="returned")
    tell(world, store, sets(3, shipped=2, returned=2), name="returned")
    open_pool(world, "OWN", PoolKind.CHANNEL, {"mug": 1}, store_id=store)
    tell(world, store, mugs(5), name="other")
    tell(world, store, sets(3, shipped=3, returned=2, returned_minor_defect=2), name="returned")
    assert (flawed(world), flawed(world, "pot")) == (Units(4), Units(2))
    assert world.on_hand("mug") == (2, 0)
    assert [(row.external_id, row.waiting) for row in waiting(world)] == [("other", 3)]


def test_a_unit_that_left_the_house_again_left_as_it_was(world: World) -> None:
    store = tea_shop(world, mugs=2)
    came_back(world, store, returned=0)
    came_back(world, store, returned=2)
    tell(world, store, mugs(2, shipped=2), name="other")
    came_back(world, store, returned=2, returned_minor_defect=1)
    assert (world.on_hand("mug"), flawed(world)) == ((0, 0), Units())
    tell(world, store, mugs(2, shipped=2, returned=2), name="other")
    came_back(world, store, returned=2, returned_minor_defect=1)
    assert (world.on_hand("mug"), flawed(world)) == ((2, 0), Units())


def test_a_physical_lock_makes_room_too(world: World) -> None:
    store = tea_shop(world, mugs=2)
    came_back(world, store, returned=0)
    came_back(world, store, returned=2)
    warehouse_id = world.scalar("SELECT id FROM warehouse WHERE merchant_id = :merchant_id")
    lock_acts.lock(world, "fair", "mug", 2, warehouse_id=warehouse_id)
    came_back(world, store, returned=2, returned_minor_defect=1)
    assert (flawed(world), lock_acts.pool(world, "fair")) == (Units(1), Units(free=1, backordered=1))


# ---- what may wait


def test_the_backorder_limit_of_a_bundle_counts_bundles(world: World) -> None:
    store = tea_shop(world, mugs=0, pots=10)
    world.tell(
        "UPDATE listing SET backorder = 'yes', backorder_limit = 2 WHERE merchant_id = :merchant_id AND sku = 'set'"
    )
    tell(world, store, sets(2))
    assert (world.units("mug").backordered, world.incidents()) == (4, [])
    tell(world, store, sets(1), name="1002")
    assert [row.quantity for row in world.incidents()] == [2]


def test_a_bundle_waits_until_goods_have_come_for_what_a_presale_sold_of_it(world: World) -> None:
    store = tea_shop(world, mugs=0, pots=0)
    open_pool(world, "POTS-27", PoolKind.PRESALE, {"pot": 5})
    tell(world, store, sets(1))
    world.receive("mug", 2)
    assert (shared(world, "mug"), shared(world, "pot")) == (Units(free=2, backordered=2), Units())
    world.receive("pot", 1)
    assert (shared(world, "mug"), shared(world, "pot")) == (Units(sold=2), Units(sold=1))


def test_others_may_have_what_a_bundle_cannot_use_yet(world: World) -> None:
    store = tea_shop(world, mugs=0, pots=0)
    open_pool(world, "POTS-27", PoolKind.PRESALE, {"pot": 5})
    tell(world, store, sets(1))
    world.receive("mug", 2)
    tell(world, store, mugs(1), name="one mug")
    world.receive("pot", 1)
    assert (shared(world, "mug"), shared(world, "pot")) == (Units(free=1, sold=1, backordered=2), Units(sold=1))
    world.receive("mug", 1)
    assert shared(world, "mug") == Units(sold=3)


def test_a_bundle_that_waits_for_one_component_ships_the_free_unit_of_the_other(world: World) -> None:
    store = world.stocked("mug", "pot", units=0)
    world.listings(store, "set")
    lock_acts.bundle(world, "set", mug=1, pot=1)
    world.hear(store, order(line("set", 1), paid=True))
    world.receive("mug", 1)

    world.hear(store, order(line("set", 1, shipped=1), paid=True))

    assert world.on_hand("mug") == (0, 0)
    assert world.units("mug").free == 0

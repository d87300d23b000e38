"""More is ordered than there is: what waits, who is served first, and the incident that tells of it."""

from typing import Any

from core.orders.apply import ApplyOrder
from tests.builders import Units, World, at, line, order


def test_a_shortfall_waits_as_a_backorder_with_an_incident_and_its_cause(world: World) -> None:
    store = world.stocked("mug", units=2)
    world.hear(store, order(line("mug", 5), paid=True))
    assert world.units("mug") == Units(sold=2, backordered=3)
    (incident,) = world.incidents()
    assert (incident.kind, incident.quantity, incident.cause) == ("oversell", 3, "never_told")
    assert any("#1001" in event["what"] for event in incident.timeline)


def test_a_sale_before_the_store_was_told_of_another_stores_sale_says_so(world: World) -> None:
    store = world.stocked("mug", units=2)
    other = world.store("Market")
    world.listings(other, "mug", shown=2)
    world.tell(
        """UPDATE listing SET published = 2, published_at = :then
           WHERE merchant_id = :merchant_id AND store_id = :store""",
        then=at(-60),
        store=store,
    )
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    world.hear(other, order(line("mug", 2), external_id="77", paid=True))
    world.hear(store, order(line("mug", 1), paid=True))
    (incident,) = world.incidents()
    assert incident.cause == "sold_before_told"
    assert any("#77 of Market took the last free units" in event["what"] for event in incident.timeline)


def test_a_sale_after_the_store_confirmed_the_lower_number_says_so(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.tell(
        "UPDATE listing SET published = 0, published_at = :then WHERE merchant_id = :merchant_id",
        then=at(-60),
    )
    assert world.due(store, "mug") is None
    world.hear(store, order(line("mug", 1), paid=True))
    assert [incident.cause for incident in world.incidents()] == ["sold_after_told"]


def test_units_that_come_in_go_to_the_oldest_paid_order_first(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), external_id="unpaid"))
    world.hear(store, order(line("mug", 2), external_id="paid", paid=True))
    world.hear(store, order(line("mug", 2), external_id="late", paid=True))
    world.receive("mug", 3)
    assert _live(world) == {"unpaid": 0, "paid": 2, "late": 1}
    assert world.units("mug") == Units(sold=3, backordered=3)
    world.receive("mug", 10)
    assert _live(world) == {"unpaid": 2, "paid": 2, "late": 2}
    assert world.units("mug") == Units(free=7, reserved=2, sold=4)


def test_an_incident_ends_when_its_order_is_served(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), paid=True))
    assert len(world.incidents()) == 1
    world.receive("mug", 1)
    assert len(world.incidents()) == 1
    world.receive("mug", 1)
    assert world.incidents() == []
    assert len(world.incidents(open_only=False)) == 1


def test_an_incident_ends_when_its_order_is_cancelled(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), paid=True))
    world.hear(store, order(line("mug", 2, cancelled=2), paid=True))
    assert world.incidents() == []
    assert world.units("mug") == Units()


def test_a_cancelled_orders_units_go_to_who_waited_in_the_same_batch(world: World) -> None:
    store = world.stocked("mug", units=3)
    world.hear(store, order(line("mug", 3), external_id="first", paid=True))
    world.hear(store, order(line("mug", 2), external_id="waits", paid=True))
    results = world.run(
        ApplyOrder(store, order(line("mug", 3, cancelled=3), external_id="first", paid=True), world.next_seq()),
        ApplyOrder(store, order(line("mug", 3), external_id="third", paid=True), world.next_seq()),
    )
    assert results == [True, True]
    assert _live(world) == {"first": 0, "waits": 2, "third": 1}


def test_a_cancellation_gives_up_waiting_units_before_live_ones(world: World) -> None:
    store = world.stocked("mug", units=2)
    world.hear(store, order(line("mug", 5), paid=True))
    world.hear(store, order(line("mug", 5, cancelled=2), paid=True))
    assert world.units("mug") == Units(sold=2, backordered=1)


def test_payment_of_an_order_that_waits_moves_only_what_it_has(world: World) -> None:
    store = world.stocked("mug", units=2)
    world.hear(store, order(line("mug", 5)))
    world.hear(store, order(line("mug", 5), paid=True))
    assert world.units("mug") == Units(sold=2, backordered=3)
    world.receive("mug", 3)
    assert world.units("mug") == Units(sold=5)


def _live(world: World) -> dict[str, Any]:
    rows = world.ask(
        """SELECT o.external_id, p.live FROM promise p JOIN store_order o
               ON o.merchant_id = p.merchant_id AND o.id = p.order_id WHERE p.merchant_id = :merchant_id"""
    )
    return {row.external_id: row.live for row in rows}

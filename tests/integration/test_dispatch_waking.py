"""Orders that no warehouse could send are decided again as soon as one may serve them, and say why they waited."""

from collections.abc import Callable

import pytest

from config.wiring import App
from core import work
from core.dispatch import rates, regions, rules, waking
from core.dispatch.terms import Effect
from core.fulfilment import automatic
from core.transaction import Transaction
from core.warehouse import warehouses
from jobs.dispatch import dispatch_orders
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.fulfilment_acts import fulfilments, goods, order_id, place, put

Change = Callable[[Transaction], object]


def say(world: World, change: Change) -> None:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        change(tx)


def look(app: App, world: World) -> None:
    dispatch_orders(app, world.merchant_id, 0)


def paid(world: World, units: int = 2, external_id: str = "1001", destination: str = "") -> None:
    store = int(world.scalar("SELECT id FROM store"))
    world.hear(store, order(line("mug", units), external_id=external_id, paid=True, destination=destination))


def due(world: World, external_id: str = "1001") -> bool:
    """Is it decided about the order at once?"""
    found = world.ask(
        "SELECT due_at <= now() AS due FROM work WHERE topic = 'dispatch' AND subject = :subject",
        subject=str(order_id(world, external_id)),
    )
    return bool(found and found[0].due)


@pytest.fixture
def shop(world: World) -> World:
    """MAIN alone has mugs, 3 of them; orders go to warehouses by themselves."""
    world.stocked("mug", units=3)
    say(world, lambda tx: automatic.switch(tx, True))
    return world


def pause(tx: Transaction) -> object:
    return warehouses.change(tx, "MAIN", {"paused": True})


def deny(tx: Transaction) -> object:
    return rules.add(tx, Effect.DENY, warehouses.id_of(tx, "MAIN"))


def undeny(tx: Transaction) -> None:
    rules.remove(tx, rules.every(tx)[0].id)


def only_south(tx: Transaction) -> None:
    south = regions.put(tx, "south", ["DE-BY"])
    rules.add(tx, Effect.ONLY, warehouses.id_of(tx, "MAIN"), region_id=south.id)


CHANGES: list[tuple[str, Change, Change]] = [
    ("it serves again", pause, lambda tx: warehouses.change(tx, "MAIN", {"paused": False})),
    ("a rule is taken away", deny, undeny),
    ("its region is made larger", only_south, lambda tx: regions.put(tx, "south", ["DE"])),
    (
        "another region is added",
        only_south,
        lambda tx: rules.add(
            tx, Effect.ONLY, warehouses.id_of(tx, "MAIN"), region_id=regions.put(tx, "north", ["DE-HH"]).id
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "after"), CHANGES, ids=[what for what, _, _ in CHANGES])
def test_an_order_that_waits_goes_at_once_when(app: App, shop: World, what: str, before: Change, after: Change) -> None:
    say(shop, before)
    paid(shop, destination="DE-HH-20095")
    look(app, shop)
    assert goods(shop, "mug")["MAIN"] == (3, 0, 0)
    assert not due(shop)

    say(shop, after)

    assert due(shop), what
    look(app, shop)
    assert goods(shop, "mug")["MAIN"] == (1, 2, 0)
    assert shop.work("dispatch") == []


def test_a_week_that_changes_wakes_who_waits(app: App, shop: World) -> None:
    say(shop, pause)
    paid(shop)
    look(app, shop)

    say(shop, lambda tx: rates.put_week(tx, None, [1, 2, 3, 4, 5, 6, 7], []))

    assert due(shop)


def test_a_warehouse_that_may_send_more_parcels_a_day_wakes_who_waits(app: App, shop: World) -> None:
    say(shop, lambda tx: warehouses.change(tx, "MAIN", {"capacity_per_day": 1}))
    paid(shop, units=1, external_id="first")
    look(app, shop)
    paid(shop, units=1)
    look(app, shop)
    assert not due(shop)

    say(shop, lambda tx: warehouses.change(tx, "MAIN", {"capacity_per_day": 2}))

    assert due(shop)
    look(app, shop)
    assert [row.code for row in fulfilments(shop)] == ["MAIN"]


def test_goods_that_come_to_a_warehouse_that_serves_wake_who_waits_for_them_alone(app: App, shop: World) -> None:
    place(shop, "HAMBURG", priority=-1)
    store = int(shop.scalar("SELECT id FROM store"))
    shop.listings(store, "pot")
    shop.receive("pot", 1)
    say(shop, pause)
    paid(shop)
    shop.hear(store, order(line("pot", 1), external_id="1002", paid=True))
    look(app, shop)
    assert (due(shop), due(shop, "1002")) == (False, False)

    put(shop, "HAMBURG", mug=2)

    assert (due(shop), due(shop, "1002")) == (True, False)
    look(app, shop)
    assert goods(shop, "mug") == {"MAIN": (3, 0, 0), "HAMBURG": (0, 2, 0)}
    assert shop.work("dispatch") == [str(order_id(shop, "1002"))]


def test_goods_wake_nobody_who_has_not_switched_it_on(app: App, shop: World) -> None:
    say(shop, lambda tx: automatic.switch(tx, False))
    paid(shop)

    put(shop, "MAIN", mug=2)

    assert shop.work("dispatch") == []


def test_news_that_comes_while_it_is_decided_is_looked_at_at_once(shop: World) -> None:
    """Who decides puts the order off, and does not know of the rule that went meanwhile."""
    say(shop, deny)
    paid(shop)
    with shop.db.begin(1, actor="job") as tx:
        leases = work.claim(tx, waking.TOPIC, 0, limit=10, lease_s=60)

    say(shop, undeny)
    with shop.db.begin(1, actor="job") as tx:
        work.postpone_each(tx, [work.Wait(lease, 300, "") for lease in leases], counts=False)

    assert due(shop)


def test_news_does_not_shorten_a_wait_that_has_a_reason(shop: World) -> None:
    paid(shop)
    with shop.db.begin(1, actor="job") as tx:
        leases = work.claim(tx, waking.TOPIC, 0, limit=10, lease_s=60)

    paid(shop, units=3)
    with shop.db.begin(1, actor="job") as tx:
        work.postpone_each(tx, [work.Wait(lease, 300, "it is broken") for lease in leases])

    assert not due(shop)


# ---- why nobody sends it


def why(holdfast: Holdfast, number: str = "1001") -> str:
    """What the order's page says of the decision."""
    said = holdfast("order", "show", number).out.splitlines()
    return next((one for one in said if one.startswith("Decided by")), "")


def test_an_order_that_was_taken_back_says_why_nobody_sends_it_now(app: App, shop: World, holdfast: Holdfast) -> None:
    paid(shop)
    look(app, shop)
    assert why(holdfast) == "Decided by priority: the warehouse was chosen for 2 units: priority 0."

    say(shop, pause)
    look(app, shop)  # takes it back
    look(app, shop)  # decides again

    assert why(holdfast) == (
        "Decided by priority: the warehouse was refused: it is paused; "
        "2 mug wait: no warehouse that may serve has them."
    )


def test_an_order_says_the_newest_reason_why_nobody_sends_it(app: App, shop: World, holdfast: Holdfast) -> None:
    say(shop, deny)
    paid(shop)
    look(app, shop)
    assert "denies it" in why(holdfast)

    say(shop, pause)
    say(shop, undeny)
    look(app, shop)

    assert "it is paused" in why(holdfast)
    assert "denies it" not in why(holdfast)


def test_that_nobody_sends_it_still_is_no_news(app: App, shop: World) -> None:
    say(shop, pause)
    paid(shop)
    look(app, shop)
    decided = "SELECT count(*) FROM route_decision"
    assert shop.scalar(decided) == 1

    for _ in range(3):
        shop.tell("UPDATE work SET due_at = now() - interval '1 second'")
        look(app, shop)

    assert shop.scalar(decided) == 1
    assert not due(shop)


def test_the_rest_of_an_order_keeps_the_decision_that_sent_a_part(app: App, shop: World, holdfast: Holdfast) -> None:
    paid(shop, units=5)
    shop.receive("mug", 1)
    place(shop, "HAMBURG", priority=-1)
    say(shop, lambda tx: warehouses.change(tx, "HAMBURG", {"paused": True}))
    look(app, shop)
    first = why(holdfast)

    shop.tell("UPDATE work SET due_at = now() - interval '1 second'")
    look(app, shop)

    assert why(holdfast) == first

"""Acts on one purchase order from many threads: no unit comes twice, and none is cut that came."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import Refused
from core.orders.apply import ApplyOrder
from core.supply import counting, placing, purchases
from core.supply.purchases import Purchase
from core.transaction import Transaction
from tests import supply_world as sup
from tests.builders import Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration.race_acts import together
from tests.supply_world import OnWay

THREADS = 8


def tried(act: Callable[[], Any]) -> Any:
    """The answer, or the refusal."""
    try:
        return act()
    except Refused as refusal:
        return refusal


def two_orders(world: World) -> None:
    """One whose goods come twice at once, and another whose goods must stay on their way."""
    world.stocked("mug", units=0)
    for number in ("PO-7", "PO-8"):
        sup.placed(world, number, {"mug": 10})


Race = tuple[Callable[[World], Any], Callable[[World], Any]]
RACES: dict[str, Race] = {
    "two receipts": (
        lambda world: sup.receive(world, "PO-7", {"mug": 10}, "a"),
        lambda world: sup.receive(world, "PO-7", {"mug": 10}, "b"),
    ),
    "a receipt and a cut": (
        lambda world: sup.receive(world, "PO-7", {"mug": 10}, "a"),
        lambda world: sup.cut(world, "PO-7", {"mug": 10}),
    ),
    "a receipt and the end": (
        lambda world: sup.receive(world, "PO-7", {"mug": 10}, "a"),
        lambda world: placing.end(world.db, 1, "PO-7", actor="test", reason="late", cancel=False),
    ),
}


@pytest.mark.parametrize("race", RACES)
def test_acts_at_once_take_each_unit_off_its_way_once(world: World, race: str) -> None:
    two_orders(world)
    together(lambda act: tried(lambda: act(world)), RACES[race], 2)
    way = sup.on_way(world, "mug")
    assert (way.incoming, sup.look(world, "PO-7").lines[0].open) == (10, 0)


def test_one_receipt_told_by_many_at_once_is_booked_once(world: World) -> None:
    two_orders(world)
    told = together(lambda _: tried(lambda: sup.receive(world, "PO-7", {"mug": 4})), range(THREADS), THREADS)
    assert sorted(one.repeated for one in told) == [False] + [True] * (THREADS - 1)
    assert world.on_hand("mug") == (4, 0)


def test_receipts_cuts_and_counts_beside_orders_lose_and_double_no_unit(world: World) -> None:
    store = world.stocked("mug", units=0)
    for number in ("PO-7", "PO-8"):
        sup.placed(world, number, {"mug": 40}, in_days=2)
    sup.count(world, 7)

    def act(n: int) -> Any:
        number = f"PO-{7 + n % 2}"
        if n % 5 == 0:
            return tried(lambda: sup.receive(world, number, {"mug": 3}, str(n)))
        if n % 11 == 0:
            return tried(lambda: sup.cut(world, number, {"mug": 5}, str(n)))
        if n % 13 == 0:
            return counting.apply(world.db, 1, actor="test")
        return world.run(ApplyOrder(store, order(line("mug", 1), external_id=str(n), paid=True), 1))[0]

    together(act, range(50), THREADS)
    units, way = world.units("mug"), sup.on_way(world, "mug")
    assert units.free + units.sold == way.available + way.incoming_sellable
    assert sum(one.open for number in ("PO-7", "PO-8") for one in sup.look(world, number).lines) == (
        way.incoming + way.incoming_sellable
    )


def test_an_order_is_placed_once_by_many(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    together(lambda _: tried(lambda: placing.place(world.db, 1, "PO-7", actor="test")), range(THREADS), THREADS)
    assert sup.on_way(world, "mug") == OnWay(incoming=10)


# ---- the control: without the lock on the order's row each of them goes wrong


@pytest.mark.broken_books
@pytest.mark.parametrize("race", RACES)
def test_without_the_lock_on_the_order_its_units_come_from_another(
    world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch, race: str
) -> None:
    two_orders(world)
    both_have_read, locked = threading.Barrier(2), purchases.locked

    def read(tx: Transaction, number: str) -> Purchase:
        found = locked(tx, number)
        both_have_read.wait(timeout=20)
        return found

    monkeypatch.setattr(purchases, "ROW_LOCK", "")
    monkeypatch.setattr(purchases, "locked", read)
    together(lambda act: tried(lambda: act(world)), RACES[race], 2)
    assert {one.invariant.split()[0] for one in violations(logins)} >= {"5j"}
    assert world.units("mug") != Units()

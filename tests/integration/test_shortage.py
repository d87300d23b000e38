"""Goods that are gone on a real database: who makes room, in which order, and what becomes of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from core.combiner import Combiner
from core.command import Command
from core.errors import InsufficientStock, Refused
from core.goods.adjusting import Adjusted, Lose
from core.orders.apply import ApplyOrder
from core.sales.holds import EndHold, ExtendHold, Hold, PayHold
from core.sales.locks import ReleaseLock
from core.sales.pools import OpenPool
from core.stock import DocumentKind, Pool, PoolKind
from tests.builders import FAR_OFF, Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration import lock_acts
from tests.integration.lock_acts import main, shared
from tests.integration.race_acts import forget_row_locks, together


def gone(world: World, sku: str, units: int, kind: DocumentKind = DocumentKind.MISSING, key: str = "") -> Adjusted:
    result: Adjusted = world.do(lose(world, sku, units, kind, key))
    return result


def lose(
    world: World, sku: str, units: int, kind: DocumentKind = DocumentKind.MISSING, key: str = "", grade: str = "good"
) -> Lose:
    stocked = world.item(sku)._replace(grade=grade)
    return Lose(key or f"{kind}/{world.next_seq()}", "not on the shelf", kind, {stocked: units})


def given(adjusted: Adjusted) -> list[tuple[str, int, bool]]:
    """Who gave how much: the pool's code or kind, units, and whether they had been promised."""
    return [(loss.pool.code or str(loss.pool.kind), loss.units, loss.promise is not None) for loss in adjusted.losses]


def set_apart(world: World, kind: PoolKind, code: str, sku: str, units: int, store: int | None = None) -> int:
    with world.db.begin(1, actor="test") as tx:
        pool_id = tx.new_id()
    ends_at = None if kind is PoolKind.CHANNEL else FAR_OFF
    world.do(OpenPool(Pool(pool_id, kind, code, store, ends_at=ends_at), {world.item(sku): units}))
    return pool_id


def sell(world: World, store: int, name: str, sku: str, units: int, **told: Any) -> None:
    world.hear(store, order(line(sku, units), external_id=name, **{"paid": True, **told}))


def promises(world: World, sku: str) -> list[tuple[str, str, int, int, bool]]:
    """Order or hold, kind of pool, live and waiting units, and whether it was broken; oldest first."""
    rows = world.ask(
        """SELECT coalesce(o.external_id, d.effect_key) AS owner, p.kind, r.live, r.waiting, r.broken FROM promise r
           JOIN pool p ON p.merchant_id = r.merchant_id AND p.id = r.pool_id
           LEFT JOIN store_order o ON o.merchant_id = r.merchant_id AND o.id = r.order_id
           LEFT JOIN document d ON d.merchant_id = r.merchant_id AND d.id = r.order_id
           WHERE r.merchant_id = :merchant_id AND r.item_id = :item_id AND r.live + r.waiting > 0
           ORDER BY r.promised_at, r.id""",
        item_id=world.item(sku).item_id,
    )
    return [tuple(row) for row in rows]


# ---- who gives up units


def test_units_that_nobody_was_promised_go_first_and_nobody_is_bothered(world: World) -> None:
    store = world.stocked("mug", units=10)
    sell(world, store, "1", "mug", 4)
    assert given(gone(world, "mug", 6)) == [("shared", 6, False)]
    assert (world.units("mug"), world.on_hand("mug")) == (Units(sold=4), (4, 0))
    assert world.incidents() == []


def test_channels_give_before_locks_and_locks_before_orders(world: World) -> None:
    store = world.stocked("mug", units=20)
    sell(world, store, "1", "mug", 5)
    set_apart(world, PoolKind.CHANNEL, "OUTLET", "mug", 4, store)
    lock_acts.lock(world, "vip", "mug", 6)
    adjusted = gone(world, "mug", 17)
    assert given(adjusted) == [("shared", 5, False), ("OUTLET", 4, False), ("lock/vip", 6, False), ("shared", 2, True)]
    assert lock_acts.pool(world, "vip") == Units(backordered=6)
    assert lock_acts.row(world, "vip").waiting == 6
    assert shared(world, "mug") == Units(sold=3, backordered=2)


def test_of_locks_the_least_urgent_gives_first_and_among_equals_the_newest(world: World) -> None:
    world.stocked("mug", units=9)
    for key, priority in (("urgent", 9), ("older", 1), ("newer", 1)):
        lock_acts.lock(world, key, "mug", 3, priority=priority)
    assert given(gone(world, "mug", 7)) == [
        ("lock/newer", 3, False),
        ("lock/older", 3, False),
        ("lock/urgent", 1, False),
    ]


def test_the_newest_promise_is_broken_first_whoever_paid(world: World) -> None:
    store = world.stocked("mug", units=6)
    for name in ("first", "second", "third"):
        sell(world, store, name, "mug", 2, paid=name == "third")
    gone(world, "mug", 3)
    assert promises(world, "mug") == [
        ("first", "shared", 2, 0, False),
        ("second", "shared", 1, 1, True),
        ("third", "shared", 0, 2, True),
    ]


def test_a_broken_promise_opens_an_incident_that_says_what_happened(world: World) -> None:
    store = world.stocked("mug", units=2)
    sell(world, store, "1001", "mug", 2)
    gone(world, "mug", 1)
    (incident,) = world.incidents()
    assert (incident.kind, incident.cause, incident.quantity, incident.store_id) == ("oversell", "broken", 1, store)
    assert [event["what"] for event in incident.timeline] == [
        "Main street sold order #1001",
        "1 were missing (not on the shelf); of all that were promised such units this was the newest, and waits for 1",
    ]


def test_what_comes_in_serves_broken_promises_before_older_backorders(world: World) -> None:
    store = world.stocked("mug", units=2)
    sell(world, store, "sold", "mug", 2)
    sell(world, store, "waits", "mug", 1)
    gone(world, "mug", 1)
    world.receive("mug", 1)
    assert promises(world, "mug") == [("sold", "shared", 2, 0, False), ("waits", "shared", 0, 1, False)]
    (left,) = world.incidents()
    assert left.cause != "broken"


def test_a_promise_of_a_locks_pool_waits_in_the_shared_one_and_is_delivered_from_there(world: World) -> None:
    store = world.stocked("mug", units=3)
    lock_acts.lock(world, "channel", "mug", 3, type="channel", store_id=store)
    sell(world, store, "1", "mug", 3)
    assert given(gone(world, "mug", 2)) == [("lock/channel", 2, True)]
    assert promises(world, "mug") == [("1", "lock", 1, 0, False), ("1", "shared", 0, 2, True)]
    world.receive("mug", 2)
    assert promises(world, "mug") == [("1", "lock", 1, 0, False), ("1", "shared", 2, 0, False)]
    world.hear(store, order(line("mug", 3, shipped=3), external_id="1", paid=True))
    assert world.on_hand("mug") == (0, 0)


def test_units_that_orders_have_of_a_closed_lock_are_found_too(world: World) -> None:
    store = world.stocked("mug", units=3)
    lock_acts.lock(world, "channel", "mug", 3, type="channel", store_id=store)
    sell(world, store, "1", "mug", 3)
    world.do(ReleaseLock("channel"))
    assert given(gone(world, "mug", 2)) == [("lock/channel", 2, True)]
    assert shared(world, "mug") == Units(backordered=2)


def test_a_physical_lock_keeps_its_goods_while_others_have_some(world: World) -> None:
    store = world.stocked("mug", units=8)
    lock_acts.lock(world, "pallet", "mug", 3, warehouse_id=main(world))
    sell(world, store, "1", "mug", 5)
    assert given(gone(world, "mug", 5)) == [("shared", 5, True)]
    assert lock_acts.pool(world, "pallet") == Units(free=3)
    assert lock_acts.dispatch(world, "mug") == (0, 3)


def test_when_nothing_else_is_left_a_physical_lock_waits_again_and_then_breaks_its_own_promise(world: World) -> None:
    store = world.stocked("mug", units=6)
    lock_acts.lock(world, "pallet", "mug", 5, warehouse_id=main(world), type="channel", store_id=store)
    sell(world, store, "1", "mug", 2)
    assert given(gone(world, "mug", 2)) == [("shared", 1, False), ("lock/pallet", 1, False)]
    assert lock_acts.pool(world, "pallet") == Units(free=2, sold=2, backordered=1)
    assert given(gone(world, "mug", 3)) == [("lock/pallet", 2, False), ("lock/pallet", 1, True)]
    assert lock_acts.pool(world, "pallet") == Units(sold=1, backordered=3)
    assert lock_acts.dispatch(world, "mug") == (0, 1)
    assert shared(world, "mug") == Units(backordered=1)


def test_a_presale_has_no_goods_to_lose(world: World) -> None:
    store = world.stocked("mug", units=2)
    set_apart(world, PoolKind.PRESALE, "SPRING", "mug", 50)
    sell(world, store, "1", "mug", 2)
    assert given(gone(world, "mug", 2)) == [("shared", 2, True)]
    with pytest.raises(Refused, match="know of 0 on the shelf"):
        gone(world, "mug", 1)


def test_damaged_units_make_room_the_same_way_and_stay_on_hand(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock_acts.lock(world, "pallet", "mug", 1, warehouse_id=main(world))
    sell(world, store, "1", "mug", 2)
    assert given(gone(world, "mug", 4, DocumentKind.DAMAGE)) == [
        ("shared", 1, False), ("shared", 2, True), ("lock/pallet", 1, False),
    ]  # fmt: skip
    assert world.on_hand("mug") == (0, 4)


def test_more_than_the_shelf_has_cannot_be_gone(world: World) -> None:
    world.stocked("mug", units=3)
    gone(world, "mug", 1, DocumentKind.DAMAGE)
    with pytest.raises(Refused, match="know of 2 on the shelf, so 3 cannot be gone"):
        gone(world, "mug", 3)


def test_each_grade_stands_alone(world: World) -> None:
    store = world.stocked("mug", units=2)
    sell(world, store, "1", "mug", 2)
    with pytest.raises(Refused, match="know of 0"):
        world.do(lose(world, "mug", 1, grade="minor_defect"))


# ---- holds of our own interface


def test_a_hold_that_is_broken_waits_and_is_served_and_its_incident_ends(world: World) -> None:
    world.stocked("mug", units=2)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    gone(world, "mug", 1)
    (incident,) = world.incidents()
    assert (incident.cause, incident.store_id) == ("broken", None)
    assert promises(world, "mug") == [("hold/cart", "shared", 1, 1, True)]
    world.receive("mug", 1)
    assert promises(world, "mug") == [("hold/cart", "shared", 2, 0, False)]
    assert world.incidents() == []


@pytest.mark.parametrize("first", [ExtendHold("cart"), PayHold("cart", "started"), PayHold("cart", "paid"), None])
def test_a_broken_hold_goes_through_all_that_a_hold_goes_through(world: World, first: Command | None) -> None:
    world.stocked("mug", units=2)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    gone(world, "mug", 1)
    if first is not None:
        world.do(first)
    world.do(EndHold("cart"))
    assert world.units("mug") == Units(free=1)
    assert world.incidents() == []


def test_a_broken_hold_that_is_paid_gets_its_units_sold(world: World) -> None:
    world.stocked("mug", units=2)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    gone(world, "mug", 2)
    world.do(PayHold("cart", "paid"))
    world.receive("mug", 5)
    assert world.units("mug") == Units(free=3, sold=2)


def test_an_order_that_takes_a_broken_hold_over_waits_for_what_the_hold_waited_for(world: World) -> None:
    store = world.stocked("mug", units=2)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    gone(world, "mug", 1)
    world.hear(store, order(line("mug", 2), paid=True), takes=["cart"])
    assert world.units("mug") == Units(sold=1, backordered=1)
    assert len(world.incidents()) == 1
    world.receive("mug", 1)
    assert (world.units("mug"), world.incidents()) == (Units(sold=2), [])


# ---- orders go on as before


def test_an_order_whose_units_were_missing_is_cancelled_and_its_incident_ends(world: World) -> None:
    store = world.stocked("mug", units=3)
    sell(world, store, "1", "mug", 3)
    gone(world, "mug", 2)
    world.hear(store, order(line("mug", 3, cancelled=3), external_id="1", paid=True))
    assert world.units("mug") == Units(free=1)
    assert world.incidents() == []


def test_a_store_that_ships_what_was_missing_shows_that_it_was_there(world: World) -> None:
    store = world.stocked("mug", units=3)
    sell(world, store, "1", "mug", 3)
    gone(world, "mug", 2)
    world.hear(store, order(line("mug", 3, shipped=3), external_id="1", paid=True))
    assert "found" in world.documents()
    assert (world.units("mug"), world.on_hand("mug")) == (Units(), (0, 0))


def test_a_payment_after_the_units_went_missing_deducts_them_when_they_come(world: World) -> None:
    store = world.stocked("mug", units=2)
    sell(world, store, "1", "mug", 2, paid=False)
    gone(world, "mug", 1)
    sell(world, store, "1", "mug", 2)
    world.receive("mug", 1)
    assert world.units("mug") == Units(sold=2)


# ---- how it is done


def test_the_same_key_is_done_once_and_with_other_units_refused(world: World) -> None:
    world.stocked("mug", units=5)
    first, again = gone(world, "mug", 2, key="shelf-7"), gone(world, "mug", 2, key="shelf-7")
    assert (again.document_id, again.repeated, first.repeated) == (first.document_id, True, False)
    with pytest.raises(Refused, match="for something else before"):
        gone(world, "mug", 3, key="shelf-7")
    assert world.units("mug").free == 3


def test_a_loss_without_a_reason_is_refused(world: World) -> None:
    world.stocked("mug", units=5)
    with pytest.raises(Refused, match="say why"):
        world.do(Lose("x", " ", DocumentKind.MISSING, {world.item("mug"): 1}))


def test_losses_in_one_batch_with_what_they_compete_for_all_find_their_promises(world: World) -> None:
    """Each command counts what it lacks before the others have taken theirs, so some have to come again."""
    store = world.stocked("mug", units=12)
    for n in range(8):
        sell(world, store, str(n), "mug", 1)
    results = world.run(
        Hold("cart", {world.item("mug"): 3}, FAR_OFF),
        *(lose(world, "mug", 2, key=f"shelf-{n}") for n in range(4)),
        ApplyOrder(store, order(line("mug", 1), external_id="late", paid=True), world.next_seq()),
    )
    assert [type(result) for result in results[1:5]] == [Adjusted] * 4
    units = world.units("mug")
    assert units.free + units.reserved + units.sold == world.on_hand("mug")[0] == 4
    assert units.backordered == 8


def test_a_thousand_promises_are_read_in_parts_and_the_oldest_are_kept(world: World) -> None:
    store = world.stocked("mug", units=1_200)
    applied = [ApplyOrder(store, order(line("mug", 1), external_id=f"{n:04}", paid=True), 1) for n in range(1_200)]
    for start in range(0, 1_200, 400):
        world.run(*applied[start : start + 400])
    adjusted = gone(world, "mug", 1_150)
    assert sum(loss.units for loss in adjusted.losses) == 1_150
    assert world.units("mug") == Units(sold=50, backordered=1_150)
    kept = {owner for owner, _, live, _, _ in promises(world, "mug") if live}
    assert len(kept) == 50
    assert len(world.incidents()) == 1_150
    assert len(world.ask("SELECT 1 FROM movement WHERE merchant_id = 1 AND document_id = :id AND layer <> 'sales'",
                         id=adjusted.document_id)) == 2  # fmt: skip


# ---- at the same time as others


def test_losses_and_orders_for_the_last_units_agree_on_what_is_left(world: World) -> None:
    store = world.stocked("mug", units=60)
    mug, combiner = world.item("mug"), Combiner(world.db)
    seqs = [world.next_seq() for _ in range(120)]

    def command(n: int) -> Command:
        if n % 3 == 0:
            return Lose(f"shelf-{n}", "not there", DocumentKind.MISSING, {mug: 1})
        if n % 3 == 1:
            return Hold(f"cart-{n}", {mug: 1}, FAR_OFF)
        return ApplyOrder(store, order(line("mug", 1), external_id=str(n), paid=True), seqs[n])

    results = together(lambda n: combiner.run(1, [command(n)], actor=f"actor-{n % 4}")[0], range(120))
    assert all(isinstance(result, Adjusted) for result in results[0::3])
    units, (there, _) = world.units("mug"), world.on_hand("mug")
    assert there == 20
    assert units.free + units.reserved + units.sold == there
    held = sum(not isinstance(result, InsufficientStock) for result in results[1::3])
    assert units.reserved + units.sold + units.backordered == held + 40


def last_unit(world: World) -> Sequence[Any]:
    """The last unit is promised and found missing at once."""
    world.stocked("mug", units=1)
    commands: list[Command] = [Hold("cart", {world.item("mug"): 1}, FAR_OFF), lose(world, "mug", 1)]
    return together(lambda n: world.run(commands[n])[0], range(2), threads=2)


def test_the_last_unit_found_missing_while_it_is_promised_is_not_there_for_both(world: World) -> None:
    held, lost = last_unit(world)
    assert isinstance(lost, Adjusted)
    units = world.units("mug")
    assert (units.free, units.reserved, world.on_hand("mug")) == (0, 0, (0, 0))
    assert units.backordered == (0 if isinstance(held, InsufficientStock) else 1)


@pytest.mark.broken_books
def test_without_row_locks_a_missing_unit_stays_promised(
    world: World, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it is the row lock that makes the test above pass."""
    world.stocked("mug", units=1)
    commands: list[Command] = [Hold("cart", {world.item("mug"): 1}, FAR_OFF), lose(world, "mug", 1)]
    forget_row_locks(monkeypatch)
    results = together(lambda n: world.run(commands[n])[0], range(2), threads=2)
    assert not any(isinstance(result, Refused) for result in results)
    assert world.scalar("SELECT sum(live) FROM promise WHERE merchant_id = :merchant_id") == 1
    assert world.on_hand("mug") == (0, 0)
    assert "2" in {violation.invariant[0] for violation in violations(logins)}

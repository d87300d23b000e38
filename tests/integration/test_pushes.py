"""Numbers on their way to a store: what each should show, in which order, and what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from core import pushes, stores
from core.model import PushOutcome, PushStatus, Sharing, StoreMode
from core.pushes import Claimed, Timing
from core.sales.holds import EndHold, Hold
from core.selling import channels
from core.selling.channels import Channels
from core.transaction import Transaction, wall_clock
from tests.builders import FAR_OFF, World, at, line, order
from tests.integration.facts_acts import share


def claim(world: World, store: int, limit: int = 100) -> list[Claimed]:
    with world.db.begin(1, actor="test") as tx:
        return pushes.claim(tx, store, limit=limit)


def settle(world: World, store: int, claimed: Sequence[Claimed], *outcomes: PushOutcome) -> bool:
    now = wall_clock()
    with world.db.begin(1, actor="test") as tx:
        return pushes.settle(tx, store, claimed, outcomes, Timing(now, now, now, now))


def outcome(one: Claimed, status: PushStatus, **told: Any) -> PushOutcome:
    return PushOutcome(one.intent.listing_id, status, **told)


def applied(one: Claimed) -> PushOutcome:
    return outcome(one, PushStatus.APPLIED, shown=one.intent.wanted, observed=one.intent.believed, observed_at=at(0))


def pushed(world: World, store: int) -> None:
    """Everything stale is shown."""
    claimed = claim(world, store)
    settle(world, store, claimed, *(applied(one) for one in claimed))


def wanted(claimed: Sequence[Claimed]) -> list[tuple[str, int]]:
    return [(one.intent.external_id.removeprefix("listing-"), one.intent.wanted) for one in claimed]


def test_what_sold_out_goes_first_then_falls_then_rises(world: World) -> None:
    store = world.stocked("falls", "rises", "sold-out", units=10)
    pushed(world, store)
    world.receive("rises", 5)
    world.do(Hold("a", {world.item("falls"): 1}, FAR_OFF))
    world.do(Hold("b", {world.item("sold-out"): 10}, FAR_OFF))
    assert wanted(claim(world, store)) == [("sold-out", 0), ("falls", 9), ("rises", 15)]
    assert wanted(claim(world, store, limit=1)) == [("sold-out", 0)]


def test_ten_changes_are_one_push(world: World) -> None:
    store = world.stocked("mug", units=20)
    pushed(world, store)
    for n in range(10):
        world.do(Hold(str(n), {world.item("mug"): 1}, FAR_OFF))
    assert wanted(claim(world, store)) == [("mug", 10)]
    pushed(world, store)
    assert claim(world, store) == []


def test_a_store_that_goes_live_while_numbers_are_computed_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first store would go on showing units that are the second one's, and nobody would look again."""
    share(world, Sharing.ESCROW)
    store, other = world.stocked("mug", units=2), world.store("another")
    world.listings(other, "mug", shown=2)
    with world.db.begin(1, actor="test") as tx:
        stores.set_mode(tx, other, StoreMode.OBSERVE)
    read = channels.read

    def read_before_it_goes_live(tx: Transaction) -> Channels:
        found = read(tx)
        monkeypatch.setattr(channels, "read", read)
        with world.db.begin(1, actor="test") as beside:
            stores.set_mode(beside, other, StoreMode.LIVE)
            pushes.mark_wrong(beside, store)
        return found

    monkeypatch.setattr(channels, "read", read_before_it_goes_live)
    assert wanted(claim(world, store)) == [("mug", 1)]


def test_each_attempt_has_a_key_of_its_own(world: World) -> None:
    store = world.stocked("mug", units=20)
    first, second = claim(world, store), claim(world, store)
    assert first[0].intent.idempotency_key != second[0].intent.idempotency_key


def test_safety_stock_and_packs_make_the_number_smaller(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.tell("UPDATE store SET safety_stock = 3 WHERE merchant_id = :merchant_id")
    world.tell("UPDATE listing SET pack_size = 4 WHERE merchant_id = :merchant_id")
    assert wanted(claim(world, store)) == [("mug", 4)]


@pytest.mark.parametrize(
    "parked", ["untracked_reason = 'not counted'", "quarantine_reason = 'refused'", "item_id = NULL"]
)
def test_what_cannot_be_pushed_is_not_claimed(world: World, parked: str) -> None:
    store = world.stocked("mug", units=20)
    world.tell(f"UPDATE listing SET {parked} WHERE merchant_id = :merchant_id")
    assert claim(world, store) == []
    with world.db.begin(1, actor="test") as tx:
        assert pushes.stale_left(tx, store) is None


def test_a_write_that_arrived_is_believed_and_the_listing_rests(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    pushed(world, store)
    row = world.listing(store, "mug")
    assert (row.believed, row.published) == (20, 20)
    assert world.due(store, "mug") is None
    assert row.proven_equal_at is not None


def test_an_order_applied_while_the_write_was_under_way_keeps_what_we_believe_right(world: World) -> None:
    """Claimed at 20, written 20; meanwhile the store sold 2 of them."""
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    world.hear(store, order(line("mug", 2, counted=2), paid=True))
    settle(world, store, claimed, *(applied(one) for one in claimed))
    row = world.listing(store, "mug")
    assert (row.believed, row.proven_equal_at) == (18, None)
    assert world.due(store, "mug").tries == 0
    assert wanted(claim(world, store)) == [("mug", 18)]


def test_a_sale_elsewhere_while_the_write_was_under_way_keeps_the_listing_stale(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    settle(world, store, claimed, *(applied(one) for one in claimed))
    assert world.listing(store, "mug").believed == 20
    assert wanted(claim(world, store)) == [("mug", 15)]


def test_the_first_write_to_a_number_never_read_makes_it_believed(world: World) -> None:
    store = world.stocked("mug", units=20)
    world.tell("UPDATE listing SET believed = NULL WHERE merchant_id = :merchant_id")
    pushed(world, store)
    assert world.listing(store, "mug").believed == 20


def test_an_unexplained_number_stays_stale_waits_and_asks_for_the_orders(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    stale = outcome(claimed[0], PushStatus.STALE, shown=11, observed=11, observed_at=at(5), pull_orders=True)
    assert settle(world, store, claimed, stale) is True
    row, due = world.listing(store, "mug"), world.due(store, "mug")
    assert (row.believed, row.observed, row.observed_at) == (12, 11, at(5))
    assert (due.revision, due.tries, due.tryable_since) == (claimed[0].revision, 1, due.not_before)
    assert claim(world, store) == []
    with world.db.begin(1, actor="test") as tx:
        assert pushes.stale_left(tx, store) == due.not_before > tx.now


def test_a_second_read_of_the_same_number_keeps_the_first_time(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    for seconds in (5, 9):
        world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
        claimed = claim(world, store)
        settle(world, store, claimed, outcome(claimed[0], PushStatus.STALE, shown=11, observed=11,
                                              observed_at=at(seconds), pull_orders=True))  # fmt: skip
    assert world.listing(store, "mug").observed_at == at(5)


def test_a_number_lowered_as_far_as_is_safe_is_believed_and_looked_at_again(world: World) -> None:
    """Believed 20, wanted 15, shown 18: two unseen sales, so 13 was written."""
    store = world.stocked("mug", units=15, shown=20)
    claimed = claim(world, store)
    lowered = outcome(claimed[0], PushStatus.STALE, shown=13, observed=18, observed_at=at(5), pull_orders=True)
    settle(world, store, claimed, lowered)
    row = world.listing(store, "mug")
    assert (row.believed, row.published) == (15, 13)
    assert world.due(store, "mug") is not None
    world.hear(store, order(line("mug", 2, counted=2), paid=True))
    assert world.listing(store, "mug").believed == 13
    assert wanted(claim(world, store)) == [("mug", 13)]


def test_a_write_without_an_answer_is_tried_again_with_growing_waits(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    waits = []
    for _ in range(3):
        world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
        claimed = claim(world, store)
        settle(world, store, claimed, outcome(claimed[0], PushStatus.RETRY, reason="no answer"))
        due = world.due(store, "mug")
        waits.append(due.not_before - world.scalar("SELECT max(settled_at) FROM push WHERE merchant_id = :merchant_id"))
        assert world.listing(store, "mug").believed == 12
    assert waits == sorted(waits)
    assert waits[0] < waits[2]


def test_a_change_of_balances_ends_the_wait(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    settle(world, store, claimed, outcome(claimed[0], PushStatus.RETRY))
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    assert wanted(claim(world, store)) == [("mug", 15)]


def test_a_listing_the_store_refuses_is_parked_with_its_reason_and_stops_no_other(world: World) -> None:
    store = world.stocked("mug", "cup", units=20, shown=12)
    claimed = claim(world, store)
    outcomes = [
        outcome(one, PushStatus.REFUSED, reason="the product is a bundle") if name == "mug" else applied(one)
        for one, (name, _) in zip(claimed, wanted(claimed), strict=True)
    ]
    assert settle(world, store, claimed, *outcomes) is False
    assert world.listing(store, "mug").quarantine_reason == "the product is a bundle"
    assert world.due(store, "cup") is None
    assert claim(world, store) == []


def test_a_dry_run_settles_the_listing_and_believes_nothing_new(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    settle(world, store, claimed, outcome(claimed[0], PushStatus.PLANNED))
    row = world.listing(store, "mug")
    assert (row.believed, row.published, world.due(store, "mug")) == (12, None, None)


def test_every_attempt_leaves_its_evidence(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    world.polled(store, at(60))
    pushed(world, store)
    (row,) = world.ask("SELECT * FROM push WHERE merchant_id = :merchant_id")
    assert (row.believed, row.wanted, row.status, row.shown, row.observed) == (12, 20, "applied", 20, 12)
    assert row.orders_known_until == at(60)
    assert row.own_ms >= 0


def test_time_spent_waiting_for_the_store_is_not_ours(world: World) -> None:
    store = world.stocked("mug", units=20, shown=12)
    claimed = claim(world, store)
    now = wall_clock()
    asked_at = claimed[0].stale_since + timedelta(milliseconds=40)
    with world.db.begin(1, actor="test") as tx:
        pushes.settle(tx, store, claimed, [applied(claimed[0])], Timing(asked_at, asked_at, tx.now, at(0)))
    (row,) = world.ask("SELECT own_ms, settled_at FROM push WHERE merchant_id = :merchant_id")
    assert row.own_ms == 40
    assert row.settled_at >= now


# ---- who is woken


@pytest.mark.parametrize(
    ("mode", "paused", "woken"),
    [
        (StoreMode.LIVE, False, True),
        (StoreMode.LIVE, True, False),
        (StoreMode.DRY_RUN, False, True),
        (StoreMode.OBSERVE, False, False),
        (StoreMode.OFF, False, False),
    ],
)
def test_only_a_store_that_may_be_written_to_has_its_pushes_woken(
    world: World, mode: StoreMode, paused: bool, woken: bool
) -> None:
    store = world.stocked("mug", units=20)
    with world.db.begin(1, actor="test") as tx:
        stores.set_mode(tx, store, mode)
        stores.set_paused(tx, [store], paused)
        tx.run("DELETE FROM work WHERE merchant_id = :merchant_id")
    world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    assert bool(world.work("push")) is woken
    assert world.due(store, "mug") is not None


def test_listings_believed_to_show_a_wrong_number_are_found(world: World) -> None:
    store = world.stocked("mug", "cup", "plate", units=20)
    pushed(world, store)
    world.tell("UPDATE listing SET believed = 19 WHERE merchant_id = :merchant_id AND sku = 'mug'")
    world.tell("UPDATE listing SET believed = NULL WHERE merchant_id = :merchant_id AND sku = 'cup'")
    with world.db.begin(1, actor="test") as tx:
        assert pushes.mark_wrong(tx, store) == 2
    assert sorted(wanted(claim(world, store))) == [("cup", 20), ("mug", 20)]


def test_a_listing_that_was_stale_for_months_is_settled_like_any_other(world: World) -> None:
    """A store may be watched for long before it goes live."""
    store = world.stocked("mug", units=20, shown=12)
    world.tell("UPDATE push_due SET stale_since = stale_since - interval '90 days' WHERE merchant_id = :merchant_id")
    pushed(world, store)
    assert world.due(store, "mug") is None


def test_an_order_heard_of_months_ago_is_applied_like_any_other(world: World) -> None:
    store = world.stocked("mug", units=20)
    pushed(world, store)
    world.hear(store, order(line("mug", 1)), heard_at=wall_clock() - timedelta(days=90))
    assert world.due(store, "mug").heard_own_ms >= timedelta(days=90).total_seconds() * 1000


def test_a_hold_that_came_and_went_ends_at_the_same_number(world: World) -> None:
    store = world.stocked("mug", units=20)
    pushed(world, store)
    world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    world.do(EndHold("h"))
    assert wanted(claim(world, store)) == [("mug", 20)]

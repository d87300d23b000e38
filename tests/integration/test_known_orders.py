"""How far a store's orders are known, and listings that wait for orders to explain what the store shows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from core import marks, pushes, stores, work
from core.model import PushStatus, StoreMode
from core.sales.holds import Hold
from core.transaction import wall_clock
from core.work import Want
from tests.builders import FAR_OFF, World, at
from tests.integration.race_acts import crosswise
from tests.integration.test_pushes import claim, outcome, settle


def known_until(world: World, store: int) -> Any:
    (one, *_) = claim(world, store)
    return one.intent.orders_known_until


@pytest.fixture
def shop(world: World) -> int:
    """A store whose orders were never listed."""
    return world.stocked("mug", units=20, shown=12)


def poll(world: World, store: int, read_at: datetime, *listed: str) -> None:
    """A poll that finds these orders new, complete up to ``read_at`` by the store's clock."""
    with world.db.begin(1, actor="test") as tx:
        work.want(tx, [Want("order", store, order_id) for order_id in listed])
        stores.polled(tx, store, read_at)


def hint(world: World, store: int, due_at: datetime | None = None) -> None:
    with world.db.begin(1, actor="test") as tx:
        work.want(tx, [Want("order", store, "1001", due_at)])


def fetched(world: World, store: int) -> None:
    """All orders that wanted it are fetched and applied."""
    with world.db.begin(1, actor="test") as tx:
        work.settle(tx, work.claim(tx, "order", store, limit=9, lease_s=60))


def give_back(world: World, store: int, *, counts: bool) -> None:
    with world.db.begin(1, actor="test") as tx:
        leases = work.claim(tx, "order", store, limit=9, lease_s=60)
        work.postpone(tx, leases, delay_s=60, reason="the store asks us to wait", counts=counts)


def test_orders_are_known_up_to_the_poll_when_it_found_nothing_new(world: World, shop: int) -> None:
    poll(world, shop, at(60))
    assert known_until(world, shop) == at(60)


def test_orders_are_known_up_to_the_poll_once_all_it_listed_is_applied(world: World, shop: int) -> None:
    poll(world, shop, at(60), "1001")
    assert known_until(world, shop) is None
    fetched(world, shop)
    assert known_until(world, shop) == at(60)


def test_a_hint_after_the_poll_takes_nothing_from_what_the_poll_knew(world: World, shop: int) -> None:
    poll(world, shop, at(60))
    hint(world, shop)
    assert known_until(world, shop) == at(60)


def test_another_stores_open_order_does_not_matter(world: World, shop: int) -> None:
    hint(world, world.store("Market"))
    poll(world, shop, at(60))
    assert known_until(world, shop) == at(60)


def test_an_unpaid_order_to_be_looked_at_later_hides_nothing(world: World, shop: int) -> None:
    hint(world, shop, due_at=wall_clock() + timedelta(hours=1))
    poll(world, shop, at(60))
    assert known_until(world, shop) == at(60)


@pytest.mark.parametrize("counts", [False, True], ids=["throttled", "failed"])
def test_an_order_whose_fetch_is_put_off_is_still_open(world: World, shop: int, counts: bool) -> None:
    poll(world, shop, at(60), "1001")
    give_back(world, shop, counts=counts)
    assert known_until(world, shop) is None
    hint(world, shop)
    assert known_until(world, shop) is None, "another hint for it changes nothing"


def test_what_was_known_before_stays_known_while_new_orders_are_fetched(world: World, shop: int) -> None:
    poll(world, shop, at(60))
    poll(world, shop, at(120), "1001")
    assert known_until(world, shop) == at(60)


def test_what_a_poll_knew_is_not_forgotten_when_an_older_order_is_due_for_another_look(world: World, shop: int) -> None:
    hint(world, shop, due_at=wall_clock() + timedelta(hours=1))
    poll(world, shop, at(60))
    world.db.clock = lambda: wall_clock() + timedelta(hours=2)
    assert known_until(world, shop) == at(60)


def test_a_store_that_was_not_heard_for_a_while_is_known_of_nothing(world: World, shop: int) -> None:
    poll(world, shop, at(60))
    with world.db.begin(1, actor="test") as tx:
        stores.blind(tx, [shop])
    assert known_until(world, shop) is None
    poll(world, shop, at(90))
    assert known_until(world, shop) == at(90)


# ---- listings that wait for orders


def unexplained(world: World, store: int, observed_at: datetime | None, number: int = 11, **told: Any) -> None:
    """What is stale is pushed, and the store shows a number that nothing known explains."""
    (one,) = claim(world, store)
    told = {"status": PushStatus.STALE, "pull_orders": True, **told}
    settle(world, store, [one], outcome(one, shown=number, observed=number, observed_at=observed_at, **told))
    world.tell("DELETE FROM work WHERE merchant_id = :merchant_id AND topic = 'push'")


@pytest.mark.parametrize("known", [90, 120], ids=["earlier", "up to the read itself"])
def test_a_poll_that_knows_too_little_leaves_a_listing_waiting(world: World, shop: int, known: int) -> None:
    unexplained(world, shop, at(120))
    waits = world.due(shop, "mug")
    poll(world, shop, at(known))
    assert world.due(shop, "mug") == waits
    assert world.work("push") == []


def test_a_poll_that_knows_enough_ends_the_wait_at_once(world: World, shop: int) -> None:
    unexplained(world, shop, at(120))
    waits = world.due(shop, "mug")
    poll(world, shop, at(121))
    due = world.due(shop, "mug")
    assert (due.not_before, due.until_known, due.tries) == (None, None, waits.tries)
    assert waits.stale_since < due.tryable_since < waits.tryable_since
    assert world.work("push") == [""]
    assert len(claim(world, shop)) == 1


def test_a_poll_whose_orders_are_not_applied_yet_knows_too_little_and_the_next_one_enough(
    world: World, shop: int
) -> None:
    unexplained(world, shop, at(120))
    poll(world, shop, at(130), "1001")
    assert world.due(shop, "mug").until_known == at(120)
    fetched(world, shop)
    poll(world, shop, at(110))
    assert world.due(shop, "mug").until_known is None


def test_a_poll_ends_the_waits_of_its_own_store_only(world: World, shop: int) -> None:
    unexplained(world, shop, at(120))
    poll(world, world.store("Market"), at(300))
    assert world.due(shop, "mug").until_known == at(120)


def test_a_number_read_twice_waits_for_what_explains_its_first_read(world: World, shop: int) -> None:
    for seconds in (120, 180):
        world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
        unexplained(world, shop, at(seconds))
    assert world.due(shop, "mug").until_known == world.listing(shop, "mug").observed_at == at(120)


def test_another_number_waits_for_what_explains_its_own_read(world: World, shop: int) -> None:
    for seconds, number in ((120, 11), (180, 10)):
        world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
        unexplained(world, shop, at(seconds), number)
    assert world.due(shop, "mug").until_known == world.listing(shop, "mug").observed_at == at(180)


@pytest.mark.parametrize(
    ("seen_at", "told"), [(at(120), {"status": PushStatus.RETRY, "pull_orders": False}), (None, {})]
)
def test_any_poll_ends_a_wait_that_is_not_for_orders_up_to_some_instant(
    world: World, shop: int, seen_at: datetime | None, told: dict[str, Any]
) -> None:
    unexplained(world, shop, seen_at, **told)
    assert claim(world, shop) == []
    poll(world, shop, at(60))
    assert len(claim(world, shop)) == 1


def test_a_listing_whose_orders_stay_unknown_is_looked_at_again_in_its_time(world: World, shop: int) -> None:
    unexplained(world, shop, at(120))
    world.db.clock = lambda: wall_clock() + timedelta(minutes=1)
    assert len(claim(world, shop)) == 1


def test_a_listing_that_moved_while_it_was_pushed_waits_for_nothing(world: World, shop: int) -> None:
    (one,) = claim(world, shop)
    world.do(Hold("h", {world.item("mug"): 5}, FAR_OFF))
    stale = outcome(one, PushStatus.STALE, shown=11, observed=11, observed_at=at(120), pull_orders=True)
    settle(world, shop, [one], stale)
    due = world.due(shop, "mug")
    assert (due.not_before, due.until_known) == (None, None)


# ---- rows are taken in one order


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def test_a_mode_is_changed_while_a_round_of_pushes_asks_for_orders(
    world: World, pool: ThreadPoolExecutor, shop: int
) -> None:
    """The round takes the poll's row, then looks how far orders are known; the change takes the store's row first."""
    poll(world, shop, at(60), "1001")
    fetched(world, shop)
    crosswise(
        world,
        pool,
        lambda tx: stores.pull(tx, shop),
        lambda tx: pushes.claim(tx, shop, limit=9),
        lambda tx: stores.set_mode(tx, shop, StoreMode.DRY_RUN),
    )
    with world.db.begin(1, actor="test") as tx:
        assert stores.get(tx, shop).mode is StoreMode.DRY_RUN
    assert world.scalar("SELECT revision FROM work WHERE topic = 'poll'") == 2, "both want the orders"


def test_a_poll_ends_waits_while_an_order_marks_the_same_listings(world: World, pool: ThreadPoolExecutor) -> None:
    store = world.stocked("first", "second", units=20, shown=12)
    claimed = claim(world, store)
    settle(world, store, claimed, *(outcome(one, PushStatus.RETRY) for one in claimed))
    low, high = sorted(one.intent.listing_id for one in claimed)
    crosswise(
        world,
        pool,
        lambda tx: marks.stale(tx, (), [low], ()),
        lambda tx: marks.stale(tx, (), [high], ()),
        lambda tx: stores.polled(tx, store, at(60)),
    )
    assert len(claim(world, store)) == 2

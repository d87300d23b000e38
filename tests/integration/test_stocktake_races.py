"""A stocktake is posted while others correct the same books, sell, count and post, or dies: nothing is taken twice."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from core import ledger
from core.errors import Refused
from core.goods.adjusting import SetOnShelf
from core.ledger import Batch
from core.stocktake import entering, papers, posting
from core.stocktake.entering import Counted
from core.stocktake.opening import Choice
from core.stocktake.papers import LineKey
from core.stocktake.posting import Due, PostCounts
from tests.builders import World
from tests.integration.place_acts import place, tell
from tests.integration.race_acts import somebody_waits
from tests.integration.test_stocktake import enter, find, post, sell, start

SKUS = tuple(f"mug{n}" for n in range(8))


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Results, in the order of the acts; a refusal is one."""
    begin, results = threading.Barrier(len(acts)), list[Any]([None] * len(acts))

    def run(n: int, act: Callable[[], Any]) -> None:
        begin.wait()
        try:
            results[n] = act()
        except Refused as refused:
            results[n] = refused

    threads = [threading.Thread(target=run, args=one) for one in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def count_all(world: World, units: int, *, number: str = "S-1", counter: str = "ann") -> None:
    """So many of each item."""
    spot = place(world, "MAIN")
    tell(world, entering.enter, number, [Counted(spot, world.item(sku), units) for sku in SKUS], counter)


def test_who_corrects_the_books_between_our_look_and_our_locks_is_not_overlooked(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)
    enter(world, mug=8)
    told: list[Any] = []
    poster = threading.Thread(target=lambda: told.append(post(world, leave_out=True)))

    with world.db.begin(world.merchant_id, actor="test") as tx:
        home = ledger.home_of(world.db, world.merchant_id)
        correction = SetOnShelf("s", "seen", world.item("mug"), 8)
        Batch(tx, home, careful=True).apply({0: correction}, {0: frozenset()})
        poster.start()
        for _ in range(1_000):
            if somebody_waits(world):
                break
            time.sleep(0.01)
        else:
            raise AssertionError("posting did not come to our locks")
    poster.join()

    assert world.on_hand("mug")[0] == 8
    assert told[0].left_out == {"corrected": 1}


def test_without_a_second_look_the_same_units_would_be_missing_twice(world: World) -> None:
    """The control of the test above: the command alone, as it was decided on before the correction."""
    world.stocked("mug", units=10)
    row = start(world)
    enter(world, mug=8)
    spot, mug = place(world, "MAIN"), world.item("mug")
    due = Due(LineKey(spot.bin_id, *mug), -2, world.db.clock(), 0)
    world.do(SetOnShelf("s", "seen", mug, 8))

    world.do(PostCounts(row, [due], {spot.bin_id: spot}))

    assert world.on_hand("mug")[0] == 6


def test_two_who_post_at_once_book_once(world: World) -> None:
    world.stocked(*SKUS, units=10)
    start(world)
    count_all(world, 8)

    at_once(*[lambda: post(world, lines_at_once=2)] * 3)

    assert [world.on_hand(sku)[0] for sku in SKUS] == [8] * len(SKUS)
    assert find(world).state == "posted"


def test_sales_and_corrections_beside_the_posting_end_at_the_truth(world: World) -> None:
    """Eight were there of each; one of each is sold, and of some somebody says so beside the stocktake."""
    store_id = world.stocked(*SKUS, units=10)
    start(world)
    count_all(world, 8)

    def sell_all() -> None:
        for sku in SKUS:
            sell(world, store_id, sku, 1)

    def correct() -> None:
        for sku in reversed(SKUS[:4]):
            world.do(SetOnShelf(f"s/{sku}", "seen", world.item(sku), 8))

    at_once(lambda: post(world, lines_at_once=1, leave_out=True), sell_all)
    assert [world.on_hand(sku)[0] for sku in SKUS] == [7] * len(SKUS)

    start(world, number="S-2")
    count_all(world, 8, number="S-2")
    at_once(lambda: post(world, "S-2", lines_at_once=1, leave_out=True), correct)
    assert [world.on_hand(sku)[0] for sku in SKUS] == [8] * len(SKUS)


def test_two_who_count_at_once_both_stand(world: World) -> None:
    world.stocked(*SKUS, units=10)
    start(world)

    at_once(*(partial(count_all, world, 9, counter=counter) for counter in ("ann", "bob", "cem")))

    assert find(world).revision == 3
    counts = "SELECT count(*) FROM stocktake_count WHERE merchant_id = :merchant_id AND stands"
    assert world.scalar(counts) == 3 * len(SKUS)
    assert post(world).missing == len(SKUS)


def test_who_cancels_and_who_posts_at_once_do_not_both(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)
    enter(world, mug=8)

    posted, cancelled = at_once(lambda: post(world), lambda: tell(world, papers.cancel, "S-1", "late"))

    assert isinstance(posted, Refused) != isinstance(cancelled, Refused)
    assert world.on_hand("mug")[0] == (10 if cancelled is True else 8)


def test_a_line_whose_item_became_a_bundle_is_left_out(world: World) -> None:
    world.listings(world.stocked("mug", units=10), "set")
    start(world)
    enter(world, mug=9, set=2)
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND sku = 'set'")

    posted = post(world, leave_out=True)

    assert posted.left_out == {"corrected": 1}
    assert (world.on_hand("mug")[0], world.on_hand("set")[0]) == (9, 0)


def test_posting_twice_books_once(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)
    enter(world, mug=9)

    first, again = post(world), post(world)

    assert not first.repeated
    assert again.repeated
    assert (again.found, again.missing) == (first.found, first.missing)
    assert world.on_hand("mug")[0] == 9


def test_what_was_stopped_half_way_is_ended_by_posting_again(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=10)
    start(world)
    enter(world, mug=9, cup=8, pot=7)
    lives = iter(range(2))  # transactions

    def clock() -> datetime:
        if next(lives, None) is None:
            raise InterruptedError
        return world.db.clock()

    mortal = replace(world.db, clock=clock)
    with pytest.raises(InterruptedError):
        posting.post(mortal, world.merchant_id, "S-1", actor="test", lines_at_once=1)
    assert find(world).state == "posting"
    assert sum(world.on_hand(sku)[0] for sku in ("mug", "cup", "pot")) < 30
    with pytest.raises(Refused, match="being posted"):
        enter(world, mug=10)

    posted = post(world, lines_at_once=1)

    assert (posted.missing, posted.documents) == (6, 3)
    assert [world.on_hand(sku)[0] for sku in ("mug", "cup", "pot")] == [9, 8, 7]


def frozen(world: World) -> bool:
    return bool(world.scalar("SELECT bool_or(frozen) FROM bin WHERE merchant_id = :merchant_id"))


def test_a_bin_stays_frozen_until_the_last_count_that_asked_for_it_ends(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    for number, sku in {"S-1": "mug", "S-2": "cup"}.items():
        start(world, number=number, choice=Choice(item_ids=[world.item(sku).item_id]), freeze=True)

    tell(world, papers.cancel, "S-1", "only looking")
    assert frozen(world)

    enter(world, number="S-2", cup=10)
    post(world, "S-2")
    assert not frozen(world)


def test_a_bin_that_somebody_froze_by_hand_stays_frozen(world: World) -> None:
    world.stocked("mug", units=10)
    world.tell("UPDATE bin SET frozen = true WHERE merchant_id = :merchant_id")
    start(world, freeze=True)

    tell(world, papers.cancel, "S-1", "only looking")

    assert frozen(world)
    world.tell("UPDATE bin SET frozen = false WHERE merchant_id = :merchant_id")

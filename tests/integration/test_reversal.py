"""Documents entered by mistake are taken back: exactly where that is possible, by their opposite where it is not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from core.errors import NotFound, Refused
from core.goods.adjusting import Lose, Unblock
from core.goods.receiving import Receive
from core.rehearsal import rehearse
from core.reversing import NeedsForce, Reverse, Reversed, read_document
from core.sales.holds import Hold
from core.sales.locks import ReleaseLock
from core.sales.pools import ClosePool, Collect, OpenPool
from core.stock import DocumentKind, Pool, PoolKind
from tests.builders import FAR_OFF, Units, World, line, order
from tests.conftest import Logins, violations
from tests.integration import lock_acts
from tests.integration.lock_acts import main, shared
from tests.integration.race_acts import together


def posted(world: World, kind: str) -> int:
    """The newest document of a kind."""
    return int(
        world.scalar("SELECT max(id) FROM document WHERE merchant_id = :merchant_id AND kind = :kind", kind=kind)
    )


def reversal(world: World, document_id: int, *, force: bool = False) -> Reverse:
    with world.db.begin(1, actor="test") as tx:
        return Reverse(read_document(tx, document_id), "entered twice", force)


def take_back(world: World, kind: str, *, force: bool = False) -> Reversed:
    result: Reversed = world.do(reversal(world, posted(world, kind), force=force))
    return result


def balances(world: World) -> list[tuple[Any, ...]]:
    """Every bucket that is not empty, in all layers."""
    return [
        tuple(row)
        for row in world.ask(
            """SELECT 'w', item_id, grade, bin_id, available, picking, unavailable, 0 FROM warehouse_balance
               WHERE merchant_id = :merchant_id AND available + picking + unavailable > 0
               UNION ALL SELECT 'd', item_id, grade, warehouse_id, available, locked, unavailable, allocated
               FROM dispatch_balance WHERE merchant_id = :merchant_id AND available + locked + unavailable > 0
               UNION ALL SELECT 's', item_id, grade, pool_id, free, reserved, sold, backordered FROM sales_balance
               WHERE merchant_id = :merchant_id AND free + reserved + sold + backordered > 0 ORDER BY 1, 2, 3, 4"""
        )
    ]


def promised(world: World) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in world.ask(
            """SELECT order_id, pool_id, waiting, live, shipped, released, broken, backorder FROM promise
               WHERE merchant_id = :merchant_id AND wanted > 0 ORDER BY id"""
        )
    ]


def lose(world: World, sku: str, units: int, kind: DocumentKind = DocumentKind.MISSING) -> None:
    world.do(Lose(f"{kind}/{world.next_seq()}", "gone", kind, {world.item(sku): units}))


def channel_pool(world: World, sku: str, units: int, store: int) -> int:
    with world.db.begin(1, actor="test") as tx:
        pool_id = tx.new_id()
    world.do(OpenPool(Pool(pool_id, PoolKind.CHANNEL, "OUTLET", store), {world.item(sku): units}))
    return pool_id


@dataclass(frozen=True)
class Mistake:
    """What was entered, after which everything is to be as it was before."""

    kind: str
    enter: Callable[[World, int], object]

    def __str__(self) -> str:
        return self.kind


MISTAKES = [
    Mistake("receipt", lambda world, store: world.receive("mug", 400)),
    Mistake("found", lambda world, store: world.receive("mug", 4, DocumentKind.FOUND)),
    Mistake("missing", lambda world, store: lose(world, "mug", 2)),
    Mistake("scrap", lambda world, store: world.do(
        Unblock("scrap/1", "broken", DocumentKind.SCRAP, {world.item("mug"): 2}))),
    Mistake("deal", lambda world, store: channel_pool(world, "mug", 3, store)),
    Mistake("lock", lambda world, store: lock_acts.lock(world, "vip", "mug", 2)),
    Mistake("lock", lambda world, store: lock_acts.lock(world, "pallet", "mug", 2, warehouse_id=main(world))),
]  # fmt: skip


def shop(world: World) -> int:
    """Ten mugs: two damaged, three sold, one of an open hold, four free."""
    store = world.stocked("mug", units=10)
    lose(world, "mug", 2, DocumentKind.DAMAGE)
    world.hear(store, order(line("mug", 3), paid=True))
    world.do(Hold("cart", {world.item("mug"): 1}, FAR_OFF))
    return store


# ---- swapped


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_document_taken_back_at_once_leaves_nothing_of_it(world: World, mistake: Mistake) -> None:
    store = shop(world)
    before = balances(world), promised(world)
    mistake.enter(world, store)
    assert (balances(world), promised(world)) != before
    done = take_back(world, mistake.kind)
    assert (done.kind, done.obstacles, done.losses) == (DocumentKind.REVERSAL, (), ())
    assert (balances(world), promised(world)) == before
    (document,) = world.ask("SELECT * FROM document WHERE merchant_id = 1 AND id = :id", id=done.document_id)
    assert (document.corrects_id, document.reason) == (posted(world, mistake.kind), "entered twice")


def test_a_collection_is_taken_back_into_its_pool(world: World) -> None:
    store = shop(world)
    pool_id = channel_pool(world, "mug", 3, store)
    before = balances(world)
    world.do(Collect(pool_id, "back", {world.item("mug"): 2}))
    assert take_back(world, "collect").kind is DocumentKind.REVERSAL
    assert balances(world) == before


def test_a_loss_that_broke_promises_and_emptied_a_lock_brings_both_back(world: World) -> None:
    store = shop(world)
    lock_acts.lock(world, "vip", "mug", 3, priority=1)
    before = balances(world), promised(world), lock_acts.row(world, "vip").waiting
    lose(world, "mug", 7)
    assert len(world.incidents()) == 2
    assert lock_acts.pool(world, "vip") == Units(backordered=3)
    take_back(world, "missing")
    assert (balances(world), promised(world), lock_acts.row(world, "vip").waiting) == before
    assert world.incidents() == []
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert world.on_hand("mug") == (5, 2)


def test_a_promise_of_another_pool_goes_back_to_it(world: World) -> None:
    store = world.stocked("mug", units=3)
    lock_acts.lock(world, "channel", "mug", 3, type="channel", store_id=store)
    world.hear(store, order(line("mug", 3), paid=True))
    before = balances(world), promised(world)
    lose(world, "mug", 2)
    assert shared(world, "mug") == Units(backordered=2)
    take_back(world, "missing")
    assert (balances(world), promised(world)) == before
    world.hear(store, order(line("mug", 3, shipped=3), paid=True))
    assert world.on_hand("mug") == (0, 0)


def test_a_lock_that_is_taken_back_has_ended_and_its_job_does_not_start_it_again(world: World) -> None:
    world.stocked("mug", units=5)
    lock_acts.lock(world, "vip", "mug", 8)
    take_back(world, "lock")
    row = lock_acts.row(world, "vip")
    assert (row.status, row.waiting, row.reason) == ("closed", 0, "entered twice")
    world.receive("mug", 5)
    assert shared(world, "mug").free == 10


# ---- when it is too late for that


def test_what_a_forced_reversal_scrapped_comes_back_with_the_rest(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    receipt = world.do(Receive("r", DocumentKind.RECEIPT, {mug: 1}, damaged={mug: 1}))
    world.do(Hold("h", {mug: 1}, FAR_OFF))
    forced = world.do(reversal(world, receipt, force=True))
    world.receive("mug", 1)

    world.do(reversal(world, forced.document_id))

    assert world.on_hand("mug") == (2, 1)


def test_a_receipt_whose_units_are_partly_sold_needs_force_and_says_who_would_lose(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.receive("mug", 10)
    world.hear(store, order(line("mug", 7), paid=True))
    wrong = reversal(world, posted(world, "receipt"))
    with pytest.raises(NeedsForce, match="only 3 of its units are free in pool shared"):
        world.do(wrong)
    assert world.units("mug") == Units(free=3, sold=7)

    forced = reversal(world, posted(world, "receipt"), force=True)
    told = rehearse(world.db, 1, forced, actor="test")
    done = world.do(forced)
    assert told.losses == done.losses
    assert [(loss.units, loss.promise is not None) for loss in done.losses] == [(3, False), (7, True)]
    assert (done.kind, world.units("mug")) == (DocumentKind.MISSING, Units(backordered=7))
    assert world.scalar("SELECT corrects_id FROM document WHERE merchant_id = 1 AND id = :id", id=done.document_id) == (
        posted(world, "receipt")
    )


def test_a_receipt_that_served_a_backorder_takes_the_newest_promise_back(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 2), external_id="waited", paid=True))
    world.receive("mug", 5)
    world.hear(store, order(line("mug", 3), external_id="newer", paid=True))
    take_back(world, "receipt", force=True)
    assert world.units("mug") == Units(backordered=5)


def test_a_receipt_of_which_units_have_left_the_house_is_counted_instead(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.receive("mug", 5)
    world.hear(store, order(line("mug", 2, shipped=2), paid=True))
    with pytest.raises(Refused, match="know of 3 on the shelf, so 5 cannot be gone; count"):
        take_back(world, "receipt", force=True)


def test_damaged_units_of_a_receipt_leave_with_it(world: World) -> None:
    store = world.stocked("mug", units=1)
    world.do(Receive("pallet", DocumentKind.RECEIPT, {world.item("mug"): 4}, damaged={world.item("mug"): 2}))
    world.hear(store, order(line("mug", 5), paid=True))
    take_back(world, "receipt", force=True)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(sold=1, backordered=4), (1, 0))


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda world, store: world.hear(store, order(line("mug", 3, cancelled=3), paid=True)),
        lambda world, store: world.hear(store, order(line("mug", 3))),
        lambda world, store: world.receive("mug", 1),
    ],
    ids=["cancelled", "no longer paid", "partly filled"],
)
def test_a_loss_whose_promises_have_changed_since_is_found_again(
    world: World, meanwhile: Callable[[World, int], None]
) -> None:
    store = world.stocked("mug", units=3)
    world.hear(store, order(line("mug", 3), paid=True))
    lose(world, "mug", 2)
    meanwhile(world, store)
    before = world.on_hand("mug")[0]
    done = take_back(world, "missing")
    assert done.kind is DocumentKind.FOUND
    assert "has changed since" in done.obstacles[0]
    assert world.on_hand("mug")[0] == before + 2
    assert (world.units("mug").backordered, world.incidents()) == (0, [])


def test_a_loss_from_a_lock_that_has_ended_is_found_in_the_shared_pool(world: World) -> None:
    world.stocked("mug", units=3)
    lock_acts.lock(world, "vip", "mug", 3)
    lose(world, "mug", 2)
    world.do(ReleaseLock("vip"))
    done = take_back(world, "missing")
    assert done.kind is DocumentKind.FOUND
    assert "lock vip has changed since" in done.obstacles
    assert shared(world, "mug") == Units(free=3)


@pytest.mark.parametrize("close", [False, True])
def test_units_dealt_to_a_pool_and_promised_from_it_are_collected_instead(world: World, close: bool) -> None:
    store = world.stocked("mug", units=5)
    pool_id = channel_pool(world, "mug", 3, store)
    world.hear(store, order(line("mug", 2), paid=True))
    if close:
        world.do(ClosePool(pool_id))
    with pytest.raises(Refused, match=r"only \d of its units are free in pool OUTLET.*pool collect"):
        take_back(world, "deal", force=True)


def test_nothing_is_put_back_into_a_pool_that_has_closed(world: World) -> None:
    store = world.stocked("mug", units=5)
    pool_id = channel_pool(world, "mug", 3, store)
    world.do(Collect(pool_id, "back", {world.item("mug"): 2}))
    world.do(ClosePool(pool_id))
    document_id = world.scalar("SELECT min(id) FROM document WHERE merchant_id = :merchant_id AND kind = 'collect'")
    with pytest.raises(Refused, match="would enter pool OUTLET, which is closed"):
        world.do(reversal(world, document_id))


@pytest.mark.parametrize("change", ["sold", "released", "filled"])
def test_a_lock_that_was_used_is_released_instead(world: World, change: str) -> None:
    store = world.stocked("mug", units=5)
    lock_acts.lock(world, "vip", "mug", 6, type="channel", store_id=store)
    if change == "sold":
        world.hear(store, order(line("mug", 1), paid=True))
    elif change == "released":
        world.do(ReleaseLock("vip", units=1, ref="1"))
    else:
        world.receive("mug", 1)
    with pytest.raises(Refused, match=r"lock vip has changed since.*lock release"):
        take_back(world, "lock")


# ---- what is never taken back


def test_a_document_is_taken_back_once(world: World) -> None:
    world.stocked("mug", units=5)
    world.receive("mug", 5)
    first = take_back(world, "receipt")
    with pytest.raises(Refused, match=f"taken back before, by document {first.document_id}"):
        take_back(world, "receipt", force=True)
    with pytest.raises(Refused, match="is a reversal, which is not reversed"):
        take_back(world, "reversal")
    assert world.units("mug").free == 5


@pytest.mark.parametrize("kind", ["opening", "damage", "reservation", "deduction", "release"])
def test_other_kinds_name_what_does_it_instead(world: World, kind: str) -> None:
    store = shop(world)
    world.hear(store, order(line("mug", 3, cancelled=1), paid=True))
    with pytest.raises(Refused, match=r"is not reversed: |belongs to an order"):
        take_back(world, kind)


def test_what_an_order_found_stays_with_the_order(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 1, shipped=1), paid=True))
    with pytest.raises(Refused, match="belongs to an order"):
        take_back(world, "found")


def test_a_document_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="no document 4711"):
        reversal(world, 4711)


def test_another_merchants_document_is_not_there(world: World, logins: Logins) -> None:
    from core import catalog

    world.stocked("mug", units=0)
    world.receive("mug", 5)
    catalog.ensure_merchant(world.db, 2, name="Second shop")
    with world.db.begin(2, actor="test") as tx, pytest.raises(NotFound):
        read_document(tx, posted(world, "receipt"))


# ---- at the same time


def test_two_who_take_the_same_document_back_do_it_once(world: World) -> None:
    world.stocked("mug", units=5)
    world.receive("mug", 5)
    command = reversal(world, posted(world, "receipt"))
    results = together(lambda _: world.run(command)[0], range(8), threads=8)
    assert sum(isinstance(result, Reversed) for result in results) == 1
    assert sum(isinstance(result, Refused) for result in results) == 7
    assert world.units("mug").free == 5


@dataclass(frozen=True, slots=True)
class _Unkeyed(Reverse):
    """What a reversal would be without a key of its own."""

    number: int = 0

    @property
    def effect_key(self) -> str:
        return f"reversal/{self.document.id}/{self.number}"


def test_without_its_key_a_document_would_be_taken_back_twice(world: World) -> None:
    """The control of the test above."""
    world.stocked("mug", units=5)
    world.receive("mug", 5)
    document = reversal(world, posted(world, "receipt")).document
    together(lambda n: world.run(_Unkeyed(document, "twice", number=n))[0], range(2), threads=2)
    assert world.units("mug").free == 0


def test_a_receipt_taken_back_while_its_units_are_sold_leaves_books_that_agree(world: World, logins: Logins) -> None:
    store = world.stocked("mug", units=0)
    world.receive("mug", 20)
    forced = reversal(world, posted(world, "receipt"), force=True)
    seqs = [world.next_seq() for _ in range(30)]

    def act(n: int) -> Any:
        if n == 15:
            return world.run(forced)[0]
        return world.hear(store, order(line("mug", 1), external_id=str(n), paid=True), fetch_seq=seqs[n])

    results = together(act, range(30), threads=10)
    assert isinstance(results[15], Reversed)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(backordered=29), (0, 0))
    assert violations(logins) == []

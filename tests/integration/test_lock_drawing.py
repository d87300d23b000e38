"""What is set apart is there for whom it was set apart, and for nobody else."""

import pytest

from core.errors import InsufficientStock, LockShort, Refused
from core.goods import item_views
from core.sales.holds import Hold
from core.sales.locks import ReleaseLock
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.lock_acts import do, lock, named, pool, pool_id, shared

# ---- who may draw


def test_orders_of_its_store_draw_on_a_channel_lock_first(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 4, type="channel", store_id=store)
    world.hear(store, order(line("mug", 3), paid=True))
    assert (pool(world, "theirs"), shared(world, "mug")) == (Units(1, 0, 3), Units(6))
    world.hear(store, order(line("mug", 3), external_id="1002"))
    assert (pool(world, "theirs"), shared(world, "mug")) == (Units(0, 1, 3), Units(4, 2))


def test_orders_of_another_store_leave_a_channel_lock_alone(world: World) -> None:
    store = world.stocked("mug", units=4)
    other = world.store("Side street")
    world.listings(other, "mug")
    lock(world, "theirs", "mug", 4, type="channel", store_id=store)
    world.hear(other, order(line("mug", 3), paid=True))
    assert (pool(world, "theirs"), shared(world, "mug")) == (Units(4), Units(0, 0, 0, 3))


def test_our_own_interface_draws_on_a_main_site_lock_of_its_own(world: World) -> None:
    world.stocked("mug", units=4)
    lock(world, "site", "mug", 4, type="main_site", store_id=0)
    do(world, Hold("h", {world.item("mug"): 3}, FAR_OFF))
    assert pool(world, "site") == Units(1, 3)


def test_a_key_account_draws_on_its_lock_whatever_the_channel(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock(world, "acme", "mug", 4, account="acme")
    with pytest.raises(InsufficientStock):
        do(world, Hold("stranger", {world.item("mug"): 1}, FAR_OFF, holder="other"))
    do(world, Hold("own", {world.item("mug"): 1}, FAR_OFF, holder="acme"))
    world.hear(store, order(line("mug", 2), paid=True), holder="acme")
    assert pool(world, "acme") == Units(1, 1, 2)


@pytest.mark.parametrize("type_", ["business", "internal"])
def test_a_lock_of_no_channel_is_drawn_on_by_who_names_it(world: World, type_: str) -> None:
    store = world.stocked("mug", units=4)
    lock(world, "fair", "mug", 4, type=type_)
    world.hear(store, order(line("mug", 1), paid=True))
    assert pool(world, "fair") == Units(4)
    do(world, Hold("h", {world.item("mug"): 3}, FAR_OFF, pool_id=pool_id(world, "fair")))
    assert pool(world, "fair") == Units(1, 3)


def test_a_lock_is_not_named_by_whom_it_is_not_for(world: World) -> None:
    store = world.stocked("mug", units=12)
    lock(world, "acme", "mug", 4, account="acme")
    lock(world, "theirs", "mug", 4, type="channel", store_id=store)
    lock(world, "ours", "mug", 4, type="internal")
    for key, words, asking in (
        ("acme", "kept for one account", 0),
        ("theirs", "orders of another channel", 0),
        ("ours", "is internal", store),
    ):
        with pytest.raises(Refused, match=words):
            do(world, Hold("h", {world.item("mug"): 1}, FAR_OFF, asking, pool_id=pool_id(world, key)))
    do(world, Hold("h", {world.item("mug"): 1}, FAR_OFF, pool_id=pool_id(world, "theirs"), store_id=store))
    assert pool(world, "theirs") == Units(3, 1)


def test_a_store_shows_what_is_locked_for_it_and_not_what_is_locked_for_others(world: World) -> None:
    store = world.stocked("mug", units=10)
    other = world.store("Side street")
    world.listings(other, "mug")
    lock(world, "theirs", "mug", 4, type="channel", store_id=store)
    lock(world, "fair", "mug", 3)
    world.tell("UPDATE merchant SET sharing = 'mirror' WHERE id = :merchant_id")
    with world.db.begin(1, actor="test") as tx:
        shown = {one.store: one.wanted for one in item_views.shown_by_stores(tx, world.item("mug").item_id)}
    assert shown == {"Main street": 7, "Side street": 3}


def test_a_lock_that_begins_and_ends_has_the_stores_told(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    lock(world, "fair", "mug", 4)
    assert world.due(store, "mug") is not None
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    do(world, ReleaseLock("fair"))
    assert world.due(store, "mug") is not None


# ---- what its orders may take beside it


def test_overflow_yes_takes_what_the_lock_lacks_from_the_shared_pool(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, overflow="yes")
    do(world, named(world, "fair", 6))
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(0, 4), Units(4, 2))


def test_overflow_no_refuses_what_the_lock_lacks_and_says_how_to_raise_it(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, overflow="no")
    with pytest.raises(LockShort, match=r"lacks 2 units, and its orders may not .*`holdfast lock change fair"):
        do(world, named(world, "fair", 6))
    with pytest.raises(Refused, match="lets nothing come from other pools"):
        do(world, named(world, "fair", 6, overflow=True))
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(4), Units(6))


def test_overflow_ask_is_refused_with_its_cure_and_taken_when_said(world: World) -> None:
    world.stocked("mug", units=10)
    lock(world, "fair", "mug", 4, overflow="ask")
    with pytest.raises(LockShort, match="asks first: hold again with overflow") as asked:
        do(world, named(world, "fair", 6))
    assert (asked.value.asks, asked.value.missing) == (True, {world.item("mug"): 2})
    do(world, named(world, "fair", 6, overflow=True))
    assert (pool(world, "fair"), shared(world, "mug")) == (Units(0, 4), Units(4, 2))


@pytest.mark.parametrize("overflow", ["no", "ask"])
def test_a_key_account_keeps_to_its_lock_without_naming_it(world: World, overflow: str) -> None:
    world.stocked("mug", units=10)
    lock(world, "acme", "mug", 4, account="acme", overflow=overflow)
    with pytest.raises(LockShort):
        do(world, Hold("h", {world.item("mug"): 6}, FAR_OFF, holder="acme"))
    do(world, Hold("h", {world.item("mug"): 4}, FAR_OFF, holder="acme"))
    assert (pool(world, "acme"), shared(world, "mug")) == (Units(0, 4), Units(6))


def test_an_order_that_exists_on_a_store_is_never_refused_for_its_lock(world: World) -> None:
    store = world.stocked("mug", units=10)
    lock(world, "theirs", "mug", 4, type="channel", store_id=store, overflow="no")
    assert world.hear(store, order(line("mug", 6), paid=True)) is True
    assert (pool(world, "theirs"), shared(world, "mug")) == (Units(0, 0, 4), Units(4, 0, 2))

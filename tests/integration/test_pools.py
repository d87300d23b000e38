"""Pools that a planner makes for a channel: what is in them, who draws on them, and how units come and go."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import InsufficientStock, KeyReused, Refused
from core.goods.item_views import Shown, shown_by_stores
from core.goods.receiving import Receive
from core.rehearsal import rehearse
from core.sales.holds import Hold
from core.sales.pools import ClosePool, Collect, Deal, OpenPool, Resize, Shifted
from core.stock import MINOR_DEFECT, DocumentKind, Pool, PoolKind
from tests.builders import FAR_OFF, Units, World, line, order
from tests.pool_world import in_pool, open_pool, shared, stocked

CHANNEL, ACTIVITY = PoolKind.CHANNEL, PoolKind.ACTIVITY


# ---- pools of a channel


def test_units_of_a_channel_are_set_apart_from_all_others(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(6), Units(4))
    assert world.documents() == ["deal"]


def test_a_channel_sells_its_own_units_before_those_that_all_share(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    world.hear(berlin, order(line("mug", 6), paid=True))
    assert (shared(world, "mug"), in_pool(world, pool, "mug")) == (Units(4, sold=2), Units(sold=4))


def test_nobody_else_may_sell_the_units_of_a_channel(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    hamburg = world.store("Hamburg")
    world.listings(hamburg, "mug")
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 8}, store_id=berlin)
    world.hear(hamburg, order(line("mug", 5)))
    with pytest.raises(InsufficientStock):
        world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF))
    assert in_pool(world, pool, "mug") == Units(8)
    assert shared(world, "mug") == Units(0, reserved=2, backordered=3)


@pytest.mark.parametrize("store_id", [0, 987])
def test_a_hold_of_another_channel_that_names_the_pool_is_refused(world: World, store_id: int) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 8}, store_id=berlin)
    with pytest.raises(Refused, match="for another channel"):
        world.do(Hold("h", {world.item("mug"): 1}, FAR_OFF, store_id=store_id, pool_id=pool))
    assert in_pool(world, pool, "mug") == Units(8)


def test_units_are_dealt_and_collected_later(world: World) -> None:
    berlin = world.stocked("mug", "cup", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {}, store_id=berlin)
    assert world.do(Deal(pool, "a", stocked(world, {"mug": 6, "cup": 1}))).dealt == stocked(world, {"mug": 6, "cup": 1})
    assert world.do(Collect(pool, "b", stocked(world, {"mug": 2}))) == Shifted({}, stocked(world, {"mug": 2}))
    assert (in_pool(world, pool, "mug"), in_pool(world, pool, "cup")) == (Units(4), Units(1))
    assert shared(world, "mug") == Units(6)


def test_a_deal_that_is_told_twice_is_made_once_and_answered_alike(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {}, store_id=berlin)
    deal = Deal(pool, "a", stocked(world, {"mug": 6}))
    assert world.do(deal) == world.do(deal) == Shifted(stocked(world, {"mug": 6}), {})
    with pytest.raises(KeyReused):
        world.do(Deal(pool, "a", stocked(world, {"mug": 7})))
    with pytest.raises(KeyReused):
        world.do(Collect(pool, "a", stocked(world, {"mug": 6})))
    assert in_pool(world, pool, "mug") == Units(6)


def test_a_deal_of_more_than_is_free_deals_nothing_unless_it_takes_what_there_is(world: World) -> None:
    berlin = world.stocked("mug", "cup", units=5)
    pool = open_pool(world, "BERLIN", CHANNEL, {}, store_id=berlin)
    with pytest.raises(InsufficientStock):
        world.do(Deal(pool, "a", stocked(world, {"mug": 6, "cup": 1})))
    assert (shared(world, "mug"), shared(world, "cup")) == (Units(5), Units(5))
    best = world.do(Deal(pool, "a", stocked(world, {"mug": 6, "cup": 1}), best_effort=True))
    assert best.dealt == stocked(world, {"mug": 5, "cup": 1})


def test_promised_units_of_a_pool_are_not_collected(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    world.hear(berlin, order(line("mug", 3)))
    with pytest.raises(InsufficientStock):
        world.do(Collect(pool, "a", stocked(world, {"mug": 2})))
    assert in_pool(world, pool, "mug") == Units(1, reserved=3)


@pytest.mark.parametrize(("target", "free"), [(7, 3), (2, 8), (0, 10), (4, 6)])
def test_a_pool_is_resized_to_so_many_free_units(world: World, target: int, free: int) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    world.do(Resize(pool, "a", stocked(world, {"mug": target})))
    assert (in_pool(world, pool, "mug"), shared(world, "mug")) == (Units(target), Units(free))


def test_collected_units_serve_who_waits(world: World) -> None:
    berlin = world.stocked("mug", units=4)
    hamburg = world.store("Hamburg")
    world.listings(hamburg, "mug")
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    world.hear(hamburg, order(line("mug", 3), paid=True))
    world.do(Collect(pool, "a", stocked(world, {"mug": 4})))
    assert shared(world, "mug") == Units(1, sold=3)
    assert world.incidents() == []


def test_the_stores_show_what_is_set_apart_for_them(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    hamburg = world.store("Hamburg")
    world.listings(hamburg, "mug")
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    open_pool(world, "BERLIN", CHANNEL, {"mug": 10}, store_id=berlin)
    assert world.due(berlin, "mug") is not None
    assert world.due(hamburg, "mug") is not None
    assert [one.wanted for one in shown(world)] == [10, 0]


def shown(world: World) -> list[Shown]:
    with world.db.begin(1, actor="test") as tx:
        return list(shown_by_stores(tx, world.item("mug").item_id))


def test_each_grade_has_its_own_units_in_a_pool(world: World) -> None:
    berlin = world.stocked("mug", units=5)
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    world.do(Receive("receipt/flawed", DocumentKind.RECEIPT, {flawed: 3}))
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 2}, store_id=berlin)
    world.do(Deal(pool, "a", {flawed: 1}))
    assert (in_pool(world, pool, "mug"), in_pool(world, pool, "mug", MINOR_DEFECT)) == (Units(2), Units(1))


def test_a_code_is_used_for_one_pool(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    first = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    assert open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin) == first
    with pytest.raises(KeyReused):
        open_pool(world, "BERLIN", CHANNEL, {"mug": 5}, store_id=berlin)
    assert shared(world, "mug") == Units(6)


def test_a_bundle_is_dealt_by_its_components(world: World) -> None:
    berlin = world.stocked("set", "mug", units=0)
    world.tell(
        """INSERT INTO component (merchant_id, bundle_item_id, item_id, grade, quantity)
           VALUES (:merchant_id, :set, :mug, 'good', 2)""",
        set=world.item("set").item_id, mug=world.item("mug").item_id,
    )  # fmt: skip
    world.tell(
        "UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND id = :id", id=world.item("set").item_id
    )
    with pytest.raises(Refused, match="what bundles are made of"):
        open_pool(world, "BERLIN", CHANNEL, {"set": 1}, store_id=berlin)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"kind": PoolKind.SHARED}, "has a code"),
        ({"kind": CHANNEL}, "name its store"),
        ({"code": ""}, "has a code"),
        ({"starts_at": None}, "needs a start and an end"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(world: World, told: dict[str, Any], why: str) -> None:
    world.stocked("mug", units=10)
    pool = Pool(5, ACTIVITY, "SALE", starts_at=FAR_OFF, ends_at=FAR_OFF + timedelta(hours=1))._replace(**told)
    with pytest.raises(Refused, match=why):
        world.do(OpenPool(pool, stocked(world, {"mug": 1})))


@pytest.mark.parametrize("units", [0, -1])
def test_a_pool_of_less_than_one_unit_is_refused(world: World, units: int) -> None:
    berlin = world.stocked("mug", units=10)
    with pytest.raises(Refused, match="1 or more"):
        open_pool(world, "BERLIN", CHANNEL, {"mug": units}, store_id=berlin)


def test_the_shared_pool_is_nobodys_to_close(world: World) -> None:
    world.stocked("mug", units=10)
    shared_id = world.scalar("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'")
    for command in (ClosePool(shared_id), Deal(shared_id, "a", stocked(world, {"mug": 1}))):
        with pytest.raises(Refused, match="not changed by hand"):
            world.do(command)


def test_a_rehearsal_answers_and_leaves_nothing(world: World) -> None:
    berlin = world.stocked("mug", units=10)
    pool = open_pool(world, "BERLIN", CHANNEL, {"mug": 4}, store_id=berlin)
    back = rehearse(world.db, 1, ClosePool(pool), actor="test")
    assert back == stocked(world, {"mug": 4})
    assert in_pool(world, pool, "mug") == Units(4)
    refusal = rehearse(world.db, 1, Deal(pool, "a", stocked(world, {"mug": 7})), actor="test")
    assert isinstance(refusal, InsufficientStock)

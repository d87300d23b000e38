"""What a number depends on, read from the database: pools of a store's own, bundles, grades, inherited rules."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from core import marks, pushes
from core.model import PushStatus, Sharing, StoreMode
from core.sales.holds import Hold
from core.sales.lock_requests import ChangeLock, Changes
from core.sales.locks import ReleaseLock
from core.selling import facts
from core.selling.availability import Facts, Reach, number_to_write, steps
from core.selling.rules import Subject, listing_subject, set_rules
from core.selling.what_if import what_would_make
from core.stock import MINOR_DEFECT, DocumentKind, PoolKind
from core.transaction import Transaction
from tests.builders import FAR_OFF, World, line, order
from tests.integration.facts_acts import bundle, made_of, number, rule, set_apart, share, shops, subjects, told
from tests.integration.lock_acts import approve, ask, do, lock
from tests.integration.test_marks import counted
from tests.integration.test_pushes import applied, claim, outcome, settle, wanted

# ---- pools


@pytest.mark.parametrize("kind", [PoolKind.CHANNEL, PoolKind.ACTIVITY])
def test_a_store_shows_its_own_pools_beside_the_shared_one_and_nobody_else_does(world: World, kind: PoolKind) -> None:
    one, two = shops(world, "mug", units=20)
    set_apart(world, kind, "mug", 8, one)
    assert (number(world, one, "mug"), number(world, two, "mug")) == (20, 12)


def test_an_activity_of_every_store_is_shown_by_all(world: World) -> None:
    one, two = shops(world, "mug", units=20)
    set_apart(world, PoolKind.ACTIVITY, "mug", 8, None)
    assert (number(world, one, "mug"), number(world, two, "mug")) == (20, 20)


def test_a_pool_counts_inside_its_window_alone(world: World) -> None:
    (one, _), now = shops(world, "mug", units=20), world.db.clock()
    hour = timedelta(hours=1)
    set_apart(world, PoolKind.CHANNEL, "mug", 3, one, starts_at=now - hour, ends_at=now + hour)
    set_apart(world, PoolKind.CHANNEL, "mug", 4, one, starts_at=now + hour)
    set_apart(world, PoolKind.CHANNEL, "mug", 5, one, ends_at=now - hour)
    assert number(world, one, "mug") == 8 + 3


def test_a_presale_is_a_step_of_its_own(world: World) -> None:
    one, two = shops(world, "mug")
    set_apart(world, PoolKind.PRESALE, "mug", 40, one)
    assert [(step.name, step.number) for step in steps(told(world, one, "mug"))] == [
        ("free", 0), ("deal", 0), ("presale", 40), ("sellable", 40),
    ]  # fmt: skip
    assert number(world, two, "mug") == 0


def test_dealt_out_units_and_those_of_a_stores_own_pool_add_up_to_what_is_there(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = shops(world, "mug", units=11)
    set_apart(world, PoolKind.CHANNEL, "mug", 5, one)
    assert sorted([number(world, one, "mug"), number(world, two, "mug")]) == [3, 8]


def test_what_a_store_shows_of_its_own_pool_keeps_no_other_store_waiting(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = shops(world, "mug", units=10)
    set_apart(world, PoolKind.CHANNEL, "mug", 6, one)
    first = claim(world, one)
    settle(world, one, first, *(applied(each) for each in first))

    (late,) = claim(world, two)

    assert wanted(first) == [("mug", 8)]
    assert (late.intent.wanted, late.short) == (2, False)


def test_a_rise_by_an_own_pool_waits_for_nobody(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = shops(world, "mug", units=10)
    world.tell("UPDATE listing SET believed = 10 WHERE merchant_id = :merchant_id AND store_id = :id", id=two)
    set_apart(world, PoolKind.CHANNEL, "mug", 6, one)

    (rise,) = claim(world, one)

    assert (rise.intent.wanted, rise.short) == (6, True), "the 4 shared ones may still be shown by the other store"


def test_a_lock_for_a_store_is_shown_there_and_any_other_lock_nowhere(world: World) -> None:
    one, two = shops(world, "mug", units=20)
    lock(world, "vip", "mug", 2)
    lock(world, "for-one", "mug", 5, type="channel", store_id=one)
    ask(world, "asked-for", "mug", 4, type="channel", store_id=two)

    assert (number(world, one, "mug"), number(world, two, "mug")) == (18, 13)
    assert {(source.pool, source.units, source.reach) for source in told(world, two, "mug").sources} == {
        ("vip", 2, Reach.OTHER), ("for-one", 5, Reach.OTHER),
    }  # fmt: skip
    assert [change.words for change in what_would_make(told(world, two, "mug"), 15).changes][:3] == [
        "receive 2 units", "release 2 units of lock vip", "release 2 units of lock for-one",
    ]  # fmt: skip


@pytest.mark.parametrize("overflow", ["no", "ask"])
def test_a_lock_that_lets_nothing_else_in_keeps_its_store_to_itself(world: World, overflow: str) -> None:
    one, two = shops(world, "mug", units=20)
    share(world, Sharing.ESCROW)
    lock(world, "web", "mug", 5, type="channel", store_id=one, overflow=overflow)

    assert (number(world, one, "mug"), number(world, two, "mug")) == (5, 15)
    world.do(Hold("all", {world.item("mug"): 5}, FAR_OFF, store_id=one))
    assert (number(world, one, "mug"), number(world, two, "mug")) == (0, 15)
    (way,) = what_would_make(told(world, one, "mug"), 8).changes
    assert (way.what, way.words) == (
        "overflow", "let orders of lock web take what everybody shares (overflow yes)"
    )  # fmt: skip


def test_the_widest_of_a_stores_locks_decides_whether_it_shows_what_everybody_shares(world: World) -> None:
    one, two = shops(world, "mug", units=20)
    lock(world, "narrow", "mug", 5, type="channel", store_id=one, overflow="no")
    lock(world, "wide", "mug", 3, type="channel", store_id=one)
    assert (number(world, one, "mug"), number(world, two, "mug")) == (20, 12)


def test_a_lock_that_begins_ends_or_lets_more_in_marks_what_its_store_shows(world: World) -> None:
    one, _ = shops(world, "mug", units=20)
    share(world, Sharing.MIRROR)
    ask(world, "web", "mug", 5, type="channel", store_id=one, overflow="no")

    def marked(act: Callable[[], object]) -> bool:
        world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
        act()
        return world.due(one, "mug") is not None

    assert marked(lambda: approve(world, "web"))
    world.do(Hold("all", {world.item("mug"): 5}, FAR_OFF, store_id=one))
    assert marked(lambda: do(world, ChangeLock("web", Changes(overflow="yes"), "1", as_owner=True)))
    assert number(world, one, "mug") == 15
    assert marked(lambda: do(world, ChangeLock("web", Changes(overflow="no"), "2")))
    assert number(world, one, "mug") == 0
    assert marked(lambda: do(world, ReleaseLock("web")))
    assert number(world, one, "mug") == 15


def test_two_listings_of_one_store_share_its_own_pool(world: World) -> None:
    share(world, Sharing.ESCROW)
    store = world.store("one")
    world.listings(store, "mug")
    world.tell(
        """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title, item_id, believed)
           VALUES (:merchant_id, 5, :store, 'listing-twin', '', '', :item, 6)""",
        store=store, item=world.item("mug").item_id,
    )  # fmt: skip
    world.receive("mug", 6)
    set_apart(world, PoolKind.CHANNEL, "mug", 6, store)

    (rise,) = [each for each in claim(world, store) if each.intent.external_id == "listing-mug"]

    assert number(world, store, "mug") == 3
    assert (rise.intent.wanted, rise.short) == (0, True), "its twin still shows all 6"


# ---- bundles


def test_a_bundle_shows_what_its_scarcest_component_is_enough_for(world: World) -> None:
    one, _ = shops(world, "cup", "saucer", units=10)
    bundle(world, "set", one, cup=1, saucer=4)
    assert number(world, one, "set") == 2
    world.receive("saucer", 8)
    assert number(world, one, "set") == 4


def test_nested_bundles_are_taken_apart_and_the_same_component_counts_once(world: World) -> None:
    store = world.stocked("cup", "box", units=20)
    bundle(world, "pair", store, cup=2)
    bundle(world, "gift", store, pair=2, cup=1, box=1)
    assert {part.sku: part.quantity for part in told(world, store, "gift").parts or ()} == {"cup": 5, "box": 1}
    assert number(world, store, "gift") == 4


def test_packs_of_bundles_and_bundles_without_components(world: World) -> None:
    store = world.stocked("cup", units=20)
    bundle(world, "pair", store, cup=2)
    bundle(world, "empty", store)
    world.tell("UPDATE listing SET pack_size = 3 WHERE merchant_id = :merchant_id AND external_id = 'listing-pair'")
    assert (number(world, store, "pair"), number(world, store, "empty")) == (3, 0)


def test_a_kit_has_stock_of_its_own_whatever_it_is_made_of(world: World) -> None:
    store = world.stocked("cup", units=20)
    world.listings(store, "crate")
    world.receive("crate", 2)
    made_of(world, "crate", cup=6)
    world.tell("UPDATE item SET kind = 'kit' WHERE merchant_id = :merchant_id AND sku = 'crate'")
    assert (number(world, store, "crate"), number(world, store, "cup")) == (2, 20)
    assert told(world, store, "cup").sharers == 1


def test_few_units_are_dealt_out_among_the_item_and_the_bundles_that_take_it(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = shops(world, "cup", units=9)
    bundle(world, "pair", two, cup=2)
    shown = [number(world, one, "cup"), number(world, two, "cup"), number(world, two, "pair") * 2]
    (cups,) = told(world, two, "pair").parts or ()
    assert cups.facts.sharers == 3
    assert sum(shown) <= 9
    assert sorted(shown) == [2, 3, 3]


def test_a_rise_leaves_what_a_bundle_elsewhere_still_shows(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = world.store("one"), world.store("two")
    world.listings(one, "cup")
    bundle(world, "pair", two, shown=4, cup=2)
    world.receive("cup", 10)

    (rise,) = [each for each in claim(world, one) if each.intent.external_id == "listing-cup"]

    assert (rise.intent.wanted, rise.short) == (2, True), "4 pairs are 8 of the 10 cups"


def test_a_component_that_moves_marks_the_bundles_it_is_in_at_any_depth(world: World) -> None:
    store = world.stocked("cup", "plate", units=20)
    bundle(world, "pair", store, cup=2)
    bundle(world, "gift", store, pair=1)
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")

    world.do(Hold("a", {world.item("cup"): 1}, FAR_OFF))

    due = world.ask("SELECT l.sku FROM push_due d JOIN listing l ON l.id = d.listing_id ORDER BY 1")
    assert [row.sku for row in due] == ["cup", "gift", "pair"]


def test_without_bundles_a_marking_looks_for_none(world: World) -> None:
    skus = [f"sku-{n}" for n in range(20)]
    store = world.stocked(*skus, units=20)
    ids = [world.item(sku).item_id for sku in skus]
    with world.db.begin(1, actor="test") as tx, counted(tx, "component", "idx_scan", "seq_scan") as read:
        marks.stale(tx, ids, (), ())
    assert sum(read.values()) <= 1, "one look whether there are any"
    assert world.due(store, skus[7]) is not None


# ---- grades


def test_a_listing_shows_its_own_grade_and_shares_it_with_listings_of_the_same(world: World) -> None:
    one, two = shops(world, "mug", units=20)
    world.do(_received(world, "mug", 7))
    with world.db.begin(1, actor="test") as tx:
        set_rules(tx, listing_subject(tx, "two", "mug"), {"grade": MINOR_DEFECT})
    assert (number(world, one, "mug"), number(world, two, "mug")) == (20, 7)
    assert told(world, one, "mug").sharers == told(world, two, "mug").sharers == 1


def _received(world: World, sku: str, units: int) -> Any:
    from core.goods.receiving import Receive

    stocked = world.item(sku)._replace(grade=MINOR_DEFECT)
    return Receive(f"second-choice/{sku}", DocumentKind.RECEIPT, {stocked: units})


# ---- rules


def test_the_nearest_value_holds_and_clearing_it_uncovers_the_next(world: World) -> None:
    store = world.stocked("mug", units=20)
    listing, item, shop = subjects(world, store, "mug")
    for subject, units, shown in [(shop, 1, 19), (item, 2, 18), (listing, 4, 16)]:
        rule(world, subject, "safety_stock", units)
        assert number(world, store, "mug") == shown
    for subject, shown in [(listing, 18), (item, 19), (shop, 20)]:
        rule(world, subject, "safety_stock", None)
        assert number(world, store, "mug") == shown


def test_a_listing_that_keeps_nothing_back_beats_a_store_that_does(world: World) -> None:
    store = world.stocked("mug", units=20)
    listing, _, shop = subjects(world, store, "mug")
    rule(world, shop, "buffer", 5)
    rule(world, listing, "buffer", 0)
    assert number(world, store, "mug") == 20


def test_every_rule_reaches_the_number(world: World) -> None:
    store = world.stocked("mug", units=20)
    listing, item, shop = subjects(world, store, "mug")
    changes: list[tuple[Subject, str, int | str, int]] = [
        (shop, "buffer", 2, 18),
        (shop, "share", 50, 9),
        (item, "backorder", "yes", 9),
        (shop, "backorder_limit", 6, 15),
        (listing, "pack_size", 2, 7),
        (listing, "cap", 4, 4),
    ]
    for subject, name, value, shown in changes:
        rule(world, subject, name, value)
        assert number(world, store, "mug") == shown, name


def test_units_that_wait_already_use_up_what_may(world: World) -> None:
    store = world.stocked("mug", units=2)
    _, item, _ = subjects(world, store, "mug")
    rule(world, item, "backorder", "yes")
    rule(world, item, "backorder_limit", 5)
    world.hear(store, order(line("mug", 4, counted=4)))
    assert number(world, store, "mug") == 3


def test_of_a_bundle_its_own_values_count_bundles_and_those_of_a_component_its_units(world: World) -> None:
    store = world.stocked("cup", "lid", units=20)
    bundle(world, "pair", store, cup=2, lid=1)
    _, cup, _ = subjects(world, store, "cup")
    listing, pair, shop = subjects(world, store, "pair")
    for subject, units, shown in [(shop, 1, 9), (cup, 5, 7), (pair, 3, 7), (listing, 4, 6)]:
        rule(world, subject, "safety_stock", units)
        assert number(world, store, "pair") == shown
    rule(world, listing, "cap", 2)
    assert number(world, store, "pair") == 2


# ---- cost


def test_plain_listings_look_for_no_pools_bundles_or_items(world: World) -> None:
    skus = [f"sku-{n}" for n in range(50)]
    store = world.stocked(*skus, units=5)
    ids = [world.listing(store, sku).id for sku in skus]
    for table in ("item", "component", "pool_item"):
        with world.db.begin(1, actor="test") as tx, counted(tx, table, "idx_scan", "seq_scan") as read:
            assert len(_read(tx, ids)) == 50
        assert sum(read.values()) <= 1, table


def _read(tx: Transaction, ids: Sequence[int]) -> list[tuple[Any, Facts]]:
    source = """SELECT x.* FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
        (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) x"""
    return facts.read(tx, source, ids=list(ids))


def test_bundles_and_pools_are_looked_up_by_key(world: World) -> None:
    skus = [f"sku-{n}" for n in range(40)]
    store = world.stocked(*skus, units=5)
    for sku in skus:
        bundle(world, f"two-{sku}", store, **{sku: 2})
    for sku in skus[:10]:
        set_apart(world, PoolKind.CHANNEL, sku, 1, store)
    ids = [world.listing(store, f"two-{sku}").id for sku in skus[:5]]
    for table in ("sales_balance", "pool", "pool_item", "item"):
        with world.db.begin(1, actor="test") as tx, counted(tx, table, "seq_tup_read", "idx_tup_fetch") as read:
            tx.run("SET LOCAL enable_seqscan = off")  # these tables are so small that reading all of one is cheap
            assert [number_to_write(one) for _, one in _read(tx, ids)] == [2] * 5
        assert sum(read.values()) <= 6 * len(ids), table


def test_a_store_that_is_only_watched_still_knows_its_number(world: World) -> None:
    store = world.store(mode=StoreMode.OBSERVE)
    world.listings(store, "cup", shown=3)
    world.receive("cup", 3)
    bundle(world, "pair", store, cup=2)
    assert (number(world, store, "cup"), number(world, store, "pair")) == (3, 1)


def test_a_write_that_may_still_land_is_spoken_for_in_bundles_too(world: World) -> None:
    share(world, Sharing.ESCROW)
    one, two = world.store("one"), world.store("two")
    world.listings(two, "cup")
    bundle(world, "pair", one, cup=2)
    world.receive("cup", 8)
    (rise,) = [each for each in claim(world, one) if each.intent.external_id == "listing-pair"]
    settle(world, one, [rise], outcome(rise, PushStatus.RETRY, reason="no answer"))
    world.do(Hold("a", {world.item("cup"): 3}, FAR_OFF))
    with world.db.begin(1, actor="test") as tx:
        (late,) = [each for each in pushes.claim(tx, two, limit=9) if each.intent.external_id == "listing-cup"]
    assert rise.intent.wanted == 2
    assert late.intent.wanted == 1, "5 are left, and the other store may show 2 pairs by now"

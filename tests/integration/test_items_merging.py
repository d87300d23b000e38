"""Two items become one: everything of the first is the second's, and nobody loses a promise."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from core import catalog, ledger
from core.audit import audit
from core.errors import Refused
from core.goods import item_views, items, lying, merging, recipes
from core.goods.adjusting import Lose, Regrade, Unblock
from core.goods.inspection import ReturnToInspect
from core.goods.merging import Merged
from core.goods.receiving import Receive
from core.ledger import Batch
from core.past import history
from core.reversing import Reverse, read_document
from core.rows import Part
from core.sales.holds import EndHold, Hold
from core.stock import MINOR_DEFECT, BalanceKey, DocumentKind, PoolKind
from core.stocktake import opening
from core.supply import transfers
from tests import supply_world
from tests.builders import FAR_OFF, Units, World, at, line, order
from tests.integration import fulfilment_acts, lock_acts
from tests.integration.test_places import in_bin, place, tell
from tests.pool_world import in_pool, is_open_in, open_pool, shared


def merge(world: World, before: str, after: str, **told: Any) -> Merged:
    return merging.merge(world.db, world.merchant_id, before, after, actor="test", **told)


def raw_item(world: World, sku: str) -> int:
    """The id of the item that has the SKU itself."""
    return int(world.scalar("SELECT id FROM item WHERE merchant_id = :merchant_id AND sku = :sku", sku=sku))


def test_free_units_change_their_item(world: World) -> None:
    world.stocked("cup", units=5)
    world.listings(world.store("Side street"), "mug")
    world.receive("mug", 3)
    was = raw_item(world, "mug")

    done = merge(world, "mug", "cup")

    assert (done.on_hand, done.promised, done.repeated) == (3, 0, False)
    assert shared(world, "cup").free == 8
    assert world.item("mug") == world.item("cup")
    assert world.scalar(
        "SELECT merged_into FROM item WHERE merchant_id = :merchant_id AND id = :id", id=was
    ) == raw_item(world, "cup")
    assert world.documents()[-1] == "merge"


def test_live_and_waiting_promises_go_with_their_units(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    world.hear(store_id, order(line("mug", 3), external_id="1", paid=True))
    world.hear(store_id, order(line("mug", 3), external_id="2"))
    assert world.units("mug") == Units(0, 1, 3, 2)

    done = merge(world, "mug", "cup")

    assert done.promised == 6
    assert shared(world, "cup") == Units(2, 3, 3, 0)
    world.hear(store_id, order(line("mug", 3, shipped=3), external_id="1", paid=True))
    assert shared(world, "cup") == Units(2, 3, 0, 0)


def test_goods_that_were_sold_before_come_back_as_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    world.hear(store_id, order(line("mug", 3, shipped=3), external_id="1", paid=True))
    merge(world, "mug", "cup")

    world.hear(store_id, order(line("mug", 3, shipped=3, returned=2), external_id="1", paid=True))

    assert shared(world, "cup").free == 4 + 1 + 2


def test_a_hold_is_kept_and_released_as_the_other(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    world.do(Hold("h", {world.item("mug"): 3}, FAR_OFF))

    merge(world, "mug", "cup")

    assert shared(world, "cup").reserved == 3
    world.do(EndHold("h"))
    assert shared(world, "cup") == Units(8, 0, 0, 0)


def test_a_new_order_of_its_listing_sells_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    merge(world, "mug", "cup")

    world.hear(store_id, order(line("mug", 6)))

    assert shared(world, "cup") == Units(2, 6, 0, 0)


def test_merged_twice_is_merged_once(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    first = merge(world, "mug", "cup")

    again = merge(world, "mug", "cup")

    assert again == Merged(first.document_id, repeated=True)


def test_units_of_all_grades_and_bins_change_their_item_where_they_stand(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    mug = world.item("mug")
    world.do(Receive("r", DocumentKind.RECEIPT, {mug: 5}, damaged={mug: 2}, spot=place(world, "HAMBURG/B-1")))
    world.do(Regrade("g", "scratched", mug, MINOR_DEFECT, 1))

    done = merge(world, "mug", "cup")

    assert done.on_hand == 11
    assert in_bin(world, "cup", "HAMBURG/B-1") == (5, 0, 2)
    assert shared(world, "cup", MINOR_DEFECT).free == 1
    assert shared(world, "cup").free == 4 + 3 + 5


def test_open_locks_keep_their_units_and_their_demand(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    lock_acts.lock(world, "L", "mug", 6)
    lock_acts.lock(world, "P", "cup", 1, warehouse_id=place(world, "MAIN").warehouse_id)
    assert lock_acts.row(world, "L").waiting == 2

    merge(world, "mug", "cup")

    assert lock_acts.row(world, "L").item_id == world.item("cup").item_id
    assert (lock_acts.row(world, "L").waiting, lock_acts.pool(world, "L").free) == (0, 6)
    assert shared(world, "cup").free == 1


def test_a_physical_lock_goes_with_what_its_warehouse_has_locked(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    lock_acts.lock(world, "P", "mug", 3, warehouse_id=place(world, "MAIN").warehouse_id)

    merge(world, "mug", "cup")

    assert lock_acts.pool(world, "P").free == 3
    assert world.scalar(
        "SELECT sum(locked)::bigint FROM dispatch_balance WHERE merchant_id = :merchant_id AND item_id = :id",
        id=world.item("cup").item_id,
    ) == 3  # fmt: skip


def test_pools_of_both_become_pools_of_one(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=9)
    own = open_pool(world, "OWN", PoolKind.CHANNEL, {"mug": 2, "cup": 3}, store_id=store_id)
    sale = open_pool(world, "SALE", PoolKind.ACTIVITY, {"mug": 4}, starts_at=at(0), ends_at=FAR_OFF)
    world.hear(store_id, order(line("mug", 1), external_id="1"))
    before = [in_pool(world, pool, sku) for pool in (own, sale) for sku in ("mug", "cup")]

    merge(world, "mug", "cup")

    after = [in_pool(world, pool, "cup") for pool in (own, sale)]
    assert [sum(of) for of in after] == [sum(before[0]) + sum(before[1]), sum(before[2]) + sum(before[3])]
    assert sum(of.reserved for of in (*after, shared(world, "cup"))) == 1
    assert is_open_in(world, sale, "cup")


def test_a_bundle_of_the_one_becomes_a_bundle_of_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", "set", units=0)
    world.receive("mug", 6)
    world.receive("cup", 6)
    with world.db.begin(1, actor="test") as tx:
        parts = [Part(world.item("mug"), 2), Part(world.item("cup"), 1)]
        recipes.set_recipe(tx, world.item("set").item_id, "bundle", parts)

    merge(world, "mug", "cup")

    with world.db.begin(1, actor="test") as tx:
        assert [(one.sku, one.quantity) for one in items.card(tx, "set").components] == [("cup", 3)]
    world.hear(store_id, order(line("set", 4)))
    assert shared(world, "cup") == Units(0, 12, 0, 0)


def test_an_open_order_that_wants_both_is_settled_first(world: World) -> None:
    store_id = world.stocked("mug", "cup", "set", units=0)
    world.receive("mug", 6)
    world.receive("cup", 6)
    with world.db.begin(1, actor="test") as tx:
        parts = [Part(world.item("mug"), 2), Part(world.item("cup"), 1)]
        recipes.set_recipe(tx, world.item("set").item_id, "bundle", parts)
    world.hear(store_id, order(line("set", 2), paid=True))

    with pytest.raises(Refused, match="#1001 wants units of both"):
        merge(world, "mug", "cup")
    world.hear(store_id, order(line("set", 2, shipped=2), paid=True))
    merge(world, "mug", "cup")

    world.hear(store_id, order(line("set", 2, shipped=2, returned=1), paid=True))
    assert shared(world, "cup").free == 2 + 4 + 3


def test_what_was_a_part_before_follows_to_the_end_of_the_chain(world: World) -> None:
    store_id = world.stocked("mug", "cup", "pot", units=2)

    merge(world, "mug", "cup")
    merge(world, "cup", "pot")

    assert world.item("mug") == world.item("cup") == world.item("pot")
    world.hear(store_id, order(line("mug", 3), line("cup", 1)))
    assert shared(world, "pot") == Units(2, 4, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [("mug", "mug", "are one item"), ("MUG ", "mug", "are one item"), ("set", "mug", "set is a bundle"),
     ("mug", "set", "set is a bundle"), ("pan", "mug", "no item has SKU pan")],
)  # fmt: skip
def test_what_cannot_become_one_is_refused(world: World, before: str, after: str, why: str) -> None:
    world.stocked("mug", "set", units=0)
    with world.db.begin(1, actor="test") as tx:
        recipes.set_recipe(tx, world.item("set").item_id, "bundle", [Part(world.item("mug"), 2)])

    with pytest.raises(Refused, match=why):
        merge(world, before, after)


def test_a_merge_back_is_a_merge_of_one_item(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=2)
    merge(world, "mug", "cup")

    with pytest.raises(Refused, match="are one item"):
        merge(world, "cup", "mug")
    with pytest.raises(Refused, match="mug is a part of cup already"):
        merge(world, "mug", "pot")


def test_what_is_still_moving_is_named_with_its_cure(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    supply_world.placed(world, "PO-7", {"mug": 3})
    ends = place(world, "MAIN").warehouse_id, place(world, "HAMBURG").warehouse_id
    tell(world, transfers.ask, "T-7", ends, {world.item("mug"): 1})
    for sku, units in (("mug", 12), ("cup", 24)):
        with world.db.begin(1, actor="test") as tx:
            items.set_unit(tx, world.item(sku).item_id, "case", units)

    with pytest.raises(Refused) as refusal:
        merge(world, "mug", "cup")

    for words in ("holdfast purchase show PO-7", "holdfast transfer show T-7", "one case of it is 12 units"):
        assert words in str(refusal.value)
    assert shared(world, "mug").free == 4


def test_a_presale_ends_first(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    open_pool(world, "SOON", PoolKind.PRESALE, {"mug": 2})

    with pytest.raises(Refused, match="holdfast pool stop SOON"):
        merge(world, "mug", "cup")


def test_a_kit_that_is_made_of_it_is_not_the_same_item(world: World) -> None:
    world.stocked("mug", "kit", units=0)
    with world.db.begin(1, actor="test") as tx:
        recipes.set_recipe(tx, world.item("kit").item_id, "kit", [Part(world.item("mug"), 2)])

    with pytest.raises(Refused, match="kit is made of the other"):
        merge(world, "mug", "kit")
    merge(world, "kit", "mug")


def test_a_trial_changes_nothing(world: World) -> None:
    world.stocked("mug", "cup", units=4)

    told = merge(world, "mug", "cup", dry_run=True)

    assert told.on_hand == 4
    assert world.item("mug") != world.item("cup")
    assert (shared(world, "mug").free, shared(world, "cup").free) == (4, 4)


def test_time_travel_and_the_newest_documents_show_it(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    was = world.item("mug")
    before = world.scalar("SELECT max(recorded_at) FROM document WHERE merchant_id = :merchant_id")

    merge(world, "mug", "cup", reason="one and the same")

    with world.db.begin(1, actor="test") as tx:
        then = history.balances_at(tx, [was.item_id], before)
        assert sum(sum(row.units.values()) for row in then if row.layer == "sales") == 4
        assert history.balances_at(tx, [was.item_id], tx.now) == []
        newest = item_views.recent_documents(tx, world.item("cup").item_id)[0]
    assert (newest.kind, newest.reason) == ("merge", "one and the same")
    assert "sales: 4 world -> free" in newest.moves


def test_it_is_not_reversed(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    done = merge(world, "mug", "cup")

    with world.db.begin(1, actor="test") as tx:
        document = read_document(tx, done.document_id)
    with pytest.raises(Refused, match="holdfast item split"):
        world.do(Reverse(document, "wrong"))


def test_a_command_made_before_the_merge_is_told_of_it(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    was = world.item("mug")
    merge(world, "mug", "cup")

    with pytest.raises(Refused, match="become part of cup"):
        world.do(Receive("late", DocumentKind.RECEIPT, {was: 1}))
    with pytest.raises(Refused):
        world.do(Lose("gone", "gone", DocumentKind.MISSING, {was: 1}))


def test_a_catalogue_read_again_makes_no_new_item_of_it(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    merge(world, "mug", "cup")

    world.listings(store_id, "mug")
    world.listings(world.store("Side street"), "MUG")

    assert world.scalar("SELECT count(*) FROM item WHERE merchant_id = :merchant_id") == 2
    assert world.scalar(
        "SELECT count(*) FROM listing WHERE merchant_id = :merchant_id AND item_id = :id", id=world.item("cup").item_id
    ) == 3  # fmt: skip


def test_an_order_that_held_nothing_yet_sells_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    world.hear(store_id, order(line("mug", 2), holds=False))
    merge(world, "mug", "cup")

    world.hear(store_id, order(line("mug", 2), holds=True))

    assert shared(world, "cup") == Units(6, 2, 0, 0)


def test_no_alert_is_raised_for_what_became_another(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    with world.db.begin(1, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", 2)

    merge(world, "mug", "cup")

    assert world.ask("SELECT * FROM alert WHERE merchant_id = :merchant_id AND closed_at IS NULL") == []


class _SeesThemMerge(Batch):
    """Between what it reads of listings and lines and its locks, their item becomes another, once."""

    between: ClassVar[list[Callable[[], object]]] = []

    def _lock_balances(self, keys: list[BalanceKey]) -> bool:
        while self.between:
            self.between.pop()()
        return super()._lock_balances(keys)


class _DoesNotLookAgain(_SeesThemMerge):
    def _merged_stand(self) -> bool:
        return True


@pytest.mark.parametrize(("batch", "is_lost"), [(_SeesThemMerge, False), (_DoesNotLookAgain, True)])
@pytest.mark.parametrize("known_before", [False, True])
@pytest.mark.broken_books
def test_an_order_heard_while_its_item_becomes_another_sells_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch, batch: type[_SeesThemMerge], is_lost: bool, known_before: bool
) -> None:
    store_id = world.stocked("mug", "cup", units=4)
    was = raw_item(world, "mug")
    if known_before:
        world.hear(store_id, order(line("mug", 2), holds=False))

    def between() -> None:
        monkeypatch.setattr(ledger, "Batch", Batch)
        merge(world, "mug", "cup")
        monkeypatch.setattr(ledger, "Batch", batch)

    batch.between.append(between)
    monkeypatch.setattr(ledger, "Batch", batch)
    world.hear(store_id, order(line("mug", 6)))

    rows = world.ask("SELECT live, waiting FROM promise WHERE merchant_id = :merchant_id AND item_id = :id", id=was)
    assert sum(map(sum, rows)) == (6 if is_lost else 0)
    if not is_lost:
        assert tell(world, audit) == []
        assert shared(world, "cup") == Units(2, 6, 0, 0)


def test_merges_and_orders_at_once_lose_no_unit(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=30)

    def buy(n: int) -> None:
        world.hear(store_id, order(line("mug", 1), external_id=f"o{n}"))

    with ThreadPoolExecutor(8) as pool:
        bought = [pool.submit(buy, n) for n in range(24)]
        merged = pool.submit(merge, world, "mug", "cup")
        bought += [pool.submit(buy, n) for n in range(24, 48)]
        for done in bought:
            done.result()
        merged.result()

    assert shared(world, "cup") == Units(12, 48, 0, 0)
    assert world.incidents() == []


def test_what_is_said_again_at_the_end_of_a_chain_is_known(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=2)
    first = merge(world, "mug", "cup")
    merge(world, "cup", "pot")

    assert merge(world, "mug", "pot") == Merged(first.document_id, repeated=True)


def test_what_a_warehouse_is_to_send_is_sent_or_given_back_first(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=5)
    world.hear(store_id, order(line("mug", 3), paid=True))
    fulfilment_acts.dispatch(world)

    with pytest.raises(Refused, match="3 units of it are with fulfilment orders"):
        merge(world, "mug", "cup")
    fulfilment_acts.act(world, "give back")
    merge(world, "mug", "cup")

    fulfilment_acts.dispatch(world)
    fulfilment_acts.act(world, "ship", len(fulfilment_acts.fulfilments(world)))
    assert shared(world, "cup") == Units(7, 0, 0, 0)


def test_an_order_shipped_by_its_warehouse_comes_back_as_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=5)
    world.hear(store_id, order(line("mug", 3), paid=True))
    fulfilment_acts.dispatch(world)
    fulfilment_acts.act(world, "ship")

    merge(world, "mug", "cup")

    world.hear(store_id, order(line("mug", 3, shipped=3, returned=1), paid=True))
    assert shared(world, "cup").free == 2 + 5 + 1


def test_a_stocktake_ends_first(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    tell(world, opening.start, "S-1", ("MAIN",), opening.Terms())

    with pytest.raises(Refused, match="stocktake S-1 counts it"):
        merge(world, "mug", "cup")


def test_units_that_are_not_to_be_sold_go_too_and_can_be_mended(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    world.do(Lose("d", "dropped", DocumentKind.DAMAGE, {world.item("mug"): 2}))

    merge(world, "mug", "cup")

    world.do(Unblock("m", "glued", DocumentKind.MEND, {world.item("cup"): 2}))
    assert shared(world, "cup").free == 10


def test_units_that_wait_for_an_inspection_go_on_waiting_for_their_old_reason(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    world.do(Lose("d", "dropped", DocumentKind.DAMAGE, {world.item("cup"): 1}))
    flawed = world.item("mug")._replace(grade=MINOR_DEFECT)
    for nth, what in enumerate((world.item("mug"), flawed)):
        world.do(ReturnToInspect(f"r{nth}", DocumentKind.RETURN, {}, f"box {nth}", {what: 2}))
    with world.db.begin(1, actor="test") as tx:
        before = lying.every(tx)

    merge(world, "mug", "cup")

    with world.db.begin(1, actor="test") as tx:
        after = lying.every(tx)
    told = [
        sorted((one.grade, one.units, one.cause, one.to_inspect, one.reason, one.since) for one in found)
        for found in (before, after)
    ]
    assert told[0] == told[1]
    assert {one.sku for one in after} == {"cup"}


def test_two_merges_against_each_other_make_no_circle(world: World) -> None:
    world.stocked("a", "b", "c", units=2)

    def one(pair: str) -> bool:
        try:
            merge(world, pair[0], pair[1])
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, ("ab", "bc", "ca", "ba", "cb", "ac")))

    assert len({world.item(sku) for sku in "abc"}) == 1
    assert shared(
        world, world.scalar("SELECT sku FROM item WHERE merchant_id = :merchant_id AND merged_into IS NULL")
    ) == Units(6, 0, 0, 0)


def test_a_catalogue_read_while_its_item_becomes_another_lists_the_other(world: World) -> None:
    world.stocked("mug", "cup", units=2)
    stores = [world.store(f"Street {n}") for n in range(6)]

    with ThreadPoolExecutor(7) as pool:
        read = [pool.submit(world.listings, store_id, "mug") for store_id in stores]
        merged = pool.submit(merge, world, "mug", "cup")
        for done in read:
            done.result()
        merged.result()

    ids = world.ask("SELECT DISTINCT item_id FROM listing WHERE merchant_id = :merchant_id")
    assert ids == [(world.item("cup").item_id,)]

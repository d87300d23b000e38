"""Two items become one: everything of the first is the second's, and nobody loses a promise."""

from typing import Any

import pytest

from core import catalog, ledger
from core.alerts import rules, scan
from core.alerts.kinds import AlertKind
from core.goods import item_views, items, lying
from core.goods.adjusting import Lose, Regrade, Unblock
from core.goods.inspection import ReturnToInspect
from core.goods.merging import Merged
from core.goods.receiving import Receive
from core.past import history
from core.sales.holds import EndHold, Hold
from core.stock import MINOR_DEFECT, DocumentKind, PoolKind
from core.transaction import Transaction
from tests.builders import FAR_OFF, Units, World, at, line, order
from tests.integration import fulfilment_acts, lock_acts
from tests.integration.merge_acts import merge, raw_item, set_of_both
from tests.integration.place_acts import in_bin, place
from tests.pool_world import in_pool, is_open_in, open_pool, shared


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
    store_id = set_of_both(world)

    merge(world, "mug", "cup")

    with world.db.begin(1, actor="test") as tx:
        assert [(one.sku, one.quantity) for one in items.card(tx, "set").components] == [("cup", 3)]
    world.hear(store_id, order(line("set", 4)))
    assert shared(world, "cup") == Units(0, 12, 0, 0)


def test_what_was_a_part_before_follows_to_the_end_of_the_chain(world: World) -> None:
    store_id = world.stocked("mug", "cup", "pot", units=2)

    merge(world, "mug", "cup")
    merge(world, "cup", "pot")

    assert world.item("mug") == world.item("cup") == world.item("pot")
    world.hear(store_id, order(line("mug", 3), line("cup", 1)))
    assert shared(world, "pot") == Units(2, 4, 0, 0)


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


@pytest.mark.parametrize("is_rule_first", [True, False])
def test_a_rule_for_every_item_of_a_warehouse_is_not_about_what_became_another(
    world: World, is_rule_first: bool
) -> None:
    def warn() -> None:
        with world.db.begin(1, actor="test") as tx:
            home = ledger.home_in(tx)
            rules.set_rule(tx, AlertKind.LOW_STOCK, rules.Scope(warehouse_id=home.warehouse_id), 2)

    world.stocked("mug", "cup", units=4)
    if is_rule_first:
        warn()
    merge(world, "mug", "cup")
    if not is_rule_first:
        warn()

    with world.db.begin(1, actor="test") as tx:
        items = scan.next_items(tx, 0, limit=10)
        fallen = scan.fallen(tx, ledger.home_in(tx), items)

    assert fallen == []
    assert world.ask("SELECT * FROM alert WHERE merchant_id = :merchant_id AND closed_at IS NULL") == []


def test_what_is_said_again_at_the_end_of_a_chain_is_known(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=2)
    first = merge(world, "mug", "cup")
    merge(world, "cup", "pot")

    assert merge(world, "mug", "pot") == Merged(first.document_id, repeated=True)


def test_an_order_shipped_by_its_warehouse_comes_back_as_the_other(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=5)
    world.hear(store_id, order(line("mug", 3), paid=True))
    fulfilment_acts.dispatch(world)
    fulfilment_acts.act(world, "ship")

    merge(world, "mug", "cup")

    world.hear(store_id, order(line("mug", 3, shipped=3, returned=1), paid=True))
    assert shared(world, "cup").free == 2 + 5 + 1


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


def test_an_item_in_many_bundles_merges_with_as_many_statements_as_one_in_two(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    run = Transaction.run

    def counted(self: Transaction, statement: str, /, **values: object) -> Any:
        asked.append(statement)
        return run(self, statement, **values)

    # Of recipes: how often a merge looks for rows of balances is another matter.
    def merged(sku: str, bundles: int) -> int:
        world.stocked(sku, f"other-{sku}", *(f"{sku}-set-{n}" for n in range(bundles)), units=0)
        for n in range(bundles):
            lock_acts.bundle(world, f"{sku}-set-{n}", **{sku: 2})
        asked.clear()
        merge(world, sku, f"other-{sku}")
        return sum("component" in statement for statement in asked)

    monkeypatch.setattr(Transaction, "run", counted)
    assert merged("mug", 2) == merged("pot", 30)
    with world.db.begin(1, actor="test") as tx:
        assert [(one.sku, one.quantity) for one in items.card(tx, "pot-set-29").components] == [("other-pot", 2)]

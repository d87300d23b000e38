"""What replenishment reads, on a real database: a past of three weeks is played, then asked about."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from core.alerts import pace
from core.demand import flows
from core.demand.velocity import demand
from core.goods import merging
from core.replenish import drafting
from core.replenish.decide import Position
from core.replenish.views import facts, planning
from core.sales import expected
from core.sales.holds import EndHold, Hold
from core.stock import PoolKind
from core.supply import suppliers
from core.transaction import wall_clock
from tests import pool_world
from tests import replenish_world as rep
from tests import supply_world as sup
from tests.builders import FAR_OFF, Clock, World, line, order
from tests.integration import bundle_acts, lock_acts
from tests.replenish_world import WINDOW, ZONE, look, on_day, played, sold, told


@pytest.fixture
def clock(world: World, superuser: Engine) -> Clock:
    return rep.past(world, superuser)


def covered(world: World, until: datetime) -> None:
    """Nothing is recorded any more up to that instant, as upkeep finds out."""
    world.tell(
        """INSERT INTO checkpoint_mark (merchant_id, covered_until, looked_at, open_then)
           VALUES (:merchant_id, :until, :now, '{}')
           ON CONFLICT (merchant_id) DO UPDATE SET covered_until = EXCLUDED.covered_until""",
        until=until,
    )


# ---- velocity


def test_days_without_stock_do_not_count_against_demand(world: World, clock: Clock) -> None:
    store = played(world, clock)

    of, stores = look(world, "mug")

    assert told(of) == "00307.....0020010004"
    assert stores == {store: 17}
    assert (demand(of).sold, demand(of).days) == (17, 15)


def test_orders_cancelled_holds_given_back_and_waiting_orders_count_once(world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=5)
    on_day(clock, 2)
    sold(world, store, "mug", 2, "kept")
    sold(world, store, "mug", 3, "gone")
    world.hear(store, order(line("mug", 3, cancelled=3), external_id="gone", state="cancelled", holds=False))
    world.do(Hold("cart", {world.item("mug"): 1}, FAR_OFF))
    world.do(EndHold("cart"))
    on_day(clock, 5)
    world.hear(store, order(line("mug", 2, shipped=2), external_id="kept", paid=True))
    sold(world, store, "mug", 6, "waits")
    on_day(clock, 9)
    world.receive("mug", 8)
    on_day(clock, WINDOW)

    of, stores = look(world, "mug")

    assert told(of) == "002006..." + "0" * 11
    assert stores == {store: 8}


def test_units_of_nobodys_channel_are_no_sales_but_demand_of_their_own(world: World, clock: Clock) -> None:
    world.stocked("mug", units=10)
    on_day(clock, 3)
    lock_acts.lock(world, "fair", "mug", 25)
    on_day(clock, WINDOW)

    of, _ = look(world, "mug")
    with world.db.begin(1, actor="test") as tx:
        known, item_id = flows.pools(tx), world.item("mug").item_id
        found = facts.positions(tx, known.shared_id, known.aside, [item_id])[item_id]

    assert told(of) == "0000" + "." * 16
    assert found == Position(free=0, locks=15)


def test_the_day_on_which_an_item_was_made_does_not_count(world: World, clock: Clock) -> None:
    on_day(clock, 5)
    store = world.stocked("mug", units=30)
    sold(world, store, "mug", 9, "open before we came")
    on_day(clock, 7)
    sold(world, store, "mug", 2, "new")
    on_day(clock, WINDOW)

    of, _ = look(world, "mug")

    assert told(of) == "......02" + "0" * 12


def test_what_became_part_of_an_item_sold_for_it(world: World, clock: Clock) -> None:
    store = world.stocked("mug", "cup", units=10)
    for day, sku, units in ((2, "mug", 3), (4, "cup", 7), (6, "cup", 5), (8, "mug", 7)):
        on_day(clock, day)
        sold(world, store, sku, units, f"{sku}{day}")
    on_day(clock, 12)
    merging.merge(world.db, 1, "cup", "mug", actor="test")
    on_day(clock, 14)
    world.receive("mug", 20)
    sold(world, store, "mug", 4, "later")
    on_day(clock, WINDOW)

    of, stores = look(world, "mug")

    # On day 12 promises of 17 units changed their item, which is no sale. Nothing was left of both from day 9 on.
    assert told(of) == "003070507.....400000"
    assert sum(stores.values()) == 26


def test_a_part_that_only_sells_in_bundles_sells(world: World, clock: Clock) -> None:
    store = world.stocked("mug", "set", units=0)
    world.receive("mug", 12)
    bundle_acts.made_of(world, "set", mug=2)
    on_day(clock, 3)
    sold(world, store, "set", 4, "d3")
    on_day(clock, 7)
    sold(world, store, "set", 2, "d7")
    on_day(clock, WINDOW)

    of, stores = look(world, "mug")

    assert told(of) == "00080004" + "." * 12
    assert stores == {store: 12}


def test_the_velocity_is_the_pace_of_cover_alerts(world: World, clock: Clock) -> None:
    played(world, clock)
    mug = world.item("mug")

    with world.db.begin(1, actor="test") as tx:
        pace.refresh(tx, [pace.Due(mug, WINDOW)])

    of, _ = look(world, "mug")
    ((counted, units),) = world.ask("SELECT days, sold FROM sales_pace WHERE merchant_id = :merchant_id")
    assert demand(of).pace == (counted, units) == (15, 17)


# ---- sums of days that are over


def kept(world: World) -> list[tuple[int, int, int]]:
    """Days of the sales layer that are summed up, as days of the window, with what was sold and came."""
    first = wall_clock().astimezone(ZONE).date() - timedelta(days=WINDOW)
    rows = world.ask("SELECT day, sold, came FROM flow_day WHERE place_id = 0 ORDER BY day")
    return [((row.day - first).days, row.sold, row.came) for row in rows]


def test_days_that_are_over_are_summed_up_once_and_say_the_same(world: World, clock: Clock) -> None:
    played(world, clock)
    before = look(world, "mug")
    covered(world, clock.now - timedelta(days=4))

    assert look(world, "mug") == before
    assert kept(world) == [(2, 3, 0), (4, 7, 0), (10, 0, 40), (12, 2, 0), (15, 1, 0)]
    assert look(world, "mug") == before

    covered(world, clock.now)
    assert look(world, "mug") == before
    assert kept(world)[-1] == (19, 4, 0)


def test_what_is_summed_up_is_not_read_again(world: World, clock: Clock) -> None:
    played(world, clock)
    covered(world, clock.now)
    look(world, "mug")

    world.tell("UPDATE flow_day SET sold = 5 WHERE sold = 4")

    assert told(look(world, "mug")[0])[-1] == "5"


def test_a_longer_window_sums_up_the_days_before_too(world: World, clock: Clock) -> None:
    played(world, clock)
    covered(world, clock.now)
    assert told(look(world, "mug", 14)[0]) == "....0020010004"

    assert told(look(world, "mug")[0]) == "00307.....0020010004"
    assert told(look(world, "mug", 14)[0]) == "....0020010004"


def test_another_time_zone_makes_the_sums_anew(world: World, clock: Clock) -> None:
    played(world, clock)
    covered(world, clock.now)
    look(world, "mug")

    world.tell("UPDATE merchant SET time_zone = 'Asia/Tokyo' WHERE id = :merchant_id")  # where noon is of the same day

    look(world, "mug")
    assert world.scalar("SELECT time_zone FROM flow_mark") == "Asia/Tokyo"
    assert world.scalar("SELECT sum(sold) FROM flow_day WHERE place_id = 0") == 17


def test_days_that_run_twice_after_a_clock_went_backwards_are_read_anew(world: World, clock: Clock) -> None:
    store = played(world, clock)
    covered(world, clock.now)
    look(world, "mug")
    covered(world, clock.now - timedelta(days=3))
    on_day(clock, 18)
    sold(world, store, "mug", 2, "again")
    on_day(clock, WINDOW)

    with world.db.begin(1, actor="test") as tx:
        flows.settle(tx, flows.window(tx, WINDOW), flows.pools(tx))
        assert told(look(world, "mug")[0]) == "00307.....0020010024", "another is at work: old sums are still there"
    assert told(look(world, "mug")[0]) == "00307.....0020010024"


def test_many_callers_sum_up_each_day_once(world: World, clock: Clock) -> None:
    played(world, clock)
    covered(world, clock.now)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(told(look(world, "mug")[0]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["00307.....0020010004"] * 6
    assert len(kept(world)) == 6


def test_who_finds_another_at_work_reads_the_movements(world: World, clock: Clock) -> None:
    played(world, clock)
    covered(world, clock.now)
    with world.db.begin(1, actor="test") as tx:
        flows.settle(tx, flows.window(tx, WINDOW), flows.pools(tx))

        assert told(look(world, "mug")[0]) == "00307.....0020010004"
        assert kept(world) == []

    assert len(kept(world)) == 6


# ---- drafts


@pytest.fixture
def owed(world: World) -> World:
    """Nine mugs that orders wait for, which ACME brings."""
    sold(world, world.stocked("mug", units=0), "mug", 9, "waits")
    acme = sup.supplier(world)
    with world.db.begin(1, actor="test") as tx:
        suppliers.put_item(tx, acme, world.item("mug").item_id, {})
    return world


def test_two_who_draft_at_once_draft_once(owed: World) -> None:
    place, together = sup.spot(owed).warehouse_id, threading.Barrier(2)

    def draft() -> int:
        together.wait(10)
        with owed.db.begin(1, actor="test") as tx:
            return sum(one.units for one in drafting.draft(tx, place)[1])

    with ThreadPoolExecutor(2) as pool:
        drafted = [one.result() for one in [pool.submit(draft) for _ in range(2)]]

    assert sorted(drafted) == [0, 9]
    assert owed.scalar("SELECT sum(ordered) FROM purchase_line") == 9


def test_two_who_suggest_at_once_suggest_the_same_twice(owed: World) -> None:
    """Why drafting waits: of a draft that is not committed a suggestion knows nothing."""
    place = sup.spot(owed).warehouse_id
    with owed.db.begin(1, actor="test") as one, owed.db.begin(1, actor="test") as other:
        drafting.draft(one, place)
        (group,) = planning.suggest(other)

    assert group.units == 9


# ---- position


def position(world: World, sku: str) -> Position:
    with world.db.begin(1, actor="test") as tx:
        known, item_id = flows.pools(tx), world.item(sku).item_id
        return facts.positions(tx, known.shared_id, known.aside, [item_id])[item_id]


def test_what_a_lock_for_a_channel_waits_for_is_no_demand_beside_that_of_the_channel(world: World) -> None:
    store = world.stocked("mug", units=4)
    lock_acts.lock(world, "main site", "mug", 10, type="channel", store_id=store)
    lock_acts.lock(world, "fair", "mug", 3)
    before = position(world, "mug")
    world.receive("mug", 9)

    after = position(world, "mug")

    # Orders of the channel draw on its lock: 9 units more are 9 units more for demand to come.
    assert (before.free, before.locks) == (4, 3)
    assert (after.free, after.locks) == (10, 0)
    assert after.units == before.units + 9


def test_the_position_counts_what_comes_and_who_waits_each_once(world: World, clock: Clock) -> None:
    store = world.stocked("mug", "cup", units=4)
    sup.placed(world, "PO-1", {"mug": 30})
    sup.draft(world, "PO-2", {"mug": 5})
    mug = world.item("mug")
    with world.db.begin(1, actor="test") as tx:
        expected.expect(tx, mug, 7, sup.today(world) + timedelta(days=9), "by word of mouth")
    sold(world, store, "mug", 9, "waits")
    presale = pool_world.open_pool(world, "NEXT", PoolKind.PRESALE, {"mug": 6})
    world.do(Hold("early", {mug: 2}, FAR_OFF, pool_id=presale))
    lock_acts.lock(world, "fair", "mug", 3)

    with world.db.begin(1, actor="test") as tx:
        known = flows.pools(tx)
        found = facts.positions(tx, known.shared_id, known.aside, [mug.item_id, world.item("cup").item_id])

    assert found[mug.item_id] == Position(free=0, on_way=37, drafted=5, backorders=5, locks=3, presales=2)
    assert found[world.item("cup").item_id] == Position(free=4)

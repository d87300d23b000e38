"""Routing on real tables: what is read, what is kept, and who wins when two decide."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from core import catalog
from core.dispatch import decisions, rates, reading, regions, rules
from core.dispatch.destinations import Point
from core.dispatch.model import Exclusion, Part, Route, Why
from core.dispatch.routing import decide
from core.dispatch.strategies import named
from core.dispatch.terms import Effect, Rule, Week
from core.errors import HoldfastError, NotFound, Refused
from core.goods import items, recipes
from core.rows import Part as Component
from core.stock import Stocked
from core.transaction import Transaction
from core.warehouse import warehouses
from tests.builders import World, at, line, order
from tests.integration.lock_acts import lock
from tests.integration.routing_acts import MUNICH, begin, order_id, place, put, route, sent


def test_what_is_laid_down_is_read_as_it_was_said(world: World) -> None:
    world.stocked("MUG", units=1)
    berlin, mug = place(world, "BERLIN"), world.item("MUG").item_id
    christmas = date(2026, 12, 25)
    with begin(world) as tx:
        south = regions.put(tx, " South ", ["de-by", "AT", "DE--70", "AT"], Point(48.1, 11.5))
        rates.put_rate(tx, "Post", 1_000, 490, "EUR", region_id=south.id, warehouse_id=berlin)
        rates.put_rate(tx, "Post", 1_000, 390, "EUR")
        rates.put_rate(tx, "Post", 1_000, 420, "EUR")  # said again
        rates.put_transit(tx, 1, 3, region_id=south.id)
        rates.put_week(tx, berlin, [1, 2, 6], [christmas])
        rule = rules.add(tx, Effect.ONLY, berlin, item_id=mug, region_id=south.id, ends_at=at(0))
        rates.set_weights(tx, {mug: 350})
    with begin(world) as tx:
        laid = reading.terms(tx)
        assert [(one.name, list(map(str, one.parts)), one.middle) for one in laid.regions] == [
            ("south", ["DE-BY", "AT", "DE--70"], Point(48.1, 11.5))
        ]
        assert [(one.region_id, one.warehouse_id, one.cost) for one in laid.rates] == [
            (south.id, berlin, 490), (None, None, 420),
        ]  # fmt: skip
        assert [(one.region_id, one.least_days, one.most_days) for one in laid.transits] == [(south.id, 1, 3)]
        assert laid.rules == [Rule(rule, Effect.ONLY, berlin, mug, south.id, None, at(0))]
        assert laid.week_of(berlin) == Week(frozenset({1, 2, 6}), frozenset({christmas}))
        assert laid.week_of(None) == Week()
        assert reading.weights_of(tx, [mug]) == {mug: 350}


class TestWhatIsRefused:
    def test_a_second_currency(self, world: World) -> None:
        with begin(world) as tx:
            rates.put_rate(tx, "Post", 1_000, 490, "EUR")
        with pytest.raises(Refused, match="rates are in EUR"), begin(world) as tx:
            rates.put_rate(tx, "Van", 1_000, 490, "USD")

    def test_to_forget_a_region_that_something_names(self, world: World) -> None:
        with begin(world) as tx:
            rates.put_rate(tx, "Post", 1_000, 490, "EUR", region_id=regions.put(tx, "south", ["DE"]).id)
        with pytest.raises(Refused, match="named by 1 rate;"), begin(world) as tx:
            regions.remove(tx, "SOUTH")
        with begin(world) as tx:
            (rate,) = rates.rates(tx)
            rates.remove_rate(tx, rate.id)
            regions.remove(tx, "south")
            assert reading.regions(tx) == []

    def test_the_same_rule_twice(self, world: World) -> None:
        berlin = place(world, "BERLIN")
        with begin(world) as tx:
            first = rules.add(tx, Effect.DENY, berlin)
        with pytest.raises(Refused, match=f"rule {first} says so already"), begin(world) as tx:
            rules.add(tx, Effect.DENY, berlin)

    def test_what_is_not_there(self, world: World) -> None:
        for forget in (rates.remove_rate, rates.remove_transit, rules.remove):
            with pytest.raises(NotFound, match="list` shows"), begin(world) as tx:
                forget(tx, 4711)
        with pytest.raises(NotFound, match="none is there yet"), begin(world) as tx:
            regions.id_of(tx, "south")


def test_lines_of_orders_are_what_paid_lines_are_promised(world: World) -> None:
    store = world.stocked("MUG", "CUP", units=4)
    world.hear(store, order(line("MUG", 3), line("CUP", 1), paid=True))
    world.hear(store, order(line("MUG", 3), external_id="1002", paid=True))  # one is there, two are owed
    world.hear(store, order(line("CUP", 1), external_id="1003"))  # not paid
    with begin(world) as tx:
        rates.set_weights(tx, {world.item("MUG").item_id: 350})
        found = reading.lines_of_orders(tx, [order_id(world, n) for n in ("1001", "1002", "1003")])
    assert set(found) == {order_id(world), order_id(world, "1002")}
    first, second = found[order_id(world)], found[order_id(world, "1002")]
    assert {told(part) for one in first for part in one.parts} == {
        (world.item("MUG").item_id, 3, 0, 350), (world.item("CUP").item_id, 1, 0, 0),
    }  # fmt: skip
    assert [told(part) for one in second for part in one.parts] == [(world.item("MUG").item_id, 1, 2, 350)]


def told(part: Part) -> tuple[int, int, int, int]:
    return part.stocked.item_id, part.units, part.waiting, part.weight_g


def test_units_of_a_physical_lock_go_only_from_its_warehouse(world: World) -> None:
    place(world, "BERLIN", priority=9)
    store = world.stocked("MUG", units=5)
    put(world, "BERLIN", MUG=5)
    main = int(world.scalar("SELECT id FROM warehouse WHERE code <> 'BERLIN'"))
    lock(world, "fair", "MUG", 5, type="channel", store_id=store, warehouse_id=main)
    world.hear(store, order(line("MUG", 3), paid=True))
    with begin(world) as tx:
        lines = reading.lines_of_orders(tx, [order_id(world)])[order_id(world)]
        found = route(tx, lines)
    assert lines[0].parts[0].pinned == {main: 3}
    assert [pick.from_lock for leg in found.legs for pick in leg.picks] == [True]
    assert [leg.warehouse_id for leg in found.legs] == [main]


def test_a_bundle_is_taken_apart_and_stays_together(world: World) -> None:
    world.stocked("CUP", "POT", units=0)
    for n, code in enumerate(("A", "B", "C")):
        place(world, code, priority=9 - n)
    put(world, "A", CUP=9)
    put(world, "B", POT=9)
    put(world, "C", CUP=4, POT=2)
    with begin(world) as tx:
        items.add_item(tx, "SET")
        set_id = catalog.item_id_of(tx, "SET")
        recipes.set_recipe(tx, set_id, "bundle", [Component(world.item("CUP"), 2), Component(world.item("POT"), 1)])
        (one,) = reading.lines_of_goods(tx, {Stocked(set_id): 2})
        found = route(tx, [one])
    assert [(part.units, part.per_unit) for part in one.parts] == [(4, 2), (2, 1)]
    assert sent(world, found) == {"C": 6}


class TestDecisions:
    @pytest.fixture
    def routed(self, world: World) -> World:
        place(world, "BERLIN", priority=9, capacity_per_day=2)
        store = world.stocked("MUG", units=50)
        put(world, "BERLIN", MUG=50)
        for n in range(3):
            world.hear(store, order(line("MUG", 2), external_id=f"{1001 + n}", paid=True))
        return world

    def decided(self, world: World, external_id: str = "1001", **told: Any) -> tuple[int, Route]:
        with begin(world) as tx:
            order_ = order_id(world, external_id)
            found = route(tx, reading.lines_of_orders(tx, [order_])[order_], **told)
            (id_,) = decisions.record(tx, [decisions.New(order_, found)])
        return id_, found

    def test_what_is_kept_is_read_again(self, routed: World) -> None:
        id_, found = self.decided(routed)
        with begin(routed) as tx:
            kept = decisions.in_force(tx, [order_id(routed)])[order_id(routed)]
        assert (kept.id, kept.superseded_by) == (id_, None)
        assert kept.route == found

    def test_deciding_again_supersedes_and_both_stay_on_record(self, routed: World) -> None:
        first, found = self.decided(routed)
        berlin = found.legs[0].warehouse_id
        with begin(routed) as tx:
            earlier = decisions.in_force(tx, [order_id(routed)])[order_id(routed)]
            again = route(tx, earlier.route.lines, excluded=[Exclusion(berlin, Why.SHORT)], earlier=earlier.route)
            (second,) = decisions.record(tx, [decisions.New(order_id(routed), again, replaces=first)])
        with begin(routed) as tx:
            kept = decisions.of_order(tx, order_id(routed))
        assert [(one.id, one.route.attempt, one.superseded_by) for one in kept] == [
            (first, 1, second),
            (second, 2, None),
        ]
        assert kept[1].route.excluded == [Exclusion(berlin, Why.SHORT)]
        assert {reason.attempt for reason in kept[1].route.reasons} == {1, 2}

    def test_a_warehouse_sends_no_more_parcels_a_day_than_it_can(self, routed: World) -> None:
        told = [sent(routed, self.decided(routed, f"{1001 + n}")[1]) for n in range(3)]
        assert [set(one) for one in told] == [{"BERLIN"}, {"BERLIN"}, {"MAIN"}]

    def test_a_superseded_parcel_makes_room_again(self, routed: World) -> None:
        first, found = self.decided(routed)
        self.decided(routed, "1002")
        with begin(routed) as tx:
            excluded = [Exclusion(found.legs[0].warehouse_id, Why.REJECTED)]
            again = route(tx, found.lines, excluded=excluded, earlier=found)
            decisions.record(tx, [decisions.New(order_id(routed), again, replaces=first)])
        assert set(sent(routed, self.decided(routed, "1003")[1])) == {"BERLIN"}

    def test_who_decides_from_an_old_decision_is_refused(self, routed: World) -> None:
        first, found = self.decided(routed)
        with begin(routed) as tx:
            decisions.record(tx, [decisions.New(order_id(routed), found, replaces=first)])
        for replaces in (first, None):
            with pytest.raises(Refused, match="meanwhile"), begin(routed) as tx:
                decisions.record(tx, [decisions.New(order_id(routed), found, replaces=replaces)])
        assert routed.scalar("SELECT count(*) FROM route_decision WHERE superseded_by IS NULL") == 1
        assert routed.scalar("SELECT count(*) FROM route_parcel") == 1

    def race(self, world: World, record: Callable[[Transaction, decisions.New], object]) -> Sequence[BaseException]:
        """Two who decide about the same order at once; what each of those who failed was told."""
        with begin(world) as tx:
            found = route(tx, reading.lines_of_orders(tx, [order_id(world)])[order_id(world)])
        new, ready = decisions.New(order_id(world), found), threading.Barrier(2)

        def decides() -> None:
            with begin(world) as tx:
                tx.run("SELECT 1")
                ready.wait(20)
                record(tx, new)

        with ThreadPoolExecutor(2) as threads:
            ended = [threads.submit(decides) for _ in range(2)]
        return [error for one in ended if (error := one.exception()) is not None]

    def test_of_two_who_decide_at_once_one_is_refused(self, routed: World) -> None:
        (error,) = self.race(routed, lambda tx, new: decisions.record(tx, [new]))
        assert isinstance(error, Refused)
        assert routed.scalar("SELECT count(*) FROM route_decision WHERE superseded_by IS NULL") == 1

    def test_who_only_looks_first_decides_twice(self, routed: World, superuser: Engine) -> None:
        """The control of the test above: without the index, looking before writing is not enough."""
        with superuser.connect() as connection:
            connection.execute(text("DROP INDEX route_decision_in_force"))
        looked = threading.Barrier(2)

        def careless(tx: Transaction, new: decisions.New) -> None:
            assert decisions.in_force(tx, [new.order_id]) == {}
            looked.wait(20)
            tx.run(
                """INSERT INTO route_decision (merchant_id, id, order_id, attempt, strategy, decided_at, country,
                       subdivision, postal, lines, legs, waits, reasons, excluded)
                   VALUES (:merchant_id, :id, :order_id, 1, 'priority', :now, 'DE', '', '', '[]', '[]', '[]', '[]',
                       '[]')""",
                id=tx.new_id(),
                order_id=new.order_id,
            )

        assert self.race(routed, careless) == []
        assert routed.scalar("SELECT count(*) FROM route_decision WHERE superseded_by IS NULL") == 2

    def test_nothing_of_a_decision_tells_more_than_three_postal_characters(self, routed: World) -> None:
        self.decided(routed)
        with pytest.raises(Exception, match="check constraint"):
            routed.tell("UPDATE route_decision SET postal = '80331'")


def test_a_region_that_two_remove_at_once_is_removed_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin(world) as tx:
        regions.put(tx, "south", ["DE-BY"])
    both_have_looked, look = threading.Barrier(2), regions.id_of
    told: list[Exception | None] = []

    def look_together(*asked: Any, **how: Any) -> int:
        found = look(*asked, **how)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_looked.wait(1)
        return found

    def remove() -> None:
        try:
            with begin(world) as tx:
                regions.remove(tx, "south")
            told.append(None)
        except (HoldfastError, DBAPIError) as error:
            told.append(error)

    monkeypatch.setattr(regions, "id_of", look_together)
    callers = [threading.Thread(target=remove) for _ in range(2)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()

    assert sorted(type(one).__name__ for one in told) == ["NoneType", "NotFound"]


def test_many_orders_are_read_in_as_few_statements_as_one(world: World) -> None:
    skus = [f"S{n}" for n in range(12)]
    store = world.stocked(*skus, units=9)
    place(world, "BERLIN", capacity_per_day=5)
    for n in range(6):
        world.hear(store, order(line(skus[2 * n], 1), line(skus[2 * n + 1], 1), external_id=f"{n}", paid=True))
    ids = [order_id(world, f"{n}") for n in range(6)]

    def statements(some: Sequence[int]) -> int:
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        with begin(world) as tx:
            event.listen(tx.connection, "before_cursor_execute", count)
            lines = reading.lines_of_orders(tx, some)
            laid, places = reading.terms(tx), warehouses.every(tx)
            things = {part.stocked for one in lines.values() for each in one for part in each.parts}
            supply = reading.supply(tx, things, places, laid, tx.now)
            new = [
                decisions.New(id_, decide(lines[id_], MUNICH, places, supply, laid, named("priority"), tx.now))
                for id_ in some
            ]
            tx.new_ids(1)
            decisions.record(tx, new)
            event.remove(tx.connection, "before_cursor_execute", count)
        return counted

    assert statements(ids[:1]) == statements(ids[1:])

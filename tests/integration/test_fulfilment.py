"""From a paid order to the parcel: told to warehouses, handed over, shipped, taken back, on a real database."""

import pytest

from core.dispatch import regions, rules
from core.dispatch.terms import Effect
from core.errors import KeyReused, NotFound, Refused
from core.fulfilment.acts import Ship
from core.rows import StoreKey
from core.stock import PoolKind
from tests.builders import Units, World, line, order
from tests.integration.bundle_acts import made_of
from tests.integration.fulfilment_acts import act, dispatch, fulfilments, goods, place, put, spot
from tests.pool_world import open_pool


def paid(world: World, units: int = 3, there: int = 5) -> int:
    store = world.stocked("mug", units=there)
    world.hear(store, order(line("mug", units), paid=True))
    return store


class TestTheWayOfAnOrder:
    def test_a_paid_order_is_allocated_handed_over_and_shipped(self, world: World) -> None:
        paid(world)

        dispatch(world)
        assert goods(world, "mug") == {"MAIN": (2, 3, 0)}
        act(world, "hand")
        assert goods(world, "mug") == {"MAIN": (2, 3, 3)}
        act(world, "ship")

        assert goods(world, "mug") == {"MAIN": (2, 0, 0)}
        assert world.units("mug") == Units(free=2)
        assert world.documents()[-3:] == ["allocation", "hand_over", "shipment"]

    def test_what_was_not_handed_over_is_shipped_all_the_same(self, world: World) -> None:
        paid(world)
        dispatch(world)

        act(world, "ship")

        assert goods(world, "mug") == {"MAIN": (2, 0, 0)}

    def test_it_is_shipped_in_parts(self, world: World) -> None:
        paid(world)
        dispatch(world)
        act(world, "hand", units={"mug": 2})

        act(world, "ship", units={"mug": 1})

        assert goods(world, "mug") == {"MAIN": (2, 2, 1)}
        act(world, "ship")
        assert goods(world, "mug") == {"MAIN": (2, 0, 0)}

    def test_the_store_says_later_what_the_warehouse_shipped(self, world: World) -> None:
        store = paid(world)
        dispatch(world)
        act(world, "ship")

        world.hear(store, order(line("mug", 3, shipped=3), paid=True))

        assert goods(world, "mug") == {"MAIN": (2, 0, 0)}
        assert world.units("mug") == Units(free=2)
        assert world.documents().count("shipment") == 1

    def test_what_is_not_paid_is_not_allocated(self, world: World) -> None:
        store = world.stocked("mug", units=5)
        world.hear(store, order(line("mug", 3)))

        assert dispatch(world) == []

        assert goods(world, "mug") == {"MAIN": (5, 0, 0)}

    def test_it_is_allocated_once(self, world: World) -> None:
        paid(world)
        dispatch(world)

        assert dispatch(world) == []

        assert goods(world, "mug") == {"MAIN": (2, 3, 0)}
        assert len(fulfilments(world)) == 1

    def test_an_order_of_two_warehouses_has_two_parts(self, world: World) -> None:
        place(world, "HAMBURG", priority=-1)
        store = world.stocked("mug", "cup", units=2)
        put(world, "HAMBURG", mug=4)
        world.hear(store, order(line("mug", 5), line("cup", 1), paid=True))

        dispatch(world)

        assert [row.code for row in fulfilments(world)] == ["MAIN", "HAMBURG"]
        assert goods(world, "mug") == {"MAIN": (0, 2, 0), "HAMBURG": (1, 3, 0)}
        act(world, "ship", 2)
        assert goods(world, "mug") == {"MAIN": (0, 2, 0), "HAMBURG": (1, 0, 0)}

    def test_units_that_wait_follow_when_they_are_there(self, world: World) -> None:
        paid(world, units=5, there=2)
        dispatch(world)
        assert goods(world, "mug") == {"MAIN": (0, 2, 0)}

        world.receive("mug", 4)
        dispatch(world)

        assert goods(world, "mug") == {"MAIN": (1, 5, 0)}
        assert len(fulfilments(world)) == 2


class TestActs:
    def test_each_is_done_once(self, world: World) -> None:
        paid(world)
        dispatch(world)
        act(world, "hand", key="h", units={"mug": 2})

        again = act(world, "hand", key="h", units={"mug": 2})

        assert again.repeated
        assert goods(world, "mug") == {"MAIN": (2, 3, 2)}
        with pytest.raises(KeyReused):
            act(world, "hand", key="h", units={"mug": 1})
        with pytest.raises(KeyReused):
            act(world, "ship", key="h", units={"mug": 2})

    def test_what_was_handed_over_is_put_back(self, world: World) -> None:
        paid(world)
        dispatch(world)
        act(world, "hand")

        act(world, "put back", units={"mug": 1})

        assert goods(world, "mug") == {"MAIN": (2, 3, 2)}

    def test_what_is_given_back_is_put_back_first(self, world: World) -> None:
        paid(world)
        dispatch(world)
        act(world, "hand", units={"mug": 2})

        act(world, "give back")

        assert goods(world, "mug") == {"MAIN": (5, 0, 0)}
        assert world.units("mug") == Units(free=2, sold=3)

    def test_more_than_there_is_is_refused(self, world: World) -> None:
        paid(world)
        dispatch(world)

        with pytest.raises(Refused, match="1 to 3"):
            act(world, "ship", units={"mug": 4})
        with pytest.raises(Refused, match="nothing of it is handed over"):
            act(world, "put back")

    def test_who_rejects_is_not_asked_again(self, world: World) -> None:
        place(world, "HAMBURG", priority=-1)
        paid(world)
        put(world, "HAMBURG", mug=3)
        dispatch(world)

        act(world, "reject", reason="the shelf fell over")
        dispatch(world)

        assert [(row.code, row.rejected_at is not None) for row in fulfilments(world)] == [
            ("MAIN", True), ("HAMBURG", False),
        ]  # fmt: skip
        assert goods(world, "mug") == {"MAIN": (5, 0, 0), "HAMBURG": (0, 3, 0)}

    def test_of_another_order_is_not_found(self, world: World) -> None:
        store = paid(world)
        world.hear(store, order(line("mug", 1), external_id="1002", paid=True))
        dispatch(world, "1001", "1002")
        with pytest.raises(NotFound):
            world.do(Ship("x", StoreKey(store, "1002"), fulfilments(world)[0].id))


class TestWhatTheStoreSays:
    def test_a_cancelled_order_gives_all_of_it_back(self, world: World) -> None:
        store = paid(world)
        dispatch(world)
        act(world, "hand", units={"mug": 2})

        world.hear(store, order(line("mug", 3), paid=True, holds=False))

        assert goods(world, "mug") == {"MAIN": (5, 0, 0)}
        assert world.units("mug") == Units(free=5)

    def test_an_order_that_is_not_paid_after_all_is_taken_from_its_warehouse(self, world: World) -> None:
        store = paid(world)
        dispatch(world)
        act(world, "hand")

        world.hear(store, order(line("mug", 3)))

        assert goods(world, "mug") == {"MAIN": (5, 0, 0)}
        assert world.units("mug") == Units(free=2, reserved=3)

    def test_what_is_cut_from_an_order_is_what_nobody_packs_yet(self, world: World) -> None:
        store = paid(world)
        dispatch(world)
        act(world, "hand", units={"mug": 2})

        world.hear(store, order(line("mug", 3, cancelled=1), paid=True))

        assert goods(world, "mug") == {"MAIN": (3, 2, 2)}

    def test_what_is_written_off_is_given_back_first(self, world: World) -> None:
        store = paid(world)
        dispatch(world)
        act(world, "hand")

        world.hear(store, order(line("mug", 3, written_off=1), paid=True))

        assert goods(world, "mug") == {"MAIN": (2, 2, 2)}
        assert world.on_hand("mug") == (2, 1)

    def test_what_the_store_ships_is_what_the_warehouse_was_told(self, world: World) -> None:
        place(world, "HAMBURG", priority=9)
        store = paid(world)
        put(world, "HAMBURG", mug=3)
        dispatch(world)
        assert goods(world, "mug") == {"MAIN": (5, 0, 0), "HAMBURG": (0, 3, 0)}

        world.hear(store, order(line("mug", 3, shipped=2), paid=True))

        assert goods(world, "mug") == {"MAIN": (5, 0, 0), "HAMBURG": (0, 1, 0)}

    def test_two_lines_of_one_item_are_shipped_together(self, world: World) -> None:
        store = world.stocked("mug", units=5)
        lines = (line("mug", 2, "a"), line("mug", 3, "b"))
        world.hear(store, order(*lines, paid=True))
        dispatch(world)
        act(world, "hand", units={"mug": 2})

        world.hear(store, order(line("mug", 2, "a", shipped=2), line("mug", 3, "b", shipped=2), paid=True))

        assert goods(world, "mug") == {"MAIN": (0, 1, 0)}

    def test_lines_that_share_take_their_units_from_the_warehouse(self, world: World) -> None:
        store = world.stocked("mug", units=3)
        world.hear(store, order(line("mug", 3, "a"), paid=True))
        dispatch(world)

        world.hear(store, order(line("mug", 3, "a", cancelled=2), line("mug", 2, "b"), paid=True))

        assert goods(world, "mug") == {"MAIN": (2, 1, 0)}
        dispatch(world)
        assert goods(world, "mug") == {"MAIN": (0, 3, 0)}


class TestWhatIsDivided:
    def test_what_was_sold_before_it_was_there_follows_when_it_has_come(self, world: World) -> None:
        store = world.stocked("cup", units=2)
        world.listings(store, "mug")
        open_pool(world, "early", PoolKind.PRESALE, {"mug": 5})
        world.hear(store, order(line("mug", 2), line("cup", 1), paid=True))

        dispatch(world)
        assert goods(world, "cup") == {"MAIN": (1, 1, 0)}
        assert goods(world, "mug") == {}
        world.receive("mug", 3)
        dispatch(world)

        assert goods(world, "mug") == {"MAIN": (1, 2, 0)}
        assert len(fulfilments(world)) == 2

    def test_a_bundle_waits_for_its_last_component(self, world: World) -> None:
        store = world.stocked("mug", "cup", units=3)
        world.listings(store, "set")
        made_of(world, "set", mug=1, cup=2)
        world.hear(store, order(line("set", 2), paid=True))

        dispatch(world)
        assert (goods(world, "mug"), goods(world, "cup")) == ({"MAIN": (2, 1, 0)}, {"MAIN": (1, 2, 0)})
        world.receive("cup", 1)
        dispatch(world)

        assert (goods(world, "mug"), goods(world, "cup")) == ({"MAIN": (1, 2, 0)}, {"MAIN": (0, 4, 0)})

    def test_a_parcel_that_goes_as_it_was_told_still_counts_for_its_day(self, world: World) -> None:
        place(world, "HAMBURG", priority=-1)
        paid(world, units=3, there=2)
        put(world, "HAMBURG", mug=9)
        dispatch(world)
        act(world, "reject")

        dispatch(world)

        parcels = world.ask(
            """SELECT w.code, count(*) AS parcels FROM route_parcel p
               JOIN warehouse w ON (w.merchant_id, w.id) = (p.merchant_id, p.warehouse_id)
               WHERE p.merchant_id = :merchant_id GROUP BY 1"""
        )
        assert {row.code: row.parcels for row in parcels} == {"HAMBURG": 2}

    def test_a_parcel_whose_order_was_cancelled_makes_room_for_another(self, world: World) -> None:
        place(world, "HAMBURG", priority=9, capacity_per_day=1)
        store = paid(world, units=1)
        put(world, "HAMBURG", mug=9)
        dispatch(world)
        world.hear(store, order(line("mug", 1, cancelled=1), paid=True))
        for number in ("1002", "1003"):
            world.hear(store, order(line("mug", 1), external_id=number, paid=True))

        for number in ("1002", "1003"):
            dispatch(world, number)

        assert [[row.code for row in fulfilments(world, number)] for number in ("1002", "1003")] == [
            ["HAMBURG"], ["MAIN"],
        ]  # fmt: skip

    def test_the_order_says_where_it_goes(self, world: World) -> None:
        place(world, "HAMBURG", country="DE", subdivision="HH", priority=9)
        store = paid(world)
        put(world, "HAMBURG", mug=3)
        with world.db.begin(1, actor="test") as tx:
            south = regions.put(tx, "south", ["DE-BY"])
            rules.add(tx, Effect.DENY, spot(world, "HAMBURG").warehouse_id, region_id=south.id)

        world.hear(store, order(line("mug", 3), paid=True, destination="DE-BY-803"))
        world.hear(store, order(line("mug", 3), paid=True))  # told once, it stays known
        dispatch(world)

        assert [row.code for row in fulfilments(world)] == ["MAIN"]

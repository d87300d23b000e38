"""Goods that are gone while warehouses are to send them, and locks whose goods they send."""

import pytest

from core.errors import Refused
from core.goods.adjusting import Lose, Regrade, SetOnShelf
from core.reversing import NeedsForce, Reverse, read_document
from core.sales.lock_migration import MigrateLock, MovePromises
from core.sales.locks import ReleaseLock
from core.stock import MINOR_DEFECT, DocumentKind
from core.warehouse import bins
from tests.builders import Units, World, line, order
from tests.integration import lock_acts
from tests.integration.fulfilment_acts import act, dispatch, fulfilments, goods, order_id, place, put, spot


def lose(world: World, units: int, *, at: str = "", damaged: bool = False) -> None:
    kind = DocumentKind.DAMAGE if damaged else DocumentKind.MISSING
    where = spot(world, at) if at else None
    world.do(Lose(f"lose/{world.next_seq()}", "fire", kind, {world.item("mug"): units}, spot=where))


def sold(world: World, *units: int, there: int) -> int:
    """Paid orders 1, 2 and so on, the oldest first, each of which a warehouse is to send."""
    store = world.stocked("mug", units=there)
    for nth, n in enumerate(units, start=1):
        world.hear(store, order(line("mug", n), external_id=str(nth), paid=True))
    dispatch(world, *(str(nth) for nth in range(1, len(units) + 1)))
    return store


def allocated(world: World, external_id: str) -> tuple[int, int, int]:
    """Of an order: live, allocated and waiting."""
    (row,) = world.ask(
        """SELECT sum(live)::int AS live, sum(allocated)::int AS allocated, sum(waiting)::int AS waiting FROM promise
           WHERE merchant_id = :merchant_id AND order_id = :id""",
        id=order_id(world, external_id),
    )
    return (row.live, row.allocated, row.waiting)


class TestGoodsThatAreGone:
    def test_those_that_nobody_is_to_send_go_first(self, world: World) -> None:
        sold(world, 2, there=5)

        lose(world, 3)

        assert goods(world, "mug") == {"MAIN": (0, 2, 0)}
        assert allocated(world, "1") == (2, 2, 0)

    @pytest.mark.parametrize("damaged", [False, True])
    def test_the_newest_order_is_taken_from_the_warehouse_and_waits(self, world: World, damaged: bool) -> None:
        sold(world, 2, 2, there=5)
        act(world, "hand", external_id="2")

        lose(world, 2, damaged=damaged)

        assert allocated(world, "1") == (2, 2, 0)
        assert allocated(world, "2") == (1, 1, 1)
        assert goods(world, "mug") == {"MAIN": (0, 3, 1)}
        assert [one.quantity for one in world.incidents()] == [1]

    def test_an_order_that_only_lost_its_warehouse_keeps_its_units(self, world: World) -> None:
        place(world, "HAMBURG", priority=-1)
        sold(world, 4, there=4)
        put(world, "HAMBURG", mug=3)

        lose(world, 3)

        assert allocated(world, "1") == (4, 1, 0)
        assert world.incidents() == []
        dispatch(world, "1")
        assert goods(world, "mug") == {"MAIN": (0, 1, 0), "HAMBURG": (0, 3, 0)}

    def test_who_is_not_allocated_waits_before_who_was_promised_later(self, world: World) -> None:
        place(world, "HAMBURG", priority=-1)
        store = sold(world, 2, there=2)
        put(world, "HAMBURG", mug=1)
        world.hear(store, order(line("mug", 1), external_id="9", paid=True))  # it stands in HAMBURG, nobody sends it

        lose(world, 1, at="MAIN")

        assert allocated(world, "1") == (2, 1, 0)
        assert allocated(world, "9") == (0, 0, 1)

    def test_what_is_handed_over_is_put_back_where_a_bin_is_short(self, world: World) -> None:
        with world.db.begin(1, actor="test") as tx:
            bins.add(tx, "MAIN/A")
        sold(world, 2, there=2)
        put(world, "MAIN/A", mug=5)
        act(world, "hand", external_id="1")

        lose(world, 1)

        assert goods(world, "mug") == {"MAIN": (4, 2, 1)}
        assert allocated(world, "1") == (2, 2, 0)
        act(world, "ship", external_id="1")
        assert goods(world, "mug") == {"MAIN": (4, 0, 0)}

    def test_a_count_finds_less_than_is_packed(self, world: World) -> None:
        sold(world, 3, there=3)
        act(world, "hand", external_id="1")

        world.do(SetOnShelf("count", "counted", world.item("mug"), 1))

        assert goods(world, "mug") == {"MAIN": (0, 1, 1)}
        assert allocated(world, "1") == (1, 1, 2)

    def test_a_regrade_takes_units_that_are_packed(self, world: World) -> None:
        sold(world, 2, there=2)
        act(world, "hand", external_id="1")

        world.do(Regrade("r", "scratched", world.item("mug"), MINOR_DEFECT, 1))

        assert allocated(world, "1") == (1, 1, 1)

    def test_more_orders_than_the_batch_knew_of_make_room(self, world: World) -> None:
        sold(world, *[1] * 12, there=12)

        lose(world, 9)

        assert [allocated(world, str(n)) for n in (1, 2, 3, 4, 12)] == [(1, 1, 0)] * 3 + [(0, 0, 1)] * 2

    def test_a_receipt_whose_goods_are_packed_is_not_swapped_back(self, world: World) -> None:
        world.stocked("mug", units=0)
        world.receive("mug", 3)
        (row,) = world.ask("SELECT id FROM document WHERE merchant_id = :merchant_id AND kind = 'receipt'")
        store = int(world.scalar("SELECT id FROM store"))
        world.hear(store, order(line("mug", 3), paid=True))
        dispatch(world)
        with world.db.begin(1, actor="test") as tx:
            receipt = read_document(tx, row.id)

        with pytest.raises(NeedsForce):
            world.do(Reverse(receipt, "typed twice"))
        world.do(Reverse(receipt, "typed twice", force=True))

        assert goods(world, "mug") == {"MAIN": (0, 0, 0)}

    def test_missing_goods_that_are_found_again_are_swapped_back(self, world: World) -> None:
        sold(world, 2, there=2)
        lose(world, 1)
        (row,) = world.ask("SELECT id FROM document WHERE merchant_id = :merchant_id AND kind = 'missing'")
        with world.db.begin(1, actor="test") as tx:
            missing = read_document(tx, row.id)

        world.do(Reverse(missing, "it was there"))

        assert allocated(world, "1") == (2, 1, 0)
        dispatch(world, "1")
        assert goods(world, "mug") == {"MAIN": (0, 2, 0)}


class TestPhysicalLocks:
    def drawn(self, world: World, units: int = 3) -> int:
        store = world.stocked("mug", units=5)
        main = spot(world, "MAIN").warehouse_id
        lock_acts.lock(world, "vip", "mug", 4, type="channel", store_id=store, warehouse_id=main)
        world.hear(store, order(line("mug", units), paid=True))
        return store

    def test_their_units_are_allocated_where_they_stand_apart(self, world: World) -> None:
        self.drawn(world)

        dispatch(world)

        assert goods(world, "mug")["MAIN"][1] == 3
        act(world, "ship")
        assert (
            sum(goods(world, "mug")["MAIN"])
            + int(world.scalar("SELECT sum(locked) FROM dispatch_balance WHERE merchant_id = :merchant_id"))
            == 2
        )

    def test_what_is_given_back_stands_apart_again(self, world: World) -> None:
        self.drawn(world)
        dispatch(world)
        act(world, "hand")

        act(world, "give back")

        assert goods(world, "mug")["MAIN"][1:] == (0, 0)

    def test_an_order_that_ends_after_its_lock_gives_them_to_everybody(self, world: World) -> None:
        store = self.drawn(world)
        dispatch(world)
        world.do(ReleaseLock("vip"))

        world.hear(store, order(line("mug", 3), paid=True, holds=False))

        assert goods(world, "mug") == {"MAIN": (5, 0, 0)}

    def test_its_own_newest_order_is_broken_when_nothing_of_it_is_unsold(self, world: World) -> None:
        self.drawn(world, units=5)
        dispatch(world)

        lose(world, 2)

        assert allocated(world, "1001")[2] == 2

    def test_only_promises_that_no_warehouse_sends_move_to_another_lock(self, world: World) -> None:
        store = self.drawn(world, units=2)
        dispatch(world)
        world.hear(store, order(line("mug", 2), external_id="1002", paid=True))
        lock_acts.lock(world, "next", "mug", 1)
        world.do(MigrateLock("vip", "next", "all"))

        orders = [order_id(world, one) for one in ("1001", "1002")]
        world.do(MovePromises("vip", "next", orders))

        assert allocated(world, "1001")[1] == 2
        assert lock_acts.pool(world, "vip").sold + lock_acts.pool(world, "next").sold <= 4
        act(world, "ship")


def test_a_warehouse_cannot_be_told_to_send_what_another_order_took_meanwhile(world: World) -> None:
    """Two warehouses, and the one that was chosen has lost its goods since."""
    place(world, "HAMBURG", priority=-1)
    sold(world, 1, there=1)
    put(world, "HAMBURG", mug=1)
    act(world, "give back", external_id="1")
    lose(world, 1, at="MAIN")

    dispatch(world, "1")

    assert [row.code for row in fulfilments(world, "1")] == ["MAIN", "HAMBURG"]
    assert world.units("mug") == Units(sold=1)


def test_what_is_told_wrongly_is_refused(world: World) -> None:
    sold(world, 1, there=1)

    with pytest.raises(Refused, match="cannot be gone"):
        lose(world, 2)

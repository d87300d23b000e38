"""Stocktakes: counted while goods are sold, by several people, approved by a second, booked through the ledger."""

import itertools
from datetime import datetime
from typing import Any

import pytest

from core import catalog
from core.errors import NotFound, Refused
from core.goods.adjusting import Lose, SetOnShelf
from core.stock import DocumentKind
from core.stocktake import entering, opening, papers, posting
from core.stocktake.entering import CannotEnter, Counted, Entered
from core.stocktake.opening import Choice, Terms
from core.stocktake.papers import StocktakeRow
from core.stocktake.posting import Posted
from core.warehouse.moves import PutAway
from tests.builders import Clock, World, line, order
from tests.integration.fulfilment_acts import act, dispatch
from tests.integration.place_acts import in_bin, place, receive, tell

_keys = itertools.count(1)


def start(world: World, *places: str, number: str = "S-1", choice: Choice | None = None, **terms: Any) -> StocktakeRow:
    """A stocktake, of MAIN unless told otherwise."""
    said = Terms(choice=choice or Choice(), **terms)
    row: StocktakeRow = tell(world, opening.start, number, places or ("MAIN",), said)
    return row


def enter(
    world: World, at: str = "MAIN", counter: str = "ann", *, number: str = "S-1", when: datetime | None = None,
    **counted: int,
) -> Entered:  # fmt: skip
    spot = place(world, at)
    counts = [Counted(spot, world.item(sku), units, when) for sku, units in counted.items()]
    entered: Entered = tell(world, entering.enter, number, counts, counter)
    return entered


def post(world: World, number: str = "S-1", **told: Any) -> Posted:
    return posting.post(world.db, world.merchant_id, number, actor="test", **told)


def find(world: World, number: str = "S-1") -> StocktakeRow:
    row: StocktakeRow = tell(world, papers.find, number)
    return row


def stand(world: World, sku: str, number: str = "S-1") -> tuple[str, int | None, int | None]:
    """State, units counted and units that the books held then, of an item with one line."""
    (row,) = world.ask(
        """SELECT l.state, l.counted, l.book FROM stocktake_line l JOIN stocktake s ON s.id = l.stocktake_id
           WHERE l.merchant_id = :merchant_id AND s.number = :number AND l.item_id = :item_id""",
        number=number, item_id=world.item(sku).item_id,
    )  # fmt: skip
    return tuple(row)


def sell(world: World, store_id: int, sku: str, units: int, *, shipped: bool = True) -> None:
    number = str(next(_keys))
    world.hear(
        store_id, order(line(sku, units, shipped=units if shipped else 0), external_id=f"sale-{number}", paid=True)
    )


def test_what_is_counted_is_what_the_books_hold_afterwards(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=10)
    start(world)

    enter(world, mug=8, cup=11, pot=10)
    posted = post(world)

    assert (posted.found, posted.missing, posted.lines) == (1, 2, 3)
    assert [world.on_hand(sku)[0] for sku in ("mug", "cup", "pot")] == [8, 11, 10]
    assert [world.units(sku).free for sku in ("mug", "cup", "pot")] == [8, 11, 10]
    assert find(world).state == "posted"


def test_what_is_sold_between_the_count_and_the_booking_is_neither_lost_nor_found(world: World) -> None:
    store_id = world.stocked("mug", units=10)
    start(world)
    sell(world, store_id, "mug", 2)
    enter(world, mug=7)  # one is gone
    sell(world, store_id, "mug", 3)

    post(world)

    assert world.on_hand("mug")[0] == 4
    assert world.units("mug").free == 4


def test_a_count_entered_late_counts_at_the_instant_it_was_made(world: World) -> None:
    store_id = world.stocked("mug", units=10)
    start(world)
    counted_at = world.db.clock()
    sell(world, store_id, "mug", 3)

    enter(world, when=counted_at, mug=9)

    assert stand(world, "mug") == ("counted", 9, 10)
    post(world)
    assert world.on_hand("mug")[0] == 6


def test_what_was_sold_before_a_count_is_not_netted_although_our_clock_was_set_back(world: World) -> None:
    world.db.clock = clock = Clock()
    store_id = world.stocked("mug", units=10)
    start(world)
    clock.pass_(90)
    sell(world, store_id, "mug", 3)
    clock.pass_(-60)

    enter(world, mug=7)

    assert stand(world, "mug") == ("counted", 7, 7)
    post(world)
    assert world.on_hand("mug")[0] == 7


def test_goods_moved_between_two_bins_after_one_was_counted_are_counted_once(world: World) -> None:
    world.stocked("mug", units=10)
    here, there = place(world, "MAIN"), place(world, "MAIN/A-01")
    start(world)
    enter(world, "MAIN", mug=10)
    world.do(PutAway("p", world.item("mug"), 4, here, there))

    enter(world, "MAIN/A-01", mug=4)
    posted = post(world)

    assert (posted.found, posted.missing) == (0, 0)
    assert (in_bin(world, "mug", "MAIN"), in_bin(world, "mug", "MAIN/A-01")) == ((6, 0, 0), (4, 0, 0))


def test_goods_that_the_books_do_not_know_in_a_bin_are_found_there(world: World) -> None:
    world.stocked("mug", units=5)
    place(world, "MAIN/A-01")
    start(world)

    enter(world, "MAIN/A-01", mug=2)
    post(world)

    assert in_bin(world, "mug", "MAIN/A-01") == (2, 0, 0)
    assert world.units("mug").free == 7


def test_goods_in_the_wrong_bin_break_no_promise(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    place(world, "MAIN/A-01")
    sell(world, store_id, "mug", 5, shipped=False)
    start(world)

    enter(world, "MAIN", mug=0)
    enter(world, "MAIN/A-01", mug=5)
    posted = post(world)

    assert world.units("mug").sold == 5
    assert not world.incidents()
    assert all(loss.promise is None for loss in posted.losses)


def test_missing_goods_that_were_promised_make_the_newest_buyer_wait(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    sell(world, store_id, "mug", 3, shipped=False)
    sell(world, store_id, "mug", 2, shipped=False)
    start(world)

    enter(world, mug=3)
    posted = post(world)

    assert (world.units("mug").sold, world.units("mug").backordered) == (3, 2)
    (incident,) = world.incidents()
    assert "stocktake S-1" in incident.timeline[-1]["what"]
    assert sum(loss.units for loss in posted.losses) == 2


def test_what_nobody_counted_is_left_alone(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    start(world)

    enter(world, mug=9)
    posted = post(world)

    assert posted.left_out == {"uncounted": 1}
    assert world.on_hand("cup")[0] == 10


def test_what_nobody_counted_is_gone_where_that_was_chosen(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=10)
    start(world, uncounted_is_zero=True)
    receive(world, "cup", 4, "MAIN")
    sell(world, store_id, "cup", 1)

    enter(world, mug=10)
    post(world)

    assert world.on_hand("cup")[0] == 3  # of what came since, one was sold


def test_the_last_count_of_a_counter_replaces_the_one_before(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)

    enter(world, mug=4)
    enter(world, mug=9)

    assert stand(world, "mug") == ("counted", 9, 10)


def test_two_counters_who_differ_are_asked_to_count_again(world: World) -> None:
    store_id = world.stocked("mug", units=10)
    start(world)
    enter(world, counter="ann", mug=10)
    sell(world, store_id, "mug", 1)

    agreed = enter(world, counter="bob", mug=9)
    differs = enter(world, counter="cem", mug=7)

    assert not agreed.recount
    assert len(differs.recount) == 1
    with pytest.raises(Refused, match="counted again"):
        post(world)
    enter(world, counter="bob", mug=7)
    assert stand(world, "mug") == ("counted", 7, 9)


def test_lines_to_be_counted_again_can_be_left_out(world: World) -> None:
    world.stocked("mug", "cup", units=10)
    start(world)
    enter(world, counter="ann", mug=9, cup=8)
    enter(world, counter="bob", mug=8)

    posted = post(world, leave_out=True)

    assert posted.left_out == {"recount": 1}
    assert (world.on_hand("mug")[0], world.on_hand("cup")[0]) == (10, 8)


def test_a_unit_found_missing_after_it_was_counted_as_missing_is_not_taken_twice(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)
    enter(world, mug=9)
    world.do(Lose("m", "not there", DocumentKind.MISSING, {world.item("mug"): 1}))

    with pytest.raises(Refused, match="counted again"):
        post(world)

    assert world.on_hand("mug")[0] == 9
    enter(world, mug=9)
    assert post(world).missing == 0


def test_a_count_made_before_a_correction_is_not_entered_after_it(world: World) -> None:
    world.stocked("mug", units=10)
    start(world)
    counted_at = world.db.clock()
    world.do(SetOnShelf("s", "count", world.item("mug"), 9))

    with pytest.raises(CannotEnter, match="corrected the books"):
        enter(world, when=counted_at, mug=9)


def test_sales_out_of_a_bin_that_held_less_than_thought_take_all_that_it_has(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    start(world)
    enter(world, mug=1)
    sell(world, store_id, "mug", 3)  # so they were taken from elsewhere

    posted = post(world)

    assert posted.missing == 2
    assert world.on_hand("mug")[0] == 0


def test_bins_are_frozen_until_the_stocktake_ends_and_others_stay_as_they_are(world: World) -> None:
    world.stocked("mug", units=10)
    place(world, "MAIN/A-01")
    world.tell("UPDATE bin SET frozen = true WHERE merchant_id = :merchant_id AND code = 'A-01'")
    start(world, freeze=True)
    with pytest.raises(Refused, match="frozen"):
        receive(world, "mug", 1, "MAIN")

    enter(world, mug=9)
    post(world)

    frozen = world.ask("SELECT code FROM bin WHERE merchant_id = :merchant_id AND frozen")
    assert [row.code for row in frozen] == ["A-01"]
    assert world.on_hand("mug")[0] == 9


def test_a_cancelled_stocktake_books_nothing_and_thaws_its_bins(world: World) -> None:
    world.stocked("mug", units=10)
    start(world, freeze=True)
    enter(world, mug=1)

    assert tell(world, papers.cancel, "S-1", "wrong day")

    assert not tell(world, papers.cancel, "S-1", "wrong day")
    with pytest.raises(Refused, match="cancelled"):
        post(world)
    receive(world, "mug", 1, "MAIN")
    assert world.on_hand("mug")[0] == 11


def test_trying_out_says_what_posting_would_do_and_books_nothing(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    sell(world, store_id, "mug", 4, shipped=False)
    start(world)
    enter(world, mug=3)

    tried = posting.rehearse(world.db, world.merchant_id, "S-1", actor="test")

    assert (tried.missing, sum(loss.units for loss in tried.losses)) == (2, 2)
    assert world.on_hand("mug")[0] == 5
    assert find(world).state == "counting"
    assert post(world).missing == 2


def test_a_count_says_what_is_wrong_with_each_line(world: World) -> None:
    world.stocked("mug", units=10)
    spot, other, mug = place(world, "MAIN"), place(world, "HAMBURG"), world.item("mug")
    start(world)

    with pytest.raises(CannotEnter) as refused:
        tell(world, entering.enter, "S-1", [
            Counted(spot, mug, 5), Counted(spot, mug, 5), Counted(other, mug, 1), Counted(spot, mug, -1),
            Counted(spot, mug._replace(grade="gone"), 1),
        ], "ann")  # fmt: skip

    assert sorted(refused.value.problems) == [1, 2, 3, 4]
    assert find(world).revision == 0


def test_there_is_no_stocktake_that_nobody_opened(world: World) -> None:
    with pytest.raises(NotFound, match="holdfast count start"):
        post(world)
    world.stocked("mug", units=1)
    start(world)
    with pytest.raises(Refused, match="S-1 already"):
        start(world)
    with pytest.raises(Refused, match="nothing was counted"):
        post(world)


def test_grades_are_counted_apart(world: World) -> None:
    world.stocked("mug", units=5)
    flawed = world.item("mug")._replace(grade="minor_defect")
    start(world)

    tell(world, entering.enter, "S-1", [
        Counted(place(world, "MAIN"), world.item("mug"), 4), Counted(place(world, "MAIN"), flawed, 1),
    ], "ann")  # fmt: skip
    posted = post(world)

    assert (posted.found, posted.missing) == (1, 1)
    assert world.ask(
        "SELECT grade, available FROM warehouse_balance WHERE merchant_id = :merchant_id ORDER BY grade"
    ) == [("good", 4), ("minor_defect", 1)]


def test_nothing_is_counted_of_another_merchant(world: World) -> None:
    world.stocked("mug", units=5)
    start(world)
    catalog.ensure_merchant(world.db, 2, name="Other shop")
    other = World(world.db, 2)

    with pytest.raises(NotFound):
        find(other)
    other.stocked("mug", units=5)
    with pytest.raises(NotFound):
        tell(other, entering.enter, "S-1", [Counted(place(other, "MAIN"), other.item("mug"), 1)], "ann")
    start(other)
    assert find(other).id != find(world).id


def test_goods_that_warehouses_are_to_send_are_taken_from_their_orders_when_they_are_missing(world: World) -> None:
    """Out of two bins, some of them handed over already: no bin alone knows what the other one lacks."""
    store_id = world.stocked("mug", units=5)
    receive(world, "mug", 5, "MAIN/A-01")
    numbers = [str(n) for n in range(1, 10)]
    for number in numbers:
        world.hear(store_id, order(line("mug", 1), external_id=number, paid=True))
    dispatch(world, *numbers)
    act(world, "hand", external_id="9")
    start(world)

    enter(world, "MAIN", mug=1)
    enter(world, "MAIN/A-01", mug=2)
    posted = post(world)

    assert posted.missing == 7
    assert (world.units("mug").sold, world.units("mug").backordered, world.units("mug").free) == (3, 6, 0)
    held = [in_bin(world, "mug", name) for name in ("MAIN", "MAIN/A-01")]
    assert [available + picking for available, picking, _ in held] == [1, 2]

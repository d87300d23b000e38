"""Goods of purchase orders come, and receipts are taken back; the books agree after each step."""

from typing import Any

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.reversing import Reverse, read_document
from core.sales.locks import ReleaseLock
from core.stock import MINOR_DEFECT
from core.supply import purchases, receipts, taking_back
from core.supply.acting import Acted
from core.supply.lines import Came
from core.warehouse import bins
from tests import supply_world as sup
from tests.builders import Units, World, line, order
from tests.integration.lock_acts import lock
from tests.integration.race_acts import together
from tests.pool_world import shared
from tests.supply_world import OnWay


def test_a_receipt_raises_all_three_layers_in_one_document(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4})
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((4, 0), OnWay(available=4, incoming=6))
    assert world.units("mug") == Units(free=4)
    assert world.documents() == ["purchase", "receipt"]


def test_a_receipt_first_serves_who_waits(world: World) -> None:
    store = world.stocked("mug", units=0)
    world.hear(store, order(line("mug", 3), paid=True))
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4})
    assert world.units("mug") == Units(free=1, sold=3)


def test_all_that_is_still_to_come_is_received_with_one_word(world: World) -> None:
    world.stocked("mug", "cup", units=0)
    sup.placed(world, "PO-7", {"mug": 10, "cup": 2})
    sup.receive(world, "PO-7", {"mug": 4})
    sup.receive(world, "PO-7", None, "b")
    assert (world.on_hand("mug"), world.on_hand("cup")) == ((10, 0), (2, 0))
    assert sup.look(world, "PO-7").state == "closed"
    with pytest.raises(Refused, match="nothing of PO-7 is still to come"):
        sup.receive(world, "PO-7", None, "c")


def test_the_same_receipt_told_twice_is_booked_once(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    first = sup.receive(world, "PO-7", {"mug": 4})
    again = sup.receive(world, "PO-7", {"mug": 4})
    assert (again.repeated, again.document_ids) == (True, first.document_ids)
    assert world.on_hand("mug") == (4, 0)
    with pytest.raises(KeyReused):
        sup.receive(world, "PO-7", {"mug": 5})
    sup.receive(world, "PO-7", None, "rest")
    assert sup.receive(world, "PO-7", None, "rest").repeated


def test_more_than_was_ordered_is_booked_in_as_well(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 12})
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((12, 0), OnWay(available=12))
    sup.receive(world, "PO-7", {"mug": 1}, "b")
    assert world.units("mug") == Units(free=13)
    assert sup.look(world, "PO-7").lines[0].came == 13


def test_units_damaged_on_arrival_are_on_hand_and_not_for_sale(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": Came(5, damaged=2)})
    assert world.on_hand("mug") == (5, 2)
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=3, unavailable=2)
    assert world.units("mug") == Units(free=5)


def test_units_of_the_other_grade_are_lost_in_one_and_found_in_the_other(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": Came(5, regraded=3)})
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=2)
    assert sup.on_way(world, "mug", grade=MINOR_DEFECT) == OnWay(available=3)


def test_a_receipt_at_another_warehouse_takes_the_units_off_the_way_to_the_first(world: World) -> None:
    world.stocked("mug", units=0)
    sup.warehouse(world, "BERLIN")
    sup.placed(world, "PO-7", {"mug": 10})
    sup.receive(world, "PO-7", {"mug": 4}, at="BERLIN")
    assert sup.on_way(world, "mug") == OnWay(incoming=6)
    assert sup.on_way(world, "mug", "BERLIN") == OnWay(available=4)


def test_a_draft_receives_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    sup.draft(world, "PO-7", {"mug": 10})
    with pytest.raises(Refused, match="purchase place PO-7"):
        sup.receive(world, "PO-7", {"mug": 4})


@pytest.mark.parametrize("came", [Came(-1, 2), Came(0), Came(2_000_000_000)])
def test_what_cannot_have_come_is_refused(world: World, came: Came) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    with pytest.raises(Refused, match="say how many units came"):
        sup.receive(world, "PO-7", {"mug": came})


def test_a_receipt_of_an_order_is_not_reversed_behind_its_back(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 4}).document_ids
    with world.db.begin(1, actor="test") as tx:
        posted = read_document(tx, document_id)
    with pytest.raises(Refused):
        world.do(Reverse(posted, "mistake"))


def test_damaged_goods_come_for_an_order_that_waits_beside_units_of_a_lock_that_is_over(world: World) -> None:
    store = world.stocked("mug", units=3)
    world.listings(store, "cup")
    lock(world, "web", "mug", 3, type="channel", store_id=store)
    world.hear(store, order(line("mug", 3), line("cup", 9), paid=True))
    world.do(ReleaseLock("web"))
    sup.placed(world, "PO-7", {"mug": 5, "cup": 5}, in_days=2)
    sup.count(world, 7)

    sup.receive(world, "PO-7", {"mug": Came(3, damaged=2), "cup": 5})

    assert (world.units("cup"), shared(world, "mug").free) == (Units(sold=5, backordered=4), 3)


# ---- taken back


def take_back(world: World, document_id: int, number: str = "PO-7", **told: Any) -> Acted:
    return taking_back.take_back(world.db, 1, number, document_id, actor="test", **{"reason": "typed", **told})


def test_nothing_is_taken_back_out_of_a_bin_that_is_counted(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 5}).document_ids
    with world.db.begin(world.merchant_id, actor="test") as tx:
        bins.freeze(tx, "MAIN", True)

    with pytest.raises(Refused, match="frozen for a count"):
        take_back(world, document_id)


def test_a_receipt_entered_by_mistake_is_taken_back_once(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    came = Came(5, damaged=2, regraded=1)
    (document_id,) = sup.receive(world, "PO-7", {"mug": came}).document_ids
    assert take_back(world, document_id, dry_run=True).document_ids
    take_back(world, document_id)
    assert (world.on_hand("mug"), sup.on_way(world, "mug")) == ((0, 0), OnWay(incoming=10))
    assert take_back(world, document_id).repeated
    assert sup.supply(world) == [("PO-7", "mug", 10, 0, 10)]
    sup.receive(world, "PO-7", {"mug": came}, "again")
    assert sup.on_way(world, "mug") == OnWay(available=5, incoming=2, unavailable=2)


def test_of_a_receipt_of_too_many_only_what_is_awaited_is_on_its_way_again(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (first,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    sup.receive(world, "PO-7", {"mug": 3}, "b")
    take_back(world, first)
    assert sup.on_way(world, "mug") == OnWay(available=3, incoming=7)


def test_units_that_were_on_sale_before_are_on_sale_after_a_receipt_is_taken_back(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    sup.count(world, 7)
    world.hear(store, order(line("mug", 10), paid=True))
    (document_id,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    take_back(world, document_id)
    assert (sup.on_way(world, "mug"), world.units("mug")) == (OnWay(incoming_sellable=10), Units(sold=10))


def test_a_receipt_whose_units_somebody_has_is_not_taken_back(world: World) -> None:
    store = world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    (document_id,) = sup.receive(world, "PO-7", {"mug": 10}).document_ids
    world.hear(store, order(line("mug", 1), paid=True))
    with pytest.raises(Refused, match="stock missing"):
        take_back(world, document_id)
    with pytest.raises(Refused, match="say why"):
        take_back(world, document_id, reason="")
    with pytest.raises(NotFound, match="no receipt of PO-7"):
        take_back(world, 99)
    assert sup.on_way(world, "mug") == OnWay(available=10)


# ---- announced


def announced(world: World, units: int) -> None:
    """PO-7 is to bring 10 mugs, and its supplier announces some as ASN-1."""
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10})
    with world.db.begin(1, actor="test") as tx:
        purchases.give_notice(tx, "PO-7", "ASN-1", {sup.line_id(world, "PO-7", "mug"): units}, sup.today(world))


def by_notice(world: World, key: str) -> Acted:
    delivery = receipts.Delivery(sup.spot(world), notice="ASN-1")
    return receipts.receive(world.db, 1, "PO-7", delivery, key, actor="test")


def test_what_a_notice_announced_is_booked_in_once_however_many_book_it(world: World) -> None:
    announced(world, 6)

    booked = together(lambda n: by_notice(world, f"k{n}"), range(4), threads=4)

    assert sum(not one.repeated for one in booked) == 1
    assert len({one.document_ids[0] for one in booked}) == 1
    assert sup.on_way(world, "mug") == OnWay(available=6, incoming=4)


def test_a_receipt_by_notice_that_was_taken_back_can_be_booked_in_again(world: World) -> None:
    announced(world, 6)
    for nth in range(3):
        (document_id,) = by_notice(world, f"k{nth}").document_ids
        assert by_notice(world, "again").repeated
        taking_back.take_back(world.db, 1, "PO-7", document_id, actor="test", reason="not yet here")
        assert sup.on_way(world, "mug") == OnWay(incoming=10)

    assert not by_notice(world, "k").repeated
    assert sup.on_way(world, "mug") == OnWay(available=6, incoming=4)


def test_what_came_beyond_a_notice_is_booked_in_by_name(world: World) -> None:
    announced(world, 6)
    by_notice(world, "k")

    sup.receive(world, "PO-7", {"mug": 6})

    assert sup.on_way(world, "mug") == OnWay(available=12)

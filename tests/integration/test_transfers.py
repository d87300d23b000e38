"""Goods between our own warehouses: on sale while they are on their way, and missing when they are lost."""

import itertools
import threading
from collections.abc import Mapping

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.goods.adjusting import Lose
from core.stock import DocumentKind
from core.supply import keeping, sending, transfers
from core.supply.sending import Arrived, Moved
from core.supply.transfers import Transfer
from tests.builders import World, line, order
from tests.integration import fulfilment_acts
from tests.integration.place_acts import in_bin, place, tell
from tests.integration.race_acts import together

_keys = itertools.count(1)


def asked(world: World, number: str = "T-7", **goods: int) -> Transfer:
    """A transfer from MAIN to HAMBURG."""
    ends = place(world, "MAIN").warehouse_id, place(world, "HAMBURG").warehouse_id
    tell(world, transfers.ask, number, ends, {world.item(sku): units for sku, units in goods.items()})
    return found(world, number)


def found(world: World, number: str = "T-7") -> Transfer:
    transfer: Transfer = tell(world, transfers.find, number)
    return transfer


def send(world: World, units: int | None = None, *, key: str = "", number: str = "T-7", dry_run: bool = False) -> Moved:
    said = None if units is None else {found(world, number).lines[0].id: units}
    return sending.send(
        world.db, world.merchant_id, number, said, place(world, "MAIN"), key or f"k{next(_keys)}", actor="test",
        dry_run=dry_run,
    )  # fmt: skip


def receive(world: World, came: Mapping[int, Arrived] | None = None, *, key: str = "", number: str = "T-7") -> Moved:
    where = place(world, "HAMBURG")
    return sending.receive(
        world.db, world.merchant_id, number, came, where, key or f"k{next(_keys)}", actor="test"
    )  # fmt: skip


def lose(world: World, units: int | None = None, reason: str = "parcel lost") -> Moved:
    said = None if units is None else {found(world).lines[0].id: units}
    return sending.lose(
        world.db, world.merchant_id, "T-7", said, f"k{next(_keys)}", actor="test", reason=reason
    )  # fmt: skip


def dispatch(world: World, sku: str, at: str) -> tuple[int, int]:
    """Available, and on the way and on sale."""
    rows = world.ask(
        """SELECT available, incoming_sellable FROM dispatch_balance WHERE merchant_id = :merchant_id
           AND item_id = :item_id AND warehouse_id = :warehouse_id""",
        item_id=world.item(sku).item_id, warehouse_id=place(world, at).warehouse_id,
    )  # fmt: skip
    return tuple(rows[0]) if rows else (0, 0)


def kept(world: World, sku: str = "mug") -> tuple[int, int]:
    """In MAIN: available, and kept for transfers or orders."""
    (row,) = world.ask(
        """SELECT available, allocated FROM dispatch_balance WHERE merchant_id = :merchant_id
           AND item_id = :item_id AND warehouse_id = :warehouse_id""",
        item_id=world.item(sku).item_id, warehouse_id=place(world, "MAIN").warehouse_id,
    )  # fmt: skip
    return row.available, row.allocated


def test_what_is_asked_for_is_kept_and_stays_on_sale(world: World) -> None:
    world.stocked("mug", units=5)

    transfer = asked(world, mug=3)

    assert transfer.state == "asked"
    assert in_bin(world, "mug", "MAIN") == (5, 0, 0)
    assert (kept(world), world.units("mug").free) == ((2, 3), 5)


def test_no_more_is_kept_than_is_there(world: World) -> None:
    world.stocked("mug", units=5)

    asked(world, mug=3)
    asked(world, "T-8", mug=3)

    assert kept(world) == (0, 5)
    with pytest.raises(Refused, match="only 2"):
        send(world, number="T-8")
    send(world)
    assert kept(world) == (0, 2)


def test_what_is_sent_in_parts_and_closed_is_kept_no_more(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=4)

    send(world, 3)
    assert kept(world) == (1, 1)
    tell(world, transfers.close, "T-7")

    assert kept(world) == (2, 0)


def test_goods_that_are_gone_are_taken_from_the_newest_transfer_before_any_order(world: World) -> None:
    store_id = world.stocked("mug", units=6)
    asked(world, mug=1)
    world.hear(store_id, order(line("mug", 3), paid=True))
    fulfilment_acts.dispatch(world)
    asked(world, "T-8", mug=2)

    world.do(Lose("fire", "fire", DocumentKind.MISSING, {world.item("mug"): 2}))

    assert kept(world) == (0, 4)
    with pytest.raises(Refused, match="may leave"):
        send(world, number="T-8")
    send(world)
    assert fulfilment_acts.goods(world, "mug")["MAIN"] == (0, 3, 0)


def test_what_a_store_ships_is_taken_from_a_transfer_that_was_not_sent(world: World) -> None:
    store_id = world.stocked("mug", units=3)
    world.hear(store_id, order(line("mug", 3), paid=True))
    asked(world, mug=2)

    world.hear(store_id, order(line("mug", 3, shipped=3), paid=True))

    assert kept(world) == (0, 0)
    assert in_bin(world, "mug", "MAIN") == (0, 0, 0)


def test_what_a_store_writes_off_is_taken_from_a_transfer_that_was_not_sent(world: World) -> None:
    store_id = world.stocked("mug", units=3)
    world.hear(store_id, order(line("mug", 3), paid=True))
    asked(world, mug=3)

    world.hear(store_id, order(line("mug", 3, written_off=2), paid=True))

    assert kept(world) == (0, 1)
    assert in_bin(world, "mug", "MAIN") == (1, 0, 2)


def test_orders_leave_to_a_transfer_what_it_was_promised(world: World) -> None:
    store_id = world.stocked("mug", units=4)
    asked(world, mug=3)
    world.hear(store_id, order(line("mug", 4), paid=True))

    fulfilment_acts.dispatch(world)

    assert fulfilment_acts.goods(world, "mug")["MAIN"] == (0, 4, 0)
    send(world)
    assert fulfilment_acts.goods(world, "mug")["MAIN"] == (0, 1, 0)
    receive(world)
    fulfilment_acts.dispatch(world)
    assert fulfilment_acts.goods(world, "mug")["HAMBURG"] == (0, 3, 0)


def test_goods_on_their_way_stay_on_sale_and_arrive(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=3)

    send(world)

    assert found(world).state == "sent"
    assert world.units("mug").free == 5
    assert dispatch(world, "mug", "HAMBURG") == (0, 3)
    assert in_bin(world, "mug", "MAIN") == (2, 0, 0)
    receive(world)
    assert found(world).state == "done"
    assert dispatch(world, "mug", "HAMBURG") == (3, 0)
    assert in_bin(world, "mug", "HAMBURG") == (3, 0, 0)
    assert world.units("mug").free == 5


def test_a_transfer_is_sent_and_received_in_parts(world: World) -> None:
    world.stocked("mug", units=5)
    transfer = asked(world, mug=4)

    send(world, 3)
    receive(world, {transfer.lines[0].id: Arrived(1)})
    assert found(world).state == "sent"
    receive(world, {transfer.lines[0].id: Arrived(2)})
    assert found(world).state == "waiting"
    send(world)
    receive(world)

    assert found(world).state == "done"
    assert (found(world).lines[0].sent, found(world).lines[0].came) == (4, 4)


def test_more_than_was_sent_is_found(world: World) -> None:
    world.stocked("mug", units=5)
    transfer = asked(world, mug=3)
    send(world)

    receive(world, {transfer.lines[0].id: Arrived(4)})

    assert world.units("mug").free == 6
    assert in_bin(world, "mug", "HAMBURG") == (4, 0, 0)


def test_what_is_sent_after_more_came_than_was_sent_is_on_its_way(world: World) -> None:
    world.stocked("mug", units=9)
    transfer = asked(world, mug=5)
    send(world, 2)
    receive(world, {transfer.lines[0].id: Arrived(3)})

    send(world, 3)

    assert found(world).lines[0].on_its_way == 3
    assert dispatch(world, "mug", "HAMBURG") == (3, 3)


def test_what_is_sent_after_lost_goods_came_after_all_is_on_its_way(world: World) -> None:
    world.stocked("mug", units=9)
    transfer = asked(world, mug=5)
    send(world, 2)
    lose(world)
    receive(world, {transfer.lines[0].id: Arrived(2)})

    send(world, 3)

    assert found(world).lines[0].on_its_way == 3
    assert dispatch(world, "mug", "HAMBURG") == (2, 3)


def test_units_lost_on_the_way_that_were_promised_make_the_newest_buyer_wait(world: World) -> None:
    store_id = world.stocked("mug", units=5)
    world.hear(store_id, order(line("mug", 2), external_id="1", paid=True))
    world.hear(store_id, order(line("mug", 3), external_id="2", paid=True))
    asked(world, mug=3)
    send(world)

    moved = lose(world, 2)

    assert sum(one.units for one in moved.losses) == 2
    assert (world.units("mug").sold, world.units("mug").backordered) == (3, 2)
    assert [one.quantity for one in world.incidents()] == [2]
    receive(world)
    assert (found(world).state, found(world).lines[0].lost) == ("done", 2)


def test_units_that_arrive_damaged_are_set_apart_and_missing_for_sale(world: World) -> None:
    world.stocked("mug", units=5)
    transfer = asked(world, mug=3)
    send(world)

    receive(world, {transfer.lines[0].id: Arrived(2, 1)})

    assert in_bin(world, "mug", "HAMBURG") == (2, 0, 1)
    assert world.units("mug").free == 4


def test_the_same_key_moves_goods_once_and_another_content_is_refused(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=4)

    first, again = send(world, 2, key="truck"), send(world, 2, key="truck")

    assert (again.repeated, again.document_id) == (True, first.document_id)
    assert found(world).lines[0].sent == 2
    with pytest.raises(KeyReused):
        send(world, 1, key="truck")


def test_a_dry_run_changes_nothing(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=3)

    send(world, dry_run=True)

    assert found(world).state == "asked"
    assert in_bin(world, "mug", "MAIN") == (5, 0, 0)


def test_no_more_is_sent_than_was_asked_for_or_stands_there(world: World) -> None:
    world.stocked("mug", units=2)
    asked(world, mug=3)

    with pytest.raises(Refused, match="still to be sent"):
        send(world, 4)
    with pytest.raises(Refused, match="only 2"):
        send(world, 3)


def test_what_was_never_sent_cannot_arrive_or_be_lost(world: World) -> None:
    world.stocked("mug", units=5)
    transfer = asked(world, mug=3)

    with pytest.raises(Refused, match="holdfast transfer send T-7"):
        receive(world, {transfer.lines[0].id: Arrived(1)})
    with pytest.raises(Refused, match="nothing of transfer T-7"):
        receive(world)
    with pytest.raises(Refused, match="0 mug are on their way"):
        lose(world, 1)


def test_a_loss_needs_a_reason(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=3)
    send(world)

    with pytest.raises(Refused, match="say why"):
        lose(world, 1, reason=" ")


def test_a_closed_transfer_sends_no_more_and_what_is_on_its_way_arrives(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=3)
    send(world, 1)

    assert tell(world, transfers.close, "T-7")
    assert not tell(world, transfers.close, "T-7")
    with pytest.raises(Refused, match="nothing of transfer T-7"):
        send(world)
    receive(world)

    assert found(world).state == "done"
    asked(world, "T-8", mug=1)
    tell(world, transfers.close, "T-8")
    assert found(world, "T-8").state == "cancelled"
    assert [tell(world, keeping.closed, found(world, number).row.id) for number in ("T-7", "T-8")] == [
        {found(world, "T-7").lines[0].id: 2}, {found(world, "T-8").lines[0].id: 1}
    ]  # fmt: skip
    assert tell(world, transfers.every) == []


def test_wrong_words_are_told_with_the_cure(world: World) -> None:
    world.stocked("mug", units=5)
    asked(world, mug=3)
    here = place(world, "MAIN").warehouse_id

    with pytest.raises(NotFound, match="the newest are T-7"):
        found(world, "T-8")
    with pytest.raises(Refused, match="already"):
        asked(world, mug=1)
    with pytest.raises(Refused, match="holdfast bin move"):
        tell(world, transfers.ask, "T-9", (here, here), {world.item("mug"): 1})
    with pytest.raises(Refused, match="say what is to be sent"):
        tell(world, transfers.ask, "T-9", (here, place(world, "HAMBURG").warehouse_id), {})
    for number in ("", " ", "T\n9", "T\x009", "T" * 61):
        with pytest.raises(Refused, match="like T-7"):
            asked(world, number, mug=1)


def test_two_who_ask_under_one_number_at_once_ask_once(world: World) -> None:
    world.stocked("mug", units=10)
    place(world, "HAMBURG")
    refused: list[str] = []

    def ask(number: str) -> None:
        try:
            asked(world, number, mug=1)
        except Refused as error:
            refused.append(str(error))

    for turn in range(5):
        together(ask, [f"T-{turn}"] * 4, threads=4)

    assert len(refused) == 15
    assert all("there is a transfer" in one for one in refused)
    assert kept(world) == (5, 5)


def test_two_who_send_the_same_transfer_at_once_send_it_once(world: World) -> None:
    world.stocked("mug", units=10)
    asked(world, mug=4)
    refused: list[Refused] = []
    start = threading.Barrier(4)

    def at_once() -> None:
        start.wait()
        try:
            send(world, 4)
        except Refused as error:
            refused.append(error)

    threads = [threading.Thread(target=at_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert dispatch(world, "mug", "HAMBURG") == (0, 4)

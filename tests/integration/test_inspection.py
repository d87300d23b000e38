"""Goods that are set apart: each unit is explained, looked at, and leaves on a way of its own."""

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from core import schema
from core.errors import KeyReused, NotFound, Refused
from core.goods import inspection, lying
from core.goods.adjusting import Lose, Unblock
from core.goods.inspection import Findings, Inspected, ReturnToInspect
from core.goods.lying import LyingView
from core.reversing import Reverse, read_document
from core.stock import DocumentKind, Stocked
from core.supply import going_back
from core.supply.going_back import GoingBack, WentBack
from core.supply.lines import Came
from core.warehouse.moves import PutAway
from tests import supply_world as sup
from tests.builders import World, line, order
from tests.integration.place_acts import in_bin, place, receive

_keys = itertools.count(1)


def apart(world: World, **which: Any) -> list[LyingView]:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return lying.every(tx, **which)


def explained(world: World) -> list[tuple[str, int, str, bool]]:
    """Place, units, cause, and whether it is to be inspected, of all that lies unavailable."""
    return [(one.place, one.units, one.cause, one.to_inspect) for one in apart(world)]


def hold_back(world: World, units: int, reason: str = "lid comes off", sku: str = "mug") -> int:
    """The record."""
    kind = DocumentKind.SET_APART
    world.do(Lose(f"h/{next(_keys)}", reason, kind, {world.item(sku): units}))
    return apart(world)[-1].record


def come_back(world: World, units: int, sku: str = "mug") -> int:
    """The record."""
    what = world.item(sku)
    world.do(ReturnToInspect(f"r/{next(_keys)}", DocumentKind.RETURN, {}, "came back", {what: units}))
    return apart(world)[-1].record


def look(world: World, record: int, key: str = "", **found: int) -> Inspected:
    return inspection.inspect(
        world.db, world.merchant_id, record, Findings(**found), key or f"k{next(_keys)}", actor="test", reason="looked"
    )


def free(world: World, sku: str, grade: str) -> int:
    return int(
        world.scalar(
            """SELECT coalesce(sum(free), 0) FROM sales_balance
               WHERE merchant_id = :merchant_id AND item_id = :item_id AND grade = :grade""",
            item_id=world.item(sku).item_id, grade=grade,
        )
    )  # fmt: skip


def test_every_way_in_leaves_a_record_that_says_why(world: World) -> None:
    world.stocked("mug", units=10)

    world.do(Lose("d", "dropped", DocumentKind.DAMAGE, {world.item("mug"): 1}))
    receive(world, "mug", 5, "MAIN/A-01", damaged=2)
    hold_back(world, 3)
    come_back(world, 4)

    assert explained(world) == [
        ("MAIN/DEFAULT", 1, "damage", False),
        ("MAIN/A-01", 2, "receipt", False),
        ("MAIN/DEFAULT", 3, "set_apart", False),
        ("MAIN/DEFAULT", 4, "return", True),
    ]
    assert [one.reason for one in apart(world)] == ["dropped", "", "lid comes off", "came back"]


def test_what_leaves_without_a_name_leaves_the_oldest_record(world: World) -> None:
    world.stocked("mug", units=10)
    hold_back(world, 2)
    hold_back(world, 2)

    world.do(Unblock("s", "broken", DocumentKind.SCRAP, {world.item("mug"): 3}))

    assert [one.units for one in apart(world)] == [1]


def test_units_that_move_to_another_bin_keep_their_reason_and_their_age(world: World) -> None:
    world.stocked("mug", units=10)
    record = hold_back(world, 3)
    (before,) = apart(world)

    world.do(PutAway("p", world.item("mug"), 2, place(world, "MAIN"), place(world, "MAIN/A-01"), unavailable=True))

    assert explained(world) == [("MAIN/DEFAULT", 1, "set_apart", False), ("MAIN/A-01", 2, "set_apart", False)]
    assert {(one.reason, one.since) for one in apart(world)} == {(before.reason, before.since)}
    with world.db.begin(world.merchant_id, actor="test") as tx:
        (left,) = lying.exits(tx, record)
    assert (left.kind, left.units) == ("put_away", 2)


def test_a_return_is_inspected_into_what_it_turned_out_to_be(world: World) -> None:
    world.stocked("mug", units=0)
    record = come_back(world, 6)
    assert world.units("mug").free == 0

    done = look(world, record, good=2, minor_defect=1, unavailable=1, scrap=1)

    assert done.left == 1
    assert (free(world, "mug", "good"), free(world, "mug", "minor_defect")) == (2, 1)
    assert sorted(explained(world)) == [("MAIN/DEFAULT", 1, "return", False), ("MAIN/DEFAULT", 1, "return", True)]
    assert [one.units for one in apart(world, to_inspect=True)] == [1]


def test_what_is_good_after_all_serves_who_waits(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    world.hear(store_id, order(line("mug", 2), paid=True))

    look(world, come_back(world, 3), good=3)

    assert (world.units("mug").sold, world.units("mug").free, world.units("mug").backordered) == (2, 1, 0)


def test_holding_units_back_makes_the_newest_buyer_wait_when_no_others_are_left(world: World) -> None:
    store_id = world.stocked("mug", units=3)
    world.hear(store_id, order(line("mug", 2), external_id="1", paid=True))

    hold_back(world, 2)

    assert (world.units("mug").sold, world.units("mug").backordered) == (1, 1)
    (incident,) = world.incidents()
    assert "held back (lid comes off)" in incident.timeline[-1]["what"]


def test_an_inspection_is_booked_once_for_its_key(world: World) -> None:
    world.stocked("mug", units=0)
    record = come_back(world, 3)

    first, again = look(world, record, "k", good=2), look(world, record, "k", good=2)

    assert first.document_id == again.document_id
    assert again.repeated
    assert world.units("mug").free == 2
    with pytest.raises(KeyReused):
        look(world, record, "k", good=1)


def test_more_than_lies_there_cannot_be_inspected(world: World) -> None:
    world.stocked("mug", units=0)
    record = come_back(world, 2)

    for found in (Findings(good=3), Findings(good=1, scrap=2), Findings(), Findings(good=-1, scrap=2)):
        with pytest.raises(Refused):
            inspection.inspect(world.db, world.merchant_id, record, found, "k", actor="test", reason="looked")
    with pytest.raises(NotFound, match="holdfast apart list"):
        look(world, 4711, good=1)
    assert explained(world) == [("MAIN/DEFAULT", 2, "return", True)]


def test_trying_an_inspection_out_changes_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    record = come_back(world, 2)

    done = inspection.inspect(
        world.db, world.merchant_id, record, Findings(good=1), "k", actor="test", reason="looked", dry_run=True
    )

    assert done.left == 1
    assert explained(world) == [("MAIN/DEFAULT", 2, "return", True)]


def test_two_who_inspect_the_same_units_at_once_do_not_both_have_them(world: World) -> None:
    world.stocked("mug", units=0)
    record, other = come_back(world, 3), come_back(world, 3)
    answers: list[object] = []
    begin = threading.Barrier(2)

    def one(key: str) -> None:
        begin.wait()
        try:
            answers.append(look(world, record, key, good=3).left)
        except Refused as refused:
            answers.append(refused)

    callers = [threading.Thread(target=one, args=(key,)) for key in ("a", "b")]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert sum(isinstance(answer, Refused) for answer in answers) == 1
    assert [(one.record, one.units) for one in apart(world)] == [(other, 3)]


def test_a_reversal_of_a_receipt_takes_its_damaged_units_away(world: World) -> None:
    world.stocked("mug", units=10)
    hold_back(world, 2)
    receive(world, "mug", 5, "MAIN", damaged=2)
    document_id = world.scalar("SELECT max(id) FROM document WHERE merchant_id = :merchant_id AND kind = 'receipt'")
    with world.db.begin(world.merchant_id, actor="test") as tx:
        document = read_document(tx, document_id)

    world.do(Reverse(document, "entered by mistake"))

    assert explained(world) == [("MAIN/DEFAULT", 2, "set_apart", False)]


def test_what_was_scrapped_by_mistake_lies_there_again_for_its_old_reason(world: World) -> None:
    world.stocked("mug", units=10)
    hold_back(world, 2)
    (before,) = apart(world)
    done = world.do(Unblock("s", "broken", DocumentKind.SCRAP, {world.item("mug"): 1}))
    with world.db.begin(world.merchant_id, actor="test") as tx:
        document = read_document(tx, done.document_id)

    world.do(Reverse(document, "it was another"))

    assert explained(world) == [("MAIN/DEFAULT", 1, "set_apart", False)] * 2
    assert {(one.reason, one.since) for one in apart(world)} == {(before.reason, before.since)}


def test_goods_go_back_to_their_supplier_with_the_order_they_came_with(world: World) -> None:
    world.stocked("mug", units=0)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=3)
    sup.receive(world, "PO-7", {"mug": Came(7, 3, 0)}, "r1")
    (came,) = apart(world)
    assert (came.purchase, came.units) == ("PO-7", 3)

    done = send_back(world, "VR-1", 2, purchase="PO-7")

    assert done.units == 2
    assert [one.units for one in apart(world)] == [1]
    assert in_bin(world, "mug", "MAIN") == (7, 0, 1)
    again = send_back(world, "VR-1", 2, purchase="PO-7")
    assert again.repeated
    assert again.document_id == done.document_id
    rows = world.ask("SELECT number, units FROM vendor_return JOIN vendor_return_line ON vendor_return_id = id")
    assert [tuple(row) for row in rows] == [("VR-1", 2)]


def send_back(
    world: World, number: str, units: int, *, purchase: str = "", record: int | None = None, **told: Any
) -> WentBack:
    what = told.pop("what", None) or world.item("mug")
    with world.db.begin(world.merchant_id, actor="test") as tx:
        going = going_back.of_record(tx, record, units) if record else GoingBack(place(world, "MAIN"), what, units)
        supplier = tx.run("SELECT code FROM supplier WHERE merchant_id = :merchant_id ORDER BY id LIMIT 1").scalar_one()
    return going_back.send_back(
        world.db, world.merchant_id, number, told.pop("supplier", supplier), [going], actor="test", reason="chipped",
        purchase=purchase, **told,
    )  # fmt: skip


def test_no_more_goes_back_than_lies_apart_or_came_with_the_order(world: World) -> None:
    world.stocked("mug", units=10)
    sup.placed(world, "PO-7", {"mug": 10}, in_days=3)
    sup.receive(world, "PO-7", {"mug": Came(0, 3, 0)}, "r1")
    hold_back(world, 5)

    with pytest.raises(Refused, match="only 8 of 9"):
        send_back(world, "VR-1", 9)
    with pytest.raises(Refused, match="3 units of that came"):
        send_back(world, "VR-1", 4, purchase="PO-7")
    send_back(world, "VR-1", 2, purchase="PO-7")
    with pytest.raises(Refused, match="2 went back before"):
        send_back(world, "VR-2", 2, purchase="PO-7")
    with pytest.raises(KeyReused):
        send_back(world, "VR-1", 1)
    with pytest.raises(NotFound, match="no supplier"):
        send_back(world, "VR-2", 1, supplier="NOBODY")


def test_a_named_record_goes_back_and_older_ones_stay(world: World) -> None:
    world.stocked("mug", units=10)
    sup.placed(world, "PO-7", {"mug": 1}, in_days=3)
    older, newer = hold_back(world, 2, "older"), hold_back(world, 2, "newer")

    send_back(world, "VR-1", 2, record=newer)

    assert [one.record for one in apart(world)] == [older]
    with pytest.raises(Refused, match="only 0 units"):
        send_back(world, "VR-2", 1, record=newer)


def test_flawed_goods_that_are_good_after_all_are_sold_as_good(world: World) -> None:
    world.stocked("mug", units=0)
    flawed = Stocked(world.item("mug").item_id, "minor_defect")
    world.do(ReturnToInspect("r", DocumentKind.RETURN, {}, "came back", {flawed: 2}))

    look(world, apart(world)[0].record, good=1, minor_defect=1)

    assert (free(world, "mug", "good"), free(world, "mug", "minor_defect")) == (1, 1)


def test_what_lay_unavailable_before_there_were_records_is_explained_too(superuser: Engine, world: World) -> None:
    world.stocked("mug", "cup", units=10)
    hold_back(world, 2)
    hold_back(world, 3, sku="cup")
    folder = Path(schema.__file__).parent / "migrations"
    with superuser.begin() as connection:
        connection.execute(text("DELETE FROM set_apart"))
        driver: Any = connection.connection.driver_connection
        driver.execute(ScriptDirectory(str(folder)).get_revision("0018").module.EARLIER)

    assert sorted(explained(world)) == [("MAIN/DEFAULT", 2, "damage", False), ("MAIN/DEFAULT", 3, "damage", False)]
    world.do(Unblock("m", "fine", DocumentKind.MEND, {world.item("mug"): 2}))
    assert explained(world) == [("MAIN/DEFAULT", 3, "damage", False)]

"""Records of what is set apart follow movements: without a database."""

from itertools import count

import pytest

from core.errors import Refused
from core.goods.set_apart import Apart, Lying, Records, Told, change, concerned
from core.rows import ApartWish
from core.stock import WORLD, At, Bucket, DocumentKind, Layer, Movement, Stocked
from tests.builders import NOON, at

MUG, BIN, OTHER = Stocked(5), 31, 32
HERE, THERE = Lying(*MUG, BIN), Lying(*MUG, OTHER)
SCRAP = Told(9, DocumentKind.SCRAP, "broken")


def record(record_id: int, units: int, *, of: int | None = None, to_inspect: bool = False) -> Apart:
    """The higher its id, the newer it is."""
    return Apart(record_id, BIN, *MUG, of or units, units, "return", to_inspect, "came back", at(record_id), record_id)


def records(*rows: Apart) -> Records:
    return Records({row.id: row for row in rows}, NOON, count(100).__next__)


def move(units: int, from_: At, to: At) -> Movement:
    return Movement(MUG, Layer.WAREHOUSE, from_, to, units)


def unavailable(place: int) -> At:
    return At(place, Bucket.UNAVAILABLE)


def after(told: Records, document: Told, *moves: Movement, wish: ApartWish | None = None) -> dict[int, int]:
    """Units left by record."""
    wishes = {document.id: wish} if wish else {}
    change(told, {document.id: document}, [(document.id, one) for one in moves], wishes)
    return {row.id: row.units_left for row in told.rows.values()}


def test_what_was_set_apart_first_leaves_first() -> None:
    told = records(record(2, 3), record(1, 3))

    assert after(told, SCRAP, move(4, unavailable(BIN), WORLD)) == {1: 0, 2: 2}
    assert dict(told.exits) == {(1, 9): 3, (2, 9): 1}


def test_a_named_record_gives_its_units_and_others_stay() -> None:
    told = records(record(1, 3), record(2, 3))

    assert after(told, SCRAP, move(2, unavailable(BIN), WORLD), wish=ApartWish({2: 2})) == {1: 3, 2: 1}


def test_a_named_record_that_has_fewer_by_now_is_a_refusal() -> None:
    told = records(record(1, 3), record(2, 1, of=3))

    with pytest.raises(Refused, match="only 1 units of record 2"):
        after(told, SCRAP, move(2, unavailable(BIN), WORLD), wish=ApartWish({2: 2}))
    with pytest.raises(Refused, match="only 0 units of record 7"):
        after(told, SCRAP, move(2, unavailable(BIN), WORLD), wish=ApartWish({7: 2}))


def test_units_that_move_keep_their_cause_and_their_age() -> None:
    told = records(record(1, 3, to_inspect=True))

    assert after(told, Told(9, DocumentKind.PUT_AWAY, ""), move(2, unavailable(BIN), unavailable(OTHER))) == {
        1: 1, 100: 2,
    }  # fmt: skip
    moved = told.rows[100]
    assert (moved.lying, moved.cause, moved.reason, moved.since, moved.to_inspect) == (
        THERE, "return", "came back", at(1), True,
    )  # fmt: skip


def test_units_that_come_in_make_a_record_that_says_why() -> None:
    told = records()

    after(told, Told(9, DocumentKind.DAMAGE, "dropped"), move(2, At(BIN, Bucket.AVAILABLE), unavailable(BIN)))

    (row,) = told.rows.values()
    assert (row.lying, row.units, row.cause, row.reason, row.to_inspect, row.document_id) == (
        HERE, 2, "damage", "dropped", False, 9,
    )  # fmt: skip


def test_units_that_were_looked_at_and_stay_are_to_be_inspected_no_more() -> None:
    told = records(record(1, 3, to_inspect=True))

    left = after(told, Told(9, DocumentKind.INSPECTION, "chipped"), wish=ApartWish({}, {1: 2}, (HERE,)))

    assert left == {1: 1, 100: 2}
    assert (told.rows[100].to_inspect, told.rows[100].reason, told.rows[100].since) == (False, "chipped", at(1))


def test_what_a_correction_takes_away_is_what_the_corrected_document_brought() -> None:
    told = records(record(1, 3), record(2, 3))

    assert after(told, Told(9, DocumentKind.REVERSAL, "", 2), move(3, unavailable(BIN), WORLD)) == {1: 3, 2: 0}


def test_the_wish_of_a_refused_command_is_forgotten() -> None:
    told = records(record(1, 3))

    change(told, {}, [], {9: ApartWish({1: 3})})

    assert told.rows[1].units_left == 3


def test_only_the_bins_say_what_lies_unavailable() -> None:
    in_bin = move(1, unavailable(BIN), WORLD)
    in_dispatch = Movement(MUG, Layer.DISPATCH, At(21, Bucket.UNAVAILABLE), WORLD, 1)
    sold = move(1, At(BIN, Bucket.AVAILABLE), At(BIN, Bucket.PICKING))

    assert concerned([(9, 1, in_bin), (9, 2, in_dispatch), (9, 3, sold)]) == [(9, in_bin)]

"""Who is told when demand waits and when it is filled: once each, whoever looks how often."""

from core.alerts.kinds import AlertKind
from core.sales.notices import Demand, Notice, decide
from core.stock import Stocked
from tests.builders import at

MUG = Stocked(5)
FLAWED = Stocked(5, "minor_defect")
WAITS = Demand(6, 2, at(0))


def notice(*, filled: int = 0, now_filled: int = 0) -> Notice:
    return Notice(5, at(10), filled, now_filled)


def test_demand_that_nobody_was_told_of_is_told() -> None:
    opened, ended, told = decide({MUG: WAITS}, {})
    assert [(one.kind, one.subject, one.facts["units"]) for one in opened] == [(AlertKind.BACKORDER_WAITS, "5/good", 6)]
    assert (ended, told) == ([], {})


def test_demand_that_was_told_is_not_told_again() -> None:
    assert decide({MUG: WAITS}, {MUG: notice()}) == ([], [], {})


def test_units_that_were_filled_are_told_once() -> None:
    opened, ended, told = decide({MUG: WAITS}, {MUG: notice(filled=2, now_filled=5)})
    assert [(one.kind, one.facts["units"], one.facts["still_waiting"]) for one in opened] == [
        (AlertKind.BACKORDER_FILLED, 3, 6)
    ]
    assert (ended, told) == ([], {MUG: 5})
    assert decide({MUG: WAITS}, {MUG: notice(filled=5, now_filled=5)}) == ([], [], {})


def test_the_last_units_end_it_and_units_that_were_called_off_end_it_in_silence() -> None:
    opened, ended, _ = decide({}, {MUG: notice(now_filled=6)})
    assert [one.kind for one in opened] == [AlertKind.BACKORDER_FILLED]
    assert [one.subject for one in ended] == ["5/good"]
    opened, ended, _ = decide({}, {MUG: notice()})
    assert (opened, len(ended)) == ([], 1)


def test_each_grade_is_told_for_itself() -> None:
    opened, _, _ = decide({FLAWED: WAITS}, {MUG: notice()})
    assert [(one.subject, one.facts["grade"]) for one in opened] == [("5/minor_defect", "minor_defect")]

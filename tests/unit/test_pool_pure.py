"""The pure parts of pools: what is dealt, which window makes sense, and what a report counts."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InsufficientStock, Refused
from core.sales.pool_report import Flow, Result, by_hour, effect_of, results
from core.sales.pools import Shifted, check_window, split
from core.stock import Pool, PoolKind, Stocked
from tests.builders import NOON, at

MUG, CUP = Stocked(5), Stocked(6)
UNITS = st.dictionaries(st.sampled_from([MUG, CUP, Stocked(7)]), st.integers(0, 20))


@given(wanted=UNITS, free=st.integers(0, 20))
def test_best_effort_deals_what_there_is_and_never_more(wanted: dict[Stocked, int], free: int) -> None:
    there = dict.fromkeys(wanted, free)
    dealt = split(wanted, there, best_effort=True)
    assert all(0 < dealt[one] <= min(wanted[one], free) for one in dealt)
    assert {one for one, n in wanted.items() if min(n, free)} == dealt.keys()


@given(wanted=UNITS, free=st.integers(0, 20))
def test_without_best_effort_all_is_dealt_or_nothing(wanted: dict[Stocked, int], free: int) -> None:
    there = dict.fromkeys(wanted, free)
    short = {one: n - free for one, n in wanted.items() if n > free}
    if short:
        with pytest.raises(InsufficientStock) as refusal:
            split(wanted, there, best_effort=False)
        assert refusal.value.missing == short
    else:
        assert split(wanted, there, best_effort=False) == {one: n for one, n in wanted.items() if n}


def test_what_was_shifted_is_read_as_it_was_written() -> None:
    shifted = Shifted({MUG: 3}, {CUP: 1, Stocked(7, "minor_defect"): 2})
    assert Shifted.read(shifted.words()) == shifted


@pytest.mark.parametrize(
    ("starts", "ends", "why"),
    [(10, 10, "end before it starts"), (10, 5, "end before it starts"), (-20, -10, "ended already"),
     (None, 0, "ended already"), (None, 50, "start and an end"), (10, None, "start and an end")],
)  # fmt: skip
def test_a_window_that_is_none_is_refused(starts: int | None, ends: int | None, why: str) -> None:
    begin, end = (None if s is None else at(s) for s in (starts, ends))
    pool = Pool(1, PoolKind.ACTIVITY, "SALE", starts_at=begin, ends_at=end)
    with pytest.raises(Refused, match=why):
        check_window(pool, at(0))


def test_a_presale_needs_no_window() -> None:
    check_window(Pool(1, PoolKind.PRESALE, "PRE"), at(0))


def flow(from_: str, to: str, units: int = 1, kind: str = "reservation", hours: int = 0) -> Flow:
    return Flow(MUG, NOON + timedelta(hours=hours), kind, from_, to, units)


def test_a_report_counts_what_was_given_back_out_again() -> None:
    flows = [
        flow("shared", "free", 20, "deal"), flow("free", "reserved", 8), flow("reserved", "sold", 5, "deduction"),
        flow("free", "sold", 2), flow("sold", "free", 1, "release"), flow("reserved", "free", 2, "expiry"),
        flow("sold", "world", 3, "shipment"), flow("free", "shared", 13, "collect"),
    ]  # fmt: skip
    assert results(flows) == Result(dealt=20, returned=13, ordered=7, sold=6, shipped=3)


def test_what_left_a_closed_presale_is_told_apart_by_its_document() -> None:
    assert effect_of(flow("reserved", "world", kind="fill")) == {"handed_over": 1}
    assert effect_of(flow("reserved", "world", kind="release")) == {"ordered": -1}
    assert effect_of(flow("sold", "world", kind="expiry")) == {"ordered": -1, "sold": -1}
    assert effect_of(flow("sold", "world", kind="shipment")) == {"shipped": 1}
    assert effect_of(flow("sold", "shared", kind="release")) == {"ordered": -1, "sold": -1}


def test_hours_are_those_of_the_merchants_wall_clock_and_quiet_ones_are_left_out() -> None:
    hours = by_hour([flow("free", "reserved", 2), flow("shared", "free", 9, hours=1), flow("free", "sold", 3, hours=2)],
                    ZoneInfo("Asia/Kolkata"))  # fmt: skip
    assert [(hour.hour, result.ordered, result.sold) for hour, result in hours] == [(17, 2, 0), (19, 3, 3)]


def test_nothing_dealt_has_no_sell_through() -> None:
    assert Result().sell_through is None
    assert Result(dealt=4, ordered=1).sell_through == 0.25

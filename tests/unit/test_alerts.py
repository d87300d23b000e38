"""Alerts decide: what crosses a level, how long goods last, what to say of a lock, and in which words."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alerts.kinds import (
    KINDS,
    AlertKind,
    Crossing,
    Levels,
    Spot,
    Watch,
    crossings,
    recovers_at,
    standing,
)
from core.alerts.locks import Lock, warnings
from core.alerts.pace import is_low, is_over
from core.alerts.rules import Scope, problem_of
from core.alerts.words import headline, headline_later, tell
from core.demand.velocity import Pace
from core.stock import Stocked
from tests.builders import at

MUG = Spot(Stocked(5), 0)
MAIN = Spot(Stocked(5), 21)
BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2020, 11, 20)


def on(level: int | None, *, item: int = 5, warehouse: int = 0, grade: str = "good") -> Watch:
    return Watch(item, warehouse, grade, level)


# ---- crossings


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (11, 10, "low"), (10, 9, ""), (11, 11, ""), (30, 0, "low"),
        (11, 12, "over"), (12, 13, ""), (0, 11, ""), (0, 40, "over"),
    ],
)  # fmt: skip
def test_a_number_crosses_its_level_downwards_and_recovers_a_fifth_above_it(
    before: int, after: int, found: str
) -> None:
    crossed = crossings([on(10)], [(MUG, before, after)])

    assert ["low" if one.is_low else "over" for one in crossed] == ([found] if found else [])


@given(st.integers(0, 50), st.lists(st.integers(0, 80), min_size=2, max_size=30))
def test_who_follows_the_crossings_has_nothing_to_say_of_what_stands(level: int, numbers: list[int]) -> None:
    levels, is_open = Levels([on(level)]), numbers[0] <= level

    for before, after in pairwise(numbers):
        for crossed in crossings([on(level)], [(MUG, before, after)]):
            is_open = crossed.is_low
        assert standing(levels, MUG, after, is_open=is_open) is None


def test_an_items_own_level_beats_that_of_every_item_also_where_it_is_off() -> None:
    levels = Levels([on(3), on(10, item=0), on(None, item=6)])

    assert [levels.at(Spot(Stocked(item), 0)) for item in (5, 6, 7)] == [3, None, 10]


def test_a_level_holds_for_its_place_and_grade_alone() -> None:
    watches = [on(10), on(4, warehouse=21)]
    flawed = Spot(Stocked(5, "minor_defect"), 0)

    assert crossings(watches, [(MAIN, 20, 8), (flawed, 20, 0)]) == []
    assert crossings(watches, [(MAIN, 8, 4)]) == [Crossing(MAIN, True, 4, 4)]


def test_subjects_of_places_and_grades_are_never_the_same() -> None:
    spots = [
        Spot(Stocked(item, grade), place)
        for item in (1, 11)
        for grade in ("good", "minor_defect")
        for place in (0, 1, 11)
    ]

    assert len({spot.subject for spot in spots}) == len(spots)


@pytest.mark.parametrize(
    ("units", "is_open", "said"),
    [(10, False, True), (11, False, None), (10, True, None), (11, True, None), (12, True, False)],
)
def test_a_number_is_judged_as_it_stands_when_nobody_saw_it_cross(units: int, is_open: bool, said: bool | None) -> None:
    found = standing(Levels([on(10)]), MUG, units, is_open=is_open)

    assert (found and found.is_low) == said


def test_an_alert_that_no_level_asks_for_any_more_ends() -> None:
    assert standing(Levels([]), MUG, 0, is_open=True) == Crossing(MUG, False, 0, None)
    assert standing(Levels([]), MUG, 0, is_open=False) is None


def test_an_alert_ends_where_it_says() -> None:
    assert (recovers_at(10), recovers_at(0), recovers_at(3)) == (12, 1, 4)


# ---- days of cover


@pytest.mark.parametrize(
    ("free", "low", "over"),
    [(27, True, False), (28, True, False), (29, False, False), (31, False, False), (32, False, True)],
)
def test_units_are_low_at_the_level_and_over_a_fifth_above_it(free: int, low: bool, over: bool) -> None:
    two_a_day = Pace(days=10, sold=20)

    assert (is_low(free, two_a_day, 14), is_over(free, two_a_day, 14)) == (low, over)


@given(st.integers(0, 500), st.integers(0, 60), st.integers(0, 500), st.integers(0, 90))
def test_nothing_is_low_and_over_at_once(free: int, days: int, sold: int, level: int) -> None:
    at_pace = Pace(days, sold)

    assert not (is_low(free, at_pace, level) and is_over(free, at_pace, level))


# ---- locks

NOW = at(0)
DEFAULTS = {
    kind: KINDS[kind].unset or 0 for kind in (AlertKind.LOCK_EXPIRING, AlertKind.LOCK_IDLE, AlertKind.LOCK_USED_UP)
}


def lock(**told: Any) -> Lock:
    values: dict[str, Any] = {
        "id": 7, "key": "fair", "item_id": 5, "quantity": 10, "waiting": 0, "free": 4, "begun_at": at(-30 * 86_400),
        "expires_at": None, "moved_at": at(-3_600), "standing": False,
    }  # fmt: skip
    return Lock(**{**values, **told})


def said(one: Lock, **levels: int | None) -> list[str]:
    return list(warnings(one, {**DEFAULTS, **{AlertKind(kind): level for kind, level in levels.items()}}, NOW))


def test_a_lock_that_is_drawn_on_says_nothing() -> None:
    assert said(lock()) == []


@pytest.mark.parametrize(("days_left", "found"), [(4, []), (3, ["lock_expiring"]), (0, ["lock_expiring"])])
def test_a_lock_says_that_it_ends_some_days_before(days_left: int, found: list[str]) -> None:
    assert said(lock(expires_at=NOW + timedelta(days=days_left))) == found


def test_a_short_lock_says_so_only_in_its_last_quarter() -> None:
    short = {"begun_at": at(-3_600), "expires_at": at(3 * 3_600)}

    assert said(lock(**short)) == []
    assert said(lock(begun_at=at(-3 * 3_600), expires_at=at(3_600))) == ["lock_expiring"]


@pytest.mark.parametrize(("days", "found"), [(13, []), (14, ["lock_idle"])])
def test_units_that_nobody_draws_on_are_idle_after_some_days(days: int, found: list[str]) -> None:
    assert said(lock(moved_at=NOW - timedelta(days=days))) == found


@pytest.mark.parametrize(
    "busy",
    [{"free": 0, "waiting": 3}, {"standing": True}, {"moved_at": None}],
    ids=["waits for units", "is a floor", "never had any"],
)
def test_a_lock_with_a_reason_to_lie_there_is_not_idle(busy: dict[str, Any]) -> None:
    assert said(lock(**{"moved_at": at(-90 * 86_400), **busy})) == []


def test_a_lock_whose_units_are_all_drawn_is_used_up() -> None:
    assert said(lock(free=0)) == ["lock_used_up"]
    assert said(lock(free=0, waiting=1)) == []


def test_a_kind_that_is_off_says_nothing() -> None:
    old = lock(free=0, moved_at=at(-90 * 86_400), expires_at=at(60))

    assert said(old, lock_expiring=None, lock_used_up=None, lock_idle=None) == []
    assert said(lock(moved_at=at(-2 * 86_400)), lock_idle=2) == ["lock_idle"]


# ---- rules


@pytest.mark.parametrize(
    ("kind", "scope", "level", "window", "cure"),
    [
        ("low_stock", Scope(warehouse_id=1, store_id=2), 5, None, "for a warehouse or for a store"),
        ("low_cover", Scope(store_id=2), 5, None, "only low_stock"),
        ("low_stock", Scope(grade="dented"), 5, None, "good, minor_defect"),
        ("lock_idle", Scope(grade="minor_defect"), 5, None, "no grade"),
        ("oversell", Scope(), 5, None, "unless it is off"),
        ("store_silent", Scope(item_id=5), 5, None, "whole stores, not for an item"),
        ("low_stock", Scope(), -1, None, "0 to 1,000,000,000 units"),
        ("low_cover", Scope(), 4_000, None, "0 to 3,650 days"),
        ("low_stock", Scope(), 5, 28, "only low_cover"),
        ("low_cover", Scope(), 5, 91, "1 to 90"),
        ("low_cover", Scope(), None, 28, "only low_cover"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_cure(
    kind: str, scope: Scope, level: int | None, window: int | None, cure: str
) -> None:
    assert cure in problem_of(AlertKind(kind), scope, level, window)


@pytest.mark.parametrize("kind", list(AlertKind))
def test_every_kind_may_be_turned_off(kind: AlertKind) -> None:
    assert problem_of(kind, Scope(), None, None) == ""


# ---- words


@pytest.mark.parametrize("kind", [*AlertKind, "something_new"])
def test_every_kind_has_words_for_whatever_was_noted(kind: str) -> None:
    facts = {
        "sku": "mug", "free": 3, "days_left": 2, "lock": "fair", "quantity": 9, "units": 1, "order": "#1",
        "store": "Berlin", "pool": "SALE", "purchase": "PO-7", "mirror": "wms",
        "expires_at": at(0).isoformat(), "read_at": at(0).isoformat(), "odd_detail": "kept",
    }  # fmt: skip

    told = tell(kind, facts, BERLIN)

    assert told.headline
    assert "\n" not in told.headline
    assert ("Odd detail", "kept") in told.facts


@pytest.mark.parametrize(
    ("kind", "facts", "line"),
    [
        ("low_stock", {"sku": "mug", "free": 9}, "Low stock: mug has 9 left"),
        ("low_stock", {"sku": "mug", "free": 9, "warehouse": "MAIN"}, "Low stock in MAIN: mug has 9 left"),
        ("low_stock", {"sku": "mug", "sellable": 2, "store": "Berlin"}, "Low stock in Berlin: 2 of mug may be sold"),
        ("low_stock", {"sku": "mug", "free": 1, "grade": "minor_defect"}, "Low stock: mug (minor defect) has 1 left"),
        ("low_cover", {"sku": "mug", "days_left": 0}, "Low cover: mug lasts less than a day"),
        ("lock_expiring", {"lock": "fair", "sku": "mug", "expires_at": "2020-11-20T12:00:00+00:00"},
            "Lock fair of mug ends 2020-11-20 13:00 CET"),
        ("not_preloaded", {"pool": "SALE", "trouble": "mug lacks 6"}, "Activity SALE has not got its units"),
        ("goods_late", {"sku": "mug", "units": 10, "purchase": "PO-7"},
            "Late: 10 units of mug that were on sale, purchase order PO-7"),
        ("oversell", {"sku": "mug", "units": 1, "order": "#7", "store": "Berlin"},
            "Oversold: 1 unit of mug, order #7 of Berlin"),
        ("oversell", {"sku": "mug", "units": 2, "order": ""}, "Oversold: 2 units of mug"),
        ("store_silent", {"store": "Berlin", "read_at": "2020-11-20T12:00:00+00:00"},
            "Orders of Berlin have not been read since 2020-11-20 13:00 CET"),
        ("low_stock", {"sku": "mug\r\nBcc: a@b.c", "free": 1}, "Low stock: mug Bcc: a@b.c has 1 left"),
    ],
)  # fmt: skip
def test_a_headline_says_what_is_the_matter(kind: str, facts: dict[str, object], line: str) -> None:
    assert headline(kind, facts, BERLIN) == line


def test_numbers_that_move_are_told_as_those_of_when_it_rang() -> None:
    assert headline_later("low_stock", {"sku": "mug", "free": 41}, BERLIN) == "Low stock: mug has 41 left, when it rang"
    assert headline_later("oversell", {"sku": "mug", "units": 2}, BERLIN) == "Oversold: 2 units of mug"


def test_times_are_told_on_the_merchants_clock() -> None:
    happened = [{"at": datetime(2020, 7, 1, 12, tzinfo=UTC).isoformat(), "what": "it sold out"}]

    told = tell("oversell", {"sku": "mug", "units": 1, "cause": "never_told", "timeline": happened}, BERLIN)

    assert told.timeline == [("2020-07-01 14:00 CEST", "it sold out")]
    assert ("Cause", "who sold them had never been told a number") in told.facts

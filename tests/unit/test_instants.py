"""How people write instants on the command line."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import typer

from edge.instants import read_instant

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("2026-11-20T14:30", datetime(2026, 11, 20, 13, 30, tzinfo=UTC)),
        ("2026-11-20 14:30:05", datetime(2026, 11, 20, 13, 30, 5, tzinfo=UTC)),
        ("2026-07-01T12:00", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("2026-11-20T14:30Z", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("2026-11-20T14:30-05:00", datetime(2026, 11, 20, 19, 30, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, 23, 0, tzinfo=UTC) - TICK),
        ("2026-10-25", datetime(2026, 10, 25, 23, 0, tzinfo=UTC) - TICK),
        ("2026-11-22", NOW),
        ("now", NOW),
        (" 2 hours ago ", NOW - timedelta(hours=2)),
        ("90 min", NOW - timedelta(minutes=90)),
        ("1 day ago", NOW - timedelta(days=1)),
        ("3d", NOW - timedelta(days=3)),
        ("2 Weeks ago", NOW - timedelta(weeks=2)),
    ],
)
def test_an_instant_is_read_in_the_merchants_zone(words: str, at: datetime) -> None:
    assert read_instant(words, NOW, BERLIN) == at


def test_a_date_can_mean_the_beginning_of_its_day() -> None:
    assert read_instant("2026-11-22", NOW, BERLIN, day_begins=True) == datetime(2026, 11, 21, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "soon",
        "2026-13-01",
        "hours ago",
        "2 fortnights ago",
        "14:30",
        "-2 hours ago",
        "9999-12-31",
        "999999 weeks ago",
    ],
)
def test_what_is_no_time_is_refused_with_examples(words: str) -> None:
    with pytest.raises(typer.BadParameter, match="write one like 2026-11-20T14:30"):
        read_instant(words, NOW, BERLIN)


@pytest.mark.parametrize("words", ["2026-11-23", "2026-11-22T11:31", "9999-12-30T00:00+00:00"])
def test_a_time_to_come_is_refused(words: str) -> None:
    with pytest.raises(typer.BadParameter, match="has not come yet"):
        read_instant(words, NOW, BERLIN)

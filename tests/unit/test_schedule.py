"""When scheduled work is due next, by the merchant's clock."""

from datetime import UTC, datetime, timedelta

import pytest

from core.schedule import next_run
from tests.builders import at


def test_every_n_seconds_counts_from_now() -> None:
    assert next_run("every 90", at(0), "UTC") == at(90)


def test_half_seconds_are_allowed() -> None:
    assert next_run("every 0.5", at(0), "UTC") - at(0) == timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("zone", "in_utc"),
    [("UTC", (3, 45)), ("Europe/Berlin", (2, 45)), ("America/New_York", (8, 45)), ("Asia/Kolkata", (22, 15))],
)
def test_a_nightly_job_runs_by_the_merchants_clock(zone: str, in_utc: tuple[int, int]) -> None:
    due = next_run("45 3 * * *", datetime(2026, 11, 20, 12, tzinfo=UTC), zone)
    assert due.tzinfo is UTC
    assert (due.hour, due.minute) == in_utc


def test_the_next_run_is_always_later_than_now() -> None:
    exactly = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)
    assert next_run("45 3 * * *", exactly, "UTC") == exactly + timedelta(days=1)


def test_a_night_that_skips_the_hour_still_runs_once() -> None:
    """On 29 March 2026 Berlin's clocks go from 02:00 to 03:00."""
    due = next_run("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Berlin")
    assert due.date() == datetime(2026, 3, 29, tzinfo=UTC).date()
    assert next_run("30 2 * * *", due, "Europe/Berlin") - due >= timedelta(hours=22)


def test_a_night_that_repeats_the_hour_runs_once() -> None:
    """On 25 October 2026 Berlin's clocks go back from 03:00 to 02:00."""
    first = next_run("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), "Europe/Berlin")
    second = next_run("30 2 * * *", first, "Europe/Berlin")
    assert (first.day, second.day) == (25, 26)

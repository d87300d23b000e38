"""Waits between tries grow, and end growing."""

from core.backoff import backoff_s


def test_waits_double_from_half_a_second() -> None:
    assert [backoff_s(n) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]


def test_no_wait_is_longer_than_five_minutes() -> None:
    assert backoff_s(40) == backoff_s(400) == 300.0


def test_a_row_never_tried_waits_no_longer_than_one_tried_once() -> None:
    assert backoff_s(0) == backoff_s(1)

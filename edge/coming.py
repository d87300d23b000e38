"""Instants to come as people write them: a time, a date, or so long from now. Pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import typer

from edge.durations import read_duration

HELP = "like 2026-12-24T14:30, 2026-12-24, or 30d from now; in the merchant's time zone"


def read_coming(words: str, now: datetime, zone: ZoneInfo, *, day_ends: bool = False) -> datetime:
    """The instant that ``words`` mean, later than ``now``.

    A time without an offset is that of ``zone``. A date means the beginning of that day there, or its end with
    ``day_ends``. Raises: typer.BadParameter for what is no instant, and for one that has passed.
    """
    said = words.strip()
    try:
        at = _day(said, zone, day_ends) or _time(said, zone) or now + read_duration(said)
    except OverflowError:
        raise typer.BadParameter(f"{words!r} is beyond the calendar; name a time to come") from None
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{words!r} is no time to come; write one like 2026-12-24T14:30 or 2026-12-24, or so long from now, like "
            "90s, 15min, 2h or 30d"
        ) from None
    if at <= now:
        raise typer.BadParameter(f"{words!r} has passed; name a time to come")
    return at


def _day(said: str, zone: ZoneInfo, ends: bool) -> datetime | None:
    try:
        day = date.fromisoformat(said)
    except ValueError:
        return None
    return datetime.combine(day + timedelta(days=1) if ends else day, time(), zone)


def _time(said: str, zone: ZoneInfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)

"""Instants as people write and read them: a time, a date, or so long ago. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import typer

_UNITS = {
    "s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400,
    "week": 604_800,
}  # fmt: skip
_AGO = re.compile(rf"(\d{{1,6}}) ?({'|'.join(sorted(_UNITS, key=len, reverse=True))})s?(?: ago)?", re.IGNORECASE)
_TICK = timedelta(microseconds=1)
HELP = "like 2026-11-20T14:30, 2026-11-20 (the end of that day), or '2 hours ago'; in the merchant's time zone"


def read_instant(words: str, now: datetime, zone: ZoneInfo, *, day_begins: bool = False) -> datetime:
    """The instant that ``words`` mean, no later than ``now``.

    A time without an offset is that of ``zone``. A date means the end of that day there (today: now), or its beginning
    with ``day_begins``. Raises: typer.BadParameter for what is no instant, and for one to come.
    """
    said = words.strip()
    try:
        at = now if said.lower() == "now" else _ago(said, now) or _day(said, now, zone, day_begins) or _time(said, zone)
        found = None if at is None else at.astimezone(UTC)
    except OverflowError:  # beyond the calendar's ends
        found = None
    if found is None:
        raise typer.BadParameter(f"{words!r} is no time; write one like 2026-11-20T14:30, 2026-11-20, or '2 hours ago'")
    if found > now:
        raise typer.BadParameter(f"{words!r} has not come yet; name a time up to now")
    return found


def local(at: datetime | None, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """An instant on the wall clock of ``zone``, for people: to the minute, or to the second; a dash for None."""
    if at is None:
        return "-"
    return f"{at.astimezone(zone):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"


def cells(row: Iterable[object], zone: ZoneInfo) -> list[object]:
    """The cells of a row for people, its instants as ``local`` tells them, to the second."""
    return [local(cell, zone, seconds=True) if isinstance(cell, datetime) else cell for cell in row]


def _ago(said: str, now: datetime) -> datetime | None:
    found = _AGO.fullmatch(said)
    if found is None:
        return None
    number, unit = found.groups()
    return now - int(number) * timedelta(seconds=_UNITS[unit.lower()])


def _day(said: str, now: datetime, zone: ZoneInfo, begins: bool) -> datetime | None:
    try:
        day = date.fromisoformat(said)
    except ValueError:
        return None
    start = datetime.combine(day, time(), zone)
    if begins:
        return start
    if day == now.astimezone(zone).date():
        return now
    return datetime.combine(day + timedelta(days=1), time(), zone) - _TICK


def _time(said: str, zone: ZoneInfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)

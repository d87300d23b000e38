"""Spans of time as people write them: ``90s``, ``15min``, ``2h``, ``3d``. Pure."""

import math
import re
from datetime import timedelta

import typer

_UNITS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_SPAN = re.compile(rf"(\d{{1,7}}) ?({'|'.join(sorted(_UNITS, key=len, reverse=True))})s?", re.IGNORECASE)


def read_duration(words: str) -> timedelta:
    """The time that ``words`` mean. Raises: typer.BadParameter for what is none."""
    found = _SPAN.fullmatch(words.strip())
    if found is None or not int(found.group(1)):
        raise typer.BadParameter(f"{words!r} is no time; write one like 90s, 15min, 2h or 3d")
    number, unit = found.groups()
    return timedelta(seconds=int(number) * _UNITS[unit.lower()])


def write_left(time: timedelta) -> str:
    """About how long there is left, for people."""
    seconds = math.ceil(time.total_seconds())
    for unit in ("d", "h", "min"):
        if seconds >= 2 * _UNITS[unit]:
            return f"{round(seconds / _UNITS[unit])} {unit}"
    return f"{seconds} s"


def write_duration(time: timedelta) -> str:
    """The shortest way to write it that ``read_duration`` reads, in whole seconds."""
    seconds = int(time.total_seconds())
    for unit in ("d", "h", "min"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]} {unit}"
    return f"{seconds} s"

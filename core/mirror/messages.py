"""What an outside system says of items, read from words or JSON. Pure.

Whatever stands in a message comes from outside: each field is looked at, and what is wrong is named with its row.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from core.errors import Refused
from core.mirror.sources import version_at
from core.stock import GOOD, GRADES

MOST_UNITS = 1_000_000_000
MOST_ROWS = 100_000
FIELDS = ("sku", "grade", "quantity", "bin", "version", "time", "as_of", "id")
_HIGHEST = 2**62  # of versions
_LONGEST = 200  # letters in a field
_NAMED = 10  # problems told at once
# What left since a count is taken off it. A sender without a clock says 1970, and all that ever left would be gone.
OLDEST = timedelta(days=90)
_AHEAD = timedelta(minutes=1)  # by which a sender's clock may be ahead of ours
_WHOLE = re.compile(r"[0-9]{1,18}")


class Problem(NamedTuple):
    """``row``: 1 for the first, 0 for the batch itself; ``subject``: its SKU, as far as it can be read."""

    row: int
    subject: str
    why: str

    def __str__(self) -> str:
        where = f"row {self.row}" if self.row else "the batch"
        return f"{where}{f' ({self.subject})' if self.subject else ''}: {self.why}"


class BadRows(Refused):
    """Rows that mean nothing, or name what is not there; nothing was written. Names some with their cure."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        more = len(self.problems) - _NAMED
        told = [str(one) for one in self.problems[:_NAMED]] + ([f"and {more} more"] if more > 0 else [])
        super().__init__("; ".join(told))


class Stamp(NamedTuple):
    """Where a message stands in the order of its sender. ``as_of``: when it was counted; None: when it arrived."""

    version: int
    as_of: datetime | None
    key: str


class Line(NamedTuple):
    """Units of an item as somebody counted them. ``bin``: a bin's code, empty where none is named."""

    row: int
    sku: str
    grade: str
    units: int
    bin: str
    stamp: Stamp | None


def read_line(row: int, said: object, now: datetime, *, by_time: bool, stamped: bool) -> Line | Problem:
    """A row of a message, or what is wrong with it.

    Args: said: fields by name, numbers or words. stamped: it has a version or a time of its own.
    """
    if not isinstance(said, Mapping):
        return Problem(row, "", 'it is no object; write it like {"sku": "MUG-RED", "quantity": 5}')
    subject = ""
    try:
        _require_known(said)
        sku = _words(said.get("sku"))
        subject = sku
        if not sku:
            raise Refused("it has no sku")
        grade = _words(said.get("grade")) or GOOD
        if grade not in GRADES:
            raise Refused(f"a grade is {' or '.join(GRADES)}, not {grade[:20]!r}")
        units = _whole(said.get("quantity"), "quantity", MOST_UNITS)
        if not stamped and any(said.get(name) not in (None, "") for name in ("version", "time", "as_of", "id")):
            raise Refused("a row of a full batch has no version, time, as_of or id of its own; say them of the batch")
        stamp = read_stamp(said, now, by_time=by_time) if stamped else None
        return Line(row, sku, grade, units, _words(said.get("bin")), stamp)
    except Refused as refusal:
        return Problem(row, subject, str(refusal))


def read_stamp(said: Mapping[str, object], now: datetime, *, by_time: bool) -> Stamp:
    """The version, or the time, and the id of a message. Raises: Refused, naming the cure."""
    as_of = _instant(said.get("as_of"), "as_of", now)
    key = _words(said.get("id"))
    if by_time:
        at = _instant(said.get("time"), "time", now)
        if at is None:
            raise Refused("say its time, like 2027-03-31T14:30:00+02:00: this source is ordered by time")
        if said.get("version") not in (None, ""):
            raise Refused("this source is ordered by time; leave version out")
        return Stamp(version_at(at), as_of or at, key)
    if said.get("time") not in (None, ""):
        raise Refused("this source is ordered by version; leave time out, and say as_of for when it was counted")
    if said.get("version") in (None, ""):
        raise Refused("say its version, a whole number that rises: this source is ordered by version")
    return Stamp(_whole(said.get("version"), "version", _HIGHEST), as_of, key)


def too_old(as_of: datetime, now: datetime) -> str:
    """Why a count cannot be booked, though it is the newest; empty when it can. Pure."""
    if as_of >= now - OLDEST:
        return ""
    return f"it was counted at {as_of.isoformat()}, more than {OLDEST.days} days ago; count it again"


def sort_out(read: Iterable[Line | Problem]) -> tuple[list[Line], list[Problem]]:
    """Rows that mean something, and what is wrong with the others."""
    lines: list[Line] = []
    problems: list[Problem] = []
    for one in read:
        if isinstance(one, Line):
            lines.append(one)
        else:
            problems.append(one)
    return lines, problems


def _require_known(said: Mapping[object, object]) -> None:
    unknown = [str(name)[:30] for name in said if name not in FIELDS]
    if unknown:
        raise Refused(f"it has a field {unknown[0]!r}; the fields are {', '.join(FIELDS)}")


def _words(value: object) -> str:
    """Raises: Refused for what is no short text."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise Refused(f"{str(value)[:30]!r} is no text of up to {_LONGEST} letters")
    return value.strip()


def _whole(value: object, name: str, most: int) -> int:
    """Raises: Refused for what is no whole number from 0 to ``most``."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        shown = "missing" if value in (None, "") else repr(value)[:30]
        raise Refused(f"{name} is {shown}; write a whole number from 0 to {most:,}")
    return value


def _instant(value: object, name: str, now: datetime) -> datetime | None:
    """Raises: Refused for what is no time with an offset, or has not come yet."""
    words = _words(value)
    if not words:
        return None
    at: datetime | None = None
    with suppress(ValueError, OverflowError):  # no time at all, or beyond the calendar's ends
        read = datetime.fromisoformat(words)
        at = read.astimezone(UTC) if read.tzinfo is not None else None
    if at is None or at.year < 1970:
        raise Refused(f"{name} is {words[:40]!r}; write a time with its offset, like 2027-03-31T14:30:00+02:00")
    if at > now + _AHEAD:
        raise Refused(f"{name} {words[:40]} has not come yet; set the sender's clock")
    return at

"""What a cell of a file says: units, days, instants, sums of money and names. Pure."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any

from core.errors import Refused
from core.money import from_minor, to_minor
from core.stock import GRADES

MOST_UNITS = 1_000_000_000
_LONGEST_UNIT = 40  # letters
_WHOLE = re.compile(r"[0-9]{1,12}([.,]0{1,2})?")
_SIGNED = re.compile(r"[+-]?[0-9]{1,12}")
_AFTER_A_SIGN = 3  # digits between the signs of thousands
_THOUSANDS = re.compile(r"[0-9]{1,3}(?P<sign>[.,])[0-9]{3}((?P=sign)[0-9]{3})*(?P<rest>[.,][0-9]{1,2})?")
_SIGN = re.compile(r"^[€$£¥]\s*|\s*[€$£¥]$")
_GERMAN_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_YES = frozenset(("yes", "y", "true", "1", "x", "ja"))
_NO = frozenset(("no", "n", "false", "0", "nein"))

Read = Callable[[str], Any]


class BadCell(ValueError):
    """What is wrong with a cell, with the cure."""


def line(longest: int = 200) -> Read:
    """A reader of texts of one line."""

    def read(text: str) -> str:
        if len(text) > longest or not text.isprintable():
            raise BadCell(f"write one line of at most {longest} letters")
        return text

    return read


def text(longest: int) -> Read:
    """A reader of texts as stores have them, whatever signs are in them."""

    def read(cell: str) -> str:
        if len(cell) > longest or "\0" in cell:
            raise BadCell(f"write at most {longest:,} letters")
        return cell

    return read


def whole(least: int, most: int = MOST_UNITS) -> Read:
    """A reader of whole numbers; spreadsheets may have put ``,0`` or ``.00`` behind them."""

    def read(text: str) -> int:
        number = int(re.split("[.,]", text)[0]) if _WHOLE.fullmatch(text) else None
        if number is None or not least <= number <= most:
            raise BadCell(f"write a whole number, {least:,} to {most:,}, without a sign between thousands")
        return number

    return read


def signed(text: str) -> int:
    if not _SIGNED.fullmatch(text):
        raise BadCell("write a whole number, like 10 or -3")
    return int(text)


def one_of(known: Collection[str], *, empty: str = "") -> Read:
    """A reader of words of a short list, in small letters, with ``_`` for blanks."""

    def read(text: str) -> str:
        word = re.sub(r"[\s-]+", "_", text.casefold())
        if word not in known:
            raise BadCell(f"write one of {', '.join(sorted(known))}{empty}")
        return word

    return read


grade = one_of(GRADES, empty=", or leave it empty for good")


def yes_or_no(text: str) -> bool:
    word = text.casefold()
    if word not in _YES | _NO:
        raise BadCell("write yes or no")
    return word in _YES


def day(text: str) -> date:
    """``2027-02-01``, also with a time behind it, or ``1.2.2027``. 02/01/2027 means two days, so it means none."""
    german = _GERMAN_DAY.fullmatch(text)
    try:
        if german:
            return date(int(german[3]), int(german[2]), int(german[1]))
        return datetime.fromisoformat(text).date() if len(text) > len("2027-02-01") else date.fromisoformat(text)
    except ValueError:
        raise BadCell("write a day like 2027-02-01") from None


def instant(text: str) -> datetime:
    """With its offset, like 2027-02-01T12:00+01:00."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadCell("write a time with its offset, like 2027-02-01T12:00+01:00")
    return at


def minor(text: str, currency: str) -> int:
    """A sum in the smallest unit of its currency, from ``3.20``, ``3,20``, ``1.234,50``, ``€ 3,20`` or ``3.20 EUR``."""
    bare = text.strip()
    if bare.upper().endswith(currency):
        bare = bare[: -len(currency)].strip()
    bare = _SIGN.sub("", bare)
    digits = len(from_minor(0, currency).partition(".")[2])
    grouped = _THOUSANDS.fullmatch(bare)
    if grouped and grouped["rest"] and grouped["rest"][0] != grouped["sign"]:
        bare = bare[: -len(grouped["rest"])].replace(grouped["sign"], "") + grouped["rest"]
    elif grouped and digits != _AFTER_A_SIGN:
        raise BadCell(f"{bare} can mean two things; write it like {from_minor(123450, currency)}")
    try:
        return to_minor(bare.replace(",", "."), currency)
    except Refused as refusal:
        raise BadCell(str(refusal)) from refusal


def case_units(text: str) -> dict[str, int]:
    """``case=24; pallet=960`` as units by name."""
    found: dict[str, int] = {}
    rest = text
    while rest:
        name, equals, after = rest.partition("=")
        number, _, rest = after.partition(";")
        named = 0 < len(name.strip()) <= _LONGEST_UNIT and name.strip().isprintable()
        if not equals or not named or not _WHOLE.fullmatch(number.strip()):
            raise BadCell("write units like case=24; pallet=960")
        found[name.strip().casefold()] = whole(1)(number.strip())
        rest = rest.strip()
    return found


def write_case_units(units: Mapping[str, int]) -> str:
    return "; ".join(f"{name}={number}" for name, number in units.items())

"""Sums of money as people write them, kept as whole numbers of a currency's smallest unit. Pure."""

import re
from decimal import Decimal

from core.errors import Refused

# ISO 4217, column "Minor unit"; all others have two digits.
_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"), 0),
    **dict.fromkeys(("UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]*)?")
_CODE = re.compile(r"[A-Z]{3}")
_SUM = re.compile(r"([0-9.]+)([A-Z]{3})")
_MOST = 10**15


def to_minor(words: str, currency: str) -> int:
    """``3.20`` of EUR is 320. Raises: Refused for what is no amount, or finer than the currency is."""
    digits = _DIGITS.get(currency, 2)
    said = words.strip()
    minor = Decimal(said).scaleb(digits) if _AMOUNT.fullmatch(said) else None
    if minor is None or minor != minor.to_integral_value() or minor >= _MOST:
        fine = f"with {digits} digits after the point" if digits else "with no digits after the point"
        raise Refused(f"{words!r} is no amount of {currency}; write one like {from_minor(320, currency)}, {fine}")
    return int(minor)


def from_minor(minor: int, currency: str) -> str:
    """320 of EUR is ``3.20``; below 0, as a difference is, with a sign."""
    digits = _DIGITS.get(currency, 2)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def read_money(words: str) -> tuple[int, str]:
    """``4.90 EUR`` or ``4.90EUR`` as (490, "EUR"). Raises: Refused for what is no sum."""
    found = _SUM.fullmatch("".join(words.split()).upper())
    if found is None:
        raise Refused(f"{words!r} is no price; write it like 4.90 EUR")
    return to_minor(found[1], found[2]), found[2]


def read_currency(words: str) -> str:
    """A code of ISO 4217. Raises: Refused for what is written otherwise."""
    code = words.strip().upper()
    if not _CODE.fullmatch(code):
        raise Refused(f"a currency is three letters as in ISO 4217, like EUR, not {words}")
    return code


def write_money(minor: int, currency: str) -> str:
    """Like ``4.90 EUR``."""
    return f"{from_minor(minor, currency)} {currency}".strip()

"""Sums of money as people write them, kept as whole numbers of the currency's smallest unit. Pure."""

from core.errors import Refused

# Digits after the point, where they are not two: ISO 4217.
_WHOLE = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DIGITS = dict.fromkeys(_WHOLE, 0) | dict.fromkeys(_THOUSANDTHS, 3)
_MOST = 10**12


def read_money(words: str) -> tuple[int, str]:
    """``4.90 EUR`` or ``4.90EUR`` as (490, "EUR"). Raises: Refused for what is no sum."""
    said = "".join(words.split()).upper()
    number, currency = said[:-3], said[-3:]
    whole, point, rest = number.partition(".")
    digits = _DIGITS.get(currency, 2)
    known = currency.isascii() and currency.isalpha() and whole.isascii() and whole.isdigit()
    if not known or (point and not (rest.isascii() and rest.isdigit())) or len(rest) > digits:
        raise Refused(f"{words!r} is no price; write it like 4.90 EUR" + (" or 490 JPY" if not digits else ""))
    sum_ = int((whole + rest.ljust(digits, "0"))[:20])
    if sum_ > _MOST:
        raise Refused(f"{words} is more than a parcel costs")
    return sum_, currency


def write_money(sum_: int, currency: str) -> str:
    """Like ``4.90 EUR``; ``sum_`` may be below 0, as a difference is."""
    digits = _DIGITS.get(currency, 2)
    sign, whole = ("-" if sum_ < 0 else ""), str(abs(sum_)).rjust(digits + 1, "0")
    number = whole if not digits else f"{whole[:-digits]}.{whole[-digits:]}"
    return f"{sign}{number} {currency}".strip()

"""Costs as people write them, kept as whole numbers of a currency's smallest unit. Pure."""

from decimal import Decimal, InvalidOperation

from core.errors import Refused

# ISO 4217, column "Minor unit"; all others have two digits.
_DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
     "XPF"), 0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)  # fmt: skip
_MOST = 10**15


def to_minor(words: str, currency: str) -> int:
    """``3.20`` of EUR is 320. Raises: Refused for what is no amount, or finer than the currency is."""
    digits = _DIGITS.get(currency, 2)
    try:
        amount = Decimal(words.strip()).scaleb(digits)
    except InvalidOperation:
        raise Refused(f"{words!r} is no amount; write one like 3.20") from None
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount < _MOST:
        raise Refused(f"{words} is no amount of {currency}, which has {digits} digits after the point; write one like "
                      f"{from_minor(320, currency)}")  # fmt: skip
    return int(amount)


def from_minor(minor: int, currency: str) -> str:
    """320 of EUR is ``3.20``."""
    digits = _DIGITS.get(currency, 2)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"

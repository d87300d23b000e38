"""GTINs, the numbers under barcodes: read, checked, and compared whatever their length. Pure."""

from core.errors import Refused

_LENGTHS = (8, 12, 13, 14)  # GTIN-8, GTIN-12 (UPC-A), GTIN-13 (EAN), GTIN-14


def check_digit(digits: str) -> int:
    """The last digit of a GTIN, from those before it.

    Source: GS1 General Specifications, section 7.9: from the right, the digits count three times and once in turn, and
    the check digit brings their sum up to a multiple of ten.
    """
    total = sum(int(digit) * (1 if nth % 2 else 3) for nth, digit in enumerate(reversed(digits)))
    return -total % 10


def gtin(code: str) -> str | None:
    """A GTIN as 14 digits, filled up with zeros as GS1 has it, however it is grouped; None for what is none."""
    digits = code.strip().replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in _LENGTHS):
        return None
    return digits.zfill(14) if int(digits[-1]) == check_digit(digits[:-1]) else None


def require_gtin(code: str) -> str:
    """The same. Raises: Refused, saying which digit is wrong or what a barcode looks like."""
    found = gtin(code)
    if found is not None:
        return found
    digits = code.strip().replace(" ", "").replace("-", "")
    if digits.isascii() and digits.isdigit() and len(digits) in _LENGTHS:
        raise Refused(
            f"barcode {digits} ends in {digits[-1]}, and its check digit would be {check_digit(digits[:-1])}; read it "
            "once more, or name another kind than barcode for a number of your own"
        )
    raise Refused(f"a barcode has 8, 12, 13 or 14 digits, like 4006381333931, which {code.strip()!r} has not")

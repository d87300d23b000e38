"""GTINs: their check digits, and one form for all their lengths."""

import pytest

from core.errors import Refused
from core.goods.barcodes import check_digit, gtin, require_gtin


@pytest.mark.parametrize("code", ["4006381333931", "96385074", "036000291452", "10012345678902", "9780306406157"])
def test_a_right_code_is_known_by_its_check_digit(code: str) -> None:
    assert check_digit(code[:-1]) == int(code[-1])
    assert gtin(code) == code.zfill(14)


@pytest.mark.parametrize("code", ["4006381333931", "96385074"])
def test_each_single_wrong_digit_is_seen(code: str) -> None:
    for place in range(len(code)):
        for digit in "0123456789":
            if digit != code[place]:
                assert gtin(code[:place] + digit + code[place + 1 :]) is None


@pytest.mark.parametrize(
    "code", ["", "MUG", "400638133393", "40063813339310", "٤٠٠٦٣٨١٣٣٣٩٣١", "²" * 8, "-", "+4006381333931"]
)
def test_what_is_no_barcode_is_none(code: str) -> None:
    assert gtin(code) is None
    with pytest.raises(Refused):
        require_gtin(code)


def test_groups_are_read_as_one() -> None:
    assert gtin(" 978-0-306-40615-7 ") == gtin("9780306406157")

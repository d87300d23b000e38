"""What files of rows say: cells, names of columns, encodings and formulas."""

from datetime import date

import pytest

from core.files import cells
from core.files.cells import BadCell
from core.files.columns import Column, find_columns, read_row
from core.files.kinds import KINDS
from core.files.text import NONE, BadFile, Encoding, delimiter_of, guarded, header_key, said_delimiter, unguarded
from core.files.units import Gather

COLUMNS = (
    Column("sku", cells.line(), ("variant sku", "item"), required=True),
    Column("quantity", cells.whole(0), ("qty",), required=True),
    Column("grade", cells.grade, default="good"),
)


def encoding_of(*pieces: bytes) -> str:
    encoding = Encoding()
    for piece in pieces:
        encoding.feed(piece)
    return encoding.name()


@pytest.mark.parametrize(
    ("written", "minor"),
    [("3.20", 320), ("3,20", 320), ("3", 300), ("€ 3,20", 320), ("3.20 EUR", 320), ("1.234,50", 123450),
     ("1,234.50", 123450), ("1.234.567,89", 123456789), ("0", 0)],
)  # fmt: skip
def test_sums_are_read_as_people_write_them(written: str, minor: int) -> None:
    assert cells.minor(written, "EUR") == minor


@pytest.mark.parametrize(
    "written", ["1.234", "1,234", "-3", "3.205", "3.20 USD", "three", "1.2.3", "3,2,0", "1.234.50"]
)
def test_a_sum_that_is_none_or_could_be_two_is_refused(written: str) -> None:
    with pytest.raises(BadCell):
        cells.minor(written, "EUR")


def test_three_digits_after_the_point_are_a_sum_where_the_currency_has_them() -> None:
    assert cells.minor("1.234", "KWD") == 1234


@pytest.mark.parametrize(("written", "units"), [("5", 5), ("5,0", 5), ("5.00", 5), ("0", 0)])
def test_units_may_have_the_nothing_behind_them_that_spreadsheets_add(written: str, units: int) -> None:
    assert cells.whole(0)(written) == units


@pytest.mark.parametrize("written", ["-1", "1.5", "5.000", "1e3", "٣", "9" * 40, "0x10", "5 000", ""])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    with pytest.raises(BadCell):
        cells.whole(0)(written)


@pytest.mark.parametrize("written", ["2027-02-01", "1.2.2027", "2027-02-01T10:00:00.000Z", "2027-02-01 10:00:00"])
def test_days_are_read_that_mean_one_day(written: str) -> None:
    assert cells.day(written) == date(2027, 2, 1)


@pytest.mark.parametrize("written", ["02/01/2027", "1.2.27", "31.2.2027", "tomorrow", "2027"])
def test_days_that_could_be_two_are_refused(written: str) -> None:
    with pytest.raises(BadCell):
        cells.day(written)


def test_units_of_an_item_come_back_as_they_were_written() -> None:
    units = {"case": 24, "pallet; large": 960}

    assert cells.case_units(cells.write_case_units(units)) == units
    for wrong in ("case", "=5", "case=many", "case=0", "case=5; =3"):
        with pytest.raises(BadCell):
            cells.case_units(wrong)


@pytest.mark.parametrize(
    "text", ["=1+1", "+49", "-x", "@sum", "\tx", "'=x", "''=x", "＝1", "plain", "'plain", "", "'", "a=b"]
)
def test_no_cell_is_a_formula_and_each_comes_back(text: str) -> None:
    written = guarded(text)

    assert not written.startswith(("=", "+", "-", "@", "\t", "＝"))
    assert unguarded(written) == text


def test_leading_zeros_that_excel_keeps_are_kept() -> None:
    assert unguarded('="00123"') == "00123"


def test_text_is_utf_8_with_or_without_a_mark_or_else_cp1252() -> None:
    assert encoding_of("Tasse, weiß".encode()) == "utf-8"
    assert encoding_of("Tasse, weiß".encode("utf-8-sig")) == "utf-8-sig"
    assert encoding_of("Tasse, weiß €".encode("cp1252")) == "cp1252"
    halves = "weiß".encode()
    assert encoding_of(halves[:4], halves[4:]) == "utf-8"
    assert encoding_of(halves[:4]) == "cp1252"  # cut within a letter: no UTF-8


@pytest.mark.parametrize("octets", ["sku".encode("utf-16"), b"PK\x03\x04rest", b"a\0b", b"caf\xe9 \x81"])
def test_what_is_no_text_says_how_to_save_it(octets: bytes) -> None:
    with pytest.raises(BadFile, match=r"UTF-8"):
        encoding_of(octets)


def test_what_stands_between_cells_is_found_by_the_names_that_are_known() -> None:
    known = {name for column in COLUMNS for name in column.names}

    assert delimiter_of("sku;quantity,in all;grade", known) == ";"
    assert delimiter_of("SKU,Quantity\r\n", known) == ","
    assert delimiter_of("sku\tqty", known) == "\t"
    assert delimiter_of("sku\n", known) == NONE
    assert said_delimiter("sep=;\r\n") == ";"
    assert said_delimiter("separate;x") is None


def test_names_of_columns_are_compared_as_people_mean_them() -> None:
    assert header_key("\ufeffVariant_SKU ") == header_key("variant  sku") == "variant sku"


def test_columns_are_found_by_any_of_their_names_and_unknown_ones_told() -> None:
    header = find_columns(COLUMNS, ["Colour", "QTY", "Item", "error"], {"grade": "minor_defect"})

    record = read_row(header, 2, ["red", " 5 ", "MUG", "old"])

    assert record.values == {"sku": "MUG", "quantity": 5, "grade": "minor_defect"}
    assert header.unread == ["Colour"]


@pytest.mark.parametrize(
    ("names", "said", "told"),
    [(["sku"], {}, "no column quantity"), (["sku", "SKU", "qty"], {}, "two columns"),
     (["sku", "qty"], {"sku": "MUG"}, "already"), (["sku", "qty"], {"colour": "red"}, "no column colour")],
)  # fmt: skip
def test_a_header_that_cannot_be_read_names_the_cure(names: list[str], said: dict[str, str], told: str) -> None:
    with pytest.raises(BadFile, match=told):
        find_columns(COLUMNS, names, said)


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    header = find_columns(COLUMNS, ["sku", "quantity", "grade"], {})

    record = read_row(header, 7, ["", "many", "fine", "too much"])

    assert [(one.row, one.column) for one in record.problems] == [
        (7, ""), (7, "sku"), (7, "quantity"), (7, "grade")
    ]  # fmt: skip
    assert read_row(header, 8, ["MUG", "3"]).values["grade"] == "good"


def test_rows_of_one_paper_are_one_unit_and_stand_together() -> None:
    header = find_columns(COLUMNS, ["sku", "quantity"], {})
    rows = [(2, ["A", "1"]), (3, ["A", "2"]), (4, ["B", "1"]), (5, ["A", "3"])]

    units = list(Gather(header, ["sku"], True).units(rows))

    assert [[record.row for record in unit.records] for unit in units] == [[2, 3], [4], [5]]
    assert [bool(unit.problems) for unit in units] == [False, False, True]
    assert "row 2" in units[2].problems[0].cure


def test_what_is_said_twice_is_refused_the_second_time() -> None:
    header = find_columns(COLUMNS, ["sku", "quantity"], {})

    units = list(Gather(header, ["sku"], False).units([(2, ["A", "1"]), (3, ["A", "2"])]))

    assert [bool(unit.problems) for unit in units] == [False, True]


def test_what_programs_saved_of_stocky_is_found_by_the_names_of_its_interface() -> None:
    names = ["id", "number", "supplier_name", "expected_on", "sku", "quantity", "status", "cost_price",
             "supplier_cost_price", "retail_price"]  # fmt: skip
    header = find_columns(KINDS["purchases"].columns_in("stocky"), names, {})

    cells = ["2", "1000A", "Acme", "2026-09-01", "MUG", "10", "not delivered", "4.10", "3.20", "9.90"]
    values = read_row(header, 2, cells).values

    assert (values["number"], values["supplier"], values["cost"], values["quantity"]) == ("1000A", "Acme", "3.20", 10)
    assert header.unread == ["id", "cost_price", "retail_price"]

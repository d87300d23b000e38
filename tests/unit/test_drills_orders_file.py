"""Reading a retailer's order lines: what is an order, what is named instead, and what cannot be read."""

import gzip
import io
from pathlib import Path

import pytest

from core.errors import ConfigError
from drills.orders_file import FileLine, OrdersFile, read_orders, read_rows

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country\r\n"
REAL_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "online-retail-2010-12-01_09.csv.gz"


def row(invoice: str, code: str, quantity: object, title: str = "A THING") -> str:
    return f"{invoice},{code},{title},{quantity},2010-12-01T08:26:00,2.55,United Kingdom\r\n"


def read(*rows: str, limit: int | None = None) -> OrdersFile:
    return read_rows(io.StringIO(HEAD + "".join(rows), newline=""), "orders.csv", limit)


def test_rows_of_one_invoice_are_one_order_and_keep_their_lines_apart() -> None:
    told = read(row("536365", "85123A", 6), row("536365", "71053", 2), row("536365", "85123A", 1))

    assert [(invoice.number, invoice.is_cancellation) for invoice in told.invoices] == [("536365", False)]
    assert [(line.sku, line.quantity) for line in told.invoices[0].lines] == [
        ("85123A", 6),
        ("71053", 2),
        ("85123A", 1),
    ]


def test_rows_of_an_invoice_that_stand_apart_are_still_one_order() -> None:
    told = read(row("1", "10001", 1), row("2", "10002", 1), row("1", "10003", 1))

    assert [[line.sku for line in invoice.lines] for invoice in told.invoices] == [["10001", "10003"], ["10002"]]


def test_codes_that_differ_only_in_case_and_outer_blanks_are_one_sku() -> None:
    told = read(row("1", "85123a", 1), row("1", " 85123A ", 2))

    assert {line.sku for line in told.invoices[0].lines} == {"85123A"}


def test_an_invoice_with_c_in_front_is_a_cancellation_of_positive_units() -> None:
    told = read(row("C536391", "22556", -12, "PLASTERS"))

    assert told.invoices[0].is_cancellation
    assert told.invoices[0].lines == (FileLine("22556", "PLASTERS", 12),)


@pytest.mark.parametrize(
    ("invoice", "code", "quantity", "reason"),
    [
        ("1", "POST", 3, "POST: postage"),
        ("1", "m", 1, "M: manual entry"),
        ("1", "BANK CHARGES", 1, "BANK CHARGES: bank charges"),
        ("C1", "D", -1, "D: discount"),
        ("1", "gift_0001_20", 1, "GIFT_0001_20: gift voucher"),
        ("1", "", 1, "no stock code"),
        ("1", "21777", -10, "adjustment: quantity <= 0 outside a cancellation"),
        ("1", "21777", 0, "adjustment: quantity <= 0 outside a cancellation"),
        ("C1", "21777", 4, "cancellation with a quantity >= 0"),
    ],
)
def test_a_row_that_is_no_goods_is_counted_under_its_reason(
    invoice: str, code: str, quantity: int, reason: str
) -> None:
    told = read(row("9", "10001", 1), row(invoice, code, quantity))

    assert told.not_goods == {reason: 1}
    assert told.rows == 2
    assert [found.number for found in told.invoices] == ["9"]
    assert told.without_goods == [invoice]


def test_a_limit_counts_orders_and_takes_cancellations_between_them_along() -> None:
    rows = [row("1", "10001", 1), row("C2", "10001", -1), row("3", "POST", 1), row("4", "10001", 1)]
    rows += [row("C5", "10001", -1), row("6", "10001", 1)]

    told = read(*rows, limit=2)

    assert [invoice.number for invoice in told.invoices] == ["1", "C2", "4", "C5"]
    assert told.rows == 5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "row 1: no column InvoiceNo, StockCode, Quantity"),
        ("InvoiceNo,Quantity\r\n1,2\r\n", "row 1: no column StockCode"),
        (HEAD + row("1", "10001", "six"), "row 2: Quantity is 'six'; it has to be a whole number"),
        (HEAD + row("1", "10001", "1.5"), "row 2: Quantity is '1.5'"),
        (HEAD + row("1", "10001", 1) + row("", "10001", 1), "row 3: no InvoiceNo"),
        (HEAD + "1,10001\r\n", "row 2: no Quantity"),
        (HEAD + row("1", "10001", 1, "RED, WHITE"), "row 2: more values than columns"),
        (HEAD + row("1", "POST", 1), "holds no order"),
        (HEAD + '1,"10001', "is it a CSV file"),
    ],
)
def test_rubbish_is_refused_with_its_row_and_a_cure(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=r"orders\.csv") as refused:
        read_rows(io.StringIO(text, newline=""), "orders.csv")

    assert named in str(refused.value)


def test_a_gzipped_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "orders.csv", tmp_path / "orders.csv.gz"
    plain.write_text(HEAD + row("1", "10001", 1), encoding="utf-8-sig", newline="")
    packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))

    assert read_orders(plain) == read_orders(packed)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("orders.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("orders.csv.gz", b"InvoiceNo,StockCode", "not gzip"),
        ("orders.csv.gz", gzip.compress(HEAD.encode() * 99, mtime=0)[:60], "damaged or ends in the middle"),
    ],
)
def test_a_file_that_is_no_text_says_what_it_is_not(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=named):
        read_orders(tmp_path / name)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_orders(tmp_path / "orders.csv")


@pytest.mark.skipif(not REAL_FILE.is_file(), reason="the real orders are not here")
def test_every_row_of_the_real_file_is_a_line_of_goods_or_named() -> None:
    told = read_orders(REAL_FILE)

    lines = sum(len(invoice.lines) for invoice in told.invoices)
    assert len(told.invoices) + len(told.without_goods) == 1088
    assert told.rows == 22523 == lines + sum(told.not_goods.values())
    assert sum(told.not_goods.values()) == 164

"""A retailer's order lines from a CSV file: which rows are orders, which are cancellations, and which are not goods.

One row is a line; rows with the same InvoiceNo are one order; an InvoiceNo that begins with C is a cancellation with
negative quantities, which names no order. Only the columns below are read, and invoices keep the order of the file.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TextIO

from core.errors import ConfigError

COLUMNS = ("InvoiceNo", "StockCode", "Quantity")
TITLE_COLUMN = "Description"

NOT_GOODS: Mapping[str, str] = {
    "AMAZONFEE": "marketplace fee",
    "B": "bad debt",
    "BANK CHARGES": "bank charges",
    "C2": "carriage",
    "CRUK": "charity commission",
    "D": "discount",
    "DOT": "postage",
    "M": "manual entry",
    "POST": "postage",
    "S": "samples",
}
GIFT_VOUCHER = "GIFT_"
ADJUSTMENT = "adjustment: quantity <= 0 outside a cancellation"
NEGLIGIBLE = "cancellation with a quantity >= 0"
NO_CODE = "no stock code"


@dataclass(frozen=True, slots=True)
class FileLine:
    """``quantity`` >= 1 sale units, also on a cancellation; ``sku`` is the code in upper case without outer blanks."""

    sku: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """An order, or a cancellation of units that some earlier order sold."""

    number: str
    is_cancellation: bool
    lines: Sequence[FileLine]


@dataclass(frozen=True, slots=True)
class OrdersFile:
    """What was read: ``rows`` data rows, of which ``not_goods`` (by reason) stand in no invoice here.

    ``without_goods`` are the numbers of invoices of which nothing was left.
    """

    invoices: Sequence[Invoice]
    without_goods: Sequence[str]
    rows: int
    not_goods: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row as told, without outer blanks."""

    invoice: str
    code: str
    title: str
    quantity: int


def read_orders(path: Path, limit: int | None = None) -> OrdersFile:
    """Read a CSV file, gzipped when its name ends in .gz, row by row.

    Args: limit: stop before the order after this many (>= 1); cancellations up to there come along.
    Raises: ConfigError naming the row and the cure.
    """
    with _opened(path) as text:
        return read_rows(text, str(path), limit)


def read_rows(text: TextIO, name: str, limit: int | None = None) -> OrdersFile:
    """The same from an open text; ``name`` is how errors call it."""
    found: dict[str, list[FileLine]] = {}
    seen: dict[str, None] = {}
    not_goods: Counter[str] = Counter()
    rows = orders = 0
    for number, group in groupby(_rows(text, name), key=attrgetter("invoice")):
        taken = list(group)
        told = [(row, why_not_goods(row.code, row.quantity, _is_cancellation(number))) for row in taken]
        goods = [FileLine(row.code, row.title, abs(row.quantity)) for row, reason in told if reason is None]
        if goods and number not in found and not _is_cancellation(number):
            if orders == limit:
                break
            orders += 1
        if goods:
            found.setdefault(number, []).extend(goods)
        seen[number] = None
        rows += len(taken)
        not_goods.update(reason for _, reason in told if reason is not None)
    if not found:
        raise ConfigError(f"{name} holds no order: no row has a stock code of goods and a quantity above 0")
    invoices = [Invoice(number, _is_cancellation(number), tuple(lines)) for number, lines in found.items()]
    return OrdersFile(invoices, [number for number in seen if number not in found], rows, dict(not_goods))


def why_not_goods(code: str, quantity: int, is_cancellation: bool) -> str | None:
    """Why a row is no line of goods, in words that are counted and shown; None when it is one."""
    if not code:
        return NO_CODE
    if code in NOT_GOODS:
        return f"{code}: {NOT_GOODS[code]}"
    if code.startswith(GIFT_VOUCHER):
        return f"{code}: gift voucher"
    if is_cancellation:
        return NEGLIGIBLE if quantity >= 0 else None
    return ADJUSTMENT if quantity <= 0 else None


def _is_cancellation(number: str) -> bool:
    return number.upper().startswith("C")


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The file as text; says what is wrong with it when it cannot be read to its end."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from error
    except (EOFError, zlib.error) as error:
        raise ConfigError(f"{path} is damaged or ends in the middle; copy it again") from error
    except gzip.BadGzipFile as error:
        raise ConfigError(f"{path} is not gzip; drop the .gz from its name, or compress it with gzip") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error


def _rows(text: TextIO, name: str) -> Iterator[_Row]:
    reader = csv.DictReader(text, restkey="beyond", strict=True)
    try:
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            wanted = ", ".join(COLUMNS)
            raise ConfigError(
                f"{name}, row 1: no column {', '.join(missing)}; the first row has to name the columns ({wanted}, ...)"
            )
        for row in reader:
            yield _read(row, reader.line_num, name)
    except csv.Error as error:
        raise ConfigError(f"{name}, row {reader.line_num + 1}: {error}; is it a CSV file with commas?") from error


def _read(row: Mapping[str, str | list[str] | None], number: int, name: str) -> _Row:
    where = f"{name}, row {number}"
    if "beyond" in row:
        raise ConfigError(f"{where}: more values than columns; put values that hold a comma in quotes")
    cells = {column: str(value or "").strip() for column, value in row.items()}
    short = [column for column in COLUMNS if row[column] is None]
    if short or not cells["InvoiceNo"]:
        raise ConfigError(f"{where}: no {(short or ['InvoiceNo'])[0]}; complete the row or take it out")
    try:
        quantity = int(cells["Quantity"])
    except ValueError:
        said = cells["Quantity"][:20]
        raise ConfigError(f"{where}: Quantity is {said!r}; it has to be a whole number of units") from None
    return _Row(cells["InvoiceNo"], cells["StockCode"].upper(), cells.get(TITLE_COLUMN, ""), quantity)

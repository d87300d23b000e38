"""How rows are written as text: encodings, what stands between cells, and cells that a spreadsheet would take for
formulas. Pure.
"""

import codecs
import csv
import re
from collections.abc import Iterable

from core.errors import Refused

DELIMITERS = (",", ";", "\t")
NONE = "\x1f"  # of a file with one column, whose cells may have any of the others in them
MOST_BYTES = 64 * 2**20
MOST_ROWS = 500_000

# What spreadsheets take for a formula, as OWASP's page on CSV injection lists it, after any number of our own marks.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_SAYS = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)
_AS_TEXT = re.compile(r'="(.*)"', re.DOTALL)


class BadFile(Refused):
    """A file that cannot be read at all; the text names the cure."""


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, with ``'`` before it if need be; ``unguarded`` undoes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """What a cell says: without our mark, and without the ``="..."`` by which Excel keeps leading zeros."""
    if cell.startswith("'") and _FORMULA.match(cell):
        return cell[1:]
    as_text = _AS_TEXT.fullmatch(cell)
    return as_text[1] if as_text else cell


class Encoding:
    """Finds out which encoding bytes are in that come piece by piece: UTF-8, with or without a mark, or else CP1252."""

    def __init__(self) -> None:
        self._first = b""
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._cp1252 = True

    def feed(self, piece: bytes) -> None:
        """Raises: BadFile for what is no text."""
        self._first = self._first or piece[:4]
        if b"\0" in piece or self._first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"PK\x03\x04")):
            raise BadFile("this is no CSV file; save it as CSV in UTF-8, in Excel: `CSV UTF-8 (comma delimited)`")
        self._try_utf8(piece, final=False)
        self._cp1252 = self._cp1252 and _is_cp1252(piece)

    def name(self) -> str:
        """For Python. Raises: BadFile."""
        self._try_utf8(b"", final=True)
        if self._utf8 is not None:
            return "utf-8-sig" if self._first.startswith(codecs.BOM_UTF8) else "utf-8"
        if not self._cp1252:
            raise BadFile("the file is neither in UTF-8 nor in CP1252 (Windows); save it as CSV in UTF-8")
        return "cp1252"

    def _try_utf8(self, piece: bytes, *, final: bool) -> None:
        if self._utf8 is None:
            return
        try:
            self._utf8.decode(piece, final=final)
        except UnicodeDecodeError:
            self._utf8 = None


def _is_cp1252(piece: bytes) -> bool:
    return not any(byte in piece for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))


def delimiter_of(first_line: str, known: Iterable[str]) -> str:
    """What stands between the cells of a header: what makes most of them names that are known; ``NONE`` of one name.

    Raises: BadFile.
    """
    names = set(known)

    def known_by(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first_line], delimiter=delimiter), [])
        return sum(header_key(cell) in names for cell in cells), len(cells)

    try:
        best = max(DELIMITERS, key=known_by)
        return best if known_by(best)[1] > 1 else NONE
    except csv.Error as error:
        raise BadFile(f"the first row, with the names of the columns, cannot be read: {error}") from error


def said_delimiter(first_line: str) -> str | None:
    """What a line like ``sep=;``, which Excel writes before the names, says."""
    found = _SAYS.fullmatch(first_line.strip("\ufeff\r\n"))
    return found[1] if found else None


def header_key(name: str) -> str:
    """The form in which names of columns are compared: in small letters, words with one blank between them."""
    return " ".join(re.sub(r"[_\-]+", " ", unguarded(name.strip().lstrip("\ufeff"))).casefold().split())

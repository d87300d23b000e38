"""CSV files on the disk: copied once, so that they stay still while they are read twice, and written whole or not."""

import csv
import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from core.errors import ConfigError
from core.files.columns import ERROR
from core.files.text import (
    DELIMITERS,
    MOST_BYTES,
    NONE,
    BadFile,
    Encoding,
    delimiter_of,
    guarded,
    header_key,
    said_delimiter,
    unguarded,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_PIECE = 2**18
_LONGEST_LINE = 2**18
_SAID = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "CP1252 (Windows)"}
Write = Callable[[Sequence[object]], None]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """``names``: the cells of its first row. ``digest``: SHA-256 of its bytes."""

    copy: int  # the descriptor of a file without a name, gone with the process
    encoding: str
    delimiter: str
    names: Sequence[str]
    digest: bytes
    skipped: int  # lines before the names, which say how the file is written

    @property
    def encoding_told(self) -> str:
        return _SAID[self.encoding]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """All rows after the names with their numbers, the names being row 1; empty ones are left out.

        Raises: BadFile where quotes are wrong.
        """
        for number, cells in _rows(self.copy, self.encoding, self.delimiter, self.skipped):
            if number > 1 and any(cell.strip() for cell in cells):
                yield number, cells


class _FromItsBeginning(io.RawIOBase):
    """Reads an open file from its first byte on, wherever others who read it are."""

    def __init__(self, file: int) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        room = memoryview(buffer)
        piece = os.pread(self._file, len(room), self._at)
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _text(copy: int, encoding: str) -> IO[str]:
    return io.TextIOWrapper(io.BufferedReader(_FromItsBeginning(copy), _PIECE), encoding=encoding, newline="")


def _rows(copy: int, encoding: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    number = 0
    with _text(copy, encoding) as text:
        for _ in range(skipped):
            text.readline()
        try:
            for cells in csv.reader(_lines(text), delimiter=delimiter, strict=True):
                number += 1
                yield number, cells
        except csv.Error as error:
            raise BadFile(
                f"row {number + 1} cannot be read: {error}; a quote within a cell is written twice, and that cell "
                "stands in quotes"
            ) from error


def _lines(text: IO[str]) -> Iterator[str]:
    """Raises: BadFile for a line so long that it is none of a table: its cells would fill the memory."""
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise BadFile(f"a line has more than {_LONGEST_LINE:,} letters; this is no table that can be read")
        yield line


@contextmanager
def opened(file: Path, known: Iterable[str]) -> Iterator[CsvFile]:
    """A copy of a file (``-``: of what comes in on stdin), gone at the end.

    Args: known: names that columns may have, in the form in which they are compared.
    Raises: BadFile for what is no CSV or too large; ConfigError where it cannot be opened.
    """
    with tempfile.TemporaryFile() as copy:
        encoding, digest = _copied(file, copy)
        copy.flush()
        skipped, delimiter = _written_how(copy.fileno(), encoding, known)
        names = next((cells for _, cells in _rows(copy.fileno(), encoding, delimiter, skipped)), None)
        if not names or not any(name.strip() for name in names):
            raise BadFile("the file is empty; its first row names the columns")
        yield CsvFile(copy.fileno(), encoding, delimiter, names, digest, skipped)


def _copied(file: Path, copy: IO[bytes]) -> tuple[str, bytes]:
    encoding, digest, size = Encoding(), hashlib.sha256(), 0
    try:
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}; name a CSV file that is there") from error
    with source:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > MOST_BYTES:
                raise BadFile(f"the file is larger than {MOST_BYTES // 2**20} MiB; split it")
            encoding.feed(piece)
            digest.update(piece)
            copy.write(piece)
    return encoding.name(), digest.digest()


def _written_how(copy: int, encoding: str, known: Iterable[str]) -> tuple[int, str]:
    """How many lines stand before the names, and what stands between cells."""
    with _text(copy, encoding) as text:
        first = next(_lines(text), "")
        said = said_delimiter(first)
        return (1, said) if said else (0, delimiter_of(first, known))


@contextmanager
def written(file: Path | None, names: Sequence[str], *, delimiter: str = ",", bom: bool = False) -> Iterator[Write]:
    """A CSV file in UTF-8 that is there whole or not at all; None writes to stdout.

    Raises: ConfigError where it cannot be written.
    """
    if file is None or str(file) == "-":
        yield _writer(sys.stdout.write, names, delimiter)
        sys.stdout.flush()
        return
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}; name a folder that is there") from error
    try:
        with open(handle, "w", encoding="utf-8-sig" if bom else "utf-8", newline="") as text:
            yield _writer(text.write, names, delimiter)
        os.replace(beside, file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


class _Out:
    """What ``csv`` writes to."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write


def _writer(write: Callable[[str], object], names: Sequence[str], delimiter: str) -> Write:
    rows = csv.writer(_Out(write), delimiter=delimiter, lineterminator="\n")
    rows.writerow(names)

    def one(cells: Sequence[object]) -> None:
        rows.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])

    return one


@contextmanager
def refused_rows(file: Path, source: CsvFile) -> Iterator[Callable[[Sequence[str], str], None]]:
    """Rows that were refused, as they stood, each with what is wrong; no file where none was."""
    places = [n for n, name in enumerate(source.names) if header_key(name) != ERROR]
    kept: list[Write] = []
    with ExitStack() as stack:

        def refuse(cells: Sequence[str], why: str) -> None:
            if not kept:
                names = [*(source.names[n] for n in places), ERROR]
                delimiter = DELIMITERS[0] if source.delimiter == NONE else source.delimiter
                kept.append(stack.enter_context(written(file, names, delimiter=delimiter, bom=True)))
            kept[0]([*(unguarded(cells[n]) if n < len(cells) else "" for n in places), why])

        yield refuse

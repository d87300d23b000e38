"""Numbers of an outside system as they stand in a CSV file."""

import csv
from itertools import islice
from pathlib import Path

from core.files.text import BadFile, Encoding, delimiter_of, header_key, unguarded
from core.mirror.messages import FIELDS, MOST_ROWS

MOST_BYTES = 16_000_000
_BY_NAME = {header_key(name): name for name in FIELDS} | {"units": "quantity", "qty": "quantity", "stock": "quantity"}


def read_file(path: Path) -> list[tuple[int, object]]:
    """Rows with the lines that they end in, fields by name; empty cells are left out.

    Raises: BadFile, naming the cure.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise BadFile(f"{path} has more than {MOST_BYTES:,} bytes; cut it into several files without --full")
    encoding = Encoding()
    encoding.feed(content)
    return _rows(content.decode(encoding.name()))


def _rows(text: str) -> list[tuple[int, object]]:
    lines = text.splitlines(keepends=True)
    if not lines:
        raise BadFile("the file is empty; its first row names the columns, like sku,quantity,version")
    reader = csv.reader(lines, delimiter=delimiter_of(lines[0], _BY_NAME))
    try:
        names = _names(next(reader))
        rows = [(reader.line_num, cells) for cells in islice(reader, MOST_ROWS + 1) if any(cells)]
    except csv.Error as error:
        raise BadFile(f"line {reader.line_num} cannot be read: {error}") from error
    return [(line, _fields(line, names, cells)) for line, cells in rows]


def _names(cells: list[str]) -> list[str]:
    """Raises: BadFile for a column that nobody knows, or that is there twice."""
    names = [_BY_NAME.get(header_key(cell), "") for cell in cells]
    if "" in names:
        unknown = cells[names.index("")][:40]
        raise BadFile(f"there is no column {unknown!r}; the columns are {', '.join(FIELDS)}")
    if len(set(names)) < len(names):
        raise BadFile("a column is there twice; keep one of both")
    if not {"sku", "quantity"} <= set(names):
        raise BadFile("the file needs the columns sku and quantity")
    return names


def _fields(line: int, names: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) > len(names):
        raise BadFile(f"line {line} has more cells than there are columns; put quotes around cells with a comma")
    return {name: unguarded(cell.strip()) for name, cell in zip(names, cells, strict=False) if cell.strip()}

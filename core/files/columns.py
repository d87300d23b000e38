"""The columns that a kind of file has, found by their names in the first row of a file. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.files.cells import BadCell, Read
from core.files.text import BadFile, header_key, unguarded

_SHOWN = 30
ERROR = "error"  # what a file of refused rows says of each; ignored when it is read in again


@dataclass(frozen=True, slots=True)
class Column:
    """``synonyms``: other names, the likeliest first. ``required``: no cell of it may be empty.

    ``default``: what an empty cell, or a file without the column, means.
    """

    name: str
    read: Read
    synonyms: Sequence[str] = ()
    required: bool = False
    default: Any = None

    def also(self, *synonyms: str) -> "Column":
        """The same with likelier synonyms."""
        return Column(self.name, self.read, (*synonyms, *self.synonyms), self.required, self.default)

    @property
    def names(self) -> list[str]:
        return [header_key(name) for name in (self.name, *self.synonyms)]


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column stands, or what it is for all rows; ``unread``: names that nobody knows."""

    columns: Sequence[Column]
    names: Sequence[str]
    places: Mapping[str, int]
    said: Mapping[str, str]
    unread: Sequence[str]


class Problem(NamedTuple):
    """What is wrong with a row (the first, with the names, is 1). ``column``: empty where it is the whole row."""

    row: int
    column: str
    value: str
    cure: str


class Record(NamedTuple):
    """A row as it was read: ``values`` by column, ``cells`` as they stood in the file."""

    row: int
    values: Mapping[str, Any]
    cells: Sequence[str]
    problems: Sequence[Problem] = ()


def find_columns(columns: Sequence[Column], names: Sequence[str], said: Mapping[str, str]) -> Header:
    """Args: said: what columns that the file does not have are for all of its rows, by name.

    Raises: BadFile, naming the columns that lack, or that stand there twice.
    """
    keys = [header_key(name) for name in names]
    twice = sorted({name for name, key in zip(names, keys, strict=True) if key and keys.count(key) > 1})
    if twice:
        raise BadFile(f"the file has two columns {shown(twice[:1])}; name each once")
    places = {}
    for column in columns:
        found = next((key for key in column.names if key in keys), None)
        if found is not None:
            places[column.name] = keys.index(found)
    given = {header_key(name): text for name, text in said.items()}
    fixed = {column.name: given.pop(name) for column in columns for name in column.names if name in given}
    _require(columns, names, places, fixed, given)
    unread = [names[n] for n, key in enumerate(keys) if key not in ("", ERROR) and n not in places.values()]
    return Header(columns, names, places, fixed, unread)


def shown(names: Sequence[str]) -> str:
    """Names from a file as an error may say them: some of them, in short, and without what moves a cursor."""
    said = ["".join(letter if letter.isprintable() else " " for letter in name[:_SHOWN]) for name in names[:_SHOWN]]
    return ", ".join(said) + (", ..." if len(names) > _SHOWN else "")


def _require(
    columns: Sequence[Column], names: Sequence[str], places: Mapping[str, int], fixed: Mapping[str, str],
    unknown: Mapping[str, str],
) -> None:  # fmt: skip
    if unknown:
        there = ", ".join(column.name for column in columns)
        raise BadFile(f"there is no column {next(iter(unknown))} to be set; there are {there}")
    both = sorted(places.keys() & fixed.keys())
    if both:
        raise BadFile(f"the file has a column {both[0]} already; leave --set {both[0]} out")
    lacking = [column.name for column in columns if column.required and column.name not in {**places, **fixed}]
    if lacking:
        raise BadFile(
            f"the file has no column {', '.join(lacking)}, only {shown(names)}; add it to the first row, or say it "
            f"for all rows with --set {lacking[0]}=..."
        )


def read_row(header: Header, row: int, cells: Sequence[str]) -> Record:
    """All cells of a row, with what is wrong with them."""
    values: dict[str, Any] = {}
    problems = []
    if any(cell.strip() for cell in cells[len(header.names) :]):
        cure = f"{len(cells)} cells stand under {len(header.names)} names; a cell with the delimiter in it needs quotes"
        problems.append(Problem(row, "", "", cure))
    for column in header.columns:
        place = header.places.get(column.name)
        raw = header.said.get(column.name, "") if place is None else cells[place] if place < len(cells) else ""
        text = unguarded(raw.strip()).strip()
        try:
            values[column.name] = _read(column, text)
        except BadCell as bad:
            problems.append(Problem(row, column.name, text, str(bad)))
    return Record(row, values, cells, problems)


def _read(column: Column, text: str) -> Any:
    if text:
        return column.read(text)
    if column.required:
        raise BadCell("it is empty; fill it in")
    return column.default

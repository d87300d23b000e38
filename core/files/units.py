"""Rows that stand or fall together: each by itself, or all lines of one paper. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.files.columns import Header, Problem, Record, read_row
from core.files.text import MOST_ROWS, BadFile

MADE, CHANGED, SAME, REFUSED = "made", "changed", "same", "refused"


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows that stand or fall together, none of which has anything wrong with its cells."""

    records: Sequence[Record]

    @property
    def row(self) -> int:
        return self.records[0].row

    @property
    def values(self) -> Mapping[str, Any]:
        """Of its first row."""
        return self.records[0].values


class Outcome(NamedTuple):
    """What became of a unit, or would: ``what`` is made, changed, same or refused, with ``problems`` where refused.

    ``subject``: what it is about, as people call it. ``told``: how it changed. ``document_id``: what it posted.
    ``before``: what was so before it, as far as a way back needs it; JSON values.
    """

    row: int
    rows: int
    what: str
    subject: str
    told: str = ""
    document_id: int | None = None
    before: Mapping[str, Any] | None = None
    problems: Sequence[Problem] = ()


def outcome(unit: Unit, what: str, subject: str, told: str = "", **more: Any) -> Outcome:
    return Outcome(unit.row, len(unit.records), what, subject, told, **more)


def refused(unit: Unit, subject: str, *problems: Problem) -> Outcome:
    return outcome(unit, REFUSED, subject, problems=problems)


def problem(record: Record, column: str, cure: str) -> Problem:
    """Something that cells, each right by itself, get wrong."""
    value = record.values.get(column) if column else ""
    return Problem(record.row, column, "" if value is None else str(value), cure)


class Gathered(NamedTuple):
    """Rows that stand or fall together, with all that is wrong with them."""

    records: Sequence[Record]
    problems: Sequence[Problem]


@dataclass(slots=True)
class Gather:
    """Puts records together into units.

    ``by``: columns that name what a row is about. ``together``: rows with one such name are one unit, and stand one
    after another; else each name stands in one row alone.
    """

    header: Header
    by: Sequence[str]
    together: bool
    rows: int = 0
    # By the hash of a name, since a file may have very many; two of them alike is less likely than a broken disk.
    _seen: dict[int, int] = field(default_factory=dict)

    def units(self, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[Gathered]:
        """Raises: BadFile for too many rows."""
        pending: list[Record] = []
        name: object = None
        for number, cells in rows:
            self.rows += 1
            if self.rows > MOST_ROWS:
                raise BadFile(f"the file has more than {MOST_ROWS:,} rows; split it")
            record = read_row(self.header, number, cells)
            found = self._name(record)
            if pending and not (self.together and found is not None and found == name):
                yield self._whole(pending, name)
                pending = []
            name = found
            pending.append(record)
        if pending:
            yield self._whole(pending, name)

    def _name(self, record: Record) -> tuple[str, ...] | None:
        if any(column not in record.values for column in self.by):
            return None
        return tuple(str(record.values[column]) for column in self.by)

    def _whole(self, records: list[Record], name: object) -> Gathered:
        problems = [one for record in records for one in record.problems]
        if name is not None:
            first = self._seen.setdefault(hash(name), records[0].row)
            if first != records[0].row:
                problems.append(problem(records[0], self.by[0], self._twice(first)))
        return Gathered(records, problems)

    def _twice(self, first: int) -> str:
        if self.together:
            return f"its rows stand apart, the first in row {first}; sort the file so that they follow each other"
        return f"row {first} says something of the same already; say it once"

"""A file goes through twice: tried out, which is its preview, and done. Whatever opens files stays outside."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from core.files import recorded, undoing
from core.files.beside import unknown_names
from core.files.columns import Header, Problem
from core.files.desk import Desk, Kind
from core.files.recorded import BEGUN, DONE, ImportRow
from core.files.units import REFUSED, Gather, Gathered, Outcome, Unit

CHUNK = 500
FIRST = 10  # units that a preview shows
MOST_PROBLEMS = 1_000  # that are told of; all are counted

Rows = Callable[[], Iterable[tuple[int, Sequence[str]]]]  # all rows of a file, from its first one on, each time anew
Refuse = Callable[[Sequence[str], str], None]  # is given the cells of each refused row, and why
Progress = Callable[[int], None]  # is told how many rows were read


@dataclass(slots=True)
class Tally:
    """What became of a file, or would; counted in units: rows, or papers of several rows."""

    made: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    rows: int = 0
    first: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def units(self) -> int:
        return self.made + self.changed + self.same + self.refused

    def add(self, one: Outcome) -> None:
        setattr(self, one.what, getattr(self, one.what) + 1)
        if len(self.first) < FIRST and one.what != REFUSED:
            self.first.append(one)
        if one.what == REFUSED and len(self.problems) < MOST_PROBLEMS:
            self.problems += one.problems


def _ignore(*_told: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class File:
    """``name``: what people call it. ``content_hash``: of its bytes, its kind and what was said of it."""

    kind: Kind
    header: Header
    rows: Rows
    name: str
    content_hash: bytes
    refuse: Refuse = _ignore
    progress: Progress = _ignore


def go_through(file: File, desk: Desk, *, to_the_end: bool = True) -> Tally:
    """Try a file out, or do it, some units at a time; unless ``to_the_end``, no further than the first refusal.

    Raises: BadFile.
    """
    tally, gather, desk = Tally(), Gather(file.header, file.kind.by, file.kind.together), replace(desk, seen={})
    for chunk in _chunks(gather.units(file.rows())):
        for outcome, gathered in zip(_worked_on(file.kind, desk, chunk), chunk, strict=True):
            tally.add(outcome)
            for record in gathered.records if outcome.what == REFUSED else ():
                file.refuse(record.cells, _why(outcome.problems, record.row))
        tally.rows = gather.rows
        file.progress(gather.rows)
        if tally.refused and not to_the_end:
            break
    return tally


def _chunks(units: Iterator[Gathered]) -> Iterator[list[Gathered]]:
    while chunk := list(islice(units, CHUNK)):
        yield chunk


def _worked_on(kind: Kind, desk: Desk, chunk: Sequence[Gathered]) -> list[Outcome]:
    """What became of each, in their order; what it did is kept."""
    units = [Unit(one.records) for one in chunk if not one.problems]
    told = {one.row: one for one in kind.work(desk, units)} if units else {}
    outcomes = []
    for one in chunk:
        row = one.records[0].row
        outcomes.append(told.get(row) or Outcome(row, len(one.records), REFUSED, f"row {row}", problems=one.problems))
    wrong = [record for one, its in zip(chunk, outcomes, strict=True) if its.what == REFUSED for record in one.records]
    beside = defaultdict[int, list[Problem]](list)
    for other in unknown_names(kind, desk, wrong):
        beside[other.row].append(other)
    outcomes = [
        one._replace(problems=_with(one.problems, [other for record in its.records for other in beside[record.row]]))
        for one, its in zip(outcomes, chunk, strict=True)
    ]
    if desk.import_id is not None:
        with desk.begin() as tx:
            recorded.note(tx, desk.import_id, outcomes)
    return outcomes


def _with(problems: Sequence[Problem], beside: Sequence[Problem]) -> Sequence[Problem]:
    """By row, with those beside of columns of which nothing was said."""
    known = {(one.row, one.column) for one in problems}
    more = [one for one in beside if (one.row, one.column) not in known]
    return sorted([*problems, *more], key=lambda one: one.row)


def _why(problems: Sequence[Problem], row: int) -> str:
    own = [one for one in problems if one.row == row]
    if not own:
        return f"it stands or falls with row {problems[0].row}" if problems else ""
    return "; ".join(f"{one.column}: {one.cure}" if one.column else one.cure for one in own)


@dataclass(frozen=True, slots=True)
class Done:
    """``tally``: None for a file that was read before. ``taken_back``: its effects were, since a row was refused that
    nothing was wrong with when the file was tried out; ``kept``: how many of them stay all the same.
    """

    row: ImportRow
    tally: Tally | None
    taken_back: bool = False
    kept: int = 0


def read_before(desk: Desk, file: File) -> ImportRow | None:
    """The import by which this file was read before, unless it was taken back or torn off since."""
    with desk.begin() as tx:
        found = recorded.earlier(tx, file.content_hash)
    return found if found is not None and found.state == DONE else None


def do(file: File, desk: Desk, *, again: bool, best_effort: bool) -> Done:
    """Read a file once, ``again`` where that is said; one that was torn off goes on where it was.

    Without ``best_effort`` all of it counts or nothing, and it was tried out before. Raises: Refused while somebody
    else reads it.
    """
    begun, is_new = _begun(file, desk, again)
    with desk.db.begin(desk.merchant_id, actor=desk.actor) as tx:
        row = recorded.hold(tx, begun.id)
        if row.state != BEGUN:
            return Done(row, None)
        working = replace(desk, import_id=row.id, since=None if is_new else row.begun_at)
        tally = go_through(file, working, to_the_end=best_effort)
        if not tally.refused or best_effort:
            recorded.end(tx, row.id, tally.units, desk.db.clock())
            return Done(recorded.find(tx, row.id), tally)
        kept = undoing.take_back(file.kind, working, row.id, "a row of its file was refused").kept
        if kept:
            recorded.end(tx, row.id, tally.units, desk.db.clock())
        else:
            recorded.end_undone(tx, row.id, desk.db.clock())
        return Done(recorded.find(tx, row.id), tally, taken_back=True, kept=kept)


def _begun(file: File, desk: Desk, again: bool) -> tuple[ImportRow, bool]:
    """The import of this file, and whether it is a new one."""
    while True:
        with desk.db.begin(desk.merchant_id, actor=desk.actor) as tx:
            found = recorded.earlier(tx, file.content_hash)
            if found is not None and (found.state == BEGUN or (found.state == DONE and not again)):
                return found, False
            nth = 1 if found is None else found.nth + 1
            row = recorded.begin(tx, file.kind.name, file.name, file.content_hash, nth)
        if row is not None:
            return row, True

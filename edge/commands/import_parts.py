"""What all commands that read files share: their options, the two passes, and how they tell what became of a file."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun
from edge.commands.common import Call, Door, say, say_json, say_table

if TYPE_CHECKING:
    from core.files.columns import Problem
    from core.files.desk import Desk
    from core.files.recorded import ImportRow
    from core.files.running import File, Tally
    from core.files.units import Outcome
    from edge.csv_files import CsvFile

CsvPath = Annotated[Path, typer.Argument(metavar="FILE", help="a CSV file; - reads stdin")]
BestEffort = Annotated[
    bool, typer.Option("--best-effort", help="do the rows that are right; else one wrong row stops all of them")
]
Again = Annotated[bool, typer.Option("--again", help="read it although it was read before")]
Say = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="COLUMN=VALUE", help="for all rows, where the file has no such column"),
]
RefusedTo = Annotated[
    Path | None,
    typer.Option("--refused", metavar="FILE", help="where refused rows go with what is wrong; else FILE.refused.csv"),
]
FormatName = Literal["holdfast", "stocky"]
Format = Annotated[FormatName, typer.Option("--format", help="whose names its columns have")]
_SHOWN_PROBLEMS = 20
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "\x1f": "nothing"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of every import; see ``edge.commands.spread``."""

    path: CsvPath
    dry_run: DryRun = False
    best_effort: BestEffort = False
    again: Again = False
    set_: Say = None
    refused: RefusedTo = None

    @property
    def refused_to(self) -> Path:
        return self.refused or Path(f"{'stdin' if str(self.path) == '-' else self.path}.refused.csv")

    def fixed(self) -> dict[str, str]:
        """Raises: typer.BadParameter."""
        pairs = [text.partition("=") for text in self.set_ or ()]
        if any(not equals or not name.strip() for name, equals, _ in pairs):
            raise typer.BadParameter("write --set COLUMN=VALUE, like --set supplier=ACME")
        return {name.strip(): value for name, _, value in pairs}

    def content_hash(self, kind: str, said: Mapping[str, Any], digest: bytes) -> bytes:
        """Of all that decides what a file does."""
        told = json.dumps([kind, self.fixed(), dict(said)], sort_keys=True)
        return hashlib.sha256(digest + told.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Pass:
    """What is read, by whom, and from where."""

    asked: Asked
    as_json: bool
    entered: Door
    desk: "Desk"
    file: "File"
    source: "CsvFile"


def read(
    name: str, asked: Asked, call: Call, *rights: Right, form: FormatName = "holdfast",
    said: Mapping[str, bool] | None = None,
) -> None:  # fmt: skip
    """Try a file out, then do it, as far as that is asked for, and tell what became of it.

    Args:   name: of its kind. said: what options of this kind alone say.
    Raises: typer.Exit(1) where rows were refused; Refused; NotFound; ConfigError.
    """
    from core.files import running
    from core.files.columns import find_columns
    from core.files.kinds import kind_named
    from edge.csv_files import opened

    if asked.refused_to.resolve() == asked.path.resolve():
        raise typer.BadParameter("refused rows would take the place of the file itself; name another with --refused")
    kind = kind_named(name)
    program = {} if form == "holdfast" else {"format": form}
    columns = kind.columns_in(program.get("format", ""))
    with ExitStack() as stack:
        entered = stack.enter_context(call.door(rights[0]))
        for right in rights[1:]:
            entered.actor.require(right)
        known = [name for column in columns for name in column.names]
        source = stack.enter_context(opened(asked.path, known))
        header = find_columns(columns, source.names, asked.fixed())
        content_hash = asked.content_hash(name, {**(said or {}), **program}, source.digest)
        progress = _progress(shows=sys.stderr.isatty() and not call.as_json)
        file = running.File(kind, header, source.rows, asked.path.name, content_hash, progress=progress)
        desk = desk_of(entered, {**(said or {}), "as_owner": _is_owner(entered)})
        tally = _read(_Pass(asked, call.as_json, entered, desk, file, source))
    if tally is not None and tally.refused:
        raise typer.Exit(1)


def _read(one: _Pass) -> "Tally | None":
    """What became of it; None for a file that was read before."""
    from core.files import running

    asked = one.asked
    earlier = None if asked.again else running.read_before(one.desk, one.file)
    if earlier is not None:
        _tell_read_before(earlier, as_json=one.as_json)
        return None
    if asked.dry_run or not asked.best_effort:
        tally = running.go_through(one.file, one.desk)
        if asked.dry_run or tally.refused:
            _tell(one, tally)
            return tally
    return _do(one)


def _is_owner(entered: Door) -> bool:
    from edge.commands.lock_parts import is_owner

    return is_owner(entered)


def desk_of(entered: Door, said: Mapping[str, Any]) -> "Desk":
    """Where this actor's files are worked on."""
    from core.files.desk import Desk

    app, merchant_id, actor = entered.app, entered.merchant_id, str(entered.actor)
    return Desk(app.db, merchant_id, actor, lambda found: app.combiner.run(merchant_id, found, actor=actor), said=said)


def _do(one: _Pass) -> "Tally | None":
    from core.files import running
    from edge.csv_files import refused_rows

    asked = one.asked
    with refused_rows(asked.refused_to, one.source) as refuse:
        file = dataclasses.replace(one.file, refuse=refuse if asked.best_effort else one.file.refuse)
        done = running.do(file, one.desk, again=asked.again, best_effort=asked.best_effort)
    if done.tally is None:
        _tell_read_before(done.row, as_json=one.as_json)
        return None
    with one.entered.begin() as tx:
        detail = {"kind": file.kind.name, "made": done.tally.made, "changed": done.tally.changed}
        one.entered.log(tx, "import.read", f"import:{done.row.id}", refused=done.tally.refused, **detail)
    _tell(one, done.tally, done.row)
    if done.taken_back and not one.as_json:
        stay = f", but for {counted(done.kept, 'one')} that `holdfast import show {done.row.id}` names"
        say(f"What was done before the refused row was taken back{stay if done.kept else ''}.")
    return done.tally


def _tell(one: _Pass, tally: "Tally", row: "ImportRow | None" = None) -> None:
    """``row``: None where the file was only tried out, or stopped before anything was done."""
    asked, source, unread = one.asked, one.source, one.file.header.unread
    refused_to = str(asked.refused_to) if tally.refused and asked.best_effort and row is not None else None
    if one.as_json:
        say_json({
            "import": None if row is None else row.id, "state": None if row is None else row.state,
            "kind": one.file.kind.name, "file": asked.path.name, "dry_run": asked.dry_run,
            "encoding": source.encoding_told, "delimiter": _NAMES[source.delimiter], "columns_not_read": unread,
            "rows": tally.rows, "made": tally.made, "changed": tally.changed, "same": tally.same,
            "refused": tally.refused, "first": [_outcome_as_json(done) for done in tally.first],
            "problems": [problem._asdict() for problem in tally.problems], "refused_file": refused_to,
        })  # fmt: skip
        return
    say(f"{counted(tally.rows, 'row')} of {asked.path.name}, {source.encoding_told}, {_NAMES[source.delimiter]} between"
        " cells.")  # fmt: skip
    if unread:
        say(f"Columns that are not read: {', '.join(unread)}.")
    _say_first(tally.first)
    _say_problems(tally.problems, tally.refused)
    say(_sum(asked, tally, row))
    if refused_to:
        say(f"Refused rows are in {refused_to}; correct them there, and read that file.")


def _sum(asked: Asked, tally: "Tally", row: "ImportRow | None") -> str:
    counts = f"{tally.made:,} made, {tally.changed:,} changed, {tally.same:,} left alone, {tally.refused:,} refused"
    if row is not None:
        state = f" `holdfast import undo {row.id}` takes it back." if tally.made or tally.changed else ""
        return f"Import {row.id}: {counts}.{state}"
    if asked.dry_run:
        return f"Only tried out: {counts}."
    return (
        f"Nothing was done, for not all rows are right: {counts}. Correct the file, or do what is right with "
        "--best-effort."
    )


def _outcome_as_json(one: "Outcome") -> dict[str, object]:
    return {"row": one.row, "rows": one.rows, "what": one.what, "subject": one.subject, "change": one.told}


def _say_first(first: "Sequence[Outcome]") -> None:
    if first:
        rows = [[one.row, _WHAT[one.what], one.subject, one.told] for one in first]
        say_table([">row", "", "what", "change"], rows)


_WHAT = {"made": "made", "changed": "changed", "same": "left alone"}


def _say_problems(problems: "Sequence[Problem]", refused: int) -> None:
    if not problems:
        return
    rows = [[one.row, one.column, one.value, one.cure] for one in problems[:_SHOWN_PROBLEMS]]
    say_table([">row", "column", "value", "what is wrong"], rows)
    if len(problems) > _SHOWN_PROBLEMS:
        say(f"There is more that is wrong; {counted(refused, 'entry', 'entries')} in all cannot be read.")


def _tell_read_before(row: "ImportRow", *, as_json: bool) -> None:
    if as_json:
        say_json({"import": row.id, "state": row.state, "kind": row.kind, "file": row.name, "repeated": True})
    else:
        say(
            f"This file was read before, as import {row.id}; nothing was changed. --again reads it once more, and "
            f"`holdfast import show {row.id}` tells what it did."
        )


def _progress(*, shows: bool) -> Callable[[int], None]:
    """On a terminal, how far a long file is; what is told next stands over it."""

    def tell_rows(rows: int) -> None:
        if shows:
            sys.stderr.write(f"{rows:,} rows\r")
            sys.stderr.flush()

    return tell_rows

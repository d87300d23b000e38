"""What all commands that read files share: their options, the two passes, and how they tell what became of a file."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from edge.commands.common import Door, counted, door, say, say_json, say_table

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
_SHOWN_PROBLEMS = 20
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "\x1f": "nothing"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of an import say; ``said``: of its kind alone."""

    kind: str
    path: Path
    dry_run: bool
    best_effort: bool
    again: bool
    set_: Sequence[str]
    refused: Path | None
    as_json: bool
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused_to(self) -> Path:
        return self.refused or Path(f"{'stdin' if str(self.path) == '-' else self.path}.refused.csv")

    def fixed(self) -> dict[str, str]:
        """Raises: typer.BadParameter."""
        pairs = [text.partition("=") for text in self.set_]
        if any(not equals or not name.strip() for name, equals, _ in pairs):
            raise typer.BadParameter("write --set COLUMN=VALUE, like --set supplier=ACME")
        return {name.strip(): value for name, _, value in pairs}

    def content_hash(self, digest: bytes) -> bytes:
        """Of all that decides what a file does."""
        said = json.dumps([self.kind, self.fixed(), dict(self.said)], sort_keys=True)
        return hashlib.sha256(digest + said.encode()).digest()


def read(asked: Asked, merchant: int, data_dir: Path | None, as_: str, *rights: Right) -> None:
    """Try a file out, then do it, as far as that is asked for, and tell what became of it.

    Raises: typer.Exit(1) where rows were refused; Refused; NotFound; ConfigError.
    """
    from core.files import running
    from core.files.columns import find_columns
    from core.files.kinds import kind_named
    from edge.csv_files import opened

    if asked.refused_to.resolve() == asked.path.resolve():
        raise typer.BadParameter("refused rows would take the place of the file itself; name another with --refused")
    kind = kind_named(asked.kind)
    columns = kind.columns_in(asked.said.get("format", ""))
    with ExitStack() as stack:
        entered = stack.enter_context(door(merchant, data_dir, as_, rights[0]))
        for right in rights[1:]:
            entered.actor.require(right)
        known = [name for column in columns for name in column.names]
        source = stack.enter_context(opened(asked.path, known))
        header = find_columns(columns, source.names, asked.fixed())
        content_hash = asked.content_hash(source.digest)
        file = running.File(kind, header, source.rows, asked.path.name, content_hash, progress=_progress(asked))
        desk = desk_of(entered, {**asked.said, "as_owner": _is_owner(entered)})
        earlier = None if asked.again else running.read_before(desk, file)
        if earlier is not None:
            _tell_read_before(earlier, asked)
            return
        tally = None
        if asked.dry_run or not asked.best_effort:
            tally = running.go_through(file, desk)
        if tally is not None and (asked.dry_run or tally.refused):
            tell(asked, source, header.unread, tally)
        else:
            tally = _do(asked, entered, desk, file, source)
    if tally is not None and tally.refused:
        raise typer.Exit(1)


def _is_owner(entered: Door) -> bool:
    from edge.commands.lock_parts import is_owner

    return is_owner(entered)


def desk_of(entered: Door, said: Mapping[str, Any]) -> "Desk":
    """Where this actor's files are worked on."""
    from core.files.desk import Desk

    app, merchant_id, actor = entered.app, entered.merchant_id, str(entered.actor)
    return Desk(app.db, merchant_id, actor, lambda found: app.combiner.run(merchant_id, found, actor=actor), said=said)


def _do(asked: Asked, entered: Door, desk: "Desk", file: "File", source: "CsvFile") -> "Tally | None":
    from core.files import running
    from edge.csv_files import refused_rows

    with refused_rows(asked.refused_to, source) as refuse:
        sink = refuse if asked.best_effort else file.refuse
        done = running.do(
            dataclasses.replace(file, refuse=sink), desk, again=asked.again, best_effort=asked.best_effort
        )
    if done.tally is None:
        _tell_read_before(done.row, asked)
        return None
    with entered.begin() as tx:
        detail = {"kind": asked.kind, "made": done.tally.made, "changed": done.tally.changed}
        entered.log(tx, "import.read", f"import:{done.row.id}", refused=done.tally.refused, **detail)
    tell(asked, source, file.header.unread, done.tally, done.row)
    if done.taken_back and not asked.as_json:
        stay = f", but for {counted(done.kept, 'one')} that `holdfast import show {done.row.id}` names"
        say(f"What was done before the refused row was taken back{stay if done.kept else ''}.")
    return done.tally


def tell(
    asked: Asked, source: "CsvFile", unread: Sequence[str], tally: "Tally", row: "ImportRow | None" = None
) -> None:
    """``row``: None where the file was only tried out, or stopped before anything was done."""
    refused_to = str(asked.refused_to) if tally.refused and asked.best_effort and row is not None else None
    if asked.as_json:
        say_json({
            "import": None if row is None else row.id, "state": None if row is None else row.state,
            "kind": asked.kind, "file": asked.path.name, "dry_run": asked.dry_run,
            "encoding": source.encoding_told, "delimiter": _NAMES[source.delimiter], "columns_not_read": unread,
            "rows": tally.rows, "made": tally.made, "changed": tally.changed, "same": tally.same,
            "refused": tally.refused, "first": [_outcome_as_json(one) for one in tally.first],
            "problems": [one._asdict() for one in tally.problems], "refused_file": refused_to,
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


def _tell_read_before(row: "ImportRow", asked: Asked) -> None:
    if asked.as_json:
        say_json({"import": row.id, "state": row.state, "kind": row.kind, "file": row.name, "repeated": True})
    else:
        say(
            f"This file was read before, as import {row.id}; nothing was changed. --again reads it once more, and "
            f"`holdfast import show {row.id}` tells what it did."
        )


def _progress(asked: Asked) -> Callable[[int], None]:
    """On a terminal, how far a long file is; what is told next stands over it."""
    shows = sys.stderr.isatty() and not asked.as_json

    def tell_rows(rows: int) -> None:
        if shows:
            sys.stderr.write(f"{rows:,} rows\r")
            sys.stderr.flush()

    return tell_rows

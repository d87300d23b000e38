"""``holdfast mirror read``, ``review``, ``approve``, ``reject`` and ``resume``: numbers in files, and who decides."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.mirror.full import Batch
    from core.mirror.telling import Answer

BatchId = Annotated[int, typer.Argument(metavar="BATCH", help="its number, as `holdfast mirror list` names it")]
Why = Annotated[str, typer.Option("--reason", help="why, for everybody who looks at the batch later")]
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """Options that say which full batch it is, and of when."""

    version: Annotated[str, typer.Option("--version", help="of the full batch, where its source counts versions")] = ""
    time: Annotated[str, typer.Option("--time", help="of the full batch, like 2027-03-31T14:30:00+02:00")] = ""
    as_of: Annotated[str, typer.Option("--as-of", help="when the full batch was counted; else now")] = ""
    key: Annotated[str, typer.Option("--key", help="your own name for the full batch")] = ""

    def told(self) -> dict[str, str]:
        """As the system itself would tell it with its batch."""
        return {"version": self.version, "time": self.time, "as_of": self.as_of, "id": self.key}


@spread
def read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a CSV file with columns like sku,quantity,version")],
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="whose numbers these are")],
    full: Annotated[bool, typer.Option("--full", help="the file names all items, at one version or time")] = False,
    *,
    batch: Stamp,
    best_effort: Annotated[bool, typer.Option("--best-effort", help="leave out rows that cannot be used")] = False,
    dry_run: DryRun = False,
    call: Call,
) -> None:
    """Book the numbers of a file.

    The first row names the columns: sku, quantity, grade, bin, and for single items version or time, as_of and id.

    \b
    Example: holdfast mirror read stock.csv --source wms --full --version 4711 --dry-run
             holdfast mirror read changes.csv --source wms
    """
    from core.mirror import full as batches
    from core.mirror import telling
    from edge.mirror_file import read_file

    stamp = batch.told()
    if not full and any(stamp.values()):
        raise typer.BadParameter(
            "--version, --time, --as-of and --key are of a full batch; add --full, or name columns"
        )
    rows = read_file(file)
    with call.door(Right.STOCK_ADJUST) as entered:
        _require_place(entered, source, stamp if full else None, rows)
        db, actor = entered.app.db, str(entered.actor)
        if full:
            told = batches.tell(
                db, call.merchant, source, stamp, rows, actor=actor, best_effort=best_effort, dry_run=dry_run
            )
            _say_batch(entered, source, told, dry_run=dry_run, as_json=call.as_json)
        else:
            answers = telling.tell(
                db, call.merchant, source, rows, actor=actor, best_effort=best_effort, dry_run=dry_run
            )
            _say_answers(source, answers, dry_run=dry_run, as_json=call.as_json)


def _require_place(
    entered: Door, name: str, stamp: Mapping[str, str] | None, rows: Sequence[tuple[int, object]]
) -> None:
    """Raises: typer.BadParameter where nothing says what place in its sender's order a full batch, or any row, has."""
    from core.mirror import sources

    with entered.begin() as tx:
        source = sources.find(tx, name)
    order, like = ("time", "2027-03-31T14:30:00+02:00") if source.by_time else ("version", "4711")
    if stamp is None and rows and not any(isinstance(said, Mapping) and order in said for _, said in rows):
        raise typer.BadParameter(
            f"{source.name} is ordered by {order}, and the file has no column {order}; add one, or read it as a full "
            f"batch with --full --{order} {like}"
        )
    if stamp is not None and not stamp[order]:
        raise typer.BadParameter(
            f"{source.name} is ordered by {order}; say that of the batch, like --{order} {like}, higher with each"
        )


@spread
def review(batch: BatchId, *, call: Call) -> None:
    """Show what a full batch changes or would change, the largest change first.

    \b
    Example: holdfast mirror review 2049
    """
    from core.mirror import batches, sources, views
    from edge.mirror_told import row_as_json

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = batches.find(tx, batch)
        source = sources.by_id(tx, row.source_id)
        changes = [dataclasses.asdict(one) for one in views.changes(tx, row, None if call.as_json else _SHOWN)]
        tally = dataclasses.asdict(batches.tally(tx, row.id))
    if call.as_json:
        say_json({**row_as_json(source, row), **tally, "changes": changes})
        return
    say(f"Batch {row.id} of {source.name} is {row.state}" + (f": {row.why}." if row.why else "."))
    say(
        f"{counted(row.named, 'item')} named, {row.unnamed:,} not named and so 0; {row.same:,} as they were, "
        f"{tally['open']:,} to be booked, {tally['booked']:,} booked, {tally['late']:,} late, "
        f"{tally['refused']:,} refused; {tally['found']:,} units found, {tally['missing']:,} missing, "
        f"{tally['zeroed']:,} items empty."
    )
    _say_changes(changes)
    if row.state == "held":
        say(f"`holdfast mirror approve {row.id}` books it, `holdfast mirror reject {row.id} --reason ...` drops it.")


@spread
def approve(batch: BatchId, reason: Why = "", *, call: Call) -> None:
    """Book a full batch that waits, as the shelves stand now; what is newer by now stays.

    \b
    Example: holdfast mirror approve 2049 --reason "new season"
    """
    from core.mirror import full

    with call.door(Right.STOCK_CORRECT) as entered:
        done = full.approve(entered.app.db, call.merchant, batch, reason, actor=str(entered.actor))
        with entered.begin() as tx:
            entered.log(tx, "mirror.approve", f"mirror_batch:{batch}")
        _say_batch(entered, _name(entered, done), done, dry_run=False, as_json=call.as_json)


@spread
def reject(batch: BatchId, reason: Why, *, call: Call) -> None:
    """Never book a full batch that waits; its report is kept.

    \b
    Example: holdfast mirror reject 2049 --reason "half of the file was missing"
    """
    from core.mirror import full

    with call.door(Right.STOCK_CORRECT) as entered:
        row = full.reject(entered.app.db, call.merchant, batch, reason, actor=str(entered.actor))
        with entered.begin() as tx:
            entered.log(tx, "mirror.reject", f"mirror_batch:{batch}")
    if call.as_json:
        say_json({"batch": row.id, "state": row.state, "why": row.why})
    else:
        say(f"Batch {row.id} is rejected; nothing of it was booked.")


@spread
def resume(batch: BatchId, *, call: Call) -> None:
    """Book what is left of a full batch whose booking was cut short.

    \b
    Example: holdfast mirror resume 2049
    """
    from core.mirror import full

    with call.door(Right.STOCK_ADJUST) as entered:
        done = full.resume(entered.app.db, call.merchant, batch, actor=str(entered.actor))
        _say_batch(entered, _name(entered, done), done, dry_run=False, as_json=call.as_json)


def _name(entered: Door, batch: "Batch") -> str:
    from core.mirror import sources

    with entered.begin() as tx:
        return sources.by_id(tx, batch.row.source_id).name


def _say_answers(name: str, answers: "list[Answer]", *, dry_run: bool, as_json: bool) -> None:
    from edge.mirror_told import answers_as_json

    told = answers_as_json(name, answers, dry_run=dry_run)
    if as_json:
        say_json(told)
    else:
        new = Counter(answer.outcome.value for answer in answers if not answer.repeated)
        say(
            f"{'Only tried out: ' if dry_run else ''}{counted(len(answers), 'message')} of {name}: {new['booked']:,} "
            f"booked, {new['same']:,} as it was, {new['late']:,} late, {new['refused']:,} refused."
        )
        if told["repeated"]:
            say(f"{counted(told['repeated'], 'message')} of these came before; nothing was booked again.")
        wrong = [[answer.row, answer.sku, answer.why] for answer in answers if answer.why]
        if wrong:
            say_table([">row", "SKU", "refused because"], wrong[:_SHOWN])
        _say_waits(sum(answer.waits for answer in answers), dry_run=dry_run)
    if told["refused"]:
        raise typer.Exit(1)


def _say_batch(entered: Door, name: str, batch: "Batch", *, dry_run: bool, as_json: bool) -> None:
    from core.mirror import sources
    from edge.mirror_told import batch_as_json

    with entered.begin() as tx:
        told = batch_as_json(sources.find(tx, name), batch, dry_run=dry_run)
        changes = _changes(entered, batch) if dry_run else []
    if as_json:
        say_json({**told, "changes": changes} if dry_run else told)
        return
    if batch.repeated and not dry_run:
        say(f"That is batch {batch.row.id}, which is {batch.row.state}; `holdfast mirror review {batch.row.id}`.")
    elif (found := batch.difference) is not None:
        tried, change = ("Only tried out: ", "change") if dry_run else ("", "changed")
        say(
            f"{tried}{counted(found.named, 'item')} of {name}, and {found.unnamed:,} not named: {found.changed:,} "
            f"{'change' if batch.row.state == 'held' else change} ({found.found:,} units found, {found.missing:,} "
            f"missing, {found.zeroed:,} items empty), {found.same:,} as they were, {found.late:,} late."
        )
    _say_changes(changes[:_SHOWN])
    if batch.left_out:
        say_table([">row", "SKU", "left out because"], [list(one) for one in batch.left_out[:_SHOWN]])
    if batch.row.state == "held":
        wait = (
            "It would wait for a person"
            if dry_run
            else f"Nothing is booked yet; batch {batch.row.id} waits for a person"
        )
        cure = "" if dry_run else f" `holdfast mirror review {batch.row.id}` shows it, `mirror approve` books it."
        say(f"{wait}: {batch.row.why}.{cure}")
    _say_waits(batch.waits, dry_run=dry_run)


def _changes(entered: Door, batch: "Batch") -> list[dict[str, Any]]:
    """What a batch that is only tried out would change, the largest change first."""
    from core.access.actors import names_of

    changed = [one for one in batch.looked if one.outcome == "open"]
    changed.sort(key=lambda one: (-abs(one.change), one.cell))
    with entered.begin() as tx:
        names = names_of(tx, {f"item:{one.cell.item_id}" for one in changed})
    return [
        {"sku": names[f"item:{one.cell.item_id}"], "grade": one.cell.grade, "units": one.units, "shelf": one.shelf,
         "change": one.change, "named": one.named}
        for one in changed
    ]  # fmt: skip


def _say_changes(changes: list[dict[str, Any]]) -> None:
    if changes:
        rows = [
            [one["sku"], one["grade"], one["shelf"], one["units"], f"{one['change']:+}", _mark(one)] for one in changes
        ]
        say_table(["SKU", "grade", ">on the shelf", ">counted", ">change", ""], rows)


def _mark(one: dict[str, Any]) -> str:
    """What became of an item where something did, and whether the batch names it."""
    became = "" if one.get("outcome", "open") == "open" else one["outcome"]
    return ", ".join(filter(None, [became, "" if one["named"] else "not named"]))


def _say_waits(units: int, *, dry_run: bool) -> None:
    if units:
        promised = counted(units, "promised unit")
        say(
            f"{promised} {'would be' if dry_run else 'are'} missing now; "
            "`holdfast stock receive` fills the oldest gap first."
        )

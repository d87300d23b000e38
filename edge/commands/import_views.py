"""``holdfast import list``, ``show`` and ``undo``: files that were read, what they did, and the way back."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.acting import DryRun, Reason
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.files.recorded import ImportRow

Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="the import, as `import list` numbers it")]
_SHOWN = 20
# What taking back a file of this kind needs, as the ordinary commands do.
_RIGHTS = {
    "items": Right.RULE_CHANGE, "bundles": Right.RULE_CHANGE, "suppliers": Right.PURCHASE_CHANGE,
    "supplier-items": Right.PURCHASE_CHANGE, "stock": Right.STOCK_CORRECT, "purchases": Right.PURCHASE_CHANGE,
    "receipts": Right.STOCK_CORRECT, "transfers": Right.STOCK_MOVE, "locks": Right.LOCK_CHANGE,
}  # fmt: skip


@spread
def list_imports(
    *,
    last: Annotated[int, typer.Option("--limit", min=1, max=1000, help="how many at most")] = 20,
    call: Call,
) -> None:
    """List the files that were read, the newest first.

    \b
    Example: holdfast import list
    """
    from core.files import recorded

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        rows = recorded.newest(tx, last)
        tallies = recorded.tallies(tx, [row.id for row in rows])
        told = [_told(row, tallies[row.id]) for row in rows]
    if call.as_json:
        say_json(told)
    elif told:
        columns = [">import", "kind", "file", "state", ">made", ">changed", ">left alone", ">refused", "by"]
        names = ("import", "kind", "file", "state", "made", "changed", "same", "refused", "by")
        say_table(columns, [[one[name] for name in names] for one in told])
    else:
        say("No file was read. `holdfast import stock FILE --dry-run` tries one out.")


@spread
def show(
    *,
    import_id: Id,
    after: Annotated[int, typer.Option("--after", metavar="ROW", min=0, help="go on behind this row")] = 0,
    last: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="how many rows at most")] = _SHOWN,
    call: Call,
) -> None:
    """Show what a file did, row by row.

    Rows that found things as they say are left out.

    \b
    Example: holdfast import show 2049
             holdfast import show 2049 --after 180 --limit 100
    """
    from core.files import recorded

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        row = recorded.find(tx, import_id)
        told = _told(row, recorded.tally(tx, row.id))
        effects = recorded.effects(tx, row.id, after=after, limit=last)
    if call.as_json:
        rows = [{**one._asdict(), "was": json.loads(one.was) if one.was else None} for one in effects]
        say_json({**told, "effects": rows})
        return
    say(
        f"Import {row.id}: {row.kind} from {row.name}, {row.state}; {told['made']:,} made, {told['changed']:,} "
        f"changed, {told['refused']:,} refused, {told['undone']:,} taken back."
    )
    lines = [
        [one.row_no, "taken back" if one.undone_at else one.outcome, one.subject, one.told, one.document_id,
         one.kept_because]
        for one in effects
    ]  # fmt: skip
    say_table([">row", "", "what", "change", ">document", "stays because"], lines)
    if len(effects) == last:
        say(f"There may be more: `holdfast import show {row.id} --after {effects[-1].row_no}`.")


def _told(row: "ImportRow", tally: dict[str, int]) -> dict[str, Any]:
    done = tally["made"] + tally["changed"] + tally["refused"]
    return {
        "import": row.id, "kind": row.kind, "file": row.name, "state": row.state, **tally,
        "same": max(row.units - done, 0), "begun_at": row.begun_at, "by": row.begun_by, "undone_at": row.undone_at,
        "undone_by": row.undone_by or None,
    }  # fmt: skip


@spread
def undo(
    *,
    import_id: Id,
    reason: Reason,
    force: Annotated[
        bool, typer.Option("--force", help="also where those who have the units by now lose them again")
    ] = False,
    dry_run: DryRun = False,
    call: Call,
) -> None:
    """Take back what a file did, its last row first.

    Units that were booked are booked back as long as nobody has them by now. What cannot be taken back stays, and is
    named with the cause.

    \b
    Example: holdfast import undo 2049 --reason "the file of last year" --dry-run
    """
    from core.errors import Refused
    from core.files import recorded, undoing
    from core.files.kinds import kind_named
    from edge.commands.import_parts import desk_of

    if not reason.strip():
        raise Refused("say why: a change without a reason helps nobody later")
    with call.door(Right.STOCK_VIEW) as entered:
        with entered.begin() as tx:
            row = recorded.find(tx, import_id)
        entered.actor.require(_RIGHTS[row.kind])
        told = undoing.undo(kind_named(row.kind), desk_of(entered, {"forces": force}), row, reason, dry_run=dry_run)
        if not dry_run:
            with entered.begin() as tx:
                entered.log(
                    tx, "import.undo", f"import:{row.id}", undone=told.undone, kept=told.kept, force=force
                )  # fmt: skip
    if call.as_json:
        stays = [{"row": one.row_no, "what": one.subject, "because": why} for one, why in told.stays]
        say_json({"import": row.id, "dry_run": dry_run, "undone": told.undone, "kept": told.kept, "stays": stays})
    else:
        if told.stays:
            rows = [[one.row_no, one.subject, why] for one, why in told.stays[:_SHOWN]]
            say_table([">row", "what", "would stay because" if dry_run else "stays because"], rows)
        verb = "would be taken back" if dry_run else "taken back"
        say(f"{counted(told.undone, 'entry', 'entries')} {verb}, {told.kept:,} {'would stay' if dry_run else 'stay'}.")
    if told.kept:
        raise typer.Exit(1)

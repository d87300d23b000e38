"""What a file did is taken back, its last row first: each by the ordinary way of its kind, or it says why it stays."""

from dataclasses import dataclass, field, replace

from core.errors import Refused
from core.files import recorded
from core.files.desk import Desk, Kind
from core.files.recorded import BEGUN, UNDONE, Effect, ImportRow

MOST_TOLD = 1_000


@dataclass(slots=True)
class TakenBack:
    """``kept``: effects that stay, the first of them in ``stays`` with why."""

    undone: int = 0
    kept: int = 0
    stays: list[tuple[Effect, str]] = field(default_factory=list)


def take_back(kind: Kind, desk: Desk, import_id: int, reason: str) -> TakenBack:
    """Take back all that still stands, or find out what would come of it. Whoever asks holds the import."""
    told, before = TakenBack(), 2**62
    while True:
        with desk.begin() as tx:
            rows = recorded.to_take_back(tx, import_id, before=before)
        if not rows:
            return told
        before = rows[-1].row_no
        kept = kind.take_back(desk, rows, reason)
        for row, why in zip(rows, kept, strict=True):
            told.undone += not why
            told.kept += bool(why)
            if why and len(told.stays) < MOST_TOLD:
                told.stays.append((row, why))
        if not desk.tries:
            with desk.begin() as tx:
                recorded.note_taken_back(tx, import_id, [row.row_no for row in rows], kept)


def undo(kind: Kind, desk: Desk, row: ImportRow, reason: str, *, dry_run: bool) -> TakenBack:
    """Take an import back, as far as it goes; what stays can be tried again later.

    Raises: Refused for one that was taken back, was torn off, or that somebody works on.
    """
    with desk.db.begin(desk.merchant_id, actor=desk.actor) as tx:
        now = recorded.hold(tx, row.id)
        if now.state == UNDONE:
            raise Refused(f"import {row.id} was taken back before")
        if now.state == BEGUN:  # what was done last may not have been noted
            raise Refused(f"the reading of import {row.id} was torn off; read {row.name} again, then take it back")
        told = take_back(kind, replace(desk, import_id=None if dry_run else row.id), row.id, reason)
        if dry_run:
            tx.connection.rollback()
        elif not told.kept:
            recorded.end_undone(tx, row.id, desk.db.clock())
        return told

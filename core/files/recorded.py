"""Files that were read in, and what their rows did: kept, so that a file is read once and can be taken back."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.exc import OperationalError

from core import bulk, tables
from core.errors import NotFound, Refused
from core.files.units import REFUSED, SAME, Outcome
from core.transaction import Transaction

BEGUN, DONE, UNDONE = "begun", "done", "undone"
_PAGE = 500
_LOCK_NOT_AVAILABLE = "55P03"


class ImportRow(NamedTuple):
    """``units``: rows, or papers of several rows, that were read. ``nth``: how often, counting this time."""

    id: int
    kind: str
    name: str
    content_hash: bytes
    nth: int
    state: str
    units: int
    begun_at: datetime
    begun_by: str
    ended_at: datetime | None = None
    undone_at: datetime | None = None
    undone_by: str = ""


class Effect(NamedTuple):
    """What a unit of rows did, beginning with ``row_no``; ``was`` as JSON, see ``core.files.units.Outcome.before``."""

    row_no: int
    rows: int
    outcome: str
    subject: str
    told: str
    document_id: int | None
    was: str | None
    undone_at: datetime | None = None
    kept_because: str = ""

    @property
    def before(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.was or "{}")
        return found


_IMPORT, _EFFECT = ", ".join(ImportRow._fields), ", ".join(Effect._fields)


def earlier(tx: Transaction, content_hash: bytes) -> ImportRow | None:
    """The last time that this was read."""
    row = tx.run(
        f"""SELECT {_IMPORT} FROM import WHERE merchant_id = :merchant_id AND content_hash = :hash
            ORDER BY nth DESC LIMIT 1""",
        hash=content_hash,
    ).one_or_none()
    return None if row is None else ImportRow(*row)


def begin(tx: Transaction, kind: str, name: str, content_hash: bytes, nth: int) -> ImportRow | None:
    """A file begins to be read for the nth time; None when somebody else began that first."""
    row = ImportRow(tx.new_id(), kind, name, content_hash, nth, BEGUN, 0, tx.now, tx.actor)
    made = tx.run(
        f"""INSERT INTO import (merchant_id, {_IMPORT})
            VALUES (:merchant_id, {", ".join(f":{field}" for field in ImportRow._fields)})
            ON CONFLICT (merchant_id, content_hash, nth) DO NOTHING""",
        **row._asdict(),
    )
    return row if made.rowcount else None


def find(tx: Transaction, import_id: int) -> ImportRow:
    """Raises: NotFound."""
    row = tx.run(
        f"SELECT {_IMPORT} FROM import WHERE merchant_id = :merchant_id AND id = :id", id=import_id
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no import {import_id}; `holdfast import list` shows those there are")
    return ImportRow(*row)


def newest(tx: Transaction, limit: int) -> list[ImportRow]:
    rows = tx.run(
        f"""SELECT {_IMPORT} FROM import WHERE merchant_id = :merchant_id
            ORDER BY begun_at DESC, id DESC LIMIT :limit""",
        limit=limit,
    )
    return [ImportRow(*row) for row in rows]


def hold(tx: Transaction, import_id: int) -> ImportRow:
    """Nobody else works on this import until our transaction ends. Raises: Refused where somebody does; NotFound."""
    try:
        tx.run(
            "SELECT id FROM import WHERE merchant_id = :merchant_id AND id = :id FOR NO KEY UPDATE NOWAIT", id=import_id
        )
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise Refused(f"import {import_id} is being worked on by somebody else now; look at it again later") from error
    return find(tx, import_id)


def end(tx: Transaction, import_id: int, units: int, at: datetime) -> None:
    """``at``: not when our transaction began, which was before the first row."""
    tx.run(
        """UPDATE import SET state = 'done', ended_at = :at, units = :units
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=import_id, units=units, at=at,
    )  # fmt: skip


def end_undone(tx: Transaction, import_id: int, at: datetime) -> None:
    tx.run(
        """UPDATE import SET state = 'undone', ended_at = coalesce(ended_at, :at), undone_at = :at, undone_by = :actor
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=import_id, actor=tx.actor, at=at,
    )  # fmt: skip


def note(tx: Transaction, import_id: int, outcomes: Iterable[Outcome]) -> None:
    """Of an import that is gone on with, a row that was refused before may have done something now."""
    rows = [
        (
            import_id, one.row, one.rows, one.what, one.subject,
            one.told or "; ".join(f"{p.column}: {p.cure}" if p.column else p.cure for p in one.problems),
            one.document_id, None if one.before is None else json.dumps(one.before), None, "",
        )
        for one in outcomes
        if one.what != SAME
    ]  # fmt: skip
    names = ("import_id", *Effect._fields)
    done = [row for row in rows if row[3] != REFUSED]
    refusals = [row for row in rows if row[3] == REFUSED]
    bulk.insert_missing(tx, tables.import_row, names, refusals, names[:2])
    bulk.put(tx, tables.import_row, names, done, names[:2])


def effects(tx: Transaction, import_id: int, *, after: int = 0, limit: int = _PAGE) -> list[Effect]:
    """Rows that did something or were refused, in the order of the file."""
    rows = tx.run(
        f"""SELECT {_EFFECT} FROM import_row WHERE merchant_id = :merchant_id AND import_id = :id AND row_no > :after
            ORDER BY row_no LIMIT :limit""",
        id=import_id, after=after, limit=limit,
    )  # fmt: skip
    return [Effect(*row) for row in rows]


def to_take_back(tx: Transaction, import_id: int, *, before: int, limit: int = _PAGE) -> list[Effect]:
    """Rows whose effects stand, the last of the file first."""
    rows = tx.run(
        f"""SELECT {_EFFECT} FROM import_row WHERE merchant_id = :merchant_id AND import_id = :id AND row_no < :before
              AND outcome <> 'refused' AND undone_at IS NULL ORDER BY row_no DESC LIMIT :limit""",
        id=import_id, before=before, limit=limit,
    )  # fmt: skip
    return [Effect(*row) for row in rows]


def note_taken_back(tx: Transaction, import_id: int, rows: Sequence[int], kept: Sequence[str]) -> None:
    """``kept``: why a row's effect stays; empty where it was taken back."""
    tx.run(
        """UPDATE import_row r SET kept_because = k.why, undone_at = CASE WHEN k.why = '' THEN :now END
           FROM unnest(CAST(:rows AS bigint[]), CAST(:kept AS text[])) k (row_no, why)
           WHERE r.merchant_id = :merchant_id AND r.import_id = :id AND r.row_no = k.row_no""",
        id=import_id, rows=list(rows), kept=list(kept),
    )  # fmt: skip


def tally(tx: Transaction, import_id: int) -> dict[str, int]:
    """How many units made, changed, were refused, and were taken back."""
    return tallies(tx, [import_id])[import_id]


def tallies(tx: Transaction, import_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """The same of several imports."""
    rows = tx.run(
        """SELECT k.id, t.* FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome = 'made') AS made,
                   count(*) FILTER (WHERE outcome = 'changed') AS changed,
                   count(*) FILTER (WHERE outcome = 'refused') AS refused, count(undone_at) AS undone
               FROM import_row WHERE merchant_id = :merchant_id AND import_id = k.id) t""",
        ids=sorted(import_ids),
    )
    names = ("made", "changed", "refused", "undone")
    return {import_id: dict(zip(names, told, strict=True)) for import_id, *told in rows}

"""The log of acts: what people and programs had the hub do, and when; never changed.

What moves units is a document, too, which names its actor by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.access.actors import Actor, names_of
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ActView:
    """One act; ``who`` and ``what`` are for people, ``actor`` and ``subject`` as they are kept."""

    id: int
    at: datetime
    actor: str
    who: str
    act: str
    subject: str
    what: str
    detail: Mapping[str, object]


def note(tx: Transaction, actor: Actor, act: str, subject: str, **detail: object) -> None:
    """Write down an act in the transaction that does it.

    ``act`` is two words like ``user.add``, ``subject`` what it was done to, like ``user:2049`` or ``store:Berlin``.
    Neither these nor ``detail`` (JSON values) hold a secret or anything personal: the log is kept for ever.
    """
    note_all(tx, actor, act, {subject: detail})


def note_all(tx: Transaction, actor: Actor, act: str, done: Mapping[str, Mapping[str, object]]) -> None:
    """Write down that the same was done to many subjects; see ``note``. Args: done: detail by subject."""
    if done:
        tx.run(
            """INSERT INTO act_log (merchant_id, id, at, actor, act, subject, detail)
               SELECT :merchant_id, k.id, :now, :actor, :act, k.subject, k.detail FROM unnest(CAST(:ids AS bigint[]),
                   CAST(:subjects AS text[]), CAST(:details AS jsonb[])) k (id, subject, detail)""",
            ids=tx.new_ids(len(done)), actor=str(actor), act=act, subjects=list(done),
            details=[json.dumps(detail) for detail in done.values()],
        )  # fmt: skip


def newest(tx: Transaction, limit: int, *, actor: str = "", subject: str = "") -> list[ActView]:
    """The newest ``limit`` acts, newest first: all, or those of one actor, or on one subject (as they are kept)."""
    where = "".join(f" AND {name} = :{name}" for name, value in (("actor", actor), ("subject", subject)) if value)
    rows = tx.run(
        f"""SELECT id, at, actor, act, subject, detail FROM act_log WHERE merchant_id = :merchant_id{where}
            ORDER BY at DESC, id DESC LIMIT :limit""",
        limit=limit, **{name: value for name, value in (("actor", actor), ("subject", subject)) if value},
    ).all()  # fmt: skip
    names = names_of(tx, [ref for row in rows for ref in (row.actor, row.subject)])
    return [
        ActView(**row._mapping, who=names.get(row.actor, row.actor), what=names.get(row.subject, row.subject))
        for row in rows
    ]

"""Which alerts go into the next mail. A merchant gets one a minute at most; what comes meanwhile shares the next.

The caller holds the lease of the merchant's "mail" work, so nobody else picks or sends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.alerts.kinds import ALWAYS_NOTED, AlertKind
from core.transaction import Transaction

SPACING = timedelta(seconds=60)
_MOST_TOLD = 40


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert in a mail. ``again``: it was mailed before, then snoozed, and is still so."""

    id: int
    kind: str
    facts: Mapping[str, object]
    opened_at: datetime
    closed_at: datetime | None
    again: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to be sent. Its ``id`` and its alerts stay the same when it has to be sent again.

    ``notices``  the most urgent of its alerts, most urgent first.
    ``left_out`` alerts that it stands for without naming them, by kind.
    """

    id: int
    merchant: str
    zone: ZoneInfo
    receiver: str
    notices: Sequence[Notice]
    left_out: Mapping[str, int]


def pick(tx: Transaction) -> Letter | None:
    """The next mail that may go out now; None when there is none yet."""
    merchant = tx.run("SELECT name, time_zone, alert_email FROM merchant WHERE id = :merchant_id").one()
    _drop_unwanted(tx, nobody=not merchant.alert_email)
    letter_id = _begun(tx) or _begin(tx)
    return None if letter_id is None else _letter(tx, letter_id, merchant)


def sent(tx: Transaction, letter: Letter) -> None:
    """The mail is with the server. Alerts that were snoozed meanwhile still owe one."""
    tx.run(
        """UPDATE alert_mail SET sent_at = :now, due_at = NULL
           WHERE merchant_id = :merchant_id AND due_at IS NOT NULL AND mail_id = :id""",
        id=letter.id,
    )


def next_due(tx: Transaction) -> datetime | None:
    """When another mail may go out, in the past or to come; None when none is owed."""
    due: datetime | None = tx.run(
        "SELECT min(due_at) FROM alert_mail WHERE merchant_id = :merchant_id AND due_at IS NOT NULL"
    ).scalar_one()
    free = _free_at(tx)
    return max(due, free) if due is not None and free is not None else due


def _free_at(tx: Transaction) -> datetime | None:
    """Until when the last mail keeps the next one back."""
    last: datetime | None = tx.run(
        "SELECT max(sent_at) FROM alert_mail WHERE merchant_id = :merchant_id AND sent_at IS NOT NULL"
    ).scalar_one()
    return None if last is None else last + SPACING


def _drop_unwanted(tx: Transaction, *, nobody: bool) -> None:
    """Nothing is owed to nobody, of what ended while it was snoozed, and of what no mail is wanted of."""
    tx.run(
        """UPDATE alert_mail SET due_at = NULL WHERE merchant_id = :merchant_id AND alert_id = ANY(ARRAY(
               SELECT m.alert_id FROM alert_mail m CROSS JOIN LATERAL (
                   SELECT * FROM alert WHERE merchant_id = :merchant_id AND id = m.alert_id OFFSET 0) a
               WHERE m.merchant_id = :merchant_id AND m.due_at <= :now
                 AND (:nobody OR m.snoozed_until IS NOT NULL AND a.closed_at IS NOT NULL
                     OR a.kind = ANY(CAST(:kinds AS text[])) AND EXISTS (SELECT FROM alert_rule
                         WHERE merchant_id = :merchant_id AND item_id IN (0, a.item_id) AND kind = a.kind))))""",
        nobody=nobody,
        kinds=sorted(ALWAYS_NOTED),
    )


def _begun(tx: Transaction) -> int | None:
    """A mail that was picked and, as far as we know, not sent."""
    letter_id: int | None = tx.run(
        """SELECT mail_id FROM alert_mail WHERE merchant_id = :merchant_id AND due_at IS NOT NULL
             AND mail_id IS NOT NULL LIMIT 1"""
    ).scalar_one_or_none()
    return letter_id


def _begin(tx: Transaction) -> int | None:
    free = _free_at(tx)
    if free is not None and free > tx.now:
        return None
    letter_id = tx.new_id()
    picked = tx.run(
        "UPDATE alert_mail SET mail_id = :letter_id WHERE merchant_id = :merchant_id AND due_at <= :now",
        letter_id=letter_id,
    ).rowcount
    return letter_id if picked else None


_OF_LETTER = """
    FROM alert_mail m CROSS JOIN LATERAL (
        SELECT * FROM alert WHERE merchant_id = :merchant_id AND id = m.alert_id OFFSET 0) a
    WHERE m.merchant_id = :merchant_id AND m.due_at IS NOT NULL AND m.mail_id = :letter_id
"""


def _letter(tx: Transaction, letter_id: int, merchant: Any) -> Letter:
    rows = tx.run(
        f"""SELECT a.id, a.kind, a.facts, a.opened_at, a.closed_at, m.sent_at IS NOT NULL AS again {_OF_LETTER}
            ORDER BY array_position(CAST(:urgency AS text[]), a.kind), a.opened_at, a.id LIMIT :most""",
        letter_id=letter_id,
        urgency=list(AlertKind),
        most=_MOST_TOLD,
    ).all()
    all_ = tx.run(f"SELECT a.kind, count(*) AS n {_OF_LETTER} GROUP BY a.kind", letter_id=letter_id)
    left_out = Counter({row.kind: row.n for row in all_}) - Counter(row.kind for row in rows)
    return Letter(
        letter_id,
        merchant.name,
        ZoneInfo(merchant.time_zone),
        merchant.alert_email,
        [Notice(**row._mapping) for row in rows],
        {kind: left_out[kind] for kind in AlertKind if left_out[kind]},
    )

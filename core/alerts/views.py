"""Alerts as people and programs look at them; and what a rule would open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.alerts.kinds import AlertKind
from core.alerts.words import headline, headline_later
from core.transaction import Transaction
from core.zones import zone_of


@dataclass(frozen=True, slots=True)
class AlertView:
    """``headline`` says it in one line. ``facts``: what was so when it was opened, ``ended``: when it ended.

    ``snoozed_until`` None: it is not snoozed now. ``mail_due_at``: since when, or from when on, a mail is owed.
    """

    id: int
    kind: AlertKind
    subject: str
    headline: str
    facts: Mapping[str, object]
    opened_at: datetime
    closed_at: datetime | None
    ended: Mapping[str, object] | None
    snoozed_until: datetime | None
    mail_due_at: datetime | None
    mailed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


def newest(
    tx: Transaction,
    limit: int,
    *,
    open_only: bool,
    kind: AlertKind | None = None,
    item_id: int | None = None,
    since: datetime | None = None,
) -> Sequence[AlertView]:
    """The newest ``limit`` alerts, newest first: those that are open or all, of one kind, on one item, since then."""
    asked = {"kind": kind, "item_id": item_id}
    where = "".join(f" AND {name} = :{name}" for name, value in asked.items() if value is not None)
    where += " AND closed_at IS NULL" if open_only else ""
    where += " AND opened_at >= :since" if since is not None else ""
    rows = tx.run(
        f"""SELECT a.id, a.kind, a.subject, a.facts, a.opened_at, a.closed_at, a.ended, m.due_at AS mail_due_at,
               CASE WHEN m.snoozed_until > :now AND a.closed_at IS NULL THEN m.snoozed_until END AS snoozed_until,
               m.sent_at AS mailed_at
            FROM (SELECT * FROM alert WHERE merchant_id = :merchant_id{where}
                ORDER BY opened_at DESC, id DESC LIMIT :limit) a
            LEFT JOIN LATERAL (SELECT * FROM alert_mail WHERE merchant_id = :merchant_id AND alert_id = a.id) m ON true
            ORDER BY a.opened_at DESC, a.id DESC""",
        limit=limit,
        since=since,
        **{name: value for name, value in asked.items() if value is not None},
    )
    zone = zone_of(tx)
    return [_view(row, zone, tx.now) for row in rows]


def _view(row: Any, zone: ZoneInfo, now: datetime) -> AlertView:
    say = headline if row.opened_at == now else headline_later
    said = say(row.kind, row.facts, zone)
    return AlertView(**{**row._mapping, "kind": AlertKind(row.kind), "headline": said})

"""Warnings as facts: opened once, mailed once, ended when their reason is over; and the incidents they tell of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from core import bulk, tables, work
from core.alerts.incidents import Cause, causes_of
from core.alerts.kinds import EVENTS, AlertKind, Crossing
from core.errors import NotFound, Refused
from core.rows import IncidentRow
from core.stock import GOOD
from core.transaction import Transaction


class NewAlert(NamedTuple):
    """Something to warn of. While an alert of the same kind and subject is open, it is not opened again.

    ``facts``: JSON values for people and programs, see ``core.alerts.words``; nothing personal. What the item, the
    store and the warehouse are called is added to them when the alert is opened.
    """

    kind: AlertKind
    subject: str
    facts: Mapping[str, object]
    item_id: int | None = None
    store_id: int | None = None
    warehouse_id: int | None = None


class Ending(NamedTuple):
    """What was warned of is over; ``facts``: what was so then."""

    kind: AlertKind
    subject: str
    facts: Mapping[str, object]


def open_alerts(tx: Transaction, news: Iterable[NewAlert]) -> None:
    """Open these alerts and ask for a mail. Who commits second of two that open the same opens nothing."""
    rows = sorted(news, key=lambda one: (one.kind, one.subject))
    if not rows:
        return
    tx.run(
        """WITH opened AS (
           INSERT INTO alert (merchant_id, id, kind, subject, item_id, store_id, warehouse_id, facts, opened_at,
               closed_at)
           SELECT :merchant_id, k.id, k.kind, k.subject, k.item_id, k.store_id, k.warehouse_id,
               CAST(k.facts AS jsonb) || coalesce((SELECT jsonb_build_object('sku', sku, 'title', title)
                       FROM item WHERE merchant_id = :merchant_id AND id = k.item_id), '{}')
                   || coalesce((SELECT jsonb_build_object('store', name)
                       FROM store WHERE merchant_id = :merchant_id AND id = k.store_id), '{}')
                   || coalesce((SELECT jsonb_build_object('warehouse', code)
                       FROM warehouse WHERE merchant_id = :merchant_id AND id = k.warehouse_id), '{}'),
               :now, CASE WHEN k.kind = ANY(CAST(:events AS text[])) THEN CAST(:now AS timestamptz) END
           FROM unnest(CAST(:ids AS bigint[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]),
               CAST(:items AS bigint[]), CAST(:stores AS bigint[]), CAST(:warehouses AS bigint[]),
               CAST(:facts AS text[])) WITH ORDINALITY
               k (id, kind, subject, item_id, store_id, warehouse_id, facts, nth) ORDER BY k.nth
           ON CONFLICT (merchant_id, kind, subject) WHERE closed_at IS NULL DO NOTHING RETURNING id)
           INSERT INTO alert_mail (merchant_id, alert_id, due_at) SELECT :merchant_id, id, :now FROM opened""",
        ids=[tx.new_id() for _ in rows],
        kinds=[row.kind for row in rows],
        subjects=[row.subject for row in rows],
        items=[row.item_id for row in rows],
        stores=[row.store_id for row in rows],
        warehouses=[row.warehouse_id for row in rows],
        facts=[json.dumps(row.facts) for row in rows],
        events=sorted(EVENTS),
    )
    want_mail(tx)


def end_alerts(tx: Transaction, endings: Iterable[Ending]) -> None:
    """Close the open alerts of these kinds and subjects."""
    rows = sorted({one[:2]: one for one in endings}.values(), key=lambda one: one[:2])
    if rows:
        tx.run(
            # Put back by key: an UPDATE that joins the rows may read all open alerts for a few of them.
            """INSERT INTO alert (merchant_id, id, kind, subject, facts, opened_at, closed_at, ended)
               SELECT :merchant_id, a.id, a.kind, a.subject, a.facts, a.opened_at, :now, CAST(k.facts AS jsonb)
               FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:facts AS text[]))
                   k (kind, subject, facts)
               CROSS JOIN LATERAL (SELECT * FROM alert WHERE merchant_id = :merchant_id AND kind = k.kind
                   AND subject = k.subject AND closed_at IS NULL FOR NO KEY UPDATE) a
               ON CONFLICT (merchant_id, id) DO UPDATE SET closed_at = EXCLUDED.closed_at, ended = EXCLUDED.ended""",
            kinds=[row.kind for row in rows],
            subjects=[row.subject for row in rows],
            facts=[json.dumps(row.facts) for row in rows],
        )


def note_crossings(tx: Transaction, crossings: Iterable[Crossing]) -> None:
    """Open and end the alerts that these numbers ask for."""
    opened, ended = [], []
    for spot, is_low, units, level in crossings:
        (item_id, grade), warehouse_id = spot
        facts: dict[str, object] = {"free": units} if level is None else {"free": units, "threshold": level}
        if is_low:
            if grade != GOOD:
                facts["grade"] = grade
            opened.append(
                NewAlert(AlertKind.LOW_STOCK, spot.subject, facts, item_id, warehouse_id=warehouse_id or None)
            )
        else:
            ended.append(Ending(AlertKind.LOW_STOCK, spot.subject, facts))
    open_alerts(tx, opened)
    end_alerts(tx, ended)


def want_mail(tx: Transaction, at: datetime | None = None) -> None:
    """Have what is owed mailed, now or at an instant. One row for all alerts: who holds it is the only one to mail."""
    work.want(tx, [work.Want("mail", 0, "", at)])


def snooze(tx: Transaction, alert_id: int, until: datetime | None) -> None:
    """Mail nothing of an open alert before ``until``; if it is open then, it is mailed again. None: from now on again.

    Raises: NotFound; Refused for an alert that has ended, and for an instant that has passed.
    """
    if until is not None and until <= tx.now:
        raise Refused("a snooze ends later than now; name an instant to come")
    row = tx.run(
        """SELECT a.closed_at, m.snoozed_until FROM alert a
           JOIN alert_mail m ON m.merchant_id = a.merchant_id AND m.alert_id = a.id
           WHERE a.merchant_id = :merchant_id AND a.id = :id FOR NO KEY UPDATE OF m""",
        id=alert_id,
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}; `holdfast alert list --all` shows them")
    if row.closed_at is not None:
        raise Refused(f"alert {alert_id} has ended; there is nothing to snooze")
    if until is None and (row.snoozed_until is None or row.snoozed_until <= tx.now):
        raise Refused(f"alert {alert_id} is not snoozed")
    tx.run(
        """UPDATE alert_mail SET snoozed_until = :until, due_at = coalesce(CAST(:until AS timestamptz), :now),
               mail_id = NULL
           WHERE merchant_id = :merchant_id AND alert_id = :id""",
        id=alert_id,
        until=until,
    )
    want_mail(tx, until)


# ---- incidents


_INCIDENT_COLUMNS = (
    "id", "kind", "store_id", "order_id", "order_line_id", "item_id", "quantity", "cause", "timeline", "opened_at",
)  # fmt: skip


def open_incidents(tx: Transaction, incidents: Sequence[IncidentRow]) -> None:
    """Record oversold units with their cause, once per batch that found them short, and warn of each."""
    if not incidents:
        return
    causes = causes_of(tx, incidents)
    bulk.insert(
        tx,
        tables.incident,
        _INCIDENT_COLUMNS,
        [
            (i.id, i.kind, why.store_id, i.order_id, i.order_line_id, i.item_id, i.quantity, *why[:2], tx.now)
            for i in incidents
            for why in [causes[i.id]]
        ],
    )
    open_alerts(tx, [_oversell(one, causes[one.id]) for one in incidents])


def _oversell(incident: IncidentRow, why: Cause) -> NewAlert:
    facts = {
        "units": incident.quantity,
        "order": why.order,
        "cause": why.cause,
        "timeline": json.loads(why.timeline),
    }
    return NewAlert(AlertKind.OVERSELL, str(incident.id), facts, incident.item_id, why.store_id)


def close_incidents(tx: Transaction, order_line_ids: Sequence[int]) -> None:
    """The promises behind these lines wait no longer (filled or released): their incidents end."""
    if not order_line_ids:
        return
    closed = tx.run(
        """UPDATE incident SET closed_at = :now WHERE merchant_id = :merchant_id AND closed_at IS NULL
             AND id = ANY(ARRAY(SELECT i.id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
                 SELECT id FROM incident WHERE merchant_id = :merchant_id AND order_line_id = k.id
                   AND closed_at IS NULL OFFSET 0) i))
           RETURNING id""",
        ids=sorted(set(order_line_ids)),
    ).scalars()
    end_alerts(tx, [Ending(AlertKind.OVERSELL, str(incident_id), {}) for incident_id in closed])

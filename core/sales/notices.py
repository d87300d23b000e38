"""Who wants to be told when customers have to wait, is told: the backorder policy ``notify``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.alerts.kinds import AlertKind
from core.alerts.lifecycle import Ending, NewAlert, end_alerts, open_alerts
from core.stock import GOOD, Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Demand:
    """What waits for an item: ``units`` (>= 1) of ``waiters`` orders and holds, the oldest ``since``."""

    units: int
    waiters: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """An open alert: ``filled`` units have been told of since it was opened, ``now_filled`` were filled since then."""

    item_id: int
    opened_at: datetime
    filled: int
    now_filled: int


def decide(
    demand: Mapping[Stocked, Demand], notices: Mapping[Stocked, Notice]
) -> tuple[list[NewAlert], list[Ending], dict[Stocked, int]]:
    """What to tell now. Pure.

    Returns: alerts to open, alerts to end, and per item the filled units that have been told of then.
    """
    opened = [
        NewAlert(
            AlertKind.BACKORDER_WAITS,
            _subject(stocked),
            {"units": one.units, "orders": one.waiters, "oldest_at": one.since.isoformat(), **_grade(stocked)},
            stocked.item_id,
        )
        for stocked, one in demand.items()
        if stocked not in notices
    ]
    ended: list[Ending] = []
    told: dict[Stocked, int] = {}
    for stocked, notice in notices.items():
        waits = demand.get(stocked)
        if filled := notice.now_filled - notice.filled:
            facts = {"units": filled, "still_waiting": waits.units if waits else 0, **_grade(stocked)}
            subject = f"{_subject(stocked)}/{notice.opened_at.isoformat()}/{notice.now_filled}"
            opened.append(NewAlert(AlertKind.BACKORDER_FILLED, subject, facts, stocked.item_id))
            told[stocked] = notice.now_filled
        if waits is None:
            ended.append(Ending(AlertKind.BACKORDER_WAITS, _subject(stocked), {"units": 0}))
    return opened, ended, told


def _subject(stocked: Stocked) -> str:
    return f"{stocked.item_id}/{stocked.grade}"


def _grade(stocked: Stocked) -> dict[str, object]:
    return {} if stocked.grade == GOOD else {"grade": stocked.grade}


def give_notice(tx: Transaction) -> int:
    """Open and end alerts for items whose policy is ``notify``; returns how many. Repeating it tells nothing twice."""
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.backorder_notices', :merchant_id))")
    opened, ended, told = decide(_demand(tx), _notices(tx))
    open_alerts(tx, opened)
    _note_told(tx, told)
    end_alerts(tx, ended)
    return len(opened) + len(ended)


# Whose listing says so, else whose item, else whose store; what our own interface holds goes by its item.
_NOTIFIES = """
    coalesce((SELECT l.backorder FROM order_line o
            JOIN listing l ON l.merchant_id = :merchant_id AND l.id = o.listing_id
            WHERE o.merchant_id = :merchant_id AND o.id = p.order_line_id),
        (SELECT backorder FROM item WHERE merchant_id = :merchant_id AND id = p.item_id),
        (SELECT s.backorder FROM store_order o JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
            WHERE o.merchant_id = :merchant_id AND o.id = p.order_id AND p.order_line_id IS NOT NULL)) = 'notify'
"""


def _demand(tx: Transaction) -> dict[Stocked, Demand]:
    rows = tx.run(
        f"""SELECT p.item_id, p.grade, sum(p.waiting)::bigint AS units, count(*) AS waiters, min(p.promised_at) AS since
            FROM promise p WHERE p.merchant_id = :merchant_id AND p.waiting > 0 AND {_NOTIFIES} GROUP BY 1, 2"""
    )
    return {Stocked(row.item_id, row.grade): Demand(row.units, row.waiters, row.since) for row in rows}


def _notices(tx: Transaction) -> dict[Stocked, Notice]:
    """Open alerts, with the units that fill documents gave to who waited, since each was opened."""
    rows = tx.run(
        """SELECT a.item_id, split_part(a.subject, '/', 2) AS grade, a.opened_at,
               coalesce(CAST(a.facts ->> 'filled' AS bigint), 0) AS filled, coalesce(f.units, 0)::bigint AS now_filled
           FROM alert a LEFT JOIN LATERAL (
               SELECT sum(m.quantity) AS units FROM movement m
               JOIN document d ON d.merchant_id = :merchant_id AND d.id = m.document_id
                   AND d.recorded_at = m.recorded_at AND d.kind = 'fill'
               WHERE m.merchant_id = :merchant_id AND m.item_id = a.item_id AND m.recorded_at >= a.opened_at
                 AND m.grade = split_part(a.subject, '/', 2) AND m.from_bucket = 'backordered'
                 AND m.from_place = (SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared')
               OFFSET 0) f ON true
           WHERE a.merchant_id = :merchant_id AND a.kind = :kind AND a.closed_at IS NULL""",
        kind=AlertKind.BACKORDER_WAITS,
    )
    return {
        Stocked(row.item_id, row.grade): Notice(row.item_id, row.opened_at, row.filled, row.now_filled) for row in rows
    }


def _note_told(tx: Transaction, told: Mapping[Stocked, int]) -> None:
    tx.run(
        """UPDATE alert a SET facts = a.facts || jsonb_build_object('filled', k.filled)
           FROM unnest(CAST(:subjects AS text[]), CAST(:filled AS bigint[])) k (subject, filled)
           WHERE a.merchant_id = :merchant_id AND a.kind = :kind AND a.subject = k.subject AND a.closed_at IS NULL""",
        kind=AlertKind.BACKORDER_WAITS,
        subjects=[_subject(stocked) for stocked in told],
        filled=list(told.values()),
    )

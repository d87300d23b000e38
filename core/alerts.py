"""Warnings as facts: low stock once per crossing, and incidents for promises that could not be kept as made."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core import bulk, tables, work
from core.books import IncidentRow
from core.incidents import causes_of
from core.stock import Stocked
from core.transaction import Transaction

LOW_STOCK = "low_stock"


def recovers_at(threshold: int) -> int:
    """Units at which a low-stock alert ends: a fifth above its threshold, so that one sale does not ring twice."""
    return threshold + max(1, threshold // 5)


def watch_low_stock(tx: Transaction, freed: Mapping[Stocked, tuple[int, int]]) -> None:
    """Open an alert and ask for one mail where free units fell to the threshold; close it where they recovered.

    Args: freed: free units of the shared pool before and after, for what changed; the item's row is locked, so
          nobody else can see the same crossing.
    """
    if not freed:
        return
    rows = tx.run(
        """SELECT i.id, i.sku, i.title, i.low_stock_threshold FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.id
               AND low_stock_threshold IS NOT NULL) i""",
        ids=sorted({stocked.item_id for stocked in freed}),
    ).all()
    for row in rows:
        for stocked, (before, after) in freed.items():
            if stocked.item_id != row.id:
                continue
            threshold, subject = row.low_stock_threshold, f"{row.id}/{stocked.grade}"
            if before > threshold >= after:
                _open_low_stock(tx, subject, row, after)
            elif after >= recovers_at(threshold):
                _close(tx, LOW_STOCK, subject)


def _open_low_stock(tx: Transaction, subject: str, item: Any, free: int) -> None:
    alert_id = tx.new_id()
    facts = {
        "sku": item.sku,
        "title": item.title,
        "threshold": item.low_stock_threshold,
        "free": free,
    }
    opened = tx.run(
        """INSERT INTO alert (merchant_id, id, kind, subject, item_id, facts, opened_at)
           VALUES (:merchant_id, :id, :kind, :subject, :item_id, CAST(:facts AS jsonb), :now)
           ON CONFLICT (merchant_id, kind, subject) WHERE closed_at IS NULL DO NOTHING RETURNING id""",
        id=alert_id,
        kind=LOW_STOCK,
        subject=subject,
        item_id=int(subject.split("/", maxsplit=1)[0]),
        facts=json.dumps(facts),
    ).scalar_one_or_none()
    if opened is not None:
        work.want(tx, [work.Want("mail", 0, str(alert_id))])


def _close(tx: Transaction, kind: str, subject: str) -> None:
    tx.run(
        """UPDATE alert SET closed_at = :now
           WHERE merchant_id = :merchant_id AND kind = :kind AND subject = :subject AND closed_at IS NULL""",
        kind=kind,
        subject=subject,
    )


def open_incidents(tx: Transaction, incidents: Sequence[IncidentRow]) -> None:
    """Record oversold units with their cause, once per batch that found them short."""
    if not incidents:
        return
    causes = causes_of(tx, incidents)
    columns = [
        "id",
        "kind",
        "store_id",
        "order_id",
        "order_line_id",
        "item_id",
        "quantity",
        "cause",
        "timeline",
        "opened_at",
    ]
    bulk.insert(
        tx,
        tables.incident,
        columns,
        [
            (i.id, i.kind, i.store_id, i.order_id, i.order_line_id, i.item_id, i.quantity, *causes[i.id], tx.now)
            for i in incidents
        ],
    )


def close_incidents(tx: Transaction, order_line_ids: Sequence[int]) -> None:
    """The promises behind these lines wait no longer (filled or released): their incidents end."""
    if order_line_ids:
        tx.run(
            """UPDATE incident i SET closed_at = :now FROM unnest(CAST(:ids AS bigint[])) k (id)
               WHERE i.merchant_id = :merchant_id AND i.order_line_id = k.id AND i.closed_at IS NULL""",
            ids=sorted(set(order_line_ids)),
        )

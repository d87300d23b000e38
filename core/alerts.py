"""Warnings as facts: low stock once per crossing, and incidents for promises that could not be kept as made."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from core import bulk, tables, work
from core.books import IncidentRow
from core.incidents import causes_of
from core.pipe import Pipe
from core.stock import Stocked
from core.transaction import Transaction

LOW_STOCK = "low_stock"


def recovers_at(threshold: int) -> int:
    """Units at which a low-stock alert ends: a fifth above its threshold, so that one sale does not ring twice."""
    return threshold + max(1, threshold // 5)


class Watched(NamedTuple):
    """An item that somebody wants to be warned of."""

    item_id: int
    sku: str
    title: str
    threshold: int


def watched(run: Pipe, item_ids: Collection[int]) -> Callable[[], list[Watched]]:
    """Asks which of these items have a threshold; the answer is there when what is returned is called."""
    if not item_ids:
        return list
    rows = run.run(
        """SELECT i.id, i.sku, i.title, i.low_stock_threshold FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.id
               AND low_stock_threshold IS NOT NULL) i""",
        ids=sorted(item_ids),
    )
    return lambda: list(map(Watched._make, rows.fetchall()))


def watch_low_stock(tx: Transaction, items: Iterable[Watched], freed: Mapping[Stocked, tuple[int, int]]) -> None:
    """Open an alert and ask for one mail where free units fell to the threshold; close it where they recovered.

    Args: freed: free units of the shared pool before and after, for what changed; the item's row is locked, so
          nobody else can see the same crossing.
    """
    by_id = {item.item_id: item for item in items}
    fallen, recovered = [], []
    for stocked, (before, after) in freed.items() if by_id else ():
        item = by_id.get(stocked.item_id)
        if item is None:
            continue
        subject = f"{item.item_id}/{stocked.grade}"
        if before > item.threshold >= after:
            fallen.append((item, subject, after))
        elif after >= recovers_at(item.threshold):
            recovered.append(subject)
    _open_low_stock(tx, fallen)
    _close(tx, LOW_STOCK, recovered)


def _open_low_stock(tx: Transaction, fallen: Sequence[tuple[Watched, str, int]]) -> None:
    if not fallen:
        return
    facts = [
        {"sku": item.sku, "title": item.title, "threshold": item.threshold, "free": free} for item, _, free in fallen
    ]
    opened = tx.run(
        """INSERT INTO alert (merchant_id, id, kind, subject, item_id, facts, opened_at)
           SELECT :merchant_id, k.id, :kind, k.subject, k.item_id, CAST(k.facts AS jsonb), :now
           FROM unnest(CAST(:ids AS bigint[]), CAST(:subjects AS text[]), CAST(:items AS bigint[]),
               CAST(:facts AS text[])) k (id, subject, item_id, facts)
           ON CONFLICT (merchant_id, kind, subject) WHERE closed_at IS NULL DO NOTHING RETURNING id""",
        kind=LOW_STOCK,
        ids=[tx.new_id() for _ in fallen],
        subjects=[subject for _, subject, _ in fallen],
        items=[item.item_id for item, _, _ in fallen],
        facts=[json.dumps(fact) for fact in facts],
    ).scalars()
    work.want(tx, [work.Want("mail", 0, str(alert_id)) for alert_id in opened])


def _close(tx: Transaction, kind: str, subjects: Sequence[str]) -> None:
    if subjects:
        tx.run(
            """UPDATE alert a SET closed_at = :now FROM unnest(CAST(:subjects AS text[])) k (subject)
               WHERE a.merchant_id = :merchant_id AND a.kind = :kind AND a.subject = k.subject
                 AND a.closed_at IS NULL""",
            kind=kind,
            subjects=subjects,
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

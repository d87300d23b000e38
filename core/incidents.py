"""Why was a unit oversold? The cause of an incident, as a word for machines and a timeline for people."""

import json
from collections.abc import Sequence
from typing import Any

from core.books import IncidentRow
from core.transaction import Transaction

SOLD_BEFORE_TOLD = "sold_before_told"
SOLD_AFTER_TOLD = "sold_after_told"
NEVER_TOLD = "never_told"


def causes_of(tx: Transaction, incidents: Sequence[IncidentRow]) -> dict[int, tuple[str, str]]:
    """Per incident id: its cause and its timeline as JSON text.

    ``sold_before_told``: the store sold while an older, higher number was still on show; the network and we needed the
    time between the last other sale and the store's confirmation. ``sold_after_told``: the store sold although it had
    confirmed the lower number before (a foreign edit, or a sale that our write erased). ``never_told``: no number was
    ever pushed to that store.
    """
    rows = tx.run(
        """SELECT k.incident_id, o.number, o.placed_at, s.name AS store, l.published, l.published_at, due.stale_since,
               last.recorded_at AS last_at, last.number AS last_number, last.store AS last_store
           FROM unnest(CAST(:ids AS bigint[]), CAST(:orders AS bigint[]), CAST(:lines AS bigint[]),
               CAST(:items AS bigint[])) k (incident_id, order_id, line_id, item_id)
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = k.order_id) o
           JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           LEFT JOIN LATERAL (SELECT li.* FROM order_line ol JOIN listing li ON li.merchant_id = ol.merchant_id
               AND li.id = ol.listing_id WHERE ol.merchant_id = :merchant_id AND ol.id = k.line_id) l ON true
           LEFT JOIN LATERAL (SELECT stale_since FROM push_due WHERE merchant_id = :merchant_id
               AND store_id = l.store_id AND listing_id = l.id) due ON true
           LEFT JOIN LATERAL (
               SELECT m.recorded_at, oo.number, ss.name AS store FROM movement m
               JOIN document d ON d.merchant_id = m.merchant_id AND d.id = m.document_id
                   AND d.recorded_at = m.recorded_at
               JOIN store_order oo ON oo.merchant_id = m.merchant_id AND oo.id = d.order_id
               JOIN store ss ON ss.merchant_id = m.merchant_id AND ss.id = oo.store_id
               WHERE m.merchant_id = :merchant_id AND m.item_id = k.item_id AND m.layer = 'sales'
                 AND m.from_bucket = 'free' AND oo.store_id <> o.store_id
               ORDER BY m.recorded_at DESC LIMIT 1) last ON true""",
        ids=[i.id for i in incidents],
        orders=[i.order_id for i in incidents],
        lines=[i.order_line_id for i in incidents],
        items=[i.item_id for i in incidents],
    )
    return {row.incident_id: (_cause(row), json.dumps(_timeline(row, tx))) for row in rows}


def _cause(row: Any) -> str:
    published_at = row.published_at
    if published_at is None:
        return NEVER_TOLD
    placed_at, stale_since = row.placed_at, row.stale_since
    told = stale_since is None and published_at < placed_at
    return SOLD_AFTER_TOLD if told else SOLD_BEFORE_TOLD


def _timeline(row: Any, tx: Transaction) -> list[dict[str, str]]:
    seen = {name: getattr(row, name) for name in ("number", "store", "published", "last_store", "last_number")}
    events = [
        (row.last_at, f"order {seen['last_number']} of {seen['last_store']} took the last free units"),
        (row.published_at, f"{seen['store']} confirmed that it shows {seen['published']}"),
        (row.placed_at, f"{seen['store']} sold order {seen['number']}"),
        (tx.now, "the order was applied and found units missing"),
    ]
    return [
        {"at": at.isoformat(), "what": what} for at, what in sorted((e for e in events if e[0]), key=lambda e: e[0])
    ]

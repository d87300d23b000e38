"""Why was a unit oversold? The cause of an incident, as a word for machines and a timeline for people."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from core.rows import IncidentRow
from core.transaction import Transaction

SOLD_BEFORE_TOLD = "sold_before_told"
SOLD_AFTER_TOLD = "sold_after_told"
NEVER_TOLD = "never_told"
BROKEN = "broken"
# Of an item, newest first, for the sale of another store: an item that one store alone sells has a long past.
_MOVES_LOOKED_AT = 100


class Cause(NamedTuple):
    """Why, and who is concerned.

    ``timeline``  JSON text.
    ``store_id``  where the order comes from; None for a hold of our own interface, which has no ``order``, either.
    ``order``     the order's number, for people.
    """

    cause: str
    timeline: str
    store_id: int | None
    order: str


def causes_of(tx: Transaction, incidents: Sequence[IncidentRow]) -> dict[int, Cause]:
    """Per incident id why it came to that.

    ``broken``: the units were promised, and then they were gone; the incident itself says what became of them.
    ``sold_before_told``: the store sold while an older, higher number was still on show; the network and we needed the
    time between the last other sale and the store's confirmation. ``sold_after_told``: the store sold although it had
    confirmed the lower number before (a foreign edit, or a sale that our write erased). ``never_told``: no number was
    ever pushed to that store.
    """
    told = _told(tx, [one for one in incidents if one.cause])
    looked_for = [one for one in incidents if not one.cause]
    return told | _looked_for(tx, looked_for) if looked_for else told


def _told(tx: Transaction, incidents: Sequence[IncidentRow]) -> dict[int, Cause]:
    if not incidents:
        return {}
    orders = tx.run(
        """SELECT o.id, o.number, o.placed_at, o.store_id, s.name AS store
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) o
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id""",
        ids=sorted({one.order_id for one in incidents}),
    )
    by_id = {row.id: row for row in orders}
    return {one.id: _as_told(tx, one, by_id.get(one.order_id)) for one in incidents}


def _as_told(tx: Transaction, incident: IncidentRow, order: Any) -> Cause:
    """``order`` is None for a hold of our own interface."""
    lost = (tx.now, incident.told)
    if order is None:
        return Cause(incident.cause, _in_order([lost]), None, "")
    sold = (order.placed_at, f"{order.store or 'our own shop'} sold order {order.number}")
    return Cause(incident.cause, _in_order([sold, lost]), order.store_id, order.number)


def _looked_for(tx: Transaction, incidents: Sequence[IncidentRow]) -> dict[int, Cause]:
    rows = tx.run(
        """SELECT k.incident_id, o.number, o.placed_at, coalesce(s.name, 'our own shop') AS store,
               l.published, l.published_at, due.stale_since,
               last.recorded_at AS last_at, last.number AS last_number, last.store AS last_store
           FROM unnest(CAST(:ids AS bigint[]), CAST(:orders AS bigint[]), CAST(:lines AS bigint[]),
               CAST(:items AS bigint[])) k (incident_id, order_id, line_id, item_id)
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id
               AND id = k.order_id OFFSET 0) o
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           LEFT JOIN LATERAL (SELECT listing_id FROM order_line WHERE merchant_id = :merchant_id
               AND id = k.line_id OFFSET 0) ol ON true
           LEFT JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id
               AND id = ol.listing_id OFFSET 0) l ON true
           -- what this very order made stale says nothing of what the store knew when it sold
           LEFT JOIN LATERAL (SELECT stale_since FROM push_due WHERE merchant_id = :merchant_id
               AND store_id = l.store_id AND listing_id = l.id AND stale_since < :now OFFSET 0) due ON true
           LEFT JOIN LATERAL (
               SELECT m.recorded_at, oo.number, coalesce(ss.name, 'our own shop') AS store FROM (
                   SELECT document_id, recorded_at FROM movement
                   WHERE merchant_id = :merchant_id AND item_id = k.item_id AND layer = 'sales'
                     AND from_bucket = 'free' ORDER BY recorded_at DESC LIMIT :look_at) m
               CROSS JOIN LATERAL (SELECT order_id FROM document WHERE merchant_id = :merchant_id
                   AND id = m.document_id AND recorded_at = m.recorded_at OFFSET 0) d
               CROSS JOIN LATERAL (SELECT number, store_id FROM store_order WHERE merchant_id = :merchant_id
                   AND id = d.order_id AND store_id <> o.store_id OFFSET 0) oo
               LEFT JOIN store ss ON ss.merchant_id = :merchant_id AND ss.id = oo.store_id
               ORDER BY m.recorded_at DESC LIMIT 1) last ON true""",
        ids=[i.id for i in incidents],
        orders=[i.order_id for i in incidents],
        lines=[i.order_line_id for i in incidents],
        items=[i.item_id for i in incidents],
        look_at=_MOVES_LOOKED_AT,
    )
    stores = {one.id: one.store_id for one in incidents}
    return {
        row.incident_id: Cause(_cause(row), _timeline(row, tx), stores[row.incident_id], row.number) for row in rows
    }


def _cause(row: Any) -> str:
    published_at = row.published_at
    if published_at is None:
        return NEVER_TOLD
    placed_at, stale_since = row.placed_at, row.stale_since
    told = stale_since is None and published_at < placed_at
    return SOLD_AFTER_TOLD if told else SOLD_BEFORE_TOLD


def _timeline(row: Any, tx: Transaction) -> str:
    seen = {name: getattr(row, name) for name in ("number", "store", "published", "last_store", "last_number")}
    events = [
        (row.last_at, f"order {seen['last_number']} of {seen['last_store']} took the last free units"),
        (row.published_at, f"{seen['store']} confirmed that it shows {seen['published']}"),
        (row.placed_at, f"{seen['store']} sold order {seen['number']}"),
        (tx.now, "the order was applied and found units missing"),
    ]
    return _in_order(events)


def _in_order(events: Sequence[tuple[datetime | None, str]]) -> str:
    """What is known to have happened, by its time, as JSON."""
    known = sorted((at, what) for at, what in events if at is not None)
    return json.dumps([{"at": at.isoformat(), "what": what} for at, what in known])

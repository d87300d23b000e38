"""Read-only views of orders: one as a whole, and lists of those that want attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import NotFound
from core.orders.own import line_id_of
from core.sales.drawing import OWN
from core.transaction import Transaction

OWN_SHOP = "own shop"


@dataclass(frozen=True, slots=True)
class PromiseView:
    """What one line is promised of one item in one pool; wanted = waiting + live + shipped + released."""

    sku: str
    grade: str
    pool: str
    wanted: int
    waiting: int
    live: int
    shipped: int
    released: int
    deducted: bool
    promised_at: datetime


@dataclass(frozen=True, slots=True)
class LineView:
    """A line in units as its store sells them; ``held_reason`` says why it could not be booked, and the cure."""

    line_id: str
    sku: str
    title: str
    grade: str
    ordered: int
    cancelled: int
    written_off: int
    returned: int
    returned_minor_defect: int
    deducted: bool
    held_reason: str
    promises: Sequence[PromiseView]


@dataclass(frozen=True, slots=True)
class DocumentOfOrder:
    id: int
    recorded_at: datetime
    kind: str
    actor: str
    reason: str
    moves: Sequence[str]


@dataclass(frozen=True, slots=True)
class IncidentOfOrder:
    """Units that were sold and were not there; ``timeline`` tells how it came about, oldest first."""

    sku: str
    kind: str
    units: int
    cause: str
    timeline: Sequence[Mapping[str, str]]
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderView:
    store: str
    number: str
    external_id: str
    state: str
    holds: bool
    paid: bool
    placed_at: datetime | None
    version: str
    applied_at: datetime | None
    lines: Sequence[LineView]
    documents: Sequence[DocumentOfOrder]
    incidents: Sequence[IncidentOfOrder]


def view(tx: Transaction, number: str, *, store: str = "") -> OrderView:
    """The order with that number, or with that id of its store. ``store``: its name, where several have the number.

    Raises: NotFound, naming the cure.
    """
    order = row_of(tx, number, store)
    return OrderView(
        store=order.store, number=order.number, external_id=order.external_id, state=order.state, holds=order.holds,
        paid=order.paid, placed_at=order.placed_at, version=order.version, applied_at=order.applied_at,
        lines=_lines(tx, order), documents=documents(tx, order.id), incidents=_incidents(tx, order.id),
    )  # fmt: skip


def row_of(tx: Transaction, number: str, store: str = "") -> Any:
    """The row of that order, with the name of its ``store``. Raises: as ``view``."""
    rows = tx.run(
        """SELECT o.*, coalesce(s.name, :own_shop) AS store FROM (
               SELECT n.id FROM unnest(CAST(:numbers AS text[])) k (number) CROSS JOIN LATERAL (
                   SELECT id FROM store_order WHERE merchant_id = :merchant_id AND number = k.number) n
               UNION SELECT e.id FROM (SELECT id FROM store WHERE merchant_id = :merchant_id
                   UNION ALL SELECT CAST(:own AS bigint)) k CROSS JOIN LATERAL (SELECT id FROM store_order
                   WHERE merchant_id = :merchant_id AND store_id = k.id AND external_id = :number) e) f
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = f.id) o
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           WHERE o.placed_at IS NOT NULL ORDER BY o.id""",
        number=number,
        numbers=[number, f"#{number}"],
        own=OWN,
        own_shop=OWN_SHOP,
    ).all()
    here = [row for row in rows if not store or store.casefold() in (row.store.casefold(), str(row.store_id))]
    if len(here) == 1:
        return here[0]
    if not here:
        elsewhere = f"; {', '.join(row.store for row in rows)} has one" if rows else ""
        raise NotFound(f"no order {number} is known{elsewhere}; `holdfast order list` shows the newest")
    raise NotFound(
        f"{len(here)} orders are called {number}: say `--store NAME` or the id: "
        + ", ".join(f"{row.external_id} of {row.store}" for row in here)
    )


def _lines(tx: Transaction, order: Any) -> list[LineView]:
    promised: dict[int, list[PromiseView]] = {}
    for row in tx.run(
        """SELECT p.order_line_id, i.sku, p.grade, coalesce(nullif(o.code, ''), o.name) AS pool, p.wanted, p.waiting,
               p.live, p.shipped, p.released, p.deducted, p.promised_at
           FROM promise p JOIN item i ON i.merchant_id = p.merchant_id AND i.id = p.item_id
           JOIN pool o ON o.merchant_id = p.merchant_id AND o.id = p.pool_id
           WHERE p.merchant_id = :merchant_id AND p.order_id = :id ORDER BY p.id""",
        id=order.id,
    ):
        line_id, *rest = row
        promised.setdefault(line_id, []).append(PromiseView(*rest))
    rows = tx.run(
        """SELECT l.*, coalesce(i.sku, l.sku) AS item_sku FROM order_line l
           LEFT JOIN item i ON i.merchant_id = l.merchant_id AND i.id = l.item_id
           WHERE l.merchant_id = :merchant_id AND l.order_id = :id ORDER BY l.id""",
        id=order.id,
    )
    return [
        LineView(
            line_id=line_id_of(row.external_line_id) if order.store_id == OWN else row.external_line_id,
            sku=row.item_sku, title=row.title, grade=row.grade, ordered=row.ordered, cancelled=row.cancelled,
            written_off=row.written_off, returned=row.returned, returned_minor_defect=row.returned_minor_defect,
            deducted=row.deducted, held_reason=row.held_reason, promises=promised.get(row.id, []),
        )
        for row in rows
    ]  # fmt: skip


def documents(tx: Transaction, order_id: int) -> list[DocumentOfOrder]:
    """All documents of an order, or of a hold by its own document's id; oldest first."""
    rows = tx.run(
        """SELECT d.id, d.recorded_at, d.kind, d.actor, d.reason, coalesce(moved.moves, '{}') AS moves
           FROM document d CROSS JOIN LATERAL (
               SELECT array_agg(m.layer || ': ' || m.quantity || ' ' || i.sku
                       || CASE m.grade WHEN 'good' THEN '' ELSE ' (' || m.grade || ')' END
                       || ' ' || m.from_bucket || ' -> ' || m.to_bucket
                   ORDER BY position(m.layer IN 'warehouse dispatch sales'), m.line_no) AS moves
               FROM movement m JOIN item i ON i.merchant_id = m.merchant_id AND i.id = m.item_id
               WHERE m.merchant_id = :merchant_id AND m.document_id = d.id AND m.recorded_at = d.recorded_at) moved
           WHERE d.merchant_id = :merchant_id AND d.order_id = :order_id ORDER BY d.id""",
        order_id=order_id,
    )
    return [DocumentOfOrder(**row._mapping) for row in rows]


def _incidents(tx: Transaction, order_id: int) -> list[IncidentOfOrder]:
    rows = tx.run(
        """SELECT i.sku, n.kind, n.quantity AS units, n.cause, n.timeline, n.opened_at, n.closed_at FROM incident n
           JOIN item i ON i.merchant_id = n.merchant_id AND i.id = n.item_id
           WHERE n.merchant_id = :merchant_id AND n.order_id = :order_id ORDER BY n.id""",
        order_id=order_id,
    )
    return [IncidentOfOrder(**row._mapping) for row in rows]


# ---- lists


class Attention(StrEnum):
    """Which orders a list shows."""

    ANY = "any"
    WAITING = "waiting"  # units of them wait
    HELD = "held"  # a line could not be booked
    UNPAID = "unpaid"  # they hold units, or wait for them, and are not paid


@dataclass(frozen=True, slots=True)
class OrderRowView:
    """One order of a list; counts are units of items, ``held_lines`` lines that could not be booked."""

    store: str
    number: str
    external_id: str
    state: str
    paid: bool
    placed_at: datetime | None
    waiting: int
    live: int
    shipped: int
    held_lines: int


_CHOSEN = {
    Attention.ANY: "SELECT id FROM store_order WHERE merchant_id = :merchant_id AND placed_at IS NOT NULL",
    Attention.WAITING: """SELECT DISTINCT order_id AS id FROM promise
        WHERE merchant_id = :merchant_id AND waiting > 0 AND order_line_id IS NOT NULL""",
    Attention.HELD: """SELECT DISTINCT order_id AS id FROM order_line
        WHERE merchant_id = :merchant_id AND held_reason <> ''""",
    Attention.UNPAID: """SELECT DISTINCT order_id AS id FROM promise WHERE merchant_id = :merchant_id
        AND order_line_id IS NOT NULL AND NOT paid AND live + waiting > 0""",
}


def orders(tx: Transaction, attention: Attention = Attention.ANY, *, limit: int = 50) -> list[OrderRowView]:
    """The newest ``limit`` orders that want this attention, newest first."""
    return _rows(tx, f"{_CHOSEN[attention]} ORDER BY id DESC LIMIT :limit", limit=limit)


def of_own_shop(tx: Transaction, numbers: Sequence[str]) -> list[OrderRowView]:
    """These orders of the merchant's own shop, newest first."""
    chosen = """SELECT o.id FROM unnest(CAST(:numbers AS text[])) k (number) CROSS JOIN LATERAL (SELECT id
        FROM store_order WHERE merchant_id = :merchant_id AND store_id = :own AND external_id = k.number) o"""
    return _rows(tx, chosen, numbers=list(numbers), own=OWN)


def _rows(tx: Transaction, chosen: str, **values: object) -> list[OrderRowView]:
    rows = tx.run(
        f"""WITH chosen AS ({chosen})
            SELECT coalesce(s.name, :own_shop) AS store, o.number, o.external_id, o.state, o.paid, o.placed_at,
                p.waiting, p.live, p.shipped, l.held_lines
            FROM chosen c
            CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = c.id) o
            LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
            CROSS JOIN LATERAL (SELECT coalesce(sum(waiting), 0)::bigint AS waiting,
                coalesce(sum(live), 0)::bigint AS live, coalesce(sum(shipped), 0)::bigint AS shipped
                FROM promise WHERE merchant_id = :merchant_id AND order_id = c.id) p
            CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE held_reason <> '') AS held_lines
                FROM order_line WHERE merchant_id = :merchant_id AND order_id = c.id) l
            ORDER BY c.id DESC""",
        own_shop=OWN_SHOP,
        **values,
    )
    return [OrderRowView(**row._mapping) for row in rows]

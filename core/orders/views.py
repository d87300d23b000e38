"""Read-only views of orders: one as a whole, and lists of those that want attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import NotFound
from core.goods import places
from core.orders.own import line_id_of
from core.orders.unsent import SINCE, UNSENT
from core.sales.drawing import OWN
from core.transaction import Transaction

OWN_SHOP = "own shop"


@dataclass(frozen=True, slots=True)
class PromiseView:
    """What one line is promised of one item in one pool; wanted = waiting + live + shipped + released.

    ``live`` units are ``reserved`` or, for good, ``sold``; of these a warehouse is to send those ``allocated``.
    """

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
    reserved: int
    sold: int
    allocated: int


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
    """``destination``: COUNTRY-SUBDIVISION-POSTAL, all that is known of where it goes; empty: nothing is."""

    id: int
    store: str
    number: str
    external_id: str
    state: str
    holds: bool
    paid: bool
    placed_at: datetime | None
    version: str
    applied_at: datetime | None
    destination: str
    lines: Sequence[LineView]
    documents: Sequence[DocumentOfOrder]
    incidents: Sequence[IncidentOfOrder]


def view(tx: Transaction, number: str, *, store: str = "") -> OrderView:
    """The order with that number, or with that id of its store. ``store``: its name, where several have the number.

    Raises: NotFound, naming the cure.
    """
    order = row_of(tx, number, store)
    return OrderView(
        id=order.id, store=order.store, number=order.number, external_id=order.external_id, state=order.state,
        holds=order.holds, paid=order.paid, placed_at=order.placed_at, version=order.version,
        applied_at=order.applied_at, destination=order.destination, lines=_lines(tx, order),
        documents=documents(tx, order.id), incidents=_incidents(tx, order.id),
    )  # fmt: skip


def row_of(tx: Transaction, number: str, store: str = "") -> Any:
    """The row of that order, with the name of its ``store``. Raises: as ``view``."""
    (row,) = rows_of(tx, [number], store)
    return row


def rows_of(tx: Transaction, numbers: Sequence[str], store: str = "") -> list[Any]:
    """The same for many orders, in their turn."""
    rows = tx.run(
        """SELECT k.number AS asked, o.*, coalesce(s.name, :own_shop) AS store
           FROM unnest(CAST(:numbers AS text[])) k (number)
           CROSS JOIN LATERAL (
               SELECT n.id FROM (VALUES (k.number), ('#' || k.number)) a (number) CROSS JOIN LATERAL (
                   SELECT id FROM store_order WHERE merchant_id = :merchant_id AND number = a.number) n
               UNION SELECT e.id FROM (SELECT id FROM store WHERE merchant_id = :merchant_id
                   UNION ALL SELECT CAST(:own AS bigint)) w CROSS JOIN LATERAL (SELECT id FROM store_order
                   WHERE merchant_id = :merchant_id AND store_id = w.id AND external_id = k.number) e) f
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = f.id) o
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           WHERE o.placed_at IS NOT NULL ORDER BY o.placed_at, o.id""",
        numbers=sorted(set(numbers)),
        own=OWN,
        own_shop=OWN_SHOP,
    ).all()
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.asked, []).append(row)
    return [_only(number, found.get(number, []), store) for number in numbers]


def _only(number: str, rows: Sequence[Any], store: str) -> Any:
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
        f"""SELECT p.order_line_id, i.sku, p.grade, {places.pool_name("o")} AS pool, p.wanted, p.waiting,
               p.live, p.shipped, p.released, p.deducted, p.promised_at,
               CASE WHEN p.deducted THEN 0 ELSE p.live END AS reserved,
               CASE WHEN p.deducted THEN p.live ELSE 0 END AS sold, p.allocated
           FROM promise p JOIN item i ON i.merchant_id = p.merchant_id AND i.id = p.item_id
           JOIN pool o ON o.merchant_id = p.merchant_id AND o.id = p.pool_id
           WHERE p.merchant_id = :merchant_id AND p.order_id = :id ORDER BY p.promised_at, p.id""",
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
        f"""SELECT d.id, d.recorded_at, d.kind, d.actor, d.reason, coalesce(moved.moves, '{{}}') AS moves
           FROM document d CROSS JOIN LATERAL (
               SELECT array_agg(m.layer || ': ' || {places.moved("i.sku")} ORDER BY
                   position(m.layer IN 'warehouse dispatch sales'), m.line_no) AS moves
               FROM movement m JOIN item i ON i.merchant_id = m.merchant_id AND i.id = m.item_id
               WHERE m.merchant_id = :merchant_id AND m.document_id = d.id AND m.recorded_at = d.recorded_at) moved
           WHERE d.merchant_id = :merchant_id AND d.order_id = :order_id ORDER BY d.recorded_at, d.id""",
        order_id=order_id,
    )
    return [DocumentOfOrder(**row._mapping) for row in rows]


def _incidents(tx: Transaction, order_id: int) -> list[IncidentOfOrder]:
    rows = tx.run(
        """SELECT i.sku, n.kind, n.quantity AS units, n.cause, n.timeline, n.opened_at, n.closed_at FROM incident n
           JOIN item i ON i.merchant_id = n.merchant_id AND i.id = n.item_id
           WHERE n.merchant_id = :merchant_id AND n.order_id = :order_id ORDER BY n.opened_at, n.id""",
        order_id=order_id,
    )
    return [IncidentOfOrder(**row._mapping) for row in rows]


# ---- lists


class Attention(StrEnum):
    """Which orders a list shows."""

    ANY = "any"
    WAITING = "waiting"  # units of them wait, those that a presale sold among them
    HELD = "held"  # a line could not be booked
    UNSENT = "unsent"  # paid units of them could be sent, and no warehouse is told to
    UNPAID = "unpaid"  # they hold units, or wait for them, and are not paid


@dataclass(frozen=True, slots=True)
class OrderRowView:
    """One order of a list; counts are units of items, ``held_lines`` lines that could not be booked.

    ``waiting``: with those of presales, which are ``live`` and whose goods have not come. ``live`` units are
    ``reserved`` or, for good, ``sold``; ``allocated`` ones a warehouse is to send, and of the rest
    ``unsent`` ones could be sent, since ``unsent_since``.
    """

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
    reserved: int
    sold: int
    allocated: int
    unsent: int
    unsent_since: datetime | None
    version: str


# From one to the next by the index: as one look for many, a table that nobody has counted may be sorted as a whole.
_NEWEST = """WITH RECURSIVE newest AS (
        (SELECT placed_at, id FROM store_order WHERE merchant_id = :merchant_id AND placed_at IS NOT NULL
            ORDER BY placed_at DESC, id DESC LIMIT 1)
        UNION ALL SELECT o.placed_at, o.id FROM newest n CROSS JOIN LATERAL (SELECT placed_at, id FROM store_order
            WHERE merchant_id = :merchant_id AND placed_at IS NOT NULL AND (placed_at, id) < (n.placed_at, n.id)
            ORDER BY placed_at DESC, id DESC LIMIT 1) o)
    SELECT id FROM newest LIMIT :limit"""
_CHOSEN = {
    Attention.WAITING: """SELECT order_id AS id FROM promise
            WHERE merchant_id = :merchant_id AND waiting > 0 AND order_line_id IS NOT NULL
        UNION SELECT order_id FROM promise
            WHERE merchant_id = :merchant_id AND presale AND live > 0 AND order_line_id IS NOT NULL""",
    Attention.HELD: """SELECT DISTINCT order_id AS id FROM order_line
        WHERE merchant_id = :merchant_id AND held_reason <> ''""",
    Attention.UNSENT: f"SELECT DISTINCT order_id AS id FROM promise WHERE merchant_id = :merchant_id AND {UNSENT}",
    Attention.UNPAID: """SELECT DISTINCT order_id AS id FROM promise WHERE merchant_id = :merchant_id
        AND order_line_id IS NOT NULL AND NOT paid AND live + waiting > 0""",
}


def orders(tx: Transaction, attention: Attention = Attention.ANY, *, limit: int = 50) -> list[OrderRowView]:
    """The newest ``limit`` orders that want this attention, newest first."""
    if attention is Attention.ANY:
        return _rows(tx, _NEWEST, limit=limit)
    chosen = f"""SELECT k.id FROM ({_CHOSEN[attention]}) k CROSS JOIN LATERAL (SELECT placed_at
        FROM store_order WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) o
        ORDER BY o.placed_at DESC, k.id DESC LIMIT :limit"""
    return _rows(tx, chosen, limit=limit)


def of_own_shop(tx: Transaction, numbers: Sequence[str]) -> list[OrderRowView]:
    """These orders of the merchant's own shop, newest first."""
    chosen = """SELECT o.id FROM unnest(CAST(:numbers AS text[])) k (number) CROSS JOIN LATERAL (SELECT id
        FROM store_order WHERE merchant_id = :merchant_id AND store_id = :own AND external_id = k.number) o"""
    return _rows(tx, chosen, numbers=list(numbers), own=OWN)


def _rows(tx: Transaction, chosen: str, **values: object) -> list[OrderRowView]:
    rows = tx.run(
        f"""WITH chosen AS ({chosen})
            SELECT coalesce(s.name, :own_shop) AS store, o.number, o.external_id, o.state, o.paid, o.placed_at,
                p.waiting, p.live, p.shipped, l.held_lines, p.reserved, p.sold, p.allocated, p.unsent,
                CASE WHEN p.unsent > 0 THEN {SINCE} END AS unsent_since,
                o.version
            FROM (SELECT id, id AS order_id FROM chosen) k
            CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) o
            LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
            CROSS JOIN LATERAL (SELECT
                coalesce(sum(CASE WHEN presale THEN waiting + live ELSE waiting END), 0)::bigint AS waiting,
                coalesce(sum(live), 0)::bigint AS live, coalesce(sum(shipped), 0)::bigint AS shipped,
                coalesce(sum(live) FILTER (WHERE NOT deducted), 0)::bigint AS reserved,
                coalesce(sum(live) FILTER (WHERE deducted), 0)::bigint AS sold,
                coalesce(sum(allocated), 0)::bigint AS allocated,
                coalesce(sum(live - allocated) FILTER (WHERE {UNSENT}), 0)::bigint AS unsent
                FROM promise WHERE merchant_id = :merchant_id AND order_id = k.id) p
            CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE held_reason <> '') AS held_lines
                FROM order_line WHERE merchant_id = :merchant_id AND order_id = k.id) l
            ORDER BY o.placed_at DESC, o.id DESC""",
        own_shop=OWN_SHOP,
        **values,
    )
    return [OrderRowView(**row._mapping) for row in rows]

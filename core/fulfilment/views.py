"""Fulfilment orders as commands and interfaces show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core.dispatch.destinations import Destination
from core.errors import NotFound
from core.orders.views import row_of
from core.rows import StoreKey
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LineOfFulfilment:
    """Units of one item: ``told`` to the warehouse in all, of which ``waiting`` are allocated and not handed over,
    ``handed`` are with those who pack, out of ``bins``, ``shipped`` have left and ``back`` were given back.
    """

    sku: str
    grade: str
    waiting: int
    handed: int
    shipped: int
    back: int
    bins: Sequence[str]

    @property
    def told(self) -> int:
        return self.waiting + self.handed + self.shipped + self.back


@dataclass(frozen=True, slots=True)
class FulfilmentView:
    """``ref``: like 1001/2, what people call it: its order, and which part of it. ``state``: see ``state_of``.

    ``decided_for``: where its order was to go when it was decided, as ``OrderView.destination``; empty where that was
    not known, or no decision made it.
    """

    id: int
    ref: str
    order: str
    order_key: StoreKey
    store: str
    warehouse: str
    state: str
    leaves_on: date | None
    earliest: date | None
    latest: date | None
    made_at: datetime
    made_by: str
    rejected_at: datetime | None
    why: str
    decided_for: str
    lines: Sequence[LineOfFulfilment]

    @property
    def units(self) -> tuple[int, int, int, int]:
        """Of all items: told to the warehouse; and of these still to be sent, shipped, and given back."""
        shipped, back = sum(line.shipped for line in self.lines), sum(line.back for line in self.lines)
        return self.open_units + shipped + back, self.open_units, shipped, back

    @property
    def open_units(self) -> int:
        return sum(line.waiting + line.handed for line in self.lines)


def state_of(lines: Sequence[LineOfFulfilment], *, rejected: bool) -> str:
    """told (nobody packs it yet), packing, in parts (some has left), shipped, rejected, or taken back. Pure."""
    shipped = sum(line.shipped for line in lines)
    handed = sum(line.handed for line in lines)
    if handed or any(line.waiting for line in lines):
        return "in parts" if shipped else "packing" if handed else "told"
    if shipped:
        return "shipped"
    return "rejected" if rejected else "taken back"


def find(tx: Transaction, ref: str, *, store: str = "") -> FulfilmentView:
    """By its ref. Args: store: its name, where several have an order so called. Raises: NotFound, naming the cure."""
    number, _, nth = ref.strip().rpartition("/")
    if not number or not (nth.isascii() and nth.isdigit()) or len(nth) > 6:
        raise NotFound(
            f"{ref!r} names no fulfilment order; write ORDER/N, like 1001/1: `holdfast fulfil list` has them"
        )
    order = row_of(tx, number, store)
    found = _views(tx, f"{_OF_ORDER} AND nth = :nth", order_id=order.id, warehouse_id=None, nth=int(nth))
    if not found:
        raise NotFound(f"order {order.number} has no part {nth}; `holdfast fulfil list --order {number}` shows them")
    return found[0]


def of_order(tx: Transaction, number: str, *, store: str = "") -> list[FulfilmentView]:
    """All parts of an order, in their turn. Raises: as ``find``."""
    return every(tx, order_id=row_of(tx, number.strip(), store).id)[::-1]


_OF_ORDER = """SELECT id FROM fulfilment_order WHERE merchant_id = :merchant_id AND order_id = :order_id
    AND warehouse_id = coalesce(:warehouse_id, warehouse_id)"""
_NEWEST = """SELECT o.id FROM warehouse CROSS JOIN LATERAL (SELECT id, made_at FROM fulfilment_order
        WHERE merchant_id = :merchant_id AND warehouse_id = warehouse.id ORDER BY made_at DESC, id DESC LIMIT :limit) o
    WHERE warehouse.merchant_id = :merchant_id AND warehouse.id = coalesce(:warehouse_id, warehouse.id)
    ORDER BY o.made_at DESC, o.id DESC LIMIT :limit"""
_NEWEST_OPEN = """SELECT k.id FROM (SELECT DISTINCT fulfilment_id AS id FROM fulfilment_line
        WHERE merchant_id = :merchant_id AND units > 0 AND warehouse_id = coalesce(:warehouse_id, warehouse_id)) k
    CROSS JOIN LATERAL (SELECT made_at FROM fulfilment_order
        WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) o ORDER BY o.made_at DESC, k.id DESC LIMIT :limit"""


def every(
    tx: Transaction, *, all_of_them: bool = False, warehouse_id: int | None = None, order_id: int | None = None,
    limit: int = 100,
) -> list[FulfilmentView]:  # fmt: skip
    """The newest so many, newest first: those of which something is still to be sent, or all; of an order all it has.

    What is open is looked up by an index that holds nothing else.
    """
    chosen = _OF_ORDER if order_id is not None else _NEWEST if all_of_them else _NEWEST_OPEN
    return _views(tx, chosen, warehouse_id=warehouse_id, order_id=order_id, limit=limit)


def _views(tx: Transaction, chosen: str, **values: object) -> list[FulfilmentView]:
    rows = tx.run(
        f"""SELECT f.*, o.number, o.store_id, o.external_id, coalesce(s.name, 'own shop') AS store, w.code,
                d.country, d.subdivision, d.postal
            FROM ({chosen}) k
            CROSS JOIN LATERAL (SELECT * FROM fulfilment_order
                WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) f
            JOIN store_order o ON o.merchant_id = :merchant_id AND o.id = f.order_id
            LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
            JOIN warehouse w ON w.merchant_id = :merchant_id AND w.id = f.warehouse_id
            LEFT JOIN LATERAL (SELECT country, subdivision, postal FROM route_decision
                WHERE merchant_id = :merchant_id AND id = f.decision_id OFFSET 0) d ON true
            ORDER BY f.made_at DESC, f.id DESC""",
        **values,
    ).all()
    lines = _lines(tx, sorted({row.order_id for row in rows}))
    return [_view(row, lines.get(row.id, [])) for row in rows]


def _view(row: Any, lines: Sequence[LineOfFulfilment]) -> FulfilmentView:
    number = row.number or row.external_id
    decided_for = Destination(*(part or "" for part in (row.country, row.subdivision, row.postal)))
    return FulfilmentView(
        row.id, f"{number.removeprefix('#')}/{row.nth}", number, StoreKey(row.store_id, row.external_id), row.store,
        row.code, state_of(lines, rejected=row.rejected_at is not None), row.leaves_on, row.earliest, row.latest,
        row.made_at, row.made_by, row.rejected_at, row.why, str(decided_for), lines,
    )  # fmt: skip


def _lines(tx: Transaction, order_ids: Sequence[int]) -> dict[int, list[LineOfFulfilment]]:
    rows = tx.run(
        """SELECT l.fulfilment_id, i.sku, l.grade, sum(l.units) FILTER (WHERE l.bin_id IS NULL) AS waiting,
               sum(l.units) FILTER (WHERE l.bin_id IS NOT NULL) AS handed, sum(l.shipped) AS shipped,
               sum(l.back) AS back, array_agg(DISTINCT b.code) FILTER (WHERE l.units > 0 AND b.code IS NOT NULL) AS bins
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM fulfilment_line
               WHERE merchant_id = :merchant_id AND order_id = k.id OFFSET 0) l
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i
           LEFT JOIN bin b ON b.merchant_id = :merchant_id AND b.id = l.bin_id
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        ids=order_ids,
    )
    found: dict[int, list[LineOfFulfilment]] = {}
    for row in rows:
        line = LineOfFulfilment(
            row.sku, row.grade, int(row.waiting or 0), int(row.handed or 0), int(row.shipped), int(row.back),
            row.bins or [],
        )  # fmt: skip
        found.setdefault(row.fulfilment_id, []).append(line)
    return found

"""What a batch asks of fulfilment orders and of what is kept for transfers: for ``core.loading`` alone.

Everything is looked up by key, as in ``core.reading``.
"""

from collections.abc import Collection

from core import tables
from core.command import HandedFrom, SentFrom, Short
from core.pipe import Runner
from core.reading import of_orders
from core.rows import FulfilmentLineRow, FulfilmentRow, KeptRow


def fulfilments_of(sent: Runner, order_ids: Collection[int]) -> tuple[list[FulfilmentRow], list[FulfilmentLineRow]]:
    """All that warehouses were told to send of these orders, oldest first."""
    rows = of_orders(sent, tables.fulfilment_order, FulfilmentRow._fields, order_ids)
    lines = of_orders(sent, tables.fulfilment_line, FulfilmentLineRow._fields, order_ids)
    return list(map(FulfilmentRow._make, rows.fetchall())), list(map(FulfilmentLineRow._make, lines.fetchall()))


def find_sent(sent: Runner, short: Short) -> set[int]:
    """Orders with the newest promises that warehouses are to send, and with those handed over last: of each as many as
    come to so many units, or all there are.
    """
    told = [(one, where.warehouse_id, n) for (one, where), n in short.items() if isinstance(where, SentFrom)]
    handed = [(one, where.bin_id, n) for (one, where), n in short.items() if isinstance(where, HandedFrom)]
    rows = sent.run(
        """SELECT f.order_id
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]),
               CAST(:units AS bigint[])) k (item_id, grade, place, units)
           CROSS JOIN LATERAL (SELECT l.order_id FROM fulfilment_line l
               CROSS JOIN LATERAL (SELECT promised_at FROM promise WHERE merchant_id = :merchant_id
                   AND order_id = l.order_id AND id = l.promise_id OFFSET 0) p
               WHERE l.merchant_id = :merchant_id AND l.item_id = k.item_id AND l.grade = k.grade
                 AND l.warehouse_id = k.place AND l.units > 0
               ORDER BY p.promised_at DESC, l.promise_id DESC LIMIT k.units) f
           UNION SELECT f.order_id
           FROM unnest(CAST(:items_handed AS bigint[]), CAST(:grades_handed AS text[]), CAST(:bins AS bigint[]),
               CAST(:units_handed AS bigint[])) k (item_id, grade, bin_id, units)
           CROSS JOIN LATERAL (SELECT order_id FROM fulfilment_line WHERE merchant_id = :merchant_id
               AND bin_id = k.bin_id AND item_id = k.item_id AND grade = k.grade AND units > 0
               ORDER BY moved_at DESC LIMIT k.units) f""",
        items=[one.item_id for one, _, _ in told],
        grades=[one.grade for one, _, _ in told],
        places=[place for _, place, _ in told],
        units=[n for *_, n in told],
        items_handed=[one.item_id for one, _, _ in handed],
        grades_handed=[one.grade for one, _, _ in handed],
        bins=[bin_id for _, bin_id, _ in handed],
        units_handed=[n for *_, n in handed],
    ).scalars()
    return set(rows)


def find_kept(sent: Runner, transfer_ids: Collection[int], short: Short) -> list[KeptRow]:
    """Lines of these transfers; and of those for which warehouses keep units that are short the newest, as many as come
    to so many units.
    """
    told = [(one, where.warehouse_id, n) for (one, where), n in short.items() if isinstance(where, SentFrom)]
    rows = sent.run(
        """SELECT l.id, l.transfer_id, t.from_id, l.item_id, l.grade, l.allocated, t.created_at
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM transfer_line
               WHERE merchant_id = :merchant_id AND transfer_id = k.id OFFSET 0) l
           CROSS JOIN LATERAL (SELECT * FROM transfer WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) t
           UNION SELECT f.*
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:places AS bigint[]),
               CAST(:units AS bigint[])) k (item_id, grade, place, units)
           CROSS JOIN LATERAL (SELECT l.id, l.transfer_id, t.from_id, l.item_id, l.grade, l.allocated, t.created_at
               FROM transfer_line l CROSS JOIN LATERAL (SELECT * FROM transfer
                   WHERE merchant_id = :merchant_id AND id = l.transfer_id OFFSET 0) t
               WHERE l.merchant_id = :merchant_id AND l.item_id = k.item_id AND l.grade = k.grade
                 AND l.allocated > 0 AND t.from_id = k.place
               ORDER BY t.created_at DESC, l.id DESC LIMIT k.units) f""",
        ids=sorted(transfer_ids),
        items=[one.item_id for one, _, _ in told],
        grades=[one.grade for one, _, _ in told],
        places=[place for _, place, _ in told],
        units=[n for *_, n in told],
    ).fetchall()
    return list(map(KeptRow._make, rows))

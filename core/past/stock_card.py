"""The stock card of an item: every document that moved it, newest first, with what there was afterwards."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from core import reading
from core.errors import Refused
from core.goods import places
from core.past import history
from core.stock import BUCKETS, Bucket, Layer
from core.transaction import Transaction

MOST_LINES = 500
_MOVEMENTS_PER_LINE = 8
_ALL_IDS = (1 << 63) - 1


class Cursor(NamedTuple):
    """The last line of a page; the next page begins after it. As a word: ``2026-11-22T10:00:00.5+00:00/71``."""

    recorded_at: datetime
    document_id: int

    def __str__(self) -> str:
        return f"{self.recorded_at.isoformat()}/{self.document_id}"

    @classmethod
    def read(cls, word: str) -> "Cursor":
        """Raises: Refused for what is no cursor."""
        at, _, document_id = word.partition("/")
        try:
            cursor = cls(datetime.fromisoformat(at), int(document_id))
        except ValueError as error:
            raise Refused(f"{word!r} names no page; give what the last page named, as it stood there") from error
        if cursor.recorded_at.tzinfo is None or not 0 <= cursor.document_id <= _ALL_IDS:
            raise Refused(f"{word!r} names no page; give what the last page named, as it stood there")
        return cursor


@dataclass(frozen=True, slots=True)
class CardMovement:
    """``quantity`` units went from one end to the other; ends are like ``MAIN/DEFAULT available``, or ``world``."""

    layer: Layer
    grade: str
    quantity: int
    from_: str
    to: str


@dataclass(frozen=True, slots=True)
class LayerTotal:
    """What a layer held of the item in one grade, over all places."""

    layer: Layer
    grade: str
    units: Mapping[Bucket, int]


@dataclass(frozen=True, slots=True)
class CardLine:
    """One document. ``after``: what there was once it was recorded; a layer without any unit is left out."""

    document_id: int
    recorded_at: datetime
    happened_at: datetime
    kind: str
    actor: str
    reason: str
    order: str
    store: str
    corrects_id: int | None
    movements: Sequence[CardMovement]
    after: Sequence[LayerTotal]


@dataclass(frozen=True, slots=True)
class Card:
    """``next``: where the next, older page begins; None when this is the last."""

    lines: Sequence[CardLine]
    next: Cursor | None


# In one statement, so that all is of one moment: what there was when the page begins, told as movements without a
# document (balances come from the world; what was shown already of the page's first instant goes back), and the newest
# movements before it. Movements of one instant come together, so that no document is cut.
PAGE = f"""
    SELECT NULL::bigint AS document_id, NULL::timestamptz AS recorded_at, 0 AS line_no, layer, grade,
        NULL::bigint AS from_place, '{Bucket.WORLD}' AS from_bucket, place_id AS to_place, bucket AS to_bucket,
        units AS quantity
    FROM ({history.BALANCES_AT}) known
    UNION ALL
    SELECT NULL, NULL, 0, layer, grade, to_place, to_bucket, from_place, from_bucket, quantity FROM movement
    WHERE merchant_id = :merchant_id AND item_id = :item_id AND recorded_at = :at AND document_id >= :before_id
    UNION ALL
    SELECT * FROM (
        SELECT document_id, recorded_at, line_no, layer, grade, from_place, from_bucket, to_place, to_bucket, quantity
        FROM movement WHERE merchant_id = :merchant_id AND item_id = :item_id AND recorded_at <= :at
          AND (recorded_at < :at OR document_id < :before_id)
          AND recorded_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
        ORDER BY recorded_at DESC FETCH FIRST (:most) ROWS WITH TIES) m
"""


class _Total(NamedTuple):
    layer: str
    grade: str
    bucket: str


def card(
    tx: Transaction,
    item_id: int,
    *,
    until: datetime,
    since: datetime | None = None,
    after: Cursor | None = None,
    limit: int = 20,
) -> Card:
    """A page of the card: documents recorded from ``since`` up to ``until``, newest first, and after a cursor.

    The cost is that of the page, however long the past is. A page holds up to ``limit`` lines (1 to ``MOST_LINES``),
    fewer where documents have many movements.
    """
    begins = after or Cursor(until, _ALL_IDS)
    most = _MOVEMENTS_PER_LINE * limit
    rows = tx.run(
        PAGE, item_ids=[item_id], item_id=item_id, at=begins.recorded_at, before_id=begins.document_id, since=since,
        most=most,
    ).all()  # fmt: skip
    totals: Counter[_Total] = Counter()
    for row in rows:
        if row.document_id is None:
            _move(totals, row, 1)
    moves = sorted((row for row in rows if row.document_id is not None), key=_newness, reverse=True)
    walked = list(_walk(moves, totals))
    is_last = len(moves) < most and len(walked) <= limit
    lines = _lines(tx, walked[:limit])
    return Card(lines, None if is_last else Cursor(lines[-1].recorded_at, lines[-1].document_id))


def _newness(row: Any) -> Cursor:
    return Cursor(row.recorded_at, row.document_id)


def _walk(moves: Sequence[Any], totals: Counter[_Total]) -> Iterator[tuple[Cursor, list[Any], Mapping[_Total, int]]]:
    """Documents from the newest back, each with its movements and what there was after it. Changes ``totals``."""
    for key, found in groupby(moves, key=_newness):
        of_document = list(found)
        yield key, of_document, dict(totals)
        for row in of_document:
            _move(totals, row, -1)


def _move(totals: Counter[_Total], row: Any, times: int) -> None:
    if row.to_place is not None:
        totals[_Total(row.layer, row.grade, row.to_bucket)] += times * row.quantity
    if row.from_place is not None:
        totals[_Total(row.layer, row.grade, row.from_bucket)] -= times * row.quantity


def _lines(tx: Transaction, page: Sequence[tuple[Cursor, list[Any], Mapping[_Total, int]]]) -> list[CardLine]:
    documents = {row.id: row for row in _documents(tx, [key for key, _, _ in page])}
    names = places.names(
        tx, {(Layer(m.layer), place) for _, moves, _ in page for m in moves for place in (m.from_place, m.to_place)}
    )
    return [
        CardLine(
            document_id=key.document_id,
            **{name: getattr(documents[key.document_id], name) for name in _OF_DOCUMENT},
            movements=[_movement(m, names) for m in sorted(moves, key=lambda m: m.line_no)],
            after=_totals(after),
        )
        for key, moves, after in page
    ]


_OF_DOCUMENT = ("recorded_at", "happened_at", "kind", "actor", "reason", "order", "store", "corrects_id")


def _documents(tx: Transaction, keys: Sequence[Cursor]) -> Sequence[Any]:
    found: Sequence[Any] = tx.run(
        f"""SELECT d.id, d.recorded_at, d.happened_at, d.kind, d.actor, {reading.REASON}, d.corrects_id,
               coalesce(o.number, '') AS order, coalesce(s.name, '') AS store
           FROM unnest(CAST(:ids AS bigint[]), CAST(:times AS timestamptz[])) k (id, recorded_at)
           CROSS JOIN LATERAL (SELECT * FROM document
               WHERE merchant_id = :merchant_id AND id = k.id AND recorded_at = k.recorded_at OFFSET 0) d
           LEFT JOIN LATERAL (SELECT number, store_id FROM store_order
               WHERE merchant_id = :merchant_id AND id = d.order_id OFFSET 0) o ON true
           LEFT JOIN LATERAL (SELECT name FROM store
               WHERE merchant_id = :merchant_id AND id = o.store_id OFFSET 0) s ON true""",
        ids=[key.document_id for key in keys],
        times=[key.recorded_at for key in keys],
    ).all()
    return found


def _movement(row: Any, names: Mapping[tuple[Layer, int], str]) -> CardMovement:
    layer = Layer(row.layer)
    from_, to = (
        bucket if place is None else f"{names[layer, place]} {bucket}"
        for place, bucket in ((row.from_place, row.from_bucket), (row.to_place, row.to_bucket))
    )
    return CardMovement(layer, row.grade, row.quantity, from_, to)


def _totals(totals: Mapping[_Total, int]) -> list[LayerTotal]:
    grades = sorted({(total.layer, total.grade) for total, units in totals.items() if units})
    return [
        LayerTotal(layer, grade, {bucket: totals.get(_Total(layer, grade, bucket), 0) for bucket in buckets})
        for layer, buckets in BUCKETS.items()
        for of, grade in grades
        if of == layer
    ]

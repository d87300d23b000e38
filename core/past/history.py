"""Balances, and the numbers that stores showed, as of any past instant.

An instant is told by ``recorded_at``: what was recorded up to it counts, whenever it happened. Where many batches work
on an item at once, one that began earlier may be recorded before what it was decided on, so for the part of a second
that they ran side by side a bucket may read below 0.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from core.errors import NotFound
from core.goods import item_views, places, skus
from core.goods.item_views import BalanceView, DocumentView
from core.past import push_facts, replay
from core.past.push_facts import StepThen
from core.selling.availability import VERSION
from core.stock import BUCKETS, Bucket, Layer
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """Units of an item in one grade at one place; at least one bucket of ``units`` is not 0."""

    item_id: int
    layer: Layer
    grade: str
    place_id: int
    units: dict[Bucket, int]


# Movements between what is known and the instant, counted backwards when what is known is later.
_BETWEEN = """
    SELECT s.item_id, m.layer, m.grade, m.from_place, m.from_bucket, m.to_place, m.to_bucket,
        CASE WHEN s.from_now THEN -m.quantity ELSE m.quantity END AS quantity
    FROM start s CROSS JOIN LATERAL (SELECT * FROM movement WHERE merchant_id = :merchant_id AND item_id = s.item_id
        AND recorded_at > CASE WHEN s.from_now THEN CAST(:at AS timestamptz) ELSE s.known_at END
        AND recorded_at <= CASE WHEN s.from_now THEN 'infinity' ELSE CAST(:at AS timestamptz) END OFFSET 0) m"""
# Starts from the nearest balances that are known, and counts the movements between them and the instant: those since
# the last checkpoint before it, or, where no checkpoint is later and it is nearer to now, what is there now without the
# movements after it. Between two checkpoints there are never many movements.
START = """
    SELECT k.id AS item_id, before.cells, NOT newest.is_later AND (before.at IS NULL
            OR CAST(:at AS timestamptz) - before.at > :now - CAST(:at AS timestamptz)) AS from_now,
        coalesce(before.at, '-infinity') AS known_at
    FROM unnest(CAST(:item_ids AS bigint[])) k (id)
    LEFT JOIN LATERAL (SELECT at, cells FROM balance_checkpoint WHERE merchant_id = :merchant_id
        AND item_id = k.id AND at <= :at ORDER BY at DESC LIMIT 1) before ON true
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM balance_checkpoint WHERE merchant_id = :merchant_id
        AND item_id = k.id AND at > :at) AS is_later) newest"""
BALANCES_AT = f"""
    WITH start AS MATERIALIZED ({START}), part AS (
        {replay.kept("SELECT item_id, cells FROM start WHERE NOT from_now")}
        UNION ALL
        SELECT b.* FROM start s CROSS JOIN LATERAL ({replay.stored("AND b.item_id = s.item_id")}) b WHERE s.from_now
        UNION ALL
        {replay.moved(_BETWEEN)}
    )
    SELECT {replay.COLUMNS.replace("units", "sum(units)::bigint AS units")} FROM part
    GROUP BY item_id, layer, grade, place_id, bucket HAVING sum(units) <> 0
"""


def balances_at(tx: Transaction, item_ids: Collection[int] | None, at: datetime) -> list[BalanceAt]:
    """What stood in all layers, places and grades when everything recorded up to ``at`` was recorded.

    Args: item_ids: None means all items; then raise the statement's time limit for a large ledger first.
    Returns: rows by item, layer, grade and place.
    """
    if item_ids is None:
        item_ids = tx.run("SELECT id FROM item WHERE merchant_id = :merchant_id").scalars().all()
    rows = sorted(
        tx.run(BALANCES_AT, item_ids=sorted(item_ids), at=at),
        key=lambda row: (row.item_id, list(BUCKETS).index(row.layer), row.grade, row.place_id),
    )
    return [
        BalanceAt(item_id, Layer(layer), grade, place_id, _buckets(Layer(layer), {r.bucket: r.units for r in found}))
        for (item_id, layer, grade, place_id), found in groupby(
            rows, key=lambda row: (row.item_id, row.layer, row.grade, row.place_id)
        )
    ]


def item_at(tx: Transaction, item_id: int, at: datetime) -> list[BalanceView]:
    """The same for one item, with the names of its places."""
    rows = balances_at(tx, [item_id], at)
    names = places.names(tx, {(row.layer, row.place_id) for row in rows})
    return [
        BalanceView(row.layer, names[row.layer, row.place_id], row.grade, {str(b): n for b, n in row.units.items()})
        for row in rows
    ]


def _buckets(layer: Layer, units: Mapping[str, int]) -> dict[Bucket, int]:
    return {bucket: units.get(bucket, 0) for bucket in BUCKETS[layer]}


@dataclass(frozen=True, slots=True)
class NumberThen:
    """What a store showed by one listing at an instant, as far as it had told us, and why.

    ``number``     the last that the store had confirmed; None when it had confirmed none.
    ``push_id``    the push that it was confirmed by, ``confirmed_at`` when that was.
    ``version``    of the sum that gave the number; None where a push kept no facts. ``facts``: these, as they are kept.
    ``sentence``   all of it for people.
    ``documents``  the newest that moved the listing's items after the number was computed, up to the instant.
    """

    listing_id: int
    external_id: str
    store: str
    number: int | None
    confirmed_at: datetime | None
    push_id: int | None
    wanted: int | None
    version: int | None
    facts: Mapping[str, Any] | None
    steps: Sequence[StepThen]
    sentence: str
    documents: Sequence[DocumentView]


# The newest push that had ended by then, and the newest that a store had confirmed a number by.
_PUSHES = """
    SELECT l.id, l.external_id, l.item_id, s.name AS store, last.status, last.wanted AS last_wanted, last.reason,
        told.id AS push_id, told.shown, told.wanted, told.facts, told.claimed_at, told.settled_at
    FROM listing l JOIN store s ON s.merchant_id = l.merchant_id AND s.id = l.store_id
    LEFT JOIN LATERAL (SELECT * FROM push WHERE merchant_id = :merchant_id AND listing_id = l.id
        AND settled_at <= :at ORDER BY settled_at DESC, id DESC LIMIT 1) last ON true
    LEFT JOIN LATERAL (SELECT * FROM push WHERE merchant_id = :merchant_id AND listing_id = l.id
        AND settled_at <= :at AND shown IS NOT NULL ORDER BY settled_at DESC, id DESC LIMIT 1) told ON true
    WHERE l.merchant_id = :merchant_id AND
"""


def number_at(tx: Transaction, listing_id: int, at: datetime) -> NumberThen:
    """The number that a listing's store had confirmed by ``at``, and why it was that. Raises: NotFound."""
    row = tx.run(f"{_PUSHES} l.id = :listing_id", listing_id=listing_id, at=at).one_or_none()
    if row is None:
        raise NotFound(f"there is no listing {listing_id}")
    return _number_then(tx, row, at)


def numbers_at(tx: Transaction, item_id: int, at: datetime) -> list[NumberThen]:
    """The same for every listing of an item, by store."""
    rows = tx.run(f"{_PUSHES} l.item_id = :item_id ORDER BY s.id, l.id", item_id=item_id, at=at).all()
    return [_number_then(tx, row, at) for row in rows]


def _number_then(tx: Transaction, row: Any, at: datetime) -> NumberThen:
    steps = push_facts.steps_then(row.facts, row.wanted) if row.facts else ()
    return NumberThen(
        listing_id=row.id,
        external_id=row.external_id,
        store=row.store,
        number=row.shown,
        confirmed_at=row.settled_at,
        push_id=row.push_id,
        wanted=row.wanted,
        version=row.facts["version"] if row.facts else None,
        facts=row.facts["facts"] if row.facts else None,
        steps=steps,
        sentence=_sentence(row, steps),
        documents=item_views.documents(tx, _items_of(tx, row), after=row.claimed_at, until=at)
        if row.push_id is not None
        else (),
    )


def _items_of(tx: Transaction, row: Any) -> list[int]:
    """The listing's item, and those that went into its number as components of a bundle."""
    facts = push_facts.unpack(row.facts) if row.facts else None
    own = [row.item_id] if row.item_id is not None else []
    if facts is None or not facts.parts:
        return own
    parts = skus.find(tx, [part.sku for part in facts.parts])  # by the SKUs of that time
    return [*own, *(part.id for part in parts.values())]


def _sentence(row: Any, steps: Sequence[StepThen]) -> str:
    if row.push_id is None:
        if row.status is None:
            return f"{row.store} had been told no number by then."
        tried = f"; the last try ({row.status}) was to show {row.last_wanted:,}"
        return f"{row.store} had confirmed no number by then{tried}{f': {row.reason}' if row.reason else ''}."
    told = f"{row.store} had confirmed {row.shown:,}"
    if row.facts is None:
        return f"{told}. What that was computed from was not kept yet."
    if row.facts["version"] != VERSION:
        walked = ", ".join(f"{step.name} {step.number:,}" for step in steps)
        return (
            f"{told}. Version {row.facts['version']} of the sum computed that, and this is version {VERSION}, so its "
            f"steps are told by name and number only: {walked}."
        )
    why = "; ".join(step.why for step in steps)
    held = "; it was left as high as it was until the other stores showed less" if steps[-1].number < row.wanted else ""
    asked = "" if row.shown == row.wanted else f"; {row.wanted:,} was asked for"
    return f"{told}: {why}{held}{asked}."

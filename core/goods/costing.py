"""How what is noted of an item's costs changes: as units come, go back or are taken back, in step with what is on hand.

Whoever notes costs of an item holds its row in the shared pool, in the grade good, so two of one item never mix.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from core.books import Books
from core.goods import averages
from core.goods.averages import Share, Shares
from core.pipe import Runner
from core.rows import CostWish
from core.stock import GOOD, BalanceKey, Layer, Movement


class Change(NamedTuple):
    """``units`` came with a document at ``minor`` each; below 0: so many of those that came with it are gone.

    ``minor``: in the smallest unit of ``currency``; None: nobody knows. ``taken_by``: the document with which they went
    back to their supplier; with units above 0, that was a mistake.
    """

    document_id: int
    units: int
    minor: int | None
    currency: str
    taken_by: int | None = None

    @property
    def is_mistake(self) -> bool:
        """It takes back what was noted before."""
        return self.units < 0 and self.taken_by is None

    @property
    def layer(self) -> tuple[int, int | None, str]:
        """What it is a part of: units that came with one document at one cost."""
        return self.document_id, self.minor, self.currency


def keys(books: Books, item_ids: Iterable[int]) -> set[BalanceKey]:
    """Rows that a command locks beside its others when it notes what these items cost."""
    return {BalanceKey(Layer.SALES, item_id, GOOD, books.home.shared_pool_id) for item_id in item_ids}


def brought(moves: Iterable[Movement]) -> dict[int, int]:
    """By item, units on hand that movements bring; below 0: that they take away."""
    found: dict[int, int] = defaultdict(int)
    for move in moves:
        if move.layer is Layer.WAREHOUSE:
            found[move.stocked.item_id] += move.quantity * ((move.from_.place_id is None) - (move.to.place_id is None))
    return {item_id: units for item_id, units in found.items() if units}


class Notes:
    """What is noted of some items, and what is on hand of them now; collects what is to be noted beside."""

    def __init__(self, sent: Runner, item_ids: Collection[int]) -> None:
        self._sent, self._rows = sent, list[tuple[Any, ...]]()
        ids = sorted(set(item_ids))
        last, there = sent.run(_LAST, ids=ids), sent.run(_ON_HAND, ids=ids)
        self._last = {item_id: (at, nth, averages.read(parts)) for item_id, at, nth, parts in last.fetchall()}
        self._on_hand: Mapping[int, int] = dict(map(tuple, there.fetchall()))

    @property
    def is_empty(self) -> bool:
        """Nobody ever noted what any of these cost."""
        return not self._last

    def on_hand(self, item_id: int) -> int:
        return self._on_hand.get(item_id, 0)

    def shares(self, item_id: int, on_hand: int) -> Shares:
        """What there is of an item when so many units of it are there."""
        return averages.settled(self._last[item_id][2] if item_id in self._last else (), on_hand)

    def change(self, item_id: int, changes: Sequence[Change], before: int, after: int) -> None:
        """Note changes of an item of which ``before`` units were on hand, and ``after`` are then.

        What is taken back was a mistake: then the average is what it would be if nobody had ever noted it.
        """
        shares = self.shares(item_id, before)
        if mistakes := [one for one in changes if one.is_mistake]:
            never = self._as_if_never(item_id, mistakes)
            shares = averages.settled(never, max(before + sum(one.units for one in mistakes), 0))
        for one in changes:
            shares = shares if one.is_mistake else _changed(shares, one)
        self.add(item_id, changes, averages.settled(shares, after))

    def _as_if_never(self, item_id: int, mistakes: Iterable[Change]) -> Shares:
        """What there would have been of an item at the last note if nobody had ever noted these, nor what was taken
        back since the first of them.
        """
        self.write()
        rows, since = list[_Row](), set[int]()
        wanted = {one.document_id for one in mistakes}
        while wanted - since:
            since |= wanted
            asked = self._sent.run(_SINCE, item_id=item_id, ids=sorted(since)).fetchall()
            rows = [_Row(parts, Change(*one)) for parts, *one in asked]
            wanted = {row.change.document_id for row in rows if row.change.is_mistake}
        gone = Counter[tuple[int, int | None, str]]()
        for one in (*mistakes, *(row.change for row in rows if row.change.is_mistake)):
            gone[one.layer] -= one.units
        return _replayed(rows, gone)

    def add(self, item_id: int, changes: Sequence[Change], shares: Shares) -> None:
        """Note changes of an item, the oldest first, and what there is of it after all of them."""
        at, nth = self._at(item_id)
        parts = json.dumps(averages.as_json(shares))
        self._rows += [(item_id, at, nth + n, *one, parts) for n, one in enumerate(changes, start=1)]
        self._last[item_id] = at, nth + len(changes), shares

    def _at(self, item_id: int) -> tuple[Any, int]:
        """When the next is noted (None: now), and how many were before it."""
        return self._last[item_id][:2] if item_id in self._last else (None, 0)

    def write(self) -> None:
        names = ("item_id", "after", "nth", "document_id", "units", "cost_minor", "currency", "taken_by", "parts")
        if self._rows:
            columns = map(list, zip(*self._rows, strict=True))
            self._sent.run(_WRITE, **dict(zip(names, columns, strict=True)))
            self._rows.clear()


class _Row(NamedTuple):
    """A note, and what there was of the item after it and those of the same act. ``change`` of 0 units: none."""

    parts: Any
    change: Change


def _replayed(rows: Iterable[_Row], gone: Counter[tuple[int, int | None, str]]) -> Shares:
    """What there is after notes, the oldest first, without units that are ``gone`` of what came. Pure but for that."""
    shares, too_many = Shares(), 0  # units that were on hand then and would not have been
    for parts, noted in groupby(rows, key=lambda row: row.parts):
        after, changes = averages.units_of(averages.read(parts)), [row.change for row in noted]
        if not changes[0].units:
            shares = averages.read(parts)
            continue
        kept = [left for one in changes if (left := _left(one, gone)).units]
        shares = averages.settled(shares, max(after - sum(one.units for one in changes) - too_many, 0))
        too_many += sum(one.units for one in changes) - sum(one.units for one in kept)
        for one in kept:
            shares = _changed(shares, one)
        shares = averages.settled(shares, max(after - too_many, 0))
    return shares


def _left(one: Change, gone: Counter[tuple[int, int | None, str]]) -> Change:
    """A change without units that are gone, which are counted down."""
    if one.is_mistake:
        return one._replace(units=0)
    units = min(gone[one.layer], max(one.units, 0)) if one.taken_by is None else 0
    gone[one.layer] -= units
    return one._replace(units=one.units - units)


def _changed(shares: Shares, one: Change) -> Shares:
    average = averages.fine(one.minor or 0)
    if one.units > 0:
        return averages.come(shares, [Share(one.currency, one.units, average)])
    gone = min(-one.units, averages.units_of(shares))
    return averages.taken_back(shares, Share(one.currency, gone, average)) if gone else shares


def of_documents(sent: Runner, document_ids: Iterable[int]) -> dict[int, dict[int, list[Change]]]:
    """What is noted of documents, by document and item: of what came with them, units that are not gone again; and of
    what went back with them, units below 0.
    """
    found: dict[int, dict[int, list[Change]]] = {}
    for asked, item_id, *one in sent.run(_OF_DOCUMENTS, ids=sorted(set(document_ids))).fetchall():
        found.setdefault(asked, {}).setdefault(item_id, []).append(Change(*one))
    return found


def opposite(one: Change) -> Change:
    return one._replace(units=-one.units)


def keep(sent: Runner, books: Books) -> None:
    """Note what a batch posted says of costs, once its balances are written; for ``core.writing`` alone."""
    if not books.costs:
        return
    backs = of_documents(sent, [one.takes_back for one in books.costs.values() if one.takes_back is not None])
    changes = {document_id: _changes(document_id, wish, backs) for document_id, wish in books.costs.items()}
    notes = Notes(sent, {item_id for by_item in changes.values() for item_id in by_item})
    on_hand = defaultdict[int, int](int)
    for document_id, by_item in changes.items():
        for item_id in by_item:
            on_hand[item_id] -= books.costs[document_id].brought.get(item_id, 0)
    for document_id, by_item in changes.items():
        for item_id, told in by_item.items():
            before = notes.on_hand(item_id) + on_hand[item_id]
            on_hand[item_id] += books.costs[document_id].brought.get(item_id, 0)
            notes.change(item_id, told, max(before, 0), notes.on_hand(item_id) + on_hand[item_id])
    notes.write()
    books.costs.clear()


def _changes(
    document_id: int, wish: CostWish, backs: Mapping[int, Mapping[int, Sequence[Change]]]
) -> dict[int, list[Change]]:
    """By item, what a document changes."""
    found: dict[int, list[Change]] = defaultdict(list)
    for item_id, units, minor, currency in wish.came:
        found[item_id].append(Change(document_id, units, minor, currency))
    for item_id, noted in backs.get(wish.takes_back or 0, {}).items():
        found[item_id] += map(opposite, noted)
    return found


_LAST = """
    SELECT c.item_id, c.at, c.nth, c.parts FROM unnest(CAST(:ids AS bigint[])) k (id)
    CROSS JOIN LATERAL (SELECT * FROM item_cost WHERE merchant_id = :merchant_id AND item_id = k.id
        ORDER BY at DESC, nth DESC LIMIT 1) c
"""
_ON_HAND = """
    SELECT k.id AS item_id, b.units FROM unnest(CAST(:ids AS bigint[])) k (id)
    CROSS JOIN LATERAL (SELECT coalesce(sum(available + picking + unavailable), 0)::bigint AS units
        FROM warehouse_balance WHERE merchant_id = :merchant_id AND item_id = k.id) b
"""
# The notes since the first of some documents; and the one before, which tells no change, only what there was.
_SINCE = """
    SELECT c.parts, c.document_id, c.units, c.cost_minor, c.currency, c.taken_by
    FROM (SELECT at, nth FROM item_cost WHERE merchant_id = :merchant_id AND item_id = :item_id
        AND document_id = ANY(CAST(:ids AS bigint[])) ORDER BY at, nth LIMIT 1) first
    CROSS JOIN LATERAL (
        (SELECT at, nth, parts, document_id, 0 AS units, cost_minor, currency, taken_by FROM item_cost
            WHERE merchant_id = :merchant_id AND item_id = :item_id AND (at, nth) < (first.at, first.nth)
            ORDER BY at DESC, nth DESC LIMIT 1)
        UNION ALL SELECT at, nth, parts, document_id, units, cost_minor, currency, taken_by FROM item_cost
            WHERE merchant_id = :merchant_id AND item_id = :item_id AND (at, nth) >= (first.at, first.nth)) c
    ORDER BY c.at, c.nth
"""
# Units that came with a document, less those that are gone of them; and those that went back with it.
_OF_DOCUMENTS = """
    SELECT k.id, c.item_id, c.document_id, c.units, c.cost_minor, c.currency, c.taken_by
    FROM unnest(CAST(:ids AS bigint[])) k (id)
    CROSS JOIN LATERAL (
        SELECT item_id, document_id, cost_minor, currency, sum(units)::bigint AS units, NULL::bigint AS taken_by,
            min(nth) AS nth
        FROM item_cost WHERE merchant_id = :merchant_id AND document_id = k.id
        GROUP BY item_id, document_id, cost_minor, currency HAVING sum(units) > 0
        UNION ALL SELECT item_id, document_id, cost_minor, currency, sum(units)::bigint, k.id, min(nth)
        FROM item_cost WHERE merchant_id = :merchant_id AND taken_by = k.id
        GROUP BY item_id, document_id, cost_minor, currency HAVING sum(units) < 0) c
    ORDER BY k.id, c.item_id, c.nth
"""
_WRITE = """
    INSERT INTO item_cost (merchant_id, item_id, at, nth, document_id, units, cost_minor, currency, taken_by, parts)
    SELECT :merchant_id, k.item_id, greatest(k.after, :now), k.nth, k.document_id, k.units, k.cost_minor, k.currency,
        k.taken_by, CAST(k.parts AS jsonb)
    FROM unnest(CAST(:item_id AS bigint[]), CAST(:after AS timestamptz[]), CAST(:nth AS integer[]),
        CAST(:document_id AS bigint[]), CAST(:units AS bigint[]), CAST(:cost_minor AS bigint[]),
        CAST(:currency AS text[]), CAST(:taken_by AS bigint[]), CAST(:parts AS text[]))
        k (item_id, after, nth, document_id, units, cost_minor, currency, taken_by, parts)
"""

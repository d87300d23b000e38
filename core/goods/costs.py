"""What units cost when they came, noted per document and item, with what there was of each item then.

A cost is noted in the transaction that brought the units, or later; then it is as if they came when it is noted. Who
notes one holds the balance row of the item in the shared pool, so two of one item never mix.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from core import reading
from core.errors import Refused
from core.goods import averages, layers
from core.goods.averages import Share, Shares
from core.goods.layers import Came
from core.stock import GOOD, BalanceKey, Layer
from core.transaction import Transaction
from core.writing import make_missing

MOST_MINOR = 10**15


class Cost(NamedTuple):
    """``units`` (>= 1) of an item came at ``minor`` each, in the smallest unit of ``currency``."""

    item_id: int
    units: int
    minor: int
    currency: str


def note(tx: Transaction, document_id: int, costs: Sequence[Cost]) -> None:
    """Note what the units of a document cost; they are on hand by now. Raises: Refused for what is no cost."""
    if any(not 0 <= one.minor < MOST_MINOR or len(one.currency) != 3 or one.units < 1 for one in costs):
        raise Refused("a cost is 0 or more of a currency, like 4.90 EUR")
    by_item: dict[int, list[Came]] = {}
    for one in costs:
        by_item.setdefault(one.item_id, []).append(Came(one.units, one.minor, one.currency))
    known = _Known(tx, by_item)
    for item_id, rows in by_item.items():
        here = known.on_hand(item_id)
        new, left = list[Share](), here
        for row in rows:
            units = min(row.units, left)
            left -= units
            new += [Share(row.currency, units, averages.fine(row.minor or 0))] if units else []
        known.add(item_id, document_id, rows, averages.come(known.shares(item_id, left), new))
    known.write()


def correct(tx: Transaction, document_id: int, cost: Cost) -> bool:
    """Note a cost of units that came before, or another one than was. Returns: False when it was known already."""
    earlier = of_document(tx, document_id).get(cost.item_id, [])
    if earlier == [Came(cost.units, cost.minor, cost.currency)]:
        return False
    _take_back(tx, document_id, {cost.item_id: earlier}, gone=False)
    note(tx, document_id, [cost])
    return True


def take_back(tx: Transaction, document_id: int) -> None:
    """What came with a document was entered by mistake and is gone again by now; its cost counts no more."""
    if noted := of_document(tx, document_id):
        _take_back(tx, document_id, noted, gone=True)


def _take_back(tx: Transaction, document_id: int, by_item: Mapping[int, Sequence[Came]], *, gone: bool) -> None:
    known = _Known(tx, by_item)
    for item_id, rows in by_item.items():
        here = known.on_hand(item_id) + (sum(row.units for row in rows) if gone else 0)
        shares = known.shares(item_id, here)
        for row in rows:
            if units := min(row.units, averages.units_of(shares)):
                shares = averages.taken_back(shares, Share(row.currency, units, averages.fine(row.minor or 0)))
        known.add(item_id, document_id, [row._replace(units=-row.units) for row in rows], shares)
    known.write()


def of_document(tx: Transaction, document_id: int) -> dict[int, list[Came]]:
    """What is noted of a document, by item; what was taken back is not."""
    rows = tx.run(
        """SELECT item_id, units, cost_minor, currency FROM item_cost
           WHERE merchant_id = :merchant_id AND document_id = :document_id ORDER BY item_id, nth""",
        document_id=document_id,
    )
    found: dict[int, list[Came]] = {}
    for row in rows:
        noted = found.setdefault(row.item_id, [])
        if row.units > 0:
            noted.append(Came(*row[1:]))
        else:
            noted.pop(0)  # what is taken back, is so in the order in which it was noted
    return {item_id: noted for item_id, noted in found.items() if noted}


def brought(tx: Transaction, document_id: int) -> dict[int, int]:
    """Units on hand that a document brought, by item: those that it found and those that it took away beside."""
    rows = tx.run(
        """SELECT item_id, sum(CASE WHEN to_place IS NULL THEN -quantity ELSE quantity END)::bigint AS units
           FROM movement WHERE merchant_id = :merchant_id AND document_id = :document_id AND layer = 'warehouse'
             AND (from_place IS NULL OR to_place IS NULL) GROUP BY 1""",
        document_id=document_id,
    )
    return {row.item_id: row.units for row in rows if row.units > 0}


def merge(tx: Transaction, before: int, after: int, units: int, document_id: int) -> None:
    """So many units, all of the first item, are on hand as units of the second now, at what they cost."""
    known = _Known(tx, {before, after})
    if not units or not known.costs:
        return
    shares = averages.come(known.shares(after, known.on_hand(after) - units), known.shares(before, units))
    known.add(after, document_id, layers.covering(tx, {before: units})[before][::-1], shares)
    known.write()


def split(tx: Transaction, before: int, after: int, units: int, document_id: int) -> None:
    """So many units of the first item, the oldest by their cost, are on hand as units of the new one now."""
    known = _Known(tx, {before, after})
    if not units or not known.costs:
        return
    whole = known.on_hand(before) + units
    shares = averages.taken(known.shares(before, whole), units)
    found = layers.covering(tx, {before: whole})[before]
    known.add(after, document_id, layers.oldest(found, units)[::-1], shares)
    known.write()


class _Known:
    """Items with the costs that were noted last and what is on hand of them; collects what is to be noted."""

    def __init__(self, tx: Transaction, item_ids: Collection[int]) -> None:
        self._tx, self._rows = tx, list[tuple[Any, ...]]()
        ids = sorted(item_ids)
        _hold(tx, ids)
        self.costs = {row.item_id: row for row in tx.run(_LAST, ids=ids)}
        self._on_hand = {row.item_id: row.units for row in tx.run(_ON_HAND, ids=ids)}

    def on_hand(self, item_id: int) -> int:
        return int(self._on_hand.get(item_id, 0))

    def shares(self, item_id: int, on_hand: int) -> Shares:
        """What there is of an item when so many units of it are there."""
        last = self.costs.get(item_id)
        return averages.settled(() if last is None else averages.read(last.parts), on_hand)

    def add(self, item_id: int, document_id: int, came: Sequence[Came], shares: Shares) -> None:
        """Note what came, the oldest first, and what there is of the item after that. Once for each item."""
        nth, at = 1, self._tx.now
        if last := self.costs.get(item_id):
            nth, at = last.nth + 1, max(last.at, at)
        parts = json.dumps(averages.as_json(shares))
        self._rows += [(item_id, at, nth + n, document_id, *one, parts) for n, one in enumerate(came)]

    def write(self) -> None:
        names = ("item_id", "at", "nth", "document_id", "units", "cost_minor", "currency", "parts")
        if self._rows:
            columns = map(list, zip(*self._rows, strict=True))
            self._tx.run(_WRITE, **dict(zip(names, columns, strict=True)))


def _hold(tx: Transaction, item_ids: Sequence[int]) -> None:
    """Whoever moves units of an item holds its row in the shared pool."""
    shared = tx.run("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'").scalar_one()
    keys = [BalanceKey(Layer.SALES, item_id, GOOD, shared) for item_id in item_ids]
    make_missing(tx, Layer.SALES, keys)
    reading.lock_balances(tx, Layer.SALES, keys, "FOR NO KEY UPDATE").fetchall()


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
_WRITE = """
    INSERT INTO item_cost (merchant_id, item_id, at, nth, document_id, units, cost_minor, currency, parts)
    SELECT :merchant_id, k.item_id, k.at, k.nth, k.document_id, k.units, k.cost_minor, k.currency,
        CAST(k.parts AS jsonb)
    FROM unnest(CAST(:item_id AS bigint[]), CAST(:at AS timestamptz[]), CAST(:nth AS integer[]),
        CAST(:document_id AS bigint[]), CAST(:units AS bigint[]), CAST(:cost_minor AS bigint[]),
        CAST(:currency AS text[]), CAST(:parts AS text[]))
        k (item_id, at, nth, document_id, units, cost_minor, currency, parts)
"""

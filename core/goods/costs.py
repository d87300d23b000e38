"""What units cost when they came, noted per document and item, with what there was of each item then.

A cost is noted in the transaction that brought the units, or later; then it is as if they came when it is noted. What
commands say of costs themselves is noted by their batch, see ``core.goods.costing``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from core import reading
from core.errors import Refused
from core.goods import averages, layers
from core.goods.costing import Change, Notes, of_documents, opposite
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


def require(minor: int, currency: str) -> None:
    """Raises: Refused for what is no cost."""
    if not 0 <= minor < MOST_MINOR or len(currency) != 3:
        raise Refused("a cost is 0 or more of a currency, like 4.90 EUR")


def note(tx: Transaction, document_id: int, costs: Sequence[Cost]) -> None:
    """Note what the units of a document cost; they are on hand by now. Raises: Refused for what is no cost."""
    by_item: dict[int, list[Change]] = {}
    for one in costs:
        require(one.minor, one.currency)
        if one.units < 1:
            raise Refused("a cost is that of 1 unit or more")
        by_item.setdefault(one.item_id, []).append(Change(document_id, *one[1:]))
    notes = _held(tx, by_item)
    for item_id, changes in by_item.items():
        here = notes.on_hand(item_id)
        notes.change(item_id, changes, max(here - sum(one.units for one in changes), 0), here)
    notes.write()


def correct(tx: Transaction, document_id: int, costs: Sequence[Cost]) -> set[int]:
    """Note costs of units that came before, one of each item, or other ones than were.

    Returns: items whose cost was not known so already.
    """
    notes = _held(tx, {one.item_id for one in costs})
    earlier, changed = of_documents(tx, [document_id]).get(document_id, {}), set[int]()
    gone = _gone_back(tx, document_id)
    for one in costs:
        require(one.minor, one.currency)
        new = Change(document_id, one.units - gone.get(one.item_id, 0), one.minor, one.currency)
        old = [noted for noted in earlier.get(one.item_id, ()) if noted.taken_by is None]
        if old == [new] or new.units < 1:
            continue
        here = notes.on_hand(one.item_id)
        notes.change(one.item_id, [*map(opposite, old), new], here if old else max(here - new.units, 0), here)
        changed.add(one.item_id)
    notes.write()
    return changed


def _gone_back(tx: Transaction, document_id: int) -> Mapping[int, int]:
    """Units by item that came with a document and went back to their supplier."""
    rows = tx.run(
        """SELECT item_id, -sum(units)::bigint AS units FROM item_cost
           WHERE merchant_id = :merchant_id AND document_id = :document_id AND taken_by IS NOT NULL GROUP BY 1""",
        document_id=document_id,
    )
    return {row.item_id: row.units for row in rows}


def take_back(tx: Transaction, document_id: int) -> None:
    """What came with a document was entered by mistake and is gone again by now; its cost counts no more."""
    if noted := of_documents(tx, [document_id]).get(document_id):
        notes = _held(tx, noted)
        for item_id, changes in noted.items():
            here = notes.on_hand(item_id)
            notes.change(item_id, [*map(opposite, changes)], here + sum(one.units for one in changes), here)
        notes.write()


class Bought(NamedTuple):
    """Units of an item that went back to their supplier, and the documents with which they may have come."""

    item_id: int
    units: int
    came_with: Sequence[int]


def go_back(tx: Transaction, document_id: int, goods: Sequence[Bought]) -> None:
    """Units are gone to their supplier by now, at the cost at which they came, of the oldest first; those for which no
    such cost is noted as any others.
    """
    noted = of_documents(tx, {came for one in goods for came in one.came_with})
    notes = _held(tx, {one.item_id for one in goods})
    for one in goods:
        left, changes = one.units, list[Change]()
        for came in one.came_with:
            for known in noted.get(came, {}).get(one.item_id, ()):
                if units := min(left, max(known.units, 0)):
                    changes.append(known._replace(units=-units, taken_by=document_id))
                    left -= units
        if changes:
            here = notes.on_hand(one.item_id)
            notes.change(one.item_id, changes, here + one.units, here)
    notes.write()


def last_currency(tx: Transaction, item_id: int) -> str | None:
    """The currency of the cost that was noted last; None: nobody noted any."""
    found: str | None = tx.run(
        """SELECT currency FROM item_cost WHERE merchant_id = :merchant_id AND item_id = :item_id AND currency <> ''
           ORDER BY at DESC, nth DESC LIMIT 1""",
        item_id=item_id,
    ).scalar_one_or_none()
    return found


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
    notes = _held(tx, {before, after})
    if not units or notes.is_empty:
        return
    shares = averages.come(notes.shares(after, notes.on_hand(after) - units), notes.shares(before, units))
    notes.add(after, _as_changes(document_id, layers.covering(tx, {before: units})[before]), shares)
    notes.write()


def split(tx: Transaction, before: int, after: int, units: int, document_id: int) -> None:
    """So many units of the first item, the oldest by their cost, are on hand as units of the new one now."""
    notes = _held(tx, {before, after})
    if not units or notes.is_empty:
        return
    whole = notes.on_hand(before) + units
    shares = averages.taken(notes.shares(before, whole), units)
    found = layers.covering(tx, {before: whole})[before]
    notes.add(after, _as_changes(document_id, layers.oldest(found, units)), shares)
    notes.write()


def _as_changes(document_id: int, newest_first: Sequence[Came]) -> list[Change]:
    return [Change(document_id, *one) for one in reversed(newest_first)]


def _held(tx: Transaction, item_ids: Collection[int]) -> Notes:
    """Whoever moves units of an item holds its row in the shared pool."""
    _hold(tx, sorted(item_ids))
    return Notes(tx, item_ids)


def _hold(tx: Transaction, item_ids: Iterable[int]) -> None:
    shared = tx.run("SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared'").scalar_one()
    keys = [BalanceKey(Layer.SALES, item_id, GOOD, shared) for item_id in item_ids]
    make_missing(tx, Layer.SALES, keys)
    reading.lock_balances(tx, Layer.SALES, keys, "FOR NO KEY UPDATE").fetchall()

"""Rebuild: balances become again what the movements say, while batches go on.

A batch holds the rows of all balances that its movements change until it commits. So whoever holds a row, and then
reads it and the movements anew, sees both or neither of any batch, and nobody changes either until it is set right.
Rows are taken in the order in which batches take them, a few items at a time.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import bulk, marks, patience, reading
from core.access import acts
from core.access.actors import Actor
from core.past import checkpoints, replay
from core.stock import BUCKETS, BalanceKey, Bucket, Layer
from core.transaction import Database, Transaction
from core.writing import BALANCES, balance_columns, make_missing

logger = logging.getLogger(__name__)
LIMIT_S = 3600
_ITEMS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """A bucket that holds ``stored`` units where the movements make it ``replayed``."""

    layer: Layer
    item_id: int
    grade: str
    place_id: int
    bucket: Bucket
    stored: int
    replayed: int

    @property
    def key(self) -> BalanceKey:
        return BalanceKey(self.layer, self.item_id, self.grade, self.place_id)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rebuild would change. ``checkpoints``: ids of items whose kept past is not what the movements say."""

    differences: Sequence[Difference]
    checkpoints: Sequence[int]

    @property
    def is_empty(self) -> bool:
        return not self.differences and not self.checkpoints


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``changed``: what was set right; ``impossible``: buckets that the movements lead below 0, left as they were."""

    changed: Sequence[Difference]
    impossible: Sequence[Difference]


def plan(tx: Transaction) -> Plan:
    """Everything that is not what the movements say; buckets in the order in which rows are locked.

    Reads the whole ledger: a second or two for a million movements.
    """
    patience.allow(tx, LIMIT_S)
    wrong = {row.item_id for row in tx.run(replay.CHECKPOINTS)}
    return Plan(_differences(tx, replay.BALANCES_OF_ALL), sorted(wrong))


def run(db: Database, actor: Actor, plan: Plan) -> Rebuilt:
    """Set the balance rows of a plan right, by the movements as they are by then; what was changed is noted."""
    keys = sorted({one.key for one in plan.differences})
    item_ids = sorted({key.item_id for key in keys})
    changed: list[Difference] = []
    impossible: list[Difference] = []
    for start in range(0, len(item_ids), _ITEMS_AT_ONCE):
        lot = set(item_ids[start : start + _ITEMS_AT_ONCE])
        with db.begin(actor.merchant_id, actor=str(actor), source="rebuild") as tx:
            done = Rebuild(tx).set_right([key for key in keys if key.item_id in lot])
            if done.changed:
                acts.note(tx, actor, "balances.rebuild", "merchant", changed=[_plain(one) for one in done.changed])
        changed += done.changed
        impossible += done.impossible
    if plan.checkpoints:
        with db.begin(actor.merchant_id, actor=str(actor), source="rebuild") as tx:
            checkpoints.forget(tx, plan.checkpoints)
    for one in changed:
        logger.warning("merchant %s: rebuilt %s", actor.merchant_id, _plain(one))
    return Rebuilt(changed, impossible)


def _plain(one: Difference) -> list[object]:
    """[layer, item id, grade, place id, bucket, stored, replayed]"""
    return [str(one.layer), one.item_id, one.grade, one.place_id, str(one.bucket), one.stored, one.replayed]


class Rebuild:
    """One transaction's worth of rows."""

    row_lock: ClassVar[str] = "FOR NO KEY UPDATE"

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    def set_right(self, keys: Collection[BalanceKey]) -> Rebuilt:
        """Lock these rows, compare them with the movements, and write what differs."""
        patience.allow(self.tx, LIMIT_S)
        item_ids = {key.item_id for key in keys}
        rows = self._lock(keys)
        wrong = [one for one in _differences(self.tx, replay.BALANCES_OF_SOME, item_ids) if one.key in rows]
        below = {one.key for one in wrong if one.replayed < 0}
        changed = [one for one in wrong if one.key not in below]
        for one in changed:
            rows[one.key][one.bucket] = one.replayed
        self._write({one.key: rows[one.key] for one in changed})
        if changed:
            marks.stale(self.tx, {one.item_id for one in changed}, (), ())
        return Rebuilt(changed, [one for one in wrong if one.key in below])

    def _lock(self, keys: Collection[BalanceKey]) -> dict[BalanceKey, dict[Bucket, int]]:
        """The rows as they are once they are ours; those that are missing are made first, as batches do."""
        by_layer = {layer: sorted(key for key in keys if key.layer is layer) for layer in Layer}
        for layer, here in by_layer.items():
            make_missing(self.tx, layer, here)
        return {
            BalanceKey(layer, item_id, grade, place_id): dict(zip(BUCKETS[layer], units, strict=True))
            for layer, here in by_layer.items()
            if here
            for place_id, item_id, grade, *units in reading.lock_balances(
                self.tx, layer, here, self.row_lock
            ).fetchall()
        }

    def _write(self, rows: Mapping[BalanceKey, Mapping[Bucket, int]]) -> None:
        for layer, (table, place) in BALANCES.items():
            whole = [
                (key.place_id, key.item_id, key.grade, *(units[bucket] for bucket in BUCKETS[layer]))
                for key, units in sorted(rows.items())
                if key.layer is layer
            ]
            bulk.put(self.tx, table, balance_columns(layer), whole, ["item_id", "grade", place])


def _differences(tx: Transaction, statement: str, item_ids: Collection[int] = ()) -> list[Difference]:
    found = [
        Difference(Layer(layer), item_id, grade, place_id, Bucket(bucket), stored, replayed)
        for layer, item_id, grade, place_id, bucket, stored, replayed in tx.run(statement, item_ids=sorted(item_ids))
    ]
    return sorted(found, key=lambda one: (list(Layer).index(one.layer), one.key, list(Bucket).index(one.bucket)))

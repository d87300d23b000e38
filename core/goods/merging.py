"""Two items turn out to be one: what is there of the first, what is promised and who sells it go to the second.

One document takes all units out of the first item and brings them into the second, bucket by bucket: in every layer, at
every place, in every pool and grade. Nothing of it is taken back by a reversal: what belongs apart is split off again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from core import single
from core.books import Books
from core.command import Command
from core.errors import Broken, Refused
from core.goods import costs, merge_rows
from core.goods.receiving import keys_of_goods, refuse_bundles, refuse_frozen
from core.rows import PromiseRow
from core.stock import (
    BUCKETS,
    GRADES,
    WORLD,
    At,
    BalanceKey,
    Bucket,
    DocumentKind,
    Layer,
    Movement,
    PoolKind,
    Stocked,
)
from core.transaction import Database, Transaction

_TRIES = 4


class Merged(NamedTuple):
    """``on_hand``, ``promised`` (waiting ones too): units that changed their item. ``repeated``: it was so before."""

    document_id: int
    on_hand: int = 0
    promised: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Merge(Command):
    """All units and promises of item ``before`` become those of ``after``.

    ``cells``: balance rows of ``before``; ``pools``: open pools of either that are no locks.
    """

    effect_key: str
    before: int
    after: int
    reason: str
    cells: Collection[BalanceKey] = field(hash=False)
    pools: Collection[int] = field(hash=False)

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def whole_pools(self) -> Iterable[int]:
        return self.pools

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return [Stocked(item_id, grade) for item_id in (self.before, self.after) for grade in GRADES]

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, self.stocked(books)).union(self.cells)
        return keys | {key._replace(item_id=self.after) for key in keys}

    def decide(self, books: Books) -> Merged:
        """Raises: Refused, with the cure, for goods that cannot change their item now; Widen."""
        content = [self.before]  # what it became a part of may have become a part of something else since
        if earlier := books.find(self.effect_key, content):
            return Merged(earlier, repeated=True)
        refuse_bundles(books, self.stocked(books))
        self._require_still(books)
        moves = [move for key, bucket, units in self._there(books) for move in self._turn(key, bucket, units)]
        document_id = books.post(DocumentKind.MERGE, self.effect_key, moves, content=content, reason=self.reason)
        for one in self.stocked(books):
            if one.item_id == self.before:
                self._move_pools(books, one)
        for promise in _alone(books, self.before, self.after):
            books.add_promise(promise._replace(item_id=self.after))
        there = list(self._there_then(moves))
        on_hand = sum(n for layer, bucket, n in there if layer is Layer.WAREHOUSE)
        promised = sum(n for layer, bucket, n in there if layer is Layer.SALES and bucket is not Bucket.FREE)
        return Merged(document_id, on_hand, promised)

    def _there(self, books: Books) -> list[tuple[BalanceKey, Bucket, int]]:
        found = [(key, bucket, n) for (key, bucket), n in books.cells.items() if key.item_id == self.before and n]
        return sorted(found, key=lambda one: (one[0], BUCKETS[one[0].layer].index(one[1])))

    def _turn(self, key: BalanceKey, bucket: Bucket, units: int) -> list[Movement]:
        """Missing in one item, found in the other, at the same place."""
        before, after = Stocked(self.before, key.grade), Stocked(self.after, key.grade)
        place = At(key.place_id, bucket)
        return [Movement(before, key.layer, place, WORLD, units), Movement(after, key.layer, WORLD, place, units)]

    def _there_then(self, moves: Iterable[Movement]) -> Iterable[tuple[Layer, Bucket, int]]:
        return [(move.layer, move.to.bucket, move.quantity) for move in moves if move.to.place_id is not None]

    def _require_still(self, books: Books) -> None:
        """Raises: Refused for goods that somebody is at work with."""
        there = self._there(books)
        moving = sum(n for _, bucket, n in there if bucket in (Bucket.ALLOCATED, Bucket.PICKING))
        if moving:
            raise Refused(
                f"{moving} units of it are with fulfilment orders or transfers that have not left; ship them, or "
                "cancel those first"
            )
        coming = sum(n for _, bucket, n in there if bucket in (Bucket.INCOMING, Bucket.INCOMING_SELLABLE))
        if coming:
            raise Refused(f"{coming} units of it are on their way; receive or cut them first")
        refuse_frozen(books, *(key.place_id for key, _, _ in there if key.layer is Layer.WAREHOUSE))

    def _move_pools(self, books: Books, before: Stocked) -> None:
        """Open pools of the first item are open for the second, with the locks among them."""
        after = before._replace(item_id=self.after)
        for pool in list(books.open_pools_of(before)):
            if pool.kind is PoolKind.PRESALE:
                raise Refused(f"it is sold in presale {pool.code}; end that first: `holdfast pool stop {pool.code}`")
            if pool.kind is PoolKind.LOCK:
                books.add_lock(books.locks[pool.id]._replace(item_id=self.after))
                books.add_pool(pool, after)
                books.add_pool(pool, before, is_open=False)
                continue
            items = books.items_in(pool.id)
            mine, known = items[before], items.get(after)
            both = known is not None and known.is_open
            cap = mine.cap if known is None or not both else _sum_of_caps(mine.cap, known.cap)
            books.add_pool(pool, after, cap=cap)
            books.add_pool(pool, before, is_open=False, cap=mine.cap)


def _sum_of_caps(one: int | None, other: int | None) -> int | None:
    """None is no limit."""
    return None if one is None or other is None else one + other


def _alone(books: Books, before: int, after: int) -> list[PromiseRow]:
    """Promises of the first item whose line or hold has none of the second in the same grade."""
    rows = list(books.promises.values())
    beside = {(row.owner_id, row.grade) for row in rows if row.item_id == after}
    return [row for row in rows if row.item_id == before and (row.owner_id, row.grade) not in beside]


class _NotStill(Exception):
    """Units of the item came to a place that the merge had not seen."""


def merge(
    db: Database, merchant_id: int, before: str, after: str, *, actor: str, reason: str = "", dry_run: bool = False
) -> Merged:
    """Make the item with the SKU ``before`` a part of ``after``, or find out what would become of it.

    Its SKUs and all that others call it find the other item from now on.

    Raises: NotFound; Refused, naming what has to be settled first and how.
    """
    for _ in range(_TRIES):
        try:
            return _merge(db, merchant_id, before, after, actor=actor, reason=reason, dry_run=dry_run)
        except _NotStill:
            continue
    raise Refused(f"units of {before} keep moving between places; say it again when that is done")


def _merge(
    db: Database, merchant_id: int, before: str, after: str, *, actor: str, reason: str, dry_run: bool
) -> Merged:
    ends: list[tuple[int, int]] = []

    def build(tx: Transaction) -> Merge:
        first, second = merge_rows.locked(tx, before, after)
        ends[:] = [(first.id, second.id)]
        key = f"item/{first.id}/merge"
        if first.merged_into is None:
            merge_rows.require_movable(tx, first, second)
            merge_rows.warn_no_more(tx, first.id)
        elif first.merged_into != second.id:
            raise Refused(f"{first.sku} is a part of {first.merged_sku} already")
        cells, pools = merge_rows.balances(tx, first.id), merge_rows.open_pools(tx, first.id)
        return Merge(key, first.id, second.id, reason, cells, pools)

    def end(tx: Transaction, answer: object) -> Merged:
        if not isinstance(answer, Merged):
            raise Broken(f"a merge answered {answer!r}")
        if not answer.repeated:
            ((first, second),) = ends
            if merge_rows.balances(tx, first):
                raise _NotStill
            merge_rows.move(tx, first, second, answer.document_id, reason)
            costs.merge(tx, first, second, answer.on_hand, answer.document_id)
        return answer

    return single.do(db, merchant_id, build, end, actor=actor, dry_run=dry_run)

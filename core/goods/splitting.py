"""A part of an item becomes an item of its own: free units, chosen by bin and grade, and listings of stores.

Promised units stay what they were promised as.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core import bulk, flows, marks, single, tables
from core.books import Books
from core.command import Command
from core.errors import Broken, Refused
from core.goods import costing, costs, items, skus
from core.goods.receiving import keys_at, keys_of_goods, refuse_bundles, refuse_frozen
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Movement, Spot, Stocked
from core.transaction import Database, Transaction


class Piece(NamedTuple):
    """Units of one grade that stand in one bin."""

    grade: str
    spot: Spot


class SplitOff(NamedTuple):
    """``units``: that changed their item."""

    document_id: int
    item_id: int
    units: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Split(Command):
    """Free units of item ``before``, each count >= 1, become units of ``after``; once per ``effect_key``.

    ``listings``: ids of listings that sell the new item from then on. ``is_new``: the new item was made for this.
    """

    effect_key: str
    before: int
    after: int
    goods: Mapping[Piece, int] = field(hash=False)
    listings: Sequence[int]
    reason: str
    is_new: bool

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {Stocked(item_id, piece.grade) for item_id in (self.before, self.after) for piece in self.goods}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, self.stocked(books)) | costing.keys(books, (self.before, self.after))
        for piece in self.goods:
            for item_id in (self.before, self.after):
                keys.update(keys_at(books.home.at(piece.spot), Stocked(item_id, piece.grade)))
        return keys

    def decide(self, books: Books) -> SplitOff:
        """Raises: KeyReused; Refused where fewer units are free, or the new SKU is taken; Widen."""
        goods = sorted((*piece.spot, piece.grade, units) for piece, units in self.goods.items())
        content = [self.before, goods, sorted(self.listings)]
        if earlier := books.find(self.effect_key, content):
            return SplitOff(earlier, self.after, repeated=True)
        if not self.is_new:
            raise Refused("that SKU is taken; name one that no item has, or say `holdfast item merge` to add to it")
        if not self.goods and not self.listings:
            raise Refused("say which units or which listings become the new item")
        refuse_bundles(books, self.stocked(books))
        refuse_frozen(books, *(piece.spot.bin_id for piece in self.goods))
        self._require_free(books)
        moves = [move for piece, units in self.goods.items() for move in self._turn(books, piece, units)]
        document_id = books.post(DocumentKind.SPLIT, self.effect_key, moves, content=content, reason=self.reason)
        return SplitOff(document_id, self.after, sum(self.goods.values()))

    def _turn(self, books: Books, piece: Piece, units: int) -> list[Movement]:
        before, after = Stocked(self.before, piece.grade), Stocked(self.after, piece.grade)
        return flows.turn_into(books.home.at(piece.spot), before, after, units, units)

    def _require_free(self, books: Books) -> None:
        """Raises: Refused where units do not stand there, or are promised, locked or dealt out."""
        wanted: Counter[str] = Counter()
        for piece, units in self.goods.items():
            if units < 1:
                raise Refused("say how many units, 1 or more")
            place, one = books.home.at(piece.spot), Stocked(self.before, piece.grade)
            there = books.units(Layer.WAREHOUSE, one, place.bin(Bucket.AVAILABLE))
            if there < units:
                raise Refused(f"only {there} {piece.grade} units stand in one of these bins, not {units}")
            wanted[piece.grade] += units
        for grade, units in wanted.items():
            free = books.free(Stocked(self.before, grade))
            if free < units:
                raise Refused(
                    f"only {free} {grade} units are free in the shared pool, not {units}; what is promised, locked or "
                    "dealt out stays"
                )


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be split off the item called ``code``, as the new item ``sku``; without ``title``, of the same."""

    code: str
    sku: str
    goods: Mapping[Piece, int] = field(hash=False)
    listings: Sequence[int] = ()  # ids
    title: str | None = None
    reason: str = ""


def split(db: Database, merchant_id: int, wish: Wish, key: str, *, actor: str, dry_run: bool = False) -> SplitOff:
    """Split an item, once per ``key``, or find out what would come of it. Raises: NotFound; KeyReused; Refused."""

    def build(tx: Transaction) -> Split:
        skus.take_turns(tx)
        before = skus.keep_one(tx, skus.resolve(tx, [wish.code])[skus.sku_key(wish.code)].id)
        known = skus.holder(tx, wish.sku)
        after = _make(tx, before, wish) if known is None else known
        _require_sold(tx, wish.listings, {before, after})
        return Split(f"split/{key}", before, after, wish.goods, wish.listings, wish.reason, known is None)

    commands: list[Split] = []

    def begin(tx: Transaction) -> Split:
        commands[:] = [build(tx)]
        return commands[0]

    def end(tx: Transaction, answer: object) -> SplitOff:
        if not isinstance(answer, SplitOff):
            raise Broken(f"a split answered {answer!r}")
        if not answer.repeated:
            _follow(tx, commands[0], answer)
        return answer

    return single.do(db, merchant_id, begin, end, actor=actor, dry_run=dry_run)


def _make(tx: Transaction, before: int, wish: Wish) -> int:
    row = tx.run("SELECT title, kind FROM item WHERE merchant_id = :merchant_id AND id = :id", id=before).one()
    if row.kind == "bundle":
        raise Refused("a bundle has no stock of its own; make another with `holdfast item add --kind bundle`")
    return items.add_item(tx, wish.sku, row.title if wish.title is None else wish.title)


def _require_sold(tx: Transaction, listings: Sequence[int], by: Collection[int]) -> None:
    """Raises: Refused for a listing that sells none of these items."""
    rows = tx.run(
        """SELECT l.external_id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (SELECT * FROM listing
               WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) l
           WHERE l.item_id IS NULL OR l.item_id <> ALL(CAST(:by AS bigint[]))""",
        ids=list(listings), by=sorted(by),
    )  # fmt: skip
    if others := rows.scalars().all():
        raise Refused(f"listing {', '.join(others)} does not sell this item; `holdfast stock show` lists those that do")


def _follow(tx: Transaction, command: Split, answer: SplitOff) -> None:
    """What stands beside the ledger, in the transaction that moved the units."""
    marks.stale(tx, (), command.listings, ())  # before their rows are taken: see there for the order
    tx.run(
        """UPDATE listing SET item_id = :after
           WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))""",
        after=command.after, ids=list(command.listings),
    )  # fmt: skip
    change = (answer.document_id, command.before, "split", command.after, tx.now, tx.actor, command.reason)
    names = ["document_id", "item_id", "kind", "other_id", "at", "actor", "reason"]
    bulk.insert(tx, tables.item_change, names, [change])
    costs.split(tx, command.before, command.after, answer.units, answer.document_id)

"""Taking back what was entered by mistake: the movements of a document swapped, or what comes closest to that.

A swap is exact, so it is only possible while everything the document touched still stands as it left it. Otherwise the
ordinary opposite is posted and names the document that it corrects. Either way once per document.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core import flows
from core.books import Books, Widen, key_hash
from core.command import Command, Short
from core.errors import NotFound, Refused
from core.goods import costing
from core.goods.receiving import keys_of_goods, refuse_frozen
from core.rows import CostWish
from core.sales.shortage import Loss, Shortage, on_shelf, short
from core.stock import At, BalanceKey, Bucket, DocumentKind, Home, Layer, Movement, Spot, Stocked
from core.touched import Touched
from core.transaction import Transaction

SWAPPED = frozenset(
    {
        DocumentKind.RECEIPT, DocumentKind.FOUND, DocumentKind.MISSING, DocumentKind.SCRAP, DocumentKind.DEAL,
        DocumentKind.COLLECT, DocumentKind.LOCK, DocumentKind.VENDOR_RETURN,
    }
)  # fmt: skip
_INSTEAD = {
    DocumentKind.OPENING: "count the shelf: `holdfast stock set`",
    DocumentKind.RETURN: "say what is not there after all: `holdfast stock missing`",
    DocumentKind.DAMAGE: "the units can be sold after all: `holdfast stock mend`",
    DocumentKind.SET_APART: "the units can be sold after all: `holdfast apart inspect`, or `holdfast stock mend`",
    DocumentKind.INSPECTION: "say what they are after all: `holdfast stock damage`, or `holdfast stock regrade`",
    DocumentKind.MEND: "the units cannot be sold after all: `holdfast stock damage`",
    DocumentKind.REGRADE: "the opposite does it: `holdfast stock regrade` with the grades exchanged",
    DocumentKind.ASSEMBLY: "the opposite does it: `holdfast bundle disassemble`, or `assemble`",
    DocumentKind.UNLOCK: "lock the units again: `holdfast lock request`",
    DocumentKind.MIGRATION: "migrate them back: `holdfast lock migrate`",
    DocumentKind.PRESALE: "sell less of it: `holdfast pool resize`",
    DocumentKind.PRESALE_END: "open another one: `holdfast pool presale`",
    DocumentKind.REVERSAL: "enter again what was reversed",
    DocumentKind.MERGE: "what belongs apart is split off again: `holdfast item split`",
    DocumentKind.SPLIT: "make them one again: `holdfast item merge`",
}
_OPPOSITE_OF_POOLS = {
    DocumentKind.DEAL: "take back what is left: `holdfast pool collect`",
    DocumentKind.COLLECT: "deal out what is there: `holdfast pool deal`",
    DocumentKind.LOCK: "release what is left of it: `holdfast lock release`",
}

_OF_LOCKS_ALONE = frozenset({DocumentKind.UNLOCK, DocumentKind.MIGRATION})


@dataclass(frozen=True, slots=True)
class Posted:
    """A document as it was recorded; that never changes, so it may be read before a batch. ``result``: its effect's."""

    id: int
    kind: DocumentKind
    effect_key: str
    movements: Sequence[Movement]
    order_id: int | None  # what it belongs to: an order, a hold's document, or a lock
    result: str | None

    @property
    def touched(self) -> Touched:
        """Records that it changed: only goods that are gone break promises and take from locks."""
        return Touched.read(self.result if self.kind is DocumentKind.MISSING else None)

    @property
    def stocked(self) -> set[Stocked]:
        return {move.stocked for move in self.movements}

    @property
    def is_physical(self) -> bool:
        return any(move.layer is Layer.WAREHOUSE for move in self.movements)

    @property
    def swapped(self) -> list[Movement]:
        """The movements that undo these, last one first."""
        return [move._replace(from_=move.to, to=move.from_) for move in reversed(self.movements)]


def read_document(tx: Transaction, document_id: int) -> Posted:
    """Raises: NotFound."""
    return read_documents(tx, [document_id])[document_id]


def read_documents(tx: Transaction, document_ids: Collection[int]) -> dict[int, Posted]:
    """By id. Raises: NotFound for the first that is not there."""
    rows = tx.run(
        """SELECT d.id, d.kind, d.effect_key, d.order_id, CAST(e.result AS text) AS result
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM document WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) d
           CROSS JOIN LATERAL (SELECT result FROM effect WHERE merchant_id = :merchant_id AND key_hash =
               substring(sha256(convert_to(d.effect_key, 'UTF8')) FOR 16) OFFSET 0) e""",
        ids=list(document_ids),
    ).all()
    lacking = set(document_ids) - {row.id for row in rows}
    if lacking:
        raise NotFound(f"there is no document {min(lacking)}; `holdfast stock card SKU` lists those of an item")
    movements: dict[int, list[Movement]] = {row.id: [] for row in rows}
    for one in tx.run(
        """SELECT m.document_id, m.item_id, m.grade, m.layer, m.from_place, m.from_bucket, m.to_place, m.to_bucket,
               m.quantity, m.order_line_id
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM movement WHERE merchant_id = :merchant_id AND document_id = k.id
               OFFSET 0) m
           ORDER BY m.document_id, m.line_no""",
        ids=list(document_ids),
    ):
        movements[one.document_id].append(
            Movement(
                Stocked(one.item_id, one.grade), Layer(one.layer), At(one.from_place, Bucket(one.from_bucket)),
                At(one.to_place, Bucket(one.to_bucket)), one.quantity, one.order_line_id,
            )
        )  # fmt: skip
    return {
        row.id: Posted(row.id, DocumentKind(row.kind), row.effect_key, movements[row.id], row.order_id, row.result)
        for row in rows
    }


class Reversed(NamedTuple):
    """``obstacles``: sentences on why no swap was possible, so that the ordinary opposite was posted instead.

    ``losses``: who gave units up for that.
    """

    document_id: int
    kind: DocumentKind
    obstacles: Sequence[str] = ()
    losses: Sequence[Loss] = ()


class TakenBackBefore(Refused):
    """A document is taken back once."""


class NeedsForce(Refused):
    """A document cannot be taken back without taking units from those who have them now."""

    def __init__(self, document_id: int, obstacles: Sequence[str]) -> None:
        self.obstacles = tuple(obstacles)
        super().__init__(
            f"document {document_id} cannot be swapped back: {'; '.join(obstacles)}. See with --dry-run who would lose "
            "units if they are booked as missing instead, and say --force if that is right"
        )


@dataclass(frozen=True, slots=True)
class Reverse(Command):
    """Take ``document`` back. With ``force`` also where those who have its units by now lose them."""

    document: Posted
    reason: str
    force: bool = False

    @property
    def effect_key(self) -> str:
        return f"reversal/{self.document.id}"

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def order_ids(self) -> Iterable[int]:
        return {change.order_id for change in self.document.touched.promises.values()}

    def pool_ids(self) -> Iterable[int]:
        ends = (end for move in self.document.movements if move.layer is Layer.SALES for end in (move.from_, move.to))
        return {end.place_id for end in ends if end.place_id is not None}

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.document.stocked

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, self.document.stocked)
        for move in self.document.movements:
            ends = (end.place_id for end in (move.from_, move.to))
            keys.update(BalanceKey(move.layer, *move.stocked, place) for place in ends if place is not None)
        if self.document.is_physical:
            keys |= costing.keys(books, {one.item_id for one in self.document.stocked})
        return keys

    def short(self, books: Books) -> Short:
        if not self.force or key_hash(self.effect_key) in books.known_effects:
            return {}
        came = _came(self.document)
        place = _place(self.document, books)
        gone = {stocked: min(units, on_shelf(books, stocked, place)) for stocked, units in came.items()}
        return short(books, gone, place)

    def decide(self, books: Books) -> Reversed:
        """Raises: Refused, saying what to do instead; NeedsForce; Widen."""
        self._require_reversible(books)
        if self.document.is_physical:
            refuse_frozen(books, *_bins(self.document))
        obstacles = list(dict.fromkeys(_obstacles(self.document, books)))
        if obstacles:
            return self._oppose(books, obstacles)
        document_id = self._post(books, DocumentKind.REVERSAL, self.document.swapped)
        self.document.touched.restore(books)
        if self.document.kind is DocumentKind.LOCK:
            _end_locks(self.document, books, self.reason)
        return Reversed(document_id, DocumentKind.REVERSAL)

    def _require_reversible(self, books: Books) -> None:
        document = self.document
        earlier = books.known_effects.get(key_hash(self.effect_key))
        if earlier is not None:
            raise TakenBackBefore(f"document {document.id} was taken back before, by document {earlier.document_id}")
        if not self.reason.strip():
            raise Refused("say why: a change of stock without a reason helps nobody later")
        if document.order_id is not None and document.kind not in _OF_LOCKS_ALONE | _OPPOSITE_OF_POOLS.keys():
            raise Refused(
                f"document {document.id} belongs to an order, and what its store says of that counts; a receipt of a "
                "purchase order is taken back with `holdfast purchase undo`"
            )
        if document.kind not in SWAPPED:
            cure = _INSTEAD.get(document.kind, "its promise is released or moved instead")
            raise Refused(f"document {document.id} is a {document.kind}, which is not reversed: {cure}")

    def _oppose(self, books: Books, obstacles: Sequence[str]) -> Reversed:
        """Post the ordinary opposite."""
        document = self.document
        if document.kind in _OPPOSITE_OF_POOLS:
            cure = _OPPOSITE_OF_POOLS[document.kind]
            raise Refused(f"document {document.id} cannot be swapped back: {'; '.join(obstacles)}; {cure}")
        place = _place(document, books)
        if document.kind is DocumentKind.MISSING:
            moves = [move for one, n in _gone(document).items() for move in flows.come_in(place, one, n)]
            scrapped = _in_bins(document, Bucket.UNAVAILABLE, Bucket.WORLD)  # by a reversal that was forced
            moves += [move for one, n in scrapped.items() for move in flows.come_in_unsellable(place, one, n)]
            return Reversed(self._post(books, DocumentKind.FOUND, moves), DocumentKind.FOUND, obstacles)
        if not self.force:
            raise NeedsForce(document.id, obstacles)
        shortage = Shortage(books, False, f"a {document.kind} was taken back ({self.reason})", place)
        moves = [move for stocked, n in _came(document).items() for move in shortage.of(stocked, n)]
        for stocked, units in _came_damaged(document).items():
            _require_unavailable(books, place, stocked, units)
            moves += flows.scrap(place, stocked, units)
        document_id = self._post(books, DocumentKind.MISSING, moves)
        shortage.note()
        return Reversed(document_id, DocumentKind.MISSING, obstacles, shortage.losses)

    def _post(self, books: Books, kind: DocumentKind, moves: list[Movement]) -> int:
        content = {"document": self.document.id}
        document_id = books.post(
            kind, self.effect_key, moves, content=content, reason=self.reason, corrects_id=self.document.id
        )
        if self.document.is_physical:
            books.put(books.costs, document_id, CostWish(costing.brought(moves), takes_back=self.document.id))
        return document_id


def _obstacles(document: Posted, books: Books) -> Iterator[str]:
    """Why the movements cannot simply be swapped, as sentences; none when they can."""
    yield from document.touched.changed_since(books)
    for move in document.swapped:
        if move.layer is Layer.SALES and move.to.place_id is not None and not _takes(books, move):
            yield f"its units would enter pool {_name(books, move.to)}, which is closed"
    if document.kind is DocumentKind.LOCK:
        yield from _changed_locks(document, books)
    yield from _lacking(document.swapped, books)


def _takes(books: Books, move: Movement) -> bool:
    """May units enter the pool that this movement leads to?"""
    pool_id = move.to.place_id
    return pool_id == books.home.shared_pool_id or pool_id in books.open_pools.get(move.stocked, ())


def _lacking(swapped: Iterable[Movement], books: Books) -> Iterator[str]:
    """Buckets that would fall below 0 on the way."""
    cells: dict[tuple[Stocked, Layer, At], int] = {}
    for move in swapped:
        for end, change in ((move.from_, -move.quantity), (move.to, move.quantity)):
            if end.place_id is None:
                continue
            cell = (move.stocked, move.layer, end)
            cells[cell] = cells.get(cell, books.units(move.layer, move.stocked, end)) + change
            if cells[cell] < 0 and move.layer is Layer.SALES:
                yield f"only {cells[cell] - change} of its units are {end.bucket} in pool {_name(books, end)}"
            elif cells[cell] < 0:
                yield f"only {cells[cell] - change} of its units are {end.bucket} in the {move.layer} layer"


def _name(books: Books, end: At) -> str:
    pool = books.pool(end.place_id or books.home.shared_pool_id)
    return pool.code or pool.kind


def _changed_locks(document: Posted, books: Books) -> Iterator[str]:
    """A lock is taken back only while it is as the document made it: nothing sold, added, filled or given back."""
    for pool_id, made in _locked(document).items():
        lock = books.locks.get(pool_id)
        if lock is None:
            raise Widen(())
        if lock.standing:
            yield f"lock {lock.key} is a floor, which keeps itself full"
            continue
        pool = books.pool(pool_id)
        now = {bucket: books.units(Layer.SALES, lock.stocked, pool.at(bucket)) for bucket in _OF_LOCKS}
        if lock.status != "active" or lock.quantity != made.total() or any(now[b] != made[b] for b in _OF_LOCKS):
            yield f"lock {lock.key} has changed since"


_OF_LOCKS = (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD, Bucket.BACKORDERED)


def _locked(document: Posted) -> Mapping[int, Counter[Bucket]]:
    """What the document moved into which pools, by bucket."""
    found: dict[int, Counter[Bucket]] = {}
    for move in document.movements:
        if move.layer is Layer.SALES and move.to.place_id is not None:
            found.setdefault(move.to.place_id, Counter())[move.to.bucket] += move.quantity
    return found


def _end_locks(document: Posted, books: Books, reason: str) -> None:
    for pool_id in _locked(document):
        lock, pool = books.locks[pool_id], books.pool(pool_id)
        books.add_lock(lock._replace(status="closed", waiting=0, reason=reason, moved_at=books.now))
        books.add_pool(pool._replace(closed_at=books.now), lock.stocked, is_open=False)


def _came(document: Posted) -> Counter[Stocked]:
    """Sellable units that it brought onto the shelf."""
    return _in_bins(document, Bucket.WORLD, Bucket.AVAILABLE)


def _came_damaged(document: Posted) -> Counter[Stocked]:
    return _in_bins(document, Bucket.WORLD, Bucket.UNAVAILABLE)


def _gone(document: Posted) -> Counter[Stocked]:
    """Sellable units that it took off the shelf."""
    return _in_bins(document, Bucket.AVAILABLE, Bucket.WORLD)


def _in_bins(document: Posted, from_: Bucket, to: Bucket) -> Counter[Stocked]:
    found: Counter[Stocked] = Counter()
    for move in document.movements:
        if move.layer is Layer.WAREHOUSE and (move.from_.bucket, move.to.bucket) == (from_, to):
            found[move.stocked] += move.quantity
    return found


def _place(document: Posted, books: Books) -> Home:
    """Where its goods came or went: such documents name one bin of one warehouse."""
    ends = [(move.layer, end.place_id) for move in document.movements for end in (move.from_, move.to)]
    found = {layer: place for layer, place in reversed(ends) if place is not None}
    if Layer.WAREHOUSE not in found or Layer.DISPATCH not in found:
        return books.home
    return books.home.at(Spot(found[Layer.DISPATCH], found[Layer.WAREHOUSE]))


def _bins(document: Posted) -> set[int]:
    """Where its goods came or went."""
    ends = (end for move in document.movements if move.layer is Layer.WAREHOUSE for end in (move.from_, move.to))
    return {end.place_id for end in ends if end.place_id is not None}


def _require_unavailable(books: Books, place: Home, stocked: Stocked, units: int) -> None:
    there = books.units(Layer.WAREHOUSE, stocked, place.bin(Bucket.UNAVAILABLE))
    if units > there:
        raise Refused(f"only {there} of its {units} damaged units are still set apart as unavailable")

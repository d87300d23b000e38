"""What people find out about goods that are there, or should be: missing, damaged, mended, scrapped, another grade."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from core import flows
from core.books import Books, key_hash
from core.command import Command, Short
from core.errors import Refused
from core.goods.receiving import keys_at, keys_of_goods, refuse_bundles, refuse_frozen
from core.sales.shortage import Loss, Shortage, on_shelf, short
from core.stock import GRADES, BalanceKey, Bucket, DocumentKind, Home, Layer, Movement, Spot, Stocked


class Adjusted(NamedTuple):
    """``document_id``: None when nothing was to be done. ``losses``: who gave units up; empty for what was done before.

    ``change``: units that the shelf has more than before, or less.
    """

    document_id: int | None
    change: int = 0
    losses: Sequence[Loss] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Adjust(Command):
    """Something that is noted once per ``effect_key`` and always with a reason; ``spot``: None is the default bin."""

    effect_key: str
    reason: str
    spot: Spot | None = field(default=None, kw_only=True)
    is_count: ClassVar[bool] = False  # it may change a bin that is frozen for a count

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys, place = keys_of_goods(books, self.stocked(books)), self.place(books)
        return keys.union(key for one in self.stocked(books) for key in keys_at(place, one))

    def place(self, books: Books) -> Home:
        return books.home if self.spot is None else books.home.at(self.spot)

    def there(self) -> list[object]:
        """What the content of an act that is not about the default bin says beside."""
        return [] if self.spot is None else [self.spot]

    def short(self, books: Books) -> Short:
        if key_hash(self.effect_key) in books.known_effects:
            return {}
        return short(books, self.gone(books), self.place(books))

    def gone(self, _books: Books) -> Mapping[Stocked, int]:
        """Units that leave the shelf."""
        return {}

    def earlier(self, books: Books, content: object) -> Adjusted | None:
        """What this key did before. Raises: KeyReused; Refused for what cannot be noted at all."""
        if effect := books.effect(self.effect_key, content):
            return Adjusted(effect.document_id, repeated=True)
        if not self.reason.strip():
            raise Refused("say why: a change of stock without a reason helps nobody later")
        refuse_bundles(books, self.stocked(books))
        if not self.is_count:
            refuse_frozen(books, self.place(books).bin_id)
        return None


_BECAME = {
    DocumentKind.MISSING: "missing",
    DocumentKind.DAMAGE: "damaged",
    DocumentKind.SET_APART: "held back",
}


@dataclass(frozen=True, slots=True)
class Lose(_Adjust):
    """Units are gone (MISSING), or there and not to be sold: broken (DAMAGE), or held back until somebody has looked at
    them (SET_APART). Never refused while the shelf has as many.

    Each quantity is >= 1. Units that nobody was promised go first; see ``core.sales.shortage``.
    """

    kind: DocumentKind
    quantities: Mapping[Stocked, int] = field(hash=False)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.quantities

    def gone(self, _books: Books) -> Mapping[Stocked, int]:
        return self.quantities

    def decide(self, books: Books) -> Adjusted:
        """Raises: KeyReused; Refused when the books know of fewer units on the shelf; Widen."""
        content = [self.kind, sorted((*stocked, units) for stocked, units in self.quantities.items()), *self.there()]
        if earlier := self.earlier(books, content):
            return earlier
        _require_units(self.quantities.values())
        units = sum(self.quantities.values())
        what = f"{units} were {_BECAME[self.kind]} ({self.reason})"
        shortage = Shortage(books, self.kind is not DocumentKind.MISSING, what, self.place(books))
        moves = [move for stocked, n in self.quantities.items() for move in shortage.of(stocked, n)]
        document_id = books.post(self.kind, self.effect_key, moves, content=content, reason=self.reason)
        shortage.note()
        return Adjusted(document_id, -units, shortage.losses)


@dataclass(frozen=True, slots=True)
class Unblock(_Adjust):
    """Unavailable units can be sold after all (MEND), or leave the house for good (SCRAP). Each quantity is >= 1."""

    kind: DocumentKind
    quantities: Mapping[Stocked, int] = field(hash=False)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.quantities

    def decide(self, books: Books) -> Adjusted:
        """Raises: KeyReused; Refused when fewer units are unavailable."""
        content = [self.kind, sorted((*stocked, units) for stocked, units in self.quantities.items()), *self.there()]
        if earlier := self.earlier(books, content):
            return earlier
        _require_units(self.quantities.values())
        mends = self.kind is DocumentKind.MEND
        moves: list[Movement] = []
        for stocked, units in self.quantities.items():
            there = books.units(Layer.WAREHOUSE, stocked, self.place(books).bin(Bucket.UNAVAILABLE))
            if units > there:
                raise Refused(f"set apart as unavailable are {there}, not {units}; say `holdfast stock damage` first")
            moves += (flows.mend if mends else flows.scrap)(self.place(books), stocked, units)
        document_id = books.post(self.kind, self.effect_key, moves, content=content, reason=self.reason)
        return Adjusted(document_id, sum(self.quantities.values()) if mends else 0)


@dataclass(frozen=True, slots=True)
class Regrade(_Adjust):
    """``units`` (>= 1) are of another grade than was thought: missing in one, found in the other, in one document."""

    before: Stocked
    grade: str
    units: int

    @property
    def after(self) -> Stocked:
        return self.before._replace(grade=self.grade)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.before, self.after)

    def gone(self, _books: Books) -> Mapping[Stocked, int]:
        return {self.before: self.units}

    def decide(self, books: Books) -> Adjusted:
        """Raises: KeyReused; Refused when the shelf has fewer of the grade; Widen."""
        content = [*self.before, self.grade, self.units, *self.there()]
        if earlier := self.earlier(books, content):
            return earlier
        _require_units([self.units])
        if self.grade not in GRADES or self.before == self.after:
            raise Refused(
                f"units of grade {self.before.grade} can become {' or '.join(GRADES)}, and another than before"
            )
        shortage = Shortage(
            books, False, f"{self.units} turned out to be {self.grade} ({self.reason})", self.place(books)
        )
        moves = [*shortage.of(self.before, self.units), *flows.come_in(self.place(books), self.after, self.units)]
        document_id = books.post(DocumentKind.REGRADE, self.effect_key, moves, content=content, reason=self.reason)
        shortage.note()
        return Adjusted(document_id, 0, shortage.losses)


@dataclass(frozen=True, slots=True)
class SetOnShelf(_Adjust):
    """Somebody counted ``counted`` (>= 0) sellable units of ``what``: the difference is found, or missing.

    Units that are set apart as unavailable are not counted.
    """

    is_count: ClassVar[bool] = True

    what: Stocked
    counted: int

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.what,)

    def gone(self, books: Books) -> Mapping[Stocked, int]:
        return {self.what: max(on_shelf(books, self.what, self.place(books)) - self.counted, 0)}

    def decide(self, books: Books) -> Adjusted:
        """Raises: KeyReused; Widen."""
        content = [*self.what, self.counted, *self.there()]
        if earlier := self.earlier(books, content):
            return earlier
        if self.counted < 0:
            raise Refused("nobody counts less than nothing; say 0 or more")
        place = self.place(books)
        change = self.counted - on_shelf(books, self.what, place)
        if not change:
            books.note_effect(self.effect_key, content, None)
            return Adjusted(None)
        shortage = Shortage(books, False, f"{-change} were missing when the shelf was counted ({self.reason})", place)
        kind = DocumentKind.FOUND if change > 0 else DocumentKind.MISSING
        moves = flows.come_in(place, self.what, change) if change > 0 else shortage.of(self.what, -change)
        document_id = books.post(kind, self.effect_key, [*moves], content=content, reason=self.reason)
        shortage.note()
        return Adjusted(document_id, change, shortage.losses)


def _require_units(quantities: Iterable[int]) -> None:
    if any(units < 1 for units in quantities):
        raise Refused("say how many units, 1 or more")

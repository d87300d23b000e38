"""Acts on what is made of components: kits are assembled and taken apart, and the components of a bundle come back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core import flows
from core.books import Books
from core.command import Command
from core.errors import InsufficientStock, Refused
from core.goods.receiving import keys_of_goods, refuse_frozen
from core.rows import Part
from core.stock import MINOR_DEFECT, BalanceKey, DocumentKind, Home, Movement, Stocked


@dataclass(frozen=True, slots=True)
class Assemble(Command):
    """Make ``units`` (>= 1) of a kit out of free components, or with ``apart`` take them apart again; once per key.

    Only units that nobody was promised and that stand in no pool of their own are used, all of them or none. A kit that
    is taken apart gives back what its recipe says.
    """

    effect_key: str
    kit: Stocked
    units: int
    apart: bool = False
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def kits(self) -> Iterable[int]:
        return (self.kit.item_id,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.kit,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of_goods(books, [self.kit, *(part.stocked for part in books.kits.get(self.kit.item_id, ()))])

    def decide(self, books: Books) -> int:
        """Returns: the document's id. Raises: InsufficientStock, naming what is missing; KeyReused; Refused."""
        content = [*self.kit, self.units, self.apart]
        if earlier := books.find(self.effect_key, content):
            return earlier
        parts = books.kits.get(self.kit.item_id)
        if parts is None:
            raise Refused("only kits are assembled; say what it is made of: `holdfast bundle set SKU PART=N --kit`")
        if self.units < 1:
            raise Refused("say how many kits, 1 or more")
        refuse_frozen(books, books.home.bin_id)
        used, made = parts, [Part(self.kit, 1)]
        if self.apart:
            used, made = made, parts
        moves = decide_assembly(books, used, made, self.units)
        reason = self.reason or ("taken apart" if self.apart else "")
        return books.post(DocumentKind.ASSEMBLY, self.effect_key, moves, content=content, reason=reason)


def decide_assembly(books: Books, used: Sequence[Part], made: Sequence[Part], times: int) -> list[Movement]:
    """``times`` over, what is ``used`` is gone and what is ``made`` of it is found. Raises: InsufficientStock."""
    needed = {part.stocked: part.per_unit * times for part in used}
    missing = {stocked: n - books.free(stocked) for stocked, n in needed.items() if n > books.free(stocked)}
    if missing:
        raise InsufficientStock(missing)
    moves = [move for stocked, n in needed.items() for move in flows.go_missing(books.home, stocked, n)]
    return moves + [move for part in made for move in flows.come_in(books.home, part.stocked, part.per_unit * times)]


@dataclass(frozen=True, slots=True)
class ReturnBundle(Command):
    """``units`` (>= 1) of a bundle came back: each component enters in the grade that it was found to be; once per key.

    ``flawed``   of the components, by item: units with a flaw, sold as such from now on.
    ``damaged``  units that are not to be sold.
    """

    effect_key: str
    bundle_id: int
    units: int
    flawed: Mapping[int, int] = field(default_factory=dict, hash=False)
    damaged: Mapping[int, int] = field(default_factory=dict, hash=False)
    reason: str = ""

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (Stocked(self.bundle_id),)

    def brings_flawed(self) -> bool:
        return True

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        parts = [part.stocked for part in books.recipes.get(self.bundle_id, ())]
        flawed = [part._replace(grade=MINOR_DEFECT) for part in parts]
        return keys_of_goods(books, [Stocked(self.bundle_id), *parts, *flawed])

    def decide(self, books: Books) -> int:
        """Returns: the document's id. Raises: Refused, naming the cure; KeyReused."""
        content = [self.bundle_id, self.units, sorted(self.flawed.items()), sorted(self.damaged.items())]
        if earlier := books.find(self.effect_key, content):
            return earlier
        parts = books.recipes.get(self.bundle_id)
        if parts is None:
            raise Refused("it is no bundle; what comes back in one piece is booked with `holdfast stock return`")
        refuse_frozen(books, books.home.bin_id)
        if self.units < 1 or min((*self.flawed.values(), *self.damaged.values()), default=1) < 1:
            raise Refused("say how many came back, 1 or more")
        back = decide_return(parts, self.units, self.flawed, self.damaged)
        moves = [move for part in back for move in _enter(books.home, part)]
        return books.post(DocumentKind.RETURN, self.effect_key, moves, content=content, reason=self.reason)


@dataclass(frozen=True, slots=True)
class CameBack:
    """Units (>= 0) of one component, by what they were found to be."""

    stocked: Stocked
    as_sold: int
    flawed: int
    damaged: int


def decide_return(
    parts: Sequence[Part], units: int, flawed: Mapping[int, int], damaged: Mapping[int, int]
) -> list[CameBack]:
    """What came back of each component of ``units`` bundles. Pure.

    Raises: Refused when more are flawed or damaged than came back, or something else than a component is.
    """
    broken, scratched = Counter(damaged), Counter(flawed)
    found: list[CameBack] = []
    for part in parts:
        item_id, came = part.stocked.item_id, part.per_unit * units
        is_damaged = min(broken[item_id], came)
        is_flawed = min(scratched[item_id], came - is_damaged)
        broken[item_id] -= is_damaged
        scratched[item_id] -= is_flawed
        found.append(CameBack(part.stocked, came - is_damaged - is_flawed, is_flawed, is_damaged))
    if any((broken + scratched).values()):
        raise Refused("more flawed or damaged units were named than came back of that component; `holdfast item show` "
                      "tells what a bundle is made of")  # fmt: skip
    return found


def _enter(home: Home, part: CameBack) -> list[Movement]:
    moves = flows.come_in(home, part.stocked, part.as_sold) if part.as_sold else []
    if part.flawed:
        moves += flows.come_in(home, part.stocked._replace(grade=MINOR_DEFECT), part.flawed)
    return moves + (flows.come_in_unsellable(home, part.stocked, part.damaged) if part.damaged else [])

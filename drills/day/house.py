"""The hub as the people of the day meet it: its clock, its doors, and what was found wrong."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, NamedTuple, TypeVar

from config.wiring import App
from core.command import Command
from core.errors import Refused
from core.stock import Spot, Stocked
from core.transaction import Database
from drills.day.count import Count, Goods
from drills.day.plan import MERCHANT, START, Sizes
from drills.simulate.journal import Journal

T = TypeVar("T")
_MOST_FINDINGS = 20


class Clock:
    """Time that stands still until it is told to move on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(slots=True)
class House:
    """``tally``: how often each kind of thing was done. ``items``, ``spots``, ``stores``: ids by names."""

    sizes: Sizes
    app: App
    clock: Clock
    random: Random
    journal: Journal = field(default_factory=Journal)
    count: Count = field(default_factory=Count)
    tally: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    spots: dict[str, Spot] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)
    counting: set[str] = field(default_factory=set)  # bins of stocktakes that are under way: nobody tidies there
    refused: int = 0

    @property
    def db(self) -> Database:
        return self.app.db

    @property
    def minute(self) -> float:
        """Of the day."""
        return (self.clock.now - START).total_seconds() / 60

    def stocked(self, goods: Goods) -> Stocked:
        return Stocked(self.items[goods.sku], goods.grade)

    def warehouses(self) -> list[str]:
        return sorted({place.partition("/")[0] for place in self.spots})

    def shelves(self, number: int, *, beside_doors: bool = True) -> list[str]:
        """Some bins, default ones (``beside_doors``) among them; none of those that are being counted."""
        known = sorted(place for place in self.spots if beside_doors or "/" in place)
        return self.random.sample([place for place in known if place not in self.counting], number)

    def do(self, kind: str, acts: Sequence[tuple[str, Command]], *, actor: str, may_lack: bool = False) -> list[Any]:
        """Have commands done in as few batches as may be. A refusal is a finding, unless goods ``may_lack``."""
        answers = self.app.combiner.run(MERCHANT, [command for _, command in acts], actor=actor)
        for (words, _), answer in zip(acts, answers, strict=True):
            self._note(kind, words, answer, may_lack=may_lack)
        return answers

    def have(self, kind: str, words: str, act: Callable[[], T]) -> T:
        """Have something done that is a transaction of its own. Raises: what it was refused with."""
        try:
            done = act()
        except Refused as refusal:
            self._note(kind, words, refusal, may_lack=False)
            raise
        self._note(kind, words, None, may_lack=False)
        return done

    def ask(self, statement: str, /, **values: object) -> Sequence[Any]:
        """Rows of a plain select."""
        with self.db.begin(MERCHANT, actor="day") as tx:
            rows: Sequence[Any] = tx.run(statement, **values).all()
        return rows

    def found(self, what: str) -> None:
        self.journal.write(self.clock.now, "VIOLATION", what)
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(what)

    def _note(self, kind: str, words: str, answer: object, *, may_lack: bool) -> None:
        self.tally[kind] += 1
        self.journal.write(self.clock.now, kind, f"{words}: {type(answer).__name__}")
        if isinstance(answer, Refused):
            self.refused += 1
            if not may_lack:
                self.found(f"{kind} {words} was refused: {answer}")


class Stand(NamedTuple):
    """Units of one thing in a bin. ``fit``: for sale, handed to nobody; ``movable``: of them, what may leave the house;
    ``apart``: not for sale.
    """

    place: str
    goods: Goods
    fit: int
    movable: int
    apart: int


def look(house: House, places: Sequence[str], most: int, *, apart: bool = False) -> list[Stand]:
    """Up to ``most`` things in each of these bins, as people see them there: for sale, or (``apart``) not for sale.

    What is being packed is left alone.
    """
    rows = house.ask(
        """SELECT k.place, i.sku, b.grade, b.available, least(b.available, d.available) AS movable, b.unavailable
           FROM unnest(CAST(:places AS text[]), CAST(:bins AS bigint[]), CAST(:houses AS bigint[])) WITH ORDINALITY
               k (place, bin_id, warehouse_id, nth)
           CROSS JOIN LATERAL (SELECT * FROM warehouse_balance WHERE merchant_id = :merchant_id AND bin_id = k.bin_id
               AND CASE WHEN :apart THEN unavailable ELSE available END > 0 AND picking = 0
               ORDER BY hashint8extended(item_id, :salt), grade LIMIT :most) b
           CROSS JOIN LATERAL (SELECT available FROM dispatch_balance WHERE merchant_id = :merchant_id
               AND item_id = b.item_id AND grade = b.grade AND warehouse_id = k.warehouse_id OFFSET 0) d
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = b.item_id OFFSET 0) i
           ORDER BY k.nth, i.sku, b.grade""",
        places=list(places), bins=[house.spots[place].bin_id for place in places],
        houses=[house.spots[place].warehouse_id for place in places], most=most, apart=apart,
        salt=house.random.randrange(1 << 30),
    )  # fmt: skip
    return [Stand(row[0], Goods(row[1], row[2]), *row[3:]) for row in rows]

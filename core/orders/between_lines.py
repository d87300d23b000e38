"""Lines of one order that want the same item share what the order has of it.

An order is one customer's. So which of its lines has a unit must not depend on which of them was heard of first, and
nothing is short on one line while another one has it: what leaves the house is served first, then the lines in the
order of their ids at the store.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core import flows
from core.alerts.incidents import BROKEN
from core.books import Books
from core.orders.parts import PartOfLine, Wanted
from core.rows import LineRow, OrderRow, PromiseRow
from core.sales import allocated, oversold
from core.sales.drawing import turn
from core.stock import Bucket, Layer, Movement, Pool, Stocked


class Claim(NamedTuple):
    """Units that a line wants of an item: ``ships`` (<= ``need``) of them leave now."""

    ships: int
    need: int


class Drawn(NamedTuple):
    """Where units of an order stand: their pool, and the presale that sold them."""

    pool_id: int
    presale_id: int | None


def in_turn(line: LineRow) -> tuple[int, str]:
    """Stores count their lines up, and may tell them in any order."""
    return len(line.external_line_id), line.external_line_id


def deal(claims: Sequence[Claim], units: Mapping[Drawn, int]) -> list[Counter[Drawn]]:
    """What each claim gets of ``units``, which are used up in their order; what nobody wants goes to nobody. Pure."""
    left, dealt = dict(units), [Counter[Drawn]() for _ in claims]
    leaves = [(got, claim.ships) for got, claim in zip(dealt, claims, strict=True)]
    stays = [(got, claim.need - claim.ships) for got, claim in zip(dealt, claims, strict=True)]
    for got, wanted in leaves + stays:
        got.update(_take(left, wanted))
    return dealt


def _take(left: dict[Drawn, int], wanted: int) -> dict[Drawn, int]:
    taken: dict[Drawn, int] = {}
    for place, there in left.items():
        taken[place] = min(wanted, there)
        left[place] = there - taken[place]
        wanted -= taken[place]
    return taken


def keep(dealt: Sequence[Counter[Drawn]], before: Sequence[Counter[Drawn]]) -> None:
    """What was dealt to nobody stays with who has it, the last first."""
    left = sum(before, Counter[Drawn]())
    for got in dealt:
        left.subtract(got)
    for got, had in zip(reversed(dealt), reversed(before), strict=True):
        for place in had:
            stays = min(left[place], max(had[place] - got[place], 0))
            if stays:
                got[place] += stays
                left[place] -= stays


@dataclass(slots=True)
class BetweenLines:
    """Moves promises between the lines of one order; what the order has as a whole stays as it is."""

    books: Books
    row: OrderRow

    def share(self, wanted: Iterable[Wanted]) -> list[Movement]:
        """Of each item that concerns several lines, and of which any of them wants more or less than it has.

        Args: wanted: in the turn of their lines.
        Returns: movements, none when every line has what it should have.
        """
        by_item: dict[Stocked, list[Wanted]] = {}
        for part, target in wanted:
            by_item.setdefault(part.stocked, []).append((part, target))
        several = [some for some in by_item.values() if len(some) > 1 and any(map(_changes, some))]
        return [move for some in several for move in self._share(some)]

    def _share(self, wanted: Sequence[Wanted]) -> list[Movement]:
        parts = [part for part, _ in wanted]
        claims = [Claim(part.ships(target), part.need(target)) for part, target in wanted]
        live = [_live_of(part) for part in parts]
        drawn = {Drawn(row.pool_id, row.presale_id) for part in parts for row in part.promises if row.live}
        total = sum(live, Counter[Drawn]())
        dealt = deal(claims, {place: total[place] for place in sorted(drawn, key=self._turn)})
        lacks = [Claim(0, claim.need - got.total()) for claim, got in zip(claims, dealt, strict=True)]
        keep(dealt, live)
        waits = self._deal_waiting(parts, lacks)
        if dealt == live and waits == [part.waiting for part in parts]:
            return []
        return self._wait(parts, waits) + self._put(parts, live, dealt)

    def _turn(self, place: Drawn) -> tuple[tuple[int, bool, int], int]:
        return turn(self.books.pool(place.pool_id)), place.presale_id or 0

    def _deal_waiting(self, parts: Sequence[PartOfLine], lacks: Sequence[Claim]) -> list[int]:
        everywhere = Drawn(self.books.home.shared_pool_id, None)
        before = [Counter({everywhere: part.waiting}) for part in parts]
        dealt = deal(lacks, {everywhere: sum(part.waiting for part in parts)})
        keep(dealt, before)
        return [got[everywhere] for got in dealt]

    def _put(
        self, parts: Sequence[PartOfLine], before: Sequence[Counter[Drawn]], after: Sequence[Counter[Drawn]]
    ) -> list[Movement]:
        """Live units change their lines and stay in their pools; in no pool there are more free ones afterwards."""
        given: list[Movement] = []
        taken: list[Movement] = []
        givers: dict[Drawn, list[PromiseRow]] = {}
        for row in [row for part in parts for row in part.promises if row.live]:
            givers.setdefault(Drawn(row.pool_id, row.presale_id), []).append(row)
        for part, had, has in zip(parts, before, after, strict=True):
            for place in had | has:
                change, pool = has[place] - had[place], self.books.pool(place.pool_id)
                if not change:
                    continue
                row = _aged(part.promise_in(pool, place.presale_id), givers.get(place, ()))
                if change < 0:
                    why = f"lines of order {self.row.number} share what it has"
                    row = allocated.keep(self.books, row, row.live + change, why)
                self.books.add_promise(row._replace(wanted=row.wanted + change, live=row.live + change))
                if change > 0:
                    taken += flows.hold(pool, part.stocked, change, row.deducted, part.line_id)
                else:
                    given += _let_go(pool, part, -change, row.deducted)
        return given + taken

    def _wait(self, parts: Sequence[PartOfLine], waits: Sequence[int]) -> list[Movement]:
        """Who gives units away waits for them instead, in the turn and by the leave of who waited before."""
        moves: list[Movement] = []
        given: list[PromiseRow] = []
        for part, waiting in zip(parts, waits, strict=True):
            less = max(part.waiting - waiting, 0)
            moves += flows.stop_waiting(self.books.home, part.stocked, less, part.line_id)
            for row in part.promises if less else ():
                if units := min(less, row.waiting):
                    given.append(row)
                    less -= units
                    self._put_waiting(row, -units, broken=row.broken, backorder=row.backorder)
        broken, backorder = any(row.broken for row in given), all(row.backorder for row in given)
        for part, waiting in zip(parts, waits, strict=True):
            if (more := waiting - part.waiting) > 0:
                row = _aged(part.promise_in(self.books.home.shared_pool), given)
                self._put_waiting(
                    row, more, broken=row.broken or broken, backorder=backorder and (row.backorder or not row.waiting)
                )
                moves += flows.wait(self.books.home, part.stocked, more, part.line_id)
                if not backorder:
                    self._note_oversold(part, more, broken=broken)
        return moves

    def _put_waiting(self, row: PromiseRow, change: int, *, broken: bool, backorder: bool) -> None:
        waiting = row.waiting + change
        self.books.add_promise(
            row._replace(
                wanted=row.wanted + change, waiting=waiting, broken=broken and waiting > 0, backorder=backorder
            )
        )

    def _note_oversold(self, part: PartOfLine, units: int, *, broken: bool) -> None:
        told = "another line of the order had lost its units and took those of this one" if broken else ""
        oversold.note(
            self.books, self.row.id, part.line_id, part.stocked.item_id, units,
            store_id=self.row.store_id, cause=BROKEN if broken else "", told=told,
        )  # fmt: skip


def _changes(wanted: Wanted) -> bool:
    part, target = wanted
    return part.more(target) != 0 or part.ships(target) > 0


def _let_go(pool: Pool, part: PartOfLine, units: int, deducted: bool) -> list[Movement]:
    """Also of a pool that is closed, since another line takes the same units in the same document."""
    stood, passed = pool.at(flows.promised(deducted)), pool.at(Bucket.FREE)
    return [Movement(part.stocked, Layer.SALES, stood, passed, units, part.line_id)]


def _aged(row: PromiseRow, givers: Sequence[PromiseRow]) -> PromiseRow:
    """A promise that is new is as old and as urgent as those that gave it its units."""
    if row.wanted or not givers:
        return row
    oldest = min(givers, key=lambda giver: (giver.promised_at, giver.id))
    return row._replace(promised_at=oldest.promised_at, priority=oldest.priority)


def _live_of(part: PartOfLine) -> Counter[Drawn]:
    live: Counter[Drawn] = Counter()
    for row in part.promises:
        if row.live:
            live[Drawn(row.pool_id, row.presale_id)] += row.live
    return live

"""What brings the lines of one order to their targets: one document per kind of act."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core import flows
from core.books import Books, IncidentRow, LineRow, OrderRow, PromiseRow
from core.orders.parts import PartOfLine, Target, Work
from core.sales.giving_way import frees, give_way
from core.sales.held import leave_hold, promises_of_hold
from core.stock import MINOR_DEFECT, Bucket, DocumentKind, Layer, Movement, Pool, PoolKind, Stocked

OVERSELL = "oversell"


@dataclass(slots=True)
class Act:
    """Brings the lines of one order to their targets.

    ``draws``: the pools that the order may draw on for an item, first to last. ``takes``: keys of holds that it takes
    over: what it needs of them stays where it stands and is the order's from now on, the rest is given back.
    ``may_wait``: units of an item that may wait at a time, where a line without a listing sells it.
    """

    books: Books
    row: OrderRow
    key: str
    happened_at: datetime
    draws: Callable[[Stocked], Sequence[Pool]]
    holder: str = ""
    priority: int = 0
    takes: Sequence[str] = ()
    may_wait: Mapping[Stocked, int] = field(default_factory=dict)

    def run(self, work: Sequence[Work]) -> None:
        self._mend(work)
        self._release(work)
        self._take_over(work)
        self._hold(work)
        self._deduct(work)
        self._pay(work)
        self._write_off(work)
        self._ship(work)
        self._take_back(work)

    def _post(self, kind: DocumentKind, moves: list[Movement], suffix: str = "", reason: str = "") -> None:
        if moves:
            self.books.post(
                kind, f"{self.key}/{kind}{suffix}", moves,
                happened_at=self.happened_at, order_id=self.row.id, reason=reason,
            )  # fmt: skip

    def _line(self, line_id: int) -> LineRow:
        return self.books.lines[line_id]

    def _need(self, part: PartOfLine, target: Target) -> int:
        """Units the part must hold before goods leave or are written off."""
        ships = max(target.shipped * part.per_unit - part.shipped, 0)
        outstanding, written = self._left(part, target)
        return outstanding + ships + written

    def _left(self, part: PartOfLine, target: Target) -> tuple[int, int]:
        """Units still owed, and units still to be written off.

        What left the house comes back by a return only: a store that takes a status back does not fetch the goods.
        """
        outstanding = target.outstanding * part.per_unit
        unshipped = max(part.shipped - target.shipped * part.per_unit, 0)
        written = (target.written_off - self._line(part.line_id).written_off) * part.per_unit
        rest = max(unshipped - outstanding, 0)
        return max(outstanding - unshipped, 0), max(written - rest, 0)

    def _mend(self, work: Sequence[Work]) -> None:
        """What was told as written off is told as back on sale now."""
        moves: list[Movement] = []
        taken: Counter[Stocked] = Counter()
        for one in work:
            line, target = self._line(one.line_id), one.target
            if target.written_off >= line.written_off:
                continue
            for part in one.parts:
                left = (line.written_off - target.written_off) * part.per_unit
                for promise in part.promises:
                    units = min(left, promise.damaged)
                    if units:
                        # People may have mended or thrown away some of them since: the goods decide, not the store.
                        mended = min(units, self._unavailable(promise.stocked) - taken[promise.stocked])
                        moves += flows.mend(self.books.home, promise.stocked, mended) if mended else []
                        taken[promise.stocked] += mended
                        self.books.add_promise(promise._replace(damaged=promise.damaged - units))
                        left -= units
            self.books.add_line(line._replace(written_off=target.written_off))
        self._post(DocumentKind.MEND, moves, reason="the store put it back on sale after all")

    def _unavailable(self, stocked: Stocked) -> int:
        return self.books.units(Layer.WAREHOUSE, stocked, self.books.home.bin(Bucket.UNAVAILABLE))

    # ---- promises

    def _release(self, work: Sequence[Work]) -> None:
        moves: list[Movement] = []
        for one in work:
            for part in one.parts:
                drop = part.waiting + part.live - self._need(part, one.target)
                if drop > 0:
                    moves += self._let_go(part, drop)
        self._post(DocumentKind.RELEASE, moves)

    def _let_go(self, part: PartOfLine, units: int) -> list[Movement]:
        """What waits first, then what was drawn last: what was set apart for the buyer stays longest."""
        home, moves = self.books.home, []
        for promise in part.promises:
            waiting = min(units, promise.waiting)
            if waiting:
                moves += flows.stop_waiting(home, part.stocked, waiting, part.line_id)
                self._end(promise, waiting=waiting)
                units -= waiting
        for promise in reversed(part.promises):
            live = min(units, promise.live)
            if live:
                pool = self.books.pool(promise.pool_id)
                moves += flows.release(home, pool, part.stocked, live, promise.deducted, part.line_id)
                self._end(promise, live=live)
                units -= live
        return moves

    def _end(self, promise: PromiseRow, *, waiting: int = 0, live: int = 0, damaged: int = 0) -> None:
        """Units of a promise that are released."""
        self.books.add_promise(
            promise._replace(
                waiting=promise.waiting - waiting, live=promise.live - live,
                released=promise.released + waiting + live, damaged=promise.damaged + damaged,
                broken=promise.broken and promise.waiting > waiting,
            )
        )  # fmt: skip

    def _more(self, part: PartOfLine, target: Target) -> int:
        """Units that the part needs and does not have; below 1 when it has enough."""
        return self._need(part, target) - part.waiting - part.live

    def _take_over(self, work: Sequence[Work]) -> None:
        """Holds become the order's without coming free on the way: nobody else can have their units or their turn."""
        for key in self.takes:
            moves: list[Movement] = []
            before = promises_of_hold(self.books, key)
            for one in work:
                for part in one.parts:
                    for promise in promises_of_hold(self.books, key):
                        more = self._more(part, one.target)
                        if more > 0 and promise.stocked == part.stocked:
                            moves += self._inherit(part, promise, more)
            if promises_of_hold(self.books, key) != before:
                self.books.post(
                    DocumentKind.RESERVATION, f"{self.key}/takes/{key}", moves,
                    happened_at=self.happened_at, order_id=self.row.id, reason=f"took over hold {key}",
                )  # fmt: skip
            leave_hold(self.books, key, f"order {self.row.number} took over what it needed")

    def _inherit(self, part: PartOfLine, held: PromiseRow, units: int) -> list[Movement]:
        """Up to ``units`` of a hold's promise become the part's, where they stand and with their age."""
        books, pool = self.books, self.books.pool(held.pool_id)
        live = min(units, held.live)
        waiting = min(units - live, held.waiting) if held.backorder else 0
        if not live + waiting:
            return []
        known = self._promise_in(part, pool, held.presale_id)
        mine = known if known.wanted else known._replace(promised_at=held.promised_at, deducted=held.deducted)
        books.add_promise(
            mine._replace(
                wanted=mine.wanted + live + waiting, live=mine.live + live, waiting=mine.waiting + waiting,
                backorder=mine.backorder or waiting > 0,
            )
        )  # fmt: skip
        books.add_promise(
            held._replace(
                live=held.live - live, waiting=held.waiting - waiting, released=held.released + live + waiting,
                presale=held.presale and held.live > live,
            )
        )  # fmt: skip
        if mine.deducted == held.deducted:
            return []
        move = flows.deduct if mine.deducted else flows.undeduct
        return move(pool, part.stocked, live, part.line_id)

    def _hold(self, work: Sequence[Work]) -> None:
        moves: list[Movement] = []
        taken: dict[tuple[int, Stocked], int] = {}
        owed: dict[Stocked, int] = {}
        for one in work:
            for part in one.parts:
                moves += self._draw_for(part, one.target, taken)
                while self._more(part, one.target) > 0 and self._make_room(part.stocked):
                    moves += self._draw_for(part, one.target, taken)
                if (more := self._more(part, one.target)) > 0:
                    moves += self._wait(part, more, owed)
        self._post(DocumentKind.RESERVATION, moves)

    def _draw_for(self, part: PartOfLine, target: Target, taken: dict[tuple[int, Stocked], int]) -> list[Movement]:
        """What can be had of what the part lacks. ``taken``: units of pools that are spoken for and not moved yet."""
        moves: list[Movement] = []
        more = self._more(part, target)
        for pool in self.draws(part.stocked) if more > 0 else ():
            spot = (pool.id, part.stocked)
            live = min(more, self.books.free(part.stocked, pool) - taken.get(spot, 0))
            if live > 0:
                taken[spot] = taken.get(spot, 0) + live
                moves += self._draw(part, pool, live)
                more -= live
        return moves

    def _make_room(self, stocked: Stocked) -> bool:
        """Returns: True when a hold of the same holder gave way."""
        if not self.books.open_holds:
            return False
        helps = frees(self.books, (stocked,), self.draws)
        return give_way(self.books, self.holder, helps, to=f"order {self.row.number}")

    def _draw(self, part: PartOfLine, pool: Pool, units: int) -> list[Movement]:
        promise = self._promise_in(part, pool)
        self.books.add_promise(promise._replace(wanted=promise.wanted + units, live=promise.live + units))
        return flows.hold(pool, part.stocked, units, promise.deducted, part.line_id)

    def _wait(self, part: PartOfLine, units: int, owed: dict[Stocked, int]) -> list[Movement]:
        """What is not there waits in the shared pool; beyond what the rules allow it is oversold."""
        home = self.books.home
        promise = self._promise_in(part, home.shared_pool)
        before = self.books.units(Layer.SALES, part.stocked, home.shared(Bucket.BACKORDERED))
        before += owed.get(part.stocked, 0)
        owed[part.stocked] = owed.get(part.stocked, 0) + units
        excess = min(units, max(before + units - self._most_waiting(part), 0))
        self.books.add_promise(
            promise._replace(wanted=promise.wanted + units, waiting=promise.waiting + units, backorder=excess == 0)
        )
        if excess:
            order = self.row
            self.books.incidents.append(
                IncidentRow(
                    self.books.new_id(), OVERSELL, order.store_id, order.id, part.line_id, part.stocked.item_id, excess
                )
            )
        return flows.wait(home, part.stocked, units, part.line_id)

    def _most_waiting(self, part: PartOfLine) -> int:
        """Units of an item that may wait by the rules of the listing that sold it, or else of the item itself."""
        listing_id = self._line(part.line_id).listing_id
        if listing_id is None:
            return self.may_wait.get(part.stocked, 0)
        listing = next((row for row in self.books.listings.values() if row.id == listing_id), None)
        return 0 if listing is None else listing.may_wait

    def _promise_in(self, part: PartOfLine, pool: Pool, presale_id: int | None = None) -> PromiseRow:
        """The part's promise in a pool, of units that a presale sold; a new one wants nothing yet."""
        line, presale = self._line(part.line_id), pool.kind is PoolKind.PRESALE
        presale_id = pool.id if presale else presale_id
        for promise in part.promises:
            if promise.pool_id == pool.id and promise.presale_id == presale_id:
                return promise._replace(presale=presale)
        return PromiseRow(
            self.books.new_id(), line.id, line.order_id, *part.stocked, pool.id, wanted=0, waiting=0, live=0,
            shipped=0, released=0, deducted=line.deducted, promised_at=self.books.now, paid=line.paid,
            per_unit=part.per_unit, priority=self.priority, holder=self.holder, presale=presale, presale_id=presale_id,
        )  # fmt: skip

    # ---- what became of them

    def _deduct(self, work: Sequence[Work]) -> None:
        final: list[Movement] = []
        undone: list[Movement] = []
        for one in work:
            line, deducted = self._line(one.line_id), one.target.deducted
            promises = [promise for part in one.parts for promise in part.promises]
            late = [promise for promise in promises if promise.deducted != deducted]
            if not late and (line.deducted == deducted or not promises):
                continue
            move, moves = (flows.deduct, final) if deducted else (flows.undeduct, undone)
            for promise in late:
                moves += move(self.books.pool(promise.pool_id), promise.stocked, promise.live, line.id)
                self.books.add_promise(promise._replace(deducted=deducted))
            self.books.add_line(line._replace(deducted=deducted))
        self._post(DocumentKind.DEDUCTION, final)
        self._post(DocumentKind.RESERVATION, undone, "/unpaid", "the store took the payment back")

    def _pay(self, work: Sequence[Work]) -> None:
        """Who paid is served before who did not."""
        for one in work:
            for promise in [promise for part in one.parts for promise in part.promises]:
                if promise.paid != self.row.paid and promise.waiting + promise.live:
                    self.books.add_promise(promise._replace(paid=self.row.paid))

    def _write_off(self, work: Sequence[Work]) -> None:
        released: list[Movement] = []
        damaged: list[Movement] = []
        for one in work:
            due = [(part, units) for part in one.parts if (units := self._left(part, one.target)[1]) > 0]
            for part, left in due:
                units = left
                for promise in part.promises:
                    live = 0 if promise.presale else min(units, promise.live)
                    units -= live
                    if live:
                        released += self._give_up(part, promise, live)
                        damaged += flows.damage(self.books.home, part.stocked, live)
                        self._end(promise, live=live, damaged=live)
                released += self._let_go(part, units) if units else []
            if due:
                line = self._line(one.line_id)
                self.books.add_line(line._replace(written_off=one.target.written_off))
        self._post(DocumentKind.RELEASE, released, "/written-off")
        self._post(DocumentKind.DAMAGE, damaged, reason="refunded without going back on sale")

    def _give_up(self, part: PartOfLine, promise: PromiseRow, units: int) -> list[Movement]:
        """Promised units become free ones of the shared pool, whatever pool they stood in."""
        home, pool = self.books.home, self.books.pool(promise.pool_id)
        moves = flows.release(home, pool, part.stocked, units, promise.deducted, part.line_id)
        if pool.is_open and pool.kind is PoolKind.LOCK:
            moves += flows.unlock(home, pool, part.stocked, units)
        elif pool.is_open and pool.kind is not PoolKind.SHARED:
            moves += flows.collect(home, pool, part.stocked, units)
        return moves

    def _ship(self, work: Sequence[Work]) -> None:
        found: list[Movement] = []
        filled: list[Movement] = []
        shipped: list[Movement] = []
        for one in work:
            for part in one.parts:
                units = one.target.shipped * part.per_unit - part.shipped
                if units > 0:
                    self._find(part, units, found, filled)
                    shipped += self._send(part, units)
        self._post(DocumentKind.FOUND, found, reason="shipped by the store although no unit was known")
        self._post(DocumentKind.FILL, filled)
        self._post(DocumentKind.SHIPMENT, shipped)

    def _find(self, part: PartOfLine, units: int, found: list[Movement], filled: list[Movement]) -> None:
        """The goods left the house, so they were there: a physical fact is never refused."""
        home = self.books.home
        lacking = units - sum(row.live for row in part.promises if not row.presale)
        for promise in part.promises:
            more = min(lacking, promise.live if promise.presale else promise.waiting)
            if more <= 0:
                continue
            found += flows.come_in(home, part.stocked, more)
            if promise.presale:
                self._hand_over(part, promise, more, filled)
            else:
                filled += flows.fill(home, part.stocked, more, promise.deducted, part.line_id)
                self.books.add_promise(promise._replace(waiting=promise.waiting - more, live=promise.live + more))
            lacking -= more

    def _hand_over(self, part: PartOfLine, promise: PromiseRow, units: int, filled: list[Movement]) -> None:
        pool = self.books.pool(promise.pool_id)
        filled += flows.hand_over(self.books.home, pool, part.stocked, units, promise.deducted, part.line_id)
        self.books.add_promise(promise._replace(wanted=promise.wanted - units, live=promise.live - units))
        shared = self._promise_in(part, self.books.home.shared_pool, promise.presale_id)
        self.books.add_promise(shared._replace(wanted=shared.wanted + units, live=shared.live + units))

    def _send(self, part: PartOfLine, units: int) -> list[Movement]:
        moves: list[Movement] = []
        for promise in part.promises:
            sent = min(units, promise.live)
            if sent:
                pool = self.books.pool(promise.pool_id)
                moves += flows.ship(self.books.home, pool, part.stocked, sent, part.line_id)
                self.books.add_promise(promise._replace(live=promise.live - sent, shipped=promise.shipped + sent))
                units -= sent
        return moves

    def _take_back(self, work: Sequence[Work]) -> None:
        """Returns: what came back, in the grade in which it was found to be."""
        back: list[Movement] = []
        regraded: list[Movement] = []
        for one in work:
            line, target = self._line(one.line_id), one.target
            flawed = max(target.returned_minor_defect - line.returned_minor_defect, 0)
            came = max(target.returned - line.returned, 0)
            if not came and not flawed:
                continue
            late = max(flawed - came, 0)  # came back as good before, and turned out to have a flaw
            for part in one.parts:
                minor = part.stocked._replace(grade=MINOR_DEFECT)
                for stocked, n in ((part.stocked, came - flawed + late), (minor, flawed - late)):
                    back += flows.come_in(self.books.home, stocked, n * part.per_unit) if n else []
                if late:
                    regraded += flows.turn_into(
                        self.books.home, part.stocked, minor, late * part.per_unit, late * part.per_unit
                    )
            self.books.add_line(
                line._replace(
                    returned=max(target.returned, line.returned),
                    returned_minor_defect=line.returned_minor_defect + flawed,
                )
            )  # fmt: skip
        self._post(DocumentKind.RETURN, back)
        self._post(DocumentKind.REGRADE, regraded)

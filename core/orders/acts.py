"""What brings the lines of one order to their targets: one document per kind of act."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core import flows
from core.books import Books
from core.orders.between_lines import BetweenLines
from core.orders.leaving import Leaving
from core.orders.parts import PartOfLine, Target, Work, parts_of
from core.rows import OrderRow, PromiseRow
from core.sales import allocated, kept, oversold
from core.sales.giving_way import frees, give_way
from core.sales.held import leave_hold, promises_of_hold
from core.sales.shortage import Shortage, shelves
from core.stock import MINOR_DEFECT, Bucket, DocumentKind, Layer, Movement, Pool, PoolKind, Stocked
from core.warehouse.picking import Picker


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
    takes: Sequence[str] = ()
    may_wait: Mapping[Stocked, int] = field(default_factory=dict)

    def run(self, work: Sequence[Work]) -> None:
        """Args: work: in the turn of its lines."""
        self._mend(work)
        self._share(work)
        self._release(work)
        self._take_over(work)
        self._hold(work)
        self._take_unpaid(work)
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

    def _mend(self, work: Sequence[Work]) -> None:
        """What was told as written off is told as back on sale now."""
        moves: list[Movement] = []
        picker = Picker(self.books)
        for one in work:
            line, target = self.books.lines[one.line_id], one.target
            if target.written_off >= line.written_off:
                continue
            for part in one.parts:
                left = (line.written_off - target.written_off) * part.per_unit
                for promise in part.promises:
                    units = min(left, promise.damaged)
                    if units:
                        # People may have mended or thrown away some of them since: the goods decide, not the store.
                        for home, n in picker.take_unavailable(promise.stocked, units):
                            moves += flows.mend(home, promise.stocked, n)
                        self.books.add_promise(promise._replace(damaged=promise.damaged - units))
                        left -= units
            self.books.add_line(line._replace(written_off=target.written_off))
        self._post(DocumentKind.MEND, moves, reason="the store put it back on sale after all")

    # ---- promises

    def _share(self, work: Sequence[Work]) -> None:
        """What one line gives up goes to the others first, and nobody else can have it."""
        moves = BetweenLines(self.books, self.row).share(parts_of(work))
        self._post(DocumentKind.RESERVATION, moves, "/lines", "lines of the order share what it has")

    def _release(self, work: Sequence[Work]) -> None:
        moves: list[Movement] = []
        for part, target in parts_of(work):
            if (drop := -part.more(target)) > 0:
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
        for row in reversed(part.promises):
            live = min(units, row.live)
            if live:
                promise = self._take_from_warehouses(row, live)
                pool = self.books.pool(promise.pool_id)
                moves += flows.release(home, pool, part.stocked, live, promise.deducted, part.line_id)
                self._end(promise, live=live)
                units -= live
        return moves

    def _take_from_warehouses(self, promise: PromiseRow, units: int) -> PromiseRow:
        """No warehouse is to send ``units`` of these. Returns: the promise as it is then."""
        why = f"order {self.row.number} does not want them any more"
        return allocated.keep(self.books, promise, promise.live - units, why)

    def _end(self, promise: PromiseRow, *, waiting: int = 0, live: int = 0, damaged: int = 0) -> None:
        """Units of a promise that are released."""
        self.books.add_promise(
            promise._replace(
                waiting=promise.waiting - waiting, live=promise.live - live,
                released=promise.released + waiting + live, damaged=promise.damaged + damaged,
                broken=promise.broken and promise.waiting > waiting,
            )
        )  # fmt: skip

    def _take_over(self, work: Sequence[Work]) -> None:
        """Holds become the order's without coming free on the way: nobody else can have their units or their turn."""
        for key in self.takes:
            moves: list[Movement] = []
            before = promises_of_hold(self.books, key)
            for part, target in parts_of(work):
                for promise in promises_of_hold(self.books, key):
                    more = part.more(target)
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
        known = part.promise_in(pool, held.presale_id)
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
        """Draw what is there; the lines share it before any of them waits."""
        moves: list[Movement] = []
        taken: dict[tuple[int, Stocked], int] = {}
        for part, target in parts_of(work):
            moves += self._draw_for(part, target, taken)
            while part.more(target) > 0 and self._make_room(part.stocked):
                moves += self._draw_for(part, target, taken)
        moves += BetweenLines(self.books, self.row).share(parts_of(work))
        owed: Counter[Stocked] = Counter()
        for part, target in parts_of(work):
            if (more := part.more(target)) > 0:
                moves += self._wait(part, more, owed)
        self._post(DocumentKind.RESERVATION, moves)

    def _draw_for(self, part: PartOfLine, target: Target, taken: dict[tuple[int, Stocked], int]) -> list[Movement]:
        """What can be had of what the part lacks. ``taken``: units of pools that are spoken for and not moved yet."""
        moves: list[Movement] = []
        more = part.more(target)
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
        promise = part.promise_in(pool)
        self.books.add_promise(promise._replace(wanted=promise.wanted + units, live=promise.live + units))
        return flows.hold(pool, part.stocked, units, promise.deducted, part.line_id)

    def _wait(self, part: PartOfLine, units: int, owed: Counter[Stocked]) -> list[Movement]:
        """What is not there waits in the shared pool; beyond what the rules allow it is oversold."""
        home, order = self.books.home, self.row
        promise = part.promise_in(home.shared_pool)
        before = self.books.units(Layer.SALES, part.stocked, home.shared(Bucket.BACKORDERED)) + owed[part.stocked]
        owed[part.stocked] += units
        excess = min(units, max(before + units - self._most_waiting(part), 0))
        self.books.add_promise(
            promise._replace(wanted=promise.wanted + units, waiting=promise.waiting + units, backorder=excess == 0)
        )
        if excess:
            oversold.note(self.books, order.id, part.line_id, part.stocked.item_id, excess, store_id=order.store_id)
        return flows.wait(home, part.stocked, units, part.line_id)

    def _most_waiting(self, part: PartOfLine) -> int:
        """Units of an item that may wait by the rules of the listing that sold it, or else of the item itself."""
        listing_id = part.line.listing_id
        if listing_id is None:
            return self.may_wait.get(part.stocked, 0)
        listing = next((row for row in self.books.listings.values() if row.id == listing_id), None)
        return 0 if listing is None else listing.may_wait * self._times(part)

    def _times(self, part: PartOfLine) -> int:
        """Units of the item in one that a rule counts: the rule of a bundle counts bundles, but no packs of them."""
        line = part.line
        recipe = [] if line.item_id is None else self.books.parts(Stocked(line.item_id, line.grade))
        return next((one.per_unit for one in recipe if one.stocked == part.stocked), part.per_unit)

    # ---- what became of them

    def _take_unpaid(self, work: Sequence[Work]) -> None:
        """No warehouse sends what the store says is not paid after all."""
        if not self.row.paid:
            for promise in [promise for one in work for part in one.parts for promise in part.promises]:
                allocated.keep(self.books, promise, 0, f"order {self.row.number} is not paid any more")

    def _deduct(self, work: Sequence[Work]) -> None:
        final: list[Movement] = []
        undone: list[Movement] = []
        for one in work:
            line, deducted = self.books.lines[one.line_id], one.target.deducted
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
        spoiled: Counter[Stocked] = Counter()
        for one in work:
            due = [(part, units) for part in one.parts if (units := part.left(one.target)[1]) > 0]
            for part, left in due:
                units = left
                for row in part.promises:
                    live = 0 if row.presale else min(units, row.live)
                    units -= live
                    if live:
                        promise = self._take_from_warehouses(row, live)
                        released += self._give_up(part, promise, live)
                        spoiled[part.stocked] += live
                        self._end(promise, live=live, damaged=live)
                released += self._let_go(part, units) if units else []
            if due:
                line = self.books.lines[one.line_id]
                self.books.add_line(line._replace(written_off=one.target.written_off))
        self._post(DocumentKind.RELEASE, released, "/written-off")
        self._spoil(spoiled)

    def _spoil(self, spoiled: Mapping[Stocked, int]) -> None:
        """Units that are free now may not be sold. What stands in no bin was on its way, and has come."""
        picker, here, damaged = Picker(self.books), list[Movement](), list[Movement]()
        for stocked, units in spoiled.items():
            left = units
            kept.make_room(self.books, stocked, units, f"units of order {self.row.number} were written off")
            for home, n in picker.take(stocked, units):
                damaged += flows.damage(home, stocked, n)
                left -= n
            if left:
                here += flows.come_in(self.books.home, stocked, left)
                damaged += flows.damage(self.books.home, stocked, left)
        self._post(DocumentKind.FOUND, here, "/spoiled", "written off by the store although it was thought on its way")
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
        due = [(part, units) for part, target in parts_of(work) if (units := part.ships(target))]
        if due:
            Leaving(self.books, self.row, self._post).run(due)

    def _take_back(self, work: Sequence[Work]) -> None:
        """Returns: what came back, in the grade in which it was found to be."""
        back: list[Movement] = []
        turned: Counter[Stocked] = Counter()
        for one in work:
            line, target = self.books.lines[one.line_id], one.target
            came = max(target.returned - line.returned, 0)
            flawed = max(target.returned_minor_defect - line.returned_minor_defect, 0)
            late = max(flawed - came, 0)  # came back as good before, and turned out to have a flaw
            for part in one.parts:
                minor = part.stocked._replace(grade=MINOR_DEFECT)
                for stocked, n in ((part.stocked, came - flawed + late), (minor, flawed - late)):
                    back += flows.come_in(self.books.home, stocked, n * part.per_unit) if n else []
                if late:
                    turned[part.stocked] += late * part.per_unit
            if came or flawed:
                self.books.add_line(
                    line._replace(
                        returned=line.returned + came, returned_minor_defect=line.returned_minor_defect + flawed
                    )
                )
        self._post(DocumentKind.RETURN, back)
        self._regrade(turned)

    def _regrade(self, turned: Mapping[Stocked, int]) -> None:
        """Who was promised the good units meanwhile makes room; one that has left the house left as it was."""
        moves: list[Movement] = []
        for stocked, units in turned.items():
            for place, there in shelves(self.books, stocked, units):
                what = f"{there} that order {self.row.number} brought back turned out to have a flaw"
                moves += Shortage(self.books, False, what, place).of(stocked, there)
                moves += flows.come_in(place, stocked._replace(grade=MINOR_DEFECT), there)
        self._post(DocumentKind.REGRADE, moves)

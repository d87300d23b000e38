"""``ApplyOrder``: a store's order in its newest state becomes what the order should hold now.

The difference between what it should hold and what it holds is posted, whatever happened in between: duplicates,
losses, reordering, edits, part refunds and cancellations are one code path. An order that exists on a store is never
refused: what is missing waits as a backorder, and an incident says why.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from core import flows
from core.books import Books, IncidentRow, LineRow, OrderRow, PromiseRow, StoreKey
from core.errors import Broken
from core.model import StoreOrder, StoreOrderLine
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Stocked

OVERSELL = "oversell"


@dataclass(frozen=True, slots=True)
class Target:
    """What one line should hold, in sale units of its item, all >= 0."""

    outstanding: int
    shipped: int
    written_off: int
    returned: int
    deducted: bool


def target_of(order: StoreOrder, line: StoreOrderLine | None, pack_size: int) -> Target:
    """What a line of ``order`` should hold; None for a line that the order no longer has. Pure."""
    if line is None:
        return Target(0, 0, 0, 0, order.paid)
    outstanding = line.quantity - line.cancelled - line.written_off - line.shipped if order.holds else 0
    return Target(
        max(outstanding, 0) * pack_size,
        line.shipped * pack_size,
        line.written_off * pack_size,
        min(line.returned, line.shipped) * pack_size,
        order.paid or line.shipped > 0,
    )


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """Apply ``order`` as fetched; ``fetch_seq`` was taken before the request, and a lower one is dropped.

    ``opened_at``: units that left before then were never part of our stock. ``heard_at``: when the hint arrived.
    ``ours_since``: the same, later by all the time that went into waiting for the store.
    """

    store_id: int
    order: StoreOrder
    fetch_seq: int
    opened_at: datetime | None = None
    heard_at: datetime | None = None
    ours_since: datetime | None = None

    def effect_keys(self) -> Iterable[str]:
        return ()

    def order_keys(self) -> Iterable[StoreKey]:
        return (StoreKey(self.store_id, self.order.external_id),)

    def listing_keys(self, books: Books) -> Iterable[StoreKey]:
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        ids = {line.external_id for line in self.order.lines} | {line.external_id for line in books.lines_of(row.id)}
        return {StoreKey(self.store_id, external_id) for external_id in ids if external_id is not None}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        items = {line.item_id for line in books.lines_of(row.id)}
        items |= {books.listings[key].item_id for key in self.listing_keys(books) if key in books.listings}
        moves_goods = any(line.shipped or line.written_off or line.returned for line in self.order.lines)
        layers = tuple(Layer) if moves_goods else (Layer.SALES,)
        return {books.home.key(layer, Stocked(item)) for item in items if item is not None for layer in layers}

    def decide(self, books: Books) -> bool:
        """Post what is missing. Returns: False when a newer fetch was applied before."""
        key = StoreKey(self.store_id, self.order.external_id)
        row = books.orders[key]
        if self.fetch_seq <= row.fetch_seq:
            return False
        order = self.order
        row = row._replace(number=order.number, state=order.state, holds=order.holds, paid=order.paid,
            placed_at=order.placed_at, version=order.version, fetch_seq=self.fetch_seq, applied_at=books.now,
        )  # fmt: skip
        books.put(books.orders, key, row)
        work = list(self._bind(books, row))
        _Act(books, row, f"store/{self.store_id}/order/{order.external_id}/{self.fetch_seq}", order.placed_at).run(work)
        books.news(self.heard_at, self.ours_since)
        return True

    def _bind(self, books: Books, row: OrderRow) -> Iterator[tuple[LineRow, PromiseRow, Target]]:
        """Lines as rows, each with its promise and its target; a line that matches no item is held, not lost."""
        seen = set()
        for told in self.order.lines:
            seen.add(told.line_id)
            known = books.line(row.id, told.line_id)
            line = self._line_row(books, row, told, known)
            books.add_line(line)
            if line.item_id is not None:
                pack = self._pack(books, line.external_id)
                self._count(books, line, known)
                target = target_of(self.order, told, pack)
                yield line, self._promise(books, line, target), target
        for line in list(books.lines_of(row.id)):
            if line.external_line_id not in seen and line.item_id is not None:
                # Taking one line out gives its units back on the store; deleting the order leaves its number alone.
                counted = 0 if self.order.lines else line.counted
                gone = line._replace(cancelled=line.ordered, counted=counted, hidden=0)
                books.add_line(gone)
                self._count(books, gone, line)
                shipped = sum(p.shipped for p in books.promises_of(line.id))
                target = Target(0, shipped, line.written_off, line.returned, line.deducted)
                yield gone, self._promise(books, gone, target), target

    def _pack(self, books: Books, external_id: str | None) -> int:
        listing = books.listings.get(StoreKey(self.store_id, external_id or ""))
        return listing.pack_size if listing else 1

    def _line_row(self, books: Books, row: OrderRow, told: StoreOrderLine, known: LineRow | None) -> LineRow:
        # A product deleted on the store is not named any more, but what was sold is known from before.
        external_id = told.external_id or (known.external_id if known else None)
        listing = books.listings.get(StoreKey(self.store_id, external_id or ""))
        item_id = known.item_id if known and known.item_id is not None else (listing.item_id if listing else None)
        pack = self._pack(books, external_id)
        held = "" if item_id is not None else _why_held(told, listing is not None)
        return LineRow(
            id=known.id if known else books.new_id(),
            order_id=row.id,
            external_line_id=told.line_id,
            external_id=external_id,
            sku=told.sku,
            title=told.title,
            listing_id=known.listing_id if known and known.listing_id else (listing.id if listing else None),
            item_id=item_id,
            ordered=told.quantity * pack,
            cancelled=told.cancelled * pack,
            written_off=known.written_off if known else 0,
            damaged=known.damaged if known else 0,
            returned=known.returned if known else 0,
            counted=told.counted,
            hidden=told.hidden,
            deducted=known.deducted if known else False,
            paid=row.paid,
            held_reason=held,
        )

    def _count(self, books: Books, line: LineRow, known: LineRow | None) -> None:
        """What the store took off its own number by itself is no surprise any more."""
        if line.listing_id is None:
            return
        if line.hidden != (known.hidden if known else 0):
            books.shown_again.add(line.listing_id)
        if (known is None and self._is_old()) or (known is not None and known.item_id is None):
            return  # off the number already when we first read it
        change = line.counted - (known.counted if known else 0)
        if change:
            books.counted.append((line.listing_id, change))

    def _is_old(self) -> bool:
        """An order from before this store's numbers were first read: its units are off those numbers already."""
        return self.opened_at is not None and self.order.placed_at < self.opened_at

    def _promise(self, books: Books, line: LineRow, target: Target) -> PromiseRow:
        for promise in books.promises_of(line.id):
            return promise
        if line.item_id is None:
            raise Broken(f"line {line.id} has no item")
        before = target.shipped if self._is_old() else 0
        if self._is_old():
            books.add_line(books.lines[line.id]._replace(returned=target.returned, written_off=target.written_off))
        return PromiseRow(
            id=books.new_id(), order_line_id=line.id, order_id=line.order_id, item_id=line.item_id, grade="good",
            pool_id=books.home.shared_pool_id, wanted=before, waiting=0, live=0, shipped=before, released=0,
            deducted=False, promised_at=books.now, expires_at=None,
        )  # fmt: skip


def _why_held(told: StoreOrderLine, listed: bool) -> str:
    if told.external_id is None:
        return f"the store no longer says which product line {told.line_id} ({told.sku or told.title}) was"
    if listed:
        return f"the listing {told.sku or told.external_id} is mapped to no item; map it and the line is replayed"
    return f"no listing {told.external_id} ({told.sku or told.title}) is known; run `holdfast sync` to import it"


class _Act:
    """Brings the lines of one order to their targets, one document per kind of act."""

    def __init__(self, books: Books, row: OrderRow, key: str, happened_at: datetime) -> None:
        self.books, self.row, self.key, self.happened_at = books, row, key, happened_at

    def run(self, work: list[tuple[LineRow, PromiseRow, Target]]) -> None:
        for _, promise, _ in work:
            if promise.id not in self.books.promises and promise.wanted:
                self.books.add_promise(promise)
        lines = [(line.id, promise.id, promise, target) for line, promise, target in work]
        state = {promise_id: promise for _, promise_id, promise, _ in lines}
        self._mend(lines)
        self._release(lines, state)
        self._hold(lines, state)
        self._deduct(lines, state)
        self._write_off(lines, state)
        self._ship(lines, state)
        self._take_back(lines)
        for promise_id, promise in state.items():
            if self.books.promises.get(promise_id) != promise and promise.wanted:
                self.books.add_promise(promise)

    def _post(self, kind: DocumentKind, moves: list[Movement], suffix: str = "", reason: str = "") -> None:
        if moves:
            self.books.post(
                kind, f"{self.key}/{kind}{suffix}", moves,
                happened_at=self.happened_at, order_id=self.row.id, reason=reason,
            )  # fmt: skip

    def _need(self, line_id: int, promise: PromiseRow, target: Target) -> int:
        """Units the promise must hold before goods leave or are written off."""
        ships = max(target.shipped - promise.shipped, 0)
        outstanding, written = self._left(line_id, promise, target)
        return outstanding + ships + written

    def _left(self, line_id: int, promise: PromiseRow, target: Target) -> tuple[int, int]:
        """Units still owed, and units still to be written off.

        What left the house comes back by a return only: a store that takes a status back does not fetch the goods.
        """
        unshipped = max(promise.shipped - target.shipped, 0)
        written = target.written_off - self.books.lines[line_id].written_off
        rest = max(unshipped - target.outstanding, 0)
        return max(target.outstanding - unshipped, 0), max(written - rest, 0)

    def _mend(self, lines: "_Lines") -> None:
        """What was told as written off is told as back on sale now."""
        moves: list[Movement] = []
        for line_id, _, promise, target in lines:
            line = self.books.lines[line_id]
            if target.written_off < line.written_off:
                units = min(line.written_off - target.written_off, line.damaged)
                moves += flows.mend(self.books.home, promise.stocked, units) if units else []
                line = line._replace(written_off=target.written_off, damaged=line.damaged - units)
                self.books.add_line(line)
        self._post(DocumentKind.MEND, moves, reason="the store put it back on sale after all")

    def _release(self, lines: "_Lines", state: dict[int, PromiseRow]) -> None:
        moves: list[Movement] = []
        for line_id, promise_id, _, target in lines:
            promise = state[promise_id]
            drop = promise.waiting + promise.live - self._need(line_id, promise, target)
            if drop > 0:
                waiting = min(drop, promise.waiting)
                live = drop - waiting
                moves += flows.release(self.books.home, promise.stocked, live, waiting, promise.deducted, line_id)
                state[promise_id] = promise._replace(
                    waiting=promise.waiting - waiting,
                    live=promise.live - live,
                    released=promise.released + drop,
                )
        self._post(DocumentKind.RELEASE, moves)

    def _hold(self, lines: "_Lines", state: dict[int, PromiseRow]) -> None:
        moves: list[Movement] = []
        left: dict[Stocked, int] = {}
        for line_id, promise_id, _, target in lines:
            promise = state[promise_id]
            more = self._need(line_id, promise, target) - promise.waiting - promise.live
            if more <= 0:
                continue
            free = left.get(promise.stocked)
            free = self.books.free(promise.stocked) if free is None else free
            live = min(free, more)
            left[promise.stocked] = free - live
            moves += flows.hold(self.books.home, promise.stocked, live, more - live, promise.deducted, line_id)
            state[promise_id] = promise._replace(
                wanted=promise.wanted + more, live=promise.live + live, waiting=promise.waiting + more - live
            )
            if more > live:
                self._incident(line_id, promise.item_id, more - live)
        self._post(DocumentKind.RESERVATION, moves)

    def _incident(self, line_id: int, item_id: int, units: int) -> None:
        order = self.row
        row = IncidentRow(self.books.new_id(), OVERSELL, order.store_id, order.id, line_id, item_id, units)
        self.books.incidents.append(row)

    def _deduct(self, lines: "_Lines", state: dict[int, PromiseRow]) -> None:
        final: list[Movement] = []
        undone: list[Movement] = []
        for line_id, promise_id, _, target in lines:
            promise = state[promise_id]
            if promise.deducted == target.deducted or not promise.wanted:
                continue
            move = flows.deduct if target.deducted else flows.undeduct
            (final if target.deducted else undone).extend(move(self.books.home, promise.stocked, promise.live, line_id))
            state[promise_id] = promise._replace(deducted=target.deducted)
            self.books.add_line(self.books.lines[line_id]._replace(deducted=target.deducted))
        self._post(DocumentKind.DEDUCTION, final)
        self._post(DocumentKind.RESERVATION, undone, "/unpaid", "the store took the payment back")

    def _write_off(self, lines: "_Lines", state: dict[int, PromiseRow]) -> None:
        released: list[Movement] = []
        damaged: list[Movement] = []
        for line_id, promise_id, _, target in lines:
            line, promise = self.books.lines[line_id], state[promise_id]
            units = self._left(line_id, promise, target)[1]
            if units <= 0:
                continue
            live = min(units, promise.live)
            waiting = units - live
            released += flows.release(self.books.home, promise.stocked, live, waiting, promise.deducted, line_id)
            if live:
                damaged += flows.damage(self.books.home, promise.stocked, live)
            state[promise_id] = promise._replace(
                live=promise.live - live, waiting=promise.waiting - waiting, released=promise.released + units
            )
            self.books.add_line(line._replace(written_off=target.written_off, damaged=line.damaged + live))
        self._post(DocumentKind.RELEASE, released, "/written-off")
        self._post(DocumentKind.DAMAGE, damaged, reason="refunded without going back on sale")

    def _ship(self, lines: "_Lines", state: dict[int, PromiseRow]) -> None:
        found: list[Movement] = []
        filled: list[Movement] = []
        shipped: list[Movement] = []
        for line_id, promise_id, _, target in lines:
            promise = state[promise_id]
            units = target.shipped - promise.shipped
            if units <= 0:
                continue
            home, lacking = self.books.home, max(units - promise.live, 0)
            if lacking:
                # The goods left the house, so they were there: a physical fact is never refused.
                found += flows.come_in(home, promise.stocked, lacking)
                filled += flows.fill(home, promise.stocked, lacking, promise.deducted, line_id)
            shipped += flows.ship(home, promise.stocked, units, line_id)
            state[promise_id] = promise._replace(
                waiting=promise.waiting - lacking,
                live=promise.live + lacking - units,
                shipped=promise.shipped + units,
            )
        self._post(DocumentKind.FOUND, found, reason="shipped by the store although no unit was known")
        self._post(DocumentKind.FILL, filled)
        self._post(DocumentKind.SHIPMENT, shipped)

    def _take_back(self, lines: "_Lines") -> None:
        moves: list[Movement] = []
        for line_id, _, promise, target in lines:
            line = self.books.lines[line_id]
            if target.returned > line.returned:
                moves += flows.come_in(self.books.home, promise.stocked, target.returned - line.returned)
                self.books.add_line(line._replace(returned=target.returned))
        self._post(DocumentKind.RETURN, moves)


_Lines = list[tuple[int, int, PromiseRow, Target]]

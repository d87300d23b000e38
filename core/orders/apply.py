"""``ApplyOrder``: a store's order in its newest state becomes what the order should hold now.

The difference between what it should hold and what it holds is posted, whatever happened in between: duplicates,
losses, reordering, edits, part refunds and cancellations are one code path. An order that exists on a store is never
refused: what is missing waits as a backorder, and an incident says why.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.books import Books
from core.command import Command, HandedFrom, SentFrom, Short, Where
from core.dispatch.destinations import kept_of
from core.errors import Broken
from core.goods.receiving import keys_of_goods
from core.model import Deduct, StoreOrder, StoreOrderLine
from core.orders.acts import Act
from core.orders.between_lines import in_turn
from core.orders.parts import PartOfLine, Target, Work
from core.rows import LineRow, ListingRow, OrderRow, StoreKey
from core.sales import allocated
from core.sales.drawing import draws
from core.sales.held import keys_of, promises_of_hold
from core.stock import GOOD, MINOR_DEFECT, BalanceKey, Bucket, Layer, Stocked


def target_of(order: StoreOrder, line: StoreOrderLine | None, deduct: Deduct = Deduct.RESERVE_THEN_DEDUCT) -> Target:
    """What a line of ``order`` should hold; None for a line that the order no longer has. Pure.

    With ``at_payment`` an order holds nothing before it is paid; with ``at_order`` what it holds is deducted at once.
    """
    deducted = order.paid or deduct is Deduct.AT_ORDER
    if line is None:
        return Target(0, 0, 0, 0, deducted)
    holds = order.holds and (order.paid or deduct is not Deduct.AT_PAYMENT)
    outstanding = line.quantity - line.cancelled - line.written_off - line.shipped if holds else 0
    returned = min(line.returned, line.shipped)
    return Target(
        max(outstanding, 0),
        line.shipped,
        line.written_off,
        returned,
        deducted or line.shipped > 0,
        min(line.returned_minor_defect, returned),
    )


@dataclass(frozen=True, slots=True)
class ApplyOrder(Command):
    """Apply ``order`` as fetched; ``fetch_seq`` was taken before the request, and a lower one is dropped.

    ``opened_at``: units that left before then were never part of our stock. ``heard_at``: when the hint arrived.
    ``ours_since``: the same, later by all the time that went into waiting for the store. ``deduct``: when this channel
    deducts. ``holder``: who buys, as an opaque word. ``takes``: keys of holds that this order takes over.
    ``counts``: what lines without a listing sell, by their external id: orders of our own interface name items;
    ``may_wait``: how many units of what they sell may wait at a time, as ``core.sales.waiting`` reads it.
    """

    store_id: int
    order: StoreOrder
    fetch_seq: int
    opened_at: datetime | None = None
    heard_at: datetime | None = None
    ours_since: datetime | None = None
    deduct: Deduct = Deduct.RESERVE_THEN_DEDUCT
    holder: str = ""
    priority: int = 0
    takes: Sequence[str] = ()
    counts: Mapping[str, Stocked] = field(default_factory=dict, hash=False)
    may_wait: Mapping[Stocked, int] = field(default_factory=dict, hash=False)

    def order_keys(self) -> Iterable[StoreKey]:
        return (StoreKey(self.store_id, self.order.external_id),)

    def hold_keys(self) -> Iterable[str]:
        return self.takes

    def holders(self) -> Iterable[str]:
        return (self.holder,) if self.holder else ()

    def listing_keys(self, books: Books) -> Iterable[StoreKey]:
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        ids = {line.external_id for line in self.order.lines} | {line.external_id for line in books.lines_of(row.id)}
        return {StoreKey(self.store_id, external_id) for external_id in ids if external_id is not None}

    def stocked(self, books: Books) -> Iterable[Stocked]:
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        found = {Stocked(line.item_id, line.grade) for line in books.lines_of(row.id) if line.item_id is not None}
        for key in self.listing_keys(books):
            listing = books.listings.get(key)
            if listing is not None and listing.item_id is not None:
                found.add(Stocked(listing.item_id, listing.grade))
        return found.union(self.counts.values())

    def brings_flawed(self) -> bool:
        return any(line.returned_minor_defect for line in self.order.lines)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        parts = {part.stocked for one in self.stocked(books) for part in books.parts(one)}
        promises = [promise for line in books.lines_of(row.id) for promise in books.promises_of(line.id)]
        promises += [promise for key in self.takes for promise in promises_of_hold(books, key)]
        keys = keys_of(books, promises).union(key for part in parts for key in books.sales_keys(part))
        # What is told as written off no more is mended where it was set apart.
        were_off = any(line.written_off for line in books.lines_of(row.id))
        if were_off or any(line.shipped or line.written_off or line.returned for line in self.order.lines):
            moved = parts.union(promise.stocked for promise in promises)
            if any(line.returned_minor_defect for line in self.order.lines):
                moved |= {one._replace(grade=MINOR_DEFECT) for one in moved}
            keys |= keys_of_goods(books, moved)
        return keys

    def short(self, books: Books) -> Short:
        """What leaves or breaks may have been kept for a transfer. Goods that came back as good and turned out to have
        a flaw may have been promised to others since.
        """
        row = books.orders[StoreKey(self.store_id, self.order.external_id)]
        found: Counter[tuple[Stocked, Where]] = Counter()
        for told in self.order.lines:
            known = books.line(row.id, told.line_id)
            gone = told.shipped + told.written_off
            for stocked, per_unit in self._parts(books, told, known) if gone else ():
                for place in {spot.warehouse_id for spot in books.spots_of(stocked)}:
                    key = BalanceKey(Layer.DISPATCH, *stocked, place)
                    if books.cells.get((key, Bucket.ALLOCATED)):
                        found[stocked, SentFrom(place)] += gone * per_unit
            if known is None or told.returned_minor_defect <= known.returned_minor_defect:
                continue
            for promise in books.promises_of(known.id):
                # What this order ships now leaves the shelf before those who are left make room.
                units = (told.returned_minor_defect + told.shipped) * promise.per_unit
                found[promise.stocked, None] += units
                for spot in books.spots_of(promise.stocked):
                    found[promise.stocked, HandedFrom(spot.bin_id)] += units
                for place in {spot.warehouse_id for spot in books.spots_of(promise.stocked)}:
                    found[promise.stocked, place] += units
                    found[promise.stocked, SentFrom(place)] += units
        return found

    def _parts(self, books: Books, told: StoreOrderLine, known: LineRow | None) -> Iterator[tuple[Stocked, int]]:
        """What a line is made of, and units of it for one that the store sold."""
        promises = books.promises_of(known.id) if known else []
        for promise in promises:
            yield promise.stocked, promise.per_unit
        listing = books.listings.get(StoreKey(self.store_id, told.external_id or ""))
        sold = self._sold(known, listing, told.external_id)
        for part in books.parts(sold) if sold and not promises else ():
            yield part.stocked, part.per_unit * self._pack(books, told.external_id)

    def decide(self, books: Books) -> bool:
        """Post what is missing. Returns: False when a newer fetch was applied before."""
        key = StoreKey(self.store_id, self.order.external_id)
        row = books.orders[key]
        if self.fetch_seq <= row.fetch_seq:
            return False
        order, before = self.order, row.destination
        row = row._replace(number=order.number, state=order.state, holds=order.holds, paid=order.paid,
            placed_at=order.placed_at, version=order.version, fetch_seq=self.fetch_seq, applied_at=books.now,
            destination=kept_of(order.destination) or row.destination,
        )  # fmt: skip
        books.put(books.orders, key, row)
        work = sorted(self._bind(books, row), key=lambda one: in_turn(books.lines[one.line_id]))
        effect_key = f"store/{self.store_id}/order/{order.external_id}/{self.fetch_seq}"
        act = Act(
            books, row, effect_key, order.placed_at, lambda stocked: draws(books, stocked, self.store_id, self.holder),
            self.holder, self.takes, self.may_wait,
        )  # fmt: skip
        act.run(work)
        if books.dispatches and row.destination != before:
            allocated.give_back_idle(books, row.id, "it goes elsewhere now, so it is decided again who sends it")
        books.news(self.heard_at, self.ours_since)
        return True

    def _bind(self, books: Books, row: OrderRow) -> Iterator[Work]:
        """Lines as rows, each with its parts and its target; a line that matches no item is held, not lost."""
        seen = set()
        for told in self.order.lines:
            seen.add(told.line_id)
            known = books.line(row.id, told.line_id)
            line = self._line_row(books, row, told, known)
            books.add_line(line)
            if line.item_id is not None:
                self._count(books, line, known)
                yield self._work(books, line, target_of(self.order, told, self.deduct))
        for line in list(books.lines_of(row.id)):
            if line.external_line_id not in seen and line.item_id is not None:
                # Taking one line out gives its units back on the store; deleting the order leaves its number alone.
                counted = 0 if self.order.lines else line.counted
                gone = line._replace(cancelled=line.ordered, counted=counted, hidden=0)
                books.add_line(gone)
                self._count(books, gone, line)
                work = self._work(books, gone, Target(0, 0, 0, 0, line.deducted))
                shipped = min((part.shipped // part.per_unit for part in work.parts), default=0)
                target = Target(0, shipped, line.written_off, line.returned, line.deducted, line.returned_minor_defect)
                yield Work(line.id, work.parts, target)

    def _pack(self, books: Books, external_id: str | None) -> int:
        listing = books.listings.get(StoreKey(self.store_id, external_id or ""))
        return listing.pack_size if listing else 1

    def _line_row(self, books: Books, row: OrderRow, told: StoreOrderLine, known: LineRow | None) -> LineRow:
        # A product deleted on the store is not named any more, but what was sold is known from before.
        external_id = told.external_id or (known.external_id if known else None)
        listing = books.listings.get(StoreKey(self.store_id, external_id or ""))
        sold = self._sold(known, listing, external_id)
        held = "" if sold is not None else _why_held(told, listing is not None)
        return LineRow(
            id=known.id if known else books.new_id(),
            order_id=row.id,
            external_line_id=told.line_id,
            external_id=external_id,
            sku=told.sku,
            title=told.title,
            listing_id=known.listing_id if known and known.listing_id else (listing.id if listing else None),
            item_id=sold.item_id if sold else None,
            ordered=told.quantity,
            cancelled=told.cancelled,
            written_off=known.written_off if known else 0,
            returned=known.returned if known else 0,
            counted=told.counted,
            hidden=told.hidden,
            deducted=known.deducted if known else False,
            paid=row.paid,
            held_reason=held,
            grade=sold.grade if sold else GOOD,
            returned_minor_defect=known.returned_minor_defect if known else 0,
        )

    def _sold(self, known: LineRow | None, listing: ListingRow | None, external_id: str | None) -> Stocked | None:
        """What a line sells: what it sold when it was first seen, whatever its listing has become since."""
        if known is not None and known.item_id is not None:
            return Stocked(known.item_id, known.grade)
        if listing is not None:
            return None if listing.item_id is None else Stocked(listing.item_id, listing.grade)
        return self.counts.get(external_id or "")

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

    def _work(self, books: Books, line: LineRow, target: Target) -> Work:
        """A line with its parts: those of its promises, or when it is new, what its listing and its item say now.

        So an order keeps the pack and the recipe that it was promised with, whatever becomes of them later.
        """
        if line.item_id is None:
            raise Broken(f"line {line.id} has no item")
        promises = books.promises_of(line.id)
        if promises:
            per_unit = {promise.stocked: promise.per_unit for promise in promises}
            return Work(line.id, [self._part(books, line, *part) for part in per_unit.items()], target)
        pack = self._pack(books, line.external_id)
        recipe = books.parts(Stocked(line.item_id, line.grade))
        parts = [self._part(books, line, part.stocked, part.per_unit * pack) for part in recipe]
        if self._is_old():
            books.add_line(
                books.lines[line.id]._replace(
                    returned=target.returned, written_off=target.written_off,
                    returned_minor_defect=target.returned_minor_defect,
                )
            )  # fmt: skip
            for part in parts:
                part.left_before(target.shipped)
        return Work(line.id, parts, target)

    def _part(self, books: Books, line: LineRow, stocked: Stocked, per_unit: int) -> PartOfLine:
        return PartOfLine(books, line.id, stocked, per_unit, self.holder, self.priority)


def _why_held(told: StoreOrderLine, listed: bool) -> str:
    if told.external_id is None:
        return f"the store no longer says which product line {told.line_id} ({told.sku or told.title}) was"
    if listed:
        return f"the listing {told.sku or told.external_id} is mapped to no item; map it and the line is replayed"
    return f"no listing {told.external_id} ({told.sku or told.title}) is known; run `holdfast sync` to import it"

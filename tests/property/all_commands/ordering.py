"""What may happen to orders, of storefronts and of the merchant's own shop: every state, late, doubled, reordered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from core.model import Deduct
from core.orders import own
from core.orders.apply import ApplyOrder
from core.orders.own import OwnLine, OwnOrder
from core.sales.waiting import OrderPriority
from tests.builders import at, line, order
from tests.property.all_commands.checks import waits_for_nothing_it_may_have
from tests.property.all_commands.holding import HOLDERS, HoldRules
from tests.property.all_commands.kinds import FLAWED, GOOD, Kind
from tests.property.all_commands.machine import ANY, SKUS, Shop, happens
from tests.property.all_commands.plain_model import Buyer, Claim, Line

NUMBERS = ("1001", "1002", "1003", "1004")
WITH_A_FLAW = "plate-b"  # a listing of the main street, for plates with a flaw
_OFTEN = st.booleans() | st.just(True)


@dataclass(frozen=True, slots=True)
class Counts:
    """A line as its shop tells it, in units of the listing."""

    sku: str
    quantity: int
    cancelled: int
    written_off: int
    shipped: int
    returned: int
    flawed: int

    @property
    def sold(self) -> Kind:
        return ("plate", FLAWED) if self.sku == WITH_A_FLAW else (self.sku, GOOD)


@dataclass(frozen=True, slots=True)
class State:
    """Of an order. ``takes``: which hold became it."""

    lines: Sequence[Counts]
    paid: bool
    holds: bool
    deduct: Deduct
    holder: str
    takes: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A state of an order, and the command that tells it. ``lines``: by their ids; ``pack``: units in one listed."""

    owner: str
    command: ApplyOrder
    lines: dict[str, Counts]
    pack: int


@dataclass(slots=True)
class OrderBook:
    """States of one order that were told or are still under way, and the number of the newest that has arrived."""

    states: list[Told] = field(default_factory=list)
    newest: int = -1


def some_of(draw: st.DrawFn, units: int) -> int:
    """None of them mostly, so that something is left to wish for."""
    return draw(st.sampled_from([0, 0, 0, min(units, 1), units // 2, units]))


@st.composite
def lines_of_an_order(draw: st.DrawFn) -> list[Counts]:
    found = []
    for sku in draw(st.lists(st.sampled_from((*SKUS, WITH_A_FLAW)), unique=True, max_size=3)):
        quantity = draw(st.integers(0, 7))
        cancelled = some_of(draw, quantity)
        written = some_of(draw, quantity - cancelled)
        shipped = some_of(draw, quantity - cancelled - written)
        returned = some_of(draw, shipped)
        flawed = some_of(draw, returned)
        found.append(Counts(sku, quantity, cancelled, written, shipped, returned, flawed))
    return found


STATES = st.builds(
    State, lines_of_an_order(), paid=st.booleans(), holds=_OFTEN, holder=HOLDERS, takes=st.none() | ANY,
    deduct=st.sampled_from([Deduct.RESERVE_THEN_DEDUCT, Deduct.RESERVE_THEN_DEDUCT, *Deduct]),
)  # fmt: skip


class OrderRules(HoldRules):
    @happens(8,
        which=ANY, store=st.integers(0, 2), number=st.sampled_from(NUMBERS), together=st.booleans(),
        states=st.lists(STATES, min_size=1, max_size=3), arriving=st.lists(st.integers(0, 2), max_size=4),
    )  # fmt: skip
    def an_order_changes(
        self, which: int, store: int, number: str, together: bool, states: list[State], arriving: list[int]
    ) -> None:
        """Its states arrive in any order, some twice, some later with those of other steps, and some never."""
        shop = self.shop(which)
        book = shop.orders.setdefault(self.owner(shop, store, number), OrderBook())
        told = [self.tell(shop, store, number, one) if store else self.tell_own(shop, number, one) for one in states]
        book.states += told
        if together:
            self.gather(shop, len(arriving))
        for nth in arriving or range(len(told)):
            self.arrives(shop, book, told[nth % len(told)])

    def tell(self, shop: Shop, store: int, number: str, state: State) -> Told:
        """A storefront tells; the one in the main street sells single units, the other one pairs."""
        lines = [one for one in state.lines if store == 1 or one.sku != WITH_A_FLAW]
        told = order(
            *(
                line(
                    one.sku, one.quantity, cancelled=one.cancelled, written_off=one.written_off, shipped=one.shipped,
                    returned=one.returned, returned_minor_defect=one.flawed,
                )
                for one in lines
            ),
            external_id=number, paid=state.paid, holds=state.holds,
        )  # fmt: skip
        command = ApplyOrder(
            shop.stores[store], told, next(self.numbers), deduct=state.deduct, holder=state.holder,
            takes=self.taken(shop, state),
        )  # fmt: skip
        return Told(self.owner(shop, store, number), command, {f"line-{one.sku}": one for one in lines}, store)

    def tell_own(self, shop: Shop, number: str, state: State) -> Told:
        lines = [one for one in state.lines if one.sku != WITH_A_FLAW]
        mine = OwnOrder(
            number=number, placed_at=at(0), version=next(self.numbers), paid=state.paid, holds=state.holds,
            deduct=state.deduct, holder=state.holder, takes=self.taken(shop, state),
            lines=tuple(
                OwnLine(
                    line_id=one.sku, sku=one.sku, quantity=one.quantity, cancelled=one.cancelled,
                    written_off=one.written_off, shipped=one.shipped, returned=one.returned,
                    returned_minor_defect=one.flawed,
                )
                for one in lines
            ),
        )  # fmt: skip
        with self.database.begin(shop.world.merchant_id, actor="test") as tx:
            (command,) = own.commands(tx, [mine])
        ids = [one.line_id for one in command.order.lines]
        return Told(self.owner(shop, 0, number), command, dict(zip(ids, lines, strict=True)), 1)

    def taken(self, shop: Shop, state: State) -> tuple[str, ...]:
        return () if state.takes is None else (self.some_hold(shop, state.takes)[0],)

    @staticmethod
    def owner(shop: Shop, store: int, number: str) -> str:
        return f"order {shop.stores[store]}/{number}"

    @happens(2, which=ANY, nth=ANY, state=ANY)
    def a_state_arrives(self, which: int, nth: int, state: int) -> None:
        """Late, again, or after newer ones."""
        shop = self.shop(which)
        books = list(shop.orders.values())
        if books:
            book = books[nth % len(books)]
            self.arrives(shop, book, book.states[-1 - state % len(book.states)])

    def arrives(self, shop: Shop, book: OrderBook, told: Told) -> None:
        def note(result: Any) -> None:
            is_newest = told.command.fetch_seq > book.newest
            assert result is is_newest or (result is False and not self.step.alone), (told, result)
            if result:
                book.newest = told.command.fetch_seq
                self.order_stands(shop, told)

        self.act(shop, told.command, note)

    def order_stands(self, shop: Shop, told: Told) -> None:
        """What the order is owed now, and what its acts may have done to the goods."""
        books, step, command = shop.books, self.step, told.command
        before = books.seen
        buyer = books.buyers.setdefault(told.owner, Buyer(command.store_id))
        buyer.holder, buyer.paid = command.holder, command.order.paid
        step.orders.add(told.owner)
        step.holders |= {command.holder} - {""}
        for key in command.takes:
            for claim_key, _ in books.claims_of(f"hold {key}"):
                step.taken |= set(before.claim(claim_key).live)
            self.end(shop, key)
        for line_id, known in buyer.lines.items():
            if line_id not in told.lines:
                for kind in known.parts:
                    books.claims[told.owner, line_id, kind].owed = 0
        lacking: dict[Kind, int] = {}
        shipped: dict[Kind, int] = {}
        for line_id in told.lines:
            self.line_stands(shop, told, line_id, lacking, shipped)
        for kind, units in shipped.items():
            most = max(lacking[kind] - before.free(kind), 0) + before.counted(kind) if step.alone else units
            step.found[kind] += min(units, most)
        if step.alone and not command.takes and not any(one.written_off for one in told.lines.values()):
            keys = [key for key, _ in books.claims_of(told.owner)]
            self.afterwards.append(lambda: waits_for_nothing_it_may_have(books, keys, before, step))

    def line_stands(
        self, shop: Shop, told: Told, line_id: str, lacking: dict[Kind, int], shipped: dict[Kind, int]
    ) -> None:
        books, step, command, one = shop.books, self.step, told.command, told.lines[line_id]
        buyer = books.buyers[told.owner]
        known = buyer.lines.get(line_id)
        if known is None or not known.is_fixed:
            known = buyer.lines[line_id] = Line(
                shop.parts(one.sold), returned=known.returned if known else 0, flawed=known.flawed if known else 0
            )
        holds = command.order.holds and (command.order.paid or command.deduct is not Deduct.AT_PAYMENT)
        still = one.quantity - one.cancelled - one.written_off - one.shipped if holds else 0
        for kind, per in known.parts.items():
            key, units = (told.owner, line_id, kind), told.pack * per
            claim = books.claims.setdefault(key, Claim())
            leaving = max(one.shipped * units - claim.shipped, 0)
            claim.owed = max(still * units - max(claim.shipped - one.shipped * units, 0), 0)
            claim.shipped += leaving
            claim.broken_at_most = one.written_off * units
            needs = claim.owed + leaving + claim.broken_at_most
            known.is_fixed = known.is_fixed or needs > 0
            step.left[kind] += leaving + claim.broken_at_most
            step.shipped[kind] += leaving
            # What is thought to be on its way has come, when its store writes it off.
            step.found[kind] += min(claim.broken_at_most, books.seen.counted(kind))
            lacking[kind] = lacking.get(kind, 0) + max(needs - books.seen.there(key), 0)
            shipped[kind] = shipped.get(kind, 0) + leaving
        self.line_comes_back(shop, known, one, told.pack)

    def line_comes_back(self, shop: Shop, known: Line, one: Counts, pack: int) -> None:
        back = max(one.returned * pack - known.returned, 0)
        flawed = max(one.flawed * pack - known.flawed, 0)
        late = max(flawed - back, 0)  # came back before, and turned out to have a flaw
        for kind, per in known.parts.items():
            shop.books.enter(shop.books.home, {kind: (back - flawed + late) * per})
            shop.books.enter(shop.books.home, {(kind[0], FLAWED): (flawed - late) * per})
            self.step.left[kind] += late * per
            self.step.turned[kind] += late * per if kind[1] == GOOD else 0
        known.returned, known.flawed = known.returned + back, known.flawed + flawed

    @happens(1, which=ANY, store=st.integers(0, 2), number=st.sampled_from(NUMBERS), priority=st.integers(-3, 3))
    def rank_an_order(self, which: int, store: int, number: str, priority: int) -> None:
        shop = self.shop(which)
        if f"order {shop.stores[store]}/{number}" in shop.books.buyers:
            self.act(shop, OrderPriority(shop.stores[store], number, priority), lambda _: None)

"""Random receipts at a cost and without one, losses, transfers and returns to a supplier of one item, most of which may
turn out to be a mistake: after each step its value by either method is that of a plain model, in all and by warehouse.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.errors import Refused
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.past import valuation
from core.past.valuation import Method, Value
from core.reversing import Reverse, read_document
from core.stock import DocumentKind
from core.supply import going_back, placing, purchases, sending, transfers
from core.supply.going_back import GoingBack
from core.supply.lines import Came
from core.transaction import Database
from tests import supply_world as sup
from tests.builders import Clock
from tests.property.histories import History, played, random_shop, violations

WALKED = played(8, soak=600, steps=(25, 40))
ORDER_COST = 700  # of one unit that comes with the purchase order
units, costs, nths = st.integers(1, 9), st.sampled_from([0, 100, 333, 900]), st.integers(0, 99)


@dataclass
class Noted:
    """Units that came at a cost, or that went back to the supplier (below 0); ``before``: on hand then."""

    units: int
    cost: int
    before: int
    is_mistake: bool = False
    is_again: bool = False  # it is no layer of its own
    back: list["Noted"] = field(default_factory=list)  # of what came: those that went back
    taken_at: int | None = None  # after how many notes it turned out to be a mistake


@dataclass
class Average:
    """Moving average of units in one currency, and units of which nobody knows the cost, which leave first."""

    unknown: int = 0
    known: int = 0
    each: Fraction = Fraction(0)

    def settle(self, have: int) -> None:
        change = have - self.unknown - self.known
        if change > 0 and self.known:
            self.known += change
        elif change > 0:
            self.unknown += change
        else:
            gone = min(-change, self.unknown)
            self.unknown -= gone
            self.known += change + gone

    def come(self, units: int, cost: int) -> None:
        worth = self.known * self.each + units * cost
        self.known += units
        self.each = worth / self.known

    def go(self, units: int, cost: int) -> None:
        units = min(units, self.known + self.unknown)
        if units > self.known:
            self.settle(self.known + self.unknown - units)
        elif rest := self.known - units:
            self.known, self.each = rest, max((self.known * self.each - units * cost) / rest, Fraction(0))
        else:
            self.known = 0


@dataclass
class Told:
    """What a plain model knows."""

    have: int = 0
    elsewhere: int = 0  # of them, those in the second warehouse
    notes: list[Noted] = field(default_factory=list)

    @property
    def average(self) -> Average:
        """As if nobody had ever noted what turned out to be a mistake."""
        found = Average()
        for nth, one in enumerate(self.notes):
            if one.is_mistake or not one.units:
                continue
            too_many = sum(
                n.units for n in self.notes[:nth] if n.is_mistake and n.taken_at is not None and n.taken_at > nth
            )
            found.settle(max(one.before - too_many, 0))
            if one.units > 0:
                found.come(one.units, one.cost)
            else:
                found.go(-one.units, one.cost)
            found.settle(max(one.before + one.units - too_many, 0))
        found.settle(self.have)
        return found

    @property
    def fifo(self) -> tuple[int, int]:
        """What the units that are there, which came last, are worth, and how many of them have no cost."""
        each = [n.cost for n in self.notes if n.units > 0 and not n.is_mistake and not n.is_again
                for _ in range(n.units + sum(b.units for b in n.back if not b.is_mistake))]  # fmt: skip
        without = max(self.have - len(each), 0)
        return sum(each[len(each) - self.have + without :]), without


class Walk(History):
    @initialize()
    def begin(self) -> None:
        self.database.clock = self.clock = Clock()
        self.world, self.keys, self.told = random_shop(self.database), count(1), Told()
        self.world.listings(self.world.store(), "mug")
        self.posted: dict[int, Noted | int] = {}  # by document: what it noted, or units that it lost
        sup.draft(self.world, "PO-1", {"mug": 1000})
        self.world.tell(f"UPDATE purchase_line SET cost_minor = {ORDER_COST} WHERE merchant_id = :merchant_id")
        placing.place(self.database, self.world.merchant_id, "PO-1", actor="test")
        self.bought: list[Noted] = []
        self.on_their_way: list[tuple[str, int]] = []
        sup.warehouse(self.world, "SECOND")
        self.main, self.second = sup.spot(self.world), sup.spot(self.world, "SECOND")

    def note(self, document_id: int, n: int, cost: int) -> Noted:
        one = Noted(n, cost, self.told.have)
        self.told.notes.append(one)
        self.told.have += n
        self.posted[document_id] = one
        return one

    @rule(n=units, cost=costs)
    def receive(self, n: int, cost: int) -> None:
        self.clock.pass_(1)
        command = Receive(f"r{next(self.keys)}", DocumentKind.RECEIPT, {self.world.item("mug"): n}, cost=(cost, "EUR"))
        self.note(self.world.do(command), n, cost)

    @rule(n=units)
    def find(self, n: int) -> None:
        """Returned, found, or received of who says no price."""
        self.clock.pass_(1)
        document_id = self.world.do(Receive(f"f{next(self.keys)}", DocumentKind.RECEIPT, {self.world.item("mug"): n}))
        self.told.have += n
        self.posted[int(document_id)] = -n

    @rule(n=units)
    def send(self, n: int) -> None:
        """To the second warehouse; what is on its way is on hand nowhere."""
        self.clock.pass_(1)
        number, mug = f"T-{next(self.keys)}", {self.world.item("mug"): n}
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            transfers.ask(tx, number, (self.main.warehouse_id, self.second.warehouse_id), mug)
        try:
            sending.send(self.database, self.world.merchant_id, number, None, self.main, "k", actor="test")
        except Refused:
            with self.database.begin(self.world.merchant_id, actor="test") as tx:
                transfers.close(tx, number)
            return
        self.told.have -= n
        self.on_their_way.append((number, n))

    @precondition(lambda self: self.on_their_way)
    @rule()
    def arrive(self) -> None:
        self.clock.pass_(1)
        number, n = self.on_their_way.pop(0)
        sending.receive(self.database, self.world.merchant_id, number, None, self.second, "k", actor="test")
        self.told.have += n
        self.told.elsewhere += n

    @rule(n=units)
    def buy(self, n: int) -> None:
        """All of it comes damaged, so that it can go back."""
        self.clock.pass_(1)
        acted = sup.receive(self.world, "PO-1", {"mug": Came(0, n, 0)}, f"k{next(self.keys)}")
        self.bought.append(self.note(acted.document_ids[0], n, ORDER_COST))
        del self.posted[acted.document_ids[0]]  # taken back by another command

    @rule(n=units)
    def send_back(self, n: int) -> None:
        self.clock.pass_(1)
        number = f"VR-{next(self.keys)}"
        goods = [GoingBack(sup.spot(self.world), self.world.item("mug"), n)]
        with suppress(Refused):
            done = going_back.send_back(
                self.database, self.world.merchant_id, number, "ACME", goods, actor="test", reason="no", purchase="PO-1"
            )
            one = self.note(done.document_id, -n, ORDER_COST)
            for came in self.bought:
                part = min(n, came.units + sum(back.units for back in came.back if not back.is_mistake))
                n -= part
                if part:
                    came.back.append(Noted(-part, ORDER_COST, 0))
                    one.back.append(came.back[-1])

    @rule(n=units)
    def lose(self, n: int) -> None:
        self.clock.pass_(1)
        with suppress(Refused):
            done = self.world.do(Lose(f"l{next(self.keys)}", "gone", DocumentKind.MISSING, {self.world.item("mug"): n}))
            self.told.have -= n
            self.posted[done.document_id] = n

    @rule(nth=nths)
    def take_back(self, nth: int) -> None:
        if not self.posted:
            return
        self.clock.pass_(1)
        document_id = sorted(self.posted)[nth % len(self.posted)]
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            document = read_document(tx, document_id)
        with suppress(Refused):
            self.world.do(Reverse(document, "a mistake"))
            gone = self.posted.pop(document_id)
            if isinstance(gone, int):
                self.told.have += gone
                return
            for part in gone.back:
                part.is_mistake = True
            if gone.units < 0:  # what did not go back after all comes in again
                self.told.notes.append(Noted(-gone.units, gone.cost, self.told.have, is_again=True))
            else:
                gone.is_mistake, gone.taken_at = True, len(self.told.notes)
                self.told.notes.append(Noted(0, 0, self.told.have))
            self.told.have -= gone.units

    def worth(self, method: Method) -> Value:
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            return valuation.total([one.value for one in valuation.values(tx, method=method)])

    @invariant()
    def the_value_is_the_models(self) -> None:
        average, fifo = self.worth(Method.AVERAGE), self.worth(Method.FIFO)
        assert average.units == fifo.units == self.told.have
        assert (fifo.minor.get("EUR", 0), fifo.without_cost) == self.told.fifo
        model = self.told.average
        assert average.without_cost == model.unknown
        assert abs(average.minor.get("EUR", 0) - model.known * model.each) <= 1

    @invariant()
    def each_warehouse_has_its_share(self) -> None:
        here = {"MAIN": self.told.have - self.told.elsewhere, "SECOND": self.told.elsewhere}
        for method in Method:
            with self.database.begin(self.world.merchant_id, actor="test") as tx:
                parts = {one.warehouse: one.value for one in valuation.values(tx, method=method)}
            assert {code: one.units for code, one in parts.items()} == {code: n for code, n in here.items() if n}
            whole = valuation.total(list(parts.values()))
            for one in parts.values():
                share = Fraction(one.units, whole.units)
                assert abs(one.minor.get("EUR", 0) - whole.minor.get("EUR", 0) * share) < 1
                assert abs(one.without_cost - whole.without_cost * share) < 1
                # Of two parts, neither is off by more than half.
                assert abs(one.minor.get("EUR", 0) - whole.minor.get("EUR", 0) * share) <= Fraction(1, 2)

    def at_the_end(self) -> None:
        assert violations(self.world) == []
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            assert purchases.find(tx, "PO-1").row.number == "PO-1"


def test_what_goods_are_worth_is_what_a_plain_model_says(db: Database) -> None:
    ended = Walk.play(db, WALKED)

    assert ended
    worth = [walk.worth(Method.FIFO) for walk in ended]
    assert [(one.units, one.minor.get("EUR", 0), one.without_cost) for one in worth] == [
        (walk.told.have, *walk.told.fifo) for walk in ended
    ]

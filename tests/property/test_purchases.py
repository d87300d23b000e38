"""Random lives of two purchase orders for the same items: after each step the books are right, and no unit of an order
is lost or comes twice.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from core.errors import Refused
from core.orders.apply import ApplyOrder
from core.supply import placing, purchases, taking_back
from core.supply.lines import Came
from core.transaction import Database
from tests import supply_world as sup
from tests.builders import Clock, line, order
from tests.property.histories import History, played, random_shop, violations
from tests.supply_world import ACTOR

SKUS = ("mug", "cup")
NUMBERS = ("PO-7", "PO-8")
PLACES = ("MAIN", "BERLIN")
WALKED = played(6, soak=800, steps=(20, 40))
numbers, skus, units = st.sampled_from(NUMBERS), st.sampled_from(SKUS), st.integers(1, 9)


@dataclass
class Told:
    """What a plain model knows of a line: units ordered, cut, and come by state."""

    ordered: int
    cut: int = 0
    good: int = 0
    damaged: int = 0
    regraded: int = 0

    @property
    def open(self) -> int:
        return max(self.ordered - self.cut - self.good - self.damaged - self.regraded, 0)


class Walk(History):
    @initialize(ordered=st.lists(st.integers(1, 20), min_size=4, max_size=4))
    def order_goods(self, ordered: list[int]) -> None:
        self.database.clock = self.clock = Clock()
        self.world, self.keys = random_shop(self.database), count(1)
        self.store = self.world.store()
        self.world.listings(self.store, *SKUS)
        sup.warehouse(self.world, "BERLIN")
        self.told: dict[tuple[str, str], Told] = {}
        self.receipts: list[tuple[str, str, int, Came]] = []
        for number, place in zip(NUMBERS, PLACES, strict=True):
            mine = {sku: ordered.pop() for sku in SKUS}
            sup.placed(self.world, number, mine, in_days=3, to=place)
            self.told.update(((number, sku), Told(n)) for sku, n in mine.items())

    @rule(number=numbers, sku=skus, good=st.integers(0, 9), bad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
          place=st.sampled_from(PLACES))  # fmt: skip
    def receive(self, number: str, sku: str, good: int, bad: tuple[int, int], place: str) -> None:
        with suppress(Refused):
            done = sup.receive(self.world, number, {sku: Came(good, *bad)}, str(next(self.keys)), at=place)
            self.receipts.append((number, sku, done.document_ids[0], Came(good, *bad)))
            told = self.told[number, sku]
            told.good, told.damaged, told.regraded = told.good + good, told.damaged + bad[0], told.regraded + bad[1]

    @rule(nth=st.integers(0, 99))
    def take_back(self, nth: int) -> None:
        if not self.receipts:
            return
        number, sku, document_id, came = self.receipts[nth % len(self.receipts)]
        with suppress(Refused):
            done = taking_back.take_back(
                self.database, self.world.merchant_id, number, document_id, actor=ACTOR, reason="typed"
            )
            if not done.repeated:
                told = self.told[number, sku]
                told.good, told.damaged, told.regraded = (
                    told.good - came.good, told.damaged - came.damaged, told.regraded - came.regraded
                )  # fmt: skip

    @rule(number=numbers, sku=skus, n=units, lost=st.booleans())
    def cut(self, number: str, sku: str, n: int, lost: bool) -> None:
        with suppress(Refused):
            sup.cut(self.world, number, {sku: n}, str(next(self.keys)), lost=lost)
            self.told[number, sku].cut += n

    @rule(number=numbers)
    def close(self, number: str) -> None:
        placing.end(self.database, self.world.merchant_id, number, actor=ACTOR, reason="late", cancel=False)
        for sku in SKUS:
            told = self.told[number, sku]
            told.cut += told.open

    @rule(number=numbers, sku=skus, n=st.integers(0, 12), days=st.integers(-2, 9))
    def announce(self, number: str, sku: str, n: int, days: int) -> None:
        on = sup.today(self.world) + timedelta(days=days)
        line_id = sup.line_id(self.world, number, sku)
        with suppress(Refused), self.database.begin(self.world.merchant_id, actor=ACTOR) as tx:
            purchases.give_notice(tx, number, f"N{days % 3}", {line_id: n}, on)

    @rule(number=numbers, days=st.integers(0, 9))
    def move(self, number: str, days: int) -> None:
        on = sup.today(self.world) + timedelta(days=days)
        with suppress(Refused), self.database.begin(self.world.merchant_id, actor=ACTOR) as tx:
            purchases.set_day(tx, number, on)

    @rule(days=st.none() | st.integers(0, 9))
    def count_incoming(self, days: int | None) -> None:
        sup.count(self.world, days)

    @rule(days=st.integers(1, 3))
    def wait(self, days: int) -> None:
        self.clock.pass_(days * 86_400)

    @rule(name=st.integers(1, 5), sku=skus, n=units, paid=st.booleans(), cancelled=st.booleans())
    def sell(self, name: int, sku: str, n: int, paid: bool, cancelled: bool) -> None:
        told = order(line(sku, n, cancelled=n if cancelled else 0), external_id=str(name), paid=paid)
        self.world.do(ApplyOrder(self.store, told, self.world.next_seq()))

    @invariant()
    def the_books_are_right(self) -> None:
        assert violations(self.world) == []

    @invariant()
    def each_line_is_as_it_was_told(self) -> None:
        for number in NUMBERS:
            lines = sup.look(self.world, number).lines
            told = [self.told[number, sku] for sku in SKUS]
            assert [(one.open, one.cut) for one in lines] == [(one.open, one.cut) for one in told]
        for sku in SKUS:
            rows = self.world.ask(
                """SELECT grade, sum(available) AS good, sum(unavailable) AS damaged FROM warehouse_balance
                   WHERE merchant_id = :merchant_id AND item_id = :item_id GROUP BY 1 ORDER BY 1""",
                item_id=self.world.item(sku).item_id,
            )
            of_it = [told for (_, of), told in self.told.items() if of == sku]
            there = {row.grade: (row.good, row.damaged) for row in rows}
            expected = (sum(one.good for one in of_it), sum(one.damaged for one in of_it))
            assert there.get("good", (0, 0)) == expected
            assert there.get("minor_defect", (0, 0)) == (sum(one.regraded for one in of_it), 0)


def test_orders_of_goods_live_randomly_and_the_books_stay_right(db: Database) -> None:
    ended = Walk.play(db, WALKED)

    assert ended
    assert [found for one in ended for found in violations(one.world)] == []

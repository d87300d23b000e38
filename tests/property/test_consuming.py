"""Random histories of orders and a pure lock whose goods go to them, against what plain arithmetic says of each act."""

from itertools import count
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from core.errors import Refused
from core.fulfilment.consuming import ConsumeFor
from core.goods.adjusting import Lose
from core.rows import StoreKey
from core.sales.locks import ConsumeLock
from core.stock import DocumentKind
from core.transaction import Database
from tests.builders import line, order
from tests.integration import lock_acts
from tests.integration.fulfilment_acts import act, dispatch, fulfilments, place, put, spot
from tests.property.histories import History, played, random_shop, violations

PLAYED = played(8, soak=300, steps=(25, 50))
ORDERS, PLACES = ("1", "2", "3"), ("MAIN", "HAMBURG")
_ORDER, _PLACE, _UNITS = map(st.sampled_from, (ORDERS, PLACES, (1, 2, 3, 5)))


class Of(NamedTuple):
    """Units of an order: ``owed`` to its customer, of these ``told`` to warehouses."""

    owed: int
    told: int


class Consuming(History):
    @initialize(size=st.integers(2, 6), there=st.integers(0, 6))
    def open_shop(self, size: int, there: int) -> None:
        self.world, self.numbers = random_shop(self.database), count(1)
        hamburg = place(self.world, "HAMBURG")
        self.store = self.world.stocked("mug", units=2)
        if there:
            put(self.world, "HAMBURG", mug=there)
        lock_acts.lock(self.world, "fba", "mug", size, warehouse_id=hamburg, pure=True)
        self.paid: dict[str, bool] = {}

    @rule(which=_ORDER, wanted=st.integers(0, 5), paid=st.booleans() | st.just(True))
    def hear(self, which: str, wanted: int, paid: bool) -> None:
        self.paid[which] = paid
        gone = self.shipped(which)
        told = line("mug", gone + wanted, shipped=gone)
        self.world.hear(self.store, order(told, external_id=which, paid=paid))

    @rule(which=_ORDER, units=_UNITS)
    def consume(self, which: str, units: int) -> None:
        before, free = self.orders(), self.free_of_lock()
        mine = before.get(which, Of(0, 0))
        may = self.paid.get(which, False) and units <= min(free, mine.owed - mine.told)
        command = ConsumeFor("fba", StoreKey(self.store, which), units, str(next(self.numbers)))

        (done,) = self.world.run(command)

        assert isinstance(done, Refused) != may
        after, taken = self.orders(), units if may else 0
        assert after.get(which, Of(0, 0)) == Of(mine.owed, mine.told + taken)
        assert {one: units for one, units in after.items() if one != which} == {
            one: units for one, units in before.items() if one != which
        }
        # Goods that come free in the lock's warehouse, beside those of the order, may fill it up again.
        assert self.free_of_lock() >= free - taken
        if may:
            assert fulfilments(self.world, which)[-1].code == "HAMBURG"
            (again,) = self.world.run(command)
            assert again == done
            assert self.orders() == after

    @rule(units=_UNITS)
    def take_out(self, units: int) -> None:
        self.world.run(ConsumeLock("fba", units, str(next(self.numbers))))

    @rule(which=st.sets(_ORDER, min_size=1))
    def decide(self, which: set[str]) -> None:
        if known := which & self.paid.keys():
            dispatch(self.world, *known)

    @rule(which=_ORDER, nth=st.integers(0, 3), what=st.sampled_from(["hand", "ship", "give back", "reject"]))
    def do(self, which: str, nth: int, what: str) -> None:
        told = fulfilments(self.world, which) if which in self.paid else []
        if told:
            try:
                act(self.world, what, nth % len(told) + 1, external_id=which)
            except Refused:
                return

    @rule(where=_PLACE, units=_UNITS)
    def receive(self, where: str, units: int) -> None:
        put(self.world, where, mug=units)

    @rule(where=_PLACE, units=_UNITS)
    def lose(self, where: str, units: int) -> None:
        gone = {self.world.item("mug"): units}
        at = spot(self.world, where)
        self.world.run(Lose(f"lose/{next(self.numbers)}", "fire", DocumentKind.MISSING, gone, spot=at))

    def orders(self) -> dict[str, Of]:
        rows: Any = self.world.ask(
            """SELECT o.external_id, sum(p.live + p.waiting)::int AS owed, sum(p.allocated)::int AS told FROM promise p
               JOIN store_order o ON (o.merchant_id, o.id) = (p.merchant_id, p.order_id)
               WHERE p.merchant_id = :merchant_id GROUP BY 1"""
        )
        return {row.external_id: Of(row.owed, row.told) for row in rows}

    def shipped(self, which: str) -> int:
        return int(
            self.world.scalar(
                """SELECT coalesce(sum(p.shipped), 0) FROM promise p
                   JOIN store_order o ON (o.merchant_id, o.id) = (p.merchant_id, p.order_id)
                   WHERE p.merchant_id = :merchant_id AND o.external_id = :which""",
                which=which,
            )
        )

    def free_of_lock(self) -> int:
        return lock_acts.pool(self.world, "fba").free

    @invariant()
    def the_books_agree(self) -> None:
        assert violations(self.world) == []


def test_random_histories_of_a_consumed_lock_agree_with_plain_arithmetic(db: Database) -> None:
    ended = Consuming.play(db, PLAYED)

    assert ended
    assert [found for one in ended for found in violations(one.world)] == []

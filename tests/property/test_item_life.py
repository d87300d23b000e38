"""Random lives of items that are received, sold, renamed, merged and split: after each step every code finds the item
that it should, and units, promises and values are those of a plain model.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from core import ledger
from core.errors import Refused
from core.goods import costs, merging, renames, skus, splitting
from core.goods.costs import Cost
from core.goods.receiving import Receive
from core.goods.splitting import Piece, Wish
from core.past import valuation
from core.past.valuation import Method
from core.stock import DocumentKind
from core.transaction import Database
from tests.builders import Clock, Units, line, order
from tests.property.histories import History, played, random_shop, violations

LISTED = ("a", "b", "c")
CODES = (*LISTED, "d", "e", "f", "g")
WALKED = played(6, soak=600, steps=(30, 60))
codes, listed, some = st.sampled_from(CODES), st.sampled_from(LISTED), st.integers(1, 9)
nths = st.integers(0, 99)
priced = st.one_of(st.none(), st.tuples(st.integers(0, 500), st.sampled_from(["EUR", "USD"])))


@dataclass(eq=False)
class Told:
    """What a plain model knows of one item. ``wanted``: units by order. ``worth``: by currency ("" where nobody knows)
    units and their whole value, in the order in which they began, as when the last cost was noted.
    """

    sku: str
    have: int = 0
    wanted: dict[str, int] = field(default_factory=dict)
    worth: dict[str, tuple[int, Fraction]] = field(default_factory=dict)
    is_priced: bool = False

    @property
    def units(self) -> Units:
        owed = sum(self.wanted.values())
        live = min(owed, self.have)
        return Units(self.have - live, live, 0, owed - live)

    def settled(self, have: int) -> dict[str, tuple[int, Fraction]]:
        worth = dict(self.worth)
        change = have - sum(n for n, _ in worth.values())
        if change > 0:
            newest = list(worth)[-1] if worth else ""
            n, value = worth.get(newest, (0, Fraction(0)))
            worth[newest] = n + change, value + (value / n * change if n else 0)
        for currency, (n, value) in list(worth.items()) if change < 0 else ():
            gone = min(n, -change)
            change += gone
            worth[currency] = n - gone, value / n * (n - gone)
        return {currency: kept for currency, kept in worth.items() if kept[0]}

    def comes(self, before: int, new: dict[str, tuple[int, Fraction]]) -> None:
        self.worth, self.is_priced = self.settled(before), True
        for currency, (n, value) in new.items():
            known = self.worth.get(currency, (0, Fraction(0)))
            self.worth[currency] = known[0] + n, known[1] + value


class Walk(History):
    @initialize(began=st.lists(some, max_size=3))
    def list_items(self, began: list[int]) -> None:
        self.database.clock = self.clock = Clock()
        self.world, self.keys = random_shop(self.database), count(1)
        self.store = self.world.store()
        self.world.listings(self.store, *LISTED)
        self.sells = {sku: Told(sku) for sku in LISTED}
        self.now = dict(self.sells)  # items by the SKUs that they, or what became a part of them, have
        self.before: dict[str, Told] = {}  # by SKUs that nobody has now
        self.orders: dict[str, tuple[str, int, Told]] = {}
        for nth, units in enumerate(began):
            self.receive(nth, units, (units * 10, "EUR"))

    def item(self, code: str) -> Told | None:
        return self.now.get(code) or self.before.get(code)

    def code(self, nth: int) -> str:
        """One that finds an item."""
        known = sorted({*self.now, *self.before})
        return known[nth % len(known)]

    @rule(nth=nths, units=some, cost=priced)
    def receive(self, nth: int, units: int, cost: tuple[int, str] | None) -> None:
        code = self.code(nth)
        told = self.item(code)
        assert told is not None
        item = self.world.item(code)
        document_id = self.world.do(Receive(f"r{next(self.keys)}", DocumentKind.RECEIPT, {item: units}))
        if cost is not None:
            with self.database.begin(self.world.merchant_id, actor="test") as tx:
                costs.note(tx, document_id, [Cost(item.item_id, units, *cost)])
            told.comes(told.have, {cost[1]: (units, Fraction(units * cost[0]))})
        told.have += units

    @rule(sku=listed, units=some)
    def sell(self, sku: str, units: int) -> None:
        number = f"o{next(self.keys)}"
        self.world.hear(self.store, order(line(sku, units), external_id=number))
        self.sells[sku].wanted[number] = units
        self.orders[number] = sku, units, self.sells[sku]

    @rule(nth=nths, ships=st.booleans())
    def end_order(self, nth: int, ships: bool) -> None:
        if not self.orders:
            return
        number, (sku, units, told) = list(self.orders.items())[nth % len(self.orders)]
        if ships and sum(told.wanted.values()) > told.have:
            return  # what is shipped although it is not there is found, which is another story
        sold = line(sku, units, shipped=units) if ships else line(sku, units, cancelled=units)
        self.world.hear(self.store, order(sold, external_id=number, paid=ships))
        told.have -= units if ships else 0
        del self.orders[number], told.wanted[number]

    @rule(nth=nths, new=codes)
    def rename(self, nth: int, new: str) -> None:
        code = self.code(nth)
        told, holder = self.item(code), self.now.get(new)
        with suppress(Refused), self.database.begin(self.world.merchant_id, actor="test") as tx:
            changed = renames.rename(tx, code, new)
            assert told is not None
            assert holder is None or told.sku == new
            if changed:
                del self.now[told.sku]
                self.before[told.sku] = told
                self.now[new], told.sku = told, new
                self.before.pop(new, None)

    @rule(first=nths, second=nths)
    def merge(self, first: int, second: int) -> None:
        before, after = self.code(first), self.code(second)
        one, other = self.item(before), self.item(after)
        self.clock.pass_(1)
        is_own = one is not None and self.now.get(before) in (None, one)
        with suppress(Refused):
            done = merging.merge(self.database, self.world.merchant_id, before, after, actor="test")
            if done.repeated:
                assert one is other
                return
            assert one is not None
            assert other is not None
            assert other is not one
            assert is_own
            if one.have and (one.is_priced or other.is_priced):
                other.comes(other.have, one.settled(one.have))
            other.have += one.have
            other.wanted.update(one.wanted)
            for known in (self.now, self.before, self.sells):
                known.update({code: other for code, told in known.items() if told is one})
            self.orders = {number: (sku, n, other if told is one else told)
                           for number, (sku, n, told) in self.orders.items()}  # fmt: skip

    @rule(nth=nths, new=codes, units=st.integers(1, 4), lists=st.booleans())
    def split(self, nth: int, new: str, units: int, lists: bool) -> None:
        code, key = self.code(nth), f"s{next(self.keys)}"
        told = self.item(code)
        sku = next((sku for sku in LISTED if lists and self.sells[sku] is told), None)
        piece = Piece("good", ledger.home_of(self.database, self.world.merchant_id).spot)
        moved = [] if sku is None else [self.world.listing(self.store, sku).id]
        with suppress(Refused):
            splitting.split(
                self.database, self.world.merchant_id, Wish(code, new, {piece: units}, moved), key, actor="test"
            )
            assert told is not None
            assert new not in self.now
            assert told.units.free >= units
            part = Told(new, units)
            if told.is_priced:
                whole = told.settled(told.have)
                kept = Told("", 0, {}, whole).settled(told.have - units)
                taken = {currency: (n - kept.get(currency, (0, 0))[0], value - kept.get(currency, (0, 0))[1])
                         for currency, (n, value) in whole.items()}  # fmt: skip
                part.comes(0, {currency: one for currency, one in taken.items() if one[0]})
            told.have -= units
            self.now[new] = part
            self.before.pop(new, None)
            if sku is not None:
                self.sells[sku] = part

    @invariant()
    def codes_units_and_values_are_the_models(self) -> None:
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            found = skus.look_up(tx, CODES)
            average, fifo = (
                {one.sku: one.value for one in valuation.values(tx, method=method)}
                for method in (Method.AVERAGE, Method.FIFO)
            )
            rows = tx.run(
                """SELECT i.sku, b.free, b.reserved, b.sold, b.backordered FROM sales_balance b
                   JOIN item i ON i.merchant_id = b.merchant_id AND i.id = b.item_id
                   WHERE b.merchant_id = :merchant_id AND b.free + b.reserved + b.sold + b.backordered > 0"""
            )
            units = {row[0]: Units(*row[1:]) for row in rows}
        told_by_code = {code: told for code in CODES if (told := self.item(code)) is not None}
        assert {code: item.sku for code, item in found.items()} == {
            code: told.sku for code, told in told_by_code.items()
        }
        items = {told.sku: told for told in told_by_code.values()}
        assert units == {sku: told.units for sku, told in items.items() if any(told.units)}
        assert {sku: value.units for sku, value in average.items()} == {
            sku: told.have for sku, told in items.items() if told.have
        }
        assert {sku: value.units for sku, value in fifo.items()} == {sku: v.units for sku, v in average.items()}
        for sku, value in average.items():
            known = items[sku].settled(items[sku].have)
            assert value.without_cost == known.get("", (0, 0))[0]
            for currency, (_, minor) in known.items():
                assert abs(Fraction(value.minor.get(currency, 0)) - (minor if currency else 0)) <= 1

    def at_the_end(self) -> None:
        assert violations(self.world) == []


def test_no_unit_promise_or_value_is_lost_in_the_life_of_items(db: Database) -> None:
    ended = Walk.play(db, WALKED)

    assert ended
    there = [one.world.units(told.sku) for one in ended for told in one.now.values()]
    assert there == [told.units for one in ended for told in one.now.values()]

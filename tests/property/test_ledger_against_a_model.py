"""Random histories against a plain model that shares no code with the core: the totals agree and the audit is empty."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.errors import InsufficientStock
from core.orders.apply import ApplyOrder
from core.sales import holds
from core.sales.holds import EndHold, Hold
from core.transaction import Database
from tests.builders import Clock, Units, line, order
from tests.property.histories import History, played, random_shop, violations

SKUS = {"mug": 1, "six-pack": 3}  # sku -> units of the item that one listing takes
ORDERS = ("1001", "1002", "1003", "1004")
PLAYED = played(10, soak=2_000, steps=(25, 60))


@dataclass
class Wish:
    """What one order line or hold has, in single units."""

    sku: str
    since: tuple[int, int] = (0, 0)  # its age, and when it was noted
    live: int = 0
    waiting: int = 0
    shipped: int = 0
    lost: int = 0
    broken: int = 0
    returned: int = 0
    paid: bool = False


class Model:
    """Who holds how many units, by hand."""

    def __init__(self) -> None:
        self.free = dict.fromkeys(SKUS, 0)
        self.in_bin = dict.fromkeys(SKUS, 0)
        self.set_apart = dict.fromkeys(SKUS, 0)
        self.wishes: dict[tuple[str, str], Wish] = {}
        self.clock = 0

    def receive(self, sku: str, units: int) -> None:
        self.free[sku] += units
        self.in_bin[sku] += units
        self.serve()

    def take(self, wish: Wish, units: int) -> int:
        got = min(units, self.free[wish.sku])
        self.free[wish.sku] -= got
        wish.live += got
        if got:
            self.note(wish)
        return got

    def note(self, wish: Wish, age: int = 0) -> None:
        if wish.since == (0, 0):
            self.clock += 1
            wish.since = (age or self.clock, self.clock)

    def give_back(self, wish: Wish, units: int) -> None:
        waited = min(units, wish.waiting)
        wish.waiting, wish.live = wish.waiting - waited, wish.live - (units - waited)
        self.free[wish.sku] += units - waited

    def serve(self) -> None:
        for wish in sorted(self.wishes.values(), key=lambda w: (not w.paid, w.since)):
            got = min(wish.waiting, self.free[wish.sku])
            wish.waiting, wish.live = wish.waiting - got, wish.live + got
            self.free[wish.sku] -= got

    def order(self, name: str, told: dict[str, dict[str, Any]]) -> None:
        goals = [(self.wishes.setdefault((name, line_id), Wish(goal["sku"])), goal) for line_id, goal in told.items()]
        for wish, goal in goals:
            self.mend(wish, goal)
        wants = {line_id: 0 for of, line_id in self.wishes if of == name}
        wants |= {line_id: self.needed(self.wishes[name, line_id], goal) for line_id, goal in told.items()}
        leaves = {line_id: self.leaving(self.wishes[name, line_id], goal) for line_id, goal in told.items()}
        mine = [(self.wishes[name, line_id], wants[line_id], leaves.get(line_id, 0)) for line_id in sorted(wants)]
        self.pass_on(mine)
        for wish, units, _ in mine:
            self.give_back(wish, max(wish.live + wish.waiting - units, 0))
        for wish, units, _ in mine:
            self.take(wish, max(units - wish.live - wish.waiting, 0))
        self.pass_on(mine)
        for wish, units, _ in mine:
            if units > wish.live + wish.waiting:
                wish.waiting = units - wish.live
                self.note(wish)
        for wish, goal in goals:
            self.bring_to(wish, goal)
        for wish, goal in goals:  # no line sends what came back of another
            self.take_back(wish, goal)
        self.serve()

    def pass_on(self, mine: list[tuple[Wish, int, int]]) -> None:
        """An order's units of an item go to what leaves the house, then to its lines in turn; so does what waits."""
        for sku in SKUS:
            some = [one for one in mine if one[0].sku == sku]
            if all(units == wish.live + wish.waiting and not leaves for wish, units, leaves in some):
                continue
            before = [(wish.live, wish.waiting, wish.since) for wish, _, _ in some]
            live, waiting = sum(had[0] for had in before), sum(had[1] for had in before)
            gets = [0 for _ in some]
            for round_ in (0, 1):
                for n, (_, units, leaves) in enumerate(some):
                    got = min(live, (leaves, units - gets[n])[round_])
                    gets[n], live = gets[n] + got, live - got
            waits = []
            for n, (_, units, _) in enumerate(some):
                got = min(waiting, max(units - gets[n], 0))
                waits.append(got)
                waiting -= got
            for n in reversed(range(len(some))):  # what is too much stays where it is, until it is given back
                stays, waited = min(live, max(before[n][0] - gets[n], 0)), min(waiting, max(before[n][1] - waits[n], 0))
                gets[n], waits[n], live, waiting = gets[n] + stays, waits[n] + waited, live - stays, waiting - waited
            self.hand_round([wish for wish, _, _ in some], waits, gets)

    def hand_round(self, wishes: list[Wish], waits: list[int], gets: list[int]) -> None:
        """A wish that is new is as old as those whose place it takes."""
        waited = [wish.since[0] for wish, n in zip(wishes, waits, strict=True) if wish.waiting > n]
        had = [wish.since[0] for wish in wishes if wish.live]
        for wish, n in zip(wishes, waits, strict=True):
            if n > wish.waiting:
                self.note(wish, min(waited))
            wish.waiting = n
        for wish, n in zip(wishes, gets, strict=True):
            if n > wish.live:
                self.note(wish, min(had))
            wish.live = n

    def leaving(self, wish: Wish, goal: dict[str, Any]) -> int:
        return int(max(goal["shipped"] - wish.shipped, 0))

    def still(self, wish: Wish, goal: dict[str, Any]) -> tuple[int, int]:
        """Units still owed and still to be broken: goods that left are neither, though a store takes it all back."""
        withdrawn = max(wish.shipped - goal["shipped"], 0)
        owed = max(goal["open"] - withdrawn, 0)
        return owed, max(goal["lost"] - wish.lost - max(withdrawn - goal["open"], 0), 0)

    def needed(self, wish: Wish, goal: dict[str, Any]) -> int:
        return sum(self.still(wish, goal)) + self.leaving(wish, goal)

    def mend(self, wish: Wish, goal: dict[str, Any]) -> None:
        mended = min(max(wish.lost - goal["lost"], 0), wish.broken)
        wish.lost, wish.broken = min(wish.lost, goal["lost"]), wish.broken - mended
        self.free[wish.sku] += mended
        self.in_bin[wish.sku] += mended
        self.set_apart[wish.sku] -= mended

    def bring_to(self, wish: Wish, goal: dict[str, Any]) -> None:
        wish.paid = goal["paid"]
        lost = self.still(wish, goal)[1]
        broken = min(lost, wish.live)
        wish.live, wish.waiting = wish.live - broken, wish.waiting - (lost - broken)
        wish.lost, wish.broken = goal["lost"] if lost else wish.lost, wish.broken + broken
        self.in_bin[wish.sku] -= broken
        self.set_apart[wish.sku] += broken
        shipped = max(goal["shipped"] - wish.shipped, 0)
        lacking = max(shipped - wish.live, 0)
        known = min(lacking, self.free[wish.sku])  # what lies there free, mended just now, left before what nobody knew
        found = lacking - known
        self.free[wish.sku] -= known
        wish.live, wish.waiting = wish.live + lacking - shipped, wish.waiting - lacking
        wish.shipped += shipped
        self.in_bin[wish.sku] += found - shipped

    def take_back(self, wish: Wish, goal: dict[str, Any]) -> None:
        back = max(goal["returned"] - wish.returned, 0)
        wish.returned += back
        self.free[wish.sku] += back
        self.in_bin[wish.sku] += back

    def units(self, sku: str) -> Units:
        mine = [wish for wish in self.wishes.values() if wish.sku == sku]
        return Units(
            self.free[sku],
            sum(w.live for w in mine if not w.paid),
            sum(w.live for w in mine if w.paid),
            sum(w.waiting for w in mine),
        )


@st.composite
def told_lines(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lines of an order as a store may tell them; a SKU may stand on several."""
    lines = []
    for n in draw(st.lists(st.integers(1, 4), unique=True, max_size=4)):
        sku = sorted(SKUS)[n % len(SKUS)]
        quantity = draw(st.integers(0, 6))
        cancelled = draw(st.integers(0, quantity))
        written_off = draw(st.integers(0, quantity - cancelled))
        shipped = draw(st.integers(0, quantity - cancelled - written_off))
        returned = draw(st.integers(0, shipped))
        lines.append({"line_id": f"line-{n}", "sku": sku, "quantity": quantity, "cancelled": cancelled,
                      "written_off": written_off, "shipped": shipped, "returned": returned})  # fmt: skip
    return lines


class Ledger(History):
    @initialize()
    def open_shop(self) -> None:
        self.clock = Clock()
        self.database.clock = self.clock
        self.world, self.model = random_shop(self.database), Model()
        self.shop = self.world.store()
        for sku, pack in SKUS.items():
            self.world.listings(self.shop, sku, pack_size=pack)
        self.seq = count(10)
        self.last: dict[str, ApplyOrder] = {}
        self.ends: dict[str, Any] = {}

    @rule(
        name=st.sampled_from(ORDERS), lines=told_lines(), paid=st.booleans(), holds_units=st.booleans() | st.just(True)
    )
    def hear_of_an_order(self, name: str, lines: list[dict[str, Any]], paid: bool, holds_units: bool) -> None:
        self.clock.pass_(1)
        state = order(*(line(**told) for told in lines), external_id=name, paid=paid, holds=holds_units)
        self.last[name] = ApplyOrder(self.shop, state, next(self.seq))
        assert self.world.do(self.last[name]) is True
        goals = {}
        for told in lines:
            pack = SKUS[told["sku"]]
            still = told["quantity"] - told["cancelled"] - told["written_off"] - told["shipped"]
            goals[told["line_id"]] = {
                "sku": told["sku"],
                "open": still * pack if holds_units else 0,
                "shipped": told["shipped"] * pack,
                "lost": told["written_off"] * pack,
                "returned": told["returned"] * pack,
                "paid": paid or told["shipped"] > 0,
            }
        self.model.order(name, goals)

    @precondition(lambda self: self.last)
    @rule(data=st.data(), late=st.booleans())
    def hear_an_old_state_again(self, data: st.DataObject, late: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.last)))
        known = self.last[name]
        if late:
            older = order(line("mug", 9), external_id=name, paid=True)
            known = ApplyOrder(self.shop, older, known.fetch_seq - 1)
        assert self.world.do(known) is False

    @rule(sku=st.sampled_from(sorted(SKUS)), units=st.integers(1, 5))
    def receive(self, sku: str, units: int) -> None:
        self.clock.pass_(1)
        self.world.receive(sku, units)
        self.model.receive(sku, units)

    @rule(wanted=st.dictionaries(st.sampled_from(sorted(SKUS)), st.integers(1, 5), min_size=1), ttl=st.integers(1, 20))
    def hold(self, wanted: dict[str, int], ttl: int) -> None:
        self.clock.pass_(1)
        key = f"hold-{next(self.seq)}"
        command = Hold(key, {self.world.item(sku): n for sku, n in wanted.items()}, self.clock.after(ttl))
        (result,) = self.world.run(command)
        enough = all(self.model.free[sku] >= n for sku, n in wanted.items())
        assert isinstance(result, InsufficientStock) is not enough
        if enough:
            self.ends[key] = self.clock.after(ttl)
            for sku, n in wanted.items():
                wish = self.model.wishes[key, sku] = Wish(sku)
                self.model.take(wish, n)

    @precondition(lambda self: self.ends)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.ends)))
        self.world.do(EndHold(key))
        self.end(key)

    @rule(seconds=st.integers(1, 15))
    def expire(self, seconds: int) -> None:
        self.clock.pass_(seconds)
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            keys = sorted(holds.expired(tx))
        assert keys == sorted(key for key, end in self.ends.items() if end <= self.clock.now)
        if keys:
            self.world.run(*(EndHold(key, only_expired=True) for key in keys))
        for key in keys:
            self.end(key)

    def end(self, key: str) -> None:
        del self.ends[key]
        for (name, _), wish in self.model.wishes.items():
            if name == key:
                self.model.give_back(wish, wish.live)
        self.model.serve()

    @invariant()
    def the_books_are_right(self) -> None:
        assert violations(self.world) == []
        for sku in SKUS:
            assert self.world.units(sku) == self.model.units(sku), sku
            assert self.world.on_hand(sku) == (self.model.in_bin[sku], self.model.set_apart[sku]), sku

    @invariant()
    def nobody_is_promised_a_unit_that_does_not_exist(self) -> None:
        for sku in SKUS:
            units = self.world.units(sku)
            assert units.free + units.reserved + units.sold == self.world.on_hand(sku)[0]


def test_random_histories_agree_with_the_model(db: Database) -> None:
    ended = Ledger.play(db, PLAYED)

    assert ended
    there = [one.world.units(sku) for one in ended for sku in SKUS]
    assert there == [one.model.units(sku) for one in ended for sku in SKUS]

"""Random histories of orders that warehouses send, against a plain model that shares no code with the core: what stands
in all warehouses together, what has left for each order, and the audit after each step.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from core.errors import Refused
from core.fulfilment import automatic
from core.goods.adjusting import Lose
from core.sales.locks import ReleaseLock
from core.stock import DocumentKind
from core.supply import sending, transfers
from core.transaction import Database
from core.warehouse import bins, warehouses
from tests.builders import line, order
from tests.integration import lock_acts
from tests.integration.fulfilment_acts import act, dispatch, fulfilments, place, put, spot
from tests.property.histories import History, played, random_shop, violations

PLAYED = played(8, soak=400, steps=(25, 60))
SKUS, ORDERS = ("mug", "cup"), ("1", "2", "3", "4")
PLACES = ("MAIN", "MAIN/A", "HAMBURG")
_PLACE, _SKU, _ORDER, _UNITS = map(st.sampled_from, (PLACES, SKUS, ORDERS, (1, 2, 3, 5)))
_ACT = st.sampled_from(["hand", "put back", "ship", "give back", "reject"])


class Sending(History):
    @initialize(locked=st.booleans(), auto=st.booleans())
    def open_shop(self, locked: bool, auto: bool) -> None:
        self.world = random_shop(self.database)
        place(self.world, "HAMBURG")
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            bins.add(tx, "MAIN/A")
            automatic.switch(tx, auto)
        self.store = self.world.stocked(*SKUS, units=4)
        if locked:
            main = spot(self.world, "MAIN").warehouse_id
            lock_acts.lock(self.world, "apart", "mug", 3, type="channel", store_id=self.store, warehouse_id=main)
        self.there = dict.fromkeys(SKUS, 4)
        self.left = {(one, sku): 0 for one in ORDERS for sku in SKUS}
        self.told: dict[tuple[str, str], int] = dict.fromkeys(self.left, 0)  # shipped, as the store has said
        self.known: set[str] = set()

    @rule(
        which=_ORDER, wanted=st.tuples(st.integers(0, 5), st.integers(0, 5)), paid=st.booleans() | st.just(True),
        holds=st.booleans() | st.just(True), leaves=st.booleans(),
    )  # fmt: skip
    def hear(self, which: str, wanted: tuple[int, int], paid: bool, holds: bool, leaves: bool) -> None:
        """The store tells an order's newest state; with ``leaves`` it has sent all that the order has of one item.

        Only what stands there and is not to be sent for others: the books find what else is said to have left.
        """
        live = self.live(which) if leaves and which in self.known else {}
        lines = []
        for sku, units in zip(SKUS, wanted, strict=True):
            key = (which, sku)
            if live.get(sku) and units and live[sku] <= self.there[sku] - self.kept_for_others(which, sku):
                self.told[key] = self.left[key] + live[sku]
            elif leaves:
                self.told[key] = max(self.told[key], self.left[key])
            goes = max(self.told[key] - self.left[key], 0)
            self.there[sku] -= goes
            self.left[key] += goes
            shipped = self.told[key]
            lines.append(line(sku, shipped + units, shipped=shipped))
        self.known.add(which)
        self.world.hear(self.store, order(*lines, external_id=which, paid=paid, holds=holds))

    @rule(which=st.sets(_ORDER, min_size=1))
    def decide(self, which: set[str]) -> None:
        if known := which & self.known:
            assert all(not one.refused for one in dispatch(self.world, *known))

    @rule(which=_ORDER, nth=st.integers(0, 3), what=_ACT, sku=_SKU, units=st.none() | _UNITS)
    def do(self, which: str, nth: int, what: str, sku: str, units: int | None) -> None:
        told = fulfilments(self.world, which) if which in self.known else []
        if not told:
            return
        before = self.live(which)
        said: dict[str, Any] = {"units": None if units is None or what == "reject" else {sku: units}}
        try:
            done = act(self.world, what, nth % len(told) + 1, external_id=which, **said)
        except Refused:
            return
        moved = {name: done.units.get(self.world.item(name), 0) for name in SKUS}
        assert all(moved[name] <= before[name] for name in SKUS)
        if what == "ship":
            for name, n in moved.items():
                self.there[name] -= n
                self.left[which, name] += n
            assert self.live(which) == {name: before[name] - moved[name] for name in SKUS}
        else:
            assert self.live(which) == before

    @rule(where=_PLACE, sku=_SKU, units=_UNITS)
    def receive(self, where: str, sku: str, units: int) -> None:
        put(self.world, where, **{sku: units})
        self.there[sku] += units

    @rule(where=_PLACE, sku=_SKU, units=_UNITS)
    def lose(self, where: str, sku: str, units: int) -> None:
        gone = Lose(
            f"lose/{self.world.next_seq()}", "fire", DocumentKind.MISSING, {self.world.item(sku): units},
            spot=spot(self.world, where),
        )  # fmt: skip
        if not isinstance(self.world.run(gone)[0], Refused):
            self.there[sku] -= units

    @rule(code=st.sampled_from(["MAIN", "HAMBURG"]), paused=st.booleans())
    def pause(self, code: str, paused: bool) -> None:
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            warehouses.change(tx, code, {"paused": paused})
            relieved = automatic.to_relieve(tx)
        if relieved:
            self.world.run(*relieved)

    @rule(number=st.sampled_from(["T-1", "T-2"]), sku=_SKU, units=_UNITS)
    def move(self, number: str, sku: str, units: int) -> None:
        """A transfer from MAIN to HAMBURG takes its next step: asked for, sent, received, or closed unsent."""
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            if number not in {one.row.number for one in transfers.every(tx, all_of_them=True)}:
                ends = warehouses.id_of(tx, "MAIN"), warehouses.id_of(tx, "HAMBURG")
                transfers.ask(tx, number, ends, {self.world.item(sku): units})
                return
            known = transfers.find(tx, number)
        (only,) = known.lines
        name = next(one for one in SKUS if self.world.item(one) == only.stocked)
        if known.state == "asked":
            main = spot(self.world, "MAIN")
            try:
                sending.send(self.database, self.world.merchant_id, number, None, main, "k", actor="test")
                self.there[name] -= only.asked
            except Refused:
                with self.database.begin(self.world.merchant_id, actor="test") as tx:
                    transfers.close(tx, number)
        elif known.state == "sent":
            hamburg = spot(self.world, "HAMBURG")
            sending.receive(self.database, self.world.merchant_id, number, None, hamburg, "k", actor="test")
            self.there[name] += only.sent

    @rule()
    def release_the_lock(self) -> None:
        self.world.run(ReleaseLock("apart"))

    def kept_for_others(self, which: str, sku: str) -> int:
        """Units that warehouses are to send for other orders."""
        return int(
            self.world.scalar(
                """SELECT coalesce(sum(l.units), 0) FROM fulfilment_line l
                   WHERE l.merchant_id = :merchant_id AND l.item_id = :item_id AND l.order_id <> coalesce((SELECT id
                       FROM store_order WHERE merchant_id = :merchant_id AND external_id = :which), 0)""",
                item_id=self.world.item(sku).item_id, which=which,
            )
        )  # fmt: skip

    def live(self, which: str) -> dict[str, int]:
        rows = self.world.ask(
            """SELECT i.sku, sum(p.live)::int AS live FROM promise p JOIN item i
                   ON (i.merchant_id, i.id) = (p.merchant_id, p.item_id)
               WHERE p.merchant_id = :merchant_id AND p.order_id = (SELECT id FROM store_order
                   WHERE merchant_id = :merchant_id AND external_id = :which) GROUP BY 1""",
            which=which,
        )
        return dict.fromkeys(SKUS, 0) | {row.sku: row.live for row in rows}

    def stands(self) -> dict[str, int]:
        """Units in all warehouses together."""
        rows = self.world.ask(
            """SELECT i.sku, sum(b.available + b.picking)::int AS there FROM warehouse_balance b
               JOIN item i ON (i.merchant_id, i.id) = (b.merchant_id, b.item_id)
               WHERE b.merchant_id = :merchant_id GROUP BY 1"""
        )
        return {row.sku: row.there for row in rows}

    @invariant()
    def the_books_agree(self) -> None:
        assert violations(self.world) == []
        assert self.stands() == self.there
        left = self.world.ask(
            """SELECT o.external_id, i.sku, sum(p.shipped)::int AS units FROM promise p
               JOIN store_order o ON (o.merchant_id, o.id) = (p.merchant_id, p.order_id)
               JOIN item i ON (i.merchant_id, i.id) = (p.merchant_id, p.item_id)
               WHERE p.merchant_id = :merchant_id GROUP BY 1, 2"""
        )
        found = {(row.external_id, row.sku): row.units for row in left}
        assert dict.fromkeys(self.left, 0) | found == self.left


def test_random_histories_of_fulfilment_agree_with_a_plain_model(db: Database) -> None:
    ended = Sending.play(db, PLAYED)

    assert ended
    assert [one.stands() for one in ended] == [one.there for one in ended]

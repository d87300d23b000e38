"""Random days on which goods are sold, received, moved and counted at once: then the books hold what stands there.

The plain model knows what really stands in each bin. The books began with something else.
"""

from contextlib import suppress
from datetime import datetime
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from core.errors import Refused
from core.goods.adjusting import SetOnShelf
from core.goods.receiving import Receive
from core.stock import DocumentKind, Spot
from core.stocktake import entering, opening, posting
from core.stocktake.entering import Counted
from core.stocktake.opening import Terms
from core.transaction import Database
from core.warehouse import bins, warehouses
from core.warehouse.moves import PutAway
from tests.builders import Clock, line, order
from tests.property.histories import History, played, random_shop, violations

SKUS = ("mug", "cup")
PLACES = ("MAIN", "MAIN/A-01", "BERLIN")
CELLS = [(place, sku) for place in PLACES for sku in SKUS]
WALKED = played(10, soak=800, steps=(25, 50))
cells, skus, places = st.sampled_from(CELLS), st.sampled_from(SKUS), st.sampled_from(PLACES)
counters = st.sampled_from(["ann", "bob"])


class Walk(History):
    @initialize(
        booked=st.lists(st.integers(0, 9), min_size=6, max_size=6),
        wrong=st.lists(st.integers(-4, 4), min_size=6, max_size=6),
        at_once=st.integers(1, 4),
    )
    def open(self, booked: list[int], wrong: list[int], at_once: int) -> None:
        self.database.clock = self.clock = Clock()
        self.world, self.keys, self.at_once = random_shop(self.database), count(1), at_once
        self.store = self.world.store()
        self.world.listings(self.store, *SKUS)
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            warehouses.add(tx, "BERLIN", {})
            bins.add(tx, "MAIN/A-01")
            self.spots: dict[str, Spot] = {place: warehouses.spot_of(tx, place) for place in PLACES}
        self.items = {sku: self.world.item(sku) for sku in SKUS}
        self.stands = dict.fromkeys(CELLS, 0)
        for cell, units in zip(CELLS, booked, strict=True):
            self.bring(cell, units)
        for cell, error in zip(CELLS, wrong, strict=True):
            self.stands[cell] = max(self.stands[cell] + error, 0)
        self.counted: set[tuple[str, str]] = set()
        self.noted: list[tuple[tuple[str, str], int, datetime]] = []  # on paper, not entered yet
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            opening.start(tx, "S-1", ["MAIN", "BERLIN"], Terms())

    def bring(self, cell: tuple[str, str], units: int) -> None:
        if units:
            place, sku = cell
            key = f"r/{next(self.keys)}"
            self.world.do(Receive(key, DocumentKind.RECEIPT, {self.items[sku]: units}, spot=self.spots[place]))
            self.stands[cell] += units

    def booked(self) -> dict[tuple[str, str], int]:
        rows = self.world.ask(
            "SELECT bin_id, item_id, available + picking FROM warehouse_balance WHERE merchant_id = :merchant_id"
        )
        held = {(bin_id, item_id): units for bin_id, item_id, units in rows}
        return {(place, sku): held.get((self.spots[place].bin_id, self.items[sku].item_id), 0) for place, sku in CELLS}

    @rule(cell=cells, units=st.integers(1, 5))
    def receive(self, cell: tuple[str, str], units: int) -> None:
        self.clock.pass_(1)
        self.bring(cell, units)

    @rule(sku=skus, units=st.integers(1, 4))
    def sell(self, sku: str, units: int) -> None:
        """The goods are taken where the books say, if they are there: else nobody can send them."""
        self.clock.pass_(1)
        left = units
        for place in PLACES:
            taken = min(left, self.booked()[place, sku])
            if taken > self.stands[place, sku]:
                return
            left -= taken
        if left or self.world.units(sku).free < units:
            return
        before, number = self.booked(), str(next(self.keys))
        self.world.hear(self.store, order(line(sku, units, shipped=units), external_id=number, paid=True))
        for cell, held in self.booked().items():
            self.stands[cell] -= before[cell] - held

    @rule(sku=skus, units=st.integers(1, 5), back=st.booleans())
    def put_away(self, sku: str, units: int, back: bool) -> None:
        self.clock.pass_(1)
        from_, to = ("MAIN/A-01", "MAIN") if back else ("MAIN", "MAIN/A-01")
        if units > self.stands[from_, sku]:
            return
        with suppress(Refused):
            self.world.do(PutAway(f"p/{next(self.keys)}", self.items[sku], units, self.spots[from_], self.spots[to]))
            self.stands[from_, sku] -= units
            self.stands[to, sku] += units

    @rule(place=places)
    def note(self, place: str) -> None:
        """All that stands there is counted, and written on paper."""
        self.clock.pass_(1)
        self.noted += [((place, sku), self.stands[place, sku], self.clock.now) for sku in SKUS]
        self.clock.pass_(1)

    @rule(counter=counters)
    def enter_notes(self, counter: str) -> None:
        for cell, units, at in self.noted:
            with suppress(Refused):  # its books were corrected since
                self.enter(cell, units, counter, at)
        self.noted.clear()

    @rule(cell=cells, counter=counters)
    def count(self, cell: tuple[str, str], counter: str) -> None:
        self.clock.pass_(1)
        self.enter(cell, self.stands[cell], counter, None)

    def enter(self, cell: tuple[str, str], units: int, counter: str, at: datetime | None) -> None:
        place, sku = cell
        with self.database.begin(self.world.merchant_id, actor=counter) as tx:
            entering.enter(tx, "S-1", [Counted(self.spots[place], self.items[sku], units, at)], counter)
        self.counted.add(cell)

    @rule(cell=cells, seldom=st.integers(0, 3))
    def set_right(self, cell: tuple[str, str], seldom: int) -> None:
        """Somebody corrects the books beside the stocktake: what was counted before must not correct them twice."""
        if seldom:
            return
        self.clock.pass_(1)
        place, sku = cell
        units = self.stands[cell]
        self.world.do(SetOnShelf(f"s/{next(self.keys)}", "seen", self.items[sku], units, spot=self.spots[place]))

    def post(self) -> None:
        posting.post(self.database, self.world.merchant_id, "S-1", actor="test", lines_at_once=self.at_once)

    def at_the_end(self) -> None:
        self.enter_notes("ann")
        for cell in CELLS:
            if cell not in self.counted:
                self.enter(cell, self.stands[cell], "ann", None)
        try:
            self.post()
        except Refused:  # lines that were corrected, or whose counters saw different corrections
            for cell in CELLS:
                for counter in ("ann", "bob"):
                    self.enter(cell, self.stands[cell], counter, None)
            self.post()
        assert violations(self.world) == []
        assert self.booked() == self.stands


def test_whatever_moves_while_goods_are_counted_the_books_end_at_the_truth(db: Database) -> None:
    ended = Walk.play(db, WALKED)

    assert ended
    assert [one.booked() for one in ended] == [one.stands for one in ended]
